"""Lines and bars as SVG that stands inside a page: text stays text, nothing is loaded from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import matplotlib as mpl
from matplotlib.figure import Figure as Figure  # also for those who keep what is drawn here
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from scoring.evidence.figures import BLUE, GREY, ORANGE
from scoring.language import ENGLISH, MINUS, in_digits, number

COLOURS = (BLUE, ORANGE, "#38761d", "#741b47", "#45818e", GREY)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))  # colour alone tells nothing
ASIDES = ("--", ":")
MARKS = (("#741b47", ":"), ("#45818e", "-."))  # places on the x axis


@dataclass(frozen=True, eq=False)
class Line:
    """A line or single points, with an interval if ``low`` and ``high`` are given; aside: grey, dashed."""

    x: ArrayLike
    y: ArrayLike
    label: str = ""
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    is_points: bool = False
    is_aside: bool = False


def draw_lines(
    lines: Sequence[Line],
    x: str,
    y: str,
    language: str = ENGLISH,
    at: Sequence[tuple[float, str]] = (),
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw lines over one pair of axes.

    Parameters
    ----------
    lines : sequence of Line
    x, y : str
        Names of the axes.
    language : str
        Writes the numbers.
    at : sequence of (float, str)
        Places on the x axis to mark, each with its label.
    limits : (float, float), optional
        Of the x axis.
    """
    figure = Figure(figsize=(6.2, 3.9), layout="constrained")
    axes = figure.add_subplot()
    number, asides = 0, 0
    for line in lines:
        if line.is_aside:
            style = ASIDES[asides % len(ASIDES)]
            asides += 1
            axes.plot(line.x, line.y, color=GREY, linestyle=style, linewidth=1, label=line.label or None)
            continue
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        number += 1
        if line.is_points:
            axes.plot(line.x, line.y, "o", color=colour, markersize=5, label=line.label or None)
        else:
            axes.plot(line.x, line.y, color=colour, linestyle=dash, label=line.label or None)
        if line.low is not None and line.high is not None:
            if line.is_points:
                axes.vlines(line.x, line.low, line.high, color=colour, linewidth=1)
            else:
                axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
    for i, (place, label) in enumerate(at):
        shade, style = MARKS[i % len(MARKS)]
        axes.axvline(place, color=shade, linestyle=style, linewidth=1.2, label=label)
    axes.set(xlabel=x, ylabel=y, **({"xlim": limits} if limits else {}))
    axes.grid(visible=True, alpha=0.3)
    if any(line.label for line in lines) or at:
        # matplotlib's own best place does not see the intervals of points
        axes.legend(fontsize=8, loc="upper left" if any(line.is_points for line in lines) else "best")
    _speak(figure, language)
    return figure


def draw_bars(
    names: Sequence[str],
    values: Sequence[float],
    x: str,
    language: str = ENGLISH,
    line: float | None = None,
) -> Figure:
    """Draw horizontal bars, the first on top, with a line to compare with if one is given."""
    figure = Figure(figsize=(6.2, 0.9 + 0.26 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    places = list(range(len(names)))
    axes.barh(places, list(values), color=COLOURS[0], height=0.65)
    if line is not None:
        axes.axvline(line, color=COLOURS[1], linestyle="--", linewidth=1.2)
    axes.set_yticks(places, list(names), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(x)
    axes.grid(visible=True, axis="x", alpha=0.3)
    _speak(figure, language, is_both=False)
    return figure


def draw_stack(
    names: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]], x: str, language: str = ENGLISH
) -> Figure:
    """Draw horizontal bars made of parts, each with its label, from light to dark; the first on top."""
    figure = Figure(figsize=(6.2, 1.3 + 0.26 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    places = list(range(len(names)))
    start = [0.0] * len(names)
    for i, (label, values) in enumerate(parts):
        shade = mpl.colormaps["Blues"](0.08 + 0.85 * i / max(len(parts) - 1, 1))
        axes.barh(
            places, values, left=start, color=shade, edgecolor=GREY, linewidth=0.4, height=0.65, label=label
        )
        start = [at + value for at, value in zip(start, values, strict=True)]
    axes.set_yticks(places, list(names), fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=x, xlim=(0, max(start, default=1.0)))
    figure.legend(fontsize=8, loc="outside upper center", ncols=len(parts), frameon=False, handlelength=1.2)
    _speak(figure, language, is_both=False)
    return figure


def draw_distribution(
    edges: Sequence[float],
    parts: Sequence[tuple[str, Sequence[float]]],
    x: str,
    y: str,
    language: str = ENGLISH,
) -> Figure:
    """Draw one outline for each part: how dense its values lie in each piece, 1 where they lie evenly.

    Parameters
    ----------
    edges : sequence of float
        Bounds of the pieces.
    parts : sequence of (str, sequence of float)
        Label, and share of its values in each piece.
    x, y : str
        Names of the axes.
    """
    figure = Figure(figsize=(6.2, 2.6), layout="constrained")
    axes = figure.add_subplot()
    width = [(b - a) / (edges[-1] - edges[0]) for a, b in pairwise(edges)]
    for i, (label, shares) in enumerate(parts):
        heights = [share / wide for share, wide in zip(shares, width, strict=True)]
        colour, dash = COLOURS[i], DASHES[i]
        axes.stairs(heights, edges, color=colour, linestyle=dash, linewidth=1.5, label=label, baseline=None)
    axes.set(xlabel=x, ylabel=y)
    axes.set_ylim(0, 1.25 * axes.dataLim.ymax)  # room for the legend above the outlines
    axes.locator_params(axis="x", nbins=6)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", ncols=len(parts))
    _speak(figure, language)
    return figure


def draw_pairs(
    names: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]], x: str, language: str = ENGLISH
) -> Figure:
    """Draw a horizontal bar of each part beside the others for each name, the first on top."""
    figure = Figure(figsize=(6.2, 1.0 + 0.36 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    high = 0.8 / len(parts)
    for i, (label, values) in enumerate(parts):
        places = [at + (i - (len(parts) - 1) / 2) * high for at in range(len(names))]
        hatch = "" if i == 0 else "////"
        colour = COLOURS[i]
        axes.barh(
            places,
            values,
            height=high,
            label=label,
            color=colour if i == 0 else "white",
            edgecolor=colour,
            hatch=hatch,
            linewidth=0.8,
        )
    axes.set_yticks(range(len(names)), list(names), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(x)
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    _speak(figure, language, is_both=False)
    return figure


def as_svg(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an SVG element.

    Parameters
    ----------
    name : str
        Comes before every id, so that many figures can stand in one page.
    title : str
        What a screen reader says.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    head = f'<svg role="img" aria-labelledby="{name}-title" class="plot" '
    svg = svg.replace("<svg ", head, 1)
    first = svg.index(">") + 1
    return f'{svg[:first]}<title id="{name}-title">{escape(title)}</title>{svg[first:]}'


def _speak(figure: Figure, language: str, is_both: bool = True) -> None:
    """Write the numbers of the axes as the reader does."""

    def written(value: float, _: int) -> str:
        if abs(value) >= 10_000:
            return number(value, language, minus=MINUS)
        return in_digits(value, language, 4, minus=MINUS)

    axes = figure.axes[0]
    axes.xaxis.set_major_formatter(FuncFormatter(written))
    if is_both:
        axes.yaxis.set_major_formatter(FuncFormatter(written))
