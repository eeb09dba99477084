"""The four neighbouring breast cancer layers as one block, each turned and every second one mirrored before: laid on each other they come to where the fit of
the undisguised ones has them, and genes agree better between neighbours than when one is merely centred on the other. Prints the table of docs/alignment.md."""

import csv
import gzip
import math
import pathlib
import subprocess
import sys
import tempfile

import anndata
import numpy as np

SMETA = sys.argv[1]
DATA = pathlib.Path(__file__).resolve().parents[3] / "shared/data/alignment/breast_cancer_layers"
if not DATA.exists():
    print("no real sections here")
    sys.exit(77)


def smeta(*arguments):
    done = subprocess.run([SMETA, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
    return done.stderr


def read(number):
    """Genes, counts and places of one layer."""
    with gzip.open(DATA / f"slice{number}.csv.gz", "rt") as file:
        lines = csv.reader(file)
        genes = next(lines)[1:]
        counts = np.array([[int(float(v)) for v in line[1:]] for line in lines])
    return genes, counts, np.loadtxt(DATA / f"slice{number}_coor.csv", delimiter=",")


def disguise(number):
    """Turn by another angle for every layer, mirror the even ones."""
    angle = math.radians(80 * number)
    sign = -1 if number % 2 == 0 else 1
    return np.array([[sign * math.cos(angle), -math.sin(angle)], [sign * math.sin(angle), math.cos(angle)]])


def stack(folder, layers, hidden):
    """Places of every layer in the frame of the block (layer 2), and the log."""
    folder.mkdir()
    text = ""
    for number, (genes, counts, places) in layers.items():
        shown = places @ disguise(number).T if hidden else places
        with open(folder / f"L{number}.tsv", "w") as file:
            file.write("\t".join(["spot", "x", "y", *genes]) + "\n")
            for i, (place, row) in enumerate(zip(shown, counts)):
                file.write("\t".join(map(str, [f"L{number}_{i}", *place, *row])) + "\n")
        text += f'[[sample]]\nname = "L{number}"\ncohort = "C"\nst = "L{number}.tsv"\nobs = {{block = "B", z = {20 * number}}}\n\n'
    (folder / "study.toml").write_text(text)
    atlas = folder / "atlas"
    smeta("ingest", "--study", folder / "study.toml", "--atlas", atlas)
    smeta("qc", "--atlas", atlas)
    log = smeta("stack", "--atlas", atlas, "--set", "stack.block=block", "--figures", folder)
    smeta("reassign", "--atlas", atlas)
    smeta("export", "--atlas", atlas, "--out", folder / "joint.h5ad")
    data = anndata.read_h5ad(folder / "joint.h5ad")
    rows = {name: row for row, name in enumerate(data.obs["spot"].astype(str))}
    return {number: data.obsm["spatial_3d"][[rows[f"L{number}_{i}"] for i in range(len(layers[number][2]))]] for number in layers}, log


def smooth(values, places):
    """Log-normalised, averaged over five spots."""
    values = np.log1p(1e4 * values / values.sum(1, keepdims=True))
    return np.stack([values[np.argsort(((places - p) ** 2).sum(1))[:5]].mean(0) for p in places])


def agreement(a, b, moved, fixed):
    """Mean over the shared genes of the correlation between spots of layer `a`, moved so, and the nearest spots of layer `b`."""
    shared = sorted(set(a[0]) & set(b[0]))
    values = [smooth(layer[1], layer[2])[:, [layer[0].index(g) for g in shared]] for layer in (a, b)]
    near = np.array([np.argmin(((fixed - p) ** 2).sum(1)) for p in moved])
    on = np.linalg.norm(moved - fixed[near], axis=1) < 1
    return float(np.mean([np.corrcoef(values[0][on, g], values[1][near[on], g])[0, 1] for g in range(len(shared))]))


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    layers = {number: read(number) for number in (1, 2, 3, 4)}
    for number, (genes, counts, places) in layers.items():
        top = np.argsort(-counts.sum(0), kind="stable")[:300]
        layers[number] = ([genes[g] for g in top], counts[:, top], places)
    plain, _ = stack(folder / "plain", layers, False)
    hidden, log = stack(folder / "hidden", layers, True)
    print(log)
    back = hidden[2][:, :2] @ np.linalg.inv(disguise(2)).T  # the frame of the block is that of layer 2
    assert np.abs(back - plain[2][:, :2]).max() < 1e-6
    undo = np.linalg.inv(disguise(2)).T
    apart = {n: np.linalg.norm(hidden[n][:, :2] @ undo - plain[n][:, :2], axis=1).mean() for n in layers}
    faults = [f"layer {n}: {apart[n]:.2f} spots from where the undisguised one comes" for n in layers if apart[n] > 0.5]
    print("| layers | genes correlate by | centred only |\n|---|---|---|")
    for a, b in ((1, 2), (2, 3), (3, 4)):
        value = agreement(layers[a], layers[b], hidden[a][:, :2], hidden[b][:, :2])
        centred = layers[a][2] - layers[a][2].mean(0) + layers[b][2].mean(0)
        merely = agreement(layers[a], layers[b], centred, layers[b][2])
        print(f"| {a} and {b} | {value:.3f} | {merely:.3f} |", flush=True)
        if value <= merely:
            faults.append(f"layers {a} and {b}: genes correlate by {value:.3f}, centred only by {merely:.3f}")
    print("apart from the undisguised fit, spots:", ", ".join(f"layer {n} {apart[n]:.2f}" for n in layers))
    assert all(set(hidden[n][:, 2]) == {20.0 * n} for n in layers), "heights"
    assert not faults, faults
