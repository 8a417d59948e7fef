"""Writes docs/PROBLEMS.md: every kind of problem and every code of a fault."""

from __future__ import annotations

import sys
from http import HTTPStatus

from scoring.language import ENGLISH, say
from scoring.problems import FAULTS, KINDS, places

HEADER = """# Problems

What the service does not do it answers with a problem (RFC 9457, `application/problem+json`): `type` names
its kind, `title` says it in a few words, `status` repeats the HTTP status, `detail` says what happened and
what to do, and `params` holds the figures in it. Where values are faulty, `errors` lists them: `row` (from
0), `field`, `code`, `params` and `detail`. Types and codes stay; sentences may be reworded, so programs go
by the former. In another language the same sentences are made of `type` or `code` and `params`; the page
does so. `python -m scoring.problems > docs/PROBLEMS.md` writes this file.

## Kinds of problems

| type | status | title | detail, with the remedy | params |
|---|---|---|---|---|
"""
CODES = """
## Codes of faults

In `errors` of a problem, and in the column `code` of the rows that the batch client rejects.

| code | detail, with the remedy, behind the name of the field | params |
|---|---|---|
"""


def document() -> str:
    """Return the file."""
    kinds = [
        f"| `{kind.type}` | {kind.status} {HTTPStatus(kind.status).phrase} | {say(kind.title, ENGLISH)} "
        f"| {kind.detail.plural or kind.detail.en} | {_listed(places(kind.detail))} |"
        for kind in KINDS.values()
    ]
    codes = [f"| `{code}` | {text.en} | {_listed(places(text))} |" for code, text in FAULTS.items()]
    return HEADER + "\n".join(kinds) + "\n" + CODES + "\n".join(codes) + "\n"


def _listed(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    sys.stdout.write(document())
