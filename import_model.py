"""Put the scorer of an MLflow run into the BentoML model store, if it decides here as it did in training.

Example: ``python import_model.py`` imports the champion.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Annotated

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # read when bentoml is imported

import bentoml
import typer
from rich.console import Console
from rich.markup import escape

import tracking
from scoring.decider import Decider
from scoring.scorer import Scorer, ScorerError, read_examples

BAD_INPUT, REFUSED = 2, 3
LOWER_IS_BETTER = ("cost_per_1000", "brier", "calibration_error", "default_rate_granted")


@dataclass(frozen=True)
class Imported:
    """What became of an import."""

    tag: str
    examples: int
    is_new: bool


def import_run(run: tracking.Run, is_dry: bool = False) -> Imported:
    """Check a run's scorer and copy it into the model store under ``credit_scoring:<run id>``.

    Raises
    ------
    ScorerError
        If the scorer is not whole, or does not decide here as it did in training; nothing is imported then.
    tracking.TrackingError
        If the run keeps no scorer.
    """
    tag = f"{tracking.MODEL}:{run.id}"
    with tracking.fetch_scorer(run) as folder:
        scorer, examples = Scorer.load(folder), read_examples(folder)
        Decider(scorer, tag).check(examples)
        is_new = not _is_in_store(tag)
        if is_new and not is_dry:
            metadata = {name: metric["value"] for name, metric in scorer.metrics.items()}
            with bentoml.models.create(
                tag,
                labels={
                    "mlflow_run_id": run.id,
                    "candidate": str(scorer.lineage.get("candidate", "unknown")),
                },
                metadata=metadata | {"threshold": scorer.threshold, "family": scorer.family},
            ) as model:
                shutil.copytree(folder, model.path, dirs_exist_ok=True)
    return Imported(tag, len(examples), is_new)


def _is_in_store(tag: str) -> bool:
    try:
        bentoml.models.get(tag)
    except bentoml.exceptions.NotFound:
        return False
    return True


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python import_model.py --best auc --dry-run")
def main(
    run: Annotated[str | None, typer.Option(metavar="ID", help="Import this run, not the champion.")] = None,
    best: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Import the best run by this metric, as auc.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, import nothing.")] = False,
    tracking_uri: Annotated[str, typer.Option(help="MLflow store.")] = tracking.STORE,
    experiment: Annotated[str, typer.Option(help="MLflow experiment, for --best.")] = tracking.EXPERIMENT,
) -> None:
    """Import the champion into the BentoML model store, if it decides here as it did in training.

    Exit codes: 0 imported or already there, 2 no such run, 3 refused.
    """
    console, errors = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
    if run and best:
        raise typer.BadParameter("give --run ID or --best METRIC, not both.")
    try:
        client = tracking.connect(tracking_uri)
        if run:
            chosen = tracking.find_run(client, run)
        elif best:
            chosen = tracking.find_best(client, experiment, best, LOWER_IS_BETTER)
        else:
            chosen = tracking.find_champion(client)
        with console.status(f"Checking run {chosen.id}"):
            imported = import_run(chosen, dry_run)
    except ScorerError as error:
        errors.print(f"[bold red]Not imported:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(REFUSED) from error
    except tracking.TrackingError as error:
        errors.print(f"[bold red]Not imported:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(BAD_INPUT) from error
    state = "would be imported" if dry_run else "imported"
    console.print(
        f"{imported.tag}: {state if imported.is_new else 'is already there'}; "
        f"{imported.examples} examples decided as in training.",
        highlight=False,
    )


if __name__ == "__main__":
    app()
