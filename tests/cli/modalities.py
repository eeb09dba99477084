"""A third modality beside ST and SM, and one alone: mod.NAME of a study through ingest, the whole chain and export, with each
of its likelihoods; the same bits on any ranks; errors with exit code 2. Real inputs (histology features of ST spots, proteins
of a lymph node) where the reference data are there."""

import csv
import gzip
import pathlib
import random

from smeta_cli import check, differing, digests, losses, main

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
RUN = ["model.h5", "features.h5", "results/*.h5ad"]


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, np=np, expect=2)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def barcodes(visium):
    with open(visium / "spatial" / "tissue_positions.csv") as file:
        return [row["barcode"] for row in csv.DictReader(file) if row["in_tissue"] == "1"]


def write_table(path, spots, features, draw):
    with gzip.open(path, "wt") as file:
        file.write("\t".join(["spot", *features]) + "\n")
        for spot in spots:
            file.write("\t".join([spot, *(str(draw()) for _ in features)]) + "\n")


def check_errors(smeta, folder, study, table):
    st = study / "S1/visium"
    base = ["ingest", "--atlas", folder / "none", "--sample", "S1", "--st", st]
    expect_error(smeta, ["--mod protein", "NAME=PATH"], *base, "--mod", "protein")
    expect_error(smeta, ["mod.st", "key st"], *base, "--mod", f"st={table}")
    expect_error(smeta, ["'a/b'", "[A-Za-z0-9_.-]+"], *base, "--mod", f"a/b={table}")
    expect_error(smeta, ["given twice"], *base, "--mod", f"p={table}", "--mod", f"p={table}")
    expect_error(smeta, ["cannot open", "nowhere.csv"], *base, "--mod", f"p={folder}/nowhere.csv", np=2)
    other = folder / "other.csv"
    other.write_text("spot,a\nx,1\ny,2\n")
    expect_error(smeta, ["other.csv", "modality 'p'", "none of which is a spot"], *base, "--mod", f"p={other}")
    other.write_text("spot,a\nx,nan\n")
    expect_error(smeta, ["other.csv", "nan"], *base, "--mod", f"p={other}")
    check(not (folder / "none").exists(), "a failed ingest leaves no atlas")


def check_likelihoods(smeta, atlas):
    train = ["train", "--atlas", atlas, "--set", "train.epochs=2", "--set", "train.batch_size=64"]
    for number, likelihood in enumerate(["gaussian", "zig", "mse", "zinb", "nb"]):
        run = f"{likelihood}{number}"
        smeta.run(*train, "--run", run, "--set", f'model.likelihoods=["protein={likelihood}"]')
        values = losses(atlas / "runs" / run)
        check(len(values) == 2 and values[1] < values[0], f"{likelihood}: {values}")
    expect_error(smeta, ["model.likelihoods", "'gamma'"], *train, "--run", "x", "--set",
                 'model.likelihoods=["protein=gamma"]', np=2)
    expect_error(smeta, ["model.likelihoods", "protein, texture"], *train, "--run", "x", "--set",
                 'model.likelihoods=["proteins=nb"]')
    expect_error(smeta, ["model.likelihoods", "model.st_likelihood"], *train, "--run", "x", "--set",
                 'model.likelihoods=["st=nb"]')


def check_simulated(smeta, folder):
    random.seed(1)
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 120, "--genes", 60, "--metabolites", 20,
              "--domains", 3)
    text = (study / "study.toml").read_text()
    for name in ("S1", "S2"):
        spots = barcodes(study / name / "visium")
        write_table(folder / f"{name}_protein.tsv.gz", spots[5:] + ["nowhere-1"], ["CD3", "CD19", "Gene1"],
                    lambda: random.randrange(0, 90))
        write_table(folder / f"{name}_texture.tsv.gz", spots, ["gradient", "brightness"],
                    lambda: round(random.gauss(100, 20), 4))
        entry = f'mod = {{protein = "{folder}/{name}_protein.tsv.gz", texture = "{folder}/{name}_texture.tsv.gz"}}\n'
        text = text.replace(f'name = "{name}"\n', f'name = "{name}"\n{entry}')
    (study / "study.toml").write_text(text)
    check_errors(smeta, folder, study, folder / "S1_texture.tsv.gz")

    settings = ["--set", "train.epochs=3", "--set", "train.reduction=fixed_tree", "--set",
                'model.likelihoods=["protein=nb"]']
    smeta.run("run", study / "study.toml", *settings)
    atlas = study / "atlas"
    smeta.run("run", study / "study.toml", "--atlas", folder / "two", *settings, np=2)
    wrong = differing(digests(atlas / "runs/main", RUN), digests(folder / "two/runs/main", RUN))
    check(not wrong, f"other bits on two ranks: {wrong}")
    out, _ = smeta.run("atlas", "info", "--atlas", atlas)
    check("features_protein\t3\n" in out and "features_texture\t2\n" in out, out)
    out, _ = smeta.run("atlas", "list", "--atlas", atlas)
    check("protein:115x3" in out and "texture:120x2" in out, out)  # five spots lack it, one row is no spot
    smeta.run("atlas", "verify", "--atlas", atlas, np=2)
    smeta.run("export", "--atlas", atlas, "--run", "main", "--out", folder / "x.h5mu")
    expect_error(smeta, ["'protein'", ".h5mu"], "export", "--atlas", atlas, "--run", "main", "--out", folder / "x.h5ad")
    check_likelihoods(smeta, atlas)


def check_real(smeta, folder):
    """Histology features (meanR to 255, E_mean below 0.1) and proteins (to 1e6) learn beside, and without, ST."""
    cases = {"histology": "", "protein": ""}
    for name in ("C2", "C3"):
        cases["histology"] += (f'[[sample]]\nname = "{name}"\nst = "{SHARED}/her2st/counts/{name}.tsv.gz"\n'
                               f'mod.histology = "{SHARED}/her2st_histology/{name}_he_features.csv"\n')
    for name in ("section1", "section2"):
        cases["protein"] += f'[[sample]]\nname = "{name}"\nmod.protein = "{SHARED}/lymph_node_protein/{name}.h5ad"\n'
    for modality, samples in cases.items():
        study = folder / f"{modality}.toml"
        study.write_text(f'atlas = "{modality}"\nrun = "main"\n{samples}[train]\nepochs = 5\n[select]\nn_genes = 300\n')
        smeta.run("run", study)
        run = folder / modality / "runs/main"
        values = losses(run)
        check(values[-1] < 0.9 * values[0], f"{modality}: {values}")
        check((run / "report.html").exists(), f"{modality}: no report")
        smeta.run("atlas", "verify", "--atlas", folder / modality)


def body(smeta, folder):
    check_simulated(smeta, folder)
    if SHARED.is_dir():
        check_real(smeta, folder)


main(body)
