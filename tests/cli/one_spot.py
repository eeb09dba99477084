"""A section with one spot goes through the whole chain beside others, aligned or joined by name, without a crash or a NaN."""

import json
import math

from smeta_cli import check, losses, main

GENES = [f"g{i}" for i in range(8)]
MASSES = [f"{100 + i}.5" for i in range(6)]


def table(path, first, columns, rows):
    path.write_text("\n".join("\t".join(map(str, row)) for row in [first + columns, *rows]) + "\n")
    return path


def value(row, column):
    return (row * 7 + column * 5) % 11 + 1


def sample(folder, name, side, pixels):
    """ST on a square of `side` spots, SM on one of `pixels` pixels in the same frame."""
    spots = [(x, y) for y in range(side) for x in range(side)]
    st = table(folder / f"{name}_st.tsv", [""], GENES,
               [[f"{x}x{y}"] + [value(x + 3 * y, g) for g in range(len(GENES))] for x, y in spots])
    image = [(x, y) for y in range(pixels) for x in range(pixels)]
    sm = table(folder / f"{name}_sm.csv", ["x", "y"], MASSES,
               [[x, y] + [value(2 * x + y, m) for m in range(len(MASSES))] for x, y in image])
    sm.write_text(sm.read_text().replace("\t", ","))
    return f'\n[[sample]]\nname = "{name}"\ncohort = "c"\nst = "{st}"\nsm = "{sm}"\n'


def finite(value, where):
    if isinstance(value, float):
        check(math.isfinite(value), f"{where}: {value}")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []:
        finite(part, f"{where}/{key}")


def body(smeta, folder):
    samples = [("A", 6, 6), ("B", 1, 3), ("C", 1, 1)]
    study = folder / "study.toml"
    study.write_text('atlas = "atlas"\nrun = "main"\n' + "".join(sample(folder, *s) for s in samples))
    smeta.run("run", study, "--set", "train.epochs=3", "--set", "model.hidden=[8]", "--set", "train.lanes=2",
              "--set", "select.min_samples=1")
    run = folder / "atlas/runs/main"
    finite(losses(run), "loss")
    finite(json.loads((run / "report.json").read_text()), "report")
    check(sorted(f.stem for f in (run / "results").iterdir()) == [s[0] for s in samples], list(run.iterdir()))
    smeta.run("atlas", "verify", "--atlas", folder / "atlas")


main(body)
