"""The outline of a body, found in C: JSON is what pydantic says it is, to the place of the first fault."""

import json
import random
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import from_json

from scoring.engine import NotJson, Outliner, native
from scoring.engine import build as building
from tests.support.json_bodies import bodies
from tests.support.laws import tried
from tests.torture import sanitized


@pytest.fixture(scope="module")
def outliner() -> Outliner:
    """Build the library where `make setup` has not."""
    try:
        if not native.built().is_file():
            building.build()
    except building.BuildError as error:
        pytest.skip(str(error))
    return Outliner()


def check(outliner: Outliner, body: bytes) -> None:
    """Hold an outline against what pydantic makes of the body."""
    try:
        document, place = from_json(body), None
    except ValueError as error:
        found = re.search(r"line \d+ column \d+", str(error))
        assert found
        document, place = None, found.group()
    try:
        outline = outliner(body, 3)
    except NotJson as error:
        assert str(error) == place, body
        return
    assert place is None, body
    has_key = isinstance(document, dict) and "applications" in document
    assert (outline.keys > 0) == has_key
    if outline.keys == 1:
        given_ = document["applications"]
        assert (outline.start >= 0) == isinstance(given_, list)
        if isinstance(given_, list):
            assert outline.count == len(given_)
            assert same(from_json(body[outline.start : outline.end]), given_)
            texts = [body[start:end] for start, end, _ in outline.spans.tolist()]
            assert same([from_json(text) for text in texts], given_[:3])
            assert outline.spans[:, 2].tolist() == [values(text) for text in texts]


def same(one: object, other: object) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself


def values(text: bytes) -> int:
    """Count the values inside a value, those of keys that stand twice too."""

    def inside(value: object) -> int:
        return sum(1 + inside(inner) for inner in value) if isinstance(value, list) else 0

    return inside(json.loads(text, object_pairs_hook=lambda pairs: [value for _, value in pairs]))


@tried(400)
@given(bodies())
def test_what_a_client_could_send_is_outlined_as_pydantic_reads_it(outliner, body):
    check(outliner, body)


@tried(1_500)
@given(st.integers(0, 2**64))
def test_whatever_bytes_come_the_first_fault_is_where_pydantic_finds_it(outliner, seed):
    body = sanitized.body(random.Random(seed))
    if body:
        try:
            outliner(body, 3)
            place = None
        except NotJson as error:
            place = str(error)
        try:
            from_json(body)
        except ValueError as error:
            assert place and str(error).endswith(place), body
        else:
            assert place is None, body


@tried(300)
@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists, max_leaves=8)
)
@example(list(range(5)))
@example([{"applications": []}, [[{}]]])
def test_the_applications_are_found_among_whatever_stands_beside_them(outliner, inner):
    listed = inner if isinstance(inner, list) else [inner]
    check(
        outliner,
        json.dumps({"more": inner, "applications": listed, "a": {"applications": 1}}, indent=1).encode(),
    )
    check(outliner, json.dumps({"applications": inner}).replace("ica", "\\u0069\\u0063a").encode())


def test_the_deepest_that_is_read_is_as_deep_as_with_pydantic(outliner):
    for depth in (199, 200, 201, 202):
        for inner in (b"1", b"", b"[]", b'{"a":1}', b"x", b'{"a"'):
            check(outliner, b"[" * depth + inner + b"]" * depth)
            check(outliner, b'{"a":' * depth + inner + b"}" * depth)


def test_no_body_that_ends_early_is_read_beyond_its_end(outliner, guarded):
    whole = json.dumps({"applications": [{"a": "é\U0001f600/", "b": [1.5e3, True, None]}]})
    for body in (whole.encode(), json.dumps(json.loads(whole), ensure_ascii=False).encode()):
        for end in range(1, len(body)):
            with pytest.raises(NotJson):
                outliner(guarded(body[:end]), 3)
        assert outliner(guarded(body), 3).count == 1


def test_the_sanitizers_of_memory_find_nothing_in_the_readers_of_json(tmp_path):
    said = sanitized.run(tmp_path, seed=1, count=4_000)
    if said is None:
        pytest.skip("no compiler with the sanitizers is here")
    assert said == ""
