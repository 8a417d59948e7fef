"""A scorecard as its reader uses it: points by bin, each beside the default rate that was seen there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from scoring.decision import EXTREME
from scoring.evidence.fairness import SMALLEST
from scoring.metrics import Outcomes
from scoring.scorer import Scorer
from scoring.scorer.calibration import Affine
from scoring.scorer.model import probability
from scoring.scorer.scorecard import Scorecard


@dataclass(frozen=True)
class CardLine:
    """One bin of one feature.

    Attributes
    ----------
    feature : str
    low, high : float or None
        Of a number: values from ``low`` on and below ``high``; None at the ends.
    levels : tuple of str
        Of a category.
    is_missing : bool
        Whether it is the bin of the applications without a value.
    default_rate : float or None
        Seen there; None if the bin holds fewer than ``SMALLEST`` applications.
    points : float
        What the bin adds to the score of the average application.
    """

    feature: str
    low: float | None
    high: float | None
    levels: tuple[str, ...]
    is_missing: bool
    default_rate: float | None
    points: float


@dataclass(frozen=True)
class Card:
    """A scorecard.

    Attributes
    ----------
    run_id : str
    base : int
        Points of the average application.
    is_exact : bool
        Whether the points add up to the score; after a bent calibration they add up to it before that.
    lines : tuple of Line
    """

    run_id: str
    base: int
    is_exact: bool
    lines: tuple[CardLine, ...]


def lay_out(run_id: str, scorer: Scorer, features: pl.DataFrame, y: Outcomes) -> Card:
    """Lay out a scorecard beside the outcomes.

    Parameters
    ----------
    scorer : Scorer
        Of the family ``"scorecard"``.
    features : polars.DataFrame of shape (n_applications, n_features)
        With all that it reads.
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.

    Raises
    ------
    ValueError
        If it is of another family.
    """
    card, straight = scorer.model.function, scorer.calibration
    if not isinstance(card, Scorecard):
        raise ValueError(f"run {run_id} is a {scorer.family}, not a scorecard.")
    straight = straight if isinstance(straight, Affine) else Affine()
    said = card.to_json(scorer.feature_names, scorer.categories, -scorer.points.factor * straight.slope)
    matrix = scorer.encode(features.select(scorer.feature_names))
    lines: list[CardLine] = []
    for term in sorted(card.terms, key=lambda term: -float(np.ptp([*term.log_odds, term.missing]))):
        name, column = scorer.feature_names[term.position], matrix[:, term.position]
        gaps = np.isnan(column)
        bins = np.searchsorted(term.edges, column, side="right")
        entries = said["terms"][name]
        for number, entry in enumerate(entries["bins"]):
            lines.append(_line(name, entry, y[(bins == number) & ~gaps]))
        lines.append(_line(name, entries["missing"], y[gaps], is_missing=True))
    base = float(np.clip(probability(straight.of(np.array([card.intercept])))[0], EXTREME, 1 - EXTREME))
    return Card(run_id, int(scorer.points.of(base)), isinstance(scorer.calibration, Affine), tuple(lines))


def _line(feature: str, entry: Mapping[str, object], seen: Outcomes, is_missing: bool = False) -> CardLine:
    low, high, levels, points = (entry.get(key) for key in ("from", "below", "levels", "points"))
    return CardLine(
        feature,
        low if isinstance(low, float) else None,
        high if isinstance(high, float) else None,
        tuple(map(str, levels)) if isinstance(levels, list) else (),
        is_missing,
        float(seen.mean()) if len(seen) >= SMALLEST else None,
        points if isinstance(points, float) else 0.0,
    )
