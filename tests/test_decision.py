"""Promises of scoring/decision.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scoring.decision import (
    GRANT_ALL,
    POINTS,
    PROTECTED,
    Costs,
    Points,
    best_threshold,
    decide,
    expected_cost,
    protected_columns,
)
from scoring.metrics import measure

# Few distinct values, so that ties are common.
PROBABILITIES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.05, 1 / 11, 0.1, 0.5, 1.0]))


@st.composite
def outcomes(draw):
    n = draw(st.integers(1, 30))
    y = draw(hnp.arrays(np.int8, n, elements=st.integers(0, 1)))
    return y, draw(hnp.arrays(np.float64, n, elements=PROBABILITIES))


@given(outcomes(), st.floats(0.1, 50))
def test_no_threshold_is_cheaper_than_the_best(data, false_negative):
    y, p = data
    costs = Costs(false_negative, 1.0)
    cheapest = expected_cost(y, p, best_threshold(y, p, costs), costs)
    tried = np.unique(np.concatenate([[0.0, GRANT_ALL], p, np.minimum(np.nextafter(p, 2), GRANT_ALL)]))
    assert cheapest <= min(expected_cost(y, p, t, costs) for t in tried) + 1e-12


@given(outcomes())
def test_the_best_threshold_does_not_depend_on_the_order_of_rows(data):
    y, p = data
    order = np.random.default_rng(0).permutation(len(y))
    assert best_threshold(y, p) == best_threshold(y[order], p[order])


def test_among_equally_cheap_thresholds_the_nearest_to_theory_is_taken():
    # Every threshold in (0.05, 0.6] separates them; 1 / 11 lies inside.
    assert best_threshold([0, 0, 1, 1], [0.01, 0.05, 0.6, 0.9]) == 1 / 11


def test_a_gap_that_theory_misses_is_cut_in_its_middle():
    assert best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == 0.25


def test_calibrated_probabilities_are_best_cut_near_one_eleventh():
    random = np.random.default_rng(0)
    p = random.beta(1, 11, 200_000)
    y = random.random(len(p)) < p
    assert best_threshold(y, p) == pytest.approx(1 / 11, abs=0.01)
    assert Costs().threshold == 1 / 11


def test_when_everybody_repays_everybody_is_granted():
    p = np.array([0.0, 0.4, 1.0])
    assert (decide(p, best_threshold(np.zeros(3), p)) == "granted").all()


def test_when_everybody_defaults_everybody_is_refused():
    p = np.array([0.0, 0.4, 1.0])
    assert (decide(p, best_threshold(np.ones(3), p)) == "refused").all()


def test_the_business_score_of_a_worked_example():
    y = np.array([1, 1, 0, 0, 0], dtype=np.int8)
    p = np.array([0.9, 0.05, 0.2, 0.01, 0.02])
    # One default granted (10) and one good client refused (1), of at most 2 x 10 + 3 x 1.
    assert expected_cost(y, p, 0.1) == 11 / 5
    assert measure(y, p, 0.1)["business_score"] == pytest.approx(1 - 11 / 23)


def test_granting_everybody_at_the_real_default_rate_scores_0_532():
    y = np.zeros(100_000, dtype=np.int8)
    y[:8_073] = 1
    assert measure(y, np.zeros(len(y)), 0.5)["business_score"] == pytest.approx(0.532, abs=0.0005)
    assert 1_000 * expected_cost(y, np.zeros(len(y)), 0.5) == pytest.approx(807, abs=1)


def test_an_application_at_the_threshold_is_refused():
    assert decide([0.0899, 0.09, 0.0901], 0.09).tolist() == ["granted", "refused", "refused"]


def test_points_of_the_published_table():
    p = [0.01, 0.02, 0.05, 1 / 11, 0.15, 0.30, 0.50]
    assert Points().of(p).tolist() == [620, 599, 572, 554, 537, 512, 487]


def test_twenty_points_more_double_the_odds():
    points = Points()
    odds = np.array([1.0, 2.0, 4.0, 50.0, 100.0])
    exact = points.offset + points.factor * np.log(odds)
    assert np.diff(exact[:3]) == pytest.approx([20, 20])
    assert exact[3:] == pytest.approx([600, 620])


@given(hnp.arrays(np.float64, st.integers(2, 30), elements=PROBABILITIES))
def test_a_lower_risk_never_has_fewer_points_and_points_are_finite_integers(p):
    points = Points().of(np.sort(p))
    assert (np.diff(points) <= 0).all()
    assert points.dtype == np.int64
    assert points.min() >= 88
    assert points.max() <= 886


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf])
def test_what_is_no_probability_is_refused(value):
    for call in (
        lambda: decide([value], 0.5),
        lambda: Points().of([value]),
        lambda: best_threshold([0], [value]),
    ):
        with pytest.raises(ValueError, match=r"outside \[0, 1\]; give the probability"):
            call()


def test_points_given_as_a_threshold_are_refused():
    with pytest.raises(ValueError, match="give the probability, not points"):
        decide([0.5], 554)


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [([0, 1], [0.5], "outcomes for"), ([], [], "no application"), ([2], [0.5], "neither 0")],
)
def test_outcomes_that_do_not_fit_are_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        expected_cost(y, p, 0.5)


@pytest.mark.parametrize("costs", [(0, 1), (-1, 1), (10, float("nan")), (float("inf"), 1)])
def test_costs_that_order_no_decision_are_refused(costs):
    with pytest.raises(ValueError, match="must be a finite number above 0"):
        Costs(*costs)


def test_a_scale_without_direction_is_refused():
    with pytest.raises(ValueError, match="is no scale"):
        Points(double=0)


def test_protected_attributes_name_their_columns():
    assert protected_columns(["gender", "age"]) == {"CODE_GENDER", "DAYS_BIRTH"}
    assert protected_columns([]) == frozenset()
    with pytest.raises(ValueError, match="unknown protected attribute 'religion'; choose among gender"):
        protected_columns([*PROTECTED, "religion"])


@given(st.floats(-30, 30), st.lists(st.floats(-20, 20), max_size=14))
def test_the_points_of_a_score_sum_to_it_wherever_it_stands(base, log_odds):
    total = base + sum(log_odds)
    score = int(POINTS.of(1 / (1 + np.exp(-total)) if total > -700 else 0.0))
    of_base, points = POINTS.split(base, log_odds, score)
    assert of_base + sum(points) == score
    if abs(total) < 13:  # not at an end of the scale
        assert abs(of_base - (POINTS.offset - POINTS.factor * base)) <= 1.001
    for whole, share in zip(points, log_odds, strict=True):
        assert abs(whole + POINTS.factor * share) <= 1.001
