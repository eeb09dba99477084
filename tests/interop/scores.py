"""smeta score, network and umap on breast_paired against scikit-learn, scanpy, umap-learn and scipy on the same embedding, labels
and clusters; the same numbers on 1, 2 and 4 ranks."""

import importlib.util
import csv
import json
import pathlib
import sys

import anndata
import h5py
import numpy as np
import scanpy as sc
import scipy.sparse
import scipy.stats
from scipy.sparse.csgraph import connected_components, dijkstra
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from sklearn.model_selection import train_test_split
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_samples, silhouette_score

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, main  # noqa: E402

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"
DATA = SHARED / "data/semisynthetic/breast_paired.h5ad"


def shared_module(name):
    spec = importlib.util.spec_from_file_location(name, SHARED / "golden" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_run(smeta, folder):
    atlas = folder / "atlas"
    settings = [x for s in ("select.n_genes=500", "select.n_metabolites=79", "select.batch_biased=keep") for x in ("--set", s)]
    smeta.run("ingest", "--atlas", atlas, "--joint", DATA, "--set", "ingest.sample_key=sample",
              "--set", "ingest.cohort_key=patient")
    smeta.run("select", "--atlas", atlas, *settings)
    smeta.run("train", "--atlas", atlas, "--threads", 2, "--set", "train.epochs=8", *settings)
    smeta.run("embed", "--atlas", atlas, "--reconstruction")
    smeta.run("cluster", "--atlas", atlas)
    return atlas


def write_other(folder, parts):
    """An embedding made elsewhere, rows shuffled: scanpy's PCA of the genes."""
    data = anndata.read_h5ad(DATA)
    data = data[:, data.var["type"] == "ST"].copy()
    sc.pp.normalize_total(data, target_sum=1e4)
    sc.pp.log1p(data)
    sc.pp.pca(data, n_comps=20)
    data = data[np.random.default_rng(0).permutation(data.n_obs)]
    anndata.AnnData(obs=data.obs[[]], obsm={"X_pca": data.obsm["X_pca"]}).write_h5ad(folder / "other.h5ad")
    names = np.concatenate([p.obs_names for p in parts])
    return data[names].obsm["X_pca"].astype(float)


def graph_of(points):
    data = anndata.AnnData(obsm={"X": points})
    sc.pp.neighbors(data, n_neighbors=15, use_rep="X", transformer="sklearn")
    return data.obsp["connectivities"]


def graph_lisi(graph, labels, row_lisi):
    """scib's graph LISI: connectivities as lengths of edges, the 90 nearest nodes."""
    lengths = dijkstra(graph)
    np.fill_diagonal(lengths, -1)
    order = np.argsort(lengths, axis=1, kind="stable")[:, 1:91]
    result = np.ones(len(labels))
    for i, nodes in enumerate(order):
        if np.isfinite(lengths[i, nodes]).all():
            result[i] = row_lisi(lengths[i, nodes], labels[nodes])
    return result


def row_lisi(distances, labels, perplexity=30):
    beta, low, high = 1.0, -np.inf, np.inf
    for _ in range(51):
        p = np.exp(-distances * beta)
        excess = np.log(p.sum()) + beta * (distances * p).sum() / p.sum() - np.log(perplexity)
        if abs(excess) <= 1e-5:
            break
        if excess > 0:
            low, beta = beta, beta * 2 if high == np.inf else (beta + high) / 2
        else:
            high, beta = beta, beta / 2 if low == -np.inf else (beta + low) / 2
    _, codes = np.unique(labels, return_inverse=True)
    return 1 / (np.bincount(codes, p / p.sum()) ** 2).sum()


def knn_lisi(module, points, labels):
    return module.lisi(points, labels)


def reference_scores(module, points, label, batch):
    known = label != "undetermined"
    own, truth = points[known], label[known]
    groups, batches = len(np.unique(truth)), len(np.unique(batch))
    widths = silhouette_samples(own, truth)
    in_batches = {g: len(np.unique(batch[known][truth == g])) for g in np.unique(truth)}
    isolated = [g for g, n in in_batches.items() if n == min(in_batches.values())]
    graph = graph_of(own)
    parts = []
    for g in np.unique(truth):
        _, part = connected_components(graph[truth == g][:, truth == g])
        parts.append(np.bincount(part).max() / len(part))
    by_batch = []
    for g in np.unique(truth):
        inside = truth == g
        codes = batch[known][inside]
        if 1 < len(np.unique(codes)) < len(codes):
            by_batch.append((1 - abs(silhouette_samples(own[inside], codes))).mean())
    onehot = (batch[:, None] == np.unique(batch)[None]).astype(float)
    centred = points - points.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    share = sum(LinearRegression().fit(onehot, u[:, i] * s[i]).score(onehot, u[:, i] * s[i]) * s[i] ** 2
                for i in range(len(s))) / (s**2).sum()
    return {
        "label_asw": (silhouette_score(own, truth) + 1) / 2,
        "isolated_label_asw": np.mean([(widths[truth == g].mean() + 1) / 2 for g in np.unique(truth)]),
        "isolated_label_asw_scib": np.mean([(widths[truth == g].mean() + 1) / 2 for g in isolated]),
        "clisi_knn": (groups - np.median(knn_lisi(module, own, truth))) / (groups - 1),
        "clisi": (groups - np.median(graph_lisi(graph, truth, row_lisi))) / (groups - 1),
        "graph_connectivity": np.mean(parts),
        "batch_asw_label": np.mean(by_batch),
        "ilisi_knn": (np.median(knn_lisi(module, points, batch)) - 1) / (batches - 1),
        "ilisi": (np.median(graph_lisi(graph_of(points), batch, row_lisi)) - 1) / (batches - 1),
        "batch_variance": share,
        "kbet": kbet(points, batch),
        "kbet_label": np.mean([kbet(own[truth == g], batch[known][truth == g], min(50, (truth == g).sum() // 4))
                               for g, n in in_batches.items() if n > 1 and (truth == g).sum() >= 40]),
    }


def kbet(points, batch, k=50):
    rows = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)
    names, codes = np.unique(batch, return_inverse=True)
    expected = np.bincount(codes) * k / len(codes)
    found = np.array([np.bincount(codes[r], minlength=len(names)) for r in rows])
    return (scipy.stats.chi2.sf(((found - expected) ** 2 / expected).sum(axis=1), len(names) - 1) >= 0.05).mean()


def check_intervals(scores):
    """Every score has an interval that holds its value (medians may sit on its edge)."""
    entries = [(name, scope, score[scope]) for name, score in scores.items() for scope in ("all", "mean") if scope in score]
    missed = [(name, scope) for name, scope, entry in entries if entry["value"] is not None
              and not ("low" in entry and entry["low"] - 1e-12 <= entry["value"] <= entry["high"] + 1e-12)]
    check(len(entries) > 30 and not missed, f"{len(entries)} scores, intervals that miss their value: {missed}")


# Graph scores: umap-learn finds its scales in single precision.
TOLERANCE = {"clisi": 1e-3, "ilisi": 1e-3, "clisi_knn": 1e-5, "ilisi_knn": 1e-5}


def compare(name, scores, expected):
    for score, value in expected.items():
        found = scores[score]["all"]["value"]
        print(f"{name} {score}: {found:.8f}, reference {value:.8f}, difference {found - value:.1e}")
        check(abs(found - value) <= TOLERANCE.get(score, 1e-6), f"{name} {score}: {found}, reference {value}")


def check_components(atlas, parts, variances):
    """Variances of the data before integration against scanpy's on the same matrix."""
    data = anndata.read_h5ad(DATA)[np.concatenate([p.obs_names for p in parts])]
    blocks = []
    with h5py.File(atlas / "runs/main/features.h5") as features:
        for modality in ("sm", "st"):
            names = features[f"mod/{modality}/var/_index"].asstr()[:]
            values = data[:, list(names)].X
            values = np.asarray(values.todense() if scipy.sparse.issparse(values) else values, dtype=float)
            sums = values.sum(axis=1, keepdims=True)
            values = np.log1p(np.where(sums > 0, values * 1e4 / np.where(sums > 0, sums, 1), 0))
            blocks.append((values - values.mean(axis=0)) / np.sqrt(values.var(axis=0).sum()))
    reference = sc.pp.pca(np.hstack(blocks), n_comps=50, return_info=True, svd_solver="arpack", dtype="float64")[3]
    worst = np.max(np.abs(np.array(variances) / reference - 1))
    print(f"variances of {len(variances)} components: largest relative difference {worst:.1e}")
    check(worst < 1e-4, "principal components differ from scanpy's")


def feature_names(atlas):
    with h5py.File(atlas / "runs/main/features.h5") as features:
        return {m: list(features[f"mod/{m}/var/_index"].asstr()[:]) for m in ("sm", "st")}


def autocorrelation(values, position, cluster):
    """Moran's I and Geary's C by scanpy.metrics of each column, on the graph of the six nearest (ties to the lower row)."""
    distances = np.linalg.norm(position[:, None] - position[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1, kind="stable")[:, :6]
    n = len(position)
    graph = scipy.sparse.csr_matrix((np.ones(6 * n), (near.ravel(), np.repeat(np.arange(n), 6))), shape=(n, n))
    degree = np.asarray(graph.sum(axis=1)).ravel()
    graph = scipy.sparse.diags(1 / np.where(degree > 0, degree, 1)) @ graph
    return [f(graph.tocsr(), values.T) for f in (sc.metrics.morans_i, sc.metrics.gearys_c)]


def marker_reference(values, counts, position, cluster, modality):
    """The marker scores of one sample but for logistic: log-normalised values and counts of the run's features."""
    size = {c: (cluster == c).sum() for c in np.unique(cluster)}
    kept = np.array([size[c] >= 2 for c in cluster])
    data = anndata.AnnData(values[kept].astype("float32"), obs={"cluster": cluster[kept]})
    data.obs["cluster"] = data.obs["cluster"].astype("category")
    sc.tl.rank_genes_groups(data, "cluster", method="wilcoxon")
    # Rounded as ours are not: names by score, equal ones by column.
    table = sc.get.rank_genes_groups_df(data, None)
    table["column"] = table["names"].astype(int)
    moran, geary = autocorrelation(values[kept], position[kept], cluster[kept])
    top = {"st": [5, 10, 20, 50, 100, 200, 500], "sm": [5, 10, 20, 50, 100, 200]}[modality]
    chosen = [np.unique(np.concatenate([t.sort_values(["scores", "column"], ascending=[False, True])["column"].to_numpy()[:n]
                                        for _, t in table.groupby("group", observed=True)])) for n in top]
    groups = [c for c, n in size.items() if n >= 4]
    inside = np.isin(cluster, groups)
    x, code = values[inside], cluster[inside]
    means = np.array([x[code == c].mean(axis=0) for c in groups])
    with np.errstate(invalid="ignore"):
        ratio = means.max(axis=0) / x.mean(axis=0)
    zeros = (x == 0).mean(axis=0)
    return {"moran": np.mean([np.nanmedian(moran[c]) for c in chosen]), "geary": np.mean([np.nanmedian(geary[c]) for c in chosen]),
            "specificity": np.mean([np.nanmean(ratio[zeros <= t]) for t in (1, .99, .98, .95)]),
            "mutual_information": np.mean([mutual_info_classif(counts, cluster, random_state=s).mean() for s in range(4)]),
            "logistic": np.mean([logistic_reference(x, code, seed) for seed in range(5)])}


def logistic_reference(x, code, seed):
    train, test, a, b = train_test_split(x, code, test_size=0.2, stratify=code, random_state=seed)
    return LogisticRegression(solver="liblinear", max_iter=2000).fit(train, a).score(test, b)


# Markers: scanpy's scores in single precision may choose others among near ties. Noise and split are our own: scikit-learn's
# seeds differ by as much among each other.
MARKER_TOLERANCE = {"moran": 1e-3, "geary": 1e-3, "specificity": 1e-5, "mutual_information": 0.01, "logistic": 0.12}


def check_markers(atlas, parts, scores):
    data = anndata.read_h5ad(DATA)
    for modality, names in feature_names(atlas).items():
        kind = data[:, data.var["type"] == modality.upper()]
        for part in parts[:2]:
            rows = kind[part.obs_names]
            counts = np.asarray(rows.X.todense() if scipy.sparse.issparse(rows.X) else rows.X, dtype=float)
            sums = counts.sum(axis=1, keepdims=True)
            own = [rows.var_names.get_loc(n) for n in names]
            values = np.log1p(np.where(sums > 0, counts * 1e4 / np.where(sums > 0, sums, 1), 0))[:, own]
            sample, cluster = part.obs["sample"].iloc[0], part.obs["cluster"].astype(int).to_numpy()
            for name, expected in marker_reference(values, counts[:, own], part.obsm["spatial"], cluster, modality).items():
                found = scores[f"{name}_{modality}"]["samples"][sample]["value"]
                print(f"{sample} {name}_{modality}: {found:.6f}, reference {expected:.6f}")
                check(abs(found - expected) <= MARKER_TOLERANCE[name], f"{sample} {name}_{modality}: {found}, reference {expected}")


def check_reconstruction(atlas, parts, scores):
    """Of the stored reconstruction beside the counts, and the intensities as shares of their spot."""
    data, names = anndata.read_h5ad(DATA), feature_names(atlas)
    for part in parts:
        sample = part.obs["sample"].iloc[0]
        decoded = anndata.read_h5ad(atlas / f"runs/main/reconstruction/{sample}.h5ad")
        for modality in ("sm", "st"):
            y = np.asarray(decoded[:, names[modality]].X, dtype=float)
            x = data[part.obs_names, names[modality]].X
            x = np.asarray(x.todense() if scipy.sparse.issparse(x) else x, dtype=float)
            present = x.sum(axis=1) > 0
            x, y = x[present], y[present]
            if modality == "sm":
                x = x / x.sum(axis=1, keepdims=True)
            varies = x.std(axis=0) > 0
            x, y = x[:, varies], y[:, varies]
            cosine = ((x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))).mean()
            pearson = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(x.T, y.T)])
            for name, expected in (("pearson", pearson), ("cosine", cosine)):
                found = scores[f"{name}_{modality}"]["samples"][sample]["value"]
                check(abs(found - expected) < 1e-5, f"{sample} {name}_{modality}: {found}, reference {expected}")
    print("reconstruction scores agree to 1e-5")


