#!/usr/bin/env bash
# Builds in build-sanitize/ with AddressSanitizer and UndefinedBehaviorSanitizer and runs the unit tests, the mpi tests on 1
# and 2 ranks and the quick cli tests; any report fails. Needs what scripts/setup.sh installs; the first time it compiles everything.
#   scripts/test_sanitize.sh                 everything
#   scripts/test_sanitize.sh -R unit/io      further arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")/.."
build=build-sanitize

# Debug: asserts of Eigen and debug_check() are on.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSMETA_SANITIZE=address -DSMETA_BUILD_BENCHMARKS=OFF
nice cmake --build "$build" --target smeta tests_unit tests_mpi

# OpenMPI unloads its plugins before the end: only a stack unwound to main tells its leaks from ours.
export ASAN_OPTIONS="fast_unwind_on_malloc=0:${ASAN_OPTIONS-}"
export LSAN_OPTIONS="suppressions=$PWD/scripts/sanitize/leaks.supp:print_suppressions=0"
export UBSAN_OPTIONS="print_stacktrace=1"
ctest --test-dir "$build" --output-on-failure --no-tests=error -LE slow -R '^unit/|^mpi/.*\.np[12]$|^cli/(simulate|ingest|preprocess|wrong_input|atlas)$' "$@"
