"""Everything that the pack shows, measured: no words here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scoring import features as declared
from scoring import tables
from scoring.assembly import assemble
from scoring.candidates import COMPARISONS, LIGHTGBM, Candidate, TrainingSet, vectorise
from scoring.candidates.coding import Coded
from scoring.decision import COSTS, GRANT_ALL
from scoring.evaluation import Evaluation, deal_folds, evaluate, judge
from scoring.evaluation.checks import Notice, notices
from scoring.evidence import (
    completeness,
    description,
    fairness,
    money,
    recourse,
    reviews,
    stability,
    verification,
)
from scoring.evidence import sense as common
from scoring.evidence.alternatives import (
    Alternative,
    Bench,
    Refit,
    Variant,
    directions,
    exclusions,
    ladder,
    search,
)
from scoring.evidence.alternatives import choose as choose_alternative
from scoring.evidence.card import Card, lay_out
from scoring.evidence.fairness import SMALLEST
from scoring.metrics import Measured, Outcomes, Vector
from scoring.schema import HISTORY
from scoring.scorer import Scorer
from scoring.tables import Portfolio, TableError
from scoring.trial import load
from training import runs
from training.comparison import as_table
from training.lineage import data_sha256
from training.runs import Run
from validation.size import Size

DESCRIBED = 12  # features with a table and a figure of their own
OF_A_GROUP = 3  # of them
MOST_ROUNDS = 200  # trees of a booster of a refit: the sample is small
SEEDS = 3
WALKED = 1_000  # applications that are led along what a client can do
ASKED = 100  # refusals that are asked about what would turn them
SCORECARD = "scorecard"  # the candidate that a person can compute with pencil and paper

TABLES = ("application", *HISTORY, "cross")  # where features come from; the last reads several

OnProgress = Callable[[str], None]


class WrongPortfolio(ValueError):
    """The run was trained on other data than was given."""


@dataclass(frozen=True, eq=False)
class Later:
    """What the later applications say, if the portfolio has any."""

    applications: int
    found: stability.Resemblance
    slices: list[stability.PartFigures]


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that was measured of one run; ``raw``, ``probability`` and ``thresholds`` are out of fold."""

    run: Run
    scorer: Scorer
    size: Size
    terms: money.Terms
    portfolio: str
    notices: list[Notice]
    y: Outcomes
    raw: Vector
    probability: Vector
    thresholds: Vector
    metrics: Mapping[str, Measured]
    candidates: pl.DataFrame
    card: Card | None
    missing: Mapping[str, float]
    gaps: Mapping[str, tuple[float, ...]]
    columns: list[description.ColumnSummary]
    correlations: list[tuple[str, str, float]]
    ladder: list[Refit]
    exclusions: list[Refit]
    alternatives: list[Alternative]
    chosen: Alternative | None
    audits: list[fairness.Audit]
    hidden: list[str]
    later: Later | None
    spread: stability.Spread
    outside: verification.Outside | None
    agreement: verification.Agreement | None
    verified: verification.Verified | None
    stable: verification.Stable | None
    reviewed: reviews.Reviewed | None
    complete: completeness.Complete | None
    senses: list[common.Sense]
    recourses: recourse.Recourses | None
    cutoffs: Mapping[str, money.MoneyOutcome]
    strategy: list[money.MoneyOutcome]
    scenarios: list[tuple[money.Terms, money.MoneyOutcome]]
    trees: int

    @property
    def important(self) -> list[str]:
        """Features of the model, the most important first."""
        return sorted(self.scorer.importance, key=lambda name: -self.scorer.importance[name])


def of_run(
    client: Any, run: Run, path: Path, size: Size, terms: money.Terms, on_progress: OnProgress
) -> Evidence:
    """Measure everything of a logged run, from what it keeps: see `gather`."""
    compared = runs.find_compared(client, run)
    readable = next((one for one in compared if one.params["candidate"] == SCORECARD), None)
    return gather(
        run,
        _scorer(run),
        said=runs.read_out_of_fold(run.id),
        candidates=as_table(compared),
        readable=(readable.id, _scorer(readable)) if readable else None,
        path=path,
        size=size,
        terms=terms,
        on_progress=on_progress,
    )


def _scorer(run: Run) -> Scorer:
    with runs.fetch_scorer(run) as folder:
        return load(folder)


