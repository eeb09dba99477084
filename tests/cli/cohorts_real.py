"""Eight cohorts of two species in one atlas: 30 sections of six breast cancer patients (her2st), 8 of mouse brain and 2 of
prostate, with three lists of genes. Four sections come after an ST-only run of the others was trained and are mapped onto it;
the pathologist's labels are scored on those that have them."""

import gzip
import json
import pathlib
import sys

from smeta_cli import check, main

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
TRAIN = ["--set", "train.epochs=20", "--set", "train.batch_size=512", "--set", "train.validation=0.1", "--set", "loss.kl=1"]
SELECT = ["--set", "select.n_genes=500"]  # of a section: three lists of genes make many in all
HELD_OUT = ["B1", "D1", "Hippo8", "prostate_CP"]


def prostate(folder):
    """Two tables of spots by genes out of one of genes by spots."""
    data = SHARED / "visium_prostate"
    place = {}
    for line in (data / "spatial_locs.txt").read_text().splitlines()[1:]:
        x, y, spot = line.replace('"', "").split()
        place[spot] = (x, y)
    with gzip.open(data / "expression_matrix.txt.gz", "rt") as file:
        spots = file.readline().replace('"', "").split()
        table = [line.replace('"', "").split() for line in file]
    genes, columns = [row[0] for row in table], list(zip(*(row[1:] for row in table)))
    found = {}
    for spot, counts in zip(spots, columns):
        found.setdefault(spot.split("-")[0], []).append("\t".join([spot, *place[spot], *counts]))
    files = {}
    for name, lines in found.items():
        files[f"prostate_{name}"] = folder / f"{name}.tsv"
        files[f"prostate_{name}"].write_text("\n".join(["\t".join(["", "x", "y", *genes]), *lines]) + "\n")
    return files


def samples_of(folder):
    data = SHARED / "her2st"
    samples = {}
    for counts in sorted((data / "counts").glob("*.tsv.gz")):
        name = counts.name.split(".")[0]
        samples[name] = {"cohort": name[0], "st": counts, "species": "human", "platform": "legacy_st"}
        labels = data / "labels" / f"{name}_labeled_coordinates.tsv"
        if labels.exists():
            samples[name]["labels"] = labels
    for counts in sorted((SHARED / "mouse_brain_st").glob("Hippo*.tsv.gz")):
        samples[counts.name.split(".")[0]] = {"cohort": "mouse_brain", "st": counts, "species": "mouse", "platform": "legacy_st"}
    for name, path in prostate(folder).items():
        samples[name] = {"cohort": "prostate", "st": path, "species": "human", "platform": "visium"}
    return samples


def study(path, samples):
    path.parent.mkdir(exist_ok=True)
    text = ""
    for name, entries in samples.items():
        text += f'\n[[sample]]\nname = "{name}"\n'
        text += "".join(f"{k} = {json.dumps(str(v))}\n" for k, v in entries.items() if k not in ("species", "platform"))
        text += f'obs = {{ species = "{entries["species"]}", platform = "{entries["platform"]}" }}\n'
    path.write_text(text)
    return path


def add(smeta, path):
    """Brings the study's samples into the atlas beside it."""
    atlas = path.parent / "atlas"
    smeta.run("ingest", "--study", path, threads=2, timeout=1800)
    for stage in ("qc", "align", "reassign"):
        smeta.run(stage, "--atlas", atlas, threads=2, timeout=1800)
    return atlas


def check_map(smeta, atlas):
    out, _ = smeta.run("map", "--atlas", atlas, "--query", atlas, "--labels", "label", threads=2, timeout=1800)
    print(out)
    lines = [line.split("\t") for line in out.splitlines()]
    found = {line[0]: dict(zip(lines[0], line)) for line in lines[1:]}
    check(sorted(found) == sorted(HELD_OUT), found)
    for name, line in found.items():
        check(line["unseen_batch"] == f"sample={name}" and line["reference"].endswith(" held out"), line)
        check(0 < int(line["measured_st"]) < int(line["features_st"]), f"species share all genes: {line}")


def rest(smeta, folder, samples, atlas):
    smeta.run("embed", "--atlas", atlas, threads=2, timeout=1800)
    # Only now do the held-out sections exist.
    add(smeta, study(folder / "one/held_out.toml", {name: samples[name] for name in HELD_OUT}))
    info, _ = smeta.run("atlas", "info", "--atlas", atlas)
    print(info)
    check("samples\t40\ncohorts\t8\n" in info, info)
    check_map(smeta, atlas)
    smeta.run("atlas", "verify", "--atlas", atlas)


def body(smeta, folder):
    if not SHARED.is_dir():
        print("reference data (../shared) is not there")
        sys.exit(77)
    samples = samples_of(folder)
    check(len(samples) == 40, f"{len(samples)} sections: {sorted(samples)}")
    trained = {name: entries for name, entries in samples.items() if name not in HELD_OUT}
    atlas = add(smeta, study(folder / "one/study.toml", trained))
    smeta.run("select", "--atlas", atlas, *SELECT, threads=2, timeout=1800)
    smeta.run("train", "--atlas", atlas, *TRAIN, threads=2, timeout=3000)
    rest(smeta, folder, samples, atlas)


main(body)
