"""The evidence that a validator asks for: refits, stability, reasons that hold. On a small scorer."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from scoring import features as declared
from scoring.candidates import LIGHTGBM, TrainingSet, fit
from scoring.candidates.coding import Coded
from scoring.evaluation import deal_folds
from scoring.evidence.alternatives import (
    Alternative,
    Bench,
    Refit,
    Variant,
    choose,
    exclusions,
    ladder,
    reveals,
    search,
)
from scoring.evidence.card import lay_out
from scoring.evidence.description import correlations, describe, gaps_by_table, missing_by_table
from scoring.evidence.paired import FoldScores
from scoring.evidence.stability import resemblance, slices, spread
from scoring.evidence.verification import LIME_ROWS, agreement, compare_reasons, outside, substitute
from scoring.explanation import explain
from scoring.metrics import Measured
from scoring.scorer.calibration import Affine, Beta
from scoring.scorer.model import probability
from scoring.scorer.scorecard import FeaturePoints, Scorecard
from tests.support.small import applications, portfolio, scorer

RANDOM = np.random.default_rng(2)
NARROW = [  # of each block, and of each protected attribute
    f.name
    for f in declared.FEATURES
    if f.name in ("AMT_CREDIT", "EXT_SOURCE_2", "EXT_SOURCE_3", "credit_to_income", "bureau_count")
    or declared.protected_by(f)
]


@pytest.fixture(scope="module")
def made():
    learned, table, _ = scorer()
    # Half of them are refused, so that there is something to explain.
    return replace(learned, threshold=float(np.median(learned.probability(table)))), table


@pytest.fixture(scope="module")
def bench():
    requests = applications(400)
    table = declared.build(portfolio(requests)).select(NARROW)
    outside = table["EXT_SOURCE_2"].to_numpy()
    y = (RANDOM.random(400) < 1 / (1 + np.exp(-(2 - 6 * outside)))).astype(np.int8)
    few = {"learning_rate": 0.2, "lambda_l2": 5.0, "min_child_samples": 20}  # so that few rows can be split
    candidate = replace(LIGHTGBM, settings={**LIGHTGBM.settings, **few})
    return Bench(Coded.of(table), y, deal_folds(y, 2), candidate, 8)


def test_the_ladder_adds_blocks_and_leaves_out_absent_tables(bench):
    told: list[str] = []
    names = [n for n in declared.names(("gender", "family_status")) if n in NARROW]
    steps = ladder(bench, names, told.append)
    assert told == [step.variant.name for step in steps]
    assert told[0] == "application" and "previous" not in told
    widths = [len(step.variant.features) for step in steps]
    assert widths == sorted(set(widths))
    assert steps[0].auc_gained is None
    assert steps[1].auc_gained.value == pytest.approx(steps[1].auc - steps[0].auc)


def test_an_exclusion_is_priced_against_all_features(bench):
    found = exclusions(bench, str)
    assert found[0].variant.features == tuple(NARROW)
    by_name = {one.variant.name: one for one in found}
    assert "age_years" not in by_name["age"].variant.features
    assert by_name["age"].cost_saved.value == pytest.approx(found[0].cost - by_name["age"].cost)


def test_the_features_that_tell_an_attribute_are_found(bench):
    groups = np.where(bench.coded.matrix[:, bench.coded.names.index("age_years")] > 45, "old", "young")
    auc, telling = reveals(bench.coded, groups)
    assert auc > 0.9
    assert "age" in declared.protected_by(declared.FEATURE_BY_NAME[telling[0]])


def test_a_search_compares_at_one_share_of_approvals(bench):
    names = [n for n in declared.names(("gender", "family_status")) if n in NARROW]
    groups = {"gender": np.where(np.arange(400) % 2, "F", "M")}
    found = search(bench, names, groups, 0.7, str)
    assert found[0].refit.variant.name == "in_force" and found[0].is_affordable
    assert "proxies:gender:10" in [one.refit.variant.name for one in found]
    assert all(0 < one.ratios["gender"].value <= 1 for one in found)
    assert not found[0].gains
    for one in found[1:]:
        gain = one.gains["gender"]
        assert gain.value == one.ratios["gender"].value - found[0].ratios["gender"].value
        assert gain.low <= gain.value <= gain.high


def test_nothing_is_fitted_twice(bench):
    told, fitted = Variant("told", ("EXT_SOURCE_2", "AMT_CREDIT")), len(bench.known)
    first = bench.refit(told)
    again = bench.refit(replace(told, name="told again"), first)
    assert len(bench.known) == fitted + 1
    assert (again.auc_gained.value, again.auc_gained.high) == (0, 0)
    bench.refit(replace(told, seed=1))
    bench.refit(replace(told, settings={"num_leaves": 4}))
    assert len(bench.known) == fitted + 3


def alternative(name: str, is_affordable: bool, **gains: Measured) -> Alternative:
    judged = FoldScores(name, np.array([0, 1], dtype=np.int8), np.array([[0.1, 0.2]]))
    ratios = {"age": Measured(0.70, 0.65, 0.75), "gender": Measured(0.90, 0.87, 0.93)}
    return Alternative(Refit(Variant(name, ()), judged), ratios, gains, is_affordable)


def test_only_an_affordable_and_fairer_model_is_chosen():
    none, sure = Measured(0.00, -0.01, 0.01), Measured(0.02, 0.01, 0.03)
    base = alternative("in_force", True)
    assert choose([]) is None
    assert choose([base, alternative("dear", False, age=sure, gender=none)]) is None
    assert choose([base, alternative("chance", True, age=Measured(0.05, -0.01, 0.11), gender=none)]) is None
    # the interval of the ratio is 0.1 wide: paired, a gain of 0.02 is beyond chance all the same
    assert choose([base, alternative("fair", True, age=sure, gender=none)]).refit.variant.name == "fair"
    more = alternative("fairer", True, age=Measured(0.04, 0.01, 0.07), gender=none)
    assert choose([base, alternative("fair", True, age=sure, gender=none), more]) is more


def test_a_gain_counts_on_the_attribute_that_fares_worst_and_at_nobodys_expense():
    none, sure, loss = Measured(0.00, -0.01, 0.01), Measured(0.02, 0.01, 0.03), Measured(-0.02, -0.03, -0.01)
    base = alternative("in_force", True)
    assert choose([base, alternative("elsewhere", True, age=none, gender=sure)]) is None
    assert choose([base, alternative("at a price", True, age=sure, gender=loss)]) is None


def test_populations_that_differ_are_told_apart_and_alike_ones_are_not():
    n = 1_500
    same = {"a": RANDOM.normal(size=n), "b": RANDOM.normal(size=n)}
    labelled, later = pl.DataFrame(same), pl.DataFrame({**same, "a": same["a"][::-1] + 2})
    found = resemblance(labelled, later)
    assert found.auc > 0.85 and found.telling[0][0] == "a"
    assert np.corrcoef(found.likeness, labelled["a"].to_numpy())[0, 1] > 0.5
    alike = pl.DataFrame({name: RANDOM.normal(size=n) for name in same})
    assert abs(resemblance(labelled, alike).auc - 0.5) < 0.06


def test_slices_follow_the_order_and_hold_everybody():
    n = 1_000
    order = RANDOM.permutation(n).astype(float)
    p = np.full(n, 0.2)
    y = (order >= 800).astype(np.int8)  # the last fifth defaults, but for one
    y[np.argsort(order)[[5, 250, 450, 650]]] = 1
    y[np.argsort(order)[900]] = 0
    found = slices(y, p, np.full(n, 0.1), order)
    assert [part.number for part in found] == [1, 2, 3, 4, 5]
    assert sum(part.applications for part in found) == n
    assert [part.default_rate for part in found] == [0.005] * 4 + [0.995]


def said(*probabilities: list[float]) -> list[SimpleNamespace]:
    metrics = {"auc": Measured(1.0, 1.0, 1.0)}
    return [SimpleNamespace(probability=np.array(p), metrics=metrics) for p in probabilities]


def test_the_spread_of_seeds_by_hand():
    y = np.array([0, 1, 0, 1], dtype=np.int8)
    found = spread(y, said([0.05, 0.5, 0.2, 0.3], [0.25, 0.4, 0.2, 0.3]), 0.5)
    assert found.same_decision == 1.0  # both refuse the second and the fourth
    assert found.probability_gap == pytest.approx((0.20 + 0.10) / 4)
    assert (found.auc, found.cost_per_1000, found.share_granted) == ((1.0, 1.0), (0.0, 0.0), 0.5)
    found = spread(y, said([0.05, 0.5, 0.2, 0.3], [0.25, 0.4, 0.3, 0.2]), 0.5)
    assert found.same_decision == 0.5  # the third and the fourth change places
    assert found.cost_per_1000 == (0.0, 2_750.0)  # then one good client is refused and one default granted


def test_seeds_are_compared_where_decisions_differ_not_where_all_are_granted():
    # shrunk far below 1 / 11, every application would be granted by both, and decided alike
    random = np.random.default_rng(3)
    y = (np.arange(1_000) % 10 == 0).astype(np.int8)
    one, other = (0.01 + 0.02 * random.random(1_000) for _ in range(2))
    found = spread(y, said(one.tolist(), other.tolist()), 0.7)
    assert found.same_decision == pytest.approx(0.7 * 0.7 + 0.3 * 0.3, abs=0.05)


def test_a_reason_is_verified_by_scoring_without_it(made):
    learned, table = made
    found = substitute(learned, table)
    assert found.applications > 0 and found.reasons > 0
    assert found.fell_by_rank[0] > 0.8  # the weightiest reason bears on the decision
    assert 0 < found.median_fall < 1 and 0 <= found.granted_then <= 1
    assert substitute(replace(learned, threshold=1.0), table) is None


def test_the_same_model_tells_the_same_reasons(made):
    learned, table = made[0], made[1][:60]
    found = compare_reasons(learned, [learned, learned], table)
    every = Measured(1.0, 1.0, 1.0)
    assert (found.same_first, found.shared, found.same_first_between, found.shared_between) == (every,) * 4
    assert compare_reasons(learned, [], table) is None
    assert compare_reasons(learned, [learned], table).shared_between is None
    assert compare_reasons(learned, [learned], table[:0]) is None


def test_refits_are_compared_with_the_model_in_force_not_with_each_other_alone(made):
    learned, table = made[0], made[1][:60]
    # As granted applicants already weigh so much on the model's own reasons, a refit tells none of them.
    high = dict.fromkeys(learned.feature_names, 100.0)
    deaf = replace(learned, granted_contributions=high)
    found = compare_reasons(learned, [deaf, deaf], table)
    assert (found.same_first.value, found.shared.value) == (0.0, 0.0)
    assert found.same_first_between is None  # where one tells nothing, there is nothing to share
    found = compare_reasons(learned, [learned, deaf], table)
    assert (found.same_first.value, found.shared.value) == (0.5, 0.5)


def test_lime_agrees_with_contributions_on_a_model_that_is_linear(made):
    learned, table = made
    y = (learned.probability(table) > np.median(learned.probability(table))).astype(np.int8)
    from scoring.candidates import LOGISTIC_REGRESSION

    narrow = table.select("EXT_SOURCE_2", "AMT_CREDIT", "employed_years", "bureau_count")
    linear = replace(learned, model=fit(LOGISTIC_REGRESSION, TrainingSet.of(narrow, y)))
    found = agreement(linear, narrow)
    assert found.applications == LIME_ROWS
    assert found.rank_correlation.value > 0.8 and found.same_sign.value > 0.8
    assert found.rank_correlation.low <= found.rank_correlation.value <= found.rank_correlation.high <= 1
    assert found.shared == Measured(1.0, 1.0, 1.0)
    assert agreement(linear, narrow[:3]) is None


def test_shap_says_what_explain_says_of_features_and_of_groups(made):
    learned, table = made
    found = outside(learned, table[:50])
    assert found.applications == 50
    assert found.features < 1e-12 and found.groups < 1e-12
    assert found.points < 1 and found.first == 1.0
    assert outside(learned, table[:0]) is None


def test_shap_finds_what_is_told_of_a_group_but_is_not_so(made, monkeypatch):
    learned, table = made
    said = explain(learned, table[:5])
    said[0]["groups"][0]["contribution"] += 0.5
    monkeypatch.setattr("scoring.evidence.verification.explain", lambda *_: said)
    found = outside(learned, table[:5])
    assert found.groups == pytest.approx(0.5) and found.features < 1e-12


def test_a_description_has_no_figure_of_few_people():
    n = 1_000
    y = (np.arange(n) % 10 == 0).astype(np.int8)
    table = pl.DataFrame(
        {
            "number": [None if i < 200 else float(i) for i in range(n)],
            "word": ["rare" if i < 5 else "often" for i in range(n)],
            "empty": pl.Series([None] * n, dtype=pl.Float64),
        }
    )
    number, word, empty = describe(table, y, table.columns)
    assert number.missing == 0.2 and number.quantiles[2] == pytest.approx(599.5, abs=1)
    assert len(number.bins) == 6 and number.bins[-1].is_missing
    assert [round(part.share, 2) for part in number.bins] == [0.16] * 5 + [0.2]
    assert all(part.default_rate == pytest.approx(0.1) for part in number.bins)
    assert [part.level for part in word.bins] == ["often"]
    assert empty.missing == 1.0 and empty.quantiles == () and empty.mean is None
    assert missing_by_table(table, {"t": ["number", "empty"], "none": []}) == {"t": 0.6}


def test_distributions_are_of_good_and_bad_apart_and_their_pieces_hold_many():
    n = 4_000
    y = (np.arange(n) % 10 == 0).astype(np.int8)
    numbers = np.where(y == 1, 2.0, 0.0) + RANDOM.normal(size=n)
    table = pl.DataFrame(
        {
            "number": numbers,
            "flag": (np.arange(n) % 4 == 0).astype(float),
            "word": ["rare" if i < 50 else "odd" if i % 2 else "even" for i in range(n)],
            "one": np.ones(n),
        }
    )
    number, flag, word, one = (column.shape for column in describe(table, y, table.columns))
    values = table["number"].to_numpy()
    held = np.histogram(values, number.edges)[0]
    assert held.min() >= 100 and 5 < len(held) <= 20
    assert number.edges[0] == pytest.approx(np.quantile(values, 0.05))
    bad = np.histogram(values[y == 1], number.edges)[0]
    assert number.shares["defaults"] == pytest.approx(bad / bad.sum())
    assert flag.values == (0.0, 1.0) and flag.shares["repaid"] == pytest.approx((2_800 / 3_600, 800 / 3_600))
    assert set(word.values) == {"odd", "even"}  # 50 are too few to be shown
    assert one is None
    few = describe(table, (np.arange(n) < 99).astype(np.int8), ["flag"])[0].shape
    assert set(few.shares) == {"all"}  # 99 defaults are too small a group


def test_features_are_counted_by_their_share_of_gaps():
    table = pl.DataFrame({"a": [1.0, 1.0], "b": [None, 1.0], "c": pl.Series([None, None], dtype=pl.Float64)})
    assert gaps_by_table(table, {"t": ["a", "b"], "u": ["c"], "none": []}) == {
        "t": (0.5, 0, 0, 0.5, 0),
        "u": (0, 0, 0, 0, 1),
    }


def test_a_scorecard_is_laid_out_beside_what_was_seen(made):
    learned, table = made
    names = table.columns
    at = names.index("EXT_SOURCE_3")
    credit_points = FeaturePoints(names.index("AMT_CREDIT"), (), (0.0,), 0.2)
    points = (FeaturePoints(at, (0.6,), (0.5, -0.4), 0.1), credit_points)
    card = Scorecard(-2.0, points)
    scorer = replace(learned, model=replace(learned.model, function=card), calibration=Affine(2.0, 0.1))
    values = table["EXT_SOURCE_3"]
    y = (values < 0.6).fill_null(value=False).to_numpy().astype(np.int8)
    found = lay_out("r", scorer, table, y)
    first, second, missing, *credit = found.lines
    assert (first.low, first.high, first.default_rate) == (None, 0.6, 1.0)
    assert (second.low, second.high, second.default_rate) == (0.6, None, 0.0)
    assert first.points == pytest.approx(-2.0 * 0.5 * 20 / np.log(2), abs=0.05)
    assert missing.is_missing and (missing.default_rate is None) == (values.null_count() < 100)
    assert credit[-1].default_rate is None  # nobody is without it
    assert found.is_exact and found.base == int(scorer.points.of(probability(np.array([-3.9])))[0])
    assert not lay_out("r", replace(scorer, calibration=Beta(1.0, 1.0, 0.0)), table, y).is_exact
    with pytest.raises(ValueError, match="not a scorecard"):
        lay_out("r", learned, table, y)


def test_columns_that_go_together_are_named_first():
    a = RANDOM.normal(size=500)
    table = pl.DataFrame({"a": a, "b": -(a**3), "c": RANDOM.normal(size=500), "d": ["x"] * 500})
    first = correlations(table, table.columns)[0]
    assert first[:2] == ("a", "b") and first[2] == pytest.approx(-1.0)
