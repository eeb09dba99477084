#!/usr/bin/env bash
# Configures and builds smeta in build/ (release, warnings as errors). Arguments go to CMake's configure step:
#   scripts/build.sh                         everything
#   scripts/build.sh -DSMETA_LEIDEN=OFF      without igraph (a BSD-licensed binary)
#   BUILD_DIR=build-debug scripts/build.sh -DCMAKE_BUILD_TYPE=Debug
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}
cmake -S . -B "$build" -G Ninja -DSMETA_WERROR=ON "$@"
cmake --build "$build"
