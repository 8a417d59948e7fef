"""The decision: what the two errors cost, where the threshold lies, what the score points mean.

Refused means ``probability >= threshold``, here and everywhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Attributes that a policy can keep out of a model, and the raw columns that carry each of them.
PROTECTED: dict[str, tuple[str, ...]] = {
    "gender": ("CODE_GENDER",),
    # The source counts 1 + children + a spouse as members, so their number gives the status away.
    "family_status": ("NAME_FAMILY_STATUS", "CNT_FAM_MEMBERS"),
    "age": ("DAYS_BIRTH",),
    "household": ("CNT_CHILDREN", "CNT_FAM_MEMBERS"),
}
# US: the Equal Credit Opportunity Act bars sex and marital status from a credit decision; age only in part.
# EU: directive 2004/113/EC bars sex; family status and age are a matter of each member state.
DEFAULT_PROTECTED = ("gender", "family_status")

GRANTED, REFUSED = "granted", "refused"
GRANT_ALL = float(np.nextafter(1.0, 2.0))  # the lowest threshold that no probability can reach
MOST_REVIEWED = 0.15  # share of applications that goes to review
EXTREME = 1e-6  # probabilities are read as within [EXTREME, 1 - EXTREME] for points, so points stay finite


@dataclass(frozen=True)
class Costs:
    """Costs of the two errors, in units of one lost good client.

    Attributes
    ----------
    false_negative : float
        Cost of granting a credit that defaults.
    false_positive : float
        Cost of refusing a credit that would have been repaid.
    """

    false_negative: float = 10.0
    false_positive: float = 1.0

    def __post_init__(self) -> None:
        """Refuse costs that order no decision."""
        for name in ("false_negative", "false_positive"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"cost {name}={value!r} must be a finite number above 0.")

    @property
    def threshold(self) -> float:
        """The best threshold for calibrated probabilities: ``fp / (fp + fn)`` (Elkan 2001, eq. 2)."""
        return self.false_positive / (self.false_positive + self.false_negative)


@dataclass(frozen=True)
class Points:
    """The score scale: ``base`` points at ``odds`` to one of repaying, ``double`` points double the odds.

    Higher points mean a lower risk: ``points = offset + factor * ln((1 - p) / p)`` with
    ``factor = double / ln 2`` and ``offset = base - factor * ln(odds)``.
    """

    base: float = 600.0
    odds: float = 50.0
    double: float = 20.0

    def __post_init__(self) -> None:
        """Refuse a scale without direction."""
        if not (np.isfinite([self.base, self.odds, self.double]).all() and self.odds > 0 and self.double > 0):
            raise ValueError(f"{self} is no scale: odds and double must be above 0, all three finite.")

    @property
    def factor(self) -> float:
        """Points per unit of log-odds."""
        return self.double / float(np.log(2.0))

    @property
    def offset(self) -> float:
        """Points at even odds."""
        return self.base - self.factor * float(np.log(self.odds))

    def of(self, probability: ArrayLike) -> NDArray[np.int64]:
        """Return the points of a probability of default, rounded to integers.

        Probabilities beyond 1e-6 of either end count as that end, so the default scale runs from
        88 to 886.

        Parameters
        ----------
        probability : array-like of shape (n_applications,) or float
            Probability of default, in [0, 1].

        Raises
        ------
        ValueError
            If a probability lies outside [0, 1] or is not a number.
        """
        p = np.clip(_probabilities(probability), EXTREME, 1 - EXTREME)
        return np.rint(self.offset + self.factor * (np.log1p(-p) - np.log(p))).astype(np.int64)

    def split(self, base: float, log_odds: Sequence[float], score: int) -> tuple[int, list[int]]:
        """Return a score as the whole points of a base and of what is added to it; they sum to it, exactly.

        Rounding is by largest remainder: each is the whole number below or above its own points. Where the
        score stands at an end of the scale, the base takes what lies beyond.

        Parameters
        ----------
        base : float
            Log-odds of default from which ``log_odds`` lead to those of the application.
        log_odds : sequence of float
            What each adds to them.
        score : int
            As `of` gives it.
        """
        exact = [self.offset - self.factor * base, *(-self.factor * share for share in log_odds)]
        whole = [floor(points) for points in exact]
        order = sorted(range(len(exact)), key=lambda i: whole[i] - exact[i])
        for i in order[: max(0, score - sum(whole))]:
            whole[i] += 1
        whole[0] += score - sum(whole)
        return whole[0], whole[1:]


COSTS = Costs()
POINTS = Points()


def protected_columns(protect: Collection[str]) -> frozenset[str]:
    """Return the raw columns that carry the protected attributes.

    Raises
    ------
    ValueError
        If an attribute is not one of ``PROTECTED``.
    """
    if unknown := sorted(set(protect) - set(PROTECTED)):
        raise ValueError(f"unknown protected attribute {unknown[0]!r}; choose among {', '.join(PROTECTED)}.")
    return frozenset(column for attribute in protect for column in PROTECTED[attribute])


def decide(probability: ArrayLike, threshold: float) -> NDArray[np.str_]:
    """Return ``"refused"`` for each probability at or above the threshold, else ``"granted"``."""
    return np.where(_probabilities(probability) >= _threshold(threshold), REFUSED, GRANTED)


def expected_cost(y: ArrayLike, probability: ArrayLike, threshold: float, costs: Costs = COSTS) -> float:
    """Return the mean cost of a decision rule per application; times 1,000, the cost per 1,000.

    Parameters
    ----------
    y : array-like of shape (n_applications,)
        1 = default, 0 = repaid.
    probability : array-like of shape (n_applications,)
        Probability of default, in [0, 1].
    threshold : float
        Applications at or above it are refused.
    costs : Costs
        Cost of each kind of error.

    Raises
    ------
    ValueError
        If the lengths differ, nothing is given, or a value is out of its range.
    """
    defaulted, p = _outcomes(y, probability)
    refused = p >= _threshold(threshold)
    false_negatives = np.count_nonzero(defaulted & ~refused)
    false_positives = np.count_nonzero(~defaulted & refused)
    return float(costs.false_negative * false_negatives + costs.false_positive * false_positives) / len(p)


def best_threshold(y: ArrayLike, probability: ArrayLike, costs: Costs = COSTS) -> float:
    """Return the threshold of lowest cost, exact over every way to cut these probabilities.

    One sort and one cumulative sum, O(n log n). All thresholds in the gap between two neighbouring
    probabilities decide alike: such a gap is represented by the theoretical ``costs.threshold`` if it
    lies inside, else by its middle. Among equally cheap gaps the one represented nearest to the
    theory wins, then the higher one. A result above 1 means: grant everybody.

    Parameters and errors as ``expected_cost``.
    """
    cuts = _cuts(y, probability, costs)
    return _nearest(cuts.threshold[cuts.cost == cuts.cost.min()], costs)


def steady_threshold(y: ArrayLike, probability: ArrayLike, costs: Costs = COSTS) -> float:
    """Return the threshold nearest to the theory among those that cost no more than the best, but for noise.

    The cost curve is flat around its minimum, so the cheapest cut of one sample is a noisy choice for the
    next one. A cut is as good as the best if its excess cost is within one standard error: between the two
    cuts lie B defaults and G repaid credits that are decided differently, and the excess has the variance
    ``fn^2 * B + fp^2 * G``.

    Parameters, errors and representation of a cut as ``best_threshold``.
    """
    cuts = _cuts(y, probability, costs)
    best = int(np.argmin(cuts.cost))
    bads, goods = np.abs(cuts.bads - cuts.bads[best]), np.abs(cuts.goods - cuts.goods[best])
    error = np.sqrt(costs.false_negative**2 * bads + costs.false_positive**2 * goods)
    return _nearest(cuts.threshold[cuts.cost - cuts.cost[best] <= error], costs)


@dataclass(frozen=True, eq=False)
class _Cuts:
    """Every way to cut a set of probabilities: threshold, total cost, defaults and repaid credits granted."""

    threshold: NDArray[np.float64]
    cost: NDArray[np.float64]
    bads: NDArray[np.int64]
    goods: NDArray[np.int64]


def _cuts(y: ArrayLike, probability: ArrayLike, costs: Costs) -> _Cuts:
    """Sort once and cut before each distinct value."""
    defaulted, p = _outcomes(y, probability)
    order = np.argsort(p, kind="stable")
    p, defaulted = p[order], defaulted[order]
    starts = np.flatnonzero(np.concatenate(([True], p[1:] > p[:-1])))  # first row of each distinct value
    cuts = np.concatenate((starts, [len(p)]))  # cut k grants the rows before it and refuses the others
    bads = np.concatenate(([0], np.cumsum(defaulted)))[cuts]
    goods = cuts - bads
    cost = costs.false_negative * bads + costs.false_positive * ((len(p) - defaulted.sum()) - goods)
    upper = np.concatenate((p[starts], [GRANT_ALL]))
    lower = np.concatenate(([0.0], np.nextafter(p[starts], 2.0)))  # the threshold is above the row before
    theory = costs.threshold
    middle = np.where(
        (lower <= theory) & (theory <= upper), theory, np.clip((lower + upper) / 2, lower, upper)
    )
    return _Cuts(middle, cost, bads, goods)


def _nearest(thresholds: NDArray[np.float64], costs: Costs) -> float:
    """Return the threshold nearest to the theory; of two, the higher one."""
    distance = np.abs(thresholds - costs.threshold)
    return float(thresholds[distance == distance.min()].max())


def _outcomes(y: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Check outcomes against probabilities; give both back as arrays."""
    outcome, p = np.asarray(y), _probabilities(probability)
    if outcome.shape != p.shape or p.ndim != 1:
        raise ValueError(f"{outcome.shape} outcomes for {p.shape} probabilities: give one of each per row.")
    if len(p) == 0:
        raise ValueError("no application to judge: give at least one outcome and its probability.")
    if not np.isin(outcome, (0, 1)).all():
        raise ValueError("an outcome is neither 0 (repaid) nor 1 (default).")
    return outcome.astype(bool), p


def _probabilities(probability: ArrayLike) -> NDArray[np.float64]:
    """Check that every value lies in [0, 1]."""
    p = np.asarray(probability, dtype=np.float64)
    inside = (p >= 0) & (p <= 1)  # False for NaN too
    if not inside.all():
        value = float(p[~inside].flat[0])
        raise ValueError(f"probability {value!r} is outside [0, 1]; give the probability of default.")
    return p


def _threshold(threshold: float) -> float:
    """Check that a threshold is a probability."""
    if not 0 <= threshold <= GRANT_ALL:
        raise ValueError(f"threshold {threshold!r} is outside [0, 1]; give the probability, not points.")
    return threshold
