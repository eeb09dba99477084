"""Every shard of an atlas, every result of a run and every export opens with anndata, mudata and h5py, in a process that has nothing
of smeta, and has the rows and features that the manifest says."""

import json
import pathlib
import sys
import warnings

import anndata
import h5py
import mudata
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, main  # noqa: E402

warnings.filterwarnings("ignore")
mudata.set_options(pull_on_update=False)


def check_shards(atlas):
    manifest = json.loads((atlas / "manifest.json").read_text())
    opened = 0
    for sample, entry in manifest["samples"].items():
        for stage in ("raw", "qc", "joint"):
            shapes = {name: 0 for name in entry["stages"][stage]["modalities"]}
            for file in entry["stages"][stage]["files"]:
                data = mudata.read_h5mu(atlas / file["path"])
                opened += 1
                for name, modality in data.mod.items():
                    shapes[name] += modality.n_obs
                    values = modality.X.data if hasattr(modality.X, "data") else modality.X
                    check(modality.X is None or np.isfinite(np.asarray(values)).all(), f"{file['path']}: {name}")
                    if stage != "qc":
                        check("spatial" in modality.obsm, f"{file['path']}: {name} has no coordinates")
                        features = entry["stages"][stage]["modalities"][name]["features"]
                        check(modality.n_vars == features, f"{file['path']}: {modality.n_vars} features of {name}")
            for name, rows in shapes.items():
                expected = entry["stages"][stage]["modalities"][name]
                if stage == "qc":  # the file has every row; the manifest what was kept and what was dropped
                    check(rows == expected["rows"] + sum(expected.get("dropped", {}).values()), f"{sample} qc {name}")
                else:
                    check(rows == expected["rows"], f"{sample} {stage} {name}: {rows} rows")
        opened += len(entry["stages"]["align"]["files"])
        anndata.read_h5ad(atlas / entry["stages"]["align"]["files"][0]["path"])
    for file in manifest["stages"]["select"]["files"]:
        mudata.read_h5mu(atlas / file["path"])
        opened += 1
    return opened


def check_run(atlas, run):
    joint = {}
    for sample in run.glob("results/*.h5ad"):
        data = anndata.read_h5ad(sample)
        joint[sample.stem] = list(data.obs_names)
        check("X_smeta" in data.obsm and np.isfinite(data.obsm["X_smeta"]).all(), f"{sample}: no latent")
        check("cluster" in data.obs, f"{sample}: no clusters")
        rebuilt = anndata.read_h5ad(run / "reconstruction" / sample.name)
        check(list(rebuilt.obs_names) == list(data.obs_names) and np.isfinite(rebuilt.X).all(), f"{sample}: reconstruction")
    check(len(joint) == 2, f"results of {list(joint)}")
    check(anndata.read_h5ad(run / "neighbors.h5").obsp["connectivities"].nnz > 0, "no neighbours")
    for name in ("model.h5", "features.h5"):
        with h5py.File(run / name) as file:
            found = []
            file.visititems(lambda path, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
            check(found, f"{name} is empty")
    with h5py.File(atlas / "registry.h5") as file:
        check(len(file["st"]) and len(file["sm"]), "registry.h5")


def check_exports(smeta, atlas, folder):
    for name in ("all.h5ad", "all.h5mu"):
        smeta.run("export", "--atlas", atlas, "--run", "main", "--out", folder / name)
    both = mudata.read_h5mu(folder / "all.h5mu")
    for data in (anndata.read_h5ad(folder / "all.h5ad"), both["sm"], both["st"]):
        # What spatialdata.models.TableModel.validate asks for.
        attributes = data.uns["spatialdata_attrs"]
        check(set(attributes["region"]) == set(data.obs[attributes["region_key"]]), f"regions {attributes}")
        spots = data.obs[attributes["instance_key"]]
        pairs = data.obs[["sample", "spot"]].astype(str)
        check(not spots.isna().any() and not pairs.duplicated().any(), "spots")


def body(smeta, folder):
    study = folder / "study"
    smeta.run("simulate", "--out", study, "--samples", 2, "--spots", 200, "--genes", 150, "--metabolites", 40, "--domains", 3)
    smeta.run("run", study / "study.toml", "--set", "train.epochs=2")
    atlas = study / "atlas"
    smeta.run("embed", "--atlas", atlas, "--run", "main", "--reconstruction")
    print(f"{check_shards(atlas)} files of the atlas opened")
    check_run(atlas, atlas / "runs" / "main")
    check_exports(smeta, atlas, folder)


main(body)
