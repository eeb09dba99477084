#!/usr/bin/env python3
"""A simulated atlas of many spots, from raw files to embedded spots, with bounded memory.

    benchmarks/million_spots.py [SPOTS=1000000] [--smeta PATH] [--folder DIR] [--ranks 2] [--mem 4G] [--samples 200] ...

The study: SAMPLES sections of which the first has 30 % of all spots; metabolites imaged on the sequenced section, one pixel
a spot, continuous imzML. Every section is simulated and ingested by itself, and its raw files are deleted. Then qc, align, reassign,
select, train and embed on RANKS ranks of one thread each. One JSON line a step: seconds, the largest peak memory of any of its processes
(MiB, ru_maxrss), disk in use by the folder (MiB); the last line has the totals and the spots that are embedded. Exits 1 if a step fails
or a number of rows is wrong. Large intermediate files lie in FOLDER, which is removed at the end unless --keep."""
import argparse
import json
import os
import pathlib
import re
import shutil
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("spots", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--smeta", default=str(root / "build/drivers/smeta"))
    parser.add_argument("--folder", default="million_spots")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--mem", default="4G", help="memory of a rank")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--largest", type=float, default=0.3, help="share of all spots in the first section")
    parser.add_argument("--genes", type=int, default=2000)
    parser.add_argument("--metabolites", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="further settings of training")
    parser.add_argument("--json", help="also write the lines to this file")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    return parser.parse_args()


def disk_mib(folder):
    return sum(p.lstat().st_blocks * 512 for p in folder.rglob("*") if not p.is_symlink()) / 2**20


class Steps:
    """Runs commands, measures them, prints one JSON line a step."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.lines, self.peak_disk = [], 0.0

    def run(self, *command):
        """Seconds and peak MiB of the largest process; ends the benchmark if the command fails."""
        log = self.folder / "last_command.log"
        start = time.monotonic()
        with open(log, "wb") as output:
            pid = os.posix_spawn(shutil.which(command[0]) or command[0], list(command), os.environ,
                                 file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                                               (os.POSIX_SPAWN_DUP2, output.fileno(), 2)])
            _, status, usage = os.wait4(pid, 0)
        if status != 0:
            sys.stderr.write(log.read_text(errors="replace")[-4000:])
            sys.exit(f"failed: {' '.join(command)}")
        # ru_maxrss of mpirun covers the ranks it waited for.
        return time.monotonic() - start, usage.ru_maxrss / 1024, log.read_text(errors="replace")

    def ranks(self, command, *arguments):
        mpirun = ["mpirun", "-n", str(self.options.ranks), "--bind-to", "none", "--oversubscribe"]
        if os.geteuid() == 0:
            mpirun.append("--allow-run-as-root")
        return self.run(*mpirun, self.options.smeta, command, "--threads", "1", "--mem", self.options.mem, "--no-progress", *arguments)

    def note_disk(self):
        self.peak_disk = max(self.peak_disk, disk_mib(self.folder))

    def report(self, step, seconds, peak, **more):
        self.note_disk()
        line = {"bench": "million_spots", "step": step, "spots": self.options.spots, "seconds": round(seconds, 2),
                "peak_mib": round(peak, 1), "disk_mib": round(disk_mib(self.folder), 1), **more}
        self.lines.append(line)
        print(json.dumps(line), flush=True)


def sizes(options):
    """Names and spots of the sections; the first holds the largest share."""
    first = round(options.spots * options.largest) if options.samples > 1 else options.spots
    others = options.samples - 1
    spots = [first] + [(options.spots - first) * (i + 1) // others - (options.spots - first) * i // others for i in range(others)]
    return [(f"S{i + 1:04}", n) for i, n in enumerate(spots)]


def sample_entry(study, sample):
    """The part of study.toml that names one section, as a study of its own."""
    entries = [e for e in study.split("[[sample]]") if re.search(f'name = "{sample}"', e)]
    assert len(entries) == 1, f"{sample} is in the study once"
    return "[[sample]]" + entries[0]


def ingest_all(steps, atlas):
    options, folder = steps.options, steps.folder
    listed = sizes(options)
    (folder / "sizes.tsv").write_text("".join(f"{name}\t{spots}\n" for name, spots in listed))
    totals = {"simulate": [0.0, 0.0], "ingest": [0.0, 0.0]}
    study_folder = folder / "study"
    for name, spots in listed:
        simulated = steps.run(options.smeta, "simulate", "--no-progress", "--out", str(study_folder), "--sizes",
                              str(folder / "sizes.tsv"), "--only", name, "--layout", "same", "--mode", "continuous",
                              "--pixels-per-spot", "1", "--genes", str(options.genes), "--metabolites", str(options.metabolites),
                              "--cohorts", "4")
        one = study_folder / "one.toml"
        one.write_text(sample_entry((study_folder / "study.toml").read_text(), name))
        ingested = steps.run(options.smeta, "ingest", "--no-progress", "--mem", options.mem, "--atlas", str(atlas), "--study", str(one))
        steps.note_disk()
        shutil.rmtree(study_folder / name)
        for step, (seconds, peak, _) in (("simulate", simulated), ("ingest", ingested)):
            totals[step][0] += seconds
            totals[step][1] = max(totals[step][1], peak)
        if spots == max(n for _, n in listed):
            for step, (seconds, peak, _) in (("simulate largest", simulated), ("ingest largest", ingested)):
                steps.report(step, seconds, peak, section_spots=spots)
    shutil.rmtree(study_folder)
    for step, (seconds, peak) in totals.items():
        steps.report(step, seconds, peak)


def results_rows(atlas):
    """Rows of all results, by the run's inputs; every result must be there."""
    run = atlas / "runs/main"
    rows = 0
    for sample in json.loads((run / "inputs.json").read_text())["samples"]:
        assert (run / "results" / f"{sample['name']}.h5ad").is_file(), f"no result of {sample['name']}"
        rows += sum(file["rows"] for file in sample["files"])
    return rows


