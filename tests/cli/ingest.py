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


def check_one_by_one(smeta, folder):
    """The samples of a study that enter one by one, or side by side as jobs of a cluster do, make the same atlas as all
    at once: metabolites get the same names."""
    study = folder / "study" / "study.toml"
    whole = digests(folder / "atlas", ATLAS)
    one = ["ingest", "--study", study, "--atlas"]
    _, err = smeta.run(*one, folder / "serial", "--sample", "S9", expect=2)
    check("study.toml" in err and "'S9'" in err and "S1, S2" in err, err)
    for sample in ("S2", "S1"):
        out, _ = smeta.run(*one, folder / "serial", "--sample", sample)
        check({r["sample"] for r in rows(out)} == {sample}, out)
        manifest = json.loads((folder / "serial/manifest.json").read_text())
        check(len(manifest["samples"]) == 1 + (sample == "S1"), manifest)
    wrong = differing(whole, digests(folder / "serial", ATLAS))
    check(not wrong, f"one by one: other bytes in {wrong}")
    tasks = [smeta.start(*one, folder / "array", "--sample", sample) for sample in ("S1", "S2")]
    for task in tasks:
        _, err = task.communicate(timeout=300)
        check(task.returncode == 0, err)
    wrong = differing(whole, digests(folder / "array", ATLAS))
    check(not wrong, f"side by side: other bytes in {wrong}")
    out, _ = smeta.run(*one, folder / "both", "--sample", "S2", "--sample", "S1", np=2)
    wrong = differing(whole, digests(folder / "both", ATLAS))
    check(not wrong, f"both by name: other bytes in {wrong}")
    # Another sample's damage is no reason to stop.
    text = study.read_text().replace("S2/msi/pos", "S2/msi/none")
    (folder / "study" / "gap.toml").write_text(text)
    _, err = smeta.run("ingest", "--study", folder / "study" / "gap.toml", "--atlas", folder / "gap", "--sample", "S1")
    check("'S2' takes no part" in err, err)
    smeta.run(*one, folder / "serial", "--sample", "S1", "--st", study, expect=2)
    # But the atlas's own file is: names would be others than with it.
    smeta.run(*one, folder / "hurt", "--sample", "S1")
    whole_file = (folder / "hurt/raw/S1.h5mu").read_bytes()
    (folder / "hurt/raw/S1.h5mu").write_bytes(whole_file[:1000])
    _, err = smeta.run(*one, folder / "hurt", "--sample", "S2", expect=2)
    check("raw/S1.h5mu" in err and not (folder / "hurt/raw/S2.h5mu").exists(), err)
    (folder / "hurt/raw/S1.h5mu").write_bytes(whole_file)
    smeta.run(*one, folder / "hurt", "--sample", "S2")
    wrong = differing(whole, digests(folder / "hurt", ATLAS))
    check(not wrong, f"after a repair by hand: other bytes in {wrong}")


def check_nothing_left(smeta, folder):
    """A first ingest, or chain, that fails leaves nothing behind and touches nothing that was there."""
    study = folder / "study" / "broken.toml"
    study.write_text((folder / "study" / "study.toml").read_text().replace("S2/msi/pos", "S2/msi/none"))
    here, empty, own = folder / "new" / "deep", folder / "empty", folder / "own"
    empty.mkdir()
    (own / "raw").mkdir(parents=True)
    (own / "notes.txt").write_text("mine")
    for np in (1, 2):
        for command in (["ingest", "--study", study], ["run", study]):
            for place in (here, empty):
                smeta.run(*command, "--atlas", place, np=np, expect=2)
                check(not here.parent.exists(), f"{command} left {sorted(folder.rglob('new/**/*'))}")
                check(empty.is_dir() and not list(empty.iterdir()), f"{command} left {list(empty.iterdir())}")
            _, err = smeta.run(*command, "--atlas", own, np=np, expect=2)
            check("not an atlas" in err, err)
            check(sorted(f.name for f in own.iterdir()) == ["notes.txt", "raw"], list(own.iterdir()))
    before = digests(folder / "atlas", ATLAS)
    smeta.run("ingest", "--study", study, "--atlas", folder / "atlas", expect=2)
    check(digests(folder / "atlas", ATLAS) == before, "the atlas changed")
    # While a task fails, another one works in the atlas that the first made.
    tasks = [smeta.start("ingest", "--study", study, "--atlas", here, "--sample", s) for s in ("S2", "S1")]
    codes = [(task.communicate(timeout=300), task.returncode)[1] for task in tasks]
    check(codes == [2, 0], codes)
    smeta.run("atlas", "verify", "--atlas", here)
    check(list(json.loads((here / "manifest.json").read_text())["samples"]) == ["S1"], "S1 is not in the atlas")


