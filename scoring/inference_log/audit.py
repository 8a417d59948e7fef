"""The audit stream: who decided what, by what model and why, and no input of a model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import polars as pl

from scoring.inference_log.disk import last_lines
from scoring.inference_log.packing import LOG
from scoring.inference_log.pieces import Piece, SetAside, files_of, opened, pieces, pieces_of
from scoring.inference_log.record import purpose_of, with_inputs_hash
from scoring.inference_log.table import records
from scoring.tables.decisions import LOGGED

AUDIT: dict[str, pl.DataType] = LOGGED | {
    "operator": pl.String(),
    "inputs_sha256": pl.String(),
    "reasons": pl.String(),
}


def audit_tables(folder: Path, set_aside: SetAside) -> Iterator[pl.DataFrame]:
    """Give what `audit_table` returns in parts of little memory, in no order, repeats included."""
    yield pl.DataFrame(schema=AUDIT)
    yield from map(_audit, pieces(folder, set_aside))


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
    for _, day in groupby(reversed(files_of(folder)), key=lambda path: path.name[:10]):
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
        with opened(path, SetAside()) as file:
            if file is None:
                return found
            end, is_all = last_lines(file, asked)
            for piece in pieces_of(path, end, SetAside()):
                if piece:
                    found = pl.concat([found, _audit(piece)]).tail(rows)
            is_plain = file.seekable()
        if is_all or found.height == rows:
            return found
        asked = asked * 8 if asked and is_plain else None  # among the last lines are some that are no records


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