def gather(
    run: Run,
    scorer: Scorer,
    *,
    said: pl.DataFrame,
    candidates: pl.DataFrame,
    readable: tuple[str, Scorer] | None,
    path: Path,
    size: Size,
    terms: money.Terms,
    on_progress: OnProgress,
) -> Evidence:
    """Measure everything.

    Parameters
    ----------
    run, scorer
        What is validated.
    said : polars.DataFrame
        Its out-of-fold predictions, from ``runs.read_out_of_fold``.
    candidates : polars.DataFrame
        All candidates that met the same applications and folds, from ``training.comparison.as_table``.
    readable : (str, Scorer), optional
        The scorecard among them and its run.
    path : Path
        The portfolio that it was trained on.
    size, terms
        How much is refitted; what a loan earns and loses.
    on_progress : callable
        Called with the name of each step.

    Raises
    ------
    WrongPortfolio
        If it was trained on another one.
    """
    on_progress("portfolio")
    if run.tags.get("data_sha256") != data_sha256(path):
        raise WrongPortfolio(
            f"run {run.id} was not trained on {path.name}: the hash of the data is another one. "
            f"Give the portfolio of its training ({run.params.get('portfolio', 'see its lineage')})."
        )
    portfolio = tables.read(path, "train", columns=declared.READS)
    features = declared.build(portfolio)
    y = vectorise(portfolio.applications["TARGET"])
    raw, p, thresholds = (said[name].to_numpy() for name in ("raw", "probability", "threshold"))
    groups = fairness.labels(portfolio.applications)
    exposure = _exposure(portfolio)
    # The seed of the training: the very figures and intervals of the table of candidates.
    metrics = judge(y, raw, p, thresholds, seed=int(run.params.get("seed", 0)))
    read = features.select(scorer.feature_names)
    by_table = {t: [f.name for f in declared.FEATURES if f.table == t] for t in TABLES}
    on_progress("groups")
    audits = {name: fairness.audit(name, of, y, p, thresholds, seed=size.seed) for name, of in groups.items()}
    shown = _shown(scorer)
    on_progress("later applications")
    unseen = _read_later(path, read.columns)
    later = None if unseen is None else _later(unseen, read, y, p, thresholds, size.seed)
    on_progress("refits")
    drawn = np.random.default_rng(size.seed).permutation(len(y))
    rows, rest = np.sort(drawn[: size.rows]), np.sort(drawn[size.rows :])
    bench = _bench(run, features[rows], y[rows], size)
    names = tuple(scorer.feature_names)
    share = metrics["share_granted"].value
    alternatives = search(
        bench,
        names,
        {name: of[rows] for name, of in groups.items()},
        share,
        lambda name: on_progress(f"alternative: {name}"),
        seed=size.seed,
    )
    steps = ladder(bench, declared.names(scorer.policy), lambda name: on_progress(f"ladder: {name}"))
    prices = exclusions(bench, lambda name: on_progress(f"without: {name}"))
    on_progress("seeds")
    seeds = range(size.seed, size.seed + SEEDS)
    evaluations = [_evaluate(bench, Variant("seed", names, seed=seed)) for seed in seeds]
    on_progress("reasons")
    sample = read[rows]
    data = TrainingSet(bench.coded.only(names), bench.y, directions(names))
    refits = [
        assemble(
            bench.candidate,
            sample,
            replace(data, seed=seed),
            evaluation,
            policy=scorer.policy,
            lineage={},
            rounds=bench.rounds,
        )
        for seed, evaluation in zip(seeds, evaluations, strict=True)
    ]
    return Evidence(
        run=run,
        scorer=scorer,
        size=replace(size, rows=len(rows)),
        terms=terms,
        portfolio=path.name,
        notices=notices(read, y, tables.absent(portfolio), len(declared.TABLES)),
        y=y,
        raw=raw,
        probability=p,
        thresholds=thresholds,
        metrics=metrics,
        candidates=candidates,
        card=lay_out(*readable, features, y) if readable else None,
        missing=description.missing_by_table(features, by_table),
        gaps=description.gaps_by_table(features, by_table),
        columns=description.describe(features, y, shown),
        correlations=description.correlations(features, shown, 8),
        ladder=steps,
        exclusions=prices,
        alternatives=alternatives,
        chosen=choose_alternative(alternatives),
        audits=[one for one in audits.values() if one is not None],
        hidden=[name for name, one in audits.items() if one is None],
        later=later,
        spread=stability.spread(bench.y, evaluations, share),
        outside=verification.outside(scorer, sample),
        agreement=verification.agreement(scorer, sample, size.seed),
        verified=verification.substitute(scorer, sample),
        # What the refits did not learn from; of the later applications the model in force did not either.
        stable=verification.compare_reasons(scorer, refits, read[rest] if unseen is None else unseen),
        reviewed=reviews.review(scorer, read, y, p, thresholds),
        complete=completeness.complete(scorer, read),
        senses=_senses(scorer, tables.take(portfolio, rows[:WALKED])),
        recourses=recourse.recourses(scorer, tables.take(portfolio, rows), ASKED),
        cutoffs=_cutoffs(y, p, exposure, thresholds, scorer.threshold, terms),
        strategy=money.strategy(y, p, exposure, terms, 101, SMALLEST),
        scenarios=money.scenarios(y, p, exposure, terms),
        trees=bench.rounds * bench.candidate.boosters,
    )


