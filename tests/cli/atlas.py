"""smeta atlas info, list, verify, remove and smeta export on a simulated study: what they print, what they find, and the
errors with exit code 2 that name what is wrong."""

import shutil

from smeta_cli import check, digests, main


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, np=np, expect=2)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset % len(content)] ^= 16
    path.write_bytes(content)


def check_verify(smeta, atlas, folder):
    for np in (1, 2, 3):
        out, _ = smeta.run("atlas", "verify", "--atlas", atlas, np=np)
        check(out.endswith("sound\n"), out)
    broken = folder / "broken"
    shutil.copytree(atlas, broken)
    joint = sorted((broken / "joint").glob("S1.*"))[0]
    for offset in (0, 4000, 9000, -1):
        flip(joint, offset)
        out, err = smeta.run("atlas", "verify", "--atlas", broken, np=2, expect=2)
        check(f"damaged\tjoint/{joint.name}" in out and "1 problem" in err, f"{offset}: {out} {err}")
        flip(joint, offset)
    (broken / "raw/S9.h5mu").write_text("x")
    out, _ = smeta.run("atlas", "verify", "--atlas", broken)
    check("unnamed\traw/S9.h5mu" in out and "sound" in out, out)
    out, _ = smeta.run("atlas", "verify", "--repair", "--atlas", broken)
    check("removed\traw/S9.h5mu" in out and not (broken / "raw/S9.h5mu").exists(), out)
    manifest = (broken / "manifest.json").read_text()
    (broken / "manifest.json").unlink()
    out, _ = smeta.run("atlas", "verify", "--atlas", broken, expect=2)
    check("damaged\tmanifest.json" in out, out)
    (broken / "manifest.json").write_text(manifest.replace('"1.2"', '"2.0"'))
    expect_error(smeta, ["manifest.json", "2.0", "newer smeta"], "atlas", "list", "--atlas", broken)
    (broken / "manifest.json").write_text(manifest.replace("raw/S1.h5mu", "../S1.h5mu"))
    expect_error(smeta, ["manifest.json", "../S1.h5mu"], "atlas", "list", "--atlas", broken)
    (broken / "manifest.json").write_text(manifest.replace('"rows":', '"rows":1', 1))
    expect_error(smeta, ["manifest.json", "xxh3", "damaged or was edited"], "atlas", "list", "--atlas", broken)
    out, _ = smeta.run("atlas", "verify", "--atlas", broken, expect=2)
    check("damaged\tmanifest.json" in out, out)


def check_accounts(out):
    """Every row that was read is kept, or dropped for a reason."""
    lines = [line.split("\t") for line in out.splitlines() if line.startswith("rows\t")]
    for _, sample, stage, text in lines:
        read, parts = text.removeprefix("read ").split(" = ")
        counts = [int(word) for part in parts.split(" + ") for word in part.split() if word.isdigit()]
        check(int(read) == sum(counts), f"{sample} {stage}: {text}")
    check(len(lines) == 12, out)


def check_no_atlas(smeta, folder):
    """A folder that is something else is no damaged atlas, and stays as it is."""
    other = folder / "other"
    (other / "raw").mkdir(parents=True)
    (other / "notes.txt").write_text("mine")
    for arguments in ([], ["--repair"]):
        expect_error(smeta, ["is not an atlas", "smeta ingest"], "atlas", "verify", "--atlas", other, *arguments, np=2)
        check(sorted(f.name for f in other.iterdir()) == ["notes.txt", "raw"], list(other.iterdir()))


def body(smeta, folder):
    study, atlas = folder / "study", folder / "study/atlas"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 60, "--genes", 40, "--metabolites", 15, "--domains", 3)
    smeta.run("ingest", "--study", study / "study.toml")
    expect_error(smeta, ["smeta reassign"], "export", "--atlas", atlas, "--out", folder / "x.h5ad")
    for stage in ("qc", "align", "reassign"):
        smeta.run(stage, "--atlas", atlas)

    out, _ = smeta.run("atlas", "list", "--atlas", atlas)
    rows = [line.split("\t") for line in out.splitlines()]
    check([row[0] for row in rows] == ["sample", "S1", "S2"], out)
    check(dict(zip(rows[0], rows[1]))["stages"] == "raw,qc,align,joint,reassign", out)
    out, _ = smeta.run("atlas", "info", "--atlas", atlas, np=2)
    check("samples\t2\n" in out and "features_st\t40\n" in out, out)
    for stage in ("raw/sm", "raw/st", "qc/sm", "qc/st", "reassign/sm", "joint"):
        check(f"rows\tS1\t{stage}\tread " in out, f"{stage}: {out}")
    check_accounts(out)
    check_verify(smeta, atlas, folder)
    check_no_atlas(smeta, folder)

    before = digests(atlas, ["manifest.json", "raw/*", "joint/*"])
    smeta.run("ingest", "--study", study / "study.toml", np=2)
    check(digests(atlas, ["manifest.json", "raw/*", "joint/*"]) == before, "ingest again changed a file")

    for name in ("x.h5ad", "x.h5mu"):
        out, _ = smeta.run("export", "--atlas", atlas, "--out", folder / name)
        check("120 rows" in out and (folder / name).exists(), out)
    expect_error(smeta, ["x.h5ad", "--force"], "export", "--atlas", atlas, "--out", folder / "x.h5ad")
    smeta.run("export", "--atlas", atlas, "--out", folder / "x.h5ad", "--force", np=2)
    expect_error(smeta, [".h5ad or .h5mu"], "export", "--atlas", atlas, "--out", folder / "x.csv")
    expect_error(smeta, ["no run 'main'"], "export", "--atlas", atlas, "--run", "main", "--out", folder / "y.h5ad")
    out, _ = smeta.run("export", "--atlas", atlas, "--out", folder / "y.h5ad", "--dry-run")
    check("rows\t120" in out and not (folder / "y.h5ad").exists(), out)

    expect_error(smeta, ["'S3'", "'S1'"], "atlas", "remove", "--atlas", atlas, "--sample", "S3")
    smeta.run("atlas", "remove", "--atlas", atlas, "--sample", "S1")
    out, _ = smeta.run("atlas", "list", "--atlas", atlas)
    check("S1" not in out and not list(atlas.glob("raw/S1*")), out)
    smeta.run("atlas", "verify", "--atlas", atlas)
    expect_error(smeta, ["is not an atlas"], "atlas", "list", "--atlas", folder / "nowhere")
    expect_error(smeta, ["is not an atlas"], "atlas", "verify", "--atlas", folder / "nowhere", np=2)


main(body)
