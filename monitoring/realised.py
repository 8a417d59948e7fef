"""How loans ended, months later: by the time of their decision, by their age, and where people overruled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from monitoring.operations import NOISE, SHIFT
from monitoring.outcomes import matured
from monitoring.words import Said
from scoring.decision import COSTS, REFUSED, Costs

Z = -float(ndtri(0.025))
MONTHS = 14  # of decisions, up to which a vintage is a month; beyond, a quarter
AGE_DAYS = 90  # of a loan: the steps of roll rates
AGES = 8
LEAST = 20  # outcomes of a vintage for an AUC
RECENT_DAYS, LEAST_REVIEWS = 30, 100  # of decisions whose reviews are set beside those of before


@dataclass(frozen=True)
class WithInterval:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Vintage:
    """Loans that were granted in a month or quarter.

    Attributes
    ----------
    start : date
    granted, known, defaults : int
        An outcome is known when its turn has come: see `monitoring.outcomes.matured`.
    rate : WithInterval, optional
        Share of the known that defaulted (Wilson 1927).
    expected : float, optional
        That share, by their scores.
    auc : WithInterval, optional
        Hanley and McNeil (1982).
    cost : WithInterval, optional
        Of the known, per 1,000 granted, in lost good clients.
    """

    start: date
    granted: int
    known: int
    defaults: int
    rate: WithInterval | None
    expected: float | None
    auc: WithInterval | None
    cost: WithInterval | None


@dataclass(frozen=True)
class Roll:
    """Loans of an age: how many were seen to be good at its beginning, and defaulted in it."""

    days: int
    good: int
    defaults: int
    rate: WithInterval | None


@dataclass(frozen=True)
class Overrides:
    """Refusals that a person turned into loans."""

    reviewed: int
    granted: int
    known: int
    rate: WithInterval | None
    break_even: float


@dataclass(frozen=True)
class Realised:
    """What outcomes say of a model's decisions: ``whole`` is a vintage of all; ``alarms`` are of reviews."""

    whole: Vintage
    vintages: tuple[Vintage, ...]
    rolls: tuple[Roll, ...]
    overrides: Overrides
    alarms: tuple[Said, ...] = ()

    def said(self) -> list[Said]:
        """Return it as sentences."""
        found, whole = [*self.alarms], self.whole
        if whole.rate is not None and whole.expected is not None and whole.cost is not None:
            values = {"share": whole.rate.value, "from": whole.rate.low, "to": whole.rate.high}
            costs = {"figure": whole.cost.value, "low": whole.cost.low, "high": whole.cost.high}
            values |= {"expected": whole.expected, **costs}
            found.append(Said("realised", values))
        if whole.auc is not None:
            auc = {"figure": whole.auc.value, "low": whole.auc.low, "high": whole.auc.high}
            found.append(Said("realised_auc", auc))
        over = self.overrides
        if over.reviewed:
            found.append(Said("overrides", {"n": over.granted, "reviewed": over.reviewed}))
        if over.rate is not None:
            values = {"n": over.known, "share": over.rate.value, "from": over.rate.low, "to": over.rate.high}
            found.append(Said("overrides_ended", values | {"even": over.break_even}))
        return [*found, Said("rejects")] if whole.known else found


def realised(decided: pl.DataFrame, model: str, costs: Costs = COSTS) -> Realised:
    """Judge a model's decisions by their outcomes.

    Parameters
    ----------
    decided : polars.DataFrame
        As ``python -m scoring.outcomes export`` writes it.
    model : str
    costs : Costs
    """
    own = decided.filter(pl.col("model") == model).with_columns(
        day=pl.col("time").dt.date(),
        is_known=pl.col("event_id").is_in(matured(decided, model)["event_id"].implode()),
        y=(pl.col("outcome") == "defaulted").cast(pl.Float64),
    )
    reviewed = own.filter(pl.col("review").is_in(["confirmed", "otherwise"]))
    over = reviewed.filter((pl.col("review") == "otherwise") & (pl.col("decision") == REFUSED))
    loans = own.filter(pl.col("decision") != REFUSED)
    first, last = loans["day"].min(), loans["day"].max()
    every = "1mo"
    if isinstance(first, date) and isinstance(last, date) and (last - first).days > MONTHS * 31:
        every = "1q"
    parts = loans.with_columns(start=pl.col("day").dt.truncate(every)).partition_by(
        "start", maintain_order=False
    )
    parts.sort(key=lambda part: part["start"][0])
    known = over.filter("is_known")
    return Realised(
        _vintage(loans, costs),
        tuple(_vintage(part, costs) for part in parts),
        tuple(_rolls(loans)),
        Overrides(
            reviewed.height,
            over.height,
            known.height,
            wilson(float(known["y"].sum()), known.height),
            costs.threshold,
        ),
        _reviews(own),
    )


