#!/usr/bin/python3
"""The jobs of `flinch bench`, written in PyTorch as a researcher would write them.

    ./peers.py --data-dir DIR --json peers.json
    ./peers.py --check

README.md beside this file says what is the same as in Flinch and what is not.
"""

import argparse
import ctypes
import gzip
import json
import math
import os
import re
import statistics
import struct
import sys
import time
from collections import namedtuple
from pathlib import Path

THREADS = 2
# torch.set_num_threads does not reach OpenBLAS's own threads, which are counted when it loads.
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

try:
    from torch.func import functional_call, grad, jacrev, vmap
except ImportError:  # before PyTorch 2.0
    from functorch import grad, jacrev, vmap
    from torch.nn.utils.stateless import functional_call

INPUTS, CLASSES = 784, 10
TRAINING, TEST = 50_000, 10_000
GEMM_FLOP, GEMM_PRODUCTS = 2 * 8192 * 200 * 200, 100  # one product, products timed together
BATCH, LEARNING_RATE, MOMENTUM = 256, 0.005, 0.9
# Points per chunk: the fastest powers of two on two Zen 5 cores where threads don't spin (README.md).
TRANSITION_CHUNK, JACOBIAN_CHUNK = 4096, 512
REGION_ROWS = 4  # of 1024 pixels: as many points as a chunk of transitions
NOT_BY_DEFAULT_ON_CPU = ["jacobian-trajectory-2^20-20x200", "epoch-128x20x200"]  # minutes a run, and gigabytes
# What decides how fast the same PyTorch is on a CPU, so written beside every result.
SETTINGS = "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_WAIT_POLICY"

Data = namedtuple("Data", "images labels test_images")  # [n, 784], [n], [m, 784]


# ---- data ----


def normalise(images):
    """Each image minus its mean, divided by its population deviation: norm √784, or zero."""
    centred = images - images.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    return torch.where(deviation > 0, centred / deviation, torch.zeros_like(centred))


def read_idx(path):
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def mnist(folder):
    def images(name, count):
        return normalise(torch.from_numpy(read_idx(folder / name)[:count].reshape(count, INPUTS).astype(np.float32)))

    labels = read_idx(folder / "train-labels-idx1-ubyte.gz")[:TRAINING]
    return Data(
        images("train-images-idx3-ubyte.gz", TRAINING),
        torch.from_numpy(labels.astype(np.int64)),
        images("t10k-images-idx3-ubyte.gz", TEST),
    )


def random_data():
    torch.manual_seed(1)
    return Data(
        normalise(torch.randn(TRAINING, INPUTS)),
        torch.randint(CLASSES, (TRAINING,)),
        normalise(torch.randn(TEST, INPUTS)),
    )


# ---- networks: `depth` weight matrices, no biases, normal weights of variance 2 / fan-in ----


def fan(depth, width):
    units = [INPUTS] + [width] * (depth - 1) + [CLASSES]
    return list(zip(units, units[1:]))


def network(depth, width, activation=nn.ReLU):
    return dense(INPUTS, *[width] * (depth - 1), CLASSES, activation=activation)


def dense(*units, activation=nn.ReLU):
    layers = []
    for fan_in, fan_out in zip(units, units[1:]):
        linear = nn.Linear(fan_in, fan_out, bias=False)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


class Ensemble(nn.Module):
    """Replicas of one architecture, each layer one bmm: [replicas, rows, 784] to [replicas, rows, 10]."""

    def __init__(self, replicas, depth, width):
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(replicas, fan_in, fan_out) * math.sqrt(2 / fan_in))
            for fan_in, fan_out in fan(depth, width)
        )

    def forward(self, x):
        for weight in self.weights[:-1]:
            x = F.relu(torch.bmm(x, weight))
        return torch.bmm(x, self.weights[-1])


# ---- the measured work ----


@torch.no_grad()
def transitions(model, u, v, points, chunk):
    """Sign changes of the hidden pre-activations along u cos θ + v sin θ, the last point to the first included."""
    axes = torch.stack([u, v])
    total = torch.zeros((), dtype=torch.int64, device=u.device)
    for start in range(0, points, chunk):
        # One point more than the chunk, to meet the next one. Angles in double: neighbours differ by 6e-6.
        index = torch.arange(start, min(start + chunk, points) + 1, device=u.device, dtype=torch.float64)
        theta = index.remainder(points) * (2 * math.pi / points)
        h = torch.stack([theta.cos(), theta.sin()], 1).to(u.dtype) @ axes
        for layer in model[:-1]:
            if isinstance(layer, nn.Linear):
                h = layer(h)
                code = h > 0
                total += torch.count_nonzero(code[1:] ^ code[:-1])
            else:
                h = F.relu_(h)
    return total.item()


