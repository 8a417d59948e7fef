"""The audit of groups: rates worked by hand, small groups hidden, laws."""

import numpy as np
import polars as pl
import pytest

from scoring.decision import PROTECTED
from scoring.evidence.fairness import CUTS, SMALLEST, audit, labels

RANDOM = np.random.default_rng(5)


def made(n: int = 400):
    """Two groups: of a, 3 in 4 are granted; of b, 1 in 2; outcomes as in the table below."""
    groups = np.repeat(["a", "b"], [2 * n, n])
    p = np.concatenate([np.tile([0.05, 0.05, 0.05, 0.5], n // 2), np.tile([0.05, 0.5], n // 2)])
    y = np.concatenate([np.tile([0, 0, 0, 1], n // 2), np.tile([0, 0, 0, 1], n // 4)]).astype(np.int8)
    return groups, y, p, np.full(len(p), 0.1)


def test_rates_worked_by_hand():
    groups, y, p, thresholds = made()
    found = audit("test", groups, y, p, thresholds)
    a, b = found.groups
    assert found.reference == "a"
    assert (a.granted.value, b.granted.value) == (0.75, 0.5)
    assert (a.ratio.value, b.ratio.value) == (1.0, pytest.approx(2 / 3))
    # all good ones of a are granted; of b's three good ones in four, two stand at 0.05
    assert (a.gap.value, b.gap.value) == (0.0, pytest.approx(-1 / 3))
    assert a.default_rate == 0.25 and a.forecast == pytest.approx(0.1625)
    assert a.calibration.value == pytest.approx(0.25 - 0.1625)
    assert b.calibration.value == pytest.approx(0.25 - 0.275)
    assert found.worst == b.ratio and found.widest == b.gap


def test_the_reference_is_the_group_granted_most_often_not_the_largest():
    # 600 of 1,000 of the large group are granted and 190 of 200 of the small one: 0.6 / 0.95
    groups = np.repeat(["large", "small"], [1_000, 200])
    p = np.concatenate([np.tile([0.05] * 6 + [0.5] * 4, 100), np.tile([0.05] * 19 + [0.5], 10)])
    y = (np.arange(1_200) % 3 == 0).astype(np.int8)
    found = audit("test", groups, y, p, np.full(1_200, 0.1))
    assert found.reference == found.gap_reference == "small"
    assert found.worst.value == pytest.approx(0.6 / 0.95)  # 0.63, well below four fifths
    assert found.worst.high < 0.7
    assert found.lowest.name == found.furthest.name == "large"
    assert found.widest.value < -0.2
    assert (found.groups[1].ratio.value, found.groups[1].gap.value) == (1.0, 0.0)


def test_good_clients_are_compared_with_the_group_whose_good_clients_fare_best():
    # a: 90 of 100 granted, 40 of its 50 good ones; b: 60 of 100 granted, 50 of its 50 good ones
    groups = np.repeat(["a", "b"], 100)
    y = np.concatenate([np.repeat([0, 1], 50), np.repeat([0, 1], 50)]).astype(np.int8)
    p = np.concatenate([np.repeat([0.05, 0.5, 0.05], [40, 10, 50]), np.repeat([0.05, 0.5], [60, 40])])
    found = audit("test", groups, y, p, np.full(200, 0.1))
    assert (found.reference, found.gap_reference) == ("a", "b")
    assert found.widest.value == pytest.approx(-0.2) and found.furthest.name == "a"


def test_intervals_hold_their_values_and_the_reference_has_none():
    found = audit("test", *made())
    for group in found.groups:
        for rate in (group.granted, group.calibration, group.ratio, group.gap):
            assert rate.low <= rate.value <= rate.high
    a, b = found.groups
    assert a.ratio.low == a.ratio.high == 1.0
    # binomial: sqrt(p(1-p)/n) at 0.5 and n = 400 is 0.025
    assert b.granted.high - b.granted.low == pytest.approx(2 * 1.96 * 0.025, rel=0.15)


def test_groups_that_fare_alike_have_an_interval_that_says_so():
    # the reference is held in every sample, so that a ratio can be above 1 in some of them
    n = 4_000
    p, groups = RANDOM.random(n), RANDOM.choice(["a", "b"], n)
    y = (RANDOM.random(n) < 0.2).astype(np.int8)
    found = audit("test", groups, y, p, np.full(n, 0.5), replicates=100)
    assert found.worst.value <= 1 < found.worst.high


def test_all_cutoffs_are_looked_at():
    n = 2_000
    p, groups = RANDOM.random(n), RANDOM.choice(["a", "b", "c"], n)
    y = (RANDOM.random(n) < 0.2).astype(np.int8)
    found = audit("test", groups, y, p, np.full(n, 0.5), replicates=20)
    assert len(found.cuts) == len(CUTS)
    for place, cut in enumerate(found.cuts):
        granted = p <= np.quantile(p, cut)
        share = {g: granted[groups == g].mean() for g in "abc"}
        good = {g: granted[(groups == g) & (y == 0)].mean() for g in "abc"}
        for g in "abc":
            assert found.ratios[g][place].value == pytest.approx(share[g] / max(share.values()))
            assert found.gaps[g][place].value == pytest.approx(good[g] - max(good.values()))
    assert found.worst_anywhere[1].value == min(r.value for rs in found.ratios.values() for r in rs)
    assert found.widest_anywhere[1].value == min(r.value for rs in found.gaps.values() for r in rs)


def test_calibration_is_looked_at_in_fifths_of_the_forecast():
    # forecasts of 0.1 to 0.5; b defaults as forecast, a twice as often where the forecast is 0.1
    p = np.tile(np.repeat([0.1, 0.2, 0.3, 0.4, 0.5], 100), 2)
    y = np.concatenate([np.arange(100) % 10 < round(10 * rate) for rate in p[::100]]).astype(np.int8)
    y[:100] = np.arange(100) % 10 < 2
    groups = np.repeat(["a", "b"], 500)
    found = audit("test", groups, y, p, np.full(1_000, 0.35), smallest=100, replicates=50)
    assert [round(m.value, 9) for m in found.calibration["a"]] == [0.1, 0, 0, 0, 0]
    assert [round(m.value, 9) for m in found.calibration["b"]] == [0] * 5
    assert found.groups[0].calibration.value == pytest.approx(0.02)
    assert found.calibration_spread.value == pytest.approx(0.02)
    assert found.calibration_spread.low < 0.02 < found.calibration_spread.high
    alone = audit("test", groups, y, p, np.full(1_000, 0.35), smallest=101, replicates=5)
    assert alone.calibration["a"] == (None,) * 5  # 100 in each fifth are too few now


def test_a_small_group_is_hidden_and_cannot_be_had_by_subtraction():
    groups, y, p, thresholds = made()
    groups = groups.astype("<U8")
    groups[: SMALLEST - 1] = "rare"
    found = audit("test", groups, y, p, thresholds)
    assert [group.name for group in found.groups] == ["a", "b"]
    assert found.hidden == 1
    assert all(group.applications % 10 == 0 for group in found.groups)


def test_audits_of_the_same_applications_draw_the_same_samples():
    groups, y, p, thresholds = made()
    one, same = (audit("test", groups, y, q, thresholds, replicates=30) for q in (p, p / 10))
    assert one.drawn.tolist() == audit("test", groups, y, p, thresholds, replicates=30).drawn.tolist()
    assert one.drawn.std() > 0 and np.quantile(one.drawn, 0.025) == one.worst.low
    assert same.worst.value == 1.0 and (same.drawn == 1.0).all()  # everybody is granted


def test_one_group_alone_is_no_audit():
    _, y, p, thresholds = made()
    assert audit("test", np.full(len(y), "a"), y, p, thresholds) is None


def test_unknown_is_no_group_and_numbers_fall_into_bands():
    days = [-29 * 365.25 - 364, -30 * 365.25 - 1, -62 * 365.25, None]
    table = pl.DataFrame(
        {
            "CODE_GENDER": ["F", "M", "XNA", None],
            "NAME_FAMILY_STATUS": ["Married", "Unknown", None, "Widow"],
            "DAYS_BIRTH": pl.Series(days, dtype=pl.Float64),
            "CNT_CHILDREN": [0, 2, 3, None],
        }
    )
    found = labels(table)
    assert found["gender"].tolist() == ["F", "M", "", ""]
    assert found["family_status"].tolist() == ["Married", "", "", "Widow"]
    assert found["age"].tolist() == ["< 30", "30–39", "≥ 62", ""]
    assert found["household"].tolist() == ["0", "1–2", "≥ 3", ""]
    assert labels(table.select("CODE_GENDER")).keys() == {"gender"}


def test_every_attribute_that_a_policy_can_keep_out_is_audited():
    empty = pl.DataFrame(schema={column: pl.String for columns in PROTECTED.values() for column in columns})
    assert labels(empty).keys() == PROTECTED.keys()
