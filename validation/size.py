"""How much of a validation is computed anew: a command line shows it before it imports what computes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much is refitted.

    Attributes
    ----------
    rows : int
        Applications of the refits, drawn from the portfolio.
    folds, seed : int
    """

    rows: int = 5_000
    folds: int = 3
    seed: int = 0
