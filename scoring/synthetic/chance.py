"""Draws from a table: correlated normal latents, quantile tables, level shares.

Every function takes the generator that it draws from; nothing here keeps a state. A *latent* is a
standard normal number; columns made from correlated latents are correlated whatever their marginals.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NORMAL = NormalDist()
LEVELS = (0.001, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 0.999)
"""Probabilities of the eleven knots of a quantile table."""
_Z_LEVELS = np.array([_NORMAL.inv_cdf(level) for level in LEVELS])
_Z_GRID = np.linspace(-4.5, 4.5, 1801)
_CDF_GRID = np.array([_NORMAL.cdf(z) for z in _Z_GRID])

_RIDGE = 0.02
"""Smallest eigenvalue of the latent correlations: published ones come from different row sets, so their
matrix is made positive definite."""


def cut(share: float) -> float:
    """Return the latent below which the given share of a population lies."""
    return _NORMAL.inv_cdf(min(max(share, 1e-9), 1 - 1e-9))


def rank(z: Floats) -> Floats:
    """Return the rank in (0, 1) of each latent: the normal distribution function."""
    ranks: Floats = np.interp(z, _Z_GRID, _CDF_GRID)
    return ranks


def latent_of(u: Floats) -> Floats:
    """Return the latent of each rank in (0, 1): the inverse of `rank`."""
    z: Floats = np.interp(u, _CDF_GRID, _Z_GRID)
    return z


def quantile(z: Floats, knots: Sequence[float], log: bool = False) -> Floats:
    """Map latents to a marginal given by its quantiles at `LEVELS`.

    Parameters
    ----------
    z : ndarray
        Latents.
    knots : sequence of 11 floats
        Quantiles at `LEVELS`; beyond the outer ones the outer ones are given.
    log : bool
        Interpolate logarithms; for amounts.
    """
    table = np.asarray(knots, dtype=np.float64)
    values: Floats = np.interp(z, _Z_LEVELS, np.log(table) if log else table)
    if log:
        values = np.exp(values)
    return values


def mix(rng: np.random.Generator, z: Floats, weight: float) -> Floats:
    """Return latents that have correlation `weight` with `z`, the rest being new chance."""
    rest: float = np.sqrt(1 - weight**2)
    return weight * z + rest * rng.standard_normal(z.shape)


def flags(rng: np.random.Generator, probability: Floats | float, n: int) -> Flags:
    """Draw n independent yes/no values."""
    drawn: Flags = rng.random(n) < probability
    return drawn


def pick(rng: np.random.Generator, weights: Sequence[float] | Floats, n: int) -> Ints:
    """Draw n level numbers with the given weights."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    chosen: Ints = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    return chosen


def pick_by(rng: np.random.Generator, table: Sequence[Sequence[float]] | Floats, row: Ints) -> Ints:
    """Draw one level number per element, with the weights of its row of the table."""
    cumulative = np.cumsum(np.asarray(table, dtype=np.float64), axis=1)
    target = rng.random(len(row)) * cumulative[row, -1]
    chosen = np.zeros(len(row), dtype=np.int64)
    for column in cumulative.T[:-1]:
        chosen += target >= column[row]
    return chosen


def named(levels: Sequence[str], codes: Ints, missing: Flags | None = None) -> pl.Series:
    """Return the names of level numbers; null where missing, or where the number is -1."""
    place = np.where(codes < 0, len(levels), codes)
    if missing is not None:
        place = np.where(missing, len(levels), place)
    return pl.Series([*levels, None], dtype=pl.String).gather(pl.Series(place.astype(np.uint32)))


def number(values: NDArray[np.generic], missing: Flags | None = None) -> pl.Series:
    """Return a Float64 column, null where missing or NaN."""
    column = np.asarray(values, dtype=np.float64)
    if missing is not None:
        column = np.where(missing, np.nan, column)
    return pl.Series(column).fill_nan(None)


def amount(values: Floats, step: float = 4.5) -> Floats:
    """Round amounts to the grid of the source, whose currency was rescaled by 4.5."""
    return np.round(np.round(values / step) * step, 3)


@cache
def _factor() -> tuple[tuple[str, ...], Floats]:
    """Read the published correlations of the latents; return names and a Cholesky-like factor."""
    text = resources.files(__package__).joinpath("latents.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    names = tuple(row[0] for row in rows)
    lower = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        lower[i, : i + 1] = [float(percent) / 100 for percent in row[1:]]
    correlation = lower + np.tril(lower, -1).T
    values, vectors = np.linalg.eigh(correlation)
    correlation = (vectors * np.maximum(values, _RIDGE)) @ vectors.T
    scale = np.sqrt(np.diag(correlation))
    return names, np.linalg.cholesky(correlation / np.outer(scale, scale))


def latents(rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Draw the correlated latents of n applicants, by name (see ``latents.csv``)."""
    names, factor = _factor()
    drawn = factor @ rng.standard_normal((len(names), n))
    return {name: np.ascontiguousarray(row) for name, row in zip(names, drawn, strict=True)}
