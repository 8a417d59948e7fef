"""Common sense as a law: who borrows less, or earns more, is never a greater risk for that."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from scoring import features
from scoring.candidates import LIGHTGBM, TrainingSet, fit
from scoring.evidence.sense import WAYS, directions, sense, walk
from tests.support import small
from tests.support.wild import wild_request

MANY = 300
NAMES = features.names(())


def people(seed: int):
    """Give applicants with any history that the door lets through, who can walk both ways."""
    random = Random(seed)
    plain = small.applications(MANY, seed)
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


def fitted(is_directed: bool):
    table = features.build(small.portfolio(small.applications(600))).select(NAMES)
    y = (np.random.default_rng(1).random(600) < 1 / (1 + np.exp(-small.burdened(table)))).astype(np.int8)
    data = TrainingSet.of(table, y, {n: features.FEATURE_BY_NAME[n].direction for n in NAMES})
    few = {"learning_rate": 0.2, "lambda_l2": 1.0, "min_child_samples": 10, "feature_fraction": 0.3}
    candidate = replace(LIGHTGBM, settings={**LIGHTGBM.settings, **few}, boosters=1, is_directed=is_directed)
    model = fit(candidate, data, rounds=40)
    return replace(small.scorer()[0], model=model, certainty=None)


@pytest.mark.parametrize("is_directed", [True, False])
def test_the_risk_of_a_directed_model_never_rises_on_the_way_and_that_of_another_does(walked, is_directed):
    scorer = fitted(is_directed)
    for way, steps in walked.items():
        found = sense(scorer, way, steps)
        assert found is not None and found.applications == MANY
        assert (found.rose == found.ended_higher == found.worst == 0) == is_directed
