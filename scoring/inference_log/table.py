"""Many decisions of one request as tables: files beside the log, each bound into the chain by its hash.

A slice of a request is one Arrow IPC file, ``DAY.WORKER.tN.arrow``, and one line of the log::

    {"seq": 7, "prev": "…", "schema_version": 3, "time": "…", "model": "…",
     "audit": {"request_id": "…", "operator": null, "purpose": "decision"},
     "table": {"file": "….arrow", "sha256": "…", "rows": 5000, "events": "…", "start": 0}, "hash": "…"}

The id of a row's event is ``events`` and the row's number in eight hexadecimal digits, from ``start``. The
columns are ``applicant`` (the pseudonym), ``probability_of_default``, ``threshold``, ``decision`` and the
model's inputs. A file counts when its line is in the chain, and not before: the lines of a request are
written together, after all of its files.

Nobody waits while a table is compressed: it lies there as it was written until the file of its line is
closed, and is packed then, as that file is (`scoring.inference_log.packing`); its hash is that of what was
written. Before, tables were packed at once, and a line named the packed file, ``….arrow.zst``, with its hash.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from scoring.inference_log.compressed import DamagedError, pack_bytes, unpack_bytes
from scoring.inference_log.disk import named
from scoring.inference_log.erasure import Erasures
from scoring.inference_log.packing import length, open_log
from scoring.inference_log.record import SCHEMA_VERSION, Row, purpose_of
from scoring.schema import Purpose
from scoring.tables.decisions import LOGGED

PLAIN_VERSION, TABLE_VERSION = 2, 3  # nobody writes lines of the first any more
SUFFIX, PACKED_SUFFIX = ".arrow", ".arrow.zst"
TABLE_BYTES = 2**30  # larger than any table that is written: such a file is not even read
UNPACKED_BYTES = 2**28  # ten times the largest table that is written
DECIDED = ("applicant", "probability_of_default", "threshold", "decision")


def event_ids(id_prefix: str, start: int, rows: int) -> list[str]:
    """Return the ids of the events of consecutive rows: 96 bits of the request and 32 of the row."""
    return [f"{id_prefix}{row:08x}" for row in range(start, start + rows)]


def table_files(folder: Path) -> list[Path]:
    """Return the tables beside a log as they lie there, in their order."""
    return sorted([*named(folder, SUFFIX), *named(folder, PACKED_SUFFIX)])


def writer_of(name: str) -> str:
    """Return the beginning of a table's name that is also that of its writer's files."""
    return name.removesuffix(".zst").rsplit(".", 2)[0]


def encode(applicants: Iterable[str], decided: pl.DataFrame, inputs: pl.DataFrame) -> memoryview:
    """Return a slice as an Arrow IPC file.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    import pyarrow as pa  # here: reading the first application does not wait for it

    rows, columns = inputs.height, dict[str, pa.Array]()
    numbers = decided.select(DECIDED[1:3]).hstack(inputs.select(pl.col(pl.Float64)))
    lines = numbers.to_numpy(order="fortran", writable=True).T  # one for each column; missing is NaN
    gaps = np.isnan(lines)
    missing = gaps.sum(axis=1).tolist()
    if np.isinf(lines).any() or tuple(missing) != numbers.null_count().row(0):
        odd = next(column.name for column in numbers if not column.is_finite().all())
        raise ValueError(f"{odd} has a value that is no finite number.")
    np.copyto(lines, 0.0, where=gaps)  # what lies under a null is whatever was computed there
    is_there = np.packbits(~gaps, axis=1, bitorder="little")
    for name, line, bits, count in zip(numbers.columns, lines, is_there, missing, strict=True):
        buffers = [pa.py_buffer(bits) if count else None, pa.py_buffer(line)]
        columns[name] = pa.Array.from_buffers(pa.float64(), rows, buffers, count)
    words = decided.select(DECIDED[3]).hstack(inputs.select(pl.col(pl.String))).rechunk().to_arrow()
    columns |= {name: words[name].chunk(0) for name in words.column_names}
    columns["applicant"] = pa.array(applicants, pa.large_string())
    names = [*DECIDED, *inputs.columns]
    batch = pa.record_batch([columns[name] for name in names], names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as file:
        file.write_batch(batch)
    return memoryview(sink.getvalue())


@dataclass(frozen=True)
class TableEntry:
    """What a line of the log says of a table beside it."""

    file: str
    sha256: str
    rows: int
    events: str
    start: int
    time: datetime
    model: str
    request_id: str
    operator: str | None
    purpose: Purpose = "decision"
    review: tuple[int, ...] = ()  # rows from 0 that a person should look at

    def body(self) -> bytes:
        """Return the line, without its place in the chain."""
        line: dict[str, Any] = {
            "schema_version": TABLE_VERSION,
            "time": f"{self.time:%Y-%m-%dT%H:%M:%S.%f}Z",
            "model": self.model,
            "audit": {"request_id": self.request_id, "operator": self.operator, "purpose": self.purpose},
            "table": {name: getattr(self, name) for name in ("file", "sha256", "rows", "events", "start")},
        }
        if self.review:
            line["review"] = self.review
        return json.dumps(line, separators=(",", ":")).encode()

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> TableEntry:
        """Read what `body` wrote.

        Raises
        ------
        ValueError
            If it is not that.
        """
        try:
            table, audit = line["table"], line["audit"]
            if line["schema_version"] not in (PLAIN_VERSION, TABLE_VERSION):
                raise ValueError(f"not of schema_version {PLAIN_VERSION} or {TABLE_VERSION}")
            kinds = {"file": str, "sha256": str, "rows": int, "events": str, "start": int}
            if any(type(table[name]) is not kind for name, kind in kinds.items()):
                raise ValueError("a field of its table is of another kind")
            name = table["file"]
            if Path(name).name != name or not name.endswith((SUFFIX, PACKED_SUFFIX)):
                raise ValueError("its table has no name of a table")
            if not all(isinstance(x, str) for x in (line["model"], line["time"], audit["request_id"])):
                raise ValueError("a field is not text")
            asked = line.get("review", [])
            if not (isinstance(asked, list) and all(type(row) is int for row in asked)):
                raise ValueError("its rows to review are no list of numbers")
            return cls(
                **{kind: table[kind] for kind in kinds},
                time=datetime.fromisoformat(line["time"]),
                model=line["model"],
                request_id=audit["request_id"],
                operator=audit["operator"],
                purpose=purpose_of(audit),
                review=tuple(asked),
            )
        except (KeyError, TypeError):
            raise ValueError("not the record of a table") from None

    def check(self, folder: Path, erasures: Erasures) -> None:
        """Check that the file is as it was written or erased, in bounded memory; raises as `content`."""
        with self._open(folder) as file:
            self._compare(hashlib.file_digest(file, "sha256").hexdigest(), erasures)

    def content(self, folder: Path) -> bytes:
        """Return the file as it was written, or erased.

        Raises
        ------
        ValueError
            If it is gone or was changed; it says which.
        """
        with self._open(folder) as file:
            content = file.read()
        if (digest := hashlib.sha256(content).hexdigest()) != self.sha256:
            self._compare(digest, Erasures.now(folder, None))  # `verify` checks who signed
        return content

    @contextmanager
    def _open(self, folder: Path) -> Iterator[BufferedReader]:
        try:
            if length(folder / self.file) > TABLE_BYTES:
                raise ValueError(f"its table {self.file} was changed")
            with open_log(folder / self.file) as file:
                yield file
        except FileNotFoundError:
            raise ValueError(f"its table {self.file} is gone, with {self.rows} decisions") from None
        except OSError as error:
            raise ValueError(f"its table {self.file} cannot be read: {error.strerror}") from None

    def _compare(self, digest: str, erasures: Erasures) -> None:
        if not erasures.is_right(self.file, self.sha256, digest):
            raise ValueError(f"its table {self.file} was changed")

    def read(self, folder: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the decisions and inputs in the log's columns; raises as `content`.

        Of a row that was erased the applicant is null, and all that was said of it. ``columns``: of the file,
        these alone.
        """
        table = rows_of(self.file, self.content(folder), columns)
        try:
            return table.select(
                pl.Series("event_id", event_ids(self.events, self.start, table.height), dtype=pl.String),
                pl.lit(self.time).dt.cast_time_unit("us").alias("time"),
                pl.lit(self.model).alias("model"),
                "applicant",
                pl.lit(self.request_id).alias("request_id"),
                pl.lit(self.purpose).alias("purpose"),
                pl.all().exclude("applicant"),
            )
        except (PolarsError, DamagedError):
            raise ValueError(f"its table {self.file} cannot be read") from None

    def holds(self, event_id: str) -> int | None:
        """Return the row of an event, None if it is not here."""
        digits = event_id.removeprefix(self.events)
        if len(digits) != 8 or len(event_id) != len(self.events) + 8:
            return None
        try:
            row = int(digits, 16) - self.start
        except ValueError:
            return None
        return row if 0 <= row < self.rows else None


def rows_of(name: str, content: bytes, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return what a table's file holds, in its own columns; raises a ValueError if it cannot be read."""
    try:
        if name.endswith(PACKED_SUFFIX):
            content = unpack_bytes(io.BytesIO(content), UNPACKED_BYTES) or b""
        return pl.read_ipc(content, columns=None if columns is None else list(columns))
    except (PolarsError, DamagedError):
        raise ValueError(f"its table {name} cannot be read") from None


def erased(name: str, content: bytes, rows: Sequence[int]) -> bytes:
    """Return a table's file with nothing left of some rows but that they were decided, and how."""
    table = rows_of(name, content)
    gone = set(rows)
    # A column that is only masked keeps words, and may keep numbers, in its buffers: each is made anew.
    made = [
        pl.Series(one.name, [None if row in gone else value for row, value in enumerate(one)], one.dtype)
        for one in table.drop("threshold", "decision")
    ]
    sink = io.BytesIO()
    table.with_columns(made).write_ipc(sink)
    return pack_bytes(sink.getbuffer()) if name.endswith(PACKED_SUFFIX) else sink.getvalue()


def not_erased(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a table that are there still."""
    return table.filter(pl.col("applicant").is_not_null()) if table["applicant"].null_count() else table


def records(part: TableEntry, table: pl.DataFrame) -> Iterable[Row]:
    """Give the rows of a table that was read as the records that lines of the log hold."""
    names = [name for name in table.columns if name not in LOGGED]
    numbers = [name for name in names if table[name].dtype != pl.String]
    categories = [name for name in names if table[name].dtype == pl.String]
    for row in table.iter_rows(named=True):
        inputs = {
            "numbers": {name: row[name] for name in numbers},
            "categories": {name: row[name] for name in categories},
        }
        audit = {
            "applicant": row["applicant"],
            "request_id": part.request_id,
            "operator": part.operator,
            "purpose": part.purpose,
            "reasons": None,
        }
        said = ("event_id", "time", "model", "probability_of_default", "threshold", "decision")
        yield {
            "schema_version": SCHEMA_VERSION,
            **{name: row[name] for name in said},
            "audit": audit,
            "inputs": inputs,
        }
