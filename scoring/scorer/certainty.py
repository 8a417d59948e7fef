"""How sure a scorer is: an interval for each probability, and whether a person should look.

Training measures how far a probability may be from the true one (`scoring.evaluation.certain`) at a few
knots of the raw score. Here it is a table over the probability, made once: one look-up for one application
or for many, so that both get the same bits.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from math import isfinite, nan
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.scorer.model import Matrix, Vector, probability
from scoring.scorer.scorecard import Scorecard

LEVEL = 0.9  # share of applications whose true probability of default lies in the interval
NEAR, UNLIKE, DISAGREES, RULE = "near_threshold", "unlike_training", "scorecard_disagrees", "policy_rule"
REASONS = (NEAR, UNLIKE, DISAGREES, RULE)

_ENDS, _STEP = (
    (-12.0, 8.0),
    0.02,
)  # of the table, in log-odds: an end is off by a fiftieth of the odds at most


@dataclass(frozen=True)
class ReviewRule:
    """A rule of the lender: whose feature lies so goes to a person; a missing value does not.

    Attributes
    ----------
    feature : str
        One that the model reads, a number.
    at_least, at_most : float, optional
        One of the two.
    """

    feature: str
    at_least: float | None = None
    at_most: float | None = None

    @classmethod
    def of(cls, text: str) -> ReviewRule:
        """Read a rule as people write it, ``AMT_CREDIT>=2000000`` or ``EXT_SOURCE_2<=0.1``.

        Raises
        ------
        ValueError
            If it is none.
        """
        found = re.fullmatch(r"\s*(\w+)\s*(>=|<=)\s*(\S+)\s*", text)
        try:
            number = float(found[3]) if found else nan
        except ValueError:
            number = nan
        if found is None or not isfinite(number):
            raise ValueError(f"{text!r} is no rule of review; write it like AMT_CREDIT>=2000000.")
        return cls(found[1], **{"at_least" if found[2] == ">=" else "at_most": number})

    def holds(self, value: Any) -> Any:
        """Say whether it holds for a number, or for each of an array; a gap (NaN) lies nowhere."""
        return value >= self.at_least if self.at_least is not None else value <= self.at_most


@dataclass(frozen=True, eq=False)
class Reading:
    """The readable scorecard beside another model, and from where on it clearly decides otherwise.

    Attributes
    ----------
    card : Scorecard
        On the same encoded matrix as the model.
    refuses_from, grants_to : float
        Log-odds of the card: at or above the first it would clearly refuse, at or below the second grant.
    """

    card: Scorecard
    refuses_from: float
    grants_to: float

    def of(self, matrix: Matrix) -> Vector:
        """Return the card's log-odds, one term after the other: so does `one`."""
        total = np.full(len(matrix), self.card.intercept)
        for term in self.card.terms:
            total += term.of(matrix[:, term.position])
        return total

    def one(self, row: Sequence[float]) -> float:
        """Return the card's log-odds of one application, given the columns that its terms read."""
        total = self.card.intercept
        for term, value in zip(self.card.terms, row, strict=True):
            total += term.missing if value != value else term.log_odds[bisect_right(term.edges, value)]
        return total

    @cached_property
    def positions(self) -> NDArray[np.intp]:
        """Columns of the matrix that its terms read."""
        return np.array([term.position for term in self.card.terms], dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Certainty:
    """What training knows of the probabilities that a scorer gives.

    Attributes
    ----------
    log_odds, below, above : tuple of float
        Knots of the calibrated log-odds, rising, and how far an interval reaches to either side of each.
    near : tuple of float
        Probabilities between which, both included, the decision is too near the threshold: there the interval
        of ``near_level`` holds it.
    near_level : float
        Share of true probabilities in that narrower interval; as large as the share of reviews allows.
    most : float
        Share of applications that may go to review, at most.
    odd : int
        An application with so many inputs unlike training goes to review.
    reading : Reading, optional
        None where there is no readable scorecard beside the model.
    rules : tuple of ReviewRule
    shares : mapping of str to float
        Share of training's applications that each of `REASONS` sends, out of fold, and ``"any"`` of all.
    """

    log_odds: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]
    near: tuple[float, float]
    near_level: float
    most: float
    odd: int
    reading: Reading | None = None
    rules: tuple[ReviewRule, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)

    _edges: Vector = field(init=False, repr=False)
    _low: Vector = field(init=False, repr=False)
    _high: Vector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the table: between two edges one interval holds, the widest of all there."""
        grid = np.arange(_ENDS[0], _ENDS[1], _STEP)
        low = probability(grid - np.interp(grid, self.log_odds, self.below))
        high = probability(grid + np.interp(grid, self.log_odds, self.above))
        # Beyond the last edge on either side nothing is known but that it is a probability.
        low = np.concatenate([[0.0], np.minimum(low[:-1], low[1:]), low[-1:]])
        high = np.concatenate([high[:1], np.maximum(high[:-1], high[1:]), [1.0]])
        edges = probability(grid)
        for name, value in (("_edges", edges), ("_low", low), ("_high", high)):
            object.__setattr__(self, name, value)

    def interval(self, default: Vector) -> tuple[Vector, Vector]:
        """Return where the interval of each probability of default begins and ends."""
        place = np.searchsorted(self._edges, default, side="right")
        return self._low[place], self._high[place]

    def reviews(
        self,
        default: Vector,
        is_refused: NDArray[np.bool_],
        odd: NDArray[np.integer],
        matrix: Matrix,
        column: Callable[[str], Vector],
    ) -> NDArray[np.uint8]:
        """Return why each application goes to review, as bits: 1 << i for the i-th of `REASONS`.

        Parameters
        ----------
        default, is_refused : ndarray of shape (n_applications,)
            Probability of default, and the decision.
        odd : ndarray of shape (n_applications,)
            How many inputs are unlike training.
        matrix : ndarray of shape (n_applications, n_features)
            What the model reads.
        column : callable
            Gives the values of a feature by its name, NaN where one is missing.
        """
        low, high = self.near
        found = [(default >= low) & (default <= high), odd >= self.odd]
        if self.reading is None:
            found.append(np.zeros(len(default), dtype=bool))
        else:
            card = self.reading.of(matrix)
            grants, refuses = card <= self.reading.grants_to, card >= self.reading.refuses_from
            found.append(np.where(is_refused, grants, refuses))
        ruled = [rule.holds(column(rule.feature)) for rule in self.rules]
        found.append(np.any(ruled, axis=0) if ruled else np.zeros(len(default), dtype=bool))
        return np.asarray(np.packbits(found, axis=0, bitorder="little")[0])

    def review(
        self, default: float, is_refused: bool, odd: int, row: Vector, values: Mapping[str, Any]
    ) -> list[str]:
        """Return why one application goes to review: see `reviews`; empty if it does not.

        Parameters
        ----------
        row : ndarray of shape (n_features,)
            What the model reads.
        values : mapping
            The value of each feature by its name, None where one is missing.
        """
        found = []
        if self.near[0] <= default <= self.near[1]:
            found.append(NEAR)
        if odd >= self.odd:
            found.append(UNLIKE)
        if (reading := self.reading) is not None:
            card = reading.one(row[reading.positions].tolist())
            if card <= reading.grants_to if is_refused else card >= reading.refuses_from:
                found.append(DISAGREES)
        for rule in self.rules:
            if (value := values[rule.feature]) is not None and rule.holds(value):
                found.append(RULE)
                break
        return found


def listed(bits: NDArray[np.uint8]) -> pl.Series:
    """Return the reasons that `Certainty.reviews` gives as bits: a list for each application."""
    every = [
        [name for i, name in enumerate(REASONS) if number >> i & 1] for number in range(1 << len(REASONS))
    ]
    return pl.Series(every, dtype=pl.List(pl.String)).gather(bits)


def described(certainty: Certainty, card: dict[str, Any] | None) -> dict[str, Any]:
    """Return a certainty as JSON values, its card as it is given."""
    said = {item.name: getattr(certainty, item.name) for item in fields(certainty) if item.init}
    said |= {"rules": [asdict(rule) for rule in certainty.rules], "reading": None}
    if (reading := certainty.reading) is not None:
        limits = {"refuses_from": reading.refuses_from, "grants_to": reading.grants_to}
        said["reading"] = {"card": card, **limits}
    return said


def rebuilt(said: Mapping[str, Any], names: Sequence[str]) -> Certainty:
    """Read what `described` wrote."""
    read, reading = said["reading"], None
    if read is not None:
        card = Scorecard.from_json(read["card"], names)
        reading = Reading(card, read["refuses_from"], read["grants_to"])
    tuples = {name: tuple(said[name]) for name in ("log_odds", "below", "above", "near")}
    rules = tuple(ReviewRule(**rule) for rule in said["rules"])
    return Certainty(**{**said, **tuples, "rules": rules, "reading": reading})
