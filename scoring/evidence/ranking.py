"""Applications from the riskiest on, and what refusing the first so many leads to.

Equal scores are decided alike, so they are one step. Where a curve is shown, its neighbouring points have a
minimum number of applications between them: then no point tells of a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.decision import COSTS
from scoring.metrics import Outcomes, Vector

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The ways to refuse the riskiest.

    Attributes
    ----------
    order : ndarray of shape (n_applications,)
        Positions of the applications, the riskiest first.
    scores : ndarray of shape (n_cuts,)
        Falling; a cut refuses every application at or above its score. The last one refuses everybody.
    bads, goods : ndarray of shape (n_cuts,)
        Defaults and repaid credits that the cut refuses.
    """

    order: Rows
    scores: Vector
    bads: Vector
    goods: Vector

    @classmethod
    def of(cls, y: Outcomes, score: Vector) -> Ranking:
        """Rank by any score that rises with the risk."""
        order = np.argsort(-score, kind="stable")
        ordered, bad = score[order], y[order].astype(np.float64)
        ends = np.flatnonzero(np.concatenate((ordered[1:] < ordered[:-1], [True])))
        return cls(order, ordered[ends], np.cumsum(bad)[ends], np.cumsum(1 - bad)[ends])

    @property
    def refused(self) -> Vector:
        """Applications that each cut refuses."""
        return self.bads + self.goods

    @property
    def caught(self) -> Vector:
        """Share of the defaults that each cut refuses."""
        return np.asarray(self.bads / self.bads[-1])

    @property
    def alarms(self) -> Vector:
        """Share of the repaid credits that each cut refuses."""
        return np.asarray(self.goods / self.goods[-1])

    @property
    def ks(self) -> float:
        """The largest distance between the two shares, over every cut that there is."""
        return float(np.max(self.caught - self.alarms, initial=0.0))

    @property
    def cost_per_1000(self) -> Vector:
        """Cost of each cut per 1,000 applications."""
        missed = self.bads[-1] - self.bads
        cost = COSTS.false_negative * missed + COSTS.false_positive * self.goods
        return np.asarray(1_000 * cost / self.refused[-1])

    def thinned(self, smallest: int, most: int) -> Ranking:
        """Return the ranking with at most so many cuts, at least ``smallest`` applications apart."""
        at = apart(self.refused, smallest, most)
        return Ranking(self.order, self.scores[at], self.bads[at], self.goods[at])

    def parts(self) -> list[Rows]:
        """Return the positions of the applications between each two cuts, the riskiest first."""
        return list(np.split(self.order, self.refused[:-1].astype(int)))


def apart(ends: Vector, smallest: int, most: int) -> Rows:
    """Return positions of cuts that lie evenly, at least ``smallest`` applications apart; the last is one.

    Parameters
    ----------
    ends : ndarray of shape (n_cuts,)
        Rising: applications before each cut, all of them before the last.
    smallest, most : int
        Applications between two cuts, and cuts.
    """
    n = int(ends[-1])
    pieces = max(1, min(most, n // smallest))
    chosen, before = [], 0
    for target in n * np.arange(1, pieces) // pieces:
        at = int(np.searchsorted(ends, target))
        if ends[at] - before >= smallest and n - ends[at] >= smallest:
            chosen.append(at)
            before = int(ends[at])
    return np.array([*chosen, len(ends) - 1], dtype=np.intp)
