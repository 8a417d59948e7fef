"""The model families that are compared, and their crossing with the treatments of imbalance.

What may be champion neither weights nor resamples: the probability of default is wanted, and the costs of the
two errors come in at the threshold (Elkan 2001).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.candidates.family import Candidate, Comparator, Family, Progress, Sample, TrainingSet
from scoring.candidates.imbalance import TREATMENTS
from scoring.candidates.learners.boosted import LIGHTGBM, LIGHTGBM_FREE, PROBE
from scoring.candidates.learners.catboosted import CATBOOST
from scoring.candidates.learners.forest import RANDOM_FOREST
from scoring.candidates.learners.linear import DUMMY, LOGISTIC_REGRESSION
from scoring.candidates.learners.woe import SCORECARD
from scoring.candidates.learners.xgboosted import XGBOOST
from scoring.metrics import Outcomes
from scoring.scorer.model import Encoding, Matrix, Model

__all__ = [
    "COMPARISONS",
    "DUMMY",
    "LIGHTGBM",
    "LIGHTGBM_FREE",
    "LOGISTIC_REGRESSION",
    "PROBE",
    "REGISTERED",
    "SCORECARD",
    "XGBOOST",
    "Candidate",
    "Comparator",
    "Family",
    "Progress",
    "Sample",
    "TrainingSet",
    "Trials",
    "fit",
    "fit_rows",
    "varies",
    "vectorise",
]

Trials = list[dict[str, Any]]  # of a search: settings, state, cost_per_1000, auc, accuracy

REGISTERED = (
    DUMMY,
    LOGISTIC_REGRESSION,
    SCORECARD,
    RANDOM_FOREST,
    XGBOOST,
    CATBOOST,
    LIGHTGBM_FREE,
    LIGHTGBM,
)
"""Every family, as it is compared; a new one is a file of `learners` and a line here."""

COMPARISONS: dict[str, tuple[Candidate, ...]] = {
    "champion": (LIGHTGBM,),
    "quick": (DUMMY, LOGISTIC_REGRESSION, LIGHTGBM),
    "families": REGISTERED,
    # A constant has nothing to treat.
    "all": REGISTERED + tuple(c.treated(t) for c in REGISTERED[1:] for t in TREATMENTS[1:]),
}


def fit(
    candidate: Candidate, data: TrainingSet, rounds: int | None = None, progress: Progress | None = None
) -> Model:
    """Fit a candidate that can be served on these applications and nothing else.

    Parameters
    ----------
    candidate : Candidate
        What to fit.
    data : TrainingSet
    rounds : int, optional
        Boosted only: the number of trees of each booster. If not given, the parts left out choose it.
    progress : callable, optional
        Called with the rounds done and the most rounds there can be.

    Raises
    ------
    ValueError
        If there is one outcome only, no feature varies, or the candidate cannot be served.
    """
    if not candidate.family.is_served:
        raise ValueError(f"{candidate.name} is a comparison only; it cannot be served.")
    return Model(*fit_rows(candidate, data, rounds, progress))


def fit_rows(
    candidate: Candidate, data: TrainingSet, rounds: int | None = None, progress: Progress | None = None
) -> tuple[Encoding, Any]:
    """Fit any candidate; return the encoding and the function learned. Parameters and errors as ``fit``."""
    y = data.outcomes
    defaults = int(np.count_nonzero(y))
    if not 0 < defaults < len(y):
        raise ValueError(f"{defaults} defaults among {len(y)} applications: a model needs both outcomes.")
    needs_all = candidate.treatment == "smote" and candidate.family.reads_gaps
    encoding, matrix = data.coded.learn(data.positions, y, is_complete=needs_all)
    if candidate.family is not DUMMY.family and not varies(matrix).any():
        raise ValueError(
            f"none of the {matrix.shape[1]} features varies over {len(y)} applications: nothing to learn."
        )
    names = encoding.names
    constraints = [int(data.directions.get(name, 0)) * candidate.is_directed for name in names]
    if any(constraints[i] and name in encoding.levels for i, name in enumerate(names)):
        raise ValueError("a category feature cannot have a monotone direction; declare it as a number.")
    sample = Sample(matrix, y, names, constraints, candidate.treatment, data.seed, rounds, progress)
    return encoding, candidate.family.fit(candidate, sample)


def varies(matrix: Matrix) -> NDArray[np.bool_]:
    """Return whether each column takes two values, missing being one."""
    missing = np.isnan(matrix)
    low = np.where(missing, np.inf, matrix).min(axis=0)
    high = np.where(missing, -np.inf, matrix).max(axis=0)
    return np.asarray((low < high) | (missing.any(axis=0) & ~missing.all(axis=0)))


def vectorise(y: pl.Series) -> Outcomes:
    """Return TARGET as an array of 0 and 1.

    Raises
    ------
    ValueError
        If a value is missing or is neither 0 nor 1.
    """
    if y.null_count() or not y.is_in([0, 1]).all():
        raise ValueError("TARGET must be 0 (repaid) or 1 (default) for every application.")
    return y.to_numpy().astype(np.int8)
