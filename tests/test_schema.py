"""The contract: what a request may hold, and what its description says."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scoring.language import languages, say
from scoring.schema import (
    EXAMPLE,
    FORM_GROUPS,
    HISTORY,
    Application,
    ApplicationRequest,
    Bureau,
    BureauBalance,
    Decision,
    Explanation,
    History,
    Reason,
    ScoreRequest,
    columns,
)

RECORDS = {"application": Application, **HISTORY}
INTEGER, NUMBER, FLAG, CATEGORY = "CNT_CHILDREN", "AMT_CREDIT", "FLAG_MOBIL", "CODE_GENDER"


def check(**values):
    return Application.model_validate({"SK_ID_CURR": 1, **values})


def problems(record, values):
    with pytest.raises(ValidationError) as caught:
        record.model_validate(values)
    return [(".".join(map(str, e["loc"])), e["type"]) for e in caught.value.errors()]


def test_every_column_of_the_kaggle_files_is_declared():
    widths = {table: len(columns(record)) for table, record in RECORDS.items()}
    assert widths == {
        "application": 121,
        "bureau": 17,
        "bureau_balance": 3,
        "previous_application": 37,
        "POS_CASH_balance": 8,
        "credit_card_balance": 23,
        "installments_payments": 8,
    }
    assert "TARGET" not in columns(Application)


def test_the_history_of_a_request_has_one_list_per_table():
    assert list(History.model_fields) == list(HISTORY)
    assert ApplicationRequest.model_validate({"SK_ID_CURR": 1, "history": {}}).history == History()


def test_every_column_has_words_and_a_place_in_the_form():
    for table, record in RECORDS.items():
        for column in columns(record).values():
            assert column.label.en, column
            assert column.group in (FORM_GROUPS if table == "application" else {"history"}), column
            assert column.levels == () or column.kind == "category", column
    assert {column.group for column in columns(Application).values()} == set(FORM_GROUPS)


def test_words_of_the_form_are_not_repeated():
    for language in languages():
        said = [say(column.label, language) for column in columns(Application).values()]
        assert len(said) == len(set(said))


def test_the_columns_of_a_request_are_those_of_an_application():
    assert columns(ApplicationRequest) == columns(Application)


def test_a_column_tells_its_bounds():
    score = columns(Application)["EXT_SOURCE_1"]
    assert (score.kind, score.minimum, score.maximum) == ("number", 0, 1)
    assert columns(Application)["DAYS_EMPLOYED"].maximum is None


def test_only_the_application_number_is_required():
    assert problems(Application, {}) == [("SK_ID_CURR", "missing")]
    assert Application(SK_ID_CURR=0).AMT_CREDIT is None
    assert Bureau() == Bureau(SK_ID_CURR=None)
    assert problems(BureauBalance, {}) == [("SK_ID_BUREAU", "missing")]


@pytest.mark.parametrize("name", [INTEGER, NUMBER, FLAG, "SK_ID_CURR"])
@pytest.mark.parametrize("value", ["1", True, math.nan, math.inf, -math.inf, [1], {}])
def test_what_is_no_number_is_refused(name, value):
    assert [loc for loc, _ in problems(Application, {"SK_ID_CURR": 1, name: value})] == [name]


@pytest.mark.parametrize("name", [INTEGER, FLAG, "SK_ID_CURR"])
def test_an_integer_may_be_written_with_a_decimal_point_but_not_be_broken(name):
    value = getattr(check(**{name: 1.0}), name)
    assert value == 1 and type(value) is int
    assert problems(Application, {"SK_ID_CURR": 1, name: 0.5})[0][0] == name


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(text):
    with pytest.raises(ValidationError):
        ApplicationRequest.model_validate_json(f'{{"SK_ID_CURR": 1, "AMT_CREDIT": {text}}}')


def test_an_integer_is_a_number_too():
    assert type(check(AMT_CREDIT=450_000).AMT_CREDIT) is float


@given(st.integers(0, 2**63 - 1))
def test_an_identifier_keeps_all_its_digits(number):
    assert number == Application.model_validate_json(json.dumps({"SK_ID_CURR": number})).SK_ID_CURR


@pytest.mark.parametrize("number", [-1, 2**63])
def test_an_identifier_beyond_64_bits_is_refused(number):
    assert problems(Application, {"SK_ID_CURR": number}) == [("SK_ID_CURR", "not_an_identifier")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMT_CREDIT", -1.0),
        ("EXT_SOURCE_1", 1.01),
        ("DAYS_BIRTH", 1),
        ("HOUR_APPR_PROCESS_START", 24),
        ("FLAG_MOBIL", 2),
        ("CNT_CHILDREN", -1),
        ("DAYS_EMPLOYED", 2**31),
        ("CODE_GENDER", "x" * 101),
        ("CODE_GENDER", 1),
    ],
)
def test_a_value_outside_its_hard_bounds_is_refused(name, value):
    assert [loc for loc, _ in problems(Application, {"SK_ID_CURR": 1, name: value})] == [name]


@pytest.mark.parametrize(
    ("record", "values"),
    [
        (Application, {"SK_ID_CURR": 1, "DAYS_EMPLOYED": 365243, "ORGANIZATION_TYPE": "XNA"}),
        (Application, {"SK_ID_CURR": 1, "AMT_INCOME_TOTAL": 117e6, "REGION_RATING_CLIENT_W_CITY": -1}),
        (HISTORY["bureau"], {"AMT_CREDIT_SUM_DEBT": -4_705_600.3, "AMT_CREDIT_SUM_LIMIT": -586_406.1}),
        (HISTORY["bureau"], {"DAYS_CREDIT_UPDATE": 372, "DAYS_CREDIT_ENDDATE": -42060}),
        (HISTORY["credit_card_balance"], {"AMT_BALANCE": -420_250.2, "AMT_DRAWINGS_CURRENT": -6_211.6}),
        (HISTORY["previous_application"], {"DAYS_TERMINATION": 365243, "SELLERPLACE_AREA": -1}),
        (HISTORY["previous_application"], {"AMT_DOWN_PAYMENT": -0.9, "RATE_DOWN_PAYMENT": -0.000015}),
    ],
)
def test_the_odd_values_of_the_source_are_accepted(record, values):
    record.model_validate(values)


def test_a_category_never_seen_is_accepted():
    assert check(OCCUPATION_TYPE="Astronaut").OCCUPATION_TYPE == "Astronaut"


def test_an_unknown_name_is_refused_wherever_it_stands():
    assert problems(Application, {"SK_ID_CURR": 1, "TARGET": 0}) == [("TARGET", "extra_forbidden")]
    values = {"SK_ID_CURR": 1, "history": {"bureau": [{"AMT": 1}]}}
    assert problems(ApplicationRequest, values) == [("history.bureau.0.AMT", "extra_forbidden")]
    assert problems(ApplicationRequest, {"SK_ID_CURR": 1, "history": {"x": []}})[0][0] == "history.x"


def test_an_error_does_not_repeat_what_the_applicant_declared():
    with pytest.raises(ValidationError) as caught:
        check(AMT_CREDIT="secret", CODE_GENDER=["secret"])
    assert "secret" not in str(caught.value)


def test_two_histories_are_refused():
    values = {"SK_ID_CURR": 1, "history": {}, "history_features": {}}
    assert problems(ApplicationRequest, values) == [("", "two_histories")]


def test_a_record_of_another_applicant_is_refused():
    values = {"SK_ID_CURR": 1, "history": {"bureau": [{"SK_ID_CURR": 1}, {"SK_ID_CURR": 2}]}}
    assert problems(ApplicationRequest, values) == [("", "other_applicant")]
    values["history"]["bureau"].pop()
    ApplicationRequest.model_validate(values)


def test_months_of_a_bureau_credit_that_is_not_there_are_refused():
    values = {"SK_ID_CURR": 1, "history": {"bureau_balance": [{"SK_ID_BUREAU": 5, "STATUS": "C"}]}}
    assert problems(ApplicationRequest, values) == [("", "unknown_bureau_credit")]
    values["history"]["bureau"] = [{"SK_ID_BUREAU": 5}]
    ApplicationRequest.model_validate(values)


@pytest.mark.parametrize("value", [[1], True, math.nan, math.inf, "x" * 101])
def test_an_aggregate_is_a_finite_number_a_category_or_missing(value):
    given = {"bureau_count": 3.0, "bureau_debt_sum": None, "previous_last_product": "Cash"}
    request = {"SK_ID_CURR": 1, "history_features": given}
    assert ApplicationRequest.model_validate(request).history_features == given
    request["history_features"]["bureau_count"] = value
    assert problems(ApplicationRequest, request) == [("history_features.bureau_count", "not_an_aggregate")]


def test_a_request_without_applications_is_refused():
    assert problems(ScoreRequest, {"applications": []}) == [("applications", "too_short")]


def test_the_example_is_a_valid_request():
    assert ScoreRequest.model_json_schema()["example"] == EXAMPLE
    ScoreRequest.model_validate_json(json.dumps(EXAMPLE))


def test_the_json_schema_describes_what_is_checked():
    properties = Application.model_json_schema()["properties"]
    assert properties["SK_ID_CURR"]["maximum"] == 2**63 - 1
    assert properties["EXT_SOURCE_1"]["anyOf"] == [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "null"},
    ]
    assert properties["CNT_CHILDREN"]["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    assert "enum" not in json.dumps(properties)
    assert properties["CODE_GENDER"]["examples"] == ["F", "M", "XNA"]
    assert properties["CODE_GENDER"]["x-titles"] == {"en": "Gender", "fr": "Sexe"}


def bounds(column):
    """Draw values at and within the bounds that the JSON schema gives."""
    schema = Application.model_json_schema()["properties"][column]
    value = schema.get("anyOf", [schema])[0]
    low, high = value.get("minimum"), value.get("maximum")
    if value["type"] == "integer":
        return st.integers(low, high)
    if value["type"] == "number":
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    return st.text(max_size=value["maxLength"])


@given(st.data())
def test_whatever_the_json_schema_allows_is_accepted(data):
    name = data.draw(st.sampled_from(list(columns(Application))))
    Application.model_validate_json(json.dumps({"SK_ID_CURR": 1, name: data.draw(bounds(name))}))


def test_an_answer_holds_exactly_its_fields():
    decision = {
        "event_id": "a",
        "SK_ID_CURR": 1,
        "probability_of_default": 0.1,
        "score": 580,
        "threshold": 0.09,
        "decision": "refused",
        "model": "credit_scoring:1",
    }
    assert Decision.model_validate(decision).warnings == []
    with pytest.raises(ValidationError):
        Decision.model_validate(decision | {"decision": "maybe"})
    reason = Reason(group="g", feature="f", value=None, contribution=0.1, text={"en": "e"})
    parts = {"base_value": 0.0, "raw_score": 0.1, "contributions": [], "base_points": 560, "groups": []}
    Explanation.model_validate(decision | parts | {"reasons": [reason] * 4})
    with pytest.raises(ValidationError):
        Explanation.model_validate(decision | parts | {"reasons": [reason] * 5})
