"""Common sense as a law: who borrows less, or earns more, is never a greater risk for that."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from scoring import features
from scoring.candidates import LIGHTGBM, LOGISTIC_REGRESSION, TrainingSet, fit
from scoring.evidence.sense import NOTHING, WAYS, check_added, directions, sense, walk
from tests.support import small
from tests.support.wild import wild_request

MANY = 300
NAMES = features.names(())


def people(seed: int, many: int = MANY):
    """Give applicants with any history that the door lets through, who can walk both ways."""
    random = Random(seed)
    plain = small.applications(many, seed)
    made = []
    for own in plain:
        wild = wild_request(random)
        goods = round(own["AMT_CREDIT"] * random.choice([0.5, 0.9, 1, 1.2]), 2)
        made.append({**wild, **{n: v for n, v in own.items() if n != "history"}, "AMT_GOODS_PRICE": goods})
    return small.portfolio(made)


@pytest.fixture(scope="module")
def walked():
    portfolio = people(seed=3)
    return {way: walk(portfolio, way, NAMES) for way in WAYS}


def test_every_feature_that_moves_on_a_way_has_the_direction_that_the_way_asks_for(walked):
    found, torn = directions(walked)
    assert len(found) > 30 and not torn
    declared = {name: features.FEATURE_BY_NAME[name].direction for name in found}
    assert declared == found


def moves(name: str, direction: int, monkeypatch):
    """Take a feature for one of the lender's own, declared with this direction."""
    own = replace(features.FEATURE_BY_NAME[name], direction=direction)
    monkeypatch.setattr(features.added, "features", lambda: (own,))
    monkeypatch.setitem(features.FEATURE_BY_NAME, name, own)


@pytest.mark.parametrize("direction", [-1, 0])
def test_a_feature_of_a_lenders_own_that_moves_on_a_way_must_say_in_which_direction(monkeypatch, direction):
    moves("annuity_to_income", direction, monkeypatch)
    with pytest.raises(ValueError, match=r"'annuity_to_income' falls .* needs direction=\+1"):
        check_added(people(seed=4, many=12), NAMES)


def test_a_feature_that_moves_both_ways_stays_out_and_others_pass(monkeypatch):
    moves("annuity_to_income", 1, monkeypatch)
    check_added(people(seed=4, many=12), NAMES)
    check_added(people(seed=4, many=12), set(NAMES) - {"annuity_to_income"})
    monkeypatch.setattr("scoring.evidence.sense.directions", lambda _: ({}, ["annuity_to_income"]))
    with pytest.raises(ValueError, match="rises for some and falls for others"):
        check_added(people(seed=4, many=12), NAMES)


def fitted(is_directed: bool, learner=LIGHTGBM):
    table = features.build(small.portfolio(small.applications(600))).select(NAMES)
    y = (np.random.default_rng(1).random(600) < 1 / (1 + np.exp(-small.burdened(table)))).astype(np.int8)
    data = TrainingSet.of(table, y, {n: features.FEATURE_BY_NAME[n].direction for n in NAMES})
    few = {"learning_rate": 0.2, "lambda_l2": 1.0, "min_child_samples": 10, "feature_fraction": 0.3}
    if learner is not LIGHTGBM:  # what it learns of noise has no sense of its own
        data, few = replace(data, y=data.y[np.random.default_rng(2).permutation(len(y))]), {}
    candidate = replace(learner, settings={**learner.settings, **few}, boosters=1, is_directed=is_directed)
    model = fit(candidate, data, rounds=40)
    return replace(small.scorer()[0], model=model, certainty=None)


@pytest.mark.parametrize("learner", [LIGHTGBM, LOGISTIC_REGRESSION], ids=lambda one: one.name)
@pytest.mark.parametrize("is_directed", [True, False])
def test_the_risk_of_a_directed_model_never_rises_on_the_way_and_that_of_another_does(
    walked, is_directed, learner
):
    scorer = fitted(is_directed, learner)
    found = [sense(scorer, way, steps) for way, steps in walked.items()]
    assert all(one is not None and one.applications == MANY for one in found)
    assert all(one.rose == one.ended_higher == 0 for one in found) == is_directed
    assert all(one.worst <= NOTHING for one in found) == is_directed
