"""Train the candidates on a portfolio, compare them out of fold and crown the cheapest.

Example: ``python train.py --portfolio home-credit-default-risk.zip``
"""

from __future__ import annotations

import hashlib
import logging
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tracking
from scoring import features as declared
from scoring import synthetic, tables
from scoring.assembly import assemble, example_rows, examples, reference
from scoring.candidates import CANDIDATES, Candidate, Outcomes, vectorise
from scoring.decision import DEFAULT_PROTECTED, protected_columns
from scoring.evaluation import (
    Evaluation,
    LeakSuspected,
    OutOfFold,
    check_leak,
    cross_validate,
    deal_folds,
    evaluate,
)
from scoring.scorer import Scorer
from scoring.tables import Portfolio

POOL = 500  # applications kept raw, to choose the golden examples from
BAD_INPUT, FAILURE = 2, 1
Report = Callable[[int], Callable[[int, int], None]]  # fold -> (rounds done, rounds at most)


@dataclass(frozen=True)
class Plan:
    """What to train on, and how."""

    portfolio: Path
    folds: int = 5
    seed: int = 0
    protect: tuple[str, ...] = DEFAULT_PROTECTED
    tracking_uri: str = tracking.STORE
    experiment: str = tracking.EXPERIMENT
    most_rounds: int | None = None
    allow_leak: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The declared candidates, with fewer trees if the plan says so."""
        if self.most_rounds is None:
            return CANDIDATES
        return tuple(replace(c, rounds=min(c.rounds, self.most_rounds)) for c in CANDIDATES)


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that all candidates share."""

    features: pl.DataFrame
    y: Outcomes
    folds: np.ndarray[Any, np.dtype[np.int8]]
    directions: dict[str, int]
    pool: Portfolio
    pool_rows: np.ndarray[Any, np.dtype[np.intp]]
    lineage: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Result:
    """A candidate's run."""

    candidate: Candidate
    evaluation: Evaluation
    run_id: str
    model_uri: str


def prepare(plan: Plan, now: datetime) -> Material:
    """Read the portfolio and compute the features that the policy allows.

    Raises
    ------
    ValueError
        If the portfolio, the policy or the number of folds does not allow a training.
    """
    protected_columns(plan.protect)
    portfolio = tables.read(plan.portfolio, "train", columns=declared.READS)
    y = vectorise(portfolio.applications["TARGET"])
    folds = deal_folds(y, plan.folds, plan.seed)
    names = declared.names(plan.protect)
    pool_rows = np.sort(np.random.default_rng(plan.seed).permutation(len(y))[:POOL])
    lineage = {
        "created": now.isoformat(timespec="seconds"),
        "data_sha256": data_sha256(plan.portfolio),
        "missing_tables": tables.absent(portfolio),
        "git_revision": git_revision(),
        "libraries": tracking.libraries(),
        "applications": len(y),
        "defaults": int(y.sum()),
        "folds": plan.folds,
        "seed": plan.seed,
    }
    return Material(
        declared.build(portfolio).select(names),
        y,
        folds,
        {name: declared.FEATURE_BY_NAME[name].direction for name in names},
        tables.take(portfolio, pool_rows),
        pool_rows,
        lineage,
    )


def try_candidate(
    candidate: Candidate, plan: Plan, material: Material, client: Any, report: Report
) -> Result:
    """Cross-validate, evaluate and fit one candidate, and log it all as a run.

    Raises
    ------
    LeakSuspected
        If the out-of-fold AUC is too good to be true.
    """
    m = material
    with tracking.start_run(client, plan.tracking_uri, plan.experiment, candidate.name) as run_id:
        out_of_fold = cross_validate(candidate, m.features, m.y, m.folds, m.directions, plan.seed, report)
        evaluation = evaluate(m.y, out_of_fold.raw, m.folds, seed=plan.seed)
        check_leak(evaluation.metrics["auc"].value, plan.allow_leak)
        lineage = m.lineage | {"candidate": candidate.name, "run_id": run_id}
        scorer = assemble(
            candidate, m.features, m.y, m.directions, out_of_fold, evaluation,
            plan.protect, lineage, plan.seed, report(plan.folds),
        )  # fmt: skip
        tracking.log_result(
            m.y, m.folds, out_of_fold, evaluation, scorer, _params(candidate, plan, m, out_of_fold)
        )
        with tempfile.TemporaryDirectory() as folder:
            save_scorer(scorer, m, evaluation, f"{tracking.MODEL}:{run_id}", Path(folder) / tracking.SCORER)
            model_uri = tracking.log_scorer(Path(folder) / tracking.SCORER)
    return Result(candidate, evaluation, run_id, model_uri)


def save_scorer(scorer: Scorer, material: Material, evaluation: Evaluation, model: str, folder: Path) -> None:
    """Write a scorer with its reference and its golden examples."""
    rows = example_rows(evaluation.probability[material.pool_rows], evaluation.choice.threshold)
    golden = examples(
        scorer, material.features[material.pool_rows[rows]], tables.to_requests(material.pool, rows)
    )
    scorer.save(folder, reference(material.features, evaluation, model, material.lineage["seed"]), golden)


