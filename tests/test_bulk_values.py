"""A value of a table is taken or refused, and read, as the same value in JSON is, whatever its type."""

import io
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.decider import Decider
from scoring.features.checks import DECODER, RULES, Checker
from scoring.serving.large import ArrowTable, Large
from scoring.serving.large.plain import Checked
from scoring.serving.problem import Rejection
from scoring.serving.reading import parse
from tests.support import small
from tests.support.arrow import stream
from tests.support.laws import tried
from tests.support.sent import ROWS, TAG, job


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture(scope="module")
def bulk(scorer):
    return Large(Decider(scorer, TAG), ROWS)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-5, 40),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) + 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 365243]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 5.5, 2.0**53, 2.0**53 + 2, 2.0**31, float(2**31 - 1)]),
    st.text(max_size=4),
    st.sampled_from(["", "x" * 100, "x" * 101, "é" * 100, "40", "nan"]),
)
NAMES = [
    *("SK_ID_CURR", "AMT_CREDIT", "EXT_SOURCE_1", "CNT_CHILDREN", "DAYS_BIRTH", "FLAG_MOBIL"),
    *("HOUR_APPR_PROCESS_START", "CODE_GENDER", "REGION_RATING_CLIENT_W_CITY"),
    *("bureau_count", "previous_last_status"),
]


def is_taken(name: str, value: Any) -> bool:
    """Whether the JSON door takes this value in this column."""
    row = {"SK_ID_CURR": 1} | ({"history_features": {name: value}} if name.islower() else {name: value})
    try:
        parse(json.dumps({"applications": [row]}).encode(), 1, DECODER)
    except Rejection:
        return False
    return True


def column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except OverflowError:  # above 64 bits with a sign
        return pa.array(values, pa.uint64())


@tried(600)
@given(st.sampled_from(NAMES), VALUES)
def test_both_doors_take_and_refuse_the_same_values(name, value):
    table = pl.DataFrame(pl.from_arrow(pa.table({name: column([value])})))
    found = Checker(dict(table.schema)).faults(table)
    assert found.is_empty() == is_taken(name, value), (name, value)


@tried(200)
@given(st.sampled_from(sorted(RULES)), st.lists(VALUES, min_size=1, max_size=5))
def test_every_column_has_the_rule_of_its_record(name, values):
    kind = type(next((value for value in values if value is not None), None))
    kept = [value for value in values if value is None or type(value) is kind]
    if (
        kind is int
        and min(v for v in kept if v is not None) < 0
        and max(v for v in kept if v is not None) >= 2**63
    ):
        kept = [value for value in kept if value is None or value < 2**63]
    table = pl.DataFrame(pl.from_arrow(pa.table({name: column(kept)})))
    bad = Checker(dict(table.schema)).faults(table)["row"].to_list()
    assert bad == [i for i, value in enumerate(kept) if not is_taken(name, value)]


def test_a_fault_is_named_by_row_and_column_in_the_words_of_the_json_door(bulk):
    requests = [
        {"SK_ID_CURR": i, "AMT_CREDIT": 1.0, "CODE_GENDER": "F", "DAYS_BIRTH": -1} for i in range(6_000)
    ]
    requests[3]["AMT_CREDIT"] = -1.0
    requests[5_500] |= {"DAYS_BIRTH": 7, "CODE_GENDER": "x" * 101}
    refused = bulk.answer(job(pl.DataFrame(requests)))
    with pytest.raises(Rejection) as caught:
        parse(json.dumps({"applications": requests}).encode(), 6_000, DECODER)
    assert isinstance(refused, Rejection) and refused.status == 422 and str(refused) == str(caught.value)
    order = lambda e: (e.row, e.field)  # noqa: E731
    assert sorted(refused.errors, key=order) == sorted(caught.value.errors, key=order)


def test_the_first_fifty_of_many_faults_are_named(bulk):
    refused = bulk.answer(
        job(pl.DataFrame({"SK_ID_CURR": range(20_000), "AMT_CREDIT": [float("nan")] * 20_000}))
    )
    assert "at least 51 faults, and 50 of them named" in str(refused)
    assert [error.row for error in refused.errors] == list(range(50))


@pytest.mark.parametrize(
    ("table", "field", "detail"),
    [
        ({"SK_ID_CURR": [1], "AMT_CREDITS": [1.0]}, "AMT_CREDITS", "is it AMT_CREDIT?"),
        ({"SK_ID_CURR": [1], "history": [None]}, "history", "aggregates"),
        ({"AMT_CREDIT": [1.0]}, "SK_ID_CURR", "required"),
        ({"SK_ID_CURR": [1], "bureau_count": ["x"]}, "bureau_count", "finite number"),
        ({"SK_ID_CURR": [1], "previous_last_status": [1.0]}, "previous_last_status", "must be a text"),
        ({"SK_ID_CURR": [1], "AMT_CREDIT": [datetime(2026, 1, 1)]}, "AMT_CREDIT", "type timestamp is not"),
        ({"SK_ID_CURR": [1], "AMT_CREDIT": [[1.0]]}, "AMT_CREDIT", "write it as int64 or float64"),
        ({"SK_ID_CURR": [1], "CODE_GENDER": [b"F"]}, "CODE_GENDER", "type binary is not"),
        ({"SK_ID_CURR": [1], "FLAG_OWN_CAR": [True]}, "FLAG_OWN_CAR", "write it as string"),
        ({"SK_ID_CURR": [1], "AMT_CREDIT": [True]}, "AMT_CREDIT", "type bool is not"),
        ({"SK_ID_CURR": [None], "AMT_CREDIT": [1.0]}, "SK_ID_CURR", "required"),
    ],
)
def test_a_column_that_no_application_has_is_named(bulk, table, field, detail):
    refused = bulk.answer(job(pa.table(table)))
    assert isinstance(refused, Rejection) and refused.status == 422
    assert field in [error.field for error in refused.errors]
    assert detail in next(error.detail for error in refused.errors if error.field == field)


