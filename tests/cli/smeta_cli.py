"""Helpers of the tests that run the executable: launch it (also under mpirun), compare folders, report failures."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys


class Failure(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


class Smeta:
    """The executable and the launcher, as CMake passes them: SMETA MPIEXEC [launcher flags...]."""

    def __init__(self, arguments):
        self.executable = arguments[0]
        self.launcher = arguments[1]
        self.launcher_flags = arguments[2:]

    def command(self, arguments, np=1, fails=False):
        if np == 1:
            return [self.executable, *map(str, arguments)]
        flags = list(self.launcher_flags)
        if fails:  # mpirun else sleeps for 1 or 2 s between the signals it sends to ranks that have ended
            flags += ["--mca", "odls_base_sigkill_timeout", "0"]
        if np > os.cpu_count():
            flags.append("--oversubscribe")
        return [self.launcher, "-n", str(np), *flags, self.executable, *map(str, arguments)]

    def start(self, *arguments, np=1, threads=1, fails=False):
        # Ranks that wait for each other leave their processor to the tests beside this one.
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_MCA_mpi_yield_when_idle="1")
        return subprocess.Popen(
            self.command(arguments, np, fails), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            start_new_session=True)

    def run(self, *arguments, np=1, threads=1, expect=0, timeout=300):
        process = self.start(*arguments, np=np, threads=threads, fails=expect != 0)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            out, err = kill(process)
            raise Failure(f"no end after {timeout} s: {arguments} np={np}\n{err[-2000:]}")
        check(process.returncode == expect,
              f"exit code {process.returncode}, expected {expect}: smeta {' '.join(map(str, arguments))} (np {np})\n"
              f"{out[-1000:]}\n{err[-3000:]}")
        return out, err


def limited(smeta, rank, kib, *arguments, np=1, timeout=300):
    """Runs smeta, which must end with exit code 2, while one rank may write no file beyond `kib`; returns what it printed."""
    executable, smeta.executable = smeta.executable, "sh"
    script = f'test "${{OMPI_COMM_WORLD_RANK:-0}}" != {rank} || ulimit -f {2 * kib}; exec "$0" "$@"'
    try:
        return smeta.run("-c", script, executable, *arguments, np=np, expect=2, timeout=timeout)[1]
    finally:
        smeta.executable = executable


def kill(process):
    """SIGKILL to everything the process started (a launcher puts its ranks into process groups of their own, but they
    stay in its session); returns what it had printed."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            except (OSError, ValueError):
                continue
            if session == process.pid:
                os.kill(int(entry.name), signal.SIGKILL)
    return process.communicate()


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def digests(folder, patterns):
    """Path below `folder` -> digest of every file that matches one of the patterns; at least one must."""
    folder = pathlib.Path(folder)
    found = {str(f.relative_to(folder)): digest(f) for p in patterns for f in sorted(folder.glob(p))}
    check(found, f"no file of {patterns} in {folder}")
    return found


def differing(a, b):
    return sorted(name for name in set(a) | set(b) if a.get(name) != b.get(name))


def losses(run_folder):
    """Total loss of every epoch from metrics.jsonl."""
    lines = (pathlib.Path(run_folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"]["total"] for line in lines]


def main(body):
    """Runs body(Smeta, temporary folder); exit code 1 with the message on a failure."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="smeta_cli_") as folder:
        try:
            body(Smeta(sys.argv[1:]), pathlib.Path(folder))
        except Failure as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            sys.exit(1)
    print("passed")
