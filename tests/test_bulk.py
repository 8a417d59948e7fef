"""The bulk door: a table is decided, or refused, exactly as the same applications in JSON would be."""

import asyncio
import io
import json
import os
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import features
from scoring.decider import Asked, Decider
from scoring.features.checks import DECODER, RULES, Checker
from scoring.inference_log import InferenceLog, anchors_folder, read, verify
from scoring.schema import Decision
from scoring.serving.job import JOB, ArrowJob, JsonJob
from scoring.serving.large import ANSWER, ArrowTable, Large
from scoring.serving.large.plain import Checked
from scoring.serving.limits import Limits, Route
from scoring.serving.media import ARROW
from scoring.serving.middleware import Middleware
from scoring.serving.problem import Rejection
from scoring.serving.reading import OUTLINER, parse
from scoring.serving.turns import Turns
from tests.support import small
from tests.support.arrow import stream

TAG = "credit_scoring:tested"
ROWS = 100_000


def job(table: pa.Table | pl.DataFrame | bytearray, **changes: Any) -> ArrowJob:
    body = table if isinstance(table, bytearray) else stream(table)
    return ArrowJob(**{"request_id": "r", "body": body, "is_json": False, "key": ""} | changes)


def flat(requests: list[dict[str, Any]]) -> pl.DataFrame:
    """What a lender's side makes of applications with raw history: their columns and their aggregates."""
    whole = small.portfolio(requests)
    raw = whole.applications.drop("row")
    return raw.hstack(features.build(whole).select(features.HISTORY_FEATURES))


