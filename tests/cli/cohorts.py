"""An atlas that grows: a held-out section mapped onto a trained run (the same bits on any ranks, label transfer scored against
the truth, from an atlas, a .h5ad and a .h5mu), sections of another tissue found out of distribution, a sample removed and
added again without a byte of the others changing, batch levels with categories that training did not know, training that
starts from another run, coverage of the selection; and the errors of all this with exit code 2."""

import time

from smeta_cli import check, digests, kill, losses, main

SIZES = ["--spots", 150, "--genes", 200, "--metabolites", 40, "--domains", 4]
# Spots kept from training, and a share of them that is large enough for 150 of a section.
HELD_OUT = ["--set", "train.validation=0.25"]
SHARE = ["--set", "map.flagged_share=0.05"]
MAPPED = ["runs/main/map/*/*.h5ad", "runs/main/map/*/prediction/*/*.h5ad", "runs/main/map/*/*.tsv"]


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, np=np, expect=2)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def chain(smeta, atlas, study):
    smeta.run("ingest", "--study", study / "study.toml")
    for stage in ("qc", "align", "reassign"):
        smeta.run(stage, "--atlas", atlas)
    smeta.run("select", "--atlas", atlas, "--set", "select.min_samples=1")


def rows(text):
    """The lines of the first table as dictionaries."""
    lines = [line.split("\t") for line in text.split("\n\n")[0].splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def check_map(smeta, atlas):
    arguments = ["map", "--atlas", atlas, "--query", atlas, "--name", "held_out", "--labels", "label", "--predict", "sm", *SHARE]
    reference = None
    for np in (1, 2, 3):
        out, _ = smeta.run(*arguments, np=np)
        found = digests(atlas, MAPPED)
        check(reference in (None, found), f"{np} ranks: other bits")
        reference = found
    (line,) = rows(out)
    check((line["sample"], line["unseen_batch"]) == ("S4", "sample=S4"), line)
    check(line["measured_st"] == line["features_st"] != "0" and line["measured_sm"] == line["features_sm"], line)
    check(float(line["accuracy"]) > float(line["majority"]) + 0.1, f"labels no better than one label for all: {line}")
    check(line["reference"].endswith(" held out"), line)
    check(int(line["out_of_distribution"]) < 0.2 * int(line["rows"]), f"its own tissue is foreign to it: {line}")
    check("\nS4\tsm\t150\t40\t" in out, f"no score of the prediction: {out}")
    return line


def add_levels(text):
    """Batch levels of which the held-out section has categories of its own: its platform, one known to none; its cohort, and
    the day, which it shares with others."""
    head, *samples = text.split("\n[[sample]]\n")
    levels = [("C1", "visium", "monday"), ("C2", "visium_v2", "friday"), ("C1", "visium", "friday"), ("C2", "slide_seq", "monday")]
    for i, (cohort, platform, day) in enumerate(levels):
        lines = [line for line in samples[i].splitlines() if not line.startswith("cohort")]
        samples[i] = "\n".join([*lines, f'cohort = "{cohort}"', f'obs = {{ platform = "{platform}", day = "{day}" }}']) + "\n"
    return "\n[[sample]]\n".join([head, *samples])


def check_levels(smeta, atlas):
    """Categories that training did not know are named, level by level; those that it knew are not."""
    levels = ["--set", 'model.batch_keys=["cohort", "day", "platform", "sample"]']
    smeta.run("train", "--atlas", atlas, "--run", "levels", "--sample", "S1", "--sample", "S2", "--sample", "S3", *levels, "--set",
              "train.epochs=2")
    smeta.run("embed", "--atlas", atlas, "--run", "levels")
    for np in (1, 2):
        out, _ = smeta.run("map", "--atlas", atlas, "--run", "levels", "--query", atlas, *SHARE, np=np)
        (line,) = rows(out)
        check(line["unseen_batch"] == "platform=slide_seq;sample=S4", line)
    smeta.run("train", "--atlas", atlas, "--run", "cohort", "--sample", "S1", "--sample", "S3", "--set",
              'model.batch_keys=["cohort"]', "--set", "train.epochs=2")
    smeta.run("embed", "--atlas", atlas, "--run", "cohort")
    out, _ = smeta.run("map", "--atlas", atlas, "--run", "cohort", "--query", atlas, *SHARE)
    found = {line["sample"]: line["unseen_batch"] for line in rows(out)}
    check(found == {"S2": "cohort=C2", "S4": "cohort=C2"}, found)


def check_files(smeta, atlas, folder, expected):
    """The same section out of a joint file is the same query."""
    for suffix in ("h5ad", "h5mu"):
        query = folder / f"joint.{suffix}"
        smeta.run("export", "--atlas", atlas, "--out", query)
        out, _ = smeta.run("map", "--atlas", atlas, "--query", query, "--sample", "S4", "--labels", "label", *SHARE, np=2)
        (line,) = rows(out)
        check({k: v for k, v in line.items() if k != "cohort"} == {k: v for k, v in expected.items() if k != "cohort"},
              f"{suffix}: {line}, from the atlas {expected}")
    left = sorted(p.name for p in (atlas / "runs/main/map").iterdir())
    check(left == ["held_out", "joint"], f"scratch files stay: {left}")


def check_foreign(smeta, atlas, folder, own):
    """Genes that go together otherwise: a study with the names of the first and other profiles."""
    study = folder / "other"
    smeta.run("simulate", "--out", study, "--samples", 1, "--seed", 77, *SIZES)
    chain(smeta, study / "atlas", study)
    out, _ = smeta.run("map", "--atlas", atlas, "--query", study / "atlas", "--name", "foreign", *SHARE)
    (line,) = rows(out)
    check(int(line["out_of_distribution"]) > 0.9 * int(line["rows"]), f"another tissue is not noticed: {line}, {own}")


def check_killed(smeta, atlas, folder):
    """What a killed map leaves is reported, and removed by repair; the results of its query's name stay."""
    before = digests(atlas, MAPPED)
    process = smeta.start("map", "--atlas", atlas, "--query", folder / "joint.h5ad", "--sample", "S4")
    below = atlas / "runs/main/map"
    while process.poll() is None and not any(f.is_file() for f in below.glob("*.tmp.*/**/*")):
        time.sleep(0.001)
    kill(process)
    check(any(f.is_file() for f in below.glob("*.tmp.*/**/*")), "the command had ended before it was killed")
    check(digests(atlas, MAPPED).items() >= before.items(), "the results of an earlier query changed")
    out, _ = smeta.run("atlas", "verify", "--atlas", atlas)
    check("leftover\truns/main/map/" in out, f"the scratch files are not reported: {out}")
    smeta.run("atlas", "verify", "--atlas", atlas, "--repair")
    check(not list(below.glob("*.tmp.*")), "the scratch files stay")
    check(digests(atlas, MAPPED) == before, "repair removed results")


def check_errors(smeta, atlas, folder):
    before = digests(atlas, ["runs/main/*.*", *MAPPED])
    query = ["map", "--atlas", atlas, "--query"]
    expect_error(smeta, ["nowhere", "no such"], *query, folder / "nowhere", np=2)
    expect_error(smeta, ["--labels labels", "did you mean 'label'"], *query, atlas, "--labels", "labels", "--name", "new", np=2)
    expect_error(smeta, ["--predict protein", "sm st"], *query, atlas, "--predict", "protein", "--name", "new")
    expect_error(smeta, ["'S9'"], *query, atlas, "--sample", "S9")
    expect_error(smeta, ["'S9'"], *query, folder / "joint.h5ad", "--sample", "S9", np=2)
    expect_error(smeta, ["'mian'", "did you mean 'main'"], *query, atlas, "--run", "mian")
    expect_error(smeta, ["'a/b'"], *query, atlas, "--name", "a/b")
    (folder / "text.h5ad").write_text("no HDF5")
    expect_error(smeta, ["text.h5ad"], *query, folder / "text.h5ad", np=2)
    smeta.run("embed", "--atlas", atlas, "--run", "grown")
    expect_error(smeta, ["every sample", "--sample"], *query, atlas, "--run", "grown")
    check(digests(atlas, ["runs/main/*.*", *MAPPED]).items() >= before.items(), "an error changed the run")
    left = [p.name for p in (atlas / "runs/main/map").iterdir() if ".tmp." in p.name]
    check(not left, f"scratch files stay: {left}")


def check_growth(smeta, atlas, study):
    """S4 leaves and comes back; the files of the others, and the run that has not seen it, stay as they are."""
    others = ["raw/S[123]*", "joint/S[123]*", "stages/*/S[123]*", "runs/main/*.*"]
    before, manifest = digests(atlas, others), (atlas / "manifest.json").read_text()
    smeta.run("atlas", "remove", "--atlas", atlas, "--sample", "S4")
    check(not list(atlas.glob("*/S4*")), "files of the removed sample stay")
    expect_error(smeta, ["S1", "run main"], "atlas", "remove", "--atlas", atlas, "--sample", "S1")
    chain(smeta, atlas, study)
    check(digests(atlas, others) == before, "a file of another sample changed")
    check((atlas / "manifest.json").read_text() == manifest, "the sample that came back is another")
    smeta.run("atlas", "verify", "--atlas", atlas)


def check_warm_start(smeta, atlas):
    settings = ["--set", "train.epochs=2", "--set", "loss.kl=0.1", "--set", "loss.kl_warmup=1", "--set", "train.reduction=fixed_tree"]
    for np, run in ((1, "grown"), (2, "grown2")):
        _, log = smeta.run("train", "--atlas", atlas, "--run", run, "--from", "main", *settings, np=np)
        check("starts from the model of run 'main'" in log, log)
    models = [digests(atlas / "runs" / run, ["model.h5", "start/*"]) for run in ("grown", "grown2")]
    check(models[0] == models[1], "two ranks start or go on elsewhere")
    smeta.run("train", "--atlas", atlas, "--run", "cold", *settings)
    warm, cold = (losses(atlas / "runs" / run) for run in ("grown", "cold"))
    check(warm[0] < cold[0] and warm[1] < cold[1], f"a warm start is no better: {warm}, {cold}")
    expect_error(smeta, ["'cold'", "random weights", "--fresh"], "train", "--atlas", atlas, "--run", "cold", "--from", "main")
    expect_error(smeta, ["--from"], "train", "--atlas", atlas, "--run", "main", "--from", "main")
    expect_error(smeta, ["'nobody'"], "train", "--atlas", atlas, "--run", "new", "--from", "nobody", np=2)
    expect_error(smeta, ["model.latent"], "train", "--atlas", atlas, "--run", "wide", "--from", "main", "--set", "model.latent=7",
                 np=2)
    expect_error(smeta, ["'main'", "other samples"], "train", "--atlas", atlas, "--sample", "S4")


def check_coverage(smeta, atlas):
    out, _ = smeta.run("atlas", "info", "--atlas", atlas)
    check("coverage\tS4\tsm\t40 of 40 selected features\n" in out, out)
    _, log = smeta.run("select", "--atlas", atlas, "--set", "select.features=intersection", "--set", "select.min_samples=1")
    check("200 of 200 features" in log, log)
    expect_error(smeta, ["select.features", "union"], "select", "--atlas", atlas, "--set", "select.features=most")


def body(smeta, folder):
    study, atlas = folder / "study", folder / "study/atlas"
    smeta.run("simulate", "--out", study, "--samples", 4, "--cohorts", 2, "--seed", 5, *SIZES)
    (study / "study.toml").write_text(add_levels((study / "study.toml").read_text()))
    chain(smeta, atlas, study)
    train = ["train", "--atlas", atlas, "--sample", "S1", "--sample", "S2", "--sample", "S3"]
    smeta.run(*train, *HELD_OUT, "--set", "train.epochs=40", "--set", "loss.kl=0.1", "--set", "train.reduction=fixed_tree")
    expect_error(smeta, ["smeta embed"], "map", "--atlas", atlas, "--query", atlas)
    smeta.run("embed", "--atlas", atlas)
    own = check_map(smeta, atlas)
    check_files(smeta, atlas, folder, own)
    check_foreign(smeta, atlas, folder, own)
    check_killed(smeta, atlas, folder)
    check_growth(smeta, atlas, study)
    check_levels(smeta, atlas)
    check_warm_start(smeta, atlas)
    check_errors(smeta, atlas, folder)
    check_coverage(smeta, atlas)


main(body)
