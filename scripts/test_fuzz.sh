#!/usr/bin/env bash
# Feeds damaged files to every parser that a stranger's file reaches, built with AddressSanitizer and
# UndefinedBehaviorSanitizer in build-sanitize/ (docs/testing.md, "Fuzzing"). Inputs that made a fault are kept in
# build-sanitize/fuzz-faults/; exit code 1 if there are any.
#   scripts/test_fuzz.sh                     a minute a parser, seed of the day
#   scripts/test_fuzz.sh 10                  ten seconds a parser
#   scripts/test_fuzz.sh 600 imzml h5ad      these parsers, ten minutes each
#   SEED=7 scripts/test_fuzz.sh              the same inputs every time
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
seed=${SEED:-$(date +%Y%m%d)}
build=build-sanitize
faults=$build/fuzz-faults

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSMETA_SANITIZE=address -DSMETA_BUILD_BENCHMARKS=OFF
nice cmake --build "$build" --target test_fuzz
fuzz=$build/tests/fuzz/test_fuzz
[ $# -gt 0 ] && parsers=("$@") || mapfile -t parsers < <("$fuzz" list)

mkdir -p "$faults"
export UBSAN_OPTIONS="print_stacktrace=1"
status=0
for parser in "${parsers[@]}"; do
    # A fault that ends the process ends its turn; the next parser has its own.
    log=$faults/$parser.log
    if "$fuzz" "$parser" --seconds "$seconds" --seed "$seed" --keep "$faults" > "$log" 2>&1; then
        tail -n 1 "$log"
    else
        status=1
        echo "$parser: FAULT with seed $seed, see $log"
        grep -E 'FAULT|HANG|ERROR|runtime error|^fuzz |kept in' "$log" | head -n 20
    fi
done
exit "$status"
