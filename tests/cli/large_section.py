"""A section larger than a joint file (262,144 rows) through every command of the chain on two ranks: both write its two
files, the plan of reassign is kept, one rank gives the same bits, and anndata and mudata open what is written."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

from smeta_cli import check, differing, digest, digests, limited, main

SPOTS = 300_000
FILE_ROWS = 262_144
MIB = 1024 * 1024
PROGRAM_MIB = 64  # of the program itself, beside its data
STUDY = ["--samples", 1, "--cohorts", 1, "--spots", SPOTS, "--genes", 50, "--metabolites", 30, "--domains", 4,
         "--layout", "same", "--pixels-per-spot", 1]
STAGES = {
    "reassign": [],
    "select": ["--set", "select.n_genes=40", "--set", "select.n_metabolites=20"],
    # Two latent dimensions: neighbours are found fast.
    "train": ["--set", "model.latent=2", "--set", "train.epochs=2", "--set", "train.batch_size=4096",
              "--set", "train.reduction=fixed_tree"],
    "embed": ["--reconstruction"],
}

# Runs a command and leaves the peak memory of the process in a file of its own.
MEASURE = """
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(os.path.join(sys.argv[1], str(os.getpid())), "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""

OPEN = """
import sys, warnings
warnings.filterwarnings("ignore")
import anndata, mudata
mudata.set_options(pull_on_update=False)
rows = 0
for path in sys.argv[1:]:
    data = (anndata.read_h5ad if path.endswith("d") else mudata.read_h5mu)(path)
    assert data.obs_names.is_unique, path
    rows += data.n_obs
print(rows)
"""


def measured(smeta, folder, np, command, arguments):
    """Runs smeta; returns the peak memory of each rank in MiB, the largest first."""
    peaks = folder / "peaks"
    peaks.mkdir()
    executable, smeta.executable = smeta.executable, sys.executable
    begin = time.monotonic()
    try:
        smeta.run("-c", MEASURE, peaks, executable, command, *arguments, np=np, timeout=1200)
    finally:
        smeta.executable = executable
    memory = sorted((int(path.read_text()) / 1024 for path in peaks.iterdir()), reverse=True)
    shutil.rmtree(peaks)
    print(f"{command} on {np}: {time.monotonic() - begin:.0f} s, MiB {', '.join(f'{m:.0f}' for m in memory)}", flush=True)
    check(len(memory) == np, f"{command}: memory of {len(memory)} ranks")
    return memory


def chain(smeta, folder, atlas, np):
    """Joint files to embedding, then everything in one file; returns the peak memory of reassign."""
    for command, arguments in STAGES.items():
        run = ["--run", "main"] if command in ("train", "embed") else []
        memory = measured(smeta, folder, np, command, ["--atlas", atlas, *run, *arguments])
        if command == "reassign":
            reassign = memory
    measured(smeta, folder, np, "export", ["--atlas", atlas, "--run", "main", "--reconstruction",
                                           "--out", folder / f"{atlas.name}.h5ad"])
    return reassign


def planned(smeta, atlas):
    """MiB of memory of each rank, MiB on disk, as reassign --dry-run on two ranks tells."""
    out, _ = smeta.run("reassign", "--atlas", atlas, "--dry-run", np=2)
    samples, ranks, disk = ([line.split("\t") for line in part.splitlines()] for part in out.split("\n\n"))
    check(all(line[-1] == "all" for line in samples[1:]), f"the section is not planned for all ranks:\n{out}")
    return [float(line[2]) for line in ranks[1:]], float(dict(disk)["disk MiB"])


def check_estimate(what, plan, found):
    check(found <= plan <= 2 * found, f"{what}: planned {plan:.0f} MiB, found {found:.0f} MiB")


def check_failures(smeta, atlas):
    """One rank cannot write its part of the first file: both end, and nothing is left."""
    before = digests(atlas, ["manifest.json", "registry.h5"])
    for rank in (0, 1):
        err = limited(smeta, rank, 60_000, "reassign", "--atlas", atlas, np=2)
        check("smeta: error" in err and "cannot write" in err and "Signal:" not in err, f"rank {rank} fails:\n{err}")
        check(digests(atlas, ["manifest.json", "registry.h5"]) == before, f"rank {rank} fails: another atlas")
        check(not list(atlas.glob("joint/*")), f"rank {rank} fails: files are left")


def check_files(atlas, plan_of_disk):
    (entry,) = json.loads((atlas / "manifest.json").read_text())["samples"].values()
    files = entry["stages"]["joint"]["files"]
    rows = [file["rows"] for file in files]
    check(rows == [FILE_ROWS, SPOTS - FILE_ROWS], f"rows of the files: {rows}")
    paths = [pathlib.Path(file["path"]) for file in files]
    check([path.name.split(".")[-2] for path in paths] == ["0", "1"], f"names: {paths}")
    check_estimate("joint files", plan_of_disk, sum((atlas / path).stat().st_size for path in paths) / MIB)
    return [atlas / path for path in paths]


def check_opens(files, rows):
    python = pathlib.Path(__file__).resolve().parents[2] / ".venv/bin/python"
    if not python.exists():
        print("no .venv: anndata and mudata are not tried")
        return
    done = subprocess.run([python, "-c", OPEN, *files], capture_output=True, text=True)
    check(done.returncode == 0, f"{files}: {done.stderr}")
    check(int(done.stdout) == rows, f"{done.stdout.strip()} of {rows} rows in {files}")


def body(smeta, folder):
    two, one = folder / "two", folder / "one"
    smeta.run("simulate", "--out", folder / "study", *STUDY, timeout=1200)
    measured(smeta, folder, 2, "ingest", ["--study", folder / "study/study.toml", "--atlas", two])
    for command in ("qc", "align"):
        measured(smeta, folder, 2, command, ["--atlas", two])
    shutil.copytree(two, one)

    check_failures(smeta, two)
    plan, disk = planned(smeta, two)
    memory = chain(smeta, folder, two, 2)
    for rank, (expected, found) in enumerate(zip(plan, memory)):
        check_estimate(f"reassign, rank {rank}", expected + PROGRAM_MIB, found)
    joint = check_files(two, disk)
    chain(smeta, folder, one, 1)
    same = ["stages/*/*", "runs/main/model.h5", "runs/main/features.h5"]
    wrong = differing(digests(two, same), digests(one, same))
    check(not wrong, f"one rank, other bits: {wrong}")
    check(digest(folder / "two.h5ad") == digest(folder / "one.h5ad"), "one rank, other bits in the export")

    _, log = smeta.run("reassign", "--atlas", two)
    check("up to date" in log, f"one rank takes the files of two for others:\n{log}")
    for command in ("neighbors", "cluster", "report"):
        measured(smeta, folder, 2, command, ["--atlas", two, "--run", "main"])
    check((two / "runs/main/report.html").stat().st_size > 0, "no report")
    everything = folder / "everything.h5mu"
    measured(smeta, folder, 2, "export", ["--atlas", two, "--run", "main", "--out", everything])
    check_opens([*joint, two / "runs/main/results/S1.h5ad", everything, folder / "two.h5ad"], 4 * SPOTS)
    for atlas in (two, one):
        out, _ = smeta.run("atlas", "verify", "--atlas", atlas, np=2)
        check(out.splitlines()[-1] == "sound", out)


main(body)
