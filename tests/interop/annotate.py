"""smeta annotate on a real section of mouse bladder: the molecules that LIPID MAPS' own search gave, on 1, 2 and 4 ranks."""
import pathlib
import re
import subprocess
import sys
import tempfile

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


with tempfile.TemporaryDirectory() as folder:
    atlas = pathlib.Path(folder) / "atlas"
    lipids = DATA / "knowledge" / "lipidmaps_2017-12-12-v2.tsv.gz"
    smeta("ingest", "--atlas", atlas, "--sample", "bladder", "--cohort", "mouse", "--sm",
          DATA / "bladder_msi" / "intensities.csv.gz")
    smeta("qc", "--atlas", atlas)
    smeta("align", "--atlas", atlas)
    smeta("reassign", "--atlas", atlas)
    smeta("select", "--atlas", atlas)
    smeta("train", "--atlas", atlas, "--set", "train.epochs=1", "--set", "train.batch_size=4096")
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
