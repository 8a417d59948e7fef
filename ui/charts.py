"""Charts as inline SVG: named for screen readers, readable without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import cos, log, pi, sin

from ui.figures import Language, digits_to_tell, number, percent
from ui.words import say

LOWEST, HIGHEST = 0.005, 0.6  # ends of the gauge; a probability beyond stands at the end
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
CENTRE_X, CENTRE_Y, RADIUS = 170.0, 150.0, 108.0
GAP = 0.006  # of the arc, on each side of the threshold
LONGEST = 52  # letters of a label
ROOM = 0.13  # of the arc; a tick nearer to the threshold would touch its label


@dataclass(frozen=True)
class Bar:
    """One bar of the contribution chart: a fact, its value in words, its whole points."""

    fact: str
    value: str
    points: int


def place(probability: float) -> float:
    """Return where a probability stands on the gauge, from 0 (left) to 1 (right).

    The scale is that of the log-odds, as the score points are: what matters happens below 20 %.
    """
    low, high = _odds(LOWEST), _odds(HIGHEST)
    return (_odds(min(max(probability, LOWEST), HIGHEST)) - low) / (high - low)


def _odds(probability: float) -> float:
    return log(probability / (1 - probability))


def _at(share: float, radius: float) -> tuple[float, float]:
    """Return the point of the half circle at a share of its length."""
    angle = pi * (1 - share)
    return CENTRE_X + radius * cos(angle), CENTRE_Y - radius * sin(angle)


def _arc(start: float, end: float) -> str:
    (x0, y0), (x1, y1) = _at(start, RADIUS), _at(end, RADIUS)
    return f"M{x0:.1f} {y0:.1f}A{RADIUS:.0f} {RADIUS:.0f} 0 0 1 {x1:.1f} {y1:.1f}"


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _text(kind: str, x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _label(share: float, text: str, kind: str) -> str:
    """Write beside the arc, away from it."""
    x, y = _at(share, RADIUS + 24)
    return _text(kind, x, y + 4, text, "end" if share < 0.4 else "start" if share > 0.6 else "middle")


def _hatch(name: str) -> str:
    """Define the stripes that tell the refused side without colour."""
    return (
        f'<defs><pattern id="{name}" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="refused-area" width="7" height="7"/>'
        '<rect class="refused-line" width="2.5" height="7"/></pattern></defs>'
    )


def gauge(probability: float, threshold: float, decision: str, lang: Language) -> str:
    """Return a half-circle gauge: the threshold drawn across it, the refused side hatched, a needle."""
    digits = digits_to_tell(probability, threshold)
    p, t = percent(probability, lang, digits), percent(threshold, lang, digits)
    line, needle = place(threshold), place(probability)
    limit = f"{say('threshold', lang)} {t}"
    told = say("gauge_text", lang, p=p, t=t, side=say(f"{decision}_side", lang))
    ticks = "".join(
        _label(place(tick), percent(tick, lang, 0), "tick")
        for tick in TICKS
        if abs(place(tick) - line) > ROOM
    )
    hand = [_at(needle - 0.5, 5), _at(needle, RADIUS - 14), _at(needle + 0.5, 5)]
    left, right = CENTRE_X - RADIUS, CENTRE_X + RADIUS
    return (
        '<svg class="gauge" viewBox="0 0 340 232" role="img" aria-labelledby="gauge-title gauge-text">'
        f'<title id="gauge-title">{escape(say("gauge_title", lang, p=p, t=t))}</title>'
        f'<desc id="gauge-text">{escape(told)}</desc>{_hatch("hatch")}'
        f'<path class="granted-arc" d="{_arc(0.0, max(line - GAP, 0.001))}"/>'
        f'<path class="refused-arc" d="{_arc(min(line + GAP, 0.999), 1.0)}"/>{ticks}'
        f'<path class="limit" d="{_line([_at(line, RADIUS - 20), _at(line, RADIUS + 17)])}"/>'
        f"{_label(line, limit, 'limit-label')}"
        f'<path class="needle" d="{_line(hand)}Z"/>'
        f'<circle class="needle" cx="{CENTRE_X}" cy="{CENTRE_Y}" r="8"/>'
        + _text("side", left, 172, say("granted_side", lang))
        + _text("side", right, 172, say("refused_side", lang))
        + _text("number", CENTRE_X, 204, p)
        + _text("caption", CENTRE_X, 225, say("probability", lang))
        + "</svg>"
    )


def bars(rows: Sequence[Bar], sentence: str, lang: Language) -> str:
    """Return bars around zero: to the left and hatched what lowers the score, to the right what raises it."""
    widest = max((abs(row.points) for row in rows), default=0) or 1
    width, middle, step, reach = 360, 180, 47, 140
    height = 26 + step * len(rows)
    drawn = []
    for index, row in enumerate(rows):
        top = 26 + index * step
        length = reach * abs(row.points) / widest
        x, kind = (middle - length, "lowers") if row.points < 0 else (middle, "raises")
        end = x - 6 if row.points < 0 else x + length + 6
        anchor = "end" if row.points < 0 else "start"
        drawn.append(
            _text("fact", 0, top + 12, _short(row.fact), "start")
            + f'<rect class="{kind}" x="{x:.1f}" y="{top + 18}" width="{max(length, 1):.1f}" height="12"/>'
            + _text("effect", end, top + 28, number(row.points, lang, signed=True), anchor)
        )
    return (
        f'<svg class="bars" viewBox="0 0 {width} {height}" role="img" aria-labelledby="bars-title bars-text">'
        f'<title id="bars-title">{escape(say("chart_title", lang))}</title>'
        f'<desc id="bars-text">{escape(sentence)}</desc>{_hatch("bar-hatch")}'
        + _text("tick", middle - 8, 10, f"← {say('lowers', lang)}", "end")
        + _text("tick", middle + 8, 10, f"{say('raises', lang)} →", "start")
        + f'<path class="zero" d="M{middle} 18V{height}"/>{"".join(drawn)}</svg>'
    )


def _short(text: str) -> str:
    """Return a label that fits; the table beside has it in full."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
