"""The laws of what the monitor counts and compares."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.bins import MISSING, UNSEEN, Axis, Bins, Pair, cut
from monitoring.origins import find
from monitoring.statistic import FLOOR, Comparison, Detector, discovered

ROWS = 4_000


def people(rows: int, seed: int) -> pl.DataFrame:
    """Two raw columns that depend on each other, one that does not, and a category."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=rows)
    return pl.DataFrame(
        {
            "probability_of_default": rng.beta(1, 10, rows),
            "EXT_SOURCE_2": 1 / (1 + np.exp(-z + rng.normal(size=rows))),
            "DAYS_BIRTH": -15_000 + 3_000 * z,
            "AMT_CREDIT": np.round(rng.lognormal(13, 0.6, rows), -3),
            "NAME_INCOME_TYPE": rng.choice(["Working", "Pensioner", "Student"], rows, p=[0.6, 0.39, 0.01]),
        }
    )


def alone(name: str) -> frozenset[str]:
    return frozenset({name})


@pytest.fixture(scope="module")
def watch() -> Detector:
    table = people(ROWS, 1)
    bins = cut(table, table.columns, {"NAME_INCOME_TYPE": ["Working", "Maternity leave"]}, alone, {})
    return Detector(bins, bins.codes(table))


def compared(watch: Detector, table: pl.DataFrame):
    return watch.compare(watch.bins.count(watch.bins.codes(table)))


def moved(watch: Detector, table: pl.DataFrame) -> set[str]:
    found = compared(watch, table)
    return {name for name, is_so in zip(watch.bins.names, found.has_moved, strict=True) if is_so}


@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=60),
)
def test_every_value_has_one_cell_and_counts_add_up(known: list, later: list) -> None:
    reference = pl.DataFrame({"x": pl.Series(known, dtype=pl.Float64)})
    bins = cut(reference, ["x"], {}, alone, {})
    tables = [reference, pl.DataFrame({"x": pl.Series(later, dtype=pl.Float64)})]
    counts = [bins.count(bins.codes(table)) for table in tables]
    assert [count.sum() for count in counts] == [len(known), len(later)]
    assert (sum(counts) == bins.count(bins.codes(pl.concat(tables)))).all()
    assert counts[1][MISSING] == later.count(None)


def test_cells_hold_about_equal_shares_and_frequent_values_stand_alone() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(5_000) < 0.3, 0.0, rng.exponential(size=5_000))
    bins = cut(pl.DataFrame({"x": values}), ["x"], {}, alone, {})
    counts = bins.count(bins.codes(pl.DataFrame({"x": values})))
    assert counts[bins.axes[0].codes(pl.Series([0.0]))[0]] == (values == 0).sum()
    others = [count for cell, count in enumerate(counts) if cell > UNSEEN and count and count < 1_000]
    assert len(others) >= 10 and max(others) < 1.2 * min(others)


def test_a_word_that_training_saw_has_a_cell_though_the_reference_lacks_it(watch: Detector) -> None:
    place = watch.bins.names.index("NAME_INCOME_TYPE")
    axis = watch.bins.axes[place]
    codes = axis.codes(pl.Series(["Maternity leave", "Astronaut", None]))
    assert codes[0] > UNSEEN and codes[1] == UNSEEN and codes[2] == MISSING


def test_windows_of_the_same_population_are_hardly_ever_called_moved(watch: Detector) -> None:
    assert sum(bool(moved(watch, people(500, 1_000 + seed))) for seed in range(150)) <= 2


@pytest.mark.parametrize(
    ("change", "origin"),
    [
        (pl.col("AMT_CREDIT") * 1.3, "AMT_CREDIT"),
        (pl.when(pl.int_range(pl.len()) % 12 > 0).then("EXT_SOURCE_2").alias("EXT_SOURCE_2"), "EXT_SOURCE_2"),
        (pl.col("DAYS_BIRTH").median().alias("DAYS_BIRTH"), "DAYS_BIRTH"),
        (-pl.col("DAYS_BIRTH"), "DAYS_BIRTH"),
        (pl.col("NAME_INCOME_TYPE").replace("Pensioner", "Retired"), "NAME_INCOME_TYPE"),
    ],
    ids=["times", "missing", "stuck", "sign", "renamed"],
)
def test_a_fault_of_one_column_is_found_and_named_first(
    watch: Detector, change: pl.Expr, origin: str
) -> None:
    found = compared(watch, people(500, 7).with_columns(change))
    first = find(watch.bins, found, "probability_of_default")[0]
    assert (first.name, first.is_parted) == (origin, False)


