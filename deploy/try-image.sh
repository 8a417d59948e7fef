#!/bin/sh
# Run an image as it is deployed, read-only and without rights, ask it for one decision and stop it: the exit code
# must be 0. It says how long the start took and what memory it has.
#
#   deploy/try-image.sh credit-scoring:latest        ENGINE=podman, PORT=3999
set -eu
engine=${ENGINE:-docker} port=${PORT:-3999} name=credit-scoring-try-$$
CREDIT_SCORING_API_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export CREDIT_SCORING_API_KEY
trap '"$engine" rm -fv "$name" >/dev/null 2>&1' EXIT
trap 'exit 1' HUP INT TERM
"$engine" run -d --name "$name" -p "127.0.0.1:$port:3000" --read-only --tmpfs /tmp:rw,mode=1777 \
    -e CREDIT_SCORING_API_KEYS="$CREDIT_SCORING_API_KEY" --cap-drop all --security-opt no-new-privileges --memory 2g \
    --pids-limit 512 "$1" >/dev/null
began=$(date +%s%N)
for _ in $(seq 300); do  # then check-api.sh waits, and says what is wrong
    curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null && break
    "$engine" inspect -f '{{.State.Running}}' "$name" | grep -q true || break
    sleep 0.1
done
echo "ready after $((($(date +%s%N) - began) / 1000000)) ms"
if [ "$("$engine" inspect -f '{{.State.Running}}' "$name")" != true ] ||
    ! "$(dirname "$0")/check-api.sh" "http://127.0.0.1:$port"; then
    "$engine" logs "$name" 2>&1 | tail -n 20 >&2
    exit 1
fi
echo "memory: $("$engine" stats --no-stream --format '{{.MemUsage}}' "$name")"
"$engine" stop -t 30 "$name" >/dev/null
code=$("$engine" inspect -f '{{.State.ExitCode}}' "$name")
echo "it stopped with exit code $code"
[ "$code" = 0 ]
