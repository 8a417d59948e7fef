"""From a candidate and its out-of-fold evaluation to a scorer, its reference and its golden examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from scoring.candidates import Candidate, Progress, TrainingSet, fit
from scoring.decision import COSTS, POINTS, decide
from scoring.evaluation import Evaluation
from scoring.scorer import Scorer
from scoring.scorer.certainty import Certainty
from scoring.scorer.model import Vector
from scoring.tables.decisions import AUDIT, COLUMNS

REFERENCE_ROWS = 20_000  # enough for a drift test of two decimals, small enough to ship with each model
EXPLAINED_ROWS = 2_000  # exact contributions cost milliseconds a row
EXAMPLES = 25


def assemble(
    candidate: Candidate,
    features: pl.DataFrame,
    data: TrainingSet,
    evaluation: Evaluation,
    *,
    policy: Sequence[str],
    lineage: Mapping[str, Any],
    rounds: int | None = None,
    progress: Progress | None = None,
    certainty: Certainty | None = None,
) -> Scorer:
    """Fit a candidate on all applications and join what the folds settled: trees, calibration, threshold.

    Parameters
    ----------
    candidate, data, rounds, progress
        As ``candidates.fit``.
    features : polars.DataFrame of shape (n_applications, n_features)
        The same applications as a table.
    evaluation : Evaluation
        From the same applications.
    policy : sequence of str
        Attributes that ``features`` leaves out.
    lineage : mapping
        JSON values to keep with the scorer.
    certainty : Certainty, optional
        From the same applications.
    """
    model = fit(candidate, data, rounds, progress)
    choice = evaluation.choice
    bare = Scorer(model, choice.calibration, choice.threshold, COSTS, POINTS, tuple(policy), {})
    sample = _sample(len(features), EXPLAINED_ROWS, data.seed)
    shown = features[sample]
    contributions, _ = bare.contributions(shown)
    granted = evaluation.probability[sample] < choice.threshold
    granted = granted if granted.any() else np.ones(len(sample), dtype=bool)
    names = bare.feature_names
    return Scorer(
        model=model,
        calibration=choice.calibration,
        threshold=choice.threshold,
        costs=COSTS,
        points=POINTS,
        policy=tuple(policy),
        ranges=_ranges(features),
        granted_contributions=_named(names, contributions[granted].mean(axis=0)),
        granted_values=_usual(shown.filter(granted)),
        importance=_named(names, np.abs(contributions).mean(axis=0)),
        metrics={
            name: {"value": metric.value, **metric.ends()} for name, metric in evaluation.metrics.items()
        },
        lineage=lineage,
        certainty=certainty,
    )


def reference(
    features: pl.DataFrame,
    evaluation: Evaluation,
    model: str,
    seed: int = 0,
    audit: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return at most 20,000 out-of-fold decisions in the inference log's columns.

    What belongs to one event only (ids, time, applicant) is null. Columns of ``audit``, which no model reads
    (outcome, fold, groups of protected attributes), come last, their names behind `AUDIT`.
    """
    rows = _sample(len(features), REFERENCE_ROWS, seed)
    default = evaluation.probability[rows]
    known = {
        "model": pl.lit(model),
        "probability_of_default": pl.lit(pl.Series(default)),
        "threshold": pl.lit(evaluation.choice.threshold),
        "decision": pl.lit(pl.Series(decide(default, evaluation.choice.threshold).tolist())),
    }
    log = [known.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in COLUMNS.items()]
    beside = [] if audit is None else [audit[name][rows].alias(AUDIT + name) for name in audit.columns]
    return features[rows].select(*log, pl.all(), *beside)


def example_rows(probability: Vector, threshold: float) -> list[int]:
    """Choose the golden applications among these: half of them refused if there are so many."""
    refused = probability >= threshold
    half = np.flatnonzero(refused)[: EXAMPLES // 2]
    rest = np.flatnonzero(~refused)[: EXAMPLES - len(half)]
    return sorted(int(row) for row in (*half, *rest))


def examples(
    scorer: Scorer, features: pl.DataFrame, requests: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return golden examples: requests without their client's number, with what the scorer decides.

    Parameters
    ----------
    scorer : Scorer
    features : polars.DataFrame
        One row per request.
    requests : sequence of mapping
        From ``tables.to_requests``.
    """
    decided = scorer.decide(features)
    return [
        {
            "request": {**request, "SK_ID_CURR": number},
            "probability_of_default": decided["probability_of_default"][number - 1],
            "decision": decided["decision"][number - 1],
        }
        for number, request in enumerate(requests, start=1)
    ]


def _sample(n: int, most: int, seed: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Draw at most so many rows, in their own order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _named(names: Sequence[str], values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _ranges(features: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Return lowest and highest value of each number; a column without any has none."""
    numbers = features.select(pl.col(pl.Float64))
    low, high = numbers.min().row(0), numbers.max().row(0)
    return {n: (a, b) for n, a, b in zip(numbers.columns, low, high, strict=True) if a is not None}


def _usual(features: pl.DataFrame) -> dict[str, float | str]:
    """Return the median of each number and the most frequent level of each category."""
    usual: dict[str, float | str] = {}
    for column in features.iter_columns():
        known = column.drop_nulls()
        if known.is_empty():
            continue
        # Equally frequent levels: the first by name, so that the same data gives the same scorer.
        value = known.mode().sort()[0] if column.dtype == pl.String else known.median()
        usual[column.name] = value  # type: ignore[assignment]
    return usual
