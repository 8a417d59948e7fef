"""Learn how far a probability may be from the true one, and which applications a person should look at.

An outcome shows no probability, so the distance to the true one cannot be seen where it is wanted. What can
be seen is how far log-odds move when a model learns from four times as many applications; they have about as
far to go again. How far, for the share `LEVEL` of all applications, was measured on synthetic portfolios,
whose true probabilities are known (`REACH`); `python -m benchmarks.verdict` measures it again on others.

Intervals that were not chosen: those of Venn-Abers are as narrow as the calibration is sure, and say nothing
of the applicants within a score; the spread of a booster's parts stays the same where the error halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.decision import EXTREME, MOST_REVIEWED
from scoring.evaluation.calibrating import CONSTANT, regression
from scoring.metrics import Outcomes, Vector
from scoring.scorer.certainty import (
    DISAGREES,
    LEVEL,
    NEAR,
    REASONS,
    RULE,
    UNLIKE,
    Certainty,
    Reading,
    ReviewRule,
)
from scoring.scorer.scorecard import Scorecard

# In each tenth of the applications by probability, the lowest first: how far the true log-odds lie below and
# above at the 5 % and the 95 % quantile, in units of what a quarter of the applications was short of.
REACH = (
    (2.63, 1.46), (2.24, 1.64), (2.21, 1.60), (2.02, 1.62), (1.91, 1.58),
    (1.85, 1.65), (1.77, 1.59), (1.72, 1.66), (1.86, 1.62), (1.96, 1.75),
)  # fmt: skip
SCORECARD, FIRST = "scorecard", "first"
# What stays further from the truth than it learns: a few coarse bins, and a first model of few trees, which
# learns as little from a quarter of the applications as from all of them.
FURTHER = {SCORECARD: 1.25, FIRST: 1.4}
MOST_UNLIKE, MOST_DISAGREE = 0.02, 0.04  # of it, for two of the reasons; nearness has what is left


@dataclass(frozen=True, eq=False)
class Readable:
    """The readable scorecard beside a model: fitted on all applications, and its log-odds out of fold."""

    card: Scorecard
    raw: Vector


def learn(
    y: Outcomes,
    probability: Vector,
    lesser: Vector,
    threshold: float,
    features: pl.DataFrame,
    *,
    readable: Readable | None = None,
    rules: Sequence[ReviewRule] = (),
    most: float = MOST_REVIEWED,
    further: float = 1.0,
) -> Certainty | None:
    """Learn the certainty of a scorer from what was said out of fold.

    Parameters
    ----------
    y, probability : ndarray of shape (n_applications,)
        Outcomes, and calibrated probabilities of default.
    lesser : ndarray of shape (n_applications,)
        Log-odds of models that learned from a quarter of the others.
    threshold : float
    features : polars.DataFrame of shape (n_applications, n_features)
        What the model reads.
    readable : Readable, optional
    rules : sequence of ReviewRule
        Of the lender.
    most : float
        Share of applications that may go to review. What rules send goes there all the same.
    further : float
        How many times as far as `REACH` an interval reaches: see `FURTHER`.

    Returns
    -------
    Certainty or None
        None if the model says the same of everybody.

    Raises
    ------
    ValueError
        If a rule reads no number that the model reads, or the share is none.
    """
    numbers = {name for name, dtype in features.schema.items() if dtype == pl.Float64}
    if unknown := [rule.feature for rule in rules if rule.feature not in numbers]:
        raise ValueError(f"a rule of review reads {unknown[0]!r}, which is no number that the model reads.")
    if not 0 <= most <= 1:
        raise ValueError(f"a share of {most!r} to review: give one from 0 to 1.")
    score = _log_odds(probability)
    line = regression(y, lesser)[0]
    short = float(np.sqrt(np.mean((score - line.of(lesser)) ** 2)))
    if score.std() < CONSTANT:
        return None
    middles = np.quantile(score, (np.arange(len(REACH)) + 0.5) / len(REACH))
    places = np.flatnonzero(np.concatenate([[True], np.diff(middles) > 0]))
    reach = further * short * np.array(REACH)[places]
    knots, below, above = middles[places], reach[:, 0], reach[:, 1]

    is_refused = probability >= threshold
    sent: dict[str, NDArray[np.bool_]] = {}
    odd = _odd_alone(features)
    least = next(k for k in range(1, int(odd.max()) + 2) if np.mean(odd >= k) <= MOST_UNLIKE)
    sent[UNLIKE] = odd >= least
    ruled = [rule.holds(features[rule.feature].to_numpy()) for rule in rules]
    sent[RULE] = np.any(ruled, axis=0) if ruled else np.zeros(len(y), dtype=bool)
    line_at = float(_log_odds(np.array([threshold]))[0])
    reading, sent[DISAGREES] = _reading(y, readable, line_at, is_refused)

    # As a share of the interval's own reach towards the threshold, how far away that is.
    towards = np.where(score < line_at, np.interp(score, knots, above), np.interp(score, knots, below))
    distance = np.abs(score - line_at) / towards
    others = np.any(list(sent.values()), axis=0)
    room = int(most * len(y)) - int(others.sum())
    free = np.sort(distance[~others])
    share = min(1.0, float(np.nextafter(free[room], 0))) if 0 <= room < len(free) else float(room >= 0)
    near = distance <= share if room > 0 else np.zeros(len(y), dtype=bool)
    ends = (float(probability[near].min()), float(probability[near].max())) if near.any() else (1.0, 0.0)
    sent[NEAR] = (probability >= ends[0]) & (probability <= ends[1])
    shares = {name: float(sent[name].mean()) for name in REASONS}
    shares["any"] = float(np.any(list(sent.values()), axis=0).mean())
    return Certainty(
        tuple(knots.tolist()),
        tuple(below.tolist()),
        tuple(above.tolist()),
        near=ends,
        near_level=_narrowed(share if near.any() else 0.0),
        most=most,
        odd=least,
        reading=reading,
        rules=tuple(rules),
        shares=shares,
    )


def _log_odds(p: Vector) -> Vector:
    inside = np.clip(p, EXTREME, 1 - EXTREME)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _narrowed(share: float) -> float:
    """Return the level of an interval that reaches so far, as a share of the one of `LEVEL`."""
    normal = NormalDist()
    return 2 * normal.cdf(share * normal.inv_cdf((1 + LEVEL) / 2)) - 1


def _odd_alone(features: pl.DataFrame) -> NDArray[np.intp]:
    """Return how many values of each application would be unlike training, had it not been part of it."""
    odd = np.zeros(features.height, dtype=np.intp)
    for column in features.iter_columns():
        known = column.drop_nulls()
        if column.dtype == pl.String:
            alone = known.value_counts().filter(pl.col("count") == 1)[column.name]
        else:
            ends = pl.Series([known.min(), known.max()], dtype=column.dtype).unique()
            alone = known.filter(known.is_in(ends.to_list()))
            alone = alone.filter(alone.is_unique())
        if alone.len():
            odd += column.is_in(alone.to_list()).fill_null(False).to_numpy()
    return odd


def _reading(
    y: Outcomes, readable: Readable | None, line_at: float, is_refused: NDArray[np.bool_]
) -> tuple[Reading | None, NDArray[np.bool_]]:
    """Return from where on the scorecard clearly disagrees, and where it does: in few enough cases."""
    nobody = np.zeros(len(y), dtype=bool)
    if readable is None:
        return None, nobody
    line = regression(y, readable.raw)[0]
    if line.slope <= 0:  # it orders nothing
        return None, nobody
    card = line.of(readable.raw)
    against = np.where(is_refused, line_at - card, card - line_at)  # how far on the other side
    allowed = int(MOST_DISAGREE * len(y))
    gap = max(0.0, float(np.nextafter(np.sort(against)[::-1][allowed], np.inf)))
    refuses_from, grants_to = ((line_at + side * gap - line.intercept) / line.slope for side in (1, -1))
    found = np.where(is_refused, readable.raw <= grants_to, readable.raw >= refuses_from)
    return Reading(readable.card, refuses_from, grants_to), found
