"""What records of the log change in the index: decisions, reviews, outcomes, and what is erased.

Who calls holds all other followers out (`Follower`), and the transaction is his.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from scoring.decisions import schema
from scoring.decisions.gathered import Gathered, event_of, microseconds, waits
from scoring.decisions.index import Index
from scoring.inference_log import Note

SOME = 500  # events in a statement
OUTCOMES = {True: "defaulted", False: "repaid"}


class Entries:
    """Enters what batches of records say.

    Parameters
    ----------
    index : Index
    connection : sqlalchemy.Connection
        From it is read what the index has given numbers to, and what waits in it.

    Attributes
    ----------
    early : set of bytes
        Events that were reviewed, or have an outcome, while their decisions are not there yet.
    """

    def __init__(self, index: Index, connection: Connection) -> None:
        self._index = index
        self._kinds = _kinds(connection)
        names = connection.execute(select(schema.names.c.name, schema.names.c.id)).all()
        self._names = {row[0]: int(row[1]) for row in names}
        recorded = schema.reviews.c.is_recorded, ~schema.reviews.c.is_applied
        reviewed = select(schema.reviews.c.event).where(*recorded)
        known = select(schema.outcomes.c.event).where(~schema.outcomes.c.is_applied)
        self.early = {bytes(event) for event in connection.scalars(reviewed.union(known))}

    def add(self, connection: Connection, batch: Gathered, file: int, first: int) -> None:
        """Enter what a batch of a file says, its decisions numbered from ``first`` on."""
        for number, row in enumerate(batch.rows, start=first):
            row["id"] = number
            row["kind"] = self._kind(connection, row.pop("about"))
            row["operator"] = self._name(connection, row["operator"])
        if batch.rows:
            self._insert(connection, batch.rows)
            ids = schema.decisions.c.id.between(first, first + len(batch.rows) - 1)
            there = connection.scalar(select(func.count()).where(ids))  # not all drivers say
            if doubled := len(batch.rows) - (there or 0):
                _count_doubled(connection, doubled)
        for note, start in batch.reviews:
            self._review(connection, note, file, start)
        self._outcomes(connection, batch.outcomes)
        for low in range(0, len(batch.erased), SOME):
            for table in (schema.decisions, schema.reviews, schema.outcomes):
                some = batch.erased[low : low + SOME]
                connection.execute(delete(table).where(table.c.event.in_(some)))
        self.early.difference_update(batch.erased)
        if self.early:
            events = {row["event"] for row in batch.rows + batch.outcomes}
            events |= {event_of(note) for note, _ in batch.reviews}
            self.apply(connection, events & self.early)

    def _insert(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Insert decisions as the driver takes them: what SQLAlchemy does to each row takes as long again."""
        inserted = once(self._index, schema.decisions).compile(connection, column_keys=list(rows[0]))
        names = inserted.positiontup
        given = rows if names is None else [tuple(map(row.__getitem__, names)) for row in rows]
        connection.exec_driver_sql(str(inserted), given)

    def _kind(self, connection: Connection, kind: tuple[str, ...]) -> int:
        if kind not in self._kinds:
            columns = dict(zip(("model", "purpose", "decision", "review", "outcome"), kind, strict=True))
            self._kinds[kind] = _numbered(connection, schema.kinds, columns)
        return self._kinds[kind]

    def _kinds_by_number(self, connection: Connection, asked: set[int]) -> dict[int, tuple[str, ...]]:
        if not asked <= set(self._kinds.values()):  # another instance made one
            self._kinds = _kinds(connection)
        return {number: kind for kind, number in self._kinds.items()}

    def _name(self, connection: Connection, name: str | None) -> int:
        if name is None:
            return 0
        if name not in self._names:
            self._names[name] = _numbered(connection, schema.names, {"name": name})
        return self._names[name]

    def _review(self, connection: Connection, note: Note, file: int, start: int) -> None:
        """Keep a review; of two that two machines recorded, the first one counts."""
        about, table = note.about, schema.reviews
        event, moment = event_of(note), microseconds(note.time)
        said = {name: about.get(name) for name in ("verdict", "decision", "reason", "operator")}
        row = {"time": moment, "file": file, "start": start, "is_recorded": True, "is_applied": False, **said}
        before = connection.execute(select(table).where(table.c.event == event)).mappings().one_or_none()
        if before is None:
            connection.execute(insert(table).values(event=event, claim="", claimed=moment, **row))
        elif not before["is_recorded"] or moment < before["time"]:
            connection.execute(update(table).where(table.c.event == event).values(**row))
        else:
            _count_doubled(connection, 1)
            return
        self.early.add(event)

    def _outcomes(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Keep outcomes: of those that were observed on one day, the one that was recorded last."""
        kept = {(row["event"], row["observed_on"]): row for row in rows}
        if not kept:
            return
        table, dialect = schema.outcomes, sqlite if self._index.is_sqlite else postgresql
        made = dialect.insert(table)
        new = {name: made.excluded[name] for name in ("defaulted", "time", "file", "start", "is_applied")}
        is_later = made.excluded.time >= table.c.time
        keys = [table.c.event, table.c.observed_on]
        statement = made.on_conflict_do_update(index_elements=keys, set_=new, where=is_later)
        connection.execute(statement, list(kept.values()))
        self.early |= {event for event, _ in kept}

    def apply(self, connection: Connection, events: set[bytes]) -> None:
        """Give decisions the state of their review, and their outcome."""
        table, reviews, outcomes = schema.decisions.c, schema.reviews.c, schema.outcomes.c
        waiting = sorted(events)
        for part in (set(waiting[low : low + SOME]) for low in range(0, len(waiting), SOME)):
            found = connection.execute(select(table.event, table.kind).where(table.event.in_(part))).all()
            if not found:
                continue  # their files are followed later
            kinds = self._kinds_by_number(connection, {kind for _, kind in found})
            there = [bytes(event) for event, _ in found]
            said = select(reviews.event, reviews.verdict).where(reviews.event.in_(there), reviews.is_recorded)
            verdicts = {bytes(event): verdict for event, verdict in connection.execute(said)}
            observed = select(outcomes.event, outcomes.defaulted).where(outcomes.event.in_(there))
            latest = connection.execute(observed.order_by(outcomes.observed_on))
            ends = {bytes(event): OUTCOMES[defaulted] for event, defaulted in latest}
            moved = []
            for event, kind in found:
                model, purpose, decision, before, _ = kinds[kind]
                review = verdicts.get(bytes(event)) or waits(purpose, decision, before == "waiting")
                now = (model, purpose, decision, review, ends.get(bytes(event), "unknown"))
                moved.append({"of": event, "to": self._kind(connection, now)})
            change = update(schema.decisions).where(table.event == bindparam("of"))
            connection.execute(change.values(kind=bindparam("to")), moved)
            for noted in (schema.reviews, schema.outcomes):
                done = update(noted).where(noted.c.event.in_(there), ~noted.c.is_applied)
                if noted is schema.reviews:
                    done = done.where(reviews.is_recorded)
                connection.execute(done.values(is_applied=True))
            self.early -= set(there)


def _kinds(connection: Connection) -> dict[tuple[str, ...], int]:
    """Return the number of each kind of decision."""
    return {tuple(kind[1:]): kind[0] for kind in connection.execute(select(schema.kinds))}


def _count_doubled(connection: Connection, count: int) -> None:
    """Count records that were there already."""
    counted = schema.about.c.duplicates + count
    connection.execute(update(schema.about).values(duplicates=counted))


def _numbered(connection: Connection, table: Any, row: Mapping[str, str]) -> int:
    """Return the number of a row, which another instance may have made; who asks holds the others up."""
    there = connection.scalar(select(table.c.id).filter_by(**row))
    return int(there or connection.execute(insert(table).values(**row).returning(table.c.id)).scalar_one())


def once(index: Index, table: Any) -> Any:
    """Return the insertion of rows of which those that are there already are left out."""
    dialect = sqlite if index.is_sqlite else postgresql
    return dialect.insert(table).on_conflict_do_nothing()
