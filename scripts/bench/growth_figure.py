#!/usr/bin/env python3
"""Draws time, memory and disk of benchmarks/million_spots.py against the number of spots.

    scripts/bench/growth_figure.py RUN.jsonl [RUN.jsonl ...] figure.png

One file a size, as its --json writes it. Every point is one run; the dotted lines have slope 1 (linear growth) and pass through the largest run. The
title says the fitted exponent of each total (least squares of the logarithms). Needs matplotlib."""
import argparse
import json
import math
import pathlib
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

STEPS = ("simulate", "ingest", "qc", "reassign", "select", "train", "embed", "total")


def read(paths):
    """step: sorted list of (spots, line)."""
    found = {}
    for path in paths:
        for line in map(json.loads, path.read_text().splitlines()):
            found.setdefault(line["step"], []).append((line["spots"], line))
    return {step: sorted(points, key=lambda point: point[0]) for step, points in found.items()}


def exponent(points, what):
    return statistics.linear_regression([math.log(n) for n, _ in points], [math.log(line[what]) for _, line in points]).slope


def panel(axes, steps, names, what, unit):
    for name in names:
        if name not in steps:
            continue
        spots = [n for n, _ in steps[name]]
        values = [line[what] * unit for _, line in steps[name]]
        style = {"color": "black", "linewidth": 2} if name == "total" else {}
        axes.plot(spots, values, marker="o", markersize=4, label=name, **style)
    spots, last = [n for n, _ in steps["total"]], steps["total"][-1][1][what] * unit
    axes.plot(spots, [last * n / spots[-1] for n in spots], ":", color="grey", label="slope 1")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("spots")
    axes.grid(alpha=0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="+", type=pathlib.Path)
    parser.add_argument("figure", type=pathlib.Path)
    options = parser.parse_args()
    steps = read(options.lines)
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    panel(axes[0], steps, STEPS, "seconds", 1 / 60)
    axes[0].set_ylabel("minutes")
    axes[0].set_title(f"Time: total grows as spots^{exponent(steps['total'], 'seconds'):.2f}")
    panel(axes[1], steps, STEPS, "peak_mib", 1 / 1024)
    axes[1].set_ylabel("GiB of the largest process")
    axes[1].set_title(f"Peak memory: spots^{exponent(steps['total'], 'peak_mib'):.2f}")
    panel(axes[2], steps, ("total",), "peak_disk_mib", 1 / 1024)
    axes[2].set_ylabel("GiB")
    axes[2].set_title(f"Peak disk: spots^{exponent(steps['total'], 'peak_disk_mib'):.2f}")
    axes[0].legend(fontsize=8)
    figure.savefig(options.figure, dpi=150)
    for what in ("seconds", "peak_mib", "peak_disk_mib"):
        print(f"{what}\t{exponent(steps['total'], what):.3f}")


main()
