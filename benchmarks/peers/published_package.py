#!/usr/bin/env python3
"""The published package (spatialmeta on PyPI) on the problem of bench_train_step: its own model, loader and training loop, untouched.

    python3 benchmarks/peers/published_package.py [--threads 1] [--batch 128] [--epochs 1] [--repetitions 5]

Prints one JSON object a repetition, like bench_train_step; seconds are those of its fit(). Packages that it was run with, in a virtual environment of Debian's Python that
sees python3-torch (python3 -m venv --system-site-packages DIR):
    pip install --no-deps spatialmeta==0.0.3.0 einops==0.8.0
    pip install numpy==1.26.4 pandas==1.5.3 scipy==1.11.4 anndata==0.9.2 scanpy==1.9.8
Its package roots import plotting and deep-learning extras that training does not use; only the model's modules are loaded."""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import io
import json
import pathlib
import sys
import time
import types
import warnings

import anndata
import numpy as np
import torch


def model_class():
    root = pathlib.Path(importlib.util.find_spec("spatialmeta").origin).parent
    for name in ("spatialmeta", "spatialmeta.util", "spatialmeta.model"):
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    from spatialmeta.model._moe import ConditionalVAESTSM

    return ConditionalVAESTSM


def problem(options):
    draw = np.random.default_rng(1)
    shape = options.rows, options.genes
    genes = (draw.poisson(3 * draw.random(shape)) + 1) * (draw.random(shape) < 0.3)
    shape = options.rows, options.metabolites
    metabolites = draw.random(shape) * (draw.random(shape) < 0.3)
    metabolites *= 1000 / metabolites.sum(1, keepdims=True)
    data = anndata.AnnData(np.hstack([genes, metabolites]).astype("float32"))
    data.var["type"] = ["ST"] * options.genes + ["SM"] * options.metabolites
    data.obs["sample"] = draw.integers(0, options.samples, options.rows).astype(str)
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--genes", type=int, default=1841)
    parser.add_argument("--metabolites", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5120)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    warnings.filterwarnings("ignore")
    with contextlib.redirect_stdout(io.StringIO()):
        model = model_class()(problem(options), n_latent=10, batch_keys=["sample"], batch_embedding="embedding")

    def fit(epochs):
        begin = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            record = model.fit(epochs, n_per_batch=options.batch, mode="multi", lr=1e-3, kl_loss_reduction="mean")
        return time.perf_counter() - begin, record

    fit(1)
    for _ in range(options.repetitions):
        seconds, record = fit(options.epochs)
        losses = np.concatenate([np.ravel(values) for values in record.values()])
        if not np.isfinite(losses.astype(float)).all():
            raise SystemExit("training gives losses that are not finite")
        print(json.dumps({"bench": "published_package", "version": importlib.metadata.version("spatialmeta"), "torch": torch.__version__,
                          "threads": options.threads, "batch": options.batch, "genes": options.genes,
                          "metabolites": options.metabolites, "seconds": seconds,
                          "rate": options.epochs * options.rows / seconds}), flush=True)


main()
