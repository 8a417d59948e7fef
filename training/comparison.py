"""How a comparison of candidates is shown: while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scoring.candidates import Candidate
from training.runs import OBSTACLE, Run

FIGURES = (
    "auc",
    "business_score",
    "cost_per_1000",
    "accuracy",
    "f1",
    "threshold",
    "optimum_threshold",
    "seconds",
)
WIDE = 104  # columns of a terminal that have room for a figure and its interval side by side
CALIBRATION = ("calibration_error", "calibration_slope", "calibration_intercept", "brier", "log_loss")


@dataclass(frozen=True)
class Result:
    """A candidate and its run."""

    candidate: Candidate
    run: Run

    @property
    def cost(self) -> float:
        """Cost per 1,000 applications."""
        return self.run.metrics["cost_per_1000"]


class Bar:
    """A progress bar with the best candidate so far; silent when the output is piped."""

    def __init__(self, console: Console, candidates: int, folds: int) -> None:
        columns = (
            TextColumn("{task.description}", justify="right"),
            BarColumn(16),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._all = self._progress.add_task("all candidates", total=candidates, note="")
        self._folds = folds
        self._task = self._all

    def __enter__(self) -> Bar:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it as it stands."""
        self._progress.stop()

    def begin(self, candidate: Candidate) -> None:
        """Go on to a candidate; the one that can be served is fitted once more than there are folds."""
        total = self._folds + (candidate.obstacle is None)
        self._task = self._progress.add_task(candidate.name.replace("_", " "), total=total, note="")

    def fold(self, fold: int) -> Callable[[int, int], None]:
        """Go on to a fold; return where its fit tells its rounds."""
        task = self._task
        self._progress.update(task, completed=fold)
        return lambda done, most: self._progress.update(task, completed=fold + done / most)

    def on_progress(self, note: str) -> None:
        """Say something beside the candidate's bar."""
        self._progress.update(self._task, note=note)

    def end(self, tried: Sequence[Result]) -> None:
        """Close the candidate's bar, and say which one is best so far."""
        total = self._progress.tasks[self._task].total
        self._progress.update(self._task, completed=total, note="")
        best = min(tried, key=lambda one: one.cost)
        note = f"best: {best.candidate.name.replace('_', ' ')}, {best.cost:.0f}"
        self._progress.update(self._all, completed=len(tried), note=note)


def as_table(runs: Sequence[Run]) -> pl.DataFrame:
    """Return one line per candidate: what it is, its figures out of fold, and before calibration."""
    lines: list[dict[str, Any]] = []
    for run in runs:
        metrics = run.metrics
        line: dict[str, Any] = {name: run.params[name] for name in ("candidate", "family", "treatment")}
        line |= {
            "can_be_champion": OBSTACLE not in run.tags,
            "run_id": run.id,
            "calibration": run.params["calibration"],
        }
        for name in (*FIGURES[:3], *CALIBRATION):
            line |= {n: metrics[n] for n in (name, f"{name}_low", f"{name}_high") if n in metrics}
        line |= {name: metrics[name] for name in FIGURES[3:]}
        line |= {f"uncalibrated_{name}": metrics[f"uncalibrated_{name}"] for name in CALIBRATION}
        lines.append(line)
    return pl.DataFrame(lines, infer_schema_length=None)


def show(tried: Sequence[Result], console: Console) -> None:
    """Print the candidates, the cheapest first, and what treating imbalance does to calibration."""
    is_wide = console.width >= WIDE
    between = " " if is_wide else "\n"
    titles = ["candidate", "AUC", "business score", "cost per 1,000", "threshold", *(["F1"] * is_wide)]
    table = Table(title="Out of fold, with 95% intervals")
    for title in titles:
        table.add_column(
            title, justify="left" if title == "candidate" else "right", no_wrap=title != titles[3]
        )
    for one in tried:
        m = one.run.metrics
        cells = [
            f"{m[n]:.{d}f}{between}{m[f'{n}_low']:.{d}f}–{m[f'{n}_high']:.{d}f}"
            for n, d in zip(FIGURES[:3], (3, 3, 0), strict=True)
        ]
        cells += [f"{m['threshold']:.4f}", *([f"{m['f1']:.3f}"] * is_wide)]
        table.add_row(one.candidate.name, *cells)
    console.print(table)
    if any(one.candidate.treatment != "none" for one in tried):
        console.print(_calibration(tried))


def _calibration(tried: Sequence[Result]) -> Table:
    """Lay out the calibration of every candidate before and after the map that was chosen out of fold."""
    table = Table(title="Calibration before → after")
    for title in ("candidate", "error", "slope", "intercept", "Brier score", "map"):
        table.add_column(title, justify="left" if title in ("candidate", "map") else "right", no_wrap=True)
    for one in sorted(tried, key=lambda one: one.candidate.name):
        m = one.run.metrics
        names = ("calibration_error", "calibration_slope", "calibration_intercept", "brier")
        digits = (4, 2, 2, 4)
        cells = (f"{m[f'uncalibrated_{n}']:.{d}f} → {m[n]:.{d}f}" for n, d in zip(names, digits, strict=True))
        table.add_row(one.candidate.name, *cells, one.run.params["calibration"])
    return table
