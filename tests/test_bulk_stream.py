"""What is no whole and plain Arrow stream is refused, and costs no more than its bytes."""

import io
import struct
import time

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.decider import Decider
from scoring.features.checks import Checker
from scoring.serving.large import ArrowTable, Large
from scoring.serving.problem import Rejection
from tests.support import small
from tests.support.arrow import stream
from tests.support.sent import ROWS, TAG, job


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture(scope="module")
def bulk(scorer):
    return Large(Decider(scorer, TAG), ROWS)


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
