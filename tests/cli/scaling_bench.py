"""The scaling study (scripts/bench) on a small atlas: every mixture of ranks and threads once, one model a batch, and a figure where
matplotlib is installed; its confidence intervals against tabulated ranks."""

import json
import pathlib
import subprocess
import sys

from smeta_cli import check, main

BENCH = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "bench"
VENV = BENCH.parents[1] / ".venv" / "bin" / "python"
# Order statistics of the 95 % interval of a median: n -> the lower rank (from 1), 0 for none.
LOWER_RANK = {5: 0, 6: 1, 8: 1, 9: 2, 10: 2, 20: 6, 30: 10}


def check_figure(lines, png):
    code = (f"import sys; sys.path.insert(0, {str(BENCH)!r}); import scaling_figure as f; "
            f"print([(f.interval_of_median(list(range(1, n + 1))) or (0,))[0] for n in {list(LOWER_RANK)}])")
    printed = subprocess.run([VENV, "-c", code], capture_output=True, text=True, check=True).stdout
    check(json.loads(printed) == list(LOWER_RANK.values()), f"ranks of the intervals: {printed}")
    subprocess.run([VENV, BENCH / "scaling_figure.py", lines, png], check=True, stdout=subprocess.DEVNULL)
    check(png.read_bytes().startswith(b"\x89PNG"), "no figure")


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", "--samples", 2, "--spots", 150, "--genes", 100, "--metabolites", 40,
              "--domains", 3, "--seed", 4)
    atlas = folder / "atlas"
    smeta.run("ingest", "--atlas", atlas, "--study", folder / "study" / "study.toml")
    for command in ("qc", "align", "reassign", "select"):
        smeta.run(command, "--atlas", atlas)
    done = subprocess.run([sys.executable, BENCH / "scaling.py", atlas, "--smeta", smeta.executable, "--most", "2", "--batch",
                           "128", "--rows", "64", "--repetitions", "1", "--epochs", "3"], capture_output=True, text=True)
    check(done.returncode == 0, f"scaling.py: {done.returncode}\n{done.stderr[-2000:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(line["kind"], line["ranks"], line["threads"], line["batch"]) for line in lines]
    wanted = [("strong", r, t, 128) for r, t in ((1, 1), (1, 2), (2, 1))]
    wanted += [("weak", 1, 1, 64), ("weak", 1, 2, 128), ("weak", 2, 1, 128), ("single", 1, 1, 128)]
    check(found == wanted, f"cases {found}")
    for line in lines:
        check(line["shows"] == ("speed" if line["ranks"] * line["threads"] <= line["processors"] else "correctness only"),
              f"{line} shows something else")
        check(len(line["step_seconds"]) == 2 and min(line["step_seconds"]) > 0, f"times of {line}")
    check(len({line["model"] for line in lines if line["batch"] == 128}) == 1, "models differ")
    check(not list((atlas / "runs").glob("*")), "runs are left")
    if VENV.exists() and has_matplotlib():
        (folder / "lines.jsonl").write_text(done.stdout)
        check_figure(folder / "lines.jsonl", folder / "figure.png")
    else:
        print("no matplotlib in .venv: the figure is not tested")


def has_matplotlib():
    return subprocess.run([VENV, "-c", "import matplotlib"], capture_output=True).returncode == 0


main(body)
