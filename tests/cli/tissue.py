"""Regions and paths drawn on the sections of a simulated study, and communication between its clusters: tables, stored columns,
figures, the same bytes on 1, 2 and 4 ranks, and every wrong input."""

import json

from smeta_cli import check, digests, main

SIZE = ["--samples", 2, "--spots", 150, "--genes", 60, "--metabolites", 20, "--domains", 3, "--seed", 7]
FIELDS = ["expected:", "found:", "hint:"]


def rows_of(path):
    header, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(header, line)) for line in lines]


def refused(smeta, arguments, says):
    for np in (1, 2):
        _, err = smeta.run(*arguments, np=np, expect=2)
        message = err[err.index("smeta: error"):]
        for part in says:
            check(part in message, f"{arguments}: '{part}' is not in\n{message}")


def geojson(path, *features):
    """Features are (geometry type, coordinates, properties)."""
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}
        for kind, coordinates, properties in features]}))
    return path


def positions(folder):
    """Spot -> (x, y) in full-resolution pixels."""
    file = next((folder / "study/S1/visium/spatial").glob("tissue_positions*.csv"))
    rows = [line.split(",") for line in file.read_text().splitlines() if not line.startswith("barcode")]
    return {row[0]: (float(row[5]), float(row[4])) for row in rows if row[1] == "1"}


def bounds(folder):
    spots = positions(folder).values()
    return min(x for x, _ in spots), max(x for x, _ in spots), min(y for _, y in spots), max(y for _, y in spots)


def check_regions(smeta, folder, atlas, run):
    x0, x1, y0, y1 = bounds(folder)
    middle = (x0 + x1) / 2
    left = [[[x0 - 1, y0 - 1], [middle, y0 - 1], [middle, y1 + 1], [x0 - 1, y1 + 1], [x0 - 1, y0 - 1]]]
    strip = [[[x1 - (x1 - x0) / 4, y0 - 1], [x1 + 1, y0 - 1], [x1 + 1, y1 + 1], [x1 - (x1 - x0) / 4, y1 + 1]]]
    shapes = geojson(folder / "regions.geojson", ("Polygon", left, {"name": "left", "sample": "S1"}),
                     ("MultiPolygon", [strip], {"classification": {"name": "strip"}, "sample": "S1"}))
    region = ["region", *atlas, "--shapes", shapes, "--composition", "cluster"]
    smeta.run(*region)
    outputs = ["tables/regions*.tsv", "figures/regions*.svg", "results/S1.h5ad"]
    first = digests(run, outputs)
    check(len(first) == 6, first)
    for np in (2, 4):
        smeta.run(*region, np=np)
        check(digests(run, outputs) == first, f"other bytes on {np} ranks")
    spots = {row["region"]: int(row["spots"]) for row in rows_of(run / "tables/regions.tsv")}
    expected = sum(x < middle for x, _ in positions(folder).values())
    check(spots["left"] == expected and 0 < spots["strip"] < spots["left"], (spots, expected))
    check(sum(spots.values()) == len(positions(folder)), spots)
    markers = rows_of(run / "tables/regions_markers.tsv")
    check({row["group"] for row in markers} == {"left", "strip"} and len(markers) > 100, len(markers))
    composition = rows_of(run / "tables/regions_composition.tsv")
    check(sum(int(row["spots"]) for row in composition) == len(positions(folder)), composition)

    # What is stored serves again, here and in the other commands.
    smeta.run("region", *atlas, "--sample", "S1", "--compare", "left", "strip", "--name", "pair")
    pair = rows_of(run / "tables/pair_markers.tsv")
    check({(row["group"], row["reference"]) for row in pair} == {("left", "strip")}, pair[0])
    check(int(pair[0]["spots"]) == spots["left"] and int(pair[0]["spots_reference"]) == spots["strip"], pair[0])
    figure = (run / "figures/pair_markers.svg").read_text()
    check(">left<" in figure and ">strip<" in figure and ">outside<" not in figure, "other columns than those of the comparison")
    smeta.run("region", *atlas, "--sample", "S1", "--compare", "outside", "left", "--name", "inverse")
    inverse = rows_of(run / "tables/inverse_markers.tsv")
    check({(row["group"], row["reference"]) for row in inverse} == {("outside", "left")}, inverse[:1])
    smeta.run("markers", *atlas, "--groupby", "region", "--ignore", "outside", "--name", "again")
    again = {row["feature"]: row for row in rows_of(run / "tables/again.tsv") if row["group"] == "left"}
    for row in pair:
        check(again[row["feature"]]["score"] == row["score"], (row, again[row["feature"]]))
    smeta.run("atlas", "verify", *atlas)


