"""smeta run and the commands that it is made of: what is done is not done again, what a run was trained with stays, and
a command that lacks something names the command to run first."""

import json

from smeta_cli import check, digests, main

SIZE = ["--samples", 2, "--spots", 60, "--genes", 60, "--metabolites", 20, "--domains", 3, "--seed", 7]
FAST = ["--set", "train.epochs=2", "--set", "model.sm_target=500"]
RESULTS = ["runs/main/model.h5", "runs/main/results/*", "runs/main/reconstruction/*", "runs/main/neighbors.h5"]


def stamps(folder):
    return {str(f): f.stat().st_mtime_ns for p in RESULTS for f in folder.glob(p)}


def commands(folder):
    """The run's history without the commands that always write."""
    lines = (folder / "runs/main/history.jsonl").read_text().splitlines()
    return [json.loads(line)["command"] for line in lines]


def check_again(smeta, folder, study):
    """A second `smeta run` embeds nothing anew; a model that was trained on does."""
    atlas = folder / "atlas"
    smeta.run("run", study, "--atlas", atlas, *FAST)
    before, done = stamps(atlas), commands(atlas)
    check(done.count("embed") == 1, done)
    _, err = smeta.run("run", study, "--atlas", atlas, *FAST, np=2)
    check("run 'main' is trained: nothing to do" in err and "embed of run 'main' is up to date" in err, err)
    check(stamps(atlas) == before, "the model or results were written again")
    check(commands(atlas).count("train") == 1 and commands(atlas).count("embed") == 1, commands(atlas))
    config = atlas / "runs/main/config.toml"
    frozen = config.read_text()
    check("\nepochs = 2\n" in frozen and "\nsm_target = 500.0\n" in frozen, frozen)
    smeta.run("run", study, "--atlas", atlas, "--set", "train.epochs=1", *FAST[2:], expect=2)
    check(config.read_text() == frozen, "a start that was refused changed config.toml")
    smeta.run("run", study, "--atlas", atlas, "--set", "train.epochs=3", *FAST[2:])
    check(config.read_text() == frozen.replace("\nepochs = 2\n", "\nepochs = 3\n"), config.read_text())
    check(commands(atlas).count("train") == 2, commands(atlas))
    check(commands(atlas).count("embed") == 2 and commands(atlas).count("cluster") == 2, commands(atlas))


def check_stale(smeta, folder):
    """After more training nothing uses the results of the model before."""
    atlas = ["--atlas", folder / "atlas"]
    smeta.run("train", *atlas, "--set", "train.epochs=4", *FAST[2:])
    for command in (["neighbors"], ["cluster"], ["report"], ["export", "--run", "main", "--out", folder / "stale.h5ad"]):
        for np in (1, 2):
            _, err = smeta.run(command[0], *atlas, *command[1:], np=np, expect=2)
            check("2 of 2 samples" in err and "smeta embed --run main" in err, f"{command}: {err}")
    check(not (folder / "stale.h5ad").exists(), "an export of old results")
    smeta.run("embed", *atlas, "--reconstruction")
    smeta.run("cluster", *atlas)


def check_report(smeta, folder):
    """The report draws metabolites as the run scaled them, whatever the settings of the day."""
    atlas = folder / "atlas"
    report = ["report", "--atlas", atlas]
    shown = ["runs/main/figures/reconstruction_*"]
    smeta.run(*report)
    before = digests(atlas, shown)
    record = json.loads((atlas / "runs/main/report.json").read_text())
    check(record["batch_mixing"]["spots"] == 120, record["batch_mixing"])
    smeta.run(*report, "--set", "model.sm_target=1", "--set", "report.mixing_spots=0")
    check(digests(atlas, shown) == before, "other values of metabolites")
    record = json.loads((atlas / "runs/main/report.json").read_text())
    check(record["batch_mixing"] is None, record["batch_mixing"])


def check_alone(smeta, folder):
    """neighbors, cluster and report by themselves: on a run that is not there, that has no results, and on a whole one."""
    atlas = folder / "alone"
    study = folder / "study" / "study.toml"
    for command in (["ingest", "--study", study], *(["qc"], ["align"], ["reassign"], ["select"])):
        smeta.run(*command, "--atlas", atlas)
    smeta.run("train", "--atlas", atlas, "--set", "train.epochs=1")
    for command in ("neighbors", "cluster", "report", "embed"):
        for np in (1, 2):
            _, err = smeta.run(command, "--atlas", atlas, "--run", "mian", expect=2, np=np)
            check("no run 'mian'" in err and "did you mean 'main'" in err, err)
    for command in ("neighbors", "cluster", "report"):
        for np in (1, 2):
            _, err = smeta.run(command, "--atlas", atlas, expect=2, np=np)
            check("'S1' is the first" in err and "smeta embed" in err, err)
    smeta.run("embed", "--atlas", atlas)
    _, err = smeta.run("neighbors", "--atlas", atlas, "--set", "cluster.neighbors=500")
    check("119 nearest of each of 120 spots" in err, err)
    _, err = smeta.run("cluster", "--atlas", atlas, np=2)
    check("19 nearest of each of 120 spots" in err and "clusters: " in err, err)
    smeta.run("report", "--atlas", atlas)
    record = json.loads((atlas / "runs/main/report.json").read_text())
    check(record["clusters"] and not record["notes"], record["notes"])


def check_collapse(smeta, folder):
    """A latent that tells nothing is named at the end of training and in the report."""
    run = ["--atlas", folder / "atlas", "--run", "collapsed"]
    settings = ["--set", "model.modalities=[\"st\"]", "--set", "loss.kl=1e5", "--set", "train.epochs=40", "--set",
                "train.learning_rate=0.01"]
    _, err = smeta.run("train", *run, *settings)
    check("posterior collapse" in err and "loss.kl=10000" in err, err)
    for command in ("train", "embed", "report"):
        smeta.run(command, *run, *(settings if command == "train" else []))
    check("posterior collapse" in (folder / "atlas/runs/collapsed/report.html").read_text(), "not in the report")


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    study = folder / "study" / "study.toml"
    check_again(smeta, folder, study)
    check_stale(smeta, folder)
    check_report(smeta, folder)
    check_collapse(smeta, folder)
    check_alone(smeta, folder)


main(body)
