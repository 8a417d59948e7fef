"""Where what moved comes from: drifted inputs grouped by the raw columns and tables behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitoring.bins import Bins
from monitoring.statistic import Comparison
from scoring.features import FEATURE_BY_NAME, sources

LEAST = 0.02  # of the first origin's weight: what is left then is noise of what was found already


@dataclass(frozen=True)
class Origin:
    """A raw column of the application, or a history table, behind inputs that moved.

    Attributes
    ----------
    name : str
        ``AMT_CREDIT``, ``bureau``; of the scores alone: ``probability_of_default``.
    inputs : tuple of str
        Those that moved and read it: itself, then the farthest first, and pairs after them.
    is_parted : bool
        Nothing moved by itself; what depended on other columns does no longer.
    distance, evidence : float
        The largest among them.
    """

    name: str
    inputs: tuple[str, ...]
    is_parted: bool
    distance: float
    evidence: float


def origins_of(name: str) -> frozenset[str]:
    """Name the columns of the application and the history tables that an input comes from in the end."""
    if name not in FEATURE_BY_NAME:
        return frozenset({name})
    return frozenset(source.partition(".")[0] for source in sources(name))


def find(bins: Bins, comparison: Comparison, prediction: str) -> list[Origin]:
    """Explain what moved by as few origins as possible, the strongest first.

    Parameters
    ----------
    bins, comparison
        Of the same names.
    prediction : str
        The column that follows from the inputs; it is an origin only where nothing else moved.

    Notes
    -----
    Greedy. What is beyond the limit leads; what is only named beside it, of which one in a hundred is wrong,
    follows, since one such name would else stand before what the verdict is of. An origin weighs as much as
    the input that moved farthest and comes from it alone. Where no input of a single origin is beyond the
    limit, what belonged together was parted: then an origin weighs all others that it was parted from. The
    bureau of other applicants is parted from many columns, each of them from it.
    """
    if not comparison.is_drift:
        return []
    own = [origins_of(axis.name) - {prediction} for axis in bins.axes]
    sides = {name: (origins, origins) for name, origins in zip(bins.names, own, strict=False)}
    for name, pair in zip(bins.names[len(own) :], bins.pairs, strict=True):
        # The scores follow from all inputs: a pair with them says nothing of where a change comes from.
        both = own[pair.first], own[pair.second]
        sides[name] = both if all(both) else (frozenset(), frozenset())
    behind = {name: first | second for name, (first, second) in sides.items()}
    place = {name: number for number, name in enumerate(bins.names)}
    moved = [name for name in bins.names if comparison.has_moved[place[name]]]
    inputs = [name for name in moved if behind[name] and place[name] < len(own)]
    sure = [name for name in moved if comparison.evidence[place[name]] > comparison.limit] or moved
    is_parted = not any(len(behind[name]) == 1 for name in sure)
    found: list[Origin] = []

    def explain(names: list[str], is_parted: bool, first: float = 0.0) -> float:
        """Find origins of names that are not of one found before; return the first one's weight."""
        known = {origin.name for origin in found}
        left = [name for name in names if not behind[name] & known]
        while left:
            apart = {name: float(comparison.distance[place[name]]) for name in left}
            weights = _parted(sides, apart) if is_parted else _alone(behind, apart)
            if not weights:
                break
            best = max(sorted(weights), key=lambda name: weights[name])
            first = first or weights[best]
            if weights[best] < LEAST * first:
                break
            found.append(_origin(best, [n for n in moved if best in behind[n]], is_parted, comparison, place))
            left = [name for name in left if best not in behind[name]]
        return first

    if not any(behind[name] for name in sure):  # the scores alone
        found.append(_origin(prediction, sure, False, comparison, place))
        explain(inputs, False)
    elif is_parted:
        explain([name for name in moved if len(behind[name]) > 1], True)
        explain([name for name in inputs if len(behind[name]) == 1], False)
    else:
        explain(inputs, False, explain([name for name in inputs if name in sure], False))
    return found


def _alone(behind: Mapping[str, frozenset[str]], apart: Mapping[str, float]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for name, distance in apart.items():
        if len(behind[name]) == 1:
            (origin,) = behind[name]
            weights[origin] = max(weights.get(origin, 0.0), distance)
    return weights


def _parted(
    sides: Mapping[str, tuple[frozenset[str], frozenset[str]]], apart: Mapping[str, float]
) -> dict[str, float]:
    links: dict[frozenset[str], float] = {}
    for name, distance in apart.items():
        first, second = sides[name]
        for link in {frozenset((one, other)) for one in first for other in second if one != other}:
            # Of an input of many origins any may be the one that was parted.
            weight = float(np.sqrt(distance)) / (len(first) * len(second))
            links[link] = max(links.get(link, 0.0), weight)
    weights: dict[str, float] = {}
    for link, weight in links.items():
        for origin in link:
            weights[origin] = weights.get(origin, 0.0) + weight
    return weights


def _origin(
    name: str, inputs: list[str], is_parted: bool, comparison: Comparison, place: Mapping[str, int]
) -> Origin:
    # What moved by itself is read first: a pair with it says less, and may be farther.
    ranked = sorted(inputs, key=lambda one: (one != name, " × " in one, -comparison.distance[place[one]]))
    return Origin(
        name,
        tuple(ranked),
        is_parted,
        max(float(comparison.distance[place[one]]) for one in inputs),
        max(float(comparison.evidence[place[one]]) for one in inputs),
    )
