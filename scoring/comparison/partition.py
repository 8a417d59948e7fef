"""Fixed partitions of a reference: each group has enough granted, and enough refused, applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.scorer.single import Value

FEWEST = 50  # granted, and refused, applications in a group
Labels = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Partition:
    """The reference in groups: the number of each row's group, and the group of values of an application."""

    groups: Labels
    of: Callable[[Mapping[str, Value]], int | None]


def _are_enough(rows: NDArray[np.bool_], granted: NDArray[np.bool_]) -> bool:
    return min(int((rows & granted).sum()), int((rows & ~granted).sum())) >= FEWEST


def by_levels(name: str, column: pl.Series, granted: NDArray[np.bool_]) -> Partition:
    """Group by the levels of a fact; small ones are joined until each group is large enough."""
    values = np.array([str(value) for value in column.to_list()])
    found = {level: np.flatnonzero(values == level) for level in np.unique(values)}

    def fewer(level: str) -> int:
        rows = found[level]
        return min(int(granted[rows].sum()), int((~granted[rows]).sum()))

    order = sorted(found, key=lambda level: (-fewer(level), level))
    groups, own = np.zeros(len(values), dtype=np.int16), dict[str, int]()
    number, waiting = 0, list[str]()
    for level in order:
        waiting.append(level)
        rows = np.isin(values, waiting)
        if _are_enough(rows, granted):
            groups[rows] = number
            own |= dict.fromkeys(waiting, number)
            number, waiting = number + 1, []
    if waiting:  # what is left goes to the smallest group that was made
        last = max(number - 1, 0)
        groups[np.isin(values, waiting)] = last
        own |= dict.fromkeys(waiting, last)
    return Partition(groups, lambda asked: own.get(str(asked.get(name))))


def neighbours(table: pl.DataFrame, granted: NDArray[np.bool_]) -> Partition:
    """Group by a tree that halves the reference at medians of one fact after the other."""
    usual = {name: float(table[name].median() or 0.0) for name in table.columns}  # type: ignore[arg-type]
    values = table.select(pl.col(name).fill_null(usual[name]) for name in table.columns).to_numpy()
    groups = np.zeros(len(values), dtype=np.int16)
    splits: dict[int, tuple[int, float, int, int]] = {}  # group -> fact, cut, group below, group above

    def grow(rows: NDArray[np.bool_], group: int, depth: int, last: int) -> int:
        for place in range(values.shape[1]):
            fact = (depth + place) % values.shape[1]
            cut = float(np.median(values[rows, fact]))
            below, above = rows & (values[:, fact] < cut), rows & (values[:, fact] >= cut)
            if _are_enough(below, granted) and _are_enough(above, granted):
                splits[group] = (fact, cut, last + 1, last + 2)
                middle = grow(below, last + 1, depth + 1, last + 2)
                return grow(above, last + 2, depth + 1, middle)
        groups[rows] = group
        return last

    grow(np.ones(len(values), dtype=bool), 0, 0, 0)

    def of(asked: Mapping[str, Value]) -> int:
        group = 0
        while group in splits:
            fact, cut, below, above = splits[group]
            name = table.columns[fact]
            value = asked.get(name)
            known = usual[name] if value is None or isinstance(value, str) else value
            group = below if known < cut else above
        return group

    return Partition(groups, of)
