"""A few faults of command_faults.py, for every day: samples are added to an atlas."""

from command_faults import ingest_case, skip_without_strace, small_study, sweep
from smeta_cli import main


def body(smeta, folder):
    skip_without_strace()
    text, before = small_study(smeta, folder)
    sweep(smeta, ingest_case(text), folder, before, most=2)


main(body)
