"""A rank may not write beyond a limit (EFBIG, like a full disk at every further write): raw files, the registry, joint files,
checkpoints and results. Each command ends with exit code 2 and the system's reason, no rank crashes or waits, what was there
stays as it was and nothing is left beside it; without the limit the same command completes."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, digests, limited, main  # noqa: E402


FILES = ["manifest.json", "registry.h5", "raw/*", "joint/*", "stages/*/*"]
KIB = 5000  # MPI's own files need some MiB
RANKS = ((1, 0), (2, 0), (2, 1))


def check_refused(smeta, atlas, rank, kib, *arguments, np):
    before = digests(atlas, FILES)
    err = limited(smeta, rank, kib, *arguments, np=np)
    what = f"{arguments}, {np} ranks, {kib} KiB of rank {rank}:\n{err}"
    check("smeta: error: cannot" in err and "File too large" in err and "Signal:" not in err, what)
    check(digests(atlas, FILES) == before, what)
    left = [str(f) for f in atlas.rglob("*.tmp.*")]
    check(not left, f"{what}\nleft: {left}")


def check_size(files, kib):
    largest = max(f.stat().st_size for f in files) // 1024
    check(largest > kib + 100, f"{files[-1]} of {largest} KiB is too small for this test")


def check_registry(smeta, folder):
    """Samples of few spots and many genes, none in two: the registry outgrows every other file."""
    atlas = folder / "wide"
    number = 0

    def table():
        nonlocal number
        number += 1
        genes = [f"a_gene_with_a_rather_long_name_{number}_{i}" for i in range(12_000)]
        path = folder / f"wide{number}.tsv"
        path.write_text("".join("\t".join(line) + "\n" for line in (
            ["spot", "x", "y", *genes], ["a", "0", "0", *["1"] * len(genes)], ["b", "1", "0", *["2"] * len(genes)])))
        return ["ingest", "--atlas", atlas, "--sample", f"W{number}", "--st", path]

    while not atlas.exists() or (atlas / "registry.h5").stat().st_size < KIB * 1000:
        smeta.run(*table())
    check_size([atlas / "registry.h5"], KIB * 3 // 4)
    more = table()
    before = digests(atlas, FILES)
    for np in (1, 2):
        err = limited(smeta, 0, KIB, *more, np=np)
        check("registry.h5" in err and "File too large" in err and "Signal:" not in err, err)
        # The new raw file may have its name already, which nothing says yet.
        check(digests(atlas, FILES).items() >= before.items(), f"{np} ranks: a file changed\n{err}")
        smeta.run("atlas", "verify", "--atlas", atlas)
    smeta.run("atlas", "verify", "--repair", "--atlas", atlas)
    check(digests(atlas, FILES) == before, "repair leaves what nothing names")
    left = [str(f) for f in atlas.rglob("*.tmp.*")]
    check(not left, f"left: {left}")
    smeta.run(*more, np=2)
    check_size([atlas / "registry.h5"], KIB)
    check(max(f.stat().st_size for f in (atlas / "raw").iterdir()) // 1024 < KIB, "the raw file was refused")
    smeta.run("atlas", "verify", "--atlas", atlas)


def check_command(smeta, atlas, written, *arguments):
    for np, rank in RANKS[::2]:
        check_refused(smeta, atlas, rank if "train" not in arguments else 0, KIB, *arguments, np=np)
    smeta.run(*arguments, np=2)
    check_size(list(atlas.glob(written)), KIB)


def body(smeta, folder):
    study, atlas = folder / "study", folder / "atlas"
    smeta.run("simulate", "--out", study, "--samples", 3, "--spots", 2000, "--genes", 3000, "--metabolites", 400,
              "--pixels-per-spot", 8)
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", atlas, "--sample", "S1")
    check_size([atlas / "raw/S1.h5mu"], 12_900)
    ingest = ["ingest", "--study", study / "study.toml", "--atlas", atlas]
    for np, rank in RANKS:
        for kib in (KIB, 12_000):
            check_refused(smeta, atlas, rank, kib, *ingest, np=np)
    smeta.run(*ingest, np=2)
    for stage in ("qc", "align"):
        smeta.run(stage, "--atlas", atlas)
    check_command(smeta, atlas, "joint/*", "reassign", "--atlas", atlas)
    smeta.run("select", "--atlas", atlas)
    wide = ["--set", "model.hidden=[256]", "--set", "model.latent=300"]
    check_command(smeta, atlas, "runs/main/model.h5", "train", "--atlas", atlas, *wide, "--set", "train.epochs=1",
                  "--set", "train.checkpoint_minutes=0")
    check_command(smeta, atlas, "runs/main/results/*", "embed", "--atlas", atlas)
    smeta.run("atlas", "verify", "--atlas", atlas)
    check_registry(smeta, folder)


main(body)
