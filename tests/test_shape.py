"""Whatever a body is made of, it holds nobody up: steps are small, refusing costs no more than reading."""

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from pydantic_core import from_json

from scoring import engine
from scoring.features.checks import DECODER
from scoring.schema import repeated_keys
from scoring.serving import reading
from scoring.serving.large import ArrowTable
from scoring.serving.problem import Rejection
from scoring.serving.reading import JUDGED, LONGEST, PIECE, parse
from tests.support.json_bodies import bodies
from tests.support.laws import tried
from tests.torture import nasty

SIZE = 3 * 2**20  # several pieces, and more than an application may have
ROWS = 10_000


@pytest.fixture(autouse=True)
def outliner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the library where `make setup` has not."""
    if reading.OUTLINER is None:
        from scoring.engine import build

        try:
            build.build()
        except build.BuildError as error:
            pytest.skip(str(error))
        monkeypatch.setattr(reading, "OUTLINER", engine.Outliner())


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Note how many bytes each step in Python is given, by the one who takes it."""
    noted: dict[str, list[int]] = {"msgspec": [], "pydantic": [], "keys": []}

    def watch(name: str, step: Callable) -> Callable:
        def watched(body: bytes, *rest: object) -> object:
            noted[name].append(len(body))
            return step(body, *rest)

        return watched

    monkeypatch.setattr(DECODER, "decode", watch("msgspec", DECODER.decode))
    monkeypatch.setattr(reading, "from_json", watch("pydantic", from_json))
    monkeypatch.setattr(reading, "repeated_keys", watch("keys", repeated_keys))
    return noted


@pytest.mark.parametrize("kind", nasty.REFUSED)
def test_no_step_in_python_takes_much_of_a_bad_body_and_all_of_them_no_more_than_of_a_good_one(kind, steps):
    body = nasty.REFUSED[kind](SIZE)
    with pytest.raises(Rejection) as caught:
        parse(body, ROWS, DECODER)
    assert caught.value.status in (400, 422) and len(caught.value.errors) <= 50
    assert max(max(sizes, default=0) for sizes in steps.values()) <= LONGEST + PIECE
    assert sum(steps["msgspec"]) <= 1.1 * len(body)  # what a good body costs, which msgspec reads once
    assert max(sum(steps["pydantic"]), sum(steps["keys"])) <= JUDGED + LONGEST + PIECE


@pytest.mark.parametrize("kind", nasty.VALID)
def test_a_good_body_is_read_once_in_pieces(kind, steps):
    body = nasty.VALID[kind](SIZE)
    found = parse(body, ROWS, DECODER)
    assert len(found) == body.count(b'"SK_ID_CURR"') > 1
    assert max(steps["msgspec"]) <= LONGEST and not steps["pydantic"]
    assert sum(steps["msgspec"]) <= 1.1 * len(body)


LOUD = (
    "unknown keys in many applications",
    "unknown aggregates",
    "objects without anything",
    "wrong records",
)


@pytest.mark.parametrize("kind", [*LOUD, "doubled keys in many applications", "numbers for applications"])
def test_a_bad_body_takes_little_memory(kind):
    body = nasty.REFUSED[kind](SIZE)
    tracemalloc.start()
    with pytest.raises(Rejection):
        parse(body, ROWS, DECODER)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22 + 20 * LONGEST, f"{peak / 2**20:.0f} MiB for a body of {len(body)} bytes"


def places(body: bytes) -> list[tuple[int | None, str]]:
    with pytest.raises(Rejection) as caught:
        parse(body, ROWS, DECODER)
    return [(error.row, error.field) for error in caught.value.errors]


def padded(applications: list[bytes], beside: bytes = b"") -> bytes:
    """Give a body of several pieces: each application is followed by blanks."""
    inner = b",".join(application + b" " * PIECE for application in applications)
    return b'{"applications":[%b]%b}' % (inner, beside)


