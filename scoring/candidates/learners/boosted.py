"""LightGBM: its trees, and how many of them.

Several boosters grow side by side, each without another part of the rows, and are merged into one. What they
say of the rows that they did not see tells when to stop: together the parts are all rows, so the choice is
steady. Their mean varies less than any of them, so each may learn faster and all together need no more trees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from scoring.candidates.learners.imbalance import Treatment, balanced, treat
from scoring.candidates.learners.merging import merge
from scoring.metrics import Outcomes
from scoring.scorer.model import THREADS, Boosted, Matrix

Progress = Callable[[int, int], None]  # rounds done, rounds at most

PATIENCE = 50  # rounds without a better log-loss before growing ends


def fit_boosted(
    settings: Mapping[str, Any],
    most: int,
    boosters: int,
    matrix: Matrix,
    y: Outcomes,
    names: Sequence[str],
    constraints: Sequence[int],
    seed: int,
    rounds: int | None,
    progress: Progress | None,
    treatment: Treatment = "none",
) -> Boosted:
    """Grow the boosters; where their number of trees is not given, the parts left out choose it.

    Parameters
    ----------
    settings : mapping
        LightGBM's.
    most : int
        Most trees that each booster may grow.
    boosters : int
        How many are merged; a single one sees all rows, and needs ``rounds``.
    constraints : sequence of int
        Per column +1, -1 or 0: the direction that the trees must keep.
    rounds : int, optional
        Trees of each booster.

    Raises
    ------
    ValueError
        If a single booster is to choose its number of trees.
    """
    if rounds is None and boosters < 2:
        raise ValueError(
            "a single booster leaves no rows out that could choose its trees: give their number."
        )
    settings = dict(settings) | {
        "deterministic": True,
        "force_col_wise": True,  # with a part of the features a tree, twice as fast as row-wise
        "num_threads": THREADS,
        "verbosity": -1,
    }
    if any(constraints):
        settings |= {"monotone_constraints": list(constraints), "monotone_constraints_method": "basic"}

    def dataset(rows: NDArray[np.intp]) -> lgb.Dataset:
        taken, outcomes, weights = treat(treatment, matrix[rows], y[rows], seed)
        weight = None if treatment == "none" else weights
        return lgb.Dataset(taken, outcomes, weight=weight, feature_name=list(names), params=settings)

    # Untreated, the values are put into bins once for all boosters.
    whole = dataset(np.arange(len(y))).construct() if treatment == "none" else None
    parts = deal_parts(y, boosters, seed)
    grown: list[lgb.Booster] = []
    for number in range(boosters):
        kept = np.flatnonzero((parts != number) | (boosters == 1))
        left = np.flatnonzero(parts == number)
        data = whole.subset(kept.tolist()) if whole else dataset(kept)
        own = settings | {"seed": seed * boosters + number}
        booster = lgb.Booster(own, data)
        if rounds is None:
            weight = None if treatment == "none" else balanced(y[left])
            judge = (
                whole.subset(left.tolist())
                if whole
                else lgb.Dataset(matrix[left], y[left], weight=weight, reference=data, params=own)
            )
            booster.add_valid(judge, "left out")
        grown.append(booster)
    trees = _grow(grown, rounds or most, rounds is None, progress)
    return Boosted(merge([booster.model_to_string(num_iteration=trees) for booster in grown]))


def _grow(grown: Sequence[lgb.Booster], most: int, is_judged: bool, progress: Progress | None) -> int:
    """Grow all boosters a tree at a time; return after how many to stop."""
    best, lowest = most, np.inf
    for done in range(1, most + 1):
        ended = [booster.update() for booster in grown]
        if progress and done % 10 == 0:
            progress(done, most)
        if is_judged:
            loss = float(np.mean([booster.eval_valid()[0][2] for booster in grown]))
            if loss < lowest:
                best, lowest = done, loss
        if all(ended) or (is_judged and done - best >= PATIENCE):
            break
    return best


def deal_parts(y: Outcomes, n: int, seed: int) -> NDArray[np.intp]:
    """Deal the rows of each class, drawn from the seed, into parts that differ by one at most."""
    random = np.random.default_rng(seed)
    parts = np.empty(len(y), dtype=np.intp)
    for outcome in (0, 1):
        rows = np.flatnonzero(y == outcome)
        parts[random.permutation(rows)] = np.arange(len(rows)) % n
    return parts
