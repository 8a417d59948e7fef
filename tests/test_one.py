"""One applicant, without tables: the very same features as `build`, to the last bit."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import features, schema, synthetic, tables
from tests.support.wild import wild_request


def bits(value: float | str | None) -> Any:
    # + 0.0: which of 0 and -0 is the larger differs from engine to engine; it is one number.
    return struct.pack("<d", value + 0.0) if isinstance(value, float) else value


def same(requests: list[dict[str, Any]]) -> None:
    """Hold `one` against `build`, for each applicant of a batch."""
    checked = [schema.ApplicationRequest.model_validate(request) for request in requests]
    whole = features.build(tables.from_requests(checked))
    for request, line in zip(requests, whole.iter_rows(named=True), strict=True):
        alone = features.one(request, request.get("history"), request.get("history_features"))
        assert list(alone) == list(line)
        different = {n: (alone[n], line[n]) for n in line if bits(alone[n]) != bits(line[n])}
        assert not different


@pytest.fixture(scope="module")
def requests(tmp_path_factory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("portfolio") / "csv"
    synthetic.write(folder, train=80, test=5, seed=5, format="csv")
    portfolio = tables.read(folder, "train")
    return tables.to_requests(portfolio, range(len(portfolio)))


def test_one_gives_what_build_gives_for_every_applicant_of_a_portfolio(requests):
    same(requests)


def test_one_gives_what_build_gives_without_history_and_with_aggregates_computed_ahead(requests):
    bare = [{k: v for k, v in r.items() if k != "history"} for r in requests[:20]]
    same(bare)
    ahead = []
    for request, plain in zip(requests[:20], bare, strict=True):
        values = features.one(request, request.get("history"))
        ahead.append({**plain, "history_features": {n: values[n] for n in features.HISTORY_FEATURES}})
    same(ahead)
    same([{**bare[0], "history_features": {}}, {"SK_ID_CURR": 1}, {"SK_ID_CURR": 2, "history": {}}])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1, 2, 25]))
def test_one_gives_what_build_gives_for_any_request_that_the_door_lets_through(seed, size):
    random = Random(seed)
    same([wild_request(random) for _ in range(size)])


def test_days_past_due_beyond_six_years_do_not_overflow_their_mean():
    months = [{"SK_ID_PREV": 1, "MONTHS_BALANCE": -m, "SK_DPD": 3_000} for m in (1, 2)]
    assert features.one({}, {"POS_CASH_balance": months})["pos_dpd_mean"] == 3_000.0


def test_one_changes_nothing_of_what_it_is_given(requests):
    before = repr(requests[0])
    features.one(requests[0], requests[0].get("history"))
    assert repr(requests[0]) == before
