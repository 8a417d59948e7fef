"""The fast decoder takes nothing that pydantic refuses, gives the same values, and leaves the words to it."""

import json
import random
import re
from collections.abc import Iterable, Sequence
from math import copysign
from types import SimpleNamespace
from typing import Any

import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import from_json

from scoring import features, tables
from scoring.features.checks import DECODER
from scoring.schema import HISTORY, Application, ApplicationRequest, ScoreRequest, columns, repeated_keys
from scoring.serving.problem import Refusal
from scoring.serving.reading import parse

ODD = (
    r'null|true|0|-0|-0.0|0.0|1|1.0|5.5|1e0|10e-1|1e999|-1e999|1E5|NaN|Infinity|-Infinity|"40"|"nan"|""|{}'
    r'|[]|[1]|{"a":1}|01|+1|.5|2147483647|2147483648|-2147483647|-2147483648|9223372036854775807|365243|-1'
    r"|9223372036854775808|18446744073709551616|9007199254740993|9007199254740992.0|9007199254740994.0|0.1"
    r"""|2.2250738585072014e-308|5e-324|1e-400|"a:b"|"a::\"b\":1"|"\u0041"|"\ud800"|"é"|"null"|"😀"|nul|1 """
    r"|  2|--1|1.|0x10|1_0"
    '|"\t"'
    r'|"\udc00"|"\ud83d\ude00"|"\ud83d\u0041"|"\ud83dx"|"\uD83D\uDE0"|"\u0000"|"\/\b\f\n\r\t\"\\"|"\x"|"\u00e"'
    r'|"\u003a"|"\u003A:"|"\\u003a"|"\u00C9t\u00e9"|"\"'
)
SIGNS = ["x", "é", "😀", r"\/", r"\u00e9", r"\ud83d\ude00"]
TOKENS = st.one_of(
    st.sampled_from(ODD.split("|")),
    st.sampled_from([1, 100, 101]).flatmap(lambda n: st.sampled_from([f'"{sign * n}"' for sign in SIGNS])),
    st.sampled_from(["1" + "0" * 30, "1" + "0" * 400]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**65), 2**65).map(str),
    st.text(max_size=5).map(json.dumps),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
)
FIELDS = sorted(columns(Application))
AGGREGATES = st.sampled_from([*features.HISTORY_FEATURES[:8], "previous_last_status", "made_up"])
ESCAPED = [r"AMT\u005fCREDIT", r"SK\u005FID_CURR", r"\ud800"]
KEYS = st.sampled_from(["SK_ID_CURR", "SK_ID_BUREAU", "history", "FOO", "AMT_CREDIT", *ESCAPED])
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t "])


@st.composite
def objects(draw, names, needed=()) -> str:
    """Write a JSON object of such names with odd values, now and then the same name twice."""
    keys = [*needed, *draw(st.lists(names, max_size=4))]
    pairs = [f'{draw(SPACE)}"{key}"{draw(SPACE)}:{draw(SPACE)}{draw(TOKENS)}{draw(SPACE)}' for key in keys]
    pairs += [f'"SK_ID_CURR":{client}' for client in draw(st.sampled_from([(), (), (7,), (8,)]))]
    return "{" + ",".join(pairs) + "}"


@st.composite
def histories(draw) -> str:
    tables_of = []
    for table in draw(st.lists(st.sampled_from([*HISTORY, "burau"]), max_size=3)):
        names = st.sampled_from(sorted(columns(HISTORY[table]))) if table in HISTORY else KEYS
        records = draw(st.lists(objects(names | KEYS), max_size=2))
        tables_of.append(f'"{table}":' + draw(st.sampled_from([f"[{','.join(records)}]"] * 4 + ["null"])))
    return "{" + ",".join(tables_of) + "}"