def odd(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put rare values into applications: unseen words, far numbers, the edges of each kind."""
    random = np.random.default_rng(3)
    strange = [
        {"NAME_INCOME_TYPE": "Astronaut"},
        {"OCCUPATION_TYPE": "", "AMT_CREDIT": 0.0},
        {"AMT_CREDIT": 1.7e308, "AMT_ANNUITY": 5e-324},
        {"DAYS_EMPLOYED": 365243, "DAYS_BIRTH": 0},
        {"CNT_CHILDREN": 2**31 - 1, "EXT_SOURCE_2": 1},
        {"CODE_GENDER": "é" * 100, "EXT_SOURCE_2": None},
        {"SK_ID_CURR": 2**63 - 1, "AMT_GOODS_PRICE": -0.0},
    ]
    return [
        request | (strange[i % len(strange)] if random.random() < 0.3 else {})
        for i, request in enumerate(requests)
    ]


def alone_each(scorer, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Decide applications as a few are decided."""
    body = json.dumps({"applications": requests}).encode()
    return Decider(scorer, TAG).decide(Asked("r", parse(body, len(requests), DECODER)))


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture(scope="module")
def bulk(scorer):
    return Large(Decider(scorer, TAG), ROWS)


def decisions(answer: bytes | Rejection) -> pl.DataFrame:
    assert isinstance(answer, bytes), answer
    found = pl.from_arrow(pa.ipc.open_stream(answer).read_all())
    assert isinstance(found, pl.DataFrame)
    return found


def test_a_table_is_decided_like_its_applications_bit_for_bit(scorer, bulk):
    requests = odd(small.applications(500, seed=11))
    decided = Decider(scorer, TAG).decide(
        Asked("r", parse(json.dumps({"applications": requests}).encode(), 500, DECODER))
    )
    alone = [Decision.model_validate(decision) for decision in decided]
    table = decisions(bulk.answer(job(flat(requests))))
    for name in ("SK_ID_CURR", "probability_of_default", "score", "threshold", "decision", "model"):
        assert table[name].to_list() == [getattr(decision, name) for decision in alone], name
    listed = [[(w.feature, w.problem) for w in decision.warnings] for decision in alone]
    marked = [[(w["feature"], w["problem"]) for w in row or []] for row in table["warnings"].to_list()]
    assert [sorted(row) for row in marked] == [sorted(row) for row in listed]
    assert any(marked) and table["event_id"].n_unique() == 500


def test_a_client_that_accepts_json_gets_what_the_json_door_gives(scorer, bulk):
    requests = odd(small.applications(80, seed=5))
    answer = bulk.answer(job(flat(requests), is_json=True))
    decided = Decider(scorer, TAG).decide(
        Asked("r", parse(json.dumps({"applications": requests}).encode(), 80, DECODER))
    )
    alone = [Decision.model_validate(decision) for decision in decided]
    found = [Decision.model_validate(row) for row in json.loads(answer)]
    assert [list(row) for row in json.loads(answer)] == [list(Decision.model_fields)] * 80
    for one, other in zip(found, alone, strict=True):
        assert one.model_dump(exclude={"event_id", "warnings"}) == other.model_dump(
            exclude={"event_id", "warnings"}
        )
        key = lambda w: w.feature  # noqa: E731
        assert sorted(one.warnings, key=key) == sorted(other.warnings, key=key)


def test_slices_batches_and_types_of_the_stream_change_nothing(bulk):
    table = flat(odd(small.applications(120, seed=2))).to_arrow()
    words = [
        name
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ]
    as_dictionary = pa.table(
        {
            name: table[name].cast(pa.string()).dictionary_encode() if name in words else table[name]
            for name in table.column_names
        }
    )
    in_parts = pa.Table.from_batches(as_dictionary.to_batches(max_chunksize=7))
    wide = table.cast(
        pa.schema([(f.name, pa.float64() if pa.types.is_int32(f.type) else f.type) for f in table.schema])
    )
    backwards = table.select(table.column_names[::-1])
    expected = decisions(bulk.answer(job(table))).drop("event_id")
    for other in (as_dictionary, in_parts, wide, backwards):
        assert decisions(bulk.answer(job(other))).drop("event_id").equals(expected)


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


@settings(max_examples=600)
@given(st.sampled_from(NAMES), VALUES)
def test_both_doors_take_and_refuse_the_same_values(name, value):
    table = pl.DataFrame(pl.from_arrow(pa.table({name: column([value])})))
    found = Checker(dict(table.schema)).faults(table)
    assert found.is_empty() == is_taken(name, value), (name, value)


@settings(max_examples=200)
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


@pytest.mark.parametrize(
    ("options", "detail"),
    [({"emit_dictionary_deltas": True}, "comes in parts"), ({"compression": "lz4"}, "is compressed")],
)
def test_what_needs_more_than_its_length_is_refused(options, detail):
    whole = pa.array(["F", "M"], pa.string())
    sink = io.BytesIO()
    schema = pa.schema([("SK_ID_CURR", pa.int64()), ("CODE_GENDER", pa.dictionary(pa.int8(), pa.string()))])
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for words in (whole[:1], whole):
            column = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), words)
            writer.write_batch(pa.record_batch([pa.array([1]), column], schema=schema))
    with pytest.raises(Rejection, match=detail):
        ArrowTable(bytearray(sink.getvalue()), 10)


def test_a_stream_of_the_other_byte_order_is_refused():
    body = stream(pl.DataFrame({"SK_ID_CURR": [1]}))
    root = 8 + struct.unpack_from("<I", body, 8)[0]  # of the message: its third field is the schema
    slots = root - struct.unpack_from("<i", body, root)[0]
    header = root + struct.unpack_from("<H", body, slots + 8)[0]
    schema = header + struct.unpack_from("<I", body, header)[0]
    slots = schema - struct.unpack_from("<i", body, schema)[0]
    body[slots + 4 : slots + 6] = body[slots + 6 : slots + 8]  # its byte order stands where its fields do now
    with pytest.raises(Rejection, match="big-endian"):
        ArrowTable(body, 1)


