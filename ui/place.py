"""Places of the page: what the address bar says, and what is shown there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

CLIENT, NEW, COMPARE, DECISION, DECISIONS = "client", "new", "compare", "decision", "decisions"
FILE, MODEL = "file", "model"
PLACES = re.compile(
    rf"{CLIENT}/\d{{1,19}}|{NEW}|{COMPARE}(/(\d{{1,19}}|{NEW}))?|{DECISION}/[0-9A-Za-z_-]{{1,64}}|{DECISIONS}"
    rf"|{FILE}|{MODEL}"
)
"""Paths behind the language that lead to the page, each to another view of it."""


@dataclass(frozen=True)
class View:
    """A view of the page: its kind, which client or decision, and what was filtered by."""

    kind: str = ""
    key: str = ""
    query: dict[str, str] = field(default_factory=dict)


def read(at: str) -> View:
    """Return the place of an address behind the language; the start for one that is none."""
    path, _, query = at.partition("?")
    if not PLACES.fullmatch(path):
        return View()
    kind, _, key = path.partition("/")
    return View(kind, key, dict(parse_qsl(query[:2_000])))
