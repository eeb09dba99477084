#!/usr/bin/env bash
# Formats every C++ file with clang-format 14; with --check only says which files differ (exit 1).
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run -Werror)
find include src drivers tests benchmarks -name '*.?pp' -print0 2>/dev/null |
    xargs -0 -r clang-format-14 --style=file "${mode[@]}"
