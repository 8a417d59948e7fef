"""The reading end of the log: all that is whole, as tables, and the place of all that is not."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import polars as pl

from scoring.inference_log.chain import CHAINED
from scoring.inference_log.disk import IrregularError, last_lines, lines
from scoring.inference_log.following import BrokenError, Checkpoint, FileHeaders
from scoring.inference_log.note import Note
from scoring.inference_log.packing import LOG, DamagedError, log_files, open_log, written_as
from scoring.inference_log.packing import place as place_at_rest
from scoring.inference_log.record import Header, LogError, Row, is_header, parse, purpose_of, with_inputs_hash
from scoring.inference_log.table import TableEntry, not_erased, records
from scoring.tables.decisions import LOGGED

NAMED = 10_000  # lines that are set aside by name
BATCH_BYTES = 4 * 2**20  # of lines read at a time: as dictionaries they take ten times the memory of columns
AUDIT: dict[str, pl.DataType] = LOGGED | {
    "operator": pl.String(),
    "inputs_sha256": pl.String(),
    "reasons": pl.String(),
}


@dataclass(frozen=True)
class Quarantined:
    """A line that is no record: where it stands and why it was set aside. Never its content.

    ``line`` counts from 1; None speaks of the whole file, or of ``count`` lines of it that are not named.
    """

    file: Path
    line: int | None
    why: str
    count: int = 1


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


class SetAside:
    """Gathers what is set aside: the first lines by name, the rest by number, since damage may be endless."""

    def __init__(self) -> None:
        self._named: list[Quarantined] = []
        self._more: Counter[tuple[Path, str]] = Counter()

    def add(self, file: Path, line: int | None, why: str) -> None:
        """Set a line aside, or a whole file."""
        if len(self._named) < NAMED:
            self._named.append(Quarantined(file, line, why))
        else:
            self._more[file, why] += 1

    def all(self) -> tuple[Quarantined, ...]:
        """Return what was set aside."""
        more = (Quarantined(file, None, why, count) for (file, why), count in self._more.items())
        return (*self._named, *more)


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
    for piece in _pieces(folder, set_aside, file):
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
    with _opened(path, set_aside, place.offset) as opened:
        if opened is None:
            return
        passed = _Passed(lines(opened), place, last)
        for piece in _pieces_of(place_at_rest(path), iter(passed), set_aside, FileHeaders(path)):
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


def audit_tables(folder: Path, set_aside: SetAside) -> Iterator[pl.DataFrame]:
    """Give what `audit_table` returns in parts of little memory, in no order, repeats included."""
    yield pl.DataFrame(schema=AUDIT)
    yield from map(_audit, _pieces(folder, set_aside))


def of_models(path: Path, set_aside: SetAside) -> Iterator[tuple[str, pl.DataFrame]]:
    """Give the decisions of one file by model, with who asked and why, in parts of little memory.

    The columns are ``LOGGED`` but the model, ``operator``, ``reasons`` and the model's inputs.
    """
    with _opened(path, set_aside) as file:
        for piece in _pieces_of(place_at_rest(path), lines(file), set_aside) if file is not None else ():
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


def audit_table(folder: Path) -> pl.DataFrame:
    """Return the audit stream of a log folder, ordered by time: who, by whom, why, and no model input.

    Raises
    ------
    FileNotFoundError, LogError
        As `read`.
    """
    return (
        pl.concat(audit_tables(folder, SetAside()))
        .unique("event_id", keep="first", maintain_order=True)
        .sort("time", "event_id")
    )


def last(folder: Path, rows: int) -> pl.DataFrame:
    """Return the last rows of the audit stream: of each file only its end is read, the newest day first.

    Raises
    ------
    FileNotFoundError, LogError
        As `read`.
    """
    found = pl.DataFrame(schema=AUDIT)
    for _, day in groupby(reversed(_files(folder)), key=lambda path: path.name[:10]):
        by_writer = sorted(day, key=_writer_and_part, reverse=True)
        for _, parts in groupby(by_writer, key=lambda path: _writer_and_part(path)[0]):
            of_writer = 0
            for path in parts:  # its last file first: those before it are older
                if (more := _last_of(path, rows)).height:
                    of_writer += more.height
                    found = pl.concat([more, found]).unique("event_id", maintain_order=True)
                    found = found.sort("time", maintain_order=True).tail(rows)
                if of_writer >= rows:
                    break
        if found.height == rows:
            break
    return found


def _writer_and_part(path: Path) -> tuple[str, int]:
    """Return the beginning of a file's name, the same for all files of a writer's day, and its number."""
    stem = path.name.removesuffix(LOG)
    start, _, part = stem.rpartition(".")
    return (start, int(part)) if start.count(".") and part.isdecimal() else (stem, 0)


def _last_of(path: Path, rows: int) -> pl.DataFrame:
    """Return the last rows of a file's audit stream."""
    asked: int | None = rows
    while True:
        found = pl.DataFrame(schema=AUDIT)
        with _opened(path, SetAside()) as file:
            if file is None:
                return found
            end, is_all = last_lines(file, asked)
            for piece in _pieces_of(path, end, SetAside()):
                if piece:
                    found = pl.concat([found, _audit(piece)]).tail(rows)
            is_plain = file.seekable()
        if is_all or found.height == rows:
            return found
        asked = asked * 8 if asked and is_plain else None  # among the last lines are some that are no records


