"""Promises of scoring/candidates/search.py."""

from dataclasses import replace

import numpy as np
import optuna
import polars as pl
import pytest

from scoring.candidates import DUMMY, LIGHTGBM, LOGISTIC_REGRESSION, SCORECARD, XGBOOST, TrainingSet
from scoring.candidates.coding import Coded
from scoring.candidates.search import Search
from scoring.evaluation import cross_validate, deal_folds
from scoring.scorer.model import probability


def table(n: int = 900) -> tuple[Coded, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(n, 3))
    y = (random.random(n) < probability(-1.5 + x @ np.array([1.0, 0.5, 0.0]))).astype(np.int8)
    return Coded.of(pl.DataFrame(x, schema=["a", "b", "noise"])), y


CODED, Y = table()
DATA = TrainingSet(CODED, Y)
SMALL = replace(LIGHTGBM, rounds=15)


@pytest.fixture
def search(tmp_path):
    def make(trials: int = 3, left_s: float = 1e9, on_progress: list | None = None) -> Search:
        return Search(
            trials,
            tmp_path / "search.jsonl",
            "key",
            0,
            lambda: left_s,
            (on_progress if on_progress is not None else []).append,
        )

    return make


def test_a_simple_family_is_tried_on_its_whole_grid_by_cost(search):
    tuned, trials = search().tune(LOGISTIC_REGRESSION, DATA, "all")
    tried = [trial["settings"]["C"] for trial in trials]
    assert (
        tried[0] == LOGISTIC_REGRESSION.settings["C"]
        and sorted(tried) == LOGISTIC_REGRESSION.family.grid["C"]
    )
    best = min(trials, key=lambda trial: trial["cost_per_1000"])
    assert tuned.settings == {**LOGISTIC_REGRESSION.settings, **best["settings"]}
    assert all(0 < trial["auc"] < 1 and 0 < trial["accuracy"] < 1 for trial in trials)


@pytest.mark.parametrize("candidate", [SMALL, replace(XGBOOST, rounds=15)], ids=lambda c: c.name)
def test_a_boosted_family_begins_with_its_declared_settings(search, candidate):
    said: list[str] = []
    tuned, trials = search(on_progress=said).tune(candidate, DATA, "all")
    assert len(trials) == 3
    space = candidate.family.space
    assert trials[0]["settings"] == {name: candidate.settings[name] for name in space}
    assert set(tuned.settings) == set(candidate.settings)
    assert said[-1].startswith("trial 3 of 3, best ")


def test_a_search_that_was_broken_off_goes_on(search, monkeypatch):
    first = search(trials=2).tune(SMALL, DATA, "fold 0")[1]
    more = search(trials=3).tune(SMALL, DATA, "fold 0")[1]
    assert more[:2] == first
    assert len(more) == 3
    monkeypatch.setattr(optuna.Study, "optimize", lambda *_, **__: pytest.fail("nothing is left to try"))
    assert search(trials=3).tune(SMALL, DATA, "fold 0")[1] == more


def test_each_part_has_its_own_search(search):
    search(trials=2).tune(SMALL, DATA, "fold 0")
    assert len(search(trials=1).tune(SMALL, DATA, "fold 1")[1]) == 1


@pytest.mark.parametrize("candidate", [LOGISTIC_REGRESSION, SMALL], ids=lambda c: c.name)
def test_without_time_the_declared_settings_stand(search, candidate):
    assert search(left_s=-1.0).tune(candidate, DATA, "all") == (candidate, [])


def test_a_grid_stops_where_the_time_is_over(search):
    left = iter([1.0, 1.0, -1.0])
    said: list[str] = []
    grid = replace(search(on_progress=said), remaining_s=lambda: next(left))
    tuned, trials = grid.tune(LOGISTIC_REGRESSION, DATA, "all")
    assert [trial["settings"]["C"] for trial in trials] == [0.01, 0.001]
    assert tuned.settings["C"] in (0.01, 0.001)
    assert said == ["grid, 1 of 5", "grid, 2 of 5"]
    assert len(trials) < grid.planned(LOGISTIC_REGRESSION) == len(LOGISTIC_REGRESSION.family.grid["C"])
    assert (grid.planned(LIGHTGBM), grid.planned(SCORECARD), grid.planned(DUMMY)) == (3, 9, 0)


def test_what_has_nothing_to_search_is_left_alone(search):
    assert search().tune(DUMMY, DATA, "all") == (DUMMY, [])


def test_a_search_of_a_fold_never_sees_the_fold_and_reads_what_its_model_reads():
    folds, seen = deal_folds(Y, 3), {}
    chosen = [("a", "b"), ("b", "noise"), ("a", "noise")]

    def tune(data, part):
        seen[part] = data.positions
        assert data.coded.names == chosen[int(part.removeprefix("fold "))]
        return SCORECARD, [{"state": "complete"}]

    found = cross_validate(SCORECARD, DATA, folds, tune=tune, chosen=chosen)
    for fold in range(3):
        assert sorted(seen[f"fold {fold}"]) == np.flatnonzero(folds != fold).tolist()
    assert set(found.trials) == set(seen)
