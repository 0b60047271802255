#!/usr/bin/env python3
"""The jobs of `flinch bench`, written in JAX as a researcher would write them.

    ./peers_jax.py --data-dir DIR --json jax.json
    ./peers_jax.py --check

README.md beside this file says what is the same as in Flinch and what is not.
"""

import argparse
import gzip
import json
import math
import os
import statistics
import struct
import sys
import time
from collections import namedtuple
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

INPUTS, CLASSES = 784, 10
TRAINING, TEST = 50_000, 10_000
GEMM_FLOP, GEMM_PRODUCTS = 2 * 8192 * 200 * 200, 100  # one product, products timed together
BATCH, LEARNING_RATE, MOMENTUM = 256, 0.005, 0.9
TRANSITION_CHUNK, JACOBIAN_CHUNK = 4096, 512  # points; both divide 2^20
NOT_BY_DEFAULT_ON_CPU = ["jacobian-trajectory-2^20-20x200", "epoch-128x20x200"]  # minutes a run, and gigabytes
# What decides how fast the same JAX is, so written beside every result.
SETTINGS = "XLA_FLAGS", "JAX_DEFAULT_MATMUL_PRECISION", "NVIDIA_TF32_OVERRIDE"

Data = namedtuple("Data", "images labels test_images")  # [n, 784], [n], [m, 784]


# ---- data ----


def normalise(images):
    """Each image minus its mean, divided by its population deviation: norm √784, or zero."""
    centred = images - images.mean(1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(1, keepdims=True))
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)


def read_idx(path):
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def mnist(folder):
    def images(name, count):
        return normalise(read_idx(folder / name)[:count].reshape(count, INPUTS).astype(np.float32))

    return Data(
        images("train-images-idx3-ubyte.gz", TRAINING),
        read_idx(folder / "train-labels-idx1-ubyte.gz")[:TRAINING].astype(np.int32),
        images("t10k-images-idx3-ubyte.gz", TEST),
    )


def random_data():
    numbers = np.random.default_rng(1)
    return Data(
        normalise(numbers.standard_normal((TRAINING, INPUTS), np.float32)),
        numbers.integers(CLASSES, size=TRAINING, dtype=np.int32),
        normalise(numbers.standard_normal((TEST, INPUTS), np.float32)),
    )


# ---- networks: `depth` weight matrices, no biases, normal weights of variance 2 / fan-in ----


def network(key, depth, width):
    units = [INPUTS] + [width] * (depth - 1) + [CLASSES]
    keys = random.split(key, depth)
    return [
        random.normal(k, (fan_in, fan_out)) * math.sqrt(2 / fan_in)
        for k, fan_in, fan_out in zip(keys, units, units[1:])
    ]


def ensemble(key, replicas, depth, width):
    return jax.vmap(lambda k: network(k, depth, width))(random.split(key, replicas))


def logits(weights, x):
    for weight in weights[:-1]:
        x = jax.nn.relu(x @ weight)
    return x @ weights[-1]


# ---- the measured work ----


def ellipse(u, v, cosine, sine):
    return cosine[:, None] * u + sine[:, None] * v


def angles(points):
    """cos θ and sin θ of all points, found in double precision: neighbours differ by 6e-6."""
    theta = np.arange(points) * (2 * math.pi / points)
    return np.cos(theta), np.sin(theta)


@jax.jit
def transitions(weights, u, v, cosine, sine):
    """Sign changes of the hidden pre-activations along an ellipse; cosine and sine: [chunks, chunk + 1]."""

    def chunk(total, part):
        h = ellipse(u, v, *part)
        for weight in weights[:-1]:
            z = h @ weight
            total += jnp.count_nonzero((z[1:] > 0) ^ (z[:-1] > 0))
            h = jax.nn.relu(z)
        return total, None

    return lax.scan(chunk, jnp.zeros((), jnp.int32), (cosine, sine))[0]


