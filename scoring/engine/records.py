"""Records of known keys from a JSON body to columns, in C: certain of all that it takes, or it takes nothing.

What it leaves (7.0 for an identifier, any fault at all) another reader must judge.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scoring.engine import native
from scoring.engine.forest import Array

Kind = Literal["number", "whole", "identifier", "word", "inner"]
KINDS: tuple[Kind, ...] = ("number", "whole", "identifier", "word", "inner")
MISSING = np.float64("nan").view(np.uint64)
LEAST_POWER, MOST_POWER = -342, 308
LENGTH = np.uint64(2**15 - 1)  # the bits of a word's cell that say its bytes in the body
UNSURE = -1

KEY = np.dtype([(n, "u4") for n in ("name", "length", "is_inner", "kind")] + [("low", "f8"), ("high", "f8")])


@dataclass(frozen=True)
class Key:
    """A key that a record may have, once; null is missing.

    Parameters
    ----------
    kind : {"number", "whole", "identifier", "word", "inner"}
        A whole number may be written 7.0; an identifier, which every record has, may not. A word has at most
        100 characters. The inner object has the inner keys.
    low, high : float
        Inclusive bounds of a number; between none, the key can only be null.
    """

    kind: Kind
    low: float = -np.inf
    high: float = np.inf


class _Schema(ctypes.Structure):
    """``Schema`` of records.c, field by field."""

    _fields_ = [
        *((name, native.COUNT) for name in ("n_keys", "n_slots")),
        *((name, native.ADDRESS) for name in ("keys", "names", "own", "inner", "powers")),
    ]


@dataclass(frozen=True, eq=False)
class Records:
    """Some records by column.

    A number that is missing is NaN. Of the inner object there is a 0 where it is given.
    """

    n: int
    _reader: Reader
    _body: Array
    _cells: Array

    def numbers(self, name: str, is_inner: bool = False) -> Array:
        """Return a column of numbers."""
        found: Array = self._column(name, is_inner).view(np.float64)
        return found

    def identifiers(self, name: str) -> Array:
        """Return a column of identifiers, as int64."""
        found: Array = self._column(name, False).view(np.int64)
        return found

    def words(self, name: str, is_inner: bool = False) -> tuple[Array, Array, Array]:
        """Return where each word begins and the last ends in bytes of UTF-8, these, and which are there."""
        cells = self._column(name, is_inner)
        there = cells != MISSING
        length = int(np.where(there, cells & LENGTH, np.uint64(0)).sum())  # with escapes, more than it takes
        offsets, letters = np.empty(self.n + 1, np.int64), np.empty(length, np.uint8)
        places = (self._body, cells, self.n, offsets, letters)
        self._reader.gather(*(x if isinstance(x, int) else native.address(x) for x in places))
        return offsets, letters, there

    def _column(self, name: str, is_inner: bool) -> Array:
        column: Array = self._cells[self._reader.places[name, is_inner], : self.n]
        return column


class Reader:
    """Reads bodies ``{"applications": [records]}``. Threads may share it.

    Parameters
    ----------
    own, inner : mapping of str to Key
        Keys of a record, and of the object in it.

    Raises
    ------
    Absent
        If the kernels are not built on this machine, or do not load.
    """

    def __init__(self, own: Mapping[str, Key], inner: Mapping[str, Key]) -> None:
        library, address, count = native.load(), native.ADDRESS, native.COUNT
        index = native.function(library, "index_keys", (address,))
        self.gather = native.function(library, "gather", (address, address, count, address, address))
        self._read = native.function(
            library, "read_records", (address, address, count, address, count, address), count
        )
        pairs = [*((n, False, k) for n, k in own.items()), *((n, True, k) for n, k in inner.items())]
        self.places = {(name, is_inner): i for i, (name, is_inner, _) in enumerate(pairs)}
        n_slots = 1 << (2 * len(pairs)).bit_length()
        names = [name.encode() for name, _, _ in pairs]
        keys = np.zeros(len(pairs), KEY)
        start = 0
        for i, (name, (_, is_inner, key)) in enumerate(zip(names, pairs, strict=True)):
            keys[i] = (start, len(name), is_inner, KINDS.index(key.kind), key.low, key.high)
            start += len(name)
        letters, slots = np.frombuffer(b"".join(names), np.uint8), np.zeros((2, n_slots), np.uint16)
        self._arrays = [keys, letters, slots[0], slots[1], powers_of_five()]  # as long as this lives
        self._schema = _Schema(len(pairs), n_slots, *map(native.address, self._arrays))
        self._at = ctypes.addressof(self._schema)
        index(self._at)

    def slices(self, body: bytes | bytearray, rows: int) -> Iterator[Records | None]:
        """Give the records of a body, so many at a time; None, which ends it, says that another must judge.

        Nothing of it may be used before the last slice is there: what comes later can be faulty.
        """
        text = np.frombuffer(body, np.uint8)
        at = np.zeros(1, np.int64)
        while at[0] >= 0:
            cells = np.empty((len(self.places), rows), np.uint64)
            n = self._read(
                self._at, native.address(text), len(text), native.address(at), rows, native.address(cells)
            )
            if n < UNSURE:
                native.check(n)
            if n == UNSURE:
                yield None
                return
            yield Records(n, self, text, cells)


def powers_of_five() -> Array:
    """Return the upper 128 bits of each power of five, as the algorithm's proof asks for them."""
    found: list[Sequence[int]] = []
    for power in range(LEAST_POWER, MOST_POWER + 1):
        five = 5 ** abs(power)
        if power >= 0:
            bits = five << 128 >> five.bit_length()
        else:
            bits = (1 << (five - 1).bit_length() + 127) // five + (power >= -27)
        found.append((bits >> 64, bits & (2**64 - 1)))
    return np.array(found, np.uint64)
