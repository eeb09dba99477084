"""Real data from beside the checkout through the whole chain: legacy ST tables, ST with histology features on the same
spots, SM only, an MSI table, imzML. Each ends with a report and an atlas that verifies."""

import json
import pathlib
import sys

from smeta_cli import check, losses, main

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"


def study(path, samples, settings=""):
    """Writes a study.toml; `samples` maps a name to its entries. "" names none: the joint file tells its samples."""
    text = 'atlas = "atlas"\nrun = "main"\n'
    for name, entries in samples.items():
        text += "\n[[sample]]\n" + (f'name = "{name}"\n' if name else "")
        for key, value in entries.items():
            text += f"{key} = {json.dumps(str(value))}\n"
    path.parent.mkdir(parents=True)
    path.write_text(text + settings)
    return path


def her2st(sections, with_histology):
    data = SHARED / "her2st"
    samples = {}
    for name in sections:
        samples[name] = {"cohort": name[0], "st": data / "counts" / f"{name}.tsv.gz"}
        if with_histology:
            samples[name]["sm"] = SHARED / "her2st_histology" / f"{name}_he_features.csv"
            samples[name]["sm_columns"] = "^(mean|sd|H_|E_|DAB_|frac)"
        labels = data / "labels" / f"{name}_labeled_coordinates.tsv"
        if labels.exists():
            samples[name]["labels"] = labels
    return samples


def cases():
    sections = sorted(p.name.split(".")[0] for p in (SHARED / "her2st" / "counts").glob("*.tsv.gz"))
    lymph = SHARED / "lymph_node_protein"
    imzml = SHARED / "imzml"
    return {
        "breast_paired": ({"": {"joint": SHARED / "semisynthetic" / "breast_paired.h5ad"}},
                          '[ingest]\nsample_key = "sample"\ncohort_key = "patient"\n[train]\nmode = "multi"\n', 64, 6),
        "her2st_histology": (her2st(["B4", "C2", "C3", "C4", "C5", "C6"], True), "", 20, 6),
        "her2st_all": (her2st(sections, False), "", 20, 30),
        "lymph_node": ({f"section{i}": {"cohort": "lymph_node", "sm": lymph / f"section{i}.h5ad"} for i in (1, 2)},
                       "", 20, 2),
        "bladder": ({"bladder": {"cohort": "bladder", "sm": SHARED / "bladder_msi" / "intensities.csv.gz"}}, "", 10, 1),
        "imzml_continuous": ({"c": {"cohort": "x", "sm": imzml / "Example_Continuous.imzML"}}, "", 5, 1),
        "imzml_processed": ({"p": {"cohort": "x", "sm": imzml / "Example_Processed.imzML"}}, "", 5, 1),
        "imzml_tiny": ({"t": {"cohort": "x", "sm": imzml / "Untreated_3_434_tiny.imzML"}}, "", 5, 1),
    }


def body(smeta, folder):
    if not SHARED.is_dir():
        print("reference data (../shared) is not there")
        sys.exit(77)
    for name, (samples, settings, epochs, expected) in cases().items():
        path = study(folder / name / "study.toml", samples, settings)
        smeta.run("run", path, "--set", f"train.epochs={epochs}", "--threads", 2, timeout=1800)
        run = path.parent / "atlas" / "runs" / "main"
        curve = losses(run)
        check(len(curve) == epochs and curve[-1] == curve[-1], f"{name}: losses {curve[-3:]}")
        results = sorted(p.stem for p in (run / "results").glob("*.h5ad"))
        check(len(results) == expected, f"{name}: results of {results}, expected {expected}")
        check((run / "report.html").stat().st_size > 10000, f"{name}: no report")
        json.loads((run / "report.json").read_text())
        smeta.run("atlas", "verify", "--atlas", path.parent / "atlas")
        print(f"{name}: {len(results)} samples, loss {curve[0]:.1f} -> {curve[-1]:.1f}")


main(body)
