"""The column types that a table may have, and their values written anew in a few plain ones.

pyarrow checks a buffer by rules of its own, and polars reads it by others: what one passes over (a null slot
that points nowhere, bytes under a null) the other may follow. So polars sees no word of a sender, nor what
points to one: pyarrow checks what it reads, and writes large strings of its own. Whole numbers and floats
hold nothing that points anywhere; they are not copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from scoring.problems import Fault
from scoring.schema.columns import CATEGORY_MAX_LENGTH, KindName

WORD_BYTES = 4 * CATEGORY_MAX_LENGTH  # in UTF-8; what takes more has more letters than any word may have
_TOO_LONG = b"x" * (CATEGORY_MAX_LENGTH + 1)  # stands for it: a few bytes in a table can name it in every row
_INT64_DIGITS = 18  # that every whole number of 64 bits has room for


def fault_of(kind: pa.DataType, of: KindName) -> Fault | None:
    """Return why no column of this kind may have this type, None if it may."""
    if types.is_boolean(kind) and of == "flag":
        return None
    if types.is_null(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return None
    if _is_text(kind) or (types.is_dictionary(kind) and _is_text(kind.value_type)):
        return None
    name = f"dictionary<{_name(kind.value_type)}>" if types.is_dictionary(kind) else _name(kind)
    return Fault("category_column_type" if of == "category" else "number_column_type", {"type": name})


def _name(kind: pa.DataType) -> str:
    """Return the type's own name, without what the sender wrote inside it: names of fields, a time zone."""
    found = re.match(r"\w*", str(kind))
    return found[0] if found else ""


def is_final(kind: pa.DataType) -> bool:
    """Say whether polars may read a checked column of this type where it stands."""
    is_float = types.is_floating(kind) and not types.is_float16(kind)
    return bool(is_float or types.is_integer(kind) or types.is_null(kind))


def is_shared(kind: pa.DataType) -> bool:
    """Say whether many rows may share one word: written out, they can take far more than they took."""
    return bool(types.is_dictionary(kind) or types.is_string_view(kind))


class Checked:
    """Checks the batches of a stream before anything else reads them.

    Parameters
    ----------
    schema : pyarrow.Schema
        Only types that `fault_of` finds none with.
    most_bytes : int
        Bytes of the stream: each of its words has bytes of its own there.
    """

    def __init__(self, schema: pa.Schema, most_bytes: int) -> None:
        kinds = schema.types
        self.final = [position for position, kind in enumerate(kinds) if is_final(kind)]
        self.other = [position for position, kind in enumerate(kinds) if not is_final(kind)]
        self._left = most_bytes
        self._words: dict[tuple[int, ...], tuple[pa.Array, pa.Array]] = {}

    def columns(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[pa.Array]]:
        """Return the final columns of a batch, and the others; their buffers hold what the types promise.

        Raises
        ------
        pyarrow.ArrowInvalid
            If they do not.
        """
        batch.validate()  # the lengths of columns and buffers
        final = batch.select(self.final)
        final.validate(full=True)
        return final, [self._other(batch.column(position)) for position in self.other]

    def _other(self, column: pa.Array) -> pa.Array:
        if not types.is_dictionary(column.type):
            return self._flat(column)
        words = column.dictionary
        place = (len(words), words.offset, *(b.address if b else 0 for b in words.buffers()))
        if place not in self._words:  # it comes with every batch: 100 MB are not checked a thousand times
            # The sender's own is kept too, so that no other gets its place in memory.
            self._words[place] = self._flat(words), words
        indices = self._flat(column.indices)
        ends = pc.min_max(indices).as_py()
        if ends["max"] is not None and not 0 <= ends["min"] <= ends["max"] < len(words):
            raise pa.ArrowInvalid("an index beyond its dictionary")
        return pa.DictionaryArray.from_arrays(indices, self._words[place][0], safe=False)

    def _flat(self, column: pa.Array) -> pa.Array:
        self._left -= sum(buffer.size for buffer in column.buffers() if buffer)
        if self._left < 0:  # a million words that all stand at one place
            raise pa.ArrowInvalid("columns that share their bytes")
        if types.is_string_view(column.type):
            column = _held(column)
        column.validate(full=True)  # offsets, UTF-8
        return column


