"""Large JSON read in C: what it takes pydantic takes too, as the same bits; nothing beyond is read."""

import json
import random
import struct
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring import features
from scoring.engine import Key, Reader, native
from scoring.engine import build as building
from scoring.features.checks import DECODER, RULES, as_request
from scoring.serving.large.records import RECORDS, RecordReader
from scoring.serving.reading import parse
from scoring.tables import Portfolio, concat, from_requests
from tests.support import small
from tests.support.json_bodies import FIELDS, KEYS, SPACE, TOKENS, TWICE, bodies, objects, with_escapes
from tests.support.laws import tried


@pytest.fixture(scope="module")
def records() -> RecordReader:
    """Build the library where `make setup` has not."""
    if RECORDS is not None:
        return RECORDS
    try:
        building.build()
    except building.BuildError as error:
        pytest.skip(str(error))
    return RecordReader()


def flat(n: int, seed: int) -> list[dict[str, object]]:
    """Applications as a lender's side sends them, some with aggregates of their history."""
    requests = small.applications(n, seed=seed)
    whole = small.portfolio(requests)
    raw = whole.applications.drop("row").hstack(features.build(whole).select(features.HISTORY_FEATURES))
    rows = [as_request(row) for row in raw.iter_rows(named=True)]
    for row in rows[::5]:
        row.pop("history_features", None)
    return rows


def body_of(requests: Sequence[dict[str, object]], **options: object) -> bytes:
    return json.dumps({"applications": requests}, **options).encode()


def same(found: pl.DataFrame, expected: pl.DataFrame) -> bool:
    """Whether two tables have the same values, to the last bit of a number."""
    if set(found.columns) != set(expected.columns) or found.height != expected.height:
        return False
    expected = expected.select(pl.col(name).cast(found[name].dtype) for name in found.columns)
    numbers = pl.col(pl.Float64).reinterpret(signed=True)
    return found.with_columns(numbers).equals(expected.with_columns(numbers))


def check(records: RecordReader, body: bytes, most: int = 10) -> bool:
    """Hold what is read against what the middleware makes of the body; say whether it was read at all."""
    parts = records.read(body, most)
    if parts is None:
        return False
    found, expected = concat(parts), from_requests(parse(body, most, DECODER), columns=features.READS)
    assert same(found.applications, expected.applications), body
    given_ready: list[Portfolio] = [p for p in (found, expected) if p.history_features is not None]
    assert len(given_ready) != 1 and not expected.history, body
    if given_ready:
        one, other = (p.history_features for p in given_ready)
        assert one is not None and other is not None
        missing = [pl.lit(None).alias(n) for n in one.columns if n not in other.columns]
        assert same(one, other.with_columns(missing)), body
    return True


@tried(300)
@given(bodies())
def test_what_is_read_in_c_pydantic_takes_too_with_the_same_values(records, body):
    check(records, body)


@tried(300)
@given(st.sampled_from([*FIELDS, *features.HISTORY_FEATURES]), TOKENS)
@example("AMT_CREDIT", "-0")
@example("AMT_CREDIT", "-0.0")
@example("AMT_CREDIT", "18446744073709551616")
@example("SK_ID_CURR", "18446744073709551616")
@example("SK_ID_CURR", "9223372036854775807")
@example("SK_ID_CURR", "9223372036854775808")
@example("CNT_CHILDREN", "2147483648")
@example("CODE_GENDER", '"' + "😀" * 100 + '"')
@example("CODE_GENDER", '"' + r"\ud83d\ude00" * 100 + '"')
@example("CODE_GENDER", '"' + r"\u0000" * 101 + '"')
def test_each_column_has_its_own_bounds(records, name, token):
    row = (
        f'"history_features":{{"{name}":{token}}}'
        if name in features.HISTORY_FEATURES
        else f'"{name}":{token}'
    )
    first = "" if name == "SK_ID_CURR" else '"SK_ID_CURR":7,'
    check(records, f'{{"applications":[{{{first}{row}}}]}}'.encode("utf-8", "replace"), 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(objects(st.sampled_from(FIELDS) | KEYS), max_size=3), SPACE)
def test_an_inner_object_stands_once_and_in_its_own_place(records, inner, space):
    parts = ",".join(f'"history_features":{space}{one}' for one in inner)
    check(records, f'{{"applications":[{{"SK_ID_CURR":7{"," if parts else ""}{parts}}}]}}'.encode())


def number(text: str) -> float | None:
    """Read one number in C."""
    reader = Reader({"id": Key("identifier"), "x": Key("number")}, {})
    (part,) = reader.slices(f'{{"applications":[{{"id":1,"x":{text}}}]}}'.encode(), 1)
    return None if part is None else float(part.numbers("x")[0])


DECIMALS = st.builds(
    "{}{}.{}e{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**18),
    st.integers(0, 10**18),
    st.integers(-330, 320),
)