def test_the_words_of_a_dictionary_that_no_row_has_cost_next_to_nothing():
    words = pa.array([f"{number}" for number in range(400_000)])

    def seconds(known: int) -> float:
        column = pa.DictionaryArray.from_arrays(pa.array(range(20_000), pa.int32()), words[:known])
        table = pa.table({"SK_ID_CURR": range(20_000), "CODE_GENDER": column})
        body = stream(pa.Table.from_batches(table.to_batches(max_chunksize=100)))
        began = time.thread_time()
        assert sum(part.height for part in ArrowTable(body, 20_000).slices()) == 20_000
        return time.thread_time() - began

    few, many = (min(seconds(known) for _ in range(3)) for known in (20_000, 400_000))
    assert many < few + 0.1


def test_a_column_that_stands_twice_is_refused(bulk):
    table = pa.Table.from_arrays(
        [pa.array([1]), pa.array([1.0]), pa.array([2.0])], ["SK_ID_CURR", "AMT_CREDIT", "AMT_CREDIT"]
    )
    refused = bulk.answer(job(table))
    assert isinstance(refused, Rejection) and refused.errors[0].code == "repeated_column"


WHOLE = stream(pl.DataFrame({"SK_ID_CURR": [1, 2], "CODE_GENDER": ["F", "M"]}))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (bytearray(), 400),
        (bytearray(b"not arrow"), 400),
        (WHOLE[:-8], 400),
        (WHOLE[: len(WHOLE) // 2], 400),
        (WHOLE + WHOLE, 400),  # no row of the second would be decided
        (WHOLE + b"and more", 400),
        (WHOLE + bytes(80) + WHOLE[-8:], 400),
        (stream(pl.DataFrame({"SK_ID_CURR": [1]}), compression="zstd"), 422),
        (stream(pl.DataFrame({"SK_ID_CURR": pl.Series([], dtype=pl.Int64)})), 422),
        (stream(pa.table({"SK_ID_CURR": pa.array(range(2_000))}).slice(0, 0)), 422),
    ],
)
def test_what_is_no_whole_plain_stream_is_refused(bulk, body, status):
    refused = bulk.answer(job(body))
    assert isinstance(refused, Rejection) and refused.status == status


def test_a_stream_may_be_filled_up_with_nought():
    assert len(ArrowTable(WHOLE + bytes(8), 10)) == 2


def test_words_that_are_no_unicode_are_refused(bulk):
    body = stream(pa.table({"SK_ID_CURR": [1], "CODE_GENDER": ["FFFFFFFF"]}))
    place = body.index(b"FFFFFFFF")
    body[place] = 0xFF
    refused = bulk.answer(job(body))
    assert isinstance(refused, Rejection) and refused.status == 400


@settings(max_examples=150)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_no_flipped_byte_brings_the_service_down(place, value):
    body = bytearray(WHOLE)
    body[place] = value
    try:
        found = ArrowTable(body, 10)
        for part in found.slices():
            Checker(found.schema).faults(part)
    except Rejection:
        pass


def test_a_table_has_most_rows(scorer):
    refused = Large(Decider(scorer, TAG), 10).answer(job(pl.DataFrame({"SK_ID_CURR": range(11)})))
    assert isinstance(refused, Rejection) and "More than 10 applications" in str(refused)


def logged(folder, scorer) -> InferenceLog:
    return InferenceLog(folder, "w", b"k" * 32, TAG, categories=list(scorer.categories))