def find(folder: Path, event_id: str) -> Row | None:
    """Return the record of a decision as it was written, the newest files being searched first.

    Raises
    ------
    FileNotFoundError, LogError
        As `read`.
    """
    needles = (event_id.encode(errors="replace"), f'"events":"{event_id[:-8]}"'.encode(errors="replace"))
    headers: dict[str, Header] = {}
    for path in reversed(_files(folder)):
        with _opened(path, SetAside()) as file, suppress(DamagedError):
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


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no inference log in {folder}; give the service's CREDIT_SCORING_LOG."
        )
    try:
        return log_files(folder)
    except OSError as error:
        raise LogError(f"{folder} cannot be read: {error.strerror}; let this user read it.") from error


@contextmanager
def _opened(path: Path, set_aside: SetAside, offset: int = 0) -> Iterator[BufferedReader | None]:
    """Open a file of the log; give None for one that was purged meanwhile, or is no regular file."""
    try:
        file = open_log(path, offset)
    except (FileNotFoundError, IrregularError):
        if os.path.lexists(place_at_rest(path)):
            set_aside.add(place_at_rest(path), None, "no regular file")
        yield None
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror}; let this user read it.") from error
    else:
        with file:
            yield file


Piece = list[Row] | tuple[TableEntry, pl.DataFrame]
"""What is read at a time: records of lines, or a table."""


def _pieces(folder: Path, set_aside: SetAside, only: str | None = None) -> Iterator[Piece]:
    """Give what the log holds, or one of its files."""
    for path in _files(folder) if only is None else [folder / only]:
        with _opened(path, set_aside) as file:
            if file is not None:
                yield from _pieces_of(place_at_rest(path), lines(file), set_aside)


def _pieces_of(
    path: Path,
    written: Iterator[bytes],
    set_aside: SetAside,
    headers: MutableMapping[str, Header] | None = None,
) -> Iterator[Piece]:
    """Give what lines of a file hold."""
    batch: list[Row] = []
    headers = {} if headers is None else headers
    size = 0
    for number, line in enumerate(_whole(path, written, set_aside), start=1):
        try:
            record = parse(line, headers)
            if record is None:
                continue
            if "kind" in record:
                Note.of(record)
                continue
            if "table" in record:
                part = TableEntry.of(record)
                table = not_erased(part.read(path.parent))
        except ValueError as error:
            # Else it was purged with its tables meanwhile.
            if b'"table":' not in line or os.path.lexists(place_at_rest(written_as(path))):
                set_aside.add(path, number, str(error))
            continue
        if "table" in record:
            yield part, table
            continue
        batch.append(record)
        size += len(line)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _whole(path: Path, written: Iterator[bytes], set_aside: SetAside) -> Iterator[bytes]:
    """Give lines as far as they can be read."""
    try:
        yield from written
    except DamagedError as error:
        set_aside.add(path, None, f"from somewhere on {error.strerror}")


def _audit(piece: Piece) -> pl.DataFrame:
    """Return the audit stream of a piece."""
    rows = []
    for record in records(*piece) if isinstance(piece, tuple) else piece:
        audit = with_inputs_hash(record)["audit"]
        said = {
            "purpose": purpose_of(audit),
            **record,
            **audit,
            "reasons": ", ".join(audit.get("reasons") or ()) or None,
        }
        rows.append([said.get(name) for name in AUDIT])
    return pl.DataFrame(rows, schema=AUDIT, orient="row", strict=False)


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
