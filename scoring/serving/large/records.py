"""Large bodies of JSON straight into columns, where the engine's reader is built and certain of all of it.

It reads what most batch clients send: flat applications, with ``history_features`` or without history. All
else (raw histories, anything faulty) it leaves to `DECODER`, and this to pydantic. What is
taken here both take too, as the same values.
"""

from __future__ import annotations

from math import inf

import numpy as np
import polars as pl
import pyarrow as pa

from scoring.engine import Absent, Key, Reader
from scoring.engine import Records as Slice
from scoring.features import HISTORY_FEATURES
from scoring.features.checks import READ, RULES, Rule
from scoring.schema import KEY
from scoring.schema.columns import INT32_MAX
from scoring.serving.large.stream import SLICE
from scoring.tables import DTYPES, Portfolio

INNER = "history_features"
NULL_ONLY = Key("number", inf, -inf)  # no number lies between


class RecordReader:
    """Reads bodies of JSON; threads may share it.

    Raises
    ------
    Absent
        If the engine's library is not built on this machine, or does not load.
    """

    def __init__(self) -> None:
        own = {name: _key(rule) for name, rule in RULES.items() if name not in HISTORY_FEATURES}
        inner = {name: _key(RULES[name]) for name in HISTORY_FEATURES}
        self._reader = Reader(own | {INNER: Key("inner"), "history": NULL_ONLY}, inner)

    def read(self, body: bytes | bytearray, most: int) -> list[Portfolio] | None:
        """Return the applications of a body, `SLICE` at a time, or None where another must judge it.

        Parameters
        ----------
        body : bytes
            ``{"applications": [...]}``.
        most : int
            Most applications in a request.
        """
        found: list[Portfolio] = []
        rows = 0
        for part in self._reader.slices(body, SLICE):
            rows += 0 if part is None else part.n
            if part is None or rows > most:
                return None
            found.append(_portfolio(part))
        return found


def _key(rule: Rule) -> Key:
    if rule.kind == "category":
        return Key("word")
    if rule.kind == "id":
        return Key("identifier")
    whole = rule.kind != "number"
    low, high = (-INT32_MAX, INT32_MAX) if whole else (-inf, inf)
    return Key(
        "whole" if whole else "number",
        low if rule.minimum is None else rule.minimum,
        high if rule.maximum is None else rule.maximum,
    )


def _portfolio(part: Slice) -> Portfolio:
    applications = _table(part, READ, is_inner=False).with_row_index("row")
    given = np.flatnonzero(~np.isnan(part.numbers(INNER))).astype(np.uint32)
    if not len(given):
        return Portfolio(applications, {})
    ready = _table(part, HISTORY_FEATURES, is_inner=True)
    if len(given) < part.n:
        ready = ready[given]
    return Portfolio(applications, {}, ready.insert_column(0, pl.Series("row", given)))


def _table(part: Slice, names: tuple[str, ...], is_inner: bool) -> pl.DataFrame:
    """Return columns with the types of a portfolio; missing is null."""
    found: list[pl.Series] = []
    for name in names:
        kind = RULES[name].kind
        if kind == "category":
            found.append(_words(part, name, is_inner))
        elif name == KEY:
            found.append(pl.Series(name, part.identifiers(name)))
        else:
            number = pl.Series(name, part.numbers(name, is_inner), nan_to_null=True)
            dtype = DTYPES["number" if is_inner else kind]
            found.append(number if number.dtype == dtype else number.cast(dtype))
    return pl.DataFrame(found)


def _words(part: Slice, name: str, is_inner: bool) -> pl.Series:
    offsets, letters, there = part.words(name, is_inner)
    valid = np.packbits(there, bitorder="little")
    array = pa.LargeStringArray.from_buffers(part.n, *map(pa.py_buffer, (offsets, letters, valid)))
    return pl.Series(name, array, pl.String)


def _records() -> RecordReader | None:
    try:
        return RecordReader()
    except Absent:
        return None


RECORDS = _records()
"""The reader, None where the engine is not built."""
