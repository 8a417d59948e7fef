"""Following the log as it grows: each record once, from a place that is kept elsewhere.

A record counts when its file's anchor has it: then it is on the disk, and no failed write cuts it off again.
What a crash left behind the anchor counts when nobody has written to the file for a while. Each line must
follow the one before: what was changed since is not followed, and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import Any

import polars as pl

from scoring.inference_log.anchor import ANCHOR, Anchor, read_anchor
from scoring.inference_log.chain import first_hash, next_hash
from scoring.inference_log.compressed import DamagedError
from scoring.inference_log.disk import lines
from scoring.inference_log.erasure import Erasures
from scoring.inference_log.keys import signature
from scoring.inference_log.note import Note
from scoring.inference_log.packing import length, log_files, open_log
from scoring.inference_log.packing import place as at_rest
from scoring.inference_log.record import Header, LogError, Row, is_header, parse, with_inputs_hash
from scoring.inference_log.table import DECIDED, TableEntry, not_erased, records

SETTLED_S = 60.0  # a file that nobody wrote to for so long has no writer in the middle of a batch
HEADERS_KEPT = 64  # of the files that were asked for last
_INDEX = b"credit_scoring: index of the inference log"


@dataclass(frozen=True)
class Checkpoint:
    """How far a file was followed: records, bytes, and the hash of the last record."""

    seq: int
    offset: int
    head: str

    @classmethod
    def start(cls, file: str) -> Checkpoint:
        """Return the place before the first record of a file."""
        return cls(0, 0, first_hash(file))


@dataclass(frozen=True)
class FollowedLine:
    """A record that was followed: what it says, where its line begins, and the place behind it.

    ``content`` is a decision, decisions in a table, without their inputs, or a note; a word says why it is
    none of them.
    """

    content: Row | tuple[TableEntry, pl.DataFrame] | Note | str
    start: int
    after: Checkpoint


class BrokenError(ValueError):
    """A file is not what it was when it was followed, or its records do not follow each other."""


class ErasedError(ValueError):
    """What is asked for was erased."""

    def __init__(self) -> None:
        super().__init__("it was erased")


def identity(key: bytes) -> str:
    """Return what tells a log from another: it comes from its key, and says nothing of it."""
    return signature(key, _INDEX)[:32]


def files(folder: Path) -> list[str]:
    """Return the names of the log's files, by day.

    Raises
    ------
    LogError
        If there is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise LogError(f"there is no inference log in {folder}; give the service's CREDIT_SCORING_LOG.")
    try:
        return [path.name for path in log_files(folder)]
    except OSError as error:
        raise LogError(f"{folder} cannot be read: {error.strerror}; let this user read it.") from error


def standing(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file of the log or an anchor does; zeros if there is none."""
    try:
        found = at_rest(path).stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def anchor_of(anchors: Path, file: str, key: bytes) -> Anchor | None:
    """Return the anchor of a file, None without one.

    Raises
    ------
    BrokenError
        If it cannot be read, or is not signed with the key.
    """
    try:
        return read_anchor(anchors / f"{file}{ANCHOR}", key)
    except ValueError as error:
        raise BrokenError(str(error)) from None


def erased_events(folder: Path, key: bytes | None) -> frozenset[str]:
    """Return the decisions that were erased, or will be at once: the same object until there are others."""
    return Erasures.now(folder, key).events


def follow(
    folder: Path,
    file: str,
    anchor: Anchor | None,
    place: Checkpoint,
    now: float,
    key: bytes | None = None,
) -> Iterator[FollowedLine]:
    """Give the records behind a place, as far as they are there to stay.

    Parameters
    ----------
    folder, file, anchor
        Where the log is, a file of it, and its anchor, read before.
    place : Checkpoint
        Where to begin.
    now : float
        The time as `time.time` gives it: a file that is long untouched is followed behind its anchor too.
    key : bytes, optional
        The log's key, which signs erasures; None trusts any.

    Raises
    ------
    BrokenError
        If the file does not go on as it was, or a record of the anchor is not there.
    FileNotFoundError
        If it is gone.
    """
    path = folder / file
    if length(path) < place.offset:
        raise BrokenError(f"it is shorter than when its {place.seq} records were followed")
    is_settled = now - standing(path)[2] / 1e9 > SETTLED_S
    last = anchor.seq if anchor is not None else 0
    headers = FileHeaders(path)

    def erased() -> Mapping[str, bytes]:
        return Erasures.now(folder, key).lines.get(file, {})

    with suppress(DamagedError), open_log(path, place.offset) as opened:
        for line in _whole(opened):
            if not line.endswith(b"\n") or not (place.seq < last or is_settled):
                break
            is_record = not is_header(line)
            try:
                head = next_hash(line, place.seq - (not is_record), place.head, erased)
            except ValueError as error:
                raise BrokenError(f"the line of record {place.seq + 1}: {error}") from None
            start, place = place.offset, Checkpoint(place.seq + is_record, place.offset + len(line), head)
            if is_record and anchor is not None and place.seq == anchor.seq and head != anchor.hash:
                raise BrokenError(f"record {place.seq} is not the one of the anchor")
            content = _content(folder, line, headers, DECIDED)
            if content is not None:
                yield FollowedLine(content, start, place)
    if place.seq < last:
        raise BrokenError(f"{last - place.seq} records are missing from line {place.seq + 1} on")


class FileHeaders(dict[str, Header]):
    """The headers of a file, looked for in all of it when one is asked for that is not known yet."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header by its id."""
        if name not in self:
            with suppress(ValueError, OSError):
                self[name] = _header(self._path, name)
        return super().get(name, default)


@lru_cache(HEADERS_KEPT)
def _header(path: Path, name: str) -> Header:
    """Return a header of a file. A file gets none for another's id: it is kept for whoever asks again."""
    found: dict[str, Header] = {}
    with open_log(path) as file:
        for line in _whole(file):
            if is_header(line):
                with suppress(ValueError):
                    parse(line, found)
                if name in found:
                    return found[name]
    raise ValueError("no such header")


def _whole(file: BufferedReader) -> Iterator[bytes]:
    """Give lines as far as they can be read."""
    with suppress(DamagedError):
        yield from lines(file)


def _content(
    folder: Path, line: bytes, headers: MutableMapping[str, Header], columns: Sequence[str] | None = None
) -> Row | tuple[TableEntry, pl.DataFrame] | Note | str | None:
    try:
        record = parse(line, headers)
        if record is None:
            return None
        if "kind" in record:
            return Note.of(record)
        if "table" in record:
            part = TableEntry.of(record)
            return part, part.read(folder, columns)
    except ValueError as error:
        return str(error)
    return with_inputs_hash(record)


def at(folder: Path, file: str, start: int, row: int | None) -> Row:
    """Return the record of a decision whose place is known: where its line begins, and its row in a table.

    Raises
    ------
    ErasedError
        If it was erased.
    ValueError
        If no such record is there; it says why.
    """
    try:
        path = folder / file
        with open_log(path, start) as opened:
            content = _content(folder, next(lines(opened), b""), FileHeaders(path))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    if isinstance(content, tuple) and row is not None and row < content[1].height:
        for record in records(content[0], not_erased(content[1][row : row + 1])):
            return with_inputs_hash(record)
        raise ErasedError
    if isinstance(content, Note) and content.kind == "erased":
        raise ErasedError
    if isinstance(content, dict):
        return content
    raise ValueError(content if isinstance(content, str) else "it is no decision")
