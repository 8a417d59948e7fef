"""Promises of scoring/evaluation/ and scoring/metrics.py."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from scoring.candidates import DUMMY, LIGHTGBM, LOGISTIC_REGRESSION, TrainingSet
from scoring.decision import expected_cost
from scoring.evaluation import (
    cross_validate,
    deal_folds,
    evaluate,
    judge,
)
from scoring.metrics import MEASURES, RANKS, measure, with_intervals
from scoring.scorer.model import probability


def drawn(n: int = 4_000, seed: int = 0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds, and outcomes that follow ``slope`` times them."""
    random = np.random.default_rng(seed)
    raw = random.normal(-2.5, 1.0, n)
    return raw, (random.random(n) < probability(slope * raw)).astype(np.int8)


@given(st.integers(20, 80), st.integers(20, 200), st.integers(2, 8), st.integers(0, 5))
def test_folds_share_each_outcome_evenly(defaults, repaid, n_folds, seed):
    y = np.array([1] * defaults + [0] * repaid, dtype=np.int8)
    folds = deal_folds(y, n_folds, seed)
    for outcome in (0, 1):
        sizes = np.bincount(folds[y == outcome], minlength=n_folds)
        assert sizes.max() - sizes.min() <= 1
    assert (folds == deal_folds(y, n_folds, seed)).all()


@pytest.mark.parametrize(
    ("y", "n_folds", "message"),
    [
        ([1] * 9 + [0] * 90, 5, "9 defaults for 5 folds: each needs two"),
        ([1] * 50 + [0] * 3, 5, "3 repaid credits for 5 folds"),
        ([0] * 50, 2, r"TARGET holds one class only: all 50 applications are repaid \(0\)"),
        ([1] * 50, 2, r"one class only: all 50 applications defaulted \(1\)"),
        ([0, 1] * 50, 1, "1 folds: give 2 to 100"),
    ],
)
def test_too_few_of_an_outcome_for_the_folds_is_refused(y, n_folds, message):
    with pytest.raises(ValueError, match=message):
        deal_folds(np.array(y, dtype=np.int8), n_folds)


def test_metrics_agree_with_scikit_learn_ties_and_weights_included():
    raw, y = drawn()
    p = probability(raw).round(2)  # many ties
    weights = np.random.default_rng(1).integers(0, 4, len(y)).astype(float)
    ours, refused = measure(y, p, 0.1, weights=weights), p >= 0.1
    rank = {"sample_weight": weights}
    assert ours["auc"] == pytest.approx(sk.roc_auc_score(y, p, **rank))
    assert ours["average_precision"] == pytest.approx(sk.average_precision_score(y, p, **rank))
    assert ours["brier"] == pytest.approx(sk.brier_score_loss(y, p, **rank))
    assert ours["f1"] == pytest.approx(sk.f1_score(y, refused, **rank))
    assert ours["precision"] == pytest.approx(sk.precision_score(y, refused, **rank))
    assert ours["recall"] == pytest.approx(sk.recall_score(y, refused, **rank))
    assert ours["log_loss"] == pytest.approx(sk.log_loss(y, np.clip(p, 1e-15, 1 - 1e-15), **rank))
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(y, refused, **rank))
    far, tpr, _ = sk.roc_curve(y, p, drop_intermediate=False, **rank)
    assert ours["ks"] == pytest.approx((tpr - far).max())
    assert ours["gini"] == pytest.approx(2 * ours["auc"] - 1)


def test_the_business_score_is_that_of_the_decision_room():
    raw, y = drawn()
    p = probability(raw)
    ours = measure(y, p, 0.0909)
    cost, defaults = expected_cost(y, p, 0.0909), y.mean()
    assert ours["business_score"] == pytest.approx(1 - cost / (10 * defaults + 1 - defaults))
    assert ours["cost_per_1000"] == pytest.approx(1_000 * cost)


def test_a_worked_example_of_the_metrics():
    got = measure(np.array([0, 0, 1, 1], dtype=np.int8), np.array([0.1, 0.6, 0.4, 0.8]), 0.5)
    assert got["auc"] == 0.75  # of the four pairs, (0.6, 0.4) is wrong
    assert (got["precision"], got["recall"], got["accuracy"]) == (0.5, 0.5, 0.5)
    assert (got["share_granted"], got["default_rate_granted"]) == (0.5, 0.5)
    assert got["cost_per_1000"] == 1_000 * 11 / 4


def test_a_constant_has_no_discrimination():
    got = measure(np.array([0, 1, 0, 1], dtype=np.int8), np.full(4, 0.3), 0.5)
    assert (got["auc"], got["ks"], got["f1"], got["precision"]) == (0.5, 0.0, 0.0, 0.0)
    assert got["calibration_error"] == pytest.approx(0.2)


def test_metrics_do_not_depend_on_the_order_of_rows():
    raw, y = drawn(300)
    order = np.random.default_rng(2).permutation(len(y))
    assert measure(y, probability(raw), 0.1) == pytest.approx(measure(y[order], probability(raw)[order], 0.1))


def test_each_application_can_have_its_own_threshold():
    y, p = np.array([0, 1, 0, 1], dtype=np.int8), np.array([0.4, 0.3, 0.2, 0.1])
    got = measure(y, p, np.array([0.5, 0.2, 0.1, 0.2]))  # granted, refused, refused, granted
    assert got["cost_per_1000"] == 1_000 * (10 + 1) / 4


