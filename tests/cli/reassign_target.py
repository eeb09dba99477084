"""Joint rows that are spots, pixels or places of a hexagonal grid, averages of the nearest or by area: any number of ranks gives the same
bytes, what is lost is counted, later stages and Python take the files, and what cannot be is an error with exit code 2."""

import json
import pathlib
import shutil
import subprocess

from smeta_cli import check, digests, main

OPEN = """
import sys, warnings
warnings.filterwarnings("ignore")
import mudata, numpy
mudata.set_options(pull_on_update=False)
joint = mudata.read_h5mu(sys.argv[1])
st, sm = joint["st"], joint["sm"]
x = st.X.data if hasattr(st.X, "data") and not isinstance(st.X, numpy.ndarray) else st.X
assert (x == numpy.round(x)).all(), "counts are whole"
lost = mudata.read_h5mu(sys.argv[2])
for name in sys.argv[4:]:
    obs = lost[name].obs
    assert obs["reason"].isna().equals(obs["joint_rows"] > 0), name
    assert 0 < lost[name].uns["smeta"]["reassign"]["used_share"] <= 1, name
assert set(sys.argv[4:]) == set(lost.mod), set(lost.mod)
print(joint.n_obs, joint.obs_names[0].startswith(sys.argv[3]))
"""


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, expect=2, np=np)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def stage_file(atlas, stage):
    (entry,) = json.loads((atlas / "manifest.json").read_text())["samples"].values()
    return atlas / entry["stages"][stage]["files"][0]["path"]


def check_account(smeta, atlas, modality):
    """read = rows averaged + dropped, beside what quality control kept."""
    out, _ = smeta.run("atlas", "info", "--atlas", atlas)
    line = next(line for line in out.splitlines() if f"reassign/{modality}\t" in line)
    parts = line.split("\t")[-1].replace("read ", "").split(" = ")
    check(int(parts[0]) == sum(int(part.split()[-1]) for part in parts[1].split(" + ")), line)
    kept = next(line for line in out.splitlines() if f"qc/{modality}\t" in line).split("kept ")[1].split()[0]
    check(parts[0] == kept, f"{line}: quality control kept {kept}")


def body(smeta, folder):
    study, atlas = folder / "study", folder / "atlas"
    smeta.run("simulate", "--out", study, "--samples", 1, "--spots", 300, "--genes", 60, "--metabolites", 30, "--domains", 4)
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", atlas)
    smeta.run("qc", "--atlas", atlas)
    smeta.run("align", "--atlas", atlas)
    other = folder / "other"
    shutil.copytree(atlas, other)
    python = pathlib.Path(__file__).resolve().parents[2] / ".venv/bin/python"
    cases = {"st": ("", ["sm"]), "sm": ("px_", ["st"]), "hex": ("hex_", ["sm", "st"])}
    for target, (prefix, averaged) in cases.items():
        for weights in ("nearest", "area"):
            keys = ["--set", f"reassign.target={target}", "--set", f"reassign.weights={weights}"]
            _, log = smeta.run("reassign", "--atlas", atlas, *keys, np=1)
            check("rows averaged (" in log, log)
            smeta.run("reassign", "--atlas", other, *keys, np=2, threads=2)
            paths = ["joint/*", "stages/reassign/*"]
            check(digests(atlas, paths) == digests(other, paths), f"{keys}: another number of ranks gives other bytes")
            for modality in averaged:
                check_account(smeta, atlas, modality)
            if python.exists():
                done = subprocess.run([python, "-c", OPEN, stage_file(atlas, "joint"), stage_file(atlas, "reassign"), prefix, *averaged],
                                      capture_output=True, text=True)
                check(done.returncode == 0 and done.stdout.split()[1] == "True", f"{keys}: {done.stdout} {done.stderr}")
        smeta.run("select", "--atlas", atlas)
    smeta.run("train", "--atlas", atlas, "--run", "hex", "--set", "train.epochs=1")
    smeta.run("embed", "--atlas", atlas, "--run", "hex")
    smeta.run("report", "--atlas", atlas, "--run", "hex")
    sample = json.loads((atlas / "runs/hex/report.json").read_text())["samples"][0]
    for modality in ("st", "sm"):
        check(0 < sample["modalities"][modality]["averaged_share"] <= 1, f"report: {sample}")
    check("% of the total)" in (atlas / "runs/hex/report.html").read_text(), "no share in the report's table")
    refuse(smeta, folder, study, atlas)


def refuse(smeta, folder, study, atlas):
    hexagons = ["--set", "reassign.target=hex"]
    expect_error(smeta, ["'S1'", "no place", "reassign.hex_pitch"], "reassign", "--atlas", atlas, *hexagons,
                 "--set", "reassign.hex_pitch=1e6", np=2)
    expect_error(smeta, ["reassign.hex_pitch", "number"], "reassign", "--atlas", atlas, *hexagons, "--set", "reassign.hex_pitch=-1")
    expect_error(smeta, ["reassign.target", "st | sm | hex"], "reassign", "--atlas", atlas, "--set", "reassign.target=pixel")
    named = folder / "named"
    names = [line.split("\t")[0] for line in (study / "truth/S1.spots.tsv").read_text().splitlines()[1:]]
    (folder / "sm.tsv").write_text("spot\tmz_1\tmz_2\n" + "".join(f"{name}\t{i + 1}\t{3 * i + 1}\n" for i, name in enumerate(names)))
    smeta.run("ingest", "--atlas", named, "--sample", "N", "--cohort", "C", "--st", study / "S1/visium", "--sm", folder / "sm.tsv")
    smeta.run("qc", "--atlas", named)
    for target in ("sm", "hex"):
        expect_error(smeta, ["'N'", "share their spots by name", "target = st"], "reassign", "--atlas", named,
                     "--set", f"reassign.target={target}", np=2)
    bare = folder / "bare"
    scales = study / "S1/visium/spatial/scalefactors_json.json"
    factors = json.loads(scales.read_text())
    del factors["spot_diameter_fullres"]
    scales.write_text(json.dumps(factors))
    smeta.run("ingest", "--study", study / "study.toml", "--atlas", bare)
    smeta.run("qc", "--atlas", bare)
    smeta.run("align", "--atlas", bare)
    area = ["--set", "reassign.weights=area"]
    expect_error(smeta, ["'S1'", "reassign.spot_diameter"], "reassign", "--atlas", bare, *area, np=2)
    smeta.run("reassign", "--atlas", bare, *area, "--set", "reassign.spot_diameter=100")


main(body)
