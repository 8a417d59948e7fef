"""What is kept of a training: a comparison is an MLflow run, each of its candidates a run under it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from scoring.decision import COSTS
from scoring.evidence.figures import Figure, draw
from scoring.schema import Application, columns
from scoring.scorer import read_examples
from training.lineage import SERVING
from training.mlflow_store import open_experiment
from training.runs import KEY, MODEL_URI, OUT_OF_FOLD, SCORER, SELECTION

if TYPE_CHECKING:  # importing these brings every library that learns
    from scoring.candidates.selection import Selection
    from scoring.evaluation import Evaluation, OutOfFold

ROOT = Path(__file__).resolve().parent.parent
CANDIDATES = "candidates.csv"  # artefact of a comparison
CUT = " cut short"  # behind the key of a run whose search the time budget ended
PACK = "validation"  # artefact folder: the validation pack
INPUTS = (*columns(Application), "history", "history_features")
ANY = AnyType()  # type: ignore[no-untyped-call]  # mlflow 3.17 declares no types there
# Of any type: MLflow would refuse whole numbers where a column is declared as double, numbers with gaps where
# it is whole, and a text column that is missing throughout. scoring.schema checks every value.
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(ANY, name, required=name == "SK_ID_CURR") for name in INPUTS]),
    outputs=Schema([ColSpec("double", "probability_of_default"), ColSpec("string", "decision")]),
)


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


def log_pack(client: MlflowClient, run_id: str, files: Sequence[Path]) -> None:
    """Log the validation pack to the run that it is about."""
    for file in files:
        client.log_artifact(run_id, str(file), PACK)