def check_wrong_regions(smeta, folder, atlas):
    square = [[[0, 0], [9, 0], [9, 9], [0, 0]]]

    def wrong(says, *features, more=()):
        refused(smeta, ["region", *atlas, "--shapes", geojson(folder / "wrong.geojson", *features), *more], says)

    wrong(["wrong.geojson: 'a'", "a sample of run 'main': S1, S2", "none", "--sample", *FIELDS],
          ("Polygon", square, {"name": "a"}))
    wrong(["'S9'", "S1, S2", *FIELDS], ("Polygon", square, {"name": "a", "sample": "S9"}))
    wrong(["wrong.geojson: feature 1 ('a')", "Polygon or MultiPolygon", "\"Point\"", *FIELDS],
          ("Point", [0, 0], {"name": "a"}))
    wrong(["wrong.geojson: regions of sample 'S2'", "no spot in any region", "x 90000 ... 90009", *FIELDS],
          ("Polygon", [[[90000 + x, y] for x, y in square[0]]], {"name": "a", "sample": "S2"}))
    wrong(["cannot be called 'outside'"], ("Polygon", square, {"name": "outside", "sample": "S1"}))
    wrong(["column 'cluster' that is not of regions", "--column"], ("Polygon", square, {"name": "a", "sample": "S1"}),
          more=["--column", "cluster"])
    (folder / "vertices.tsv").write_text("x\ty\tname\n0\t0\ta\n5\tup\ta\n")
    refused(smeta, ["region", *atlas, "--shapes", folder / "vertices.tsv"], ["vertices.tsv: line 3", "'up'"])
    refused(smeta, ["region", *atlas, "--shapes", folder / "none"], ["none", "No such file"])
    refused(smeta, ["region", *atlas, "--column", "zone"], ["has an obs column 'zone'", "there are:"])
    refused(smeta, ["region", *atlas, "--compare", "left", "right"], ["'right' is no region", "left, outside, strip"])


def check_trajectory(smeta, folder, atlas, run):
    x0, x1, y0, y1 = bounds(folder)
    line = [[x0, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x1, (y0 + y1) / 2]]
    shapes = geojson(folder / "paths.geojson", ("LineString", line, {"name": "axis", "sample": "S1"}),
                     ("LineString", [line[2], line[0]], {"name": "back", "sample": "S1"}))
    trajectory = ["trajectory", *atlas, "--shapes", shapes, "--width", "150um", "--knots", 4]
    smeta.run(*trajectory)
    outputs = ["tables/trajectory*.tsv", "figures/trajectory*.svg", "results/S1.h5ad"]
    first = digests(run, outputs)
    check(len(first) == 7, first)
    for np in (2, 4):
        smeta.run(*trajectory, np=np)
        check(digests(run, outputs) == first, f"other bytes on {np} ranks")
    rows = rows_of(run / "tables/trajectory.tsv")
    check({row["path"] for row in rows} == {"axis", "back"} and {row["modality"] for row in rows} == {"sm", "st"}, rows[0])
    check(all(0 <= float(row["p_value"]) <= float(row["adjusted_p"]) <= 1 for row in rows), "p-values")
    curves = rows_of(run / "tables/trajectory_curves.tsv")
    check(all(float(row["lower"]) < float(row["value"]) < float(row["upper"]) for row in curves), "bands")
    out, _ = smeta.run(*trajectory, "--dry-run")
    check("path\tS1\taxis\t" in out and digests(run, outputs) == first, out)
    smeta.run("atlas", "verify", *atlas)

    points = [f"{x},{y}" for x, y in line]
    refused(smeta, ["trajectory", *atlas], ["--shapes FILE or with --points"])
    refused(smeta, ["trajectory", *atlas, "--sample", "S1", "--points", "3,4", "5"], ["--points", "found '5'"])
    refused(smeta, ["trajectory", *atlas, "--points", *points], ["--points: 'path_1'", "S1, S2", *FIELDS])
    refused(smeta, ["trajectory", *atlas, "--sample", "S1", "--points", "1,1", "2,2"], ["0 spots of 'S1'", "--width", "coordinates"])
    refused(smeta, ["trajectory", *atlas, "--sample", "S1", "--points", "1,1", "1,1"], ["two different vertices"])
    refused(smeta, ["trajectory", *atlas, "--sample", "S1", "--points", *points, "--width", "wide"], ["--width", "'wide'"])
    refused(smeta, ["trajectory", *atlas, "--shapes", folder / "regions.geojson"],
            ["regions.geojson: feature 1 ('left')", "LineString or MultiLineString", "Polygon", *FIELDS])
    wrong = geojson(folder / "wrong.geojson", ("MultiLineString", [line, line[:2]], {"name": "axis", "sample": "S1"}))
    refused(smeta, ["trajectory", *atlas, "--shapes", wrong], ["wrong.geojson: path 'axis'", "one line", *FIELDS])
    wrong = geojson(folder / "wrong.geojson", ("LineString", line, {"name": "a/b", "sample": "S1"}))
    refused(smeta, ["trajectory", *atlas, "--shapes", wrong], ["'a/b'", "letters, digits"])


def features_of(run):
    rows = rows_of(run / "tables/regions_markers.tsv")
    return [[row["feature"] for row in rows if row["group"] == "left" and row["modality"] == m] for m in ("st", "sm")]


