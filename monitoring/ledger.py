"""What the monitor remembers: counts of the log, the verdicts on closed windows, and how cells were cut.

One SQLite file. Each record of the log is counted once: a file is read on behind the place up to which it was
counted, and what that adds is one transaction with the new place. Counts stay when the log's retention
removes its files, or a person is erased, since there is no person in them: ids of events go with their file,
numbers of clients with the verdict on their window. Verdicts are a chain, each with its evidence.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.packed import digest, packed, unpacked
from monitoring.tally import Tally
from scoring.inference_log import Checkpoint
from scoring.inference_log.disk import create
from scoring.regular import IrregularError, open_lock

VERSION = 2
FIRST = "0" * 64  # what the first verdict follows
BUSY_S = 30
TORN = "torn: the line has no end"  # why a last line is set aside
TABLES = """
create table if not exists files (name text not null, cells text not null, standing text,
    seq integer not null, offset integer not null, head text not null, events blob,
    duplicates integer not null, aside text not null, primary key (name, cells)) strict;
create table if not exists tallies (file text not null, day text not null, model text not null,
    purpose text not null, cells text not null, rows integer not null, first text, last text,
    said text, counts blob, clients blob, parts blob, primary key (cells, file, day, model, purpose)) strict;
create table if not exists verdicts (number integer primary key, scope text not null, length text not null,
    start text not null, said text not null, tally text not null, counts blob not null,
    parts blob not null, hash text not null,
    unique (scope, length, start)) strict;
create table if not exists kept (key text not null, name text not null, content blob not null,
    primary key (key, name)) strict;
"""


class LedgerError(RuntimeError):
    """The monitor's memory cannot be used; the text says why, and the remedy."""


