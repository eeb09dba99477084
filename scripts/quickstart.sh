#!/usr/bin/env bash
# From a fresh machine to an integrated atlas: installs what is missing (apt, needs root the first time), builds smeta,
# simulates a study as instruments would write it, integrates it and says where the report is.
#   scripts/quickstart.sh [FOLDER]      results in FOLDER (default quickstart-study)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-quickstart-study}

scripts/setup.sh --no-venv
cmake -S . -B build -G Ninja >/dev/null
cmake --build build --target smeta
smeta=build/drivers/smeta

[ -e "$folder/study.toml" ] || "$smeta" simulate --out "$folder" --config configs/quickstart.toml
"$smeta" run "$folder/study.toml" --config configs/quickstart.toml

