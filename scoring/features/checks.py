"""Columns checked at once, by the very declarations that pydantic checks requests by.

What is looked for is where a value is wrong. What is wrong with it, pydantic itself says afterwards, of
the few rows that are named: so both doors of the service refuse the same values in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from scoring.features import FEATURE_BY_NAME, HISTORY_FEATURES, READS
from scoring.problems import Fault
from scoring.schema import (
    KEY,
    Application,
    Decoder,
    FieldError,
    columns,
    errors_of,
    fault_at,
)
from scoring.schema.columns import CATEGORY_MAX_LENGTH, INT32_MAX, INT64_MAX, KindName
from scoring.tables import DTYPES, Portfolio

READ = (KEY, *(name for name in READS["application"] if name != KEY))


@dataclass(frozen=True)
class Rule:
    """What a column may hold: a kind of `schema.Column`, and inclusive bounds."""

    kind: KindName
    minimum: float | None = None
    maximum: float | None = None


RULES: dict[str, Rule] = {
    **{name: Rule(c.kind, c.minimum, c.maximum) for name, c in columns(Application).items()},
    **{name: Rule(FEATURE_BY_NAME[name].kind) for name in HISTORY_FEATURES},
}
"""Column of a bulk table -> its rule: raw columns in capitals, aggregates of the history under their name."""

DECODER = Decoder({name: FEATURE_BY_NAME[name].kind for name in HISTORY_FEATURES})
"""Reads applications with any of the aggregates that the features declare."""

_EXACT = 2**53  # above it a float cannot tell neighbouring whole numbers apart


def wrong(name: str, dtype: pl.DataType) -> pl.Expr | None:
    """Return the expression that is true where a value is not accepted; None where none can be.

    A null is a missing value, which every column but the key may have.
    """
    value, rule = pl.col(name), RULES[name]
    missing = value.is_null() if name == KEY else None
    if dtype == pl.Null:
        return missing
    if rule.kind == "category":
        if dtype == pl.String:
            return value.str.len_chars() > CATEGORY_MAX_LENGTH
        return value.is_not_null()
    if not dtype.is_numeric() or dtype.is_decimal():
        fault = value.is_not_null()
    elif rule.kind == "number":
        fault = _outside(_number(value, dtype), rule.minimum, rule.maximum, dtype)
    elif rule.kind == "id":
        fault = _no_identifier(value, dtype)
    else:
        number = _number(value, dtype)
        low = -INT32_MAX if rule.minimum is None else rule.minimum
        high = INT32_MAX if rule.maximum is None else rule.maximum
        fault = _outside(number, low, high, dtype)
        if dtype.is_float():
            fault = fault | (number != number.round())
    return fault if missing is None else fault | missing


def _number(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the value as pydantic compares it, a float of 64 bits."""
    return value if dtype == pl.Float64 else value.cast(pl.Float64)


def _outside(number: pl.Expr, low: float | None, high: float | None, dtype: pl.DataType) -> pl.Expr:
    tests = [number < low] if low is not None else []
    tests += [number > high] if high is not None else []
    if dtype.is_float():
        tests.append(~number.is_finite())
    return pl.any_horizontal(tests) if tests else pl.lit(False)


def _no_identifier(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_float():
        number = _number(value, dtype)
        return _outside(number, 0, _EXACT, dtype) | (number != number.round())
    if dtype.is_unsigned_integer():
        return value > INT64_MAX if dtype == pl.UInt64 else value.is_null() & pl.lit(False)
    return value < 0


class Checker:
    """The checks for tables of one schema, put together once.

    Parameters
    ----------
    schema : mapping of str to polars.DataType
        Columns of the tables; each has a rule.
    """

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        found = {name: wrong(name, dtype) for name, dtype in schema.items()}
        self._tests = {name: test for name, test in found.items() if test is not None}
        self._any = [test.any().alias(name) for name, test in self._tests.items()]
        self._applications = [_typed(name, schema.get(name, pl.Null())) for name in READ]
        self._aggregates = [_typed(name, schema[name]) for name in HISTORY_FEATURES if name in schema]

    def faults(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the wrong values of a table as rows of ``row`` and ``column``, by row."""
        empty = pl.DataFrame(schema={"row": pl.UInt32, "column": pl.String})
        if not self._any or table.is_empty():
            return empty
        bad = [name for name, is_bad in table.select(self._any).row(0, named=True).items() if is_bad]
        marks = table.select(self._tests[name].alias(name) for name in bad)
        parts = [
            pl.DataFrame({"row": marks[name].arg_true().cast(pl.UInt32)}).with_columns(column=pl.lit(name))
            for name in bad
        ]
        return pl.concat([empty, *parts]).sort("row", maintain_order=True)

    def portfolio(self, table: pl.DataFrame) -> Portfolio:
        """Return a table without faults as a portfolio: the columns that features read, typed."""
        applications = table.select(self._applications).with_row_index("row")
        ready = table.select(self._aggregates).with_row_index("row") if self._aggregates else None
        return Portfolio(applications, {}, ready)


@lru_cache(maxsize=16)
def checker_of(schema: tuple[tuple[str, pl.DataType], ...]) -> Checker:
    """Return the checks for tables with these columns; a client's tables have the same ones each time."""
    return Checker(dict(schema))


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return the column as a portfolio holds it; a column that is not sent is missing everywhere."""
    if name in FEATURE_BY_NAME and name in HISTORY_FEATURES:
        target: pl.DataType = DTYPES["number" if RULES[name].kind == "number" else "category"]
    else:
        target = DTYPES[RULES[name].kind]
    if dtype == pl.Null:
        return pl.lit(None, dtype=target).alias(name)
    return pl.col(name).cast(target, strict=False)  # not strict: a wrong type stands here with nulls only


def as_request(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a bulk table as the JSON request that says the same."""
    request = {
        name: value for name, value in row.items() if value is not None and name not in HISTORY_FEATURES
    }
    aggregates = {name: row[name] for name in HISTORY_FEATURES if row.get(name) is not None}
    return request | {"history_features": aggregates} if aggregates else request


def explain(row: dict[str, object], columns: list[str], position: int) -> list[FieldError]:
    """Return what is wrong with some columns of a row, in the words of the JSON door."""
    named = errors_of(as_request(row), position, DECODER)
    said = {fault.field.removeprefix("history_features."): fault for fault in named}
    return [
        said[name].model_copy(update={"field": name})
        if name in said
        else fault_at(position, name, Fault("not_finite"))
        for name in columns
    ]
