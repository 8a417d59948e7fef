#!/bin/sh
# Open an issue of what the monitor found, or add to the one that is open: deploy/alarm.sh FILE-WITH-THE-REPORT. Needs gh, and GH_TOKEN.
set -eu
title="The monitor has found something: drift, or no decisions"
body=$(mktemp)
trap 'rm -f "$body"' EXIT
{
    echo "\`python -m monitoring\` says, on the $(date -u +%F):"
    printf '\n```\n'
    head -c 60000 "$1"
    printf '\n```\n\nWhat to do: docs/OPERATIONS.md, "Drift".\n'
} >"$body"
number=$(gh issue list --label drift --state open --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
    gh issue comment "$number" --body-file "$body"
else
    gh label create drift --force --color D93F0B --description "Found by the monitor" >/dev/null
    gh issue create --title "$title" --label drift --body-file "$body"
fi
