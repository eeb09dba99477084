"""smeta annotate on a real section of mouse bladder: the molecules that LIPID MAPS' own search gave, on 1, 2 and 4 ranks; and on a
real list of peaks of mouse brain with the matrix FMP-10: the molecules that it names."""
import csv
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd

SMETA, *LAUNCHER = sys.argv[1:]
DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
if not DATA.is_dir():
    sys.exit(77)


def smeta(*arguments, np=1):
    launcher = [LAUNCHER[0], "-n", str(np), "--oversubscribe", *LAUNCHER[1:]] if np > 1 else []
    done = subprocess.run([*launcher, SMETA, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def atoms(formula):
    """Element counts."""
    counts = {}
    for symbol, number in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        counts[symbol] = counts.get(symbol, 0) + int(number or 1)
    return frozenset(counts.items())


def named_peaks(path):
    """m/z of the list and what it says of them: pairs of name and ion."""
    peaks = {}
    with open(path) as lines:
        for column in next(csv.reader(lines))[1:]:
            mz, _, names = column.partition("; ")
            peaks[mz] = re.findall(r"(.*?) \(([^()]*)\)(?: \||; $)\s?", names)
    return peaks


def fmp10_list(folder):
    """Peaks whose named molecule's formula is in HMDB: every one is among the candidates, with the ion that the list names."""
    ions = {"M+Anth": "M+FMP10", "M+2Anth": "M+FMP10+dFMP10", "M+2Anth_2": "M+2FMP10-H", "M+3Anth1": "M+FMP10+2dFMP10",
            "M+3Anth2": "M+2FMP10+dFMP10-H", "M+3Anth3": "M+3FMP10-2H"}
    peaks = named_peaks(DATA / "sma_mouse_brain" / "sma_FMP10.csv")
    atlas, pixels = folder / "fmp10", folder / "pixels.csv"
    draw = np.random.default_rng(1)
    with open(pixels, "w") as out:
        out.write(",".join(["x", "y", *peaks]) + "\n")
        for i in range(100):
            out.write(",".join(map(str, [i % 10, i // 10, *draw.uniform(100, 1000, len(peaks)).round(2)])) + "\n")
    make_run(atlas, "brain", pixels)
    hmdb = DATA / "knowledge" / "hmdb_v4.tsv.gz"
    smeta("annotate", "--atlas", atlas, "--database", hmdb, "--polarity", "positive", "--adduct", "fmp10", "--name", "fmp10")
    tables = atlas / "runs/main/tables"
    found = pd.read_csv(tables / "fmp10.tsv", sep="\t")
    candidates = {(round(row.mz, 4), row.adduct, atoms(row.formula)) for row in found.itertuples()}
    table = pd.read_csv(hmdb, sep="\t", usecols=["name", "chemical_formula"]).dropna()
    formula = dict(zip(table["name"].str.lower(), table["chemical_formula"]))
    annotated = {mz: names for mz, names in peaks.items() if names}
    known = {mz: [(atoms(formula[name.lower()]), ions[ion]) for name, ion in names if name.lower() in formula]
             for mz, names in annotated.items()}
    possible = {mz: wanted for mz, wanted in known.items() if wanted}
    hits = [mz for mz, wanted in possible.items() if all((round(float(mz), 4), ion, f) in candidates for f, ion in wanted)]
    print(f"FMP-10: {len(peaks)} peaks, {len(annotated)} named, {len(possible)} with a formula in the table, {len(hits)} found")
    print(pd.read_csv(tables / "fmp10_adducts.tsv", sep="\t").to_string(index=False))
    assert len(annotated) == 165 and len(possible) > 80 and len(hits) == len(possible), set(possible) - set(hits)


def make_run(atlas, sample, pixels):
    smeta("ingest", "--atlas", atlas, "--sample", sample, "--cohort", "mouse", "--sm", pixels)
    for stage in ("qc", "align", "reassign", "select"):
        smeta(stage, "--atlas", atlas)
    smeta("train", "--atlas", atlas, "--set", "train.epochs=1", "--set", "train.batch_size=4096")


with tempfile.TemporaryDirectory() as folder:
    fmp10_list(pathlib.Path(folder))
    atlas = pathlib.Path(folder) / "atlas"
    lipids = DATA / "knowledge" / "lipidmaps_2017-12-12-v2.tsv.gz"
    make_run(atlas, "bladder", DATA / "bladder_msi" / "intensities.csv.gz")
    tables = atlas / "runs" / "main" / "tables"
    common = ["annotate", "--atlas", atlas, "--database", lipids, "--polarity", "positive"]

    smeta(*common, "--adduct", "M+K", "--ppm", 15, "--name", "potassium")
    found = pd.read_csv(tables / "potassium.tsv", sep="\t")
    assert (found["ppm_error"].abs() <= 15).all()
    by_mz = {round(mz, 3): set(map(atoms, block["formula"])) for mz, block in found.groupby("mz")}
    expected = pd.read_csv(DATA / "bladder_msi" / "lipidmaps_annotation.tsv", sep="\t")
    known = {atoms(f) for f in pd.read_csv(lipids, sep="\t")["formula"].dropna()}
    hits = possible = 0
    for row in expected.itertuples():
        wanted = [atoms(f) for f in row.all_Formulas.split("; ")]
        possible += any(f in known for f in wanted)
        hits += any(f in by_mz.get(round(row.raw_mz, 3), set()) for f in wanted)
    print(f"expected formula among the candidates: {hits} of {len(expected)}, in the table {possible}")
    assert hits == possible == 68, (hits, possible)

    smeta(*common, "--adduct", "all", "--name", "all")
    adducts = pd.read_csv(tables / "all_adducts.tsv", sep="\t").set_index("adduct")
    print(adducts.to_string())
    assert adducts.loc["all", "candidates"] > 0 and 0 < adducts.loc["all", "fdr"] <= 1
    for np in (2, 4):
        smeta(*common, "--adduct", "all", "--name", "again", np=np)
        for part in ("", "_adducts"):
            assert (tables / f"again{part}.tsv").read_bytes() == (tables / f"all{part}.tsv").read_bytes(), np
