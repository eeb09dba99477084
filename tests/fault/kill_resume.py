"""`smeta run` killed with SIGKILL at many moments and started again, each time on another rank count, ends with the same
bits as a run that nothing disturbed, and the atlas verifies."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from smeta_cli import check, differing, digests, kill, main  # noqa: E402

STUDY = ["--samples", 2, "--spots", 200, "--genes", 300, "--metabolites", 80, "--domains", 4, "--seed", 6]
SETTINGS = ["--set", "train.reduction=fixed_tree", "--set", "train.epochs=40", "--set", "train.checkpoint_minutes=0"]
PUBLISHED = ["joint/*.h5mu", "runs/main/model.h5", "runs/main/results/*.h5ad"]


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *STUDY)
    study = folder / "study" / "study.toml"
    begin = time.monotonic()
    smeta.run("run", study, "--atlas", folder / "straight", *SETTINGS)
    whole = time.monotonic() - begin
    reference = digests(folder / "straight", PUBLISHED)

    # Killed after growing shares of the whole time, until it survives to the end.
    kills = 0
    for attempt in range(60):
        np = attempt % 3 + 1
        process = smeta.start("run", study, "--atlas", folder / "killed", *SETTINGS, np=np)
        try:
            out, err = process.communicate(timeout=whole * (0.15 + 0.04 * attempt))
        except subprocess.TimeoutExpired:
            kill(process)
            kills += 1
            continue
        check(process.returncode == 0, f"attempt {attempt} on {np} ranks: exit code {process.returncode}\n{err[-3000:]}")
        break
    else:
        check(False, "the run never came to its end")
    check(kills >= 3, f"killed only {kills} times: not a test")
    wrong = differing(reference, digests(folder / "killed", PUBLISHED))
    check(not wrong, f"after {kills} kills other bits in {wrong}")
    smeta.run("atlas", "verify", "--atlas", folder / "killed")
    print(f"{kills} kills, {len(reference)} files equal")


main(body)
