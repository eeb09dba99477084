"""Serial sections of one simulated block, each turned by any angle, mirrored or not and shifted: laid on each other, one by one, every spot comes within
a pitch of where it was cut from; any number of ranks gives the same bytes; joint files, results and exports have the places; errors with exit code 2."""

import json
import math
import pathlib
import random
import shutil
import statistics
import subprocess

from smeta_cli import check, digests, main

GENES = 40
PITCH = 1.0
READ = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import anndata
data = anndata.read_h5ad(sys.argv[1])
print(json.dumps({name: list(place) for name, place in zip(data.obs["spot"].astype(str), data.obsm["spatial_3d"].tolist())}))
"""


class Section:
    """Spots on an array of its own, in a frame of its own; `cut` holds where in the block each was."""

    def __init__(self, number, draw, centres):
        self.name, self.z = f"S{(number * 3) % 5}", 10 * number  # the names are not in the order of the heights
        angle, mirror = draw.uniform(0, 2 * math.pi), draw.choice([-1, 1])
        self.linear = (mirror * math.cos(angle), -math.sin(angle), mirror * math.sin(angle), math.cos(angle))
        self.shift = (draw.uniform(-50, 50), draw.uniform(-50, 50))
        offset = (draw.random(), draw.random())
        self.cut, self.places, self.counts = {}, {}, {}
        for row in range(-14, 15):
            for column in range(-12, 13):
                u = ((column + 0.5 * (row % 2) + offset[0]) * PITCH, (row * math.sqrt(0.75) + offset[1]) * PITCH)
                theta = math.atan2(u[1], u[0])
                if math.hypot(*u) > 7.5 * (1 + 0.25 * math.cos(theta) + 0.15 * math.sin(2 * theta) + 0.12 * math.cos(3 * theta + 1)):
                    continue
                name = f"{self.name}_{row + 14}_{column + 12}"
                self.cut[name] = u
                self.places[name] = self.place(u)
                means = [2 + 30 * math.exp(-((u[0] - c[0]) ** 2 + (u[1] - c[1]) ** 2) / 20) for c in centres]
                self.counts[name] = [max(0, round(draw.gauss(m, math.sqrt(m)))) for m in means]

    def place(self, u):
        a, b, c, d = self.linear
        return (a * u[0] + b * u[1] + self.shift[0], c * u[0] + d * u[1] + self.shift[1])

    def write(self, folder):
        with open(folder / f"{self.name}.tsv", "w") as file:
            file.write("\t".join(["spot", "x", "y", *(f"g{k}" for k in range(GENES))]) + "\n")
            for name, place in self.places.items():
                file.write("\t".join(map(str, [name, *place, *self.counts[name]])) + "\n")


def write_study(folder, sections, heights):
    text = "".join(f'[[sample]]\nname = "{s.name}"\ncohort = "C"\nst = "{s.name}.tsv"\nobs = {{block = "B", z = {z}}}\n\n'
                   for s, z in zip(sections, heights))
    (folder / "alone.tsv").write_text((folder / f"{sections[0].name}.tsv").read_text().replace(sections[0].name + "_", "alone_"))
    (folder / "study.toml").write_text(text + '[[sample]]\nname = "alone"\ncohort = "C"\nst = "alone.tsv"\n')
    return folder / "study.toml"


def expect_error(smeta, words, *arguments, np=1):
    _, err = smeta.run(*arguments, expect=2, np=np)
    check(all(word in err for word in words), f"{arguments}: expected {words} in: {err}")


def places_of(path):
    python = pathlib.Path(__file__).resolve().parents[2] / ".venv/bin/python"
    if not python.exists():
        print("no .venv: places are not read")
        return None
    done = subprocess.run([python, "-c", READ, path], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def check_places(found, sections):
    if found is None:
        return
    reference = sections[2]
    for section in sections:
        misses = []
        for name, cut in section.cut.items():
            x, y, z = found[name]
            check(z == section.z, f"{name}: height {z}, not {section.z}")
            true = reference.place(cut)
            misses.append(math.hypot(x - true[0], y - true[1]) / PITCH)
        middle = statistics.median(misses)
        print(f"{section.name} at {section.z}: median error {middle:.3f} pitches, worst {max(misses):.3f}")
        check(middle < 1 and max(misses) < 2, f"{section.name}: median error {middle:.2f} pitches, worst {max(misses):.2f}")


def body(smeta, folder):
    draw = random.Random(5)
    centres = [(draw.uniform(-8, 8), draw.uniform(-8, 8)) for _ in range(GENES)]
    sections = [Section(k, draw, centres) for k in range(5)]
    for section in sections:
        section.write(folder)
    study, atlas, other = write_study(folder, sections, [s.z for s in sections]), folder / "atlas", folder / "other"
    smeta.run("ingest", "--study", study, "--atlas", atlas)
    block = ["--set", "stack.block=block"]
    expect_error(smeta, ["quality control", "smeta qc"], "stack", "--atlas", atlas, *block, np=2)
    smeta.run("qc", "--atlas", atlas)
    shutil.copytree(atlas, other)
    expect_error(smeta, ["stack.block"], "stack", "--atlas", atlas)
    expect_error(smeta, ["has no height", "'height'", "stack.z"], "stack", "--atlas", atlas, *block, "--set", "stack.z=height", np=2)
    _, log = smeta.run("stack", "--atlas", atlas, *block, "--figures", folder / "figures")
    check(f"{sections[2].name}: reference of block B" in log and log.count("outlines overlap by") == 4, log)
    svg = (folder / "figures/B.stack.svg").read_text()
    check(all(section.name in svg for section in sections) and "from the side" in svg, "the figure lacks sections")
    smeta.run("stack", "--atlas", other, *block, np=2, threads=2)
    check(digests(atlas, ["stages/stack/*"]) == digests(other, ["stages/stack/*"]), "another number of ranks gives other bytes")
    _, log = smeta.run("stack", "--atlas", atlas, *block)
    check(log.count("is up to date") == 5, log)
    smeta.run("reassign", "--atlas", atlas, np=2)
    joint = json.loads((atlas / "manifest.json").read_text())["samples"]
    check(len(joint) == 6 and "stack" not in joint["alone"]["stages"], "a sample without a block is in a stack")

    smeta.run("atlas", "remove", "--atlas", atlas, "--sample", "alone")
    smeta.run("export", "--atlas", atlas, "--out", folder / "joint.h5ad")
    check_places(places_of(folder / "joint.h5ad"), sections)
    smeta.run("select", "--atlas", atlas)
    smeta.run("train", "--atlas", atlas, "--run", "main", "--set", "train.epochs=1")
    smeta.run("embed", "--atlas", atlas, "--run", "main")
    result = places_of(atlas / "runs/main/results" / f"{sections[0].name}.h5ad")
    check(result is None or len(result) == len(sections[0].cut), "a result without places")

    for command in ("neighbors", "cluster", "report"):
        smeta.run(command, "--atlas", atlas, "--run", "main")
    check('id="stack_B"' in (atlas / "runs/main/report.html").read_text(), "no block in the report")

    twice = write_study(folder, sections, [0, 10, 10, 30, 40])
    smeta.run("ingest", "--study", twice, "--atlas", folder / "twice")
    smeta.run("qc", "--atlas", folder / "twice")
    expect_error(smeta, ["'B'", "same height"], "stack", "--atlas", folder / "twice", *block, np=2)


main(body)