def check_communicate(smeta, folder, atlas, run):
    genes, metabolites = features_of(run)
    pairs = folder / "pairs.csv"
    pairs.write_text("ligand,receptor,pathway\n" + "".join(
        f"{genes[i]}{'&' + genes[i + 20] if i % 3 == 0 else ''},{genes[i + 10]},p{i}\n" for i in range(10)) + "A,B,none\n")
    sensors = folder / "sensors.tsv"
    mz = metabolites[3].split("_")[1]
    sensors.write_text("metabolite\tsensor\tmz\n" + f"{metabolites[0]}\t{genes[0]}\t\nby mass\t{genes[1]}\t{mz}\n")
    communicate = ["communicate", *atlas, "--pairs", pairs, "--sensors", sensors, "--groupby", "label", "--permutations", 50]
    smeta.run(*communicate)
    outputs = ["tables/communication.tsv", "figures/communication*.svg"]
    first = digests(run, outputs)
    check(len(first) == 3, first)
    for np, threads in ((1, 2), (2, 1), (4, 1)):
        smeta.run(*communicate, "--threads", threads, np=np)
        check(digests(run, outputs) == first, f"other bytes on {np} ranks, {threads} threads")
    rows = rows_of(run / "tables/communication.tsv")
    check({row["kind"] for row in rows} == {"ligand-receptor", "metabolite-sensor"}, len(rows))
    check(f"by mass [{metabolites[3]}]" in {row["ligand"] for row in rows}, "the metabolite found by its mass")
    check(all(1 / 51 - 1e-9 <= float(row["p_value"]) <= 1 for row in rows), "p-values")
    smeta.run(*communicate, "--seed", 5, "--name", "other")
    other = rows_of(run / "tables/other.tsv")
    key = lambda row: (row["ligand"], row["receptor"], row["sender"], row["receiver"])
    check({key(r): r["score"] for r in other} == {key(r): r["score"] for r in rows}, "scores without chance")
    check({key(r): r["p_value"] for r in other} != {key(r): r["p_value"] for r in rows}, "p-values of another seed")

    refused(smeta, ["communicate", *atlas], ["--pairs FILE", "--sensors FILE"])
    (folder / "wrong.tsv").write_text("gene\tpartner\na\tb\n")
    refused(smeta, ["communicate", *atlas, "--pairs", folder / "wrong.tsv"],
            ["wrong.tsv: header", "a column ligand or source", "gene, partner", *FIELDS])
    (folder / "wrong.tsv").write_text("ligand\treceptor\na\tb\n")
    refused(smeta, ["communicate", *atlas, "--pairs", folder / "wrong.tsv"], ["wrong.tsv:", "no pair with both measured", *FIELDS])
    (folder / "wrong.tsv").write_text(f"metabolite\tsensor\tmz\nunknown\t{genes[0]}\t\n")
    refused(smeta, ["communicate", *atlas, "--sensors", folder / "wrong.tsv"], ["wrong.tsv:", "smeta annotate", *FIELDS])
    (folder / "wrong.tsv").write_text(f"metabolite\tsensor\tmz\nunknown\t{genes[0]}\theavy\n")
    refused(smeta, ["communicate", *atlas, "--sensors", folder / "wrong.tsv"], ["wrong.tsv: line 2", "heavy"])
    refused(smeta, ["communicate", *atlas, "--pairs", folder / "none"], ["none", "No such file"])
    refused(smeta, ["communicate", *atlas, "--pairs", pairs, "--groupby", "zone"], ["has an obs column 'zone'"])
    refused(smeta, ["communicate", *atlas, "--pairs", pairs, "--min-fraction", "1", "--groupby", "sample", "--mem", "1K"],
            ["GB a rank", "--mem"])


def check_subclusters(smeta, atlas, run):
    divide = ["cluster", *atlas, "--within", "0", "--set", "cluster.resolution=1.5"]
    smeta.run(*divide)
    first = digests(run, ["results/*.h5ad"])
    smeta.run(*divide, np=2)
    check(digests(run, ["results/*.h5ad"]) == first, "other bytes on 2 ranks")
    smeta.run("markers", *atlas, "--groupby", "subcluster", "--name", "parts")
    groups = {row["group"] for row in rows_of(run / "tables/parts.tsv")}
    check("0,0" in groups and "0" not in groups and "1" in groups, groups)
    refused(smeta, [*divide[:4], "99"], ["no cluster '99'", "there are: 0, 1"])
    refused(smeta, [*divide, "--column", "cluster"], ["column 'cluster' that is not of subclusters", "--column"])
    smeta.run("atlas", "verify", *atlas)


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *SIZE)
    smeta.run("run", folder / "study/study.toml", "--atlas", folder / "atlas", "--set", "train.epochs=2")
    atlas = ["--atlas", folder / "atlas"]
    check_regions(smeta, folder, atlas, folder / "atlas/runs/main")
    check_wrong_regions(smeta, folder, atlas)
    check_trajectory(smeta, folder, atlas, folder / "atlas/runs/main")
    check_communicate(smeta, folder, atlas, folder / "atlas/runs/main")
    check_subclusters(smeta, atlas, folder / "atlas/runs/main")


main(body)
