"""Commands that write one atlas at once: together they make the atlas that they make one after the other, with the kernel's locks
and, by strace's injection, on a file system without; one that meets a held lock waits, or says who holds it."""

import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, differing, digests, main  # noqa: E402

SAMPLES = [f"S{number}" for number in range(1, 7)]
WHOLE = ["manifest.json", "registry.h5", "raw/*.h5mu"]
HOLDER = "host elsewhere pid 1 command: a test"
F_OFD_SETLK = 37


def held(lock):
    """The manifest's lock, as another process would hold it."""
    file = open(lock, "w")
    fcntl.fcntl(file, F_OFD_SETLK, struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
    file.write(HOLDER + "\n")
    file.flush()
    return file


def ingest(study, atlas, sample):
    return ["ingest", "--atlas", str(atlas), "--study", str(study / "study.toml"), "--sample", sample]


def at_once(smeta, study, atlas, prefix=()):
    commands = [[*prefix, smeta.executable, *ingest(study, atlas, sample)] for sample in SAMPLES[1:]]
    running = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for c in commands]
    for process in running:
        err = process.communicate(timeout=300)[1]
        check(process.returncode == 0, f"{prefix}: exit code {process.returncode}: {err[-1500:]}")


def without_locks(atlas):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(atlas / "atlas.lock"), "-e", "trace=fcntl", "-e",
            "inject=fcntl:error=ENOLCK"]


def lease_of(atlas, count):
    """The lease on the manifest as another host's process would write it for the COUNTth time."""
    file = atlas / "atlas.lock.lease/0.1000"
    file.parent.mkdir(exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o666)  # a lease that is renewed is at no time empty
    os.pwrite(descriptor, f"held {count:016} {HOLDER}\n".encode(), 0)
    os.close(descriptor)


def leases(smeta, study, atlas, reference):
    at_once(smeta, study, atlas, without_locks(atlas))
    check((atlas / "atlas.lock.lease").is_dir(), "no lease was taken: not a test")
    check(not differing(reference, digests(atlas, WHOLE)), "leased: another atlas")
    smeta.run("atlas", "verify", "--atlas", atlas)

    repair = [*without_locks(atlas), smeta.executable, "atlas", "verify", "--repair", "--atlas", str(atlas)]
    lease_of(atlas, 1)
    waiting = subprocess.Popen(repair, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    count = 1
    while waiting.poll() is None and count < 600:
        count += 1
        lease_of(atlas, count)
        time.sleep(0.1)
    check(waiting.poll() == 2, f"exit code {waiting.poll()} while another process renewed its lease")
    err = waiting.communicate()[1]
    check("atlas.lock is locked by " + HOLDER in err, err)
    # Its holder is dead from here on.
    start = time.monotonic()
    done = subprocess.run(repair, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=200)
    check(done.returncode == 0, done.stderr)
    check(time.monotonic() - start >= 30, "a lease that may be alive was taken over")


def body(smeta, folder):
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", len(SAMPLES), "--spots", 50, "--genes", 40, "--metabolites", 20,
              "--domains", 3)
    one, together, leased = folder / "one", folder / "together", folder / "leased"
    for atlas in (one, together, leased):
        smeta.run(*ingest(study, atlas, SAMPLES[0]))
    for sample in SAMPLES[1:]:
        smeta.run(*ingest(study, one, sample))
    reference = digests(one, WHOLE)
    at_once(smeta, study, together)
    check(not differing(reference, digests(together, WHOLE)), "at once: another atlas")

    lock = held(one / "atlas.lock")
    _, err = smeta.run("atlas", "verify", "--repair", "--atlas", one, expect=2)
    check("atlas.lock is locked by " + HOLDER in err, err)
    waiting = smeta.start("atlas", "remove", "--atlas", one, "--sample", SAMPLES[0])
    time.sleep(3)
    check(waiting.poll() is None, "a command did not wait for the lock")
    lock.close()
    check(waiting.wait(timeout=60) == 0, waiting.communicate()[1])

    if shutil.which("strace") is None or subprocess.run(["strace", "-o", "/dev/null", "true"]).returncode != 0:
        print("strace is not there or not allowed: locks only")
        return
    leases(smeta, study, leased, reference)


main(body)
