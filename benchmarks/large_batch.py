#!/usr/bin/env python3
"""Whether mini-batches of 4 and 16 times the published 128 rows keep the scores.

    .venv/bin/python benchmarks/large_batch.py [--smeta PATH] [--folder DIR] [--samples 5] [--spots 10000] [--seeds 1 2] [--json FILE]

Simulates SAMPLES sections of SPOTS spots with known spatial domains, takes them to selected features once, and trains each case for
each seed: batch 128 as published, 512 and 2,048 with train.batch_scaling = "sqrt" and a warm-up, and 2,048 with the rate of 128. One
JSON line a training, then one a case with the means; scores of the latent by scikit-learn: NMI and ARI of the Leiden clusters with the
domains, silhouette width (ASW) of the domains (10,000 spots drawn), and of each spot's 15 nearest neighbours the share with its domain (label_neighbours) and
the share from other samples over what well-mixed samples give (mixing)."""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

import anndata
import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

CASES = {  # name: settings beside those of all cases
    "128": ["train.batch_size=128"],
    "512 sqrt": ["train.batch_size=512", "train.batch_scaling=sqrt", "train.learning_rate_warmup=2"],
    "2048 sqrt": ["train.batch_size=2048", "train.batch_scaling=sqrt", "train.learning_rate_warmup=2"],
    "2048 linear": ["train.batch_size=2048", "train.batch_scaling=linear", "train.learning_rate_warmup=5"],
    "2048 none": ["train.batch_size=2048"],
}
SCORES = ("nmi", "ari", "asw", "label_neighbours", "mixing", "loss", "seconds")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--smeta", default=str(root / "build/drivers/smeta"))
    parser.add_argument("--folder", default="large_batch")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--spots", type=int, default=10_000, help="of a sample")
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--metabolites", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--json", help="also write the lines to this file")
    return parser.parse_args()


def smeta(options, command, *words):
    done = subprocess.run([options.smeta, command, "--no-progress", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"smeta {command} failed:\n{done.stderr}")


def prepare(options, folder):
    study = folder / "study"
    smeta(options, "simulate", "--out", study, "--samples", options.samples, "--spots", options.spots, "--genes", options.genes,
          "--metabolites", options.metabolites, "--layout", "same", "--mode", "continuous", "--pixels-per-spot", 1)
    smeta(options, "ingest", "--atlas", folder / "atlas", "--study", study / "study.toml")
    for stage in ("qc", "align", "reassign", "select"):
        smeta(options, stage, "--atlas", folder / "atlas")
    domains = {}
    for spots in sorted((study / "truth").glob("*.spots.tsv")):
        head, *rows = [line.split("\t") for line in spots.read_text().splitlines()]
        name, domain = head.index("spot"), head.index("domain")
        domains |= {(spots.name.removesuffix(".spots.tsv"), row[name]): row[domain] for row in rows}
    shutil.rmtree(study)
    return folder / "atlas", domains


def latents(results, domains):
    rows, labels, samples, clusters = [], [], [], []
    for path in sorted(results.glob("*.h5ad")):
        data = anndata.read_h5ad(path)
        rows.append(np.asarray(data.obsm["X_smeta"], dtype=float))
        labels += [domains[path.stem, spot] for spot in data.obs_names]
        samples += [path.stem] * data.n_obs
        clusters += list(data.obs["cluster"].astype(str))
    return np.vstack(rows), np.array(labels), np.array(samples), np.array(clusters)


def scores(latent, labels, samples, clusters):
    drawn = np.random.default_rng(0).permutation(len(latent))[:10_000]
    near = NearestNeighbors(n_neighbors=16, algorithm="kd_tree", n_jobs=-1).fit(latent).kneighbors(latent, return_distance=False)[:, 1:]
    share = np.unique(samples, return_counts=True)[1] / len(samples)
    return {"nmi": normalized_mutual_info_score(labels, clusters), "ari": adjusted_rand_score(labels, clusters),
            "asw": silhouette_score(latent[drawn], labels[drawn]), "label_neighbours": float(np.mean(labels[near] == labels[:, None])),
            "mixing": float(np.mean(samples[near] != samples[:, None]) / (1 - np.sum(share**2)))}


def train(options, atlas, case, seed):
    run = atlas / "runs/main"
    shutil.rmtree(run, ignore_errors=True)
    settings = [word for setting in (f"train.epochs={options.epochs}", *CASES[case]) for word in ("--set", setting)]
    smeta(options, "train", "--atlas", atlas, "--seed", seed, *settings)
    for command in ("embed", "neighbors", "cluster"):
        smeta(options, command, "--atlas", atlas)
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return run, {"loss": epochs[-1]["loss"]["total"], "seconds": sum(epoch["seconds"] for epoch in epochs)}


def main():
    options = arguments()
    folder = pathlib.Path(options.folder).resolve()
    if folder.exists():
        sys.exit(f"{folder} exists already")
    folder.mkdir(parents=True)
    lines = []

    def report(**line):
        lines.append({"bench": "large_batch", **line})
        print(json.dumps(lines[-1]), flush=True)

    try:
        atlas, domains = prepare(options, folder)
        for seed in options.seeds:
            for case in options.cases:
                run, trained = train(options, atlas, case, seed)
                found = trained | scores(*latents(run / "results", domains))
                report(case=case, seed=seed, **{name: round(found[name], 4) for name in SCORES})
        for case in options.cases:
            ours = [line for line in lines if line["case"] == case and "seed" in line]
            report(case=case, seeds=len(ours), **{name: round(statistics.mean(line[name] for line in ours), 4) for name in SCORES})
        if options.json:
            pathlib.Path(options.json).write_text("".join(json.dumps(line) + "\n" for line in lines))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