def test_one_outcome_has_no_metrics():
    with pytest.raises(ValueError, match="0 defaults among 3 applications: metrics need both"):
        measure(np.zeros(3, np.int8), np.array([0.1, 0.2, 0.3]), 0.5)


def test_an_interval_holds_its_value_and_narrows_with_more_rows():
    def width(n):
        raw, y = drawn(n)
        got = with_intervals(y, probability(raw), 0.09, replicates=100)
        assert set(got) == set(MEASURES)
        for name in ("auc", "business_score", "cost_per_1000", "brier", "f1"):
            assert got[name].low <= got[name].value <= got[name].high
        return got["auc"].high - got["auc"].low

    assert width(8_000) < 0.7 * width(1_000)


def test_the_interval_of_the_auc_is_as_wide_as_theory_says():
    raw, y = drawn(5_000)
    got = with_intervals(y, probability(raw), 0.09)["auc"]
    a, bad, good = got.value, int(y.sum()), int((1 - y).sum())
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)  # Hanley and McNeil 1982
    error = ((a * (1 - a) + (bad - 1) * (q1 - a * a) + (good - 1) * (q2 - a * a)) / bad / good) ** 0.5
    assert got.high - got.low == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_the_threshold_of_a_calibrated_model_is_near_theory():
    raw, y = drawn(60_000, slope=0.7)
    got = evaluate(y, raw, deal_folds(y), replicates=10)
    assert got.choice.threshold == pytest.approx(1 / 11, rel=0.1)
    assert got.metrics["calibration_error"].value < 0.01 < got.before["calibration_error"]
    assert got.before["calibration_slope"] == pytest.approx(0.7, abs=0.05)
    slope = got.metrics["calibration_slope"]
    assert slope.low < 1 < slope.high
    assert got.metrics["log_loss"].value < got.before["log_loss"]


def test_no_application_has_a_say_in_its_own_calibration_or_threshold():
    raw, y = drawn(3_000)
    folds = deal_folds(y, 3)
    before = evaluate(y, raw, folds, replicates=2)
    other = y.copy()
    other[folds == 1] = 1 - other[folds == 1]
    after = evaluate(other, raw, folds, replicates=2)
    assert (after.probability == before.probability)[folds == 1].all()
    assert (after.thresholds == before.thresholds)[folds == 1].all()
    assert not (after.thresholds == before.thresholds)[folds == 0].all()


def test_a_model_that_cannot_score_everybody_is_an_error_and_no_silent_nan():
    with pytest.raises(ValueError, match="a probability is not a number"):
        measure(np.array([0, 1, 0], np.int8), np.array([0.1, np.nan, 0.3]), 0.5)


def features(n: int = 900) -> tuple[pl.DataFrame, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=n)
    y = (random.random(n) < probability(-1.5 + x)).astype(np.int8)
    return pl.DataFrame({"x": x, "level": [f"level {i}" for i in range(n)]}), y


@pytest.mark.parametrize(
    "candidate", [DUMMY, LOGISTIC_REGRESSION, replace(LIGHTGBM, rounds=20)], ids=lambda c: c.name
)
def test_cross_validation_scores_every_row_once(candidate):
    table, y = features()
    got = cross_validate(candidate, TrainingSet.of(table, y, {"x": 1}), deal_folds(y, 3))
    assert np.isfinite(got.raw).all()
    assert len(got.fold_auc) == 3
    assert (got.best_rounds is None) == (candidate.family is not LIGHTGBM.family)


def test_a_level_met_once_cannot_tell_its_outcome_out_of_fold():
    # "level" names each row: an encoder fitted outside the folds would reach an AUC of 1 on it.
    table, y = features()
    got = cross_validate(LOGISTIC_REGRESSION, TrainingSet.of(table.select("level"), y), deal_folds(y, 3))
    assert measure(y, probability(got.raw), 0.5)["auc"] < 0.6


def test_the_calibration_error_has_no_interval_for_a_sample_of_a_sample_raises_it():
    raw, y = drawn(1_200)
    got = with_intervals(y, probability(raw), 0.09, replicates=30)
    assert {name for name, metric in got.items() if not metric.ends()} == {"calibration_error"}
    assert got["calibration_error"].value == measure(y, probability(raw), 0.09)["calibration_error"]
    assert got["auc"].ends() == {"low": got["auc"].low, "high": got["auc"].high}


def test_what_was_said_out_of_fold_is_judged_alike_by_training_and_validation():
    raw, y = drawn(1_000)
    made = evaluate(y, raw, deal_folds(y, 3), replicates=10, seed=4)
    again = judge(y, raw, made.probability, made.thresholds, replicates=10, seed=4)
    assert again["auc"] == made.metrics["auc"] and again["cost_per_1000"] == made.metrics["cost_per_1000"]
    assert again.keys() == made.metrics.keys()


def test_measures_of_rank_do_not_suffer_from_the_calibration_of_each_fold():
    random = np.random.default_rng(0)
    folds = np.repeat(np.arange(5), 200).astype(np.int8)
    y = (random.random(1_000) < 0.2).astype(np.int8)
    raw = random.normal(size=1_000) + 1.5 * y
    found = evaluate(y, raw, folds, replicates=5).metrics
    for name in RANKS:
        assert found[name].value == measure(y, probability(raw), 0.5)[name]
    assert found["brier"].value != measure(y, probability(raw), 0.5)["brier"]
