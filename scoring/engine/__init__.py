"""Scores and contributions of a LightGBM model, equal to LightGBM's own and several times faster.

The kernels are in C, ``kernels.c``; ``python -m scoring.engine`` builds them, and with them ``records.c``,
which brings JSON into columns (`Reader`), and ``outline.c``, which finds where they stand (`Outliner`).

>>> engine = Engine.of(booster.model_to_string())
>>> engine.raw(matrix)
>>> engine.contributions(matrix)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.engine.explain import base
from scoring.engine.forest import Damaged, Forest, Unsupported
from scoring.engine.native import Absent, Kernels
from scoring.engine.outline import NotJson, Outline, Outliner
from scoring.engine.records import Key, Reader, Records

__all__ = [
    "Absent",
    "Damaged",
    "Engine",
    "Key",
    "NotJson",
    "Outline",
    "Outliner",
    "Reader",
    "Records",
    "Unsupported",
]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Engine:
    """A model ready to score.

    One call uses one thread, and lets other threads of Python run meanwhile; any number of threads may call.
    """

    forest: Forest
    base: float
    _kernels: Kernels

    @classmethod
    def of(cls, text: str) -> Engine:
        """Return the engine of a LightGBM text model.

        Raises
        ------
        Unsupported
            If only LightGBM itself can answer for the model: it has several scores per row, averaged trees or
            linear leaves.
        Damaged
            If nobody can: the text is no model.
        Absent
            If the kernels are not built on this machine, or do not load.
        """
        forest = Forest.of(text)
        return cls(forest, base(forest), Kernels(forest))

    def raw(self, matrix: Matrix) -> Vector:
        """Return the raw score of each row, bit-equal to ``Booster.predict(raw_score=True)``.

        Parameters
        ----------
        matrix : ndarray of shape (n_rows, n_features)
            Finite numbers, NaN where missing; codes of categories as LightGBM was given them.

        Raises
        ------
        ValueError
            If the matrix does not have one column per feature.
        """
        return self._kernels.raw(self._checked(matrix))

    def contributions(self, matrix: Matrix) -> tuple[Matrix, float]:
        """Return each feature's share of each row's raw score, and the base that they add to.

        Exact path-dependent TreeSHAP values, those of ``Booster.predict(pred_contrib=True)``. Takes and
        raises the same as ``raw``.
        """
        return self._kernels.contributions(self._checked(matrix)), self.base

    def _checked(self, given: Any) -> Matrix:
        """Return the matrix in the memory layout that the kernels read, copied only if it has another."""
        matrix: Matrix = given
        if type(given) is not np.ndarray or given.dtype != np.float64 or not given.flags.carray:
            matrix = np.require(given, np.float64, ["C", "A"])
        if matrix.ndim != 2 or matrix.shape[1] != self.forest.n_features:
            raise ValueError(f"matrix of shape {matrix.shape}; expected (n, {self.forest.n_features}).")
        return matrix
