"""Samples that enter an atlas in any order, in any groups, by any ranks, with one taken out and added again, give the same bytes
of manifest, registry, joint files and selection, and so the same trained model. The samples are of all kinds: ST and SM, one of
the two alone, with lists of genes and metabolites that differ and names that do, of two species, a joint file."""

import random
import shutil

from smeta_cli import check, differing, digests, main

ORDERS = 6
INPUT = ["manifest.json", "registry.h5", "raw/*", "joint/*", "stages/*/*"]
MODEL = ["features.h5", "model.h5"]
MASSES = [200 + 3.1 * i for i in range(12)]
SHARED = 9  # of them another sample has, 4 ppm beside and so under another name
SPECIES = {"T1": "human", "T2": "mouse"}  # ten of their genes have the same symbols
TRAIN = ["--set", "train.reduction=fixed_tree", "--set", "train.epochs=2", "--set", "train.batch_size=64"]


def spots_table(path, genes, seed):
    draw = random.Random(seed)
    lines = ["\t".join(["spot", "x", "y", *genes])]
    for spot in range(40):
        lines.append("\t".join(map(str, [f"{spot % 8}x{spot // 8}", spot % 8, spot // 8, *(draw.randrange(9) for _ in genes)])))
    path.write_text("\n".join(lines) + "\n")
    return path


def pixels_table(path, masses, seed):
    draw = random.Random(seed)
    lines = [",".join(["x", "y", *(f"{mz:.4f}" for mz in masses)])]
    for pixel in range(50):
        lines.append(",".join(map(str, [pixel % 10, pixel // 10, *(round(draw.uniform(0, 50), 3) for _ in masses)])))
    path.write_text("\n".join(lines) + "\n")
    return path


def study(smeta, folder):
    """study.toml with eight samples; the names of its samples."""
    made = folder / "study"
    smeta.run("simulate", "--out", made, "--samples", 3, "--cohorts", 2, "--spots", 50, "--genes", 40, "--metabolites", 15,
              "--domains", 3)
    text = (made / "study.toml").read_text()
    more = {
        "T1": ("st", spots_table(folder / "t1.tsv", [f"Other{i}" for i in range(10)] + [f"Gene{i}" for i in range(20)], 1)),
        "T2": ("st", spots_table(folder / "t2.tsv", [f"Gene{i}" for i in range(10, 40)], 2)),
        "M1": ("sm", pixels_table(folder / "m1.csv", MASSES, 3)),
        "M2": ("sm", pixels_table(folder / "m2.csv", [mz * (1 + 4e-6) for mz in MASSES[:SHARED]] + [900.5, 901.5], 4)),
    }
    for name, (modality, path) in more.items():
        text += f'\n[[sample]]\nname = "{name}"\ncohort = "tables"\n{modality} = "{path}"\n'
        if name in SPECIES:
            text += f'obs = {{ species = "{SPECIES[name]}" }}\n'
    (made / "study.toml").write_text(text)
    alone = folder / "alone"
    smeta.run("ingest", "--study", made / "study.toml", "--sample", "S1", "--atlas", alone)
    for stage in ("qc", "align", "reassign"):
        smeta.run(stage, "--atlas", alone)
    smeta.run("export", "--atlas", alone, "--out", folder / "j1.h5ad")
    shutil.rmtree(alone)
    return made / "study.toml", ["S1", "S2", "S3", *more, "J1"]


def add(smeta, folder, atlas, text, names, np):
    """One call for those of the study, and one for the joint file."""
    named = [word for name in names if name != "J1" for word in ("--sample", name)]
    if named:
        smeta.run("ingest", "--atlas", atlas, "--study", text, *named, np=np)
    if "J1" in names:
        smeta.run("ingest", "--atlas", atlas, "--joint", folder / "j1.h5ad", "--sample", "J1", "--cohort", "joint", np=np)
    for stage in ("qc", "align", "reassign"):
        smeta.run(stage, "--atlas", atlas, np=np)


def grown(smeta, folder, text, names, draw):
    """An atlas of the samples in an order and in groups of the draw's choice."""
    atlas = folder / "grown"
    order = draw.sample(names, len(names))
    left = list(order)
    while left:
        count = draw.randint(1, min(4, len(left)))
        add(smeta, folder, atlas, text, left[:count], draw.choice([1, 2, 3]))
        left = left[count:]
    again = draw.choice(names)
    smeta.run("atlas", "remove", "--atlas", atlas, "--sample", again)
    add(smeta, folder, atlas, text, [again], 1)
    return atlas, [*order, f"{again} again"]


def trained(smeta, atlas, np=1):
    _, log = smeta.run("select", "--atlas", atlas, "--set", "select.min_samples=1", np=np)
    check(f"select: sm: {SHARED} features have other names in some samples" in log, log)
    check("select: st: 20 features have other names in some samples (10 names)" in log, log)
    out, _ = smeta.run("atlas", "info", "--atlas", atlas)
    check(f"coverage\tM2\tsm\t{SHARED + 2} of " in out and f"coverage\tM1\tsm\t{len(MASSES)} of " in out, out)
    smeta.run("train", "--atlas", atlas, *TRAIN, np=np)
    return digests(atlas, INPUT), digests(atlas / "runs/main", MODEL)


def body(smeta, folder):
    text, names = study(smeta, folder)
    first = folder / "first"
    add(smeta, folder, first, text, names, 1)
    reference, model = trained(smeta, first)
    smeta.run("atlas", "verify", "--atlas", first)
    draw = random.Random(20)
    for _ in range(ORDERS):
        atlas, order = grown(smeta, folder, text, names, draw)
        found, other = trained(smeta, atlas, np=draw.choice([1, 2]))
        check(found == reference, f"{order}: other bytes in {differing(reference, found)}")
        check(other == model, f"{order}: the same input, another model: {differing(model, other)}")
        shutil.rmtree(atlas)
    print(f"{ORDERS} orders of {len(names)} samples, {len(reference)} files")


main(body)
