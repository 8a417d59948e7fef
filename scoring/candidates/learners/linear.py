"""Logistic regression on clipped, standardised features and on their gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from scoring.candidates.learners.imbalance import Treatment, hold_back, treat
from scoring.metrics import Outcomes
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


def fit_linear(
    settings: Mapping[str, Any], matrix: Matrix, y: Outcomes, seed: int, treatment: Treatment = "none"
) -> Linear:
    """Fit a logistic regression; ``settings`` are scikit-learn's, and ``clip`` and ``most_rows``."""
    settings = dict(settings)
    clip, most_rows = float(settings.pop("clip")), int(settings.pop("most_rows"))
    if len(y) > most_rows:
        drawn = hold_back(y, most_rows / len(y), seed)
        matrix, y = matrix[drawn], y[drawn]
    d = design(matrix, clip)
    columns, outcomes, weights = treat(treatment, d.columns, y, seed)
    regression = LogisticRegression(**settings).fit(columns, outcomes, weights)
    coefficients = regression.coef_[0]
    n_features = matrix.shape[1]
    missing = np.zeros(n_features)
    missing[d.speaks] = coefficients[n_features:]
    return Linear(
        float(regression.intercept_[0]), coefficients[:n_features],
        d.low, d.high, d.median, d.mean, d.scale, missing, d.share,
    )  # fmt: skip
