"""Frozen cells: what is counted of a window, so that windows can be compared for as long as a model lives.

Each input of a model is cut into cells once, by the model's reference: missing, intervals of about equal
shares, values so frequent that they are cells of their own, levels, and a cell for words that training never
saw. Pairs of inputs are cut together, coarsely: records that were joined to the wrong applicant move no
input, but they part what belongs together. Counts of cells hold no person, add up over any windows, and are
all that the statistics need.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from monitoring.words import Said

Codes = NDArray[np.uint16]
Counts = NDArray[np.int64]

INTERVALS = 12  # of a number: more see finer changes of form, fewer see small shifts
ATOM = 0.02  # a value of so large a share of the rows is a cell of its own
COARSE = 4  # intervals of an input in a pair
PARTNERS = 2  # pairs of each group of inputs, with those of other groups that it depends on most
LEADERS = 120  # inputs among which pairs are looked for: the most important one of each group, then by weight
LEAST_DEPENDENCE = 0.01  # Cramer's V squared: below, a pair that is parted cannot be seen
TOGETHER = 1_000  # cells of columns that are counted together
MISSING, UNSEEN = 0, 1  # cells that every input has


@dataclass(frozen=True)
class Axis:
    """The cells of one input.

    Attributes
    ----------
    name : str
    edges : tuple of float
        Of a number, ascending: cell 2 + k holds ``edges[k - 1] <= x < edges[k]``.
    levels : tuple of str, optional
        Of a category: cell 2 + k holds the level k. None for a number, whose cell 1 (unseen) stays empty.
    """

    name: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] | None = None

    @property
    def cells(self) -> int:
        """How many there are, missing and unseen among them."""
        return 2 + (len(self.edges) + 1 if self.levels is None else len(self.levels))

    def codes(self, values: pl.Series) -> Codes:
        """Return the cell of each value, shape (n,)."""
        if self.levels is None:
            numbers = values.cast(pl.Float64).to_numpy()
            found = np.full(len(numbers), 2, dtype=np.uint16)
            for edge in self.edges:  # there are few: it takes a third of what a binary search does
                found += numbers >= edge
            found[np.isnan(numbers)] = MISSING
            return found
        known = pl.Series(self.levels, dtype=pl.String)
        places = values.cast(pl.String).replace_strict(
            known, np.arange(2, 2 + len(self.levels)), default=UNSEEN, return_dtype=pl.UInt16
        )
        codes = places.to_numpy().astype(np.uint16)
        codes[values.is_null().to_numpy()] = MISSING
        return codes

    def say(self, cell: int) -> Said:
        """Name a cell."""
        if cell == MISSING:
            return Said("cell_missing")
        if cell == UNSEEN:
            return Said("cell_unseen")
        if self.levels is not None:
            return Said("cell_level", {"word": self.levels[cell - 2]})
        low = self.edges[cell - 3] if cell > 2 else None
        high = self.edges[cell - 2] if cell - 2 < len(self.edges) else None
        if low is None and high is not None:
            most = float(np.nextafter(high, -np.inf))  # a frequent value that is the lowest ends so
            is_most = len(repr(most)) < len(repr(high))
            return Said("cell_most", {"high": most}) if is_most else Said("cell_below", {"high": high})
        if low is None:
            return Said("cell_any")
        if high is None:
            return Said("cell_from", {"low": low})
        if high <= np.nextafter(low, np.inf):
            return Said("cell_value", {"low": low})
        return Said("cell_between", {"low": low, "high": high})


@dataclass(frozen=True)
class Pair:
    """Two inputs cut together: by their own cells, drawn together into few."""

    first: int
    second: int
    merged: tuple[tuple[int, ...], tuple[int, ...]]  # cell of the input -> coarse cell, for each of the two

    @cached_property
    def coarse(self) -> tuple[Codes, Codes]:
        """What each cell of the first input, and of the second, adds to the cell of the pair."""
        first, second = (np.asarray(merged, dtype=np.uint16) for merged in self.merged)
        return first * np.uint16(self.width), second

    @property
    def cells(self) -> int:
        """How many there are."""
        return self.width * (max(self.merged[0]) + 1)

    @property
    def width(self) -> int:
        """Coarse cells of the second input."""
        return max(self.merged[1]) + 1


@dataclass(frozen=True, eq=False)
class Bins:
    """The cells of all inputs and pairs of a model.

    Attributes
    ----------
    axes : tuple of Axis
    pairs : tuple of Pair
    """

    axes: tuple[Axis, ...]
    pairs: tuple[Pair, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What is counted, inputs first; a pair has the names of both."""
        own = [axis.name for axis in self.axes]
        return (*own, *(f"{own[pair.first]} × {own[pair.second]}" for pair in self.pairs))

    @cached_property
    def _widths(self) -> list[int]:
        return [*(axis.cells for axis in self.axes), *(pair.cells for pair in self.pairs)]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the cells of each begin in the counts."""
        ends = np.cumsum(self._widths)
        return np.concatenate(([0], ends))[:-1].astype(np.int64)

    @cached_property
    def cells(self) -> int:
        """How many there are in all."""
        return sum(self._widths)

    @cached_property
    def id(self) -> str:
        """Another one for other cells: counts of one id add up."""
        said = [[a.name, a.edges, a.levels] for a in self.axes], [[p.first, p.second] for p in self.pairs]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    def codes(self, table: pl.DataFrame) -> Codes:
        """Return the cells of rows, shape (n_rows, n_inputs + n_pairs); an absent column is missing."""
        found = np.zeros((len(self.names), table.height), dtype=np.uint16)
        there = set(table.columns)
        for place, axis in enumerate(self.axes):
            if axis.name in there:
                found[place] = axis.codes(table[axis.name])
        for place, pair in enumerate(self.pairs, start=len(self.axes)):
            first, second = pair.coarse
            found[place] = first[found[pair.first]] + second[found[pair.second]]
        return found.T  # a column lies in one piece

    def count(self, codes: Codes) -> Counts:
        """Return how many rows each cell has, shape (cells,)."""
        widths = zip(codes.T, self._widths, strict=True)
        return np.concatenate([np.bincount(own, minlength=width) for own, width in widths])

    def count_each(self, codes: Codes, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the counts of many selections of rows, shape (n_selections, cells).

        A few columns at a time, as one column of their cells together: it takes half as long as each alone.
        """
        n, found, place = len(rows), np.empty((len(rows), self.cells), dtype=np.int32), 0
        while place < len(self._widths):
            widths, together = [self._widths[place]], codes[:, place].astype(np.int64)
            for more in self._widths[place + 1 :]:
                if prod(widths) * more > TOGETHER:
                    break
                together = together * more + codes[:, place + len(widths)]
                widths.append(more)
            size = prod(widths)
            flat = together[rows]
            flat += np.arange(0, n * size, size)[:, np.newaxis]
            counts = np.bincount(flat.ravel(), minlength=n * size).reshape(n, *widths)
            for own, width in enumerate(widths, start=1):
                others = tuple(axis for axis in range(1, counts.ndim) if axis != own)
                start = self.starts[place + own - 1]
                found[:, start : start + width] = counts.sum(axis=others)
            place += len(widths)
        return found

    def count_by(self, codes: Codes, groups: NDArray[np.int64], n: int) -> Counts:
        """Return the counts of each of n groups of rows, shape (n, cells); a column at a time."""
        columns = zip(codes.T, self._widths, strict=True)
        found = [
            np.bincount(groups * width + own, minlength=n * width).reshape(n, width) for own, width in columns
        ]
        return np.concatenate(found, axis=1)

    def of(self, counts: NDArray[Any], place: int) -> NDArray[Any]:
        """Return the part of counts that speaks of one input or pair."""
        start = self.starts[place]
        return counts[start : start + self._widths[place]]


