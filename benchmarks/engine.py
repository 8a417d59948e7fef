"""Time the engine beside LightGBM and shap, in turns, and check that all of them say the same.

CPU time of one thread, not wall time: the machine may be busy. In every round each engine answers the same
rows; figures are medians over the rounds, ratios are medians of the ratios within a round.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before LightGBM is loaded: shap does not let one choose

import lightgbm as lgb
import numpy as np
import shap
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from benchmarks import results
from scoring.engine import Engine

Matrix = NDArray[np.float64]
Call = Callable[[Matrix], Any]
Figure = tuple[str, float, str, float | None, bool | None]

FEATURES, CATEGORIES, LEVELS = 200, 12, 30
TRAINING_ROWS, CHECKED_ROWS = 8_000, 100_000
SIZES = {"predict": (1, 10, 100, 1_000, 10_000), "explain": (1, 10, 100, 1_000)}
TARGETS = {
    ("predict", 1): (0.5, "of Booster.predict"),
    ("predict", 10_000): (0.3, "of Booster.predict"),
    ("explain", 1): (0.2, "of shap.TreeExplainer"),
    ("explain", 1_000): (0.2, "of shap.TreeExplainer"),
}
EXACT = {"predict": 0.0, "explain": 1e-9}
ROWS_A_ROUND = 40  # small batches are repeated, with other rows each time
COMMAND = "python -m benchmarks.engine --keep"

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
console = Console(highlight=False)


def rows(n: int, categories: int, random: np.random.Generator) -> Matrix:
    """Invent rows of 200 features: 10 % missing, the last columns categories if asked for."""
    matrix = random.normal(size=(n, FEATURES))
    matrix[:, :20] = np.round(matrix[:, :20] * 3)
    matrix[:, FEATURES - categories :] = random.integers(0, LEVELS, size=(n, categories))
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    return matrix


def train(trees: int, categories: int) -> lgb.Booster:
    """Train trees of 31 leaves on an invented outcome."""
    random = np.random.default_rng(1)
    matrix = rows(TRAINING_ROWS, categories, random)
    signal = np.nan_to_num(matrix) @ random.normal(size=FEATURES) / 10
    default = (signal + random.logistic(size=len(signal)) > 1).astype(float)
    settings = {
        "objective": "binary",
        "num_leaves": 31,
        "learning_rate": 0.02,
        "feature_fraction": 0.3,
        "num_threads": 2,
        "verbosity": -1,
        "seed": 1,
    }
    columns = list(range(FEATURES - categories, FEATURES))
    return lgb.train(settings, lgb.Dataset(matrix, default, categorical_feature=columns), trees)


def seconds(call: Call, batches: list[Matrix]) -> float:
    """Return the median CPU time of a call."""
    times = []
    for batch in batches:
        start = time.process_time()
        call(batch)
        times.append(time.process_time() - start)
    return statistics.median(times)


def compare(
    calls: dict[str, Call], n: int, matrix: Matrix, rounds: int, tick: Callable[[], None]
) -> dict[str, list[float]]:
    """Return each engine's seconds a call, round by round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds):
        first = turn * 1_000
        repeats = max(1, ROWS_A_ROUND // n)
        batches = [matrix[(first + i * n) % (len(matrix) - n + 1) :][:n] for i in range(repeats)]
        for name in sorted(calls, key=lambda _: np.random.default_rng(turn).random()):
            times[name].append(seconds(calls[name], batches))
        tick()
    return times


def engines(booster: lgb.Booster, engine: Engine) -> dict[str, dict[str, Call]]:
    """Return what is compared, by task; the first is ours."""
    warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer")
    explainer = shap.TreeExplainer(booster)
    return {
        "predict": {
            "engine": engine.raw,
            "Booster.predict": lambda x: booster.predict(x, raw_score=True, num_threads=1),
        },
        "explain": {
            "engine": lambda x: engine.contributions(x)[0],
            "shap.TreeExplainer": explainer.shap_values,
            "pred_contrib": lambda x: np.asarray(booster.predict(x, pred_contrib=True, num_threads=1))[
                :, :-1
            ],
        },
    }


def largest_difference(booster: lgb.Booster, engine: Engine, task: str, matrix: Matrix) -> float:
    """Return the largest absolute difference from LightGBM."""
    if task == "predict":
        return float(
            np.abs(engine.raw(matrix) - booster.predict(matrix, raw_score=True, num_threads=2)).max()
        )
    some = matrix[:500]
    theirs = np.asarray(booster.predict(some, pred_contrib=True, num_threads=2))
    return float(np.abs(engine.contributions(some)[0] - theirs[:, :-1]).max())


def figure(name: str, value: float, unit: str, target: float | None = None) -> Figure:
    """Return one figure as the records have it, with the target that it should not exceed."""
    return name, value, unit, target, None if target is None else value <= target


@app.command(epilog=f"Example: [bold]{COMMAND} [/bold]")
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the engines take turns.")] = 5,
    trees: Annotated[int, typer.Option(min=1, help="Trees of 31 leaves.")] = 1_000,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the figures to benchmarks/results.json.")
    ] = False,
) -> None:
    """Compare the engine with LightGBM and shap, on numbers and with 12 category columns."""
    figures: list[Figure] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        steps = progress.add_task("training", total=2 * (1 + rounds * sum(map(len, SIZES.values()))))
        for categories in (0, CATEGORIES):
            progress.update(steps, description=f"training, {categories} category columns")
            measured, table = measure(trees, categories, rounds, progress, steps)
            figures += measured
            progress.console.print(table)
            for name, figure, unit, target, met in measured if keep else ():
                results.record(name, figure, unit, target=target, met=met, command=COMMAND)
    if keep:
        console.print(f"{len(figures)} figures written to {results.FILE}")
    if missed := [name for name, *_, met in figures if met is False]:
        console.print(f"missed: {', '.join(missed)}")
        raise typer.Exit(1)


