"""The two documents: RELIABILITY.md for people, reliability.json for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from tests.torture.run import ROOT, Figure, Result, Row

BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
AT = ", at "  # what a name has between the figure and the share of the counts
MARKS = {True: "kept", False: "**not kept**", None: ""}


def number(value: float | None) -> str:
    """Write a number as a person would."""
    if value is None:
        return "not measured"
    return f"{value:z,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:,g}"


def command(row: Row) -> str:
    """Return what runs a row."""
    return f"python -m tests.torture {row.name}"


def write(rows: Iterable[Row], results: Mapping[str, Result]) -> None:
    """Write both from what the rows found."""
    rows = list(rows)
    path = ROOT / "RELIABILITY.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{table(rows, results)}\n{END}{after}", encoding="utf-8")
    records = json.dumps(list(_records(rows, results)), indent=1, ensure_ascii=False)
    (ROOT / "reliability.json").write_text(records + "\n", encoding="utf-8")


def table(rows: Sequence[Row], results: Mapping[str, Result]) -> str:
    """Return the table of the document."""
    known = [result for row in rows if (result := results.get(row.name)) is not None]
    models = sorted({result.model for result in known})
    dates = [result.started[:10] for result in known]
    days = " to ".join(dict.fromkeys((min(dates), max(dates)))) if known else ""
    lines = [f"Run on {days}; model served: {'; '.join(models)}.", ""] if known else []
    lines += ["| # | promise | figure | target | ours | stock BentoML | |", "|---|---|---|---|---|---|---|"]
    notes: list[str] = []
    for row in rows:
        result = results.get(row.name)
        first = f"| {row.number} | {row.promise} (`{row.name}`{_scale(result)}{_run(result)}) "
        if result is None or (result.error and not result.figures):
            why = "not run yet" if result is None else f"**did not finish**: {result.error.split(': ')[0]}"
            lines.append(f"{first}| {why} | | | | |")
            continue
        for figure in result.figures:
            mark = ""
            if figure.note:
                notes.append(f"{len(notes) + 1}. {figure.note}.")
                mark = f" [{len(notes)}]"
            lines.append(f"{first}{_cells(figure, mark)}")
            first = "| | "
        if result.error:
            lines.append(f"{first}| **did not finish**: {result.error.split(': ')[0]} | | | | |")
    return "\n".join([*lines, "", *notes])


def _scale(result: Result | None) -> str:
    """Say at what share of the stated counts a row was run, if not at all of them."""
    return "" if result is None or result.scale == 1 else f", **{AT[2:]}{result.scale:g} of the counts**"


def _run(result: Result | None) -> str:
    """Say when a row was run, and on which commit."""
    return "" if result is None else f"; {result.started[:10]}, `{result.revision}`"


def _cells(figure: Figure, mark: str) -> str:
    unit = figure.unit if figure.unit == "%" else f" {figure.unit}" if figure.unit else ""
    sign, _, bound = figure.target.partition(" ")
    limit = number(float(bound.replace(",", ""))) if bound else ""
    target = {"<=": "≤ ", ">=": "≥ "}.get(sign, "") + limit + (unit if sign in ("<=", ">=") else "")
    ours = f"{number(figure.value)}{unit if figure.value is not None else ''}"
    words = [figure.name, target, ours + mark, figure.stock, MARKS[figure.met]]
    return "| " + " | ".join(word.replace("|", "/").strip() for word in words) + " |"


def _records(rows: Iterable[Row], results: Mapping[str, Result]) -> Iterable[dict[str, object]]:
    for row in rows:
        result = results.get(row.name)
        if result is None:
            continue
        for figure in result.figures:
            yield {
                "name": f"{row.name}: {figure.name}{_scale(result).replace('*', '')}",
                "figure": None if figure.value is None else figure.value + 0,  # -0.0 is 0
                "unit": figure.unit,
                "target": figure.target or None,
                "met": figure.met,
                "stock": figure.stock or None,
                "command": command(row),
                "note": figure.note or None,
                "model": result.model,
                "revision": result.revision,
                "date": result.started[:10],
            }


def earlier(rows: Iterable[Row]) -> dict[str, Result]:
    """Read back what is in reliability.json: a row that is run anew leaves the others as they were."""
    found: dict[str, Result] = {}
    known = {row.name for row in rows}
    for record in json.loads((ROOT / "reliability.json").read_text(encoding="utf-8")):
        row, _, rest = record["name"].partition(": ")
        name, _, part = rest.partition(AT)
        if row not in known:
            continue
        result = found.setdefault(
            row,
            Result(
                row,
                float(part.split(" ")[0]) if part else 1.0,
                record["date"],
                0.0,
                record["revision"],
                record["model"],
            ),
        )
        unit, target, stock, note = (record[key] or "" for key in ("unit", "target", "stock", "note"))
        result.figures.append(Figure(name, record["figure"], unit, target, record["met"], stock, note))
    return found