def test_values_of_other_applicants_move_no_input_and_are_found_all_the_same(watch: Detector) -> None:
    table = people(2_000, 8)
    mixed = table.with_columns(pl.col("EXT_SOURCE_2").shuffle(seed=1))
    assert moved(watch, mixed) == {"EXT_SOURCE_2 × DAYS_BIRTH"}
    first = find(watch.bins, compared(watch, mixed), "probability_of_default")[0]
    assert first.is_parted and first.name in ("EXT_SOURCE_2", "DAYS_BIRTH")


def test_what_does_not_matter_is_not_drift_however_many_rows_there_are(watch: Detector) -> None:
    table = people(200_000, 9).with_columns(pl.col("AMT_CREDIT") * 1.02)
    found = compared(watch, table)
    assert (found.distance < FLOOR).all() and not found.is_drift


def lumped(rows: int, seed: int, times: float = 1.0) -> pl.DataFrame:
    """The same people as a small portfolio's champion scores them: in steps, as no fold does."""
    return people(rows, seed).with_columns((pl.col("probability_of_default") + 0.03).round(2) * times)


@pytest.fixture(scope="module")
def both(watch: Detector) -> Detector:
    """The same reference, which knows how the champion itself scores its rows."""
    own = watch.bins.count(watch.bins.codes(lumped(ROWS, 1)))
    return Detector(watch.bins, watch.codes, counts=watch.counts, own=own)


def test_the_champion_of_a_small_portfolio_does_not_move_by_scoring_otherwise_than_its_folds(
    watch: Detector, both: Detector
) -> None:
    windows = [lumped(1_000, 2_000 + seed) for seed in range(60)]
    assert all("probability_of_default" in moved(watch, window) for window in windows[:3])
    assert sum(bool(moved(both, window)) for window in windows) <= 1


def test_scores_like_those_of_the_folds_have_not_moved_either(both: Detector) -> None:
    assert not moved(both, people(1_000, 11))


def test_scores_that_rise_by_a_quarter_are_found_beside_both(both: Detector) -> None:
    assert all("probability_of_default" in moved(both, lumped(1_000, 90 + n, 1.25)) for n in range(5))


def test_what_the_champion_says_itself_changes_nothing_about_inputs(watch: Detector, both: Detector) -> None:
    window = people(700, 12).with_columns(pl.col("AMT_CREDIT") * 1.3)
    alone, beside = compared(watch, window), compared(both, window)
    inputs = np.array(["probability_of_default" not in name for name in watch.bins.names])
    assert beside.evidence[inputs] == pytest.approx(alone.evidence[inputs])
    assert beside.distance[inputs] == pytest.approx(alone.distance[inputs]) and beside.is_drift


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_discoveries_are_those_of_benjamini_and_hochberg(p: list[float]) -> None:
    found = discovered(np.array(p))
    ranked = sorted(p)
    cut_at = max((x for k, x in enumerate(ranked, 1) if x <= 0.01 * k / len(p)), default=-1.0)
    assert found.tolist() == [x <= cut_at for x in p]


def test_the_same_reference_and_window_give_the_same_verdict() -> None:
    table = people(1_000, 3)
    results = []
    for _ in range(2):
        bins = cut(table, table.columns, {}, alone, {})
        results.append(compared(Detector(bins, bins.codes(table)), people(600, 4)))
    assert results[0].limit == results[1].limit and (results[0].evidence == results[1].evidence).all()


def test_counts_of_other_cells_have_another_id(watch: Detector) -> None:
    other = cut(people(ROWS, 2), list(people(1, 2).columns), {}, alone, {})
    assert other.id != watch.bins.id and Bins(watch.bins.axes, watch.bins.pairs).id == watch.bins.id


EXTERNAL = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3", "FLAG_EMAIL")


@pytest.mark.parametrize(
    ("sure", "first"),
    [
        (["EXT_SOURCE_1 × EXT_SOURCE_2", "EXT_SOURCE_1 × EXT_SOURCE_3"], "EXT_SOURCE_1"),
        (["p"], "p"),
        (["EXT_SOURCE_3"], "EXT_SOURCE_3"),
    ],
)
def test_what_chance_moved_beside_comes_behind_what_the_verdict_is_of(sure: list[str], first: str) -> None:
    axes = (Axis("p"), *(Axis(name) for name in EXTERNAL))
    merged = ((0, 0, 1), (0, 0, 1))
    bins = Bins(axes, (Pair(1, 2, merged), Pair(1, 3, merged)))
    has_moved = np.array([name in (*sure, "FLAG_EMAIL") for name in bins.names])
    evidence = np.where([name in sure for name in bins.names], 20.0, 10.0)
    distance = np.where([name == "FLAG_EMAIL" for name in bins.names], 0.02, 0.01)  # farther, of a rare flag
    found = find(bins, Comparison(500, distance, evidence, 15.0, has_moved), "p")
    assert [origin.name for origin in found] == [first, "FLAG_EMAIL"]
