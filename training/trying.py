"""Trying candidates: each is judged out of fold, fitted on all applications, and kept as a run.

What is finished already, by the same code on the same data, is found and not computed again.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from scoring import tables
from scoring.assembly import assemble, example_rows, examples, reference
from scoring.candidates import SCORECARD, Candidate, selection
from scoring.evaluation import Evaluation, OutOfFold, certain, cross_validate, evaluate
from scoring.evaluation.checks import check_auc
from scoring.evidence.figures import draw_importance
from scoring.scorer import Scorer
from scoring.scorer.certainty import Certainty
from training import registry, runs, tracking
from training.comparison import Bar, Result
from training.lineage import libraries, peak_memory_mib
from training.material import Material, Plan
from training.session import TrainingSession


def choose_features(session: TrainingSession, material: Material) -> Material:
    """Choose features by null importance, or read what was chosen on the same data by the same code.

    Where the time is over, nothing is chosen, and no candidate is begun either.
    """
    plan, console = session.plan, session.console
    key = material.key(plan, "selection", plan.most_rounds)
    finished = runs.find_finished(session.client, plan.experiment, key)
    if finished is not None:
        chosen = selection.Selection.from_json(runs.read_selection(finished), material.features.columns)
    elif session.remaining_s() < 0:
        return material
    else:
        tags = {runs.KEY: key, runs.OBSTACLE: "it is a choice of features"}
        with (
            session.start_run("selection", tags, is_nested=True),
            console.status("Choosing features by null importance, fold by fold"),
        ):
            m = material
            rounds = min(plan.most_rounds or selection.ROUNDS, selection.ROUNDS)
            chosen = selection.select(m.data, m.folds, rounds=rounds)
            tracking.log_selection(chosen)
    console.print(f"{len(chosen.names)} features are chosen.")
    return replace(material, chosen=chosen)


def try_candidates(session: TrainingSession, material: Material) -> tuple[list[Result], list[str]]:
    """Try every candidate, or find it tried; return them, the cheapest first, and the names of those left."""
    plan = session.plan
    results: list[Result] = []
    left: list[str] = []
    with Bar(session.console, len(plan.candidates), plan.folds) as bar:
        for candidate in plan.candidates:
            key = material.key(plan, declared_of(candidate))
            finished = runs.find_finished(session.client, plan.experiment, key)
            if finished is None and session.remaining_s() < 0:
                left.append(candidate.name)
                continue
            bar.begin(candidate)
            if finished is not None:
                results.append(Result(candidate, finished))
            else:
                results.append(try_candidate(candidate, session, material, key, bar))
            bar.end(results)
    return sorted(results, key=lambda result: result.cost), left


def try_candidate(
    candidate: Candidate, session: TrainingSession, material: Material, key: str, bar: Bar
) -> Result:
    """Cross-validate and evaluate one candidate, fit it on all applications, and log it all as a run.

    Raises
    ------
    LeakSuspected
        If the out-of-fold AUC is too good to be true.
    """
    m, plan, started = material, session.plan, perf_counter()
    search = session.search(key, bar.on_progress)
    tags = {runs.KEY: key, runs.MATERIAL: m.key(plan)}
    tags |= {runs.OBSTACLE: candidate.obstacle} if candidate.obstacle else {}
    tags |= {registry.PROVISIONAL: "yes"} if plan.is_provisional else {}
    tune = partial(search.tune, candidate) if search else None
    with session.start_run(candidate.name, tags, is_nested=True) as run_id:
        by_fold, is_served = m.chosen.folds if m.chosen else None, candidate.obstacle is None
        found = cross_validate(
            candidate, m.data, m.folds, progress=bar.fold, tune=tune, chosen=by_fold, has_lesser=is_served
        )
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
                final,
                m.features,
                m.data,
                evaluation,
                policy=plan.protect,
                lineage=lineage,
                rounds=rounds,
                progress=last,
                certainty=certainty,
            )
            tracking.log_figures(draw_importance(scorer.importance))
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / runs.SCORER
                save_scorer(scorer, m, evaluation, f"{runs.MODEL}:{run_id}", place)
                tracking.log_scorer(place)
        tracking.log_metrics({"seconds": perf_counter() - started, "peak_memory_mib": peak_memory_mib()})
    return Result(candidate, runs.find_run(session.client, run_id))


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
        readable=None if is_read else material.readable,
        rules=plan.rules,
        most=plan.review_share,
        further=certain.FURTHER.get(certain.FIRST if plan.is_provisional else candidate.family.name, 1.0),
    )


def save_scorer(scorer: Scorer, material: Material, evaluation: Evaluation, model: str, folder: Path) -> None:
    """Write a scorer with its reference and its golden examples."""
    rows = example_rows(evaluation.probability[material.pool_rows], evaluation.choice.threshold)
    golden = examples(
        scorer, material.features[material.pool_rows[rows]], tables.to_requests(material.pool, rows)
    )
    seed, audit = material.lineage["seed"], material.audit
    scorer.save(folder, reference(material.features, evaluation, model, seed, audit), golden)


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


def declared_of(candidate: Candidate) -> dict[str, Any]:
    """Return all that a candidate's result depends on, beside the data and the code."""
    return {**candidate.description(), "libraries": libraries(candidate.libraries)}