def overlapping(values, chunk, dtype):
    """Chunks with one point more, to meet the next one, the last point to the first."""
    chunks = values.reshape(-1, chunk)
    return jnp.asarray(np.concatenate([chunks, np.roll(chunks, -1, 0)[:, :1]], 1), dtype)


def norms(weights, x):
    """Frobenius norms of d softmax(f(x)) / dx at [n, 784] points."""
    jacobian = jax.vmap(jax.jacrev(lambda point: jax.nn.softmax(logits(weights, point))))
    return jnp.linalg.norm(jacobian(x), axis=(1, 2))


@partial(jax.jit, static_argnames="chunk")
def jacobian_norm(weights, images, chunk):
    whole = len(images) // chunk * chunk
    parts = lax.map(lambda x: norms(weights, x), images[:whole].reshape(-1, chunk, INPUTS)).ravel()
    return jnp.concatenate([parts, norms(weights, images[whole:])]).mean()


@jax.jit
def trajectory_jacobian_norm(weights, u, v, cosine, sine):
    """The same, at the points of an ellipse; cosine and sine: [chunks, chunk]."""
    return lax.map(lambda part: norms(weights, ellipse(u, v, *part)).mean(), (cosine, sine)).mean()


def loss(weights, x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits(weights, x)), y[:, None], 1).mean()


def step(state, images, labels, batch):
    weights, velocities = state
    value, gradient = jax.value_and_grad(loss)(weights, images[batch], labels[batch])
    velocities = jax.tree_util.tree_map(lambda v, g: MOMENTUM * v + g, velocities, gradient)
    weights = jax.tree_util.tree_map(lambda w, v: w - LEARNING_RATE * v, weights, velocities)
    return (weights, velocities), value * len(batch)


def epoch_of_one(weights, images, labels, order):
    """One pass in the given order; the last batch is what is left over."""
    whole = len(order) // BATCH * BATCH
    state = weights, jax.tree_util.tree_map(jnp.zeros_like, weights)
    state, losses = lax.scan(lambda s, b: step(s, images, labels, b), state, order[:whole].reshape(-1, BATCH))
    total = losses.sum()
    if whole < len(order):
        state, last = step(state, images, labels, order[whole:])
        total += last
    return state[0], total / len(order)


epoch = jax.jit(epoch_of_one)
epoch_of_ensemble = jax.jit(jax.vmap(epoch_of_one, in_axes=(0, None, None, 0)))


# ---- jobs: each makes its inputs anew, untimed, and returns what is timed ----


def gemm_job(data):
    a, b = random.normal(random.PRNGKey(0), (8192, 200)), random.normal(random.PRNGKey(1), (200, 200))
    product = jax.jit(jnp.matmul)

    def run():
        for _ in range(GEMM_PRODUCTS):
            c = product(a, b)
        return c

    return run


def axes():
    return random.normal(random.PRNGKey(1), (2, INPUTS))


def transitions_job(data):
    weights, (u, v) = network(random.PRNGKey(0), 20, 200), axes()
    cosine, sine = (overlapping(c, TRANSITION_CHUNK, jnp.float32) for c in angles(2**20))
    return lambda: transitions(weights, u, v, cosine, sine)


def jacobian_job(depth, width):
    def job(data):
        weights, images = network(random.PRNGKey(0), depth, width), jnp.asarray(data.test_images)
        return lambda: jacobian_norm(weights, images, JACOBIAN_CHUNK)

    return job


def trajectory_jacobian_job(data):
    weights, (u, v) = network(random.PRNGKey(0), 20, 200), axes()
    cosine, sine = (jnp.asarray(c.reshape(-1, JACOBIAN_CHUNK), jnp.float32) for c in angles(2**20))
    return lambda: trajectory_jacobian_norm(weights, u, v, cosine, sine)


