"""What a feature is, and the few ways in which history is summed up.

Sums over history run in whole numbers (thousandths of the currency, millionths of a ratio): integer addition
has no order, so an aggregate is the same bit for bit alone, in a batch, in any partition, by any engine and
in any order of the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scoring.features import vocabulary, walking
from scoring.features.labels import LABELS
from scoring.features.terms import Term
from scoring.features.vocabulary import col, when, whole
from scoring.language import Text
from scoring.schema import NO_DATE

Unit = Literal[
    "amount",
    "ratio",
    "share",
    "years",
    "days",
    "months",
    "date",
    "month",
    "count",
    "points",
    "flag",
    "category",
]
Direction = Literal[-1, 0, 1]
ReasonSide = Literal["above", "below", "never"]

DAYS_A_YEAR = 365.25
DAYS_A_MONTH = DAYS_A_YEAR / 12
MONEY = 1_000  # amounts in the source have at most three decimals
RATIO = 1_000_000  # ratios are kept to six decimals when they are averaged
WHOLE = 1  # days and counts are whole already
SIDES: dict[ReasonSide, Direction] = {"above": 1, "below": -1, "never": 0}


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One column that a model may read, with everything that is known about it.

    Attributes
    ----------
    name : str
        Kaggle's name for a column taken as it is, lower case for a derived one, the table first.
    term : Term
        Over one application's columns (tables ``application``, ``cross``) or an aggregate over its records.
    unit : Unit
        What the number counts; ``category`` for text. A ``date`` is counted in days, a ``month`` in months,
        both from the application, so that the past is negative; ``days`` and ``months`` are lengths.
    group : str
        Key of ``GROUPS``; correlated features share one, so that a reason does not split one cause.
    label : Text
        A few words for people.
    direction : {-1, 0, 1}
        +1: a higher value raises the risk by domain knowledge; used as a monotone constraint. 0: not known.
    table : str
        Kaggle name of the table it sums up, ``application``, or ``cross`` for a mix.
    is_plain : bool
        Whether its value means something to a person; False for products and other terms made for the model.
    reason : {"above", "below", "never"}, optional
        Which side of the usual value bears out what its group claims when it is a reason; never: it says
        something else. None: the side that ``direction`` calls risky.
    """

    name: str
    term: Term
    unit: Unit
    group: str
    label: Text
    direction: Direction = 0
    table: str = "application"
    is_plain: bool = True
    reason: ReasonSide | None = None

    @property
    def reads(self) -> frozenset[str]:
        """Name the columns that it is computed from."""
        return frozenset(walking.reads(self.term))

    @property
    def side(self) -> Direction:
        """Which side of the usual value bears its group's claim out: +1 above, -1 below, 0 neither."""
        return self.direction if self.reason is None else SIDES[self.reason]

    @property
    def kind(self) -> Literal["number", "category"]:
        """Whether the model sees a number or a level of a list."""
        return "category" if self.unit == "category" else "number"


@dataclass(frozen=True, slots=True, eq=False)
class HistoryTable:
    """The features that sum one history table up.

    Attributes
    ----------
    name : str
        Kaggle name.
    features : tuple of Feature
        Aggregates over the records of an application.
    """

    name: str
    features: tuple[Feature, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Name the raw columns that the features are computed from."""
        return tuple(sorted(frozenset[str]().union(*(f.reads for f in self.features))))


def ratio(numerator: Term, denominator: Term) -> Term:
    """Give ``numerator / denominator``, null where either is null or the result is no finite number."""
    return numerator / denominator


def divided(value: Term, number: float) -> Term:
    """Divide by a constant."""
    return value / number


def positive(value: Term) -> Term:
    """Give a value where it is above 0, else 0."""
    return divided(value + value.abs(), 2)


def date(column: str) -> Term:
    """Give a day count with the source's "no such date" read as missing."""
    return when(col(column) != NO_DATE).then(col(column))


def known(column: str, *codes: str) -> Term:
    """Give a category with the source's own codes for missing (``XNA``, ``Unknown``) read as missing."""
    return when(~col(column).is_in(codes or ("XNA",))).then(col(column))


def where(condition: Term, value: Term) -> Term:
    """Give ``value`` on the records that meet the condition, null elsewhere."""
    return when(condition).then(value)


def total(value: Term, scale: int = MONEY) -> Term:
    """Give the sum over an applicant's records, null when none has a value; exact in ``1 / scale``."""
    units = whole(value, scale)
    return where(units.count() > 0, units.sum() / scale)


def mean(value: Term, scale: int = MONEY) -> Term:
    """Give the mean over an applicant's records, null when none has a value; exact as ``total`` is."""
    units = whole(value, scale)
    return units.sum() / (units.count() * scale)


def share(condition: Term) -> Term:
    """Give the share of records that meet a condition, of those where it is known."""
    return condition.sum() / condition.count()


def count(condition: Term) -> Term:
    """Give the number of records that meet a condition."""
    return condition.sum()


def latest(value: Term, k: int, *order: Term | str) -> Term:
    """Give the values of the ``k`` latest records, null elsewhere; ``order`` as for ``last``."""
    return where(vocabulary.rank(*order) <= k, value)


def last(value: Term, *order: Term | str) -> Term:
    """Give the value of the latest record; ``order`` ends in a unique column, so that ties do not matter."""
    return vocabulary.only(latest(value, 1, *order))


@dataclass(frozen=True)
class Declare:
    """Declares features of one table and group, each in a line: name, formula, unit, direction."""

    table: str
    group: str

    def __call__(
        self,
        name: str,
        term: Term,
        unit: Unit,
        direction: Direction = 0,
        *,
        is_plain: bool = True,
        reason: ReasonSide | None = None,
        label: str = "",
    ) -> Feature:
        """Return the feature; its English label stands in ``labels.py``, or with it in an extension."""
        if bool(label) == (name in LABELS):
            raise ValueError(
                f"{name} is there already; give yours another name."
                if label
                else f"{name} has no words; give it a label."
            )
        words = Text(f"feature.{name}", label) if label else LABELS[name]
        return Feature(name, term, unit, self.group, words, direction, self.table, is_plain, reason)


def declaring(table: str, *groups: str) -> Iterator[Declare]:
    """Return what declares the features of a table, one for each group."""
    return (Declare(table, group) for group in groups)


def statistics(
    declare: Declare,
    name: str,
    value: Term,
    unit: Unit,
    which: tuple[str, ...] = ("mean", "max"),
    direction: Direction = 0,
    *,
    reason: ReasonSide | None = None,
) -> list[Feature]:
    """Declare one feature per statistic of a per-record value.

    ``direction`` and ``reason`` hold for all: more of the value is more (or less) risk, whichever way it is
    summed up.
    """
    scale = MONEY if unit == "amount" else RATIO
    terms = {"mean": mean(value, scale), "max": value.max(), "min": value.min(), "sum": total(value, scale)}
    return [declare(f"{name}_{key}", terms[key], unit, direction, reason=reason) for key in which]
