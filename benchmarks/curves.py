"""Cost curves as one small figure, docs/speed.svg: connections, rows and trees against time.

Connections and rows are those that `benchmarks.servers` kept in results.json; trees are measured here.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import lightgbm
import matplotlib
import typer

from benchmarks.engine import rows, train
from benchmarks.results import FILE, record
from scoring.engine import Engine

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "speed", "font.size": 8}

ROOT = Path(__file__).resolve().parent.parent
FIGURE = ROOT / "docs" / "speed.svg"
TREES = (125, 250, 500, 1_000, 2_000)
BATCH = 1_000
COMMAND = "python -m benchmarks.curves"
app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


def measure(rounds: int) -> None:
    """Keep the CPU time of a thousand rows by number of trees, ours and LightGBM's."""
    import numpy as np

    whole = train(TREES[-1], 0)
    matrix = rows(BATCH, 0, np.random.default_rng(3))
    for trees in TREES:
        text = whole.model_to_string(num_iteration=trees)
        booster, engine = lightgbm.Booster(model_str=text), Engine.of(text)
        calls: dict[str, Callable[[Any], object]] = {
            "ours": engine.raw,
            "LightGBM": partial(booster.predict, raw_score=True, num_threads=1),
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                began = time.process_time()
                call(matrix)
                taken[name].append(1e3 * (time.process_time() - began))
        for name, times in taken.items():
            what = f"{trees} trees, {BATCH} rows, {name}"
            record(what, statistics.median(times), "CPU ms", command=COMMAND)


def lines(records: list[dict[str, Any]], pattern: str) -> dict[str, list[tuple[int, float]]]:
    """Return curves: records whose name gives ``who`` and ``x``."""
    found: dict[str, list[tuple[int, float]]] = {}
    for one in records:
        if match := re.fullmatch(pattern, one["name"]):
            found.setdefault(match["who"], []).append((int(match["x"].replace(",", "")), one["figure"]))
    return {who: sorted(points) for who, points in found.items()}


def draw(records: list[dict[str, Any]]) -> None:
    """Draw the figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    panels = figure.subplots(1, 4)
    for axes, title, pattern, label in (
        (panels[0], "One row: p50", r"one row, (?P<who>.+), (?P<x>\d+) connections, p50", "connections"),
        (panels[1], "One row: p99", r"one row, (?P<who>.+), (?P<x>\d+) connections, p99", "connections"),
        (panels[2], "Rows in one request", r"(?P<x>[\d,]+) rows in one request, (?P<who>.+), p50", "rows"),
        (panels[3], "Trees, 1,000 rows", r"(?P<x>\d+) trees, \d+ rows, (?P<who>.+)", "trees"),
    ):
        for who, points in lines(records, pattern).items():
            is_ours = who == "ours"
            axes.plot(*zip(*points, strict=True), ".-", label=who, linewidth=2 if is_ours else 0.8)
        axes.set(title=title, xlabel=label, ylabel="ms", xscale="log", yscale="log")
        axes.grid(alpha=0.3)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=6, frameon=False)
    panels[3].legend(frameon=False)
    figure.savefig(FIGURE, metadata={"Date": None})


@app.command(epilog="Example: [bold]python -m benchmarks.curves --draw[/bold]")
def main(
    rounds: Annotated[int, typer.Option(help="Rounds, the engines in turn.")] = 5,
    only_draw: Annotated[bool, typer.Option("--draw", help="Measure nothing, draw what was kept.")] = False,
) -> None:
    """Measure the time by number of trees and draw the cost curves."""
    if not only_draw:
        measure(rounds)
    draw(json.loads(FILE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    app()