def _senses(scorer: Scorer, portfolio: Portfolio) -> list[common.Sense]:
    """Walk some applications along what a client can do."""
    walked = [common.sense(scorer, w, common.walk(portfolio, w, scorer.feature_names)) for w in common.WAYS]
    return [one for one in walked if one is not None]


def _shown(scorer: Scorer) -> list[str]:
    """Choose the features to describe: important ones that mean something to a person, few of each group."""
    chosen: dict[str, list[str]] = {}
    for name in sorted(scorer.importance, key=lambda name: -scorer.importance[name]):
        feature = declared.FEATURE_BY_NAME[name]
        if feature.is_plain and len(chosen.get(feature.group, [])) < OF_A_GROUP:
            chosen.setdefault(feature.group, []).append(name)
            if sum(map(len, chosen.values())) == DESCRIBED:
                break
    names = (name for group in chosen.values() for name in group)
    return sorted(names, key=lambda name: -scorer.importance[name])


def _exposure(portfolio: Portfolio) -> Vector:
    """Return the credit asked for; where it is not known, the median."""
    credit = portfolio.applications["AMT_CREDIT"].cast(pl.Float64)
    known = credit.set(credit <= 0, None)
    return np.asarray(known.fill_null(known.median()).to_numpy(), dtype=np.float64)


def _bench(run: Run, features: pl.DataFrame, y: Outcomes, size: Size) -> Bench:
    """Lay out the refits: the run's candidate in its own settings, on a sample."""
    by_name = {candidate.name: candidate for candidate in COMPARISONS["all"]}
    candidate = _settled(by_name.get(run.params["candidate"], LIGHTGBM), run.params)
    rounds = run.params.get("rounds", "None")
    trees = min(int(rounds), MOST_ROUNDS) if rounds.isdigit() else MOST_ROUNDS
    return Bench(Coded.of(features), y, deal_folds(y, size.folds, size.seed), candidate, trees)


def _settled(candidate: Candidate, params: Mapping[str, str]) -> Candidate:
    """Return the candidate with the settings that the run records; MLflow keeps them as text."""
    settings: dict[str, Any] = {
        name: type(value)(params[name]) if name in params else value
        for name, value in candidate.settings.items()
    }
    return replace(candidate, settings=settings, boosters=int(params.get("boosters", 1)))


def _evaluate(bench: Bench, variant: Variant) -> Evaluation:
    """Calibrate a refit out of fold, as training does; its intervals are not shown, so they are not drawn."""
    return evaluate(bench.y, bench.log_odds(variant), bench.folds, replicates=1)


def _read_later(path: Path, names: Sequence[str]) -> pl.DataFrame | None:
    """Return the features of the applications that have no outcome yet; None if there are none."""
    try:
        portfolio = tables.read(path, "test", columns=declared.READS)
    except TableError:
        return None
    return declared.build(portfolio).select(names)


def _later(
    later: pl.DataFrame, features: pl.DataFrame, y: Outcomes, p: Vector, thresholds: Vector, seed: int
) -> Later:
    """Compare with the later applications."""
    found = stability.resemblance(features, later, seed)
    return Later(len(later), found, stability.slices(y, p, thresholds, found.likeness, seed=seed))


def _cutoffs(
    y: Outcomes, p: Vector, exposure: Vector, thresholds: Vector, served: float, terms: money.Terms
) -> dict[str, money.MoneyOutcome]:
    """Return what each way to cut leads to; the one in force, as it was decided out of fold."""
    return {
        "all": money.outcome(y, p, exposure, GRANT_ALL, terms),
        "in_force": money.decided(y, p, exposure, thresholds, served, terms),
        "ten_to_one": money.outcome(y, p, exposure, COSTS.threshold, terms),
        "by_terms": money.outcome(y, p, exposure, terms.threshold, terms),
        "most_profit": money.best_cutoff(y, p, exposure, terms),
    }
