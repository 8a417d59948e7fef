"""The feature table as numbers, coded once for all folds; what is learned of it is learned inside a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.metrics import Outcomes
from scoring.scorer.model import Encoding, Matrix

Rows = NDArray[np.bool_] | NDArray[np.intp]

LEAST = 15  # applications: the default rate of a level with fewer would only repeat their own outcomes
LEVEL_PRIOR = 50.0  # applications: a level's default rate is shrunk towards the mean as by so many more


@dataclass(frozen=True, eq=False)
class Coded:
    """A feature table as one matrix, categories by the alphabetical position of their level.

    Attributes
    ----------
    names : tuple of str
        Features, in the order of the columns.
    levels : mapping of str to tuple of str
        Of each category feature.
    matrix : ndarray of shape (n_applications, n_features)
        Missing is NaN.
    """

    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    matrix: Matrix

    @classmethod
    def of(cls, features: pl.DataFrame) -> Coded:
        """Code a table: numbers as they are, categories (String) by position; null is NaN."""
        levels = {
            name: tuple(sorted(features[name].drop_nulls().unique().to_list()))
            for name, dtype in features.schema.items()
            if dtype == pl.String
        }
        bare = Encoding(tuple(features.columns), levels, {})
        return cls(bare.names, levels, bare.codes(features))

    def only(self, names: Sequence[str]) -> Coded:
        """Return the same applications with some of their features, in the order given."""
        levels = {name: self.levels[name] for name in names if name in self.levels}
        return Coded(tuple(names), levels, self.matrix[:, [self.names.index(name) for name in names]])

    def learn(self, rows: Rows, y: Outcomes, is_complete: bool = False) -> tuple[Encoding, Matrix]:
        """Learn the encoding of these rows from their outcomes; return it with their encoded matrix.

        Levels are ordered by default rate, shrunk towards the mean; a rare level stands at the mean, equal
        rates are ordered by name. A feature that is never missing here gets a stand-in.

        Parameters
        ----------
        rows : ndarray
            Mask of shape (n_applications,), or positions.
        y : ndarray of shape (n_rows,)
            1 = default, 0 = repaid.
        is_complete : bool
            Give every feature a stand-in, so that the matrix has no gap.
        """
        matrix = self.matrix[rows]
        mean = float(np.mean(y))
        ordered: dict[str, tuple[str, ...]] = {}
        for name, levels in self.levels.items():
            column = matrix[:, self.names.index(name)]
            known = ~np.isnan(column)
            codes = column[known].astype(np.intp)
            count = np.bincount(codes, minlength=len(levels))
            rate = np.bincount(codes, y[known].astype(np.float64), len(levels)) + LEVEL_PRIOR * mean
            rate /= count + LEVEL_PRIOR
            rate[count < LEAST] = mean
            seen = np.flatnonzero(count)
            order = seen[np.lexsort((seen, rate[seen]))]
            ordered[name] = tuple(levels[code] for code in order)
            column[known] = _ranks(order, len(levels))[codes]
        fill = {}
        for position, name in enumerate(self.names):
            column = matrix[:, position]
            gaps = np.isnan(column)
            if is_complete or not gaps.any():
                fill[name] = 0.0 if gaps.all() else float(np.median(column[~gaps]))
                column[gaps] = fill[name]
        return Encoding(self.names, ordered, fill), matrix

    def encode(self, encoding: Encoding, rows: Rows) -> Matrix:
        """Return the matrix of these rows as ``encoding.encode`` gives it of their features."""
        matrix = self.matrix[rows]
        for name, levels in self.levels.items():
            column = matrix[:, self.names.index(name)]
            known = ~np.isnan(column)
            order = np.array([levels.index(level) for level in encoding.levels[name]], dtype=np.intp)
            column[known] = _ranks(order, len(levels))[column[known].astype(np.intp)]
        for name, value in encoding.fill.items():
            column = matrix[:, self.names.index(name)]
            column[np.isnan(column)] = value
        return matrix


def _ranks(order: NDArray[np.intp], n_levels: int) -> NDArray[np.float64]:
    """Return the rank of each alphabetical position, NaN for a level that the order does not hold."""
    ranks = np.full(n_levels, np.nan)
    ranks[order] = np.arange(len(order))
    return ranks
