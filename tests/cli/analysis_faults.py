"""Damaged files in the way of the analysis commands: on 1 and 2 ranks exit code 2, one message that names the file, and no table, figure
or other byte of the atlas changed."""

import gzip
import shutil

from smeta_cli import check, differing, digest, main

SIZE = ["--samples", 2, "--spots", 120, "--genes", 60, "--metabolites", 20, "--domains", 3, "--seed", 7]


def snapshot(folder):
    return {str(f.relative_to(folder)): digest(f) for f in folder.rglob("*") if f.is_file()}


def cut(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size * 2 // 3])


def flip(path):
    """Every byte of the second half: whatever is stored there is not what was."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2:] = bytes(b ^ 0x55 for b in data[len(data) // 2:])
    path.write_bytes(bytes(data))


def text(path, content):
    path.write_text(content)
    return path


def lines(path, change):
    """Replaces the lines of a table."""
    path.write_text("\n".join(change(path.read_text().split("\n"))))


def column_of(path, name, value):
    """Writes `value` into the named column of the table's third line."""
    def change(rows):
        at = rows[0].split("\t").index(name)
        fields = rows[2].split("\t")
        fields[at] = value
        rows[2] = "\t".join(fields)
        return rows
    lines(path, change)


def damage_cases(folder):
    """Name -> (damage to the run's folder and atlas, command, what the message says)."""
    joint = lambda run: next((run / "../../joint").resolve().glob("S2.*"))
    result = lambda run: run / "results/S2.h5ad"
    database = text(folder / "db.tsv", "formula\tname\nC6H12O6\tglucose\n")
    gmt = text(folder / "sets.gmt", "s\td\tA\tB\n")
    pairs = text(folder / "pairs.tsv", "ligand\treceptor\nA\tB\n")
    square = text(folder / "square.tsv", "x\ty\tsample\n0\t0\tS2\n1\t0\tS2\n1\t1\tS2\n")
    path = ["--sample", "S2", "--points", "0,0", "9,9"]
    on_results = {"network": [], "region": ["--shapes", square], "trajectory": path, "markers": []}
    on_joint = {"markers": [], "correlate": [], "annotate": ["--database", database], "communicate": ["--pairs", pairs]}
    cases = {}
    for name, how in (("cut", cut), ("flipped", flip)):
        for command, more in on_results.items():
            says = ["results/S2.h5ad"] if command == "markers" else ["'S2'", "smeta embed"]
            cases[f"{command}: {name} results"] = (lambda run, how=how: how(result(run)), [command, *more], says)
    for command, more in on_joint.items():
        cases[f"{command}: cut joint file"] = (lambda run: cut(joint(run)), [command, *more], ["joint"])
        cases[f"{command}: missing joint file"] = (lambda run: joint(run).unlink(), [command, *more], ["joint"])
    compressed = folder / "cut.tsv.gz"
    compressed.write_bytes(gzip.compress(b"formula\tname\n" + b"C6H12O6\tglucose\n" * 5000)[:60])
    tables = {
        "cut gzip": (["annotate", "--database", compressed], ["cut.tsv.gz"]),
        "no table": (["annotate", "--database", folder / "absent"], ["absent", "No such file"]),
        "empty table": (["annotate", "--database", text(folder / "empty.tsv", "")], ["empty.tsv", "formula"]),
        "no formulas": (["annotate", "--database", text(folder / "none.tsv", "formula\tname\n?\tx\n")], ["none.tsv", "C6H12O6"]),
        "binary table": (["annotate", "--database", folder / "binary.tsv"], ["binary.tsv"]),
        "set without members": (["enrich", "--sets", text(folder / "bad.gmt", "a\td\tX\nb\n")], ["bad.gmt", "line 2"]),
        "cut gmt": (["enrich", "--sets", compressed], ["cut.tsv.gz"]),
        "binary pairs": (["communicate", "--pairs", folder / "binary.tsv"], ["binary.tsv"]),
        "binary shapes": (["region", "--shapes", folder / "binary.tsv"], ["binary.tsv"]),
    }
    (folder / "binary.tsv").write_bytes(bytes(range(256)) * 40)
    for name, (command, says) in tables.items():
        cases[name] = (lambda run: None, command, says)
    markers = lambda run: run / "tables/markers.tsv"
    enrich = ["enrich", "--sets", gmt]
    cases["marker without its last cells"] = (
        lambda run: lines(markers(run), lambda rows: [*rows[:2], rows[2][:20], *rows[3:]]), enrich, ["markers.tsv", "line 3"])
    cases["marker's p is a word"] = (lambda run: column_of(markers(run), "adjusted_p", "tiny"), enrich,
                                     ["markers.tsv", "line 3", "adjusted_p", "tiny"])
    cases["markers without a column"] = (
        lambda run: lines(markers(run), lambda rows: [rows[0].replace("adjusted_p", "q"), *rows[1:]]), enrich,
        ["markers.tsv", "adjusted_p"])
    cases["annotations without a column"] = (
        lambda run: text(run / "tables/annotations.tsv", "feature\tids\nmz\tH1\n"), enrich, ["annotations.tsv", "fdr"])
    return cases


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    smeta.run("run", folder / "study/study.toml", "--atlas", folder / "sound", "--set", "train.epochs=2")
    smeta.run("markers", "--atlas", folder / "sound")
    failures = []
    for name, (damage, command, says) in damage_cases(folder).items():
        for np in (1, 2):
            shutil.rmtree(folder / "atlas", ignore_errors=True)
            shutil.copytree(folder / "sound", folder / "atlas")
            damage(folder / "atlas/runs/main")
            before = snapshot(folder / "atlas")
            _, err = smeta.run(command[0], "--atlas", folder / "atlas", *command[1:], np=np, expect=2)
            message = err[err.index("smeta: error"):]
            for part in says:
                if part.lower() not in message.lower():
                    failures.append(f"{name}, {np} ranks: '{part}' is not in\n{message}")
            if err.count("smeta: error") != 1:
                failures.append(f"{name}, {np} ranks: one message, not\n{err}")
            if wrong := differing(before, snapshot(folder / "atlas")):
                failures.append(f"{name}, {np} ranks: changed: {wrong}")
        print(name, flush=True)
    check(not failures, "\n\n".join(failures))


main(body)
