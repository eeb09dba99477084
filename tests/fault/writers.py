"""Commands that write one atlas at once: together they make the atlas that they make one after the
other; one that meets a held lock waits, or says who holds it."""

import fcntl
import os
import pathlib
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


def at_once(smeta, study, atlas):
    commands = [[smeta.executable, *ingest(study, atlas, sample)] for sample in SAMPLES[1:]]
    running = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for c in commands]
    for process in running:
        err = process.communicate(timeout=300)[1]
        check(process.returncode == 0, f"exit code {process.returncode}: {err[-1500:]}")


def body(smeta, folder):
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", len(SAMPLES), "--spots", 50, "--genes", 40, "--metabolites", 20,
              "--domains", 3)
    one, together = folder / "one", folder / "together"
    for atlas in (one, together):
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


main(body)