def recall(points, layout, k=15):
    def near(values):
        return NearestNeighbors(n_neighbors=k + 1).fit(values).kneighbors(values, return_distance=False)[:, 1:]

    return np.mean([len(set(a) & set(b)) / k for a, b in zip(near(points), near(layout))])


def check_umap(smeta, atlas, latent):
    """As trustworthy a layout as umap-learn's from the same graph, the same on any ranks."""
    layouts = []
    for np_ in (1, 2):
        smeta.run("umap", "--atlas", atlas, np=np_)
        parts = [anndata.read_h5ad(f) for f in sorted((atlas / "runs/main/results").glob("*.h5ad"))]
        layouts.append(np.concatenate([p.obsm["X_umap"] for p in parts]))
        smeta.run("umap", "--atlas", atlas, "--set", "umap.epochs=3")  # so that the next one is made anew
    check((layouts[0] == layouts[1]).all(), "the layout differs between 1 and 2 ranks")
    theirs = anndata.read_h5ad(atlas / "runs/main/neighbors.h5")
    theirs.obsm["X_smeta"] = latent.astype("float32")
    sc.tl.umap(theirs, min_dist=0.5, random_state=0)
    scores = {name: (trustworthiness(latent, x, n_neighbors=15), recall(latent, x))
              for name, x in (("smeta", layouts[0]), ("umap-learn", theirs.obsm["X_umap"]))}
    print("umap: trustworthiness and neighbour recall", scores)
    for mine, reference in zip(scores["smeta"], scores["umap-learn"]):
        check(mine > reference - 0.02, f"layout {scores}")


