"""Fit calibration and threshold on out-of-fold log-odds; judge both on folds that they did not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from scoring.decision import steady_threshold
from scoring.metrics import Outcomes, Vector
from scoring.scorer.calibration import Affine, Beta, Calibration, Isotonic
from scoring.scorer.model import probability

Folds = NDArray[np.integer]

CONSTANT = 1e-3  # log-odds; a dummy's differ among folds by less
PRIOR = 10.0  # applications: an isotonic block's default rate is shrunk towards the mean as by so many more


@dataclass(frozen=True, eq=False)
class Choice:
    """A calibration and a threshold chosen out of fold.

    Attributes
    ----------
    kind : str
        Key of ``KINDS``.
    calibration : Calibration
        Fitted on all applications given.
    threshold : float
    log_loss : mapping of str to float
        Of each kind, out of fold: each fold's map is fitted on the others.
    """

    kind: str
    calibration: Calibration
    threshold: float
    log_loss: Mapping[str, float]


def choose(y: Outcomes, raw: Vector, folds: Folds) -> Choice:
    """Choose the calibration by out-of-fold log-loss, then the threshold by cost.

    The simplest kind wins (in the order of ``KINDS``) whose log-loss is not above the lowest by more than
    one standard error of their paired difference.

    Parameters
    ----------
    y, raw : ndarray of shape (n_applications,)
        Outcomes, and log-odds of models that did not see them.
    folds : ndarray of shape (n_applications,)
        The maps are compared across these; if all are alike, across two halves.
    """
    parts = folds if (folds != folds[0]).any() else np.arange(len(y)) % 2
    mapped = {kind: np.empty(len(y)) for kind in KINDS}
    for part in np.unique(parts):
        outside = parts == part
        for kind, fit in KINDS.items():
            mapped[kind][outside] = fit(y[~outside], raw[~outside]).of(raw[outside])
    losses = {kind: log_losses(y, log_odds) for kind, log_odds in mapped.items()}
    means = {kind: float(loss.mean()) for kind, loss in losses.items()}
    best = min(means, key=lambda kind: means[kind])
    for kind in KINDS:  # the best itself ends the search
        worse = losses[kind] - losses[best]
        if worse.mean() <= worse.std() / len(y) ** 0.5:
            break
    threshold = steady_threshold(y, probability(mapped[kind]))
    return Choice(kind, KINDS[kind](y, raw), threshold, means)


def log_losses(y: Outcomes, log_odds: Vector) -> Vector:
    """Return each application's log-loss, in nats."""
    return np.asarray(np.logaddexp(0.0, np.where(y == 1, -log_odds, log_odds)))


def as_it_is(y: Outcomes, raw: Vector) -> Affine:  # noqa: ARG001 - the same shape as the others
    """Leave the log-odds as they are."""
    return Affine()


def platt(y: Outcomes, raw: Vector) -> Affine:
    """Fit an affine map by maximum likelihood.

    Log-odds that do not order the risk (a constant, or a slope that is not positive) say nothing: their
    slope is 0 and every application gets the mean default rate.
    """
    fitted = regression(y, raw)[0]
    return fitted if fitted.slope > 0 else mean_rate(y)


def beta(y: Outcomes, raw: Vector) -> Calibration:
    """Fit a beta map by maximum likelihood; a term that would fall with the risk is left out."""
    if raw.std() < CONSTANT:
        return mean_rate(y)
    terms = np.column_stack([-np.logaddexp(0.0, -raw), np.logaddexp(0.0, raw)])
    kept = np.array([True, True])
    weights, _ = _logistic(y, terms)
    if (weights[1:] < 0).any():
        kept[int(np.argmin(weights[1:]))] = False
        weights, _ = _logistic(y, terms[:, kept])
    a, b = np.zeros(2), weights[1:]
    a[kept] = b
    return Beta(float(a[0]), float(a[1]), float(weights[0])) if (a >= 0).all() and a.any() else mean_rate(y)


def isotonic(y: Outcomes, raw: Vector) -> Calibration:
    """Fit a rising map: pooled default rates, joined by lines between the middles of their blocks."""
    if raw.std() < CONSTANT:
        return mean_rate(y)
    order = np.argsort(raw, kind="stable")
    x, outcome = raw[order], y[order].astype(np.float64)
    steps = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(x, outcome)
    starts = np.flatnonzero(np.concatenate(([True], steps[1:] > steps[:-1])))
    size = np.diff(np.append(starts, len(x)))
    mean = float(outcome.mean())
    rate = (np.add.reduceat(outcome, starts) + PRIOR * mean) / (size + PRIOR)
    middle = np.add.reduceat(x, starts) / size
    rate = np.maximum.accumulate(rate)  # shrinking pulls small blocks more, so it can undo the order
    return Isotonic(tuple(middle.tolist()), tuple((np.log(rate) - np.log1p(-rate)).tolist()))


KINDS: dict[str, Callable[[Outcomes, Vector], Calibration]] = {
    "none": as_it_is,
    "platt": platt,
    "beta": beta,
    "isotonic": isotonic,
}


def mean_rate(y: Outcomes) -> Affine:
    """Give every application the mean default rate."""
    return Affine(0.0, float(np.log(y.mean() / (1 - y.mean()))))


def regression(y: Outcomes, raw: Vector) -> tuple[Affine, tuple[float, float]]:
    """Regress the outcome on the log-odds: the calibration's slope and intercept, 1 and 0 when it is perfect.

    Returns
    -------
    Affine
        Slope 0 where the log-odds are constant.
    tuple of float
        Standard errors of slope and intercept.
    """
    if raw.std() < CONSTANT:
        return mean_rate(y), (0.0, float((len(y) * y.mean() * (1 - y.mean())) ** -0.5))
    weights, covariance = _logistic(y, raw[:, None])
    errors = np.sqrt(np.diag(covariance))
    return Affine(float(weights[1]), float(weights[0])), (float(errors[1]), float(errors[0]))


def _logistic(y: Outcomes, terms: Vector) -> tuple[Vector, Vector]:
    """Return intercept and weights of a logistic regression, and their covariance, by Newton's method."""
    centre, spread = terms.mean(axis=0), np.maximum(terms.std(axis=0), 1e-12)
    design = np.column_stack([np.ones(len(y)), (terms - centre) / spread])
    weights = np.zeros(design.shape[1])
    weights[0] = mean_rate(y).intercept
    for _ in range(50):  # the likelihood is concave
        p = probability(design @ weights)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(len(weights))
        step = np.clip(np.linalg.solve(hessian, design.T @ (y - p)), -2.0, 2.0)
        weights += step
        if np.abs(step).max() < 1e-10:
            break
    back = np.diag(np.concatenate(([1.0], 1 / spread)))  # from standardised terms to the terms
    back[0, 1:] = -centre / spread
    return back @ weights, back @ np.linalg.inv(hessian) @ back.T
