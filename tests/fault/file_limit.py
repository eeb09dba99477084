"""A rank may not write beyond a limit (EFBIG, like a full disk at every further write): the command ends with exit code 2 and the
system's reason, no rank crashes or waits, the atlas stays as it was and nothing is left beside it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, digests, limited, main  # noqa: E402


FILES = ["manifest.json", "registry.h5", "raw/*"]


def body(smeta, folder):
    study, atlas = folder / "study", folder / "atlas"
    smeta.run("simulate", "--out", study, "--samples", 3, "--spots", 2000, "--genes", 3000, "--metabolites", 400,
              "--pixels-per-spot", 8)
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", atlas, "--sample", "S1")
    size = (atlas / "raw/S1.h5mu").stat().st_size // 1024
    before = digests(atlas, FILES)
    for np, rank in ((1, 0), (2, 0), (2, 1)):
        for kib in (5000, 12_000):  # MPI's own files need some MiB
            check(size > 13_000, f"a sample of {size} KiB is too small for this test")
            err = limited(smeta, rank, kib, "ingest", "--study", study / "study.toml", "--atlas", atlas, np=np)
            what = f"{np} ranks, {kib} KiB of rank {rank}:\n{err}"
            check("smeta: error: cannot" in err and "File too large" in err and "Signal:" not in err, what)
            check(digests(atlas, FILES) == before, what)
    smeta.run("atlas", "verify", "--atlas", atlas)
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", atlas, np=2)


main(body)
