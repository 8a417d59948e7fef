"""Following the log as it grows: each record once, from a place that is kept elsewhere.

A record counts when its file's anchor has it: then it is on the disk, and no failed write cuts it off again.
What a crash left behind the anchor counts when nobody has written to the file for a while. Each line must
follow the one before: what was changed since is not followed, and named.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from scoring.inference_log.anchor import HEAD, Anchor, read_anchor
from scoring.inference_log.chain import first_hash, next_hash
from scoring.inference_log.disk import lines, named, open_regular
from scoring.inference_log.keys import signature
from scoring.inference_log.note import Note
from scoring.inference_log.record import LogError, Row, parse
from scoring.inference_log.table import Slice, records

SETTLED_S = 60.0  # a file that nobody wrote to for so long has no writer in the middle of a batch
_INDEX = b"credit_scoring: index of the inference log"


@dataclass(frozen=True)
class Place:
    """How far a file was followed: records, bytes, and the hash of the last record."""

    seq: int
    offset: int
    head: str

    @classmethod
    def start(cls, file: str) -> Place:
        """Return the place before the first record of a file."""
        return cls(0, 0, first_hash(file))


@dataclass(frozen=True)
class Line:
    """A record that was followed: what it says, where its line begins, and the place behind it.

    ``content`` is a decision, decisions in a table, or a note; a word says why it is none of them.
    """

    content: Row | tuple[Slice, pl.DataFrame] | Note | str
    start: int
    after: Place


class BrokenError(ValueError):
    """A file is not what it was when it was followed, or its records do not follow each other."""


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
        return [path.name for path in named(folder, ".jsonl")]
    except OSError as error:
        raise LogError(f"{folder} cannot be read: {error.strerror}; let this user read it.") from error


def anchor_of(heads: Path, file: str, key: bytes) -> Anchor | None:
    """Return the anchor of a file, None without one.

    Raises
    ------
    BrokenError
        If it cannot be read, or is not signed with the key.
    """
    try:
        return read_anchor(heads / f"{file}{HEAD}", key)
    except ValueError as error:
        raise BrokenError(str(error)) from None


def follow(folder: Path, file: str, anchor: Anchor | None, place: Place, now: float) -> Iterator[Line]:
    """Give the records behind a place, as far as they are there to stay.

    Parameters
    ----------
    folder, file, anchor
        Where the log is, a file of it, and its anchor, read before.
    place : Place
        Where to begin.
    now : float
        The time as `time.time` gives it: a file that is long untouched is followed behind its anchor too.

    Raises
    ------
    BrokenError
        If the file does not go on as it was, or a record of the anchor is not there.
    FileNotFoundError
        If it is gone.
    """
    with open_regular(folder / file) as opened:
        found = os.fstat(opened.fileno())
        if found.st_size < place.offset:
            raise BrokenError(f"it is shorter than when its {place.seq} records were followed")
        is_settled = now - found.st_mtime > SETTLED_S
        last = anchor.seq if anchor is not None else 0
        opened.seek(place.offset)
        for line in lines(opened):
            if not line.endswith(b"\n") or not (place.seq < last or is_settled):
                break
            try:
                head = next_hash(line, place.seq, place.head)
            except ValueError as error:
                raise BrokenError(f"line {place.seq + 1}: {error}") from None
            start, place = place.offset, Place(place.seq + 1, place.offset + len(line), head)
            if anchor is not None and place.seq == anchor.seq and head != anchor.hash:
                raise BrokenError(f"line {place.seq} is not the record of the anchor")
            yield Line(_content(folder, line), start, place)
    if place.seq < last:
        raise BrokenError(f"{last - place.seq} records are missing from line {place.seq + 1} on")


def _content(folder: Path, line: bytes) -> Row | tuple[Slice, pl.DataFrame] | Note | str:
    try:
        record = parse(line)
        if "kind" in record:
            return Note.of(record)
        if "table" in record:
            part = Slice.of(record)
            return part, part.read(folder)
    except ValueError as error:
        return str(error)
    return record


def at(folder: Path, file: str, start: int, row: int | None) -> Row:
    """Return the record of a decision whose place is known: where its line begins, and its row in a table.

    Raises
    ------
    ValueError
        If no such record is there; it says why.
    """
    try:
        with open_regular(folder / file) as opened:
            opened.seek(start)
            content = _content(folder, next(lines(opened), b""))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    if isinstance(content, tuple) and row is not None and row < content[1].height:
        return next(iter(records(content[0], content[1][row : row + 1])))
    if isinstance(content, dict):
        return content
    raise ValueError(content if isinstance(content, str) else "it is no decision")
