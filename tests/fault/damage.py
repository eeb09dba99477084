"""Damage after the fact: files of every kind of an atlas and its run are cut at every 4 KiB, and bits are flipped all over them.
`atlas verify` always finds it and names each file; readers of what is whole go on."""

import pathlib
import random
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, main  # noqa: E402

BLOCK = 4096
FLIPS = 64  # of one file
KINDS = ["raw/*.h5mu", "joint/*.h5mu", "stages/*/*", "registry.h5", "runs/main/features.h5", "runs/main/model.h5",
         "runs/main/neighbors.h5", "runs/main/results/*.h5ad", "runs/main/map/*/*.h5ad", "runs/main/map/*/prediction/*/*.h5ad",
         "runs/main/reconstruction/*.h5ad", "runs/main/checkpoints/*.ckpt", "runs/main/config.toml", "runs/main/tables/*.tsv",
         "runs/main/scores.json", "runs/main/report.json", "runs/main/map/*/summary.tsv"]


def damages(whole, draw):
    """(what, damaged content) of one file."""
    for cut in [*range(0, len(whole), BLOCK), len(whole) - 1]:
        yield f"cut at {cut}", whole[:cut]
    for _ in range(FLIPS):
        at, bit = draw.randrange(len(whole)), draw.randrange(8)
        yield f"bit {bit} of byte {at}", whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1:]
    yield "a byte too many", whole + b"x"


def one_round(smeta, atlas, round_):
    """All files are damaged at once, each in its own way; verify names all of them."""
    for file, (_, content) in round_.items():
        file.write_bytes(content)
    out, _ = smeta.run("atlas", "verify", "--atlas", atlas, expect=2)
    for file, (what, _) in round_.items():
        check(f"damaged\t{file.relative_to(atlas)}" in out, f"{file}: {what}: {out}")


def text_files(smeta, run):
    """Every text file of a run but logs is listed; what a writer leaves that dies after its line is whole."""
    listed = {line[34:] for line in (run / "checksums.txt").read_text().splitlines() if line}
    there = {str(file.relative_to(run)) for ending in ("tsv", "svg", "json", "toml", "html") for file in run.rglob(f"*.{ending}")}
    check({name for name in there if not name.startswith("map/")} == listed, f"{there ^ listed}")
    # Those that a round above would cut too often, or that others are checked by.
    for file in (run / "inputs.json", run / "report.html", next(run.glob("figures/*.svg"))):
        whole = file.read_text()
        file.write_text(whole.replace("a", "b", 1))
        out, _ = smeta.run("atlas", "verify", "--atlas", run.parents[1], expect=2)
        check(f"damaged\truns/main/{file.relative_to(run)}" in out, out)
        file.write_text(whole)
    with open(run / "checksums.txt", "a") as file:
        file.write(f"\n{0:032x}  tables/{next(run.glob('tables/*.tsv')).name}\n{0:030x}")  # the second line is cut short
    smeta.run("report", "--atlas", run.parents[1])
    smeta.run("atlas", "verify", "--atlas", run.parents[1])


def body(smeta, folder):
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 300, "--genes", 120, "--metabolites", 60, "--domains", 3)
    smeta.run("run", study / "study.toml", "--set", "train.epochs=2", "--set", "model.hidden=[32]")
    atlas = study / "atlas"
    smeta.run("embed", "--atlas", atlas, "--run", "main", "--reconstruction")
    smeta.run("export", "--atlas", atlas, "--out", folder / "query.h5ad")
    smeta.run("map", "--atlas", atlas, "--query", folder / "query.h5ad", "--predict", "sm")
    smeta.run("score", "--atlas", atlas, "--run", "main")
    draw = random.Random(5)
    whole = {}
    for kind in KINDS:
        files = sorted(atlas.glob(kind))
        check(files, f"no file of {kind}")
        whole[files[-1]] = files[-1].read_bytes()
    cases = {file: list(damages(content, draw)) for file, content in whole.items()}
    rounds = max(map(len, cases.values()))
    for i in range(rounds):
        one_round(smeta, atlas, {file: of_file[i] for file, of_file in cases.items() if i < len(of_file)})
    for file, content in whole.items():
        file.write_bytes(content)
    smeta.run("atlas", "verify", "--atlas", atlas, np=2)
    text_files(smeta, atlas / "runs/main")
    other = folder / "other"
    shutil.copytree(atlas, other)
    (sorted(other.glob("joint/S1.*"))[0]).write_bytes(b"")
    smeta.run("qc", "--atlas", other, "--sample", "S2")  # what is whole is read
    print(f"{sum(map(len, cases.values()))} damages in {rounds} rounds, all found")


main(body)
