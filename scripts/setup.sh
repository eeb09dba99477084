#!/usr/bin/env bash
# Installs what smeta needs to build and test on a Debian 12 machine: system packages with apt (as root) and a Python
# virtual environment in .venv/ for the interop tests. Idempotent: what is already there is left alone.
#   scripts/setup.sh             build tools, libraries and the virtual environment
#   scripts/setup.sh --no-venv   without Python (enough to build and run smeta)
#   scripts/setup.sh --slurm     also Slurm, which scripts/test_slurm.sh needs
#   scripts/setup.sh --peers     also .venv-peers/, which the comparisons with other packages in benchmarks/peers need
set -euo pipefail
cd "$(dirname "$0")/.."

want_venv=1
want_slurm=0
want_peers=0
for argument in "$@"; do
    case "$argument" in
        --no-venv) want_venv=0 ;;
        --slurm) want_slurm=1 ;;
        --peers) want_peers=1 ;;
        -h | --help) sed -n '2,7p' "$0" | sed 's/^# \?//'; exit 0 ;;
        *) echo "setup.sh: unknown argument '$argument' (see --help)" >&2; exit 2 ;;
    esac
done

packages=(
    build-essential cmake ninja-build ccache git
    libopenmpi-dev openmpi-bin libhdf5-openmpi-dev hdf5-tools
    libeigen3-dev libboost-serialization-dev libboost-math-dev
    libcli11-dev libtoml11-dev nlohmann-json3-dev libfmt-dev
    libexpat1-dev libdeflate-dev zlib1g-dev libxxhash-dev librandom123-dev
    libnanoflann-dev libigraph-dev libpng-dev libjpeg-dev libtiff-dev
    libgtest-dev libbenchmark-dev clang-format-14 strace
)
[ "$want_venv$want_peers" != 00 ] && packages+=(python3 python3-venv)
[ "$want_slurm" = 1 ] && packages+=(slurm-wlm)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "setup.sh: these packages are missing and only root can install them:" >&2
        echo "    sudo apt-get install ${missing[*]}" >&2
        exit 2
    fi
    echo "setup.sh: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# virtual_environment FOLDER REQUIREMENTS
virtual_environment() {
    local wanted
    wanted=$(cksum < "$2")
    if [ ! -x "$1/bin/python" ] || [ "$(cat "$1/requirements.cksum" 2>/dev/null)" != "$wanted" ]; then
        echo "setup.sh: creating $1 from $2"
        /usr/bin/python3 -m venv --clear "$1"
        "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
        echo "$wanted" > "$1/requirements.cksum"
    fi
}
[ "$want_venv" = 1 ] && virtual_environment .venv tests/interop/requirements.txt
[ "$want_peers" = 1 ] && virtual_environment .venv-peers benchmarks/peers/requirements.txt
echo "setup.sh: done"
