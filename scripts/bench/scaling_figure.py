#!/usr/bin/env python3
"""Draws what scaling.py measured, and what a model makes of it for up to 1,024 ranks.

    scripts/bench/scaling_figure.py lines.jsonl figure.png [--latency 2e-6] [--bandwidth 10e9] [--model-batch 8192]

Points are medians over all epochs and repetitions with 95 % confidence intervals of the median (order statistics; none where
there are fewer than 6 values). Hollow points ran more threads than processors: they show correctness only.

The model (LogGP) is lines, never points: a step of P ranks with n rows each takes
    a + b n  +  7 * 2 ceil(log2 P) (latency + overhead)  +  2 ceil(log2 P) latency + 2 (P-1)/P model_bytes / bandwidth
a and b: least squares through the measured steps of one rank of one thread (a at least 0). Seven small exchanges (BatchNorm, latents,
the norm, flags: docs/mpi_semantics.md) and the halving and doubling of the arena. Latency (with the overhead in it) and
bandwidth are the given numbers, not measured. Left out: ranks that wait for slower ones, sharing of the network, the gathered
latents (60 bytes a spot) and the pairs of the MMD, which grow with the batch. Needs matplotlib."""
import argparse
import json
import math
import pathlib
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

SMALL_EXCHANGES = 7
MOST_RANKS = 1024


def interval_of_median(values):
    """95 % confidence interval from order statistics: Binomial(n, 1/2) of values below the median. None for fewer than 6."""
    ordered, n = sorted(values), len(values)
    below, rank = 0.0, 0
    while below + math.comb(n, rank) / 2**n <= 0.025:
        below += math.comb(n, rank) / 2**n
        rank += 1
    return (ordered[rank - 1], ordered[n - rank]) if rank else None


class Model:
    def __init__(self, lines, latency, bandwidth):
        self.latency, self.bandwidth = latency, bandwidth
        self.bytes = lines[0]["model_bytes"]
        alone = {}
        for line in lines:
            if line["ranks"] == line["threads"] == 1:
                alone.setdefault(line["batch"], []).extend(line["step_seconds"])
        rows, seconds = zip(*sorted((batch, statistics.median(values)) for batch, values in alone.items()))
        self.b, self.a = statistics.linear_regression(rows, seconds)
        self.a = max(self.a, 0.0)

    def messages(self, ranks):
        if ranks == 1:
            return 0.0
        stages = 2 * math.ceil(math.log2(ranks))
        return (SMALL_EXCHANGES + 1) * stages * self.latency + 2 * (ranks - 1) / ranks * self.bytes / self.bandwidth

    def rate(self, ranks, batch):
        """Spots a second."""
        return batch / (self.a + self.b * batch / ranks + self.messages(ranks))


def draw_measured(axis, lines, kind):
    groups = {}
    for line in lines:
        if line["kind"] == kind:
            key = line["threads"], line["ranks"] * line["threads"]
            group = groups.setdefault(key, {"values": [], "shows": line["shows"]})
            group["values"] += line["spots_per_second"]
    for index, threads in enumerate(sorted({threads for threads, _ in groups})):
        for (of, total), group in sorted(groups.items()):
            if of != threads:
                continue
            median, interval = statistics.median(group["values"]), interval_of_median(group["values"])
            errors = [[median - interval[0]], [interval[1] - median]] if interval else None
            axis.errorbar([total * (1 + 0.04 * index)], [median], yerr=errors, fmt="os^Dv"[index % 5], color=f"C{index}",
                          capsize=3, mfc=f"C{index}" if group["shows"] == "speed" else "white")
        axis.plot([], [], "os^Dv"[index % 5], color=f"C{index}", label=f"{threads} thread{'s' if threads > 1 else ''} a rank")
    axis.plot([], [], "o", color="0.4", mfc="white", label="more threads than processors:\ncorrectness only")
    first = statistics.median(groups[1, 1]["values"])
    totals = sorted({total for _, total in groups})
    axis.plot(totals, [first * total for total in totals], ":", color="0.5", label="ideal")
    axis.set(xscale="log", xlabel="ranks x threads", ylabel="spots a second")
    axis.set_yscale("log", base=2)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_xticks(totals, [str(total) for total in totals])
    axis.minorticks_off()
    axis.margins(y=0.15)
    axis.legend(fontsize=7, loc="upper left", framealpha=0.6)
    return len(next(iter(groups.values()))["values"])


def draw_model(axis, lines, model, batch):
    rows = min(line["batch"] for line in lines if line["kind"] == "weak")
    ranks = [2**k for k in range(int(math.log2(MOST_RANKS)) + 1)]
    curves = {f"weak: {rows} rows a rank": [model.rate(p, rows * p) for p in ranks],
              f"strong: batch {batch}": [model.rate(p, batch) for p in ranks]}
    for index, (label, values) in enumerate(curves.items()):
        axis.plot(ranks, values, "--", color=f"C{index + 3}", label=f"model, {label}")
    axis.plot(ranks, [curves[f"weak: {rows} rows a rank"][0] * p for p in ranks], ":", color="0.5", label="ideal")
    axis.set(xscale="log", yscale="log", xlabel="ranks of 1 thread, each with a processor of its own", ylabel="spots a second")
    axis.set_title(f"Model only, nothing measured here\nstep = {model.a * 1e3:.2f} ms + {model.b * 1e6:.0f} us a row + messages\n"
                   f"({model.latency * 1e6:g} us, {model.bandwidth / 1e9:g} GB/s, {model.bytes / 1e6:.1f} MB of weights)", fontsize=8)
    axis.legend(fontsize=7)
    for label, values in curves.items():
        print(f"model, {label}: " + ", ".join(f"{p} ranks {value:,.0f}" for p, value in zip(ranks, values) if p in (1, 64, 1024)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=pathlib.Path)
    parser.add_argument("figure", type=pathlib.Path)
    parser.add_argument("--latency", type=float, default=2e-6, help="seconds a message, overhead included")
    parser.add_argument("--bandwidth", type=float, default=10e9, help="bytes a second of one rank's link")
    parser.add_argument("--model-batch", type=int, default=8192, help="global batch of the model's strong scaling")
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.lines.read_text().splitlines()]
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2))
    for axis, kind in zip(axes, ("strong", "weak")):
        count = draw_measured(axis, lines, kind)
        batch = next(line["batch"] for line in lines if line["kind"] == kind)
        what = f"batch {batch}" if kind == "strong" else f"{batch} rows a thread"
        spread = "95 % confidence interval" if count >= 6 else "too few for an interval"
        axis.set_title(f"Measured, {kind} scaling, {what}\nmedian of {count} epochs, {spread}", fontsize=8)
    draw_model(axes[2], lines, Model(lines, options.latency, options.bandwidth), options.model_batch)
    figure.tight_layout()
    figure.savefig(options.figure, dpi=120)


if __name__ == "__main__":
    main()
