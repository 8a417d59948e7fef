"""Runs found again, and what they keep: the scorer, the out-of-fold predictions, the choice of features."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
import polars as pl
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from scoring.metrics import LOWER_IS_BETTER, RANKED_BY
from training.mlflow_store import TrackingError, shown, sqlite_folder, why

MODEL = "credit_scoring"  # name in the registry and in the BentoML store
SCORER = "scorer"  # artefact of each run
SELECTION = "selection.json"  # artefact of a choice of features, and of the runs that use it
OUT_OF_FOLD = "out_of_fold.parquet"  # artefact: one line per application of the portfolio, by position
KEY, OBSTACLE, MODEL_URI = "key", "obstacle", "model_uri"  # tags
DATA = "data_sha256"  # tag of every run of a candidate
MATERIAL = "material"  # tag: what runs share that can be compared, as a hash
ABSENT = (
    "RESOURCE_DOES_NOT_EXIST",
    "INVALID_PARAMETER_VALUE",
    "NOT_FOUND",
)  # MLflow's words for "there is none"
PARENT = "mlflow.parentRunId"  # tag of a run that stands in a comparison


@dataclass(frozen=True)
class Run:
    """A finished run and what is known about it."""

    id: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


def find_run(client: MlflowClient, run_id: str) -> Run:
    """Return a finished run by its id.

    Raises
    ------
    TrackingError
        If it does not exist or did not finish.
    """
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ABSENT:  # a server that is gone has not said that there is no such run
            raise
        raise TrackingError(f"the store has no run {run_id!r}; look at the runs with mlflow ui.") from error
    if run.info.lifecycle_stage != "active":
        raise TrackingError(
            f"run {run_id!r} is deleted; choose another one, or restore it (mlflow runs restore --run-id "
            f"{run_id})."
        )
    if run.info.status != "FINISHED":
        raise TrackingError(f"run {run_id!r} is {run.info.status.lower()}, not finished; choose another one.")
    return _run(run)


def find_finished(client: MlflowClient, experiment: str, key: str) -> Run | None:
    """Return the finished run of this key: the same candidate on the same data by the same code."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return None
    condition = f"tags.{KEY} = '{key}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([found.experiment_id], condition, max_results=1)
    return _run(runs[0]) if runs else None


@dataclass(frozen=True)
class Best:
    """The best of the runs that can be ranked together, and what it was ranked among."""

    run: Run
    ranked_with: str


def find_best(client: MlflowClient, experiment: str, metric: str) -> Best:
    """Return the finished run that is best by a metric, among those of the newest run's data and folds.

    Figures of other applications, or of other folds, say nothing about which model is better. Only runs that
    can be served are looked at.

    Parameters
    ----------
    metric : str
        One of ``scoring.metrics.RANKED_BY``.

    Raises
    ------
    TrackingError
        If the experiment or the metric is not there, or nothing is better for having more or less of it.
    """
    if metric not in RANKED_BY:
        raise TrackingError(f"models are not ranked by {metric!r}; choose one of {', '.join(RANKED_BY)}.")
    found = client.get_experiment_by_name(experiment)
    if found is None:
        raise TrackingError(f"the store has no experiment {experiment!r}; run train.py or give --experiment.")
    newest_first = ["attributes.start_time DESC"]
    finished = "attributes.status = 'FINISHED'"
    runs = [
        _run(run)
        for run in client.search_runs(
            [found.experiment_id], finished, max_results=1_000, order_by=newest_first
        )
        if metric in run.data.metrics
        and OBSTACLE not in run.data.tags
        and DATA in run.data.tags  # else another project's: our trainings all have it
    ]
    if not runs:
        raise TrackingError(f"no finished run of {experiment!r} has a metric {metric!r}; try auc.")
    alike = [run for run in runs if _judged_on(run) == _judged_on(runs[0])]
    sign = 1 if metric in LOWER_IS_BETTER else -1
    best = min(alike, key=lambda run: sign * run.metrics[metric])
    data, folds, seed = _judged_on(best)
    portfolio = best.params.get("portfolio", "unknown")
    among = (
        f"best {metric} ({best.metrics[metric]:.4f}) of {len(alike)} on the newest run's data and folds: "
        f"portfolio {portfolio}, sha256 {data[:12]}, {folds} folds of seed {seed}"
    )
    if others := len(runs) - len(alike):
        among += f"; {others} of other data or folds left out"
    return Best(best, among)