def as_sent(values: dict[str, list[Any]], **kinds: pa.DataType) -> pl.DataFrame:
    """Return the values as they are read when these columns come in these types."""
    table = pa.table({name: pa.array(column, kinds.get(name)) for name, column in values.items()})
    return next(ArrowTable(stream(table), 100).slices())


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64(), pa.decimal128(12, 2), pa.decimal128(38, 0)),
        *(pa.decimal32(5, 1), pa.decimal64(12, 3), pa.decimal256(60, 4)),
    ],
    ids=str,
)
def test_a_number_is_the_same_in_every_type_that_holds_it(kind):
    values = {"SK_ID_CURR": [100, 101, 102], "AMT_CREDIT": [120, None, 0], "CNT_CHILDREN": [None, 0, 3]}
    found = as_sent(values, **dict.fromkeys(values, kind))
    assert found.cast(pl.Float64).equals(pl.DataFrame(values).cast(pl.Float64))
    assert Checker(dict(found.schema)).faults(found).is_empty()


def test_a_decimal_is_the_float_that_its_digits_say():
    random = np.random.default_rng(5)
    amounts = [Decimal(int(number)).scaleb(-2) for number in random.integers(0, 10**11, 500)]
    values = {"SK_ID_CURR": list(range(500)), "AMT_CREDIT": amounts}
    found = next(ArrowTable(stream(pa.table(values)), 500).slices())
    assert found["AMT_CREDIT"].to_list() == [float(str(amount)) for amount in amounts]


def test_an_identifier_in_decimals_keeps_every_digit():
    values = {"SK_ID_CURR": [2**53 + 1, 10**18 - 1]}
    assert as_sent(values, SK_ID_CURR=pa.decimal128(18, 0))["SK_ID_CURR"].to_list() == values["SK_ID_CURR"]


def test_a_flag_may_be_a_truth_value():
    found = as_sent({"SK_ID_CURR": [1, 2, 3], "FLAG_MOBIL": [True, False, None]})
    assert found["FLAG_MOBIL"].to_list() == [1, 0, None]


TEXTS = [pa.string(), pa.large_string(), pa.string_view()]


@pytest.mark.parametrize("kind", [*TEXTS, *(pa.dictionary(pa.int8(), text) for text in TEXTS)], ids=str)
def test_a_word_is_the_same_in_every_type_and_seen_where_it_is_too_long(kind):
    words = ["", None, "Working", "é" * 100, "🏦" * 100, "x" * 101, "ü" * 5_000, "Working"]
    if pa.types.is_dictionary(kind):
        whole = pa.array(words).dictionary_encode()
        column = pa.DictionaryArray.from_arrays(whole.indices, whole.dictionary.cast(kind.value_type))
    else:
        column = pa.array(words, kind)
    table = pa.table({"SK_ID_CURR": range(8), "CODE_GENDER": column})
    for sent in (table, table.slice(1), pa.concat_tables([table.slice(3), table])):
        found = next(ArrowTable(stream(sent), 100).slices())
        bad = Checker(dict(found.schema)).faults(found)["row"].to_list()
        expected = sent["CODE_GENDER"].to_pylist()
        assert bad == [row for row, word in enumerate(expected) if word and len(word) > 100]
        kept = [row for row in range(len(expected)) if row not in bad]
        assert found["CODE_GENDER"].gather(kept).to_list() == [expected[row] for row in kept]


def test_a_null_that_points_nowhere_is_a_null():
    words = pa.array(["F", None, "a word that is no part of its view"], pa.string_view())
    bits, views, *data = words.buffers()
    bent = bytearray(views)
    bent[16:32] = b"\x7f" * 16
    column = pa.Array.from_buffers(words.type, 3, [bits, pa.py_buffer(bytes(bent)), *data])
    column.validate(full=True)  # pyarrow finds nothing
    table = pa.table({"SK_ID_CURR": [1, 2, 3], "CODE_GENDER": column})
    assert next(ArrowTable(stream(table), 3).slices())["CODE_GENDER"].to_list() == words.to_pylist()


def test_metadata_of_any_bytes_is_not_looked_at():
    field = pa.field("SK_ID_CURR", pa.int64(), metadata={b"\xff": b"\xfe"})
    table = pa.table([[1]], pa.schema([field], metadata={b"pandas": b"\xff{"}))
    assert next(ArrowTable(stream(table), 1).slices())["SK_ID_CURR"].to_list() == [1]


def test_polars_tables_are_read_as_polars_writes_them():
    table = pl.DataFrame({"SK_ID_CURR": range(5_000), "CODE_GENDER": ["F", None, "M", "F", "XNA"] * 1_000})
    for kind in (pl.String, pl.Categorical, pl.Enum(["F", "M", "XNA"])):
        sink = io.BytesIO()
        table.with_columns(pl.col("CODE_GENDER").cast(kind)).write_ipc_stream(sink)
        assert pl.concat(ArrowTable(bytearray(sink.getvalue()), 5_000).slices()).equals(table)


def test_columns_whose_words_share_their_bytes_are_refused():
    """Four bytes a row would stand for a gigabyte of words."""
    words = pa.array(["x" * 10_000], pa.large_string())
    batch = pa.record_batch([pa.array([1]), words, words], ["SK_ID_CURR", "CODE_GENDER", "NAME_INCOME_TYPE"])
    Checked(batch.schema, 20_100).columns(batch)
    with pytest.raises(pa.ArrowInvalid, match="share"):
        Checked(batch.schema, 10_100).columns(batch)
