"""Arrow streams from outside: read without copying, and without trusting a single buffer of them."""

from __future__ import annotations

import difflib
import struct
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from scoring.bulk.check import RULES
from scoring.schema import KEY, FieldError
from scoring.schema.columns import CATEGORY_MAX_LENGTH
from scoring.serving.problem import ERRORS_NAMED, Refusal

SLICE = 1_700  # rows decided at a stretch: bounds the memory, and other threads get their turn in between
MOST_BATCHES = 1_000  # record batches in a stream: tiny ones cost more than they carry
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_HEADER, _COMPRESSION, _DICTIONARY_DATA = 2, 3, 1  # positions in the tables of Message.fbs of Arrow


class Table:
    """A checked stream: known columns, valid buffers; values are not looked at yet.

    Parameters
    ----------
    body : bytes-like
        An Arrow IPC stream.
    rows : int
        Most rows that are taken.

    Raises
    ------
    Refusal
        If it is no such stream, or has a column that no application has.
    """

    def __init__(self, body: bytes | bytearray, rows: int) -> None:
        table = _read(body, rows)
        self._rows = int(table.num_rows)
        self._names = table.column_names
        odd = [name for name in self._names if not _is_plain(table.schema.field(name).type)]
        self._odd = table.select(odd)
        self._plain = _frame(table.drop_columns(odd))  # numbers are not copied
        self.schema = dict(self._slice(0, 0).schema)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def slices(self, rows: int = SLICE) -> Iterator[pl.DataFrame]:
        """Give the rows in order, so many at a time, as polars tables; fewer where words are looked up."""
        rows = min(rows, SLICE) if self._odd.num_columns else rows
        for start in range(0, len(self), rows):
            yield self._slice(start, rows)

    def _slice(self, start: int, length: int) -> pl.DataFrame:
        part = self._plain.slice(start, length)
        if self._odd.num_columns:
            odd = self._odd.slice(start, length)
            made = pa.table([_made_plain(column, odd.num_rows) for column in odd.columns], odd.column_names)
            part = part.hstack(_frame(made)).select(self._names)
        return part.rechunk()


def _read(body: bytes | bytearray, most: int) -> pa.Table:
    try:
        # The stream's own end mark: without it a body cut between two batches would look complete.
        if _END not in bytes(memoryview(body)[-64:]):
            raise pa.ArrowInvalid("the end mark is missing")
        _refuse_compressed(body)
        reader = pa.ipc.open_stream(pa.py_buffer(body))
        _check_names(reader.schema.names)
        batches: list[pa.RecordBatch] = []
        rows = 0
        for batch in reader:
            rows += batch.num_rows
            if rows > most:
                raise Refusal(422, f"More than {most} applications in one request; send fewer at a time.")
            if len(batches) == MOST_BATCHES:
                raise Refusal(422, f"More than {MOST_BATCHES} record batches; send larger ones.")
            batch.validate(full=True)  # offsets, lengths, UTF-8: what follows trusts them
            batches.append(batch)
        if not rows:
            raise Refusal(422, "The stream has no row; send at least one application.")
        return pa.Table.from_batches(batches)
    except (pa.ArrowException, ValueError, OSError, struct.error):
        detail = "The body is not a whole Arrow IPC stream of valid columns."
        raise Refusal(400, detail) from None


def _check_names(names: list[str]) -> None:
    unknown = (name for name in names if name not in RULES)
    errors = [
        FieldError(row=None, field=name[:100], detail=_unknown(name))
        for name in islice(unknown, ERRORS_NAMED)  # a million names are not all looked up
    ]
    twice = {name for name, count in Counter(names).items() if count > 1}
    errors += [
        FieldError(row=None, field=name[:100], detail="The column stands twice") for name in sorted(twice)
    ]
    if KEY not in names:
        errors.append(FieldError(row=None, field=KEY, detail="This field is required"))
    if errors:
        raise Refusal(
            422, "The columns are not those of an application; nothing was decided.", errors[:ERRORS_NAMED]
        )


def _unknown(name: str) -> str:
    if name in ("history", "history_features"):
        return "Send the aggregates of the history as columns under their names; raw history goes as JSON"
    close = difflib.get_close_matches(name[:100], RULES, n=1)
    return f"No such field{f'; is it {close[0]}?' if close else '; GET /docs.json lists them'}"


def _frame(table: pa.Table) -> pl.DataFrame:
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def _is_plain(kind: pa.DataType) -> bool:
    return _is_text(kind) or pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _made_plain(column: pa.ChunkedArray, rows: int) -> pa.ChunkedArray:
    """Return a column in a type that polars has; one that no value of ours can have becomes true or null."""
    kind = column.type
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        return pa.chunked_array([_decoded(chunk) for chunk in column.chunks], pa.large_string())
    return (
        pa.chunked_array([pc.if_else(column.combine_chunks().is_valid(), True, None)])
        if rows
        else pa.chunked_array([[]], pa.bool_())
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _decoded(chunk: pa.DictionaryArray) -> pa.Array:
    """Return the words of a dictionary; a long one is cut first, else it would be copied into every row."""
    words = chunk.dictionary.cast(pa.large_string())
    cut = pc.utf8_slice_codeunits(words, 0, CATEGORY_MAX_LENGTH + 1)
    return cut.take(chunk.indices)


def _refuse_compressed(body: bytes | bytearray) -> None:
    """Refuse compressed buffers: a megabyte of them can stand for gigabytes."""
    messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(pa.py_buffer(body)))
    while True:
        try:
            message = messages.read_next_message()
        except StopIteration:
            return
        if message.type == "schema":
            continue
        view = memoryview(message.metadata)
        table = _child(view, struct.unpack_from("<I", view)[0], _HEADER)
        if message.type == "dictionary":
            table = _child(view, table, _DICTIONARY_DATA)
        if _field(view, table, _COMPRESSION):
            raise Refusal(422, "The stream is compressed; write it without compression.")


def _field(view: memoryview, table: int, position: int) -> int:
    """Return where a field of a flatbuffer's table stands, 0 if it is left out."""
    vtable = table - struct.unpack_from("<i", view, table)[0]
    slot = 4 + 2 * position
    if slot >= struct.unpack_from("<H", view, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", view, vtable + slot)[0]
    return table + offset if offset else 0


def _child(view: memoryview, table: int, position: int) -> int:
    """Return where a table inside a table stands."""
    place = _field(view, table, position)
    if not place:
        raise ValueError("a message without content")
    return int(place + struct.unpack_from("<I", view, place)[0])
