"""What a model family is, what it learns from, and what a candidate declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.candidates.coding import Coded, Rows
from scoring.candidates.imbalance import RESAMPLING, Treatment
from scoring.metrics import Outcomes
from scoring.scorer.model import Matrix, Vector

Progress = Callable[[int, int], None]  # rounds done, rounds at most


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Applications to learn from, whole or some rows of them.

    Attributes
    ----------
    coded : Coded
        The features of all applications, n_applications of them.
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    directions : mapping of str to int
        Features whose higher value must never lower (+1) or raise (-1) the risk.
    seed : int
        Same seed and same rows: same model, bit for bit.
    rows : ndarray of shape (n_rows,), optional
        Positions of the applications to learn from; all if not given.
    """

    coded: Coded
    y: Outcomes
    directions: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    rows: NDArray[np.intp] | None = None

    @classmethod
    def of(
        cls, features: pl.DataFrame, y: Outcomes, directions: Mapping[str, int] | None = None, seed: int = 0
    ) -> TrainingSet:
        """Code a table: numbers as Float64, categories as String; missing is null."""
        return cls(Coded.of(features), y, directions or {}, seed)

    def __len__(self) -> int:
        """Return the number of applications to learn from."""
        return len(self.positions)

    @property
    def positions(self) -> NDArray[np.intp]:
        """Positions of the applications to learn from."""
        return np.arange(len(self.y)) if self.rows is None else self.rows

    @property
    def outcomes(self) -> Outcomes:
        """Outcomes of the applications to learn from."""
        return self.y if self.rows is None else self.y[self.rows]

    def take(self, rows: Rows) -> TrainingSet:
        """Return the same applications with other rows to learn from: a mask over all, or positions."""
        return replace(self, rows=np.arange(len(self.y))[rows])

    def only(self, names: Sequence[str]) -> TrainingSet:
        """Return the same applications with some of their features, in the order given."""
        return replace(self, coded=self.coded.only(names))


@dataclass(frozen=True, eq=False)
class Sample:
    """What a family is fitted on: rows that are encoded already.

    Attributes
    ----------
    matrix : ndarray of shape (n_rows, n_features)
        Missing is NaN.
    y : ndarray of shape (n_rows,)
    names : sequence of str
        Of the columns.
    constraints : sequence of int
        Per column +1, -1 or 0: the direction that the function must keep.
    treatment : {"none", "weights", "undersampling", "smote"}
    seed : int
    rounds : int, optional
        Trees of each booster; if not given, rows that are left out choose it.
    progress : callable, optional
        Called with the rounds done and the most rounds there can be.
    """

    matrix: Matrix
    y: Outcomes
    names: Sequence[str]
    constraints: Sequence[int]
    treatment: Treatment = "none"
    seed: int = 0
    rounds: int | None = None
    progress: Progress | None = None


@dataclass(frozen=True, eq=False)
class Comparator:
    """A function without contributions: log-odds and nothing else."""

    predict: Callable[[Matrix], Vector]
    trees: int

    def raw(self, matrix: Matrix) -> Vector:
        """Return the log-odds of default, one per row."""
        return self.predict(matrix)


@dataclass(frozen=True)
class Span:
    """A range of a hyper-parameter to search in."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False


@dataclass(frozen=True, eq=False)
class Family:
    """All that the rest of the project asks of a model family.

    Attributes
    ----------
    name : str
    fit : callable
        Gives the function that a candidate of this family learns from a sample.
    is_served : bool
        Whether the service can compute it; if not, it is a comparison.
    reads_gaps : bool
        Whether the learner takes NaN; what fills gaps itself says False. SMOTE needs a matrix without.
    grid : mapping of str to list
        Values of settings that a search tries, in all combinations.
    space : mapping of str to Span
        Ranges of settings that a search samples, where there is no grid.
    libraries : tuple of str
        Distributions that it learns with, beside those of every training.
    """

    name: str
    fit: Callable[[Candidate, Sample], Any]
    is_served: bool = False
    reads_gaps: bool = False
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    space: Mapping[str, Span] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A declared model: a family and its settings.

    Attributes
    ----------
    name : str
        Name of its run.
    family : Family
    settings : mapping
        Hyper-parameters in the words of the library that fits it.
    rounds : int
        Boosting only: the most trees that may grow, in each booster.
    boosters : int
        boosted only: how many are grown, each without another part of the rows, and merged into one.
    treatment : {"none", "weights", "undersampling", "smote"}
        What is done about imbalance.
    is_directed : bool
        boosted and scorecard only: whether the declared directions hold.
    """

    name: str
    family: Family
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 0
    boosters: int = 1
    treatment: Treatment = "none"
    is_directed: bool = True

    @property
    def obstacle(self) -> str | None:
        """Why it can never be champion; None if it can."""
        if self.treatment != "none":
            return f"{self.treatment}: a comparison, its probabilities need repair"
        if not self.family.is_served:
            return f"{self.family.name}: a comparison, it cannot be served"
        if not self.is_directed:
            return "no directions: a comparison, its reasons could say that less debt is a risk"
        return None

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions that it learns with, beside those of every training."""
        return self.family.libraries + RESAMPLING.get(self.treatment, ())

    def treated(self, treatment: Treatment) -> Candidate:
        """Return the same model with another treatment of imbalance."""
        return replace(self, name=f"{self.name}_{treatment}", treatment=treatment)

    def description(self) -> dict[str, Any]:
        """Return all that it declares, as JSON can say it."""
        return {**asdict(replace(self, family=None)), "family": self.family.name}  # type: ignore[arg-type]
