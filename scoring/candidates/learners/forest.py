"""Random forest: fitted to be compared, never to be served."""

from __future__ import annotations

import numpy as np

from scoring.candidates.family import Candidate, Comparator, Family, Sample
from scoring.candidates.imbalance import treat
from scoring.scorer.model import THREADS, Matrix, Vector

SURE = 1e-4  # a forest that is surer than this has seen too few applications to be


def fit_forest(candidate: Candidate, sample: Sample) -> Comparator:
    """Fit a random forest; of more than ``most_rows`` rows, each tree draws so many."""
    from sklearn.ensemble import RandomForestClassifier

    settings = dict(candidate.settings)
    most_rows = int(settings.pop("most_rows"))
    rows, outcomes, weights = treat(sample.treatment, sample.matrix, sample.y, sample.seed)
    drawn = most_rows if len(outcomes) > most_rows else None
    forest = RandomForestClassifier(**settings, max_samples=drawn, random_state=sample.seed, n_jobs=THREADS)
    forest.fit(rows, outcomes, weights)

    def predict(matrix: Matrix) -> Vector:
        p = np.clip(forest.predict_proba(matrix)[:, 1], SURE, 1 - SURE)
        return np.asarray(np.log(p) - np.log1p(-p))

    return Comparator(predict, len(forest.estimators_))


RANDOM_FOREST = Candidate(
    "random_forest",
    Family(
        "forest",
        fit_forest,
        reads_gaps=True,
        grid={"min_samples_leaf": [10, 20, 50], "max_features": ["sqrt", 0.1]},
    ),
    {"n_estimators": 300, "min_samples_leaf": 20, "max_features": "sqrt", "most_rows": 50_000},
)
