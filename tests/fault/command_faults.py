"""The commands that write (ingest, reassign, train with its checkpoints, embed, cluster) while strace kills one rank at each of
its renames, syncs, writes and opens of files of the atlas, or refuses the call; on 1 and 2 ranks. After every fault each file
that was there has its old or its new content and the atlas verifies; the same command again ends with the bits of an
undisturbed run, and repair leaves nothing behind. quick_faults.py takes a few of them."""

import collections
import concurrent.futures
import copy
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import Failure, check, differing, digests, kill, main  # noqa: E402

CALLS = ["rename", "fsync", "pwrite64", "openat"]
EVERY = 10**9
FAULTS = {"rename": ["signal=SIGKILL", "error=EIO"], "fsync": ["signal=SIGKILL", "error=ENOSPC"],
          "pwrite64": ["signal=SIGKILL", "error=ENOSPC"], "openat": ["signal=SIGKILL", "error=ENOSPC"]}
TIMEOUT = 120


class Case:
    """A command, the atlas it starts from, and what it must leave."""

    def __init__(self, name, arguments, files):
        self.name = name
        self.arguments = arguments  # of the atlas and the number of ranks
        self.files = files


def traced(smeta, arguments, np, rank, *options):
    """Runs the command with strace around one rank; returns its exit code (None: it did not end) and messages."""
    script = f'test "${{OMPI_COMM_WORLD_RANK:-0}}" != {rank} || exec strace -f -qq "$@"; shift {len(options)}; exec "$@"'
    shell = copy.copy(smeta)
    shell.executable = "sh"
    process = shell.start("-c", script, "sh", *options, smeta.executable, *arguments, np=np, fails=True)
    try:
        return process.communicate(timeout=TIMEOUT)[1], process.returncode
    except subprocess.TimeoutExpired:
        return kill(process)[1], None


def calls_on(smeta, case, atlas, np, rank, log):
    """Call -> for the calls that touch the atlas their numbers in the count of the process that makes most of them."""
    traced(smeta, case.arguments(atlas, np), np, rank, "-y", "-o", log, "-e", "trace=" + ",".join(CALLS))
    found = {call: collections.defaultdict(list) for call in CALLS}
    seen = collections.Counter()
    for line in log.read_text().splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            process, call = match[1], match[2]
            seen[process, call] += 1
            if str(atlas) in line and "atlas.lock" not in line and "run.lock" not in line:
                found[call][process].append(seen[process, call])
    return {call: max(numbers.values(), key=len, default=[]) for call, numbers in found.items()}


