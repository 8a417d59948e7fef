"""Promises of scoring/scorer/calibration.py and scoring/evaluation/calibrating.py."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.decision import best_threshold, expected_cost, steady_threshold
from scoring.evaluation.calibrating import KINDS, beta, choose, isotonic, platt, regression
from scoring.scorer.calibration import Affine, Beta, Isotonic, from_json, to_json
from scoring.scorer.model import probability

MAPS = [
    Affine(),
    Affine(0.7, -0.2),
    Beta(1.3, 0.6, 0.2),
    Beta(0.0, 1.1, -0.4),
    Isotonic((-3.0, -1.0, -0.5, 1.0), (-4.0, -1.5, -1.5, 0.0)),
]
log_odds = st.floats(-12, 12)


def drawn(n=6_000, seed=0, slope=1.0, bend=0.0):
    """Log-odds, and outcomes whose log-odds are a straight or bent function of them."""
    random = np.random.default_rng(seed)
    raw = random.normal(-2.5, 1.0, n)
    truth = slope * raw + bend * np.abs(raw + 2.5)
    return (random.random(n) < probability(truth)).astype(np.int8), raw


@pytest.mark.parametrize("calibration", MAPS, ids=str)
@given(st.lists(log_odds, min_size=1, max_size=6), log_odds)
def test_contributions_sum_to_the_calibrated_log_odds(calibration, contributions, base):
    values, start = calibration.apportion(np.array([contributions]), base)
    expected = calibration.of(np.array([base + sum(contributions)]))[0]
    assert values.sum() + start == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("calibration", MAPS, ids=str)
@given(log_odds, log_odds)
def test_more_risk_before_calibration_is_never_less_after_it(calibration, one, other):
    low, high = calibration.of(np.array(sorted((one, other))))
    assert low <= high


@pytest.mark.parametrize("calibration", MAPS, ids=str)
def test_a_calibration_keeps_the_signs_and_the_order_of_contributions(calibration):
    random = np.random.default_rng(0)
    contributions = random.normal(size=(200, 5))
    values, _ = calibration.apportion(contributions, -2.0)
    assert (np.sign(values) * np.sign(contributions) >= 0).all()
    moved = np.abs(values).sum(axis=1) > 0
    assert (np.argsort(values[moved], axis=1) == np.argsort(contributions[moved], axis=1)).all()


@pytest.mark.parametrize("calibration", MAPS, ids=str)
def test_a_calibration_reads_its_own_json(calibration):
    assert from_json(json.loads(json.dumps(to_json(calibration)))) == calibration


def test_a_scorer_from_before_there_were_kinds_is_affine():
    assert from_json({"slope": 0.9, "intercept": 0.1}) == Affine(0.9, 0.1)


def test_a_kind_that_nobody_knows_is_named():
    with pytest.raises(KeyError, match="magic"):
        from_json({"kind": "magic"})


def test_platt_finds_the_line_that_made_the_outcomes():
    y, raw = drawn(40_000, slope=0.6)
    found = platt(y, raw)
    assert found.slope == pytest.approx(0.6, abs=0.04)
    assert found.intercept == pytest.approx(0.0, abs=0.1)
    assert probability(found.of(raw)).mean() == pytest.approx(y.mean(), abs=1e-6)


def test_the_standard_errors_of_the_line_are_those_of_repeated_samples():
    lines = [regression(*drawn(3_000, seed=seed))[0] for seed in range(60)]
    _, errors = regression(*drawn(3_000))
    assert np.std([line.slope for line in lines]) == pytest.approx(errors[0], rel=0.3)
    assert np.std([line.intercept for line in lines]) == pytest.approx(errors[1], rel=0.3)


@pytest.mark.parametrize("fit", [platt, beta, isotonic])
@pytest.mark.parametrize("sign", [0.0, -1.0])
def test_log_odds_that_do_not_order_the_risk_get_about_the_mean_rate(fit, sign):
    y, raw = drawn()
    calibrated = probability(fit(y, sign * raw).of(sign * raw))
    assert calibrated == pytest.approx(np.full(len(y), y.mean()), abs=0.02)


def test_an_isotonic_map_is_that_of_pooled_rates():
    # The rates 1/2 and 1/3 are out of order, so they pool to 2/5; all are shrunk by ten rows of the mean 3/6.
    raw = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    y = np.array([1, 0, 1, 0, 0, 1], dtype=np.int8)
    found = isotonic(y, raw)
    assert found.x == (3.0, 6.0)
    assert probability(np.array(found.y)) == pytest.approx([(2 + 5) / 15, (1 + 5) / 11])


def halves(y):
    return np.arange(len(y)) % 2


def test_what_is_calibrated_is_left_alone():
    y, raw = drawn()
    got = choose(y, raw, halves(y))
    assert (got.kind, got.calibration) == ("none", Affine())
    assert set(got.log_loss) == set(KINDS)


def test_a_line_is_preferred_to_a_bend_that_gains_nothing():
    y, raw = drawn(slope=0.5)
    assert choose(y, raw, halves(y)).kind == "platt"


def test_a_bend_that_gains_is_taken():
    y, raw = drawn(30_000, bend=0.8)
    got = choose(y, raw, halves(y))
    assert got.kind in ("beta", "isotonic")
    assert got.log_loss[got.kind] < got.log_loss["platt"]


def test_folds_that_are_all_alike_are_halved():
    y, raw = drawn()
    assert choose(y, raw, np.zeros(len(y), int)).kind == "none"


@given(st.integers(0, 10_000))
def test_a_steady_threshold_costs_about_the_least_and_lies_no_farther_from_theory(seed):
    y, raw = drawn(400, seed)
    p = probability(raw)
    steady, best = steady_threshold(y, p), best_threshold(y, p)
    assert abs(steady - 1 / 11) <= abs(best - 1 / 11)
    excess = expected_cost(y, p, steady) - expected_cost(y, p, best)
    assert 0 <= excess <= (100 * y.sum() + len(y)) ** 0.5 / len(y)


def test_a_worked_example_of_a_steady_threshold():
    # Cheapest is to refuse from 0.3 on. Refusing from 1/11 on costs one good client more: within the noise
    # of the one decision between the two, which has a standard error of 1.
    y, p = np.array([0, 0, 1, 1, 1]), np.array([0.05, 0.2, 0.3, 0.4, 0.5])
    assert best_threshold(y, p) == pytest.approx(0.25)
    assert steady_threshold(y, p) == 1 / 11


def test_a_threshold_that_theory_gets_wrong_is_moved():
    y, raw = drawn(20_000)
    wrong = probability(raw + 1.5)  # says four times the odds
    assert steady_threshold(y, wrong) > 0.2
