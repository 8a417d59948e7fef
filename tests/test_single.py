"""One application scored without a table gets what a table would give it, to the last bit."""

from dataclasses import replace

import numpy as np
import pytest

from scoring import features, tables
from scoring.schema import ApplicationRequest, Decoder
from scoring.scorer.certainty import REASONS
from scoring.scorer.model import Encoding, Linear, Model
from scoring.scorer.single import Single
from tests.support import small

ODD = [  # what a table engine and plain Python could read differently
    {},
    {"CODE_GENDER": None, "EXT_SOURCE_2": None},
    {"NAME_INCOME_TYPE": "Astronaut", "NAME_EDUCATION_TYPE": ""},
    {"AMT_INCOME_TOTAL": 9e15, "AMT_CREDIT": 1e-9, "DAYS_BIRTH": -36_500},
    {"DAYS_EMPLOYED": 365243, "AMT_ANNUITY": 0.0},
]


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture(scope="module")
def requests() -> list[ApplicationRequest]:
    made = small.applications(60, seed=21)
    changed = [request | ODD[i % len(ODD)] for i, request in enumerate(made)]
    bare = [{"SK_ID_CURR": 1}, {"SK_ID_CURR": 2, "history_features": {"bureau_count": 2}}]
    return [ApplicationRequest.model_validate(request) for request in changed + bare]


def test_a_row_alone_is_decided_warned_of_and_logged_like_a_row_of_a_table(scorer, requests):
    table = features.build(tables.from_requests(requests, columns=features.READS))
    expected = zip(
        scorer.decide(table).to_dicts(),
        scorer.warnings(table),
        table.select(scorer.feature_names).iter_rows(named=True),
        strict=True,
    )
    single = Single(scorer)
    read = [single.read(features.one(*tables.parts(request, features.READS))) for request in requests]
    found = [(single.decide(row, len(odd), inputs), odd, inputs) for row, odd, inputs in read]
    assert np.array_equal([row for row, _, _ in read], scorer.encode(table), equal_nan=True)
    assert found == list(expected)
    problems = {remark["problem"] for _, remarks, _ in found for remark in remarks}
    assert problems == {"unseen category", "outside range"}
    assert {reason for said, _, _ in found for reason in said["review_reasons"]} == set(REASONS)
    assert {said["review"] for said, _, _ in found} == {True, False}


def test_a_decoded_request_has_the_parts_of_a_validated_one(requests):
    decoder = Decoder({f.name: f.kind for f in features.FEATURES if f.name in features.HISTORY_FEATURES})
    for request in requests:
        assert tables.parts(decoder.request(request), features.READS) == tables.parts(request, features.READS)


def test_a_model_of_one_feature_can_score_a_row(scorer, requests):
    one = replace(
        scorer, certainty=None, model=Model(Encoding(("EXT_SOURCE_2",), {}, {}), Linear.constant(0.5, 1))
    )
    row, _, inputs = Single(one).read(features.one(*tables.parts(requests[0], features.READS)))
    default = Single(one).decide(row, 0, inputs)["probability_of_default"]
    assert list(inputs) == ["EXT_SOURCE_2"] and 0 < default < 1
