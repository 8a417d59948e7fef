"""The reading end of the log: all that is whole, as tables, and the place of all that is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from scoring.inference_log.record import COLUMNS, Row, parse
from scoring.inference_log.table import Slice, records

BATCH = 10_000  # records read at a time: as dictionaries they take ten times the memory of columns
AUDIT: dict[str, pl.DataType] = COLUMNS | {
    "operator": pl.String(),
    "inputs_sha256": pl.String(),
    "reasons": pl.String(),
}


@dataclass(frozen=True)
class Quarantined:
    """A line that is no record: where it stands and why it was set aside. Never its content."""

    file: Path
    line: int
    why: str


@dataclass(frozen=True)
class Log:
    """What a log folder holds: the typed table, and what had to be left out of it.

    Attributes
    ----------
    table : polars.DataFrame
        ``COLUMNS``, then one column per model input (Float64 or String), ordered by time.
    quarantined : tuple of Quarantined
        Lines that could not be understood; a torn last line is among them.
    duplicates : int
        Records left out because their event_id had been read before.
    """

    table: pl.DataFrame
    quarantined: tuple[Quarantined, ...] = ()
    duplicates: int = 0


def read(folder: Path) -> Log:
    """Return what the files of a log folder hold, ordered by time.

    A line that is no record (torn by a crash, edited, of a newer format) is set aside and counted,
    never guessed at; an event_id met twice counts once.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    quarantined: list[Quarantined] = []
    parts = [pl.DataFrame(schema=COLUMNS)]
    for piece in _pieces(folder, quarantined):
        parts.append(piece[1] if isinstance(piece, tuple) else _table(piece))
    table = pl.concat(parts, how="diagonal")
    once = table.unique("event_id", keep="first", maintain_order=True).sort("time", "event_id")
    return Log(once, tuple(quarantined), table.height - once.height)


def audit_table(folder: Path) -> pl.DataFrame:
    """Return the audit stream of a log folder, ordered by time: who, by whom, why, and no model input.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    parts = [pl.DataFrame(schema=AUDIT)]
    for piece in _pieces(folder, []):
        rows = [
            {**record, **record["audit"], "reasons": ", ".join(record["audit"].get("reasons") or ()) or None}
            for record in (records(*piece) if isinstance(piece, tuple) else piece)
        ]
        columns = [
            pl.Series(name, [row.get(name) for row in rows], dtype, strict=False)
            for name, dtype in AUDIT.items()
        ]
        parts.append(pl.DataFrame(columns))
    table = pl.concat(parts)
    return table.unique("event_id", keep="first", maintain_order=True).sort("time", "event_id")


def find(folder: Path, event_id: str) -> Row | None:
    """Return the record of a decision as it was written, the newest files being searched first.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    needles = (event_id.encode(), f'"events":"{event_id[:-8]}"'.encode())
    for path in reversed(_files(folder)):
        with path.open("rb") as file:
            for line in file:
                if any(needle in line for needle in needles):
                    try:
                        parsed = parse(line)
                        is_table = "table" in parsed
                        record = _row(folder, Slice.of(parsed), event_id) if is_table else parsed
                    except ValueError:
                        continue
                    if record is not None and record["event_id"] == event_id:
                        return record
    return None


def _row(folder: Path, part: Slice, event_id: str) -> Row | None:
    row = part.holds(event_id)
    return None if row is None else next(iter(records(part, part.read(folder)[row : row + 1])))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no inference log in {folder}; give the service's CREDIT_SCORING_LOG."
        )
    return sorted(folder.glob("*.jsonl"))


def _pieces(folder: Path, quarantined: list[Quarantined]) -> Iterator[list[Row] | tuple[Slice, pl.DataFrame]]:
    """Give what the log holds: records of lines, many at a time, and tables."""
    for path in _files(folder):
        batch: list[Row] = []
        for number, record in _records(path, quarantined):
            if "table" not in record:
                batch.append(record)
                if len(batch) < BATCH:
                    continue
            else:
                try:
                    part = Slice.of(record)
                    yield part, part.read(folder)
                except ValueError as error:
                    quarantined.append(Quarantined(path, number, str(error)))
                continue
            yield batch
            batch = []
        yield batch


def _records(path: Path, quarantined: list[Quarantined]) -> Iterator[tuple[int, Row]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return  # purged meanwhile
    with file:
        for number, line in enumerate(file, start=1):
            try:
                record = parse(line)
            except ValueError as error:
                quarantined.append(Quarantined(path, number, str(error)))
            else:
                yield number, record


def _table(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return records as columns; a feature that a record lacks is null in its row."""
    columns: dict[str, pl.Series] = {
        name: pl.Series(
            name, [record[name] if name in record else record["audit"][name] for record in records], dtype
        )
        for name, dtype in COLUMNS.items()
    }
    for part, dtype in (("numbers", pl.Float64()), ("categories", pl.String())):
        for name in dict.fromkeys(name for record in records for name in record["inputs"][part]):
            values = [record["inputs"][part].get(name) for record in records]
            columns.setdefault(name, pl.Series(name, values, dtype=dtype, strict=False))
    return pl.DataFrame(columns)
