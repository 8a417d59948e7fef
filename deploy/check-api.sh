#!/bin/sh
# Ask a running service for one decision: deploy/check-api.sh http://127.0.0.1:3000
set -eu
url=$1
for _ in $(seq 120); do
    if curl -fsS -o /dev/null "$url/readyz" 2>/dev/null; then
        curl -fsS "$url/score" -H 'content-type: application/json' \
            -H "X-API-Key: ${CREDIT_SCORING_API_KEY:-}" \
            -d '{"applications": [{"SK_ID_CURR": 100001, "AMT_CREDIT": 568800, "AMT_ANNUITY": 20560.5}]}' |
            tee /dev/stderr | grep -q '"decision"'
        exit
    fi
    sleep 1
done
echo "$url is not ready after two minutes" >&2
exit 1
