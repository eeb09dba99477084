"""smeta simulate: the bytes depend on the options alone, not on ranks, threads or --only; the layout is what instruments
write; wrong options end with exit code 2."""

import json
import struct
import xml.etree.ElementTree

from smeta_cli import check, differing, digests, main

SIZE = ["--samples", 3, "--spots", 80, "--genes", 60, "--metabolites", 25, "--domains", 3, "--seed", 4]


def table(path):
    lines = path.read_text().splitlines()
    return [dict(zip(lines[0].split("\t"), line.split("\t"))) for line in lines[1:]]


def check_layout(study):
    positions = (study / "S1/visium/spatial/tissue_positions.csv").read_text().splitlines()
    check(positions[0] == "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres", positions[0])
    inside = {p.split(",")[0]: p.split(",") for p in positions[1:] if p.split(",")[1] == "1"}
    check(len(positions) == 4993 and len(inside) == 80, f"{len(positions)} positions, {len(inside)} in the tissue")
    scale = json.loads((study / "S1/visium/spatial/scalefactors_json.json").read_text())
    for name in ("hires", "lowres"):
        png = (study / f"S1/visium/spatial/tissue_{name}_image.png").read_bytes()
        check(png[:8] == b"\x89PNG\r\n\x1a\n", f"{name} image is no PNG")
        width, height = struct.unpack(">II", png[16:24])
        x, y = (max(float(p.split(",")[i]) for p in positions[1:]) * scale[f"tissue_{name}_scalef"] for i in (5, 4))
        check(x < width and y < height, f"the array reaches beyond the {name} image")
    truth = table(study / "truth/S1.spots.tsv")
    check({row["spot"] for row in truth} == set(inside), "truth names other spots than the positions file")
    check({row["domain"] for row in truth} <= {"D1", "D2", "D3"}, "unknown domain")

    # The true transform maps each pixel where the truth says.
    pixels = table(study / "truth/S1.pixels.tsv")
    true = json.loads((study / "truth/S1.json").read_text())["transform"]
    for row in pixels:
        x, y = float(row["x"]), float(row["y"])
        for (a, b), t, where in zip(true["a"], true["t"], ("st_x", "st_y")):
            check(abs(a * x + b * y + t - float(row[where])) < 1e-2, f"pixel {x}, {y} is elsewhere")
    space = "{http://psi.hupo.org/ms/mzml}"
    listed = {(row["x"], row["y"]) for row in pixels}
    for polarity in ("pos", "neg"):
        root = xml.etree.ElementTree.parse(study / f"S1/msi/{polarity}.imzML").getroot()
        seen = set()
        for scan in root.iter(f"{space}scan"):
            values = {p.get("accession"): p.get("value") for p in scan.iter(f"{space}cvParam")}
            seen.add((values["IMS:1000050"], values["IMS:1000051"]))
        check(seen <= listed and len(seen) > 0.9 * len(listed), f"{polarity}: {len(seen)} of {len(listed)} pixels")


def check_alignment(smeta, folder):
    """Adjacent sections with enough spots are fitted by default; the true transforms are there for those who ask."""
    for spots, layout, fitted in ((300, "adjacent", True), (299, "adjacent", False), (300, "same", False)):
        out = folder / f"{layout}{spots}"
        smeta.run("simulate", "--out", out, "--samples", 1, "--spots", spots, "--genes", 60, "--metabolites", 25, "--layout", layout)
        text = (out / "study.toml").read_text()
        check(('[align]\nmethod = "fit"' in text) == fitted, f"{spots} spots, {layout}: {text}")
        check("align.transform = [[" in text, text)


def body(smeta, folder):
    check_alignment(smeta, folder)
    smeta.run("simulate", "--out", folder / "one", *SIZE)
    check_layout(folder / "one")
    reference = digests(folder / "one", ["**/*.*"])
    for name, np, threads in (("two", 2, 1), ("threads", 1, 2), ("four", 4, 1)):
        smeta.run("simulate", "--out", folder / name, *SIZE, "--threads", threads, np=np, threads=threads)
        wrong = differing(reference, digests(folder / name, ["**/*.*"]))
        check(not wrong, f"{np} ranks, {threads} threads: other bytes in {wrong}")
    for sample in ("S1", "S2", "S3"):
        smeta.run("simulate", "--out", folder / "parts", *SIZE, "--only", sample)
    check(not differing(reference, digests(folder / "parts", ["**/*.*"])), "--only writes other bytes")

    smeta.run("simulate", "--out", folder / "continuous", *SIZE, "--mode", "continuous", "--layout", "same")
    text = (folder / "continuous/S1/msi/pos.imzML").read_text(encoding="latin-1")
    check("IMS:1000030" in text and "IMS:1000031" not in text, "not declared continuous")

    sizes = folder / "sizes.tsv"
    sizes.write_text("sample\tspots\nbig\t60\nsmall\t2\n")
    smeta.run("simulate", "--out", folder / "sized", *SIZE, "--sizes", sizes)
    check(len(table(folder / "sized/truth/small.spots.tsv")) == 2, "sizes are not followed")
    out, _ = smeta.run("simulate", "--out", folder / "dry", *SIZE, "--dry-run")
    check("S3\tC1\t80" in out and not (folder / "dry").exists(), out)

    for wrong, message in ((["--samples", 0], "at least 1"), (["--only", "S9"], "no such sample"), (["--layout", "sam"], "layout"),
                           (["--sizes", folder / "none"], "none"), (["--seed", 5], "another study"), (["--spotz", 5], "spotz")):
        for np in (1, 2):
            at = SIZE.index(wrong[0]) if wrong[0] in SIZE else len(SIZE)
            _, err = smeta.run("simulate", "--out", folder / "one", *SIZE[:at], *SIZE[at + 2:], *wrong, np=np, expect=2)
            check(message in err and err.count("error:") == 1, f"{wrong}: {err}")
    check(not differing(reference, digests(folder / "one", ["**/*.*"])), "a refused command changed the study")


main(body)
