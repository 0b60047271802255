#!/usr/bin/python3
"""Writes the networks and numbers that ConvolutionsBesidePyTorchTest compares Flinch with.

    apt-get install python3-torch python3-numpy
    ./convolutions.py                       # writes *.safetensors beside itself; seconds

Each network is an nn.Sequential whose state_dict is written as it is, float32, as a user would save it: NAME.safetensors.
What it makes of some inputs is computed in float64 by PyTorch's own convolution, max-pooling and autograd, with the same
weights, and written to NAME-expected.safetensors:

    inputs     [examples][channels][height][width]   float32, standard normal
    labels     [examples]                            int64
    logits     [examples][classes]                   f(x)
    losses     [examples]                            cross-entropy, nats
    jacobian   [examples]                            Frobenius norm of d softmax(f) / dx
    logitjacobian [examples]                         Frobenius norm of d f / dx
    gradients  [examples]                            lengths of gradients of losses, all parameters
    cosines    [examples][examples]                  between the same gradients

in float32, whose rounding is 6e-8 of each. The files beside this script were written with PyTorch 1.13.0a0 (Debian 12's
python3-torch) and NumPy on x86-64; other versions draw other weights.
"""
import json
import pathlib
import struct

import numpy
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent
CLASSES = 10


def convolution(inputs, outputs, kernel, pool, biases):
    layers = [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=biases), nn.ReLU()]
    return layers + ([nn.MaxPool2d(pool)] if pool > 1 else [])


def network(image, convolutions, hidden, biases):
    channels, height, width = image
    layers = []
    for outputs, kernel, pool in convolutions:
        layers += convolution(channels, outputs, kernel, pool, biases)
        channels, height, width = outputs, height // pool, width // pool
    layers.append(nn.Flatten())
    units = channels * height * width
    for next_units in hidden:
        layers += [nn.Linear(units, next_units, bias=biases), nn.ReLU()]
        units = next_units
    layers.append(nn.Linear(units, CLASSES, bias=biases))
    return nn.Sequential(*layers)


def measure(net, inputs, labels):
    net = net.double()
    x = inputs.double()
    losses, logits, gradients, jacobians, logit_jacobians = [], [], [], [], []
    for i in range(len(x)):
        one = x[i : i + 1]
        f = net(one)
        loss = nn.functional.cross_entropy(f, labels[i : i + 1])
        gradient = torch.autograd.grad(loss, list(net.parameters()))
        gradients.append(torch.cat([g.flatten() for g in gradient]))
        logits.append(f[0].detach())
        losses.append(loss.detach())
        for norms, function in (
            (jacobians, lambda z: torch.softmax(net(z), 1)),
            (logit_jacobians, net),
        ):
            norms.append(torch.autograd.functional.jacobian(function, one).norm())
    unit = torch.stack([g / g.norm() for g in gradients])
    lengths = torch.stack([g.norm() for g in gradients])
    return {
        "gradients": lengths,
        "logits": torch.stack(logits),
        "losses": torch.stack(losses),
        "jacobian": torch.stack(jacobians),
        "logitjacobian": torch.stack(logit_jacobians),
        "cosines": unit @ unit.T,
    }


def write(name, tensors, metadata):
    """The safetensors format: the header's length, the header as JSON, the values."""
    header, values, at = {"__metadata__": metadata}, b"", 0
    for key, tensor in tensors.items():
        integers = tensor.dtype == torch.int64
        raw = tensor.detach().numpy().astype("<i8" if integers else "<f4").tobytes()
        header[key] = {
            "dtype": "I64" if integers else "F32",
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(raw)],
        }
        values += raw
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / name).write_bytes(struct.pack("<Q", len(text)) + text + values)


def case(name, seed, image, convolutions, hidden, biases, examples):
    torch.manual_seed(seed)
    net = network(image, convolutions, hidden, biases)
    # PyTorch's own initial weights are so small that all examples look alike at the end.
    for parameter in net.parameters():
        parameter.data *= 2
    inputs = torch.randn(examples, *image)
    labels = torch.randint(CLASSES, (examples,))
    write(name + ".safetensors", net.state_dict(), {"format": "pt"})
    expected = {"inputs": inputs, "labels": labels, **measure(net, inputs, labels)}
    write(name + "-expected.safetensors", expected, {"torch": torch.__version__})


# The convolutional network of Fort et al., on CIFAR's images with biases and on MNIST's without.
PAPER = [(16, 3, 2), (32, 3, 2), (32, 3, 2)]
case("paper-biases", 1, (3, 32, 32), PAPER, [], True, 3)
case("paper", 2, (1, 28, 28), PAPER, [], False, 4)
# Odd sides, a last row and column in no window, kernels of 5, 3 and 1, no and unequal pooling, layers behind.
case("odd-biases", 3, (3, 13, 11), [(5, 5, 3), (7, 3, 1), (6, 1, 2)], [9], True, 6)
case("odd", 4, (2, 9, 14), [(4, 5, 1), (3, 5, 4)], [], False, 6)
