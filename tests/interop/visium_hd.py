"""A Visium HD section as Space Ranger writes it (bins of 2, 8 and 16 um, positions as Parquet) becomes samples of an atlas: with
positions that scripts/visium_hd_positions.py converted, or from the grid in the barcodes."""

import pathlib
import subprocess
import sys

import h5py
import mudata
import numpy as np
import pyarrow
import pyarrow.parquet
import scipy.sparse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cli"))
from smeta_cli import check, main  # noqa: E402

mudata.set_options(pull_on_update=False)
SIDE_UM = 96
UM_PER_PIXEL = 0.5
GENES = 20


def write_matrix(file, barcodes, counts):
    """Version 3 of the 10x format: genes by barcodes, compressed by columns."""
    by_barcode = scipy.sparse.csr_matrix(counts)
    with h5py.File(file, "w") as out:
        matrix = out.create_group("matrix")
        matrix["barcodes"] = np.array(barcodes, dtype="S")
        matrix["data"] = by_barcode.data.astype(np.int32)
        matrix["indices"] = by_barcode.indices.astype(np.int64)
        matrix["indptr"] = by_barcode.indptr.astype(np.int64)
        matrix["shape"] = np.array(counts.shape[::-1], dtype=np.int32)
        features = matrix.create_group("features")
        features["id"] = np.array([f"ENSG{g:011}" for g in range(GENES)], dtype="S")
        features["name"] = np.array([f"GENE{g}" for g in range(GENES)], dtype="S")
        features["feature_type"] = np.array(["Gene Expression"] * GENES, dtype="S")
        features["genome"] = np.array(["GRCh38"] * GENES, dtype="S")


def write_bins(outs, um):
    """Barcodes, positions (x, y) in pixels, which are in the tissue, counts. The slide is turned: x is not the column."""
    rng = np.random.default_rng(um)
    side = SIDE_UM // um
    row, column = (grid.ravel() for grid in np.indices((side, side)))
    barcodes = [f"s_{um:03}um_{r:05}_{c:05}-1" for r, c in zip(row, column)]
    angle = 0.3
    x = 700 + (np.cos(angle) * (column + 0.5) - np.sin(angle) * (row + 0.5)) * um / UM_PER_PIXEL
    y = 400 + (np.sin(angle) * (column + 0.5) + np.cos(angle) * (row + 0.5)) * um / UM_PER_PIXEL
    inside = (row + column) % 5 != 0
    counts = rng.poisson(1.0, (len(barcodes), GENES))
    folder = outs / f"binned_outputs/square_{um:03}um"
    (folder / "spatial").mkdir(parents=True)
    write_matrix(folder / "filtered_feature_bc_matrix.h5", barcodes, counts)
    shuffled = rng.permutation(len(barcodes))  # positions come in any order
    table = pyarrow.table({
        "barcode": np.array(barcodes)[shuffled], "in_tissue": inside.astype(np.int64)[shuffled],
        "array_row": row[shuffled], "array_col": column[shuffled],
        "pxl_row_in_fullres": y[shuffled], "pxl_col_in_fullres": x[shuffled]})
    pyarrow.parquet.write_table(table, folder / "spatial/tissue_positions.parquet", compression="snappy", row_group_size=1000)
    (folder / "spatial/scalefactors_json.json").write_text(
        f'{{"spot_diameter_fullres": {um / UM_PER_PIXEL}, "bin_size_um": {um}.0, "microns_per_pixel": {UM_PER_PIXEL},'
        ' "regist_target_img_scalef": 0.1, "tissue_lowres_scalef": 0.01, "tissue_hires_scalef": 0.1}')
    return np.array(barcodes), np.column_stack([x, y]), inside, counts


def check_sample(atlas, name, barcodes, places, counts, unit, microns):
    st = mudata.read_h5mu(atlas / f"raw/{name}.h5mu").mod["st"]
    check(list(st.obs["spot"]) == list(barcodes), f"{name}: {st.n_obs} spots")
    check(np.allclose(st.obsm["spatial"], places, rtol=0, atol=1e-9), f"{name}: other places")
    check((st.X.toarray() == counts).all(), f"{name}: other counts")
    found = st.uns["smeta"]
    check(found["unit"] == unit and found["microns_per_unit"] == microns, f"{name}: {found}")


def body(smeta, folder):
    outs, atlas = folder / "outs", folder / "atlas"
    made = {um: write_bins(outs, um) for um in (2, 8, 16)}
    _, err = smeta.run("ingest", "--atlas", atlas, "--sample", "S", "--st", outs, expect=2)
    check("visium_hd_positions.py" in err and "hd_barcode_positions" in err, err)

    for um, (barcodes, _, _, counts) in made.items():
        smeta.run("ingest", "--atlas", atlas, "--sample", f"grid{um}", "--st", outs, "--set", f"ingest.hd_bin_um={um}", "--set",
                  "ingest.hd_barcode_positions=true")
        row, column = (np.array([int(b[8:-2].split("_")[i]) for b in barcodes]) for i in (0, 1))
        places = np.column_stack([column + 0.5, row + 0.5]) * um
        check_sample(atlas, f"grid{um}", barcodes, places, counts, "um", 1.0)

    script = [sys.executable, ROOT / "scripts/visium_hd_positions.py"]
    out = subprocess.run([*script, outs], check=True, capture_output=True, text=True).stdout
    check(out.count(" rows\n") == 3, out)
    out = subprocess.run([*script, outs / "binned_outputs/square_008um"], check=True, capture_output=True, text=True).stdout
    check(out.endswith("\tkept\n"), out)
    done = subprocess.run([*script, folder], capture_output=True, text=True)
    check(done.returncode == 1 and "binned_outputs" in done.stderr, done.stderr)
    for um, (barcodes, places, inside, counts) in made.items():
        name = f"file{um}"
        smeta.run("ingest", "--atlas", atlas, "--sample", name, "--st", outs, "--set", f"ingest.hd_bin_um={um}")
        check_sample(atlas, name, barcodes[inside], places[inside], counts[inside], "pixel", UM_PER_PIXEL)
    out, _ = smeta.run("atlas", "info", "--atlas", atlas)
    read = (SIDE_UM // 2) ** 2
    kept = int(made[2][2].sum())
    check(f"rows\tfile2\traw/st\tread {read} = kept {kept} + outside_tissue {read - kept}\n" in out, out)
    smeta.run("ingest", "--atlas", atlas, "--sample", "folder", "--st", outs / "binned_outputs/square_016um")
    smeta.run("ingest", "--atlas", atlas, "--sample", "none", "--st", outs, "--set", "ingest.hd_bin_um=4", expect=2)
    smeta.run("atlas", "verify", "--atlas", atlas)


main(body)
