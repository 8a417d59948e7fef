"""A file of records as it came, CSV, Parquet or workbook, read a part at a time: the reader of every door.

What comes out is the same for all: typed columns, the columns of the file as they are if they are wanted,
and every record or cell that could not be read, by its number. Records in are records out plus those named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scoring.problems import Fault
from scoring.tables import lines, values, workbook
from scoring.tables.dialect import matched
from scoring.tables.faults import RECORD, WHOLE_LINE, Place, TableError, no_faults, unreadable
from scoring.tables.unpack import PACKED, plain, too_large

WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
TEXTS = (".csv", ".tsv")
READABLE = (*TEXTS, ".parquet", *WORKBOOKS)

ROWS = 65_536  # of Parquet and workbooks, read at a time
MOST_COLUMNS = 10_000
PANDAS_INDEX = "__index_level_0__"
MOST_TEXT_BYTES = 2**28  # of one column in such a part: a dictionary can make little into much
PARSED_AS: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "integer": pl.Float64(),  # many integers are written as floats ("-3648.0")
    "flag": pl.Float64(),
    "number": pl.Float64(),
}


@dataclass(frozen=True)
class ReadLimits:
    """How much of a file is read at most; None: no limit."""

    rows: int | None = None
    bytes: int | None = None


NO_LIMITS = ReadLimits()


@dataclass(frozen=True)
class Batch:
    """Some consecutive records.

    Attributes
    ----------
    rows : polars.Series
        Their numbers in the file, from 1; those of whole lines that are no record are left out.
    table : polars.DataFrame
        Columns by their kinds; a cell that is none is missing.
    kept : polars.DataFrame
        Columns as they are in the file.
    faults : polars.DataFrame
        `FAULTS` of the cells.
    """

    rows: pl.Series
    table: pl.DataFrame
    kept: pl.DataFrame
    faults: pl.DataFrame


@dataclass(frozen=True)
class Raw:
    """A file that was looked at and may be read.

    Attributes
    ----------
    label : str
        What an error calls it.
    names : list of str
        Its columns, under the names that we know them by; without the number of the row.
    records : int
        How many it has, those named in `faults` included.
    faults : polars.DataFrame
        `FAULTS` of whole lines.
    separator : str
        Of a CSV file; a comma elsewhere.
    """

    label: str
    names: list[str]
    records: int
    faults: pl.DataFrame
    separator: str
    _columns: Mapping[str, int]
    _lines: lines.Lines | None = None
    _parts: Sequence[Path] = ()
    _schema: pa.Schema | None = None
    _sheet: pl.DataFrame | None = None

    @property
    def decimal(self) -> str | None:
        """What stands before decimals: ".", "," or "?" for both; None where it holds none."""
        return self._lines.decimal if self._lines is not None and self._lines.has_decimals else None

    def place(self, record: int) -> Place:
        """Return where a record stands: a line of a text or a workbook, a row of Parquet."""
        if self._lines is not None:
            return Place("at_line", self._lines.line(record))
        if self._sheet is not None:
            return Place("at_line", int(self._sheet["line"][record - 1]))
        return Place("at_row", record)

    def fault(self, found: Mapping[str, Any]) -> Fault:
        """Return what is wrong with a record or a cell, one of the rows of a table of faults."""
        if found["code"] not in WHOLE_LINE:
            return Fault(found["code"])
        assert self._lines is not None
        params = {"line": self._lines.line(found["row"])}
        if found["code"] == "wrong_field_count":
            params |= {"found": found["found"], "width": len(self._lines.dialect.names)}
        return Fault(found["code"], params)

    def say(self, found: Mapping[str, Any], lang: str = "en") -> str:
        """Return what is wrong with a record or a cell, as a sentence without its end."""
        return self.fault(found).say(lang)

    def batches(
        self, kinds: Mapping[str, str], keep: Collection[str] = (), rows: int = ROWS
    ) -> Iterator[Batch]:
        """Read the file from front to back.

        Parameters
        ----------
        kinds : dict of str to str
            Columns to read as what they are.
        keep : collection of str
            Columns to give as they are in the file.
        rows : int
            Records of Parquet and workbooks at a time.

        Raises
        ------
        TableError
            If it is damaged, or a column is of a type that no column of ours has.
        """
        kinds = dict(kinds)
        names = list(dict.fromkeys([*kinds, *keep]))
        decimal = self._lines.decimal if self._lines is not None else "."
        for frame, tidy in self._frames(names, kinds, bool(keep), rows):
            table, faults = values.typed(frame, kinds, decimal, tidy)
            if self._sheet is not None:
                table, more = values.exact(frame[RECORD], table, kinds)
                faults = pl.concat([faults, more])
            kept = [frame[name] for name in keep]  # by `select` a name could be a pattern
            yield Batch(frame[RECORD], table, frame.select(kept), faults)

    def _frames(
        self, names: list[str], kinds: Mapping[str, str], is_kept: bool, rows: int
    ) -> Iterator[tuple[pl.DataFrame, list[str]]]:
        """Give columns, texts or plain types, with the number of their ``record``; and which are tidy."""
        if self._lines is not None:
            places = {self._columns[name]: name for name in names}
            types = {}
            if not is_kept and self._lines.decimal == ".":
                types = {i: PARSED_AS[kinds[n]] for i, n in places.items() if kinds[n] != "category"}
            for frame in self._lines.texts(places, types):
                yield frame.rename({str(i): name for i, name in places.items()}), []
        elif self._sheet is not None:
            for frame in self._sheet.iter_slices(rows):
                yield frame.select(RECORD, *(pl.col(str(self._columns[n])).alias(n) for n in names)), []
        else:
            yield from self._parquet(names, kinds, rows)

    def _parquet(
        self, names: list[str], kinds: Mapping[str, str], rows: int
    ) -> Iterator[tuple[pl.DataFrame, list[str]]]:
        assert self._schema is not None
        originals = [self._schema.names[self._columns[name]] for name in names]
        texts = [name for name in originals if _is_text(self._schema.field(name).type)]
        first = 1
        for path in self._parts:
            with parquet(path, _part(self.label, path), texts) as file:
                for batch in file.iter_batches(rows, columns=originals):
                    if not batch.num_rows:
                        continue
                    columns, words = {RECORD: pa.array(np.arange(first, first + batch.num_rows))}, []
                    tidy = []
                    for original, name in zip(originals, names, strict=True):
                        column = batch.column(original)
                        if pa.types.is_dictionary(column.type) and _is_text(column.type):
                            levels, column = _words(column, name, self.label)
                            words.append(levels)
                            tidy += [name] if values.is_tidy(levels) else []
                        columns[name] = _plain(column, name, self.label, name in kinds)
                    first += batch.num_rows
                    found = pl.from_arrow(pa.record_batch(columns))
                    assert isinstance(found, pl.DataFrame)
                    yield found.with_columns(s.gather(found[s.name]) for s in words), tidy


def of_batch(batch: pa.RecordBatch, kinds: Mapping[str, str], label: str, rows: pl.Series) -> pl.DataFrame:
    """Return records that another reader gave, typed by the same rules, or say which value cannot be read.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        Columns under their names, in any type that Parquet has; texts where it read a text.
    kinds : dict of str to str
        Columns to return.
    label : str
        What an error calls where it comes from.
    rows : polars.Series
        Numbers of the records, from 1.

    Raises
    ------
    TableError
        At the first value that is none of its kind, and at a column of another type.
    """
    kinds = dict(kinds)
    columns = {name: _plain(batch.column(name), name, label, True) for name in kinds}
    found = pl.from_arrow(pa.record_batch({RECORD: rows.to_arrow(), **columns}))
    assert isinstance(found, pl.DataFrame)
    table, faults = values.typed(found, kinds)
    table, misfits = values.narrow(table, rows, kinds)
    faults = pl.concat([faults, misfits])
    if faults.height:
        fault = faults.row(0, named=True)
        place = Place("at_row", fault["row"])
        raise TableError(
            "wrong_value", file=label, name=fault["column"], place=place, fault=Fault(fault["code"])
        )
    return table


@contextmanager
def open_raw(
    path: Path, known: Collection[str], label: str | None = None, limits: ReadLimits = NO_LIMITS
) -> Iterator[Raw]:
    """Open a file by its name, and look it over.

    Parameters
    ----------
    path : Path
        CSV, Parquet or workbook, maybe in a ``.gz`` or a ``.zip`` of one file.
    known : collection of str
        Columns that we know: a header may have them in another case.
    label : str, optional
        What an error calls it.
    limits : ReadLimits
        What is refused before it is read.

    Raises
    ------
    TableError
        If it cannot be read.
    """
    label = label or path.name
    with plain(path, label, limits.bytes) as unpacked:
        yield look_at([unpacked], known, label, limits)


def look_at(paths: Sequence[Path], known: Collection[str], label: str, limits: ReadLimits = NO_LIMITS) -> Raw:
    """Look over a file, or the parts of one in Parquet, that lies unpacked."""
    try:
        return _look_at(paths, known, label, limits)
    except OSError as error:
        raise unreadable(label) from error


def _look_at(paths: Sequence[Path], known: Collection[str], label: str, limits: ReadLimits) -> Raw:
    kind = paths[0].suffix.lower()
    if kind not in READABLE:
        raise TableError("unknown_suffix", file=label, suffixes=", ".join(READABLE))
    size = sum(path.stat().st_size for path in paths)
    if not size:
        raise TableError("empty", file=label)
    if limits.bytes is not None and size > limits.bytes:
        raise too_large(label)
    if kind in TEXTS:
        raw = _look_at_text(paths[0], known, label)
    elif kind == ".parquet":
        raw = _look_at_parquet(paths, known, label, limits)
    else:
        raw = _look_at_workbook(paths[0], known, label, limits)
    if limits.rows is not None and raw.records > limits.rows:
        raise TooLong(label, raw.records, limits.rows)
    return raw


class TooLong(TableError):
    """A file with more records than a door takes."""

    def __init__(self, label: str, records: int, most: int) -> None:
        super().__init__("too_long", file=label, records=records, most=most)
        self.records, self.most = records, most


def _columns_of(
    label: str, header: Sequence[str], known: Collection[str]
) -> tuple[list[str], dict[str, int]]:
    found = matched(label, header, known)
    columns = {name: i for i, name in enumerate(found) if name}
    return list(columns), columns


def _look_at_text(path: Path, known: Collection[str], label: str) -> Raw:
    found = lines.look_over(path, label, known)
    names, columns = _columns_of(label, found.dialect.names, known)
    nameless = [i for i, name in enumerate(found.dialect.names) if not name and i]
    if nameless:
        for frame in found.texts(nameless, {}):
            for i in nameless:
                column = frame[str(i)].str.strip_chars()
                held = (column.is_not_null() & (column != "")).fill_null(False)
                if held.any():
                    line = found.line(int(frame[RECORD][held.arg_true()[0]]))
                    raise TableError("nameless_value", file=label, line=line, column=i + 1)
    return Raw(label, names, found.records, found.faults, found.dialect.separator, columns, _lines=found)


def _look_at_parquet(paths: Sequence[Path], known: Collection[str], label: str, limits: ReadLimits) -> Raw:
    schema: pa.Schema | None = None
    rows = 0
    for path in paths:
        with parquet(path, _part(label, path)) as file:
            about = file.metadata
            if about.num_columns > MOST_COLUMNS:
                raise TableError("too_many_columns", file=label, columns=about.num_columns, most=MOST_COLUMNS)
            found = file.schema_arrow
            if schema is not None and found.names != schema.names:
                raise TableError("other_columns", file=label, part=path.name)
            schema = schema or found
            rows += about.num_rows
            size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            if limits.rows is not None and rows > limits.rows:
                raise TooLong(label, rows, limits.rows)
            if limits.bytes is not None and size > limits.bytes:
                raise too_large(label)
    assert schema is not None
    names = ["" if name == PANDAS_INDEX else name.strip() for name in schema.names]
    names, columns = _columns_of(label, names, known)
    return Raw(label, names, rows, no_faults(), ",", columns, _parts=paths, _schema=schema)


def _part(label: str, path: Path) -> str:
    """Return what an error calls one part of a table in a folder."""
    return label if ".zip: " in label else label.replace("*.parquet", path.name)


@contextmanager
def parquet(path: Path, label: str, texts: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; texts are read as dictionaries, which stay as small as they are in the file."""
    try:
        with pq.ParquetFile(path, read_dictionary=list(texts), memory_map=True) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: a name of a column
        raise unreadable(label) from error


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _plain(column: pa.Array, name: str, label: str, is_ours: bool) -> pa.Array:
    """Return a column in a type that polars holds as it is, checked by the library that made it.

    Raises
    ------
    TableError
        If it is of a type that no column of ours has.
    """
    column.validate(full=True)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode(), name, label, is_ours)
    if _is_text(kind):
        return _utf8(column, name, label)
    if pa.types.is_decimal(kind):
        return column if kind.bit_width <= 128 else column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    is_time = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    if is_plain or pa.types.is_null(kind) or (is_time and not is_ours):
        return column
    if len(str(kind)) >= 40 or pa.types.is_nested(kind):
        raise TableError("nested_column", file=label, name=name[:60])
    raise TableError("column_type", file=label, name=name[:60], type=str(kind))


