"""The scorecard: bins by optbinning, log-odds by a logistic regression on the weights of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from scoring.candidates.family import Candidate, Family, Sample
from scoring.candidates.imbalance import hold_back, treat
from scoring.metrics import Outcomes
from scoring.scorer.model import Matrix, Vector
from scoring.scorer.scorecard import FeaturePoints, Scorecard

SCREEN_BINS = 10
PRIOR = 20.0  # applications: a bin's default rate is shrunk towards the mean as by so many more


@dataclass(frozen=True, eq=False)
class _Binned:
    """A feature cut into bins; the last bin is that of the gaps."""

    position: int
    edges: tuple[float, ...]
    woe: Vector
    value: float  # information value

    def of(self, column: Vector) -> Vector:
        return self.woe[_bins(column, self.edges)]


def fit_scorecard(candidate: Candidate, sample: Sample) -> Scorecard:
    """Fit a scorecard of few features.

    The features with most information are cut into bins whose default rates keep the declared direction (or
    rise, fall, peak or dip once); of two that say nearly the same the better one is kept; a feature that the
    regression turns round is left out.

    Its settings: ``screened`` and ``features``, how many are cut, and how many may enter; ``max_bins``,
    ``min_share`` of a bin; ``alike``, correlation from which two features say the same; ``C`` of the
    regression; ``most_rows`` to learn from.
    """
    matrix, y, settings = sample.matrix, sample.y, candidate.settings
    if len(y) > settings["most_rows"]:
        drawn = hold_back(y, settings["most_rows"] / len(y), sample.seed)
        matrix, y = matrix[drawn], y[drawn]
    candidates = sorted(_screen(matrix, y), reverse=True)[: settings["screened"]]
    binned = [_cut(i, matrix[:, i], y, sample.constraints[i], settings) for _, i in candidates]
    chosen: list[_Binned] = []
    columns: list[Vector] = []
    for feature in sorted(binned, key=lambda feature: -feature.value):
        column = feature.of(matrix[:, feature.position])
        if feature.value <= 0 or len(chosen) == settings["features"]:
            break
        if all(abs(np.corrcoef(column, other)[0, 1]) < settings["alike"] for other in columns):
            chosen.append(feature)
            columns.append(column)
    if not chosen:
        raise ValueError("no feature tells defaults from repaid credits: a scorecard has nothing to count.")
    rows, outcomes, weights = treat(sample.treatment, np.column_stack(columns), y, sample.seed)
    kept = list(range(len(chosen)))
    while True:  # each round leaves one out, and one feature alone cannot turn round
        model = LogisticRegression(C=settings["C"]).fit(rows[:, kept], outcomes, weights)
        coefficients = model.coef_[0]
        if len(kept) == 1 or coefficients.min() >= 0:
            break
        kept.pop(int(np.argmin(coefficients)))
    centres = [float(columns[k].mean()) for k in kept]
    terms = []
    for k, coefficient, centre in zip(kept, coefficients, centres, strict=True):
        log_odds = coefficient * (chosen[k].woe - centre)
        points = tuple(log_odds[:-1].tolist())
        terms.append(FeaturePoints(chosen[k].position, chosen[k].edges, points, float(log_odds[-1])))
    intercept = float(model.intercept_[0]) + float(np.dot(coefficients, centres))
    return Scorecard(intercept, tuple(sorted(terms, key=lambda term: term.position)))


def _screen(matrix: Matrix, y: Outcomes) -> list[tuple[float, int]]:
    """Return the information value of each column in ten bins of equal count, with its position."""
    found = []
    for i in range(matrix.shape[1]):
        column = matrix[:, i]
        known = column[~np.isnan(column)]
        if len(known):
            edges = np.unique(np.quantile(known, np.arange(1, SCREEN_BINS) / SCREEN_BINS))
            found.append((_evidence(column, y, tuple(edges.tolist()))[1], i))
    return found


def _cut(position: int, column: Vector, y: Outcomes, direction: int, settings: Mapping[str, Any]) -> _Binned:
    """Cut a column where optbinning says; the weights of evidence are our own."""
    from optbinning import OptimalBinning

    known = ~np.isnan(column)
    trend = {1: "ascending", -1: "descending", 0: "auto"}[direction]
    binning = OptimalBinning(
        dtype="numerical",
        monotonic_trend=trend,
        max_n_bins=settings["max_bins"],
        min_bin_size=settings["min_share"],
    ).fit(column[known], y[known])
    edges = tuple(float(edge) for edge in binning.splits)
    woe, value = _evidence(column, y, edges)
    return _Binned(position, edges, woe, value)


def _evidence(column: Vector, y: Outcomes, edges: tuple[float, ...]) -> tuple[Vector, float]:
    """Return the weight of evidence (log-odds against the mean) of each bin, and the information value."""
    bins = _bins(column, edges)
    size = np.bincount(bins, minlength=len(edges) + 2).astype(np.float64)
    bads = np.bincount(bins, y.astype(np.float64), len(edges) + 2)
    mean = float(y.mean())
    rate = (bads + PRIOR * mean) / (size + PRIOR)
    woe = np.log(rate / (1 - rate)) - np.log(mean / (1 - mean))
    value = float(((bads / bads.sum() - (size - bads) / (size - bads).sum()) * woe).sum())
    return woe, value


def _bins(column: Vector, edges: tuple[float, ...]) -> NDArray[np.intp]:
    """Return the bin of each value; gaps are in the last one."""
    return np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, side="right"))


SCORECARD = Candidate(
    "scorecard",
    Family(
        "scorecard",
        fit_scorecard,
        is_served=True,
        grid={"features": [15, 25, 40], "max_bins": [4, 6, 8]},
        libraries=("optbinning",),
    ),
    {
        "screened": 60,
        "features": 25,
        "max_bins": 6,
        "min_share": 0.05,
        "alike": 0.7,
        "C": 1.0,
        "most_rows": 100_000,
    },
)
