#!/usr/bin/env python3
"""Rate of training that streams its rows against training that has them in memory, on data that fit.

    benchmarks/streaming_rate.py ATLAS [--ranks 2] [--threads 1] [--repetitions 5] [--epochs 2] [--set key=value] [--json FILE]

ATLAS has selected features. The two ways take turns, each in a new run of its own; --mem alone decides the way. The first epoch
of a run warms up. One JSON line a repetition and way: spots_per_second of the epochs after the first, seconds, the largest peak memory of a
rank; the last line has the ratio of the medians. With fixed_tree the weights of both ways must be equal, byte for byte: exits 1
if they are not. Runs are removed again."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("atlas", type=pathlib.Path)
    parser.add_argument("--smeta", default=str(root / "build/drivers/smeta"))
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="further settings")
    parser.add_argument("--json", help="also write the lines to this file")
    return parser.parse_args()


class Bench:
    def __init__(self, options):
        self.options = options
        self.settings = [word for setting in (f"train.epochs={options.epochs}", "train.reduction=fixed_tree", *options.set)
                         for word in ("--set", setting)]

    def train(self, run, *more):
        launch = ["mpirun", "-n", str(self.options.ranks), "--bind-to", "none", "--oversubscribe"]
        if os.geteuid() == 0:
            launch.append("--allow-run-as-root")
        command = [*launch, self.options.smeta, "train", "--no-progress", "--atlas", str(self.options.atlas), "--run", run,
                   "--threads", str(self.options.threads), *self.settings, *more]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return done

    def budgets(self):
        """--mem in MiB with which the rows lie in memory, and with which they do not."""
        lines = self.train("bench_plan", "--dry-run", "--mem", "1T").stdout.splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("rank\t"))
        ranks = [dict(zip(lines[head].split("\t"), line.split("\t"))) for line in lines[head + 1:] if line]
        enough = max(float(rank["MiB"]) for rank in ranks)
        return {"memory": enough + 1, "streaming": enough - 0.05 * min(float(rank["rows MiB"]) for rank in ranks)}

    def measure(self, way, mem):
        run = f"bench_{way}"
        folder = self.options.atlas / "runs" / run
        shutil.rmtree(folder, ignore_errors=True)
        log = self.train(run, "--mem", f"{mem:.0f}M").stderr
        if ("streaming from" in log) != (way == "streaming"):
            sys.exit(f"--mem {mem:.0f}M did not make it {way}:\n{log}")
        epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()][1:]
        spots = sum(epoch["spots_per_second"] * epoch["seconds"] for epoch in epochs)
        seconds = sum(epoch["seconds"] for epoch in epochs)
        model = (folder / "model.h5").read_bytes()
        shutil.rmtree(folder)
        return {"rate": spots / seconds, "seconds": seconds, "peak_mib": epochs[-1]["peak_memory_bytes"] / 2**20}, model


def main():
    options = arguments()
    bench = Bench(options)
    budgets = bench.budgets()
    lines, rates, models = [], {way: [] for way in budgets}, set()

    def report(line):
        lines.append(line)
        print(json.dumps(line), flush=True)

    for repetition in range(options.repetitions):
        for way in sorted(budgets, reverse=repetition % 2 == 1):
            result, model = bench.measure(way, budgets[way])
            models.add(model)
            rates[way].append(result["rate"])
            report({"bench": "streaming_rate", "way": way, "repetition": repetition, "ranks": options.ranks,
                    "threads": options.threads, **{key: round(value, 2) for key, value in result.items()}})
    medians = {way: statistics.median(values) for way, values in rates.items()}
    report({"bench": "streaming_rate", "ratio": round(medians["streaming"] / medians["memory"], 4),
            **{f"median_{way}": round(value, 1) for way, value in medians.items()}})
    if options.json:
        pathlib.Path(options.json).write_text("".join(json.dumps(line) + "\n" for line in lines))
    if len(models) != 1:
        sys.exit("the weights depend on where the rows lie")


if __name__ == "__main__":
    main()
