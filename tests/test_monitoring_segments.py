"""Parts of the applicants are compared by themselves, and cry wolf together as seldom as the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from monitoring.judgement import judge
from monitoring.ledger import Day, Ledger
from monitoring.reference import Reference
from monitoring.segments import Segment
from monitoring.tally import Tally, together
from scoring.inference_log import Checkpoint

TAG = "credit_scoring:first"
RARE = 3.0


def people(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    region = rng.choice([1.0, 2.0, RARE], rows, p=[0.2, 0.74, 0.06])
    p = rng.beta(1.2, 12, rows)
    return pl.DataFrame(
        {
            "event_id": [None] * rows,
            "time": pl.Series([None] * rows, dtype=pl.Datetime("us", "UTC")),
            "model": [TAG] * rows,
            "applicant": [str(n) for n in range(rows)],
            "request_id": [None] * rows,
            "probability_of_default": p,
            "threshold": [0.09] * rows,
            "decision": np.where(p >= 0.09, "refused", "granted"),
            "NAME_CONTRACT_TYPE": rng.choice(["Cash loans", "Revolving loans"], rows, p=[0.9, 0.1]),
            "REGION_RATING_CLIENT": region,
            "age_years": rng.uniform(21, 69, rows),
            "AMT_CREDIT": np.round(rng.lognormal(13, 0.7, rows), 1),
            "EXT_SOURCE_2": np.where(rng.random(rows) < 0.02, np.nan, rng.beta(5, 5, rows)),
        },
        nan_to_null=True,
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(people(12_000, 1), TAG, {})


def tally(reference: Reference, table: pl.DataFrame) -> Tally:
    return Tally.of(table, reference.bins, reference.segments)


def judged(reference: Reference, table: pl.DataFrame) -> dict[str, Segment]:
    return {f"{part.column}={part.value}": part for part in judge(tally(reference, table), reference).parts}


def test_the_parts_of_each_dimension_add_up_to_the_whole(reference: Reference) -> None:
    some, others = people(900, 2), people(700, 3)
    found = together([tally(reference, some), tally(reference, others)], reference.bins)
    whole = tally(reference, pl.concat([some, others]))
    cells = reference.segments.axes.cells
    for dimension in reference.segments.dimensions:
        parts = [found.parts[key] for key in dimension.keys if key in found.parts]
        assert sum(part.rows for part in parts) == found.rows == 1_600
        assert sum(part.refused for part in parts) == found.operations.refused
        assert (sum(part.counts for part in parts) == found.counts[:cells]).all()
        assert all((whole.parts[key].counts == found.parts[key].counts).all() for key in whole.parts)
    assert sum(1 for _ in reference.segments.dimensions) == 3


def test_parts_are_remembered_as_they_were_counted(reference: Reference, tmp_path) -> None:
    known = tally(
        reference, people(600, 4).with_columns(time=pl.lit("2026-11-20").str.to_datetime(time_zone="UTC"))
    )
    ledger, day = Ledger(tmp_path / "memory.sqlite"), known.first.date()
    row = Day(day, TAG, "decision", known.rows, known)
    nothing = {"events": np.zeros(0, np.uint64), "duplicates": 0, "aside": {}}
    ledger.add("file", reference.bins.id, "1", end=Checkpoint.start("file"), days=[row], **nothing)
    again = ledger.days(TAG, "decision", reference.bins.id)[day]
    assert list(again.parts) == list(known.parts)
    for key, part in known.parts.items():
        assert (again.parts[key].rows, again.parts[key].expected) == (part.rows, part.expected)
        assert (again.parts[key].counts == part.counts).all()


def test_a_fault_of_one_region_is_found_there(reference: Reference) -> None:
    here = pl.col("REGION_RATING_CLIENT") == RARE
    doubled = pl.when(here).then(pl.col("AMT_CREDIT") * 1.6).otherwise("AMT_CREDIT").alias("AMT_CREDIT")
    found = judged(reference, people(5_000, 5).with_columns(doubled))
    assert found["REGION_RATING_CLIENT=3"].moved == ("AMT_CREDIT",)
    assert not found["REGION_RATING_CLIENT=2"].moved


def test_an_age_band_that_is_granted_less_than_before_is_an_alarm(reference: Reference) -> None:
    old = pl.col("age_years") >= 62
    refused = pl.when(old & (pl.int_range(pl.len()) % 3 == 0)).then(pl.lit("refused")).otherwise("decision")
    table = people(5_000, 6)
    found = judged(reference, table.with_columns(decision=refused))["age_years=≥ 62"]
    assert found.alarm == "ratio" and found.ratio < found.usual_ratio - 0.05
    assert [one.name for one in found.said()] == ["part_ratio"] and "granted 0." in found.said()[0]()
    assert judged(reference, table)["age_years=≥ 62"].alarm is None


def test_parts_of_the_same_population_are_hardly_ever_called_moved(reference: Reference) -> None:
    called = [
        seed
        for seed in range(100)
        if any(p.is_drift for p in judged(reference, people(1_500, 100 + seed)).values())
    ]
    assert len(called) <= 2


def test_a_part_that_is_too_small_is_not_judged(reference: Reference) -> None:
    assert "REGION_RATING_CLIENT=3" not in judged(reference, people(1_000, 7))


def test_a_lenders_own_column_makes_parts(reference: Reference) -> None:
    def with_channel(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(
            branch=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("web")).otherwise(pl.lit("desk"))
        )

    own = replace(reference, table=with_channel(reference.table), segments_by=("branch", "unknown"))
    assert set(judged(own, with_channel(people(1_000, 8)))) == {"branch=web", "branch=desk"}