def cut(
    reference: pl.DataFrame,
    inputs: Sequence[str],
    levels: Mapping[str, Collection[str]],
    groups: Callable[[str], frozenset[str]],
    weights: Mapping[str, float],
) -> Bins:
    """Cut a model's inputs into cells by its reference.

    Parameters
    ----------
    reference : polars.DataFrame
        At least one row.
    inputs : sequence of str
        Columns to cut; each number or word.
    levels : mapping of str to collection of str
        Levels that training saw, of which the reference may have none.
    groups : callable
        Says where an input comes from; pairs are made of inputs that have nothing in common there.
    weights : mapping of str to float
        Importance of inputs.
    """
    axes = tuple(_axis(reference[name], levels.get(name, ())) for name in inputs)
    codes = Bins(axes).codes(reference)
    return Bins(axes, _pairs(axes, codes, groups, weights))


def _axis(values: pl.Series, known: Collection[str]) -> Axis:
    if values.dtype == pl.String:
        seen = values.drop_nulls().value_counts(sort=True)[values.name].to_list()
        return Axis(values.name, levels=tuple(dict.fromkeys((*seen, *sorted(known)))))
    numbers = values.cast(pl.Float64).drop_nulls().to_numpy()
    numbers = np.sort(numbers[~np.isnan(numbers)])
    if not len(numbers):
        return Axis(values.name)
    distinct, counts = np.unique(numbers, return_counts=True)
    atoms = distinct[counts >= ATOM * len(values)]
    rest = numbers[~np.isin(numbers, atoms)]
    with np.errstate(over="ignore"):
        edges = {*atoms, *np.nextafter(atoms, np.inf)}
    intervals = min(INTERVALS, int(len(rest) / max(ATOM * len(values), 1)))
    if intervals > 1:
        edges |= set(np.quantile(rest, np.arange(1, intervals) / intervals, method="higher"))
    # What lies below the lowest value and above the highest one is with them: it may be seen any day.
    low = distinct[0]
    return Axis(values.name, tuple(float(edge) for edge in sorted(edges) if low < edge < np.inf))


