"""Train the candidates on a portfolio, compare them out of fold and propose the best.

Example: ``python train.py --portfolio home-credit-default-risk.zip``
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

# Read when LightGBM is imported: its threads wait asleep. Awake, they save a tenth on an idle machine, and
# burn ten times the work itself where other programs want the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from scoring import settings, synthetic, tables
from scoring.assembly import assemble, example_rows, examples, reference
from scoring.candidates import SCORECARD, Candidate, selection
from scoring.candidates.search import Search
from scoring.decision import DEFAULT_PROTECTED
from scoring.evaluation import Evaluation, OutOfFold, certain, cross_validate, evaluate
from scoring.evaluation.checks import LeakSuspected, check_auc
from scoring.evidence.figures import draw_importance
from scoring.language import ENGLISH
from scoring.options import flat
from scoring.portfolio.cluster import Cluster
from scoring.portfolio.job import RunError
from scoring.scorer import Scorer
from scoring.scorer.certainty import Certainty, ReviewRule
from training import mlflow_store, registry, runs, tracking
from training.cluster import OnCluster
from training.comparison import Bar, as_table, show
from training.lineage import libraries, peak_memory_mib
from training.material import FIRST_FOLDS, FIRST_ROUNDS, Material, Plan, prepare


class Compare(StrEnum):
    """What `COMPARISONS` offers."""

    champion = "champion"
    quick = "quick"
    families = "families"
    all = "all"


BAD_INPUT, FAILURE = 2, 1


@dataclass(frozen=True)
class Result:
    """A candidate and its run."""

    candidate: Candidate
    run: runs.Run

    @property
    def cost(self) -> float:
        """Cost per 1,000 applications."""
        return self.run.metrics["cost_per_1000"]


def try_candidate(
    candidate: Candidate,
    plan: Plan,
    material: Material,
    client: Any,
    key: str,
    search: Search | None,
    bar: Bar,
) -> Result:
    """Cross-validate and evaluate one candidate, fit it on all applications, and log it all as a run.

    Raises
    ------
    LeakSuspected
        If the out-of-fold AUC is too good to be true.
    """
    m, started = material, perf_counter()
    tags = {runs.KEY: key, runs.MATERIAL: m.key(plan)}
    tags |= {runs.OBSTACLE: candidate.obstacle} if candidate.obstacle else {}
    tags |= {registry.PROVISIONAL: "yes"} if plan.is_provisional else {}
    tune = partial(search.tune, candidate) if search else None
    with tracking.start_run(client, plan.tracking_uri, plan.experiment, candidate.name, tags, True) as run_id:
        by_fold, is_served = m.chosen.folds if m.chosen else None, candidate.obstacle is None
        found = cross_validate(candidate, m.data, m.folds, bar.fold, tune, by_fold, has_lesser=is_served)
        evaluation = evaluate(m.y, found.raw, m.folds, seed=plan.seed)
        check_auc(evaluation.metrics["auc"].value, plan.allow_leak)
        final, rounds = candidate, found.best_rounds
        if tune:
            final, trials = tune(m.narrowed().data, "all")
            found, rounds = replace(found, trials={**found.trials, "all": trials}), None
        if search and any(len(part) < search.planned(candidate) for part in found.trials.values()):
            tracking.mark_unfinished(key)
        lineage = m.lineage | {"candidate": candidate.name, "run_id": run_id}
        params = _params(final, plan, m, found.best_rounds)
        tracking.log_result(m.y, m.folds, found, evaluation, params, lineage)
        if m.chosen:
            tracking.log_selection(m.chosen)
        if is_served:
            certainty = certainty_of(candidate, plan, m, found, evaluation)
            m, last = m.narrowed(), bar.fold(plan.folds)
            scorer = assemble(
                final, m.features, m.data, evaluation, plan.protect, lineage, rounds, last, certainty
            )
            tracking.log_figures(draw_importance(scorer.importance))
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / runs.SCORER
                save_scorer(scorer, m, evaluation, f"{runs.MODEL}:{run_id}", place)
                tracking.log_scorer(place)
        tracking.log_metrics({"seconds": perf_counter() - started, "peak_memory_mib": peak_memory_mib()})
    return Result(candidate, runs.find_run(client, run_id))


def certainty_of(
    candidate: Candidate, plan: Plan, material: Material, found: OutOfFold, evaluation: Evaluation
) -> Certainty | None:
    """Learn how sure a candidate is; None where the applications are too few, or it says the same of all."""
    if found.lesser is None:
        return None
    is_read = plan.is_provisional or candidate.family is SCORECARD.family
    return certain.learn(
        material.y,
        evaluation.probability,
        found.lesser,
        evaluation.choice.threshold,
        material.narrowed().features,
        None if is_read else material.readable,
        plan.rules,
        plan.review_share,
        certain.FURTHER.get(certain.FIRST if plan.is_provisional else candidate.family.name, 1.0),
    )


def save_scorer(scorer: Scorer, material: Material, evaluation: Evaluation, model: str, folder: Path) -> None:
    """Write a scorer with its reference and its golden examples."""
    rows = example_rows(evaluation.probability[material.pool_rows], evaluation.choice.threshold)
    golden = examples(
        scorer, material.features[material.pool_rows[rows]], tables.to_requests(material.pool, rows)
    )
    seed, audit = material.lineage["seed"], material.audit
    scorer.save(folder, reference(material.features, evaluation, model, seed, audit), golden)


def run(plan: Plan, now: datetime, console: Console) -> list[Result]:
    """Train every candidate and propose the one whose decisions cost least; return them, the best first.

    What is finished already, by the same code on the same data, is not computed again.

    Raises
    ------
    ValueError
        If the input does not allow a training.
    LeakSuspected
        If a candidate is too good to be true.
    """
    started = perf_counter()

    def remaining_s() -> float:
        return plan.budget_s - (perf_counter() - started)

    declared = [_declared(candidate) for candidate in plan.candidates]
    client = mlflow_store.connect(plan.tracking_uri)
    console.print(f"MLflow store: {mlflow_store.shown(plan.tracking_uri)}", highlight=False, soft_wrap=True)
    mlflow_store.open_experiment(client, plan.tracking_uri, plan.experiment)
    with console.status("Reading the portfolio, computing features"):
        material = prepare(plan, now)
    console.print(
        f"{len(material.y):,} applications, {material.y.mean():.2%} defaults, "
        f"{material.features.width} features, kept out: {', '.join(plan.protect) or 'nothing'}.",
        soft_wrap=True,
    )
    for notice in material.notices:
        console.print(f"Note: {notice[ENGLISH]}", soft_wrap=True)
    whole = material.key(plan, declared)
    tags = {runs.KEY: whole, "candidates": plan.compare}
    with tracking.start_run(client, plan.tracking_uri, plan.experiment, f"compare {plan.compare}", tags):
        if plan.select:
            material = choose_features(plan, material, client, remaining_s, console)
        results, left = try_candidates(plan, material, client, remaining_s, console)
        tracking.log_candidates(as_table([result.run for result in results]))
    show(results, console)
    if left:
        console.print(
            f"The time budget was over before {', '.join(left)}; the same command goes on from here.",
            soft_wrap=True,
        )
    cut = [r.candidate.name for r in results if r.run.tags.get(runs.KEY, "").endswith(tracking.CUT)]
    if cut:
        console.print(
            f"The time budget ended the search of {', '.join(cut)}; the same command searches on.",
            soft_wrap=True,
        )
    seconds = perf_counter() - started
    console.print(f"{seconds:.0f} s, peak memory {peak_memory_mib() / 1024:.1f} GiB.")
    console.print(_propose(results, client, now), soft_wrap=True)
    return results


def choose_features(
    plan: Plan, material: Material, client: Any, remaining_s: Callable[[], float], console: Console
) -> Material:
    """Choose features by null importance, or read what was chosen on the same data by the same code.

    Where the time is over, nothing is chosen, and no candidate is begun either.
    """
    key = material.key(plan, "selection", plan.most_rounds)
    finished = runs.find_finished(client, plan.experiment, key)
    if finished is not None:
        chosen = selection.Selection.from_json(runs.read_selection(finished), material.features.columns)
    elif remaining_s() < 0:
        return material
    else:
        tags = {runs.KEY: key, runs.OBSTACLE: "it is a choice of features"}
        with (
            tracking.start_run(client, plan.tracking_uri, plan.experiment, "selection", tags, True),
            console.status("Choosing features by null importance, fold by fold"),
        ):
            m = material
            rounds = min(plan.most_rounds or selection.ROUNDS, selection.ROUNDS)
            chosen = selection.select(m.data, m.folds, rounds=rounds)
            tracking.log_selection(chosen)
    console.print(f"{len(chosen.names)} features are chosen.")
    return replace(material, chosen=chosen)


def try_candidates(
    plan: Plan, material: Material, client: Any, remaining_s: Callable[[], float], console: Console
) -> tuple[list[Result], list[str]]:
    """Try every candidate, or find it tried; return them, the cheapest first, and the names of those left."""
    results: list[Result] = []
    left: list[str] = []
    with Bar(console, len(plan.candidates), plan.folds) as bar:
        for candidate in plan.candidates:
            key = material.key(plan, _declared(candidate))
            finished = runs.find_finished(client, plan.experiment, key)
            if finished is None and remaining_s() < 0:
                left.append(candidate.name)
                continue
            bar.begin(candidate)
            if finished is not None:
                results.append(Result(candidate, finished))
            else:
                search = (
                    Search(plan.trials, plan.search_storage, key, plan.seed, remaining_s, bar.on_progress)
                    if plan.trials
                    else None
                )
                results.append(try_candidate(candidate, plan, material, client, key, search, bar))
            bar.end(results)
    return sorted(results, key=lambda result: result.cost), left


def _propose(results: Sequence[Result], client: Any, now: datetime) -> str:
    """Propose the best candidate that can be served; say what became of it, and why that one."""
    able = {result.run.id: result for result in results if result.candidate.obstacle is None}
    if not able:
        return "No candidate that can be served was trained, so none is proposed."
    cheapest = next(iter(able.values()))
    best = able[registry.best([result.run for result in able.values()]).id]
    alias = registry.propose(client, best.run, best.run.tags[runs.MODEL_URI], now)
    doubt = runs.find_run(client, best.run.id).tags.get(registry.DOUBT)
    said = f"{alias.capitalize()}: {best.candidate.name}, run {best.run.id}."
    if doubt:
        said += (
            f" It is {doubt}. So it is no champion; more defaults may help. "
            "Promote it all the same: python import_model.py --force REASON"
        )
    else:
        said += f" Next: python import_model.py{'' if alias == registry.CHAMPION else ' --promote'}"
        if registry.PROVISIONAL in best.run.tags:
            said += "\nIt is provisional: the next whole training (make train import) takes its place."
    if best is not cheapest:
        more = best.cost - cheapest.cost
        said = (
            f"{best.candidate.name} costs {more:.1f} per 1,000 more than {cheapest.candidate.name}, which is "
            f"within chance, and has the lower log-loss.\n{said}"
        )
    return said


def _declared(candidate: Candidate) -> dict[str, Any]:
    """Return all that a candidate's result depends on, beside the data and the code."""
    return {**candidate.description(), "libraries": libraries(candidate.libraries)}


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