def main():
    options = arguments()
    folder = pathlib.Path(options.folder).resolve()
    if folder.exists():
        sys.exit(f"{folder} exists already")
    folder.mkdir(parents=True)
    atlas = folder / "atlas"
    steps = Steps(options, folder)
    start = time.monotonic()
    try:
        ingest_all(steps, atlas)
        for stage in ("qc", "align", "reassign", "select"):
            seconds, peak, _ = steps.ranks(stage, "--atlas", str(atlas))
            steps.report(stage, seconds, peak)
        settings = [word for setting in (f"train.epochs={options.epochs}", *options.set) for word in ("--set", setting)]
        seconds, peak, log = steps.ranks("train", "--atlas", str(atlas), *settings)
        epochs = [json.loads(line) for line in (atlas / "runs/main/metrics.jsonl").read_text().splitlines()]
        # Scratch files have no names that could be listed: counted as planned, for the rank with the largest.
        scratch = re.search(r"scratch file of about (\d+) MiB", log)
        scratch_mib = options.ranks * int(scratch[1]) if scratch else 0
        steps.peak_disk = max(steps.peak_disk, disk_mib(folder) + scratch_mib)
        steps.report("train", seconds, peak, mode="streaming" if scratch else "in memory", scratch_mib=scratch_mib,
                     spots_per_second=[round(e["spots_per_second"], 1) for e in epochs],
                     loss=[e["loss"]["total"] for e in epochs])
        seconds, peak, _ = steps.ranks("embed", "--atlas", str(atlas))
        rows = results_rows(atlas)
        steps.report("embed", seconds, peak)
        steps.report("total", time.monotonic() - start, max(line["peak_mib"] for line in steps.lines),
                     peak_disk_mib=round(steps.peak_disk, 1), rows=rows)
        if options.json:
            pathlib.Path(options.json).write_text("".join(json.dumps(line) + "\n" for line in steps.lines))
        if rows != options.spots:
            sys.exit(f"{rows} spots are embedded, {options.spots} were simulated")
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
