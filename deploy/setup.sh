#!/bin/sh
# Make .venv, install one group of the packages pinned in requirements.txt (default: dev, all of them) and build the engine.
# `make` calls it when a command first needs a group: run, compare, validate, monitor or dev.
set -eu
cd "$(dirname "$0")/.."
group=${1:-dev}

fits='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
if [ ! -x .venv/bin/python ]; then
    PATH=$(echo "$PATH" | sed "s|^$PWD/.venv/bin:||")
    for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        if "$python" -c "$fits" 2>/dev/null; then
            "$python" -m venv .venv
            break
        fi
    done
fi
if ! .venv/bin/python -c "$fits" 2>/dev/null; then
    echo "Python 3.11, 3.12 or 3.13 with its venv module is needed and was not found." >&2
    echo "  Debian, Ubuntu: apt install python3-venv     macOS: brew install python@3.13     others: uv python install 3.13" >&2
    echo "  If it has another name: make setup PYTHON=/path/to/python (after rm -rf .venv)" >&2
    exit 1
fi

# Every file that is installed must have a hash that stands in the lock: uv first, which installs the rest.
sed -n '/^uv==/,/[^\\]$/p' requirements.txt >.venv/uv.txt
.venv/bin/python deploy/group.py "$group" >.venv/group.txt
echo "Installing the packages for \"$group\" into .venv ($(grep -c == .venv/group.txt) of $(grep -c == requirements.txt))."
[ -x .venv/bin/uv ] ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
# A company's own certificate authority stands in the system's store only; where there is no store, uv has Mozilla's list.
install_with_uv() {
    UV_SYSTEM_CERTS=$1 .venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode \
        --require-hashes -r .venv/group.txt
}
# uv does not read pip's configuration. Where only pip knows a private index, pip installs the same pins, slower.
install_with_uv true 2>/dev/null || install_with_uv false ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/group.txt
.venv/bin/python -m scoring.engine || true # without a C compiler it says so, and LightGBM itself answers
touch ".venv/with-$group"
[ "$group" != dev ] || touch .venv/with-run .venv/with-compare .venv/with-validate .venv/with-monitor
