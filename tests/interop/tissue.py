"""smeta region, trajectory and communicate against matplotlib's point-in-polygon test, scipy's splines and rank correlation, and
scores and shuffles of numpy."""
import json
import pathlib
import subprocess
import sys
import tempfile

import anndata
import igraph
import leidenalg
import numpy as np
import pandas as pd
import scipy.sparse
import scipy.stats
from matplotlib.path import Path
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree
from scipy.stats import false_discovery_control

SMETA, *LAUNCHER = sys.argv[1:]
GENES, METABOLITES, SPOTS = 60, 20, 900
SHUFFLES = 1000


def smeta(*arguments, np_=1):
    launcher = [LAUNCHER[0], "-n", str(np_), "--oversubscribe", *LAUNCHER[1:]] if np_ > 1 else []
    done = subprocess.run([*launcher, SMETA, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def study():
    """Two sections of irregular spots; levels follow the domain and, for some features, the position."""
    draw = np.random.default_rng(8)
    where = draw.uniform(0, 100, (SPOTS, 2))
    domain = (where[:, 0] > 45).astype(int) + (where[:, 1] > 60)
    level = draw.gamma(0.8, 2, (3, GENES + METABOLITES))[domain]
    level[:, ::5] *= (1 + np.sin(where[:, :1] / 20)) * 2
    x = draw.poisson(level * draw.uniform(0.5, 2, (SPOTS, 1))).astype(np.float32)
    x[:, :METABOLITES] *= draw.uniform(1, 50, (SPOTS, METABOLITES)).astype(np.float32)
    x[:, 0] += 1
    x[:, METABOLITES] += 1
    names = [f"mz_{100 + i}.5" for i in range(METABOLITES)] + [f"G{i:02}" for i in range(GENES)]
    data = anndata.AnnData(scipy.sparse.csr_matrix(x), pd.DataFrame(index=[f"s{i:04}" for i in range(SPOTS)]),
                           pd.DataFrame({"type": ["SM"] * METABOLITES + ["ST"] * GENES}, index=names))
    data.obs["sample"] = np.where(np.arange(SPOTS) < 500, "one", "two")
    data.obs["cohort"] = "c"
    data.obs["domain"] = [f"d{d}" for d in domain]
    data.obsm["spatial"] = where
    return data


def log_normalised(data):
    parts = []
    for kind in ("SM", "ST"):
        x = data[:, data.var["type"] == kind].X.toarray().astype(np.float64)
        parts.append(np.log1p(x * (1e4 / x.sum(1, keepdims=True))).astype(np.float32).astype(np.float64))
    return pd.DataFrame(np.hstack(parts), columns=data.var_names)


def check_regions(folder, atlas, data):
    draw = np.random.default_rng(3)
    angle = np.sort(draw.uniform(0, 2 * np.pi, 60))
    freehand = np.c_[np.cos(angle), np.sin(angle)] * draw.uniform(15, 40, (60, 1)) + 50
    hole = np.array([[45, 45], [55, 45], [55, 55], [45, 55]])
    geometry = {"type": "Polygon", "coordinates": [freehand.tolist(), hole.tolist()]}
    (folder / "r.geojson").write_text(json.dumps(
        {"type": "Feature", "geometry": geometry, "properties": {"name": "lasso", "sample": "one"}}))
    smeta("region", "--atlas", atlas, "--shapes", folder / "r.geojson", np_=2)
    one = data[data.obs["sample"] == "one"]
    inside = Path(freehand, closed=False).contains_points(one.obsm["spatial"]) & ~Path(hole, closed=False).contains_points(one.obsm["spatial"])
    stored = anndata.read_h5ad(atlas / "runs/main/results/one.h5ad").obs["region"]
    assert ((stored == "lasso").to_numpy() == inside).all() and 50 < inside.sum() < 450
    table = pd.read_csv(atlas / "runs/main/tables/regions.tsv", sep="\t").set_index("region")
    x, y = freehand.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2 - 100
    assert abs(table.loc["lasso", "area"] - area) < 1e-9 * area and table.loc["lasso", "spots"] == inside.sum()
    markers = pd.read_csv(atlas / "runs/main/tables/regions_markers.tsv", sep="\t").set_index("feature")
    values = log_normalised(data)[(data.obs["sample"] == "one").to_numpy()]
    for name in values.columns[::3]:
        test = scipy.stats.mannwhitneyu(values[name][inside], values[name][~inside], use_continuity=False, method="asymptotic")
        assert abs(markers.loc[name, "p_value"] - test.pvalue) < 1e-6, name
    print("regions:", inside.sum(), "spots inside, as matplotlib has them")


def check_trajectory(atlas, data):
    line = np.array([[10.0, 20.0], [70.0, 30.0], [80.0, 90.0]])
    smeta("trajectory", "--atlas", atlas, "--sample", "two", "--points", *[f"{x},{y}" for x, y in line], "--width", 14, np_=2)
    two = (data.obs["sample"] == "two").to_numpy()
    points = data.obsm["spatial"][two]
    best = np.full(len(points), np.inf)
    along = np.zeros(len(points))
    past = np.zeros(len(points), bool)
    start = 0.0
    for s, (a, b) in enumerate(zip(line, line[1:])):
        length = np.linalg.norm(b - a)
        share = (points - a) @ (b - a) / length**2
        distance = np.linalg.norm(points - a - np.clip(share, 0, 1)[:, None] * (b - a), axis=1)
        closer = distance < best
        best[closer] = distance[closer]
        along[closer] = (start + np.clip(share, 0, 1) * length)[closer]
        past[closer] = ((share < 0) & (s == 0) | (share > 1) & (s == 1))[closer]
        start += length
    on = (best <= 14) & ~past
    stored = anndata.read_h5ad(atlas / "runs/main/results/two.h5ad").obs["position_path_1"].to_numpy()
    assert (np.isnan(stored) == ~on).all() and np.abs(stored[on] - along[on]).max() < 1e-9
    x = along[on]
    n, k = len(x), 5
    knots = np.quantile(x, np.linspace(0, 1, k))
    # Natural splines are spanned by those through one at a knot and zero at the others.
    basis = np.c_[[CubicSpline(knots, unit, bc_type="natural")(x) for unit in np.eye(k)]].T
    grid = np.linspace(x.min(), x.max(), 101)
    at = np.c_[[CubicSpline(knots, unit, bc_type="natural")(grid) for unit in np.eye(k)]].T
    inverse = np.linalg.inv(basis.T @ basis)
    table = pd.read_csv(atlas / "runs/main/tables/trajectory.tsv", sep="\t").set_index("feature")
    curves = pd.read_csv(atlas / "runs/main/tables/trajectory_curves.tsv", sep="\t")
    values = log_normalised(data)[two][on]
    worst = dict.fromkeys(["rho", "p", "f", "curve", "band"], 0.0)
    for name in values.columns:
        y = values[name].to_numpy()
        if y.min() == y.max():
            assert name not in table.index
            continue
        row = table.loc[name]
        rho = scipy.stats.spearmanr(x, y)
        fit = inverse @ basis.T @ y
        residual = ((y - basis @ fit) ** 2).sum()
        f = ((((y - y.mean()) ** 2).sum() - residual) / (k - 1)) / (residual / (n - k))
        worst["rho"] = max(worst["rho"], abs(row["rho"] - rho.statistic), abs(row["rho_p_value"] - rho.pvalue))
        worst["f"] = max(worst["f"], abs(row["f"] - f) / max(f, 1))
        worst["p"] = max(worst["p"], abs(row["p_value"] - scipy.stats.f.sf(f, k - 1, n - k)))
        shown = curves[curves["feature"] == name]
        if len(shown):
            width = scipy.stats.t.ppf(0.975, n - k) * np.sqrt(residual / (n - k) * np.einsum("ij,jk,ik->i", at, inverse, at))
            assert np.abs(shown["position"] - grid).max() < 1e-9
            worst["curve"] = max(worst["curve"], np.abs(shown["value"] - at @ fit).max())
            worst["band"] = max(worst["band"], np.abs(shown["upper"] - shown["value"] - width).max())
    for _, block in table.groupby("modality"):
        assert np.abs(false_discovery_control(block["p_value"]) - block["adjusted_p"]).max() < 1e-12
        assert np.abs(false_discovery_control(block["rho_p_value"]) - block["rho_adjusted_p"]).max() < 1e-12
        assert (np.diff(block["f"]) <= 0).all()
    print("trajectory:", n, "spots,", len(table), "features; against scipy", worst)
    assert max(worst.values()) < 1e-6 and len(set(curves["feature"])) == 40, worst


def contacts(data):
    """Neighbours either way round among the six nearest spots of each section."""
    pairs = set()
    for sample in ("one", "two"):
        rows = np.flatnonzero(data.obs["sample"] == sample)
        where = data.obsm["spatial"][rows]
        _, near = cKDTree(where).query(where, 7)
        for i, others in enumerate(near):
            for j in others[1:]:
                pairs |= {(rows[i], rows[j]), (rows[j], rows[i])}
    return np.array(sorted(pairs)).T


def within_error(a, b, shuffles):
    """Shares of two sets of shuffles of the same size that differ by more than five standard errors."""
    p = (a + b) / 2
    return np.abs(a - b) <= 5 * np.sqrt(2 * np.maximum(p * (1 - p), 1 / shuffles) / shuffles)


def check_communicate(folder, atlas, data):
    ligands = [("G00", "G05"), ("G01&G02", "G06"), ("G03", "G07&G08"), ("G10", "G15"), ("G04", "G09")]
    sensors = [("mz_100.5", "G05"), ("mz_105.5", "G20"), ("mz_103.5", "G07&G08")]
    (folder / "lr.tsv").write_text("ligand\treceptor\n" + "".join(f"{a}\t{b}\n" for a, b in ligands + [("G01", "absent")]))
    (folder / "ms.tsv").write_text("metabolite\tsensor\n" + "".join(f"{a}\t{b}\n" for a, b in sensors))
    command = ["communicate", "--atlas", atlas, "--groupby", "domain", "--pairs", folder / "lr.tsv", "--sensors",
               folder / "ms.tsv", "--permutations", SHUFFLES]
    smeta(*command)
    file = atlas / "runs/main/tables/communication.tsv"
    smeta(*command, "--name", "again", np_=4)
    assert file.read_bytes() == (file.parent / "again.tsv").read_bytes()
    table = pd.read_csv(file, sep="\t")
    values = log_normalised(data)
    label = pd.Categorical(data.obs["domain"]).codes.astype(int)
    sample = (data.obs["sample"] == "two").to_numpy()
    edges = contacts(data)
    draw = np.random.default_rng(1)

    def spots_of(molecule):
        return values[molecule.split("&")].to_numpy()

    def means(molecule, labels):
        return np.array([spots_of(molecule)[labels == g].mean(0).min() for g in range(3)])

    def score(pair, labels):
        a, b = means(pair[0], labels)[:, None], means(pair[1], labels)[None]
        return np.where((a > 0) & (b > 0), (a + b) / 2 if pair in ligands else a * b, 0)

    def contact(pair, placed):
        a, b = spots_of(pair[0]).min(1)[placed], spots_of(pair[1]).min(1)[placed]
        cell = label[edges[0]] * 3 + label[edges[1]]
        return (np.bincount(cell, a[edges[0]] * b[edges[1]], 9) / np.maximum(np.bincount(cell, minlength=9), 1)).reshape(3, 3)

    def shuffled(parts):
        order = np.arange(SPOTS)
        for part in np.unique(parts):
            rows = np.flatnonzero(parts == part)
            order[rows] = draw.permutation(rows)
        return order

    pairs = ligands + sensors
    observed = {p: (score(p, label), contact(p, np.arange(SPOTS))) for p in pairs}
    above = {p: [np.zeros((3, 3)), np.zeros((3, 3))] for p in pairs}
    for _ in range(SHUFFLES):
        labels = label[shuffled(sample)]
        placed = shuffled(sample * 3 + label)
        for p in pairs:
            above[p][0] += score(p, labels) >= observed[p][0] - 1e-12
            above[p][1] += contact(p, placed) >= observed[p][1] - 1e-12
    good = []
    worst = 0.0
    for row in table.itertuples():
        p = (row.ligand, row.receptor)
        g = int(row.sender[1]), int(row.receiver[1])
        worst = max(worst, abs(row.score - observed[p][0][g]))
        if row.contacts > 0:
            worst = max(worst, abs(row.contact_score - observed[p][1][g]))
        cell = (label[edges[0]] == g[0]) & (label[edges[1]] == g[1])
        assert row.contacts == cell.sum()
        for ours, theirs in ((row.p_value, above[p][0][g]), (row.contact_p_value, above[p][1][g])):
            if np.isnan(ours):
                assert row.contacts == 0
                continue
            good.append(within_error(ours, (1 + theirs) / (1 + SHUFFLES), SHUFFLES))
    for _, block in table.groupby("kind"):
        assert np.abs(false_discovery_control(block["p_value"]) - block["adjusted_p"]).max() < 1e-12
        block = block[block["contacts"] > 0]
        assert np.abs(false_discovery_control(block["contact_p_value"]) - block["contact_adjusted_p"]).max() < 1e-12
    print("communication:", len(table), "signals, scores within", worst, "of numpy's; p-values within error:", np.mean(good))
    assert worst < 1e-6 and all(good) and len(table) > 40, (worst, np.mean(good), len(table))
    assert (table["contact_p_value"] < 0.01).any() and (table["p_value"] < 0.01).any()


def check_subclusters(atlas):
    smeta("cluster", "--atlas", atlas, "--set", "cluster.resolution=0.3")
    smeta("cluster", "--atlas", atlas, "--within", "0", "--set", "cluster.resolution=1", np_=2)
    parts = [anndata.read_h5ad(atlas / f"runs/main/results/{name}.h5ad").obs for name in ("one", "two")]
    labels = np.concatenate([part["subcluster"].astype(str) for part in parts])
    inside = np.concatenate([part["cluster"] == "0" for part in parts])
    assert (np.char.startswith(labels.astype("U"), "0,") == inside).all()
    weights = anndata.read_h5ad(atlas / "runs/main/neighbors.h5").obsp["connectivities"][inside][:, inside].tocoo()
    upper = weights.row < weights.col
    graph = igraph.Graph(n=int(inside.sum()), edges=np.c_[weights.row, weights.col][upper].tolist())
    graph.es["weight"] = weights.data[upper].tolist()
    partition = leidenalg.RBConfigurationVertexPartition
    ours = partition(graph, [int(label[2:]) for label in labels[inside]], weights="weight").quality()
    best = leidenalg.find_partition(graph, partition, weights="weight", n_iterations=-1, seed=0).quality()
    print("subclusters:", len(set(labels[inside])), "of", inside.sum(), f"spots, quality {ours:.2f}, leidenalg {best:.2f}")
    assert ours > 0.99 * best


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    data = study()
    data.write_h5ad(folder / "joint.h5ad")
    atlas = folder / "atlas"
    smeta("ingest", "--atlas", atlas, "--joint", folder / "joint.h5ad")
    smeta("select", "--atlas", atlas)
    smeta("train", "--atlas", atlas, "--set", "train.epochs=1")
    smeta("embed", "--atlas", atlas)
    check_regions(folder, atlas, data)
    check_trajectory(atlas, data)
    check_communicate(folder, atlas, data)
    check_subclusters(atlas)
