"""A scorecard: a function that a person can compute with pencil and paper.

Each feature that it reads is cut into a few bins; each bin has its log-odds, and so its points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class FeaturePoints:
    """What one feature adds.

    Attributes
    ----------
    position : int
        Column of the encoded matrix.
    edges : tuple of float
        Rising; bin k holds the values from edge k - 1 on and below edge k.
    log_odds : tuple of float
        Of each bin: one more than there are edges. Zero is the average application.
    missing : float
        Log-odds where the value is missing.
    """

    position: int
    edges: tuple[float, ...]
    log_odds: tuple[float, ...]
    missing: float

    def of(self, column: Vector) -> Vector:
        """Return the log-odds of each value."""
        bins = np.searchsorted(self.edges, column, side="right")
        return np.asarray(np.where(np.isnan(column), self.missing, np.take(self.log_odds, bins)))


@dataclass(frozen=True)
class Scorecard:
    """A sum of terms.

    Attributes
    ----------
    intercept : float
        Log-odds of the average application.
    terms : tuple of Term
    """

    intercept: float
    terms: tuple[FeaturePoints, ...]

    def raw(self, matrix: Matrix) -> Vector:
        """Return the log-odds of default, one per row."""
        contributions, base = self.contributions(matrix)
        return np.asarray(base + contributions.sum(axis=1))

    def contributions(self, matrix: Matrix) -> tuple[Matrix, float]:
        """Return each feature's share of each row's log-odds, and the intercept."""
        values = np.zeros_like(matrix)
        for term in self.terms:
            values[:, term.position] = term.of(matrix[:, term.position])
        return values, self.intercept

    def to_json(
        self, names: Sequence[str], levels: Mapping[str, Sequence[str]], points_per_unit: float
    ) -> dict[str, Any]:
        """Return the card as JSON values, readable: bins with their levels or bounds, log-odds and points.

        Parameters
        ----------
        names : sequence of str
            Features in the order of the matrix's columns.
        levels : mapping of str to sequence of str
            Levels of category features in the order of their codes.
        points_per_unit : float
            Points that one unit of log-odds adds; below 0, as more points mean less risk.
        """

        def line(log_odds: float, **words: Any) -> dict[str, Any]:
            return {**words, "log_odds": log_odds, "points": round(points_per_unit * log_odds, 1)}

        terms = {}
        for term in self.terms:
            name = names[term.position]
            bounds = [None, *term.edges, None]
            bins = [
                line(value, **{"from": bounds[k], "below": bounds[k + 1]})
                for k, value in enumerate(term.log_odds)
            ]
            if name in levels:
                codes = np.searchsorted(term.edges, np.arange(len(levels[name])), side="right")
                for k, entry in enumerate(bins):
                    entry["levels"] = [
                        level for level, code in zip(levels[name], codes, strict=True) if code == k
                    ]
            terms[name] = {"bins": bins, "missing": line(term.missing)}
        return {"intercept": self.intercept, "terms": terms}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], names: Sequence[str]) -> Scorecard:
        """Read what ``to_json`` wrote; a KeyError names what it lacks."""
        terms = [
            FeaturePoints(
                list(names).index(name),
                tuple(entry["from"] for entry in term["bins"][1:]),
                tuple(entry["log_odds"] for entry in term["bins"]),
                term["missing"]["log_odds"],
            )
            for name, term in values["terms"].items()
        ]
        return cls(float(values["intercept"]), tuple(sorted(terms, key=lambda term: term.position)))
