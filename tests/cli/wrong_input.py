"""Wrong input of every kind, in one process and under the launcher: every rank ends with exit code 2, one message says which
file, where in it, what was expected and found, and what to do, and no byte of the atlas changes. Every command answers
--help, and one that runs too early names the command to run first."""

import concurrent.futures
import re
import shutil

from smeta_cli import Smeta, check, differing, digest, main

ATLAS = "the worker's atlas"
WORKERS = 4  # a launcher mostly waits
SIZE = ["--samples", 2, "--spots", 40, "--genes", 50, "--metabolites", 20, "--domains", 3, "--seed", 7]
COMMANDS = ["run", "simulate", "ingest", "qc", "align", "reassign", "select", "train", "embed", "neighbors", "cluster",
            "markers", "correlate", "annotate", "enrich", "region", "trajectory", "communicate", "report", "export", "atlas info", "atlas list", "atlas verify", "atlas remove", "config"]


class Worker:
    """Has an atlas of its own, so that several work at a time. Runs smeta through a script that records every rank's exit code and lets no rank go before all have ended, since a
    launcher ends the others at the first one that fails."""

    def __init__(self, smeta, folder, atlas):
        self.codes = folder / "codes"
        self.atlas = folder / "atlas"
        shutil.copytree(atlas, self.atlas)
        self.smeta = {}
        for np in (1, 2):
            script = folder / f"smeta{np}"
            script.write_text(
                f'#!/bin/sh\n"{smeta.executable}" "$@"\ncode=$?\ntries=0\n'
                f'echo $code > "{folder}/$$"; mv "{folder}/$$" "{self.codes}/$$"\n'
                f'while [ "$(ls "{self.codes}" | wc -l)" -lt {np} ] && [ $tries -lt 100 ]; do\n'
                "    sleep 0.1\n    tries=$((tries + 1))\ndone\nexit $code\n")
            script.chmod(0o755)
            self.smeta[np] = Smeta([str(script), smeta.launcher, *smeta.launcher_flags])

    def refused(self, name, arguments, says, np):
        """A command that must end with exit code 2 on all ranks, say, once, all of `says` and change no byte of the atlas."""
        shutil.rmtree(self.codes, ignore_errors=True)
        self.codes.mkdir()
        before = snapshot(self.atlas)
        check("manifest.json" in before and any(f.startswith("raw/") for f in before), f"no atlas: {sorted(before)}")
        arguments = [self.atlas if a == ATLAS else a for a in arguments]
        _, err = self.smeta[np].run(*arguments, np=np, expect=2)
        codes = [f.read_text().strip() for f in self.codes.iterdir()]
        check(codes == ["2"] * np, f"{name}: exit codes {codes} of {np} ranks")
        check(err.count("smeta: error") == 1, f"{name}, {np} ranks: one message, not\n{err}")
        message = err[err.index("smeta: error"):]
        for part in says:
            check(part.lower() in message.lower(), f"{name}, {np} ranks: '{part}' is not in the message:\n{message}")
            if part.endswith(":"):
                check(len(re.findall(re.escape(part) + r" *\S", message)) == 1, f"{name}: one filled '{part}':\n{message}")
        wrong = differing(before, snapshot(self.atlas))
        check(not wrong, f"{name}, {np} ranks: the atlas changed: {wrong}")


def damaged(folder, name, damage):
    """A copy of the study in which `damage` changed something of S2: only one of two ranks meets it."""
    copy = folder / name
    shutil.copytree(folder / "study", copy)
    damage(copy / "S2")
    return ["--study", copy / "study.toml"]


def flip(path, offset, by=0xFF):
    data = bytearray(path.read_bytes())
    data[offset] ^= by
    path.write_bytes(data)


def edit(path, old, new, count=1):
    text = path.read_text(encoding="latin-1")
    check(re.search(old, text), f"{old} not in {path}")
    path.write_text(re.sub(old, new, text, count=count), encoding="latin-1")