@dataclass(frozen=True)
class Day:
    """What a file has of a day: decisions of a model for a purpose; a tally for the model that is judged."""

    day: date
    model: str
    purpose: str
    rows: int
    tally: Tally | None


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was kept of a closed window.

    Attributes
    ----------
    number : int
        From 1.
    scope, length : str
    window : mapping
        Its JSON.
    evidence : mapping
        What it was judged by: see `monitoring.windows`.
    before, hash : str
        Hash of the verdict before it, and its own.
    text : str
        What was hashed.
    tally : Tally
        Counts of the window, without clients.
    """

    number: int
    scope: str
    length: str
    window: Mapping[str, Any]
    evidence: Mapping[str, Any]
    before: str
    hash: str
    text: str
    tally: Tally


class Ledger:
    """The memory of one log.

    Parameters
    ----------
    path : Path
        Made if it is absent.

    Raises
    ------
    LedgerError
        If it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as connection:
            found = connection.execute("pragma user_version").fetchone()[0]
            if found not in (0, VERSION):
                raise LedgerError(f"{path} is of another version; remove it, it is made again from the log.")
            connection.executescript(TABLES)
            connection.execute(f"pragma user_version={VERSION}")

    @contextmanager
    def _open(self, is_writing: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(create(self.path))  # it counts clients: others may read it no more than the log
            with closing(sqlite3.connect(self.path, timeout=BUSY_S)) as connection, connection:
                if is_writing:
                    connection.execute("begin immediate")
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(
                f"{self.path} cannot be used: {error}; it can be made again from the log."
            ) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs of the monitor out: each record is counted once.

        Raises
        ------
        LedgerError
            If one is at work, and goes on for half a minute.
        """
        end, place = monotonic() + BUSY_S, self.path.with_name(f"{self.path.name}.lock")
        try:
            file = open_lock(place)
        except IrregularError as error:
            raise LedgerError(f"{place} cannot be locked: {error}; take it away.") from None
        with file as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() > end:
                        raise LedgerError(
                            f"another run of the monitor is at work with {self.path}; wait for its end, or "
                            "give another --out."
                        ) from None
                    sleep(0.1)
            yield

    def places(self, cells: str) -> dict[str, tuple[str | None, Checkpoint]]:
        """Return up to where each file was counted in these cells, and what it was like then, by name."""
        with self._open() as connection:
            asked = "select name, standing, seq, offset, head from files where cells = ?"
            return {
                name: (standing, Checkpoint(*place))
                for name, standing, *place in connection.execute(asked, (cells,))
            }

    def events(self, cells: str) -> dict[str, NDArray[np.uint64]]:
        """Return the numbers of the events of each file that is there still."""
        with self._open() as connection:
            asked = "select name, events from files where cells = ? and events is not null"
            found = connection.execute(asked, (cells,))
            return {name: np.frombuffer(zlib.decompress(blob), np.uint64) for name, blob in found}

    def stands(self, file: str, cells: str, standing: str) -> None:
        """Keep what a file is like, of which nothing is to be counted."""
        with self._open(is_writing=True) as connection:
            changed = "update files set standing = ? where name = ? and cells = ?"
            connection.execute(changed, (standing, file, cells))

    def add(
        self,
        file: str,
        cells: str,
        standing: str,
        *,
        end: Checkpoint,
        days: Sequence[Day],
        events: NDArray[np.uint64],
        duplicates: int,
        aside: Mapping[str, int],
    ) -> None:
        """Add what a file holds up to a place to what was counted of it before."""
        with self._open(is_writing=True) as connection:
            asked = "select events, duplicates, aside from files where name = ? and cells = ?"
            before = connection.execute(asked, (file, cells)).fetchone()
            if before and before[0] is not None:
                events = np.union1d(events, np.frombuffer(zlib.decompress(before[0]), np.uint64))
            causes = json.loads(before[2]) if before else {}
            causes.pop(TORN, None)  # it was the last line, and is whole now, or is met again
            for why, count in aside.items():
                causes[why] = causes.get(why, 0) + count
            twice = duplicates + (before[1] if before else 0)
            for day in days:
                _add_day(connection, file, cells, day)
            packed = zlib.compress(events.tobytes(), 1)
            kept = (file, cells, standing, end.seq, end.offset, end.head, packed, twice, json.dumps(causes))
            connection.execute("insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)

    def drop(self, file: str, cells: str) -> None:
        """Forget what was counted of a file, which is another one now."""
        with self._open(is_writing=True) as connection:
            connection.execute("delete from files where name = ? and cells = ?", (file, cells))
            connection.execute("delete from tallies where file = ? and cells = ?", (file, cells))

    def forget_events(self, there: Sequence[str]) -> None:
        """Forget the events of files that the log has no longer; what was counted of them stays."""
        with self._open() as connection:
            known = [
                name for (name,) in connection.execute("select name from files where events is not null")
            ]
            gone = [(name,) for name in set(known) - set(there)]
            connection.executemany("update files set events = null, standing = null where name = ?", gone)

    def decisions(self, model: str, purpose: str, cells: str) -> dict[date, int]:
        """Return how many decisions of a model each day has."""
        asked = (
            "select day, sum(rows) from tallies where model = ? and purpose = ? and cells = ? "
            "group by day order by day"
        )
        with self._open() as connection:
            found = connection.execute(asked, (model, purpose, cells))
            return {date.fromisoformat(day): rows for day, rows in found}

    def others(
        self, model: str, purpose: str, cells: str, since: date = date.min
    ) -> dict[date, dict[str, int]]:
        """Return how many decisions other models took for a purpose, by day from one on."""
        asked = (
            "select day, model, sum(rows) from tallies where model <> ? and purpose = ? and cells = ? "
            "and day >= ? group by day, model order by day, model"
        )
        found: dict[date, dict[str, int]] = {}
        with self._open() as connection:
            for day, tag, rows in connection.execute(asked, (model, purpose, cells, since.isoformat())):
                found.setdefault(date.fromisoformat(day), {})[tag] = rows
        return found

    def rows(self, cells: str) -> list[tuple[str, str, int]]:
        """Return how many decisions there are by model and purpose."""
        with self._open() as connection:
            asked = (
                "select model, purpose, sum(rows) from tallies where cells = ? group by 1, 2 order by 1, 2"
            )
            return connection.execute(asked, (cells,)).fetchall()

    def last(self, model: str, purpose: str, cells: str, until: date = date.max) -> datetime | None:
        """Return when the last decision was taken, of those before a day."""
        asked = "select max(last) from tallies where model = ? and purpose = ? and cells = ? and day < ?"
        with self._open() as connection:
            (found,) = connection.execute(asked, (model, purpose, cells, until.isoformat())).fetchone()
        return datetime.fromisoformat(found).astimezone(UTC) if found else None

    def aside(self, cells: str) -> tuple[dict[str, int], int]:
        """Return how many lines were set aside, by cause, and how many records stood there twice."""
        causes: dict[str, int] = {}
        twice = 0
        with self._open() as connection:
            for said, duplicates in connection.execute(
                "select aside, duplicates from files where cells = ?", (cells,)
            ):
                twice += duplicates
                for why, count in json.loads(said).items():
                    causes[why] = causes.get(why, 0) + count
        return causes, twice

    def days(
        self, model: str, purpose: str, cells: str, since: date = date.min, until: date = date.max
    ) -> dict[date, Tally]:
        """Return the tally of a model in these cells of each day, from one day on and before another."""
        found: dict[date, Tally] = {}
        asked = (
            "select day, first, last, said, counts, clients, parts from tallies where model = ? "
            "and purpose = ? and cells = ? and day >= ? and day < ? and counts is not null order by day, file"
        )
        values = (model, purpose, cells, since.isoformat(), until.isoformat())
        with self._open() as connection:
            for day, *written in connection.execute(asked, values):
                own, of = date.fromisoformat(day), unpacked(*written)
                found[own] = found[own] + of if own in found else of
        return found

    def heads(self, days: Sequence[date], model: str, purpose: str, cells: str) -> dict[str, list[Any]]:
        """Return the last record that was counted of each file with decisions of some days: seq and hash."""
        marks = ", ".join("?" * len(days))
        asked = (
            "select distinct f.name, f.seq, f.head from files f join tallies t on t.file = f.name and "
            f"t.cells = f.cells where t.model = ? and t.purpose = ? and t.cells = ? and t.day in ({marks})"
        )
        with self._open() as connection:
            values = (model, purpose, cells, *(day.isoformat() for day in days))
            return {name: [seq, head] for name, seq, head in connection.execute(asked, values)}

    def windows(self, scope: str, length: str) -> list[dict[str, Any]]:
        """Return what was said of closed windows, the oldest first."""
        asked = "select said from verdicts where scope = ? and length = ? order by start"
        with self._open() as connection:
            return [json.loads(said)["window"] for (said,) in connection.execute(asked, (scope, length))]

    def verdicts(self) -> Iterator[Verdict]:
        """Give the verdicts on closed windows, in the order of their chain."""
        with self._open() as connection:
            asked = "select number, said, tally, counts, parts, hash from verdicts order by number"
            for row in connection.execute(asked):
                yield _verdict(*row)

    def head(self) -> tuple[int, str]:
        """Return number and hash of the last verdict."""
        with self._open() as connection:
            found = connection.execute("select number, hash from verdicts order by number desc limit 1")
            number, head = found.fetchone() or (0, FIRST)
        return number, head

    def judged(
        self,
        scope: str,
        length: str,
        start: date,
        window: Mapping[str, Any],
        evidence: Mapping[str, Any],
        tally: Tally,
    ) -> None:
        """Keep a verdict for good: a window that has one keeps it."""
        _, _, told, counts, _, parts = packed(tally)
        with self._open(is_writing=True) as connection:
            asked = "select 1 from verdicts where scope = ? and length = ? and start = ?"
            if connection.execute(asked, (scope, length, start.isoformat())).fetchone():
                return
            last = connection.execute("select number, hash from verdicts order by number desc limit 1")
            number, before = last.fetchone() or (0, FIRST)
            own = {
                "number": number + 1,
                "before": before,
                "scope": scope,
                "length": length,
                "window": window,
                "evidence": {**evidence, "counts": digest(tally)},
            }
            said = json.dumps(own, ensure_ascii=False, sort_keys=True)
            row = (number + 1, scope, length, start.isoformat(), said, told, counts, parts, _hash(said))
            connection.execute("insert into verdicts values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def kept(self, key: str) -> dict[str, bytes]:
        """Return what was kept under a key, by name."""
        with self._open() as connection:
            return dict(connection.execute("select name, content from kept where key = ?", (key,)))

    def keep(self, key: str, contents: Mapping[str, bytes]) -> None:
        """Keep contents under a key: what takes long to compute."""
        with self._open(is_writing=True) as connection:
            rows = [(key, name, content) for name, content in contents.items()]
            connection.executemany("insert or replace into kept values (?, ?, ?)", rows)

    def forget_clients(self, before: date) -> None:
        """Forget the numbers of clients of days before one."""
        with self._open() as connection:
            connection.execute(
                "update tallies set clients = null where day < ? and clients is not null",
                (before.isoformat(),),
            )


def _add_day(connection: sqlite3.Connection, file: str, cells: str, day: Day) -> None:
    """Add the decisions of a day to those that were counted of the same file."""
    key = (cells, file, day.day.isoformat(), day.model, day.purpose)
    asked = "select rows, first, last, said, counts, clients, parts from tallies where " + " and ".join(
        f"{name} = ?" for name in ("cells", "file", "day", "model", "purpose")
    )
    rows, tally = day.rows, day.tally
    if before := connection.execute(asked, key).fetchone():
        rows += before[0]
        tally = unpacked(*before[1:]) + tally if tally is not None and before[4] is not None else tally
    values = (file, *key[2:], cells, rows, *packed(tally))
    connection.execute(f"insert or replace into tallies values ({','.join('?' * 12)})", values)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _verdict(number: int, text: str, told: str, counts: bytes, parts: bytes, hashed: str) -> Verdict:
    said, tally = json.loads(text), unpacked(None, None, told, counts, None, parts)
    return Verdict(
        number,
        said["scope"],
        said["length"],
        said["window"],
        said["evidence"],
        said["before"],
        hashed,
        text,
        tally,
    )
