"""The bins of a fact, and how many of a group lie in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.comparison.partition import FEWEST
from scoring.schema import ValueBin
from scoring.scorer.single import Value

TENS = 10  # counts are rounded to these


@dataclass(frozen=True, eq=False)
class FactBins:
    """The bins of a fact: upper edges of equal parts, or levels; the last one is for what is missing.

    ``is_ordered`` says that it has numbers: a fact of words may have no level that many have.
    """

    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    is_ordered: bool = True

    @classmethod
    def of(cls, values: pl.Series, bins: int) -> FactBins:
        """Return the bins for the values of a whole reference; levels of fewer than 100 have one together."""
        if values.dtype == pl.String:
            counts = values.drop_nulls().value_counts().filter(pl.col("count") >= 2 * FEWEST)
            return cls(levels=tuple(sorted(counts[values.name].to_list())), is_ordered=False)
        known = values.drop_nulls().to_numpy()
        # Of what few have, each would be an edge: no part holds fewer than a group has to.
        bins = min(bins, len(known) // FEWEST)
        cuts = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]) if bins > 1 else []
        # Rounded, so that no edge is the value of one person.
        return cls(edges=tuple(float(f"{cut:.3g}") for cut in np.unique(cuts)))

    @property
    def size(self) -> int:
        """Number of bins, with that of other levels, and that of what is missing."""
        return len(self.edges if self.is_ordered else self.levels) + 2

    def places(self, values: pl.Series) -> NDArray[np.intp]:
        """Return the bin of each value."""
        if self.levels:
            known = {level: place for place, level in enumerate(self.levels)}
            found = values.replace_strict(known, default=len(self.levels), return_dtype=pl.Int64)
        else:
            edges = np.searchsorted(self.edges, values.fill_null(0).to_numpy(), side="left")
            found = pl.Series(edges, dtype=pl.Int64)
        places = pl.select(pl.when(values.is_null()).then(self.size - 1).otherwise(found)).to_series()
        return places.to_numpy().astype(np.intp)

    def place(self, value: Value) -> int | None:
        """Return the bin of one value, None if it is missing."""
        return None if value is None else self._bin(value)

    def _bin(self, value: Value) -> int:
        if value is None:
            return self.size - 1
        if not self.is_ordered:
            return self.levels.index(value) if value in self.levels else len(self.levels)
        return int(np.searchsorted(self.edges, float(value), side="left"))

    def bins(self) -> list[ValueBin]:
        """Return what the bins are, in their order."""
        if not self.is_ordered:
            return [
                *(ValueBin(level=level) for level in self.levels),
                ValueBin(kind="other"),
                ValueBin(kind="missing"),
            ]
        lows, highs = (None, *self.edges), (*self.edges, None)
        return [
            *(ValueBin(above=a, to=b) for a, b in zip(lows, highs, strict=True)),
            ValueBin(kind="missing"),
        ]


def counted(places: Sequence[NDArray[np.integer[Any]]], axes: Sequence[FactBins]) -> list[int]:
    """Return rounded counts of each cell, row by row.

    Two facts make many small cells. Their counts are cut to fifties, so that one of less is not told from an
    empty one, nor can it be had from the counts of one fact less the cells beside it.
    """
    cells = np.ravel_multi_index(tuple(places), tuple(axis.size for axis in axes))
    found = np.bincount(cells, minlength=int(np.prod([axis.size for axis in axes])))
    if len(axes) > 1:
        return [int(n) for n in FEWEST * (found // FEWEST)]
    return [int(n) for n in TENS * np.rint(found / TENS)]


def share_up_to(counts: Sequence[int], own: int, is_ordered: bool) -> float:
    """Return the share of known values in the own bin, or up to it."""
    known = counts[:-1]
    return (sum(known[: own + 1]) if is_ordered else known[own]) / max(sum(known), 1)