def _params(candidate: Candidate, plan: Plan, material: Material, rounds: int | None) -> dict[str, Any]:
    """Return what a run records as parameters."""
    return {
        "candidate": candidate.name,
        "family": candidate.family.name,
        "treatment": candidate.treatment,
        "is_directed": candidate.is_directed,
        **candidate.settings,
        "most_rounds": candidate.rounds,
        "rounds": rounds,
        "boosters": candidate.boosters,
        "n_folds": plan.folds,
        "seed": plan.seed,
        "protect": ",".join(plan.protect),
        "portfolio": plan.portfolio.name,
        "applications": len(material.y),
        "n_features": material.narrowed().features.width,
        "select": plan.select,
        "trials": plan.trials,
        "allow_leak": plan.allow_leak or "",
    }


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
        str, typer.Option(help="MLflow store.", envvar=mlflow_store.STORE_VARIABLE)
    ] = mlflow_store.STORE,
    experiment: Annotated[str, typer.Option(help="MLflow experiment.")] = runs.EXPERIMENT,
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
    ] = certain.MOST,
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
    if is_provisional:
        folds, most_rounds, compare = FIRST_FOLDS, FIRST_ROUNDS, Compare.champion
    try:
        if cluster.is_spark:
            cluster.check()
        plan = Plan(
            Path(portfolio) if portfolio else make_demo(demo or 0, seed, console),
            folds,
            seed,
            tuple(dict.fromkeys((*DEFAULT_PROTECTED, *(protect or ())))),
            tracking_uri,
            experiment,
            most_rounds,
            allow_leak,
            compare.value,
            search,
            float("inf") if time_budget is None else 60 * time_budget,
            is_selecting,
            is_provisional,
            review_share,
            tuple(ReviewRule.of(text) for text in review_rule or ()),
            OnCluster(cluster, portfolio, features) if portfolio and features else None,
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