def jacobian_norm(model, images, chunk):
    """Mean Frobenius norm of d softmax(f(x)) / dx."""
    jacobian = vmap(jacrev(lambda x: torch.softmax(model(x), -1)))
    return torch.cat([jacobian(x).flatten(1).norm(dim=1) for x in images.split(chunk)]).mean().item()


def trajectory_jacobian_norm(model, u, v, points, chunk):
    """The same, at the points of u cos θ + v sin θ: a backward pass a class at every one of them."""
    jacobian = vmap(jacrev(lambda x: torch.softmax(model(x), -1)))
    axes = torch.stack([u, v])
    total = torch.zeros((), dtype=torch.float64, device=u.device)
    for start in range(0, points, chunk):
        index = torch.arange(start, min(start + chunk, points), device=u.device, dtype=torch.float64)
        theta = index * (2 * math.pi / points)
        x = torch.stack([theta.cos(), theta.sin()], 1).to(u.dtype) @ axes
        total += jacobian(x).flatten(1).norm(dim=1).sum(dtype=torch.float64)
    return total.item() / points


def gradient_cosines(model, images, labels):
    """The cosine between the loss gradients of every two images: [n, n]."""
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss(weights, image, label):
        return F.cross_entropy(functional_call(model, weights, (image[None],)), label[None])

    gradients = vmap(grad(loss), (None, 0, 0))(parameters, images, labels)
    rows = F.normalize(torch.cat([g.flatten(1) for g in gradients.values()], 1))
    return rows @ rows.T


@torch.no_grad()
def regions(model, a, b, c, size, rows):
    """Codes of the last hidden ReLU6 layer at size × size points of the plane through a, b and c, as a 64-bit hash of
    each pixel, [size, size], and the number of code changes between neighbouring pixels."""
    plane = torch.stack([(a + b + c) / 3, (2 * a - b - c) / 3, (b - c) / math.sqrt(3)])
    centres = (2 * torch.arange(size, device=a.device, dtype=torch.float64) + 1) / size - 1
    hidden = model[:-2]  # up to the last hidden layer's pre-activations
    keys = torch.randint(-(2**62), 2**62, (hidden[-1].out_features,), device=a.device)
    hashes = torch.empty(size, size, dtype=torch.int64, device=a.device)
    changes = torch.zeros((), dtype=torch.int64, device=a.device)
    for start in range(0, size, rows):
        end = min(start + rows, size)
        # One row more than the chunk, to meet the next one.
        y, x = torch.meshgrid(-centres[start : end + 1], centres, indexing="ij")
        s = (y / 2 - math.sqrt(3) / 2 * x) / 0.8
        t = (x / 2 + math.sqrt(3) / 2 * y) / 0.8
        points = torch.stack([torch.ones_like(s), s, t], -1).flatten(0, 1).to(a.dtype) @ plane
        z = hidden(points)
        codes = ((z > 0).to(torch.int8) + (z > 6)).view(len(y), size, -1)
        own = codes[: end - start]
        hashes[start:end] = torch.stack([(row * keys).sum(-1) for row in own])
        changes += (own[:, 1:] - own[:, :-1]).abs().sum() + (codes[1:] - codes[:-1]).abs().sum()
    return hashes, changes.item()


def momentum(model):
    return torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)


def epoch(model, optimizer, images, labels, order):
    """One pass in the given order, [n], or [replicas, n] for an ensemble. Returns the mean loss of the pass."""
    model.train()
    total = torch.zeros((), device=images.device)
    for batch in order.split(BATCH, -1):
        logits = model(images[batch]).flatten(0, -2)
        # Summed over replicas, a mean within each: no replica's gradient depends on how many there are.
        loss = F.cross_entropy(logits, labels[batch].flatten(), reduction="sum") / batch.shape[-1]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach() * batch.shape[-1]
    return total.item() / order.numel()


# ---- jobs: each makes its inputs anew, untimed, and returns what is timed ----


