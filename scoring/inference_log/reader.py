"""The reading end of the log: the decisions that are whole, as tables with their inputs, or one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from scoring.inference_log.chain import CHAINED
from scoring.inference_log.compressed import DamagedError
from scoring.inference_log.disk import lines
from scoring.inference_log.following import BrokenError, Checkpoint, FileHeaders
from scoring.inference_log.packing import place as place_at_rest
from scoring.inference_log.pieces import Quarantined, SetAside, files_of, opened, pieces, pieces_of
from scoring.inference_log.record import Header, LogError, Row, is_header, parse, purpose_of, with_inputs_hash
from scoring.inference_log.table import TableEntry, not_erased, records
from scoring.tables.decisions import LOGGED


@dataclass(frozen=True)
class Log:
    """What a log folder holds: the typed table, and what had to be left out of it.

    Attributes
    ----------
    table : polars.DataFrame
        ``LOGGED``, then one column per model input (Float64 or String), ordered by time.
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
    never guessed at; an event_id met twice counts once. A service may write and purge meanwhile.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    LogError
        If a file cannot be read, or a feature is a number in one record and a word in another.
    """
    set_aside, types = SetAside(), dict(LOGGED)
    parts = [pl.DataFrame(schema=LOGGED)]
    for part in inputs_tables(folder, set_aside):
        add_types(types, part)
        parts.append(part)
    table = pl.concat(parts, how="diagonal")
    once = table.unique("event_id", keep="first", maintain_order=True).sort("time", "event_id")
    return Log(once, set_aside.all(), table.height - once.height)


def inputs_tables(folder: Path, set_aside: SetAside, file: str | None = None) -> Iterator[pl.DataFrame]:
    """Give what `read` returns in parts of little memory, in no order, repeats included.

    ``file``: of this one alone, by the name that `files` gives it.
    """
    yield pl.DataFrame(schema=LOGGED)
    for piece in pieces(folder, set_aside, file):
        yield piece[1] if isinstance(piece, tuple) else _table(piece)


def inputs_behind(
    folder: Path, set_aside: SetAside, file: str, place: Checkpoint, last: int | None = None
) -> Iterator[tuple[pl.DataFrame, Checkpoint]]:
    """Give what `inputs_tables` gives of a file behind a place, each part with the place behind it.

    A last line without an end is set aside, and no place is behind it: a writer may be in the midst of it.
    ``last`` is the number of the last record that is read.

    Raises
    ------
    BrokenError
        If the file is not the one in which the place was.
    """
    path = folder / file
    with opened(path, set_aside, place.offset) as written:
        if written is None:
            return
        passed = _Passed(lines(written), place, last)
        for piece in pieces_of(place_at_rest(path), iter(passed), set_aside, FileHeaders(path)):
            yield piece[1] if isinstance(piece, tuple) else _table(piece), passed.place


class _Passed:
    """Lines behind a place, and the place behind the last one that was taken."""

    def __init__(self, written: Iterator[bytes], place: Checkpoint, last: int | None = None) -> None:
        self._written, self._start, self._offset, self._last = written, place, place.offset, last
        self._line = b""

    def __iter__(self) -> Iterator[bytes]:
        """Give the lines.

        Raises
        ------
        BrokenError
            If the first one does not follow the place.
        """
        for line in self._written:
            if not self._line and self._start.seq and _chained(line) not in (None, self._start.head):
                raise BrokenError(f"the file does not go on behind record {self._start.seq}")
            if line.endswith(b"\n"):
                self._line, self._offset = line, self._offset + len(line)
            yield line
            if self._last is not None and self.place.seq >= self._last:
                return

    @property
    def place(self) -> Checkpoint:
        """Behind the last whole line; a log of before the chain has no hash to name it by."""
        found = CHAINED.fullmatch(self._line)
        if found is None:
            return Checkpoint(self._start.seq, self._offset, self._start.head)
        return Checkpoint(int(found[1]), self._offset, found[3].decode())


def _chained(line: bytes) -> str | None:
    """Return the hash that a line follows, None if it is none of a chain."""
    found = CHAINED.fullmatch(line)
    return None if found is None else found[2].decode()


def of_models(path: Path, set_aside: SetAside) -> Iterator[tuple[str, pl.DataFrame]]:
    """Give the decisions of one file by model, with who asked and why, in parts of little memory.

    The columns are ``LOGGED`` but the model, ``operator``, ``reasons`` and the model's inputs.
    """
    with opened(path, set_aside) as file:
        for piece in pieces_of(place_at_rest(path), lines(file), set_aside) if file is not None else ():
            if isinstance(piece, tuple):
                part, table = piece
                yield part.model, _told(table, pl.lit(part.operator, pl.String), pl.lit(None, pl.String))
                continue
            for model in dict.fromkeys(record["model"] for record in piece):
                records = [record for record in piece if record["model"] == model]
                audits = [record["audit"] for record in records]
                operators = pl.Series([audit.get("operator") for audit in audits], dtype=pl.String)
                reasons = [", ".join(audit.get("reasons") or ()) or None for audit in audits]
                yield model, _told(_table(records), operators, pl.Series(reasons, dtype=pl.String))


def _told(table: pl.DataFrame, operator: pl.Series | pl.Expr, reasons: pl.Series | pl.Expr) -> pl.DataFrame:
    """Return decisions without their model, who asked and why standing before the inputs."""
    first = [name for name in LOGGED if name != "model"]
    said = table.with_columns(operator.alias("operator"), reasons.alias("reasons"))
    return said.select(*first, "operator", "reasons", pl.all().exclude(*LOGGED, "operator", "reasons"))


def add_types(types: dict[str, pl.DataType], table: pl.DataFrame) -> None:
    """Add the columns of a table to those that are known.

    Raises
    ------
    LogError
        If one is of another type there.
    """
    for name, dtype in table.schema.items():
        if types.setdefault(name, dtype) != dtype:
            raise LogError(
                f"{name} is a number in one record of the log and a word in another: they are of models that "
                "differ in it; keep their logs in folders of their own."
            )


def find(folder: Path, event_id: str) -> Row | None:
    """Return the record of a decision as it was written, the newest files being searched first.

    Raises
    ------
    FileNotFoundError, LogError
        As `read`.
    """
    needles = (event_id.encode(errors="replace"), f'"events":"{event_id[:-8]}"'.encode(errors="replace"))
    headers: dict[str, Header] = {}
    for path in reversed(files_of(folder)):
        with opened(path, SetAside()) as file, suppress(DamagedError):
            for line in lines(file) if file else ():
                if is_header(line) or any(needle in line for needle in needles):
                    try:
                        record = parse(line, headers)
                        if record and "kind" in record:  # it speaks of the event, and is not its decision
                            continue
                        if record and "table" in record:
                            record = _row(folder, TableEntry.of(record), event_id)
                    except ValueError:
                        continue
                    if record is not None and record["event_id"] == event_id:
                        return with_inputs_hash(record)
    return None


def _row(folder: Path, part: TableEntry, event_id: str) -> Row | None:
    row = part.holds(event_id)
    return (
        None if row is None else next(iter(records(part, not_erased(part.read(folder)[row : row + 1]))), None)
    )


def _table(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return records as columns; a feature that a record lacks is null in its row."""
    flat = [{**record, **record["audit"], "purpose": purpose_of(record["audit"])} for record in records]
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, [row[name] for row in flat], dtype) for name, dtype in LOGGED.items()
    }
    for part, dtype in (("numbers", pl.Float64()), ("categories", pl.String())):
        given = [record["inputs"][part] for record in records]
        for name in dict.fromkeys(chain.from_iterable(given)):
            values = [features.get(name) for features in given]
            columns.setdefault(name, pl.Series(name, values, dtype=dtype, strict=False))
    return pl.DataFrame(columns)
