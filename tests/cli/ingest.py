"""smeta ingest: a study enters the atlas whole, with the same bytes on any number of ranks, and once; every wrong input ends
with exit code 2 on every rank, says what is wrong, and leaves the atlas as it was."""

import json
import re
import shutil

from smeta_cli import check, differing, digests, main

SIZE = ["--samples", 2, "--spots", 60, "--genes", 50, "--metabolites", 20, "--domains", 3, "--seed", 7]
ATLAS = ["manifest.json", "registry.h5", "raw/*", "joint/*"]


def rows(out):
    lines = [line.split("\t") for line in out.splitlines() if "\t" in line]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def check_study(smeta, folder):
    study = folder / "study" / "study.toml"
    out, _ = smeta.run("ingest", "--study", study, "--atlas", folder / "atlas")
    table = rows(out)
    check([(r["sample"], r["modality"], r["outcome"]) for r in table] ==
          [(s, m, "added") for s in ("S1", "S2") for m in ("sm", "st")], out)
    check({r["rows"] for r in table if r["modality"] == "st"} == {"60"}, out)
    check({r["features"] for r in table if r["modality"] == "sm"} == {"20"}, f"every metabolite once, shared by name: {out}")
    before = digests(folder / "atlas", ATLAS)
    for np in (2, 3):
        smeta.run("ingest", "--study", study, "--atlas", folder / f"atlas{np}", np=np)
        wrong = differing(before, digests(folder / f"atlas{np}", ATLAS))
        check(not wrong, f"{np} ranks: other bytes in {wrong}")
    for np in (1, 2):
        out, _ = smeta.run("ingest", "--study", study, "--atlas", folder / "atlas", np=np)
        check({r["outcome"] for r in rows(out)} == {"unchanged"}, out)
    check(not differing(before, digests(folder / "atlas", ATLAS)), "ingesting again changed the atlas")

    # The study's own `atlas`, and samples in the other order.
    text = study.read_text()
    head, first, second = re.split(r"(?=\n\[\[sample\]\])", text)
    (folder / "study" / "turned.toml").write_text(head.replace('"atlas"', '"turned"') + second + first)
    smeta.run("ingest", "--study", folder / "study" / "turned.toml")
    wrong = differing(before, digests(folder / "study" / "turned", ATLAS))
    check(not wrong, f"samples listed in another order: other bytes in {wrong}")


def check_single(smeta, folder):
    (folder / "st.tsv").write_text("\tg1\tg2\n1x1\t1\t0\n1x2\t0\t2\n")
    (folder / "sm.tsv").write_text("spot\tm1\tm2\n1x2\t0.5\t1\n1x1\t2\t0\n")
    (folder / "labels.tsv").write_text("spot\tlabel\n1x1\ttumour\n")
    one = ["ingest", "--atlas", folder / "single", "--sample", "A", "--st", folder / "st.tsv", "--sm", folder / "sm.tsv",
           "--labels", folder / "labels.tsv"]
    out, _ = smeta.run(*one)
    check(len(rows(out)) == 2 and rows(out)[0]["cohort"] == "default", out)
    _, err = smeta.run(*one, "--cohort", "other", expect=2)
    check("--replace" in err, err)
    out, _ = smeta.run(*one, "--cohort", "other", "--replace", np=2)
    check({(r["cohort"], r["outcome"]) for r in rows(out)} == {("other", "replaced")}, out)
    manifest = json.loads((folder / "single/manifest.json").read_text())
    check(len(manifest["samples"]) == 1, "one sample")


def damaged(folder, name, damage):
    """A copy of the study in which `damage` changed something of S2: only one of two ranks meets it."""
    copy = folder / name
    shutil.copytree(folder / "study", copy)
    damage(copy / "S2")
    return ["--study", copy / "study.toml"]


def flip(path, offset, by=0xFF):
    data = bytearray(path.read_bytes())
    data[offset] ^= by
    path.write_bytes(data)


def edit(path, old, new, count=1):
    text = path.read_text(encoding="latin-1")
    check(re.search(old, text), f"{old} not in {path}")
    path.write_text(re.sub(old, new, text, count=count), encoding="latin-1")


