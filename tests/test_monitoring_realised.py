"""How loans ended, what a window cannot show, and when a retraining is proposed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from monitoring.audited import audit, read
from monitoring.errors import InputError
from monitoring.limits import DetectionLimits, limits
from monitoring.outcomes import ALARM, Calibrator, capital, estimate, matured, watch
from monitoring.realised import auc, realised, wilson
from monitoring.reference import Reference
from monitoring.retraining import propose
from scoring.decision import COSTS

TAG = "credit_scoring:first"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def people(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.2, 12, rows)
    return pl.DataFrame(
        {
            "model": TAG,
            "probability_of_default": p,
            "threshold": 0.09,
            "decision": np.where(p >= 0.09, "refused", "granted"),
            "AMT_INCOME_TOTAL": np.round(rng.lognormal(12, 0.5, rows), -2),
            "EXT_SOURCE_2": rng.beta(5, 5, rows),
            "audit.target": (rng.random(rows) < p).astype(int),
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(people(10_000, 1), TAG, {"AMT_INCOME_TOTAL": 0.5, "EXT_SOURCE_2": 0.5})


def ended(rows: int, seed: int, times: float = 1.0, risky: float = 0.0) -> pl.DataFrame:
    """Granted loans of two years: a default is known after 2 to 12 months, a repaid loan after a year."""
    rng = np.random.default_rng(seed)
    p, x = rng.uniform(0.01, 0.09, rows), rng.beta(5, 5, rows)
    truth = np.minimum(p * times + risky * (x > 0.6), 1.0)
    y = rng.random(rows) < truth
    day = np.sort(rng.integers(0, 720, rows))
    age = np.where(y, rng.integers(60, 365, rows), 365) + rng.exponential(20, rows).astype(int)
    return pl.DataFrame(
        {
            "event_id": [f"e{n}" for n in range(rows)],
            "time": [BEGIN + timedelta(days=int(one)) for one in day],
            "model": TAG,
            "decision": "granted",
            "probability_of_default": p,
            "threshold": 0.09,
            "review": "none",
            "outcome": np.where(y, "defaulted", "repaid"),
            "observed_on": [(BEGIN + timedelta(days=int(one))).date() for one in day + age],
            "EXT_SOURCE_2": x,
            "AMT_INCOME_TOTAL": 100_000.0,
        }
    )


def until(table: pl.DataFrame, day: date) -> pl.DataFrame:
    """What is known on a day."""
    later = pl.col("observed_on") > day
    return table.with_columns(
        outcome=pl.when(later).then(pl.lit("unknown")).otherwise("outcome"),
        observed_on=pl.when(~later).then("observed_on"),
    )


def test_defaults_that_are_known_first_do_not_win_the_bet() -> None:
    early = early_alarms = alarms = 0
    for seed in range(20):
        table = until(ended(3_000, seed), date(2027, 1, 15))
        found = watch(table, TAG)
        early, alarms = early + found.early, alarms + (found.alarm is not None)
        known = table.filter(pl.col("outcome") != "unknown").sort("observed_on")
        y, p = (known["outcome"] == "defaulted").to_numpy(), known["probability_of_default"].to_numpy()
        early_alarms += bool(capital(y, p).max() >= np.log(ALARM))
    assert early and not alarms
    assert early_alarms == 20, "as they come they would be called wrong in every life"


def test_outcomes_take_their_turn() -> None:
    table = until(ended(2_000, 3), date(2027, 6, 1))
    ripe = matured(table, TAG)
    assert ripe["time"].max() < datetime(2026, 7, 1, tzinfo=UTC)
    assert set(ripe["y"].unique()) == {0.0, 1.0}


def test_vintages_hold_every_loan_and_their_intervals_the_truth() -> None:
    table = ended(6_000, 4)
    found = realised(table, TAG)
    assert sum(one.granted for one in found.vintages) == found.whole.granted == 6_000
    assert sum(one.defaults for one in found.vintages) == found.whole.defaults
    assert len(found.vintages) == 8, "quarters of two years"
    expected = [one.rate.low <= one.expected <= one.rate.high for one in found.vintages]
    assert np.mean(expected) >= 0.6
    assert found.whole.cost.value == pytest.approx(10_000 * found.whole.rate.value)
    rolled = sum(one.defaults for one in found.rolls)
    assert rolled == found.whole.defaults and found.rolls[0].good == found.whole.known == 6_000
    assert any("nobody knows" in one() for one in found.said())


def test_a_vintage_in_which_only_defaults_can_be_known_yet_has_no_rate() -> None:
    found = realised(until(ended(6_000, 4), date(2027, 6, 1)), TAG)
    early = [one for one in found.vintages if one.start >= date(2026, 7, 1)]
    assert len(early) > 3 and all(one.rate is None and one.cost is None for one in early)
    assert found.whole.rate.low <= found.whole.expected <= found.whole.rate.high
    assert found.rolls[0].good == found.whole.known


def test_overrides_are_judged_by_how_they_ended() -> None:
    table = ended(1_000, 5).with_columns(
        decision=pl.when(pl.int_range(1_000) < 100).then(pl.lit("refused")).otherwise(pl.lit("granted")),
        review=pl.when(pl.int_range(1_000) < 60)
        .then(pl.lit("otherwise"))
        .when(pl.int_range(1_000) < 100)
        .then(pl.lit("confirmed"))
        .otherwise(pl.lit("none")),
    )
    over = realised(table, TAG).overrides
    assert (over.reviewed, over.granted, over.known) == (100, 60, 60)
    assert not realised(table, TAG).alarms
    latest = pl.col("time") > pl.col("time").max() - timedelta(days=30)
    more = pl.when(latest & (pl.int_range(pl.len()) % 2 == 0)).then(pl.lit("otherwise")).otherwise("review")
    many = pl.concat([ended(6_000, seed) for seed in (5, 6)]).with_columns(review=more)
    for decision, name in (("granted", "review_share"), ("refused", "override_share")):
        (alarm,) = realised(many.with_columns(decision=pl.lit(decision)), TAG).alarms
        assert alarm.name == name and "0.0% before" in alarm()
    assert over.break_even == pytest.approx(1 / 11)
    assert realised(table, TAG).whole.granted == 900


def test_intervals_are_those_of_the_books() -> None:
    found = wilson(10, 100)
    assert (found.low, found.high) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))
    assert wilson(0, 0) is None and wilson(0, 10).low == 0
    y, p = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])
    assert auc(y, p).value == pytest.approx(0.75)


def test_a_change_at_the_limit_is_found_and_one_far_below_is_not(reference: Reference) -> None:
    found = limits(reference, 2_000)
    detector, rng = reference.detector, np.random.default_rng(9)
    assert found.column == "AMT_INCOME_TOTAL" and found.change and found.missing

    def seen(by: float) -> float:
        hits = 0
        for _ in range(30):
            rows = people(2_000, int(rng.integers(10**6))).with_columns(pl.col("AMT_INCOME_TOTAL") * (1 + by))
            hits += detector.compare(detector.bins.count(detector.bins.codes(rows))).is_drift
        return hits / 30

    assert seen(found.change) >= 0.75
    assert seen(found.change / 4) <= 0.3
    sentences = " ".join(one() for one in found.said())
    assert "Blind to concept drift" in sentences and "2,000 decisions" in sentences


def test_more_decisions_and_outcomes_show_smaller_changes(reference: Reference) -> None:
    small, large = limits(reference, 500), limits(reference, 20_000, outcomes=8_000)
    assert isinstance(small, DetectionLimits)
    assert large.change < small.change and large.missing < small.missing and large.rise < small.rise
    assert large.fixed_rise < large.rise, "the price of looking always"
    assert not small.are_known and large.are_known


def test_scores_that_the_references_outcomes_belie_are_corrected() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2, 20, 40_000)
    y = rng.random(40_000) < np.minimum(1.3 * p, 1)
    found = estimate(p, p >= 0.09, calibrator=Calibrator.of(p, y))
    assert found.default_rate == pytest.approx(y.mean(), rel=0.01)
    assert found.apart == pytest.approx(y.mean() - p.mean(), abs=0.001)


def test_a_retraining_is_proposed_where_costs_rise_and_tried_on_later_loans(reference: Reference) -> None:
    rows = reference.table
    assert propose(reference, rows, ended(6_000, 6), TAG) is None
    found = propose(reference, rows, ended(9_000, 7, risky=0.25), TAG)
    assert found.source == "realised" and found.rise > 0.05 and found.since == date(2026, 1, 1)
    assert found.tried and found.low > 0, "who is risky now can be learnt from EXT_SOURCE_2"
    assert "promotes nothing" in found.said()[0]()


def test_a_retraining_is_proposed_where_costs_are_expected_to_rise(reference: Reference) -> None:
    riskier = reference.table.sort("probability_of_default").tail(6_000)
    found = propose(reference, riskier, None, TAG)
    assert (found.source, found.loans, found.saved) == ("estimated", 0, None)
    assert propose(reference, people(5_000, 8), None, TAG) is None
    assert COSTS.false_negative == 10


def test_a_group_that_no_model_reads_is_audited_by_event(reference: Reference, tmp_path: Path) -> None:
    table = ended(4_000, 9)
    is_f = pl.Series(np.random.default_rng(3).random(4_000) < 0.5)
    refused = pl.when(is_f & (pl.int_range(4_000) % 5 == 0)).then(pl.lit("refused")).otherwise("decision")
    groups = table.select("event_id", gender=pl.when(is_f).then(pl.lit("F")).otherwise(pl.lit("M")))
    groups.write_csv(tmp_path / "groups.csv")
    fair = np.random.default_rng(4).random(reference.table.height) < 0.5
    known = replace(
        reference, table=reference.table.with_columns(pl.Series("audit.gender", np.where(fair, "F", "M")))
    )
    women, men = audit(table.with_columns(decision=refused), read(tmp_path / "groups.csv"), TAG, known)
    assert (women.value, women.is_alarm, men.is_alarm, men.ratio) == ("F", True, False, 1.0)
    assert women.ratio == pytest.approx(0.8, abs=0.02) and women.usual_ratio == pytest.approx(1, abs=0.05)
    assert len(women.by_quarter) == 8 and women.decisions == is_f.sum()
    assert not any(one.is_alarm for one in audit(table, groups, TAG, known))
    groups.drop("event_id").write_csv(tmp_path / "none.csv")
    with pytest.raises(InputError, match="event_id"):
        read(tmp_path / "none.csv")
