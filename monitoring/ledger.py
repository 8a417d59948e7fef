"""What the monitor remembers: counts of each file of the log, and the verdicts on closed windows.

One SQLite file. A file of the log is counted once, and again only if it has changed; what it adds is one
transaction. Counts stay when the log's retention removes its files, since there is no person in them: ids of
events go with their file, numbers of clients with the verdict on their window.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.operations import Operations
from monitoring.segments import PartCount
from monitoring.tally import Tally

VERSION = 2
BUSY_S = 30
TABLES = """
create table if not exists files (name text not null, cells text not null, standing text,
    events blob, duplicates integer not null, aside text not null, primary key (name, cells)) strict;
create table if not exists tallies (file text not null, day text not null, model text not null,
    purpose text not null, cells text not null, rows integer not null, first text, last text,
    said text, counts blob, clients blob, parts blob, primary key (cells, file, day, model, purpose)) strict;
create table if not exists windows (scope text not null, length text not null, start text not null,
    end text not null, verdict text not null, primary key (scope, length, start)) strict;
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
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_S)) as connection, connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(
                f"{self.path} cannot be used: {error}; it can be made again from the log."
            ) from error

    def standing(self, cells: str) -> dict[str, str]:
        """Return what each file was like when it was counted in these cells, by name."""
        with self._open() as connection:
            asked = "select name, standing from files where cells = ? and standing is not null"
            return dict(connection.execute(asked, (cells,)))

    def events(self, cells: str) -> dict[str, NDArray[np.uint64]]:
        """Return the numbers of the events of each file that is there still."""
        with self._open() as connection:
            asked = "select name, events from files where cells = ? and events is not null"
            found = connection.execute(asked, (cells,))
            return {name: np.frombuffer(zlib.decompress(blob), np.uint64) for name, blob in found}

    def put(
        self,
        file: str,
        standing: str,
        cells: str,
        days: Sequence[Day],
        events: NDArray[np.uint64],
        duplicates: int,
        aside: Mapping[str, int],
    ) -> None:
        """Keep what a file holds, in place of what was kept of it before."""
        rows = [
            (file, day.day.isoformat(), day.model, day.purpose, cells, day.rows, *_written(day.tally))
            for day in days
        ]
        packed = zlib.compress(events.tobytes(), 1)
        with self._open() as connection:
            connection.execute("delete from tallies where file = ? and cells = ?", (file, cells))
            connection.executemany(f"insert into tallies values ({','.join('?' * 12)})", rows)
            kept = (file, cells, standing, packed, duplicates, json.dumps(aside))
            connection.execute("insert or replace into files values (?, ?, ?, ?, ?, ?)", kept)

    def forget_events(self, there: Sequence[str]) -> None:
        """Forget the events of files that the log has no longer; what was counted of them stays."""
        with self._open() as connection:
            known = [
                name for (name,) in connection.execute("select name from files where events is not null")
            ]
            gone = [(name,) for name in set(known) - set(there)]
            connection.executemany("update files set events = null, standing = null where name = ?", gone)

    def rows(self, cells: str) -> list[tuple[str, str, int]]:
        """Return how many decisions there are by model and purpose."""
        with self._open() as connection:
            asked = (
                "select model, purpose, sum(rows) from tallies where cells = ? group by 1, 2 order by 1, 2"
            )
            return connection.execute(asked, (cells,)).fetchall()

    def last(self, model: str, purpose: str, cells: str) -> datetime | None:
        """Return when the last decision was taken."""
        asked = "select max(last) from tallies where model = ? and purpose = ? and cells = ?"
        with self._open() as connection:
            (found,) = connection.execute(asked, (model, purpose, cells)).fetchone()
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

    def days(self, model: str, purpose: str, cells: str) -> dict[date, list[Tally]]:
        """Return the tallies of a model in these cells, by day."""
        found: dict[date, list[Tally]] = {}
        asked = (
            "select day, first, last, said, counts, clients, parts from tallies "
            "where model = ? and purpose = ? and cells = ? and counts is not null order by day, file"
        )
        with self._open() as connection:
            for day, *written in connection.execute(asked, (model, purpose, cells)):
                found.setdefault(date.fromisoformat(day), []).append(_read(*written))
        return found

    def windows(self, scope: str, length: str) -> list[dict[str, Any]]:
        """Return the verdicts on closed windows, the oldest first."""
        asked = "select verdict from windows where scope = ? and length = ? order by start"
        with self._open() as connection:
            return [json.loads(said) for (said,) in connection.execute(asked, (scope, length))]

    def judged(self, scope: str, length: str, start: date, end: date, verdict: Mapping[str, Any]) -> None:
        """Keep a verdict for good: a window that has one keeps it."""
        row = (scope, length, start.isoformat(), end.isoformat(), json.dumps(verdict, ensure_ascii=False))
        with self._open() as connection:
            connection.execute("insert or ignore into windows values (?, ?, ?, ?, ?)", row)

    def forget_clients(self, before: date) -> None:
        """Forget the numbers of clients of days before one."""
        with self._open() as connection:
            connection.execute(
                "update tallies set clients = null where day < ? and clients is not null",
                (before.isoformat(),),
            )


def _written(tally: Tally | None) -> tuple[Any, ...]:
    if tally is None:
        return (None,) * 6
    operations = asdict(tally.operations) | {"thresholds": list(tally.operations.thresholds.items())}
    parts = {key: [one.rows, one.refused, one.expected] for key, one in tally.parts.items()}
    said = {"operations": operations, "unseen": tally.unseen, "parts": parts}
    cells = [one.counts for one in tally.parts.values()]
    return (
        tally.first.isoformat() if tally.first else None,
        tally.last.isoformat() if tally.last else None,
        json.dumps(said, ensure_ascii=False),
        zlib.compress(tally.counts.astype(np.int64).tobytes(), 1),
        zlib.compress(tally.clients.tobytes(), 1),
        zlib.compress(np.array(cells, dtype=np.int64).tobytes(), 1),
    )


def _read(
    first: str | None, last: str | None, said: str, counts: bytes, clients: bytes | None, parts: bytes
) -> Tally:
    known = json.loads(said)
    operations = known["operations"] | {"thresholds": dict(map(tuple, known["operations"]["thresholds"]))}
    cells = np.frombuffer(zlib.decompress(parts), np.int64)
    cells = cells.reshape(len(known["parts"]), -1) if known["parts"] else cells
    times = [datetime.fromisoformat(time).astimezone(UTC) if time else None for time in (first, last)]
    return Tally(
        np.frombuffer(zlib.decompress(counts), np.int64),
        Operations(**operations),
        np.frombuffer(zlib.decompress(clients), np.uint64) if clients else np.zeros(0, np.uint64),
        known["unseen"],
        times[0],
        times[1],
        {key: PartCount(*one, own) for (key, one), own in zip(known["parts"].items(), cells, strict=True)},
    )
