"""Whether counts of cells could be those of the reference's own population: pure functions.

Two distances for each input and pair: a chi-squared one that sees any change of form, and one of cumulative
shares that sees a small shift of a number sooner. What chance makes of them is not taken from a formula: rows
of the reference are drawn again and again, at the window's size, and all inputs of a row together, so that
the strongest of hundreds of dependent inputs is judged by what the strongest of them does by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, pdtrc

from monitoring.bins import UNSEEN, Bins, Codes, Counts

Matrix = NDArray[np.float64]
Measures = tuple[Matrix, Matrix, Matrix]

FLOOR = 0.005  # of the distance: below, a change is real perhaps, but too small to matter
FALSE_WINDOWS = 0.003  # share of windows of the same population in which anything at all is called moved
FALSE_DISCOVERIES = 0.01  # share of the inputs named in a window that moved which did not move
DRAWS = 500
MOST_ROWS = 2_000  # drawn: larger windows differ by chance no more than this, in units of chance
THIN = 2.0  # rows: a cell in which fewer are expected counts as if so many were
MOST = 700.0  # evidence: beyond it the probability is zero to a computer
TAIL = 0.1  # share of the strongest draws from which the limit is taken
GRID = 1.15  # sizes of windows between which chance does not differ


@dataclass(frozen=True, eq=False)
class Chance:
    """What chance makes of the distances between a reference and windows of a size.

    Attributes
    ----------
    rows : int
        Rows that were drawn.
    mean, variance : numpy.ndarray of shape (n_names, 2)
        Of both distances, in units of chance.
    limit : float
        What the strongest evidence of all stays below in all but `FALSE_WINDOWS` of the windows.
    strongest : numpy.ndarray of shape (n_draws,)
        That of each drawn window.
    """

    rows: int
    mean: Matrix
    variance: Matrix
    limit: float
    strongest: Matrix

    def evidence(self, distances: Matrix) -> Matrix:
        """Return -log p of each distance, shape as given: how little chance would make one as large."""
        mean, variance = np.maximum(self.mean, 0.25), np.maximum(self.variance, 0.25)
        with np.errstate(divide="ignore"):
            found = -np.log(gammaincc(mean**2 / variance, np.maximum(distances * mean / variance, 0.0)))
        return np.asarray(np.minimum(np.nan_to_num(found, nan=0.0, posinf=MOST), MOST))


@dataclass(frozen=True, eq=False)
class Comparison:
    """A window beside the reference, one entry for each input and pair.

    Attributes
    ----------
    rows : int
        Of the window.
    distance : numpy.ndarray of shape (n_names,)
        What is left of the distance without what chance gives: chi-squared divided by the rows.
    evidence : numpy.ndarray of shape (n_names,)
        -log p.
    limit : float
        See `Chance`.
    has_moved : numpy.ndarray of bool of shape (n_names,)
        False everywhere unless some evidence is beyond the limit and its distance above the floor.
    """

    rows: int
    distance: Matrix
    evidence: Matrix
    limit: float
    has_moved: NDArray[np.bool_]

    @property
    def is_drift(self) -> bool:
        """Whether the window is of another population."""
        return bool(self.has_moved.any())


class Detector:
    """Compares windows with the reference of a model.

    Parameters
    ----------
    bins : Bins
    codes : numpy.ndarray of shape (n_rows, n_names)
        Cells of the reference's rows; or a function that gives them, which is asked when windows are drawn.
    seed : int
        Of the draws.
    draws, most_rows : int
        How many windows are drawn, and of how many rows at most.
    counts : numpy.ndarray of shape (cells,), optional
        Counts of the codes, where they are known.
    among : numpy.ndarray of int, optional
        The rows of the codes that are its own, where it is of a part of the reference alone; needs counts.
    own : numpy.ndarray of shape (cells,), optional
        Counts of the same rows with the scores that the model itself gives them: see `measure`.

    Attributes
    ----------
    chances : dict of int to Chance
        What was drawn, by the rows of a window.
    """

    def __init__(
        self,
        bins: Bins,
        codes: Codes | Callable[[], Codes],
        seed: int = 0,
        *,
        draws: int = DRAWS,
        most_rows: int = MOST_ROWS,
        counts: Counts | None = None,
        among: NDArray[np.int64] | None = None,
        own: Counts | None = None,
    ) -> None:
        self.bins, self._codes, self.seed, self._among = bins, codes, seed, among
        self.draws, self.most_rows = draws, most_rows
        self.counts = bins.count(self.codes) if counts is None else counts
        self.rows = int(bins.of(self.counts, 0).sum())
        self._expected = self.counts / self.rows
        self._ends = np.append(bins.starts[1:], bins.cells) - 1
        self._before = np.repeat(np.arange(len(self._ends)), np.diff(bins.starts, append=bins.cells))
        self._usual = self._measures(self._expected)
        self._sides = [self._usual] if own is None else [self._usual, self._measures(own / self.rows)]
        self._is_ordered = np.array([axis.levels is None for axis in bins.axes] + [False] * len(bins.pairs))
        self._words = np.flatnonzero([axis.levels is not None for axis in bins.axes])
        self._is_new = np.zeros(bins.cells, dtype=bool)
        self._is_new[bins.starts[self._words] + UNSEEN] = True
        self._once = np.array([(bins.of(self.counts, int(place)) == 1).sum() for place in self._words])
        self.chances: dict[int, Chance] = {}

    @cached_property
    def codes(self) -> Codes:
        """The cells of the reference's rows."""
        return self._codes() if callable(self._codes) else self._codes

    def size(self, rows: int) -> int:
        """Return how many rows are drawn for a window: fewer than it has, since the reference errs too."""
        both = rows * self.rows / (rows + self.rows)
        step = int(np.floor(np.log(max(both, 2.0)) / np.log(GRID) + 1e-9))
        return min(self.most_rows, max(2, round(GRID**step)))

    def chance(self, rows: int) -> Chance:
        """Return what chance does in windows of so many rows."""
        m = self.size(rows)
        if m not in self.chances:
            self.chances[m] = self._drawn(m)
        return self.chances[m]

    def compare(self, counts: Counts) -> Comparison:
        """Compare the counts of a window, shape (cells,), with the reference.

        Raises
        ------
        ValueError
            If the window is empty.
        """
        effect, evidence, chance = self.measure(counts)
        rows = int(self.bins.of(counts, 0).sum())
        matters = effect >= FLOOR
        has_moved = np.zeros(len(effect), dtype=bool)
        if (matters & (evidence > chance.limit)).any():
            has_moved = matters & discovered(np.exp(-evidence))
        return Comparison(rows, effect, evidence, chance.limit, has_moved)

    def measure(self, counts: Counts) -> tuple[Matrix, Matrix, Chance]:
        """Return distance and evidence of each input and pair, and what chance does; no verdict.

        Raises
        ------
        ValueError
            If the window is empty.

        Notes
        -----
        The reference's scores are out of fold: each is of a model that did not learn from the row. Those of a
        window are of the model that serves. Where few rows were learnt from, the two are spread differently
        over the same population, and the model's own scores of the rows it learnt from are too sure. Only
        what is unlike both has moved, and by no more than from the nearer one. Inputs are the same in both.
        """
        rows = int(self.bins.of(counts, 0).sum())
        if not rows:
            raise ValueError("a window without a row has no shares")
        chance = self.chance(rows)
        found = [self._beside(usual, counts, chance) for usual in self._sides]
        effect, evidence = np.min(found, axis=0)
        if len(self._words):
            evidence[self._words], effect[self._words] = np.maximum(
                (evidence[self._words], effect[self._words]), self._unseen(counts, rows)
            )
        return effect, evidence, chance

    def _beside(self, usual: Measures, counts: Counts, chance: Chance) -> Matrix:
        """Return distance and evidence of a window beside what is usual, shape (2, n_names)."""
        rows = int(self.bins.of(counts, 0).sum())
        both = rows * self.rows / (rows + self.rows)
        apart = counts / rows - usual[0]
        distances = self._distances(apart, both, usual)
        # A reference that by chance has few rows of a cell would call the same as ever a surprise: whether
        # it is chance is told by the shares of both together.
        pooled = self._measures((counts + usual[0] * self.rows) / (rows + self.rows))
        evidence = chance.evidence(self._distances(apart, both, pooled)).max(axis=1)
        return np.stack([np.maximum((distances - chance.mean) / both, 0.0).max(axis=1), evidence])

    def sees(self, place: int, counts: Counts) -> bool:
        """Say whether one input's counts, were all others as usual, make a window drift."""
        rows = int(counts.sum())
        chance, both = self.chance(rows), rows * self.rows / (rows + self.rows)
        start = self.bins.starts[place]
        own = slice(start, start + len(counts))
        apart, least, is_new = counts / rows - self._expected[own], THIN / both, self._is_new[own]
        known, moved = np.where(is_new, 0.0, apart), np.cumsum(apart) ** 2

        def distances(measures: Measures) -> Matrix:
            expected, spread, weights = measures
            form = (known**2 / np.maximum(expected, least)).sum()
            shift = (moved / np.maximum(spread, least) * weights).sum()
            return both * np.array([form, shift if self._is_ordered[place] else 0.0])

        expected, spread, weights = (one[own] for one in self._usual)
        together = (counts + self.counts[own]) / (rows + self.rows)
        pooled = (together, *_spread(together, np.cumsum(together)))
        alone = replace(chance, mean=chance.mean[place], variance=chance.variance[place])
        effect = ((distances((expected, spread, weights)) - alone.mean) / both).max()
        return bool(effect >= FLOOR and alone.evidence(distances(pooled)).max() > chance.limit)

    def _measures(self, shares: Matrix) -> Measures:
        """Return what distances are measured by: shares, spread of the cumulative ones, and their weights."""
        spread, weights = _spread(shares, np.cumsum(shares) - self._before)
        weights[self._ends] = 0.0
        return shares, spread, weights

    def _distances(self, apart: Matrix, rows: float, measures: Measures) -> Matrix:
        """Return both distances of shares that are so far apart, in units of chance, shape (n_names, 2)."""
        starts, least = self.bins.starts, THIN / rows
        expected, spread, weights = measures
        # Levels that training never saw have a law of their own: see `_unseen`.
        known = np.where(self._is_new, 0.0, apart)
        form = np.add.reduceat(known**2 / np.maximum(expected, least), starts)
        # What is apart sums up to nothing over the cells of one input, so it begins anew with each.
        moved = np.cumsum(apart) ** 2 / np.maximum(spread, least)
        shift = np.add.reduceat(moved * weights, starts)
        return rows * np.stack([form, np.where(self._is_ordered, shift, 0.0)], axis=-1)

    def _unseen(self, counts: Counts, rows: int) -> tuple[Matrix, Matrix]:
        """Return evidence and share of levels that training never saw, of each category.

        How often one may be met is what Good and Turing (1953) say: as often as levels were met once.
        """
        new = counts[self.bins.starts[self._words] + UNSEEN]
        expected = rows * (self._once + 1) / self.rows
        with np.errstate(divide="ignore"):
            evidence = np.where(new > 0, -np.log(pdtrc(np.maximum(new - 1, 0), expected)), 0.0)
        return np.minimum(evidence, MOST), new / rows

    def _drawn(self, m: int) -> Chance:
        rng = np.random.default_rng([self.seed, m])
        chosen = rng.integers(0, self.rows, (self.draws, m))
        drawn = self.bins.count_each(self.codes, chosen if self._among is None else self._among[chosen])
        found = np.array([self._distances(counts / m - self._expected, m, self._usual) for counts in drawn])
        # Draws that took part in a fit look more usual by it than they are: each half by the other's.
        fits = [_fitted(m, found[1 - half :: 2]) for half in (0, 1)]
        strongest = np.array([fits[half].evidence(one).max() for half in (0, 1) for one in found[half::2]])
        return replace(_fitted(m, found), limit=limit(strongest, FALSE_WINDOWS), strongest=strongest)


