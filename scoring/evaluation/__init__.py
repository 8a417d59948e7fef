"""How good a candidate is on applications that it was not fitted on.

One fold table serves all candidates. Everything learned, category orders and the number of trees
included, is learned inside the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.candidates import Candidate, Progress, TrainingSet, Trials, fit_rows
from scoring.decision import best_threshold
from scoring.evaluation.calibrating import Choice, choose, regression
from scoring.metrics import RANKS, REPLICATES, SURE, Measured, Outcomes, measure, with_intervals
from scoring.scorer.model import Vector, probability

LEAST_DEFAULTS = 60  # below it a quarter of the other folds has too few for the parts of a booster

Tune = Callable[[TrainingSet, str], tuple[Candidate, Trials]]
"""From what to learn from, and the name of that part, to the best candidate on it."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What cross-validation gives: each application's log-odds from a model that did not see it.

    ``trials`` has, per fold, what a search tried there; ``lesser`` each application's log-odds from a model
    that learned from a quarter of the others only, if that was asked for and they are enough to learn from.
    """

    raw: Vector
    fold_auc: tuple[float, ...]
    rounds: tuple[int, ...]
    trials: Mapping[str, Trials] = field(default_factory=dict)
    lesser: Vector | None = None

    @property
    def best_rounds(self) -> int | None:
        """Median number of trees of a booster over the folds; None if nothing was boosted."""
        return round(float(np.median(self.rounds))) if self.rounds else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything measured out of fold, and what the scorer gets.

    Attributes
    ----------
    probability, thresholds : ndarray of shape (n_applications,)
        Calibrated probability of default and threshold of each application; model, calibration and threshold
        are fitted on the other folds.
    metrics : mapping of str to Measured
        Of those probabilities and thresholds: keys ``MEASURES``, ``calibration_slope`` and
        ``calibration_intercept``.
    before : mapping of str to float
        The same calibration measures before calibration.
    choice : Choice
        Calibration and threshold of the scorer, from all folds.
    optimum : float
        The very cheapest threshold on these applications, noise included.
    """

    probability: Vector
    thresholds: Vector
    metrics: Mapping[str, Measured]
    before: Mapping[str, float]
    choice: Choice
    optimum: float


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
        If there is one outcome only, or a fold would hold fewer than two of either.
    """
    if not 2 <= n_folds <= 100:
        raise ValueError(f"{n_folds} folds: give 2 to 100.")
    if (defaults := int(np.count_nonzero(y))) in (0, len(y)):
        what = "defaulted (1)" if defaults else "are repaid (0)"
        raise ValueError(
            f"TARGET holds one class only: all {len(y):,} applications {what}. A model learns from both: "
            "give all applications of a period that ended long enough ago for defaults to have happened."
        )
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
    data: TrainingSet,
    folds: NDArray[np.int8],
    *,
    progress: Callable[[int], Progress] | None = None,
    tune: Tune | None = None,
    chosen: Sequence[Sequence[str]] | None = None,
    has_lesser: bool = False,
) -> OutOfFold:
    """Fit a candidate without each fold in turn and score that fold.

    A search is a part of the fit: it is made anew for each fold, on the others.

    Parameters
    ----------
    candidate : Candidate
    data : TrainingSet
        All applications.
    folds : ndarray of shape (n_applications,)
        From ``deal_folds``.
    progress : callable, optional
        Given the number of a fold, returns the ``progress`` of its fit.
    tune : callable, optional
        Chooses the settings, on the features that the fold's model reads.
    chosen : sequence of sequence of str, optional
        For each fold the features that were chosen on the others (``selection.select``); all if not given.
    has_lesser : bool
        Fit each fold's model once more on a quarter of the others: see `OutOfFold`.
    """
    y = data.y
    raw = np.empty(len(y))
    lesser = np.empty(len(y)) if has_lesser and y.sum() >= LEAST_DEFAULTS else None
    auc: list[float] = []
    rounds: list[int] = []
    trials: dict[str, Trials] = {}
    for fold in range(int(folds.max()) + 1):
        outside = folds == fold
        report = progress(fold) if progress else None
        tuned = candidate
        others = (data.only(chosen[fold]) if chosen else data).take(~outside)
        if tune:
            tuned, trials[f"fold {fold}"] = tune(others, f"fold {fold}")
        encoding, function = fit_rows(tuned, others, progress=report)
        raw[outside] = function.raw(others.coded.encode(encoding, outside))
        auc.append(measure(y[outside], probability(raw[outside]), 0.5)["auc"])
        if lesser is not None:
            encoding, less = fit_rows(tuned, others.take(quarter(others, fold)))
            lesser[outside] = less.raw(others.coded.encode(encoding, outside))
        if hasattr(function, "trees"):
            rounds.append(function.trees // tuned.boosters)
    return OutOfFold(raw, tuple(auc), tuple(rounds), trials, lesser)


def quarter(data: TrainingSet, seed: int) -> NDArray[np.intp]:
    """Return a quarter of the positions to learn from, drawn from the seed, a quarter of either outcome."""
    random = np.random.default_rng(seed)
    classes = [data.positions[data.outcomes == outcome] for outcome in (0, 1)]
    return np.sort(np.concatenate([random.permutation(rows)[: -(-len(rows) // 4)] for rows in classes]))


def evaluate(
    y: Outcomes,
    raw: Vector,
    folds: NDArray[np.int8],
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Calibrate out-of-fold log-odds, choose the threshold and measure the decisions: see `judge`.

    Each model never saw the fold that it is judged on. Calibration and threshold of a fold are fitted on the
    out-of-fold scores of the other folds, whose models have seen this fold: cross-fitting, not full nesting.
    What can leak through so few numbers (a map and a threshold) is small.
    """
    calibrated, thresholds = np.empty(len(y)), np.empty(len(y))
    for fold in np.unique(folds):
        outside = folds == fold
        choice = choose(y[~outside], raw[~outside], folds[~outside])
        calibrated[outside] = choice.calibration.of(raw[outside])
        thresholds[outside] = choice.threshold
    p = probability(calibrated)
    metrics = judge(y, raw, p, thresholds, replicates, seed)
    plain = measure(y, probability(raw), thresholds)
    before = {name: plain[name] for name in ("brier", "log_loss", "calibration_error")}
    before |= {name: value for name, value, _ in _line(y, raw)}
    return Evaluation(p, thresholds, metrics, before, choose(y, raw, folds), best_threshold(y, p))


