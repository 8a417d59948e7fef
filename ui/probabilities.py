"""How many decimals the probabilities of one result need."""

from __future__ import annotations

from itertools import combinations

USUAL, MOST = 1, 4  # decimals of a percentage


def digits_apart(*shares: float) -> int:
    """Return the decimals (1 to 4) that percentages need so that no two different shares look alike.

    The shares of one result are all written with them: so each has one wording there.
    """
    return max((_digits(first, second) for first, second in combinations(shares, 2)), default=USUAL)


def _digits(first: float, second: float) -> int:
    """Return the decimals that show how far two shares are apart."""
    apart = 100 * abs(first - second)
    for digits in range(USUAL, MOST):
        if apart == 0 or apart >= 0.95 * 10.0**-digits:
            return digits
    return MOST
