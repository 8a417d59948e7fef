"""Where the lines of a plot stand, in percent of its frame; the template draws them.

The frame has no size of its own: lines stretch with the page, and letters keep theirs at every width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

TICKS = 4  # round values beside an axis, about
Write = Callable[[float], str]


@dataclass(frozen=True)
class PlotLine:
    """A line: its values, in the order of the plot, and its name."""

    values: Sequence[float]
    name: str


@dataclass(frozen=True)
class Tick:
    """A value beside an axis: where it stands, from 0 to 100, and how it is written."""

    at: float
    text: str


@dataclass(frozen=True)
class LinePlot:
    """Lines over one axis.

    Attributes
    ----------
    paths : sequence of (str, str)
        Points of each line from 0 to 100, and its name.
    across, up : sequence of Tick
        Round values beside the axes.
    level : Tick or None
        A line across: the threshold.
    level_side : str
        At which of its ends its words are: ``start`` or ``end``, where the lines are farther away.
    mark : (float, float, str) or None
        Where the client stands, and the words beside it.
    rows : sequence of tuple of str
        The same as a table: the value, then each line's.
    """

    paths: Sequence[tuple[str, str]]
    across: Sequence[Tick]
    up: Sequence[Tick]
    level: Tick | None
    level_side: str
    mark: tuple[float, float, str] | None
    rows: Sequence[tuple[str, ...]]


def line_plot(
    xs: Sequence[float],
    lines: Sequence[PlotLine],
    write_x: Write,
    write_y: Write,
    *,
    level: tuple[float, str] | None = None,
    at: tuple[float, str] | None = None,
    ends: tuple[float, float] | None = None,
) -> LinePlot:
    """Return the plot of lines over the same values, which grow.

    Parameters
    ----------
    write_x, write_y : callable
        Write a value of each axis.
    level : (float, str), optional
        A value across the plot, and its words.
    at : (float, str), optional
        One of the values that is marked on the first line, and its words.
    ends : (float, float), optional
        Where the axis begins and ends; with the values if None.
    """
    low, high = ends or (xs[0], xs[-1])
    tops = [value for line in lines for value in line.values] + ([level[0]] if level else [])
    top = 1.08 * max(tops) or 1.0

    def x(value: float) -> float:
        return 100 * (value - low) / ((high - low) or 1)

    def y(value: float) -> float:
        return 100 - 100 * value / top

    mark = None
    if at is not None and at[0] in xs:
        mark = x(at[0]), y(lines[0].values[xs.index(at[0])]), at[1]
    return LinePlot(
        paths=[
            (" ".join(f"{x(a):.2f},{y(b):.2f}" for a, b in zip(xs, line.values, strict=True)), line.name)
            for line in lines
        ],
        across=[Tick(x(value), write_x(value)) for value in ticks(low, high) if 4 < x(value) < 96],
        up=[Tick(y(value), write_y(value)) for value in ticks(0, top) if value],
        level=Tick(y(level[0]), level[1]) if level else None,
        level_side=_emptier([line.values for line in lines], level[0]) if level else "end",
        mark=mark,
        rows=[
            (write_x(value), *(write_y(line.values[place]) for line in lines))
            for place, value in enumerate(xs)
        ],
    )


def _emptier(lines: Sequence[Sequence[float]], level: float) -> str:
    """Return the end at which the lines are farther from a level."""
    first, last = (min(abs(values[place] - level) for values in lines) for place in (0, -1))
    return "start" if first > last else "end"


def ticks(low: float, high: float) -> list[float]:
    """Return a few round values between two."""
    span = high - low
    if span <= 0:
        return []
    step = 10.0 ** floor(log10(span / TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= TICKS + 1)
    first, last = ceil(low / step), floor(high / step)
    return [round(step * place, 12) for place in range(first, last + 1)]
