#!/bin/sh
# Keep, and bring back, all that cannot be made again: the log with its anchors and its key, the models that decided, and
# MLflow's registry. Run it where the service's settings are set (CREDIT_SCORING_..., BENTOML_HOME, MLFLOW_TRACKING_URI).
#
#   deploy/backup.sh take FOLDER       while everything runs; the folder must not be there yet
#   deploy/backup.sh restore FOLDER    where nothing of it is there; then  python -m scoring.decisions rebuild
#
# DATABASE=postgresql://... is MLflow's database, where it has one (pg_dump, psql); without it MLflow's SQLite file and the
# artefacts beside it are meant. An S3 store keeps its own copies: switch versioning on, and replicate the bucket.
set -eu
PATH="$(cd "$(dirname "$0")/.." && pwd)/.venv/bin:$PATH"
what=${1-} folder=${2-}
models=${BENTOML_HOME:-$HOME/bentoml}/models
uri=${MLFLOW_TRACKING_URI:-sqlite:///var/mlflow.db}
case $uri in sqlite:///*) registry=${uri#sqlite:///} ;; *) registry= ;; esac
artefacts=$(dirname "${registry:-.}")/mlartifacts

say() { echo "$*" >&2; exit 2; }

copy_sqlite() {  # as it stands at one moment, whoever writes to it
    python - "$1" "$2" <<'END'
import sqlite3, sys

with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as source, sqlite3.connect(sys.argv[2]) as target:
    source.backup(target)
END
}

take() {
    [ ! -e "$folder" ] || say "$folder is there already; give a folder that is not."
    part=$folder.part
    rm -rf "$part"
    trap 'rm -rf "$part"' EXIT
    trap 'exit 1' HUP INT TERM
    (umask 077 && mkdir -p "$part/registry")
    python -m scoring.inference_log backup --to "$part/record"
    [ ! -d "$models" ] || cp -a "$models" "$part/models"
    if [ -n "${DATABASE-}" ]; then
        pg_dump --no-owner --dbname "$DATABASE" --file "$part/registry/mlflow.sql"
    elif [ -n "$registry" ] && [ -f "$registry" ]; then
        copy_sqlite "$registry" "$part/registry/mlflow.db"
        [ ! -d "$artefacts" ] || cp -a "$artefacts" "$part/registry/mlartifacts"
    else
        echo "note: no registry is kept: $uri is no SQLite file that is there, and DATABASE is not set." >&2
    fi
    mv "$part" "$folder"
    echo "$folder: $(cd "$folder" && echo *)"
}

restore() {
    [ -d "$folder/record" ] || say "$folder is no backup: it has no folder record."
    [ ! -d "$models" ] || [ -z "$(ls -A "$models")" ] || say "$models is not empty; move it away."
    if [ -f "$folder/registry/mlflow.db" ]; then
        [ -n "$registry" ] || say "the backup has MLflow's SQLite file, but MLFLOW_TRACKING_URI is $uri."
        [ ! -e "$registry" ] || say "$registry is there already; move it away."
    fi
    if [ -f "$folder/registry/mlflow.sql" ] && [ -z "${DATABASE-}" ]; then
        say "the backup has MLflow's database; DATABASE=postgresql://... says where it belongs: an empty one."
    fi
    python -m scoring.inference_log restore --from "$folder/record"
    if [ -d "$folder/models" ]; then
        mkdir -p "$models"
        cp -a "$folder/models/." "$models/"
    fi
    if [ -f "$folder/registry/mlflow.sql" ]; then
        psql --quiet --set ON_ERROR_STOP=1 --single-transaction --output /dev/null --dbname "$DATABASE" \
            --file "$folder/registry/mlflow.sql"
    elif [ -f "$folder/registry/mlflow.db" ]; then
        mkdir -p "$(dirname "$registry")"
        cp "$folder/registry/mlflow.db" "$registry"
        [ ! -d "$folder/registry/mlartifacts" ] || cp -a "$folder/registry/mlartifacts" "$artefacts"
    fi
    echo "restored from $folder; now: python -m scoring.decisions rebuild"
}

case $what.$# in
    take.2 | restore.2) "$what" ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