def _judged_on(run: Run) -> tuple[str, str, str]:
    """Return what a run's figures rest on: the data, and how it was dealt into folds."""
    data = run.tags[DATA]
    return data, run.params.get("n_folds", "unknown"), run.params.get("seed", "unknown")


def find_compared(client: MlflowClient, run: Run) -> list[Run]:
    """Return the runs that met the same applications and folds, by the same code: the cheapest first.

    A comparison that goes on after a break, or that begins after another one, takes what is finished from
    there, so its runs stand under several parents; what they share is the key of their material. Of two runs
    of one candidate the later one is returned, or ``run`` itself. A run without that key (of an older
    version, or trained by hand) is compared with the others under its parent.
    """
    name = next((name for name in (MATERIAL, PARENT) if name in run.tags), None)
    if name is None:
        return [run]
    condition = f"tags.`{name}` = '{run.tags[name]}' and attributes.status = 'FINISHED'"
    experiment = client.get_run(run.id).info.experiment_id
    found = client.search_runs([experiment], condition, max_results=1_000, order_by=["attributes.start_time"])
    by_candidate = {
        one.data.params["candidate"]: _run(one) for one in found if "candidate" in one.data.params
    }
    by_candidate[run.params["candidate"]] = run
    return sorted(by_candidate.values(), key=lambda one: one.metrics["cost_per_1000"])


@contextmanager
def fetch_scorer(run: Run) -> Iterator[Path]:
    """Give a run's scorer folder, for as long as it is needed.

    Raises
    ------
    TrackingError
        If the run has none.
    """
    with _fetched(run.id, SCORER, f"no scorer; {run.tags.get(OBSTACLE, 'train again')}") as folder:
        yield folder


def read_selection(run: Run) -> dict[str, Any]:
    """Return what ``log_selection`` kept, as JSON."""
    with _fetched(run.id, SELECTION, "no choice of features; train again") as file:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return said


def read_out_of_fold(run_id: str) -> pl.DataFrame:
    """Return what a run said of each application out of fold.

    Columns: row (position in the portfolio, from 0), fold, y (1 = default), raw (the model's log-odds),
    probability (calibrated, of default) and threshold; model, calibration and threshold are fitted on the
    other folds.

    Raises
    ------
    TrackingError
        If the run keeps none.
    """
    with _fetched(run_id, OUT_OF_FOLD, "no out-of-fold predictions") as file:
        try:
            return pl.read_parquet(file)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise TrackingError(f"{OUT_OF_FOLD} of run {run_id!r} cannot be read; train again.") from error


@contextmanager
def _fetched(run_id: str, name: str, lack: str) -> Iterator[Path]:
    """Give a copy of an artefact, from where the run says that it lies, or from beside the database.

    Raises
    ------
    TrackingError
        If it is in neither place; the text says which they are.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = _beside(run_id, name)
        try:
            if place is None:
                place = Path(mlflow.artifacts.download_artifacts(
                    run_id=run_id, artifact_path=name, dst_path=folder
                ))  # fmt: skip
        except Exception as error:  # each kind of store has its own, and boto3 is missing with another
            raise TrackingError(
                f"run {run_id!r} keeps {lack}. {_looked(run_id, name)}: {why(error)}."
            ) from error
        yield place


def _beside(run_id: str, name: str) -> Path | None:
    """Return an artefact that lies beside a database which was moved, or mounted elsewhere, with its files.

    None where it lies where its run says, or nowhere. The run's place is absolute; what follows the folder of
    the database in it has stayed.
    """
    folder, at = sqlite_folder(mlflow.get_tracking_uri()), urlsplit(_artefacts(run_id))
    parts = Path(unquote(at.path)).parts
    if folder is None or at.scheme not in ("", "file") or Path(*parts, name).exists():
        return None
    moved = (folder.joinpath(*parts[first:], name) for first in range(1, len(parts) - 1))
    return next((place for place in moved if place.exists()), None)


def _artefacts(run_id: str) -> str:
    return str(MlflowClient().get_run(run_id).info.artifact_uri)


def _looked(run_id: str, name: str) -> str:
    """Say where an artefact was looked for."""
    places = [f"{shown(_artefacts(run_id))}/{name}"]
    if folder := sqlite_folder(mlflow.get_tracking_uri()):
        places.append(f"beside the database, in {folder}")
    return f"Looked in {' and '.join(places)}"


def _run(found: Any) -> Run:
    return Run(found.info.run_id, found.data.metrics, found.data.params, found.data.tags)
