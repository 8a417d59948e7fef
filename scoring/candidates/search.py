"""Search for hyper-parameters by what decisions cost: a grid for simple families, Optuna for boosted ones.

A search sees the rows that it is given and nothing else: cross-validation gives it the rows outside a fold,
so that the published figure never saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from scoring.candidates import Candidate, Trials, fit_rows
from scoring.candidates.coding import Coded
from scoring.decision import COSTS, best_threshold, expected_cost
from scoring.metrics import Outcomes, measure
from scoring.scorer.model import Vector, probability

if TYPE_CHECKING:  # imported where it is used: most trainings search nothing
    import optuna

INNER_FOLDS = 3
TRIALS_BEFORE_PRUNING = 5
GRIDS: dict[str, dict[str, list[Any]]] = {
    "linear": {"C": [0.001, 0.003, 0.01, 0.03, 0.1]},
    "scorecard": {"features": [15, 25, 40], "max_bins": [4, 6, 8]},
    "forest": {"min_samples_leaf": [10, 20, 50], "max_features": ["sqrt", 0.1]},
}
Told = Callable[[str], None]


@dataclass(frozen=True)
class Search:
    """What a search may take, and where it keeps what it found.

    Attributes
    ----------
    trials : int
        Of each boosted search; a grid is tried whole, in the time that there is.
    storage : Path
        File of Optuna's trials, JSON lines: a search that was interrupted goes on from them.
    key : str
        Of everything that a trial's result depends on; the studies are named after it.
    seed : int
    remaining_s : callable
        Returns the seconds left; no trial begins below 0.
    told : callable
        Called with a line about the best so far.
    """

    trials: int
    storage: Path
    key: str
    seed: int
    remaining_s: Callable[[], float]
    told: Told

    def tune(
        self,
        candidate: Candidate,
        coded: Coded,
        rows: NDArray[np.intp],
        y: Outcomes,
        directions: Mapping[str, int],
        part: str,
    ) -> tuple[Candidate, Trials]:
        """Return the candidate with the settings whose decisions cost least on inner folds, and all trials.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Positions of the applications to learn from; ``y`` has their outcomes.
        part : str
            Names the rows among those of the same key, as ``"fold 2"``.
        """
        if candidate.family in GRIDS:
            trials = self._grid(candidate, coded, rows, y, directions)
        elif candidate.family in ("boosted", "xgboost"):
            trials = self._optimise(candidate, coded, rows, y, directions, part)
        else:
            return candidate, []
        whole = [trial for trial in trials if trial["state"] == "complete"]
        if not whole:  # the time was over before the first
            return candidate, trials
        best = min(whole, key=lambda trial: trial["cost_per_1000"])
        return replace(candidate, settings={**candidate.settings, **best["settings"]}), trials

    def planned(self, candidate: Candidate) -> int:
        """Return how many trials a whole search of a candidate has; fewer, and the time was over before."""
        if candidate.family in GRIDS:
            return prod(map(len, GRIDS[candidate.family].values()))
        return self.trials if candidate.family in ("boosted", "xgboost") else 0

    def _grid(
        self,
        candidate: Candidate,
        coded: Coded,
        rows: NDArray[np.intp],
        y: Outcomes,
        directions: Mapping[str, int],
    ) -> Trials:
        """Try every combination by scikit-learn's grid search, the declared settings first."""
        grid = GRIDS[candidate.family]
        combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        combinations.sort(key=lambda tried: any(candidate.settings[name] != tried[name] for name in grid))
        trials: Trials = []
        for number, settings in enumerate(combinations, 1):
            if self.remaining_s() < 0:
                break
            self.told(f"grid, {number} of {len(combinations)}")
            found = GridSearchCV(
                _Estimator(candidate, coded, directions, self.seed),
                {"settings": [settings]},
                scoring=_judge,
                refit=False,
                cv=_inner(self.seed),
                error_score="raise",
            ).fit(rows, y)
            means = {n: SIGN[n] * float(found.cv_results_[f"mean_test_{n}"][0]) for n in MEASURED}
            trials.append({"settings": settings, "state": "complete", **means})
        return trials

    def _optimise(
        self,
        candidate: Candidate,
        coded: Coded,
        rows: NDArray[np.intp],
        y: Outcomes,
        directions: Mapping[str, int],
        part: str,
    ) -> Trials:
        """Try settings that Optuna proposes; a trial that is behind after a fold or two is pruned."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            study_name=f"{self.key} {part}",
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(self.storage))),
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, n_warmup_steps=1),
        )
        over = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        done = len(study.get_trials(deepcopy=False, states=over))
        # Another seed after an interruption: the same one would propose what is known already.
        study.sampler = optuna.samplers.TPESampler(seed=self.seed + done, n_startup_trials=8)
        space = SPACES[candidate.family]
        if not study.get_trials(deepcopy=False):  # the declared settings are the first to be tried
            study.enqueue_trial({name: candidate.settings[name] for name in space})

        def objective(trial: optuna.Trial) -> float:
            settings = {name: suggest(trial, name) for name, suggest in space.items()}
            tried = replace(candidate, settings={**candidate.settings, **settings})
            folds: list[dict[str, float]] = []
            for step, (learn, judge) in enumerate(_inner(self.seed).split(rows, y)):
                estimator = _Estimator(tried, coded, directions, self.seed).fit(rows[learn], y[learn])
                folds.append(_judge(estimator, rows[judge], y[judge]))
                cost = -float(np.mean([fold["cost_per_1000"] for fold in folds]))
                trial.report(cost, step)
                if step + 1 < INNER_FOLDS and trial.should_prune():
                    raise optuna.TrialPruned
            for name in MEASURED[1:]:
                trial.set_user_attr(name, float(np.mean([fold[name] for fold in folds])))
            return cost

        for number in range(done, self.trials):
            if self.remaining_s() < 0:
                break
            study.optimize(objective, n_trials=1)
            try:
                best = f"{study.best_value:.0f} per 1,000"
            except ValueError:  # nothing but pruned trials yet
                best = "none yet"
            self.told(f"trial {number + 1} of {self.trials}, best {best}")
        return [
            {
                "settings": dict(trial.params),
                "state": trial.state.name.lower(),
                "cost_per_1000": trial.value,
                **trial.user_attrs,
            }
            for trial in study.get_trials(deepcopy=False, states=over)
        ]


MEASURED = ("cost_per_1000", "auc", "accuracy")
SIGN = {"cost_per_1000": -1.0, "auc": 1.0, "accuracy": 1.0}  # scikit-learn's scores: more is better
Suggest = Callable[["optuna.Trial", str], Any]


def _real(low: float, high: float, is_log: bool = False) -> Suggest:
    return lambda trial, name: trial.suggest_float(name, low, high, log=is_log)


def _whole(low: int, high: int, is_log: bool = False) -> Suggest:
    return lambda trial, name: trial.suggest_int(name, low, high, log=is_log)


SPACES: dict[str, dict[str, Suggest]] = {
    "boosted": {
        "learning_rate": _real(0.03, 0.15, is_log=True),
        "num_leaves": _whole(6, 48, is_log=True),
        "min_child_samples": _whole(20, 300, is_log=True),
        "feature_fraction": _real(0.03, 0.4, is_log=True),
        "bagging_fraction": _real(0.5, 1.0),
        "lambda_l2": _real(1.0, 300.0, is_log=True),
    },
    "xgboost": {
        "learning_rate": _real(0.02, 0.1, is_log=True),
        "max_depth": _whole(3, 7),
        "min_child_weight": _real(5.0, 100.0, is_log=True),
        "colsample_bytree": _real(0.05, 0.5, is_log=True),
        "subsample": _real(0.6, 1.0),
        "lambda": _real(1.0, 200.0, is_log=True),
    },
}


class _Estimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A candidate in scikit-learn's shape; its samples are positions in the coded table."""

    def __init__(
        self,
        candidate: Candidate,
        coded: Coded,
        directions: Mapping[str, int],
        seed: int,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.candidate, self.coded, self.directions, self.seed = candidate, coded, directions, seed
        self.settings = settings

    def __sklearn_clone__(self) -> _Estimator:
        """Share the table: a deep copy of it would fill the memory."""
        return _Estimator(self.candidate, self.coded, self.directions, self.seed, self.settings)

    def fit(self, rows: NDArray[np.intp], y: Outcomes) -> _Estimator:
        """Fit on these rows."""
        settings = {**self.candidate.settings, **(self.settings or {})}
        tried = replace(self.candidate, settings=settings)
        self.encoding_, self.function_ = fit_rows(tried, self.coded, rows, y, self.directions, self.seed)
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, rows: NDArray[np.intp]) -> Vector:
        """Return the log-odds of these rows."""
        raw: Vector = self.function_.raw(self.coded.encode(self.encoding_, rows))
        return raw


def _inner(seed: int) -> StratifiedKFold:
    return StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)


def _judge(estimator: _Estimator, rows: NDArray[np.intp], y: Outcomes) -> dict[str, float]:
    """Return cost, AUC and accuracy at the fold's own best threshold: comparing needs no calibration."""
    p = probability(estimator.decision_function(rows))
    threshold = best_threshold(y, p)
    judged = measure(y, p, min(threshold, 1.0))
    cost = 1_000 * expected_cost(y, p, threshold, COSTS)
    return {"cost_per_1000": -cost, "auc": judged["auc"], "accuracy": judged["accuracy"]}
