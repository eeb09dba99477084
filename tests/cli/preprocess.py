"""smeta qc, align, reassign and select on a simulated study: pixels mapped where the truth says, stages skipped when done
and renewed when their settings change, errors with exit code 2 that name what is wrong."""

import json

from smeta_cli import check, digests, main


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, np=np, expect=2)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def check_apply(smeta, atlas, study, folder):
    lines = (study / "truth/S2.pixels.tsv").read_text().splitlines()[:20]
    header = lines[0].split("\t")
    points, out = folder / "points.tsv", folder / "mapped.tsv"
    points.write_text("\n".join(lines) + "\n")
    smeta.run("align", "--atlas", atlas, "--sample", "S2", "--apply", points, "--out", out)
    mapped = [dict(zip(header, line.split("\t"))) for line in out.read_text().splitlines()[1:]]
    check(len(mapped) == len(lines) - 1, "a point is lost")
    for row in mapped:
        for axis in "xy":
            check(abs(float(row[axis]) - float(row[f"st_{axis}"])) < 1e-2, f"a point is elsewhere: {row}")
    expect_error(smeta, ["--sample"], "align", "--atlas", atlas, "--apply", points, "--out", out)
    expect_error(smeta, ["--out"], "align", "--atlas", atlas, "--sample", "S2", "--apply", points)
    image = [*"align --sample S2 --image-scale 0.1 --apply-image".split(), study / "S2/visium/spatial/tissue_lowres_image.png"]
    text, _ = smeta.run(*image, "--atlas", atlas, "--out", folder / "mapped.png")
    names, values = (line.split("\t") for line in text.splitlines())
    check(names == ["x0", "y0", "image_scale", "width", "height"] and all(map(float, values)), text)
    smeta.run(*image, "--atlas", atlas, "--out", folder / "again.png", np=2, threads=2)
    mapped = (folder / "mapped.png").read_bytes()
    check(mapped[:4] == b"\x89PNG" and mapped == (folder / "again.png").read_bytes(), "the mapped image")
    check(int(values[3]) == int.from_bytes(mapped[16:20], "big"), "the image's width")
    expect_error(smeta, ["--image-scale"], *image[:3], *image[5:], "--atlas", atlas, "--out", folder / "no.png")
    expect_error(smeta, ["points.tsv"], *image[:-1], points, "--atlas", atlas, "--out", folder / "no.png")
    expect_error(smeta, ["not both"], *image, "--apply", points, "--atlas", atlas, "--out", folder / "no.png")
    check(not (folder / "no.png").exists(), "an image after an error")


def check_plan(smeta, *arguments, rows, np=2):
    """--dry-run: samples with their rows and ranks, memory of each rank and the disk; nothing is written."""
    out, _ = smeta.run(*arguments, "--dry-run", np=np)
    tables = [[line.split("\t") for line in part.splitlines()] for part in out.split("\n\n")]
    check(len(tables) == 3, out)
    head, lines = tables[0][0], [dict(zip(tables[0][0], line)) for line in tables[0][1:]]
    check({(r["sample"], int(r["rank"])) for r in lines} == {("S1", 0), ("S2", 1)}, out)
    check(all(float(r["MiB"]) >= 0 for r in lines), out)
    if rows:
        check([(r["modality"], r["rows"]) for r in lines if r["sample"] == "S1"] == rows, out)
    check("rows" in head or not rows, out)
    check([line[:2] for line in tables[1][1:]] == [["0", "1"], ["1", "1"]], out)
    disk = dict(tables[2])
    check(float(disk["free MiB"]) > float(disk["disk MiB"]) >= 0, out)


