"""The decision in money: formulas worked by hand, and laws of the curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.decision import COSTS, GRANT_ALL
from scoring.evidence.money import Terms, best_cutoff, decided, expected_loss, outcome, scenarios, strategy

TERMS = Terms(loss_given_default=0.5, margin=0.1)
Y = np.array([0, 0, 1, 0, 1], dtype=np.int8)
P = np.array([0.05, 0.10, 0.15, 0.20, 0.60])
CREDIT = np.array([100.0, 200.0, 100.0, 400.0, 200.0])  # 1,000 in all: money per 1,000 asked is money

portfolios = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.7]), min_size=n, max_size=n),
        st.lists(st.sampled_from([50.0, 100.0, 900.0]), min_size=n, max_size=n),
    )
)


def test_expected_loss_is_pd_times_lgd_times_exposure():
    assert expected_loss(np.array([0.04, 0.5]), np.array([1_000.0, 20.0]), TERMS).tolist() == [20.0, 5.0]


def test_a_cutoff_worked_by_hand():
    found = outcome(Y, P, CREDIT, 0.18, TERMS)
    assert found.share_granted == 0.6
    assert found.default_rate == pytest.approx(1 / 3)
    assert found.expected_loss == pytest.approx(0.5 * (5 + 20 + 15))
    assert found.loss == pytest.approx(50)  # the default of 100
    assert found.margin == pytest.approx(30)  # of 100 and 200
    assert found.profit == pytest.approx(-20)
    assert found.cost_per_1000 == pytest.approx(1_000 * (10 * 1 + 1 * 1) / 5)


def test_a_probability_at_the_cutoff_is_refused():
    assert outcome(Y, P, CREDIT, 0.20, TERMS).share_granted == 0.6
    assert outcome(Y, P, CREDIT, np.nextafter(0.20, 1), TERMS).share_granted == 0.8


def test_decisions_at_the_threshold_of_each_fold_by_hand():
    thresholds = np.array([0.04, 0.12, 0.16, 0.16, 0.16])  # the first is refused at 0.05, the third granted
    found = decided(Y, P, CREDIT, thresholds, 0.13, TERMS)
    assert (found.threshold, found.share_granted) == (0.13, 0.4)
    assert found.default_rate == 0.5
    assert found.loss == pytest.approx(50)
    assert found.margin == pytest.approx(20)
    assert found.expected_loss == pytest.approx(0.5 * (20 + 15))
    assert found.cost_per_1000 == pytest.approx(1_000 * (10 * 1 + 1 * 2) / 5)
    assert decided(Y, P, CREDIT, np.full(5, 0.18), 0.18, TERMS) == outcome(Y, P, CREDIT, 0.18, TERMS)


def test_a_scenario_of_a_high_margin_stays_within_the_loan():
    margins = {terms.margin for terms, _ in scenarios(Y, P, CREDIT, Terms(0.45, 0.6))}
    assert margins == {0.3, 0.6, 1.0}
    assert len(scenarios(Y, P, CREDIT, Terms(0.45, 1.0))) == 6  # twice the whole loan is the loan again


def test_two_points_of_a_curve_that_is_shown_have_many_applications_between_them():
    random = np.random.default_rng(0)
    p = random.random(1_250).round(2)
    curve = strategy((random.random(1_250) < p).astype(np.int8), p, np.ones(1_250), points=100, smallest=100)
    granted = [round(1_250 * point.share_granted) for point in curve]
    assert (granted[0], granted[-1]) == (0, 1_250) and min(np.diff(granted)) >= 100
    assert len(granted) > 8


def test_the_best_cutoff_by_hand_grants_what_earns():
    # grant 1: 10; 2: 30; 3: -20; 4: 20; 5: -80
    best = best_cutoff(Y, P, CREDIT, TERMS)
    assert best.profit == pytest.approx(30)
    assert best.threshold == 0.15


def test_ten_to_one_says_that_a_default_loses_ten_margins():
    assert Terms().cost_ratio == pytest.approx(10)
    assert Terms().threshold == pytest.approx(COSTS.threshold)
    assert Terms(0.45, 0.09).threshold == pytest.approx(1 / 6)


def test_the_curve_runs_from_nobody_to_everybody():
    curve = strategy(Y, P, CREDIT, TERMS)
    assert [point.share_granted for point in curve] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert (curve[0].profit, curve[0].default_rate) == (0.0, 0.0)
    assert curve[-1].threshold == GRANT_ALL
    assert curve[-1].expected_loss == pytest.approx(0.5 * (5 + 20 + 15 + 80 + 120))


@given(portfolios)
def test_no_cutoff_earns_more_than_the_best(portfolio):
    y, p, credit = (np.array(values) for values in portfolio)
    best = best_cutoff(y, p, credit, TERMS)
    for point in strategy(y, p, credit, TERMS):
        assert point.profit <= best.profit + 1e-9
        again = outcome(y, p, credit, point.threshold, TERMS)
        assert again.share_granted == point.share_granted
        assert again.profit == pytest.approx(point.profit)


@pytest.mark.parametrize("terms", [(0.0, 0.1), (1.1, 0.1), (0.5, 0.0), (0.5, float("nan"))])
def test_terms_without_sense_are_refused(terms):
    with pytest.raises(ValueError, match="outside"):
        Terms(*terms)


def test_a_credit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="exposure"):
        outcome(Y, P, np.zeros(5), 0.1, TERMS)