def epoch_job(depth, width, replicas=None):
    def job(data):
        key = random.PRNGKey(0)
        weights = ensemble(key, replicas, depth, width) if replicas else network(key, depth, width)
        images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)

        def run():
            if replicas is None:
                return epoch(weights, images, labels, random.permutation(key, TRAINING))[1]
            orders = jax.vmap(lambda k: random.permutation(k, TRAINING))(random.split(key, replicas))
            return epoch_of_ensemble(weights, images, labels, orders)[1].mean()

        return run

    return job


JOBS = {  # name: (job, what its value is)
    "gemm": (gemm_job, "GFLOP/s"),
    "transitions-2^20-20x200": (transitions_job, "transitions"),
    "jacobian-10k-20x200": (jacobian_job(20, 200), "mean norm"),
    "jacobian-10k-3x1000": (jacobian_job(3, 1000), "mean norm"),
    "jacobian-trajectory-2^20-20x200": (trajectory_jacobian_job, "mean norm"),
    "epoch-20x200": (epoch_job(20, 200), "mean loss"),
    "epoch-3x1000": (epoch_job(3, 1000), "mean loss"),
    "epoch-8x5x100": (epoch_job(5, 100, replicas=8), "mean loss"),
    "epoch-128x20x200": (epoch_job(20, 200, replicas=128), "mean loss"),
}


def measure(name, data, repeats):
    """Median seconds after one warm-up, which compiles, and the job's value."""
    job, unit = JOBS[name]
    seconds = []
    for _ in range(1 + repeats):
        run = job(data)
        jax.block_until_ready(jax.live_arrays())
        start = time.perf_counter()
        value = jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[1:])
    if name == "gemm":
        median /= GEMM_PRODUCTS
        value = GEMM_FLOP / median / 1e9
    return {"name": name, "seconds": median, "value": float(value), "unit": unit}


# ---- checks: every measured function against a plainer one, in double precision with NumPy ----


def plain_jacobian_norm(weights, x):
    """‖(diag σ − σσᵀ) A‖, with A by the chain rule."""
    h, product = x, np.eye(INPUTS)
    for weight in weights[:-1]:
        z = h @ weight
        product = (product @ weight) * (z > 0)
        h = np.maximum(z, 0)
    z, product = h @ weights[-1], product @ weights[-1]
    sigma = np.exp(z - z.max())
    sigma /= sigma.sum()
    return np.linalg.norm((np.diag(sigma) - np.outer(sigma, sigma)) @ product.T)


def plain_epoch(weights, images, labels, order):
    """Back-propagation and momentum by hand."""
    velocities = [np.zeros_like(w) for w in weights]
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        hidden = [images[batch]]
        for w in weights[:-1]:
            hidden.append(np.maximum(hidden[-1] @ w, 0))
        z = hidden[-1] @ weights[-1]
        sigma = np.exp(z - z.max(1, keepdims=True))
        sigma /= sigma.sum(1, keepdims=True)
        delta = (sigma - np.eye(CLASSES)[labels[batch]]) / len(batch)
        for layer in reversed(range(len(weights))):
            gradient = hidden[layer].T @ delta
            delta = (delta @ weights[layer].T) * (hidden[layer] > 0)
            velocities[layer] = MOMENTUM * velocities[layer] + gradient
            weights[layer] = weights[layer] - LEARNING_RATE * velocities[layer]
    return weights


