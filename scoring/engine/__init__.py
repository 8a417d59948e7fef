"""Scores and contributions of a LightGBM model, equal to LightGBM's own and several times faster.

>>> engine = Engine.of(booster.model_to_string())  # compiles what is not in numba's cache yet
>>> engine.raw(matrix)
>>> engine.contributions(matrix)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .forest import Forest, Unsupported

if TYPE_CHECKING:
    from .explain import Explainer
    from .predict import Predictor

__all__ = ["Engine"]

logger = logging.getLogger(__name__)

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Engine:
    """A model ready to score: nothing is compiled after ``of`` has returned.

    One call uses one thread and lets other threads of Python run meanwhile.
    """

    forest: Forest
    _predictor: Predictor
    _explainer: Explainer
    name: str = "numba"

    @classmethod
    def of(cls, text: str) -> Engine | None:
        """Return the engine of a LightGBM text model, or None where LightGBM itself must answer.

        That is the case without numba, and for models with several scores per row, averaged trees or linear
        leaves; the log says which. The first call on a machine compiles for several seconds; later processes
        take the machine code from numba's cache, in ``NUMBA_CACHE_DIR`` or beside the source.
        """
        try:
            from .explain import Explainer
            from .predict import Predictor

            forest = Forest.of(text)
            engine = cls(forest, Predictor(forest), Explainer(forest))
            engine.warm()
        except Unsupported as reason:
            logger.warning("LightGBM itself will answer for this model: %s", reason)
        except (ImportError, OSError) as error:  # numba is not here, or its cache has no space left
            logger.warning("LightGBM itself will answer: %s", error)
        else:
            return engine
        return None

    def warm(self) -> None:
        """Compile, or load from the cache, all that scoring and explaining run."""
        from .predict import SWEEP_FROM_ROWS

        for rows in (1, SWEEP_FROM_ROWS):
            self.raw(np.zeros((rows, self.forest.n_features)))
        self.contributions(np.zeros((1, self.forest.n_features)))

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
        return self._predictor.raw(self._checked(matrix))

    def contributions(self, matrix: Matrix) -> tuple[Matrix, float]:
        """Return each feature's share of each row's raw score, and the base that they add to.

        Exact path-dependent TreeSHAP values, those of ``Booster.predict(pred_contrib=True)``. Takes and
        raises the same as ``raw``.
        """
        return self._explainer.contributions(self._checked(matrix)), self._explainer.base

    def _checked(self, given: Any) -> Matrix:
        """Return the matrix in the memory layout that is compiled for, copied only if it has another."""
        matrix: Matrix = np.require(given, np.float64, ["C", "W", "A"])
        if matrix.ndim != 2 or matrix.shape[1] != self.forest.n_features:
            raise ValueError(f"matrix of shape {matrix.shape}; expected (n, {self.forest.n_features}).")
        return matrix
