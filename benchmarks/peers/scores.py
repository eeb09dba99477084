#!/usr/bin/env python3
"""smeta score, smeta network and Moran's I and Geary's C beside scib, scib-metrics and squidpy on the same latent, labels, clusters,
neighbours and graph: one JSON line a value with both numbers, their difference and what it may be; fails if one is larger. Needs a
Python with benchmarks/peers/requirements.txt.
    benchmarks/peers/scores.py JOINT.h5ad [--smeta build/drivers/smeta] [--graph build/tests/interop/interop_neighbors]
                               [--label label] [--sample-key sample] [--cohort-key patient]
JOINT.h5ad: a joint file of several samples with labels (obs) and var `type` ST or SM, such as breast_paired."""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NO_LABEL = ("undetermined", "nan", "")
EXACT = 1e-6   # double precision on both sides
SINGLE = 1e-4  # single precision at the peer
GRAPH = 1e-3   # on UMAP connectivities, whose scales the peer finds in single precision


def versions():
    names = ("scib", "scib-metrics", "squidpy", "scanpy", "scikit-learn", "umap-learn", "numpy", "scipy", "anndata")
    return {name: importlib.metadata.version(name) for name in names}


def make_run(smeta, atlas, options):
    settings = [x for s in ("select.n_genes=500", "select.n_metabolites=79", "select.batch_biased=keep") for x in ("--set", s)]
    steps = [["ingest", "--joint", options.joint, "--set", f"ingest.sample_key={options.sample_key}",
              "--set", f"ingest.cohort_key={options.cohort_key}"], ["select", *settings],
             ["train", "--set", "train.epochs=8", *settings], ["embed"], ["cluster"],
             ["score", "--label", options.label, "--no-markers", "--no-reconstruction", "--kbet"],
             ["network", "--permutations", "1000", "--radii", "0"]]
    for step in steps:
        command = [str(word) for word in (smeta, step[0], "--atlas", atlas, *step[1:])]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")


def scib_scores(data, label):
    """scib's values on obsm['X_emb'], obs sample, label, cluster."""
    import scanpy as sc
    import scib

    known = data[~data.obs[label].astype(str).isin(NO_LABEL)].copy()
    known.obs[label] = known.obs[label].astype(str).astype("category")
    yield "label_asw", scib.me.silhouette(known, label, "X_emb"), EXACT
    yield "isolated_label_asw_scib", scib.me.isolated_labels_asw(known, label, "sample", "X_emb", verbose=False), EXACT
    yield "batch_asw_label", scib.me.silhouette_batch(known, "sample", label, "X_emb", verbose=False), EXACT
    yield "batch_asw", scib.me.silhouette_batch(data, "sample", "cluster", "X_emb", verbose=False), EXACT
    yield "batch_variance", scib.me.pcr(data, "sample", embed="X_emb", verbose=False), SINGLE
    yield "ari", scib.me.ari(known, "cluster", label), EXACT
    yield "nmi", scib.me.nmi(known, "cluster", label), EXACT
    sc.pp.neighbors(known, n_neighbors=15, use_rep="X_emb", transformer="sklearn")
    yield "graph_connectivity", scib.me.graph_connectivity(known, label), EXACT
    yield "clisi", scib.me.clisi_graph(known, label, type_="embed", use_rep="X_emb"), GRAPH
    yield "ilisi", scib.me.ilisi_graph(data, "sample", type_="embed", use_rep="X_emb"), GRAPH
    for name, part, key in (("clisi_knn", known, label), ("ilisi_knn", data, "sample")):
        values = knn_lisi(part, key)
        groups = part.obs[key].nunique()
        value = (groups - values) / (groups - 1) if name == "clisi_knn" else (values - 1) / (groups - 1)
        yield name, value, EXACT


def scib_metrics_scores(data, label):
    """scib-metrics' values (single precision) on the same; exact neighbours, the spot itself not among them."""
    import scib_metrics
    from scib_metrics.nearest_neighbors import NeighborsResults
    from scib_metrics.utils import principal_component_regression
    from sklearn.neighbors import NearestNeighbors

    def nearest(part, count):
        distances, rows = NearestNeighbors(n_neighbors=count).fit(part.obsm["X_emb"]).kneighbors()
        return NeighborsResults(indices=rows, distances=distances)

    known = data[~data.obs[label].astype(str).isin(NO_LABEL)]
    latent, labels = known.obsm["X_emb"], known.obs[label].astype(str).to_numpy()
    batch, every_batch = known.obs["sample"].astype(str).to_numpy(), data.obs["sample"].astype(str).to_numpy()
    clusters = data.obs["cluster"].astype(str).to_numpy()
    yield "label_asw", scib_metrics.silhouette_label(latent, labels), SINGLE
    yield "isolated_label_asw_scib", scib_metrics.isolated_labels(latent, labels, batch), SINGLE
    yield "batch_asw_label", scib_metrics.silhouette_batch(latent, labels, batch), SINGLE
    yield "batch_asw", scib_metrics.silhouette_batch(data.obsm["X_emb"], clusters, every_batch), SINGLE
    yield "batch_variance", principal_component_regression(data.obsm["X_emb"], every_batch, categorical=True), SINGLE
    yield "clisi_knn", scib_metrics.clisi_knn(nearest(known, 90), labels), SINGLE
    yield "ilisi_knn", scib_metrics.ilisi_knn(nearest(data, 90), every_batch), SINGLE
    yield "kbet", scib_metrics.kbet(nearest(data, 50), every_batch)[0], SINGLE


