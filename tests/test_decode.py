"""The fast decoder takes nothing that pydantic refuses, gives the same values, and leaves the words to it."""

import json
import random
from collections.abc import Iterable, Sequence
from math import copysign
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import from_json

from scoring import features, tables
from scoring.features.checks import DECODER
from scoring.schema import HISTORY, Application, ApplicationRequest, ScoreRequest, columns, repeated_keys
from scoring.serving.problem import Rejection
from scoring.serving.reading import parse
from tests.support import small
from tests.support.json_bodies import (
    FIELDS,
    TOKENS,
    TWICE,
    bodies,
    with_escapes,
)
from tests.support.laws import tried


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


@tried(800)
@given(bodies())
def test_what_is_decoded_fast_pydantic_takes_too_with_the_same_values(body):
    found, expected = DECODER.decode(body, 10), judged(body)
    if found is not None:
        assert expected is not None, body
        assert all_same(found, expected), body


@tried(400)
@given(bodies())
def test_the_door_takes_and_refuses_what_pydantic_does(body):
    expected = judged(body)
    try:
        found = parse(body, 10, DECODER)
    except Rejection:
        assert expected is None, body
    else:
        assert expected is not None and all_same(found, expected), body


@tried(600)
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


@pytest.mark.parametrize(("body", "place"), TWICE)
def test_a_key_that_stands_twice_is_refused_and_named(body, place):
    assert DECODER.decode(body.encode(), 10) is None
    with pytest.raises(Rejection, match="1 fault;") as caught:
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
