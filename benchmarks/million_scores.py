#!/usr/bin/env python3
"""Exact neighbours, Leiden, LISI and silhouette of a million spots in ten dimensions on two ranks: prints one JSON line a task with
seconds and peak memory of every rank, and fails where a task takes more than 30 minutes or a rank more than 8 GB.
    benchmarks/million_scores.py [--bench build/benchmarks/bench_analysis] [--spots 1000000] [--ranks 2] [--task lisi ...] [--json FILE]
Needs a Python with anndata and numpy, and mpirun."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("neighbors", "leiden", "lisi", "silhouette")
MOST_SECONDS = 1800
MOST_BYTES = 8 << 30


def write_points(path, spots):
    """Twenty clouds that overlap, and which cloud each spot is of."""
    import anndata
    import numpy as np

    rng = np.random.default_rng(1)
    label = rng.integers(0, 20, spots)
    data = anndata.AnnData(obsm={"X": rng.normal(size=(spots, 10)) + 2.0 * rng.normal(size=(20, 10))[label]})
    data.obs["label"] = label.astype("int64")
    data.write_h5ad(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=ROOT / "build/benchmarks/bench_analysis")
    parser.add_argument("--spots", type=int, default=1000000)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--task", nargs="*", choices=TASKS, default=TASKS)
    parser.add_argument("--json")
    options = parser.parse_args()
    launch = ["mpirun", "-n", str(options.ranks), "--bind-to", "none"]
    if os.geteuid() == 0:
        launch.append("--allow-run-as-root")
    too_much = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.h5ad"
        write_points(file, options.spots)
        for task in options.task:
            done = subprocess.run([*launch, str(options.bench), str(file), "--task", task], capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{task} failed:\n{done.stderr}")
            line = done.stdout.strip().splitlines()[-1]
            print(line, flush=True)
            if options.json:
                with open(options.json, "a") as lines:
                    lines.write(line + "\n")
            result = json.loads(line)
            if result["seconds"] > MOST_SECONDS or max(result["peak_memory"]) > MOST_BYTES:
                too_much.append(task)
    if too_much:
        sys.exit(f"more than {MOST_SECONDS} s or {MOST_BYTES >> 30} GB: {', '.join(too_much)}")


main()
