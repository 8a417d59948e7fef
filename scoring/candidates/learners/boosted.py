"""LightGBM: its trees, and how many of them.

Several boosters grow side by side, each without another part of the rows, and are merged into one. What they
say of the rows that they did not see tells when to stop: together the parts are all rows, so the choice is
steady. Their mean varies less than any of them, so each may learn faster and all together need no more trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from scoring.candidates.family import Candidate, Family, Progress, Sample, Span
from scoring.candidates.imbalance import balanced, treat
from scoring.candidates.learners.merging import merge
from scoring.metrics import Outcomes
from scoring.scorer.model import THREADS, Boosted

PATIENCE = 50  # rounds without a better log-loss before growing ends


def fit_boosted(candidate: Candidate, sample: Sample) -> Boosted:
    """Grow the boosters; where their number of trees is not given, the parts left out choose it.

    Raises
    ------
    ValueError
        If a single booster, which sees all rows, is to choose its number of trees.
    """
    matrix, y, treatment, seed, rounds = sample.matrix, sample.y, sample.treatment, sample.seed, sample.rounds
    boosters = candidate.boosters
    if rounds is None and boosters < 2:
        raise ValueError(
            "a single booster leaves no rows out that could choose its trees: give their number."
        )
    settings = dict(candidate.settings) | {
        "deterministic": True,
        "force_col_wise": True,  # with a part of the features a tree, twice as fast as row-wise
        "num_threads": THREADS,
        "verbosity": -1,
    }
    if any(sample.constraints):
        settings |= {
            "monotone_constraints": list(sample.constraints),
            "monotone_constraints_method": "basic",
        }

    def dataset(rows: NDArray[np.intp]) -> lgb.Dataset:
        taken, outcomes, weights = treat(treatment, matrix[rows], y[rows], seed)
        weight = None if treatment == "none" else weights
        return lgb.Dataset(taken, outcomes, weight=weight, feature_name=list(sample.names), params=settings)

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
    trees = _grow(grown, rounds or candidate.rounds, rounds is None, sample.progress)
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


LIGHTGBM = Candidate(
    "lightgbm",
    Family(
        "boosted",
        fit_boosted,
        is_served=True,
        reads_gaps=True,
        space={
            "learning_rate": Span(0.03, 0.15, is_log=True),
            "num_leaves": Span(6, 48, is_log=True, is_whole=True),
            "min_child_samples": Span(20, 300, is_log=True, is_whole=True),
            "feature_fraction": Span(0.03, 0.4, is_log=True),
            "bagging_fraction": Span(0.5, 1.0),
            "lambda_l2": Span(1.0, 300.0, is_log=True),
        },
    ),
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
LIGHTGBM_FREE = replace(LIGHTGBM, name="lightgbm_free", is_directed=False)
PROBE = replace(LIGHTGBM, name="probe", boosters=1)  # asks what a table can tell; decides nothing
