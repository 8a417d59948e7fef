"""Logistic regression on clipped, standardised features and on their gaps; and the constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from scoring.candidates.family import Candidate, Family, Sample
from scoring.candidates.imbalance import hold_back, treat
from scoring.scorer.model import Linear, Matrix, Vector


@dataclass(frozen=True, eq=False)
class Design:
    """The columns that the regression sees, and how they came from the features."""

    columns: Matrix
    low: Vector
    high: Vector
    median: Vector
    mean: Vector
    scale: Vector
    share: Vector
    speaks: list[int]  # features whose gaps have a column


def design(matrix: Matrix, clip: float) -> Design:
    """Clip this share of each tail of each feature, standardise, and add the gaps."""
    n_features = matrix.shape[1]
    gaps = np.isnan(matrix)
    known = np.where(gaps.all(axis=0), 0.0, matrix)  # a column without any value counts as zero throughout
    low, median, high = np.nanquantile(known, [clip, 0.5, 1 - clip], axis=0)
    values = np.clip(np.where(gaps, median, known), low, high)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    is_constant = scale <= 1e-9 * np.maximum(1.0, np.abs(mean))
    scale = np.where(is_constant, 1.0, scale)
    share = gaps.mean(axis=0)
    # Features of one table are missing together: one column of gaps speaks for all that have the same.
    patterns = {gaps[:, i].tobytes(): i for i in reversed(range(n_features)) if 0 < share[i] < 1}
    speaks = sorted(patterns.values())
    columns = np.hstack([np.where(is_constant, 0.0, (values - mean) / scale), (gaps - share)[:, speaks]])
    return Design(columns, low, high, median, mean, scale, share, speaks)


def fit_linear(candidate: Candidate, sample: Sample) -> Linear:
    """Fit a logistic regression; its settings are scikit-learn's, and ``clip`` and ``most_rows``.

    A feature that the regression turns round, against its declared direction, is left out and the rest fitted
    again, until none is: what is left keeps every direction.
    """
    matrix, y = sample.matrix, sample.y
    settings = dict(candidate.settings)
    clip, most_rows = float(settings.pop("clip")), int(settings.pop("most_rows"))
    if len(y) > most_rows:
        drawn = hold_back(y, most_rows / len(y), sample.seed)
        matrix, y = matrix[drawn], y[drawn]
    d = design(matrix, clip)
    columns, outcomes, weights = treat(sample.treatment, d.columns, y, sample.seed)
    n_features = matrix.shape[1]
    asked = np.zeros(columns.shape[1])
    asked[:n_features] = sample.constraints
    kept, coefficients = np.arange(columns.shape[1]), np.zeros(columns.shape[1])
    while True:  # each round leaves some out; the columns of gaps have no direction
        if not kept.size:  # nothing keeps its direction: everybody is told the same
            return fit_constant(candidate, sample)
        regression = LogisticRegression(**settings).fit(columns[:, kept], outcomes, weights)
        turned = regression.coef_[0] * asked[kept] < 0
        if not turned.any():
            break
        kept = kept[~turned]
    coefficients[kept] = regression.coef_[0]
    missing = np.zeros(n_features)
    missing[d.speaks] = coefficients[n_features:]
    return Linear(
        float(regression.intercept_[0]), coefficients[:n_features],
        d.low, d.high, d.median, d.mean, d.scale, missing, d.share,
    )  # fmt: skip


def fit_constant(_candidate: Candidate, sample: Sample) -> Linear:
    """Give everybody the log-odds of all."""
    defaults = int(np.count_nonzero(sample.y))
    return Linear.constant(float(np.log(defaults / (len(sample.y) - defaults))), len(sample.names))


DUMMY = Candidate("dummy", Family("constant", fit_constant, is_served=True))
LOGISTIC_REGRESSION = Candidate(
    "logistic_regression",
    Family("linear", fit_linear, is_served=True, grid={"C": [0.001, 0.003, 0.01, 0.03, 0.1]}),
    {
        "C": 0.01,
        "solver": "newton-cholesky",
        "max_iter": 100,
        "clip": 0.005,  # of each tail of each feature is read as its edge
        "most_rows": 100_000,  # of more, so many are drawn: they settle a few hundred coefficients
    },
)
