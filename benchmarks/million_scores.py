#!/usr/bin/env python3
"""Exact neighbours, Leiden, LISI and silhouette of a million spots in ten dimensions, and smeta markers of ten groups of a million spots,
on two ranks: prints one JSON line a task with seconds and peak memory (of every rank, of markers the largest), and fails where a task
takes more than 30 minutes or a rank more than 8 GB.
    benchmarks/million_scores.py [--bench build/benchmarks/bench_analysis] [--smeta build/drivers/smeta] [--spots 1000000] [--ranks 2]
                                 [--task lisi ...] [--genes 500] [--json FILE]
Markers need an atlas: its counts (19 % not 0) are drawn, ingested, selected and trained on for one epoch before the clock starts.
Needs a Python with anndata, numpy and scipy, and mpirun."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks/peers"))
from markers import MAKE, measured  # noqa: E402

TASKS = ("neighbors", "leiden", "lisi", "silhouette", "markers")
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


def task_on_points(options, launch, file, task):
    done = subprocess.run([*launch, str(options.bench), str(file), "--task", task], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{task} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def task_markers(options, launch, folder):
    data, atlas = folder / "joint.h5ad", folder / "atlas"
    measured([sys.executable, "-c", MAKE, data, options.spots, options.genes, 10])
    for command in (["ingest", "--joint", data], ["select"], ["train", "--set", "train.epochs=1"]):
        ranks = launch if command[0] == "train" else []
        measured([*ranks, options.smeta, *command, "--atlas", atlas])
    data.unlink()
    seconds, memory, _ = measured([*launch, options.smeta, "markers", "--atlas", atlas, "--groupby", "label", "--threads", "1"])
    return {"bench": "markers", "task": "markers", "spots": options.spots, "genes": options.genes, "ranks": options.ranks,
            "seconds": seconds, "peak_memory": [memory]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=ROOT / "build/benchmarks/bench_analysis")
    parser.add_argument("--smeta", default=ROOT / "build/drivers/smeta")
    parser.add_argument("--spots", type=int, default=1000000)
    parser.add_argument("--genes", type=int, default=500, help="of markers")
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
        if set(options.task) - {"markers"}:
            write_points(file, options.spots)
        for task in options.task:
            result = task_markers(options, launch, Path(folder)) if task == "markers" else task_on_points(options, launch, file, task)
            line = json.dumps(result)
            print(line, flush=True)
            if options.json:
                with open(options.json, "a") as lines:
                    lines.write(line + "\n")
            if result["seconds"] > MOST_SECONDS or max(result["peak_memory"]) > MOST_BYTES:
                too_much.append(task)
    if too_much:
        sys.exit(f"more than {MOST_SECONDS} s or {MOST_BYTES >> 30} GB: {', '.join(too_much)}")


main()
