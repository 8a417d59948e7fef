"""Random forest and XGBoost: fitted to be compared, never to be served.

They would need a second engine in the service for no better a score, so they give log-odds and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.candidates.learners.boosted import Progress
from scoring.candidates.learners.imbalance import Treatment, balanced, hold_back, treat
from scoring.metrics import Outcomes
from scoring.scorer.model import THREADS, Matrix, Vector

SURE = 1e-4  # a forest that is surer than this has seen too few applications to be
# XGBoost's trees are counted on rows held back: a fifth, but no more than are needed to see the minimum.
JUDGE_SHARE, JUDGE_MOST_ROWS = 0.2, 20_000
PATIENCE = 200  # trees without a better log-loss; the minimum is flat and noisy


@dataclass(frozen=True, eq=False)
class Comparator:
    """A function without contributions."""

    predict: Callable[[Matrix], Vector]
    trees: int

    def raw(self, matrix: Matrix) -> Vector:
        """Return the log-odds of default, one per row."""
        return self.predict(matrix)


def fit_forest(
    settings: Mapping[str, Any], matrix: Matrix, y: Outcomes, seed: int, treatment: Treatment = "none"
) -> Comparator:
    """Fit a random forest; of more than ``most_rows`` rows, each tree draws so many."""
    from sklearn.ensemble import RandomForestClassifier

    settings = dict(settings)
    most_rows = int(settings.pop("most_rows"))
    rows, outcomes, weights = treat(treatment, matrix, y, seed)
    drawn = most_rows if len(outcomes) > most_rows else None
    forest = RandomForestClassifier(**settings, max_samples=drawn, random_state=seed, n_jobs=THREADS)
    forest.fit(rows, outcomes, weights)

    def predict(matrix: Matrix) -> Vector:
        p = np.clip(forest.predict_proba(matrix)[:, 1], SURE, 1 - SURE)
        return np.asarray(np.log(p) - np.log1p(-p))

    return Comparator(predict, len(forest.estimators_))


def fit_xgboost(
    settings: Mapping[str, Any],
    most: int,
    matrix: Matrix,
    y: Outcomes,
    seed: int,
    progress: Progress | None,
    treatment: Treatment = "none",
) -> Comparator:
    """Grow XGBoost's trees; rows held back choose their number."""
    import xgboost as xgb

    settings = dict(settings) | {"objective": "binary:logistic", "seed": seed, "nthread": THREADS}
    held = hold_back(y, min(JUDGE_SHARE, JUDGE_MOST_ROWS / len(y)), seed)
    rows, outcomes, weights = treat(treatment, matrix[~held], y[~held], seed)
    bins = int(settings["max_bin"])
    kept = xgb.QuantileDMatrix(rows, outcomes, weight=weights, max_bin=bins)
    fair = np.ones(int(held.sum())) if treatment == "none" else balanced(y[held])
    judge = xgb.QuantileDMatrix(matrix[held], y[held], weight=fair, ref=kept, max_bin=bins)
    booster = xgb.train(
        settings,
        kept,
        most,
        evals=[(judge, "judge")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
        callbacks=[_told(progress, most)] if progress else [],
    )
    last = (0, booster.best_iteration + 1)

    def predict(matrix: Matrix) -> Vector:
        parts = [matrix[i : i + JUDGE_MOST_ROWS] for i in range(0, len(matrix), JUDGE_MOST_ROWS)]
        raw = [booster.inplace_predict(part, iteration_range=last, predict_type="margin") for part in parts]
        return np.concatenate(raw).astype(np.float64)

    return Comparator(predict, last[1])


def _told(progress: Progress, most: int) -> Any:
    """Make XGBoost tell its progress every ten rounds."""
    from xgboost.callback import TrainingCallback

    class Told(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - its words
            if epoch % 10 == 9:
                progress(epoch + 1, most)
            return False

    return Told()
