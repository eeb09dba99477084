"""Commands of one process each that start and end at the same time on one machine do not meet in anything of MPI's."""

import concurrent.futures

from smeta_cli import check, main


def body(smeta, folder):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        outputs = [out for out, _ in pool.map(lambda _: smeta.run("config", "--dump", "--format", "toml"), range(200))]
    check(len(set(outputs)) == 1 and outputs[0], "the same command prints the same")


main(body)
