"""How loans ended: outcomes come months after the decisions, are corrected later, and are all kept.

An outcome says whether a loan had defaulted on the day of its observation. The latest day counts and, of what
was recorded of one day, the last. So a file that is loaded twice changes nothing, nor does an old one that
comes late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import polars as pl
from sqlalchemy import Connection, func, select

from scoring.decisions import schema
from scoring.decisions.gathered import EPOCH, MICROSECOND, microseconds
from scoring.decisions.index import Index, IndexFault
from scoring.decisions.lookup import as_of
from scoring.decisions.review import FOLLOWED_S, LOOK_S
from scoring.decisions.schema import packed, unpacked
from scoring.problems import Fault
from scoring.tables.decisions import OUTCOMES

T = TypeVar("T")

TOGETHER = 500  # asked of the database, and synced, at a time


@dataclass(frozen=True)
class Outcome:
    """An outcome as somebody gives it: of an event, or of the decision on a client on a day (UTC).

    ``place`` is where it was given, ``applicant`` the client's pseudonym.
    """

    place: int
    defaulted: bool
    observed_on: date
    event_id: str | None = None
    applicant: str | None = None
    decided_on: date | None = None


@dataclass(frozen=True)
class Misfit:
    """An outcome that was left out: where it was given, which field is wrong, and how."""

    place: int
    field: str
    fault: Fault


@dataclass(frozen=True)
class Loaded:
    """What became of outcomes: ``recorded``, of which some corrected others; there before; left out."""

    recorded: int
    corrected: int
    repeated: int
    left_out: tuple[Misfit, ...]


@dataclass(frozen=True)
class _Decided:
    event: bytes
    time: datetime
    purpose: str


def load(
    index: Index,
    note: Callable[[Sequence[Mapping[str, Any]], datetime], None],
    given: Sequence[Outcome],
    operator: str | None,
    now: Callable[[], datetime],
) -> Loaded:
    """Record the outcomes that are new; who is stopped in the midst may load the same again.

    Parameters
    ----------
    index : Index
    note : callable
        Records outcomes durably, at a time.
    given : sequence of Outcome
    operator : str, optional
        Who gives them.
    now : callable
        Gives the time.

    Raises
    ------
    IndexFault
        If the index cannot be used, or is late.
    LogError
        If they cannot be recorded.
    """
    left_out: list[Misfit] = []
    told: dict[tuple[bytes, date], list[Outcome]] = {}
    before: dict[tuple[bytes, date], bool] = {}
    today = now().date()
    for part in _parts(given):
        with index.begin() as connection:
            as_of(connection, index, now())
            events = set()
            for one, decided in _decided(connection, part):
                misfit = decided if isinstance(decided, Misfit) else _misfit(one, decided, today)
                if misfit is not None:
                    left_out.append(misfit)
                elif not isinstance(decided, Misfit):
                    told.setdefault((decided.event, one.observed_on), []).append(one)
                    events.add(decided.event)
            before |= _before(connection, events)
    known, fresh = {event for event, _ in before}, []
    repeated = corrected = 0
    for (event, day), ones in told.items():
        if len({one.defaulted for one in ones}) > 1:
            left_out += [Misfit(one.place, "defaulted", Fault("other_outcome")) for one in ones]
        elif before.get((event, day)) == ones[0].defaulted:
            repeated += len(ones)
        else:
            repeated += len(ones) - 1
            corrected += event in known
            about = {"event_id": unpacked(event), "defaulted": int(ones[0].defaulted)}
            fresh.append({**about, "observed_on": day.isoformat(), "operator": operator})
    for some in _parts(fresh):
        note(some, now())
    if fresh:
        _wait(index, fresh[-1])
    return Loaded(len(fresh), corrected, repeated, tuple(sorted(left_out, key=lambda one: one.place)))


def decided(
    index: Index, now: datetime, since: datetime | None = None, until: datetime | None = None
) -> pl.DataFrame:
    """Return what was decided, each decision with its outcome, in the order of time: columns `OUTCOMES`.

    ``since`` is included, ``until`` is not. What decides nothing is not there. ``outcome`` is ``unknown``
    where none was loaded, and always where a refusal meant that there was no loan.

    Raises
    ------
    IndexFault
        If the index cannot be used, or is late.
    """
    table, kinds, outcomes = schema.decisions.c, schema.kinds.c, schema.outcomes.c
    latest = select(outcomes.event, func.max(outcomes.observed_on).label("observed_on"))
    last = latest.group_by(outcomes.event).subquery()
    columns = (
        *(table.event, table.time, kinds.model, kinds.decision, table.probability_of_default),
        *(table.threshold, kinds.review, kinds.outcome, last.c.observed_on),
    )
    where = [kinds.purpose == "decision"]
    if since is not None:
        where.append(table.time >= microseconds(since))
    if until is not None:
        where.append(table.time < microseconds(until))
    joined = schema.decisions.join(schema.kinds, kinds.id == table.kind)
    statement = select(*columns).select_from(joined.outerjoin(last, last.c.event == table.event))
    with index.begin() as connection:
        as_of(connection, index, now)
        rows = connection.execute(statement.where(*where).order_by(table.time, table.id)).all()
    said = [(unpacked(bytes(row[0])), EPOCH + row[1] * MICROSECOND, *row[2:]) for row in rows]
    return pl.DataFrame(said, schema=OUTCOMES, orient="row")


def _parts(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    return (whole[low : low + TOGETHER] for low in range(0, len(whole), TOGETHER))


def _decided(connection: Connection, given: Sequence[Outcome]) -> Iterator[tuple[Outcome, _Decided | Misfit]]:
    """Find the decision of each outcome."""
    table = schema.decisions.c
    events = {packed(one.event_id) for one in given if one.event_id is not None}
    clients = {packed(one.applicant) for one in given if one.applicant is not None}
    by_event = _found(connection, table.event, events)
    by_client = _found(connection, table.applicant, clients)
    for one in given:
        has_client, has_day = one.applicant is not None, one.decided_on is not None
        if has_client != has_day or has_client == (one.event_id is not None):
            yield one, Misfit(one.place, "event_id", Fault("which_decision"))
        elif one.event_id is not None:
            known = by_event.get(packed(one.event_id))
            yield one, known[0] if known else Misfit(one.place, "event_id", Fault("unknown_event"))
        else:
            same = [
                each
                for each in by_client.get(packed(str(one.applicant)), ())
                if each.time.date() == one.decided_on and each.purpose == "decision"
            ]
            fault = Fault("several_decisions", {"n": len(same)}) if same else Fault("unknown_client_day")
            yield one, same[0] if len(same) == 1 else Misfit(one.place, "decided_on", fault)


def _found(connection: Connection, column: Any, wanted: set[bytes]) -> dict[bytes, list[_Decided]]:
    """Return the decisions that have one of some values in a column, by that."""
    table, kinds = schema.decisions, schema.kinds
    joined = table.join(kinds, kinds.c.id == table.c.kind)
    columns = (column, table.c.event, table.c.time, kinds.c.purpose)
    found: dict[bytes, list[_Decided]] = {}
    if wanted:
        for key, event, time, purpose in connection.execute(
            select(*columns).select_from(joined).where(column.in_(wanted))
        ):
            one = _Decided(bytes(event), EPOCH + time * MICROSECOND, purpose)
            found.setdefault(bytes(key), []).append(one)
    return found


def _misfit(one: Outcome, decided: _Decided, today: date) -> Misfit | None:
    """Return why a decision cannot have this outcome."""
    if decided.purpose != "decision":
        return Misfit(one.place, "event_id", Fault("decides_nothing", {"purpose": decided.purpose}))
    if one.observed_on < decided.time.date():
        return Misfit(one.place, "observed_on", Fault("before_decision"))
    if one.observed_on > today:
        return Misfit(one.place, "observed_on", Fault("in_the_future"))
    return None


def _before(connection: Connection, events: set[bytes]) -> dict[tuple[bytes, date], bool]:
    """Return the outcomes of events that are there."""
    table = schema.outcomes.c
    found = select(table.event, table.observed_on, table.defaulted).where(table.event.in_(events))
    return {(bytes(event), day): bool(said) for event, day, said in connection.execute(found)}


def _wait(index: Index, about: Mapping[str, Any]) -> None:
    """Wait until an outcome is in the index, but not for ever: it is on the record, and comes."""
    table, end = schema.outcomes.c, time.monotonic() + FOLLOWED_S
    where = (table.event == packed(about["event_id"]), table.is_applied)
    there = select(table.defaulted).where(
        *where, table.observed_on == date.fromisoformat(about["observed_on"])
    )
    with suppress(IndexFault):
        while time.monotonic() < end:
            with index.begin() as connection:
                if connection.scalar(there) == bool(about["defaulted"]):
                    return
            time.sleep(LOOK_S)
