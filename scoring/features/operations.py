"""What each operation of a term is, twice: as a polars expression, and as Python on one applicant's values.

The two stand side by side because they must give the same bits. In the Python forms ``{0}`` is an operand and
``{p}`` the parameter. A strict operation is never asked about null: it is null where an operand is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

WHOLE_LIMIT = 2.0**63  # 64-bit integers go up to here


@dataclass(frozen=True)
class Operation:
    """An operation on the values of one record: its polars form, its Python form, how it meets null."""

    polars: Callable[..., pl.Expr]
    python: str
    is_strict: bool = True


def _replaced(value: pl.Expr, pairs: tuple[tuple[str, float], ...]) -> pl.Expr:
    return value.replace_strict(dict(pairs), default=None, return_dtype=pl.Float64)


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _ratio(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    # polars 2.1 multiplies by the reciprocal where a divisor is one constant for all lines: the last bit of a
    # quotient would depend on the other lines of the table. a - a is 0, and no constant.
    return _finite(a / (b + (a - a)))


def _whole(value: pl.Expr, scale: float) -> pl.Expr:
    # strict=False: a number beyond 64 bits becomes missing instead of failing the batch it came in.
    return (value * scale).round(mode="half_to_even").cast(pl.Int64, strict=False)


OPERATIONS: dict[str, Operation] = {
    "add": Operation(lambda a, b: a + b, "{0} + {1}"),
    "sub": Operation(lambda a, b: a - b, "{0} - {1}"),
    "mul": Operation(lambda a, b: a * b, "{0} * {1}"),
    "neg": Operation(lambda a: -a, "-{0}"),
    "abs": Operation(lambda a: a.abs(), "abs({0})"),
    "sqrt": Operation(lambda a: _finite(a.sqrt()), "root({0})"),
    "ratio": Operation(_ratio, "ratio({0}, {1})"),
    "finite": Operation(_finite, "finite({0})"),
    "whole": Operation(_whole, "whole({0} * {p})"),
    "code": Operation(lambda a: a.cast(pl.String), "str({0})"),
    "as_number": Operation(lambda a: a.cast(pl.Float64), "1.0 if {0} else 0.0"),
    "replace": Operation(_replaced, "{p}.get({0})"),
    "eq": Operation(lambda a, b: a == b, "{0} == {1}"),
    "ne": Operation(lambda a, b: a != b, "{0} != {1}"),
    "lt": Operation(lambda a, b: a < b, "{0} < {1}"),
    "le": Operation(lambda a, b: a <= b, "{0} <= {1}"),
    "gt": Operation(lambda a, b: a > b, "{0} > {1}"),
    "ge": Operation(lambda a, b: a >= b, "{0} >= {1}"),
    "is_in": Operation(lambda a, levels: a.is_in(levels), "{0} in {p}"),
    "not": Operation(lambda a: ~a, "not {0}"),
    "and": Operation(lambda a, b: a & b, "both({0}, {1})", is_strict=False),
    "or": Operation(lambda a, b: a | b, "either({0}, {1})", is_strict=False),
    "is_null": Operation(lambda a: a.is_null(), "{0} is None", is_strict=False),
    "is_not_null": Operation(lambda a: a.is_not_null(), "{0} is not None", is_strict=False),
    "fill_null": Operation(lambda a, b: a.fill_null(b), "{1} if {0} is None else {0}", is_strict=False),
    "where": Operation(lambda a, b: pl.when(a).then(b), "{1} if {0} else None", is_strict=False),
    "choose": Operation(
        lambda a, b, c: pl.when(a).then(b).otherwise(c), "{1} if {0} else {2}", is_strict=False
    ),
    "least": Operation(lambda *a: pl.min_horizontal(*a), "least({0})", is_strict=False),
    "greatest": Operation(lambda *a: pl.max_horizontal(*a), "greatest({0})", is_strict=False),
}


@dataclass(frozen=True)
class Aggregate:
    """A summary of the records of an applicant: its polars form, and how Python goes through the records.

    ``start`` is the value before the first record, ``step`` the statement for each (``{s}``: the value so
    far, ``{0}``: the operand), ``end`` what it becomes. ``sees_null``: whether the step is for null too.
    """

    polars: Callable[..., pl.Expr]
    start: str
    step: str
    end: str = "{s}"
    sees_null: bool = False


def _counted(expression: pl.Expr) -> pl.Expr:
    return expression.cast(pl.Float64)


AGGREGATES: dict[str, Aggregate] = {
    "length": Aggregate(lambda: _counted(pl.len()), "0", "{s} += 1", "float({s})", sees_null=True),
    "count": Aggregate(lambda a: _counted(a.count()), "0", "{s} += 1", "float({s})"),
    "sum": Aggregate(lambda a: _counted(a.sum()), "0", "{s} += {0}", "wrapped({s})"),
    "any": Aggregate(lambda a: a.any(), "False", "{s} = {s} or {0}"),
    "max": Aggregate(lambda a: a.max(), "LOWEST", "if {0} > {s}: {s} = {0}", "{s} if {s} > LOWEST else None"),
    "min": Aggregate(
        lambda a: a.min(), "HIGHEST", "if {0} < {s}: {s} = {0}", "{s} if {s} < HIGHEST else None"
    ),
    "n_unique": Aggregate(
        lambda a: _counted(a.n_unique()), "set()", "{s}.add({0})", "float(len({s}))", sees_null=True
    ),
    "n_unique_known": Aggregate(
        lambda a: _counted(a.drop_nulls().n_unique()), "set()", "{s}.add({0})", "float(len({s}))"
    ),
    "only": Aggregate(lambda a: a.drop_nulls().first(), "None", "{s} = {0}"),
}


def ratio(a: float, b: float) -> float | None:
    """Give the quotient, None where it is no finite number."""
    return finite(a / b) if b else None


def finite(value: float) -> float | None:
    """Give a number, None if it is infinite or NaN."""
    return value if -math.inf < value < math.inf else None


def root(value: float) -> float | None:
    """Give the square root, None of a negative number."""
    return math.sqrt(value) if value >= 0 else None


def whole(value: float) -> int | None:
    """Round half to even, None beyond 64 bits."""
    return round(value) if -WHOLE_LIMIT <= value < WHOLE_LIMIT else None


def wrapped(value: int) -> float:
    """Give a sum as 64-bit integers give it: they begin anew at their limits."""
    return float((value + 2**63) % 2**64 - 2**63)


def both(a: bool | None, b: bool | None) -> bool | None:
    """Three-valued and."""
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a: bool | None, b: bool | None) -> bool | None:
    """Three-valued or."""
    if a or b:
        return True
    return None if a is None or b is None else False


def least(*values: float | None) -> float | None:
    """Give the smallest that is known."""
    return min((v for v in values if v is not None), default=None)


def greatest(*values: float | None) -> float | None:
    """Give the largest that is known."""
    return max((v for v in values if v is not None), default=None)


def ranks(places: Sequence[tuple[Any, ...]]) -> list[float]:
    """Give each place its number from the largest (1) on; null is least, the first of equals comes first."""
    known = [tuple(-math.inf if part is None else part for part in place) for place in places]
    found = [0.0] * len(known)
    for number, i in enumerate(sorted(range(len(known)), key=known.__getitem__, reverse=True), start=1):
        found[i] = float(number)
    return found


NAMES: dict[str, Any] = {
    "LOWEST": -math.inf,
    "HIGHEST": math.inf,
    "ratio": ratio,
    "finite": finite,
    "root": root,
    "whole": whole,
    "wrapped": wrapped,
    "both": both,
    "either": either,
    "least": least,
    "greatest": greatest,
    "ranks": ranks,
}
"""What the Python forms call."""
