"""The ways to treat imbalance that are compared: they cost calibration, so what they make is never served."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scoring.metrics import Outcomes
from scoring.scorer.model import Matrix, Vector

Treatment = Literal["none", "weights", "undersampling", "smote"]
TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)

RESAMPLING = dict.fromkeys(("undersampling", "smote"), ("imbalanced-learn",))
"""Distributions that a treatment needs."""
NEIGHBOURS = 5  # of SMOTE (Chawla 2002)


def treat(treatment: Treatment, matrix: Matrix, y: Outcomes, seed: int) -> tuple[Matrix, Outcomes, Vector]:
    """Return the rows to learn from, their outcomes and their weights.

    Parameters
    ----------
    treatment : {"none", "weights", "undersampling", "smote"}
        Weights make both outcomes weigh alike; the other two make them equally many.
    matrix, y
        Rows and outcomes; SMOTE takes no gap.
    seed : int
    """
    if treatment == "weights":
        return matrix, y, balanced(y)
    if treatment == "undersampling":
        from imblearn.under_sampling import RandomUnderSampler

        sampler = RandomUnderSampler(random_state=seed)
        sampler.fit_resample(np.arange(len(y))[:, None], y)
        kept = np.sort(sampler.sample_indices_)
        return matrix[kept], y[kept], np.ones(len(kept))
    if treatment == "smote":
        from imblearn.over_sampling import SMOTE

        mean, scale = matrix.mean(axis=0), matrix.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)  # neighbours are near in all features alike
        sampler = SMOTE(random_state=seed, k_neighbors=min(NEIGHBOURS, int(y.sum()) - 1))
        more, outcomes = sampler.fit_resample((matrix - mean) / scale, y)
        return more * scale + mean, outcomes.astype(np.int8), np.ones(len(outcomes))
    return matrix, y, np.ones(len(y))


def balanced(y: Outcomes) -> NDArray[np.float64]:
    """Return weights that make both outcomes weigh alike, one on average."""
    share = float(y.mean())
    return np.where(y == 1, 0.5 / share, 0.5 / (1 - share))


def hold_back(y: Outcomes, share: float, seed: int) -> NDArray[np.bool_]:
    """Mark a share of each class, at least one row of each, drawn from the seed."""
    random = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    for outcome in (0, 1):
        rows = np.flatnonzero(y == outcome)
        held[random.permutation(rows)[: max(1, round(share * len(rows)))]] = True
    return held