def _reviews(own: pl.DataFrame) -> tuple[Said, ...]:
    """Say which share of the latest month has left that of before: to be looked at, or overruled."""
    is_recent = pl.col("day") > pl.col("day").max() - pl.duration(days=RECENT_DAYS)
    whole = own.with_columns(_recent=is_recent)
    is_refused, state = pl.col("decision") == REFUSED, pl.col("review")
    asked = (
        ("review_share", whole.filter(~is_refused), state != "none"),
        ("override_share", whole.filter(is_refused), state == "otherwise"),
    )
    found = []
    for name, table, counted in asked:
        sides = [table.filter(pl.col("_recent") == side) for side in (True, False)]
        n, before = (side.height for side in sides)
        if min(n, before) < LEAST_REVIEWS:
            continue
        hits = [side.select(counted.sum()).item() for side in sides]
        pooled, share, usual = sum(hits) / (n + before), hits[0] / n, hits[1] / before
        error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / before))
        if abs(share - usual) > max(SHIFT, NOISE * error):
            found.append(Said(name, {"share": share, "usual_share": usual}))
    return tuple(found)


def _vintage(loans: pl.DataFrame, costs: Costs) -> Vintage:
    known = loans.filter("is_known")
    y, p = known["y"].to_numpy(), known["probability_of_default"].to_numpy()
    start = loans["start"][0] if "start" in loans.columns else loans["day"].min()
    rate = wilson(float(y.sum()), len(y))
    per_1000 = 1_000 * costs.false_negative
    cost = WithInterval(*(per_1000 * end for end in (rate.value, rate.low, rate.high))) if rate else None
    return Vintage(
        start if isinstance(start, date) else date.min,
        loans.height,
        len(y),
        int(y.sum()),
        rate,
        float(p.mean()) if len(p) else None,
        auc(y, p) if len(y) >= LEAST else None,
        cost,
    )


def wilson(successes: float, n: int) -> WithInterval | None:
    """Return a share and its 95% interval, None of nobody."""
    if not n:
        return None
    share, z2 = successes / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return WithInterval(share, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def auc(y: NDArray[np.float64], p: NDArray[np.float64]) -> WithInterval | None:
    """Return the AUC and its 95% interval, None where all ended alike."""
    bad, good = int(y.sum()), int(len(y) - y.sum())
    if not bad or not good:
        return None
    ranks = pl.Series(p).rank("average").to_numpy()
    a = float((ranks[y == 1].sum() - bad * (bad + 1) / 2) / (bad * good))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    spread = a * (1 - a) + (bad - 1) * (q1 - a * a) + (good - 1) * (q2 - a * a)
    half = Z * float(np.sqrt(max(spread, 0.0) / (bad * good)))
    return WithInterval(a, max(0.0, a - half), min(1.0, a + half))


def _rolls(loans: pl.DataFrame) -> Sequence[Roll]:
    """Return a life table: who was seen to be good in the midst of a step was there for half of it."""
    known = loans.filter("is_known")
    ages = (known["observed_on"] - known["day"]).dt.total_days().to_numpy()
    y, found = known["y"].to_numpy(), []
    for start in range(0, AGES * AGE_DAYS, AGE_DAYS):
        inside = (ages >= start) & (ages < start + AGE_DAYS)
        left = int((ages >= start).sum())
        if not left:
            break
        rolled, gone = int(y[inside].sum()), int((1 - y[inside]).sum())
        at_risk = round(left - gone / 2)
        found.append(Roll(start, at_risk, rolled, wilson(rolled, max(at_risk, rolled))))
    return found
