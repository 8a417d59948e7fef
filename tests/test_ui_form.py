"""The form gives back what it was given: each fact once, no markup, faults with their remedy."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.language import languages
from scoring.schema import Application, columns
from tests.support.controls import Controls
from ui import form

NARROW = "\u202f"
LANGUAGES = languages()
any_language = st.sampled_from(LANGUAGES)


def value_of(column) -> st.SearchStrategy:
    """Any value that the schema takes for a column."""
    if column.kind == "category":
        return st.sampled_from(column.levels) | st.text("abc =<>&\"'é/,.", min_size=1, max_size=9).map(
            str.strip
        ).filter(bool)
    low = -30_000 if column.minimum is None else int(column.minimum)
    high = 400_000 if column.maximum is None else int(column.maximum)
    if column.kind == "number":
        return st.floats(low, high, allow_nan=False).map(lambda x: x + 0.0)
    return st.integers(low, high)


applications = st.fixed_dictionaries(
    {"SK_ID_CURR": st.integers(0, 2**40)},
    optional={name: value_of(column) for name, column in form.fields().items()},
)


def test_every_column_but_the_number_stands_once_in_the_form() -> None:
    expected = {name for name, column in columns(Application).items() if column.kind != "id"}
    for lang in LANGUAGES:
        controls = Controls(form.html(form.NEW_APPLICATION, form.Wording(lang)))
        assert controls.seen == Counter(expected)
        assert controls.labelled == {f"fact-{name}" for name in expected}


@settings(max_examples=25)
@given(applications, any_language)
def test_an_unedited_form_gives_the_exact_request_back(application, lang) -> None:
    opened = application | {"history": {"bureau": [{"SK_ID_BUREAU": 1}]}}
    texts = Controls(form.html(opened, form.Wording(lang))).texts
    assert form.read(texts, opened, lang) == (opened, [])


@settings(max_examples=25)
@given(applications, st.sampled_from(sorted(form.fields())), any_language)
def test_an_edit_changes_its_own_fact_only(application, name, lang) -> None:
    texts = Controls(form.html(application, form.Wording(lang))).texts
    edited, faults = form.read(texts | {name: ""}, application, lang)
    assert not faults
    assert edited == {key: value for key, value in application.items() if key != name}


def test_an_officer_writes_years_where_the_files_count_days() -> None:
    opened = {"SK_ID_CURR": 1, "DAYS_BIRTH": -9461, "DAYS_EMPLOYED": 365243}
    texts = Controls(form.html(opened, form.Wording("en"))).texts
    assert (texts["DAYS_BIRTH"], texts["DAYS_EMPLOYED"]) == ("25.9", "not in employment")
    edited, _ = form.read(texts | {"DAYS_BIRTH": "40", "DAYS_EMPLOYED": "2"}, opened, "en")
    assert (edited["DAYS_BIRTH"], edited["DAYS_EMPLOYED"]) == (-14610, -730)
    back, _ = form.read(texts | {"DAYS_EMPLOYED": "Not in employment"}, edited, "en")
    assert back["DAYS_EMPLOYED"] == 365243


def test_a_category_may_be_one_that_nobody_knew() -> None:
    opened = {"SK_ID_CURR": 1, "OCCUPATION_TYPE": "Managers"}
    edited, faults = form.read({"OCCUPATION_TYPE": "Astronaut"}, opened, "fr")
    assert (edited["OCCUPATION_TYPE"], faults) == ("Astronaut", [])


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("AMT_CREDIT", "much", "écrivez un nombre"),
        ("AMT_CREDIT", "-1", "au moins 0"),
        ("EXT_SOURCE_2", "1,2", "au plus 1"),
        ("CNT_CHILDREN", "1,5", "nombre entier"),
        ("DAYS_BIRTH", "-3", "au moins 0"),
        ("DAYS_BIRTH", "1e7", "au plus 150"),
        ("DAYS_EMPLOYED", "-1e7", "au moins -150"),
        ("CNT_CHILDREN", "1e12", f"au plus 2{NARROW}147{NARROW}483{NARROW}647"),
        ("CNT_CHILDREN", "1e999", "écrivez un nombre"),
        ("AMT_CREDIT", "1e999", "écrivez un nombre"),
        ("OCCUPATION_TYPE", "x" * 101, "au plus 100 caractères"),
        ("OCCUPATION_TYPE", "x\u202ey", "signes visibles"),
        ("OCCUPATION_TYPE", "x\x1b[31m", "signes visibles"),
    ],
)
def test_a_fault_names_the_fact_and_the_remedy(name: str, text: str, sentence: str) -> None:
    edited, (fault,) = form.read({name: text}, {"SK_ID_CURR": 1}, "fr")
    assert edited == {"SK_ID_CURR": 1}
    assert fault.name == name
    assert sentence in fault.sentence


def test_what_an_applicant_typed_cannot_become_markup() -> None:
    html = form.html({"SK_ID_CURR": 1, "OCCUPATION_TYPE": '"><script>alert(1)</script>'}, form.Wording("en"))
    assert "<script" not in html
