"""The model families that are compared, their settings, and their crossing with the treatments of imbalance.

What may be champion neither weights nor resamples: the probability of default is wanted, and the costs of the
two errors come in at the threshold (Elkan 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.candidates.coding import Coded, Rows
from scoring.candidates.learners import (
    TREATMENTS,
    Comparator,
    Treatment,
    fit_boosted,
    fit_forest,
    fit_linear,
    fit_scorecard,
    fit_xgboost,
)
from scoring.metrics import Outcomes
from scoring.scorer.model import Encoding, Linear, Matrix, Model

Progress = Callable[[int, int], None]  # rounds done, rounds at most
Trials = list[dict[str, Any]]  # of a search: settings, state, cost_per_1000, auc, accuracy


@dataclass(frozen=True)
class Candidate:
    """A declared model: a family and its settings.

    Attributes
    ----------
    name : str
        Name of its run.
    family : {"constant", "linear", "scorecard", "forest", "xgboost", "boosted"}
        How it is fitted; forest and xgboost cannot be served.
    settings : mapping
        Hyper-parameters in the words of the library that fits it.
    rounds : int
        xgboost and boosted only: the most trees that may grow, in each booster.
    boosters : int
        boosted only: how many are grown, each without another part of the rows, and merged into one.
    treatment : {"none", "weights", "undersampling", "smote"}
        What is done about imbalance.
    is_directed : bool
        boosted and scorecard only: whether the declared directions hold.
    """

    name: str
    family: Literal["constant", "linear", "scorecard", "forest", "xgboost", "boosted"]
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 0
    boosters: int = 1
    treatment: Treatment = "none"
    is_directed: bool = True

    @property
    def obstacle(self) -> str | None:
        """Why it can never be champion; None if it can."""
        if self.treatment != "none":
            return f"{self.treatment}: a comparison, its probabilities need repair"
        if self.family in ("forest", "xgboost"):
            return f"{self.family}: a comparison, it cannot be served"
        if not self.is_directed:
            return "no directions: a comparison, its reasons could say that less debt is a risk"
        return None

    def treated(self, treatment: Treatment) -> Candidate:
        """Return the same model with another treatment of imbalance."""
        return replace(self, name=f"{self.name}_{treatment}", treatment=treatment)


DUMMY = Candidate("dummy", "constant")
LOGISTIC_REGRESSION = Candidate(
    "logistic_regression",
    "linear",
    {
        "C": 0.01,
        "solver": "newton-cholesky",
        "max_iter": 100,
        "clip": 0.005,  # of each tail of each feature is read as its edge
        "most_rows": 100_000,  # of more, so many are drawn: they settle a few hundred coefficients
    },
)
SCORECARD = Candidate(
    "scorecard",
    "scorecard",
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
RANDOM_FOREST = Candidate(
    "random_forest",
    "forest",
    {"n_estimators": 300, "min_samples_leaf": 20, "max_features": "sqrt", "most_rows": 50_000},
)
XGBOOST = Candidate(
    "xgboost",
    "xgboost",
    {
        "learning_rate": 0.05,
        "max_depth": 5,
        "min_child_weight": 5,
        "subsample": 0.8,
        "colsample_bytree": 0.2,
        "lambda": 50.0,
        "max_bin": 127,
    },
    rounds=2_000,
)
LIGHTGBM = Candidate(
    "lightgbm",
    "boosted",
    {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 12,
        "min_child_samples": 70,
        "feature_fraction": 0.08,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 100.0,
        "max_bin": 127,
    },
    rounds=600,
    boosters=5,
)
PROBE = replace(LIGHTGBM, name="probe", boosters=1)  # asks what a table can tell; decides nothing
LIGHTGBM_FREE = replace(LIGHTGBM, name="lightgbm_free", is_directed=False)

FAMILIES = (DUMMY, LOGISTIC_REGRESSION, SCORECARD, RANDOM_FOREST, XGBOOST, LIGHTGBM_FREE, LIGHTGBM)
COMPARISONS: dict[str, tuple[Candidate, ...]] = {
    "champion": (LIGHTGBM,),
    "quick": (DUMMY, LOGISTIC_REGRESSION, LIGHTGBM),
    "families": FAMILIES,
    # A constant has nothing to treat.
    "all": FAMILIES + tuple(c.treated(t) for c in FAMILIES[1:] for t in TREATMENTS[1:]),
}


def fit(
    candidate: Candidate,
    features: pl.DataFrame | Coded,
    y: Outcomes,
    directions: Mapping[str, int],
    seed: int = 0,
    rounds: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Fit a candidate that can be served on these applications and nothing else.

    Parameters
    ----------
    candidate : Candidate
        What to fit.
    features : polars.DataFrame of shape (n_applications, n_features) or Coded
        Numbers as Float64, categories as String; missing is null.
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    directions : mapping of str to int
        Features whose higher value must never lower (+1) or raise (-1) the risk.
    seed : int
        Same seed and same rows: same model, bit for bit.
    rounds : int, optional
        Boosted only: the number of trees of each booster. If not given, the parts left out choose it.
    progress : callable, optional
        Called with the rounds done and the most rounds there can be.

    Raises
    ------
    ValueError
        If ``y`` has one class only, no feature varies, or the candidate cannot be served.
    """
    coded = features if isinstance(features, Coded) else Coded.of(features)
    rows = np.ones(len(y), dtype=bool)
    encoding, function = fit_rows(candidate, coded, rows, y, directions, seed, rounds, progress)
    if isinstance(function, Comparator):
        raise ValueError(f"{candidate.name} is a comparison only; it cannot be served.")
    return Model(encoding, function)


