"""AnnData and MuData files: anndata, mudata and scanpy read what smeta writes; what they write comes back equal after smeta
has read and written it; the same for real files."""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import scanpy
import scipy.sparse as sparse

PROGRAM = sys.argv[1]
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = [
    "anndata/visium_mouse_brain_49spots.h5ad",
    "anndata/pbmc_5k_protein_v3.h5ad",
    "anndata/pbmc_10k_protein_v3.h5ad",
    "semisynthetic/breast_paired.h5ad",
    "lymph_node_protein/section1.h5ad",
    "lymph_node_protein/section2.h5ad",
]
warnings.filterwarnings("ignore")
mudata.set_options(pull_on_update=False)


def run(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def dense(x):
    return x.toarray() if sparse.issparse(x) else np.asarray(x)


def expected_x(spots):
    r, c = np.meshgrid(np.arange(spots), np.arange(7), indexing="ij")
    return np.where((r + c) % 3 == 0, 100 * r + c + 1, 0).astype(np.float32)


def check_section(data, prefix, feature, spots):
    assert data.shape == (spots, 7), data.shape
    assert list(data.obs_names) == [f"{prefix}{r}" for r in range(spots)]
    assert list(data.var_names) == [f"{feature}{c}" for c in range(7)]
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(dense(data.X), expected_x(spots))
    region = data.obs["region"].cat
    assert list(region.categories) == ["cortex", "medulla", "µ"] and region.ordered
    np.testing.assert_array_equal(region.codes, np.arange(spots) % 4 - 1)
    np.testing.assert_array_equal(data.obs["score"], np.arange(spots) / 4)
    assert data.obs["in_tissue"].dtype == bool
    np.testing.assert_array_equal(data.obs["in_tissue"], np.arange(spots) % 2 == 0)
    np.testing.assert_array_equal(data.obs["total"], np.arange(spots) << 33)
    assert list(data.obs["note"]) == [""] + [f"spot µ{r}" for r in range(1, spots)]
    assert list(data.obs.columns) == ["region", "score", "in_tissue", "total", "note"]
    np.testing.assert_array_equal(data.obsm["spatial"][:, 0], 10.0 * np.arange(spots))
    np.testing.assert_array_equal(data.var["mz"], np.full(7, 426.9289))
    assert data.uns["unit"] == "µm" and data.uns["microns_per_unit"] == 0.5 and data.uns["registered"]
    assert list(data.uns["colors"]) == ["#ff0000", "#00ff00"]
    assert data.uns["images"]["lowres"].shape == (2, 3, 3) and data.uns["images"]["lowres"].dtype == np.uint8


def check_written(folder):
    run("write", folder)
    csr = scanpy.read_h5ad(folder / "csr.h5ad")
    assert sparse.isspmatrix_csr(csr.X) and csr.X.nnz == np.count_nonzero(expected_x(11))
    check_section(csr, "spot_", "gene_", 11)
    # These raise on a matrix whose indptr and indices differ in type.
    scanpy.pp.calculate_qc_metrics(csr, percent_top=None, inplace=True)
    scanpy.read_h5ad(folder / "csr.h5ad").X.tocoo()
    scanpy.pp.pca(scanpy.read_h5ad(folder / "csr.h5ad"), n_comps=2)
    np.testing.assert_allclose(csr.obs["total_counts"], expected_x(11).sum(1))
    check_section(anndata.read_h5ad(folder / "dense.h5ad"), "spot_", "gene_", 11)
    backed = anndata.read_h5ad(folder / "csr.h5ad", backed="r")
    np.testing.assert_array_equal(dense(backed[3:6].X[:]), expected_x(11)[3:6])
    backed.file.close()
    no_x = anndata.read_h5ad(folder / "no_x.h5ad")
    assert no_x.X is None and no_x.shape == (11, 0) and no_x.obsm["spatial"].shape == (11, 2)
    two = mudata.read_h5mu(folder / "two.h5mu")
    assert list(two.mod) == ["st", "sm"] and two.n_obs == 16 and two.n_vars == 14
    check_section(two["st"], "spot_", "gene_", 11)
    check_section(two["sm"], "px_", "mz_", 5)
    np.testing.assert_array_equal(np.asarray(two.obsmap["sm"]).ravel(), [0] * 11 + [1, 2, 3, 4, 5])
    assert two.uns["creator"] == "smeta"
    # Appending to the resizable datasets, as anndata's backed mode does.
    with h5py.File(folder / "csr.h5ad", "r+") as file:
        assert file["X/data"].maxshape == (None,) and file["X/indices"].maxshape == (None,)


def same_frame(a, b, where):
    assert list(a.index) == list(b.index), where
    assert list(a.columns) == list(b.columns), (where, list(a.columns), list(b.columns))
    for name in a.columns:
        x, y = a[name], b[name]
        if isinstance(x.dtype, pd.CategoricalDtype):
            assert isinstance(y.dtype, pd.CategoricalDtype), (where, name)
            assert list(map(str, x.cat.categories)) == list(y.cat.categories), (where, name)
            assert x.cat.ordered == y.cat.ordered, (where, name)
            np.testing.assert_array_equal(x.cat.codes, y.cat.codes, err_msg=name)
        elif pd.api.types.is_numeric_dtype(x.dtype):
            np.testing.assert_array_equal(x.to_numpy(float, na_value=np.nan), y.to_numpy(float), err_msg=name)
        else:
            assert ["" if pd.isna(v) else v for v in x] == list(y), (where, name)


def same(a, b, where):
    same_frame(a.obs, b.obs, f"{where} obs")
    same_frame(a.var, b.var, f"{where} var")
    if a.X is not None:
        np.testing.assert_array_equal(dense(a.X).astype(np.float32), dense(b.X), err_msg=where)
    assert set(a.layers) == set(b.layers) and set(a.obsm) == set(b.obsm) and set(a.obsp) == set(b.obsp), where
    for name in a.layers:
        np.testing.assert_array_equal(dense(a.layers[name]).astype(np.float32), dense(b.layers[name]))
    for name in a.obsm:
        np.testing.assert_array_equal(dense(a.obsm[name]), dense(b.obsm[name]), err_msg=name)
    for name in a.obsp:
        np.testing.assert_array_equal(dense(a.obsp[name]).astype(np.float32), dense(b.obsp[name]), err_msg=name)
    same_uns(a.uns, b.uns, where)


def same_uns(a, b, where):
    assert set(a) == set(b), (where, set(a) ^ set(b))
    for key, value in a.items():
        if isinstance(value, dict):
            same_uns(value, b[key], f"{where}/{key}")
        else:
            np.testing.assert_array_equal(np.asarray(value), np.asarray(b[key]), err_msg=f"{where}/{key}")


def python_sample(x):
    n, m = x.shape
    obs = pd.DataFrame(index=[f"cell µ{i}" for i in range(n)])
    obs["batch"] = pd.Categorical.from_codes(np.arange(n) % 3 - 1, ["a", "b"])
    obs["level"] = pd.Categorical([i % 2 for i in range(n)], ordered=True)
    obs["half"] = np.arange(n, dtype=np.float16) / 2
    obs["byte"] = np.arange(n, dtype=np.uint8)
    obs["flag"] = np.arange(n) % 2 == 0
    obs["text"] = pd.array([f"t{i // 2} {i}" for i in range(n)], dtype=object)
    obs["maybe"] = pd.array([None if i == 1 else i for i in range(n)], dtype="Int32")
    data = anndata.AnnData(X=x, obs=obs, var=pd.DataFrame(index=[f"g{j}" for j in range(m)]))
    data.obsm["X_pca"] = np.random.default_rng(1).normal(size=(n, 4)).astype(np.float32)
    data.obsm["spatial"] = np.random.default_rng(2).normal(size=(n, 2))
    data.obsp["near"] = sparse.eye(n, format="csr")
    data.layers["raw"] = sparse.csr_matrix(x)
    data.uns = {"a": 1, "b": {"c": np.arange(6.0).reshape(2, 3), "d": "text"}, "e": np.array(["x", "y"]), "f": 0.5}
    return data


def check_python(folder):
    generator = np.random.default_rng(0)
    x = generator.poisson(0.7, size=(10, 6)).astype(np.float64)
    unsorted = sparse.csr_matrix(x)
    for r in range(10):
        row = slice(unsorted.indptr[r], unsorted.indptr[r + 1])
        unsorted.indices[row] = unsorted.indices[row][::-1].copy()
        unsorted.data[row] = unsorted.data[row][::-1].copy()
    unsorted.has_sorted_indices = False
    variants = {
        "dense": x,
        "float32": x.astype(np.float32),
        "integers": x.astype(np.int32),
        "csr": sparse.csr_matrix(x),
        "csc": sparse.csc_matrix(x),
        "unsorted": unsorted,
    }
    for name, matrix in variants.items():
        source, copy = folder / f"py_{name}.h5ad", folder / f"back_{name}.h5ad"
        data = python_sample(matrix)
        data.write_h5ad(source, compression={"csr": "gzip", "dense": "lzf", "unsorted": "lzf"}.get(name))
        run("rewrite", source, copy)
        back = anndata.read_h5ad(copy)
        same(anndata.read_h5ad(source), back, name)
        if name != "csc":
            rows = np.zeros(x.shape)
            for line in run("rows", source).splitlines():
                r, c, value = line.split()
                rows[int(r), int(c)] = float(value)
            np.testing.assert_array_equal(rows, x, err_msg=name)


def check_python_mudata(folder):
    st = python_sample(sparse.csr_matrix(np.arange(20.0).reshape(5, 4)))
    sm = python_sample(np.arange(21.0).reshape(7, 3))
    sm.var_names = [f"mz{i}" for i in range(3)]
    both = mudata.MuData({"sm": sm, "st": st})
    both.write(folder / "py.h5mu")
    run("rewrite", folder / "py.h5mu", folder / "back.h5mu")
    back = mudata.read_h5mu(folder / "back.h5mu")
    assert list(back.mod) == ["sm", "st"] and list(back.obs_names) == list(both.obs_names)
    for name in both.mod:
        same(both[name], back[name], name)


def check_real(folder):
    if not SHARED.exists():
        print("reference data (../shared) is not there: real files not checked")
        return
    for name in REAL:
        copy = folder / "real.h5ad"
        run("rewrite", SHARED / name, copy)
        same(anndata.read_h5ad(SHARED / name), anndata.read_h5ad(copy), name)


with tempfile.TemporaryDirectory() as place:
    check_written(pathlib.Path(place))
    check_python(pathlib.Path(place))
    check_python_mudata(pathlib.Path(place))
    check_real(pathlib.Path(place))
print("annotated files: equal")
