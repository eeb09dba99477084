"""A file that all ranks write grows beyond what one rank, or every rank, may write: every rank gets the error, and the job
ends with its exit code instead of waiting."""

import os
import pathlib
import subprocess
import sys
import tempfile

LIMIT = 2_000_000
program, launcher, *flags = sys.argv[1:]


def run(file, limits):
    """Exit code and messages; `limits`: bytes that each rank may write to a file, 0: any number."""
    oversubscribe = ["--oversubscribe"] if len(limits) > os.cpu_count() else []
    done = subprocess.run([launcher, "-n", str(len(limits)), *flags, *oversubscribe, program, str(file),
                           *map(str, limits)], capture_output=True, text=True, timeout=100)
    return done.returncode, done.stderr


with tempfile.TemporaryDirectory(prefix="smeta_fault_") as folder:
    file = pathlib.Path(folder) / "x.h5mu"
    code, err = run(file, [0, 0])
    assert code == 0 and file.stat().st_size > 4_000_000, (code, err)
    for limits in ([LIMIT, LIMIT], [0, LIMIT], [LIMIT, 0]):
        file.unlink()
        code, err = run(file, limits)
        assert code == 2, (limits, code, err)
        for rank in (0, 1):
            assert f"rank {rank}: cannot write" in err, (limits, err)
    # Wherever the limit comes: HDF5's own tables or strings before the numbers, or amid them.
    for limit in (20_000, 300_000, 800_000, 3_000_000):
        for limits in ([0, limit], [limit, 0]):
            file.unlink(missing_ok=True)
            code, err = run(file, limits)
            assert code == 2 and ": cannot write" in err and "Signal:" not in err, (limits, code, err)
print("passed")
