"""The record on the page: found again, reviewed, put into a letter; what would change a refusal."""

import json
import re
from datetime import UTC, datetime
from html import unescape

import pytest

from scoring.language import languages
from tests.support.overheard import overheard
from tests.support.stand_in import EVENT, StandIn, serving
from ui import form, letter, place, words, worklist
from ui.clients import Clients
from ui.handlers import Handlers
from ui.house import House, of
from ui.people import Person
from ui.service import Service

HOUSE = House("Bank <of> Wood", "1 Lilac Street", "EUR", (300, 850))
NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
def page(server: StandIn):
    server.reviewed = None
    return lambda lang="en": Handlers(lang, Service(server.url), Clients(None), HOUSE)


def seen(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


def test_a_list_shows_decisions_and_each_row_leads_to_its_address(page) -> None:
    html = page("fr").go({"at": "decisions"})["list"]
    assert f'href="decision/{EVENT}"' in html
    assert "refusé" in seen(html) and "en attente" in seen(html) and "ada" in seen(html)


def test_a_filter_is_an_address_and_nothing_found_is_said(page) -> None:
    assert "No recorded decision is like that" in page().go({"at": "decisions?client=7"})["list"]
    html = page().go({"at": "decisions?low=99&decision=refused"})["list"]
    assert "No recorded decision" in html and 'value="99"' in html
    assert "Of the newest one." in seen(html), "how many were looked through is said"


def test_who_only_looked_is_listed_when_asked_for(page) -> None:
    desk, asked = page(), []
    found = desk.service.decisions
    desk.service.decisions = overheard(found, lambda *_, **wanted: asked.append(wanted.get("purpose")))
    for query in ("", "?purpose=any", "?purpose=preview"):
        desk.go({"at": f"decisions{query}"})
    assert asked == ["decision", None, "preview"]


@pytest.mark.parametrize("query", ["since=x", "client=x", "low=x", "sort=x", "decision=maybe", "cursor=%00"])
def test_a_filter_that_makes_no_sense_is_left_out(page, query: str) -> None:
    assert EVENT in page().go({"at": f"decisions?{query}"})["list"]


def test_an_address_that_is_none_is_the_start() -> None:
    for at in ("", "client/x", "client/1/2", "decision/../x", "decisions/1", "x"):
        assert place.read(at) == place.View()
    assert place.read("client/100001") == place.View("client", "100001")
    assert place.read("decision/e-1").kind == place.DECISION


def test_a_decision_is_shown_as_decided_and_computed_again(page) -> None:
    updates = page("fr").go({"at": f"decision/{EVENT}"})
    said = seen(updates["record"])
    assert "Décision enregistrée le 21 nov. 2026, 09:30:00 UTC, par ada" in said
    assert "Prêt refusé" in said and "Recommandation" not in said, "what was decided is no recommendation"
    assert "identique" in said
    assert 'data-act="#decide"' not in updates["record"]


def test_who_opens_a_decision_at_once_finds_it_and_a_number_that_is_none_is_said_to_be_none(
    page, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.unsettled = 2
    assert "Decision on record" in seen(page().go({"at": f"decision/{EVENT}"})["record"])
    monkeypatch.setattr("ui.service.SETTLE_S", 0.0)
    assert "no decision of this number" in page().go({"at": "decision/other"})["record"]


def test_a_person_decides_otherwise_with_a_reason_and_only_with_one(page, server: StandIn) -> None:
    desk = page()
    empty = desk.review({"event": EVENT, "verdict": "otherwise", "reason": " "})
    assert "give a reason" in empty["reviewing"] and server.reviewed is None
    updates = desk.review({"event": EVENT, "verdict": "otherwise", "reason": "Pay <slips>."})
    assert "Decided otherwise by ada" in seen(updates["record"])
    assert "Pay <slips>." in seen(updates["record"]) and "<slips>" not in updates["record"]
    assert 'data-act="#review"' not in updates["record"], "one review a decision"


@pytest.mark.parametrize("lang", languages())
def test_a_letter_says_what_holds_why_and_which_rights(server: StandIn, lang: str) -> None:
    server.reviewed = None
    service = Service(server.url)
    found, model = service.decision(EVENT), service.model()
    html = letter.html(found, model, HOUSE, NOW, lang)
    assert html.count("<li>") == 1 and f'lang="{lang}"' in html
    assert "Bank &lt;of&gt; Wood" in html and "1 Lilac Street" in html and "850" in html and EVENT in html
    assert letter.name(found, lang, "pdf") == f"decision-3f0c2a9d-2026-11-21-{lang}.pdf"


def test_a_letter_of_a_refusal_that_a_person_turned_grants_the_loan_without_reasons(page, server) -> None:
    page().review({"event": EVENT, "verdict": "otherwise", "reason": "Pay slips."})
    service = Service(server.url)
    html = letter.html(service.decision(EVENT), service.model(), HOUSE, NOW, "en")
    assert "Your loan is granted." in html and "<li>" not in html and "A person reviewed" in html


@pytest.mark.skipif(letter.chromium() is None, reason="there is no Chromium")
def test_a_letter_is_a_tagged_pdf(server: StandIn) -> None:
    service = Service(server.url)
    html = letter.html(service.decision(EVENT), service.model(), HOUSE, NOW, "fr")
    printed = letter.pdf(html, letter.chromium())
    assert printed.startswith(b"%PDF-") and b"/StructTreeRoot" in printed


def test_what_would_change_a_refusal_is_one_press_from_a_try(page) -> None:
    html = page("fr").find_ways(None, None)["ways"]
    assert "Le prêt serait accordé pour moins." in seen(html)
    tried = json.loads(unescape(re.search(r'data-try="([^"]*)"', html)[1]))
    assert tried == {"AMT_CREDIT": "100\u202f000"}


def test_the_policy_list_stands_beside_the_alternatives(page) -> None:
    said = seen(page("fr").find_ways(None, None)["ways"])
    assert "Un prêt plus petit, d'au plus 60 %" in said
    assert "ni l'âge" in said


class Known(Clients):
    """Clients whose applications are typical."""

    def open(self, number: int) -> dict:
        return dict(form.NEW_APPLICATION) | {"SK_ID_CURR": number}


@pytest.mark.parametrize(
    ("number", "said"),
    [("5", "Décision enregistrée le 21 nov. 2026, 09:30:00 UTC, par ada"), ("7", "Aucune décision")],
)
def test_opening_a_client_shows_the_decision_on_record_and_the_preview_apart(
    server: StandIn, number: str, said: str
) -> None:
    server.reviewed, server.said = None, []
    updates = Handlers("fr", Service(server.url), Known(None), HOUSE).open(number)
    assert said in seen(updates["last"])
    assert "Aperçu des données" in seen(updates["result"]) and "enregistrée le" not in seen(updates["result"])
    assert ("donne un autre résultat" in seen(updates["last"])) is (number == "5")
    assert [one["purpose"] for one in server.said if one["path"] == "/explain"] == ["preview"]


def test_a_look_up_that_fails_is_said_and_a_tester_is_told_of_no_decision(server: StandIn) -> None:
    silent = Handlers("en", Service("http://127.0.0.1:9", patience_s=0.5), Known(None)).open("5")
    assert "could not be looked up" in silent["last"]
    tester = Handlers("en", Service(server.url), Known(None)).of(Person("tess", "tester"))
    server.said = []
    assert tester.open("5")["last"] == ""
    assert not [one for one in server.said if one["path"] == "/decisions"]


def test_a_client_that_is_open_without_a_result_is_not_said_to_be_closed_or_previewed() -> None:
    updates = Handlers("en", Service("http://127.0.0.1:9", patience_s=0.5), Known(None)).open("5")
    assert "no result yet" in seen(updates["result"]) and "Open a client" not in updates["result"]
    assert "preview" not in updates["last"] and "does not answer" in updates["message"]
    assert 'name="AMT_CREDIT"' in updates["form"]


@pytest.mark.parametrize(("is_preview", "purpose"), [(True, "preview"), (False, None)])
def test_a_file_is_a_preview_or_decides_and_says_which(
    page, server: StandIn, tmp_path, is_preview: bool, purpose: str | None
) -> None:
    (tmp_path / "a.csv").write_text("SK_ID_CURR,AMT_CREDIT\n1,450000\n")
    server.said = []
    *_, last = page().score_file(str(tmp_path / "a.csv"), False, is_preview)
    assert ("none of these is a decision" in last["summary"]) is is_preview
    assert [one["purpose"] for one in server.said if one["path"] == "/score"] == [purpose]


def test_recording_is_an_act_of_its_own(page) -> None:
    desk, asked = page(), []
    explain = desk.service.explain
    desk.service.explain = overheard(explain, lambda _, purpose: asked.append(purpose))
    opened = desk.open_new()["opened"]
    desk.score(opened, None)
    desk.undo(opened)
    desk.go({"at": "new", "lang": "fr", "AMT_CREDIT": "1"})
    assert set(asked) == {"preview", "what-if"}, "looking decides nothing"
    shown = desk.decide(opened, None)["result"]
    assert (
        asked[-1] == "decision" and "Recorded as a decision" in shown and 'href="decision/event-0"' in shown
    )


def test_edits_that_were_typed_in_one_language_stand_in_another(page) -> None:
    html = page("fr").go({"at": "new", "lang": "en", "AMT_CREDIT": "1,234.5", "OCCUPATION_TYPE": "Astronaut"})
    assert 'value="1\u202f234,5"' in html["form"]
    assert "Astronaut" not in html["form"], "a control holds what it can hold"


def test_the_house_is_a_matter_of_settings(page) -> None:
    environment = {
        "CREDIT_SCORING_INSTITUTION": "Bank",
        "CREDIT_SCORING_CURRENCY": "EUR",
        "CREDIT_SCORING_SCORE_RANGE": "300-850",
        "CREDIT_SCORING_BRANCHES": "Industry: type 1=Mining",
    }
    house = of(environment)
    assert (house.institution, house.currency, house.scale) == ("Bank", "EUR", (300, 850))
    assert house.branches == {"Industry: type 1": "Mining"}
    updates = page().open_new()
    assert "Bank &lt;of&gt; Wood" in updates["masthead"] and "EUR" in updates["form"]
    assert "on a scale from 300 to 850" in updates["result"]


def test_one_minus_sign_and_every_sort_is_of_a_column() -> None:
    said = words.one_minus("of -0.16 (from -53% to 2), 2-3, 2026-11-30, e-1")
    assert said == "of \u22120.16 (from \u221253% to 2), 2-3, 2026-11-30, e-1"
    assert worklist.SORTS.keys() == {"time", "probability", "decision", "review"}
