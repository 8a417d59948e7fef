"""Faults are put into raw applications, features are computed anew, and undoing them names what was done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from monitoring import causes
from monitoring.causes import Cause
from monitoring.judgement import Judgement, judge
from monitoring.recompute import Recompute
from monitoring.reference import PREDICTION, Reference, read_reference
from monitoring.tally import Tally
from scoring import features
from scoring.inference_log import COLUMNS
from scoring.scorer import Scorer
from scoring.tables import Portfolio
from tests.support import small

ROWS = 1_500


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return small.scorer()[0]


def people(seed: int) -> Portfolio:
    return small.portfolio(small.applications(ROWS, seed))


def decided(portfolio: Portfolio, scorer: Scorer) -> pl.DataFrame:
    """Decisions in the columns of a reference."""
    inputs = features.build(portfolio)[scorer.feature_names]
    said = scorer.decide(inputs)
    known = {name: said[name] for name in said.columns if name in COLUMNS}
    log = [
        known.get(name, pl.Series(name, [None] * len(portfolio), dtype=dtype)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    return inputs.select(*log, pl.all())


@pytest.fixture(scope="module")
def reference(scorer: Scorer, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    file = tmp_path_factory.mktemp("reference") / "reference.parquet"
    decided(people(1), scorer).write_parquet(file)
    known: Reference = read_reference(file)
    return replace(known, levels=scorer.categories, importance=scorer.importance or known.importance)


@pytest.fixture(scope="module")
def later() -> Portfolio:
    return people(2)


def explained(reference: Reference, table: pl.DataFrame, scorer: Scorer) -> tuple[Judgement, list[Cause]]:
    rows = table.with_columns(
        pl.Series("applicant", [str(n) for n in range(table.height)]),
        pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("time"),
    )
    found = judge(Tally.of(rows, reference.bins), reference)
    return found, causes.explain(reference, table, found.groups, scorer)


def on(portfolio: Portfolio, *expressions: pl.Expr) -> Portfolio:
    return replace(portfolio, applications=portfolio.applications.with_columns(*expressions))


SWAPPED = (pl.col("AMT_CREDIT").alias("AMT_INCOME_TOTAL"), pl.col("AMT_INCOME_TOTAL").alias("AMT_CREDIT"))
RENAMED = pl.col("NAME_INCOME_TYPE").replace("Pensioner", "Retired")
LOST = pl.when(pl.col("row") % 4 > 0).then("EXT_SOURCE_2").alias("EXT_SOURCE_2")
FEWER = (
    pl.when(pl.col("row") % 10 > 0)
    .then(pl.lit("Cash loans"))
    .otherwise("NAME_CONTRACT_TYPE")
    .alias("NAME_CONTRACT_TYPE")
)
FAULTS = {
    "times": (pl.col("AMT_INCOME_TOTAL") * 100, "AMT_INCOME_TOTAL", "multiplied by 100."),
    "sign": (-pl.col("DAYS_BIRTH"), "DAYS_BIRTH", "turned round"),
    "plus": (pl.col("DAYS_BIRTH") - 3_000, "DAYS_BIRTH", "shifted by -"),
    "stuck": (pl.lit(0.5).alias("EXT_SOURCE_2"), "EXT_SOURCE_2", "stuck at 0.5."),
    "missing": (LOST, "EXT_SOURCE_2", "lost in 2"),
    "renamed": (RENAMED, "NAME_INCOME_TYPE", "“Pensioner” now comes as “Retired”"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_named_by_undoing_it(
    reference: Reference, later: Portfolio, scorer: Scorer, kind: str
) -> None:
    change, origin, words = FAULTS[kind]
    _, (first, *_) = explained(reference, decided(on(later, change), scorer), scorer)
    assert (first.origin, first.kind) == (origin, kind)
    assert words in first.said() and first.explained > 0.6


def test_columns_that_changed_places_are_named(
    reference: Reference, later: Portfolio, scorer: Scorer
) -> None:
    _, found = explained(reference, decided(on(later, *SWAPPED), scorer), scorer)
    assert {(one.origin, one.kind) for one in found} == {
        ("AMT_CREDIT", "swapped"),
        ("AMT_INCOME_TOTAL", "swapped"),
    }


def test_records_that_are_gone_are_named_by_their_table(
    reference: Reference, later: Portfolio, scorer: Scorer
) -> None:
    without = {
        name: table.filter(pl.col("row") % 3 > 0) if name.startswith("bureau") else table
        for name, table in later.history.items()
    }
    _, (first, *_) = explained(reference, decided(replace(later, history=without), scorer), scorer)
    assert first.origin.startswith("bureau") and first.kind == "missing"


def test_other_applicants_are_no_fault(reference: Reference, later: Portfolio, scorer: Scorer) -> None:
    _, (first, *_) = explained(reference, decided(on(later, FEWER), scorer), scorer)
    assert (first.origin, first.kind, first.rows) == ("NAME_CONTRACT_TYPE", "mix", 0)


def test_the_cost_of_a_fault_is_what_the_model_expects_of_the_right_values(
    reference: Reference, later: Portfolio, scorer: Scorer
) -> None:
    right, wrong = (decided(table, scorer) for table in (later, on(later, FAULTS["sign"][0])))
    _, (first, *_) = explained(reference, wrong, scorer)
    assert first.rows == ROWS
    assert first.changed == (right["decision"] != wrong["decision"]).sum()
    p, costs = right[PREDICTION].to_numpy(), scorer.costs
    per_row = [
        np.where(table["decision"] == "refused", costs.false_positive * (1 - p), costs.false_negative * p)
        for table in (wrong, right)
    ]
    assert first.cost == pytest.approx(1_000 * (per_row[0].mean() - per_row[1].mean()))


def test_scores_that_are_not_the_models_are_named(
    reference: Reference, later: Portfolio, scorer: Scorer
) -> None:
    table = decided(later, scorer).with_columns(pl.col(PREDICTION) * 0.5)
    found, (first, *_) = explained(reference, table, scorer)
    assert [one.origin for one in found.groups] == [PREDICTION]
    assert first.kind == "score" and "0.5 times that" in first.said()


def test_what_is_computed_anew_is_what_the_service_would_have_read(later: Portfolio, scorer: Scorer) -> None:
    logged, changed = decided(later, scorer), on(later, pl.col("DAYS_BIRTH") - 365, pl.col("AMT_CREDIT") * 2)
    again = Recompute(logged, scorer.feature_names)
    columns = changed.applications
    undone = again.with_columns(
        {name: columns[name].cast(pl.Float64) for name in ("DAYS_BIRTH", "AMT_CREDIT")}
    )
    truth = decided(changed, scorer)
    readers = {*again.readers("DAYS_BIRTH"), *again.readers("AMT_CREDIT")} & set(scorer.feature_names)
    assert len(readers) > 10
    for name in readers:
        a, b = undone[name], truth[name]
        if b.dtype == pl.String:
            assert a.to_list() == b.to_list(), name
        else:
            ours, theirs = (one.cast(pl.Float64).fill_null(-1e99).to_numpy() for one in (a, b))
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, err_msg=name)


def test_without_findings_or_rows_there_is_no_cause(
    reference: Reference, later: Portfolio, scorer: Scorer
) -> None:
    table = decided(later, scorer)
    found, said = explained(reference, table, scorer)
    assert not found.groups and not said
    assert causes.explain(reference, table.clear(), found.groups, scorer) == []


def test_a_folder_of_a_scorer_has_what_a_report_needs(tmp_path: Path) -> None:
    known = read_reference(small.save(tmp_path / "scorer"))
    assert known.inputs and known.thresholds == {0.35}
