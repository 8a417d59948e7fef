"""Reasons come from the exact contributions, speak of causes, and never of what is protected."""

from dataclasses import replace

import pytest

from scoring.evidence.completeness import complete
from scoring.explanation import NEVER, TINY, explain, reasons
from scoring.features import FEATURE_BY_NAME, FEATURES, GROUPS
from scoring.features.wording import in_words, written
from tests.support import small

NO_BREAK, NARROW = "\u00a0", "\u202f"


@pytest.fixture(scope="module")
def learned():
    return small.scorer()


@pytest.mark.parametrize(
    ("unit", "value", "en", "fr"),
    [
        ("share", 0.234, "23%", "23~%"),
        ("share", 0.034, "3.4%", "3,4~%"),
        ("amount", 12500.0, "12,500", "12~500"),
        ("amount", 12.5, "12.5", "12,5"),
        ("amount", -0.01, "0.0", "0,0"),
        ("count", 3.0, "3", "3"),
        ("years", 3.42, "3.4_years", "3,4_ans"),
        ("years", 1.0, "1_year", "1_an"),
        ("days", 12.6, "13_days", "13_jours"),
        ("days", -3.0, "-3_days", "-3_jours"),
        ("date", -243.0, "243_days ago", "il y a 243_jours"),
        ("month", -1.0, "1_month ago", "il y a 1_mois"),
        ("days", -1.0, "-1_day", "-1_jour"),
        ("date", 30.0, "30_days", "30_jours"),
        ("years", 1.96, "2.0_years", "2,0_ans"),
        ("ratio", 1.234, "1.23", "1,23"),
        ("ratio", 0.0183, "0.018", "0,018"),
        ("points", 0.5, "0.50", "0,50"),
        ("points", 3.0, "3", "3"),
        ("flag", 1.0, "yes", "oui"),
        ("flag", 0.0, "no", "non"),
        ("category", "Working", "Employee", "Salarié(e)"),
        ("amount", None, "not known", "non connu"),
    ],
)
def test_a_value_is_written_as_a_person_would(unit, value, en, fr):
    assert written(unit, value, "en") == en.replace("_", NO_BREAK)
    assert written(unit, value, "fr") == fr.replace("_", NO_BREAK).replace("~", NARROW)


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


def test_the_contributions_of_the_groups_sum_to_the_raw_score_and_their_points_to_the_score(learned):
    scorer, table, _ = learned
    scores = scorer.decide(table[:50])["score"]
    for score, explanation in zip(scores, explain(scorer, table[:50]), strict=True):
        parts = explanation["groups"]
        assert [part["group"] for part in parts] == list(GROUPS) and len(parts) == 12
        total = explanation["base_value"] + sum(part["contribution"] for part in parts)
        assert total == pytest.approx(explanation["raw_score"], abs=1e-12)
        assert explanation["base_points"] + sum(part["points"] for part in parts) == score
        for part in parts:
            assert abs(part["points"] + scorer.points.factor * part["contribution"]) < 1
            of_group = [
                c
                for c in explanation["contributions"]
                if FEATURE_BY_NAME[c["feature"]].group == part["group"]
            ]
            assert part["contribution"] == pytest.approx(sum(c["contribution"] for c in of_group), abs=1e-12)


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
    weights: dict[str, tuple[str, float]] = {}
    for name in bare.feature_names:
        group = FEATURE_BY_NAME[name].group
        if name not in NEVER and GROUPS[group].gives_reasons:
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


def told(scorer, group, usual, **facts):
    """The reason of an application in which each fact, (value, contribution), is of one group."""
    scorer = replace(scorer, granted_contributions={}, granted_values=usual)
    weights = {name: weight for name, (_, weight) in facts.items()}
    (reason,) = reasons(scorer, {name: value for name, (value, _) in facts.items()}, weights)
    assert reason.group == group
    return reason


def test_a_claim_is_made_with_the_fact_that_bears_it_out(bare):
    low = told(bare, "external_score", {"ext_mean": 0.64}, ext_mean=(0.2, 0.5))
    assert low.text["en"] == (
        "The score received from an external agency is low "
        "(average of the external scores: 0.20; granted applicants: 0.64)."
    )
    assert low.text["fr"] == (
        "La note reçue d'un organisme externe est basse "
        "(moyenne des notes externes_: 0,20~; demandes accordées_: 0,64)."
    ).replace("_", NO_BREAK).replace("~", NARROW)
    heavy = told(bare, "request", {"credit_to_income": 2.5}, credit_to_income=(4.5, 0.5))
    assert (
        heavy.text["en"].startswith("The loan asked for is heavy")
        and "4.50; granted applicants: 2.50" in heavy.text["en"]
    )


def test_a_fact_on_the_safe_side_bears_nothing_out(bare):
    """A high score that happens to count against an application is not called low, nor quoted."""
    usual = {"EXT_SOURCE_2": 0.57, "EXT_SOURCE_3": 0.51, "credit_to_income": 2.5}
    high = told(bare, "external_score", usual, EXT_SOURCE_2=(0.8, 0.5))
    assert high.text["en"] == "The scores received from external agencies weigh on the estimate."
    light = told(bare, "request", usual, credit_to_income=(1.0, 0.5))
    assert light.text["en"] == "The kind and the terms of the loan asked for weigh on the estimate."
    both = told(bare, "external_score", usual, EXT_SOURCE_2=(0.8, 0.5), EXT_SOURCE_3=(0.4, 0.2))
    assert both.feature == "EXT_SOURCE_3" and "0.40; granted applicants: 0.51" in both.text["en"]


