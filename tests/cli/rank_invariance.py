"""The whole chain from raw files on several rank and thread counts: with fixed_tree the same bits of everything that is
published, with fast the same losses to 1e-4."""

from smeta_cli import check, differing, digests, losses, main

STUDY = ["--samples", 3, "--spots", 150, "--genes", 300, "--metabolites", 80, "--domains", 4, "--seed", 5]
PUBLISHED = ["joint/*.h5mu", "stages/*/*.h5", "runs/main/model.h5", "runs/main/results/*.h5ad", "runs/main/neighbors.h5"]


def body(smeta, folder):
    smeta.run("simulate", "--out", folder / "study", *STUDY)

    def chain(name, np, threads, *settings):
        arguments = [x for s in ("train.epochs=5", *settings) for x in ("--set", s)]
        atlas = folder / name
        smeta.run("run", folder / "study" / "study.toml", "--atlas", atlas, "--threads", threads, *arguments, np=np,
                  threads=threads)
        return atlas

    reference = digests(chain("tree1", 1, 1, "train.reduction=fixed_tree"), PUBLISHED)
    for np, threads in ((1, 2), (2, 1), (3, 1), (4, 2), (8, 1)):
        atlas = chain(f"tree{np}x{threads}", np, threads, "train.reduction=fixed_tree")
        wrong = differing(reference, digests(atlas, PUBLISHED))
        check(not wrong, f"fixed_tree, {np} ranks x {threads} threads: other bits in {wrong}")
        print(f"fixed_tree {np} x {threads}: {len(reference)} files equal")

    expected = losses(chain("fast1", 1, 1) / "runs" / "main")
    check(len(expected) == 5, f"5 epochs in metrics.jsonl, found {len(expected)}")
    for np, threads in ((2, 1), (3, 1), (4, 1), (1, 2)):
        found = losses(chain(f"fast{np}x{threads}", np, threads) / "runs" / "main")
        error = max(abs(a - b) / abs(a) for a, b in zip(expected, found))
        check(error <= 1e-4, f"fast, {np} ranks x {threads} threads: losses differ by {error:.1e}")
        print(f"fast {np} x {threads}: losses agree to {error:.1e}")


main(body)
