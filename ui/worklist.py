"""The list of recorded decisions: what it is filtered by, its rows, and the pages behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args
from urllib.parse import urlencode

from scoring.language import moment, number, percent
from scoring.schema import RecordedDecision
from scoring.schema.recorded import OutcomeState, Purpose, ReviewState
from ui.rendering import render
from ui.service import Service
from ui.words import say

ROWS = 25  # on a page
LOOKED = 200  # recorded decisions that are looked through for a page of a band of probability
CHOICES: dict[str, tuple[str, ...]] = {
    "decision": ("granted", "refused"),
    "review": get_args(ReviewState),
    "purpose": get_args(Purpose),
    "outcome": get_args(OutcomeState),
}
NO_FILTER = "any"
SORTS: dict[str, Callable[[RecordedDecision], Any]] = {
    "time": lambda row: row.time,
    "probability": lambda row: row.probability_of_default,
    "decision": lambda row: row.decision,
    "review": lambda row: row.review,
}


@dataclass(frozen=True)
class ListedDecision:
    """A recorded decision in the list."""

    event: str
    time: str
    decision: str
    words: str
    probability: str
    score: str
    purpose: str
    operator: str
    review: str
    outcome: str
    applicant: str


def form(query: Mapping[str, str], lang: str) -> str:
    """Return what the list is filtered by."""
    choices = {
        name: {NO_FILTER if name == "purpose" else "": say("any", lang)}
        | {code: say(f"{name}_{_key(code)}", lang) for code in codes}
        for name, codes in CHOICES.items()
    }
    return render("filters", lang, choices=choices, query=query)


def page(service: Service, query: Mapping[str, str], lang: str) -> str:
    """Return the filters and the decisions that they let through.

    Raises
    ------
    ServiceError
        If the service does not answer, or does not let the page look decisions up.
    """
    wanted = _wanted(query)
    low, high = (_share(query.get(name)) for name in ("low", "high"))
    is_banded = low is not None or high is not None
    found = service.decisions(LOOKED if is_banded else ROWS, query.get("cursor"), **wanted)
    kept = [
        row
        for row in found.decisions
        if (low is None or row.probability_of_default >= low)
        and (high is None or row.probability_of_default < high)
    ]
    name = query.get("sort", "-time")
    if (by := SORTS.get(name.removeprefix("-"))) is not None and name != "-time":
        kept.sort(key=by, reverse=name.startswith("-"))
    points = service.model().points
    rows = [
        ListedDecision(
            event=row.event_id,
            time=moment(row.time, lang),
            decision=row.decision,
            words=say(f"{row.decision}_side", lang),
            probability=percent(row.probability_of_default, lang, 1),
            score=number(int(points.of(row.probability_of_default)), lang),
            purpose=say(f"purpose_{_key(row.purpose)}", lang),
            operator=row.operator or "",
            review=say(f"review_{row.review}", lang),
            outcome=say(f"outcome_{row.outcome}", lang),
            applicant=query.get("client") or row.applicant[:8],
        )
        for row in kept
    ]
    sorts = {key: _link(query, sort=f"-{key}" if name == key else key) for key in SORTS}
    return form(query, lang) + render(
        "worklist",
        lang,
        rows=rows,
        title=say("list_title", lang, len(rows)),
        looked=say("list_looked", lang, len(found.decisions)) if is_banded else "",
        as_of=say("list_as_of", lang, time=moment(found.as_of, lang)),
        older=_link(query, cursor=found.next) if found.next else "",
        newest=_link(query, cursor=None) if query.get("cursor") else "",
        sorts=sorts,
        sort=name,
        queue=_link({}, review="waiting", purpose="decision"),
    )


def _wanted(query: Mapping[str, str]) -> dict[str, Any]:
    """Return a query as the service takes it; what makes no sense is left out."""
    asked = {"purpose": "decision", **query}  # who looked has decided nothing, and is listed when asked for
    wanted: dict[str, Any] = {
        name: asked[name] for name, codes in CHOICES.items() if asked.get(name) in codes
    }
    if (client := "".join(query.get("client", "").split())).isdecimal():
        wanted["client"] = int(client)
    if operator := query.get("operator", "").strip():
        wanted["operator"] = operator
    for name, days in (("since", 0), ("until", 1)):  # the last day is included
        try:
            day = date.fromisoformat(query.get(name, ""))
        except ValueError:
            continue
        wanted[name] = datetime.combine(day, time(), UTC) + timedelta(days)
    return wanted


def _share(text: str | None) -> float | None:
    """Return a percentage that was typed as a share."""
    try:
        return float((text or "").replace(",", ".").rstrip("% \u202f\u00a0")) / 100
    except ValueError:
        return None


def _link(query: Mapping[str, str], **changes: str | None) -> str:
    kept = {name: value for name, value in {**query, **changes}.items() if value}
    return f"decisions?{urlencode(kept)}"


def _key(code: str) -> str:
    return code.replace("-", "_")
