#!/usr/bin/env python3
"""smeta and the PyTorch twin on the same problem in the same run, taking turns: prints every pair of rates and the median of
their ratios as JSON lines. Each side runs as one process at the better of 1 and all processors, which a first round finds out.
    benchmarks/peers/compare.py [--bench build/benchmarks/bench_train_step] [--python python3] [--batch 128] [--repetitions 7]
The Python must have torch (Debian: python3-torch)."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def lines(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def smeta(options, threads):
    found = lines([options.bench, "--batch", options.batch, "--reduction", "fast", "--threads", threads,
                   "--repetitions", 1, "--spots", options.spots])
    return next(line["rate"] for line in found if line["bench"] == "train_step")


def twin(options, threads):
    found = lines([options.python, HERE / "pytorch_twin.py", "--threads", threads, "--batch", options.batch,
                   "--repetitions", 1, "--steps", max(2, options.spots // 4 // options.batch)])
    return found[-1]["rate"]


def best_threads(run, options):
    counts = sorted({1, len(os.sched_getaffinity(0))})
    return max(counts, key=lambda threads: run(options, threads))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=HERE.parent.parent / "build/benchmarks/bench_train_step")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--spots", type=int, default=8192)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    ours, theirs = best_threads(smeta, options), best_threads(twin, options)
    ratios = []
    for _ in range(options.repetitions):
        rates = smeta(options, ours), twin(options, theirs)
        ratios.append(rates[0] / rates[1])
        print(json.dumps({"bench": "peer_pytorch_twin", "batch": options.batch, "smeta_threads": ours, "smeta": rates[0],
                          "twin_threads": theirs, "twin": rates[1], "ratio": ratios[-1]}), flush=True)
    print(json.dumps({"bench": "peer_pytorch_twin_median", "batch": options.batch, "repetitions": options.repetitions,
                      "ratio": statistics.median(ratios)}))


main()
