"""The comparison itself: which columns, their two sides, and the distance between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import polars as pl

from monitoring import drift
from monitoring.rule import FEW, WATCHED, ColumnDrift, Method, Role, Side, threshold
from monitoring.source import PREDICTION, Reference

SAMPLE = 20_000  # rows a side for Evidently, whose time and memory grow with them; shares and means take all


@dataclass(frozen=True)
class Comparison:
    """The inspected columns, the columns that nothing can be said about, and Evidently's report."""

    columns: list[ColumnDrift]
    left_out: Mapping[str, str]
    evidently: drift.Report


def inspected(reference: Reference, top: int) -> dict[str, Role]:
    """Return the columns to look at: the prediction, the most important inputs, the watched ones."""
    ranked = sorted(reference.importance, key=lambda name: -reference.importance[name])
    chosen: dict[str, Role] = {PREDICTION: "prediction"}
    chosen |= dict.fromkeys(ranked[:top], "top")
    return chosen | {name: "watched" for name in WATCHED if name in ranked and name not in chosen}


def compare(reference: Reference, current: pl.DataFrame, top: int, seed: int = 0) -> Comparison:
    """Compare the current rows with the reference.

    Parameters
    ----------
    reference : Reference
    current : polars.DataFrame
        The reference's columns; at least one row.
    top : int
        Number of inputs by importance.
    seed : int
        Of the sample that Evidently gets.
    """
    columns, left_out = [], {}
    for name, role in inspected(reference, top).items():
        old, new = reference.table[name], current[name]
        if old.null_count() == old.len() and new.null_count() == new.len():
            left_out[name] = "missing in every row of both sides"
            continue
        seen = set(reference.levels.get(name, ())) | set(old.drop_nulls().unique())
        columns.append(
            ColumnDrift(
                name,
                role,
                reference.importance.get(name, 0.0),
                _side(old),
                _side(new),
                _unseen(new, seen) if new.dtype == pl.String else {},
            )
        )
    # What one side lacks altogether has no distance, and Evidently would raise: its missing share tells.
    both = [column.name for column in columns if column.reference.known and column.current.known]
    before, now = (_sample(table.select(both), seed) for table in (reference.table, current))
    rules = {
        name: _rule(before[name], now[name]) for name in both if before[name].count() and now[name].count()
    }
    report = drift.run(before.select(*rules), now.select(*rules), rules)
    return Comparison([_measured(column, rules, report) for column in columns], left_out, report)


def _measured(
    column: ColumnDrift, rules: Mapping[str, tuple[Method, float]], report: drift.Report
) -> ColumnDrift:
    """Return the column with its distance, if it has one."""
    if column.name not in rules:
        return column
    method, least = rules[column.name]
    return replace(column, method=method, statistic=report.statistics[column.name], threshold=least)


def _rule(before: pl.Series, now: pl.Series) -> tuple[Method, float]:
    """Choose how to compare two samples, and from which distance on they differ."""
    levels = pl.concat([before, now]).drop_nulls().n_unique()
    method: Method = "jensenshannon" if before.dtype == pl.String or levels <= FEW else "wasserstein"
    return method, threshold(method, before.count(), now.count(), levels)


def _side(values: pl.Series) -> Side:
    missing = values.null_count() / values.len()
    if values.dtype != pl.String:
        mean = values.mean()
        return Side(values.len(), missing, None if mean is None else float(mean))  # type: ignore[arg-type]
    counts = values.drop_nulls().value_counts(sort=True, name="rows")
    known = values.len() - values.null_count()
    return Side(values.len(), missing, None, {level: rows / known for level, rows in counts.iter_rows()})


def _unseen(values: pl.Series, seen: Collection[str]) -> dict[str, float]:
    counts = values.drop_nulls().value_counts(sort=True, name="rows")
    return {level: rows / values.len() for level, rows in counts.iter_rows() if level not in seen}


def _sample(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    return table.sample(SAMPLE, seed=seed) if table.height > SAMPLE else table
