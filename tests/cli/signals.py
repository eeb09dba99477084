"""USR1 and TERM, as batch systems send them: training ends with a checkpoint and exit code 75, any other command at once
with 75; the same command then goes on and ends with the bits of a run that nothing stopped. mpirun passes USR1 on."""

import signal
import subprocess
import time

from smeta_cli import check, differing, digests, kill, losses, main

STUDY = ["--samples", 2, "--spots", 150, "--genes", 200, "--metabolites", 60, "--domains", 3, "--seed", 4]
SETTINGS = ["--set", "train.reduction=fixed_tree", "--set", "train.epochs=60"]
PUBLISHED = ["model.h5", "results/*.h5ad"]
STOPPED = 75


def until(condition, message, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, message)
        time.sleep(0.02)


def end_of(process, seconds=60):
    try:
        _, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _, err = kill(process)
        check(False, f"no end {seconds} s after the signal\n{err[-2000:]}")
    return process.returncode, err


def finish(smeta, atlas, run):
    smeta.run("embed", "--atlas", atlas, "--run", run)
    return digests(atlas / "runs" / run, PUBLISHED)


def stopped_training(smeta, atlas, run, np, stop):
    """Trains until some epochs are done, sends the signal, then trains to the end."""
    folder = atlas / "runs" / run
    command = ["train", "--atlas", atlas, "--run", run, *SETTINGS]
    process = smeta.start(*command, np=np)
    until(lambda: (folder / "metrics.jsonl").exists() and len(losses(folder)) >= 3, f"{run}: no third epoch")
    process.send_signal(stop)
    code, err = end_of(process)
    check(code == STOPPED, f"{run}: exit code {code} after {stop.name}\n{err[-2000:]}")
    check("stopped at a checkpoint" in err, f"{run}: says nothing of a checkpoint\n{err[-2000:]}")
    before = len(losses(folder))
    check(before < 60 and not (folder / "model.h5").exists(), f"{run}: had ended before the signal: not a test")
    _, err = smeta.run(*command)
    check("going on from the checkpoint" in err, f"{run}: did not go on\n{err[-2000:]}")
    check(f"epoch {before} of 60" not in err, f"{run}: trained epoch {before} again")
    return finish(smeta, atlas, run)


def stopped_command(smeta, folder, stop):
    """A command without checkpoints: ends at once; what it leaves is sound, and the same command goes on."""
    atlas = folder / f"stopped_{stop.name}"
    command = ["ingest", "--atlas", atlas, "--study", folder / "study" / "study.toml"]
    process = smeta.start(*command)
    until(lambda: (atlas / "atlas.lock").exists(), "ingest made no atlas")
    process.send_signal(stop)
    code, err = end_of(process, 10)
    check(code == STOPPED, f"ingest: exit code {code} after {stop.name}\n{err[-2000:]}")
    check("stopped by a signal" in err, f"ingest does not say why it ended\n{err[-2000:]}")
    smeta.run(*command)
    smeta.run("atlas", "verify", "--atlas", atlas)
    return digests(atlas, ["raw/*.h5mu"])


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *STUDY)
    study = folder / "study" / "study.toml"
    atlas = folder / "atlas"
    smeta.run("ingest", "--atlas", atlas, "--study", study)
    for stop in (signal.SIGTERM, signal.SIGUSR1):
        wrong = differing(digests(atlas, ["raw/*.h5mu"]), stopped_command(smeta, folder, stop))
        check(not wrong, f"ingest after {stop.name}: other bits in {wrong}")
    for command in ("qc", "align", "reassign", "select"):
        smeta.run(command, "--atlas", atlas)
    smeta.run("train", "--atlas", atlas, "--run", "straight", *SETTINGS)
    reference = finish(smeta, atlas, "straight")
    for run, np, stop in (("usr1", 1, signal.SIGUSR1), ("term", 1, signal.SIGTERM), ("mpirun", 2, signal.SIGUSR1)):
        wrong = differing(reference, stopped_training(smeta, atlas, run, np, stop))
        check(not wrong, f"{run}: other bits in {wrong}")


main(body)
