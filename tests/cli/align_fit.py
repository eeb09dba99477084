"""align.method = fit on a simulated study: pixels come to the spots where the truth says, without the transform being given; any number of
ranks and threads gives the same bytes; a figure; overrides; errors with exit code 2."""

import json
import statistics

from smeta_cli import check, digests, main


def errors_in_spots(smeta, atlas, study, sample, folder):
    """Distances of all pixels from the truth after --apply, in spot pitches (100 um)."""
    out = folder / "mapped.tsv"
    truth = study / f"truth/{sample}.pixels.tsv"
    smeta.run("align", "--atlas", atlas, "--sample", sample, "--apply", truth, "--out", out)
    pitch = 100 / json.loads((study / f"truth/{sample}.json").read_text())["microns_per_image_pixel"]
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    rows = [dict(zip(lines[0], line)) for line in lines[1:]]
    return [((float(r["x"]) - float(r["st_x"])) ** 2 + (float(r["y"]) - float(r["st_y"])) ** 2) ** 0.5 / pitch for r in rows]


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, expect=2, np=np)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def body(smeta, folder):
    study, atlas = folder / "study", folder / "study/atlas"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 400, "--genes", 80, "--metabolites", 40, "--domains", 5)
    smeta.run("ingest", "--study", study / "study.toml")
    fit = ["--set", "align.method=fit"]
    expect_error(smeta, ["'S1'", "smeta qc"], "align", "--atlas", atlas, *fit)
    smeta.run("qc", "--atlas", atlas)
    _, log = smeta.run("align", "--atlas", atlas, *fit, "--figures", folder / "figures")
    check("S1: fit" in log and "confidence" in log, log)
    for sample in ("S1", "S2"):
        svg = (folder / f"figures/{sample}.align.svg").read_text()
        for panel in ("before", "after the fit", "bending: at most", "content: agrees", "pose 1: confidence"):
            check(panel in svg, f"{sample}: no panel '{panel}' in the figure")
        middle = statistics.median(errors_in_spots(smeta, atlas, study, sample, folder))
        check(middle < 1, f"{sample}: half of the pixels are more than {middle:.2f} spots away")
    done = digests(atlas, ["stages/align/*"])
    smeta.run("align", "--atlas", atlas, "--set", "align.method=identity")
    smeta.run("align", "--atlas", atlas, *fit, np=2, threads=2)
    check(digests(atlas, ["stages/align/*"]).items() >= done.items(), "another number of ranks gives another fit")
    smeta.run("reassign", "--atlas", atlas)

    header = "sm_x\tsm_y\tst_x\tst_y\n"
    truth = [line.split("\t") for line in (study / "truth/S1.pixels.tsv").read_text().splitlines()[1:]]
    marks = folder / "marks.tsv"
    marks.write_text(header + "".join("\t".join((r[0], r[1], r[3], r[4])) + "\n" for r in truth[:: len(truth) // 6]))
    smeta.run("align", "--atlas", atlas, "--sample", "S1", *fit, "--set", f"align.landmarks={marks}", "--set", "align.deformation=affine")
    middle = statistics.median(errors_in_spots(smeta, atlas, study, "S1", folder))
    check(middle < 1, f"with landmarks half of the pixels are more than {middle:.2f} spots away")
    marks.write_text(header + "1\t2\tx\t4\n")
    expect_error(smeta, ["marks.tsv", "st_x"], "align", "--atlas", atlas, *fit, "--set", f"align.landmarks={marks}")
    marks.write_text(header + "1\t2\t3\t4\n5\t6\t7\t8\n")
    expect_error(smeta, ["marks.tsv", "'S1'", "three or more"], "align", "--atlas", atlas, *fit, "--set", f"align.landmarks={marks}")
    marks.write_text(header + "".join(f"{r[0]}\t{r[1]}\t{1e7 + k}\t{r[4]}\n" for k, r in enumerate(truth[::50])))
    expect_error(smeta, ["landmark 1", "unit"], "align", "--atlas", atlas, *fit, "--set", f"align.landmarks={marks}", np=2)
    expect_error(smeta, ["align.candidates"], "align", "--atlas", atlas, *fit, "--set", "align.candidates=0")
    smeta.run("run", study / "study.toml", "--set", "train.epochs=1")
    results = atlas / "runs/main"
    page = (results / "report.html").read_text()
    check("How the imaging sections lie on the spots" in page and "alignment_S2.svg" in page, "no alignment in the report")
    check("pose 1: confidence" in (results / "figures/alignment_S2.svg").read_text(), "no poses in the report's figure")

    refuse_no_sections(smeta, folder)
    notice_what_does_not_belong_together(smeta, folder)


def notice_what_does_not_belong_together(smeta, folder):
    """No pixel left by quality control and no overlap are errors; units that cannot both be right are told."""
    study = folder / "small"
    smeta.run("simulate", "--out", study, "--samples", 1, "--spots", 100, "--genes", 60, "--metabolites", 25)
    fit = ["--set", "align.method=fit"]
    atlas = folder / "empty"
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", atlas)
    smeta.run("qc", "--atlas", atlas, "--set", "qc.sm_min_total=1e30")
    expect_error(smeta, ["'S1', modality sm", "0 points"], "align", "--atlas", atlas, *fit)

    scales = study / "S1/visium/spatial/scalefactors_json.json"
    factors = json.loads(scales.read_text())
    scales.write_text(json.dumps({k: 3 * v if "diameter" in k else v for k, v in factors.items()}))
    text = (study / "study.toml").read_text()
    far = "\n".join("align.transform = [[1, 0], [0, 1], [1e7, 0]]" if line.startswith("align.transform") else line for line in text.splitlines())
    (study / "far.toml").write_text(far)
    atlas = folder / "far"
    smeta.run("ingest", "--study", study / "far.toml", "--atlas", atlas)
    smeta.run("qc", "--atlas", atlas)
    smeta.run("align", "--atlas", atlas)
    expect_error(smeta, ["'S1'", "no spot has an imaging pixel", "align.transform"], "reassign", "--atlas", atlas)
    _, log = smeta.run("align", "--atlas", atlas, *fit)
    check("0.33" in log and "one of the units may be wrong" in log, log)


def refuse_no_sections(smeta, folder):
    """Pixels that cover no area: exit code 2 naming sample and modality."""
    fit = ["--set", "align.method=fit"]
    (folder / "st.tsv").write_text("spot\tx\ty\tg1\tg2\n" + "".join(f"s{i}\t{i % 8}\t{i // 8}\t{i + 1}\t{70 - i}\n" for i in range(64)))
    pixels = {"line": [(k, 2 * k) for k in range(40)], "few": [(0, 0), (0, 1), (1, 0), (1, 1)], "one": [(3, 4)]}
    for name, words in (("line", "one line"), ("few", "too few"), ("one", "too few")):
        (folder / f"{name}.csv").write_text("x,y,100.5,200.5\n" + "".join(f"{x},{y},{x + 1},{y + 2}\n" for x, y in pixels[name]))
        atlas = folder / name
        smeta.run("ingest", "--atlas", atlas, "--sample", "T", "--cohort", "C", "--st", folder / "st.tsv", "--sm", folder / f"{name}.csv")
        smeta.run("qc", "--atlas", atlas)
        expect_error(smeta, ["'T', modality sm", words], "align", "--atlas", atlas, *fit)


main(body)
