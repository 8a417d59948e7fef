"""The learned functions: features -> numbers -> log-odds of default, with their exact contributions.

Three families, all without pickle: a LightGBM booster in its own text format, a scorecard whose bins are
JSON, and a linear function whose coefficients are (a constant is a linear function without terms).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.engine import Absent, Damaged, Engine, Unsupported
from scoring.scorer.scorecard import Scorecard

if TYPE_CHECKING:
    from lightgbm import Booster

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

THREADS_FROM_ROWS = 4_000  # below it, a second thread costs more than it gives
THREADS = 2


class NoEngine(Exception):
    """Neither the native engine nor LightGBM can answer for a model here; the text says why."""


@dataclass(frozen=True)
class Encoding:
    """How features become the numbers that a function reads.

    Attributes
    ----------
    names : tuple of str
        Features in the order of the matrix's columns.
    levels : mapping of str to tuple of str
        For each category feature its levels, from the lowest default rate to the highest; the code
        is the position. A level that training never saw is coded as missing.
    fill : mapping of str to float
        Value that stands for missing in features that were never missing in training: LightGBM
        would read such a gap as zero without a word.
    """

    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    fill: Mapping[str, float]

    _expressions: list[pl.Expr] = field(init=False, repr=False, compare=False)
    _fills: list[tuple[int, float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the expressions once: for one row, building them costs more than running them."""
        expressions = [
            pl.col(name).cast(pl.Enum(self.levels[name]), strict=False).to_physical().cast(pl.Float64)
            if name in self.levels
            else pl.col(name).cast(pl.Float64)
            for name in self.names
        ]
        fills = [(i, self.fill[name]) for i, name in enumerate(self.names) if name in self.fill]
        object.__setattr__(self, "_expressions", expressions)
        object.__setattr__(self, "_fills", fills)

    def codes(self, features: pl.DataFrame) -> Matrix:
        """Return the float64 matrix (n_applications, n_features), missing and unseen as NaN."""
        return features.select(self._expressions).to_numpy(order="c", writable=True)

    def encode(self, features: pl.DataFrame) -> Matrix:
        """Return the matrix that the function reads: the codes, with the fills in place."""
        matrix = self.codes(features)
        for position, value in self._fills:
            column = matrix[:, position]
            column[np.isnan(column)] = value
        return matrix


