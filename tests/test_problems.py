"""Every problem has a type and every fault a code, declared once: words, documents and languages follow."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.problems import FAULTS, FILES, KINDS, Fault, places, type_of
from scoring.problems.__main__ import document
from scoring.schema import FieldError, Problem, errors_of, fault_at
from scoring.schema.faults import CODES
from scoring.serving.problem import Rejection, faulty
from scoring.tables.faults import Place, TableError
from tests.support.third import other_words

ROOT = Path(__file__).parent.parent
EXAMPLES: dict[str, int | float | str] = {
    "n": 3,
    "line": 12_000,
    "minimum": -1.5,
    "maximum": 2_147_483_647,
    "close": "AMT_CREDIT",
}


@cache
def nodes() -> list[ast.Call | ast.Constant]:
    """What the programs say it in: their calls and constants."""
    return [
        node
        for folder in ("scoring", "ui")
        for file in (ROOT / folder).rglob("*.py")
        if "problems" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call | ast.Constant)
    ]


def example(names: set[str]) -> dict[str, int | float | str]:
    return {name: EXAMPLES.get(name, 7) for name in names}


def said(function: str) -> set[str]:
    """The names that calls of a function begin with."""
    return {
        argument.value
        for node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_every_kind_and_code_that_is_said_is_declared_and_what_is_declared_is_said():
    assert said("Rejection") <= KINDS.keys()
    assert said("Fault") | said("_wrong") | set(CODES.values()) <= FAULTS.keys()
    assert said("TableError") | {"at_line", "at_row", "too_long"} == FILES.keys()
    used = {node.value for node in nodes() if isinstance(node, ast.Constant)}
    assert not (KINDS.keys() | FAULTS.keys()) - used, "nothing says these"


def test_the_document_lists_what_is_declared():
    assert (ROOT / "docs" / "PROBLEMS.md").read_text() == document()


@pytest.mark.parametrize("name", KINDS)
def test_a_problem_has_a_type_a_title_and_its_figures_on_the_wire(name):
    kind = KINDS[name]
    params = example(places(kind.detail))
    rejection = Rejection(name, params)
    found = Problem.model_validate_json(rejection.body())
    assert found.type == f"urn:credit-scoring:problem:{name}"
    assert (found.status, found.title, found.params) == (kind.status, kind.title.en, params)
    assert found.detail == str(rejection) and found.detail.endswith(".") and "{" not in found.detail
    assert 400 <= found.status < 600 and re.fullmatch(r"[a-z]+(-[a-z]+)*", name)


def test_every_problem_and_fault_is_said_in_a_third_language_from_its_params_alone(third):
    for kind in KINDS.values():
        assert "⟦" in kind.say(example(places(kind.detail)), third)
    for code, text in FAULTS.items():
        fault = fault_at(0, "AMT_CREDIT", Fault(code, example(places(text))))
        sent = FieldError.model_validate_json(fault.model_dump_json())
        assert "⟦" not in sent.detail
        assert not other_words(re.sub(r"AMT_CREDIT|7", "", sent.say(third))), sent.say(third)


def test_a_file_that_cannot_be_read_is_said_in_a_third_language_with_the_place_and_the_fault(third):
    for code, text in FILES.items():
        assert "⟦" in TableError(code, **example(places(text))).say(third)
    fault = Fault("below_minimum", {"minimum": 0})
    error = TableError("wrong_value", file="7", name="7", place=Place("at_line", 3), fault=fault)
    assert str(error) == (
        "7, column '7', line 3: must be at least 0; correct it, or leave it empty if it is missing."
    )
    assert not other_words(re.sub(r"\d", "", error.say(third)))


def test_a_fault_of_another_version_is_told_as_it_was_said_there():
    strange = FieldError(row=0, field="x", code="too_blue", params={}, detail="must be less blue")
    assert strange.say("fr") == "must be less blue"
    lacking = FieldError(row=0, field="x", code="above_maximum", params={}, detail="must be at most 1")
    assert lacking.say("fr") == "must be at most 1"


@pytest.mark.parametrize(
    ("given", "field", "code", "params"),
    [
        ({"AMT_CREDIT": -1}, "AMT_CREDIT", "below_minimum", {"minimum": 0}),
        ({"EXT_SOURCE_1": 1.5}, "EXT_SOURCE_1", "above_maximum", {"maximum": 1}),
        ({"AMT_CREDIT": "much"}, "AMT_CREDIT", "not_a_number", {}),
        ({"AMT_CREDIT": float("inf")}, "AMT_CREDIT", "not_finite", {}),
        ({"AMT_CREDIT": float("nan")}, "AMT_CREDIT", "nan", {}),
        ({"CNT_CHILDREN": 1.5}, "CNT_CHILDREN", "not_whole", {}),
        ({"CNT_CHILDREN": 1e300}, "CNT_CHILDREN", "not_whole", {}),
        ({"OCCUPATION_TYPE": 1}, "OCCUPATION_TYPE", "not_text", {}),
        ({"OCCUPATION_TYPE": "x" * 101}, "OCCUPATION_TYPE", "too_long", {"maximum": 100}),
        ({"FOO": 1}, "FOO", "unknown_field", {}),
        ({"SK_ID_CURR": -1}, "SK_ID_CURR", "not_an_identifier", {}),
        ({"SK_ID_CURR": None}, "SK_ID_CURR", "not_an_identifier", {}),
        ({"history": 5}, "history", "not_an_object", {}),
        ({"history": {"bureau": 5}}, "history.bureau", "not_a_list", {}),
        ({"history": {"bureau": [5]}}, "history.bureau[0]", "not_an_object", {}),
        ({"history_features": 5}, "history_features", "not_an_object", {}),
        ({"history": {}, "history_features": {}}, "applications", "two_histories", {}),
        ({"history": {"bureau": [{"SK_ID_CURR": 2, "SK_ID_BUREAU": 1}]}},
         "history.bureau[0].SK_ID_CURR", "other_applicant", {}),
        ({"history": {"bureau_balance": [{"SK_ID_BUREAU": 1}]}},
         "history.bureau_balance[0].SK_ID_BUREAU", "unknown_bureau_credit", {}),
        ({"history_features": {"foo": 1.0}}, "history_features.foo", "unknown_aggregate", {}),
        ({"history_features": {"bureau_count": "x"}}, "history_features.bureau_count", "not_finite", {}),
        ({"history_features": {"bureau_count": [1]}},
         "history_features.bureau_count", "not_an_aggregate", {}),
    ],
)  # fmt: skip
def test_a_wrong_value_has_a_code_and_its_bounds(given, field, code, params):
    from scoring.features.checks import DECODER

    (fault,) = errors_of({"SK_ID_CURR": 1, **given}, 4, DECODER)
    assert (fault.row, fault.field, fault.code, fault.params) == (4, field, code, params)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3)
)
def test_whatever_stands_for_a_value_its_fault_has_a_code_of_its_own(value):
    from scoring.features.checks import DECODER

    for name in ("AMT_CREDIT", "CNT_CHILDREN", "OCCUPATION_TYPE", "SK_ID_CURR", "FLAG_OWN_REALTY", "history"):
        for fault in errors_of({"SK_ID_CURR": 1, name: value}, 0, DECODER):
            assert fault.code in FAULTS and fault.code != "not_accepted"


def test_a_request_with_more_faults_than_are_named_is_a_kind_of_its_own():
    fault = fault_at(0, "AMT_CREDIT", Fault("nan"))
    assert faulty(2, [fault] * 2).kind is KINDS["invalid-request"]
    cut = faulty(80, [fault] * 80)
    assert (cut.kind, cut.params, len(cut.errors)) == (KINDS["more-faults"], {"n": 51, "named": 50}, 50)
    assert type_of("more-faults") == cut.kind.type
