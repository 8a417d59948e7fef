"""Reasons come from the exact contributions, speak of causes, and never of what is protected."""

from dataclasses import replace

import polars as pl
import pytest
import small

from scoring.explanation import NEVER, TINY, explain, reasons
from scoring.features import FEATURE_BY_NAME, FEATURES, GROUPS, Feature
from scoring.features.wording import in_words

NO_BREAK, NARROW = "\u00a0", "\u202f"


@pytest.fixture(scope="module")
def learned():
    return small.scorer()


def feature(unit: str, en: str = "Thing", group: str = "delays") -> Feature:
    return Feature("thing", pl.col("thing"), unit, group, en, "Chose")


@pytest.mark.parametrize(
    ("unit", "label", "value", "en", "fr"),
    [
        ("share", "Share", 0.234, "23%", "23~%"),
        ("share", "Share", 0.034, "3.4%", "3,4~%"),
        ("amount", "Debt", 12500.0, "12,500", "12~500"),
        ("amount", "Debt", 12.5, "12.5", "12,5"),
        ("amount", "Debt", -0.01, "0.0", "0,0"),
        ("count", "Loans", 3.0, "3", "3"),
        ("years", "In the job", 3.42, "3.4_years", "3,4_ans"),
        ("years", "In the job", 1.0, "1_year", "1_an"),
        ("days", "Days late", 12.6, "13_days", "13_jours"),
        ("days", "Days late", -3.0, "-3_days", "-3_jours"),
        ("days", "Day of the latest refusal", -243.0, "243_days ago", "il y a 243_jours"),
        ("months", "Month of the last delay", -1.0, "1_month ago", "il y a 1_mois"),
        ("ratio", "Debt to income", 1.234, "1.23", "1,23"),
        ("points", "Outside score", 0.5, "0.50", "0,50"),
        ("flag", "Owns a car", 1.0, "yes", "oui"),
        ("flag", "Owns a car", 0.0, "no", "non"),
        ("category", "Income", "Working", "Employee", "Salarié(e)"),
        ("amount", "Debt", None, "not known", "non connu"),
    ],
)
def test_a_value_is_written_as_a_person_would(unit, label, value, en, fr):
    assert in_words(feature(unit, label), value, "en") == en.replace("_", NO_BREAK)
    assert in_words(feature(unit, label), value, "fr") == fr.replace("_", NO_BREAK).replace("~", NARROW)


def test_every_feature_can_be_put_in_words():
    for item in FEATURES:
        for value in ("Working",) if item.kind == "category" else (0.0, 1.0, -1.5, 1e9, None):
            assert in_words(item, value, "en") and in_words(item, value, "fr")


def test_contributions_sum_to_the_raw_score(learned):
    scorer, table, _ = learned
    for row, explanation in zip(scorer.raw_score(table[:50]), explain(scorer, table[:50]), strict=True):
        total = explanation["base_value"] + sum(part["contribution"] for part in explanation["contributions"])
        assert total == pytest.approx(row, abs=1e-9) and explanation["raw_score"] == pytest.approx(
            row, abs=1e-9
        )
        assert [part["feature"] for part in explanation["contributions"]] == scorer.feature_names


def test_a_row_is_explained_alone_as_in_a_batch(learned):
    scorer, table, _ = learned
    batch = explain(scorer, table[:20])
    assert [explain(scorer, table[i])[0] for i in range(20)] == batch


def of(scorer, **contributions):
    """Reasons of an application in which only these features contribute."""
    everything = dict.fromkeys(scorer.feature_names, 0.0) | contributions
    return reasons(scorer, dict.fromkeys(everything, 1.0), everything)


@pytest.fixture(scope="module")
def bare(learned):
    """A scorer whose granted applicants are average in everything."""
    return replace(learned[0], granted_contributions={}, granted_values={"ext_mean": 0.64})


def test_a_group_is_one_reason_told_by_its_strongest_feature(bare):
    (reason,) = of(bare, ext_mean=0.3, EXT_SOURCE_2=0.5)
    assert (reason.group, reason.feature, reason.contribution) == ("external_score", "EXT_SOURCE_2", 0.8)


def test_a_cause_that_cancels_out_is_no_reason(bare):
    assert of(bare, ext_mean=0.5, EXT_SOURCE_2=-0.5) == []


def test_what_speaks_for_the_applicant_or_hardly_against_is_no_reason(bare):
    assert of(bare, ext_mean=-2.0, AMT_CREDIT=TINY / 2) == []


def test_granted_applicants_are_the_measure(learned):
    scorer = replace(learned[0], granted_contributions={"ext_mean": 1.0})
    assert of(scorer, ext_mean=1.0) == []
    assert of(scorer, ext_mean=1.5)[0].contribution == 0.5


def test_at_most_four_reasons_the_weightiest_first(bare):
    weights = {}
    for name in bare.feature_names:
        group = FEATURE_BY_NAME[name].group
        if name not in NEVER and GROUPS[group].reason_en:
            weights.setdefault(group, (name, 0.1 * (len(weights) + 1)))
    told = of(bare, **dict(weights.values()))
    assert len(weights) > 4 and len(told) == 4
    assert [reason.contribution for reason in told] == sorted((w for _, w in weights.values()), reverse=True)[
        :4
    ]


def test_what_is_protected_is_never_a_reason_even_if_the_model_reads_it(bare):
    everything = dict.fromkeys(NEVER, 5.0)
    assert NEVER and reasons(bare, dict.fromkeys(everything, 1.0), everything) == []


def test_a_person_is_never_a_reason(bare):
    person = {f.name: 5.0 for f in FEATURES if f.group == "person"}
    assert person and reasons(bare, dict.fromkeys(person, 1.0), person) == []


def test_a_reason_is_a_sentence_in_both_languages(bare):
    (reason,) = of(bare, ext_mean=0.5)
    words = FEATURE_BY_NAME["ext_mean"]
    assert reason.en == (
        f"{GROUPS['external_score'].reason_en} ({words.en[0].lower()}{words.en[1:]}: 1.00; "
        "granted applicants: 0.64)."
    )
    assert reason.fr == (
        f"{GROUPS['external_score'].reason_fr} ({words.fr[0].lower()}{words.fr[1:]}_: 1,00~; "
        "demandes accordées_: 0,64)."
    ).replace("_", NO_BREAK).replace("~", NARROW)


def test_reasons_speak_against_and_quote_the_applicants_own_value(learned):
    scorer, table, _ = learned
    some = table[:100]
    for row, explanation in zip(some.to_dicts(), explain(scorer, some), strict=True):
        for reason in explanation["reasons"]:
            assert reason.contribution >= TINY and reason.value == row[reason.feature]
            assert in_words(FEATURE_BY_NAME[reason.feature], reason.value, "en") in reason.en


def test_a_category_is_told_in_the_reader_s_language():
    education = FEATURE_BY_NAME["NAME_EDUCATION_TYPE"]
    assert in_words(education, "Higher education", "fr") == "Supérieur"
    assert in_words(education, "A level nobody knew", "fr") == "A level nobody knew"