def gemm_job(data, device):
    a, b = torch.randn(8192, 200, device=device), torch.randn(200, 200, device=device)
    c = torch.empty(8192, 200, device=device)

    def run():
        for _ in range(GEMM_PRODUCTS):
            torch.mm(a, b, out=c)

    return run


def transitions_job(data, device):
    model, u, v = network(20, 200).to(device), torch.randn(INPUTS), torch.randn(INPUTS)
    return lambda: transitions(model, u.to(device), v.to(device), 2**20, TRANSITION_CHUNK)


def jacobian_job(depth, width):
    def job(data, device):
        model = network(depth, width).requires_grad_(False).to(device)
        images = data.test_images.to(device)
        return lambda: jacobian_norm(model, images, JACOBIAN_CHUNK)

    return job


def trajectory_jacobian_job(data, device):
    model = network(20, 200).requires_grad_(False).to(device)
    u, v = torch.randn(2, INPUTS, device=device)
    return lambda: trajectory_jacobian_norm(model, u, v, 2**20, JACOBIAN_CHUNK)


def regions_job(data, device):
    model = network(15, 300, nn.ReLU6).to(device)
    a, b, c = data.test_images[:3].to(device)
    return lambda: len(regions(model, a, b, c, 1024, REGION_ROWS)[0].unique())


def stiffness_job(count):
    def job(data, device):
        model = dense(INPUTS, 500, 300, 100, CLASSES).to(device)
        images, labels = data.images[:count].to(device), data.labels[:count].to(device)
        return lambda: gradient_cosines(model, images, labels).mean().item()

    return job


def epoch_job(make, replicas=None):
    def job(data, device):
        model = make().to(device)
        optimizer = momentum(model)
        images, labels = data.images.to(device), data.labels.to(device)

        def run():
            orders = [torch.randperm(TRAINING, device=device) for _ in range(replicas or 1)]
            return epoch(model, optimizer, images, labels, torch.stack(orders) if replicas else orders[0])

        return run

    return job


JOBS = {  # name: (job, what its value is)
    "gemm": (gemm_job, "GFLOP/s"),
    "transitions-2^20-20x200": (transitions_job, "transitions"),
    "jacobian-10k-20x200": (jacobian_job(20, 200), "mean norm"),
    "jacobian-10k-3x1000": (jacobian_job(3, 1000), "mean norm"),
    "jacobian-trajectory-2^20-20x200": (trajectory_jacobian_job, "mean norm"),
    "regions-1024-15x300": (regions_job, "patterns"),
    "stiffness-500": (stiffness_job(500), "mean cosine"),
    "epoch-20x200": (epoch_job(lambda: network(20, 200)), "mean loss"),
    "epoch-3x1000": (epoch_job(lambda: network(3, 1000)), "mean loss"),
    "epoch-8x5x100": (epoch_job(lambda: Ensemble(8, 5, 100), replicas=8), "mean loss"),
    "epoch-128x20x200": (epoch_job(lambda: Ensemble(128, 20, 200), replicas=128), "mean loss"),
}


def measure(name, data, device, repeats):
    """Median seconds after one warm-up, and the job's value."""
    job, unit = JOBS[name]
    seconds = []
    for _ in range(1 + repeats):
        torch.manual_seed(0)
        run = job(data, device)
        synchronize(device)
        start = time.perf_counter()
        value = run()
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[1:])
    if name == "gemm":
        median /= GEMM_PRODUCTS
        value = GEMM_FLOP / median / 1e9
    return {"name": name, "seconds": median, "value": value, "unit": unit}


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def blas(device):
    """The library that multiplies the matrices, with the processor that it takes this one for."""
    if device.type == "cuda":
        return f"cuBLAS of CUDA {torch.version.cuda} on {torch.cuda.get_device_name(device)}"
    built_with = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    if built_with is None or built_with.group(1) != "generic":
        return built_with.group(1) if built_with else "unknown"
    library = ctypes.CDLL("libblas.so.3")  # what a "generic" build is linked to, so already loaded
    try:
        library.openblas_get_config.restype = ctypes.c_char_p
        return library.openblas_get_config().decode().strip()
    except AttributeError:
        return "libblas.so.3 that is not OpenBLAS"


# ---- checks: every measured function against a plainer one in double precision ----