def truncate(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def mtx_folder(folder, barcodes):
    folder.mkdir()
    (folder / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 3\n2 2 4\n")
    (folder / "barcodes.tsv").write_text("".join(b + "\n" for b in barcodes))
    (folder / "features.tsv").write_text("ENSG1\tg1\tGene Expression\nENSG2\tg2\tGene Expression\n")
    return folder


def wrong_inputs(folder):
    """Name -> (arguments, what the message must say)."""
    matrix = "visium/filtered_feature_bc_matrix.h5"

    def table(name, text):
        (folder / name).write_text(text)
        return folder / name

    def st(path):
        return ["--sample", "X", "--st", path]

    def sm(path):
        return ["--sample", "X", "--sm", path]

    return {
        "missing file": (damaged(folder, "missing", lambda s: (s / "msi/neg.ibd").unlink()), "ibd"),
        "missing folder": (damaged(folder, "gone", lambda s: shutil.rmtree(s / "visium")), "visium"),
        "wrong layout": (st(table("layout.txt", "hello\n")), "layout.txt"),
        "no matrix": (damaged(folder, "no_matrix", lambda s: (s / matrix).unlink()), "filtered_feature_bc_matrix"),
        "truncated HDF5": (damaged(folder, "cut", lambda s: truncate(s / matrix)), "filtered_feature_bc_matrix.h5"),
        "truncated ibd": (damaged(folder, "cut_ibd", lambda s: truncate(s / "msi/pos.ibd")), "pos.i"),
        "bad offset": (damaged(folder, "offset", lambda s: edit(
            s / "msi/pos.imzML", r'(accession="IMS:1000102"[^>]*value=)"\d+"', r'\1"999999999999"')), "pos.imzML"),
        "wrong UUID": (damaged(folder, "uuid", lambda s: flip(s / "msi/neg.ibd", 3)), "UUID"),
        "wrong checksum": (damaged(folder, "sha", lambda s: flip(s / "msi/neg.ibd", -1, 1)), "neg.i"),
        "mismatched features": (sm(table("features.csv", "x,y,100.1,200.2\n1,1,3,4\n2,1,3,4,5\n")), "features.csv"),
        "duplicate barcodes": (st(mtx_folder(folder / "mtx", ["AAAC-1", "AAAC-1"])), "AAAC-1"),
        "negative counts": (st(table("negative.tsv", "\tg1\tg2\n1x1\t1\t-2\n1x2\t1\t2\n")), "-2"),
        "fractional counts": (st(table("fraction.tsv", "\tg1\tg2\n1x1\t1\t2.5\n1x2\t1\t2\n")), "2.5"),
        "NaN": (sm(table("nan.csv", "x,y,100.1,200.2\n1,1,3,nan\n2,1,3,4\n")), "nan"),
        "no label": (st(table("plain.tsv", "\tg1\n1x1\t1\n")) + ["--labels", table("l.tsv", "spot\tlabel\nz\tt\n")], "l.tsv"),
        "study key": (damaged(folder, "key", lambda s: edit(s / "../study.toml", "labels = ", "label = ", 0)), "did you mean"),
        "configuration key": (damaged(folder, "set", lambda s: None) + ["--set", "ingest.nann=zero"], "did you mean 'ingest.nan'"),
        "other content": (damaged(folder, "other", lambda s: edit(s / "../study.toml", 'cohort = "C2"', 'cohort = "C3"')),
                          "--replace"),
        "two kinds": (["--sample", "X", "--st", folder / "st.tsv", "--joint", folder / "st.tsv"], "not both"),
        "nothing": ([], "--study"),
    }


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    check_study(smeta, folder)
    check_single(smeta, folder)
    before = digests(folder / "atlas", ATLAS)
    for name, (arguments, message) in wrong_inputs(folder).items():
        for np in (1, 2):
            _, err = smeta.run("ingest", "--atlas", folder / "atlas", *arguments, np=np, expect=2)
            check(message.lower() in err.lower(), f"{name}, {np} ranks: '{message}' not in the message:\n{err}")
            check(len(re.findall(r"smeta: error", err)) == 1, f"{name}: one message, not\n{err}")
            wrong = differing(before, digests(folder / "atlas", ATLAS))
            check(not wrong, f"{name}, {np} ranks: the atlas changed: {wrong}")
    left = [str(p) for p in (folder / "atlas").rglob("*tmp*")]
    check(not left, f"temporary files left: {left}")
    _, err = smeta.run("ingset", "--study", folder / "study" / "study.toml", expect=2)
    check("did you mean 'ingest'" in err, err)


main(body)
