"""Time, memory and honest figures of one training: ``python -m benchmarks.training --portfolio DIR``.

``train.py`` runs in a process of its own, on a fresh store; its runs are read back, one of each candidate.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from benchmarks.given import Given, MadeBy, command, refusing
from benchmarks.results import record
from scoring.decision import COSTS
from training import mlflow_store, names, runs

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model.json"
FULL, CALIBRATED = 300_000, 90_000  # applications from which the targets of time and of calibration hold


def train_afresh(portfolio: Path, compare: str, folder: str) -> str:
    """Train as a user does, on a store of its own in ``folder``; return where the store is."""
    uri = f"sqlite:///{folder}/mlflow.db"
    words = [
        str(HERE.parent / "train.py"),
        "--portfolio",
        str(portfolio),
        "--compare",
        compare,
        "--tracking-uri",
        uri,
    ]
    if subprocess.run([sys.executable, *words]).returncode:
        raise ValueError("the training failed; it says why above.")
    return uri


def figures(run: runs.Run) -> Iterator[tuple[str, float, str, float | None, bool]]:
    """Give the honest figures of one candidate: what, figure, unit, target, whether it is met."""
    m, n = run.metrics, int(run.params["applications"])
    yield "AUC", m["auc"], "AUC", None, True
    yield "business score", m["business_score"], "share", None, True
    yield "cost", m["cost_per_1000"], "per 1,000", None, True
    yield "log-loss", m["log_loss"], "nats", None, True
    yield "Brier score", m["brier"], "share", None, True
    target = 0.005 if n >= CALIBRATED else None
    yield "calibration error", m["calibration_error"], "share", target, m["calibration_error"] <= 0.005
    yield "calibration slope", m["calibration_slope"], "slope", None, True
    yield "calibration intercept", m["calibration_intercept"], "log-odds", None, True
    if run.params["family"] == "boosted":
        at = m["threshold"] / COSTS.threshold
        yield "threshold against 1/11", at, "ratio", 0.1, abs(at - 1) <= 0.1
        optimum = m["optimum_threshold"] / COSTS.threshold
        yield "cheapest threshold against 1/11, noise included", optimum, "ratio", None, True
        yield "trees", int(run.params["rounds"]) * int(run.params["boosters"]), "trees", None, True


@refusing
def main(
    portfolio: Given,
    name: Annotated[str, typer.Option(help="Word for it in the records.")],
    compare: Annotated[str, typer.Option(help="As train.py's; quick: three candidates.")] = "champion",
    made_by: MadeBy = "",
) -> None:
    """Train once and keep the figures of every candidate in benchmarks/model.json.

    Example: python -m benchmarks.training --portfolio var/demo --name demo --made-by "make demo"
    """
    again = command("training", portfolio, made_by, name=name, compare=compare)

    def keep(
        what: str, figure: float, unit: str, target: float | None = None, met: bool | None = None
    ) -> None:
        record(
            what,
            figure,
            unit,
            target=target,
            met=met if target is not None else None,
            command=again,
            file=MODEL,
        )

    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        client = mlflow_store.connect(train_afresh(portfolio, compare, folder))
        minutes = (perf_counter() - started) / 60
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = runs.find_best(client, names.EXPERIMENT, "cost_per_1000").run
        for run in runs.find_compared(client, best):
            for what, figure, unit, target, met in figures(run):
                keep(f"out of fold, {name}, {run.params['candidate']}: {what}", figure, unit, target, met)
    of, is_full = f"train, {name}, {compare}", int(best.params["applications"]) >= FULL
    keep(f"{of}, wall", minutes, "min", 20.0 if is_full and compare == "champion" else None, minutes <= 20)
    keep(f"{of}, CPU", used.ru_utime + used.ru_stime, "CPU s")
    keep(f"{of}, peak memory", used.ru_maxrss / 2**20, "GiB")


if __name__ == "__main__":
    typer.run(main)
