"""Promises of scoring/candidates and scoring/scorer/model.py."""

import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.candidates import (
    COMPARISONS,
    DUMMY,
    LIGHTGBM,
    LOGISTIC_REGRESSION,
    REGISTERED,
    SCORECARD,
    TrainingSet,
    fit,
    fit_rows,
    vectorise,
)
from scoring.candidates.coding import Coded
from scoring.candidates.imbalance import hold_back, treat
from scoring.candidates.learners.boosted import deal_parts
from scoring.candidates.learners.merging import merge
from scoring.scorer.model import Boosted, Encoding, Linear, probability
from scoring.scorer.scorecard import Scorecard

SMALL = replace(LIGHTGBM, rounds=40, settings={**LIGHTGBM.settings, "learning_rate": 0.1, "lambda_l2": 1.0})
DIRECTIONS = {"outside_score": -1, "debt": 1}


def portfolio(n: int = 1_500, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Made-up features: a score, a debt with gaps and a job carry risk, ``noise`` and ``empty`` none."""
    random = np.random.default_rng(seed)
    score, debt = random.uniform(0, 1, n), random.exponential(1, n)
    job = random.choice(["driver", "cook", "judge"], n, p=[0.3, 0.5, 0.2])
    log_odds = -1.5 - 3 * score + 0.6 * debt + np.where(job == "driver", 0.8, 0.0)
    y = (random.random(n) < probability(log_odds)).astype(np.int8)
    debts = [None if random.random() < 0.2 else float(v) for v in debt]
    features = pl.DataFrame(
        {
            "outside_score": score,
            "debt": debts,
            "job": job,
            "noise": random.normal(size=n),
            "empty": [None] * n,
        },
        schema_overrides={"empty": pl.Float64},
    )
    return features, y


FEATURES, Y = portfolio()
EVERYBODY = np.arange(len(Y))
DATA = TrainingSet.of(FEATURES, Y, DIRECTIONS)


@pytest.fixture(scope="module", params=["dummy", "logistic_regression", "scorecard", "lightgbm"])
def model(request):
    candidate = {c.name: c for c in (DUMMY, LOGISTIC_REGRESSION, SCORECARD, SMALL)}[request.param]
    return fit(candidate, replace(DATA, seed=1), rounds=40)


def test_contributions_sum_to_the_raw_score(model):
    matrix = model.encoding.encode(FEATURES)
    values, base = model.function.contributions(matrix)
    assert values.shape == (len(FEATURES), 5)
    np.testing.assert_allclose(values.sum(axis=1) + base, model.function.raw(matrix), atol=1e-9)


def test_a_row_alone_scores_as_in_a_batch(model):
    batch = model.raw(FEATURES[:50])
    alone = [model.raw(FEATURES[i])[0] for i in range(50)]
    assert batch.tolist() == alone


def test_no_rows_give_no_scores(model):
    assert model.raw(FEATURES.clear()).shape == (0,)
    assert model.function.contributions(model.encoding.encode(FEATURES.clear()))[0].shape == (0, 5)


def test_an_unseen_category_and_missing_values_are_scored(model):
    row = FEATURES[:1].with_columns(
        job=pl.lit("astronaut"), debt=pl.lit(None, pl.Float64), outside_score=pl.lit(None, pl.Float64)
    )
    assert np.isfinite(model.raw(row)).all()


def test_the_dummy_gives_everybody_the_default_rate():
    dummy = fit(DUMMY, TrainingSet.of(FEATURES, Y))
    assert probability(dummy.raw(FEATURES)) == pytest.approx(np.full(len(Y), Y.mean()))


@pytest.mark.parametrize("candidate", [LOGISTIC_REGRESSION, SMALL])
def test_a_candidate_orders_the_risk(candidate):
    learned = fit(candidate, DATA)
    fresh, outcome = portfolio(seed=9)
    raw = learned.raw(fresh)
    assert raw[outcome == 1].mean() > raw[outcome == 0].mean() + 0.3


@pytest.mark.parametrize("candidate", [LOGISTIC_REGRESSION, SMALL])
def test_the_same_seed_gives_the_same_model(candidate):
    first, second = (fit(candidate, replace(DATA, seed=3), rounds=20) for _ in range(2))
    assert first.raw(FEATURES).tolist() == second.raw(FEATURES).tolist()


def test_a_declared_direction_holds_everywhere():
    learned = fit(SMALL, DATA, rounds=40)
    start = FEATURES[:40]
    for name, direction in DIRECTIONS.items():
        path = [learned.raw(start.with_columns(pl.lit(v).alias(name))) for v in np.linspace(0, 1, 9)]
        assert (direction * np.diff(path, axis=0) >= 0).all(), name


def test_a_direction_on_a_category_is_refused():
    with pytest.raises(ValueError, match="category feature cannot have a monotone direction"):
        fit(SMALL, TrainingSet.of(FEATURES, Y, {"job": 1}), rounds=2)


def test_without_a_number_of_trees_the_rows_given_choose_it():
    learned = fit(SMALL, DATA)
    assert isinstance(learned.function, Boosted)
    assert 5 <= learned.function.trees <= 5 * 40


def test_progress_is_told():
    told = []
    fit(SMALL, DATA, rounds=20, progress=lambda done, most: told.append((done, most)))
    assert told == [(10, 20), (20, 20)]


def test_inputs_are_not_modified():
    before, outcome = FEATURES.clone(), Y.copy()
    fit(LOGISTIC_REGRESSION, TrainingSet.of(FEATURES, Y))
    assert FEATURES.equals(before)
    assert (outcome == Y).all()


def test_levels_are_ordered_by_default_rate_and_a_rare_one_stands_in_the_middle():
    job = ["good"] * 200 + ["bad"] * 200 + ["rare"]
    y = np.array([0] * 190 + [1] * 10 + [0] * 100 + [1] * 100 + [1], dtype=np.int8)
    encoding = Coded.of(pl.DataFrame({"job": job})).learn(np.arange(len(y)), y)[0]
    # One rare application, and it defaulted: its raw rate of 100 % would put it last.
    assert encoding.levels["job"] == ("good", "rare", "bad")


def test_rare_levels_do_not_repeat_their_own_outcomes():
    """Each rare level holds one application: were they ordered by outcome, their order would tell it."""
    job = ["good"] * 200 + ["bad"] * 200 + [f"rare {i:02}" for i in range(20)]
    y = np.array([0] * 190 + [1] * 10 + [0] * 100 + [1] * 100 + [0, 1] * 10, dtype=np.int8)
    encoding = Coded.of(pl.DataFrame({"job": job})).learn(np.arange(len(y)), y)[0]
    assert encoding.levels["job"] == ("good", *(f"rare {i:02}" for i in range(20)), "bad")


def test_a_feature_never_missing_in_training_reads_a_gap_as_its_median():
    # LightGBM would read it as zero, the safest level.
    encoding = Coded.of(FEATURES).learn(EVERYBODY, Y)[0]
    gaps = FEATURES[:1].with_columns(outside_score=pl.lit(None, pl.Float64), job=pl.lit("astronaut"))
    matrix = encoding.encode(gaps)
    assert matrix[0, 0] == FEATURES["outside_score"].median()
    assert matrix[0, 2] == np.median(encoding.codes(FEATURES)[:, 2])
    assert np.isnan(matrix[0, 4])


def test_a_feature_that_was_missing_in_training_keeps_its_gaps():
    encoding = Coded.of(FEATURES).learn(EVERYBODY, Y)[0]
    assert np.isnan(encoding.encode(FEATURES)[FEATURES["debt"].is_null().to_numpy(), 1]).all()


@given(st.lists(st.sampled_from(["a", "b", "é", "never seen", "", None]), min_size=1, max_size=20))
def test_a_code_is_the_position_of_the_level(values):
    levels = ("a", "é", "b")
    matrix = Encoding(("x",), {"x": levels}, {}).encode(pl.DataFrame({"x": values}, schema={"x": pl.String}))
    expected = [float(levels.index(v)) if v in levels else np.nan for v in values]
    np.testing.assert_array_equal(matrix[:, 0], expected)


def test_the_columns_are_taken_by_name():
    learned = fit(SMALL, DATA, rounds=10)
    shuffled = FEATURES.select("noise", "job", "empty", "debt", "outside_score", pl.lit(1.0).alias("other"))
    assert learned.raw(shuffled).tolist() == learned.raw(FEATURES).tolist()


def test_a_linear_function_reads_its_own_json():
    function = fit(LOGISTIC_REGRESSION, TrainingSet.of(FEATURES, Y)).function
    matrix = Coded.of(FEATURES).learn(EVERYBODY, Y)[0].encode(FEATURES)
    assert isinstance(function, Linear)
    again = Linear.from_json(function.to_json(FEATURES.columns), FEATURES.columns)
    assert again.raw(matrix).tolist() == function.raw(matrix).tolist()


def test_one_outcome_is_refused():
    with pytest.raises(ValueError, match="0 defaults among 1500 applications: a model needs both"):
        fit(DUMMY, TrainingSet.of(FEATURES, np.zeros(len(Y), np.int8)))


@pytest.mark.parametrize("candidate", [LOGISTIC_REGRESSION, SMALL])
def test_constant_features_are_refused(candidate):
    constant = FEATURES.select("empty", pl.lit(1.0).alias("one"))
    with pytest.raises(ValueError, match="none of the 2 features varies"):
        fit(candidate, TrainingSet.of(constant, Y))


@pytest.mark.parametrize("values", [[0, 1, None], [0, 1, 2]])
def test_a_target_that_is_no_outcome_is_refused(values):
    with pytest.raises(ValueError, match="TARGET must be 0"):
        vectorise(pl.Series(values))


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.01, 0.5))
def test_what_is_held_back_has_both_outcomes(defaults, repaid, share):
    y = np.array([1] * defaults + [0] * repaid)
    held = hold_back(y, share, seed=0)
    assert 1 <= held[y == 1].sum() <= max(1, round(share * defaults))
    assert 1 <= held[y == 0].sum() <= max(1, round(share * repaid))


ALL = {candidate.name: candidate for candidate in COMPARISONS["all"]}


def test_every_family_but_the_constant_is_crossed_with_every_treatment():
    families = {candidate.name for candidate in REGISTERED} - {"dummy"}
    assert {"logistic_regression", "scorecard", "random_forest", "xgboost", "catboost", "lightgbm"} < families
    crossed = {f + t for f in families for t in ("", "_weights", "_undersampling", "_smote")}
    assert set(ALL) == {"dummy", *crossed}


def test_only_what_is_calibrated_served_and_keeps_the_directions_can_be_champion():
    able = {name for name, candidate in ALL.items() if candidate.obstacle is None}
    assert able == {"dummy", "logistic_regression", "scorecard", "lightgbm"}
    words = {"scale_pos_weight", "is_unbalance", "class_weight"}
    assert not any(words & set(candidate.settings) for candidate in ALL.values())
    with pytest.raises(ValueError, match="random_forest is a comparison only"):
        fit(quick(ALL["random_forest"]), TrainingSet.of(FEATURES, Y))


def quick(candidate):
    if candidate.family.name == "forest":
        return replace(candidate, settings={**candidate.settings, "n_estimators": 20})
    if candidate.family.name == "xgboost":
        candidate = replace(candidate, settings={**candidate.settings, "min_child_weight": 1})
    return replace(candidate, rounds=min(candidate.rounds, 30))


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"dummy"}))
def test_every_candidate_orders_the_risk_of_others(name):
    learn, judge = EVERYBODY[:1_000], EVERYBODY[1_000:]
    encoding, function = fit_rows(quick(ALL[name]), DATA.take(learn))
    raw = function.raw(DATA.coded.encode(encoding, judge))
    assert np.isfinite(raw).all()
    assert raw[Y[judge] == 1].mean() > raw[Y[judge] == 0].mean() + 0.4 * raw.std()


@pytest.mark.parametrize("treatment", ["weights", "undersampling", "smote"])
def test_a_treatment_makes_both_outcomes_weigh_alike(treatment):
    matrix = np.random.default_rng(0).normal(size=(200, 3))
    y = np.array([1] * 20 + [0] * 180, dtype=np.int8)
    rows, outcomes, weights = treat(treatment, matrix, y, seed=0)
    assert len(rows) == len(outcomes) == len(weights)
    assert weights[outcomes == 1].sum() == pytest.approx(weights[outcomes == 0].sum())
    assert np.isfinite(rows).all()


def test_rows_coded_once_are_encoded_as_the_model_encodes_their_features():
    learned, others = EVERYBODY[:700], EVERYBODY[700:]
    is_late = pl.int_range(pl.len()) == 900  # a level that those who are learned from do not have
    table = FEATURES.with_columns(job=pl.when(is_late).then(pl.lit("pilot")).otherwise("job"))
    coded = Coded.of(table)
    for is_complete in (False, True):
        encoding, matrix = coded.learn(learned, Y[learned], is_complete)
        np.testing.assert_array_equal(matrix, encoding.encode(table[learned]))
        np.testing.assert_array_equal(coded.encode(encoding, others), encoding.encode(table[others]))
        assert not (is_complete and np.isnan(matrix).any())


def test_a_scorecard_reads_its_own_json_and_can_be_added_up_by_hand():
    model = fit(SCORECARD, DATA)
    names, levels = model.encoding.names, model.encoding.levels
    assert isinstance(model.function, Scorecard)
    card = json.loads(json.dumps(model.function.to_json(names, levels, -10.0)))
    assert Scorecard.from_json(card, names) == model.function
    row = FEATURES.row(3, named=True)
    total = card["intercept"]
    for name, term in card["terms"].items():
        value = row[name]
        bins = [
            entry for entry in term["bins"]
            if value is not None and (
                value in entry["levels"] if "levels" in entry
                else (entry["from"] is None or entry["from"] <= value)
                and (entry["below"] is None or value < entry["below"])
            )
        ] or [term["missing"]]  # fmt: skip
        assert bins[0]["points"] == round(-10 * bins[0]["log_odds"], 1)
        total += bins[0]["log_odds"]
    assert model.raw(FEATURES[3])[0] == pytest.approx(total, abs=1e-12)


def test_a_scorecard_keeps_the_declared_directions_and_leaves_noise_out():
    terms = {FEATURES.columns[t.position]: t for t in fit(SCORECARD, DATA).function.terms}
    assert {"outside_score", "debt"} <= set(terms)
    assert "empty" not in terms
    assert (np.diff(terms["outside_score"].log_odds) <= 0).all()
    assert (np.diff(terms["debt"].log_odds) >= 0).all()


def boosters(n: int) -> list[lgb.Booster]:
    """Boosters of a few trees each, on different halves of the rows."""
    matrix = Coded.of(FEATURES).learn(EVERYBODY, Y)[1]
    settings = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    halves = [EVERYBODY[i % 2 :: 2] for i in range(n)]
    return [
        lgb.train(settings | {"seed": i}, lgb.Dataset(matrix[rows], Y[rows]), 3 + i)
        for i, rows in enumerate(halves)
    ]


@pytest.mark.parametrize("n", [1, 3, 4])
def test_a_merged_booster_gives_the_mean_of_the_log_odds_and_of_the_contributions(n):
    parts = boosters(n)
    merged = Boosted(merge([part.model_to_string() for part in parts]))
    matrix = Coded.of(FEATURES).learn(EVERYBODY, Y)[1]
    assert merged.trees == sum(part.num_trees() for part in parts)
    raw = merged.raw(matrix)
    np.testing.assert_allclose(
        raw, np.mean([p.predict(matrix, raw_score=True) for p in parts], 0), atol=1e-12
    )
    shares, base = merged.contributions(matrix)
    expected = np.mean([part.predict(matrix, pred_contrib=True) for part in parts], 0)
    np.testing.assert_allclose(shares, expected[:, :-1], atol=1e-12)
    assert base == pytest.approx(expected[0, -1])
    np.testing.assert_allclose(shares.sum(axis=1) + base, raw, atol=1e-12)


def test_lightgbm_reads_a_merged_booster_and_writes_it_again():
    text = merge([part.model_to_string() for part in boosters(3)])
    read = lgb.Booster(model_str=text)
    matrix = Coded.of(FEATURES).learn(EVERYBODY, Y)[1]
    assert read.predict(matrix, raw_score=True).tolist() == Boosted(text).raw(matrix).tolist()
    again = lgb.Booster(model_str=read.model_to_string())
    assert again.predict(matrix).tolist() == read.predict(matrix).tolist()


def test_only_boosters_of_the_same_features_are_merged():
    text = boosters(1)[0].model_to_string()
    with pytest.raises(ValueError, match="different features"):
        merge([text, text.replace("feature_names=Column_0", "feature_names=another")])
    with pytest.raises(ValueError, match="no text that LightGBM wrote"):
        merge([text, "tree\n"])


def test_each_booster_leaves_another_part_out_and_the_parts_are_all_rows():
    parts = deal_parts(Y, 5, seed=2)
    defaults = np.bincount(parts[Y == 1])
    assert sorted(set(parts.tolist())) == [0, 1, 2, 3, 4]
    assert np.ptp(np.bincount(parts)) <= 2
    assert np.ptp(defaults) <= 1


def test_a_single_booster_must_be_told_its_number_of_trees():
    single = replace(SMALL, boosters=1)
    assert fit(single, DATA, rounds=7).function.trees == 7
    with pytest.raises(ValueError, match="give their number"):
        fit(single, DATA)


def test_growing_ends_where_the_rows_left_out_gain_no_more():
    noise = pl.DataFrame({f"x{i}": np.random.default_rng(i).normal(size=len(Y)) for i in range(4)})
    learned = fit(replace(SMALL, rounds=400), TrainingSet.of(noise, Y))
    assert learned.function.trees < 5 * 100