def test_faults_are_named_by_their_row_in_whatever_piece_they_stand():
    good = b'{"SK_ID_CURR":1}'
    unknown, twice = b'{"SK_ID_CURR":1,"x":1}', b'{"SK_ID_CURR":1,"AMT_CREDIT":1,"AMT\\u005fCREDIT":1}'
    assert places(padded([good, unknown, good, twice])) == [(1, "x"), (3, "AMT_CREDIT")]
    record = b'{"SK_ID_CURR":1,"history":{"bureau":[%b]}}' % b",".join([b'{"SK_ID_BUREAU":1}'] * 60 + [b"7"])
    assert places(padded([good, record])) == [(1, "history.bureau[60]")]
    assert places(padded([good, good], b',"more":1')) == [(None, "more")]
    assert places(padded([])[:-2] + b" " * PIECE + b"]}") == [(None, "applications")]
    assert places(padded([good], b',"applications":[]')) == [(None, "applications")]
    assert places(padded([good, b'{"SK_ID_CURR":1,"AMT_CREDIT":%b}' % (b" " * LONGEST + b"1")])) == [
        (1, "applications")
    ]


def answer(body: bytes) -> object:
    """Give what the middleware makes of a body: how many applications, or what is wrong with them."""
    try:
        return len(parse(body, 5, DECODER))
    except Rejection as rejection:
        return (
            rejection.status,
            rejection.detail,
            sorted((str(e.row), e.field, e.detail) for e in rejection.errors),
        )


@tried(600)
@given(bodies())
def test_a_body_read_in_pieces_gets_the_answer_that_it_gets_whole(body):
    whole = answer(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PIECE", 60)
        pieces = answer(body)
    if not isinstance(pieces, tuple) or "at least" not in pieces[1]:
        if isinstance(pieces, tuple) and isinstance(whole, tuple) and pieces[0] == whole[0] == 422:
            # An unknown aggregate is only named where all that is judged with it is of the right types.
            assert set(pieces[2]) >= set(whole[2]), body
        else:
            assert pieces == whole, body
    else:  # what stands beside the applications is wrong, or they are no list
        assert isinstance(whole, tuple) and whole[0] == 422 and pieces[2][0][0] == "None", body


def test_the_first_place_that_is_not_json_is_told_before_any_fault_of_what_stands_before():
    body = padded([b'{"SK_ID_CURR":1,"x":1}', b'{"SK_ID_CURR":1}'])[:-1] + b"\n x"
    with pytest.raises(Rejection, match="see line 2 column 2") as caught:
        parse(body, ROWS, DECODER)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body", [b"5", b'"word"', b"null", b"[]", b"[[[]]]", b"{}", b"NaN", b'{"applications":5}']
)
def test_json_that_is_no_request_is_refused_as_such(body):
    assert places(body)[0][0] is None


def test_the_first_of_too_many_faults_are_named():
    with pytest.raises(Rejection) as caught:
        parse(nasty.one(nasty.keys(PIECE // 2)), ROWS, DECODER)
    assert "at least 51 faults" in caught.value.detail and {error.row for error in caught.value.errors} == {0}
    assert [error.field for error in caught.value.errors] == [f"{i:07x}" for i in range(50)]
    wrong = b'{"applications":[{"SK_ID_CURR":1},{"SK_ID_CURR":1,%b}]}' % nasty.table(
        b'{"SK_ID_BUREAU":"x"}', 9_000
    )
    assert places(wrong) == [(1, f"history.bureau[{i}].SK_ID_BUREAU") for i in range(50)]


def test_without_the_engine_a_body_of_many_applications_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(reading, "OUTLINER", None)
    body = nasty.rows(b'{"SK_ID_CURR":@,"NAME_INCOME_TYPE":"%b"}' % (b"x" * 90), LONGEST)
    assert len(parse(body, ROWS, DECODER)) > 5_000
    with pytest.raises(Rejection, match="Without the engine") as caught:
        parse(body + b" " * 2**20, ROWS, DECODER)
    assert caught.value.status == 413


def test_a_table_with_a_million_unknown_columns_is_refused_by_the_first_ones():
    import pyarrow as pa

    names = ["SK_ID_CURR", *(f"column{i}" for i in range(3_000))]
    table = pa.table([pa.array([1])] * len(names), names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    start = time.process_time()
    with pytest.raises(Rejection) as caught:
        ArrowTable(bytearray(sink.getvalue()), 10)
    assert len(caught.value.errors) == 50 and time.process_time() - start < 1
