#!/bin/sh
# On the host that serves: start an image in place of the one before, or go back. Needs docker (or podman by that name).
#
#   host.sh deploy NAME@sha256:DIGEST     if it does not serve within a minute, the one before serves again
#   host.sh rollback                      the image that served before this one
#   host.sh monitor NAME@sha256:DIGEST    the drift report of the served model's decisions; its exit code is the verdict
#
# The log and the keys are in the volume credit-scoring, reports and what was judged before in credit-scoring-reports. The workflow deploy.yml sends this file over ssh and runs it.
set -eu
served=${SERVED:-$HOME/.credit-scoring-images}  # every image that has served, the newest last

by_digest() {
    if ! printf '%s\n' "$1" | grep -Eqx '[A-Za-z0-9._/:-]+@sha256:[0-9a-f]{64}'; then
        echo "'$1' does not name an image by its digest; write NAME@sha256:DIGEST (docker inspect -f '{{index .RepoDigests 0}}')." >&2
        exit 2
    fi
}

there() { docker inspect "$1" >/dev/null 2>&1; }
runs() { [ "$(docker inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }

restore() {
    code=$?
    if [ "$code" != 0 ] && there previous; then
        echo "the new image does not serve: the previous one is started again" >&2
        docker rm -f credit-scoring 2>/dev/null || true
        docker rename previous credit-scoring && docker start credit-scoring
    fi
    exit "$code"
}

deploy() {
    by_digest "$1"
    docker pull "$1"
    trap restore EXIT
    trap 'exit 1' HUP INT TERM
    if there previous && ! runs credit-scoring; then  # an earlier deployment was broken off here
        docker rm -f credit-scoring 2>/dev/null || true
    elif there credit-scoring; then
        docker rm -f previous 2>/dev/null || true
        docker rename credit-scoring previous
    fi
    docker stop -t 60 previous 2>/dev/null || true
    # The volume belongs to the image's user, who is not root; the first start makes an API key, which its clients send
    # in X-API-Key.
    docker run --rm --user 0 --entrypoint sh -v credit-scoring:/state "$1" -c '
        umask 077
        test -s /state/api.keys || od -An -N32 -tx1 /dev/urandom | tr -d " \n" >/state/api.keys
        chown 1034:1034 /state /state/api.keys'
    docker run -d --name credit-scoring --restart unless-stopped -p 127.0.0.1:3000:3000 \
        --read-only --tmpfs /tmp:mode=1777 -v credit-scoring:/state -e CREDIT_SCORING_API_KEY_FILE=/state/api.keys \
        --cap-drop all --security-opt no-new-privileges --memory 2g --pids-limit 512 "$1"
    for _ in $(seq 60); do
        if curl -fsS -o /dev/null http://127.0.0.1:3000/readyz; then
            docker rm previous 2>/dev/null || true
            [ "$(tail -n 1 "$served" 2>/dev/null)" = "$1" ] || echo "$1" >>"$served"
            exit 0
        fi
        sleep 1
    done
    echo "not ready after a minute" >&2
    exit 1
}

rollback() {
    before=$(tail -n 2 "$served" 2>/dev/null | head -n 1)
    if [ -z "$before" ] || [ "$before" = "$(tail -n 1 "$served")" ]; then
        echo "There is nothing to go back to: $served names no image before this one." >&2
        exit 2
    fi
    (deploy "$before")
    # Who goes back twice goes back further: the one that was left is forgotten.
    sed '$d' "$served" | sed '$d' >"$served.part" && mv "$served.part" "$served"
}

monitor() {
    by_digest "$1"
    docker run --rm --read-only --tmpfs /tmp:mode=1777 --network none --cap-drop all --security-opt no-new-privileges \
        -v credit-scoring:/state:ro -v credit-scoring-reports:/reports "$1" monitoring --out /reports
}

case ${1-}.$# in
    deploy.2 | monitor.2) "$1" "$2" ;;
    rollback.1) rollback ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
