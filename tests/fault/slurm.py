"""The job scripts under a real Slurm (two virtual nodes on this machine, scripts/slurm/local_cluster.sh), each started with
srun --mpi=pmix and with mpirun: an ingest array on one atlas; training on both nodes, preempted by a high-priority job, up
to its time limit, with a node that dies; the scaling study. Every job goes on by itself and ends with the bits of an
unbroken run outside of Slurm. A job that fails or is cancelled does not come back. Nothing of the cluster outlives the test,
however the test ends."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts" / "slurm"
sys.path.insert(0, str(ROOT / "tests" / "cli"))
from smeta_cli import check, differing, digests, main  # noqa: E402

SAMPLES = 4
STUDY = ["--samples", SAMPLES, "--spots", 200, "--genes", 500, "--metabolites", 120, "--domains", 4, "--seed", 7]
ARRAY = ["--samples", 20, "--spots", 50, "--genes", 40, "--metabolites", 20, "--domains", 3, "--seed", 8]
EPOCHS = 100
SETTINGS = ["--set", "train.reduction=fixed_tree", "--set", "train.checkpoint_minutes=0"]
TRAIN = [*SETTINGS, "--set", f"train.epochs={EPOCHS}"]
WHOLE = ["manifest.json", "registry.h5", "raw/*.h5mu"]
PUBLISHED = ["model.h5", "results/*.h5ad"]
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY", "PREEMPTED")


def environments(conf):
    """Process id and environment of every process that was started with this SLURM_CONF."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if f"SLURM_CONF={conf}".encode() in environment:
            yield int(entry.name), environment


