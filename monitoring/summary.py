"""The report in our own words: for a program (JSON), for a terminal, and for the head of Evidently's page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitoring.rule import NAMED, RULE, WATCHED, ColumnDrift, DriftVerdict, Side, number
from monitoring.source import Reference, Traffic

if TYPE_CHECKING:
    from monitoring.compare import Comparison  # brings evidently, which takes seconds to import

NO_DRIFT, DRIFT, NOT_ENOUGH = 0, 1, 2
WORDS = {NO_DRIFT: "no drift", DRIFT: "drift", NOT_ENOUGH: "not enough data"}
PAGE, EVIDENTLY, SUMMARY = "report.html", "report.json", "summary.json"
STYLE = "font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1.5rem"


@dataclass(frozen=True)
class DriftSummary:
    """Everything that a report says."""

    code: int
    reasons: list[str]
    reference: Reference
    traffic: Traffic
    comparison: Comparison | None = None
    notes: list[str] = field(default_factory=list)


def judge(
    reference: Reference,
    traffic: Traffic,
    comparison: Comparison | None,
    verdict: DriftVerdict | None,
    min_rows: int,
) -> DriftSummary:
    """Put a report together; without a comparison there were too few rows."""
    notes = [f"{count:,} decisions of {tag} left out" for tag, count in traffic.other_models.items()]
    notes += [
        f"{count:,} asked for as {purpose} left out" for purpose, count in traffic.other_purposes.items()
    ]
    if traffic.outside:
        notes.append(f"{traffic.outside:,} other decisions of the model left out")
    notes += [f"{count:,} lines of the log set aside: {why}" for why, count in traffic.quarantined.items()]
    if traffic.duplicates:
        notes.append(f"{traffic.duplicates:,} repeated records left out")
    if comparison is None or verdict is None:
        rows = min(traffic.table.height, reference.table.height)
        side = "the log" if rows == traffic.table.height else "the reference"
        reasons = [f"{side} has {rows:,} rows to compare; at least {min_rows:,} are asked for (--min-rows)"]
        if traffic.table.is_empty():
            whose = f"no decision of {traffic.model}" if traffic.model else "no decision"
            reasons.append(f"the log has {whose} that was asked for: check --log, --model and --window")
        return DriftSummary(NOT_ENOUGH, reasons, reference, traffic, notes=notes)
    notes += [f"{name} is not compared: {why}" for name, why in comparison.left_out.items()]
    reasons = list(verdict.reasons)
    return DriftSummary(
        DRIFT if verdict.is_drift else NO_DRIFT, reasons, reference, traffic, comparison, notes
    )


def write(summary: DriftSummary, folder: Path) -> None:
    """Write ``summary.json``, and Evidently's ``report.html`` and ``report.json``, each whole or not at all.

    Without a comparison an earlier report is removed, so that none stands beside a summary that it does not
    belong to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PAGE, EVIDENTLY):
        (folder / name).unlink(missing_ok=True)
    if summary.comparison is not None:
        report = summary.comparison.evidently
        _put(folder / PAGE, report.page(heading(summary)))
        _put(folder / EVIDENTLY, json.dumps(report.json, indent=1) + "\n")
    _put(folder / SUMMARY, json.dumps(to_json(summary), indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def to_json(summary: DriftSummary) -> dict[str, Any]:
    """Return the report as JSON values."""
    traffic, comparison = summary.traffic, summary.comparison
    first, last = _times(traffic)
    return {
        "verdict": WORDS[summary.code],
        "exit_code": summary.code,
        "reasons": summary.reasons,
        "rule": RULE,
        "model": traffic.model,
        "rows": {
            "reference": summary.reference.table.height,
            "current": traffic.table.height,
            "other_models": dict(traffic.other_models),
            "other_purposes": dict(traffic.other_purposes),
            "outside": traffic.outside,
            "quarantined": dict(traffic.quarantined),
            "duplicates": traffic.duplicates,
        },
        "first": first,
        "last": last,
        "refused_share": {
            "reference": _refused(summary.reference.table),
            "current": _refused(traffic.table),
        },
        "columns": [_column(column) for column in comparison.columns] if comparison else [],
        "left_out": dict(comparison.left_out) if comparison else {},
    }


def show(summary: DriftSummary, console: Console) -> None:
    """Show the report on a terminal."""
    traffic = summary.traffic
    if summary.comparison is not None:
        title = f"{traffic.table.height:,} decisions of {traffic.model}"
        table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("column", overflow="fold")
        for name in ("weight", "reference", "now", "distance", "limit"):
            table.add_column(name, justify="right")
        table.add_column("moved")
        for column in summary.comparison.columns:
            weight = "" if column.role == "prediction" else f"{column.importance:.1%}"
            distance, limit = _figure(column.statistic), _figure(column.threshold)
            style = "bold" if column.has_drifted else None
            cells = (column.name, weight, *_sides(column), distance, limit, ", ".join(_moved(column)))
            table.add_row(*map(Text, cells), style=style)  # as text: "[red]" may be the name of a level
        console.print(table)
    for note in summary.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"{WORDS[summary.code]}{':' if summary.reasons else '.'}", style="bold")
    for reason in summary.reasons:
        console.print(f"- {reason}", markup=False, soft_wrap=True)


def heading(summary: DriftSummary) -> str:
    """Return the head of the page as HTML: verdict, reasons, what was left out, and the rule."""
    traffic = summary.traffic
    first, last = _times(traffic)
    rows = (
        f"{traffic.table.height:,} decisions of {traffic.model}, {first} to {last}, "
        f"against {summary.reference.table.height:,} reference rows."
    )
    refused = [_refused(table) or 0.0 for table in (summary.reference.table, traffic.table)]
    parts = [
        f"<h1>Drift report: {WORDS[summary.code]}</h1>",
        f"<p>{escape(rows)} Refused: {refused[0]:.1%} in the reference, {refused[1]:.1%} now.</p>",
        _list(summary.reasons),
        _list(summary.notes),
        f"<details><summary>The rule</summary><p>{escape(RULE)}</p></details>",
    ]
    return f'<header style="{STYLE}">{"".join(parts)}</header>'


def _list(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _column(column: ColumnDrift) -> dict[str, Any]:
    described = asdict(column) | {"drifted": column.has_drifted, "findings": column.findings}
    for side in ("reference", "current"):
        described[side]["levels"] = dict(list(described[side]["levels"].items())[:NAMED])
    if column.name in WATCHED:
        described["watched"] = WATCHED[column.name]
    return described


def _times(traffic: Traffic) -> tuple[str | None, str | None]:
    """Return when the first and the last of the decisions were made, in UTC."""
    times = traffic.table["time"].sort().dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (times[0], times[-1]) if len(times) else (None, None)


def _refused(table: pl.DataFrame) -> float | None:
    return int((table["decision"] == "refused").sum()) / table.height if table.height else None


def _sides(column: ColumnDrift) -> tuple[str, str]:
    """Return what a reader compares at a glance: means, or shares of the level that changed most."""
    a, b = column.reference, column.current
    if not a.levels and not b.levels:
        return _side(a), _side(b)
    level = column.moved_level
    shown = level if level.isprintable() else repr(level)
    return f"{shown} {a.levels.get(level, 0.0):.1%}", f"{b.levels.get(level, 0.0):.1%}"


def _side(side: Side) -> str:
    mean = "no value" if side.mean is None else number(side.mean)
    return f"{mean} ({side.missing_share:.0%} missing)" if side.missing_share >= 0.005 else mean


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _moved(column: ColumnDrift) -> list[str]:
    moved: Mapping[str, bool] = {
        "values": column.is_distribution_moved,
        "missing": column.is_missing_moved,
        "unseen": column.is_unseen,
    }
    return [name for name, is_so in moved.items() if is_so]


def _put(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8") as new:  # where somebody put a link, nothing is written through it
        new.write(text)
    draft.replace(file)
