"""smeta markers and correlate against scanpy's rank_genes_groups, scipy and statsmodels, on 1, 2 and 4 ranks."""
import pathlib
import re
import subprocess
import sys
import tempfile

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse
import scipy.stats
from scipy.stats import false_discovery_control
from sklearn.linear_model import LogisticRegression

SMETA, *LAUNCHER = sys.argv[1:]
GENES, METABOLITES, SPOTS = 150, 30, 700


def smeta(*arguments, np_=1):
    launcher = [LAUNCHER[0], "-n", str(np_), "--oversubscribe", *LAUNCHER[1:]] if np_ > 1 else []
    done = subprocess.run([*launcher, SMETA, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def refused(says, *arguments):
    """Exit code 2 on two ranks, and a message that helps."""
    command = [LAUNCHER[0], "-n", "2", "--oversubscribe", *LAUNCHER[1:], SMETA, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and all(part in done.stderr for part in says), (done.returncode, done.stderr)


def study():
    """Counts and intensities of 4 domains in 2 samples."""
    draw = np.random.default_rng(5)
    domain = draw.integers(0, 4, SPOTS)
    level = draw.gamma(0.5, 2, (4, GENES + METABOLITES))
    x = draw.poisson(level[domain] * draw.uniform(0.3, 3, (SPOTS, 1))).astype(np.float32)
    x[:, :METABOLITES] *= draw.uniform(1, 50, (SPOTS, METABOLITES)).astype(np.float32)
    kind = ["SM"] * METABOLITES + ["ST"] * GENES
    names = [f"mz_{100 + i}.5" for i in range(METABOLITES)] + [f"G{i:03}" for i in range(GENES)]
    data = anndata.AnnData(scipy.sparse.csr_matrix(x), pd.DataFrame(index=[f"s{i:04}" for i in range(SPOTS)]),
                           pd.DataFrame({"type": kind}, index=names))
    data.obs["sample"] = np.where(np.arange(SPOTS) < 300, "one", "two")
    data.obs["cohort"] = "c"
    data.obs["domain"] = [f"d{d}" for d in domain]
    data.obsm["spatial"] = np.c_[np.arange(SPOTS) % 25, np.arange(SPOTS) // 25].astype(float)
    return data


def scanpy_table(data, method, reference="rest"):
    """scanpy's values by (group, feature); p-values are adjusted over the features of a modality."""
    kind = {"st": "ST", "sm": "SM"}
    parts = []
    for modality in kind:
        part = data[:, data.var["type"] == kind[modality]].copy()
        # In double precision: rounding of single would split spots of equal shares that are ties.
        part.X = part.X.astype(np.float64)
        sc.pp.normalize_total(part, target_sum=1e4)
        sc.pp.log1p(part)
        part.X = part.X.astype(np.float32)
        sc.tl.rank_genes_groups(part, "domain", method=method, reference=reference, pts=True,
                                **({"tie_correct": True} if method == "wilcoxon" else {}))
        table = sc.get.rank_genes_groups_df(part, None)
        parts.append(table.assign(modality=modality))
    table = pd.concat(parts).rename(columns={"names": "feature"})
    if "group" not in table:
        table["group"] = next(g for g in data.obs["domain"].unique() if g != reference)
    return table.set_index(["group", "modality", "feature"])


def compare(ours, theirs, what):
    ours = ours.set_index(["group", "modality", "feature"]).sort_index()
    theirs = theirs.sort_index()
    assert ours.index.equals(theirs.index), what
    score = np.abs(ours["score"] - theirs["scores"]).max()
    # scanpy works in single precision and has its p-values from those scores.
    p = np.abs(np.log10(ours["p_value"] + 1e-300) - np.log10(theirs["pvals"] + 1e-300)).max()
    fold = np.abs(ours["log2_fold_change"] - theirs["logfoldchanges"])
    fold = fold[np.abs(theirs["logfoldchanges"]) < 20].max()
    adjusted = np.abs(ours["adjusted_p"] - theirs["pvals_adj"]).max()
    fraction = np.abs(ours["fraction"] - theirs["pct_nz_group"]).max()
    print(f"{what}: score {score:.1e}, log10 p {p:.1e}, log2 fold {fold:.1e}, adjusted p {adjusted:.1e}")
    assert score < 1e-4 * max(1, np.abs(theirs["scores"]).max()) and adjusted < 1e-4, what
    assert p < 1e-2 and fold < 1e-4 and fraction < 1e-6, what
    again = np.concatenate([false_discovery_control(block["p_value"])
                            for _, block in ours.groupby(["group", "modality"], sort=True)])
    found = np.concatenate([block["adjusted_p"] for _, block in ours.groupby(["group", "modality"], sort=True)])
    assert np.abs(again - found).max() < 1e-12, what


def against_regression(table, data, stderr):
    """scanpy's logreg is scikit-learn's LogisticRegression on a modality: coefficients, and the share of spots it finds."""
    for modality, kind in (("st", "ST"), ("sm", "SM")):
        x = log_normalised(data, kind)
        model = LogisticRegression(tol=1e-10, max_iter=20000).fit(x, data.obs["domain"])
        own = table[table["modality"] == modality].set_index(["group", "feature"])["score"]
        names = data.var_names[data.var["type"] == kind]
        difference = max(abs(own[(g, n)] - model.coef_[i, j]) for i, g in enumerate(model.classes_) for j, n in enumerate(names))
        share = float(re.search(rf"regression of {modality} in all samples: finds the group of ([0-9.]+) %", stderr)[1]) / 100
        accuracy = model.score(x, data.obs["domain"])
        print(f"logistic {modality}: coefficients {difference:.1e} of {abs(model.coef_).max():.2f}, accuracy {share:.4f}, {accuracy:.4f}")
        assert difference < 1e-2 * abs(model.coef_).max() and abs(share - accuracy) < 1e-2
    assert table["p_value"].isna().all() and table["adjusted_p"].isna().all()


def against_scipy(ours, data):
    """Double precision peers: the tests themselves, on the same values."""
    part = data[:, data.var["type"] == "ST"].copy()
    x = part.X.toarray().astype(np.float64)
    logs = np.log1p(x * (1e4 / x.sum(1, keepdims=True))).astype(np.float32)
    domain = data.obs["domain"].to_numpy()
    worst = {"wilcoxon": 0.0, "t-test": 0.0, "auc": 0.0}
    for method, table in ours.items():
        table = table[table["modality"] == "st"].set_index(["group", "feature"])
        for g in ("d0", "d3"):
            for f, name in list(enumerate(part.var_names))[::7]:
                inside, rest = logs[domain == g, f], logs[domain != g, f]
                row = table.loc[(g, name)]
                if method == "wilcoxon":
                    test = scipy.stats.mannwhitneyu(inside, rest, use_continuity=False, method="asymptotic")
                    auc = test.statistic / len(inside) / len(rest)
                    worst["auc"] = max(worst["auc"], abs(row["auc"] - auc))
                else:
                    test = scipy.stats.ttest_ind(inside.astype(np.float64), rest.astype(np.float64), equal_var=False)
                    worst["auc"] = max(worst["auc"], abs(row["score"] - test.statistic))
                worst[method] = max(worst[method], abs(row["p_value"] - test.pvalue))
    print("against scipy:", worst)
    assert max(worst.values()) < 1e-6, worst


def log_normalised(data, kind):
    x = data[:, data.var["type"] == kind].X.toarray().astype(np.float64)
    sums = x.sum(1, keepdims=True)
    return np.log1p(x * np.divide(1e4, sums, out=np.zeros_like(sums), where=sums > 0)).astype(np.float32).astype(np.float64)


def neighbour_means(values, data):
    """Over the spots of the section that have a spot among their six nearest (ties: the lower row)."""
    means = np.zeros_like(values)
    for sample in data.obs["sample"].unique():
        rows = np.flatnonzero(data.obs["sample"] == sample)
        position = data.obsm["spatial"][rows]
        distances = np.linalg.norm(position[:, None] - position[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        near = np.argsort(distances, axis=1, kind="stable")[:, :6]
        weights = np.zeros((len(rows), len(rows)))
        weights[near.ravel(), np.repeat(np.arange(len(rows)), 6)] = 1
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1)
        means[rows] = weights @ values[rows]
    return means


def against_denoised(table, run, data):
    """Pearson's r of the stored reconstruction, normalised over its own features."""
    parts = [anndata.read_h5ad(run / "reconstruction" / f"{sample}.h5ad") for sample in sorted(data.obs["sample"].unique())]
    domain = data.obs["domain"].loc[[name for part in parts for name in part.obs_names]].to_numpy()
    values = {}
    for kind in ("ST", "SM"):
        x = np.concatenate([np.asarray(part[:, part.var["type"] == kind].X, dtype=float) for part in parts])
        names = parts[0].var_names[parts[0].var["type"] == kind]
        values.update(zip(names, np.log1p(np.maximum(x / x.sum(axis=1, keepdims=True) * 1e4, 0)).T))
    assert (table["values"] == "denoised").all() and table["p_value"].isna().all() and table["adjusted_p"].isna().all()
    worst = 0.0
    for row in table.iloc[::5].itertuples():
        rows = domain == row.group if row.group != "all" else np.full(len(domain), True)
        worst = max(worst, abs(np.corrcoef(values[row.gene][rows], values[row.metabolite][rows])[0, 1] - row.r))
    print("denoised against numpy:", worst, len(table), "pairs")
    assert worst < 1e-5 and len(table) > 100, worst


def against_pearsonr(table, data):
    genes, metabolites = log_normalised(data, "ST"), log_normalised(data, "SM")
    gene = {name: i for i, name in enumerate(data.var_names[data.var["type"] == "ST"])}
    metabolite = {name: i for i, name in enumerate(data.var_names[data.var["type"] == "SM"])}
    lagged = neighbour_means(metabolites, data)
    worst = {"r": 0.0, "p": 0.0, "lagged": 0.0}
    for row in table.iloc[::5].itertuples():
        rows = data.obs["domain"] == row.group if row.group != "all" else np.full(data.n_obs, True)
        test = scipy.stats.pearsonr(genes[rows, gene[row.gene]], metabolites[rows, metabolite[row.metabolite]])
        assert rows.sum() == row.spots
        worst["r"] = max(worst["r"], abs(test.statistic - row.r))
        worst["p"] = max(worst["p"], abs(test.pvalue - row.p_value))
        lag = np.corrcoef(genes[rows, gene[row.gene]], lagged[rows, metabolite[row.metabolite]])[0, 1]
        worst["lagged"] = max(worst["lagged"], abs(lag - row.lagged_r))
    print("against pearsonr:", worst, len(table), "pairs")
    assert max(worst.values()) < 1e-6 and len(table) > 500, worst


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    data = study()
    data.write_h5ad(folder / "joint.h5ad")
    atlas = folder / "atlas"
    smeta("ingest", "--atlas", atlas, "--joint", folder / "joint.h5ad")
    smeta("select", "--atlas", atlas)
    smeta("train", "--atlas", atlas, "--set", "train.epochs=1")
    tables = atlas / "runs" / "main" / "tables"

    def markers(name, *arguments, np_=1):
        smeta("markers", "--atlas", atlas, "--groupby", "domain", "--name", name, *arguments, np_=np_)
        return tables / f"{name}.tsv"

    ours = {}
    for method in ("wilcoxon", "t-test"):
        file = markers("one", "--method", method)
        ours[method] = pd.read_csv(file, sep="\t")
        compare(ours[method], scanpy_table(data, method), method)
        for ranks, threads in ((1, 2), (2, 1), (4, 1)):
            other = markers("other", "--method", method, "--threads", threads, np_=ranks)
            assert other.read_bytes() == file.read_bytes(), f"{method} on {ranks} ranks, {threads} threads"
    against_scipy(ours, data)

    stderr = smeta("markers", "--atlas", atlas, "--groupby", "domain", "--name", "logistic", "--method", "logistic")
    against_regression(pd.read_csv(tables / "logistic.tsv", sep="\t"), data, stderr)

    table = pd.read_csv(markers("pair", "--reference", "d1"), sep="\t")
    compare(table, scanpy_table(data, "wilcoxon", "d1"), "wilcoxon against d1")
    table = pd.read_csv(markers("within", "--within-samples"), sep="\t")
    for sample in ("one", "two"):
        compare(table[table["sample"] == sample], scanpy_table(data[data.obs["sample"] == sample], "wilcoxon"),
                f"wilcoxon within {sample}")
        figure = tables.parent / "figures" / f"within_{sample}.svg"
        assert figure.read_text().startswith("<?xml"), figure

    correlate = ["correlate", "--atlas", atlas, "--groupby", "domain", "--measured"]
    smeta(*correlate)
    against_pearsonr(pd.read_csv(tables / "correlation.tsv", sep="\t"), data)
    smeta(*correlate, "--name", "again", np_=2)
    assert (tables / "again.tsv").read_bytes() == (tables / "correlation.tsv").read_bytes()
    correlate[-1] = "--denoised"
    smeta(*correlate)
    against_denoised(pd.read_csv(tables / "correlation_denoised.tsv", sep="\t"), tables.parent, data)
    smeta(*correlate, "--name", "again", np_=4)
    assert (tables / "again.tsv").read_bytes() == (tables / "correlation_denoised.tsv").read_bytes()
    assert (tables.parent / "figures" / "correlation_denoised.svg").exists()
    refused(["--denoised", "--measured"], *correlate, "--measured")

    refused(["no sample of run 'main' has an obs column 'nothing'", "domain"], "markers", "--atlas", atlas, "--groupby", "nothing")
    refused(["'d9' is no group of 'domain'", "d0, d1, d2, d3"], "markers", "--atlas", atlas, "--groupby", "domain", "--reference", "d9")
    refused(["--method logistic tells all groups apart at once"], "markers", "--atlas", atlas, "--groupby", "domain", "--method", "logistic",
            "--reference", "d1")
    refused(["smeta cluster makes it"], "markers", "--atlas", atlas)
    refused(["--sets FILE.gmt"], "enrich", "--atlas", atlas)
    refused(["run smeta markers"], "enrich", "--atlas", atlas, "--sets", folder / "none.gmt")
    (folder / "table.csv").write_text("mass,name\n180.06,glucose\n")
    refused(["a column formula or chemical_formula", "mass, name"], "annotate", "--atlas", atlas, "--polarity", "positive",
            "--database", folder / "table.csv")
