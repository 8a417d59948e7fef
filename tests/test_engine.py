"""The engine answers exactly as LightGBM does, row by row and to the last bit, or leaves the answer to it."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.engine import Engine, Unsupported, native
from scoring.engine import build as building
from scoring.engine.explain import gauss_legendre
from scoring.engine.forest import Forest
from scoring.scorer import Scorer, ScorerError
from scoring.scorer.model import Boosted
from tests.support import small

ROOT = Path(__file__).parent.parent
ROWS = 300
SUMS = 1e-9  # contributions are sums in another order than LightGBM's
EDGES = [
    0.0,
    -0.0,
    1e-35,
    1.1e-35,
    -1e-36,
    5e-324,
    -2.5e-310,
    1e300,
    -1.7e308,
    2.0**31,
    -0.5,
    -1.0,
    62.0,
    63.0,
    1e9,
]


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """Build the kernels where `make setup` has not."""
    if not native.built().is_file():
        try:
            building.build()
        except building.BuildError as error:
            pytest.skip(str(error))


def data(seed: int, n_categories: int = 9, k: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Two category columns first, then numbers of which some are zero and some missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, k))
    x[:, 2] = np.round(x[:, 2] * 2)
    x[:, :2] = random.integers(0, n_categories, size=(ROWS, 2))
    x[random.random(x.shape) < 0.1] = 0.0
    y = (x[:, 0] % 3 == 1) + (x[:, 2] > 0) * x[:, 3] + np.nan_to_num(x[:, 4]) + random.normal(size=ROWS) * 0.3
    x[random.random(x.shape) < 0.15] = np.nan
    return x, (y > np.median(y)).astype(float)


def train(
    x: np.ndarray, y: np.ndarray, rounds: int = 10, categories: list[int] | None = None, **settings: Any
) -> lgb.Booster:
    parameters = {
        "objective": "binary",
        "num_leaves": 8,
        "min_data_in_leaf": 3,
        "min_data_per_group": 3,
        "cat_smooth": 1.0,
        "verbosity": -1,
        "num_threads": 1,
        "seed": 1,
        "deterministic": True,
        "force_row_wise": True,
    }
    dataset = lgb.Dataset(x, y, categorical_feature=categories or [])
    return lgb.train(parameters | settings, dataset, rounds)


def probes(x: np.ndarray, booster: lgb.Booster) -> np.ndarray:
    """Rows of the data, extreme values in every column, and values on and beside every threshold."""
    edges = np.array([*EDGES, np.nan])
    extreme = np.repeat(edges[:, None], x.shape[1], axis=1)
    one_by_one = np.repeat(x[:1], len(edges) * x.shape[1], axis=0)
    for i in range(x.shape[1]):
        one_by_one[i * len(edges) : (i + 1) * len(edges), i] = edges
    forest = Forest.of(booster.model_to_string())
    borders: list[np.ndarray] = []
    for column in forest.columns[:40]:
        for threshold in forest.threshold[column["first"] : column["end"]][:8]:
            for value in (threshold, np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf)):
                row = x[len(borders) % len(x)].copy()
                row[column["feature"]] = value
                borders.append(row)
    return np.concatenate([x, extreme, one_by_one, np.array(borders).reshape(-1, x.shape[1])])


def check_equal(booster: lgb.Booster, rows: np.ndarray) -> Engine:
    """Hold the engine against LightGBM, in a batch and by few rows, scores and contributions."""
    engine = Engine.of(booster.model_to_string())
    expected = booster.predict(rows, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(engine.raw(rows), expected)
    few = [engine.raw(rows[i : i + 5]) for i in range(0, len(rows), 5)]
    np.testing.assert_array_equal(np.concatenate(few), expected)

    some = rows[:: max(1, len(rows) // 80)]
    shares, base = engine.contributions(some)
    theirs = np.asarray(booster.predict(some, pred_contrib=True, num_threads=1))
    np.testing.assert_allclose(shares, theirs[:, :-1], rtol=0, atol=SUMS)
    assert base == pytest.approx(theirs[0, -1], abs=SUMS)
    np.testing.assert_allclose(shares.sum(axis=1) + base, engine.raw(some), rtol=0, atol=SUMS)
    return engine


@settings(max_examples=120)
@given(
    seed=st.integers(0, 10_000),
    leaves=st.sampled_from([2, 3, 8, 31]),
    missing=st.sampled_from([{}, {"use_missing": False}, {"zero_as_missing": True}]),
    categorical=st.booleans(),
    extra=st.sampled_from(
        [
            {},
            {"monotone_constraints": [0, 0, 0, 1, -1, 0]},
            {"bagging_fraction": 0.5, "bagging_freq": 1},
            {"boosting": "dart", "drop_rate": 0.5},
            {"data_sample_strategy": "goss"},
            {"extra_trees": True},
            {"objective": "regression", "min_data_in_leaf": 1},
        ]
    ),
    rounds=st.sampled_from([1, 2, 5, 9]),
)
def test_any_forest_scores_as_lightgbm_does(
    seed: int, leaves: int, missing: dict, categorical: bool, extra: dict, rounds: int
) -> None:
    x, y = data(seed)
    booster = train(x, y, rounds, [0, 1] if categorical else None, num_leaves=leaves, **missing, **extra)
    check_equal(booster, probes(x, booster))


def test_categories_beyond_the_width_of_a_word_score_as_lightgbm_does() -> None:
    x, y = data(5, n_categories=200)
    y = ((np.nan_to_num(x[:, 0]) % 7 < 3) ^ (np.nan_to_num(x[:, 1]) % 2 == 0)).astype(float)
    booster = train(x, y, 8, [0, 1], min_data_per_group=1, min_data_in_leaf=1, max_cat_threshold=200)
    engine = check_equal(booster, probes(x, booster))
    assert engine.forest.columns["n_words"].max() > 1


def shapley_values(tree: dict, row: np.ndarray) -> dict[int, Fraction]:
    """Work out one tree's values in exact fractions, leaf by leaf, from LightGBM's own dump."""
    values: dict[int, Fraction] = {}

    def count(node: dict) -> int:
        return node["internal_count"] if "internal_count" in node else node["leaf_count"]

    def visit(node: dict, path: dict[int, tuple[Fraction, int]]) -> None:
        if "split_feature" in node:
            feature = node["split_feature"]
            share, passes = path.get(feature, (Fraction(1), 1))
            for side in ("left_child", "right_child"):
                follows = (row[feature] <= node["threshold"]) == (side == "left_child")
                let_through = share * Fraction(count(node[side]), count(node))
                visit(node[side], path | {feature: (let_through, passes * follows)})
            return
        for feature, (share, passes) in path.items():
            polynomial = [Fraction(1)]  # in t, lowest power first
            for z, o in (at for other, at in path.items() if other != feature):
                polynomial = [
                    z * low + (o - z) * high
                    for low, high in zip([*polynomial, Fraction(0)], [Fraction(0), *polynomial], strict=True)
                ]
            integral = sum(c / (i + 1) for i, c in enumerate(polynomial))
            gain = Fraction(node["leaf_value"]) * (passes - share) * integral
            values[feature] = values.get(feature, Fraction(0)) + gain

    visit(tree["tree_structure"], {})
    return values


def test_paths_of_many_features_are_explained_exactly() -> None:
    # Each row has one thing that the others have not, so every split cuts off a row: a tree like a ladder.
    # The judge is exact arithmetic, because pred_contrib itself drifts on such paths: 2e-8 at 40 features.
    k = 20
    x = np.concatenate([np.eye(k), np.zeros((4, k))])
    y = np.concatenate([np.arange(k) % 7 + np.arange(k) / 10.0, np.zeros(4)])
    booster = train(x, y, 1, objective="regression", num_leaves=k, min_data_in_leaf=1, min_data_in_bin=1)
    engine = Engine.of(booster.model_to_string())
    assert engine._kernels.passes.max() > 1
    tree = booster.dump_model()["tree_info"][0]
    for row in x[::10]:
        exact = shapley_values(tree, row)
        shares, _ = engine.contributions(row[None])
        np.testing.assert_allclose(
            shares[0], [float(exact.get(i, Fraction(0))) for i in range(k)], rtol=0, atol=1e-13
        )


def test_a_constant_forest_scores_as_lightgbm_does() -> None:
    x, y = data(0)
    check_equal(train(x, np.full_like(y, 0.3), 3, objective="cross_entropy"), x)


def test_trees_that_learned_with_different_rules_for_missing_values_live_in_one_forest() -> None:
    x, y = data(3)
    first = train(x, y, 5)
    settings = {"zero_as_missing": True, "verbosity": -1, "min_data_in_leaf": 3, "num_threads": 1}
    both = lgb.train(settings, lgb.Dataset(x, y), 5, init_model=first)
    engine = check_equal(both, probes(x, both))
    assert len(set(engine.forest.columns["rule"])) > 1


@pytest.mark.parametrize("n", [0, 1, 8, 9, 63, 64, 65, 128, 255, 256, 257])
def test_a_row_in_a_batch_is_the_row_alone(n: int) -> None:
    x, y = data(7)
    booster = train(x, y, 7, [0, 1])
    engine = Engine.of(booster.model_to_string())
    alone = [engine.raw(x[i : i + 1])[0] for i in range(n)]
    np.testing.assert_array_equal(engine.raw(x[:n]), alone)
    shares, _ = engine.contributions(x[:n][:20])
    assert shares.shape == (min(n, 20), 6)
    for i in range(len(shares)):
        np.testing.assert_array_equal(shares[i], engine.contributions(x[i : i + 1])[0][0])


def test_any_memory_layout_is_read_and_none_is_written() -> None:
    x, y = data(8)
    engine = Engine.of(train(x, y, 4).model_to_string())
    expected = engine.raw(x.copy())
    x.setflags(write=False)
    for matrix in (x, np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x.tolist()):
        np.testing.assert_array_equal(engine.raw(matrix), expected)


def test_a_matrix_of_another_width_is_refused() -> None:
    x, y = data(8)
    engine = Engine.of(train(x, y, 2).model_to_string())
    for matrix in (x[:, :5], x[0]):
        with pytest.raises(ValueError, match=r"expected \(n, 6\)"):
            engine.raw(matrix)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"objective": "multiclass", "num_class": 3}, "more than one score"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "averages"),
        ({"linear_tree": True, "objective": "regression"}, "linear"),
    ],
)
def test_what_it_cannot_answer_exactly_is_left_to_lightgbm(settings: dict, reason: str) -> None:
    x, y = data(1)
    booster = train(x, np.arange(ROWS) % 3 if "num_class" in settings else y, 2, **settings)
    with pytest.raises(Unsupported, match=reason):
        Forest.of(booster.model_to_string())
    answering = Boosted(booster.model_to_string())
    assert answering.engine == "lightgbm"
    assert reason in answering.without_native


def test_a_leaf_that_no_training_row_reached_is_left_to_lightgbm() -> None:
    x, y = data(1)
    lines = train(x, y, 1).model_to_string().splitlines()
    text = "\n".join("leaf_count=" + "0 " * 8 if line.startswith("leaf_count=") else line for line in lines)
    with pytest.raises(Unsupported, match="no training row"):
        Forest.of(text)


def test_a_split_on_an_unknown_rule_feature_or_category_is_left_to_lightgbm() -> None:
    x, y = data(2)
    text = train(x, y, 1, [0, 1], max_cat_to_onehot=1).model_to_string()
    for key, value in {
        "decision_type": "12",  # a fourth rule for missing values
        "split_feature": "6",  # of features 0 to 5
        "left_child": "7",
        "threshold": "nan",
        "leaf_value": "nan",
        "cat_boundaries": "0 900",
        "num_leaves": "1000000000",
    }.items():
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{key}="))
        first = lines[at].partition("=")[2].split()
        lines[at] = f"{key}={' '.join([value, *first[len(value.split()) :]])}"
        with pytest.raises(Unsupported):
            Forest.of("\n".join(lines))


DAMAGED = train(*data(4), 3, [0, 1]).model_to_string()
NUMBERS = [
    found.span() for found in re.finditer(r"(?<![\w.])-?\d[\d.e+-]*", DAMAGED.partition("end of trees")[0])
]


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4, unique=True),
    st.sampled_from(
        ["-1", "0", "3", "7", "8", "15", "31", "64", "4294967295", "-2147483648", "1e308", "", "x"]
    ),
)
def test_a_damaged_model_is_refused_or_read_within_its_bounds(
    spans: list[tuple[int, int]], other: str
) -> None:
    text = DAMAGED
    for first, end in sorted(spans, reverse=True):
        text = text[:first] + other + text[end:]
    try:
        forest = Forest.of(text)
    except Unsupported:
        return
    if forest.n_features > 1_000:  # a matrix that wide is not at hand
        return
    engine = Engine.of(text)
    rows = np.resize(data(4)[0], (40, forest.n_features))
    np.testing.assert_array_equal(engine.raw(rows[:3]), engine.raw(rows)[:3])
    engine.contributions(rows[:3])


def test_threads_share_an_engine() -> None:
    x, y = data(9)
    engine = Engine.of(train(x, y, 20, [0, 1]).model_to_string())
    expected, (shares, _) = engine.raw(x), engine.contributions(x)

    def ask(i: int) -> bool:
        rows = slice(i, i + 1 + i % 50)
        return np.array_equal(engine.raw(x[rows]), expected[rows]) and np.array_equal(
            engine.contributions(x[rows])[0], shares[rows]
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(200)))


def test_trees_of_many_leaves_score_as_lightgbm_does() -> None:
    x, y = data(11)
    booster = train(x, y, 6, [0, 1], num_leaves=200, min_data_in_leaf=1, min_sum_hessian_in_leaf=0)
    engine = check_equal(booster, probes(x, booster))
    assert np.diff(engine.forest.start).max() > 2 * 64 + 1


def test_a_hundred_thousand_applications_are_decided_as_lightgbm_does() -> None:
    x, y = data(12)
    booster = train(x, y, 30, [0, 1], num_leaves=31)
    random = np.random.default_rng(12)
    rows = np.column_stack([random.choice(x[:, i], 100_000) for i in range(x.shape[1])])
    expected = booster.predict(rows, raw_score=True, num_threads=2)
    found = Boosted(booster.model_to_string()).raw(rows)
    np.testing.assert_array_equal(found, expected)  # so every probability and every decision is the same too


def test_the_points_of_the_quadrature_are_those_of_gauss_and_legendre() -> None:
    for n in (8, 24):
        points, weights = gauss_legendre(n)
        theirs, their_weights = np.polynomial.legendre.leggauss(n)
        np.testing.assert_allclose(points, (theirs + 1) / 2, rtol=0, atol=1e-15)
        np.testing.assert_allclose(weights, their_weights / 2, rtol=0, atol=1e-15)


def test_without_its_kernels_lightgbm_answers_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = data(6)
    text = train(x, y, 5, [0, 1]).model_to_string()
    with_kernels = Boosted(text)
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    (tmp_path / "kernels.c").write_text("int walk;")
    without = Boosted(text)
    assert (with_kernels.engine, without.engine) == ("native", "lightgbm")
    assert with_kernels.without_native == ""
    assert "python -m scoring.engine" in without.without_native
    np.testing.assert_array_equal(with_kernels.raw(x), without.raw(x))
    native.built().write_text("no library")
    assert "do not load" in Boosted(text).without_native


def test_where_neither_kernels_nor_lightgbm_are_a_scorer_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small.save(tmp_path / "scorer")
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    monkeypatch.setattr("scoring.scorer.model.find_spec", lambda _: None)
    with pytest.raises(ScorerError) as refused:
        Scorer.load(folder)
    assert "cannot be served here" in str(refused.value) and "not built here" in str(refused.value)
    assert "LightGBM is not installed" in str(refused.value) and "train again" not in str(refused.value)


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "scoring.engine", *arguments]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_the_command_says_whether_the_engine_is_here() -> None:
    found = command("--check")
    assert found.returncode == 0
    assert str(native.built()) in found.stdout


def test_a_compiler_that_is_missing_or_fails_is_one_line() -> None:
    for compiler in ("false", "no-such-compiler"):
        found = command("--again", CC=compiler)
        assert found.returncode == 1
        assert found.stdout.startswith("LightGBM itself will answer: ")
        assert len(found.stdout.splitlines()) == 1
        assert not found.stderr
    assert native.built().is_file()  # what stood, stands


def test_a_build_leaves_no_other_one_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    (tmp_path / "kernels-linux-old.so").touch()
    (tmp_path / "kernels.c").write_text("int walk(void) { return 0; }")
    first = building.build()
    (tmp_path / "kernels.c").write_text("int walk(void) { return 1; }")
    second = building.build()
    assert first != second
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["kernels.c", second.name])
