"""What a feature is, and the few ways in which history is summed up.

Sums over history run in whole numbers (thousandths of the currency, millionths of a ratio): integer addition
has no order, so an aggregate is the same bit for bit alone, in a batch, in any partition, by any engine and
in any order of the records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

Unit = Literal["amount", "ratio", "share", "years", "days", "months", "count", "points", "flag", "category"]
Direction = Literal[-1, 0, 1]

NOT_APPLICABLE_DAYS = 365_243  # the source files' code for "no such date": a thousand years ahead
DAYS_A_YEAR = 365.25
MONEY = 1_000  # amounts in the source have at most three decimals
RATIO = 1_000_000  # ratios are kept to six decimals when they are averaged
WHOLE = 1  # days and counts are whole already


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One column that a model may read, with everything that is known about it.

    Attributes
    ----------
    name : str
        Kaggle's name for a column taken as it is, lower case for a derived one, the table first.
    expression : polars.Expr
        Over one application's columns (tables ``application``, ``cross``) or an aggregate over its records.
    unit : Unit
        What the number counts; ``category`` for text.
    group : str
        Key of ``GROUPS``; correlated features share one, so that a reason does not split one cause.
    en, fr : str
        Short label for people.
    direction : {-1, 0, 1}
        +1: a higher value raises the risk by domain knowledge; used as a monotone constraint. 0: not known.
    table : str
        Kaggle name of the table it sums up, ``application``, or ``cross`` for a mix.
    is_plain : bool
        Whether its value means something to a person; False for products and other terms made for the model.
    """

    name: str
    expression: pl.Expr
    unit: Unit
    group: str
    en: str
    fr: str
    direction: Direction = 0
    table: str = "application"
    is_plain: bool = True

    @property
    def kind(self) -> Literal["number", "category"]:
        """Whether the model sees a number or a level of a list."""
        return "category" if self.unit == "category" else "number"


@dataclass(frozen=True, slots=True, eq=False)
class HistoryTable:
    """How one history table becomes aggregates: rows are prepared, then grouped by application.

    Attributes
    ----------
    name : str
        Kaggle name.
    reads : tuple of str
        Raw columns that ``prepare`` and the features need.
    prepare : callable
        Adds per-record columns; the ``row`` key (the application's position) stays.
    features : tuple of Feature
        Aggregates over the prepared records.
    """

    name: str
    reads: tuple[str, ...]
    prepare: Callable[[pl.LazyFrame], pl.LazyFrame]
    features: tuple[Feature, ...]


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Give ``numerator / denominator``, null where either is null or the result is no finite number."""
    value = numerator / denominator
    return pl.when(value.is_finite()).then(value)


def divided(value: pl.Expr, number: float) -> pl.Expr:
    """Divide by a constant, in one way whatever the number of rows.

    polars 2.1 multiplies a column by the reciprocal of a literal, but divides a single row by it: with ``/``
    the last bit of a feature would depend on the size of the batch.
    """
    return value * (1 / number)


def date(column: str) -> pl.Expr:
    """Give a day count with the source's "no such date" read as missing."""
    return pl.when(pl.col(column) != NOT_APPLICABLE_DAYS).then(pl.col(column))


def known(column: str, *codes: str) -> pl.Expr:
    """Give a category with the source's own codes for missing (``XNA``, ``Unknown``) read as missing."""
    return pl.when(~pl.col(column).is_in(codes or ("XNA",))).then(pl.col(column))


def where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Give ``value`` on the records that meet the condition, null elsewhere."""
    return pl.when(condition).then(value)


def total(value: pl.Expr, scale: int = MONEY) -> pl.Expr:
    """Give the sum over an applicant's records, null when none has a value; exact in ``1 / scale``."""
    # strict=False: a number beyond 64 bits becomes missing here instead of failing the batch it came in.
    whole = (value * scale).round().cast(pl.Int64, strict=False)
    return pl.when(whole.count() > 0).then(divided(whole.sum(), scale))


def mean(value: pl.Expr, scale: int = MONEY) -> pl.Expr:
    """Give the mean over an applicant's records, null when none has a value; exact as ``total`` is."""
    whole = (value * scale).round().cast(pl.Int64, strict=False)
    return pl.when(whole.count() > 0).then(whole.sum() / (whole.count() * scale))


def share(condition: pl.Expr) -> pl.Expr:
    """Give the share of records that meet a condition, of those where it is known."""
    return pl.when(condition.count() > 0).then(condition.sum() / condition.count())


def count(condition: pl.Expr) -> pl.Expr:
    """Give the number of records that meet a condition."""
    return condition.sum().cast(pl.Float64)


def last(value: pl.Expr, *order: str) -> pl.Expr:
    """Give the value of the latest record; ``order`` ends in a unique column, so that ties do not matter."""
    return value.sort_by(*order).last()


STATISTICS: dict[str, tuple[str, str]] = {
    "mean": ("average", "moyenne"),
    "max": ("largest", "maximum"),
    "min": ("smallest", "minimum"),
    "sum": ("total", "total"),
}


def statistics(
    declare: Callable[..., Feature],
    name: str,
    value: pl.Expr,
    unit: Unit,
    group: str,
    en: str,
    fr: str,
    which: tuple[str, ...] = ("mean", "max"),
    direction: Direction = 0,
) -> list[Feature]:
    """Declare one feature per statistic of a per-record value, with its words put together.

    ``direction`` holds for all: more of the value is more (or less) risk, whichever way it is summed up.
    """
    scale = MONEY if unit == "amount" else RATIO
    expressions = {
        "mean": mean(value, scale),
        "max": value.max().cast(pl.Float64),
        "min": value.min().cast(pl.Float64),
        "sum": total(value, scale),
    }
    return [
        declare(
            f"{name}_{key}",
            expressions[key],
            unit,
            group,
            f"{en}, {STATISTICS[key][0]}",
            f"{fr}, {STATISTICS[key][1]}",
            direction,
        )
        for key in which
    ]
