#!/usr/bin/env python3
"""Exact neighbours, silhouette, LISI and Moran's I of smeta beside scikit-learn, scanpy and, where the Python at hand has them, scib
and squidpy: the same data, in turns, each tool on all processors of this machine. Prints one JSON line a task with the seconds of
both sides, their ratio, peak memory and the values that both computed, which must agree.
    benchmarks/peers/analysis.py [--bench build/benchmarks/bench_analysis] [--spots 100000] [--task silhouette ...] [--threads 2]
Every task of the peer runs in a process of its own, so that its peak memory is its own; just-in-time compilation is done on a small
problem before the clock starts."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TASKS = ("neighbors", "connectivities", "silhouette", "lisi", "moran")


def write_points(path, spots, seed=1):
    """Ten clouds in ten dimensions that overlap; labels of the clouds."""
    import anndata
    import numpy as np

    rng = np.random.default_rng(seed)
    label = rng.integers(0, 10, spots)
    points = rng.normal(size=(spots, 10)) + 2.0 * rng.normal(size=(10, 10))[label]
    data = anndata.AnnData(obsm={"X": points})
    data.obs["label"] = label.astype("int64")
    data.write_h5ad(path)


def write_section(path, spots=5000, genes=18000, seed=1):
    """A section: sparse counts (12 % of the entries) and the graph of the six nearest."""
    import anndata
    import numpy as np
    import scipy.sparse
    from sklearn.neighbors import kneighbors_graph

    rng = np.random.default_rng(seed)
    position = rng.uniform(size=(spots, 2))
    values = scipy.sparse.random(spots, genes, density=0.12, format="csr", random_state=2, dtype=np.float32,
                                 data_rvs=lambda n: rng.poisson(2, n) + 1)
    data = anndata.AnnData(X=values, obsm={"spatial": position})
    data.obsp["spatial_connectivities"] = kneighbors_graph(position, 6).astype("float32")
    data.write_h5ad(path)


def peer(task, path, warm_path):
    """The value and the seconds of the peer, after it has compiled what it compiles just in time."""
    import anndata
    import numpy as np

    data, warm = anndata.read_h5ad(path), anndata.read_h5ad(warm_path)
    name = {"neighbors": "scikit-learn brute force", "connectivities": "scanpy (pynndescent)", "silhouette": "scikit-learn",
            "lisi": "scib", "moran": "squidpy"}[task]

    def work(data):
        if task == "neighbors":
            from sklearn.neighbors import NearestNeighbors
            found = NearestNeighbors(n_neighbors=15, algorithm="brute", n_jobs=-1).fit(data.obsm["X"])
            return found.kneighbors()[0][:, :14].mean()
        if task == "connectivities":
            import scanpy
            scanpy.pp.neighbors(data, n_neighbors=15, use_rep="X", transformer="pynndescent")
            return data.obsp["connectivities"].nnz
        if task == "silhouette":
            from sklearn.metrics import silhouette_score
            return silhouette_score(data.obsm["X"], data.obs["label"])
        if task == "moran":
            try:
                import squidpy
                return squidpy.gr.spatial_autocorr(data, mode="moran", n_perms=None, copy=True)["I"].mean()
            except ImportError:  # what it calls for the values
                import scanpy
                from sklearn.preprocessing import normalize
                return np.nanmean(scanpy.metrics.morans_i(normalize(data.obsp["spatial_connectivities"], norm="l1"), data.X.T))
        return lisi(data)

    def lisi(data):
        from sklearn.neighbors import NearestNeighbors
        try:
            from scib.metrics.lisi import compute_simpson_index
        except ImportError:
            raise SystemExit("no scib: skipped")
        distances, rows = NearestNeighbors(n_neighbors=90, n_jobs=-1).fit(data.obsm["X"]).kneighbors()
        return np.median(1 / compute_simpson_index(distances, rows.astype(float), data.obs["label"].to_numpy(), 10, 30))

    work(warm)
    start, processor = time.perf_counter(), time.process_time()
    value = float(work(data))
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    memory = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({"tool": name, "seconds": seconds, "processor_seconds": processor, "value": value, "peak_memory": memory}))


def last_line(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=ROOT / "build/benchmarks/bench_analysis")
    parser.add_argument("--spots", type=int, default=100000)
    parser.add_argument("--task", nargs="*", choices=TASKS, default=TASKS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", nargs=3, metavar=("TASK", "FILE", "WARM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(*options.peer)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_points(folder / "points.h5ad", options.spots)
        write_points(folder / "points_warm.h5ad", 5000)
        if "moran" in options.task:
            write_section(folder / "section.h5ad")
            write_section(folder / "section_warm.h5ad", 500, 50)
        for task in options.task:
            kind = "section" if task == "moran" else "points"
            file, warm = folder / f"{kind}.h5ad", folder / f"{kind}_warm.h5ad"
            ours = last_line([options.bench, file, "--task", task, "--threads", options.threads])
            theirs = last_line([sys.executable, __file__, "--peer", task, file, warm])
            line = {"task": task, "smeta": ours, "peer": theirs}
            if "failed" not in ours and "failed" not in theirs:
                line["times_faster"] = theirs["seconds"] / ours["seconds"]
                # Of all threads: what a machine that others use, too, changes least.
                line["times_less_processor_time"] = theirs["processor_seconds"] / ours["processor_seconds"]
                line["memory_share"] = max(ours["peak_memory"]) / theirs["peak_memory"]
                if task != "connectivities":  # approximate there
                    line["difference"] = abs(ours["value"] - theirs["value"])
            print(json.dumps(line), flush=True)


main()
