"""Where the lines and letters of the gauge stand; the template draws them.

It is named for screen readers and readable without colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, log, pi, sin

from scoring.language import percent
from scoring.schema import Explanation
from ui.words import say

LOWEST, HIGHEST = 0.005, 0.6  # ends of the gauge; a probability beyond stands at the end
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
CENTRE_X, CENTRE_Y, RADIUS = 170.0, 150.0, 108.0
GAP = 0.006  # of the arc, on each side of the threshold
CLEARANCE = 0.13  # of the arc; a tick nearer to the threshold would touch its label


@dataclass(frozen=True)
class Label:
    """A text beside a point, that begins, ends or is centred there."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Gauge:
    """A half circle: the threshold drawn across it, the refused side hatched, a needle.

    Attributes
    ----------
    probability, threshold : str
        As percentages.
    decision : str
        On which side the needle stands.
    granted_arc, refused_arc, limit, needle : str
        Paths of SVG.
    limit_label : Label
        Beside the threshold.
    ticks : sequence of Label
        Round probabilities, away from the threshold.
    """

    probability: str
    threshold: str
    decision: str
    granted_arc: str
    refused_arc: str
    limit: str
    needle: str
    limit_label: Label
    ticks: Sequence[Label]


def position(probability: float) -> float:
    """Return where a probability stands on the gauge, from 0 (left) to 1 (right).

    The scale is that of the log-odds, as the score points are: what matters happens below 20 %.
    """
    low, high = _log_odds(LOWEST), _log_odds(HIGHEST)
    return (_log_odds(min(max(probability, LOWEST), HIGHEST)) - low) / (high - low)


def gauge(answer: Explanation, digits: int, lang: str) -> Gauge:
    """Return the gauge of a decision; its percentages have so many decimals."""
    line, needle = position(answer.threshold), position(answer.probability_of_default)
    threshold = percent(answer.threshold, lang, digits)
    hand = [_point(needle - 0.5, 5), _point(needle, RADIUS - 14), _point(needle + 0.5, 5)]
    return Gauge(
        probability=percent(answer.probability_of_default, lang, digits),
        threshold=threshold,
        decision=answer.decision,
        granted_arc=_arc(0.0, max(line - GAP, 0.001)),
        refused_arc=_arc(min(line + GAP, 0.999), 1.0),
        limit=_path([_point(line, RADIUS - 20), _point(line, RADIUS + 17)]),
        needle=f"{_path(hand)}Z",
        limit_label=_outside(line, f"{say('threshold', lang)} {threshold}"),
        ticks=[
            _outside(position(tick), percent(tick, lang))
            for tick in TICKS
            if abs(position(tick) - line) > CLEARANCE
        ],
    )


def _log_odds(probability: float) -> float:
    return log(probability / (1 - probability))


def _point(share: float, radius: float) -> tuple[float, float]:
    """Return the point of the half circle at a share of its length."""
    angle = pi * (1 - share)
    return CENTRE_X + radius * cos(angle), CENTRE_Y - radius * sin(angle)


def _arc(start: float, end: float) -> str:
    (x0, y0), (x1, y1) = _point(start, RADIUS), _point(end, RADIUS)
    return f"M{x0:.1f} {y0:.1f}A{RADIUS:.0f} {RADIUS:.0f} 0 0 1 {x1:.1f} {y1:.1f}"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _outside(share: float, text: str) -> Label:
    """Return a label beside the arc, away from it."""
    x, y = _point(share, RADIUS + 24)
    return Label(x, y + 4, text, "end" if share < 0.4 else "start" if share > 0.6 else "middle")
