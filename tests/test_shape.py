"""A bad body costs no more than a good one: neither memory nor time grows with its faults."""

import json
import time
import tracemalloc

import pytest

from scoring.bulk import Table
from scoring.serving.problem import Refusal
from scoring.serving.reading import DECODER, parse
from scoring.serving.shape import cut

MANY = 20_000


def one(rest: str) -> str:
    return '{"SK_ID_CURR":1,' + rest + "}"


def keys() -> str:
    return ",".join(f'"{i:06x}":1' for i in range(MANY))


def history(record: str, count: int = MANY) -> str:
    return one('"history":{"bureau":[' + ",".join([record] * count) + "]}")


BAD = {
    "unknown keys": one(keys()),
    "numbers above": '{"SK_ID_CURR":1}],"x":[1' + ",1" * MANY,
    "unknown aggregates": one('"history_features":{' + keys() + "}"),
    "records with unknown keys": history('{"a":1}'),
    "records with wrong values": history('{"SK_ID_BUREAU":"x"}', MANY // 2),
    "empty lists for records": history("[]"),
    "numbers for records": history("1"),
    "words for records": history('"a"'),
    "numbers for applications": ",".join(["1"] * MANY),
    "a list for a number": one('"AMT_CREDIT":[' + ",".join(["[]"] * MANY) + "]"),
    "keys that stand twice": one(",".join(['"AMT_CREDIT":1'] * MANY)),
    "too many applications": ",".join(['{"SK_ID_CURR":1}'] * MANY),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_body_full_of_faults_is_refused_in_little_memory_and_time(kind):
    body = ('{"applications":[' + BAD[kind] + "]}").encode()
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(Refusal) as caught:
        parse(body, 100, DECODER)
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.status == 422 and len(caught.value.errors) <= 50
    assert caught.value.errors or "More than 100 applications" in caught.value.detail
    assert peak < 2**22 + 20 * len(body), f"{peak / 2**20:.0f} MiB for a body of {len(body)} bytes"
    assert seconds < 1


def test_the_faults_of_a_body_that_was_cut_are_named_as_all_others_are():
    def errors(body: str):
        with pytest.raises(Refusal) as caught:
            parse(body.encode(), 100, DECODER)
        return caught.value

    many = errors('{"applications":[' + BAD["unknown keys"] + "]}")
    assert "more than 50 faults" in many.detail and {error.row for error in many.errors} == {0}
    assert many.errors[0].field == "000000" and "No such field" in many.errors[0].detail
    wrong = errors('{"applications":[{"SK_ID_CURR":1},' + BAD["records with wrong values"] + "]}")
    assert [(error.row, error.field) for error in wrong.errors] == [
        (1, f"history.bureau[{i}].SK_ID_BUREAU") for i in range(50)
    ]
    listed = errors('{"applications":[' + BAD["a list for a number"] + "]}")
    assert "at least 1 fault;" in listed.detail and listed.errors[0].field == "AMT_CREDIT"


def test_what_is_cut_is_json():
    for bad in BAD.values():
        beginning = cut(('{"applications":[' + bad + "]}").encode(), 100, DECODER.names)
        assert beginning is None or json.loads(beginning)


def test_a_long_history_without_a_fault_is_never_cut():
    records = [{"SK_ID_BUREAU": i, "CREDIT_TYPE": 'a\\"[{,:'} for i in range(2_000)]
    escaped = json.dumps({"applications": [{"SK_ID_CURR": 1, "history": {"bureau": records}}]})
    for body in (escaped, escaped.replace("SK_ID_BUREAU", "SK\\u005fID_BUREAU")):
        assert cut(body.encode(), 1, DECODER.names) is None
        (found,) = parse(body.encode(), 1, DECODER)
        assert len(found.history.bureau) == 2_000


def test_a_table_with_a_million_unknown_columns_is_refused_by_the_first_ones():
    import pyarrow as pa

    names = ["SK_ID_CURR", *(f"column{i}" for i in range(3_000))]
    table = pa.table([pa.array([1])] * len(names), names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    start = time.process_time()
    with pytest.raises(Refusal) as caught:
        Table(bytearray(sink.getvalue()), 10)
    assert len(caught.value.errors) == 50 and time.process_time() - start < 1
