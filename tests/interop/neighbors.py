"""The neighbour graph and the clusters against scanpy's (umap-learn, leidenalg) on the same points; Moran's I and Geary's C
against the functions that squidpy's spatial_autocorr calls (scanpy.metrics), on the same graph with rows normalised."""
import subprocess
import sys
import tempfile

import anndata
import leidenalg
import igraph
import numpy as np
import scanpy as sc

NEIGHBORS = 20

with tempfile.TemporaryDirectory() as folder:
    path = folder + "/graph.h5ad"
    subprocess.run([sys.argv[1], path], check=True)
    ours = anndata.read_h5ad(path)

reference = anndata.AnnData(obs=ours.obs, obsm={"X_smeta": ours.obsm["X_smeta"]})
sc.pp.neighbors(reference, n_neighbors=NEIGHBORS, use_rep="X_smeta", transformer="sklearn")

difference = abs(ours.obsp["distances"] - reference.obsp["distances"])
assert difference.max() < 1e-5, f"distances differ by {difference.max()}"
assert (ours.obsp["distances"] != 0).nnz == ours.n_obs * (NEIGHBORS - 1)
difference = abs(ours.obsp["connectivities"] - reference.obsp["connectivities"])
# umap-learn solves for sigma in single precision to a tolerance of 1e-5.
assert difference.max() < 1e-3, f"connectivities differ by {difference.max()}"
print("connectivities: largest difference", difference.max())

if "cluster" in ours.obs:
    weights = ours.obsp["connectivities"].tocoo()
    upper = weights.row < weights.col
    graph = igraph.Graph(n=ours.n_obs, edges=np.c_[weights.row, weights.col][upper].tolist())
    graph.es["weight"] = weights.data[upper].tolist()
    partition = leidenalg.RBConfigurationVertexPartition
    found = partition(graph, ours.obs["cluster"].to_list(), weights="weight").quality()
    best = leidenalg.find_partition(graph, partition, weights="weight", n_iterations=-1, seed=0).quality()
    assert found > 0.99 * best, f"quality {found} against leidenalg's {best}"
    sizes = ours.obs["cluster"].value_counts(sort=False).sort_index().to_numpy()
    assert (np.diff(sizes) <= 0).all(), "clusters are ordered by size"
    print(f"Leiden quality {found:.2f}, leidenalg {best:.2f}")

graph = ours.obsp["spatial"].astype(float)
graph.data /= np.repeat(np.add.reduceat(graph.data, graph.indptr[:-1][np.diff(graph.indptr) > 0]),
                        np.diff(graph.indptr)[np.diff(graph.indptr) > 0])  # stored in single precision
values = np.asarray(ours.X, dtype=float).T
for name, function in (("moran", sc.metrics.morans_i), ("geary", sc.metrics.gearys_c)):
    theirs = function(graph, values)
    assert np.isnan(theirs[0]) and np.isnan(ours.var[name].iloc[0]), "a constant feature has none"
    worst = np.nanmax(np.abs(theirs - ours.var[name].to_numpy()))
    assert worst < 1e-6, f"{name} differs by {worst}"
    print(f"{name}: largest difference {worst:.1e}")
