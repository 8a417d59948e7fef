#!/bin/sh
# Make the container image of a bento, with labels that say what is in it; `make image` calls it.
#
#   deploy/image.sh credit_scoring:latest credit-scoring:latest [--opt …]    bento, name of the image, more for `bentoml containerize`
#
# The engine is docker, else podman; ENGINE=podman chooses.
set -eu
cd "$(dirname "$0")/.."
bento=$1 image=$2
shift 2
export PATH="$PWD/.venv/bin:$PATH" BENTOML_DO_NOT_TRACK=True BENTOML_HOME="${BENTOML_HOME:-$PWD/var/bentoml}"

engine=${ENGINE:-}
if [ -z "$engine" ]; then
    for engine in docker podman none; do "$engine" info >/dev/null 2>&1 && break; done
fi
if ! "$engine" info >/dev/null 2>&1; then
    echo "No container engine answers here (docker, podman): start Docker, or install one (Debian: apt install podman)." \
        "Where no registry can be reached: deploy/offline-image.sh." >&2
    exit 1
fi
folder=$(bentoml get "$bento" -o path 2>/dev/null | tr -d '\n')  # it breaks long lines
if [ ! -f "$folder/bento.yaml" ]; then
    echo "There is no bento $bento in $BENTOML_HOME: make bento." >&2
    exit 1
fi
[ "$engine" != podman ] || set -- --opt format=docker "$@"  # of its own accord it drops the health check
model=$(sed -n 's/^ *-* *tag: *\(credit_scoring:.*\)/\1/p' "$folder/bento.yaml" | head -1)
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$folder/src/scoring/__init__.py")
# BentoML 1.4.39 takes a template from below the working directory only, and copies it to TMPDIR.
mkdir -p var/image
TMPDIR=$(mktemp -d "$PWD/var/image/build.XXXXXX"); export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' HUP INT TERM
bentoml containerize "$bento" --backend "$engine" -t "$image" \
    --opt "label=org.opencontainers.image.version=$version" \
    --opt "label=org.opencontainers.image.revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --opt "label=credit-scoring.model=$model" "$@"
