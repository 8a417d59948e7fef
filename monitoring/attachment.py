"""Evidently's door: its drift report as its users know it, beside ours, and never in its place.

Evidently 0.7.23 needs care, and all of it is taken here:

- it drops missing values, so that a column may vanish unseen, and calls a table stable until half of its
  columns have drifted: its verdict is shown as its own, and the exit code is not its;
- a column without any value on a side raises: it is left out;
- categories have to be plain strings;
- it writes categories into its page as they are, and a client may send any text as one: what could begin a
  tag is replaced first, and the page runs the scripts that it came with alone;
- its telemetry is switched off, and the page is forbidden to ask anything of the network.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl

os.environ.setdefault("DO_NOT_TRACK", "1")  # read when evidently is imported

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of litestar and numpy, by evidently itself
    from evidently import DataDefinition, Dataset
    from evidently import Report as EvidentlyReport
    from evidently.presets import DataDriftPreset

SAMPLE = 20_000  # rows a side, since its time and memory grow with them
HARMLESS = str.maketrans("<>", "\u2039\u203a")  # single quotation marks that look alike
SCRIPT = re.compile(r"(?m)^\s*<script(?=>)")  # Evidently's own begin a line, and no value holds a line break
# The page brings its scripts, styles and fonts along; whatever else it tried, a browser would refuse.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'nonce-{nonce}'",
        "style-src 'unsafe-inline'",
        "font-src data:",
        "img-src data: blob:",
    )
)


@dataclass(frozen=True)
class Attachment:
    """Evidently's report.

    Attributes
    ----------
    compared : int
        Columns that it looked at.
    flagged : tuple of str
        Those that have drifted by its rule.
    is_drift : bool
        Its verdict on the whole table.
    json : mapping
    """

    compared: int
    flagged: tuple[str, ...]
    is_drift: bool
    json: Mapping[str, Any]
    _page: str

    def page(self, heading: str) -> str:
        """Return its page as one HTML file that needs no network, with a heading (HTML) of ours on top."""
        nonce = secrets.token_urlsafe()
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(nonce=nonce)}">'
        page = SCRIPT.sub(rf'\g<0> nonce="{nonce}"', self._page)
        page = page.replace("<head>", f"<head>{policy}<title>Evidently's drift report</title>", 1)
        return page.replace("<body>", f"<body>{heading}", 1)


def run(
    reference: pl.DataFrame, current: pl.DataFrame, names: Sequence[str], seed: int = 0
) -> Attachment | None:
    """Run Evidently's drift preset with its defaults; None where no column has values on both sides.

    Parameters
    ----------
    reference, current : polars.DataFrame
    names : sequence of str
        Columns to compare, Float64 or String.
    seed : int
        Of the rows that are taken from a side with more than 20,000.
    """
    before, now = (_sample(table.select(names), seed) for table in (reference, current))
    both = [name for name in names if before[name].count() and now[name].count()]
    if not both:
        return None
    words = [name for name in both if before[name].dtype == pl.String]
    numbers = [name for name in both if name not in words]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas and numpy, by evidently itself
        snapshot = EvidentlyReport([DataDriftPreset(columns=both)], include_tests=True).run(
            *(Dataset.from_pandas(_pandas(side, both), data_definition=definition) for side in (now, before))
        )
        page = snapshot.get_html_str(as_iframe=False)
        found = json.loads(snapshot.json())
    failed = [test["metric_config"]["params"] for test in found["tests"] if test["status"] == "FAIL"]
    flagged = tuple(params["column"] for params in failed if "column" in params)
    return Attachment(len(both), flagged, len(failed) > len(flagged), found, page)


def _pandas(table: pl.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return what Evidently reads: float columns, and columns of plain strings."""
    return pd.DataFrame(
        {
            name: pd.Series(_as_words(table[name]), dtype=object)
            if table[name].dtype == pl.String
            else table[name].to_numpy()
            for name in names
        }
    )


def _as_words(values: pl.Series) -> list[str | None]:
    return [None if value is None else value.translate(HARMLESS) for value in values]


def _sample(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    return table.sample(SAMPLE, seed=seed) if table.height > SAMPLE else table
