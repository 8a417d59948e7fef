"""CatBoost: compared, never served, for it would need a second engine for no better a score."""

from __future__ import annotations

from scoring.candidates.family import Candidate, Comparator, Family, Sample, Span
from scoring.candidates.learners.judging import split
from scoring.scorer.model import THREADS, Matrix, Vector

PATIENCE = 200  # trees without a better log-loss; the minimum is flat and noisy


def fit_catboost(candidate: Candidate, sample: Sample) -> Comparator:
    """Grow CatBoost's symmetric trees; rows held back choose their number."""
    from catboost import CatBoostClassifier, Pool

    (rows, outcomes, weights), (judged, truth, fair) = split(sample)
    booster = CatBoostClassifier(
        **candidate.settings,
        iterations=candidate.rounds,
        early_stopping_rounds=PATIENCE,
        random_seed=sample.seed,
        thread_count=THREADS,
        allow_writing_files=False,
        verbose=False,
    )
    booster.fit(Pool(rows, outcomes, weight=weights), eval_set=Pool(judged, truth, weight=fair))
    if sample.progress:
        sample.progress(candidate.rounds, candidate.rounds)

    def predict(matrix: Matrix) -> Vector:
        raw: Vector = booster.predict(matrix, prediction_type="RawFormulaVal", thread_count=THREADS)
        return raw

    return Comparator(predict, booster.tree_count_)


CATBOOST = Candidate(
    "catboost",
    Family(
        "catboost",
        fit_catboost,
        reads_gaps=True,
        libraries=("catboost",),
        space={
            "learning_rate": Span(0.02, 0.15, is_log=True),
            "depth": Span(4, 8, is_whole=True),
            "l2_leaf_reg": Span(1.0, 100.0, is_log=True),
            "rsm": Span(0.05, 0.5, is_log=True),
        },
    ),
    {"learning_rate": 0.06, "depth": 5, "l2_leaf_reg": 30.0, "rsm": 0.2, "border_count": 127},
    rounds=2_000,
)
