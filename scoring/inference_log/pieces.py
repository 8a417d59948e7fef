"""The lines of log files as records and tables, a piece at a time, and what had to be set aside of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import polars as pl

from scoring.inference_log.compressed import DamagedError
from scoring.inference_log.disk import lines
from scoring.inference_log.note import Note
from scoring.inference_log.packing import log_files, open_log, written_as
from scoring.inference_log.packing import place as place_at_rest
from scoring.inference_log.record import Header, LogError, Row, parse
from scoring.inference_log.table import TableEntry, not_erased
from scoring.regular import IrregularError

NAMED = 10_000  # lines that are set aside by name
BATCH_BYTES = 4 * 2**20  # of lines read at a time: as dictionaries they take ten times the memory of columns


@dataclass(frozen=True)
class Quarantined:
    """A line that is no record: where it stands and why it was set aside. Never its content.

    ``line`` counts from 1; None speaks of the whole file, or of ``count`` lines of it that are not named.
    """

    file: Path
    line: int | None
    why: str
    count: int = 1


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


def files_of(folder: Path) -> list[Path]:
    """Return the log's files, the oldest first."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no inference log in {folder}; give the service's CREDIT_SCORING_LOG."
        )
    try:
        return log_files(folder)
    except OSError as error:
        raise LogError(f"{folder} cannot be read: {error.strerror}; let this user read it.") from error


@contextmanager
def opened(path: Path, set_aside: SetAside, offset: int = 0) -> Iterator[BufferedReader | None]:
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


def pieces(folder: Path, set_aside: SetAside, only: str | None = None) -> Iterator[Piece]:
    """Give what the log holds, or one of its files."""
    for path in files_of(folder) if only is None else [folder / only]:
        with opened(path, set_aside) as file:
            if file is not None:
                yield from pieces_of(place_at_rest(path), lines(file), set_aside)


def pieces_of(
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