def test_a_fact_too_light_to_stand_for_its_cause_is_not_quoted(bare):
    usual = {"EXT_SOURCE_2": 0.57, "EXT_SOURCE_3": 0.51}
    reason = told(bare, "external_score", usual, EXT_SOURCE_2=(0.8, 0.5), EXT_SOURCE_3=(0.4, 0.1))
    assert "(" not in reason.text["en"] and reason.feature == "EXT_SOURCE_2"


def test_what_is_not_known_is_said_to_be_unknown(bare):
    usual = {"card_use_mean": 0.1, "card_use_max": 0.5}
    reason = told(bare, "card_use", usual, card_use_mean=(None, 0.4), card_use_max=(None, 0.3))
    assert (reason.text["en"], reason.value) == (
        "Little or nothing is known about the use of credit cards.",
        None,
    )
    assert reason.text["fr"] == "Peu ou rien n'est connu de l'usage des cartes de crédit."
    mostly = told(bare, "card_use", usual, card_use_mean=(None, 0.2), card_use_max=(0.3, 0.3))
    assert mostly.text["en"] == "The use of credit cards weighs on the estimate."


def test_a_category_is_quoted_without_a_claim(bare):
    usual = {"OCCUPATION_TYPE": "Laborers"}
    reason = told(bare, "stability", usual, OCCUPATION_TYPE=("Cleaning staff", 0.4))
    assert reason.text["en"] == (
        "The work, the education and the contact details weigh on the estimate "
        "(occupation: Cleaning; granted applicants: Labourer)."
    )


def test_which_side_is_told_is_declared_only_where_the_direction_does_not_say_it():
    for item in FEATURES:
        if item.reason:
            assert GROUPS[item.group].claim and item.kind == "number", item.name
            assert bool(item.side) != bool(item.direction), item.name


def test_a_group_that_is_never_a_reason_has_no_sentence_for_one():
    for key, group in GROUPS.items():
        assert group.gives_reasons or not (group.claim or group.unknown), key


def test_reasons_quote_the_applicants_own_value_and_claim_only_what_it_bears_out(learned):
    scorer, table, _ = learned
    some = table[:300]
    claims = 0
    for row, explanation in zip(some.to_dicts(), explain(scorer, some), strict=True):
        for reason in explanation["reasons"]:
            item, group = FEATURE_BY_NAME[reason.feature], GROUPS[reason.group]
            assert reason.contribution >= TINY and reason.value == row[reason.feature]
            if "(" in reason.text["en"]:
                assert reason.value is not None and in_words(item, reason.value, "en") in reason.text["en"]
            if group.claim and reason.text["en"].startswith(group.claim.en):
                claims += 1
                assert item.side * (reason.value - scorer.granted_values[item.name]) > 0, reason.text["en"]
            if group.unknown and reason.text["en"].startswith(group.unknown.en):
                assert reason.value is None
    assert claims > 100


def test_a_category_is_told_in_the_reader_s_language():
    education = FEATURE_BY_NAME["NAME_EDUCATION_TYPE"]
    assert in_words(education, "Higher education", "fr") == "Supérieur"
    assert in_words(education, "A level nobody knew", "fr") == "A level nobody knew"


# --- reasons are tried before they are told ---


@pytest.fixture(scope="module")
def strict():
    """A scorer that refuses most, so that few reasons are not enough for all."""
    scorer, table, _ = small.scorer()
    p = scorer.probability(table)
    return replace(scorer, threshold=float(sorted(p)[60])), table


def test_the_reasons_of_a_refusal_turn_it_or_the_answer_says_that_more_causes_act(strict):
    scorer, table = strict
    found = complete(scorer, table)
    assert found is not None and found.applications > 150 and found.reasons > 300
    assert 0 < found.turned < 1 and found.noted == 1
    assert found.fell == 1 and found.outweighed == 0
    assert found.quoted > 100 and found.quoted_for == 0


def test_who_is_granted_is_told_of_no_further_causes(strict):
    scorer, table = strict
    for one, decision in zip(explain(scorer, table[:60]), scorer.decide(table[:60])["decision"], strict=True):
        if decision == "granted":
            assert one["reasons_suffice"] is None and one["reasons_note"] is None
        else:
            assert (one["reasons_note"] is None) == one["reasons_suffice"]


def test_a_scorer_that_knows_nothing_of_granted_applicants_gives_no_reason_that_it_could_not_try(strict):
    scorer, table = strict
    bare = replace(scorer, granted_values={})
    for one in explain(bare, table[:60]):
        assert one["reasons"] == [] and one["reasons_suffice"] in (None, False)


def test_a_category_that_defaults_less_often_than_the_usual_one_is_not_quoted(bare):
    low, *_, high = bare.categories["NAME_EDUCATION_TYPE"]
    usual = {"NAME_EDUCATION_TYPE": high}
    reason = told(bare, "stability", usual, NAME_EDUCATION_TYPE=(low, 0.5))
    assert "(" not in reason.text["en"]
    usual = {"NAME_EDUCATION_TYPE": low}
    assert "(" in told(bare, "stability", usual, NAME_EDUCATION_TYPE=(high, 0.5)).text["en"]