def _spread(shares: Matrix, below: Matrix) -> tuple[Matrix, Matrix]:
    """Return the variance of cumulative shares and what each is weighed by; nothing is behind the last."""
    weights = shares + np.append(shares[1:], 0.0)
    weights[-1] = 0.0
    return np.clip(below, 0.0, 1.0) * np.clip(1.0 - below, 0.0, 1.0), weights


def _fitted(rows: int, drawn: Matrix) -> Chance:
    return Chance(rows, drawn.mean(axis=0), drawn.var(axis=0), 0.0, np.zeros(0))


def limit(strongest: Matrix, share: float) -> float:
    """Return what a maximum exceeds in a share of windows: beyond its highest tenth the tail is exponential.

    So one odd draw among hundreds moves it little, as it would the highest value itself.
    """
    start = float(np.quantile(strongest, 1 - TAIL))
    scale = float((strongest[strongest > start] - start).mean())
    return start + max(scale, 1.0) * float(np.log(TAIL / share))


def discovered(p: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of many tests hold if the share of false ones among them shall be small.

    Benjamini and Hochberg (1995), at `FALSE_DISCOVERIES`.
    """
    order = np.argsort(p, kind="stable")
    passes = np.flatnonzero(p[order] <= FALSE_DISCOVERIES * np.arange(1, len(p) + 1) / len(p))
    found = np.zeros(len(p), dtype=bool)
    if len(passes):
        found[order[: passes[-1] + 1]] = True
    return found
