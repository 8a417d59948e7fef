"""What a portfolio looks like: gaps, single columns, and each column beside the outcome.

No figure of few people: quantiles instead of extremes, and no level or bin below a minimum size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from scoring.evidence.fairness import SMALLEST
from scoring.metrics import Outcomes, Vector

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
BINS = 5
LEVELS = 8  # of a category that are shown
PIECES = 20  # of a distribution at most
GAPS = (0.05, 0.25, 0.50, 0.75)  # bounds of the classes of features by their share of gaps
REPAID, DEFAULT, ALL = "repaid", "defaults", "all"  # whose distribution


@dataclass(frozen=True)
class Bin:
    """A part of the applications by the values of one column.

    Attributes
    ----------
    low, high : float or None
        Of a number: the bin holds values above ``low`` and up to ``high``; None at the ends.
    level : str or None
        Of a category.
    is_missing : bool
        Whether it holds the applications without a value.
    share : float
        Of all applications.
    default_rate : float
    """

    low: float | None
    high: float | None
    level: str | None
    is_missing: bool
    share: float
    default_rate: float


@dataclass(frozen=True)
class Shape:
    """How the known values of a column are distributed, among repaid credits and among defaults.

    Attributes
    ----------
    edges : tuple of float
        Of a number of many values: the pieces between its 5 % and 95 % quantiles. Empty for a few values.
    values : tuple of str or float
        Of a category or a number of few values: the values themselves.
    shares : mapping of str to tuple of float
        Of each piece or value, of all that are shown of ``repaid`` and ``defaults``; of ``all`` together if
        one of the two is too small a group. A piece or value of fewer than ``SMALLEST`` is not shown.
    """

    edges: tuple[float, ...]
    values: tuple[str | float, ...]
    shares: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class ColumnSummary:
    """One column of the portfolio.

    Attributes
    ----------
    name : str
    missing : float
        Share of applications without a value.
    quantiles : tuple of float
        At ``QUANTILES``; empty for a category or a column without values.
    mean : float or None
    bins : tuple of Bin
    shape : Shape or None
        None if fewer than two pieces are large enough.
    """

    name: str
    missing: float
    quantiles: tuple[float, ...]
    mean: float | None
    bins: tuple[Bin, ...]
    shape: Shape | None


def missing_by_table(features: pl.DataFrame, tables: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the mean share of gaps over the features of each table."""
    gaps = dict(zip(features.columns, features.null_count().row(0), strict=True))
    height = max(features.height, 1)
    return {t: sum(gaps[n] for n in names) / (height * len(names)) for t, names in tables.items() if names}


def gaps_by_table(
    features: pl.DataFrame, tables: Mapping[str, Sequence[str]]
) -> dict[str, tuple[float, ...]]:
    """Return, for each table, the share of its features in each class of ``GAPS``, by their share of gaps."""
    gaps = dict(zip(features.columns, features.null_count().row(0), strict=True))
    height = max(features.height, 1)
    found = {}
    for table, names in tables.items():
        if names:
            classes = np.searchsorted(GAPS, [gaps[name] / height for name in names], side="right")
            counts = np.bincount(classes, minlength=len(GAPS) + 1)
            found[table] = tuple((counts / len(names)).tolist())
    return found


def describe(features: pl.DataFrame, y: Outcomes, names: Sequence[str]) -> list[ColumnSummary]:
    """Describe some columns, each beside the outcome; a bin of fewer than ``SMALLEST`` is not shown.

    Parameters
    ----------
    features : polars.DataFrame of shape (n_applications, n_features)
        Numbers as Float64, categories as String; missing is null.
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    names : sequence of str
    """
    return [_column(features[name], y) for name in names]


def correlations(
    features: pl.DataFrame, names: Sequence[str], most: int = 10
) -> list[tuple[str, str, float]]:
    """Return the pairs of numbers that go together most: Spearman's correlation where both are known."""
    numbers = [name for name in names if features.schema[name] == pl.Float64]
    found = []
    for position, a in enumerate(numbers):
        for b in numbers[position + 1 :]:
            both = features.select(a, b).drop_nulls()
            if both.height >= SMALLEST and both[a].n_unique() > 1 and both[b].n_unique() > 1:
                value = both.select(pl.corr(a, b, method="spearman")).item()
                found.append((a, b, float(value)))
    return sorted(found, key=lambda pair: -abs(pair[2]))[:most]


