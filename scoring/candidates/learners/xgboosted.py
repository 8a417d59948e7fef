"""XGBoost: compared, never served, for it would need a second engine for no better a score."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.candidates.family import Candidate, Comparator, Family, Progress, Sample, Span
from scoring.candidates.learners.judging import split
from scoring.scorer.model import THREADS, Matrix, Vector

PATIENCE = 200  # trees without a better log-loss; the minimum is flat and noisy
ROWS_AT_ONCE = 20_000


def fit_xgboost(candidate: Candidate, sample: Sample) -> Comparator:
    """Grow XGBoost's trees; rows held back choose their number."""
    import xgboost as xgb

    settings = dict(candidate.settings) | {
        "objective": "binary:logistic",
        "seed": sample.seed,
        "nthread": THREADS,
    }
    fitted, judging = split(sample)
    rows, outcomes, weights = fitted
    bins = int(settings["max_bin"])
    kept = xgb.QuantileDMatrix(rows, outcomes, weight=weights, max_bin=bins)
    matrix, y, fair = judging
    judge = xgb.QuantileDMatrix(matrix, y, weight=fair, ref=kept, max_bin=bins)
    booster = xgb.train(
        settings,
        kept,
        candidate.rounds,
        evals=[(judge, "judge")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
        callbacks=[_reporting(sample.progress, candidate.rounds)] if sample.progress else [],
    )
    last = (0, booster.best_iteration + 1)

    def predict(matrix: Matrix) -> Vector:
        parts = [matrix[i : i + ROWS_AT_ONCE] for i in range(0, len(matrix), ROWS_AT_ONCE)]
        raw = [booster.inplace_predict(part, iteration_range=last, predict_type="margin") for part in parts]
        return np.concatenate(raw).astype(np.float64)

    return Comparator(predict, last[1])


def _reporting(progress: Progress, most: int) -> Any:
    """Make XGBoost report its progress every ten rounds."""
    from xgboost.callback import TrainingCallback

    class Reporting(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - its words
            if epoch % 10 == 9:
                progress(epoch + 1, most)
            return False

    return Reporting()


XGBOOST = Candidate(
    "xgboost",
    Family(
        "xgboost",
        fit_xgboost,
        reads_gaps=True,
        libraries=("xgboost-cpu",),
        space={
            "learning_rate": Span(0.02, 0.1, is_log=True),
            "max_depth": Span(3, 7, is_whole=True),
            "min_child_weight": Span(5.0, 100.0, is_log=True),
            "colsample_bytree": Span(0.05, 0.5, is_log=True),
            "subsample": Span(0.6, 1.0),
            "lambda": Span(1.0, 200.0, is_log=True),
        },
    ),
    {
        "learning_rate": 0.05,
        "max_depth": 5,
        "min_child_weight": 5,
        "subsample": 0.8,
        "colsample_bytree": 0.2,
        "lambda": 50.0,
        "max_bin": 127,
    },
    rounds=2_000,
)
