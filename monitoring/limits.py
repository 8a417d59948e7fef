"""What a window of a size cannot show: found by putting smaller and smaller changes into the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from monitoring.bins import MISSING
from monitoring.outcomes import ALARM, capital
from monitoring.reference import PREDICTION, Reference
from monitoring.words import Said
from scoring.decision import REFUSED

DRAWS = 40  # windows of each change
SEEN = 0.9  # of them, in which a change must be found
MOST_ROWS = 20_000  # that are drawn: a larger window sees a little more than is said
CHANGES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)  # of a number
GAPS = (0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)  # share that is lost
RISES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0)  # of the default rate
PREFERRED = ("AMT_INCOME_TOTAL", "AMT_CREDIT", "EXT_SOURCE_2")  # examples that everybody knows
FIXED_WRONG = 0.01  # of a test at one moment, which the bet is set beside


@dataclass(frozen=True)
class DetectionLimits:
    """The smallest changes that nine windows in ten show; None: none that was tried.

    Attributes
    ----------
    rows : int
        Decisions of the window.
    column : str, optional
        The number that was changed.
    change, missing : float, optional
        Share by which it rose; share of it that was lost.
    outcomes : int
        That are known, or will be once all are.
    are_known : bool
    rise : float, optional
        Of the default rate, found by the bet.
    fixed_rise : float, optional
        Found by a test at this one moment that is wrong as often.
    """

    rows: int
    column: str | None
    change: float | None
    missing: float | None
    outcomes: int
    are_known: bool
    rise: float | None
    fixed_rise: float | None

    def said(self) -> list[Said]:
        """Return it as sentences."""
        found = []
        if self.column is not None and self.change is not None and self.missing is not None:
            values = {"rows": self.rows, "name": self.column, "change": self.change, "lost": self.missing}
            found.append(Said("limit_inputs", values))
        if self.rise is not None and self.fixed_rise is not None:
            name = "limit_outcomes" if self.are_known else "limit_awaited"
            values = {"n": self.outcomes, "share": self.rise, "fixed": self.fixed_rise}
            found.append(Said(name, values))
        return [*found, Said("blind")]


def limits(reference: Reference, rows: int, outcomes: int = 0, seed: int = 0) -> DetectionLimits:
    """Simulate what a window of so many decisions, and so many outcomes, shows.

    Parameters
    ----------
    reference : Reference
    rows : int
        At least 1.
    outcomes : int
        Known ones; 0: as if all loans that are granted had theirs.
    seed : int
    """
    names = [axis.name for axis in reference.bins.axes]
    column = next((name for name in PREFERRED if name in names), None)
    change = missing = None
    if column is not None:
        place = names.index(column)
        axis, values = reference.bins.axes[place], reference.table[column].cast(pl.Float64)

        def shows(codes: NDArray[np.uint16]) -> bool:
            rng, found = np.random.default_rng(seed), 0
            for _ in range(DRAWS):
                drawn = codes[rng.integers(0, len(codes), min(rows, MOST_ROWS))]
                found += reference.detector.sees(place, np.bincount(drawn, minlength=axis.cells))
            return found >= SEEN * DRAWS

        def without(share: float) -> NDArray[np.uint16]:
            lost = np.random.default_rng(seed).random(values.len()) < share
            return np.where(lost, MISSING, axis.codes(values)).astype(np.uint16)

        change = _least(CHANGES, lambda by: shows(axis.codes(values * (1 + by))))
        missing = _least(GAPS, lambda share: shows(without(share)))
    granted = reference.table.filter(pl.col("decision") != REFUSED)[PREDICTION].to_numpy()
    n = outcomes or round(rows * len(granted) / reference.table.height)
    rise = fixed = None
    if n and len(granted):
        rise = _least(RISES, lambda by: _loses(granted, min(n, MOST_ROWS), 1 + by, seed))
        fixed = _fixed(granted, n)
    return DetectionLimits(rows, column, change, missing, n, bool(outcomes), rise, fixed)


def _least(tried: Sequence[float], is_seen: Callable[[float], bool]) -> float | None:
    """Return the smallest that is seen, as larger ones are too."""
    low, high = 0, len(tried)
    while low < high:
        middle = (low + high) // 2
        if is_seen(tried[middle]):
            high = middle
        else:
            low = middle + 1
    return tried[low] if low < len(tried) else None


def _loses(granted: NDArray[np.float64], n: int, times: float, seed: int) -> bool:
    """Say whether the bet finds a default rate that is so many times what the scores say."""
    rng, found = np.random.default_rng(seed), 0
    for _ in range(DRAWS):
        p = granted[rng.integers(0, len(granted), n)]
        y = rng.random(n) < np.minimum(times * p, 1.0)
        found += capital(y, p).max() >= np.log(ALARM)
    return found >= SEEN * DRAWS


def _fixed(granted: NDArray[np.float64], n: int) -> float | None:
    """Return what rise a one-sided test of the number of defaults finds, looked at once."""
    mean, spread = granted.mean(), (granted * (1 - granted)).mean()
    if not mean:
        return None
    z = ndtri(SEEN) - ndtri(FIXED_WRONG)
    return float(z * np.sqrt(spread / n) / mean)
