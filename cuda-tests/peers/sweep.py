#!/usr/bin/python3
"""The sweep of sweep.json in PyTorch: its networks trained and measured one after the other, as a loop does it.

    OMP_WAIT_POLICY=PASSIVE ./sweep.py --data-dir DIR --json sweep-peer.json
    time ./flinch sweep cuda-tests/peers/sweep.json --data-dir DIR        # from the top of the repository

Accuracies and losses are over whole splits, the Jacobian norm is the mean over 1,000 test images.
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import peers


@torch.no_grad()
def evaluate(model, images, labels):
    """Accuracy and mean cross-entropy."""
    logits = torch.cat([model(x) for x in images.split(4096)])
    return (logits.argmax(1) == labels).float().mean().item(), F.cross_entropy(logits, labels).item()


def test_labels(folder):
    return torch.from_numpy(peers.read_idx(folder / "t10k-labels-idx1-ubyte.gz").astype("int64"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder that holds mnist/")
    parser.add_argument("--json", type=Path, help="where the result goes")
    parser.add_argument("--every", type=int, default=1, help="train only every so many-th network, and extrapolate")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    sweep = json.loads(Path(__file__).with_name("sweep.json").read_text())
    factors = sweep["factors"]
    torch.set_num_threads(peers.THREADS)
    device = torch.device(arguments.device)
    data = peers.mnist(arguments.data_dir / "mnist")
    images, labels = data.images.to(device), data.labels.to(device)
    test_images, answers = data.test_images.to(device), test_labels(arguments.data_dir / "mnist").to(device)

    between = lambda ends: range(ends["linear"][0], ends["linear"][1] + 1)
    networks = list(itertools.product(between(factors["depth"]), factors["width"], between(factors["seed"])))
    chosen = networks[:: arguments.every]
    results = []
    start = time.perf_counter()
    for depth, width, seed in chosen:
        torch.manual_seed(seed)
        model = peers.network(depth, width).to(device)
        optimizer = peers.momentum(model)
        for _ in range(sweep["training"]["stop"]["epochs"]):
            peers.epoch(model, optimizer, images, labels, torch.randperm(len(labels), device=device))
        train, train_loss = evaluate(model, images, labels)
        test, test_loss = evaluate(model, test_images, answers)
        model.requires_grad_(False)
        norm = peers.jacobian_norm(model, test_images[: sweep["measures"]["jacobian"]["count"]], peers.JACOBIAN_CHUNK)
        results.append({"depth": depth, "width": width, "seed": seed, "gap": train - test, "jacobianNorm": norm})
    peers.synchronize(device)
    seconds = (time.perf_counter() - start) * len(networks) / len(chosen)
    mean = sum(r["jacobianNorm"] for r in results) / len(results)
    print(f"{len(networks)} networks in {seconds:.1f} s ({len(chosen)} of them timed), mean Jacobian norm {mean:.4g}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"seconds": seconds, "timed": len(chosen), "networks": results}, indent=1))


if __name__ == "__main__":
    main()
