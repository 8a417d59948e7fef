"""Pictures and tables that a page holds by itself, without scripts or other files."""

from __future__ import annotations

import base64
import io
from html import escape

import marimo as mo
import polars as pl
from matplotlib import pyplot
from matplotlib.figure import Figure


def picture(figure: Figure, words: str) -> mo.Html:
    """Return a figure as an image with its description, and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    pyplot.close(figure)
    content = base64.b64encode(buffer.getvalue()).decode()
    return mo.Html(f'<img alt="{escape(words)}" src="data:image/png;base64,{content}">')


def table(frame: pl.DataFrame, most: int = 15) -> mo.Html:
    """Return the first rows of a table."""
    head = "".join(f"<th>{escape(name)}</th>" for name in frame.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>"
        for row in frame.head(most).iter_rows()
    )
    more = f"<p>{frame.height - most:,} more.</p>" if frame.height > most else ""
    return mo.Html(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return (
        f"{value:,.4g}"
        if isinstance(value, float)
        else escape(f"{value:,}" if isinstance(value, int) else str(value))
    )