def _utf8(column: pa.Array, name: str, label: str) -> pa.Array:
    """Return bytes as texts.

    Raises
    ------
    TableError
        If some are none.
    """
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise TableError("bytes_in_column", file=label, name=name[:60]) from error


def _words(column: pa.DictionaryArray, name: str, label: str) -> tuple[pl.Series, pa.Array]:
    """Return the words of a column, and which of them stands where.

    Raises
    ------
    TableError
        If it would be too large without its dictionary.
    """
    column.validate(full=True)
    words = _utf8(column.dictionary, name, label)
    lengths = pc.binary_length(words)
    if int(pc.max(lengths).as_py() or 0) * len(column) > MOST_TEXT_BYTES:
        size = int(pc.sum(lengths.take(column.indices)).as_py() or 0)
        if size > MOST_TEXT_BYTES:
            raise too_large(label)
    found = pl.from_arrow(words)
    assert isinstance(found, pl.Series)
    return found.alias(name), column.indices


def _look_at_workbook(path: Path, known: Collection[str], label: str, limits: ReadLimits) -> Raw:
    header, sheet = workbook.read(path, known, label, limits.bytes)
    names, columns = _columns_of(label, header, known)
    return Raw(label, names, sheet.height, no_faults(), ",", columns, _sheet=sheet)


__all__ = ["NO_LIMITS", "PACKED", "READABLE", "Batch", "Raw", "ReadLimits", "TooLong", "look_at", "open_raw"]
