"""Metrics of a probability of default and of the decisions it leads to, with their intervals.

Everything is computed on applications sorted once by probability, so that a bootstrap sample is a
vector of weights and costs O(n). Intervals are 95 % percentile bootstrap intervals over applications.

The calibration error has none. It is a mean of absolute gaps, so a sample of the sample raises it: for a
calibrated model one percentile interval in five leaves out its own value, and the reflected one holds the
truth, zero, in 57 % of the cases. What is sure of calibration, its slope and intercept say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.decision import COSTS

Vector = NDArray[np.float64]
Outcomes = NDArray[np.int8]

BINS = 10  # bins of equal count for the calibration error
REPLICATES = 200  # bootstrap samples: enough for the first digit of an interval's width
SURE = 1e-15  # a probability of 0 or 1 counts as this far from it for the log-loss, which is then finite
MEASURES = (
    "auc",
    "gini",
    "ks",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_error",
    "business_score",
    "cost_per_1000",
    "f1",
    "precision",
    "recall",
    "accuracy",
    "share_granted",
    "default_rate_granted",
)
LOWER_IS_BETTER = ("brier", "log_loss", "calibration_error", "cost_per_1000", "default_rate_granted")
# By these two models can be ranked; granting more, or fewer, is neither better nor worse by itself.
RANKED_BY = tuple(name for name in MEASURES if name != "share_granted")
WITHOUT_INTERVAL = ("calibration_error",)
RANKS = ("auc", "gini", "ks", "average_precision")  # read the order of the applications only


@dataclass(frozen=True)
class Measured:
    """A metric with its interval; the ends are not numbers where it has none."""

    value: float
    low: float
    high: float

    def ends(self) -> dict[str, float]:
        """Return ``low`` and ``high``; nothing where there is no interval."""
        return {} if np.isnan(self.low) else {"low": self.low, "high": self.high}


def with_intervals(
    y: Outcomes,
    probability: Vector,
    threshold: float | Vector,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Measured]:
    """Return every metric of ``measure`` with its 95 % bootstrap interval, but ``WITHOUT_INTERVAL``.

    The threshold is held fixed: the intervals are those of a decision rule, not of its choice.
    """
    order = np.argsort(probability, kind="stable")
    y, probability = y[order], probability[order]
    threshold = threshold if isinstance(threshold, float) else threshold[order]
    values = measure(y, probability, threshold)
    random = np.random.default_rng(seed)
    drawn: list[list[float]] = []
    while len(drawn) < replicates:
        weights = np.bincount(random.integers(0, len(y), len(y)), minlength=len(y)).astype(np.float64)
        if 0 < weights @ y < len(y):  # a sample without both outcomes measures nothing: draw again
            sample = measure(y, probability, threshold, weights)
            drawn.append([sample[name] for name in MEASURES])
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    none = np.isin(MEASURES, WITHOUT_INTERVAL)
    low[none] = high[none] = np.nan
    return {n: Measured(values[n], float(a), float(b)) for n, a, b in zip(MEASURES, low, high, strict=True)}


def measure(
    y: Outcomes,
    probability: Vector,
    threshold: float | Vector,
    weights: Vector | None = None,
) -> dict[str, float]:
    """Return the metrics of a probability and of the decisions it leads to.

    Parameters
    ----------
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    probability : ndarray of shape (n_applications,)
        Probability of default, in [0, 1].
    threshold : float or ndarray of shape (n_applications,)
        Applications at or above it, or each at or above its own, are refused.
    weights : ndarray of shape (n_applications,), optional
        How many times each application counts.

    Returns
    -------
    dict
        Keys ``MEASURES``. F1, precision and recall are those of finding defaults; ``calibration_error`` is
        the mean gap between forecast and default rate over ten bins of equal count; a default rate, a
        precision and an F1 over no application are 0.

    Raises
    ------
    ValueError
        If one of the two outcomes is absent, or a probability is not a number.
    """
    if not np.isfinite(probability).all():
        raise ValueError("a probability is not a number: the model cannot score every application.")
    if (probability[1:] < probability[:-1]).any():
        order = np.argsort(probability, kind="stable")
        y, probability = y[order], probability[order]
        threshold = threshold if isinstance(threshold, float) else threshold[order]
        weights = None if weights is None else weights[order]
    weights = np.ones(len(y)) if weights is None else weights
    bad = weights * y
    good = weights - bad
    ends = np.flatnonzero(np.concatenate((probability[1:] > probability[:-1], [True])))  # of equal values
    bads, goods = np.cumsum(bad)[ends], np.cumsum(good)[ends]  # at or below each distinct value
    n_bad, n_good = float(bads[-1]), float(goods[-1])
    if n_bad == 0 or n_good == 0:
        raise ValueError(
            f"{n_bad:.0f} defaults among {n_bad + n_good:.0f} applications: metrics need both outcomes."
        )
    new_bads = np.diff(bads, prepend=0.0)
    auc = float((new_bads * (goods - np.diff(goods, prepend=0.0) / 2)).sum()) / (n_bad * n_good)
    ks = float(np.max(goods / n_good - bads / n_bad, initial=0.0))
    caught = n_bad - bads + new_bads  # defaults at or above each distinct value
    flagged = caught + n_good - goods + np.diff(goods, prepend=0.0)
    precision_at = np.divide(caught, flagged, out=np.zeros_like(caught), where=flagged > 0)
    refused = probability >= threshold
    hits, alarms = float(bad @ refused), float(good @ refused)
    misses, granted = n_bad - hits, n_bad + n_good - hits - alarms
    cost = COSTS.false_negative * misses + COSTS.false_positive * alarms
    total = n_bad + n_good
    return {
        "auc": auc,
        "gini": 2 * auc - 1,
        "ks": ks,
        "average_precision": float((precision_at * new_bads).sum()) / n_bad,
        "brier": float((weights * (probability - y) ** 2).sum()) / total,
        "log_loss": _log_loss(bad, good, probability) / total,
        "calibration_error": _calibration_error(bad, probability, weights),
        "business_score": 1 - cost / (COSTS.false_negative * n_bad + COSTS.false_positive * n_good),
        "cost_per_1000": 1_000 * cost / total,
        "f1": 2 * hits / (2 * hits + alarms + misses),
        "precision": hits / (hits + alarms) if hits + alarms else 0.0,
        "recall": hits / n_bad,
        "accuracy": (hits + n_good - alarms) / total,
        "share_granted": granted / total,
        "default_rate_granted": misses / granted if granted else 0.0,
    }


def _log_loss(bad: Vector, good: Vector, probability: Vector) -> float:
    """Return the weighted sum of log-losses, in nats."""
    p = np.clip(probability, SURE, 1 - SURE)
    return -float(bad @ np.log(p) + good @ np.log1p(-p))


def _calibration_error(bad: Vector, probability: Vector, weights: Vector) -> float:
    """Return the expected calibration error; rows sorted by probability, equal ones kept in one bin."""
    seen = np.cumsum(weights)
    edges = np.searchsorted(seen, seen[-1] * np.arange(BINS) / BINS)
    starts = np.unique(np.searchsorted(probability, probability[edges], side="left"))
    gaps = np.add.reduceat(bad, starts) - np.add.reduceat(weights * probability, starts)
    return float(np.abs(gaps).sum() / seen[-1])