def test_a_key_sent_again_gives_the_same_decisions_and_one_record_each(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    table, other = flat(small.applications(30)), flat(small.applications(30, seed=4))
    first, again = (decisions(bulk.answer(job(table, key="job-1:0"))) for _ in range(2))
    assert again.equals(first)
    changed = decisions(bulk.answer(job(other, key="job-1:0")))
    keyless = decisions(bulk.answer(job(table)))
    assert not set(first["event_id"]) & (set(changed["event_id"]) | set(keyless["event_id"]))
    log.close()
    found = read(tmp_path / "log")
    assert found.table.height == 90 and found.duplicates == 0
    mine = found.table.filter(pl.col("event_id").is_in(first["event_id"].to_list()))
    assert mine.height == 30 and set(mine["request_id"]) == {"r"}


def test_a_table_whose_record_fails_is_recorded_whole_when_it_comes_again(tmp_path, scorer, monkeypatch):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    table = flat(small.applications(50))

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    refused = bulk.answer(job(table, key="k"))
    assert isinstance(refused, Rejection) and refused.status == 503
    assert read(tmp_path / "log").table.is_empty()
    monkeypatch.undo()
    first = decisions(bulk.answer(job(table, key="k")))
    log.close()
    found = read(tmp_path / "log")
    assert found.table.height == 50 and found.duplicates == 0
    assert set(found.table["event_id"]) == set(first["event_id"])


def in_threads(*work: Callable[[], Any]) -> list[Any]:
    """Do several things at the same time; return what each gives."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one) for one in work]]


def test_a_small_table_does_not_wait_for_a_large_one_to_end(scorer):
    bulk, ends = Large(Decider(scorer, TAG), ROWS), []
    is_begun = threading.Event()

    def ask(name: str, rows: int) -> bytes | Rejection:
        answer = bulk.answer(job(pl.DataFrame({"SK_ID_CURR": range(rows)})))
        ends.append(name)
        return answer

    def small_one() -> bytes | Rejection:
        is_begun.wait()
        return ask("small", 10)

    def large_one() -> bytes | Rejection:
        is_begun.set()
        return ask("large", 40_000)

    answers = in_threads(large_one, small_one)
    assert ends == ["small", "large"]
    assert [decisions(answer)["SK_ID_CURR"].to_list() for answer in answers] == [
        list(range(40_000)),
        list(range(10)),
    ]


def test_tables_that_are_decided_in_turns_are_recorded_each_under_its_own_request(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    tables = [pl.DataFrame({"SK_ID_CURR": range(first, first + 5_000)}) for first in (0, 100_000, 200_000)]
    answers = in_threads(
        *(partial(bulk.answer, job(table, request_id=f"r{i}")) for i, table in enumerate(tables))
    )
    log.close()
    found = read(tmp_path / "log").table
    assert not verify(tmp_path / "log", anchors_folder(tmp_path / "log"), b"k" * 32).faults
    for i, (answer, table) in enumerate(zip(answers, tables, strict=True)):
        decided = decisions(answer)
        assert decided["SK_ID_CURR"].equals(table["SK_ID_CURR"])
        mine = found.filter(pl.col("request_id") == f"r{i}").sort("event_id")
        assert mine["event_id"].equals(decided["event_id"].sort())
        assert mine["probability_of_default"].equals(decided.sort("event_id")["probability_of_default"])


def test_a_key_sent_twice_at_the_same_time_is_recorded_once(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    table = pl.DataFrame({"SK_ID_CURR": range(8_000)})
    answers = in_threads(*[lambda: decisions(bulk.answer(job(table, key="k")))] * 3)
    log.close()
    assert answers[0].equals(answers[1]) and answers[0].equals(answers[2])
    found = read(tmp_path / "log")
    assert found.table.height == 8_000 and found.duplicates == 0


def test_a_table_that_nobody_waits_for_is_left_after_the_slice_in_work(tmp_path, scorer):
    log, asked = logged(tmp_path / "log", scorer), job(pl.DataFrame({"SK_ID_CURR": range(50_000)}))

    class Leaves(Turns):
        turns = 0

        def pause(self) -> None:
            self.turns += 1
            asked.is_abandoned = self.turns == 6  # reading, checking twice, and three slices

    leaves = Leaves()
    refused = Large(Decider(scorer, TAG, log), ROWS, turns=leaves).answer(asked)
    log.close()
    assert isinstance(refused, Rejection) and refused.status == 504 and leaves.turns == 6
    assert not list((tmp_path / "log").glob("*.arrow*")) and read(tmp_path / "log").table.is_empty()


def as_json(requests: list[dict[str, Any]], **changes: Any) -> JsonJob:
    body = bytearray(json.dumps({"applications": requests}).encode())
    return JsonJob(**{"request_id": "r", "body": body, "is_json": True, "key": "", "rows": 5_000} | changes)


@pytest.mark.skipif(OUTLINER is None, reason="bodies above 1 MiB need the engine: python -m scoring.engine")
def test_many_rows_of_json_are_decided_like_a_few_and_in_their_order(tmp_path, scorer):
    requests = odd(small.applications(2_300, seed=6))
    flat_ones = json.loads(json.dumps(requests[:50]))
    for request, row in zip(flat_ones, flat(requests[:50]).iter_rows(named=True), strict=True):
        request.pop("history", None)
        request["history_features"] = {n: row[n] for n in features.HISTORY_FEATURES if row[n] is not None}
    requests += flat_ones
    log = logged(tmp_path / "log", scorer)
    answer = json.loads(Large(Decider(scorer, TAG, log), ROWS).answer(as_json(requests)))
    log.close()
    alone = Decider(scorer, TAG).decide(
        Asked("r", parse(json.dumps({"applications": requests}).encode(), 5_000, DECODER))
    )
    for one, other in zip(answer, alone, strict=True):
        told = json.loads(json.dumps(other))
        assert {**one, "event_id": "", "warnings": []} == {**told, "event_id": "", "warnings": []}
        key = lambda warning: warning["feature"]  # noqa: E731
        assert sorted(one["warnings"], key=key) == sorted(told["warnings"], key=key)
    assert read(tmp_path / "log").table["event_id"].to_list() == sorted(row["event_id"] for row in answer)


def test_many_rows_of_json_with_a_fault_are_refused_in_the_words_of_a_few(bulk):
    requests = [*small.applications(60), {"SK_ID_CURR": 1, "AMT_CREDIT": "much"}]
    refused = bulk.answer(as_json(requests))
    assert isinstance(refused, Rejection) and refused.status == 422
    assert [(e.row, e.field, e.code) for e in refused.errors] == [(60, "AMT_CREDIT", "not_a_number")]
    too_many = bulk.answer(as_json(requests, rows=60))
    assert isinstance(too_many, Rejection) and "More than 60 applications" in str(too_many)


def test_the_log_holds_what_the_decision_was_made_of(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    requests = small.applications(40, seed=8)
    answer = decisions(Large(Decider(scorer, TAG, log), ROWS).answer(job(flat(requests))))
    log.close()
    inputs = features.build(small.portfolio(requests))
    found = answer.select("event_id").join(read(tmp_path / "log").table, on="event_id", maintain_order="left")
    for name in scorer.feature_names:
        assert found[name].equals(inputs[name]), name


def test_without_a_log_no_table_is_decided(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    (tmp_path / "log").chmod(0o500)
    (tmp_path / "log").rename(tmp_path / "away")
    refused = Large(Decider(scorer, TAG, log), ROWS).answer(job(flat(small.applications(3))))
    assert isinstance(refused, Rejection) and refused.status == 503 and refused.retry_after_s


def test_the_answer_has_the_columns_that_are_promised(bulk):
    answer = bulk.answer(job(flat(small.applications(3))))
    assert pa.ipc.open_stream(answer).schema == ANSWER


# --- the way in ---


async def echo(scope, _, send):
    """Answer with what the middleware handed on, after a moment."""
    handed: ArrowJob = scope[JOB]
    await asyncio.sleep(0.05)
    said = [scope["path"], len(handed.body), handed.is_json, handed.key]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def ask(*calls: dict[str, str], body: bytes = b"12345678", path: str = "/score", **limits: Any):
    """Bring tables to the middleware, all at the same time, each with its headers."""

    async def run() -> list[httpx.Response]:
        routes = {"/score": Route(rows=10, bulk="/bulk", arrow="/table"), "/explain": Route(rows=10)}
        app = Middleware(echo, routes, DECODER, limits=Limits(**limits))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            asked = (
                client.post(path, content=body, headers={"content-type": ARROW} | call) for call in calls
            )
            return await asyncio.gather(*asked)

    return asyncio.run(run())


def test_a_table_is_led_round_the_batch_whole():
    plain, with_key = ask({}, {"accept": "application/json", "idempotency-key": "job:7"})
    assert plain.json() == ["/table", 8, False, ""]
    assert with_key.json() == ["/table", 8, True, "job:7"]


def test_json_with_a_key_goes_the_way_of_tables_and_an_explanation_takes_none():
    (small_one,) = ask({"content-type": "application/json", "idempotency-key": "one:1"})
    assert small_one.json() == ["/bulk", 8, True, "one:1"]
    (refused,) = ask(
        {"content-type": "application/json", "idempotency-key": "one:1"}, path="/explain", body=b"{}"
    )
    assert refused.status_code == 400 and "Idempotency-Key" in refused.text


def test_one_clients_key_is_not_anothers(bulk):
    table = pl.DataFrame({"SK_ID_CURR": [7]})
    asked = [("alice", "1"), ("bob", "1"), ("alice", "1"), (None, "1")]
    events = [
        decisions(bulk.answer(job(table, key=key, operator=operator)))["event_id"][0]
        for operator, key in asked
    ]
    assert events[0] == events[2] and len(set(events)) == 3


def test_only_a_few_tables_are_inside_at_a_time():
    statuses = [response.status_code for response in ask(*[{}] * 5, large_concurrent=2)]
    assert sorted(statuses) == [200, 200, 429, 429, 429]


def test_large_json_counts_among_the_tables():
    calls = [{}, {"content-type": "application/json"}] * 3
    answers = ask(*calls, large_concurrent=2, bulk_bytes=7)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429, 429]
    assert {answer.json()[0] for answer in answers if answer.is_success} == {"/table", "/bulk"}


def test_who_sends_a_table_drop_by_drop_takes_nobodys_place():
    async def drops():
        for _ in range(20):
            yield b"1"
            await asyncio.sleep(0.02)

    async def run() -> tuple[list[int], int]:
        app = Middleware(
            echo, {"/score": Route(rows=10, arrow="/table")}, DECODER, limits=Limits(large_concurrent=1)
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            slow = [
                asyncio.ensure_future(client.post("/score", content=drops(), headers={"content-type": ARROW}))
                for _ in range(3)
            ]
            await asyncio.sleep(0.05)
            quick = await client.post("/score", content=b"12345678", headers={"content-type": ARROW})
            return [answer.status_code for answer in await asyncio.gather(*slow)], quick.status_code

    dropped, quick = asyncio.run(run())
    assert quick == 200 and 200 in dropped


def test_tables_on_their_way_in_never_take_more_memory_than_they_may():
    options = {"large_concurrent": 1, "arrow_rows": 1, "arrow_row_bytes": 10, "body_bytes": 10}
    statuses = [response.status_code for response in ask({}, {}, **options)]
    assert 200 in statuses and set(statuses) <= {200, 429, 503}


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ({"idempotency-key": "a b"}, {}, 400),
        ({"idempotency-key": ""}, {}, 400),
        ({"content-encoding": "gzip"}, {}, 415),
        ({}, {"path": "/explain"}, 415),
        ({}, {"path": "/table"}, 404),
        ({}, {"body": b"x" * 101, "arrow_rows": 1, "arrow_row_bytes": 100, "body_bytes": 100}, 413),
    ],
)
def test_what_is_no_table_for_this_door_is_refused(headers, options, status):
    (response,) = ask(headers, **options)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
