"""smeta ingest: a study enters the atlas whole, with the same bytes on any number of ranks, and once. Wrong
input: wrong_input.py."""

import json
import re

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


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    check_study(smeta, folder)
    check_single(smeta, folder)


main(body)
