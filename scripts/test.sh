#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors and runs every test that is not labelled slow.
# Needs git, a compiler and, for the first run, root (apt). Further arguments go to ctest (e.g. -R model).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
scripts/build.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ctest --test-dir build -LE slow -j "$(nproc)" --output-on-failure --no-tests=error "$@" | tee "$log" || status=$?

# Where the reference data lie beside the checkout nothing may skip: a skipped test has tested nothing.
if [ -d ../shared ] && grep -q '\*\*\*Skipped' "$log"; then
    echo "test.sh: tests were skipped although ../shared is there" >&2
    status=1
fi
exit "$status"