def fit_rows(
    candidate: Candidate,
    coded: Coded,
    rows: Rows,
    y: Outcomes,
    directions: Mapping[str, int],
    seed: int = 0,
    rounds: int | None = None,
    progress: Progress | None = None,
) -> tuple[Encoding, Any]:
    """Fit any candidate on some rows; return the encoding and the function learned of them.

    Parameters and errors as ``fit``; ``y`` has the outcomes of these rows.
    """
    defaults = int(np.count_nonzero(y))
    if not 0 < defaults < len(y):
        raise ValueError(f"{defaults} defaults among {len(y)} applications: a model needs both outcomes.")
    needs_all = candidate.treatment == "smote" and candidate.family in ("forest", "xgboost", "boosted")
    encoding, matrix = coded.learn(rows, y, is_complete=needs_all)
    names = encoding.names
    if candidate.family == "constant":
        log_odds = float(np.log(defaults / (len(y) - defaults)))
        return encoding, Linear.constant(log_odds, len(names))
    if not varies(matrix).any():
        raise ValueError(
            f"none of the {matrix.shape[1]} features varies over {len(y)} applications: nothing to learn."
        )
    constraints = [int(directions.get(name, 0)) * candidate.is_directed for name in names]
    if any(constraints[i] and name in encoding.levels for i, name in enumerate(names)):
        raise ValueError("a category feature cannot have a monotone direction; declare it as a number.")
    settings, treatment = candidate.settings, candidate.treatment
    match candidate.family:
        case "linear":
            return encoding, fit_linear(settings, matrix, y, seed, treatment)
        case "scorecard":
            return encoding, fit_scorecard(settings, matrix, y, constraints, seed, treatment)
        case "forest":
            return encoding, fit_forest(settings, matrix, y, seed, treatment)
        case "xgboost":
            return encoding, fit_xgboost(settings, candidate.rounds, matrix, y, seed, progress, treatment)
        case _:
            return encoding, fit_boosted(
                settings, candidate.rounds, candidate.boosters, matrix, y, names, constraints,
                seed, rounds, progress, treatment,
            )  # fmt: skip


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
