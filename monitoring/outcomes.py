"""Whether loans end as the scores said: estimated while outcomes are awaited, and watched as they come.

The estimate takes the scores at their word: it sees that other applicants come, and is blind to the same
applicants repaying otherwise. The watch is a bet against the scores whose capital does not grow in the mean
while they are right, so it may be looked at after every outcome, for the whole life of a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from monitoring.reference import InputError
from scoring.decision import COSTS, REFUSED, Costs

Vector = NDArray[np.float64]

# Times the scores' odds, and which part of the capital bets on it: most on what lenders fear.
STAKES = {0.6: 0.1, 1.3: 0.2, 1.5: 0.5, 2.0: 0.2}
ALARM = 100.0  # capital: right scores reach it in at most one life of a hundred (Ville 1939)
NEEDED = ("time", "model", "decision", "probability_of_default", "outcome", "observed_on")


@dataclass(frozen=True)
class Estimate:
    """What decisions lead to if their scores are right.

    Attributes
    ----------
    default_rate : float
        Of all applications, granted or not.
    cost : float
        Per 1,000 applications, in lost good clients.
    auc : float, optional
        None where all scores are 0, or 1.
    """

    default_rate: float
    cost: float
    auc: float | None


def estimate(probability: ArrayLike, is_refused: ArrayLike, costs: Costs = COSTS) -> Estimate:
    """Estimate without outcomes (confidence-based performance estimation, CBPE).

    Parameters
    ----------
    probability : array-like of shape (n,)
        Calibrated; at least one.
    is_refused : array-like of bool of shape (n,)
    costs : Costs
    """
    p, refused = np.asarray(probability, dtype=float), np.asarray(is_refused, dtype=bool)
    cost = np.where(refused, costs.false_positive * (1 - p), costs.false_negative * p).mean()
    p_sorted = np.sort(p)
    bad, good = p_sorted, 1 - p_sorted
    # Pairs of one that defaults and one that repays, ranked right; equal scores and oneself count a half.
    _, starts = np.unique(p_sorted, return_index=True)
    bads, goods = (np.add.reduceat(one, starts) for one in (bad, good))
    below = np.cumsum(goods) - goods
    itself = float((bad * good).sum())
    right = float((bads * (below + goods / 2)).sum()) - itself / 2
    pairs = float(bad.sum() * good.sum()) - itself
    return Estimate(float(p.mean()), float(1_000 * cost), right / pairs if pairs > 0 else None)


def capital(outcome: ArrayLike, probability: ArrayLike) -> Vector:
    """Return the capital of the bet after each outcome, as a logarithm; it begins with 1.

    Each part of it bets that the odds of default are some times those of the scores. A part is multiplied by
    the ratio of what both say of the outcome, whose mean is 1 if the scores are right: so is the mean of the
    capital at any time, whatever was looked at before.

    Parameters
    ----------
    outcome : array-like of shape (n,)
        1 = defaulted, in the order in which they became known.
    probability : array-like of shape (n,)
    """
    y, p = np.asarray(outcome, dtype=float), np.asarray(probability, dtype=float)
    odds, stakes = (np.array([*some])[:, np.newaxis] for some in (STAKES, STAKES.values()))
    parts = np.cumsum(y * np.log(odds) - np.log1p(p * (odds - 1)), axis=1)
    return np.asarray(np.logaddexp.reduce(parts + np.log(stakes), axis=0))


@dataclass(frozen=True)
class Watched:
    """What outcomes say.

    Attributes
    ----------
    known, awaited : int
        Decisions with an outcome, and granted ones without.
    defaults, expected : float
        Defaults among the known ones, and what their scores expect.
    capital : float
        The largest that the bet ever had.
    alarm : int, optional
        After how many outcomes it passed `ALARM`.
    """

    known: int
    awaited: int
    defaults: int
    expected: float
    capital: float
    alarm: int | None


def watch(decided: pl.DataFrame, model: str) -> Watched:
    """Bet against a model's scores, outcome by outcome.

    Parameters
    ----------
    decided : polars.DataFrame
        As ``python -m scoring.outcomes export`` writes it.
    model : str
    """
    own = decided.filter(pl.col("model") == model)
    known = own.filter(pl.col("outcome") != "unknown").sort("observed_on", "time", "event_id")
    y = (known["outcome"] == "defaulted").to_numpy().astype(float)
    p = known["probability_of_default"].to_numpy()
    grown = capital(y, p) if len(y) else np.zeros(1)
    passed = np.flatnonzero(grown >= np.log(ALARM))
    awaited = own.filter((pl.col("outcome") == "unknown") & (pl.col("decision") != REFUSED)).height
    most = float(np.exp(min(float(grown.max()), 50.0)))
    alarm = int(passed[0]) + 1 if len(passed) else None
    return Watched(len(y), awaited, int(y.sum()), float(p.sum()), most, alarm)


def read(path: Path) -> pl.DataFrame:
    """Read what ``python -m scoring.outcomes export`` wrote.

    Raises
    ------
    InputError
        If it is not that.
    """
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is not Parquet; `python -m scoring.outcomes export` writes it.") from error
    if lacking := [name for name in NEEDED if name not in table.columns]:
        raise InputError(f"{path} lacks {lacking[0]!r}; `python -m scoring.outcomes export` writes it.")
    return table
