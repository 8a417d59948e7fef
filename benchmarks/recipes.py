"""The recipes of earlier systems for this client, rebuilt from what they published.

Each is fitted on the training part of a fold and gives the other part a score in [0, 1]. Settings that a
system did not publish are its library's defaults. Nothing is tuned in our favour, or against it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import polars as pl
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures
from xgboost import XGBClassifier

from benchmarks import simple_features
from scoring.evaluation import deal_folds
from scoring.tables import Portfolio

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Outcomes = NDArray[np.int8]
# Training matrix and outcomes, the other part's matrix and outcomes, seed -> the other part's scores.
Fitted = Callable[[Matrix, Outcomes, Matrix, Outcomes, int], Vector]
THREADS = 2
BASE = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3", "DAYS_BIRTH")  # what polynomials are made of


@dataclass(frozen=True)
class Recipe:
    """One earlier system: its columns and how it learns from them."""

    name: str
    columns: Callable[[Portfolio], pl.DataFrame]
    fit: Fitted


def four_ratios(portfolio: Portfolio) -> pl.DataFrame:
    """Return the application one-hot encoded, with the four ratios of the public introduction kernel."""
    rows = simple_features.one_hot(_own(portfolio))
    return _numbers(
        rows.with_columns(
            credit_income=pl.col("AMT_CREDIT") / pl.col("AMT_INCOME_TOTAL"),
            annuity_income=pl.col("AMT_ANNUITY") / pl.col("AMT_INCOME_TOTAL"),
            credit_term=pl.col("AMT_ANNUITY") / pl.col("AMT_CREDIT"),
            days_employed=pl.col("DAYS_EMPLOYED") / pl.col("DAYS_BIRTH"),
        )
    )


def base_first(portfolio: Portfolio) -> pl.DataFrame:
    """Return the same, the columns that polynomials are made of first."""
    return four_ratios(portfolio).select(*BASE, pl.exclude(BASE))


def polynomials(x: Matrix, other: Matrix) -> tuple[Matrix, Matrix]:
    """Add the polynomials of degree 3 of the first columns, their gaps filled as in the training part."""
    medians = SimpleImputer(strategy="median", keep_empty_features=True).fit(x[:, : len(BASE)])

    def added(matrix: Matrix) -> Matrix:
        filled = medians.transform(matrix[:, : len(BASE)])
        terms = PolynomialFeatures(3, include_bias=False).fit_transform(filled)[:, len(BASE) :]
        return np.hstack([matrix, terms])

    return added(x), added(other)


def weighted_xgboost(x: Matrix, y: Outcomes, other: Matrix, _: Outcomes, seed: int) -> Vector:
    """Median, MinMax, XGBoost with the positives weighted by the ratio of the classes."""
    x, other = _filled(x, other)
    weight = float((y == 0).sum() / (y == 1).sum())
    model = XGBClassifier(scale_pos_weight=weight, random_state=seed, n_jobs=THREADS)
    return np.asarray(model.fit(x, y).predict_proba(other)[:, 1], dtype=np.float64)


def undersampled_lightgbm(x: Matrix, y: Outcomes, other: Matrix, _: Outcomes, seed: int) -> Vector:
    """Median, MinMax, as many repaid as defaults, LightGBM as it comes."""
    x, other = _filled(x, other)
    drawn, outcomes = RandomUnderSampler(random_state=seed).fit_resample(x, y)
    model = lgb.LGBMClassifier(random_state=seed, n_jobs=THREADS, verbosity=-1).fit(drawn, outcomes)
    return np.asarray(model.booster_.predict(other), dtype=np.float64)


def smote_xgboost(x: Matrix, y: Outcomes, other: Matrix, _: Outcomes, seed: int) -> Vector:
    """Polynomials, median, MinMax, invented defaults until classes are even (SMOTE), XGBoost as it comes."""
    x, other = _filled(*polynomials(x, other))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        more, outcomes = SMOTE(random_state=seed).fit_resample(x, y)
    model = XGBClassifier(random_state=seed, n_jobs=THREADS).fit(more, outcomes)
    return np.asarray(model.predict_proba(other)[:, 1], dtype=np.float64)


KERNEL = {
    "objective": "binary",
    "metric": "auc",
    "learning_rate": 0.02,
    "num_leaves": 34,
    "colsample_bytree": 0.9497036,
    "subsample": 0.8715623,
    "max_depth": 8,
    "reg_alpha": 0.041545473,
    "reg_lambda": 0.0735294,
    "min_split_gain": 0.0222415,
    "min_child_weight": 39.3259775,
    "num_threads": THREADS,
    "verbosity": -1,
}


def stopped_lightgbm(x: Matrix, y: Outcomes, other: Matrix, outcomes: Outcomes, seed: int) -> Vector:
    """LightGBM with the kernel's settings, stopped at the best AUC of the *judged* part, as published."""
    settings = KERNEL | {"seed": seed}
    train = lgb.Dataset(x, y, params=settings)
    judge = lgb.Dataset(other, outcomes, reference=train, params=settings)
    stop = lgb.early_stopping(200, verbose=False)
    model = lgb.train(settings, train, 10_000, valid_sets=[judge], callbacks=[stop])
    return np.asarray(model.predict(other), dtype=np.float64)


def honest_lightgbm(x: Matrix, y: Outcomes, other: Matrix, _: Outcomes, seed: int) -> Vector:
    """Fit the same, stopped on a fifth of the training part: the judged part is never looked at."""
    held = deal_folds(y, 5, seed) == 0
    settings = KERNEL | {"seed": seed}
    train = lgb.Dataset(x[~held], y[~held], params=settings)
    judge = lgb.Dataset(x[held], y[held], reference=train, params=settings)
    stop = lgb.early_stopping(200, verbose=False)
    model = lgb.train(settings, train, 10_000, valid_sets=[judge], callbacks=[stop])
    return np.asarray(model.predict(other), dtype=np.float64)


RECIPES = (
    Recipe("4 ratios, class weights, XGBoost", four_ratios, weighted_xgboost),
    Recipe(
        "all tables, median, MinMax, undersampling, LightGBM", simple_features.columns, undersampled_lightgbm
    ),
    Recipe("polynomials, SMOTE, XGBoost", base_first, smote_xgboost),
    Recipe("LightGBM with simple features", simple_features.columns, stopped_lightgbm),
    # As ours: no protected attribute, and nothing chosen on the applications that it is judged on.
    Recipe("the same, lawful and honest", simple_features.lawful, honest_lightgbm),
)


def _own(portfolio: Portfolio) -> pl.DataFrame:
    """Return the application's own columns, the source's "not employed" read as missing."""
    days = pl.when(pl.col("DAYS_EMPLOYED") != simple_features.LATER).then(pl.col("DAYS_EMPLOYED"))
    rows = portfolio.applications.drop("row", "TARGET", "SK_ID_CURR", strict=False)
    return rows.with_columns(DAYS_EMPLOYED=days)


def _numbers(rows: pl.DataFrame) -> pl.DataFrame:
    numbers = rows.cast(pl.Float64)
    return numbers.with_columns(pl.when(pl.all().is_finite()).then(pl.all()))


def _filled(x: Matrix, other: Matrix) -> tuple[Matrix, Matrix]:
    """Fill gaps with the median and scale to [0, 1], both learned on the training part."""
    steps = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), MinMaxScaler())
    return np.asarray(steps.fit_transform(x)), np.asarray(steps.transform(other))
