"""The audit of groups: rates worked by hand, small groups hidden, laws."""

import numpy as np
import polars as pl
import pytest

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


def test_intervals_hold_their_values_and_the_reference_has_none():
    found = audit("test", *made())
    for group in found.groups:
        for rate in (group.granted, group.calibration, group.ratio, group.gap):
            assert rate.low <= rate.value <= rate.high
    a, b = found.groups
    assert a.ratio.low == a.ratio.high == 1.0
    # binomial: sqrt(p(1-p)/n) at 0.5 and n = 400 is 0.025
    assert b.granted.high - b.granted.low == pytest.approx(2 * 1.96 * 0.025, rel=0.15)


def test_all_cutoffs_are_looked_at():
    n = 2_000
    p, groups = RANDOM.random(n), RANDOM.choice(["a", "b"], n)
    y = (RANDOM.random(n) < 0.2).astype(np.int8)
    found = audit("test", groups, y, p, np.full(n, 0.5), replicates=20)
    assert len(found.cuts) == len(CUTS)
    name = next(g.name for g in found.groups if g.name != found.reference)
    for cut, ratio in zip(found.cuts, found.ratios[name], strict=True):
        granted = p <= np.quantile(p, cut)
        by_hand = granted[groups == name].mean() / granted[groups == found.reference].mean()
        assert ratio.value == pytest.approx(by_hand)
    assert found.worst_anywhere[1].value == min(
        r.value for r in found.ratios[name] + found.ratios[found.reference]
    )


def test_a_small_group_is_hidden_and_cannot_be_had_by_subtraction():
    groups, y, p, thresholds = made()
    groups = groups.astype("<U8")
    groups[: SMALLEST - 1] = "rare"
    found = audit("test", groups, y, p, thresholds)
    assert [group.name for group in found.groups] == ["a", "b"]
    assert found.hidden == 1
    assert all(group.applications % 10 == 0 for group in found.groups)


def test_one_group_alone_is_no_audit():
    _, y, p, thresholds = made()
    assert audit("test", np.full(len(y), "a"), y, p, thresholds) is None


def test_unknown_is_no_group_and_ages_fall_into_bands():
    days = [-29 * 365.25 - 364, -30 * 365.25 - 1, -62 * 365.25, None]
    table = pl.DataFrame(
        {
            "CODE_GENDER": ["F", "M", "XNA", None],
            "NAME_FAMILY_STATUS": ["Married", "Unknown", None, "Widow"],
            "DAYS_BIRTH": pl.Series(days, dtype=pl.Float64),
        }
    )
    found = labels(table)
    assert found["gender"].tolist() == ["F", "M", "", ""]
    assert found["family_status"].tolist() == ["Married", "", "", "Widow"]
    assert found["age"].tolist() == ["< 30", "30–39", "≥ 62", ""]
    assert labels(table.select("CODE_GENDER")).keys() == {"gender"}
