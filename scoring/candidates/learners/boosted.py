"""LightGBM: its trees, and how many of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from scoring.candidates.learners.imbalance import Treatment, balanced, treat
from scoring.metrics import Outcomes
from scoring.scorer.model import THREADS, Boosted, Matrix

Progress = Callable[[int, int], None]  # rounds done, rounds at most

# The number of trees is chosen on rows held back: a fifth, but no more than are needed to see the minimum.
JUDGE_SHARE, JUDGE_MOST_ROWS = 0.2, 20_000
PATIENCE = 200  # trees without a better log-loss; the minimum is flat and noisy
REFIT_BELOW_ROWS = 100_000  # below it, the rows held back are missed: all rows are fitted with more trees


def fit_boosted(
    settings: Mapping[str, Any],
    most: int,
    matrix: Matrix,
    y: Outcomes,
    names: Sequence[str],
    constraints: Sequence[int],
    seed: int,
    rounds: int | None,
    progress: Progress | None,
    treatment: Treatment = "none",
) -> Boosted:
    """Grow the trees; where their number is not given, rows held back choose it.

    Parameters
    ----------
    settings : mapping
        LightGBM's.
    most : int
        Most trees that may grow.
    constraints : sequence of int
        Per column +1, -1 or 0: the direction that the trees must keep.
    """
    settings = dict(settings) | {
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,  # with a fifth of the features a tree, twice as fast as row-wise
        "num_threads": THREADS,
        "verbosity": -1,
    }
    if any(constraints):
        settings |= {"monotone_constraints": list(constraints), "monotone_constraints_method": "basic"}
    report = [_report(progress, rounds or most)] if progress else []

    def dataset(rows: NDArray[np.intp] | slice) -> lgb.Dataset:
        taken, outcomes, weights = treat(treatment, matrix[rows], y[rows], seed)
        return lgb.Dataset(
            taken,
            outcomes,
            weight=None if treatment == "none" else weights,
            feature_name=list(names),
            params=settings,
        )

    if rounds is None:
        held = hold_back(y, judge_share(y), seed)
        if treatment == "none":  # the values are put into bins once, for both parts and for the refit
            whole = dataset(slice(None)).construct()
            kept, judge = (whole.subset(np.flatnonzero(part).tolist()) for part in (~held, held))
        else:
            kept = dataset(np.flatnonzero(~held))
            judge = lgb.Dataset(matrix[held], y[held], weight=balanced(y[held]), reference=kept)
        stop = lgb.early_stopping(PATIENCE, verbose=False)
        booster = lgb.train(settings, kept, most, valid_sets=[judge], callbacks=[stop, *report])
        if len(y) >= REFIT_BELOW_ROWS:
            return Boosted(booster.model_to_string(num_iteration=booster.best_iteration))
        # More rows bear proportionally more trees before they are learned by heart.
        rounds = min(most, round(booster.best_iteration * len(y) / np.count_nonzero(~held)))
        whole = whole if treatment == "none" else dataset(slice(None))
    else:
        whole = dataset(slice(None))
    return Boosted(lgb.train(settings, whole, rounds, callbacks=report).model_to_string())


def judge_share(y: Outcomes) -> float:
    """Return the share of rows to hold back."""
    return min(JUDGE_SHARE, JUDGE_MOST_ROWS / len(y))


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