def chosen(numbers, most):
    if len(numbers) <= most:
        return numbers
    return sorted({numbers[i * (len(numbers) - 1) // (most - 1)] for i in range(most)})


def digests_if_any(folder, files):
    there = [pattern for pattern in files if list(folder.glob(pattern))]
    return digests(folder, there) if there else {}


def check_old_or_new(before, atlas, reference, files, what):
    """Nothing that was there is lost or half written."""
    old, now = digests_if_any(before, files), digests_if_any(atlas, files)
    for name in old:
        check(now.get(name) in (old[name], reference.get(name)), f"{what}: {name} of neither state")


def one_fault(smeta, case, folder, before, reference, np, rank, call, fault, number):
    what = f"{case.name}, rank {rank} of {np}, {call} {number}: {fault}"
    atlas = folder / f"faulty_{call}_{fault}_{number}"
    shutil.copytree(before, atlas)
    # With a filter only the calls in question stop the process, but strace 6.1 then sends no signal.
    quick = ["--seccomp-bpf"] if fault.startswith("error") else []
    err, code = traced(smeta, case.arguments(atlas, np), np, rank, *quick, "-o", "/dev/null", "-e", f"trace={call}", "-e",
                       f"inject={call}:{fault}:when={number}")
    check(code is not None, f"{what}: no end after {TIMEOUT} s: {err[-1500:]}")
    if fault.startswith("error"):  # mpirun may crash on its own as it ends: libpmix 4.2.2
        crashed = code == -11 if np == 1 else "exited on signal 11" in err
        check(not crashed, f"{what}: {err[-1500:]}")
    check_old_or_new(before, atlas, reference, case.files, what)
    if code == 0:
        wrong = differing(reference, digests(atlas, case.files))
        check(not wrong, f"{what}: exit code 0 but other content: {wrong}")
    smeta.run("atlas", "verify", "--atlas", atlas)
    smeta.run(*case.arguments(atlas, np), np=np)
    smeta.run("atlas", "verify", "--repair", "--atlas", atlas)
    wrong = differing(reference, digests(atlas, case.files))
    check(not wrong, f"{what}: another content after the second try: {wrong}")
    left = [str(f) for f in atlas.rglob("*.tmp.*")]
    check(not left, f"{what}: leftovers after repair: {left}")
    shutil.rmtree(atlas)
    return code != 0


def sweep(smeta, case, folder, before, most=EVERY):
    """At most so many numbers of each call of one command, spread evenly; returns the atlas of an undisturbed run on one rank."""
    after = None
    for np, rank in ((1, 0), (2, 0), (2, 1)):
        probe = folder / "probe"
        shutil.rmtree(probe, ignore_errors=True)
        shutil.copytree(before, probe)
        numbers = calls_on(smeta, case, probe, np, rank, folder / "calls.log")
        reference = digests(probe, case.files)
        faults = [(call, fault, number) for call in CALLS for fault in FAULTS[call] for number in chosen(numbers[call], most)]
        fail = functools.partial(one_fault, smeta, case, folder, before, reference, np, rank)
        stopped = collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for (call, fault, _), was_stopped in zip(faults, pool.map(lambda case: fail(*case), faults)):
                    stopped[f"{call} {fault}"] += was_stopped
            except Failure:
                pool.shutdown(cancel_futures=True)
                raise
        print(f"{case.name}, rank {rank} of {np}: calls on the atlas "
              f"{ {call: len(list_) for call, list_ in numbers.items()} }, stopped {dict(stopped)}", flush=True)
        idle = [name for name, count in stopped.items() if name.endswith("SIGKILL") and count == 0]
        check(not idle, f"{case.name}: nothing was killed: {idle}")
        after = after or shutil.copytree(probe, folder / f"after_{case.name}")
    return after


def skip_without_strace():
    if shutil.which("strace") is None or subprocess.run(["strace", "-o", "/dev/null", "true"]).returncode != 0:
        print("strace is not there or not allowed")
        sys.exit(77)


def small_study(smeta, folder):
    """A study of three samples, and an atlas of the first: each of two ranks can add one."""
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", 3, "--spots", 60, "--genes", 40, "--metabolites", 15, "--domains", 3)
    text = study / "study.toml"
    empty = folder / "first"
    smeta.run("ingest", "--study", text, "--atlas", empty, "--sample", "S1")
    return text, empty


def ingest_case(text):
    def arguments(path, np):
        return ["ingest", "--study", text, "--atlas", path, *(["--sample", "S2"] if np == 1 else [])]

    return Case("ingest", arguments, ["manifest.json", "registry.h5", "raw/*"])


def body(smeta, folder):
    skip_without_strace()
    text, empty = small_study(smeta, folder)
    named = ["manifest.json", "registry.h5", "raw/*", "stages/*/*", "joint/*"]
    short = ["--set", "train.reduction=fixed_tree", "--set", "train.epochs=2", "--set", "train.checkpoint_minutes=0",
             "--set", "train.batch_size=64"]
    run = ["--run", "main"]

    def stage(*words):
        return lambda atlas, np: [words[0], "--atlas", atlas, *words[1:]]

    atlas = sweep(smeta, ingest_case(text), folder, empty)
    smeta.run("atlas", "remove", "--atlas", atlas, "--sample", "S1")  # one sample a rank is enough
    for name in ("qc", "align"):
        smeta.run(name, "--atlas", atlas)
    atlas = sweep(smeta, Case("reassign", stage("reassign"), ["manifest.json", "joint/*"]), folder, atlas)
    smeta.run("select", "--atlas", atlas)
    atlas = sweep(smeta, Case("train", stage("train", *run, *short), ["runs/main/model.h5", "runs/main/features.h5"]),
                  folder, atlas)
    atlas = sweep(smeta, Case("embed", stage("embed", *run), ["runs/main/results/*.h5ad"]), folder, atlas)
    sweep(smeta, Case("cluster", stage("cluster", *run), ["runs/main/results/*.h5ad"]), folder, atlas)
    smeta.run("atlas", "verify", "--atlas", atlas)
    check(digests(atlas, named), "an atlas at the end")


if __name__ == "__main__":
    main(body)
