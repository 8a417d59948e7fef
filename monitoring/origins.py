"""Where what moved comes from: drifted inputs grouped by the raw columns and tables behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        Those that moved and read it, the farthest first.
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
    Greedy. An origin weighs as much as the input that moved farthest and comes from it alone. Where no input
    of a single origin has moved, what belonged together was parted: then an origin weighs what moved and
    reads it, more if little else is read there, less if much that reads it did not move.
    """
    own = [origins_of(axis.name) - {prediction} for axis in bins.axes]
    behind = dict(zip(bins.names, own, strict=False))
    for name, pair in zip(bins.names[len(own) :], bins.pairs, strict=True):
        # The scores follow from all inputs: a pair with them says nothing of where a change comes from.
        of_both = own[pair.first] and own[pair.second]
        behind[name] = own[pair.first] | own[pair.second] if of_both else frozenset()
    place = {name: number for number, name in enumerate(bins.names)}
    moved = [name for name in bins.names if comparison.has_moved[place[name]]]
    is_parted = not any(len(behind[name]) == 1 for name in moved)
    left = [name for name in moved if behind[name] and (is_parted or place[name] < len(own))]
    found: list[Origin] = []
    first = 0.0
    while left:
        weights = (
            _shares(behind, left, comparison, place) if is_parted else _alone(behind, left, comparison, place)
        )
        if not weights:
            break
        best = max(sorted(weights), key=lambda name: weights[name])
        first = first or weights[best]
        if weights[best] < LEAST * first:
            break
        found.append(_origin(best, [n for n in moved if best in behind[n]], is_parted, comparison, place))
        left = [name for name in left if best not in behind[name]]
    if not found and moved:
        found.append(_origin(prediction, moved, False, comparison, place))
    return found


def _alone(
    behind: Mapping[str, frozenset[str]],
    left: Iterable[str],
    comparison: Comparison,
    place: Mapping[str, int],
) -> dict[str, float]:
    weights: dict[str, float] = {}
    for name in left:
        if len(behind[name]) == 1:
            (origin,) = behind[name]
            weights[origin] = max(weights.get(origin, 0.0), float(comparison.distance[place[name]]))
    return weights


def _shares(
    behind: Mapping[str, frozenset[str]],
    left: Iterable[str],
    comparison: Comparison,
    place: Mapping[str, int],
) -> dict[str, float]:
    readers: dict[str, float] = {}
    for origins in behind.values():
        for origin in origins:
            readers[origin] = readers.get(origin, 0.0) + 1 / len(origins)
    weights: dict[str, float] = {}
    hits: dict[str, float] = {}
    for name in left:
        share = 1 / len(behind[name])
        for origin in behind[name]:
            moved = float(np.sqrt(comparison.distance[place[name]]))
            weights[origin] = weights.get(origin, 0.0) + share * moved
            hits[origin] = hits.get(origin, 0.0) + share
    return {origin: weight * hits[origin] / readers[origin] for origin, weight in weights.items()}


def _origin(
    name: str, inputs: list[str], is_parted: bool, comparison: Comparison, place: Mapping[str, int]
) -> Origin:
    ranked = sorted(inputs, key=lambda one: -comparison.distance[place[one]])
    return Origin(
        name,
        tuple(ranked),
        is_parted,
        max(float(comparison.distance[place[one]]) for one in inputs),
        max(float(comparison.evidence[place[one]]) for one in inputs),
    )
