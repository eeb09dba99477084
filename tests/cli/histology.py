"""The image under the spots: Space Ranger's and a sample's own (image, image_scale), in the fit, in its figure and as the outline; images that
cannot be read or do not belong to the spots are errors or flagged, never silent."""

import json
import re

from smeta_cli import check, digests, main

FIT = ["--set", "align.method=fit", "--set", "align.weight_histology=1"]


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, expect=2, np=np)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def aligned(smeta, atlas, *settings, np=1, threads=1):
    return smeta.run("align", "--atlas", atlas, *FIT, *settings, np=np, threads=threads)[1]


def body(smeta, folder):
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", 1, "--spots", 300, "--genes", 80, "--metabolites", 40, "--domains", 5)
    spatial = study / "S1/visium/spatial"
    scale = json.loads((spatial / "scalefactors_json.json").read_text())["tissue_hires_scalef"]
    use_what_comes_with_the_spots(smeta, folder, study)
    use_an_image_of_its_own(smeta, folder, study, scale)
    flag_what_lies_elsewhere(smeta, folder, study, scale)
    refuse_what_cannot_be(smeta, folder, study, scale)


def use_what_comes_with_the_spots(smeta, folder, study):
    atlas = folder / "own"
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", atlas)
    smeta.run("qc", "--atlas", atlas)
    log = aligned(smeta, atlas, "--figures", folder / "figures")
    overlap = float(re.search(r"image's tissue by ([0-9.]+)", log)[1])
    check(overlap > 0.85 and "disagree" not in log, log)
    svg = (folder / "figures/S1.align.svg").read_text()
    check("image: its tissue overlaps by" in svg and svg.count("<image ") == 1, "no image in the figure")
    check(len(svg) < 500_000, f"a figure of {len(svg)} bytes")
    done = digests(atlas, ["stages/align/*"])
    aligned(smeta, atlas, "--set", "align.weight_histology=0")
    aligned(smeta, atlas, np=2, threads=2)
    check(digests(atlas, ["stages/align/*"]).items() >= done.items(), "another number of ranks gives another fit")
    log = aligned(smeta, atlas, "--set", "align.sm_spots_to=histology")
    check(re.search(r"outlines overlap by (0\.[89]|1)", log), log)


def use_an_image_of_its_own(smeta, folder, study, scale):
    """The same picture, given by study.toml: the same tissue."""
    text = (study / "study.toml").read_text()
    image = f'[[sample]]\nimage = "S1/visium/spatial/tissue_hires_image.png"\nimage_scale = {scale}'
    (study / "image.toml").write_text(text.replace("[[sample]]", image))
    atlas = folder / "image"
    smeta.run("ingest", "--study", study / "image.toml", "--atlas", atlas)
    smeta.run("qc", "--atlas", atlas)
    log = aligned(smeta, atlas)
    check(float(re.search(r"image's tissue by ([0-9.]+)", log)[1]) > 0.85, log)
    _, log = smeta.run("ingest", "--study", study / "image.toml", "--atlas", atlas)
    expect_error(smeta, ["'S1'", "--replace"], "ingest", "--study", study / "study.toml", "--atlas", atlas)


def flag_what_lies_elsewhere(smeta, folder, study, scale):
    """Spots in a corner of the image: the fit does without it and says so, in log and figure."""
    visium, hires = study / "S1/visium", study / "S1/visium/spatial/tissue_hires_image.png"
    sm = [argument for path in ("pos", "neg") for argument in ("--sm", study / f"S1/msi/{path}.imzML") if (study / f"S1/msi/{path}.imzML").exists()]
    arguments = ["--sample", "S1", "--st", visium, *sm, "--image", hires]
    atlas = folder / "corner"
    smeta.run("ingest", "--atlas", atlas, *arguments, "--image-scale", 0.15 * scale)
    smeta.run("qc", "--atlas", atlas)
    log = aligned(smeta, atlas, "--figures", folder / "corner_figures")
    check("image and coordinates disagree" in log and "the fit did without it" in log and "image disagrees" in log, log)
    check("image: disagrees with the spots" in (folder / "corner_figures/S1.align.svg").read_text(), "no flag in the figure")
    expect_error(smeta, ["sm_spots_to", "'S1'", "disagree"], "align", "--atlas", atlas, *FIT, "--set", "align.sm_spots_to=histology", np=2)
    # Off the image altogether.
    words = ["tissue_hires_image.png", "image of sample 'S1'", "lie off it", "image_scale"]
    expect_error(smeta, words, "ingest", "--atlas", folder / "off", *arguments, "--image-scale", 3 * scale, np=2)
    check(not (folder / "off").exists(), "a refused image leaves an atlas behind")
    # Space Ranger's own factors, of another section: told at ingest, flagged by the fit.
    factors = visium / "spatial/scalefactors_json.json"
    text = factors.read_text()
    factors.write_text(json.dumps({k: 4 * v if k.startswith("tissue") else v for k, v in json.loads(text).items()}))
    atlas = folder / "factors"
    _, log = smeta.run("ingest", "--atlas", atlas, "--sample", "S1", "--st", visium, *sm)
    check("lie off it" in log and "scale factors" in log, log)
    smeta.run("qc", "--atlas", atlas)
    log = aligned(smeta, atlas)
    check("image and coordinates disagree" in log and "lie off the image" in log, log)
    factors.write_text(text)


def refuse_what_cannot_be(smeta, folder, study, scale):
    visium = study / "S1/visium"
    hires = (visium / "spatial/tissue_hires_image.png").read_bytes()
    bad = folder / "bad.png"

    def refused(words, content=None, *more):
        if content is not None:
            bad.write_bytes(content)
        expect_error(smeta, words, "ingest", "--atlas", folder / "none", "--sample", "S1", "--st", visium, "--image", bad, *more)

    refused(["bad.png", "an empty file"], b"")
    refused(["bad.png", "PNG, JPEG or TIFF"], b"x,y\n1,2\n")
    refused(["bad.png"], hires[: len(hires) // 2])
    refused(["one of image_scale"], hires, "--image-scale", scale, "--image-microns-per-pixel", 1)
    refused(["above 0"], hires, "--image-scale", -1)
    bad.unlink()
    refused(["bad.png", "No such file"])
    bad.write_bytes(hires)
    expect_error(smeta, ["image", "st"], "ingest", "--atlas", folder / "none", "--sample", "S1", "--sm", study / "S1/msi/pos.imzML", "--image", bad)
    table = folder / "st.tsv"
    table.write_text("spot\tx\ty\tg1\n" + "".join(f"s{i}\t{i % 8}\t{i // 8}\t{i + 1}\n" for i in range(64)))
    expect_error(smeta, ["image_scale", "'T'"], "ingest", "--atlas", folder / "none", "--sample", "T", "--st", table, "--image", bad)
    check(not (folder / "none").exists(), "a refused image leaves an atlas behind")


main(body)