@dataclass(frozen=True, eq=False)
class Linear:
    """A logistic regression: each feature clipped, standardised and weighted, and its absence too.

    All attributes but ``intercept`` are arrays of shape (n_features,).

    Attributes
    ----------
    intercept : float
        Log-odds of an application that is average in everything.
    coefficient : ndarray
        Log-odds per standard deviation.
    low, high : ndarray
        Values beyond are read as these.
    median : ndarray
        Stands for a missing value.
    mean, scale : ndarray
        Mean and standard deviation in training, after clipping and filling.
    missing : ndarray
        Log-odds added where the value is missing.
    missing_share : ndarray
        Share of training rows where it was, in [0, 1].
    """

    intercept: float
    coefficient: Vector
    low: Vector
    high: Vector
    median: Vector
    mean: Vector
    scale: Vector
    missing: Vector
    missing_share: Vector

    def raw(self, matrix: Matrix) -> Vector:
        """Return the log-odds of default, one per row."""
        contributions, base = self.contributions(matrix)
        # A sum per row, not a matrix product: a row alone then equals the same row in a batch, bit for bit.
        return np.asarray(base + contributions.sum(axis=1))

    def contributions(self, matrix: Matrix) -> tuple[Matrix, float]:
        """Return each feature's share of each row's log-odds, and the intercept."""
        gaps = np.isnan(matrix)
        values = np.clip(np.where(gaps, self.median, matrix), self.low, self.high)
        standard = (values - self.mean) / self.scale
        return standard * self.coefficient + (gaps - self.missing_share) * self.missing, self.intercept

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the coefficients as JSON values, one object per feature."""
        arrays = {item.name: getattr(self, item.name).tolist() for item in fields(self)[1:]}
        terms = {name: {key: arrays[key][i] for key in arrays} for i, name in enumerate(names)}
        return {"intercept": self.intercept, "terms": terms}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], names: Sequence[str]) -> Linear:
        """Read what ``to_json`` wrote; a KeyError names a feature that it lacks."""
        terms = [values["terms"][name] for name in names]
        arrays = {item.name: np.array([term[item.name] for term in terms], float) for item in fields(cls)[1:]}
        return cls(float(values["intercept"]), **arrays)

    @classmethod
    def constant(cls, log_odds: float, n_features: int) -> Linear:
        """Return the function that gives every application the same log-odds."""
        zero, one = np.zeros(n_features), np.ones(n_features)
        return cls(log_odds, zero, zero, zero, zero, zero, one, zero, zero)


@dataclass(frozen=True, eq=False)
class Boosted:
    """A LightGBM booster, kept as the text that it is saved as.

    Our own engine answers, or LightGBM itself where that cannot: with the same log-odds, to the last bit. A
    damaged text is a ``ValueError``; where neither can answer it is a `NoEngine`.

    Attributes
    ----------
    text : str
        LightGBM's own model format.
    engine : str
        Who answers: ``"native"`` or ``"lightgbm"``.
    without_native : str
        Why LightGBM itself answers; empty if it does not.
    """

    text: str
    engine: str = field(init=False)
    without_native: str = field(init=False)
    _native: Engine | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Parse the text, once."""
        native, reason = None, ""
        try:
            native = Engine.of(self.text)
        except Damaged:  # nor may LightGBM have it: where it does not end the process, it reads past the end
            raise
        except (Absent, Unsupported) as error:
            reason = str(error)
        if native is None and find_spec("lightgbm") is None:  # the image leaves it out
            raise NoEngine(f"the native engine cannot answer ({reason}), and LightGBM is not installed")
        object.__setattr__(self, "_native", native)
        object.__setattr__(self, "engine", "native" if native else "lightgbm")
        object.__setattr__(self, "without_native", reason)

    @property
    def feature_names(self) -> list[str]:
        """Features in the order of its columns; LightGBM itself takes permuted columns silently."""
        (names,) = re.findall(r"^feature_names=(.*)$", self.text, re.MULTILINE)
        return str(names).split(" ")

    @property
    def trees(self) -> int:
        """Number of trees."""
        return self.text.count("\nTree=")

    def gains(self) -> Vector:
        """Return how much each feature's splits lowered the loss in training, shape (n_features,)."""
        return np.asarray(self._booster.feature_importance("gain"), dtype=np.float64)

    def raw(self, matrix: Matrix) -> Vector:
        """Return the log-odds of default, one per row."""
        if self._native:
            return self._native.raw(matrix)
        return self._predict(matrix, raw_score=True)

    def contributions(self, matrix: Matrix) -> tuple[Matrix, float]:
        """Return exact TreeSHAP values (Lundberg 2018) and the base they add to."""
        if self._native:
            return self._native.contributions(matrix)
        values = self._predict(matrix, pred_contrib=True).reshape(len(matrix), matrix.shape[1] + 1)
        base = float(values[0, -1]) if len(values) else 0.0
        return values[:, :-1], base

    @cached_property
    def _booster(self) -> Booster:
        """LightGBM's own reading; its import takes longer than all else at a start, so it waits."""
        from lightgbm import Booster

        return Booster(model_str=self.text)

    def _predict(self, matrix: Matrix, **what: bool) -> Vector:
        """Call the booster."""
        if len(matrix) == 0:
            return np.empty((0, matrix.shape[1] + 1) if "pred_contrib" in what else 0)
        threads = THREADS if len(matrix) >= THREADS_FROM_ROWS else 1
        return np.asarray(self._booster.predict(matrix, num_threads=threads, **what), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Model:
    """An encoding and the function fitted on it."""

    encoding: Encoding
    function: Linear | Scorecard | Boosted

    def raw(self, features: pl.DataFrame) -> Vector:
        """Return the log-odds of default of each application, before calibration."""
        return self.function.raw(self.encoding.encode(features))


def probability(log_odds: Vector) -> Vector:
    """Return the probability of log-odds, without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -log_odds)))
