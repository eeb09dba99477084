"""imzML and Space Ranger files: pyimzML and scanpy read what smeta writes, and smeta reads real imzML files as pyimzML does;
m/z bins and intensities equal the definition of SpatialMETA (spec A2) evaluated in plain Python."""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import anndata
import numpy as np
import scanpy
from pyimzml.ImzMLParser import ImzMLParser

PROGRAM = sys.argv[1]
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "imzml"
warnings.filterwarnings("ignore")


def run(*arguments):
    subprocess.run([PROGRAM, *map(str, arguments)], check=True)


def check_written_imzml(folder):
    run("write-imzml", folder)
    for name in ("continuous", "processed"):
        parser = ImzMLParser(str(folder / f"{name}.imzML"))
        assert parser.polarity == "negative", parser.polarity
        assert parser.imzmldict["max count of pixels x"] == 4
        assert parser.imzmldict["max count of pixels y"] == 3
        assert parser.imzmldict["pixel size x"] == 25.0
        expected = [(x, y, 1) for y in range(1, 4) for x in range(1, 5)]
        assert parser.coordinates == expected, parser.coordinates
        for i, (x, y, _) in enumerate(expected):
            mz, intensity = parser.getspectrum(i)
            count, shift = (x + y, 0.001 * x) if name == "processed" else (5, 0.0)
            k = np.arange(count)
            assert np.array_equal(mz, 100 + 1.25 * k + shift), (name, i)
            assert np.array_equal(intensity, 1000 * x + 10 * y + k), (name, i)
    parser = ImzMLParser(str(folder / "continuous.imzML"))
    assert len(set(parser.mzOffsets)) == 1


def check_read(folder, path):
    run("dump-imzml", path, folder)
    positions = np.loadtxt(folder / "positions.txt", dtype=int, ndmin=2)
    mz = np.fromfile(folder / "mz.f64")
    intensity = np.fromfile(folder / "intensity.f32", dtype=np.float32)
    parser = ImzMLParser(str(path))
    assert len(parser.coordinates) == len(positions)
    at = 0
    for i, (x, y, z, count) in enumerate(positions):
        assert parser.coordinates[i] == (x, y, z)
        theirs_mz, theirs_intensity = parser.getspectrum(i)
        assert len(theirs_mz) == count
        assert np.array_equal(mz[at:at + count], theirs_mz.astype(float)), (path.name, i)
        assert np.array_equal(intensity[at:at + count], theirs_intensity.astype(np.float32)), (path.name, i)
        at += count
    assert at == len(mz) == len(intensity)


def reference_bins(parser, ppm=5.0):
    """get_mz_reference of spec A2: centre and half width of the merged intervals."""
    unique = np.unique(np.concatenate([parser.getspectrum(i)[0].astype(float)
                                       for i in range(len(parser.coordinates))]))
    bins, lower, upper = [], None, None
    for u in unique.tolist():
        low, high = u - u * ppm / 1e6, u + u * ppm / 1e6
        if lower is not None and low <= upper:
            upper = max(upper, high)
            continue
        if lower is not None:
            bins.append((lower, upper))
        lower, upper = low, high
    bins.append((lower, upper))
    bins = np.array(bins)
    return (bins[:, 0] + bins[:, 1]) / 2, (bins[:, 1] - bins[:, 0]) / 2


def check_bins(folder, path):
    run("bin-imzml", path, folder / "bins.h5ad")
    ours = anndata.read_h5ad(folder / "bins.h5ad")
    parser = ImzMLParser(str(path))
    centre, half = reference_bins(parser)
    assert np.array_equal(ours.var["mz"].to_numpy(), centre)
    assert np.array_equal(ours.var["half_width"].to_numpy(), half)
    rows, names = [], []
    for i, (x, y, _) in enumerate(parser.coordinates):
        mz, intensity = parser.getspectrum(i)
        row = np.zeros(len(centre))
        for m, value in zip(mz.astype(float), intensity.astype(float)):
            hit = np.flatnonzero((centre - half <= m) & (m < centre + half))
            assert len(hit) == 1
            row[hit[0]] += value
        if row.sum() != 0:
            rows.append(row)
            names.append(f"px_{x}_{y}")
    assert list(ours.obs_names) == names
    assert np.array_equal(ours.X.toarray(), np.array(rows).astype(np.float32)), path.name
    assert np.array_equal(ours.obsm["spatial"], [[float(v) for v in n.split("_")[1:]] for n in names])


def check_visium(folder):
    run("write-visium", folder / "outs")
    data = scanpy.read_visium(folder / "outs")
    assert data.shape == (12, 4)
    assert list(data.var_names) == ["TP53", "ACTB", "MT-CO1", "CD3E"]
    assert data.var["gene_ids"].iloc[1] == "ENSG00000000002"
    expected = [[i * g % 5 for g in range(4)] for i in range(12)]
    assert np.array_equal(data.X.toarray(), expected)
    assert np.allclose(data.obsm["spatial"], [[1000.0 - i, 10.5 * i] for i in range(12)])
    assert list(data.obs["array_row"]) == [i // 4 for i in range(12)]
    library = data.uns["spatial"]["section 1"]
    assert library["images"]["lowres"].shape == (30, 40, 3)
    assert library["images"]["hires"].shape == (100, 120, 3)
    assert library["scalefactors"]["spot_diameter_fullres"] == 110.0


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_written_imzml(folder)
        check_visium(folder)
        check_read(folder, folder / "processed.imzML")
        check_bins(folder, folder / "processed.imzML")
        if not SHARED.is_dir():
            print("real imzML files (../shared) are not there")
            return 77
        for path in sorted(SHARED.glob("*.imzML")):
            check_read(folder, path)
        for path in ("Untreated_3_434_tiny.imzML", "Example_Processed.imzML"):
            check_bins(folder, SHARED / path)
    print("raw files: pyimzML, scanpy and smeta agree")
    return 0


sys.exit(main())
