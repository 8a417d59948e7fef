"""Parameters behind the paths that take applications: what a question that decides nothing is asked with."""

from __future__ import annotations

from typing import Any

from scoring.comparison import AMONG, SCORE, is_compared
from scoring.comparison.curve import DRAWN
from scoring.counterfactual.policy import CREDIT, POLICY
from scoring.problems import Fault
from scoring.serving.query import read_query

CHANGE: dict[str, Any] = {
    "name": "change",
    "in": "query",
    "description": "What the client would change, between commas; left out: all that is allowed; empty: "
    "nothing.",
    "schema": {"type": "array", "items": {"type": "string", "enum": list(POLICY)}},
    "style": "form",
    "explode": False,
}
"""The parameter of /counterfactual, as OpenAPI says it."""

FACT: dict[str, Any] = {
    "name": "fact",
    "in": "query",
    "description": "`score`, or a feature that GET /model lists and that reads no protected attribute.",
    "schema": {"type": "string", "default": SCORE, "examples": ["AMT_INCOME_TOTAL"]},
}
BESIDE = {
    **FACT,
    "name": "beside",
    "schema": {"type": "string"},
    "description": "A second fact, against the first.",
}
WITHIN: dict[str, Any] = {
    "name": "among",
    "in": "query",
    "description": "The group: `all`, `neighbours` (alike in amount, income, external scores, work, loans), "
    "or a fact whose level is the same.",
    "schema": {"type": "string", "enum": list(AMONG), "default": "all"},
}
VARIED = {
    **FACT,
    "description": "A number of the application.",
    "schema": {"type": "string", "enum": list(DRAWN), "default": CREDIT},
}


def changes(query: bytes) -> frozenset[str] | None:
    """Read the levers that a client would use; None if all.

    Raises
    ------
    Rejection
        422 that names each parameter that cannot be used, and what would do.
    """
    found: frozenset[str] | None = read_query(query, {"change": _levers}).get("change")
    return found


def compared(query: bytes) -> dict[str, str]:
    """Read what is compared: ``fact``, and perhaps ``among`` and ``beside``; raises as `changes`."""
    found: dict[str, str] = read_query(query, {"fact": _fact, "beside": _fact, "among": _among})
    return {"fact": SCORE, **found}


def drawn(query: bytes) -> dict[str, str]:
    """Read of which fact a curve is drawn; raises as `changes`."""
    return {"fact": CREDIT, **read_query(query, {"fact": _drawn})}


def _fact(text: str) -> str | Fault:
    return text if is_compared(text) else Fault("not_compared")


def _among(text: str) -> str | Fault:
    return text if text in AMONG else Fault("not_one_of", {"values": ", ".join(AMONG)})


def _drawn(text: str) -> str | Fault:
    return text if text in DRAWN else Fault("not_drawn")


def _levers(text: str) -> frozenset[str] | Fault:
    names = frozenset(text.split(",")) - {""}
    return names if names <= POLICY.keys() else Fault("not_one_of", {"values": ", ".join(POLICY)})