def check():
    passed = []

    def compare(what, found, expected, tolerance):
        error = abs(float(found) - expected) / abs(expected)
        passed.append(error <= tolerance)  # false for NaN
        verdict = "ok  " if passed[-1] else "FAIL"
        print(f"{verdict} {what}: {float(found):.9g}, expected {expected:.9g}, relative error {error:.1e}, at most {tolerance:g}")

    def double(weights):
        return [np.asarray(w, np.float64) for w in weights]

    numbers = np.random.default_rng(2)
    images = normalise(numbers.standard_normal((7, INPUTS)).astype(np.float32))
    for depth, width in (20, 200), (3, 1000):
        weights = network(random.PRNGKey(depth), depth, width)
        expected = np.mean([plain_jacobian_norm(double(weights), x) for x in images.astype(np.float64)])
        compare(f"Jacobian norm, {depth}x{width}", jacobian_norm(weights, jnp.asarray(images), 3), expected, 1e-4)

    weights, (u, v) = network(random.PRNGKey(3), 20, 200), axes()
    wide_u, wide_v = double((u, v))
    cosine, sine = angles(24)
    parts = (jnp.asarray(c.reshape(-1, 8), jnp.float32) for c in (cosine, sine))
    expected = np.mean([plain_jacobian_norm(double(weights), x) for x in ellipse(wide_u, wide_v, cosine, sine)])
    compare("Jacobian norm along a trajectory, 20x200", trajectory_jacobian_norm(weights, u, v, *parts), expected, 1e-4)

    cosine, sine = angles(5000)
    found = transitions(weights, u, v, *(overlapping(c, 1000, jnp.float32) for c in (cosine, sine)))
    expected, h = 0, ellipse(wide_u, wide_v, cosine, sine)
    for weight in double(weights)[:-1]:
        z = h @ weight
        expected += int(((z > 0) != (np.roll(z, -1, 0) > 0)).sum())
        h = np.maximum(z, 0)
    compare("transitions, 20x200", found, expected, 2e-3)

    # An odd last batch, momentum carried over, and every replica against a network of its own.
    replicas, examples = 3, 2 * BATCH + 77
    images = normalise(numbers.standard_normal((examples, INPUTS)).astype(np.float32))
    labels = numbers.integers(CLASSES, size=examples, dtype=np.int32)
    orders = np.stack([numbers.permutation(examples) for _ in range(replicas)])
    weights = ensemble(random.PRNGKey(4), replicas, 5, 100)
    together = epoch_of_ensemble(weights, images, labels, orders)[0]
    for replica in range(replicas):
        start = [w[replica] for w in weights]
        alone = epoch(start, images, labels, orders[replica])[0]
        expected = plain_epoch(double(start), images.astype(np.float64), labels, orders[replica])
        # How far the weights moved is what training did, so errors are counted against it.
        moved = distance(expected, double(start))
        for kind, found in ("vmap", [w[replica] for w in together]), ("alone", alone):
            compare(f"an epoch of replica {replica}, {kind}", moved + distance(double(found), expected), moved, 1e-4)
    return all(passed)


def distance(a, b):
    return math.sqrt(sum(float(np.square(x - y).sum()) for x, y in zip(a, b)))


def main():
    parser = argparse.ArgumentParser(description="The jobs of `flinch bench` in JAX.")
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
    try:
        device = jax.devices(arguments.device)[0]
    except RuntimeError as error:
        parser.error(f"--device {arguments.device}: JAX {jax.__version__} finds none here: {error}")

    # On cards of compute capability 8.0 and newer JAX multiplies in TF32 unless told otherwise.
    with jax.default_device(device), jax.default_matmul_precision("float32"):
        if arguments.check:
            sys.exit(0 if check() else 1)
        try:
            data = mnist(arguments.data_dir / "mnist") if arguments.data_dir else random_data()
        except OSError as error:
            parser.error(f"--data-dir: expected MNIST's gzipped IDX files under {arguments.data_dir / 'mnist'}: {error}")
        result = {
            "peer": "JAX",
            "version": jax.__version__,
            "threads": len(os.sched_getaffinity(0)),
            "blas": f"XLA on {device.device_kind}",
            "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
            "device": arguments.device,
            "data": "MNIST" if arguments.data_dir else "random",
            "repeats": arguments.repeats,
            "jobs": [],
        }
        print(f"JAX {result['version']}, {result['threads']} threads, {result['blas']}, {result['data']} images", result["settings"])
        print(f"{'job':34}{'seconds':>12}{'value':>16}")
        for name in arguments.job:
            job = measure(name, data, arguments.repeats)
            result["jobs"].append(job)
            print(f"{name:34}{job['seconds']:12.6f}{job['value']:16.6g} {job['unit']}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
