"""Closed windows of time, each judged once and kept; and what the latest ones say together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from monitoring import bins, judgement, operations, origins, segments, statistic
from monitoring.judgement import MIN_ROWS, Judgement, judge
from monitoring.ledger import Ledger
from monitoring.operations import Operations
from monitoring.reference import Reference
from monitoring.tally import together, without_clients

Length = Literal["day", "week"]
LENGTHS: dict[Length, int] = {"day": 1, "week": 7}
OF_THREE = 2  # windows of the latest three that must move for a slow drift
BEFORE = 8  # windows by which volume and share refused are judged
STALE_DAYS = 2.0  # without a decision; by then somebody should know
SKEW = timedelta(hours=1)  # by which clocks of services and of the monitor may differ


@dataclass(frozen=True)
class Window:
    """Days, and what is said of them.

    Attributes
    ----------
    length : {"day", "week", "selection"}
    start, end : date
        The first day, and the first one behind.
    is_closed : bool
        Whether no more decisions can come; an open one is judged as it stands and not kept.
    judgement : Judgement
    """

    length: str
    start: date
    end: date
    is_closed: bool
    judgement: Judgement

    @property
    def days(self) -> int:
        """Its length."""
        return (self.end - self.start).days

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "length": self.length,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "is_closed": self.is_closed,
            "judgement": self.judgement.to_json(),
        }

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Window:
        """Read what `to_json` gave."""
        return cls(
            said["length"],
            date.fromisoformat(said["start"]),
            date.fromisoformat(said["end"]),
            said["is_closed"],
            Judgement.of_json(said["judgement"]),
        )


def spans(days: Mapping[date, int], length: Length, min_rows: int) -> list[tuple[date, date]]:
    """Return the windows that days with decisions make up, in order.

    A window of a day is a day of UTC, one of a week begins on a Monday. Where traffic is thin, one goes on,
    by whole days or weeks, until it has enough rows.

    Parameters
    ----------
    days : mapping of date to int
        Decisions of each day that has any.
    """
    step = timedelta(days=LENGTHS[length])
    found: list[tuple[date, date]] = []
    start, rows = None, 0
    if not days:
        return found
    at, last = _begin(min(days), length), max(days)
    while at <= last:
        inside = sum(days.get(at + timedelta(days=day), 0) for day in range(step.days))
        if inside and start is None:
            start = at
        rows += inside
        at += step
        if start is not None and rows >= min_rows:
            found.append((start, at))
            start, rows = None, 0
    if start is not None:
        found.append((start, at))
    return found


def _begin(day: date, length: Length) -> date:
    return day - timedelta(days=day.weekday()) if length == "week" else day


def ahead(now: datetime) -> date:
    """Return the first day that can have no decision yet: what is dated so late, a wrong clock has dated."""
    return (now + SKEW).date() + timedelta(days=1)


def judged(
    ledger: Ledger, reference: Reference, model: str, purpose: str, now: datetime, min_rows: int = MIN_ROWS
) -> dict[str, list[Window]]:
    """Return all windows of both lengths, the oldest first; those that closed since the last time are kept.

    Parameters
    ----------
    now : datetime
        A window is closed when its last day is over everywhere that writes, an hour after midnight UTC.
        Decisions that are dated in days to come are in none until then.
    """
    cells = reference.bins.id
    scope = f"{model} {purpose} {cells}"
    kept = {length: [Window.of_json(one) for one in ledger.windows(scope, length)] for length in LENGTHS}
    done = {length: max((one.end for one in own), default=date.min) for length, own in kept.items()}
    days = ledger.days(model, purpose, cells, min(done.values()), ahead(now))
    others = ledger.others(model, purpose, cells, done["day"])
    today = (now - SKEW).date()
    found: dict[str, list[Window]] = {}
    for length in LENGTHS:
        found[length] = list(kept[length])
        rows = {day: tally.rows for day, tally in days.items() if day >= done[length]}
        for start, end in spans(rows, length, min_rows):
            inside = {day: tally for day, tally in days.items() if start <= day < end}
            whole = without_clients(together(inside.values(), reference.bins))
            before = before_it(found[length])
            # Of days alone: a model that was changed on purpose is not an alarm for a whole week.
            beside = _others(others, start, end) if length == "day" else {}
            said = judge(whole, reference, _length(start, end, today), before, min_rows, beside)
            # One that is too thin goes on: it is closed only when it has enough.
            is_closed = end <= today and whole.rows >= min_rows
            window = Window(length, start, end, is_closed, said)
            found[length].append(window)
            if is_closed:
                heads = ledger.heads([*inside], model, purpose, cells)
                evidence = {"log": heads, "reference": reference.id, "min_rows": min_rows}
                evidence |= {"judge": judge_id(), "others": beside, "own": reference.own_id}
                ledger.judged(scope, length, start, window.to_json(), evidence, whole)
    weeks = [window.end for window in found["week"] if window.is_closed]
    if weeks:
        ledger.forget_clients(max(weeks))
    return found


def latest(
    ledger: Ledger,
    reference: Reference,
    model: str,
    purpose: str,
    *,
    days: int,
    now: datetime,
    min_rows: int = MIN_ROWS,
) -> tuple[dict[str, list[Window]], int]:
    """Return the latest days, until that of the last decision, as one window, and how many are before it.

    Who the clients were is known of the days alone that are in no closed week.
    """
    cells = reference.bins.id
    last = ledger.last(model, purpose, cells, ahead(now))
    if last is None:
        return {"selection": []}, 0
    end = last.date() + timedelta(days=1)
    inside = ledger.days(model, purpose, cells, end - timedelta(days=days), end)
    whole = together(inside.values(), reference.bins)
    start = min(inside)
    beside = _others(ledger.others(model, purpose, cells, start), start, end)
    said = judge(whole, reference, (end - start).days, min_rows=min_rows, others=beside)
    known = ledger.decisions(model, purpose, cells)
    before = sum(rows for day, rows in known.items() if day < start)
    return {"selection": [Window("selection", start, end, True, said)]}, before


def _others(days: Mapping[date, Mapping[str, int]], start: date, end: date) -> dict[str, int]:
    """Return the decisions of other models in a window, by model."""
    found: Counter[str] = Counter()
    for day, models in days.items():
        if start <= day < end:
            found.update(models)
    return dict(found)


def judge_id() -> str:
    """Return what changes with the code that judges: a verdict is reached again by the same alone."""
    sources = (bins, statistic, segments, judgement, operations, origins)
    read = (Path(str(one.__file__)).read_bytes() for one in sources)
    return hashlib.sha256(b"".join(read)).hexdigest()[:16]


def _length(start: date, end: date, today: date) -> int:
    """Return the days of a window that are over or begun."""
    return max(1, (min(end, today + timedelta(days=1)) - start).days)


def before_it(windows: Sequence[Window]) -> list[tuple[Operations, int]]:
    """Return how decisions were taken in the closed windows before one, with their days."""
    return [
        (Operations(window.judgement.rows, window.judgement.refused), window.days)
        for window in windows[-BEFORE:]
        if window.is_closed
    ]


@dataclass(frozen=True)
class Standing:
    """What the latest windows say together.

    Attributes
    ----------
    is_drift : bool
    window : Window, optional
        The one to look at: the latest that made it drift, else the latest.
    since : date, optional
        The first day of the windows on end that say the same.
    """

    is_drift: bool
    window: Window | None
    since: date | None


def standing(windows: Sequence[Window]) -> Standing:
    """Say whether the latest windows are drift.

    A broken source, or decisions taken otherwise, count from the first window on; what may be other people
    counts when two of the latest three windows have moved.
    """
    judged = [window for window in windows if window.judgement.is_judged or window.judgement.alarms]
    if not judged:
        return Standing(False, windows[-1] if windows else None, None)
    latest = judged[-1]
    moved = [window for window in judged[-3:] if window.judgement.is_drift]
    is_slow = latest.judgement.is_drift and len(moved) >= min(OF_THREE, len(judged))
    if not (latest.judgement.is_source or is_slow):
        return Standing(False, latest, None)
    since = latest.start
    for window in reversed(judged):
        if not (window.judgement.is_drift or window.judgement.alarms):
            break
        since = window.start
    return Standing(True, latest, since)
