"""Train the candidates on a portfolio, compare them out of fold and propose the best.

Example: ``python train.py --portfolio home-credit-default-risk.zip``
"""

from __future__ import annotations

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on

# isort: split
import logging
import os
import shutil
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

# Read when LightGBM is imported: its threads wait asleep. Awake, they save a tenth on an idle machine, and
# burn ten times the work itself where other programs want the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from scoring import settings, synthetic
from scoring.decision import DEFAULT_PROTECTED, MOST_REVIEWED
from scoring.options import flat
from scoring.portfolio.cluster import Cluster
from scoring.portfolio.job import RunError
from scoring.scorer.certainty import ReviewRule
from training import names
from training.names import FIRST_FOLDS, FIRST_ROUNDS


class Compare(StrEnum):
    """What `COMPARISONS` offers."""

    champion = "champion"
    quick = "quick"
    families = "families"
    all = "all"


BAD_INPUT, FAILURE = 2, 1


def make_demo(applicants: int, seed: int, console: Console) -> Path:
    """Return a folder of synthetic tables under ``var``, made at the first call."""
    folder = Path("var") / f"synthetic-{applicants}-{seed}"
    if not folder.exists():
        draft = folder.with_suffix(".draft")  # a broken attempt never looks like a portfolio
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with console.status(f"Inventing {applicants:,} applicants"):
            for name, table in synthetic.generate(applicants, seed).items():
                table.write_parquet(draft / f"{name}.parquet")
        draft.rename(folder)
    return folder


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python train.py --portfolio home-credit-default-risk.zip --protect age")
@flat
def main(
    cluster: Cluster,
    portfolio: Annotated[
        str | None,
        typer.Option(
            help="Kaggle folder, the Kaggle zip as downloaded, or a folder of Parquet; with Spark also a "
            "URI, or CATALOG.SCHEMA."
        ),
    ] = None,
    demo: Annotated[
        int | None, typer.Option(min=1_000, help="Train on so many synthetic applicants instead.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=100, help="Folds of the cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(help="Same seed, same data: same models.")] = 0,
    protect: Annotated[
        list[str] | None, typer.Option(help="Also keep this attribute out: age or household. Repeatable.")
    ] = None,
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow store.", envvar=names.STORE_VARIABLE)
    ] = names.STORE,
    experiment: Annotated[str, typer.Option(help="MLflow experiment.")] = names.EXPERIMENT,
    compare: Annotated[
        Compare,
        typer.Option(
            help="quick: dummy, logistic regression, LightGBM. families: also a scorecard, random forest, "
            "XGBoost, CatBoost. all: each also with weights, undersampling and SMOTE. champion: LightGBM "
            "alone."
        ),
    ] = Compare.quick,
    search: Annotated[
        int,
        typer.Option(
            min=0,
            help="Search each fold for hyper-parameters by cost, of treated candidates too: so many "
            "trials, or a grid.",
        ),
    ] = 0,
    time_budget: Annotated[
        float | None, typer.Option(metavar="MINUTES", min=0, help="Begin nothing new after so many minutes.")
    ] = None,
    is_selecting: Annotated[
        bool,
        typer.Option(
            "--select",
            help="Leave out features that gain no more than by chance; settings are searched on the others.",
        ),
    ] = False,
    most_rounds: Annotated[
        int | None, typer.Option(min=1, help="Grow at most so many trees a booster.")
    ] = None,
    allow_leak: Annotated[
        str | None, typer.Option(metavar="REASON", help="Accept an out-of-fold AUC above 0.82, and say why.")
    ] = None,
    review_share: Annotated[
        float, typer.Option(min=0, max=1, help="Most of the applications that go to review.")
    ] = MOST_REVIEWED,
    review_rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE>=NUMBER",
            help="Send to review whose feature is at least (>=) or at most (<=) this. Repeatable.",
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="With Spark: folder for the features, which every worker sees. What is in it is not "
            "computed again.",
            file_okay=False,
        ),
    ] = None,
    is_provisional: Annotated[
        bool,
        typer.Option(
            "--provisional",
            help=f"A first model within half a minute: LightGBM alone, {FIRST_FOLDS} folds, {FIRST_ROUNDS} "
            "trees a booster. The next whole training takes its place.",
        ),
    ] = False,
) -> None:
    """Train the candidates on a portfolio, compare them out of fold and propose the best."""
    settings.warn_of_unknown()
    # A pipe has no width: wide enough for the table.
    console, errors = Console(width=None if sys.stdout.isatty() else 120), Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=errors, show_time=False, show_path=False)],
    )
    # A history table that is missing is a note of the training already.
    logging.getLogger("scoring.tables.reading").setLevel(logging.ERROR)
    if (portfolio is None) == (demo is None):
        raise typer.BadParameter("give either --portfolio PATH or --demo N.")
    if cluster.is_spark != (features is not None) or (cluster.is_spark and portfolio is None):
        raise typer.BadParameter(
            "--engine spark needs --portfolio and --features; without it leave --features away."
        )
    # Late, as they take four seconds: --help and a mistaken option are answered at once.
    from scoring.evaluation.checks import LeakSuspected
    from training import mlflow_store
    from training.cluster import OnCluster
    from training.material import Plan
    from training.running import run

    if is_provisional:
        folds, most_rounds, compare = FIRST_FOLDS, FIRST_ROUNDS, Compare.champion
    try:
        if cluster.is_spark:
            cluster.check()
        plan = Plan(
            portfolio=Path(portfolio) if portfolio else make_demo(demo or 0, seed, console),
            folds=folds,
            seed=seed,
            protect=tuple(dict.fromkeys((*DEFAULT_PROTECTED, *(protect or ())))),
            tracking_uri=tracking_uri,
            experiment=experiment,
            most_rounds=most_rounds,
            allow_leak=allow_leak,
            compare=compare.value,
            trials=search,
            budget_s=float("inf") if time_budget is None else 60 * time_budget,
            select=is_selecting,
            is_provisional=is_provisional,
            review_share=review_share,
            rules=tuple(ReviewRule.of(text) for text in review_rule or ()),
            on_cluster=OnCluster(cluster, portfolio, features) if portfolio and features else None,
        )
        run(plan, datetime.now(UTC), console)
    except ValueError as error:
        errors.print(
            f"[bold red]Nothing is proposed:[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(FAILURE if isinstance(error, LeakSuspected) else BAD_INPUT) from error
    except (mlflow_store.StoreError, RunError, OSError) as error:  # the disk is full, or the server went away
        errors.print(
            f"[bold red]Broken off:[/] {escape(mlflow_store.why(error))}. "
            "The same command goes on from here.",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(FAILURE) from error


if __name__ == "__main__":
    app()
