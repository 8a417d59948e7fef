"""Put the scorer of an MLflow run into the BentoML model store, if it decides here as it did in training.

Example: ``python import_model.py`` imports the champion; ``--promote`` first makes the challenger the
champion, if it is better.
"""

from __future__ import annotations

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on

# isort: split
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # read when bentoml is imported

import bentoml
import typer
from bentoml.exceptions import BentoMLException
from rich.console import Console
from rich.markup import escape

from scoring.options import HOME
from scoring.scorer import Scorer, ScorerError, read_examples
from scoring.trial import try_out
from training import mlflow_store, names, registry, runs

BAD_INPUT, REFUSED = 2, 3


@dataclass(frozen=True)
class Imported:
    """What became of an import."""

    tag: str
    examples: int
    is_new: bool


class NotBetter(ValueError):
    """A challenger that is not cheaper than the champion beyond chance, or no better than no model at all."""


def import_run(run: runs.Run, is_dry: bool = False) -> Imported:
    """Check a run's scorer and copy it into the model store under ``credit_scoring:<run id>``.

    Raises
    ------
    ScorerError
        If the scorer is not whole, or does not decide here as it did in training; nothing is imported then.
    mlflow_store.TrackingError
        If the run keeps no scorer.
    """
    tag = f"{runs.MODEL}:{run.id}"
    with runs.fetch_scorer(run) as folder:
        try_out(folder, tag)
        scorer, examples = Scorer.load(folder), read_examples(folder)
        is_new = not _is_in_store(tag)
        if is_new and not is_dry:
            is_new = _put(scorer, folder, tag, run)
        if not is_new:
            Scorer.load(Path(bentoml.models.get(tag).path))  # it must be whole there, too
        if not is_dry:
            _point_latest_at(tag)
    return Imported(tag, len(examples), is_new)


def _put(scorer: Scorer, folder: Path, tag: str, run: runs.Run) -> bool:
    """Copy a scorer into the model store; say whether it is new there: another import may be faster."""
    labels = {"mlflow_run_id": run.id, "candidate": str(scorer.lineage.get("candidate", "unknown"))}
    metadata: dict[str, float | str] = {name: metric["value"] for name, metric in scorer.metrics.items()}
    metadata |= {"threshold": scorer.threshold, "family": scorer.family}
    try:
        with bentoml.models.create(tag, labels=labels, metadata=metadata) as model:
            for file in Scorer.files(folder):
                shutil.copy(file, model.path)
    except BentoMLException:
        if _is_in_store(tag):
            return False
        raise
    return True


def _point_latest_at(tag: str) -> None:
    """Make a model the one that is served: after a rollback, the newest is not the one that is wanted."""
    model = bentoml.models.get(tag)
    latest = Path(model.path).parent / "latest"  # bentoml 1.4.39: a file beside the versions
    draft = latest.with_name(f".latest.{os.getpid()}")
    draft.write_text(model.tag.version or "")
    draft.replace(latest)


def promote(client: Any, why: str | None, is_dry: bool, now: datetime) -> tuple[runs.Run, str]:
    """Make the challenger the champion if it is cheaper beyond chance, or if somebody says why.

    In any case it must be better than giving everybody the same answer.

    Returns
    -------
    tuple of Run and str
        The challenger's run, and what it is promoted for.

    Raises
    ------
    NotBetter
        If it is not, and nobody says why.
    ScorerError
        If it does not decide here as it did in training.
    """
    challenger = registry.find_challenger(client)
    if why is not None:
        why = f"forced: {why}"
    elif not (worth := registry.judge(challenger)).is_better:
        raise NotBetter(f"the challenger {challenger.id} is {worth}. --force REASON promotes all the same.")
    elif (champion := registry.holder(client, registry.CHAMPION)) is None:
        why = str(worth)
    else:
        compared = registry.compare(champion, challenger)
        if not compared.is_better:
            raise NotBetter(
                f"the challenger {challenger.id} costs {compared}: not less beyond chance. The champion "
                "stays; --force REASON promotes all the same."
            )
        why = f"costs {compared}"
    import_run(challenger, is_dry=True)  # what cannot be served is not promoted
    if not is_dry:
        registry.promote(client, challenger, why, now)
    return challenger, why


