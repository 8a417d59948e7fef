"""Whether a model keeps to common sense along what a client can do: to borrow less, to earn more.

The raw facts that belong together move together (`counterfactual.policy`), every feature is computed anew,
and the risk must never rise on the way. `directions` says which constraints would make it a law.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from scoring import features as declared
from scoring.counterfactual.policy import POLICY, Lever
from scoring.features import added
from scoring.scorer import Scorer
from scoring.tables import Portfolio

WAYS: tuple[str, ...] = ("amount", "income")
STEPS = 6  # of a way, as far as policy lets it go
NOTHING = 1e-9  # of the probability: below it nothing rose


@dataclass(frozen=True)
class Sense:
    """How often the risk rises on a way that common sense says lowers it.

    Attributes
    ----------
    way : str
        A lever of the policy.
    applications : int
        Those that have the facts that it moves.
    rose : float
        Share of them whose risk rises at some step.
    ended_higher : float
        Share whose risk is higher at the end than at the start.
    worst : float
        Greatest rise of a probability over one step.
    """

    way: str
    applications: int
    rose: float
    ended_higher: float
    worst: float


def walk(portfolio: Portfolio, way: str, names: Sequence[str]) -> list[pl.DataFrame]:
    """Return the features of applications on each step of a way, the first as they are.

    Applications without the facts that it moves are left out.
    """
    lever = POLICY[way]
    rows = portfolio.applications.select(
        pl.all_horizontal(pl.col(list(lever.facts)).is_not_null())
    ).to_series()
    return [
        declared.build(_moved(portfolio, lever, step)).select(names).filter(rows) for step in range(STEPS + 1)
    ]


def _moved(portfolio: Portfolio, lever: Lever, step: int) -> Portfolio:
    share = lever.bound * step / STEPS
    moved = [pl.col(name) * (1 + direction * share) for name, direction in lever.facts.items()]
    return replace(portfolio, applications=portfolio.applications.with_columns(moved))


def sense(scorer: Scorer, way: str, steps: Sequence[pl.DataFrame]) -> Sense | None:
    """Score the steps of a way; None if nobody can walk it."""
    if not len(steps[0]):
        return None
    p = np.array([scorer.probability(table) for table in steps])
    rises = np.diff(p, axis=0)
    return Sense(
        way,
        p.shape[1],
        float((rises > NOTHING).any(axis=0).mean()),
        float((p[-1] > p[0] + NOTHING).mean()),
        float(max(rises.max(), 0.0)),
    )


def directions(ways: Mapping[str, Sequence[pl.DataFrame]]) -> tuple[dict[str, int], list[str]]:
    """Return the direction that each feature must have for the risk never to rise, and those without one.

    A feature that moves up on a way that lowers the risk must not raise it: -1; one that moves down, +1. One
    that moves up for some applicants and down for others, or against itself on two ways, has no direction: it
    would have to stay out.
    """
    found: dict[str, int] = {}
    torn: set[str] = set()
    for steps in ways.values():
        for name in steps[0].columns:
            if steps[0].schema[name] != pl.Float64:
                continue
            # Rounding moves a quotient of two that move together by its last bits.
            moves = np.concatenate([_changes(steps[0][name], table[name]) for table in steps[1:]])
            signs = {int(sign) for sign in np.unique(np.sign(moves))} - {0}
            if not signs:
                continue
            if len(signs) > 1 or found.get(name, -sum(signs)) != -sum(signs):
                torn.add(name)
            found.setdefault(name, -sum(signs))
    return {name: sign for name, sign in found.items() if name not in torn}, sorted(torn)


def check_added(portfolio: Portfolio, names: Collection[str]) -> None:
    """Hold a lender's own features to common sense, as those of the house are held.

    Parameters
    ----------
    portfolio : Portfolio
        Applications that are led along the ways.
    names : collection of str
        What a model may read.

    Raises
    ------
    ValueError
        If an added feature moves on a way without the direction that the way asks for.
    """
    own = [feature.name for feature in added.features() if feature.name in names]
    if not own:
        return
    asked, torn = directions({way: walk(portfolio, way, own) for way in WAYS})
    for name in torn:
        raise ValueError(
            f"the added feature {name!r} rises for some and falls for others where a client borrows less or "
            "earns more, so no model could keep to common sense with it. Write it so that it moves one way, "
            "or leave it out."
        )
    for name, side in asked.items():
        if (declares := declared.FEATURE_BY_NAME[name].direction) != side:
            moves = "falls" if side > 0 else "rises"
            raise ValueError(
                f"the added feature {name!r} {moves} where a client borrows less or earns more, "
                f"which must never raise the risk: it needs direction={side:+d} and has {declares:+d}. "
                "Declare that, or leave it out."
            )


def _changes(before: pl.Series, after: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    one, other = before.to_numpy(), after.to_numpy()
    change = other - one
    return np.asarray(np.where(np.abs(change) > 1e-9 * (1 + np.abs(one)), change, 0.0))
