"""Asking the index: one decision by its event, and pages of those that a filter lets through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, true, tuple_

from scoring.decisions import schema
from scoring.decisions.gathered import EPOCH, MICROSECOND, microseconds
from scoring.decisions.index import Index, IndexFault
from scoring.decisions.schema import packed, unpacked

LATE_S = 10.0  # an index that is further behind is not asked
LAST = 2**62  # later than any decision
_CURSOR = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{1,16})\.([0-9a-f]{1,16})")


class LateError(IndexFault):
    """The index is behind the log."""


class CursorError(ValueError):
    """A cursor is none of this index."""


@dataclass(frozen=True)
class Filter:
    """Which decisions: those that are all of what is not None.

    ``applicant`` is a pseudonym; ``since`` is included, ``until`` is not.
    """

    applicant: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    decision: str | None = None
    purpose: str | None = None
    model: str | None = None
    operator: str | None = None
    review: str | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class Found:
    """A decision as the index has it, and where the log has it: file, beginning of its line, row in a table.

    ``instance``: in whose folder the file is. ``id`` is its number in this index, ``review`` the state of its
    review, ``reviewed`` what a person said; ``outcomes``: how the loan stood, the day that counts first.
    """

    id: int
    event_id: str
    time: datetime
    applicant: str
    model: str
    purpose: str
    decision: str
    operator: str | None
    probability_of_default: float
    threshold: float
    review: str
    outcome: str
    instance: str
    file: str
    start: int
    row: int | None
    reviewed: Mapping[str, Any] | None = None
    outcomes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Page:
    """Decisions, the newest first; ``after`` gives the next page, None on the last.

    ``as_of``: what was in the log then is in the index.
    """

    found: tuple[Found, ...]
    after: str | None
    as_of: datetime


def as_of(connection: Connection, index: Index, now: datetime) -> datetime:
    """Return the time until which nothing of the log is missing in the index: of no instance.

    Raises
    ------
    LateError
        If that is too long ago for this instance; another one may be gone.
    """
    instances = select(schema.instances.c.name, schema.instances.c.followed)
    all_of = {row.name: row.followed for row in connection.execute(instances)}
    followed = all_of.get(index.instance)
    behind = (microseconds(now) - (followed or 0)) / 1e6
    if behind > LATE_S:
        since = f"since {moment(followed):%Y-%m-%dT%H:%M:%SZ}" if followed else "and was never up to it"
        raise LateError(
            f"the index {index} is behind the log {since}; `python -m scoring.decisions status` says more."
        )
    return moment(min(all_of.values()))


def by_event(index: Index, event_id: str, now: datetime) -> Found | None:
    """Return a decision, None if the index knows of none.

    Raises
    ------
    IndexFault
        If the index cannot be used, or is late.
    """
    with index.begin() as connection:
        as_of(connection, index, now)
        rows = _rows(connection, schema.decisions.c.event == packed(event_id))
        if not rows:
            return None
        event = schema.reviews.c.event == packed(event_id)
        said = connection.execute(select(schema.reviews).where(event, schema.reviews.c.is_recorded))
        review = said.mappings().one_or_none()
        ends = select(schema.outcomes).where(schema.outcomes.c.event == packed(event_id))
        newest = ends.order_by(schema.outcomes.c.observed_on.desc())
        observed = connection.execute(newest).mappings().all()
    names = ("verdict", "decision", "reason", "operator")
    reviewed = {**{name: review[name] for name in names}, "time": moment(review["time"])} if review else None
    outcomes = tuple(
        {**{name: one[name] for name in ("defaulted", "observed_on")}, "time": moment(one["time"])}
        for one in observed
    )
    return Found(**rows[0], reviewed=reviewed, outcomes=outcomes)


def page(index: Index, wanted: Filter, limit: int, now: datetime, after: str | None = None) -> Page:
    """Return the newest decisions of a filter, or those behind a cursor.

    Raises
    ------
    IndexFault
        If the index cannot be used, or is late.
    CursorError
        If the cursor is none, or that of an index that was made again since.
    """
    with index.begin() as connection:
        until = as_of(connection, index, now)
        made = connection.scalar(select(schema.about.c.made))
        high = _position(after, str(made)) if after else (LAST, LAST)
        if wanted.until is not None:
            high = min(high, (microseconds(wanted.until), 0))
        newest = _newest(connection, wanted, high, limit + 1)
        ids = [number for _, number in newest[:limit]]
        rows = _rows(connection, schema.decisions.c.id.in_(ids)) if ids else []
    rows.sort(key=lambda row: (row["time"], row["id"]), reverse=True)
    more = f"{made}.{newest[limit - 1][0]:x}.{newest[limit - 1][1]:x}" if len(newest) > limit else None
    return Page(tuple(Found(**row) for row in rows), more, until)


def _position(cursor: str, made: str) -> tuple[int, int]:
    found = _CURSOR.fullmatch(cursor)
    if found is None or found[1] != made:
        raise CursorError("the cursor is none of this index, which may have been made again; begin anew.")
    return min(int(found[2], 16), LAST), min(int(found[3], 16), LAST)


def _newest(
    connection: Connection, wanted: Filter, high: tuple[int, int], count: int
) -> list[tuple[int, int]]:
    """Return time and id of the newest decisions before a position: the newest of each kind, merged."""
    kinds, inner = schema.kinds, schema.decisions.alias("one")
    of_kinds = [
        kinds.c[name] == value
        for name in ("decision", "purpose", "model", "review", "outcome")
        if (value := getattr(wanted, name)) is not None
    ]
    where = [inner.c.kind == kinds.c.id, tuple_(inner.c.time, inner.c.id) < tuple_(*high)]
    if wanted.since is not None:
        where.append(inner.c.time >= microseconds(wanted.since))
    if wanted.applicant is not None:
        where.append(inner.c.applicant == packed(wanted.applicant))
    if wanted.operator is not None:
        number = connection.scalar(select(schema.names.c.id).where(schema.names.c.name == wanted.operator))
        if number is None:
            return []
        where.append(inner.c.operator == number)
    newest = (inner.c.time.desc(), inner.c.id.desc())
    if connection.dialect.name == "postgresql":
        each = select(inner.c.time, inner.c.id).where(*where).order_by(*newest).limit(count).lateral("each")
        found, joined = each.c, kinds.join(each, true())
    else:  # SQLite has no LATERAL, but looks a row up by what a subquery of the kind gives
        ids = select(inner.c.id).where(*where).order_by(*newest).limit(count).correlate(kinds)
        own = schema.decisions.alias("own")
        found, joined = own.c, kinds.join(own, own.c.id.in_(ids.scalar_subquery()))
    statement = select(found.time, found.id).select_from(joined).where(*of_kinds)
    ordered = statement.order_by(found.time.desc(), found.id.desc()).limit(count)
    return [(row[0], row[1]) for row in connection.execute(ordered).all()]


def _rows(connection: Connection, where: Any) -> list[dict[str, Any]]:
    """Return decisions under the names of `Found`, and their ids."""
    table, kinds, names = schema.decisions, schema.kinds, schema.names
    columns = (
        *(table.c[name] for name in ("id", "event", "time", "applicant", "probability_of_default")),
        *(table.c[name] for name in ("threshold", "start", "row")),
        *(kinds.c[name] for name in ("model", "purpose", "decision", "review", "outcome")),
        names.c.name.label("operator"),
        schema.files.c.name.label("file"),
        schema.files.c.instance,
    )
    joined = (
        table.join(kinds, kinds.c.id == table.c.kind)
        .join(schema.files, schema.files.c.id == table.c.file)
        .outerjoin(names, names.c.id == table.c.operator)
    )
    found = connection.execute(select(*columns).select_from(joined).where(where)).mappings().all()
    return [
        {
            **{name: value for name, value in row.items() if name != "event"},
            "event_id": unpacked(bytes(row["event"])),
            "time": moment(row["time"]),
            "applicant": unpacked(bytes(row["applicant"])),
        }
        for row in found
    ]


def moment(count: int) -> datetime:
    """Return the time that the index keeps as a number."""
    return EPOCH + count * MICROSECOND