def permuted_counts(edges, labels, groups, rng):
    """Edges between groups, labels shuffled within each section."""
    shuffled = [rng.permutation(part) for part in labels]
    return sum(np.histogram2d(part[e[0]], part[e[1]], bins=(np.arange(groups + 1) - 0.5,) * 2)[0]
               for part, e in zip(shuffled, edges))


def check_composition(atlas, parts):
    """Spots of each cluster in each sample and in all, and both shares."""
    obs = anndata.concat(parts).obs
    rows = list(csv.DictReader(open(atlas / "runs/main/tables/network_composition.tsv"), delimiter="\t"))
    check(len(rows) == (len(parts) + 1) * obs["cluster"].astype(str).nunique(), f"{len(rows)} rows of the composition")
    for row in rows:
        inside = obs if row["sample"] == "all" else obs[obs["sample"].astype(str) == row["sample"]]
        spots = (inside["cluster"].astype(str) == row["group"]).sum()
        everywhere = (obs["cluster"].astype(str) == row["group"]).sum()
        expected = (spots, spots / len(inside), spots / everywhere)
        found = tuple(float(row[column]) for column in ("spots", "share_of_sample", "share_of_group"))
        check(np.allclose(found, expected, rtol=1e-14, atol=0), f"composition {row}, reference {expected}")


