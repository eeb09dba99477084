"""A file that all ranks write grows beyond what one rank, or every rank, may write: every rank gets the error, and the job
ends with its exit code instead of waiting."""

import concurrent.futures
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


def check_limits(folder, limits, every_rank):
    """`every_rank`: each rank says what it could not do, for HDF5 let none of them go ahead alone."""
    code, err = run(folder / "_".join(map(str, limits)), limits)
    assert code == 2 and ": cannot write" in err and "Signal:" not in err, (limits, code, err)
    for rank in (0, 1) if every_rank else ():
        assert f"rank {rank}: cannot write" in err, (limits, err)


with tempfile.TemporaryDirectory(prefix="smeta_fault_") as folder:
    folder = pathlib.Path(folder)
    code, err = run(folder / "whole", [0, 0])
    assert code == 0 and (folder / "whole").stat().st_size > 4_000_000, (code, err)
    # Where HDF5 keeps one rank the others wait for it for 20 s: the cases wait together.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        cases = [pool.submit(check_limits, folder, limits, True) for limits in ([LIMIT, LIMIT], [0, LIMIT], [LIMIT, 0])]
        # Wherever the limit comes: HDF5's own tables or strings before the numbers, or amid them.
        cases += [pool.submit(check_limits, folder, limits, False)
                  for limit in (20_000, 300_000, 800_000, 3_000_000) for limits in ([0, limit], [limit, 0])]
        for case in cases:
            case.result()
print("passed")
