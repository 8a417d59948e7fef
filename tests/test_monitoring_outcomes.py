"""The bet against the scores is fair, whatever the scores are; the estimate is what they say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.outcomes import ALARM, capital, estimate, watch
from scoring.decision import Costs

LIVES, LABELS = 1_000, 3_000


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=7))
def test_the_mean_of_the_capital_is_one_while_the_scores_are_right(p: list[float]) -> None:
    mean = 0.0
    for y in product((0, 1), repeat=len(p)):
        chance = np.prod([q if one else 1 - q for one, q in zip(y, p, strict=True)])
        mean += chance * np.exp(capital(y, p)[-1])
    assert mean == pytest.approx(1.0)


def lives(times: float) -> np.ndarray:
    """After how many labels each life raises the alarm; more than there are if it does not."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(LIVES):
        p = rng.beta(1.2, 14, LABELS)
        grown = capital(rng.random(LABELS) < np.minimum(times * p, 1), p)
        passed = np.flatnonzero(grown >= np.log(ALARM))
        found.append(passed[0] + 1 if len(passed) else LABELS + 1)
    return np.array(found)


def test_right_scores_raise_the_alarm_in_at_most_one_life_of_a_hundred() -> None:
    assert (lives(1.0) <= LABELS).mean() <= 0.01


def test_half_as_many_defaults_again_are_found_within_a_thousand_labels() -> None:
    assert (lives(1.5) <= 1_000).mean() >= 0.9


def test_the_estimate_is_the_mean_over_all_outcomes() -> None:
    p, refused = np.array([0.1, 0.1, 0.6, 0.9]), np.array([False, False, True, True])
    found = estimate(p, refused, Costs(10, 1))
    assert found.default_rate == pytest.approx(0.425)
    assert found.cost == pytest.approx(1_000 * (1 + 1 + 0.4 + 0.1) / 4)
    right = pairs = 0.0
    for i, j in product(range(4), repeat=2):
        if i != j:  # i defaults, j repays
            pairs += p[i] * (1 - p[j])
            right += p[i] * (1 - p[j]) * (0.5 if p[i] == p[j] else float(p[i] > p[j]))
    assert found.auc == pytest.approx(right / pairs)


def test_the_estimate_follows_other_applicants_and_is_blind_to_other_repayment() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2, 10, 50_000)
    for shift in (np.ones_like(p), p):  # the same applicants, and riskier ones
        chosen = rng.choice(p, 50_000, p=shift / shift.sum())
        y = rng.random(50_000) < chosen
        found = estimate(chosen, chosen >= 0.09)
        assert found.default_rate == pytest.approx(y.mean(), abs=0.005)
        ranks = chosen.argsort().argsort() + 1
        auc = (ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum())
        assert found.auc == pytest.approx(auc, abs=0.01)
    worse = rng.random(50_000) < np.minimum(2 * chosen, 1)
    assert found.default_rate < 0.7 * worse.mean()  # nothing in the scores says so


def test_outcomes_are_bet_on_in_the_order_in_which_they_became_known() -> None:
    n = 400
    table = pl.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(n)],
            "time": [datetime(2026, 1, 1, tzinfo=UTC)] * n,
            "model": ["a"] * (n - 10) + ["b"] * 10,
            "decision": "granted",
            "probability_of_default": 0.1,
            "outcome": ["defaulted"] * 100 + ["repaid"] * 40 + ["unknown"] * 260,
            "observed_on": [date(2027, 1, 1)] * 100 + [date(2026, 6, 1)] * 40 + [None] * 260,
        }
    )
    found = watch(table, "a")
    assert (found.known, found.awaited, found.defaults) == (140, 250, 100)
    assert found.expected == pytest.approx(14)
    assert found.alarm is not None and 40 < found.alarm < 100, "the repaid ones were known first"
    assert watch(table, "b").known == 0