def check_at_once(smeta, folder):
    """Jobs that start at the same moment on an atlas that none has made yet: each ends well, all samples are there."""
    for attempt in range(4):
        atlas = folder / f"at_once{attempt}"
        tasks = []
        for sample in "ABCDEF":
            (folder / f"{sample}.tsv").write_text(f"\tg1\tg2\n1x1\t1\t{ord(sample)}\n1x2\t0\t2\n")
            tasks.append(smeta.start("ingest", "--atlas", atlas, "--sample", sample, "--st", folder / f"{sample}.tsv"))
        ends = [(task.communicate(timeout=300)[1], task.returncode) for task in tasks]
        check(all(code == 0 for _, code in ends), ends)
        manifest = json.loads((atlas / "manifest.json").read_text())
        check(sorted(manifest["samples"]) == list("ABCDEF"), manifest["samples"])
        smeta.run("atlas", "verify", "--atlas", atlas)


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
    smeta.run("atlas", "verify", "--atlas", folder / "single")
    check(len(list((folder / "single/raw").iterdir())) == 1, "the old sample's file is there")
    # What should take its place cannot be written.
    for stage in ("qc", "align", "reassign"):
        smeta.run(stage, "--atlas", folder / "single")
    smeta.run("export", "--atlas", folder / "single", "--out", folder / "single.h5ad")
    smeta.run(*one[:1], "--atlas", folder / "kept", *one[3:])
    before = digests(folder / "kept", ATLAS)
    (folder / "kept/joint").rmdir()
    (folder / "kept/joint").write_text("not a folder")
    smeta.run("ingest", "--atlas", folder / "kept", "--sample", "A", "--joint", folder / "single.h5ad", "--replace", expect=2)
    (folder / "kept/joint").unlink()
    check(not differing(before, digests(folder / "kept", ATLAS)), "the old sample is not as it was")
    smeta.run("atlas", "verify", "--atlas", folder / "kept")
    (folder / "kept/joint").mkdir()
    smeta.run("ingest", "--atlas", folder / "kept", "--sample", "A", "--joint", folder / "single.h5ad", "--replace")
    check(not list((folder / "kept/raw").iterdir()), "the old sample's file is there")


def check_warnings(smeta, folder):
    """What a user is told does not depend on the rank that met it: one warning a sample on any number of ranks."""
    text = 'atlas = "warned"\n'
    for sample in ("A", "B", "C"):
        (folder / f"{sample}.csv").write_text("x,y,100.5\n1,1,2\n1,1,3\n2,1,4\n")
        text += f'[[sample]]\nname = "{sample}"\nsm = "{sample}.csv"\n'
    (folder / "warn.toml").write_text(text)
    for np in (1, 2):
        _, err = smeta.run("ingest", "--study", folder / "warn.toml", "--atlas", folder / f"warned{np}", np=np)
        found = [line for line in err.splitlines() if "warning:" in line and "1 rows at a position" in line]
        check(len(found) == 3 and all(any(f"{s}.csv" in line for line in found) for s in "ABC"), f"np {np}: {err}")


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    check_study(smeta, folder)
    check_one_by_one(smeta, folder)
    check_nothing_left(smeta, folder)
    check_at_once(smeta, folder)
    check_single(smeta, folder)
    check_warnings(smeta, folder)


main(body)