def measure(
    trees: int, categories: int, rounds: int, progress: Progress, steps: TaskID
) -> tuple[list[Figure], Table]:
    """Return the figures of one model, as records and as a table."""
    booster = train(trees, categories)
    text = booster.model_to_string()
    booster = lgb.Booster(model_str=text)
    progress.advance(steps)
    start = time.process_time()
    engine = Engine.of(text)
    made = time.process_time() - start
    matrix = rows(CHECKED_ROWS, categories, np.random.default_rng(2))
    model = f"{trees} trees, {categories} category columns"
    figures = [figure(f"engine: ready, {model}", made, "CPU s")]
    table = Table("task", "rows", "engine", "CPU ms", "ratio of ours", "target", title=model)
    for task, calls in engines(booster, engine).items():
        difference = largest_difference(booster, engine, task, matrix)
        figures.append(
            figure(f"engine: {task}, largest difference, {model}", difference, "log-odds", EXACT[task])
        )
        for n in SIZES[task]:
            progress.update(steps, description=f"{task}, {n} rows")
            times = compare(calls, n, matrix, rounds, lambda: progress.advance(steps))
            ours = times.pop("engine")
            table.add_row(task, f"{n:,}", "engine", f"{1e3 * statistics.median(ours):,.3f}")
            figures.append(
                figure(f"engine: {task}, {n:,} rows, {model}", 1e3 * statistics.median(ours), "CPU ms")
            )
            for peer, theirs in times.items():
                ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
                target, of = TARGETS.get((task, n), (None, ""))
                target = target if of == f"of {peer}" else None
                name = f"engine: {task}, {n:,} rows, ratio to {peer}, {model}"
                figures.append(figure(name, ratio, "ratio", target))
                shown = "" if target is None else f"{target} {'met' if ratio <= target else 'MISSED'}"
                table.add_row("", "", peer, f"{1e3 * statistics.median(theirs):,.3f}", f"{ratio:.3f}", shown)
        table.add_section()
    table.caption = (
        f"largest differences: {[f'{value:.1g}' for name, value, *_ in figures if 'difference' in name]}"
    )
    return figures, table


if __name__ == "__main__":
    app()
