#!/usr/bin/env python3
"""smeta and its peers on the same problem in the same run, taking turns: prints the rates of every round and the medians of their
ratios as JSON lines. Each side runs as one process at the better of 1 and all processors, which a first round finds out.
    benchmarks/peers/compare.py [--bench build/benchmarks/bench_train_step] [--python python3] [--package-python PYTHON] [--batch 128]
The peers: pytorch_twin.py, our network in plain PyTorch, with --python (Debian: python3-torch); and published_package.py, the
package on PyPI with its own loader and loop, where --package-python names a Python that has it (see that file)."""

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


def sides(options):
    """Name of each side: its rate, spots/s, with the given threads. smeta comes first."""

    def smeta(threads):
        found = lines([options.bench, "--batch", options.batch, "--reduction", "fast", "--threads", threads,
                       "--repetitions", 1, "--spots", options.spots])
        return next(line["rate"] for line in found if line["bench"] == "train_step")

    def twin(threads):
        return lines([options.python, HERE / "pytorch_twin.py", "--threads", threads, "--batch", options.batch,
                      "--repetitions", 1, "--steps", max(2, options.spots // 4 // options.batch)])[-1]["rate"]

    def package(threads):
        return lines([options.package_python, HERE / "published_package.py", "--threads", threads, "--batch", options.batch,
                      "--repetitions", 1])[-1]["rate"]

    found = {"smeta": smeta, "pytorch_twin": twin}
    return found | {"published_package": package} if options.package_python else found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=HERE.parent.parent / "build/benchmarks/bench_train_step")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--package-python", default="")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--spots", type=int, default=8192)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    run = sides(options)
    counts = sorted({1, len(os.sched_getaffinity(0))})
    threads = {side: max(counts, key=rate) for side, rate in run.items()}
    ratios = {side: [] for side in run if side != "smeta"}
    for _ in range(options.repetitions):
        rates = {side: rate(threads[side]) for side, rate in run.items()}
        for side in ratios:
            ratios[side].append(rates["smeta"] / rates[side])
        print(json.dumps({"bench": "peers", "batch": options.batch, "threads": threads, "rates": rates,
                          "ratios": {side: values[-1] for side, values in ratios.items()}}), flush=True)
    print(json.dumps({"bench": "peers_median", "batch": options.batch, "repetitions": options.repetitions,
                      "ratios": {side: statistics.median(values) for side, values in ratios.items()}}))


main()