def _held(column: pa.StringViewArray) -> pa.StringViewArray:
    """Return views that point to nothing where there is no word, and to no word that is too long.

    pyarrow does not check the views of nulls. It checks all others byte for byte: a long word that every row
    shares would take it hours.
    """
    views, valid = _views(column), np.asarray(column.is_valid())
    data = column.buffers()[2:]
    views[~valid] = 0
    size = views[:, 0]
    views[size > WORD_BYTES] = [len(_TOO_LONG), int.from_bytes(_TOO_LONG[:4], "little"), len(data), 0]
    return _viewed(views, valid, [*data, pa.py_buffer(_TOO_LONG)])


def _views(column: pa.StringViewArray) -> npt.NDArray[np.int32]:
    """Return the views themselves, in a copy: length, first four bytes, buffer, place in it."""
    every = np.frombuffer(column.buffers()[1] or b"", np.int32).reshape(-1, 4)
    return every[column.offset : column.offset + len(column)].copy()


def _viewed(
    views: npt.NDArray[np.int32], valid: npt.NDArray[np.bool_], data: list[pa.Buffer]
) -> pa.StringViewArray:
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.string_view(), len(views), [bits, pa.py_buffer(views), *data])


def made(table: pa.Table, kinds: Mapping[str, KindName]) -> pl.DataFrame:
    """Return checked columns that are not final as a polars table."""
    columns = [_made(table[name], kinds[name]) for name in table.column_names]
    found = pl.from_arrow(pa.record_batch(columns, table.column_names), rechunk=False)
    assert isinstance(found, pl.DataFrame)
    return found


def _made(column: pa.ChunkedArray, of: KindName) -> pa.Array:
    kind, chunks = column.type, column.chunks
    if types.is_dictionary(kind):
        return _joined([_looked_up(chunk) for chunk in chunks], pa.large_string())
    if _is_text(kind) and of == "category":
        return _joined([_words(chunk) for chunk in chunks], pa.large_string())
    whole = _joined(chunks, kind)
    if _is_text(kind):  # every word is as wrong as any other
        return pc.if_else(whole.is_valid(), pa.scalar("?", pa.large_string()), None)
    if types.is_decimal(kind):
        if of == "id" and kind.scale == 0 and kind.precision <= _INT64_DIGITS:
            return whole.cast(pa.int64())
        return whole.cast(pa.string()).cast(pa.float64())  # pyarrow 25's own way misses the nearest float
    return whole.cast(pa.int64() if types.is_boolean(kind) else pa.float64())


def _joined(chunks: list[pa.Array], kind: pa.DataType) -> pa.Array:
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays([*chunks, pa.array([], kind)])


def _looked_up(chunk: pa.DictionaryArray) -> pa.Array:
    """Return the words of a dictionary; those that no row has are not looked at."""
    few = chunk.indices.dictionary_encode()
    words = chunk.dictionary
    if types.is_string_view(words.type):  # pyarrow 25 cannot take some of them
        asked, valid = few.dictionary.to_numpy(), np.asarray(words.is_valid())
        some = _viewed(_views(words)[asked], valid[asked], words.buffers()[2:])
    else:
        some = words.take(few.dictionary)
    cut = pc.utf8_slice_codeunits(some.cast(pa.large_string()), 0, CATEGORY_MAX_LENGTH + 1)
    return cut.take(few.indices)


def _words(column: pa.Array) -> pa.LargeStringArray:
    """Return words anew; a null has no bytes."""
    if types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.cast(pa.large_string()).take(pa.array(np.arange(len(column))))


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
