"""What is kept of a training: a comparison is an MLflow run, each of its candidates a run under it.

The store is a sqlite file with its artefacts beside it, so that nothing is written to the working directory;
another database; or a server.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")  # not for minutes

import mlflow
import numpy as np
import pandas as pd
import polars as pl
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.db.utils import create_sqlalchemy_engine
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from scoring.decision import COSTS
from scoring.evidence.figures import Figure, draw
from scoring.metrics import LOWER_IS_BETTER, RANKED_BY
from scoring.schema import Application, columns
from scoring.scorer import read_examples

if TYPE_CHECKING:  # importing these brings every library that learns
    from scoring.candidates.selection import Selection
    from scoring.evaluation import Evaluation, OutOfFold

ROOT = Path(__file__).resolve().parent.parent
STORE = "sqlite:///var/mlflow.db"
FILES = "mlartifacts"  # folder of the artefacts beside a sqlite file
STORE_VARIABLE = "MLFLOW_TRACKING_URI"  # the store, where no other is asked for
EXPERIMENT = "credit-scoring"
MODEL = "credit_scoring"  # name in the registry and in the BentoML store
SCORER = "scorer"  # artefact of each run
CANDIDATES = "candidates.csv"  # artefact of a comparison
SELECTION = "selection.json"  # artefact of a choice of features, and of the runs that use it
KEY, OBSTACLE, MODEL_URI = "key", "obstacle", "model_uri"  # tags
MATERIAL = "material"  # tag: what runs share that can be compared, as a hash
CUT = " cut short"  # behind the key of a run whose search the time budget ended
PARENT = "mlflow.parentRunId"  # tag of a run that stands in a comparison
PACK = "validation"  # artefact folder: the validation pack
OUT_OF_FOLD = "out_of_fold.parquet"  # artefact: one line per application of the portfolio, by position
SERVING = ("lightgbm", "mlflow", "numpy", "pandas", "polars", "pydantic")  # what a logged model needs
LIBRARIES = (*SERVING, "scikit-learn", "optuna")  # of every training; a family may need more
INPUTS = (*columns(Application), "history", "history_features")
ANY = AnyType()  # type: ignore[no-untyped-call]  # mlflow 3.17 declares no types there
# Of any type: MLflow would refuse whole numbers where a column is declared as double, numbers with gaps where
# it is whole, and a text column that is missing throughout. scoring.schema checks every value.
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(ANY, name, required=name == "SK_ID_CURR") for name in INPUTS]),
    outputs=Schema([ColSpec("double", "probability_of_default"), ColSpec("string", "decision")]),
)


_USER, _QUERY = re.compile(r"//\S*@"), re.compile(r"\?\S*")  # where addresses have names and passwords
_REACH = re.compile(r"API request to (https?://[^/\s]+)")
_SQL = re.compile(r"\((?:\w+\.)+\w+\) (.+?) (?:\[SQL|\(Background)")
_ERRNO = re.compile(r"\[Errno -?\d+\] ([A-Z][\w ]+)")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_WAIT_S = 10  # for a database that may be there
# What MLflow needs beside itself: by the module that it misses, and by the scheme of the artefacts' address.
_DRIVERS = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
    "boto3": "boto3",
    "google": "google-cloud-storage",
    "azure": "azure-storage-blob",
}
_ARTEFACTS = {"s3": "boto3", "gs": "google", "wasb": "azure", "wasbs": "azure", "abfss": "azure"}
StoreError = MlflowException  # what MLflow raises where a store fails under it


class TrackingError(ValueError):
    """The store cannot be used, or has no such run."""


@dataclass(frozen=True)
class Run:
    """A finished run and what is known about it."""

    id: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


def libraries(more: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of what a training, or one of its candidates, computes with.

    Raises
    ------
    ValueError
        If one of them is not installed, with the remedy.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    found = {"python": python}
    for name in (*LIBRARIES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise ValueError(
                f"this comparison needs {name}, which is not installed: make setup GROUP=compare."
            ) from None
    return found


def connect(uri: str) -> MlflowClient:
    """Point MLflow at a store, making the folder of a sqlite file; return its client.

    Raises
    ------
    TrackingError
        If the store cannot be used: an unknown scheme, a folder that cannot be made, a server that is silent.
    """
    # Its warnings show addresses with their passwords.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    try:
        if folder := sqlite_folder(uri):
            folder.mkdir(parents=True, exist_ok=True)
            # MLflow would try to open a file that cannot be opened for minutes.
            with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as file:
                file.execute("pragma schema_version")
        elif urlsplit(uri).scheme.partition("+")[0] in _PORTS:
            _knock(uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        client = MlflowClient()
        if uri.startswith(("http://", "https://")):
            _ask(client)
    except Exception as error:
        raise TrackingError(
            f"the MLflow store {shown(uri)} cannot be used: {why(error)}. Give --tracking-uri "
            "sqlite:///FOLDER/mlflow.db, the address of a database, or the http:// address of a server that "
            "runs."
        ) from error
    return client


def shown(uri: str) -> str:
    """Return a store's address without the name and the password in it."""
    return _QUERY.sub("", _USER.sub("//", uri))


