"""What goes to a person, and what a review saves by how often the person is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from scoring.decision import Costs
from scoring.metrics import Outcomes
from scoring.scorer import Scorer
from scoring.scorer.certainty import REASONS
from scoring.scorer.model import Vector

RIGHT = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Reviewed:
    """Reviews of applications as they were decided out of fold.

    Attributes
    ----------
    applications : int
    shares : mapping of str to float
        Share of them that each of `REASONS` sends, and ``"any"``.
    width : float
        Median width of an interval, in probability.
    holding : float
        Share of applications whose interval holds the threshold.
    saved : mapping of float to float
        Mean cost that one review saves, by how often the person decides as the outcome would: right or wrong,
        whichever side the model took. Empty if nothing goes to review.
    """

    applications: int
    shares: Mapping[str, float]
    width: float
    holding: float
    saved: Mapping[float, float]


def review(
    scorer: Scorer, features: pl.DataFrame, y: Outcomes, default: Vector, thresholds: Vector
) -> Reviewed | None:
    """Send applications to review by their probabilities out of fold; None for a scorer without certainty.

    What training saw is nothing unlike training: that reason is met by new applications only.

    Parameters
    ----------
    scorer : Scorer
    features : polars.DataFrame of shape (n_applications, n_features)
    y, default, thresholds : ndarray of shape (n_applications,)
        Outcomes; probabilities and thresholds, out of fold.
    """
    certainty = scorer.certainty
    if certainty is None:
        return None
    is_refused = default >= thresholds
    none_odd = np.zeros(len(y), dtype=np.intp)
    matrix = scorer.encode(features)
    bits = certainty.reviews(default, is_refused, none_odd, matrix, lambda name: features[name].to_numpy())
    shares = {name: float(((bits >> i) & 1).mean()) for i, name in enumerate(REASONS)}
    low, high = certainty.interval(default)
    return Reviewed(
        len(y),
        {**shares, "any": float((bits > 0).mean())},
        float(np.median(high - low)),
        float(((low <= thresholds) & (thresholds <= high)).mean()),
        _saved(y[bits > 0], is_refused[bits > 0], scorer.costs),
    )


def _saved(
    y: Outcomes, is_refused: np.ndarray[tuple[int], np.dtype[np.bool_]], costs: Costs
) -> dict[float, float]:
    if not len(y):
        return {}
    error = np.where(y == 1, costs.false_negative, costs.false_positive)  # what it costs to be wrong
    is_wrong = (y == 1) != is_refused
    return {right: float(np.mean(error * is_wrong - (1 - right) * error)) for right in RIGHT}
