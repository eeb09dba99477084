#!/usr/bin/env python3
"""Strong and weak scaling of training over ranks x threads on one machine; scaling_figure.py draws it.

    scripts/bench/scaling.py ATLAS [--most 4] [--batch 1024] [--rows 256] [--repetitions 3] [--epochs 8] [--set key=value] > lines.jsonl

ATLAS has selected features. Every mixture of 1, 2, 4, ... ranks and threads with a product of at most --most (twice the
processors unless given) trains the same run: strong scaling with the global batch --batch, weak scaling with --rows rows of a
step for every thread. One rank of one thread also trains the batches of weak scaling: what the step costs without messages. The
cases take turns; the first epoch of a run warms up. One JSON line a case and repetition: seconds of a step, one value an epoch;
`shows` is "correctness only" where more threads ran than processors. With fixed_tree all runs of one batch must end with the
same model, byte for byte: exits 1 if they do not. Runs are removed again. For runs over nodes: scripts/slurm/scaling.sbatch."""
import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("atlas", type=pathlib.Path)
    parser.add_argument("--smeta", default=str(root / "build/drivers/smeta"))
    parser.add_argument("--most", type=int, default=2 * len(os.sched_getaffinity(0)), help="ranks times threads")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], help="further settings")
    return parser.parse_args()


def powers_of_two(most):
    return [2**k for k in range(most.bit_length()) if 2**k <= most]


def cases(options):
    """(kind, ranks, threads, batch), each once."""
    mixtures = [(ranks, threads) for ranks in powers_of_two(options.most) for threads in powers_of_two(options.most // ranks)]
    strong = [("strong", *mixture, options.batch) for mixture in mixtures]
    weak = [("weak", *mixture, options.rows * mixture[0] * mixture[1]) for mixture in mixtures]
    single = [("single", 1, 1, options.rows * factor) for factor in powers_of_two(options.most)[1:]]
    return strong + weak + single


def train(options, ranks, threads, batch):
    """Trains and removes the run: its epochs without the first, its history line and its model's digest and size."""
    run = "bench_scaling"
    folder = options.atlas / "runs" / run
    shutil.rmtree(folder, ignore_errors=True)
    launch = ["mpirun", "-n", str(ranks), "--bind-to", "none", "--oversubscribe"]
    if os.geteuid() == 0:
        launch.append("--allow-run-as-root")
    settings = ["train.reduction=fixed_tree", f"train.epochs={options.epochs}", f"train.batch_size={batch}", *options.set]
    command = [*launch, options.smeta, "train", "--no-progress", "--atlas", str(options.atlas), "--run", run,
               "--threads", str(threads), *(word for setting in settings for word in ("--set", setting))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()][1:]
    history = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
    model = (folder / "model.h5").read_bytes()
    shutil.rmtree(folder)
    return epochs, history, hashlib.sha256(model).hexdigest(), len(model)


def main():
    options = arguments()
    models = {}
    planned = cases(options)
    for repetition in range(options.repetitions):
        for kind, ranks, threads, batch in planned[:: -1 if repetition % 2 else 1]:
            epochs, history, digest, size = train(options, ranks, threads, batch)
            models.setdefault(batch, set()).add(digest)
            steps = -(-history["training_rows"] // batch)
            line = {"bench": "scaling", "kind": kind, "repetition": repetition, "ranks": ranks, "threads": threads,
                    "processors": history["processors"], "batch": batch, "steps": steps,
                    "shows": "speed" if ranks * threads <= history["processors"] else "correctness only",
                    "step_seconds": [epoch["seconds"] / steps for epoch in epochs],
                    "spots_per_second": [epoch["spots_per_second"] for epoch in epochs], "loss": epochs[-1]["loss"]["total"],
                    "model_bytes": size, "model": digest, "revision": history["revision"]}
            print(json.dumps(line), flush=True)
    different = [batch for batch, digests in models.items() if len(digests) != 1]
    if different:
        sys.exit(f"the model depends on ranks or threads with batch {different}")


if __name__ == "__main__":
    main()