def check(device):
    torch.manual_seed(2)
    passed = []

    def compare(what, found, expected, tolerance):
        error = abs(found - expected) / abs(expected)
        passed.append(error <= tolerance)  # false for NaN
        verdict = "ok  " if passed[-1] else "FAIL"
        print(f"{verdict} {what}: {found:.9g}, expected {expected:.9g}, relative error {error:.1e}, at most {tolerance:g}")

    images = normalise(torch.randn(7, INPUTS)).to(device)
    for depth, width in (20, 200), (3, 1000):
        model = network(depth, width).requires_grad_(False).to(device)
        found = jacobian_norm(model, images, 3)
        model.double()
        norms = []
        for x in images.double().requires_grad_():
            probabilities = torch.softmax(model(x), -1)
            rows = [torch.autograd.grad(p, x, retain_graph=True)[0] for p in probabilities]
            norms.append(torch.stack(rows).norm())
        compare(f"Jacobian norm, {depth}x{width}", found, torch.stack(norms).mean().item(), 1e-4)

    images, labels = normalise(torch.randn(9, INPUTS)).to(device), torch.arange(9, device=device)
    model = dense(INPUTS, 500, 300, 100, CLASSES).to(device)
    found = gradient_cosines(model, images, labels)
    model.double()
    gradients = []
    for image, label in zip(images.double(), labels):
        loss = F.cross_entropy(model(image[None]), label[None])
        gradients.append(flat(torch.autograd.grad(loss, list(model.parameters()))))
    expected = torch.stack(gradients)
    norms = expected.norm(dim=1)
    expected = expected @ expected.T / torch.outer(norms, norms)
    apart = (found.double() - expected).abs().max().item()
    compare("cosines of gradients, 500-300-100", 1 + apart, 1, 1e-5)

    points = 24
    model = network(20, 200).requires_grad_(False).to(device)
    u, v = torch.randn(2, INPUTS, device=device)
    found = trajectory_jacobian_norm(model, u, v, points, 7)
    model.double()
    theta = torch.arange(points, dtype=torch.float64, device=device) * 2 * math.pi / points
    norms = []
    for x in (torch.outer(theta.cos(), u.double()) + torch.outer(theta.sin(), v.double())).requires_grad_():
        probabilities = torch.softmax(model(x), -1)
        rows = [torch.autograd.grad(p, x, retain_graph=True)[0] for p in probabilities]
        norms.append(torch.stack(rows).norm())
    compare("Jacobian norm along a trajectory, 20x200", found, torch.stack(norms).mean().item(), 1e-4)

    points = 5000
    model = network(20, 200).to(device)
    u, v = torch.randn(2, INPUTS, device=device)
    found = transitions(model, u, v, points, 999)
    model.double()
    expected = 0
    with torch.no_grad():
        theta = torch.arange(points, dtype=torch.float64, device=device) * 2 * math.pi / points
        h = torch.outer(theta.cos(), u.double()) + torch.outer(theta.sin(), v.double())
        for layer in model[:-1]:
            h = layer(h)
            if isinstance(layer, nn.Linear):
                expected += ((h > 0) != (h > 0).roll(-1, 0)).sum().item()
    compare("transitions, 20x200", found, expected, 2e-3)

    size = 40
    model = network(15, 300, nn.ReLU6).to(device)
    a, b, c = normalise(torch.randn(3, INPUTS)).to(device)
    hashes, changes = regions(model, a, b, c, size, 7)
    model.double()
    codes = torch.empty(size, size, 300, dtype=torch.int64, device=device)
    with torch.no_grad():
        for row in range(size):
            for column in range(size):
                x, y = (2 * column + 1) / size - 1, 1 - (2 * row + 1) / size
                s, t = y / 2 - math.sqrt(3) / 2 * x, x / 2 + math.sqrt(3) / 2 * y
                m, p, q = (a + b + c) / 3, (2 * a - b - c) / 3, (b - c) / math.sqrt(3)
                h = m.double() + (s * p.double() + t * q.double()) / 0.8
                z = model[:-2](h)
                codes[row, column] = (z > 0).long() + (z > 6).long()
    expected = (codes[1:] - codes[:-1]).abs().sum() + (codes[:, 1:] - codes[:, :-1]).abs().sum()
    compare("transitions of a region map, 15x300", changes, expected.item(), 2e-3)
    found, expected = len(hashes.unique()), len(codes.flatten(0, 1).unique(dim=0))
    compare("patterns of a region map, 15x300", found, expected, 1e-2)

    # An odd last batch, momentum carried over, and every replica against a network of its own.
    replicas, examples = 3, 2 * BATCH + 77
    images = normalise(torch.randn(examples, INPUTS)).to(device)
    labels = torch.randint(CLASSES, (examples,), device=device)
    orders = torch.stack([torch.randperm(examples, device=device) for _ in range(replicas)])
    ensemble = Ensemble(replicas, 5, 100).to(device)
    start = [w.detach().double() for w in ensemble.weights]
    epoch(ensemble, momentum(ensemble), images, labels, orders)
    for replica in range(replicas):
        single = network(5, 100).to(device)
        with torch.no_grad():
            for linear, weight in zip(single[::2], start):
                linear.weight.copy_(weight[replica].T)
        epoch(single, momentum(single), images, labels, orders[replica])
        expected = plain_epoch([w[replica].clone() for w in start], images.double(), labels, orders[replica])
        # How far the weights moved is what training did, so errors are counted against it.
        moved = flat([w - s[replica] for w, s in zip(expected, start)]).norm().item()
        for kind, found in ("bmm", [w[replica] for w in ensemble.weights]), ("alone", [l.weight.T for l in single[::2]]):
            apart = flat([f.double() - w for f, w in zip(found, expected)]).norm().item()
            compare(f"an epoch of replica {replica}, {kind}", moved + apart, moved, 1e-4)
    return all(passed)


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


