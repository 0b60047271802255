#!/usr/bin/python3
"""Prints `flinch bench --json` beside `peers.py --json` as a Markdown table.

    ./compare.py flinch.json peers.json
"""

import argparse
import json
from pathlib import Path

# The goals: how many times PyTorch's speed, and which fraction of Flinch's own GEMM rate.
GOALS = {
    "transitions-2^20-20x200": (3, None),
    "jacobian-10k-20x200": (1.3, 0.8),
    "jacobian-10k-3x1000": (1.1, 0.8),
    "epoch-20x200": (1.6, None),
    "epoch-3x1000": (1.3, None),
    "epoch-8x5x100": (2.5, None),
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


def compare(flinch, peers):
    mine = {job["name"]: job for job in flinch["jobs"]}
    theirs = {job["name"]: job for job in peers["jobs"]}
    settings = ", ".join(f"{name}={value}" for name, value in peers["settings"].items()) or "no settings"
    lines = [
        f"PyTorch {peers['torch']} on {peers['device']}, {peers['threads']} threads, {peers['blas']} ({settings}), "
        f"{peers['data']} images, median of {peers['repeats']}.",
        "",
        row("job", "Flinch s", "PyTorch s", "ratio", "fraction of Flinch's GEMM", "goal", "met"),
        row("---", *["---:"] * 5, "---"),
    ]
    if "gemm" in theirs:
        gemm = flinch["gemmGflops"], theirs["gemm"]["value"]
        lines.append(row("gemm", *(f"{rate:.0f} GFLOP/s" for rate in gemm), f"{gemm[0] / gemm[1]:.2f}", "1.00", "", ""))
    for name, (least_ratio, least_fraction) in GOALS.items():
        goal = f"{least_ratio} ×" + (f", {least_fraction:.2f} of GEMM" if least_fraction else "")
        missing = [side for side, jobs in (("Flinch", mine), ("PyTorch", theirs)) if name not in jobs]
        if missing:
            lines.append(row(name, "", "", "", "", goal, "not measured in " + " and ".join(missing)))
            continue
        seconds, fraction = mine[name]["seconds"], mine[name]["fractionOfGemm"]
        ratio = theirs[name]["seconds"] / seconds
        lines.append(
            row(
                name,
                f"{seconds:.3f}",
                f"{theirs[name]['seconds']:.3f}",
                f"{ratio:.2f}",
                f"{fraction:.2f}",
                goal,
                verdict(ratio, fraction, least_ratio, least_fraction),
            )
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Flinch beside PyTorch, as a Markdown table.")
    parser.add_argument("flinch", type=Path, metavar="FLINCH.json", help="from flinch bench --json")
    parser.add_argument("peers", type=Path, metavar="PEERS.json", help="from peers.py --json")
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

    peers = read(arguments.peers, "torch", "threads", "blas", "settings", "device", "data", "repeats", "jobs")
    print(compare(read(arguments.flinch, "gemmGflops", "jobs"), peers))


if __name__ == "__main__":
    main()
