"""Alignment of real neighbouring sections, the first one mirrored and turned by 130 degrees before it is laid on the second, no landmark given. Prints the table of docs/alignment.md:
breast cancer layers (counts; how each gene correlates with itself in the nearest spot, which the fit cannot know: it does not match features; the pair 1 and
2 beside STalign's own result, and under its conditions), DLPFC neighbours and heart sections (shape alone): share of places whose nearest place of the other section has the same label."""

import csv
import gzip
import itertools
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

SMETA = sys.argv[1]
DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
TURN = math.radians(130)
MAP = np.array([[-math.cos(TURN), -math.sin(TURN)], [-math.sin(TURN), math.cos(TURN)]])  # mirror, then turn
FEATURES = 300


def smeta(*arguments):
    done = subprocess.run([SMETA, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
    return done.stderr


def fit(folder, moving, moving_values, fixed, fixed_values, settings=(), disguise=MAP):
    """Positions of the moving places in the fixed frame, and the log."""
    folder.mkdir()
    disguised = moving @ disguise.T
    genes = [f"g{k}" for k in range(fixed_values.shape[1])]
    with open(folder / "st.tsv", "w") as file:
        file.write("\t".join(["spot", "x", "y", *genes]) + "\n")
        for i, (place, row) in enumerate(zip(fixed, fixed_values)):
            file.write("\t".join(map(str, [f"s{i}", *place, *row])) + "\n")
    with open(folder / "sm.csv", "w") as file:
        file.write(",".join(["x", "y", *(str(100 + k) for k in range(moving_values.shape[1]))]) + "\n")
        for place, row in zip(disguised, moving_values):
            file.write(",".join(map(str, [*place, *row])) + "\n")
    (folder / "points.tsv").write_text("x\ty\n" + "".join(f"{x}\t{y}\n" for x, y in disguised))
    atlas = folder / "atlas"
    smeta("ingest", "--atlas", atlas, "--sample", "S", "--cohort", "C", "--st", folder / "st.tsv", "--sm", folder / "sm.csv")
    smeta("qc", "--atlas", atlas)
    options = [word for setting in ("method=fit", *settings) for word in ("--set", f"align.{setting}")]
    log = smeta("align", "--atlas", atlas, *options, "--figures", folder)
    smeta("align", "--atlas", atlas, "--sample", "S", "--apply", folder / "points.tsv", "--out", folder / "mapped.tsv")
    return np.loadtxt(folder / "mapped.tsv", skiprows=1), log


def turned(moved, moving):
    """Degrees from the original; 180 when mirrored."""
    a = np.linalg.lstsq(np.c_[moving, np.ones(len(moving))], moved, rcond=None)[0][:2].T
    return 180.0 if np.linalg.det(a) < 0 else abs(math.degrees(math.atan2(a[1, 0] - a[0, 1], a[0, 0] + a[1, 1])))


def nearest(points, others):
    return np.array([np.argmin(((others - p) ** 2).sum(1)) for p in points])


def agreement(moved, moved_labels, fixed, fixed_labels):
    return float((moved_labels == fixed_labels[nearest(moved, fixed)]).mean())


def row(name, log, angle, extra):
    overlap = re.search(r"outlines overlap by ([0-9.]+)", log)[1]
    print(f"| {name} | {overlap} | {angle:.0f} | {'yes' if 'ambiguous' in log else 'no'} | {extra} |", flush=True)
    return angle < 20 or "ambiguous" in log


class Slice:
    """Spots, counts, and the genes by name."""

    def __init__(self, number):
        base = DATA / "alignment/breast_cancer_layers"
        with gzip.open(base / f"slice{number}.csv.gz", "rt") as file:
            lines = csv.reader(file)
            self.genes = next(lines)[1:]
            self.counts = np.array([[int(float(v)) for v in line[1:]] for line in lines])
        self.points = np.loadtxt(base / f"slice{number}_coor.csv", delimiter=",")

    def variable(self):
        share = np.sqrt(self.counts / np.maximum(1, self.counts.sum(1, keepdims=True)))
        return self.counts[:, np.sort(np.argsort(-share.var(0), kind="stable")[:FEATURES])]

    def smooth(self, genes):
        """Log-normalised, averaged over five spots."""
        values = self.counts[:, [self.genes.index(g) for g in genes]]
        values = np.log1p(1e4 * values / self.counts.sum(1, keepdims=True))
        return np.stack([values[np.argsort(((self.points - p) ** 2).sum(1))[:5]].mean(0) for p in self.points])


def gene_correlation(a, b, moved):
    """Mean over 200 genes of the correlation between spots of `a` moved so and the nearest spots of `b`, where those are within a spot's distance."""
    common = [g for g in a.genes if g in set(b.genes)]
    frequent = np.argsort(-a.counts[:, [a.genes.index(g) for g in common]].mean(0), kind="stable")[:200]
    genes = [common[k] for k in frequent]
    near = nearest(moved, b.points)
    on = np.linalg.norm(moved - b.points[near], axis=1) < 1
    x, y = a.smooth(genes)[on], b.smooth(genes)[near[on]]
    x, y = x - x.mean(0), y - y.mean(0)
    return float(((x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0) + 1e-9)).mean())


def stalign(points):
    """Where STalign's tutorial puts these spots of the first breast cancer layer, and which of them it has."""
    with gzip.open(DATA / "alignment/visium/slice1_coor_STalign_to_slice2_coor_affine_only.csv.gz", "rt") as file:
        published = {tuple(map(float, r[1:3])): np.array(r[3:5], float) for r in itertools.islice(csv.reader(file), 1, None)}
    return np.array([published.get(tuple(p), np.full(2, 1e9)) for p in points]), np.array([tuple(p) in published for p in points])


def density_misfit(moved, fixed):
    """What STalign minimises, at its simplest: squared difference of the densities of both point sets, blurred over a spot's distance, relative to that of `fixed` against nothing."""
    low, high = fixed.min(0) - 5, fixed.max(0) + 5
    x, y = (np.arange(a, b, 0.5) for a, b in zip(low, high))

    def density(points):
        return np.exp(-((x[:, None] - points[:, 0]) ** 2) / 2) @ np.exp(-((y[:, None] - points[:, 1]) ** 2) / 2).T

    target = density(fixed)
    return float(((density(moved) - target) ** 2).sum() / (target**2).sum())


# As STalign aligns them, by the spots' coordinates alone and as they came; its map is a mere shift (its linear part differs from 1 by 0.0002).
AS_STALIGN = {
    "moved only": ("weight_features=0", "deformation=shift"),
    "affine": ("weight_features=0", "deformation=affine"),
    "affine, searched about 0 degrees": ("weight_features=0", "deformation=affine", "mirror=no", "rotation=0"),
    "affine, alpha shapes": ("weight_features=0", "deformation=affine", "outline=alpha_shape"),
    "diffeomorphism": ("weight_features=0",),
}


def visium(folder):
    """The first two breast cancer layers under STalign's own conditions: by the spots' coordinates alone, as they came."""
    a, b = Slice(1), Slice(2)
    theirs, both = stalign(a.points)
    misfit = density_misfit(theirs[both], b.points)
    print("\n| layers 1 on 2, coordinates alone | spots from STalign | turned | misfit of densities | genes correlate by |\n|---|---|---|---|---|", flush=True)
    print(f"| STalign | 0 | 0 | {misfit:.4f} | {gene_correlation(a, b, theirs):.3f} |", flush=True)
    honest = []
    for name, settings in AS_STALIGN.items():
        moved, _ = fit(folder / f"visium {name}", a.points, a.variable(), b.points, b.variable(), settings, np.eye(2))
        away = float(np.linalg.norm(moved - theirs, axis=1)[both].mean())
        ours = density_misfit(moved[both], b.points)
        print(f"| {name} | {away:.2f} | {turned(moved, a.points):.0f} | {ours:.4f} | {gene_correlation(a, b, moved):.3f} |", flush=True)
        # With STalign's freedom within a spot of it; with more, better by its own measure.
        honest.append(away < 1 if name == "moved only" else ours < misfit)
    return honest


def breast(folder):
    slices = [Slice(n) for n in (1, 2, 3, 4)]
    honest = []
    for k in range(3):
        a, b = slices[k], slices[k + 1]
        moved, log = fit(folder / f"breast{k}", a.points, a.variable(), b.points, b.variable())
        ours = gene_correlation(a, b, moved)
        centred = gene_correlation(a, b, a.points - a.points.mean(0) + b.points.mean(0))
        extra = f"genes correlate by {ours:.3f}; centred only {centred:.3f}"
        if k == 0:
            theirs, both = stalign(a.points)
            extra += f"; STalign's affine map {gene_correlation(a, b, theirs):.3f}, {np.linalg.norm(moved - theirs, axis=1)[both].mean():.2f} spots from ours"
        row(f"breast cancer layers {k + 1} on {k + 2}", log, turned(moved, a.points), extra)
        honest.append(ours >= centred)
    return honest


def dlpfc_section(name):
    with gzip.open(DATA / "dlpfc/barcode_level_layer_map.tsv.gz", "rt") as file:
        layers = {r[0]: r[2] for r in csv.reader(file, delimiter="\t") if r[1] == name}
    positions = next((DATA / "dlpfc" / name).glob("*positions*"))
    rows = [r for r in csv.reader(positions.read_text().splitlines()) if r[0] in layers]
    return np.array([[float(r[5]), float(r[4])] for r in rows]), np.array([layers[r[0]] for r in rows])


def dlpfc(folder):
    honest = []
    for a, b in (("151507", "151508"), ("151509", "151510"), ("151669", "151670"), ("151671", "151672"), ("151673", "151674"), ("151675", "151676")):
        (moving, moving_labels), (fixed, fixed_labels) = dlpfc_section(a), dlpfc_section(b)
        moved, log = fit(folder / a, moving, np.ones((len(moving), 1), int), fixed, np.ones((len(fixed), 1), int))
        labels = f"labels agree {agreement(moved, moving_labels, fixed, fixed_labels):.3f}; as they came {agreement(moving, moving_labels, fixed, fixed_labels):.3f}"
        honest.append(row(f"DLPFC {a} on {b}, shape alone", log, turned(moved, moving), labels))
    return honest


def heart_section(name):
    with gzip.open(DATA / f"alignment/heart/{name}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    points = np.array([[float(r["x"]), float(r["y"])] for r in rows])
    _, first = np.unique(points, axis=0, return_index=True)
    keep = np.sort(first)
    return points[keep], np.array([r["acronym"] for r in rows])[keep]


def heart(folder):
    honest = []
    for a, b in (("CN73_E1", "CN73_E2"), ("6_CN74_E2", "7_CN74_E2")):
        (moving, moving_labels), (fixed, fixed_labels) = heart_section(a), heart_section(b)
        moved, log = fit(folder / a, moving, np.ones((len(moving), 1), int), fixed, np.ones((len(fixed), 1), int))
        centred = moving - moving.mean(0) + fixed.mean(0)
        labels = f"labels agree {agreement(moved, moving_labels, fixed, fixed_labels):.3f}; centred only {agreement(centred, moving_labels, fixed, fixed_labels):.3f}"
        honest.append(row(f"heart {a} on {b}, shape alone", log, turned(moved, moving), labels))
    return honest


def main():
    if not (DATA / "alignment/heart").is_dir():
        sys.exit(77)
    print("| sections | outlines overlap | degrees from the original | flagged | |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        honest = breast(folder) + dlpfc(folder) + heart(folder) + visium(folder)
    assert all(honest), f"a pose that is wrong, not flagged: {honest}"


main()
