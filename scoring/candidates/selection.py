"""Which features a model may do without: those that gain no more than they would from chance.

Null importance (Altmann 2010): each feature's gain is set against its own distribution when the outcomes are
shuffled. A feature with many values gains from noise too, and its null tells how much; one threshold for all
features would favour it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.candidates import PROBE, Progress, TrainingSet, fit_rows
from scoring.scorer.model import Vector

ROUNDS = 100  # trees a fit: enough for every feature to be tried often at a quarter of them a tree
REAL, NULL = 2, 12  # fits on the outcomes as they are, and on shuffled ones
MOST_ROWS = 30_000  # of more, so many are drawn: the order of the gains is settled long before
QUANTILE = 0.75  # of a feature's null gains: what its real gain must exceed
SETTINGS = {**PROBE.settings, "num_leaves": 20, "feature_fraction": 0.2, "lambda_l2": 50.0}
GREEDY = replace(PROBE, settings=SETTINGS, rounds=ROUNDS)


@dataclass(frozen=True, eq=False)
class Importance:
    """What each feature gained, and what it would gain from chance.

    Attributes
    ----------
    names : tuple of str
        Features, in their own order.
    gain : ndarray of shape (n_features,)
        Mean gain over the fits on the outcomes as they are.
    null : ndarray of shape (n_features,)
        The quantile of the gains over the fits on shuffled outcomes.
    """

    names: tuple[str, ...]
    gain: Vector
    null: Vector

    @property
    def kept(self) -> tuple[str, ...]:
        """Features that gain more than chance gives them, in order; all of them if none does."""
        kept = tuple(name for name, is_kept in zip(self.names, self.gain > self.null, strict=True) if is_kept)
        return kept or self.names


@dataclass(frozen=True, eq=False)
class Selection:
    """The features chosen without each fold, and those chosen on all applications.

    Attributes
    ----------
    folds : tuple of tuple of str
        For each fold, the features chosen on the other folds.
    names : tuple of str
        The features chosen on all applications: what the crowned model reads.
    whole : Importance
        What the last choice rests on.
    """

    folds: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    whole: Importance

    def to_json(self) -> dict[str, Any]:
        """Return each feature's gain, its null and the folds that chose it, the strongest first."""
        rows = [
            {
                "name": name,
                "gain": round(float(gain), 3),
                "null": round(float(null), 3),
                "is_kept": name in self.names,
                "folds": [i for i, fold in enumerate(self.folds) if name in fold],
            }
            for gain, name, null in sorted(
                zip(self.whole.gain, self.whole.names, self.whole.null, strict=True), reverse=True
            )
        ]
        how = {"method": "null importance", "quantile": QUANTILE, "real": REAL, "null": NULL}
        return {**how, "n_folds": len(self.folds), "features": rows}

    @classmethod
    def from_json(cls, said: Mapping[str, Any], order: Sequence[str]) -> Selection:
        """Read what ``to_json`` wrote; ``order`` is that of the features."""
        by_name = {row["name"]: row for row in said["features"]}
        rows = [by_name[name] for name in order]
        folds = range(said["n_folds"])
        return cls(
            tuple(tuple(row["name"] for row in rows if fold in row["folds"]) for fold in folds),
            tuple(row["name"] for row in rows if row["is_kept"]),
            Importance(
                tuple(order), np.array([row["gain"] for row in rows]), np.array([row["null"] for row in rows])
            ),
        )


def importance(data: TrainingSet, progress: Progress | None = None, rounds: int = ROUNDS) -> Importance:
    """Measure each feature's gain against its null.

    Parameters
    ----------
    data : TrainingSet
        Category orders are learned anew for every shuffle.
    progress : callable, optional
        Called with the fits done and the fits there are.
    rounds : int
        Trees a fit.
    """
    random = np.random.default_rng(data.seed)
    rows = data.positions
    if len(rows) > MOST_ROWS:
        rows = np.sort(random.permutation(rows)[:MOST_ROWS])
    gains = []
    for number in range(REAL + NULL):
        y = data.y.copy()
        if number >= REAL:
            y[rows] = random.permutation(y[rows])
        drawn = replace(data, y=y, rows=rows, seed=data.seed + number)
        gains.append(fit_rows(GREEDY, drawn, rounds)[1].gains())
        if progress:
            progress(number + 1, REAL + NULL)
    real, null = np.array(gains[:REAL]), np.array(gains[REAL:])
    return Importance(data.coded.names, real.mean(axis=0), np.quantile(null, QUANTILE, axis=0))


def select(
    data: TrainingSet,
    folds: NDArray[np.int8],
    progress: Callable[[int], Progress] | None = None,
    rounds: int = ROUNDS,
) -> Selection:
    """Choose features without each fold in turn, then on all applications.

    So the out-of-fold figures never saw the choice that they judge.

    Parameters
    ----------
    data, rounds
        As ``importance``.
    folds : ndarray of shape (n_applications,)
        From ``evaluation.deal_folds``.
    progress : callable, optional
        Given the number of a fold (all applications come last), returns the ``progress`` of its choice.
    """
    n_folds = int(folds.max()) + 1
    found = [
        importance(data.take(folds != fold), progress(fold) if progress else None, rounds)
        for fold in range(n_folds + 1)
    ]
    *parts, whole = found
    return Selection(tuple(part.kept for part in parts), whole.kept, whole)
