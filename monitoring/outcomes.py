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

from monitoring.errors import InputError
from scoring.decision import COSTS, REFUSED, Costs
from scoring.tables.decisions import OUTCOMES

Vector = NDArray[np.float64]

# Times the scores' odds, and which part of the capital bets on it: most on what lenders fear.
STAKES = {0.6: 0.1, 1.3: 0.2, 1.5: 0.5, 2.0: 0.2}
ALARM = 100.0  # capital: right scores reach it in at most one life of a hundred (Ville 1939)
TURN = 0.95  # of the repaid loans are known by the age at which an outcome has its turn
STEPS, EXTREME = 12, 1e-6  # of Newton; scores are read as within [EXTREME, 1 - EXTREME]
WORDS = ("repaid", "defaulted", "unknown")
WRITES = "`python -m scoring.outcomes export` writes it"


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
    apart : float
        Default rate that outcomes of the reference lead one to expect, less the mean score.
    """

    default_rate: float
    cost: float
    auc: float | None
    apart: float = 0.0


@dataclass(frozen=True)
class Calibrator:
    """What outcomes of the reference make of a score: log-odds times ``slope`` plus ``intercept`` (Platt)."""

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def of(cls, probability: ArrayLike, outcome: ArrayLike) -> Calibrator:
        """Fit it; of one kind of outcome only it changes nothing."""
        p, y = np.asarray(probability, dtype=float), np.asarray(outcome, dtype=float)
        if not 0 < y.sum() < len(y):
            return cls()
        x = np.stack([_log_odds(p), np.ones(len(p))], axis=1)
        weights = np.array([1.0, 0.0])
        for _ in range(STEPS):
            fitted = 1 / (1 + np.exp(-x @ weights))
            curvature = (x * (fitted * (1 - fitted))[:, None]).T @ x + EXTREME * np.eye(2)
            weights = weights + np.linalg.solve(curvature, x.T @ (y - fitted))
        return cls(float(weights[0]), float(weights[1]))

    def __call__(self, probability: ArrayLike) -> Vector:
        """Return probabilities as outcomes had them."""
        odds = self.slope * _log_odds(np.asarray(probability, dtype=float)) + self.intercept
        return np.asarray(1 / (1 + np.exp(-odds)))


def _log_odds(p: Vector) -> Vector:
    inside = np.clip(p, EXTREME, 1 - EXTREME)
    return np.asarray(np.log(inside / (1 - inside)))


def estimate(
    probability: ArrayLike,
    is_refused: ArrayLike,
    costs: Costs = COSTS,
    calibrator: Calibrator | None = None,
) -> Estimate:
    """Estimate without outcomes (confidence-based performance estimation, CBPE).

    Parameters
    ----------
    probability : array-like of shape (n,)
        Calibrated; at least one.
    is_refused : array-like of bool of shape (n,)
    costs : Costs
    calibrator : Calibrator, optional
        What outcomes of the reference make of the scores; without it they are taken as they are.
    """
    said, refused = np.asarray(probability, dtype=float), np.asarray(is_refused, dtype=bool)
    p = said if calibrator is None else calibrator(said)
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
    found = right / pairs if pairs > 0 else None
    return Estimate(float(p.mean()), float(1_000 * cost), found, float(p.mean() - said.mean()))


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
        Decisions whose outcome counts, and granted ones without one.
    defaults, expected : float
        Defaults among the known ones, and what their scores expect.
    capital : float
        The largest that the bet ever had.
    alarm : int, optional
        After how many outcomes it passed `ALARM`.
    early : int
        Outcomes that are known before their turn, and wait.
    """

    known: int
    awaited: int
    defaults: int
    expected: float
    capital: float
    alarm: int | None
    early: int = 0


