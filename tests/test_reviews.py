"""What reviews save and where the risk breaks common sense, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.evidence import reviews, sense
from scoring.features import FEATURE_BY_NAME
from scoring.scorer.model import Encoding, Linear, Model
from tests.support import small


@pytest.fixture(scope="module")
def learned():
    return small.scorer()


def test_a_review_saves_what_the_model_gets_wrong_less_what_the_person_does(learned):
    scorer, table, _ = learned
    certain = replace(scorer, certainty=replace(scorer.certainty, near=(0.0, 1.0), reading=None, rules=()))
    y = np.array([1, 0, 0, 0], dtype=np.int8)
    default, thresholds = np.array([0.1, 0.5, 0.2, 0.1]), np.full(4, 0.35)
    found = reviews.review(certain, table[:4], y, default, thresholds)
    # The model grants the default (10) and refuses a good client (1); erring on all costs 10 + 3.
    assert found.saved[1.0] == pytest.approx(11 / 4)
    assert found.saved[0.5] == pytest.approx((11 - 0.5 * 13) / 4)
    assert found.shares["any"] == found.shares["near_threshold"] == 1
    nobody = replace(scorer, certainty=replace(certain.certainty, near=(1.0, 0.0)))
    assert reviews.review(nobody, table[:4], y, default, thresholds).saved == {}
    assert reviews.review(replace(scorer, certainty=None), table[:4], y, default, thresholds) is None


def with_goods(requests):
    """Forty applications that have all that a smaller loan changes."""
    return small.portfolio([one | {"AMT_GOODS_PRICE": 0.9 * one["AMT_CREDIT"]} for one in requests[:40]])


def judging(names, weights):
    """A scorer whose log-odds are a weighted sum of some features."""
    zero, one = np.zeros(len(names)), np.ones(len(names))
    function = Linear(0.0, np.array(weights), -1e12 * one, 1e12 * one, zero, zero, one, zero, zero)
    return Model(Encoding(tuple(names), {}, {}), function)


def test_the_risk_that_rises_with_a_smaller_loan_is_found(learned):
    scorer, _, requests = learned
    asked = with_goods(requests)
    names = ["AMT_CREDIT", "annuity_to_income"]
    ways = {way: sense.walk(asked, way, names) for way in sense.WAYS}
    good = replace(scorer, model=judging(names, [1e-6, 1.0]))
    bad = replace(scorer, model=judging(names, [-1e-6, 0.0]))
    for way, steps in ways.items():
        found = sense.sense(good, way, steps)
        assert (found.applications, found.rose, found.ended_higher, found.worst) == (40, 0, 0, 0)
    found = sense.sense(bad, "amount", ways["amount"])
    assert found.rose == found.ended_higher == 1 and found.worst > 0


def test_directions_that_make_common_sense_a_law_are_those_in_which_features_move(learned):
    _, _, requests = learned
    asked = with_goods(requests)
    names = ["AMT_CREDIT", "AMT_INCOME_TOTAL", "annuity_to_income", "credit_to_annuity", "EXT_SOURCE_2"]
    found, torn = sense.directions({way: sense.walk(asked, way, names) for way in sense.WAYS})
    assert found == {"AMT_CREDIT": 1, "AMT_INCOME_TOTAL": -1, "annuity_to_income": 1} and torn == []
    assert all(FEATURE_BY_NAME[name].direction in (0, sign) for name, sign in found.items())
