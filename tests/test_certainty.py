"""How sure a scorer is: intervals that hold the true probability, and a share of reviews that is kept."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.candidates import LOGISTIC_REGRESSION, TrainingSet
from scoring.decider import Asked, Decider
from scoring.evaluation import certain, cross_validate, deal_folds
from scoring.schema import ApplicationRequest
from scoring.scorer.certainty import DISAGREES, NEAR, REASONS, UNLIKE, ReviewRule
from scoring.scorer.model import probability
from scoring.scorer.scorecard import FeaturePoints, Scorecard
from tests.support import small

CERTAINTY = small.certainty(["EXT_SOURCE_2", "installment_late_days_mean"])
THRESHOLD = 1 / 11


@given(st.floats(0, 1))
def test_an_interval_holds_its_probability(default):
    low, high = CERTAINTY.interval(np.array([default]))
    assert 0 <= low[0] <= default <= high[0] <= 1


def test_an_interval_reaches_as_far_as_its_knots_say():
    low, high = CERTAINTY.interval(probability(np.array([-1.0])))
    assert low[0] == pytest.approx(probability(np.array([-1.7]))[0], rel=0.02)
    assert high[0] == pytest.approx(probability(np.array([-0.4]))[0], rel=0.02)


@pytest.fixture(scope="module")
def learned():
    """A model whose error is known: it has 0.5 to go, and as much again with a quarter of them."""
    random = np.random.default_rng(3)
    n, error = 30_000, 0.5
    full = random.normal(-2.9, 1.0, n)
    truth = full - error**2 / 2 + error * random.normal(size=n)  # its mean probability is that of `full`
    y = (random.random(n) < probability(truth)).astype(np.int8)
    lesser = full + random.normal(0, error, n)
    card = full + random.normal(0, 1.0, n)
    features = pl.DataFrame({"x": full, "word": ["a"] * (n - 1) + ["b"]})
    readable = certain.Readable(Scorecard(0.0, (FeaturePoints(0, (0.0,), (-1.0, 1.0), 0.0),)), card)
    rules = (ReviewRule("x", at_least=1.0),)
    found = certain.learn(y, probability(full), lesser, THRESHOLD, features, readable=readable, rules=rules)
    return found, probability(full), probability(truth), card


def test_nine_intervals_in_ten_hold_the_true_probability(learned):
    found, default, truth, _ = learned
    low, high = found.interval(default)
    assert 0.86 <= np.mean((low <= truth) & (truth <= high)) <= 0.94


def test_no_more_go_to_review_than_may(learned):
    found, default, _, _ = learned
    assert found.shares["any"] == pytest.approx(0.15, abs=1e-3)
    assert found.shares[DISAGREES] == pytest.approx(certain.MOST_DISAGREE, abs=1e-3)
    assert found.shares[UNLIKE] <= certain.MOST_UNLIKE
    assert found.near[0] < THRESHOLD < found.near[1]
    assert 0 < found.near_level < 0.9
    near = (default >= found.near[0]) & (default <= found.near[1])
    assert near.mean() == found.shares[NEAR]


def test_a_scorecard_disagrees_only_where_it_is_clearly_on_the_other_side(learned):
    found, default, _, card = learned
    refused = default >= THRESHOLD
    disagrees = np.where(refused, card <= found.reading.grants_to, card >= found.reading.refuses_from)
    assert disagrees.mean() == pytest.approx(found.shares[DISAGREES])
    assert found.reading.grants_to < found.reading.refuses_from


def test_without_room_nobody_is_sent_for_nearness(learned):
    _, default, _, _ = learned
    random = np.random.default_rng(4)
    y = (random.random(len(default)) < default).astype(np.int8)
    lesser = np.log(default / (1 - default)) + random.normal(0, 0.4, len(default))
    table = pl.DataFrame({"x": default})
    found = certain.learn(y, default, lesser, THRESHOLD, table, most=0.0)
    assert found.shares == {
        **dict.fromkeys(REASONS, 0.0),
        UNLIKE: found.shares[UNLIKE],
        "any": found.shares["any"],
    }
    assert found.shares[NEAR] == 0 and not found.near[0] <= THRESHOLD <= found.near[1]


def test_a_model_that_says_the_same_of_all_is_sure_of_nothing():
    y = np.arange(100) % 5 == 0
    same = np.full(100, 0.2)
    assert certain.learn(y.astype(np.int8), same, np.zeros(100), 0.1, pl.DataFrame({"x": same})) is None


def test_values_that_nobody_else_has_are_counted_as_unlike_training():
    table = pl.DataFrame({"x": [1.0, 1.0, 2.0, 3.0, None], "word": ["a", "a", "b", None, "a"]})
    assert certain._odd_alone(table).tolist() == [0, 0, 1, 1, 0]


@pytest.mark.parametrize("text", ["AMT_CREDIT", "AMT_CREDIT>1", "AMT_CREDIT>=much", "AMT_CREDIT>=nan", ">=1"])
def test_what_is_no_rule_is_said_to_be_none(text):
    with pytest.raises(ValueError, match="is no rule of review; write it like"):
        ReviewRule.of(text)


def test_a_rule_reads_as_it_is_written():
    assert ReviewRule.of("AMT_CREDIT >= 2e6") == ReviewRule("AMT_CREDIT", at_least=2e6)
    assert ReviewRule.of("EXT_SOURCE_2<=0.1") == ReviewRule("EXT_SOURCE_2", at_most=0.1)


def test_a_rule_on_what_is_no_number_of_the_model_is_refused(learned):
    _, default, _, _ = learned
    table = pl.DataFrame({"word": ["a"] * len(default)})
    with pytest.raises(ValueError, match="'word', which is no number that the model reads"):
        certain.learn(default > 0.5, default, default, 0.1, table, rules=(ReviewRule("word", at_least=1.0),))


def test_a_scorer_of_an_earlier_version_gives_no_interval_and_says_nothing_of_review():
    scorer = replace(small.scorer()[0], certainty=None)
    applications = [ApplicationRequest.model_validate(request) for request in small.applications(130)]
    decider = Decider(scorer, "m")
    for asked in (applications[:1], applications):  # alone, and as a table
        for said in decider.decide(Asked("r", asked)):
            assert said["probability_low"] is None and said["probability_high"] is None
            assert said["review"] is None and said["review_reasons"] == []


def test_models_of_a_quarter_are_judged_on_what_they_did_not_see():
    random = np.random.default_rng(5)
    x = random.normal(size=2_000)
    y = (random.random(2_000) < probability(x - 1)).astype(np.int8)
    data = TrainingSet.of(pl.DataFrame({"x": x, "noise": random.normal(size=2_000)}), y)
    folds = deal_folds(y, 3)
    found = cross_validate(LOGISTIC_REGRESSION, data, folds, has_lesser=True)
    assert found.lesser is not None and not np.array_equal(found.lesser, found.raw)
    assert np.corrcoef(found.lesser, found.raw)[0, 1] > 0.9
    assert cross_validate(LOGISTIC_REGRESSION, data, folds).lesser is None