def watch(decided: pl.DataFrame, model: str) -> Watched:
    """Bet against a model's scores, outcome by outcome.

    Parameters
    ----------
    decided : polars.DataFrame
        As ``python -m scoring.outcomes export`` writes it.
    model : str
    """
    own = decided.filter(pl.col("model") == model)
    ripe = matured(decided, model)
    known = own.filter(pl.col("outcome") != "unknown").height
    y, p = ripe["y"].to_numpy(), ripe["probability_of_default"].to_numpy()
    grown = capital(y, p) if len(y) else np.zeros(1)
    passed = np.flatnonzero(grown >= np.log(ALARM))
    awaited = own.filter((pl.col("outcome") == "unknown") & (pl.col("decision") != REFUSED)).height
    most = float(np.exp(min(float(grown.max()), 50.0)))
    alarm = int(passed[0]) + 1 if len(passed) else None
    return Watched(len(y), awaited, int(y.sum()), float(p.sum()), most, alarm, known - len(y))


def matured(decided: pl.DataFrame, model: str) -> pl.DataFrame:
    """Return the outcomes of a model's decisions that may be judged by now, in the order of their turn.

    A default is known months before a repaid loan is: who counted outcomes as they come would see a crowd of
    defaults first. So each waits for its turn, the age by which nearly all repaid loans are known, and those
    whose turn has not come are left out. A column ``y`` is added: 1 = defaulted.

    Parameters
    ----------
    decided : polars.DataFrame
        As ``python -m scoring.outcomes export`` writes it.
    model : str
    """
    known = decided.filter((pl.col("model") == model) & (pl.col("outcome") != "unknown")).with_columns(
        y=(pl.col("outcome") == "defaulted").cast(pl.Float64), _day=pl.col("time").dt.date()
    )
    age = (pl.col("observed_on") - pl.col("_day")).dt.total_days()
    usual = known.filter(pl.col("y") == 0).select(age.quantile(TURN)).item()
    turn = pl.max_horizontal("observed_on", pl.col("_day") + pl.duration(days=round(usual or 0)))
    now = pl.col("observed_on").max()
    return (
        known.with_columns(_turn=turn.cast(pl.Date))
        .filter(pl.col("_turn") <= now)
        .sort("_turn", "time", maintain_order=True)
        .drop("_day", "_turn")
    )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What was exported, each decision once: ``twice`` counts rows that said the same again."""

    table: pl.DataFrame
    twice: int


def read(path: Path, model: str) -> Outcomes:
    """Read what ``python -m scoring.outcomes export`` wrote.

    Raises
    ------
    InputError
        If it is not that, says two things of a decision, or has no decision of the model.
    """
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"{path} is not Parquet; {WRITES}.") from error
    if lacking := [name for name in OUTCOMES if name not in table.columns]:
        raise InputError(f"{path} lacks {lacking[0]!r}; {WRITES}.")
    for name, dtype in OUTCOMES.items():
        if table[name].null_count() < table.height and table.schema[name].base_type() != dtype.base_type():
            raise InputError(f"{path}: {name!r} is {table.schema[name]}, not {dtype}; {WRITES}.")
    known = table.with_columns(pl.col("time").cast(OUTCOMES["time"])).unique(maintain_order=True)
    for why, is_wrong in _wrong().items():
        if (found := known.filter(is_wrong)).height:
            event = found["event_id"][0]
            raise InputError(f"{path}: {found.height} decisions {why}, the first is {event}; {WRITES}.")
    if known.filter(pl.col("model") == model).is_empty():
        raise InputError(
            f"{path} has no decision of {model or 'any model'}; export that of the log that is judged, or "
            "give no --outcomes."
        )
    return Outcomes(known, table.height - known.height)


def _wrong() -> dict[str, pl.Expr]:
    """Return what cannot be in an export, and which rows have it."""
    p, ended = pl.col("probability_of_default"), pl.col("observed_on")
    is_known = pl.col("outcome") != "unknown"
    needed = [name for name in OUTCOMES if name != "observed_on"]
    return {
        "lack a value": pl.any_horizontal(pl.col(name).is_null() for name in needed),
        f"have an outcome that is none of {', '.join(WORDS)}": ~pl.col("outcome").is_in(WORDS),
        "have a probability that is none": ~p.is_between(0, 1),
        "ended on no day": is_known & ended.is_null(),
        "ended before they were taken": is_known & (ended < pl.col("time").dt.date()),
        "stand there twice and differ": pl.col("event_id").is_duplicated(),
    }
