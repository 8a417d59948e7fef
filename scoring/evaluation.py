"""How good a candidate is on applications that it was not fitted on.

One fold table serves all candidates. Everything learned, category orders and the number of trees
included, is learned inside the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.candidates import Candidate, Outcomes, Progress, fit
from scoring.decision import COSTS, Costs, best_threshold
from scoring.metrics import REPLICATES, Measured, measure, with_intervals
from scoring.model import Boosted, Calibration, Vector, probability

LEAK_AUC = 0.82  # the best public result on these tables is 0.807; more tells of a leak of TARGET


class LeakSuspected(ValueError):
    """A result too good to be true."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What cross-validation gives: each application's log-odds from a model that did not see it."""

    raw: Vector
    fold_auc: tuple[float, ...]
    rounds: tuple[int, ...]

    @property
    def best_rounds(self) -> int | None:
        """Median number of trees over the folds; None if nothing was boosted."""
        return round(float(np.median(self.rounds))) if self.rounds else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything measured out of fold, on the calibrated probability."""

    probability: Vector
    calibration: Calibration
    threshold: float
    metrics: Mapping[str, Measured]
    before: Mapping[str, float]


def deal_folds(y: Outcomes, n_folds: int = 5, seed: int = 0) -> NDArray[np.int8]:
    """Deal applications into stratified folds.

    Parameters
    ----------
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    n_folds, seed : int

    Returns
    -------
    ndarray of shape (n_applications,)
        The fold of each application, 0 to ``n_folds - 1``; folds differ by at most one of each outcome.

    Raises
    ------
    ValueError
        If a fold would hold fewer than two of either outcome.
    """
    if not 2 <= n_folds <= 100:
        raise ValueError(f"{n_folds} folds: give 2 to 100.")
    random = np.random.default_rng(seed)
    folds = np.empty(len(y), dtype=np.int8)
    for outcome, word in ((1, "defaults"), (0, "repaid credits")):
        rows = np.flatnonzero(y == outcome)
        if len(rows) < 2 * n_folds:
            raise ValueError(
                f"{len(rows)} {word} for {n_folds} folds: each needs two; give more rows or fewer folds."
            )
        folds[random.permutation(rows)] = np.arange(len(rows)) % n_folds
    return folds


def cross_validate(
    candidate: Candidate,
    features: pl.DataFrame,
    y: Outcomes,
    folds: NDArray[np.int8],
    directions: Mapping[str, int],
    seed: int = 0,
    progress: Callable[[int], Progress] | None = None,
) -> OutOfFold:
    """Fit a candidate without each fold in turn and score that fold.

    Parameters
    ----------
    candidate, features, y, directions, seed
        As ``candidates.fit``.
    folds : ndarray of shape (n_applications,)
        From ``deal_folds``.
    progress : callable, optional
        Given the number of a fold, returns the ``progress`` of its fit.
    """
    raw = np.empty(len(y))
    auc: list[float] = []
    rounds: list[int] = []
    for fold in range(int(folds.max()) + 1):
        outside = folds == fold
        report = progress(fold) if progress else None
        model = fit(candidate, features.filter(~outside), y[~outside], directions, seed, progress=report)
        raw[outside] = model.raw(features.filter(outside))
        auc.append(measure(y[outside], probability(raw[outside]), 0.5)["auc"])
        if isinstance(model.function, Boosted):
            rounds.append(model.function.trees)
    return OutOfFold(raw, tuple(auc), tuple(rounds))


def evaluate(
    y: Outcomes, raw: Vector, costs: Costs = COSTS, replicates: int = REPLICATES, seed: int = 0
) -> Evaluation:
    """Calibrate out-of-fold log-odds, choose the threshold on them and measure the decisions.

    The threshold has one degree of freedom on all rows, so judging it on the same rows flatters it by
    about the cost of one application in thousands; the folds keep everything else honest.
    """
    calibration = calibrate(y, raw)
    calibrated = probability(calibration.of(raw))
    threshold = best_threshold(y, calibrated, costs)
    plain = measure(y, probability(raw), threshold, costs)
    slope = _platt(y, raw)
    before = {
        "brier": plain["brier"],
        "calibration_error": plain["calibration_error"],
        "slope": slope.slope,
        "intercept": slope.intercept,
    }
    metrics = with_intervals(y, calibrated, threshold, costs, replicates, seed)
    return Evaluation(calibrated, calibration, threshold, metrics, before)


def check_leak(auc: float, reason: str | None = None) -> None:
    """Stop at an AUC that honest features cannot reach.

    Raises
    ------
    LeakSuspected
        If the AUC is above 0.82 and no reason is given to accept it.
    """
    if auc > LEAK_AUC and not reason:
        raise LeakSuspected(
            f"out-of-fold AUC {auc:.4f} is above {LEAK_AUC}: a feature probably knows TARGET. Look at the "
            "most important features; if the portfolio explains it, say so with --allow-leak REASON."
        )


def calibrate(y: Outcomes, raw: Vector) -> Calibration:
    """Fit the affine map of log-odds that makes them calibrated (Platt 1999), by maximum likelihood.

    Log-odds that do not order the risk (a constant, or a slope that is not positive) say nothing: their
    slope is 0 and every application gets the mean default rate.
    """
    platt = _platt(y, raw)
    return platt if platt.slope > 0 else _mean_rate(y)


def _mean_rate(y: Outcomes) -> Calibration:
    return Calibration(0.0, float(np.log(y.mean() / (1 - y.mean()))))


def _platt(y: Outcomes, raw: Vector) -> Calibration:
    """Regress the outcome on the log-odds; slope 0 where they are constant."""
    centre, spread = float(raw.mean()), float(raw.std())
    if spread < 1e-3:  # a dummy's log-odds differ among folds by rounding only
        return _mean_rate(y)
    design = np.column_stack([np.ones(len(raw)), (raw - centre) / spread])
    weights = np.array([_mean_rate(y).intercept, 0.0])
    for _ in range(50):  # Newton on two parameters; the likelihood is concave
        p = probability(design @ weights)
        hessian = (design * (p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), design.T @ (y - p))
        weights += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    slope = float(weights[1]) / spread
    return Calibration(slope, float(weights[0]) - slope * centre)
