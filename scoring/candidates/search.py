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

from scoring.candidates import Candidate, TrainingSet, Trials, fit_rows
from scoring.candidates.family import Span
from scoring.decision import COSTS, best_threshold, expected_cost
from scoring.metrics import Outcomes, measure
from scoring.scorer.model import Vector, probability

if TYPE_CHECKING:  # imported where it is used: most trainings search nothing
    import optuna

INNER_FOLDS = 3
TRIALS_BEFORE_PRUNING = 5
OnProgress = Callable[[str], None]


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
    on_progress : callable
        Called with a line about the best so far.
    """

    trials: int
    storage: Path
    key: str
    seed: int
    remaining_s: Callable[[], float]
    on_progress: OnProgress

    def tune(self, candidate: Candidate, data: TrainingSet, part: str) -> tuple[Candidate, Trials]:
        """Return the candidate with the settings whose decisions cost least on inner folds, and all trials.

        Parameters
        ----------
        data : TrainingSet
        part : str
            Names the rows among those of the same key, as ``"fold 2"``.
        """
        if candidate.family.grid:
            trials = self._grid(candidate, data)
        elif candidate.family.space:
            trials = self._optimise(candidate, data, part)
        else:
            return candidate, []
        whole = [trial for trial in trials if trial["state"] == "complete"]
        if not whole:  # the time was over before the first
            return candidate, trials
        best = min(whole, key=lambda trial: trial["cost_per_1000"])
        return replace(candidate, settings={**candidate.settings, **best["settings"]}), trials

    def planned(self, candidate: Candidate) -> int:
        """Return how many trials a whole search of a candidate has; fewer, and the time was over before."""
        if candidate.family.grid:
            return prod(map(len, candidate.family.grid.values()))
        return self.trials if candidate.family.space else 0

    def _grid(self, candidate: Candidate, data: TrainingSet) -> Trials:
        """Try every combination by scikit-learn's grid search, the declared settings first."""
        grid = candidate.family.grid
        combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        combinations.sort(key=lambda tried: any(candidate.settings[name] != tried[name] for name in grid))
        trials: Trials = []
        for number, settings in enumerate(combinations, 1):
            if self.remaining_s() < 0:
                break
            self.on_progress(f"grid, {number} of {len(combinations)}")
            found = GridSearchCV(
                _Estimator(candidate, data),
                {"settings": [settings]},
                scoring=_judge,
                refit=False,
                cv=_inner(self.seed),
                error_score="raise",
            ).fit(data.positions, data.outcomes)
            means = {n: SIGN[n] * float(found.cv_results_[f"mean_test_{n}"][0]) for n in MEASURED}
            trials.append({"settings": settings, "state": "complete", **means})
        return trials

    def _optimise(self, candidate: Candidate, data: TrainingSet, part: str) -> Trials:
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
        space, rows, y = candidate.family.space, data.positions, data.outcomes
        if not study.get_trials(deepcopy=False):  # the declared settings are the first to be tried
            study.enqueue_trial({name: candidate.settings[name] for name in space})

        def objective(trial: optuna.Trial) -> float:
            settings = {name: _suggest(trial, name, span) for name, span in space.items()}
            tried = replace(candidate, settings={**candidate.settings, **settings})
            folds: list[dict[str, float]] = []
            for step, (learn, judge) in enumerate(_inner(self.seed).split(rows, y)):
                estimator = _Estimator(tried, data).fit(rows[learn], y[learn])
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
            self.on_progress(f"trial {number + 1} of {self.trials}, best {best}")
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


def _suggest(trial: optuna.Trial, name: str, span: Span) -> float:
    if span.is_whole:
        return trial.suggest_int(name, int(span.low), int(span.high), log=span.is_log)
    return trial.suggest_float(name, span.low, span.high, log=span.is_log)


class _Estimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A candidate in scikit-learn's shape; its samples are positions in the coded table."""

    def __init__(
        self, candidate: Candidate, data: TrainingSet, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.candidate, self.data, self.settings = candidate, data, settings

    def __sklearn_clone__(self) -> _Estimator:
        """Share the table: a deep copy of it would fill the memory."""
        return _Estimator(self.candidate, self.data, self.settings)

    def fit(self, rows: NDArray[np.intp], _y: Outcomes) -> _Estimator:
        """Fit on these rows; the table knows their outcomes."""
        settings = {**self.candidate.settings, **(self.settings or {})}
        tried = replace(self.candidate, settings=settings)
        self.encoding_, self.function_ = fit_rows(tried, self.data.take(rows))
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, rows: NDArray[np.intp]) -> Vector:
        """Return the log-odds of these rows."""
        raw: Vector = self.function_.raw(self.data.coded.encode(self.encoding_, rows))
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
