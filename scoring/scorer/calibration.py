"""Monotone maps from a model's log-odds to calibrated ones, and what they do to its contributions.

The probability of default is that of the calibrated log-odds, which every answer calls the raw score. A
contribution must sum with the others to that score whatever the map. An affine map multiplies each of them
by its slope. A bent map multiplies those of one application by the mean slope between the base and its
score: the Aumann-Shapley share of each along the straight way from the average application to this one.
Signs and the order of the contributions within an application therefore stay those of the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

NEAR = 1e-9  # log-odds; contributions that sum to less share by the slope at the base
STEP = 1e-4  # log-odds; of the difference that gives that slope


class _Bent(ABC):
    """What the maps that are not affine share."""

    @abstractmethod
    def of(self, log_odds: Vector) -> Vector:
        """Return the calibrated log-odds."""

    def apportion(self, contributions: Matrix, base: float) -> tuple[Matrix, float]:
        """Return contributions and base that sum to the calibrated log-odds."""
        rise = contributions.sum(axis=1)
        ends = self.of(np.array([base, base - STEP, base + STEP]))
        start, slope = float(ends[0]), float(ends[2] - ends[1]) / (2 * STEP)
        is_near = np.abs(rise) <= NEAR
        gain = np.where(is_near, slope, (self.of(base + rise) - start) / np.where(is_near, 1.0, rise))
        return contributions * gain[:, None], start


@dataclass(frozen=True)
class Affine:
    """``slope * s + intercept`` (Platt 1999); slope 1 and intercept 0 leave log-odds as they are."""

    kind: ClassVar[str] = "affine"

    slope: float = 1.0
    intercept: float = 0.0

    def of(self, log_odds: Vector) -> Vector:
        """Return the calibrated log-odds."""
        return self.slope * log_odds + self.intercept

    def apportion(self, contributions: Matrix, base: float) -> tuple[Matrix, float]:
        """Return contributions and base that sum to the calibrated log-odds."""
        return contributions * self.slope, self.slope * base + self.intercept


@dataclass(frozen=True)
class Beta(_Bent):
    """``a * ln p - b * ln(1 - p) + intercept`` with a, b at least 0 (Kull, Silva Filho and Flach 2017)."""

    kind: ClassVar[str] = "beta"

    a: float
    b: float
    intercept: float

    def of(self, log_odds: Vector) -> Vector:
        """Return the calibrated log-odds."""
        below, above = np.logaddexp(0.0, -log_odds), np.logaddexp(0.0, log_odds)  # -ln p, -ln(1 - p)
        return np.asarray(self.b * above - self.a * below + self.intercept)


@dataclass(frozen=True)
class Isotonic(_Bent):
    """Straight lines between knots, flat beyond the outer two; ``x`` and ``y`` (log-odds) both rise."""

    kind: ClassVar[str] = "isotonic"

    x: tuple[float, ...]
    y: tuple[float, ...]

    def of(self, log_odds: Vector) -> Vector:
        """Return the calibrated log-odds."""
        return np.asarray(np.interp(log_odds, self.x, self.y))


Calibration = Affine | Beta | Isotonic


def to_json(calibration: Calibration) -> dict[str, Any]:
    """Return a map as JSON values."""
    return {"kind": calibration.kind, **asdict(calibration)}


def from_json(values: Mapping[str, Any]) -> Calibration:
    """Read what ``to_json`` wrote; a KeyError or TypeError names what it lacks."""
    numbers = {name: value for name, value in values.items() if name != "kind"}
    match values.get("kind", Affine.kind):  # the first scorers knew no other
        case Affine.kind:
            return Affine(**numbers)
        case Beta.kind:
            return Beta(**numbers)
        case Isotonic.kind:
            return Isotonic(tuple(numbers["x"]), tuple(numbers["y"]))
    raise KeyError(f"a calibration that this version knows, but has {values['kind']!r}")
