"""Two systems on the same applications and folds: how far apart they are, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.decision import COSTS, best_threshold
from scoring.metrics import Outcomes, Vector

REPLICATES = 500


@dataclass(frozen=True)
class Difference:
    """A paired difference with its 95 % bootstrap interval over applications.

    The interval takes both systems as they were fitted: what another fit would change is not in it.
    """

    value: float
    low: float
    high: float
    digits: int = 4

    def __str__(self) -> str:
        """Show the value with its interval."""
        value, low, high = (f"{v:+.{self.digits}f}" for v in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


class FoldScores:
    """What a system said of each application, out of fold, in one or more repeats of the cross-validation.

    Parameters
    ----------
    name : str
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    probability : ndarray of shape (n_repeats, n_applications)
        Out of fold; each repeat's threshold is the cheapest on that repeat.

    Attributes
    ----------
    thresholds : list of float
        One per repeat.
    cost : ndarray of shape (n_applications,)
        Mean cost of its decision on each application.
    """

    def __init__(self, name: str, y: Outcomes, probability: Vector) -> None:
        self.name, self.y, self.probability = name, y, probability
        self.thresholds = [best_threshold(y, p, COSTS) for p in probability]
        refused = np.array([p >= t for p, t in zip(probability, self.thresholds, strict=True)]).mean(axis=0)
        self.cost = np.where(y == 1, COSTS.false_negative * (1 - refused), COSTS.false_positive * refused)
        self._ranked = [_rank(p) for p in probability]

    def auc(self, weights: Vector | None = None) -> float:
        """Return the mean AUC over the repeats; ``weights`` say how often each application counts."""
        weights = np.ones(len(self.y)) if weights is None else weights
        return float(np.mean([_auc(self.y[order], weights[order], ends) for order, ends in self._ranked]))

    @property
    def cost_per_1000(self) -> float:
        """Mean cost of 1,000 decisions, in units of one lost good client."""
        return 1_000 * float(self.cost.mean())

    @property
    def business_score(self) -> float:
        """1 when no decision errs, 0 when every one does."""
        worst = np.where(self.y == 1, COSTS.false_negative, COSTS.false_positive).sum()
        return 1.0 - float(self.cost.sum()) / float(worst)


def differences(ours: FoldScores, other: FoldScores, seed: int = 0) -> tuple[Difference, Difference]:
    """Return by how much ours has a higher AUC, and a lower cost per 1,000 applications; above 0 is ahead."""
    random = np.random.default_rng(seed)
    n = len(ours.y)
    saved = other.cost - ours.cost
    auc: list[float] = []
    cost: list[float] = []
    while len(auc) < REPLICATES:
        weights = np.bincount(random.integers(0, n, n), minlength=n).astype(np.float64)
        if not 0 < weights @ ours.y < n:  # a sample without both outcomes has no AUC: draw again
            continue
        auc.append(ours.auc(weights) - other.auc(weights))
        cost.append(1_000 * float(saved @ weights) / n)
    return (
        Difference(ours.auc() - other.auc(), *_interval(auc)),
        Difference(1_000 * float(saved.mean()), *_interval(cost), digits=1),
    )


def _interval(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _rank(probability: Vector) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order from low to high, and where each run of equal values ends in it."""
    order = np.argsort(probability, kind="stable")
    ordered = probability[order]
    return order, np.flatnonzero(np.concatenate((ordered[1:] > ordered[:-1], [True])))


def _auc(y: Outcomes, weights: Vector, ends: NDArray[np.intp]) -> float:
    """Return the share of pairs in the right order, ties counting half; rows stand from low to high."""
    bad = np.diff(np.cumsum(weights * y)[ends], prepend=0.0)
    good = np.cumsum(weights * (1 - y))[ends]
    return float((bad * (good - np.diff(good, prepend=0.0) / 2)).sum() / (bad.sum() * good[-1]))
