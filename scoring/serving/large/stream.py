"""Arrow streams from outside: read without trusting a single buffer of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import polars as pl
import pyarrow as pa

from scoring.features.checks import RULES
from scoring.problems import Fault
from scoring.schema import KEY, FieldError, fault_at, hinted
from scoring.serving.large.plain import WORD_BYTES, Checked, fault_of, is_shared, made
from scoring.serving.problem import ERRORS_NAMED, Rejection

SLICE = 1_700  # rows decided at a stretch: bounds the memory, and other threads get their turn in between
BLOCK = 25_000  # rows whose words are written anew at a stretch, and
WORDS_BYTES = 2**27  # what they may take where rows share words
MOST_BATCHES = 1_000  # record batches in a stream: tiny ones cost more than they carry
MOST_DICTIONARIES = 20_000  # in a stream: those of every category, anew in nearly every batch
MOST_PADDING = 64  # bytes, all nought, behind the end
MOST_SCHEMA_BYTES = 2**20  # names, types and pandas' words on them take a fifth of it
_KINDS = {name: rule.kind for name, rule in RULES.items()}
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
# Positions in the tables Message, Schema, RecordBatch and DictionaryBatch of Message.fbs of Arrow.
_HEADER, _ENDIANNESS, _COMPRESSION, _DICTIONARY_DATA, _IS_DELTA = 2, 0, 3, 1, 2


class ArrowTable:
    """A checked stream: known columns, types that they may have, valid buffers; no value is judged yet.

    Parameters
    ----------
    body : bytes-like
        An Arrow IPC stream.
    rows : int
        Most rows that are taken.
    pause : callable, optional
        Called between steps of the work; it may let others go first, or raise.

    Raises
    ------
    Rejection
        If it is no such stream, or has a column that no application has, or of a type that it cannot have.
    """

    def __init__(self, body: bytes | bytearray, rows: int, pause: Callable[[], None] = lambda: None) -> None:
        final, self._other = _read(body, rows, pause)
        sent = {*final.column_names, *self._other.column_names}
        self._names = [name for name in RULES if name in sent]
        self._rows = int(final.num_rows or self._other.num_rows)
        found = pl.from_arrow(final)
        assert isinstance(found, pl.DataFrame)
        self._final = found
        shared = sum(map(is_shared, self._other.schema.types))
        self._block = min(BLOCK, WORDS_BYTES // (WORD_BYTES * max(1, shared)))
        self.schema = dict(self._part(self._made(0, 0), 0, 0).schema)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def slices(self, rows: int = SLICE) -> Iterator[pl.DataFrame]:
        """Give the rows in order, at most so many at a time, as polars tables."""
        rows = min(rows, self._block)
        block = self._block // rows * rows
        for begin in range(0, len(self), block):
            made_now = self._made(begin, block)
            for start in range(begin, min(begin + block, len(self)), rows):
                yield self._part(made_now.slice(start - begin, rows), start, rows)

    def _made(self, start: int, length: int) -> pl.DataFrame:
        return made(self._other.slice(start, length), _KINDS)

    def _part(self, other: pl.DataFrame, start: int, length: int) -> pl.DataFrame:
        final = self._final.slice(start, length)
        return pl.DataFrame([*final.get_columns(), *other.get_columns()]).select(self._names).rechunk()


def _read(body: bytes | bytearray, most: int, pause: Callable[[], None]) -> tuple[pa.Table, pa.Table]:
    """Return the columns that stay where they are, and the others."""
    try:
        # The stream's own end mark: without it a body cut between two batches would look complete.
        if _END not in bytes(memoryview(body)[-MOST_PADDING:]):
            raise pa.ArrowInvalid("the end mark is missing")
        _check_messages(body)
        reader = pa.ipc.open_stream(pa.py_buffer(body))
        _check_schema(reader.schema)
        checked = Checked(reader.schema, len(body))
        final: list[pa.RecordBatch] = []
        other: list[pa.RecordBatch] = []
        names = [reader.schema.names[position] for position in checked.other]
        rows = 0
        for batch in reader:
            rows += batch.num_rows
            if rows > most:
                raise Rejection("too-many-applications", {"most": most})
            stays, columns = checked.columns(batch)
            final.append(stays)
            other.append(pa.record_batch(columns, names))
            pause()
        if not rows:
            raise Rejection("no-rows")
        whole = pa.Table.from_batches(final)
        # The names alone: polars panics at metadata that is no UTF-8.
        return pa.table(whole.columns, whole.column_names), pa.Table.from_batches(other)
    except (pa.ArrowException, ValueError, OSError, struct.error):
        raise Rejection("not-arrow") from None


def _check_schema(schema: pa.Schema) -> None:
    # One more than there are has one that is unknown or twice: of a million, the others are not looked up.
    fields = [schema.field(position) for position in range(min(len(schema), len(RULES) + 1))]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for field in fields:
        name = field.name
        fault: Fault | None = Fault("repeated_column")
        if name not in seen:
            fault = fault_of(field.type, _KINDS[name]) if name in RULES else _unknown(name)
        seen.add(name)
        if fault is not None:
            errors.append(fault_at(None, name[:100], fault))
        if len(errors) == ERRORS_NAMED:
            break
    else:
        if KEY not in seen:
            errors.append(fault_at(None, KEY, Fault("required")))
    if errors:
        known = hinted(errors[:ERRORS_NAMED], lambda error: (error.field, RULES))
        raise Rejection("wrong-columns", errors=known)


def _unknown(name: str) -> Fault:
    if name in ("history", "history_features"):
        return Fault("history_as_columns")
    return Fault("unknown_field")


def _check_messages(body: bytes | bytearray) -> None:
    """Refuse what a reader would need more time or memory for than its length tells.

    A megabyte of compressed buffers can stand for gigabytes; a dictionary is copied whole for each addition.
    """
    source = pa.BufferReader(pa.py_buffer(body))
    messages = pa.ipc.MessageReader.open_stream(source)
    batches = dictionaries = 0
    while True:
        try:
            message = messages.read_next_message()
        except StopIteration:
            rest = memoryview(body)[source.tell() :]
            if len(rest) > MOST_PADDING or any(rest):  # of a second stream no row would be read
                raise pa.ArrowInvalid("something follows the end") from None
            return
        view = memoryview(message.metadata)
        table = _child(view, struct.unpack_from("<I", view)[0], _HEADER)
        if message.type == "schema":
            if len(view) > MOST_SCHEMA_BYTES:
                raise Rejection("schema-too-large")
            if (place := _field(view, table, _ENDIANNESS)) and view[place]:
                raise Rejection("big-endian")
            continue
        if message.type == "dictionary":
            dictionaries += 1
            if (place := _field(view, table, _IS_DELTA)) and view[place]:
                raise Rejection("dictionary-in-parts")
            table = _child(view, table, _DICTIONARY_DATA)
        else:
            batches += 1
        if batches > MOST_BATCHES or dictionaries > MOST_DICTIONARIES:
            raise Rejection("too-many-batches", {"most": MOST_BATCHES})
        if _field(view, table, _COMPRESSION):
            raise Rejection("compressed")


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