@tried(800)
@given(
    st.floats(allow_nan=False, allow_infinity=False).map(repr) | DECIMALS | st.integers(1, 10**25).map(str)
)
@example("9007199254740993")  # just between two doubles
@example("1.00000000000000011102230246251565")
@example("1e23")
@example("18446744073709551616")  # 2**64
@example("1844674407370955161.6")
@example("184467440737095516160")
@example("8.5e-323")
@example("2.2250738585072011e-308")
@example("0.000000000000000000000000000000000000000000000000000000000000001")
@example("1.7976931348623157e308")
@example("1.79769313486231580793e308")
def test_a_number_is_the_nearest_double(text):
    found, expected = number(text), float(text)
    if found is None:
        assert len(text) > 19 or abs(expected) == float("inf")
    else:
        assert struct.pack("d", found) == struct.pack("d", expected)


def test_doubles_as_python_writes_them_are_read_without_the_library():
    chance = random.Random(4)
    reader = Reader({"id": Key("identifier"), "x": Key("number")}, {})
    values = [struct.unpack("d", struct.pack("Q", chance.getrandbits(64)))[0] for _ in range(20_000)]
    values = [v for v in values if abs(v) < float("inf")] + [chance.uniform(-1, 1) for _ in range(20_000)]
    rows = ",".join(f'{{"id":1,"x":{value!r}}}' for value in values)
    (part,) = reader.slices(f'{{"applications":[{rows}]}}'.encode(), len(values))
    assert part is not None and part.numbers("x").tobytes() == np.array(values).tobytes()


def test_what_batch_clients_send_is_read_in_c(records):
    requests = flat(120, seed=4)
    for options in ({}, {"indent": 1}, {"separators": (",", ":")}):
        assert check(records, body_of(requests, **options), 120)
    shuffled = [dict(random.Random(i).sample(list(row.items()), len(row))) for i, row in enumerate(requests)]
    nulls = [dict.fromkeys([*FIELDS, "history", "history_features"]) | row for row in requests]
    for rows in (shuffled, nulls):
        assert check(records, body_of(rows, ensure_ascii=False), 120)
    assert records.read(body_of(requests), 119) is None  # the middleware words how many are too many


def test_harmless_escapes_are_read_in_c(records):
    for body in with_escapes(flat(20, seed=4)):
        assert b"\\" in body and check(records, body, 20)


@tried(300)
@given(st.text(max_size=30))
def test_a_word_is_the_same_however_it_is_escaped(records, text):
    units = text.encode("utf-16-le", "surrogatepass")
    written = "".join(f"\\u{units[i + 1]:02x}{units[i]:02X}" for i in range(0, len(units), 2))
    for word in (written, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        assert check(records, f'{{"applications":[{{"SK_ID_CURR":1,"CODE_GENDER":"{word}"}}]}}'.encode())


def test_slices_join_to_the_whole(records, monkeypatch):
    requests = flat(50, seed=8)
    monkeypatch.setattr("scoring.serving.large.records.SLICE", 7)
    parts = records.read(body_of(requests), 50)
    assert parts is not None and [len(part) for part in parts] == [7] * 7 + [1]
    assert check(records, body_of(requests), 50)


@pytest.mark.parametrize("body", [body for body, _ in TWICE])
def test_a_key_that_stands_twice_is_left_to_those_who_name_it(records, body):
    assert records.read(body.encode(), 10) is None


WHOLE = with_escapes(flat(3, seed=1))[0]


def test_no_body_that_ends_early_is_read_beyond_its_end(records, guarded):
    for end in range(1, len(WHOLE), 31):
        assert records.read(guarded(WHOLE[:end]), 10) is None
    assert records.read(guarded(WHOLE), 10) is not None


@tried(200)
@given(
    st.binary(min_size=1, max_size=200)
    | st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 12), st.binary(max_size=6)),
        min_size=1,
        max_size=4,
    )
)
def test_no_damage_to_a_body_is_believed_or_read_beyond_its_end(records, guarded, damage):
    body = damage if isinstance(damage, bytes) else WHOLE
    if not isinstance(damage, bytes):
        for place, length, instead in damage:
            body = body[:place] + instead + body[place + length :]
    found = records.read(guarded(body), 10)
    assert (found is not None) == check_quietly(records, body)


def check_quietly(records: RecordReader, body: bytes) -> bool:
    """Check a body whose faults, if it has any, the middleware would name."""
    return records.read(body, 10) is not None and check(records, body)


def test_every_rule_has_a_key_of_the_reader(records):
    read = {name for name, _ in records._reader.places}
    assert read == {*RULES, "history", "history_features"}


def test_without_the_library_msgspec_reads(monkeypatch, tmp_path):
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    with pytest.raises(native.Absent):
        RecordReader()
