"""Alignment of real sections with known answers: two MERFISH slices (mean error at 13 landmarks; 2,011 um unaligned) and a MALDI grid on Visium spots of
one mouse brain section, from shape alone (overlap of the outlines)."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

SMETA = sys.argv[1]
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"


def smeta(*arguments):
    done = subprocess.run([SMETA, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
    return done.stderr


def write_st(path, points, values):
    lines = ["spot\tx\ty\tdensity"]
    lines += [f"s{i}\t{x}\t{y}\t{v}" for i, ((x, y), v) in enumerate(zip(points, values))]
    path.write_text("\n".join(lines) + "\n")


def write_sm(path, points, values):
    lines = ["x,y,100.0"] + [f"{x},{y},{v}" for (x, y), v in zip(points, values)]
    path.write_text("\n".join(lines) + "\n")


def align(folder, *settings, image=()):
    atlas = folder / "atlas"
    if not atlas.exists():
        smeta("ingest", "--atlas", atlas, "--sample", "S", "--cohort", "C", "--st", folder / "st.tsv", "--sm", folder / "sm.csv", *image)
        smeta("qc", "--atlas", atlas)
    log = smeta("align", "--atlas", atlas, "--set", "align.method=fit", "--figures", folder, *settings)
    return atlas, log, float(re.search(r"outlines overlap by ([0-9.]+)", log)[1])


def merfish_slice(name):
    """Means over boxes of 4 x 4 raster cells that are not empty, and the landmarks (um)."""
    data = np.load(SHARED / f"alignment/merfish/Merfish_S2_{name}.npz")
    image, x, y = data["I"][0], data["x"], data["y"]
    rows, columns = image.shape[0] // 4, image.shape[1] // 4
    boxes = image[: 4 * rows, : 4 * columns].reshape(rows, 4, columns, 4).mean((1, 3))
    xs, ys = x[: 4 * columns].reshape(-1, 4).mean(1), y[: 4 * rows].reshape(-1, 4).mean(1)
    j, i = np.nonzero(boxes > 0.02)
    marks = np.load(SHARED / f"alignment/merfish/Merfish_S2_{name}_points.npy", allow_pickle=True).item()["all"]
    return np.stack([xs[i], ys[j]], 1), np.round(1000 * boxes[j, i]).astype(int), np.array(marks)


def check_merfish(folder):
    folder.mkdir()
    fixed, fixed_values, fixed_marks = merfish_slice("R2")
    moving, moving_values, moving_marks = merfish_slice("R3")
    write_st(folder / "st.tsv", fixed, fixed_values)
    write_sm(folder / "sm.csv", moving, moving_values)
    points, out = folder / "points.tsv", folder / "out.tsv"
    points.write_text("x\ty\n" + "".join(f"{x}\t{y}\n" for x, y in moving_marks))

    def errors(*settings):
        atlas, log, overlap = align(folder, *settings)
        smeta("align", "--atlas", atlas, "--sample", "S", "--apply", points, "--out", out)
        error = np.linalg.norm(np.loadtxt(out, skiprows=1) - fixed_marks, axis=1)
        print(f"MERFISH {settings}: mean error {error.mean():.0f} um, overlap {overlap:.3f}\n{log}")
        return error, "ambiguous" in log

    def mean_error(*settings):
        error, flagged = errors(*settings)
        return error.mean(), flagged

    # A coronal section mirrors onto itself and there is one channel, the density of cells: the fit must say that it is not sure.
    error, flagged = mean_error()
    assert error <= 260 and flagged, (error, flagged)
    # An affine map fitted to the twelve others alone: 208 um.
    marks, left_out = folder / "marks.tsv", []
    for k in range(len(fixed_marks)):
        others = [f"{a}\t{b}\t{c}\t{d}\n" for i, ((a, b), (c, d)) in enumerate(zip(moving_marks, fixed_marks)) if i != k]
        marks.write_text("sm_x\tsm_y\tst_x\tst_y\n" + "".join(others))
        left_out.append(errors("--set", f"align.landmarks={marks}")[0][k])
    print(f"MERFISH landmarks, each left out in turn: mean error {np.mean(left_out):.0f} um")
    assert np.mean(left_out) < 208, left_out


def check_mouse_brain(folder):
    folder.mkdir()
    source = SHARED / "sma_mouse_brain/V11L12-038_D1"
    spots = [line.split(",") for line in (source / "visium/spatial/tissue_positions_list.csv").read_text().splitlines()]
    spots = np.array([(float(s[5]), float(s[4])) for s in spots if s[1] == "1"])
    pixels = np.loadtxt(source / "msi/MSI_metadata.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    write_st(folder / "st.tsv", spots, np.ones(len(spots), int))
    write_sm(folder / "sm.csv", pixels, np.ones(len(pixels), int))
    scale = json.loads((source / "visium/spatial/scalefactors_json.json").read_text())["tissue_lowres_scalef"]
    image = ("--image", source / "visium/spatial/tissue_lowres_image.png", "--image-scale", scale)
    for outline in ("st", "histology"):
        _, log, overlap = align(folder, "--set", f"align.sm_spots_to={outline}", image=image)
        on_image = float(re.search(r"image's tissue by ([0-9.]+)", log)[1])
        print(f"mouse brain, outline of {outline}: overlap {overlap:.3f}, with the image's tissue {on_image:.3f}\n{log}")
        # The array cut the section, which the image and the imaging show whole.
        assert overlap >= 0.85 and (on_image >= 0.85 or outline == "st"), (outline, overlap, on_image)


def main():
    if not (SHARED / "alignment/merfish").is_dir():
        sys.exit(77)
    with tempfile.TemporaryDirectory() as temporary:
        check_mouse_brain(pathlib.Path(temporary) / "brain")
        check_merfish(pathlib.Path(temporary) / "merfish")


main()