def why(error: BaseException) -> str:
    """Return an error as the middle of a sentence; where a driver is missing, its name."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and (
            package := _DRIVERS.get((cause.name or "").split(".")[0])
        ):
            return f"it needs {package}, which is not installed here (uv pip install {package})"
        cause = cause.__cause__ or cause.__context__
    text = shown(" ".join(str(error).split())).rstrip(".")
    if (found := _REACH.match(text)) and (
        errno := _ERRNO.search(text)
    ):  # between them, retries in Python's words
        return f"{found[1]}: {errno[1]}"
    return text if isinstance(error, TrackingError) else text[:300]


def _knock(uri: str) -> None:
    """Open a connection to a database once, for seconds only: MLflow itself tries for half an hour."""
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(_WAIT_S))  # of a server that is silent
    at = urlsplit(uri)
    if at.hostname:
        port = at.port or _PORTS[at.scheme.partition("+")[0]]
        with closing(socket.create_connection((at.hostname, port), _WAIT_S)):
            pass
    engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]  # nor here
    try:
        with engine.connect():
            pass
    finally:
        engine.dispose()


def _ask(client: MlflowClient) -> None:
    """Ask a server something, and wait for it for seconds only: MLflow itself tries for minutes."""
    patience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {name: os.environ.get(name) for name in patience}
    os.environ.update(patience)
    try:
        client.search_experiments(max_results=1)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]


def open_experiment(client: MlflowClient, uri: str, name: str) -> str:
    """Return the id of an experiment, which is made at its first use.

    Raises
    ------
    TrackingError
        If its artefacts cannot be kept from here: better now than after a training.
    """
    if sqlite_folder(uri):
        _write_nothing(uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        # A server has a place of its own; a database alone would make MLflow write to the working directory.
        is_server = uri.startswith(("http://", "https://"))
        folder = None if is_server else sqlite_folder(uri) or Path("var").resolve()
        place = (folder / FILES).as_uri() if folder else None
        found = client.get_experiment(client.create_experiment(name, artifact_location=place))
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"the experiment {name!r} is deleted: give --experiment another name, or restore it "
            f"(mlflow experiments restore --experiment-id {found.experiment_id})."
        )
    ours, theirs = sqlite_folder(uri), Path(unquote(urlsplit(found.artifact_location).path))
    if ours and theirs.name == FILES and theirs.resolve() != ours / FILES:
        raise TrackingError(
            f"the experiment {name!r} would write to {theirs}, where its store was before it was moved or "
            f"copied to {ours}. Its runs can be read here; for new ones give --experiment another name."
        )
    module = _ARTEFACTS.get(urlsplit(found.artifact_location).scheme)
    if module and not find_spec(module):
        raise TrackingError(
            f"the experiment {name!r} keeps its artefacts at {shown(found.artifact_location)}, which needs "
            f"{_DRIVERS[module]}: uv pip install {_DRIVERS[module]}."
        )
    return str(found.experiment_id)


def _write_nothing(uri: str) -> None:
    """Find out whether a sqlite file can be written, before hours are spent on what it shall keep."""
    try:
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=_WAIT_S)) as file:
            file.execute("begin immediate")
    except sqlite3.Error as error:
        raise TrackingError(f"the MLflow store {shown(uri)} cannot be written: {why(error)}.") from error


@contextmanager
def start_run(
    client: MlflowClient,
    uri: str,
    experiment: str,
    name: str,
    tags: Mapping[str, str] | None = None,
    is_nested: bool = False,
) -> Iterator[str]:
    """Open a run, in an experiment that is made at its first use; give its id.

    A nested run stands under the one that is open. One that is not nested, and has the ``key`` of a run that
    was broken off, is that run.
    """
    experiment_id = open_experiment(client, uri, experiment)
    tags = dict(tags or {})
    broken = None
    if KEY in tags and not is_nested:
        condition = f"tags.{KEY} = '{tags[KEY]}' and attributes.status != 'FINISHED'"
        broken = next(iter(client.search_runs([experiment_id], condition, max_results=1)), None)
    with mlflow.start_run(
        run_id=broken.info.run_id if broken else None,
        experiment_id=experiment_id, run_name=name, tags=tags, nested=is_nested,
    ) as run:  # fmt: skip
        yield run.info.run_id


def find_finished(client: MlflowClient, experiment: str, key: str) -> Run | None:
    """Return the finished run of this key: the same candidate on the same data by the same code."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return None
    condition = f"tags.{KEY} = '{key}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([found.experiment_id], condition, max_results=1)
    return _run(runs[0]) if runs else None


def mark_unfinished(key: str) -> None:
    """Take the open run's key away: its result stands, but the same command shall do better."""
    mlflow.set_tag(KEY, f"{key}{CUT}")