def roll_back(client: Any, is_dry: bool, now: datetime) -> runs.Run:
    """Make the champion before this one the champion again, if it still decides as it did in training.

    Returns
    -------
    Run
        Of the champion before this one.

    Raises
    ------
    ScorerError
        If it does not; the champion stays then.
    mlflow_store.TrackingError
        If there was none before, or it keeps no scorer.
    """
    former = registry.find_former(client)
    import_run(former, is_dry=True)  # as in a promotion: registry and store never part ways over a bad scorer
    if not is_dry:
        registry.roll_back(client, "by import_model.py --rollback", now)
    return former


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
        str | None,
        typer.Option(
            metavar="METRIC",
            help="Import the best run by this metric, as auc: of those on the newest run's data.",
        ),
    ] = None,
    promote_: Annotated[
        bool, typer.Option("--promote", help="Make the challenger the champion, if its decisions cost less.")
    ] = False,
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Promote even so; the reason is recorded.")
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the champion before this one the champion again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, import nothing.")] = False,
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow store.", envvar=names.STORE_VARIABLE)
    ] = names.STORE,
    experiment: Annotated[str, typer.Option(help="MLflow experiment, for --best.")] = names.EXPERIMENT,
) -> None:
    """Import the champion into the BentoML model store, if it decides here as it did in training.

    Exit codes: 0 imported or already there, 2 no such run, 3 refused (decides otherwise, or is not better).
    """
    console, errors = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
    if force is not None and not force.strip():
        raise typer.BadParameter("--force needs a reason; it is recorded with the promotion.")
    is_promoting = promote_ or force is not None
    if sum((run is not None, best is not None, is_promoting, rollback)) > 1:
        raise typer.BadParameter("give one of --run, --best, --promote and --rollback.")
    try:
        client, why = mlflow_store.connect(tracking_uri), ""
        console.print(
            f"MLflow store: {mlflow_store.shown(tracking_uri)}\n"
            f"Model store: {os.environ.get('BENTOML_HOME') or HOME.expanduser()}",
            highlight=False,
        )
        if is_promoting:
            chosen, why = promote(client, force, dry_run, datetime.now(UTC))
        elif rollback:
            chosen, why = roll_back(client, dry_run, datetime.now(UTC)), "rolled back"
        elif run is not None:
            chosen = runs.find_run(client, run)
        elif best is not None:
            found = runs.find_best(client, experiment, best)
            chosen = found.run
            console.print(f"{chosen.id}: {found.ranked_with}.", highlight=False)
        else:
            chosen = registry.find_champion(client)
        with console.status(f"Checking run {chosen.id}"):
            imported = import_run(chosen, dry_run)
    except (ScorerError, NotBetter) as error:
        errors.print(f"[bold red]Not imported:[/] {escape(str(error))}", highlight=False)
        if rollback:
            errors.print("The champion stays. --run ID imports another run of yours.")
        is_champion = not (is_promoting or rollback) and run is None and best is None
        if is_champion and (waiting := registry.holder(client, registry.CHALLENGER)) is not None:
            errors.print(f"The challenger {waiting.id} waits: --promote compares it with the champion.")
        raise typer.Exit(REFUSED) from error
    except (mlflow_store.TrackingError, mlflow_store.StoreError, BentoMLException, OSError) as error:
        what = str(error) if isinstance(error, mlflow_store.TrackingError) else f"{mlflow_store.why(error)}."
        errors.print(f"[bold red]Not imported:[/] {escape(what)}", highlight=False)
        raise typer.Exit(BAD_INPUT) from error
    if why:
        console.print(f"Champion{' would be' if dry_run else ''}: {chosen.id}, {why}.", highlight=False)
    state = "would be imported" if dry_run else "imported"
    console.print(
        f"{imported.tag}: {state if imported.is_new else 'is already there'}; "
        f"{imported.examples} examples decided as in training.",
        highlight=False,
    )


if __name__ == "__main__":
    app()
