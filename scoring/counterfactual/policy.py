"""What a client can change: one list, with bounds, steps, directions, and the facts that move together.

A lever is one thing that a person would do. Its bound is how far it may go, and a step a fraction of that, so
that the size of a change has one unit for all: 1 is all that policy lets one lever do. What is not here never
changes: not age, gender or family, no score of others, nothing that has happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.language import Text

Numbers = NDArray[np.float64]
Facts = dict[str, Numbers]
"""Raw columns that may change, by name: one value for each variation."""

CREDIT, ANNUITY, GOODS, INCOME = "AMT_CREDIT", "AMT_ANNUITY", "AMT_GOODS_PRICE", "AMT_INCOME_TOTAL"
DEBT, OVERDUE = "AMT_CREDIT_SUM_DEBT", "AMT_CREDIT_SUM_OVERDUE"
DIGITS = 3  # significant ones of an amount that is proposed; an instalment has one more


@dataclass(frozen=True, eq=False)
class Lever:
    """One thing that a client can do.

    Attributes
    ----------
    name : str
    facts : mapping of str to int
        Raw columns of the application that it moves together, each with its direction: -1 down, +1 up. The
        first one is what it is told by; without that fact the lever does not move.
    records : mapping of str to tuple of str
        Columns of history tables that it lowers.
    bound : float
        How far it goes, as a share of what the first fact is now.
    steps : int
        In so many equal steps.
    against : frozenset of str
        Levers that make no sense beside it.
    title, does : Text
        Its name; what is done, with the value ``before`` and ``after``.
    """

    name: str
    facts: Mapping[str, int]
    bound: float
    steps: int
    title: Text
    does: Text
    records: Mapping[str, tuple[str, ...]]
    against: frozenset[str] = frozenset()

    @property
    def told_by(self) -> str:
        """The fact that it is told by; "" if it moves records."""
        return next(iter(self.facts), "")

    @property
    def sources(self) -> frozenset[str]:
        """What it moves, as `scoring.features.sources` names it."""
        return frozenset(self.facts) | {
            f"{t}.{column}" for t, names in self.records.items() for column in names
        }

    def move(self, facts: Facts, steps: NDArray[np.intp]) -> None:
        """Move the facts of some variations by so many steps each; facts that are missing stay so."""
        share = self.bound * steps / self.steps
        for name, direction in self.facts.items():
            if name not in facts:
                continue
            digits = DIGITS + (name == ANNUITY)
            moved = tidy(facts[name] * (1 + direction * share), digits, up=direction > 0)
            facts[name] = np.where(steps == 0, facts[name], moved)


def tidy(amounts: Numbers, digits: int, up: bool) -> Numbers:
    """Round amounts to so many significant digits, but never finer than hundredths."""
    size = np.floor(np.log10(np.maximum(amounts, 1.0)))
    unit = np.maximum(10.0 ** (size - digits + 1), 0.01)
    whole = np.ceil(amounts / unit - 1e-9) if up else np.floor(amounts / unit + 1e-9)
    with np.errstate(over="ignore"):  # rounding multiplies by a hundred: what is too large for that stays
        found = np.round(whole * unit, 2)
    return np.where(np.isfinite(found), found, amounts)


def _lever(
    name: str,
    facts: Mapping[str, int],
    bound: float,
    *,
    steps: int,
    title: str,
    does: str,
    records: Mapping[str, tuple[str, ...]] | None = None,
    against: str = "",
) -> tuple[str, Lever]:
    words = Text(f"lever.{name}", title), Text(f"lever.{name}.does", does)
    return name, Lever(name, facts, bound, steps, *words, records or {}, frozenset({against} - {""}))


POLICY: dict[str, Lever] = dict(
    (
        _lever(
            "amount",
            {CREDIT: -1, ANNUITY: -1, GOODS: -1},  # the same terms and the same duration for less
            0.6,
            steps=24,
            title="A smaller loan for a smaller purchase",
            does="borrow {after} instead of {before}, for goods that cost less in proportion",
        ),
        _lever(
            "down_payment",
            {CREDIT: -1, ANNUITY: -1},
            0.6,
            steps=24,
            title="More of the price paid at once",
            does="borrow {after} instead of {before} and pay the rest of the price at once",
        ),
        _lever(
            "longer",
            {ANNUITY: -1},
            0.4,
            steps=16,
            title="A longer duration",
            does="repay by instalments of {after} instead of {before}, for longer",
            against="shorter",
        ),
        _lever(
            "shorter",
            {ANNUITY: 1},
            0.6,
            steps=24,
            title="A shorter duration",
            does="repay by instalments of {after} instead of {before}, in less time",
            against="longer",
        ),
        _lever(
            "income",
            {INCOME: 1},
            0.3,
            steps=12,
            title="More income proved",
            does="prove a yearly income of {after} instead of {before}",
        ),
        _lever(
            "debts",
            {},
            1.0,
            steps=4,
            title="Other loans repaid first",
            does="first repay {after} of the {before} that is owed on other loans",
            records={"bureau": (DEBT, OVERDUE)},
        ),
    )
)
"""The levers of the house, by name. A lender may allow fewer: see `CREDIT_SCORING_CHANGES`."""

FACTS: tuple[str, ...] = tuple(dict.fromkeys(name for lever in POLICY.values() for name in lever.facts))
"""Raw columns of the application that a lever moves."""
