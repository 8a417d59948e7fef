#!/bin/sh
# Serve a bento on port $PORT (3999), ask it for one decision, stop it: deploy/check-bento.sh credit_scoring:latest
set -eu
here=$(dirname "$0")
port=${PORT:-3999}
"$here/../.venv/bin/bentoml" serve "$1" --host 127.0.0.1 --port "$port" &
server=$!
trap 'kill "$server"; wait "$server" || true' EXIT
"$here/check-api.sh" "http://127.0.0.1:$port"