def check_network(smeta, atlas, parts):
    """Edge counts exactly, z-scores within the error of the permutations, co-occurrence to 1e-12."""
    texts = []
    for np_ in (1, 2, 4):
        smeta.run("network", "--atlas", atlas, "--radii", 4, np=np_)
        tables = sorted((atlas / "runs/main/tables").glob("network_*.tsv"))
        check(len(tables) == 5, f"tables {tables}")
        texts.append("".join(t.read_text() for t in tables))
    check(texts[0] == texts[1] == texts[2], "network tables differ between 1, 2 and 4 ranks")
    check_composition(atlas, parts)
    names = sorted({c for p in parts for c in p.obs["cluster"].astype(str)}, key=int)
    labels = [np.array([names.index(c) for c in p.obs["cluster"].astype(str)]) for p in parts]
    edges, pairs = [], np.zeros((4, len(names), len(names)))
    for part, codes in zip(parts, labels):
        distances = np.linalg.norm(part.obsm["spatial"][:, None] - part.obsm["spatial"][None], axis=2)
        np.fill_diagonal(distances, np.inf)
        spacing = np.median(distances.min(axis=1))
        near = np.argsort(distances, axis=1, kind="stable")[:, :6]
        edges.append((near.ravel(), np.repeat(np.arange(len(codes)), 6)))  # w[neighbour, spot]
        for r in range(4):
            i, j = np.nonzero(distances / spacing <= r + 1)
            np.add.at(pairs[r], (codes[i], codes[j]), 1)
    rows = list(csv.DictReader(open(atlas / "runs/main/tables/network_enrichment.tsv"), delimiter="\t"))
    found = {(r["group"], r["neighbour"]): r for r in rows if r["sample"] == "all"}
    count = sum(np.histogram2d(codes[e[0]], codes[e[1]], bins=(np.arange(len(names) + 1) - 0.5,) * 2)[0]
                for codes, e in zip(labels, edges))
    rng = np.random.default_rng(0)
    shuffled = np.array([permuted_counts(edges, labels, len(names), rng) for _ in range(1000)])
    deviation = shuffled.std(axis=0)
    z = (count - shuffled.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    worst = 0
    for a, first in enumerate(names):
        for b, second in enumerate(names):
            row = found[first, second]
            check(int(row["edges"]) == count[a, b], f"{first} {second}: {row['edges']} edges, reference {count[a, b]}")
            if deviation[a, b] == 0:
                check(row["z"] == "", f"{first} {second}: z of a count that shuffling does not change: {row['z']}")
                continue
            # Mean and deviation of 1,000 permutations each: errors of 1/sqrt(1000) and |z|/sqrt(2000), twice, at 5 sigma.
            bound = 5 * np.sqrt(2) * (1 / np.sqrt(1000) + abs(z[a, b]) / np.sqrt(2000))
            worst = max(worst, abs(float(row["z"]) - z[a, b]) / bound)
    print(f"network: largest difference of a z-score {worst:.2f} of its bound")
    check(worst < 1, "z-scores of the neighbourhood enrichment")
    rows = csv.DictReader(open(atlas / "runs/main/tables/network_co_occurrence.tsv"), delimiter="\t")
    for row in rows:
        if row["sample"] != "all":
            continue
        within = pairs[int(float(row["radius_spacings"])) - 1]
        a, b = names.index(row["group"]), names.index(row["centre"])
        expected = within[b, a] / within[b].sum() / (within[:, a].sum() / within.sum())
        check(abs(float(row["ratio"]) - expected) < 1e-12, f"co-occurrence {row}, reference {expected}")


def body(smeta, folder):
    if not SHARED.is_dir():
        print("reference data (../shared) is not there")
        sys.exit(77)
    module = shared_module("score_embedding")
    atlas = make_run(smeta, folder)
    parts = [anndata.read_h5ad(f) for f in sorted((atlas / "runs/main/results").glob("*.h5ad"))]
    other = write_other(folder, parts)
    texts = []
    for np_ in (1, 2, 4):
        smeta.run("score", "--atlas", atlas, "--label", "label", "--embedding", folder / "other.h5ad", "--key", "X_pca", "--kbet", np=np_)
        texts.append((atlas / "runs/main/scores.json").read_text() + (atlas / "runs/main/tables/scores.tsv").read_text()
                     + (atlas / "runs/main/tables/scores_published.tsv").read_text())
    check(texts[0] == texts[1] == texts[2], "scores differ between 1, 2 and 4 ranks")
    result = json.loads((atlas / "runs/main/scores.json").read_text())
    scores = {e["name"]: e["scores"] for e in result["embeddings"]}
    check(list(scores) == ["smeta", "pca", "other:X_pca"], f"embeddings {list(scores)}")
    decoded = {f"{name}_{modality}" for name in ("pearson", "cosine") for modality in ("sm", "st")}
    check(all(set(s) == set(scores["smeta"]) - decoded for s in list(scores.values())[1:]), "every embedding has every score")
    check(decoded < set(scores["smeta"]), "the run has scores of its reconstruction")
    check_intervals(scores["smeta"])
    check_markers(atlas, parts, scores["smeta"])
    check_reconstruction(atlas, parts, scores["smeta"])

    latent = np.concatenate([p.obsm["X_smeta"] for p in parts]).astype(float)
    label = np.concatenate([p.obs["label"].astype(str) for p in parts])
    batch = np.concatenate([p.obs["sample"].astype(str) for p in parts])
    cluster = np.concatenate([p.obs["cluster"].astype(str) for p in parts])
    known = label != "undetermined"
    expected = reference_scores(module, latent, label, batch)
    expected["ari"] = adjusted_rand_score(label[known], cluster[known])
    expected["nmi"] = normalized_mutual_info_score(label[known], cluster[known])
    compare("smeta", scores["smeta"], expected)
    compare("other", scores["other:X_pca"], reference_scores(module, other, label, batch))
    aris = [adjusted_rand_score(p.obs["label"][k], p.obs["cluster"][k])
            for p in parts for k in [(p.obs["label"].astype(str) != "undetermined").to_numpy()]]
    check(abs(scores["smeta"]["ari"]["mean"]["value"] - np.mean(aris)) < 1e-12, "mean ARI over samples")
    check_components(atlas, parts, result["pca_variances"])
    check_network(smeta, atlas, parts)
    check_umap(smeta, atlas, latent)


main(body)