def _pairs(
    axes: Sequence[Axis], codes: Codes, groups: Callable[[str], frozenset[str]], weights: Mapping[str, float]
) -> tuple[Pair, ...]:
    """Choose, for each group of inputs, the inputs of others that it depends on most."""
    of = [groups(axis.name) for axis in axes]
    by_weight = sorted(range(len(axes)), key=lambda place: -weights.get(axes[place].name, 0.0))
    first_of: dict[frozenset[str], int] = {}
    for place in by_weight:
        first_of.setdefault(of[place], place)
    singles = [place for group, place in first_of.items() if len(group) == 1]
    leaders = list(dict.fromkeys([*singles, *by_weight]))[:LEADERS]
    merged = {place: _merged(np.bincount(codes[:, place], minlength=axes[place].cells)) for place in leaders}
    coarse = {place: np.asarray(merged[place])[codes[:, place]] for place in leaders}
    chosen: dict[tuple[int, int], None] = {}
    for a in leaders:
        found = [
            (_dependence(coarse[a], coarse[b]), b)
            for b in leaders
            if not of[a] & of[b] and max(merged[a]) and max(merged[b])
        ]
        best = sorted(found, key=lambda one: (-one[0], one[1]))[:PARTNERS]
        chosen |= {(min(a, b), max(a, b)): None for strength, b in best if strength >= LEAST_DEPENDENCE}
    return tuple(Pair(a, b, (merged[a], merged[b])) for a, b in sorted(chosen))


def _merged(counts: NDArray[Any]) -> tuple[int, ...]:
    """Draw cells together: missing and unseen into one, the others in order into few of equal shares."""
    known = counts[2:]
    before = np.cumsum(known) - known / 2
    share = np.floor(COARSE * before / max(known.sum(), 1)).astype(int)
    used = {old: new for new, old in enumerate(dict.fromkeys(sorted(share.tolist())), start=1)}
    return (0, 0, *(used[old] for old in share.tolist()))


def _dependence(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return Cramer's V squared of two columns of cells."""
    width = int(second.max()) + 1
    table = np.bincount(first * width + second, minlength=(int(first.max()) + 1) * width)
    joint = table.reshape(-1, width) / len(first)
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = np.nansum((joint - alone) ** 2 / alone)
    least = min((joint.sum(axis=1) > 0).sum(), (joint.sum(axis=0) > 0).sum()) - 1
    return float(phi / least) if least > 0 else 0.0