def check_joint(smeta, atlas, folder):
    """Thresholds that are set and do not act on joint files are a warning, one for all samples."""
    smeta.run("export", "--atlas", atlas, "--out", folder / "joint.h5ad")
    joint = folder / "joint_atlas"
    smeta.run("ingest", "--atlas", joint, "--joint", folder / "joint.h5ad")
    for stage, setting in (("qc", "qc.st_min_counts=5"), ("reassign", "reassign.max_counts=5")):
        _, log = smeta.run(stage, "--atlas", joint, "--set", setting, np=2)
        check(log.count("does not act on") == 1 and "2 of 2: S1, S2" in log, log)
        _, log = smeta.run(stage, "--atlas", joint)
        check("does not act on" not in log, log)


def body(smeta, folder):
    study, atlas = folder / "study", folder / "study/atlas"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 80, "--genes", 60, "--metabolites", 25, "--domains", 3)
    check_plan(smeta, "ingest", "--study", study / "study.toml", rows=None)
    check(not atlas.exists(), "a plan made the atlas")
    smeta.run("ingest", "--study", study / "study.toml")
    manifest = json.loads((atlas / "manifest.json").read_text())
    raw = [(m, str(s["rows"])) for m, s in manifest["samples"]["S1"]["stages"]["raw"]["modalities"].items()]
    for stage in ("qc", "align"):
        check_plan(smeta, stage, "--atlas", atlas, rows=raw)
    expect_error(smeta, ["'S1'", "smeta qc"], "reassign", "--atlas", atlas, "--dry-run")

    expect_error(smeta, ["smeta qc"], "reassign", "--atlas", atlas)
    expect_error(smeta, ["S1", "smeta reassign"], "select", "--atlas", atlas, np=2)
    expect_error(smeta, ["S1", "smeta qc"], "align", "--atlas", atlas, "--set", "align.method=fit")
    expect_error(smeta, ["S1"], "qc", "--atlas", atlas, "--sample", "S11")
    expect_error(smeta, ["st_min_counts"], "qc", "--atlas", atlas, "--set", "qc.st_min_count=1")

    for np in (1, 2):
        expect_error(smeta, ["S1.h5mu", "mod/st", "loosen qc.st_min_spots"], "qc", "--atlas", atlas,
                     "--set", "qc.st_min_spots=1000", np=np)
    expect_error(smeta, ["mod/sm", "loosen qc.sm_"], "qc", "--atlas", atlas,
                 "--set", "qc.sm_min_pixels=30", "--set", "qc.sm_max_pixels=29")
    _, log = smeta.run("qc", "--atlas", atlas, "--set", "qc.st_min_counts=1", np=2)
    check("S1" in log and "80 read = " in log, f"the contract is not logged: {log}")
    smeta.run("align", "--atlas", atlas)
    check_apply(smeta, atlas, study, folder)
    check_plan(smeta, "reassign", "--atlas", atlas, rows=raw)
    smeta.run("reassign", "--atlas", atlas)
    check_plan(smeta, "select", "--atlas", atlas, rows=[("sm", "80"), ("st", "80")])
    smeta.run("select", "--atlas", atlas, "--set", "select.n_genes=20", "--set", "select.min_samples=1", np=2)
    done = digests(atlas, ["stages/*/*", "joint/*", "manifest.json"])

    _, log = smeta.run("select", "--atlas", atlas, "--set", "select.n_genes=20", "--set", "select.min_samples=1")
    check("up to date" in log, "a finished stage is done again")
    check(digests(atlas, ["stages/*/*", "joint/*", "manifest.json"]) == done, "a finished stage changed a file")

    smeta.run("align", "--atlas", atlas, "--set", "align.method=identity")
    expect_error(smeta, ["S1", "align.transform"], "reassign", "--atlas", atlas)
    smeta.run("select", "--atlas", atlas, "--set", "select.n_genes=10", "--set", "select.min_samples=1")
    manifest = json.loads((atlas / "manifest.json").read_text())
    check(digests(atlas, ["manifest.json"])["manifest.json"] != done["manifest.json"], "new settings did nothing")
    check("select" in json.dumps(manifest), "the manifest does not name the selection")
    smeta.run("atlas", "verify", "--atlas", atlas)
    check_joint(smeta, atlas, folder)


main(body)
