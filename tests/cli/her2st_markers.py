"""Textbook markers of the pathologist's regions in six sections of HER2-positive breast cancer, tested inside each section: ERBB2 in
invasive cancer everywhere, the light and heavy chains of antibodies where immune cells infiltrate E1 and F1. Prints the table of
docs/analysis.md."""

import csv
import json
import pathlib
import sys

from smeta_cli import check, main

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "her2st"
SECTIONS = ["A1", "B1", "C1", "D1", "E1", "F1"]
TEXTBOOK = {"ERBB2": "invasive cancer", "IGKC": "immune infiltrate", "IGLC2": "immune infiltrate", "CD3D": "immune infiltrate",
            "CD74": "immune infiltrate", "COL1A1": "connective tissue", "COL3A1": "connective tissue", "FABP4": "adipose tissue",
            "PLIN1": "adipose tissue"}


def body(smeta, folder):
    if not SHARED.is_dir():
        print("reference data (../shared) is not there")
        sys.exit(77)
    study = 'atlas = "atlas"\nrun = "main"\n[train]\nepochs = 1\n'
    for name in SECTIONS:
        entries = {"name": name, "cohort": name[0], "st": SHARED / "counts" / f"{name}.tsv.gz",
                   "labels": SHARED / "labels" / f"{name}_labeled_coordinates.tsv"}
        study += "\n[[sample]]\n" + "".join(f"{key} = {json.dumps(str(value))}\n" for key, value in entries.items())
    (folder / "study.toml").write_text(study)
    smeta.run("run", folder / "study.toml", "--threads", 2, timeout=1800)
    smeta.run("markers", "--atlas", folder / "atlas", "--groupby", "label", "--within-samples", "--ignore", "none",
              "--name", "labels", np=2)
    rows = {}
    with open(folder / "atlas/runs/main/tables/labels.tsv") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row["sample"], row["group"], row["feature"]] = row

    print("| gene | in | " + " | ".join(SECTIONS) + " |\n|---|---|" + "---|" * len(SECTIONS))
    for gene, label in TEXTBOOK.items():
        cells = []
        for section in SECTIONS:
            row = rows.get((section, label, gene))
            cells.append(f"{float(row['auc']):.2f} ({float(row['adjusted_p']):.0e})" if row else "")
        print(f"| {gene} | {label} | " + " | ".join(cells) + " |")

    # One gene in six sections: one-sided, Benjamini-Hochberg over the sections.
    erbb2 = {section: rows[section, "invasive cancer", "ERBB2"] for section in SECTIONS}
    p_values = sorted(float(row["p_value"]) / 2 for row in erbb2.values())
    worst = max(p * len(SECTIONS) / (rank + 1) for rank, p in enumerate(p_values))
    print(f"ERBB2 in invasive cancer over the sections: adjusted p at most {worst:.1e}")
    check(worst < 1e-3 and all(float(row["auc"]) > 0.6 for row in erbb2.values()), f"ERBB2: {worst}, {erbb2}")
    for section in ("E1", "F1"):
        for gene in ("IGKC", "IGLC2"):
            row = rows[section, "immune infiltrate", gene]
            check(float(row["auc"]) > 0.6 and float(row["adjusted_p"]) < 1e-3, f"{gene} in {section}: {row}")


main(body)