def judge(
    y: Outcomes, raw: Vector, p: Vector, thresholds: Vector, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Measured]:
    """Measure what was said out of fold. Training and validation both ask here, so that they say the same.

    Measures of rank read the log-odds before calibration: within a fold calibration keeps the order, and
    across folds each fold's own calibration only adds noise to it (Forman and Scholz 2010).

    Parameters
    ----------
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    raw, p, thresholds : ndarray of shape (n_applications,)
        Log-odds of the model, calibrated probability of default and threshold of each application.
    replicates, seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        Keys ``MEASURES``, ``calibration_slope`` and ``calibration_intercept``.
    """
    metrics = with_intervals(y, p, thresholds, replicates, seed)
    ranked = with_intervals(y, probability(raw), thresholds, replicates, seed)
    metrics |= {name: ranked[name] for name in RANKS}
    sure = np.clip(p, SURE, 1 - SURE)
    for name, value, error in _line(y, np.log(sure) - np.log1p(-sure)):
        metrics[name] = Measured(value, value - 1.96 * error, value + 1.96 * error)
    return metrics


def _line(y: Outcomes, log_odds: Vector) -> list[tuple[str, float, float]]:
    """Return slope and intercept of the outcomes on the log-odds, with their standard errors."""
    line, errors = regression(y, log_odds)
    return [
        ("calibration_slope", line.slope, errors[0]),
        ("calibration_intercept", line.intercept, errors[1]),
    ]
