"""The model families that are compared, their settings, and how each is fitted.

No candidate weights or resamples the classes: the probability of default is wanted, and the costs
of the two errors come in at the threshold (Elkan 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from scoring.model import THREADS, Boosted, Encoding, Linear, Matrix, Model

Outcomes = NDArray[np.int8]
Progress = Callable[[int, int], None]  # rounds done, rounds at most

LEVEL_PRIOR = 50.0  # applications: a level's default rate is shrunk towards the mean as by so many more
# The number of trees is chosen on rows held back: a fifth, but no more than are needed to see the minimum.
JUDGE_SHARE, JUDGE_MOST_ROWS = 0.2, 20_000
PATIENCE = 200  # trees without a better log-loss; the minimum is flat and noisy
REFIT_BELOW_ROWS = 100_000  # below it, the rows held back are missed: all rows are fitted with more trees


@dataclass(frozen=True)
class Candidate:
    """A declared model: a family and its settings.

    Attributes
    ----------
    name : str
        Name of its run.
    family : {"constant", "linear", "boosted"}
        How it is fitted.
    settings : mapping
        Hyper-parameters in the words of the library that fits it.
    rounds : int
        Boosted only: the most trees that may grow.
    """

    name: str
    family: Literal["constant", "linear", "boosted"]
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 0


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
LIGHTGBM = Candidate(
    "lightgbm",
    "boosted",
    {
        "objective": "binary",
        "learning_rate": 0.03,
        "num_leaves": 31,
        "min_child_samples": 70,
        "feature_fraction": 0.2,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 100.0,
        "max_bin": 127,
        "monotone_constraints_method": "basic",
    },
    rounds=3_000,
)
CANDIDATES = (DUMMY, LOGISTIC_REGRESSION, LIGHTGBM)


def fit(
    candidate: Candidate,
    features: pl.DataFrame,
    y: Outcomes,
    directions: Mapping[str, int],
    seed: int = 0,
    rounds: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Fit a candidate on these applications and nothing else.

    Parameters
    ----------
    candidate : Candidate
        What to fit.
    features : polars.DataFrame of shape (n_applications, n_features)
        Numbers as Float64, categories as String; missing is null.
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    directions : mapping of str to int
        Features whose higher value must never lower (+1) or raise (-1) the risk.
    seed : int
        Same seed and same rows: same model, bit for bit.
    rounds : int, optional
        Boosted only: the number of trees. If not given, it is chosen on a part of the rows given here.
    progress : callable, optional
        Called with the rounds done and the most rounds there can be.

    Raises
    ------
    ValueError
        If ``y`` has one class only, or no feature varies.
    """
    defaults = int(np.count_nonzero(y))
    if not 0 < defaults < len(y):
        raise ValueError(f"{defaults} defaults among {len(y)} applications: a model needs both outcomes.")
    encoding = learn_encoding(features, y)
    matrix = encoding.encode(features)
    if candidate.family == "constant":
        return Model(
            encoding, Linear.constant(float(np.log(defaults / (len(y) - defaults))), len(encoding.names))
        )
    if not _varies(matrix).any():
        raise ValueError(
            f"none of the {matrix.shape[1]} features varies over {len(y)} applications: nothing to learn."
        )
    if candidate.family == "linear":
        return Model(encoding, _fit_linear(candidate, matrix, y, seed))
    constraints = [int(directions.get(name, 0)) for name in encoding.names]
    if any(constraints[i] and name in encoding.levels for i, name in enumerate(encoding.names)):
        raise ValueError("a category feature cannot have a monotone direction; declare it as a number.")
    settings = dict(candidate.settings) | {
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,  # with a fifth of the features a tree, twice as fast as row-wise
        "num_threads": THREADS,
        "verbosity": -1,
    }
    if any(constraints):
        settings["monotone_constraints"] = constraints
    else:
        settings.pop("monotone_constraints_method", None)
    return Model(
        encoding, _fit_boosted(settings, candidate.rounds, matrix, y, encoding.names, seed, rounds, progress)
    )


