"""The language of features: what it refuses, and its rules by hand, over tables and for one applicant."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from scoring.features import columnar, single
from scoring.features.base import last, latest, mean, ratio, share, total, where
from scoring.features.terms import Term, lit
from scoring.features.vocabulary import Grouping, col, max_horizontal, mean_horizontal, passed, when

a, b = passed("a", "number"), passed("b", "number")


def record_values(term: Term, **columns: Any) -> Any:
    """Give a value of one line, checked to be the same in both forms."""
    alone = single.row_wise({"x": term})(columns)["x"]
    table = pl.DataFrame(
        {n: [v] for n, v in columns.items()}, schema_overrides=dict.fromkeys(columns, pl.Float64)
    )
    assert columnar.RowWise({"x": term})(table)["x"][0] == alone
    return alone


def summed(term: Term, records: list[dict[str, Any]]) -> Any:
    """Give an aggregate over the records of one applicant, checked to be the same in both forms."""
    alone = single.summed({"x": term})(records)["x"]
    table = pl.DataFrame(records, infer_schema_length=None).with_columns(row=pl.lit(0, pl.UInt32))
    assert columnar.Summed({"x": term})(table)["x"][0] == alone
    return alone


@pytest.mark.parametrize(
    ("term", "values", "expected"),
    [
        (ratio(a, b), {"a": 1.0, "b": 0.0}, None),
        (ratio(a, b), {"a": 1e308, "b": 1e-300}, None),
        (a * b > 1, {"a": 1e200, "b": 1e200}, None),  # what overflows is missing once it is compared
        ((a > 1) & (b > 1), {"a": 0.0, "b": None}, False),
        ((a > 1) | (b > 1), {"a": 0.0, "b": None}, None),
        (where(a > 1, b), {"a": None, "b": 2.0}, None),
        (when(a > 1).then(b).otherwise(0), {"a": None, "b": 2.0}, 0.0),
        (mean_horizontal(a, b), {"a": None, "b": 3.0}, 3.0),
        (max_horizontal(a, b, lit(0)), {"a": None, "b": -3.0}, 0.0),
        ((a - b).sqrt(), {"a": 1.0, "b": 2.0}, None),
    ],
)
def test_null_and_what_is_no_finite_number(term, values, expected):
    assert record_values(term, **values) == expected


DAYS = [
    {"SK_DPD": 5, "MONTHS_BALANCE": -1},
    {"SK_DPD": None, "MONTHS_BALANCE": -2},
    {"SK_DPD": 0, "MONTHS_BALANCE": -3},
]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (mean(col("SK_DPD")), 2.5),
        (total(where(col("SK_DPD") > 9, col("SK_DPD"))), None),
        (share(col("SK_DPD") > 0), 0.5),
        (last(col("SK_DPD"), "MONTHS_BALANCE"), 5.0),
        (latest(col("SK_DPD"), 2, "MONTHS_BALANCE").count(), 1.0),
        (col("SK_DPD").n_unique(), 3.0),
        (col("SK_DPD").n_unique_known(), 2.0),
    ],
)
def test_aggregates_leave_missing_values_out(term, expected):
    assert summed(term, DAYS) == expected


def test_records_are_summed_up_by_group_first():
    loan = Grouping("SK_ID_PREV")
    records = [
        {"SK_ID_PREV": 1, "SK_DPD": 4},
        {"SK_ID_PREV": 1, "SK_DPD": 4},
        {"SK_ID_PREV": 2, "SK_DPD": 0},
    ]
    assert summed(mean(loan(col("SK_DPD").max())), records) == 2.0
    assert summed(mean(loan.length()), records) == 1.5


def test_of_records_with_equal_places_the_first_is_the_latest():
    tied = [{"SK_DPD": 1, "MONTHS_BALANCE": -1}, {"SK_DPD": 2, "MONTHS_BALANCE": -1}]
    assert summed(last(col("SK_DPD"), "MONTHS_BALANCE"), tied) == 1.0


def test_an_identifier_is_no_number():
    with pytest.raises(TypeError, match="'SK_ID_PREV' is a key; a number is needed here"):
        col("SK_ID_PREV") + 1
    with pytest.raises(TypeError, match="'NAME_CONTRACT_STATUS' is a text"):
        mean(col("NAME_CONTRACT_STATUS"))


def test_a_record_and_a_sum_do_not_stand_side_by_side():
    with pytest.raises(ValueError, match="do not stand side by side; sum records up first"):
        col("SK_DPD") - col("SK_DPD").max()
    with pytest.raises(ValueError, match="is summed up already"):
        col("SK_DPD").max().max()
    with pytest.raises(ValueError, match="is no aggregate over them"):
        Grouping("SK_ID_PREV")(col("SK_DPD"))


def test_only_squares_are_powers():
    with pytest.raises(ValueError, match="only the square is the same in every engine"):
        a**3
