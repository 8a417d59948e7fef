"""Rows that are held back from growing trees, to tell how many of them are enough."""

from __future__ import annotations

import numpy as np

from scoring.candidates.family import Sample
from scoring.candidates.imbalance import balanced, hold_back, treat
from scoring.metrics import Outcomes
from scoring.scorer.model import Matrix, Vector

SHARE, MOST_ROWS = 0.2, 20_000  # a fifth, but no more than are needed to see the minimum

Weighed = tuple[Matrix, Outcomes, Vector]
"""Rows, their outcomes and their weights."""


def split(sample: Sample) -> tuple[Weighed, Weighed]:
    """Return what to grow trees on, treated, and what to judge them on, as it came but for its weights."""
    held = hold_back(sample.y, min(SHARE, MOST_ROWS / len(sample.y)), sample.seed)
    kept = treat(sample.treatment, sample.matrix[~held], sample.y[~held], sample.seed)
    y = sample.y[held]
    fair = np.ones(len(y)) if sample.treatment == "none" else balanced(y)
    return kept, (sample.matrix[held], y, fair)