def learn_encoding(features: pl.DataFrame, y: Outcomes) -> Encoding:
    """Learn the order of every category's levels, and the stand-in of features that are never missing.

    Levels are ordered by default rate, shrunk towards the mean so that a rare level stands near the
    middle; equal rates are ordered by name.
    """
    mean = float(np.mean(y))
    outcome = pl.Series("_defaulted", y.astype(np.float64))
    levels: dict[str, tuple[str, ...]] = {}
    for name, dtype in features.schema.items():
        if dtype == pl.String:
            rate = (pl.col("_defaulted").sum() + LEVEL_PRIOR * mean) / (pl.len() + LEVEL_PRIOR)
            ordered = (
                features.select(name)
                .with_columns(outcome)
                .drop_nulls(name)
                .group_by(name)
                .agg(rate.alias("_rate"))
            )
            levels[name] = tuple(ordered.sort("_rate", name)[name].to_list())
    bare = Encoding(tuple(features.columns), levels, {})
    matrix = bare.codes(features)
    complete = np.flatnonzero(~np.isnan(matrix).any(axis=0))
    fill = {bare.names[i]: float(np.median(matrix[:, i])) for i in complete}
    return Encoding(bare.names, levels, fill)


def _varies(matrix: Matrix) -> NDArray[np.bool_]:
    """Return whether each column takes two values, missing being one."""
    missing = np.isnan(matrix)
    low = np.where(missing, np.inf, matrix).min(axis=0)
    high = np.where(missing, -np.inf, matrix).max(axis=0)
    return np.asarray((low < high) | (missing.any(axis=0) & ~missing.all(axis=0)))


def _fit_linear(candidate: Candidate, matrix: Matrix, y: Outcomes, seed: int) -> Linear:
    """Fit a logistic regression on clipped, standardised columns and on their gaps."""
    settings = dict(candidate.settings)
    clip, most_rows = float(settings.pop("clip")), int(settings.pop("most_rows"))
    if len(y) > most_rows:
        drawn = hold_back(y, most_rows / len(y), seed)
        matrix, y = matrix[drawn], y[drawn]
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
    design = np.hstack([np.where(is_constant, 0.0, (values - mean) / scale), (gaps - share)[:, speaks]])
    regression = LogisticRegression(**settings).fit(design, y)
    weights = regression.coef_[0]
    missing = np.zeros(n_features)
    missing[speaks] = weights[n_features:]
    return Linear(
        float(regression.intercept_[0]), weights[:n_features], low, high, median, mean, scale, missing, share
    )


def _fit_boosted(
    settings: Mapping[str, Any],
    most: int,
    matrix: Matrix,
    y: Outcomes,
    names: tuple[str, ...],
    seed: int,
    rounds: int | None,
    progress: Progress | None,
) -> Boosted:
    """Grow the trees; where their number is not given, rows held back choose it."""
    report = [_report(progress, rounds or most)] if progress else []

    def dataset(rows: NDArray[np.intp] | slice) -> lgb.Dataset:
        return lgb.Dataset(matrix[rows], y[rows], feature_name=list(names), params=dict(settings))

    if rounds is None:
        held = hold_back(y, min(JUDGE_SHARE, JUDGE_MOST_ROWS / len(y)), seed)
        kept, judge = dataset(np.flatnonzero(~held)), dataset(np.flatnonzero(held))
        judge.set_reference(kept)
        stop = lgb.early_stopping(PATIENCE, verbose=False)
        booster = lgb.train(dict(settings), kept, most, valid_sets=[judge], callbacks=[stop, *report])
        if len(y) >= REFIT_BELOW_ROWS:
            return Boosted(booster.model_to_string(num_iteration=booster.best_iteration))
        # More rows bear proportionally more trees before they are learned by heart.
        rounds = min(most, round(booster.best_iteration * len(y) / np.count_nonzero(~held)))
    booster = lgb.train(dict(settings), dataset(slice(None)), rounds, callbacks=report)
    return Boosted(booster.model_to_string())


def hold_back(y: Outcomes, share: float, seed: int) -> NDArray[np.bool_]:
    """Mark a share of each class, at least one row of each, drawn from the seed."""
    random = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    for outcome in (0, 1):
        rows = np.flatnonzero(y == outcome)
        held[random.permutation(rows)[: max(1, round(share * len(rows)))]] = True
    return held


def _report(progress: Progress, most: int) -> Callable[[Any], None]:
    """Make LightGBM tell its progress every ten rounds."""

    def callback(environment: Any) -> None:
        if environment.iteration % 10 == 9:
            progress(environment.iteration + 1, most)

    return callback


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