@st.composite
def bodies(draw) -> bytes:
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        parts = ['"SK_ID_CURR":7'] if draw(st.booleans()) or draw(st.booleans()) else []
        inner = draw(
            objects(st.sampled_from(FIELDS) | KEYS if draw(st.booleans()) else st.sampled_from(FIELDS))
        )
        parts += [inner[1:-1]] if len(inner) > 2 else []
        if draw(st.booleans()):
            parts.append(f'"history":{draw(histories() | TOKENS)}')
        if draw(st.integers(0, 3)) == 0:
            parts.append(f'"history_features":{draw(objects(AGGREGATES) | TOKENS)}')
        rows.append("{" + ",".join(parts) + "}")
    top = f'"applications":{draw(SPACE)}[{",".join(rows)}]'
    top = draw(st.sampled_from([top] * 8 + [top + ',"more":1', top + "," + top, '"applications":null', ""]))
    return ("{" + top + "}" + draw(st.sampled_from([""] * 8 + [" ", "x", "}"]))).encode("utf-8", "replace")


def judged(body: bytes) -> list[ApplicationRequest] | None:
    """What pydantic and the rule of keys make of a body."""
    try:
        valid = ScoreRequest.model_validate(from_json(body)).applications
    except (ValidationError, ValueError):
        return None
    if repeated_keys(body, 9) or any(fault for row in valid for fault in DECODER.faults(row)):
        return None
    return valid


def same(found: Any, valid: Any, fields: Iterable[str]) -> bool:
    """Whether a decoded record has the values of a validated one, to the sign of a zero."""
    for name in fields:
        one, other = getattr(found, name), getattr(valid, name)
        one = None if one != one else one  # absent
        if one != other or (isinstance(other, float) and copysign(1, one) != copysign(1, other)):
            return False
    return True


def all_same(found: Sequence[Any], expected: Sequence[ApplicationRequest]) -> bool:
    assert len(found) == len(expected)
    for row, valid in zip(found, expected, strict=True):
        assert (row.history is None, row.history_features is None) == (
            valid.history is None,
            valid.history_features is None,
        )
        if valid.history is not None:
            for table in HISTORY:
                records, others = getattr(row.history, table), getattr(valid.history, table)
                assert len(records) == len(others)
                fields = columns(HISTORY[table])
                if not all(same(*pair, fields) for pair in zip(records, others, strict=True)):
                    return False
        if valid.history_features is not None:
            given = SimpleNamespace(**dict.fromkeys(features.HISTORY_FEATURES) | valid.history_features)
            if not same(row.history_features, given, features.HISTORY_FEATURES):
                return False
        if not same(row, valid, FIELDS):
            return False
    return True


@settings(max_examples=800, deadline=None)
@given(bodies())
def test_what_is_decoded_fast_pydantic_takes_too_with_the_same_values(body):
    found, expected = DECODER.decode(body, 10), judged(body)
    if found is not None:
        assert expected is not None, body
        assert all_same(found, expected), body


@settings(max_examples=400, deadline=None)
@given(bodies())
def test_the_door_takes_and_refuses_what_pydantic_does(body):
    expected = judged(body)
    try:
        found = parse(body, 10, DECODER)
    except Refusal:
        assert expected is None, body
    else:
        assert expected is not None and all_same(found, expected), body


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([*FIELDS, *features.HISTORY_FEATURES]), TOKENS)
def test_each_column_has_its_own_bounds(name, token):
    row = (
        f'"history_features":{{"{name}":{token}}}'
        if name in features.HISTORY_FEATURES
        else f'"{name}":{token}'
    )
    first = "" if name == "SK_ID_CURR" else '"SK_ID_CURR":7,'
    body = f'{{"applications":[{{{first}{row}}}]}}'.encode("utf-8", "replace")
    found, expected = DECODER.decode(body, 1), judged(body)
    assert found is None or (expected is not None and all_same(found, expected)), body


def as_php(body: bytes) -> bytes:
    """Escape what PHP does: every slash."""
    return body.replace(b"/", b"\\/")


def with_escapes(requests: Sequence[dict[str, Any]]) -> list[bytes]:
    """Write applications as PHP and Python do, their words in French, and with escapes in every key."""
    word = "Employé / retraité: \u20ac\U0001f600\n"
    french = [request | {"NAME_INCOME_TYPE": word} for request in requests]
    python = json.dumps({"applications": french}).encode()
    escaped = re.sub(rb'_(?=\w+")', rb"\\u005f", python)
    return [python, as_php(python), as_php(json.dumps({"applications": requests}).encode()), escaped]