def log_result(
    y: Any, folds: Any, out_of_fold: OutOfFold, evaluation: Evaluation, params: Mapping[str, Any],
    lineage: Mapping[str, Any],
) -> None:  # fmt: skip
    """Log parameters, metrics with intervals, folds, figures and predictions to the open run."""
    choice = evaluation.choice
    mlflow.log_params({**params, "calibration": choice.kind})
    metrics = {
        "threshold": choice.threshold,
        "optimum_threshold": evaluation.optimum,
        "theoretical_threshold": COSTS.threshold,
    }
    metrics |= {f"log_loss_{kind}": loss for kind, loss in choice.log_loss.items()}
    for name, metric in evaluation.metrics.items():
        metrics |= {name: metric.value} | {f"{name}_{end}": at for end, at in metric.ends().items()}
    metrics |= {f"uncalibrated_{name}": value for name, value in evaluation.before.items()}
    mlflow.log_metrics(metrics)
    for fold, auc in enumerate(out_of_fold.fold_auc):
        mlflow.log_metric("fold_auc", auc, step=fold)
    log_figures(draw(y, out_of_fold.raw, evaluation.probability, evaluation.thresholds, choice.threshold))
    predictions = {
        "row": np.arange(len(y)),
        "fold": folds,
        "y": y,
        "raw": out_of_fold.raw,
        "probability": evaluation.probability,
        "threshold": evaluation.thresholds,
    }
    with tempfile.TemporaryDirectory() as folder:
        pl.DataFrame(predictions).write_parquet(Path(folder) / OUT_OF_FOLD)
        mlflow.log_artifact(str(Path(folder) / OUT_OF_FOLD))
    mlflow.set_tags({key: str(lineage[key]) for key in ("data_sha256", "git_revision", "libraries")})
    mlflow.log_dict(dict(lineage), "lineage.json")
    if out_of_fold.trials:
        mlflow.log_dict(dict(out_of_fold.trials), "search.json")


def log_figures(figures: Mapping[str, Figure]) -> None:
    """Log figures to the open run."""
    for name, figure in figures.items():
        mlflow.log_figure(figure, f"figures/{name}.png")


def log_selection(selection: Selection) -> None:
    """Log which features were chosen, in how many folds, and what the choice rests on."""
    mlflow.log_metric("features_chosen", len(selection.names))
    mlflow.log_dict(selection.to_json(), SELECTION)


def read_selection(run: Run) -> dict[str, Any]:
    """Return what ``log_selection`` kept, as JSON."""
    with _fetched(run.id, SELECTION, "no choice of features; train again") as file:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return said


def log_candidates(table: pl.DataFrame) -> None:
    """Log the table of all candidates to the open run, which is their comparison."""
    mlflow.log_text(table.write_csv(), CANDIDATES)


def log_metrics(metrics: Mapping[str, float]) -> None:
    """Log more metrics to the open run."""
    mlflow.log_metrics(dict(metrics))


def log_scorer(folder: Path) -> None:
    """Log a scorer folder to the open run, as it is and as an MLflow model, whose URI is its tag."""
    mlflow.log_artifacts(str(folder), SCORER)
    (request, *_) = (example["request"] for example in read_examples(folder))
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(ROOT / "training" / "mlflow_model.py"),
        artifacts={"scorer": str(folder)},
        code_paths=[str(ROOT / "scoring")],
        signature=SIGNATURE,
        input_example=pd.DataFrame([request]),
        pip_requirements=[f"{name}=={version(name)}" for name in SERVING],
    )
    mlflow.set_tag(MODEL_URI, info.model_uri)


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
        raise TrackingError(f"the store has no run {run_id!r}; look at the runs with mlflow ui.") from error
    if run.info.lifecycle_stage != "active":
        raise TrackingError(
            f"run {run_id!r} is deleted; choose another one, or restore it (mlflow runs restore --run-id "
            f"{run_id})."
        )
    if run.info.status != "FINISHED":
        raise TrackingError(f"run {run_id!r} is {run.info.status.lower()}, not finished; choose another one.")
    return _run(run)


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
        if metric in run.data.metrics and OBSTACLE not in run.data.tags
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
    data = run.tags.get("data_sha256", "unknown")
    return data, run.params.get("n_folds", "unknown"), run.params.get("seed", "unknown")


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


def log_pack(client: MlflowClient, run_id: str, files: Sequence[Path]) -> None:
    """Log the validation pack to the run that it is about."""
    for file in files:
        client.log_artifact(run_id, str(file), PACK)


def _run(found: Any) -> Run:
    return Run(found.info.run_id, found.data.metrics, found.data.params, found.data.tags)


def sqlite_folder(uri: str) -> Path | None:
    """Return the absolute folder of a sqlite store; None for a server."""
    return Path(uri.removeprefix("sqlite:///")).resolve().parent if uri.startswith("sqlite:///") else None