def _column(values: pl.Series, y: Outcomes) -> ColumnSummary:
    known = values.drop_nulls()
    is_number = values.dtype == pl.Float64
    quantiles: tuple[float, ...] = ()
    if is_number and len(known) >= SMALLEST:
        quantiles = tuple(float(known.quantile(q) or 0.0) for q in QUANTILES)
    bins = _number_bins(values) if is_number else _level_bins(values)
    gaps = values.is_null().to_numpy()
    bins.append((None, None, None, True, gaps))
    return ColumnSummary(
        values.name,
        float(gaps.mean()),
        quantiles,
        float(known.to_numpy().mean()) if quantiles else None,
        tuple(
            Bin(low, high, level, is_missing, float(rows.mean()), float(y[rows].mean()))
            for low, high, level, is_missing, rows in bins
            if rows.sum() >= SMALLEST
        ),
        _shape(values, y),
    )


def _shape(values: pl.Series, y: Outcomes) -> Shape | None:
    known = values.is_not_null().to_numpy()
    series, outcome = values.drop_nulls(), y[known]
    if len(series) < SMALLEST:
        return None
    of = {REPAID: outcome == 0, DEFAULT: outcome == 1}
    if min(rows.sum() for rows in of.values()) < SMALLEST:
        of = {ALL: np.full(len(outcome), True)}
    if values.dtype != pl.Float64 or series.n_unique() <= LEVELS:
        return _of_values(series, of)
    numbers = series.to_numpy()
    low, high = np.quantile(numbers, [QUANTILES[0], QUANTILES[-1]])
    edges = _merged(numbers, np.linspace(low, high, PIECES + 1))
    if len(edges) < 3:
        return None
    shares = {who: _shares(np.histogram(numbers[rows], edges)[0]) for who, rows in of.items()}
    return Shape(tuple(edges.tolist()), (), shares)


def _of_values(
    series: pl.Series, of: Mapping[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]
) -> Shape | None:
    """Count each value that is frequent enough: levels by their frequency, numbers in their order."""
    counts = series.value_counts(sort=True, name="n").filter(pl.col("n") >= SMALLEST).head(LEVELS)
    shown = counts[series.name].to_list()
    if len(shown) < 2:
        return None
    if series.dtype == pl.Float64:
        shown = sorted(shown)
    found = {
        who: _shares(np.array([int((series.filter(pl.Series(rows)) == value).sum()) for value in shown]))
        for who, rows in of.items()
    }
    return Shape((), tuple(shown), found)


def _merged(numbers: Vector, edges: Vector) -> Vector:
    """Leave out edges, from low to high, until each piece holds at least ``SMALLEST`` values."""
    edges = np.unique(edges)
    counts = np.histogram(numbers, edges)[0] if len(edges) > 1 else np.array([0])
    kept, held = [edges[0]], 0
    for edge, count in zip(edges[1:], counts, strict=False):
        held += int(count)
        if held >= SMALLEST:
            kept.append(edge)
            held = 0
    if held and len(kept) > 1:  # the rest joins the last piece
        kept[-1] = edges[-1]
    return np.array(kept)


def _shares(counts: Any) -> tuple[float, ...]:
    return tuple((counts / max(int(counts.sum()), 1)).tolist())


_Part = tuple[float | None, float | None, str | None, bool, np.ndarray[tuple[int], np.dtype[np.bool_]]]


def _number_bins(values: pl.Series) -> list[_Part]:
    """Cut a number at its quintiles; equal values stay together."""
    numbers = values.fill_null(float("nan")).to_numpy()
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return []
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="lower"))
    edges = edges[edges < known.max()]
    place = np.searchsorted(edges, numbers, side="left")
    parts: list[_Part] = []
    for i in range(len(edges) + 1):
        low = float(edges[i - 1]) if i else None
        high = float(edges[i]) if i < len(edges) else None
        parts.append((low, high, None, False, (place == i) & ~np.isnan(numbers)))
    return parts


def _level_bins(values: pl.Series) -> list[_Part]:
    """Give the most frequent levels."""
    counts = (
        values.drop_nulls()
        .value_counts(sort=True, name="n")
        .sort(["n", values.name], descending=[True, False])
    )
    return [
        (None, None, str(level), False, values.eq_missing(pl.Series([level])).to_numpy())
        for level in counts[values.name].head(LEVELS).to_list()
    ]