def truncate(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def mtx_folder(folder, barcodes, features):
    folder.mkdir()
    (folder / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 3\n2 2 4\n")
    (folder / "barcodes.tsv").write_text("".join(b + "\n" for b in barcodes))
    (folder / "features.tsv").write_text("".join(f"{f}\t{f}\tGene Expression\n" for f in features))
    return folder


def file_faults(folder):
    """Name -> (arguments of ingest, what the message must say)."""
    matrix = "visium/filtered_feature_bc_matrix.h5"
    fields = ["expected:", "found:", "hint:"]

    def table(name, text):
        (folder / name).write_text(text)
        return folder / name

    def st(path):
        return ["--sample", "X", "--st", path]

    def sm(path):
        return ["--sample", "X", "--sm", path]

    def offset(s):
        edit(s / "msi/pos.imzML", r'(accession="IMS:1000102"[^>]*value=)"\d+"', r'\1"999999999999"')

    return {
        "missing ibd": (damaged(folder, "missing", lambda s: (s / "msi/neg.ibd").unlink()), ["S2/msi/neg.ibd", "beside it"]),
        "missing folder": (damaged(folder, "gone", lambda s: shutil.rmtree(s / "visium")), ["S2/visium", "No such file"]),
        "missing study": (["--study", folder / "none.toml"], ["none.toml", "No such file"]),
        "wrong layout of a table": (st(table("layout.txt", "hello\n")), ["layout.txt", "a row of gene names", *fields]),
        "wrong layout of a folder": (damaged(folder, "no_matrix", lambda s: (s / matrix).unlink()),
                                     ["S2/visium", "filtered_feature_bc_matrix", "outs", *fields]),
        "truncated HDF5": (damaged(folder, "cut", lambda s: truncate(s / matrix)),
                           ["S2/visium/filtered_feature_bc_matrix.h5", "a whole HDF5 file", "copy or create it again", *fields]),
        "truncated ibd": (damaged(folder, "cut_ibd", lambda s: truncate(s / "msi/pos.ibd")),
                          ["S2/msi/pos.imzML", "spectrum", "is the .ibd whole", *fields]),
        "bad offset": (damaged(folder, "offset", offset),
                       ["S2/msi/pos.imzML: spectrum 1, m/z array", "at offset 999999999999", *fields]),
        "wrong UUID": (damaged(folder, "uuid", lambda s: flip(s / "msi/neg.ibd", 3)),
                       ["S2/msi/neg.imzML: UUID", "neg.ibd", "do not belong together", "ingest.imzml_uuid", *fields]),
        "wrong checksum": (damaged(folder, "sha", lambda s: flip(s / "msi/neg.ibd", -1, 1)),
                           ["S2/msi/neg.imzML: SHA-1", "neg.ibd", *fields]),
        "a value too many": (sm(table("features.csv", "x,y,100.1,200.2\n1,1,3,4\n2,1,3,4,5\n")),
                             ["features.csv: line 3", "4 fields", "5 fields", *fields]),
        "mismatched features": (st(mtx_folder(folder / "mtx", ["A", "B"], ["g1", "g2", "g3"])),
                                ["matrix.mtx: line 2", "3 features and 2 barcodes", "2 by 2", "features.tsv", *fields]),
        "duplicate barcodes": (st(mtx_folder(folder / "twice", ["AAAC-1", "AAAC-1"], ["g1", "g2"])),
                               ["barcodes.tsv: barcode 'AAAC-1'", "every barcode once", "remove or rename", *fields]),
        "negative counts": (st(table("negative.tsv", "\tg1\tg2\n1x1\t1\t-2\n1x2\t1\t2\n")),
                            ["negative.tsv: row '1x1', column 'g2'", "-2", "raw counts are needed", *fields]),
        "fractional counts": (st(table("fraction.tsv", "\tg1\tg2\n1x1\t1\t2.5\n1x2\t1\t2\n")),
                              ["fraction.tsv: row '1x1', column 'g2'", "2.5", "ingest.fractional_counts", *fields]),
        "NaN counts": (st(table("nan.tsv", "\tg1\tg2\n1x1\t1\tnan\n1x2\t1\t2\n")),
                       ["nan.tsv: row '1x1', column 'g2'", *fields]),
        "NaN intensity": (sm(table("nan.csv", "x,y,100.1,200.2\n1,1,3,nan\n2,1,3,4\n")),
                          ["nan.csv: row", "column 'mz_200.2000'", "a finite number", "ingest.nan", *fields]),
        "labels of no spot": (st(table("plain.tsv", "\tg1\n1x1\t1\n")) + ["--labels", table("l.tsv", "spot\tlabel\nz\tt\n")],
                              ["l.tsv", "labels of spots of 'X'", *fields]),
        "unknown study key": (damaged(folder, "key", lambda s: edit(s / "../study.toml", "labels = ", "label = ", 0)),
                              ["study.toml:", "'label'", "did you mean 'labels'"]),
        "other content": (damaged(folder, "other", lambda s: edit(s / "../study.toml", 'cohort = "C2"', 'cohort = "C3"')),
                          ["study.toml:", "sample 'S2' is in the atlas", "--replace"]),
        "two kinds of source": (["--sample", "X", "--st", folder / "plain.tsv", "--joint", folder / "plain.tsv"], ["not both"]),
        "no source": ([], ["--study", "--sample", "smeta ingest --help"]),
    }


def command_faults(folder):
    """Name -> (arguments, what the message must say); the atlas has samples that only went through ingest."""
    atlas = ["--atlas", ATLAS]
    study = folder / "study/study.toml"
    (folder / "typo.toml").write_text("[ingest]\nnann = \"zero\"\n")
    faults = {
        "no command": ([], ["smeta --help"]),
        "misspelt command": (["ingset", "--study", study], ["unknown command 'ingset'", "did you mean 'ingest'"]),
        "misspelt command of a group": (["atlas", "lst", *atlas], ["unknown command 'lst'", "did you mean 'list'"]),
        "misspelt option": (["qc", *atlas, "--sampel", "S1"], ["--sampel", "smeta qc --help"]),
        "missing option": (["train"], ["--atlas", "smeta train --help"]),
        "unknown key": (["qc", *atlas, "--set", "ingest.nann=zero"], ["'ingest.nann'", "did you mean 'ingest.nan'"]),
        "unknown key in a file": (["qc", *atlas, "--config", folder / "typo.toml"],
                                  ["typo.toml:", "'ingest.nann'", "did you mean 'ingest.nan'"]),
        "value of another type": (["train", *atlas, "--set", "model.latent=2.5"],
                                  ["'model.latent'", "expected integer", "found 2.5"]),
        "value of no choice": (["train", *atlas, "--set", "train.mode=singel"], ["auto | single", 'found "singel"']),
        "missing configuration": (["qc", *atlas, "--config", folder / "none.toml"], ["none.toml", "No such file"]),
        "no threads": (["qc", *atlas, "--threads", 0], ["--threads", "1 to 65536"]),
        "negative seed": (["qc", *atlas, "--seed", -3], ["--seed", "from 0", "-3"]),
        "seed beyond TOML": (["qc", *atlas, "--seed", 2**63], ["--seed", "9223372036854775807", str(2**63)]),
        "size without a number": (["train", *atlas, "--mem", "lots"], ["'lots'", "4G"]),
        "unknown sample": (["qc", *atlas, "--sample", "S9"], ["no sample 'S9'", "did you mean 'S1'"]),
        "removal of no sample": (["atlas", "remove", *atlas, "--sample", "S9"], ["no sample 'S9'"]),
        "run's name": (["train", *atlas, "--run", "a/b"], ["'a/b'", "letters, digits"]),
        "chain on a missing study": (["run", folder / "none.toml"], ["none.toml", "No such file"]),
        "reassign before qc": (["reassign", *atlas], ["'S1'", "run smeta qc first"]),
        "points before align": (["align", *atlas, "--sample", "S1", "--apply", study, "--out", folder / "o"],
                                ["smeta align", "first"]),
        "select before reassign": (["select", *atlas], ["'S1'", "run smeta reassign first"]),
        "plan of reassign": (["reassign", *atlas, "--dry-run"], ["'S1'", "run smeta qc first"]),
        "plan above the memory": (["qc", *atlas, "--dry-run", "--mem", "1K"], ["rank 0", "--mem allows 0.0 MiB"]),
        "plan of ingest": (["ingest", *atlas, "--sample", "X", "--st", folder / "none", "--dry-run"],
                           ["none", "No such file"]),
        "plan of select": (["select", *atlas, "--dry-run"], ["'S1'", "run smeta reassign first"]),
        "train before select": (["train", *atlas], ["smeta select", "first"]),
        "plan of train": (["train", *atlas, "--dry-run"], ["smeta select", "first"]),
    }
    for name in ("embed", "neighbors", "cluster", "markers", "report"):
        faults[f"{name} before train"] = ([name, *atlas], ["no run 'main'", "smeta train"])
    for name in COMMANDS:
        if name in ("run", "simulate", "ingest", "config"):
            continue
        more = {"atlas remove": ["--sample", "S1"], "export": ["--out", folder / "o.h5ad"],
                "annotate": ["--database", folder / "o.tsv"], "enrich": ["--sets", folder / "o.gmt"]}.get(name, [])
        faults[f"{name} without atlas"] = ([*name.split(), "--atlas", folder / "none", *more], ["none is not an atlas"])
    return faults


def snapshot(folder):
    """Path -> digest of every file of the atlas."""
    return {str(f.relative_to(folder)): digest(f) for f in folder.rglob("*") if f.is_file()}


def check_faults(workers, faults):
    """All faults with one rank and with two, in parallel over the workers."""
    cases = [(name, *fault, np) for np in (1, 2) for name, fault in faults.items()]

    def share(w):
        for case in cases[w::WORKERS]:
            workers[w].refused(*case)

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(share, range(WORKERS)))


def check_lanes(smeta, worker, folder):
    """More ranks than lanes: a run is neither made nor touched."""
    for stage in ("qc", "align", "reassign", "select"):
        smeta.run(stage, "--atlas", worker.atlas)
    lanes = ["--set", "train.lanes=1"]
    for arguments in (["train", "--atlas", ATLAS, *lanes], ["train", "--atlas", ATLAS, *lanes, "--dry-run"],
                      ["run", folder / "study/study.toml", "--atlas", ATLAS, *lanes]):
        worker.refused("more ranks than lanes", arguments, ["2 ranks for 1 lanes", "at most 1 ranks", "train.lanes"], 2)


def check_help(smeta):
    for name in COMMANDS:
        out, _ = smeta.run(*name.split(), "--help")
        check(f"smeta {name} [OPTIONS]" in out and "--dry-run" in out, f"help of {name}:\n{out}")
    out, _ = smeta.run("--help", np=2)
    check(all(len(re.findall(rf"^  {name.split()[0]} ", out, re.M)) == 1 for name in COMMANDS), out)


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    smeta.run("ingest", "--study", folder / "study/study.toml", "--atlas", folder / "atlas")
    workers = []
    for w in range(WORKERS):
        (folder / f"worker{w}").mkdir()
        workers.append(Worker(smeta, folder / f"worker{w}", folder / "atlas"))
    check_help(smeta)
    ingest = ["ingest", "--atlas", ATLAS]
    check_faults(workers, {name: ([*ingest, *arguments], says) for name, (arguments, says) in file_faults(folder).items()})
    check_faults(workers, command_faults(folder))
    check(not (folder / "none").exists(), "a command that was refused made its folder")
    check_lanes(smeta, workers[0], folder)


main(body)