def plain_epoch(weights, images, labels, order):
    """Back-propagation and momentum by hand."""
    velocities = [torch.zeros_like(w) for w in weights]
    for batch in order.split(BATCH):
        hidden = [images[batch]]
        for w in weights[:-1]:
            hidden.append((hidden[-1] @ w).clamp(min=0))
        delta = torch.softmax(hidden[-1] @ weights[-1], 1) - F.one_hot(labels[batch], CLASSES)
        delta /= len(batch)
        for layer in reversed(range(len(weights))):
            gradient = hidden[layer].T @ delta
            delta = (delta @ weights[layer].T) * (hidden[layer] > 0)
            velocities[layer].mul_(MOMENTUM).add_(gradient)
            weights[layer] -= LEARNING_RATE * velocities[layer]
    return weights


def main():
    parser = argparse.ArgumentParser(description="The jobs of `flinch bench` in PyTorch.")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="holds mnist/*.gz; else random images of the same norm")
    parser.add_argument(
        "--job",
        nargs="+",
        choices=list(JOBS),
        metavar="NAME",
        help=f"default: all, on a CPU all but {' and '.join(NOT_BY_DEFAULT_ON_CPU)}; {', '.join(JOBS)}",
    )
    parser.add_argument("--repeats", type=int, default=3, help="timed runs after one warm-up (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--check", action="store_true", help="check the answers instead of measuring")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats: expected 1 or more, found {arguments.repeats}")
    if arguments.job is None:
        skipped = NOT_BY_DEFAULT_ON_CPU if arguments.device == "cpu" else []
        arguments.job = [name for name in JOBS if name not in skipped]
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: PyTorch {torch.__version__} finds no CUDA device here")
    torch.set_num_threads(THREADS)
    device = torch.device(arguments.device)
    if arguments.check:
        sys.exit(0 if check(device) else 1)

    try:
        data = mnist(arguments.data_dir / "mnist") if arguments.data_dir else random_data()
    except OSError as error:
        parser.error(f"--data-dir: expected MNIST's gzipped IDX files under {arguments.data_dir / 'mnist'}: {error}")
    result = {
        "peer": "PyTorch",
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "blas": blas(device),
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "device": arguments.device,
        "data": "MNIST" if arguments.data_dir else "random",
        "repeats": arguments.repeats,
        "jobs": [],
    }
    print(f"PyTorch {result['version']}, {result['threads']} threads, {result['blas']}, {result['data']} images", result["settings"])
    print(f"{'job':34}{'seconds':>12}{'value':>16}")
    for name in arguments.job:
        job = measure(name, data, device, arguments.repeats)
        result["jobs"].append(job)
        print(f"{name:34}{job['seconds']:12.6f}{job['value']:16.6g} {job['unit']}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
