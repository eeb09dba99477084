"""A sample is added to an atlas while the kernel, by strace's injection, kills the process at each of its renames and syncs and
at some of its writes, or refuses them: the old atlas stays sound, nothing of the new sample is visible before the commit,
and the same command run again ends with the atlas of an undisturbed run, byte for byte."""

import collections
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, differing, digests, main  # noqa: E402

CALLS = ["rename", "fsync", "pwrite64"]  # "write" is the MPI library's too, which waits for ever when it fails
FILES = ["manifest.json", "registry.h5", "raw/*.h5mu"]
POINTS = 6  # of calls that are many


def traced(smeta, arguments, *options):
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *options, smeta.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def call_counts(smeta, arguments, log):
    """Calls of the process that renames: the launcher's helpers make none."""
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + ",".join(CALLS), smeta.executable,
                    *map(str, arguments)], check=True, capture_output=True, timeout=120)
    by_process = collections.defaultdict(collections.Counter)
    for line in log.read_text().splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            by_process[match[1]][match[2]] += 1
    return max(by_process.values(), key=lambda counts: counts["rename"])


def chosen(count, everything):
    if everything or count <= POINTS:
        return range(1, count + 1)
    return sorted({1 + i * (count - 1) // (POINTS - 1) for i in range(POINTS)})


def body(smeta, folder):
    if shutil.which("strace") is None or subprocess.run(["strace", "-o", "/dev/null", "true"]).returncode != 0:
        print("strace is not there or not allowed")
        sys.exit(77)
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 40, "--genes", 30, "--metabolites", 12, "--domains", 3)

    def add(atlas, sample):
        source = study / sample
        return ["ingest", "--atlas", atlas, "--sample", sample, "--cohort", "c", "--st", source / "visium",
                "--sm", source / "msi/pos.imzML"]

    before, after = folder / "before", folder / "after"
    smeta.run(*add(before, "S1"))
    shutil.copytree(before, after)
    counts = call_counts(smeta, add(after, "S2"), folder / "calls.log")
    check(counts["rename"] >= 2 and counts["fsync"] >= 4, f"a commit renames and syncs: {counts}")
    reference, old = digests(after, FILES), digests(before, FILES)

    stopped = 0
    for call in CALLS:
        faults = ["signal=SIGKILL"] + (["error=ENOSPC"] if call != "rename" else ["error=EIO"])
        for fault in faults:
            for number in chosen(counts[call], call in ("rename", "fsync")):
                what = f"{call} {number} of {counts[call]}: {fault}"
                atlas = folder / "faulty"
                shutil.rmtree(atlas, ignore_errors=True)
                shutil.copytree(before, atlas)
                ended = traced(smeta, add(atlas, "S2"), "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}")
                if ended.returncode != 0:
                    stopped += 1
                now = digests(atlas, FILES)
                committed = now["manifest.json"] == reference["manifest.json"]
                check(committed or now["manifest.json"] == old["manifest.json"], f"{what}: a manifest of neither state")
                check(committed or ended.returncode != 0, f"{what}: exit code 0 without a commit")
                if fault.startswith("error") and not committed:
                    check("smeta: error" in ended.stderr and "SIGSEGV" not in ended.stderr,
                          f"{what}: no message, exit code {ended.returncode}: {ended.stderr[-500:]}")
                smeta.run("atlas", "verify", "--atlas", atlas)
                smeta.run(*add(atlas, "S2"))
                smeta.run("atlas", "verify", "--repair", "--atlas", atlas)
                wrong = differing(reference, digests(atlas, FILES))
                check(not wrong, f"{what}: another atlas after the second try: {wrong}")
                left = [str(f) for f in atlas.rglob("*.tmp.*")]
                check(not left, f"{what}: leftovers after repair: {left}")
    check(stopped >= 20, f"only {stopped} commands were stopped: not a test")
    print(f"{stopped} commands stopped by {dict(counts)}")


main(body)
