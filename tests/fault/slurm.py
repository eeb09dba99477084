"""Training under a real Slurm (two virtual nodes on this machine, scripts/slurm/local_cluster.sh): a job on both nodes, one
preempted by a high-priority job, one that meets its time limit, one whose node dies. Each goes on by itself and ends with
the bits of an unbroken run; started with srun --mpi=pmix and with mpirun."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))
from smeta_cli import check, differing, digests, losses, main  # noqa: E402

STUDY = ["--samples", 2, "--spots", 400, "--genes", 500, "--metabolites", 120, "--domains", 4, "--seed", 7]
SETTINGS = ["--set", "train.reduction=fixed_tree", "--set", "train.checkpoint_minutes=0", "--set", "train.epochs=150"]
PUBLISHED = ["model.h5"]


class Slurm:
    def __init__(self, folder, executable):
        self.folder = folder
        self.cluster = folder / "cluster"
        self.environment = dict(os.environ, SMETA=executable, OMP_NUM_THREADS="1",
                                SLURM_CONF=str(self.cluster / "slurm.conf"))
        if os.geteuid() == 0:  # mpirun inside a job of root's
            self.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

    def call(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.environment, capture_output=True, text=True,
                              cwd=self.folder)
        check(done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def cluster_command(self, what):
        self.call(ROOT / "scripts/slurm/local_cluster.sh", what, self.cluster)

    def submit(self, *arguments):
        return self.call("sbatch", "--parsable", *arguments)

    def field(self, job, name):
        for entry in self.call("scontrol", "show", "job", job).split():
            if entry.startswith(name + "="):
                return entry.split("=", 1)[1]
        return ""

    def wait(self, job, states, seconds=240):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.field(job, "JobState")
            if state in states:
                return state
            check(state not in ("FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY"),
                  f"job {job} is {state}\n{self.log(job)}")
            time.sleep(0.3)
        check(False, f"job {job} is {self.field(job, 'JobState')}, waited for {states}\n{self.log(job)}")

    def log(self, job):
        return "\n".join(f.read_text()[-3000:] for f in self.folder.glob(f"*{job}.log"))


def body(smeta, folder):
    if not shutil.which("slurmctld"):
        print("Slurm is not installed (Debian: slurm-wlm)")
        sys.exit(77)
    smeta.run("simulate", "--out", folder / "study", *STUDY)
    for command in ("ingest", "qc", "align", "reassign", "select"):
        target = ["--study", folder / "study" / "study.toml"] if command == "ingest" else []
        smeta.run(command, "--atlas", folder / "atlas", *target)
    begin = time.monotonic()
    smeta.run("train", "--atlas", folder / "atlas", "--run", "straight", *SETTINGS, timeout=900)
    whole = time.monotonic() - begin
    reference = digests(folder / "atlas/runs/straight", PUBLISHED)
    slurm = Slurm(folder, smeta.executable)
    slurm.cluster_command("start")
    try:
        for scenario in (both_nodes, mpirun_inside, preempted, time_limit, dead_node):
            run = scenario.__name__
            job = scenario(slurm, run, whole)
            slurm.wait(job, ("COMPLETED",))
            wrong = differing(reference, digests(folder / "atlas/runs" / run, PUBLISHED))
            check(not wrong, f"{run}: other bits in {wrong}")
            print(f"{run}: job {job} completed, {slurm.field(job, 'Restarts')} restarts, same bits")
    finally:
        slurm.cluster_command("stop")


def train(slurm, run, *options):
    return slurm.submit("--nodes=2", "--ntasks-per-node=1", *options, ROOT / "scripts/slurm/train.sbatch", "atlas", run,
                        *SETTINGS)


def wait_for_epochs(slurm, run, epochs):
    file = slurm.folder / "atlas/runs" / run
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (file / "metrics.jsonl").exists() and len(losses(file)) >= epochs:
            return
        time.sleep(0.1)
    check(False, f"{run} did not reach epoch {epochs}")


def restarted(slurm, job, run):
    end = time.monotonic() + 120
    while int(slurm.field(job, "Restarts") or 0) == 0:
        check(time.monotonic() < end, f"{run} was not requeued\n{slurm.log(job)}")
        time.sleep(0.3)
    return job


def both_nodes(slurm, run, _):
    return train(slurm, run)


def mpirun_inside(slurm, run, _):
    script = slurm.folder / "mpirun.sbatch"
    script.write_text("#!/bin/bash\n#SBATCH --nodes=2 --ntasks-per-node=1\n#SBATCH --output=mpirun-%j.log\n"
                      f"exec mpirun --bind-to none \"$SMETA\" train --atlas atlas --run {run} --threads 1 "
                      + " ".join(SETTINGS) + "\n")
    return slurm.submit(script)


def preempted(slurm, run, _):
    job = train(slurm, run)
    wait_for_epochs(slurm, run, 5)
    slurm.submit("--partition=high", "--nodes=2", "--ntasks-per-node=4", "--output=/dev/null", "--wrap=sleep 3")
    return restarted(slurm, job, run)


def time_limit(slurm, run, whole):
    # Slurm counts limits in minutes: USR1 comes 60 s before the end of the first, that is at once.
    job = train(slurm, run, "--time=1", "--signal=USR1@58")
    return restarted(slurm, job, run)


def dead_node(slurm, run, _):
    job = train(slurm, run)
    wait_for_epochs(slurm, run, 5)
    pid = int((slurm.cluster / "run/slurmd.n2.pid").read_text())
    steps = subprocess.run(["pgrep", "-f", f"slurmstepd.*{job}"], capture_output=True, text=True).stdout.split()
    os.kill(pid, signal.SIGKILL)
    for step in steps:
        os.kill(int(step), signal.SIGKILL)
    restarted(slurm, job, run)
    (slurm.cluster / "run/slurmd.n2.pid").unlink(missing_ok=True)
    slurm.call("slurmd", "-N", "n2")
    return job


main(body)
