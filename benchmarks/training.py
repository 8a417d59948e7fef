"""Time, memory and honest figures of one training: ``python -m benchmarks.training --portfolio DIR``.

``train.py --compare champion`` runs in a process of its own, on a fresh store; its run is read back.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from benchmarks.results import record
from scoring.decision import COSTS
from training import tracking

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model.json"
FULL, CALIBRATED = 300_000, 90_000  # applications from which the targets of time and of calibration hold


def train_afresh(portfolio: Path, compare: str, folder: str) -> str:
    """Train as a user does, on a store of its own in ``folder``; return where the store is."""
    uri = f"sqlite:///{folder}/mlflow.db"
    words = ["train.py", "--portfolio", str(portfolio), "--compare", compare, "--tracking-uri", uri]
    subprocess.run([sys.executable, *words], cwd=HERE.parent, check=True)
    return uri


def main(
    portfolio: Annotated[Path, typer.Option(help="Kaggle folder, zip or Parquet.")],
    name: Annotated[str, typer.Option(help="Word for it in the records.")] = "synthetic",
    compare: Annotated[str, typer.Option(help="As train.py's.")] = "champion",
) -> None:
    """Train once and keep the figures in benchmarks/model.json."""
    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        uri = train_afresh(portfolio, compare, folder)
        minutes = (perf_counter() - started) / 60
        client, cost = tracking.connect(uri), "cost_per_1000"
        best = tracking.find_best(client, tracking.EXPERIMENT, cost).run
    n, m = int(best.params["applications"]), best.metrics
    of = f"{n:,} applications ({name})"
    command = f"python -m benchmarks.training --portfolio {portfolio.name} --name {name} --compare {compare}"

    def keep(
        what: str, figure: float, unit: str, target: float | None = None, met: bool | None = None
    ) -> None:
        record(f"{what}, {of}", figure, unit, target, met, command, MODEL)

    time = (20.0, minutes <= 20) if n >= FULL and compare == "champion" else (None, None)
    keep(f"train, {compare}, five folds", minutes, "min", *time)
    keep(f"train, {compare}, peak memory", m["peak_memory_mib"] / 1024, "GiB")
    error = (0.005, m["calibration_error"] <= 0.005) if n >= CALIBRATED else (None, None)
    keep("calibration error out of fold", m["calibration_error"], "share", *error)
    for metric in ("auc", "business_score", "brier", "calibration_slope", "calibration_intercept"):
        keep(f"{metric} out of fold", m[metric], "")
    keep(f"{cost} out of fold", m[cost], "per 1,000")
    off = abs(m["threshold"] / COSTS.threshold - 1)
    keep("threshold against 1/11", m["threshold"] / COSTS.threshold, "ratio", 0.1, off <= 0.1)
    keep("cheapest threshold against 1/11, noise included", m["optimum_threshold"] / COSTS.threshold, "ratio")


if __name__ == "__main__":
    typer.run(main)
