"""An unknown name in a request is told the known one that is nearest, at every depth and a bounded cost."""

import json
from functools import partial
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from scoring.features.checks import DECODER
from scoring.language import languages
from scoring.schema import FieldError, OutcomesRequest, field_errors, hinted, known_at
from scoring.serving.large.stream import ArrowTable
from scoring.serving.problem import ERRORS_NAMED, Rejection
from scoring.serving.reading import parse
from tests.support.arrow import stream

APPLICATION = {"SK_ID_CURR": 1}
MISTAKES = {f"AMT_CREDIT_{number:05}": 1.0 for number in range(10_000)}


def refused(*applications: dict[str, Any]) -> list[FieldError]:
    with pytest.raises(Rejection) as caught:
        parse(
            json.dumps({"applications": [APPLICATION | given for given in applications]}).encode(), 9, DECODER
        )
    return list(caught.value.errors)


def hints(errors: list[FieldError]) -> dict[str, Any]:
    return {error.field: error.params.get("close") for error in errors}


@pytest.mark.parametrize(
    ("given", "field", "close"),
    [
        ({"AMT_CREDITS": 1}, "AMT_CREDITS", "AMT_CREDIT"),
        ({"amt.annuity": 1}, "amt.annuity", "AMT_ANNUITY"),
        ({"History": {}}, "History", "history"),
        ({"history": {"burau": []}}, "history.burau", "bureau"),
        ({"history": {"bureau": [{"SK_ID_BUREAU": 1, "DAY_CREDIT": -1}]}},
         "history.bureau[0].DAY_CREDIT", "DAYS_CREDIT"),
        ({"history_features": {"bureau_cout": 1.0}}, "history_features.bureau_cout", "bureau_count"),
        ({"CREDIT_DAY_OVERDUE": 1}, "CREDIT_DAY_OVERDUE", None),  # a name of another object
        ({"SHOE_SIZE": 44}, "SHOE_SIZE", None),
        ({"history_features": {"shoe_size": 44.0}}, "history_features.shoe_size", None),
    ],
)  # fmt: skip
def test_a_misspelt_name_is_told_the_nearest_of_its_own_object(given, field, close):
    errors = refused(given)
    assert hints(errors) == {field: close}
    if close:
        assert all(f"{close}" in error.say(language) for error in errors for language in languages())


def test_a_misspelt_name_beside_the_applications_is_told_too():
    with pytest.raises(Rejection) as caught:
        parse(b'{"applicatons":[{"SK_ID_CURR":1}]}', 9, DECODER)
    assert hints(list(caught.value.errors)) == {"applications": None, "applicatons": "applications"}


def test_a_misspelt_name_of_an_outcome_is_told_too():
    with pytest.raises(ValidationError) as caught:
        OutcomesRequest.model_validate({"outcomes": [{"defaultd": 1, "observed_on": "2026-11-28"}]})
    errors = hinted(field_errors(caught.value, 0), partial(known_at, model=OutcomesRequest))
    assert hints(errors) == {"outcomes[0].defaulted": None, "outcomes[0].defaultd": "defaulted"}


def test_the_same_mistake_in_each_row_and_each_record_is_told_each_time():
    bureau = [{"SK_ID_BUREAU": number, "DAY_CREDIT": -1} for number in range(2)]
    errors = refused(*[{"AMT_CREDITS": 1, "history": {"bureau": bureau}}] * 3)
    assert len(errors) == 9 and {error.row for error in errors} == {0, 1, 2}
    assert {error.params["close"] for error in errors} == {"AMT_CREDIT", "DAYS_CREDIT"}


def test_of_ten_thousand_unknown_names_three_are_looked_up():
    beside, inside = refused(MISTAKES), refused({"history_features": MISTAKES})
    with pytest.raises(Rejection) as caught:
        ArrowTable(stream(pl.DataFrame(APPLICATION | MISTAKES)), 9)
    for errors in (beside, inside, list(caught.value.errors)):
        assert len(errors) == ERRORS_NAMED
        assert [error.code for error in errors[3:]].count("misspelt_field") == 0
    assert list(hints(beside).values())[:3] == ["AMT_CREDIT"] * 3
    assert [error.code for error in caught.value.errors[:3]] == ["misspelt_field"] * 3