def name_of(process):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def signal_all(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # ended with its parent
            os.kill(process, number)


class Slurm:
    """The cluster, and what the job scripts are given."""

    def __init__(self, folder, executable):
        self.folder = folder
        self.cluster = folder / "cluster"
        self.conf = self.cluster / "slurm.conf"
        self.environment = dict(os.environ, SMETA=executable, OMP_NUM_THREADS="1")
        self.rank_name = pathlib.Path(executable).name

    @contextlib.contextmanager
    def running(self):
        """The cluster is up inside the block. A process apart stops it when this one is killed: it reads the end of a pipe."""
        on_death = 'read -r ended; [ "$ended" = yes ] || { "$0" stop "$1"; rm -rf "$2"; }'
        guard = subprocess.Popen(
            ["setsid", "--fork", "bash", "-c", on_death, SCRIPTS / "local_cluster.sh", self.cluster, self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.start()
            yield
        finally:
            self.stop()
            guard.stdin.write(b"yes\n")
            guard.stdin.close()
            guard.wait()
        left = [(process, name_of(process)) for process, _ in environments(self.conf)]
        check(not left, f"left of the cluster: {left}")

    def call(self, *command, expect=0):
        done = subprocess.run([str(c) for c in command], env=self.environment, capture_output=True, text=True,
                              cwd=self.folder)
        check(done.returncode == expect, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout.strip()

    def start(self):
        """Starts what does not run of the cluster."""
        for name, value in re.findall(r"(\w+)=(\S+)", self.call(SCRIPTS / "local_cluster.sh", "start", self.cluster)):
            self.environment[name] = value

    def stop(self):
        self.call(SCRIPTS / "local_cluster.sh", "stop", self.cluster)

    def processes_of_node(self, node):
        """Its slurmd, the step daemons (known by the log they hold open) and tasks."""
        log = f"slurmd.{node}.log"
        found = []
        for process, environment in environments(self.conf):
            with contextlib.suppress(OSError):  # it has just ended
                held = [os.path.basename(os.readlink(link)) for link in pathlib.Path(f"/proc/{process}/fd").iterdir()]
                if f"SLURMD_NODENAME={node}".encode() in environment or log in held:
                    found.append(process)
        return found

    @contextlib.contextmanager
    def held(self, job):
        """The ranks of the job stand still inside the block, so that the job does not end before what is waited for there."""
        ranks = [process for process, environment in environments(self.conf)
                 if f"SLURM_JOB_ID={job}".encode() in environment and name_of(process) == self.rank_name]
        check(len(ranks) == 2, f"{len(ranks)} ranks of job {job}")
        signal_all(ranks, signal.SIGSTOP)
        try:
            yield
        finally:
            signal_all(ranks, signal.SIGCONT)

    def submit(self, launcher, *arguments):
        self.environment["SMETA_LAUNCHER"] = launcher
        return self.call("sbatch", "--parsable", *arguments)

    def train(self, launcher, run, *options):
        return self.submit(launcher, "--nodes=2", "--ntasks-per-node=1", *options, SCRIPTS / "train.sbatch", "atlas", run,
                           *TRAIN)

    def fields(self, job, name):
        """A field of the job, of every task of an array."""
        return re.findall(rf"\b{name}=(\S*)", self.call("scontrol", "show", "job", job))

    def field(self, job, name):
        return self.fields(job, name)[0]

    def log(self, job):
        return "\n".join(f.read_text() for f in sorted(self.folder.glob(f"smeta-*-{job}*.log")))

    def until(self, condition, job, what, seconds=300):
        """Polls; the tail of the job's log says why when the time is over."""
        end = time.monotonic() + seconds
        while not condition():
            check(time.monotonic() < end,
                  f"job {job} is {self.fields(job, 'JobState')} and not {what} after {seconds} s\n{self.log(job)[-4000:]}")
            time.sleep(0.3)

    def end(self, job, expect="COMPLETED", seconds=600):
        """Waits for the end of the job or of the whole array."""
        self.until(lambda: all(state in ENDED for state in self.fields(job, "JobState")), job, "at its end", seconds)
        states = self.fields(job, "JobState")
        check(set(states) == {expect}, f"job {job} ended as {states}, expected {expect}\n{self.log(job)[-4000:]}")

    def until_epoch(self, job, epoch):
        self.until(lambda: f"epoch {epoch} of {EPOCHS}" in self.log(job), job, f"in epoch {epoch + 1}")

    def until_requeued(self, job):
        self.until(lambda: int(self.field(job, "Restarts")) > 0, job, "requeued")


def check_resumed(slurm, job):
    """The job was started again, went on from checkpoints, and trained no epoch from the beginning twice."""
    log = slurm.log(job)
    restarts = int(slurm.field(job, "Restarts"))
    starts = len(re.findall(r": start \d+ on ", log))
    check(restarts >= 1 and starts == restarts + 1, f"{restarts} restarts, {starts} starts in the log\n{log[-4000:]}")
    resumed = [int(e) for e in re.findall(r"going on from the checkpoint at epoch (\d+)", log)]
    check(resumed and max(resumed) > 1, f"the log does not tell of a checkpoint\n{log[-4000:]}")
    check(len(re.findall(rf"epoch 1 of {EPOCHS}:", log)) == 1, f"epoch 1 was trained again\n{log[-4000:]}")
    return f"{restarts} restarts, went on at epochs {resumed}"


def both_nodes(slurm, launcher, run):
    job = slurm.train(launcher, run)
    slurm.end(job)
    check(slurm.field(job, "NodeList") == "n[1-2]", f"ran on {slurm.field(job, 'NodeList')}")
    check("training rows on 2 ranks" in slurm.log(job), f"not one run on 2 ranks\n{slurm.log(job)[-4000:]}")
    check(slurm.field(job, "Restarts") == "0", "was restarted")
    return "not interrupted"


def preempted(slurm, launcher, run):
    job = slurm.train(launcher, run)
    slurm.until_epoch(job, 5)
    with slurm.held(job):
        high = slurm.submit(launcher, "--partition=high", "--nodes=2", "--ntasks-per-node=4", "--output=/dev/null",
                            "--wrap=sleep 3")
        # Back in the queue, it has no such field.
        slurm.until(lambda: "None" not in slurm.fields(job, "PreemptTime"), job, "preempted")
    slurm.until_requeued(job)
    slurm.end(high)
    slurm.end(job)
    return check_resumed(slurm, job)


def time_limit(slurm, launcher, run):
    # Slurm counts limits in minutes and looks for signals that are due every half minute: USR1 comes within 30 s.
    job = slurm.train(launcher, run, "--time=1", "--signal=B:USR1@45")
    slurm.until_epoch(job, 5)
    with slurm.held(job):
        slurm.until(lambda: "asked to stop" in slurm.log(job), job, "asked to stop")
    slurm.end(job)
    check("stopped at a checkpoint" in slurm.log(job), f"no checkpoint at the signal\n{slurm.log(job)[-4000:]}")
    return check_resumed(slurm, job)


def dead_node(slurm, launcher, run):
    job = slurm.train(launcher, run)
    slurm.until_epoch(job, 5)
    victims = slurm.processes_of_node("n2")
    check(len(victims) >= 3, f"only {len(victims)} processes on n2: not its daemon, step and rank")
    signal_all(victims, signal.SIGKILL)
    slurm.until_requeued(job)
    slurm.start()
    slurm.end(job)
    return check_resumed(slurm, job)


def check_not_requeued(slurm, launcher):
    """Neither a job whose input is wrong nor one that its user cancels."""
    wrong = slurm.submit(launcher, "--nodes=2", "--ntasks-per-node=1", SCRIPTS / "train.sbatch", "atlas", "wrong",
                         "--set", "train.epochs=none")
    slurm.end(wrong, "FAILED")
    check(slurm.field(wrong, "ExitCode") == "2:0", f"exit code {slurm.field(wrong, 'ExitCode')}")
    cancelled = slurm.train(launcher, f"cancelled_{launcher}")
    slurm.until_epoch(cancelled, 2)
    slurm.call("scancel", cancelled)
    slurm.end(cancelled, "CANCELLED")
    for job in (wrong, cancelled):
        check(slurm.field(job, "Restarts") == "0", f"job {job} was requeued\n{slurm.log(job)[-4000:]}")


def one_by_one(smeta, folder):
    """The samples of ARRAY ingested one after the other; digests of that atlas."""
    smeta.run("simulate", "--out", folder / "many", *ARRAY)
    atlas = folder / "one_by_one"
    for number in range(1, ARRAY[1] + 1):
        smeta.run("ingest", "--atlas", atlas, "--study", folder / "many" / "study.toml", "--sample", f"S{number:02}")
    return digests(atlas, WHOLE)


def check_ingest_array(smeta, slurm, launcher, atlas, reference):
    """20 jobs on one atlas at once give the atlas that they give one after the other."""
    job = slurm.submit(launcher, f"--array=0-{ARRAY[1] - 1}", SCRIPTS / "ingest_array.sbatch", atlas.name, "many/study.toml")
    slurm.end(job)
    wrong = differing(reference, digests(atlas, WHOLE))
    check(not wrong, f"ingest array: other bits in {wrong}")
    smeta.run("atlas", "verify", "--atlas", atlas)


def check_scaling(slurm, launcher):
    job = slurm.submit(launcher, "--nodes=2", "--ntasks-per-node=2", SCRIPTS / "scaling.sbatch", "atlas", *SETTINGS,
                       "--set", "train.epochs=4")
    slurm.end(job)
    header, *lines = (slurm.folder / f"smeta-scaling-{job}.tsv").read_text().splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"))) for line in lines]
    check([row["ranks"] for row in rows] == ["1", "2", "4"], f"rows of {[row['ranks'] for row in rows]} ranks")
    check(len({row["loss"] for row in rows}) == 1, f"losses {[row['loss'] for row in rows]}")
    alone = min(len(os.sched_getaffinity(0)), 4)
    for row in rows:
        shows = "speed" if int(row["ranks"]) <= alone else "correctness only"
        check(row["shows"] == shows, f"{row['ranks']} ranks on {row['processors']} processors show {row['shows']}")
        check(float(row["seconds"]) > 0 and float(row["train/step"]) > 0, f"no times in {row}")
    models = {digests(slurm.folder / f"atlas/runs/scaling-{job}-{ranks}", ["model.h5"])["model.h5"] for ranks in (1, 2, 4)}
    check(len(models) == 1, "the models of the scaling study differ")


def body(smeta, folder):
    if not shutil.which("slurmctld") or os.geteuid() != 0:
        print("needs Slurm (scripts/setup.sh --slurm) and root")
        sys.exit(77)
    smeta.run("simulate", "--out", folder / "study", *STUDY)
    atlas = folder / "atlas"
    smeta.run("ingest", "--atlas", atlas, "--study", folder / "study" / "study.toml")
    ingested = one_by_one(smeta, folder)
    for command in ("qc", "align", "reassign", "select"):
        smeta.run(command, "--atlas", atlas)
    smeta.run("train", "--atlas", atlas, "--run", "straight", *TRAIN, timeout=900)
    smeta.run("embed", "--atlas", atlas, "--run", "straight")
    reference = digests(atlas / "runs" / "straight", PUBLISHED)

    def report(what, since, result):
        print(f"{what}: {result}, same bits, {time.monotonic() - since:.0f} s", flush=True)

    slurm = Slurm(folder, smeta.executable)
    with slurm.running():
        for launcher in ("srun", "mpirun"):
            since = time.monotonic()
            check_ingest_array(smeta, slurm, launcher, folder / f"array_{launcher}", ingested)
            report(f"ingest array, {launcher}", since, f"{ARRAY[1]} tasks")
            for scenario in (both_nodes, preempted, time_limit, dead_node):
                since = time.monotonic()
                run = f"{scenario.__name__}_{launcher}"
                result = scenario(slurm, launcher, run)
                wrong = differing(reference, digests(atlas / "runs" / run, PUBLISHED))
                check(not wrong, f"{run}: other bits in {wrong}")
                report(f"{scenario.__name__}, {launcher}", since, result)
            since = time.monotonic()
            check_scaling(slurm, launcher)
            report(f"scaling study, {launcher}", since, "1, 2, 4 ranks")
            check_not_requeued(slurm, launcher)
    smeta.run("atlas", "verify", "--atlas", atlas)


main(body)