def test_harmless_escapes_are_decoded_fast_with_the_same_values():
    for body in with_escapes(small.applications(20, seed=4)):
        found, expected = DECODER.decode(body, 20), judged(body)
        assert b"\\" in body and found is not None and expected is not None and all_same(found, expected)


def test_an_escaped_colon_hides_no_key_that_stands_twice():
    body = rb'{"applications":[{"SK_ID_CURR":1,"AMT_CREDIT":1,"AMT_CREDIT":1,"NAME_INCOME_TYPE":"\u003a"}]}'
    assert DECODER.decode(body, 1) is None and judged(body) is None
    single = body.replace(b'"AMT_CREDIT":1,', b"", 1)
    assert judged(single) is not None and len(parse(single, 1, DECODER)) == 1


def test_what_real_clients_send_is_decoded_fast():
    requests = small.applications(200, seed=4)
    nulls = [dict.fromkeys(columns(Application)) | request for request in requests]
    floats = [
        {n: float(v) if isinstance(v, int) and n != "SK_ID_CURR" else v for n, v in r.items()}
        for r in requests
    ]
    spaced = json.dumps({"applications": requests}, indent=2).encode()
    for body in (
        *(json.dumps({"applications": rows}).encode() for rows in (requests, nulls, floats)),
        spaced,
    ):
        found = DECODER.decode(body, 200)
        expected = judged(body)
        assert found is not None and expected is not None and all_same(found, expected)
        made, again = tables.from_requests(found), tables.from_requests(expected)
        assert made.applications.equals(again.applications)
        assert made.history.keys() == again.history.keys()
        assert all(made.history[name].equals(again.history[name]) for name in made.history)


TWICE = [
    ('{"applications":[{"SK_ID_CURR":1,"SK_ID_CURR":1}]}', (0, "SK_ID_CURR")),
    (
        '{"applications":[{"SK_ID_CURR":1},{"SK_ID_CURR":2,"AMT_CREDIT":null,"AMT_CREDIT":2}]}',
        (1, "AMT_CREDIT"),
    ),
    ('{"applications":[{"SK_ID_CURR":1,"AMT_CREDIT":1,"AMT\\u005fCREDIT":null}]}', (0, "AMT_CREDIT")),
    (
        '{"applications":[{"SK_ID_CURR":1,"history":{"bureau":[{"DAYS_CREDIT":-1,"DAYS_CREDIT" :-1}]}}]}',
        (0, "history.bureau[0].DAYS_CREDIT"),
    ),
    (
        '{"applications":[{"SK_ID_CURR":1,"NAME_INCOME_TYPE":"a:b","NAME_INCOME_TYPE":"ab"}]}',
        (0, "NAME_INCOME_TYPE"),
    ),
    (
        '{"applications":[{"SK_ID_CURR":1,"history_features":{"bureau_count":1,"bureau_count":1}}]}',
        (0, "history_features.bureau_count"),
    ),
    ('{"applications":[{"SK_ID_CURR":1}],"applications":[{"SK_ID_CURR":1}]}', (None, "applications")),
]


@pytest.mark.parametrize(("body", "place"), TWICE)
def test_a_key_that_stands_twice_is_refused_and_named(body, place):
    assert DECODER.decode(body.encode(), 10) is None
    with pytest.raises(Refusal, match="1 fault;") as caught:
        parse(body.encode(), 10, DECODER)
    (fault,) = caught.value.errors
    assert (fault.row, fault.field) == place and "twice" in fault.detail


def test_one_repeated_key_among_many_rows_is_found():
    chance = random.Random(1)
    rows = [json.dumps(request) for request in small.applications(60, seed=2)]
    for _ in range(30):
        row, key = chance.randrange(60), chance.choice(["AMT_CREDIT", "NAME_INCOME_TYPE", "history"])
        value = {"AMT_CREDIT": "1", "NAME_INCOME_TYPE": '"a:b:c"', "history": "null"}[key]
        spoiled = [*rows]
        spoiled[row] = f'{{"{key}":{value},' + rows[row][1:]
        if json.loads(rows[row]).get(key) is not None:
            assert DECODER.decode(f'{{"applications":[{",".join(spoiled)}]}}'.encode(), 60) is None