def knn_lisi(data, key):
    """Median of scib's LISI of the 90 nearest others, exact neighbours."""
    import numpy as np
    from scib.metrics.lisi import compute_simpson_index
    from sklearn.neighbors import NearestNeighbors

    distances, rows = NearestNeighbors(n_neighbors=90).fit(data.obsm["X_emb"]).kneighbors()
    codes = data.obs[key].astype("category").cat.codes.to_numpy()
    return float(np.median(1 / compute_simpson_index(distances, rows, codes, int(codes.max()) + 1, 30)))


def compare_network(parts, table):
    """squidpy's nhood_enrichment of every section beside ours: edges exactly, z within the error of both permutations."""
    import numpy as np
    import pandas as pd
    import scipy.sparse
    import squidpy

    for part in parts:
        cluster = part.obs["cluster"].astype(str)
        names = sorted(cluster.unique(), key=int)
        part.obs["cluster"] = pd.Categorical(cluster, names)
        distances = np.linalg.norm(part.obsm["spatial"][:, None] - part.obsm["spatial"][None], axis=2)
        np.fill_diagonal(distances, np.inf)
        near = np.argsort(distances, axis=1, kind="stable")[:, :6]
        count = len(part)
        graph = scipy.sparse.csr_matrix((np.ones(6 * count), (near.ravel(), np.repeat(np.arange(count), 6))), shape=(count, count))
        part.obsp["spatial_connectivities"] = graph
        z, edges = squidpy.gr.nhood_enrichment(part, "cluster", n_perms=1000, seed=0, copy=True, show_progress_bar=False)
        own = table[table["sample"].astype(str) == str(part.obs["sample"].iloc[0])]
        own = own.set_index([own["group"].astype(str), own["neighbour"].astype(str)])
        worst, different = 0.0, 0
        for a, first in enumerate(names):
            for b, second in enumerate(names):
                row = own.loc[(first, second)]
                different += int(row["edges"] != edges[a, b])
                if np.isfinite(row["z"]) and np.isfinite(z[a, b]):
                    # Mean and deviation of 1,000 permutations each, at five sigma.
                    bound = 5 * np.sqrt(2) * (1 / np.sqrt(1000) + abs(z[a, b]) / np.sqrt(2000))
                    worst = max(worst, abs(row["z"] - z[a, b]) / bound)
        yield f"network edges of {part.obs['sample'].iloc[0]}", different, 0, 0
        yield f"network z of {part.obs['sample'].iloc[0]}, share of the bound", worst, 0, 1


def compare_autocorrelation(program, folder):
    """Ours and squidpy's spatial_autocorr of the same features on the same graph: largest difference."""
    import anndata
    import numpy as np
    import squidpy

    path = folder / "graph.h5ad"
    subprocess.run([str(program), str(path)], check=True)
    data = anndata.read_h5ad(path)
    data.X = np.asarray(data.X, dtype=float)
    varies = data.X.std(axis=0) > 0
    data = data[:, varies].copy()
    for mode, column in (("moran", "I"), ("geary", "C")):
        theirs = squidpy.gr.spatial_autocorr(data, connectivity_key="spatial", mode=mode, n_perms=None, copy=True)[column]
        ours = data.var[mode].loc[theirs.index]
        worst = np.abs(ours - theirs).idxmax()
        yield f"{mode} of {len(ours)} features, worst", ours[worst], theirs[worst], EXACT


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("joint", type=Path)
    parser.add_argument("--smeta", default=ROOT / "build/drivers/smeta")
    parser.add_argument("--graph", default=ROOT / "build/tests/interop/interop_neighbors")
    parser.add_argument("--label", default="label")
    parser.add_argument("--sample-key", default="sample")
    parser.add_argument("--cohort-key", default="patient")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    import anndata
    import numpy as np
    import pandas as pd

    print(json.dumps({"versions": versions()}), flush=True)
    failed = []

    def report(name, ours, theirs, most):
        holds = bool(abs(ours - theirs) <= most)
        print(json.dumps({"score": name, "smeta": float(ours), "peer": float(theirs), "difference": float(abs(ours - theirs)), "at_most": most,
                          "holds": holds}), flush=True)
        if not holds:
            failed.append(name)

    with tempfile.TemporaryDirectory() as folder:
        for name, ours, theirs, most in compare_autocorrelation(options.graph, Path(folder)):
            report(name, ours, theirs, most)
        atlas = Path(folder) / "atlas"
        make_run(options.smeta, atlas, options)
        run = atlas / "runs/main"
        parts = [anndata.read_h5ad(f) for f in sorted((run / "results").glob("*.h5ad"))]
        data = anndata.concat(parts)
        data.obs_names_make_unique()
        data.obsm["X_emb"] = data.obsm["X_smeta"].astype(np.float64)
        data.X = np.zeros((data.n_obs, 0), dtype=np.float32) if data.X is None else data.X
        for key in ("sample", "cluster"):
            data.obs[key] = data.obs[key].astype(str).astype("category")
        own = json.loads((run / "scores.json").read_text())["embeddings"][0]["scores"]
        for peer, scores in (("scib", scib_scores), ("scib-metrics", scib_metrics_scores)):
            for name, theirs, most in scores(data, options.label):
                report(f"{name} ({peer})", own[name]["all"]["value"], theirs, most)
        table = pd.read_csv(run / "tables/network_enrichment.tsv", sep="\t")
        for name, ours, theirs, most in compare_network(parts, table):
            report(name, ours, theirs, most)
    if failed:
        sys.exit(f"differ: {', '.join(failed)}")


main()
