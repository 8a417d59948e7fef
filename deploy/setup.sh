#!/bin/sh
# Make .venv, install everything pinned in requirements.txt and build the engine. `make setup` calls it when they changed.
set -eu
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/python ]; then
    PATH=$(echo "$PATH" | sed "s|^$PWD/.venv/bin:||")
    for python in ${PYTHON:-python3.11 python3 python}; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            "$python" -m venv .venv
            break
        fi
    done
fi
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    echo "Python 3.11 with its venv module is needed and was not found." >&2
    echo "  Debian 12: apt install python3.11-venv     macOS: brew install python@3.11     others: uv python install 3.11" >&2
    echo "  If it has another name: make setup PYTHON=/path/to/python3.11 (after rm -rf .venv)" >&2
    exit 1
fi

echo "Installing $(grep -c == requirements.txt) packages into .venv; the first time takes a minute or two."
# Every file that is installed must have a hash that stands in the lock: uv first, which installs the rest.
sed -n '/^uv==/,/[^\\]$/p' requirements.txt >.venv/uv.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
# A company's own certificate authority stands in the system's store only; where there is no store, uv has Mozilla's list.
install_with_uv() {
    UV_SYSTEM_CERTS=$1 .venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode \
        --require-hashes -r requirements.txt
}
# uv does not read pip's configuration. Where only pip knows a private index, pip installs the same pins, slower.
install_with_uv true 2>/dev/null || install_with_uv false ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
.venv/bin/python -m scoring.engine || true # without a C compiler it says so, and LightGBM itself answers
touch .venv/installed
echo "Ready."
