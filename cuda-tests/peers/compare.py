#!/usr/bin/python3
"""Prints `flinch bench --json` beside one or more peers as a Markdown table.

    ./compare.py flinch.json peers.json jax.json
"""

import argparse
import json
from pathlib import Path

# Jobs in the table's order, with goals on a CPU: how many times PyTorch's speed, and which fraction of Flinch's own
# GEMM rate.
GOALS = {
    "transitions-2^20-20x200": (3, None),
    "exact-20x200": (60, None),
    "jacobian-10k-20x200": (1.3, 0.8),
    "jacobian-10k-3x1000": (1.1, 0.8),
    "jacobian-trajectory-2^20-20x200": None,
    "jacobian-exact-2^20-20x200": (80, None),
    "regions-1024-15x300": None,
    "stiffness-500": (100, None),
    "stiffness-10k": None,
    "epoch-20x200": (1.6, None),
    "epoch-3x1000": (1.3, None),
    "epoch-8x5x100": (2.5, None),
    "epoch-128x20x200": None,
}

# Exact jobs, and what a peer samples for the same answer.
SAMPLED = {
    "exact-20x200": "transitions-2^20-20x200",
    "jacobian-exact-2^20-20x200": "jacobian-trajectory-2^20-20x200",
}


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def verdict(ratio, fraction, least_ratio, least_fraction):
    short = []
    if not ratio >= least_ratio:
        short.append("ratio")
    if least_fraction is not None and not fraction >= least_fraction:
        short.append("GEMM fraction")
    return "yes" if not short else "no: " + ", ".join(short)


def conditions(peer):
    settings = ", ".join(f"{name}={value}" for name, value in peer["settings"].items()) or "no settings"
    return (
        f"{peer['peer']} {peer['version']} on {peer['device']}, {peer['threads']} threads, {peer['blas']} ({settings}), "
        f"{peer['data']} images, median of {peer['repeats']}."
    )


def goal_cells(name, mine, pytorch):
    """What was aimed at, beside PyTorch on a CPU, and whether it is reached."""
    if pytorch is None or GOALS[name] is None:
        return ["", ""]
    least_ratio, least_fraction = GOALS[name]
    goal = f"{least_ratio} ×" + (f", {least_fraction:.2f} of GEMM" if least_fraction else "")
    theirs = {job["name"]: job for job in pytorch["jobs"]}.get(SAMPLED.get(name, name))
    missing = [side for side, there in (("Flinch", mine), ("PyTorch", theirs)) if there is None]
    if missing:
        return [goal, "not measured in " + " and ".join(missing)]
    ratio = theirs["seconds"] / mine["seconds"]
    return [goal, verdict(ratio, mine["fractionOfGemm"], least_ratio, least_fraction)]


def compare(flinch, peers):
    mine = {job["name"]: job for job in flinch["jobs"]}
    theirs = [{job["name"]: job for job in peer["jobs"]} for peer in peers]
    pytorch = next((peer for peer in peers if peer["peer"] == "PyTorch" and peer["device"] == "cpu"), None)
    head = ["job", "Flinch s"]
    for peer in peers:
        head += [f"{peer['peer']} s", "ratio"]
    head += ["fraction of Flinch's GEMM", "goal", "met"]
    lines = [f"Flinch on {flinch['device']}, {flinch['images']} images.", *map(conditions, peers), ""]
    lines += [row(*head), row("---", *["---:"] * (len(head) - 2), "---")]
    if any("gemm" in jobs for jobs in theirs):
        cells = ["gemm", f"{flinch['gemmGflops']:.0f} GFLOP/s"]
        for jobs in theirs:
            rate = jobs["gemm"]["value"] if "gemm" in jobs else None
            cells += [f"{rate:.0f} GFLOP/s", f"{flinch['gemmGflops'] / rate:.2f}"] if rate else ["", ""]
        lines.append(row(*cells, "1.00", "", ""))
    for name in GOALS:
        own = mine.get(name)
        cells = [name, f"{own['seconds']:.3f}" if own else ""]
        for jobs in theirs:
            there = jobs.get(SAMPLED.get(name, name))
            cells.append(f"{there['seconds']:.3f}" if there else "")
            cells.append(f"{there['seconds'] / own['seconds']:.2f}" if there and own else "")
        cells.append(f"{own['fractionOfGemm']:.2f}" if own and own["flop"] else "")
        lines.append(row(*cells, *goal_cells(name, own, pytorch)))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Flinch beside its peers, as a Markdown table.")
    parser.add_argument("flinch", type=Path, metavar="FLINCH.json", help="from flinch bench --json")
    parser.add_argument("peers", type=Path, nargs="+", metavar="PEER.json", help="from peers.py or peers_jax.py --json")
    arguments = parser.parse_args()

    def read(path, *keys):
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            parser.error(f"{path}: {error}")
        lacking = [key for key in keys if key not in content]
        if lacking:
            parser.error(f"{path}: expected the keys {', '.join(keys)}, found none named {', '.join(lacking)}")
        return content

    keys = "peer", "version", "threads", "blas", "settings", "device", "data", "repeats", "jobs"
    peers = [read(path, *keys) for path in arguments.peers]
    print(compare(read(arguments.flinch, "device", "images", "gemmGflops", "jobs"), peers))


if __name__ == "__main__":
    main()
