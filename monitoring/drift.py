"""Evidently's door: two tables in, a distance per column and Evidently's own report out.

Evidently 0.7.23 needs care, and all of it is taken here or asked of the caller:

- it drops missing values, so that a column may vanish unseen: `rule` compares missing shares beside it;
- a column without any value raises: the caller leaves it out;
- one absurd value stretches the standard deviation by which a distance is divided: far values are drawn in;
- categories have to be plain strings;
- it writes categories into its page as they are, and a client may send any text as one: what could begin a
  tag is replaced first, and the page runs the scripts that it came with alone;
- its verdict on a dataset (half of the columns) is not ours: it is left out of the page, ours is put on top;
- its telemetry is switched off, and the page is forbidden to ask anything of the network.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl

os.environ.setdefault("DO_NOT_TRACK", "1")  # read when evidently is imported

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of litestar and numpy, by evidently itself
    from evidently import DataDefinition, Dataset
    from evidently import Report as EvidentlyReport
    from evidently.metrics import MissingValueCount
    from evidently.presets import DataDriftPreset
    from evidently.tests import Reference as InReference
    from evidently.tests import eq

from monitoring.rule import MISSING_FLOOR, Method

REACH = 5  # far values are drawn in to this many times the distance from the median to the outer percentiles
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
class Report:
    """Distance per column, and Evidently's report as a JSON value and as a page."""

    statistics: Mapping[str, float]
    json: Mapping[str, Any]
    _page: str

    def page(self, heading: str) -> str:
        """Return the page as one HTML file that needs no network, with a heading (HTML) of ours on top."""
        nonce = secrets.token_urlsafe()
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(nonce=nonce)}">'
        page = SCRIPT.sub(rf'\g<0> nonce="{nonce}"', self._page)
        page = page.replace("<head>", f"<head>{policy}<title>Drift report</title>", 1)
        return page.replace("<body>", f"<body>{heading}", 1)


class _Table(DataDriftPreset):  # type: ignore[misc]
    """Evidently's drift table without its verdict on the dataset."""

    def generate_metrics(self, context: Any) -> Any:
        return super().generate_metrics(context)[1:]

    def render(self, context: Any, child_widgets: Any = None) -> Any:
        table = super().render(context, child_widgets)[-1]
        table.title = "Distances of the known values"  # its own title counts drift by its own rule
        return [table]


def run(reference: pl.DataFrame, current: pl.DataFrame, rules: Mapping[str, tuple[Method, float]]) -> Report:
    """Run Evidently.

    Parameters
    ----------
    reference, current : polars.DataFrame
        The same columns, Float64 or String, each with at least one value on both sides.
    rules : mapping of str to (method, threshold)
        For each column.
    """
    words = [name for name, (method, _) in rules.items() if method == "jensenshannon"]
    numbers = [name for name in rules if name not in words]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    sides = [_pandas(table, reference, words) for table in (current, reference)]
    unmoved = [eq(InReference(absolute=MISSING_FLOOR))]
    with_gaps = [name for name in rules if any(side[name].isna().any() for side in sides)]
    metrics = [
        _Table(
            columns=list(rules),
            per_column_method={name: method for name, (method, _) in rules.items()},
            per_column_threshold={name: threshold for name, (_, threshold) in rules.items()},
        ),
        *(MissingValueCount(column=name, share_tests=unmoved) for name in with_gaps),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas and numpy, by evidently itself
        snapshot = EvidentlyReport(metrics, include_tests=True).run(
            *(Dataset.from_pandas(side, data_definition=definition) for side in sides)
        )
        page = snapshot.get_html_str(as_iframe=False)
        found = json.loads(snapshot.json())
    return Report(
        {
            # equal samples may give the root of a rounding error below zero
            metric["config"]["column"]: max(float(metric["value"] or 0.0), 0.0)
            for metric in found["metrics"]
            if metric["metric_name"].startswith("ValueDrift")
        },
        found,
        page,
    )


def _pandas(table: pl.DataFrame, reference: pl.DataFrame, words: list[str]) -> pd.DataFrame:
    """Return what Evidently reads: float columns without far values, and columns of plain strings."""
    return pd.DataFrame(
        {
            name: pd.Series(_as_words(table[name]), dtype=object)
            if name in words
            else _drawn_in(table[name], reference[name]).to_numpy()
            for name in table.columns
        }
    )


def _as_words(values: pl.Series) -> list[str | None]:
    if values.dtype == pl.String:
        return [None if value is None else value.translate(HARMLESS) for value in values]
    return [None if value is None else f"{value:g}" for value in values]


def _drawn_in(values: pl.Series, reference: pl.Series) -> pl.Series:
    low, middle, high = (float(reference.quantile(q)) for q in (0.01, 0.5, 0.99))  # type: ignore[arg-type]
    reach = REACH * max(middle - low, high - middle)
    return values.clip(middle - reach, middle + reach) if reach > 0 else values
