"""Whether it is time to train again: what rose, what to train on, what it would save. It promotes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from monitoring.bins import MISSING
from monitoring.outcomes import matured
from monitoring.reference import PREDICTION, Reference
from monitoring.words import Said
from scoring.decision import COSTS, REFUSED, Costs

Vector = NDArray[np.float64]

RISE = 0.05  # of the cost, from which on it is time
WRONG = 0.005  # of reports in which chance looks like that
TOP = 20  # inputs, by importance, that a correction may read
RIDGE = 10.0
STEPS = 12  # of Newton
LEARNT = 2 / 3  # of the matured loans, the older ones; the others try it
LEAST = 500  # matured loans, and
LEAST_DEFAULTS = 25  # defaults among those that are learnt from
EXTREME = 1e-6


@dataclass(frozen=True)
class Proposal:
    """A retraining that is proposed, with its evidence.

    Attributes
    ----------
    source : str
        ``estimated`` or ``realised``.
    rise : float
        Of the cost, as a share.
    since : date, optional
        The first decision to train on.
    loans : int
        Matured loans to train on.
    tried : int
        Later loans by which a correction was tried; 0: too few to try.
    saved, low, high : float, optional
        Per 1,000 of them, in lost good clients, and its 95% interval.
    """

    source: str
    rise: float
    since: date | None
    loans: int
    tried: int = 0
    saved: float | None = None
    low: float | None = None
    high: float | None = None

    def said(self) -> list[Said]:
        """Return it as sentences."""
        found = [Said(f"retrain_{self.source}", {"share": self.rise})]
        if self.loans and self.since is not None:
            found.append(Said("retrain_on", {"n": self.loans, "start": self.since.isoformat()}))
        if self.saved is not None:
            values = {"n": self.tried, "figure": self.saved, "low": self.low, "high": self.high}
            found.append(Said("retrain_saves", values))
        elif self.loans:
            found.append(Said("retrain_untried", {"n": self.loans, "least": LEAST}))
        return found


def propose(
    reference: Reference,
    rows: pl.DataFrame,
    decided: pl.DataFrame | None,
    model: str,
    costs: Costs = COSTS,
) -> Proposal | None:
    """Propose a retraining where the cost has risen beyond chance by 5%, realised or as the scores expect it.

    Parameters
    ----------
    reference : Reference
    rows : polars.DataFrame
        Decisions of the window in the reference's columns.
    decided : polars.DataFrame, optional
        As ``python -m scoring.outcomes export`` writes it; with ``--inputs`` a correction reads them too.
    model : str
    costs : Costs
    """
    loans = pl.DataFrame()
    since: date | None = None
    if decided is not None:
        loans = matured(decided, model).filter(pl.col("decision") != REFUSED)
        since = next(iter(loans["time"].dt.date().sort()), None)
    if loans.height >= LEAST:
        y, p = loans["y"].to_numpy(), loans[PREDICTION].to_numpy()
        rise = _risen(costs.false_negative * y, costs.false_negative * p)
        if rise is not None:
            return _tried(Proposal("realised", rise, since, loans.height), loans, reference, costs)
    now, then = (_expected(side, costs) for side in (rows, reference.table))
    rise = _risen(now, then, is_paired=False)
    if rise is None:
        return None
    proposal = Proposal("estimated", rise, since, loans.height)
    return _tried(proposal, loans, reference, costs) if loans.height >= LEAST else proposal


def _expected(side: pl.DataFrame, costs: Costs) -> Vector:
    p, refused = side[PREDICTION].to_numpy(), (side["decision"] == REFUSED).to_numpy()
    return np.where(refused, costs.false_positive * (1 - p), costs.false_negative * p)


def _risen(now: Vector, then: Vector, is_paired: bool = True) -> float | None:
    """Return by which share a mean cost has risen, None where that is below 5% or within chance."""
    if min(len(now), len(then)) < LEAST or not then.mean():
        return None
    apart = now.mean() - then.mean()
    error = (
        np.sqrt(np.var(now - then) / len(now))
        if is_paired
        else np.sqrt(np.var(now) / len(now) + np.var(then) / len(then))
    )
    is_beyond = apart > -ndtri(WRONG) * error and apart >= RISE * then.mean()
    return float(apart / then.mean()) if is_beyond else None


def _tried(proposal: Proposal, loans: pl.DataFrame, reference: Reference, costs: Costs) -> Proposal:
    """Correct the model on the older loans, and see what that would have saved on the later ones."""
    ordered = loans.sort("time")
    cut = int(LEARNT * ordered.height)
    matrix, offset = _matrix(ordered, reference)
    y = ordered["y"].to_numpy()
    if y[:cut].sum() < LEAST_DEFAULTS:
        return proposal
    weights = _fit(matrix[:cut], offset[:cut], y[:cut])
    corrected = _sigmoid(offset[cut:] + matrix[cut:] @ weights)
    refused = corrected >= ordered["threshold"].to_numpy()[cut:]
    later = y[cut:]
    saved = np.where(refused, costs.false_negative * later - costs.false_positive * (1 - later), 0.0)
    half = 1.96 * saved.std() / np.sqrt(len(saved))
    mean = saved.mean()
    ends = (1_000 * float(mean), 1_000 * float(mean - half), 1_000 * float(mean + half))
    return Proposal(proposal.source, proposal.rise, proposal.since, proposal.loans, len(saved), *ends)


def _matrix(loans: pl.DataFrame, reference: Reference) -> tuple[Vector, Vector]:
    """Return what a correction may read, its first column for everybody; and what the model said."""
    p = np.clip(loans[PREDICTION].to_numpy(), EXTREME, 1 - EXTREME)
    offset = np.log(p / (1 - p))
    columns = [np.ones(len(p)), offset - offset.mean()]
    axes = {axis.name: axis for axis in reference.bins.axes}
    ranked = sorted(reference.importance, key=lambda name: -reference.importance[name])
    for name in [name for name in ranked if name in loans.columns and name in axes][:TOP]:
        codes = axes[name].codes(loans[name])
        columns += [(codes == cell).astype(float) for cell in np.unique(codes) if cell != MISSING]
    return np.stack(columns, axis=1), offset


def _fit(matrix: Vector, offset: Vector, y: Vector) -> Vector:
    """Fit a logistic regression beside an offset; all but the intercept is drawn towards 0."""
    penalty = np.diag([0.0, *[RIDGE] * (matrix.shape[1] - 1)])
    weights = np.zeros(matrix.shape[1])
    for _ in range(STEPS):
        p = _sigmoid(offset + matrix @ weights)
        gradient = matrix.T @ (y - p) - penalty @ weights
        curvature = (matrix * (p * (1 - p))[:, None]).T @ matrix + penalty
        curvature[0, 0] += EXTREME
        weights = weights + np.linalg.solve(curvature, gradient)
    return weights


def _sigmoid(x: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -35, 35))))
