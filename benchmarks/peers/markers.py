#!/usr/bin/env python3
"""smeta markers and scanpy's Wilcoxon rank_genes_groups on the same counts in the same run, taking turns: prints seconds and peak
memory of every round and the medians of the ratios as JSON lines. smeta's side is the whole command (start, reading the atlas,
normalising, testing, table and figure) with all processors; scanpy's is the call rank_genes_groups alone, and the whole program.
    benchmarks/peers/markers.py [--smeta build/drivers/smeta] [--python .venv/bin/python] [--spots 100000] [--genes 2000]
The tables are compared: scores to 1e-4 of the largest."""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MAKE = """
import sys
import anndata, numpy as np, pandas as pd, scipy.sparse
path, spots, genes, groups = sys.argv[1], *map(int, sys.argv[2:])
draw = np.random.default_rng(1)
label = draw.integers(0, groups, spots)
level = draw.gamma(0.25, 1.2, (groups, genes))
blocks = []
for first in range(0, spots, 10000):
    part = label[first:first + 10000]
    depth = draw.uniform(0.3, 2, (len(part), 1))
    blocks.append(scipy.sparse.csr_matrix(draw.poisson(level[part] * depth).astype(np.float32)))
x = scipy.sparse.vstack(blocks, format="csr")
data = anndata.AnnData(x, pd.DataFrame(index=[f"s{i}" for i in range(spots)]),
                       pd.DataFrame({"type": "ST"}, index=[f"G{i:05}" for i in range(genes)]))
data.obs["sample"] = "one"
data.obs["cohort"] = "c"
data.obs["label"] = pd.Categorical([f"g{i}" for i in label])
data.obsm["spatial"] = np.c_[np.arange(spots) % 400, np.arange(spots) // 400].astype(float)
data.write_h5ad(path)
print(x.nnz / spots / genes)
"""

PEER = """
import json, sys, time
import anndata, scanpy as sc
start = time.perf_counter()
data = anndata.read_h5ad(sys.argv[1])
sc.pp.normalize_total(data, target_sum=1e4)
sc.pp.log1p(data)
ready = time.perf_counter()
sc.tl.rank_genes_groups(data, "label", method="wilcoxon", tie_correct=True, pts=True)
done = time.perf_counter()
sc.get.rank_genes_groups_df(data, None).to_csv(sys.argv[2], sep="\\t")
print(json.dumps({"call": done - ready, "whole": done - start, "version": sc.__version__}))
"""


def measured(command):
    """Seconds, peak bytes and standard output of a process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} failed:\n{err}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024, out


def verify(python, ours, theirs):
    check = """
import sys
import pandas as pd
a = pd.read_csv(sys.argv[1], sep="\\t").set_index(["group", "feature"])["score"].sort_index()
b = pd.read_csv(sys.argv[2], sep="\\t").rename(columns={"names": "feature"}).set_index(["group", "feature"])["scores"].sort_index()
assert a.index.equals(b.index)
assert (a - b).abs().max() < 1e-4 * b.abs().max(), (a - b).abs().max()
"""
    measured([python, "-c", check, ours, theirs])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smeta", default=ROOT / "build/drivers/smeta")
    parser.add_argument("--python", default=ROOT / ".venv/bin/python")
    parser.add_argument("--spots", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=2_000)
    parser.add_argument("--groups", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data, atlas, theirs = folder / "joint.h5ad", folder / "atlas", folder / "peer.tsv"
        density = float(measured([options.python, "-c", MAKE, data, options.spots, options.genes, options.groups])[2])
        for command in (["ingest", "--joint", data], ["select"], ["train", "--set", "train.epochs=1"]):
            measured([options.smeta, *command, "--atlas", atlas])
        ours = atlas / "runs/main/tables/markers.tsv"
        ratios = {"call": [], "whole": [], "memory": []}
        for _ in range(options.repetitions):
            seconds, memory, _ = measured([options.smeta, "markers", "--atlas", atlas, "--groupby", "label"])
            _, peer_memory, out = measured([options.python, "-c", PEER, data, theirs])
            peer = json.loads(out.splitlines()[-1])
            verify(options.python, ours, theirs)
            ratios["call"].append(peer["call"] / seconds)
            ratios["whole"].append(peer["whole"] / seconds)
            ratios["memory"].append(memory / peer_memory)
            print(json.dumps({"bench": "markers", "spots": options.spots, "genes": options.genes, "density": density,
                              "smeta": {"seconds": seconds, "bytes": memory},
                              "scanpy": {**peer, "bytes": peer_memory}}), flush=True)
        print(json.dumps({"bench": "markers_median", "faster_than_call": statistics.median(ratios["call"]),
                          "faster_than_whole": statistics.median(ratios["whole"]),
                          "memory_share": statistics.median(ratios["memory"])}))


if __name__ == "__main__":
    main()
