"""What a training starts from: the plan of what to train on and how, and what all its candidates share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scoring import features as declared
from scoring import tables
from scoring.candidates import COMPARISONS, SCORECARD, Candidate, TrainingSet, fit_rows, vectorise
from scoring.candidates.coding import Coded
from scoring.candidates.selection import Selection
from scoring.decision import DEFAULT_PROTECTED, MOST_REVIEWED, protected_columns
from scoring.evaluation import cross_validate, deal_folds
from scoring.evaluation.certain import Readable
from scoring.evaluation.checks import Notice, check_alone, check_features, notices
from scoring.evidence import fairness
from scoring.evidence.sense import check_added
from scoring.metrics import Outcomes
from scoring.schema import extension
from scoring.scorer.certainty import ReviewRule
from scoring.tables import Portfolio
from training import mlflow_store, names
from training.cluster import Choose, OnCluster, Read
from training.lineage import code_sha256, data_sha256, git_revision, libraries

POOL = 500  # applications kept raw, to choose the golden examples from


@dataclass(frozen=True)
class Plan:
    """What to train on, and how. A provisional model gives way to the first that a whole training makes.

    Where the portfolio lies on a cluster, ``portfolio`` only names it.
    """

    portfolio: Path
    folds: int = 5
    seed: int = 0
    protect: tuple[str, ...] = DEFAULT_PROTECTED
    tracking_uri: str = names.STORE
    experiment: str = names.EXPERIMENT
    most_rounds: int | None = None
    allow_leak: str | None = None
    compare: str = "quick"
    trials: int = 0
    budget_s: float = float("inf")
    select: bool = False
    is_provisional: bool = False
    review_share: float = MOST_REVIEWED
    rules: tuple[ReviewRule, ...] = ()
    on_cluster: OnCluster | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates to compare, with fewer trees if the plan says so."""
        if self.most_rounds is None:
            return COMPARISONS[self.compare]
        return tuple(replace(c, rounds=min(c.rounds, self.most_rounds)) for c in COMPARISONS[self.compare])

    @property
    def search_storage(self) -> Path:
        """Where a search keeps its trials: a file beside the store."""
        folder = mlflow_store.sqlite_folder(self.tracking_uri) or Path("var")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "search.jsonl"


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that all candidates share; ``groups`` are those of the protected attributes, to audit."""

    features: pl.DataFrame
    data: TrainingSet
    folds: np.ndarray[Any, np.dtype[np.int8]]
    pool: Portfolio
    pool_rows: np.ndarray[Any, np.dtype[np.intp]]
    lineage: dict[str, Any]
    notices: list[Notice]
    groups: pl.DataFrame
    chosen: Selection | None = None

    @property
    def y(self) -> Outcomes:
        """Outcomes of all applications: 1 = default, 0 = repaid."""
        return self.data.y

    @property
    def audit(self) -> pl.DataFrame:
        """What a reference keeps beside what the model reads: outcome, fold, groups."""
        return self.groups.with_columns(target=pl.Series(self.y), fold=pl.Series(self.folds))

    def narrowed(self) -> Material:
        """Return the same with the features that were chosen on all applications."""
        if self.chosen is None:
            return self
        names = self.chosen.names
        return replace(self, features=self.features.select(names), data=self.data.only(names))

    @cached_property
    def readable(self) -> Readable:
        """The readable scorecard that stands beside every other model."""
        by_fold = self.chosen.folds if self.chosen else None
        found = cross_validate(SCORECARD, self.data, self.folds, chosen=by_fold)
        _, card = fit_rows(SCORECARD, self.narrowed().data)
        return Readable(card, found.raw)

    def key(self, plan: Plan, *more: object) -> str:
        """Return a hash of everything that a result depends on, so that none is computed twice."""
        kept = {k: self.lineage[k] for k in ("data_sha256", "extension", "libraries", "folds", "seed")}
        what = [kept, code_sha256(), self.features.columns, plan.protect, plan.trials, plan.allow_leak]
        what += [plan.select, plan.review_share, [asdict(rule) for rule in plan.rules], more]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


def check_rules(plan: Plan, names: Sequence[str]) -> None:
    """Raise ValueError if a rule of review reads what the model may not read, or not surely reads."""
    for rule in plan.rules:
        feature = declared.FEATURE_BY_NAME.get(rule.feature)
        if rule.feature not in names or feature is None or feature.kind == "category":
            raise ValueError(
                f"the rule of review on {rule.feature!r}: give a number that the model may read, as "
                "docs/FEATURES.md lists them."
            )
        if plan.select:
            raise ValueError(
                f"the rule of review on {rule.feature!r} needs that feature, and --select may leave it out; "
                "give one of the two."
            )


def prepare(plan: Plan, now: datetime) -> Material:
    """Read the portfolio and compute the features that the policy allows.

    Raises
    ------
    ValueError
        If the portfolio, the policy or the number of folds does not allow a training.
    LeakSuspected
        If a feature knows the outcome, or other applications.
    """
    protected_columns(plan.protect)
    names = declared.names(plan.protect)
    check_rules(plan, names)

    def choose(applications: int) -> np.ndarray[Any, np.dtype[np.intp]]:
        return np.sort(np.random.default_rng(plan.seed).permutation(applications)[:POOL])

    read = plan.on_cluster.read(choose, now) if plan.on_cluster else read_here(plan.portfolio, choose)
    pool, pool_rows, absent = read.pool, read.pool_rows, read.absent
    y = vectorise(read.outcomes)
    folds = deal_folds(y, plan.folds, plan.seed)
    lineage = {
        "created": now.isoformat(timespec="seconds"),
        "data_sha256": read.sha256,
        "extension": extension.fingerprint(),
        "missing_tables": absent,
        "git_revision": git_revision(),
        "libraries": libraries(),
        "applications": len(y),
        "defaults": int(y.sum()),
        "folds": plan.folds,
        "seed": plan.seed,
    }
    features, groups = read.features.select(names), read.groups
    del read
    check_alone(features[pool_rows], declared.build(pool).select(names))
    check_added(pool, names)
    coded = Coded.of(features)
    sources = {name: declared.sources(name) for name in names}
    check_features(coded, y, plan.seed, plan.allow_leak, sources)
    return Material(
        features=features,
        data=TrainingSet(
            coded, y, {name: declared.FEATURE_BY_NAME[name].direction for name in names}, plan.seed
        ),
        folds=folds,
        pool=pool,
        pool_rows=pool_rows,
        lineage=lineage,
        notices=notices(features, y, absent, len(declared.TABLES)),
        groups=groups,
    )


def read_here(source: Path, choose: Choose) -> Read:
    """Read a portfolio of this machine; its records, most of the memory, are let go of."""
    portfolio = tables.read(source, "train", columns=declared.READS)
    rows = choose(len(portfolio))
    pool, absent = tables.take(portfolio, rows), tables.absent(portfolio)
    outcomes = portfolio.applications[tables.LABEL]
    groups = pl.DataFrame(fairness.labels(portfolio.applications))
    return Read(
        features=declared.build(portfolio),
        outcomes=outcomes,
        groups=groups,
        pool=pool,
        pool_rows=rows,
        absent=absent,
        sha256=data_sha256(source),
    )
