"""When something counts as drift: the one place for methods, thresholds and the verdict.

Evidently's own rule (half of the columns) calls a portfolio stable while its most important inputs move.
Here each inspected column is judged alone, and the verdict follows from what the model makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from scipy.stats import chi2

Method = Literal["wasserstein", "jensenshannon"]
Role = Literal["prediction", "top", "watched"]

TOP = 20  # inputs by importance
MIN_ROWS = 500  # below, even a large shift cannot be told from chance
FLOOR = 0.10  # effect that matters: a tenth of a standard deviation, or of the Jensen-Shannon distance
MISSING_FLOOR = 0.05  # change of the missing share
UNSEEN_FLOOR = 0.01  # share of rows with a level that training never saw
IMPORTANCE_FLOOR = 0.10  # share of the model's importance that has to move
NAMED = 5  # levels a column, where levels are named
FEW = 10  # numbers with so few values are compared as levels: flags, grades, small counts
# Chance alone stays below these in 999 of 1,000 comparisons: for the Wasserstein distance in units of
# sqrt(1/n + 1/m), by simulation over normal, skewed, heavy-tailed, zero-inflated and binary columns.
WASSERSTEIN_NOISE = 4.0
MISSING_NOISE = 3.3
CONFIDENCE = 0.999

WATCHED: dict[str, str] = {
    "NAME_CONTRACT_TYPE": "the product mix; revolving loans almost vanish in the later public population",
    "AMT_CREDIT": "the lending policy shows in the amounts first",
    "AMT_ANNUITY": "the lending policy shows in the amounts first",
    "AMT_INCOME_TOTAL": "follows prices and the currency",
    "AMT_REQ_CREDIT_BUREAU_MON": "depends on the credit bureau's own reporting",
    "AMT_REQ_CREDIT_BUREAU_QRT": "depends on the credit bureau's own reporting",
    "AMT_REQ_CREDIT_BUREAU_YEAR": "depends on the credit bureau's own reporting",
}
"""Inputs that are inspected whatever their importance, and why."""

RULE = (
    f"A column has drifted when its distance between reference and current is at least {FLOOR:g} and beyond "
    "chance for its number of known values (Wasserstein distance over the reference's standard deviation for "
    f"numbers, Jensen-Shannon distance for categories and for numbers of at most {FEW} values), or when its "
    f"share of missing values has changed by {MISSING_FLOOR:.0%} of the rows or more and beyond chance, or "
    f"when {UNSEEN_FLOOR:.0%} of the rows or more have a level that training never saw. "
    "The verdict is drift when the prediction has drifted, or a watched input has, or inputs that hold "
    f"{IMPORTANCE_FLOOR:.0%} of the model's importance or more together have, or any inspected input has by "
    "its missing values or by unseen levels, because that points to a changed or broken source."
)


@dataclass(frozen=True)
class Side:
    """One column on one side of the comparison.

    Attributes
    ----------
    rows : int
    missing_share : float
        In [0, 1].
    mean : float or None
        Of the known values of a number.
    levels : mapping of str to float
        Share of each level of a category among its known values, the most frequent first.
    """

    rows: int
    missing_share: float
    mean: float | None = None
    levels: Mapping[str, float] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows with a value."""
        return round(self.rows * (1 - self.missing_share))


