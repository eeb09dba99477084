#!/usr/bin/env bash
# The job scripts under a real Slurm of two virtual nodes on this machine (tests/fault/slurm.py): installs Slurm, builds, runs.
# Needs root; about 7 minutes on two processors, without building.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh --slurm
scripts/build.sh
# -V: a line a scenario as it ends. A skipped test has tested nothing.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ctest --test-dir build -R '^fault/slurm$' -V --no-tests=error | tee "$log"
! grep -q '\*\*\*Skipped' "$log"