def run(plan: Plan, now: datetime, console: Console) -> list[Result]:
    """Train every candidate and crown the one whose decisions cost least; return them, the best first.

    Raises
    ------
    ValueError
        If the input does not allow a training.
    LeakSuspected
        If a candidate is too good to be true.
    """
    started = perf_counter()
    client = tracking.connect(plan.tracking_uri)
    with console.status("Reading the portfolio, computing features"):
        material = prepare(plan, now)
    console.print(
        f"{len(material.y):,} applications, {material.y.mean():.2%} defaults, "
        f"{material.features.width} features, kept out: {', '.join(plan.protect) or 'nothing'}.",
        soft_wrap=True,
    )
    results = []
    with _progress(console) as bar:
        for candidate in plan.candidates:
            task = bar.add_task(candidate.name.replace("_", " "), total=plan.folds + 1)

            def report(fold: int, task: Any = task) -> Callable[[int, int], None]:
                bar.update(task, completed=fold)
                return lambda done, most: bar.update(task, completed=fold + done / most)

            results.append(try_candidate(candidate, plan, material, client, report))
            bar.update(task, completed=plan.folds + 1)
    results.sort(key=lambda result: result.evaluation.metrics["cost_per_1000"].value)
    version = tracking.crown(client, results[0].run_id, results[0].model_uri)
    _show(results, console)
    seconds, gibibytes = perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"{seconds:.0f} s, peak memory {gibibytes:.1f} GiB.")
    console.print(
        f"Champion: {results[0].candidate.name}, run {results[0].run_id}, "
        f"{tracking.MODEL} version {version}. Next: python import_model.py",
        soft_wrap=True,
    )
    return results


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


def data_sha256(path: Path) -> str:
    """Return the hash of a portfolio: of the file, or of the names and hashes of the files in the folder."""
    if path.is_file():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.suffix in (".csv", ".parquet"))
    listing = "".join(f"{data_sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def git_revision() -> str:
    """Return the revision of this code, ``+changes`` if it was edited since, or ``unknown``."""

    def git(*words: str) -> str:
        asked = subprocess.run(["git", *words], cwd=tracking.HERE, capture_output=True, text=True, check=True)
        return asked.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _params(candidate: Candidate, plan: Plan, material: Material, out_of_fold: OutOfFold) -> dict[str, Any]:
    """Return what a run records as parameters."""
    return {
        "candidate": candidate.name,
        "family": candidate.family,
        **candidate.settings,
        "most_rounds": candidate.rounds,
        "rounds": out_of_fold.best_rounds,
        "n_folds": plan.folds,
        "seed": plan.seed,
        "protect": ",".join(plan.protect),
        "portfolio": plan.portfolio.name,
        "applications": len(material.y),
        "n_features": material.features.width,
        "allow_leak": plan.allow_leak or "",
    }


def _progress(console: Console) -> Progress:
    """Make a progress bar that is silent when the output is piped."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _show(results: list[Result], console: Console) -> None:
    """Print the candidates, the cheapest first."""
    table = Table(title="Out of fold, with 95 % intervals")
    for title in ("candidate", "AUC", "business score", "cost per 1,000", "F1", "threshold"):
        table.add_column(title, justify="left" if title == "candidate" else "right", no_wrap=True)
    for result in results:
        m = result.evaluation.metrics
        table.add_row(
            result.candidate.name,
            *(f"{m[n].value:.3f} ({m[n].low:.3f}–{m[n].high:.3f})" for n in ("auc", "business_score")),
            f"{m['cost_per_1000'].value:.0f} ({m['cost_per_1000'].low:.0f}–{m['cost_per_1000'].high:.0f})",
            f"{m['f1'].value:.3f}",
            f"{result.evaluation.choice.threshold:.4f}",
        )
    console.print(table)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python train.py --portfolio home-credit-default-risk.zip --protect age")
def main(
    portfolio: Annotated[
        Path | None, typer.Option(help="Kaggle folder, the Kaggle zip as downloaded, or a folder of Parquet.")
    ] = None,
    demo: Annotated[
        int | None, typer.Option(min=1_000, help="Train on so many synthetic applicants instead.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=100, help="Folds of the cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(help="Same seed, same data: same models.")] = 0,
    protect: Annotated[
        list[str] | None, typer.Option(help="Also keep this attribute out: age or household. Repeatable.")
    ] = None,
    tracking_uri: Annotated[str, typer.Option(help="MLflow store.")] = tracking.STORE,
    experiment: Annotated[str, typer.Option(help="MLflow experiment.")] = tracking.EXPERIMENT,
    most_rounds: Annotated[int | None, typer.Option(min=1, help="Grow at most so many trees.")] = None,
    allow_leak: Annotated[
        str | None, typer.Option(metavar="REASON", help="Accept an out-of-fold AUC above 0.82, and say why.")
    ] = None,
) -> None:
    """Train the candidates on a portfolio, compare them out of fold and crown the cheapest."""
    # A pipe has no width: wide enough for the table.
    console, errors = Console(width=None if sys.stdout.isatty() else 120), Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=errors, show_time=False, show_path=False)],
    )
    if (portfolio is None) == (demo is None):
        raise typer.BadParameter("give either --portfolio PATH or --demo N.")
    try:
        plan = Plan(
            portfolio or make_demo(demo or 0, seed, console),
            folds,
            seed,
            tuple(dict.fromkeys((*DEFAULT_PROTECTED, *(protect or ())))),
            tracking_uri,
            experiment,
            most_rounds,
            allow_leak,
        )
        run(plan, datetime.now(UTC), console)
    except ValueError as error:
        errors.print(
            f"[bold red]Nothing was crowned:[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(FAILURE if isinstance(error, LeakSuspected) else BAD_INPUT) from error


if __name__ == "__main__":
    app()