@dataclass(frozen=True)
class ColumnDrift:
    """One inspected column: its two sides, and how far they are apart.

    ``statistic``, ``method`` and ``threshold`` are None where one side has no value at all. ``importance`` is
    a share of the model's; ``unseen`` the share of all current rows that have each unseen level.
    """

    name: str
    role: Role
    importance: float
    reference: Side
    current: Side
    unseen: Mapping[str, float] = field(default_factory=dict)
    method: Method | None = None
    statistic: float | None = None
    threshold: float | None = None

    @property
    def is_distribution_moved(self) -> bool:
        """Known values are distributed otherwise."""
        return self.statistic is not None and self.threshold is not None and self.statistic >= self.threshold

    @property
    def is_missing_moved(self) -> bool:
        """Values are missing more often, or less often; a distance drops them and cannot see it."""
        a, b = self.reference, self.current
        pooled = (a.rows * a.missing_share + b.rows * b.missing_share) / (a.rows + b.rows)
        noise = MISSING_NOISE * math.sqrt(pooled * (1 - pooled) * (1 / a.rows + 1 / b.rows))
        return abs(a.missing_share - b.missing_share) >= max(MISSING_FLOOR, noise)

    @property
    def is_unseen(self) -> bool:
        """Levels that training never saw are more than a curiosity."""
        return sum(self.unseen.values()) >= UNSEEN_FLOOR

    @property
    def has_drifted(self) -> bool:
        """Any of the three."""
        return self.is_distribution_moved or self.is_missing_moved or self.is_unseen

    @property
    def moved_level(self) -> str:
        """The level of a category whose share changed most; of two that mirror each other, the rarer."""
        a, b = self.reference.levels, self.current.levels

        def change(level: str) -> tuple[float, float]:
            before, now = a.get(level, 0.0), b.get(level, 0.0)
            return round(abs(before - now), 6), -before

        return max({**a, **b}, key=change)

    @property
    def findings(self) -> list[str]:
        """Say what moved, one sentence part each; empty if nothing did."""
        found = []
        if self.is_distribution_moved:
            found.append(self._moved())
        if self.is_missing_moved:
            a, b = self.reference.missing_share, self.current.missing_share
            found.append(f"missing in {a:.1%} of the rows, now in {b:.1%}")
        if self.is_unseen:
            named = [f"{level!r} ({share:.1%})" for level, share in list(self.unseen.items())[:NAMED]]
            more = f" and {len(self.unseen) - NAMED} more" if len(self.unseen) > NAMED else ""
            found.append(f"levels that training never saw: {', '.join(named)}{more}")
        return found

    def _moved(self) -> str:
        """Name the change of the mean, or of the level that changed most."""
        if self.reference.mean is not None and self.current.mean is not None:
            return f"mean {number(self.reference.mean)}, now {number(self.current.mean)}"
        level = self.moved_level
        a, b = self.reference.levels.get(level, 0.0), self.current.levels.get(level, 0.0)
        return f"{level!r} {a:.1%}, now {b:.1%}"


@dataclass(frozen=True)
class DriftVerdict:
    """Drift or not, and the reasons in words."""

    is_drift: bool
    reasons: Sequence[str]


def threshold(method: Method, reference_known: int, current_known: int, levels: int) -> float:
    """Return the distance from which on a column counts as moved: what matters, and is beyond chance.

    Parameters
    ----------
    method : {"wasserstein", "jensenshannon"}
    reference_known, current_known : int
        Values compared on each side.
    levels : int
        Distinct values over both sides.

    Notes
    -----
    Without a shift the Jensen-Shannon divergence (in nats) is about (1/n + 1/m) / 8 times a chi-squared of
    levels - 1 degrees of freedom; the distance is its root.
    """
    spread = 1 / reference_known + 1 / current_known
    if method == "wasserstein":
        return max(FLOOR, WASSERSTEIN_NOISE * math.sqrt(spread))
    return max(FLOOR, math.sqrt(float(chi2.ppf(CONFIDENCE, max(levels - 1, 1))) / 8 * spread))


def verdict(columns: Sequence[ColumnDrift]) -> DriftVerdict:
    """Judge a comparison by `RULE`."""
    drifted = [column for column in columns if column.has_drifted]
    reasons = []
    for column in drifted:
        words = "; ".join(column.findings)
        if column.role == "prediction":
            reasons.append(f"the prediction has drifted: {words}")
        elif column.name in WATCHED:
            reasons.append(f"{column.name} is watched and has drifted: {words}")
        elif column.is_missing_moved or column.is_unseen:
            reasons.append(f"{column.name} may have another source, or a broken one: {words}")
    moved = [column for column in drifted if column.importance > 0]
    share = sum(column.importance for column in moved)
    if share >= IMPORTANCE_FLOOR:
        names = ", ".join(column.name for column in moved)
        reasons.append(f"inputs with {share:.0%} of the model's importance have drifted: {names}")
    return DriftVerdict(bool(reasons), reasons)


def number(value: float) -> str:
    """Write a number as a reader wants it: three digits, or thousands."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
