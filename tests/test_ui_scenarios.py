"""The page as people use it: five jobs counted in actions, a service in trouble, hostile input, two people.

One page is served and one tab a language is opened: a scenario goes to an address of the page by its own
script, which costs a tenth of opening it anew.
"""

import re
from pathlib import Path

import pytest

from tests.support.browser import upload
from tests.support.desk import LANGUAGES, Hands
from tests.support.stand_in import EVENT, StandIn

pytestmark = [
    pytest.mark.browser,
    pytest.mark.served,
    pytest.mark.heavy,
]
W = {
    "open": {"en": "Open", "fr": "Ouvrir"},
    "again": {"en": "Score again", "fr": "Recalculer"},
    "change": {"en": "Against the first score", "fr": "Par rapport au premier calcul"},
    "decisions": {"en": "Decisions", "fr": "Décisions"},
    "file": {"en": "File", "fr": "Fichier"},
    "edited": {"en": "Edited, not scored", "fr": "Modifié, non recalculé"},
    "letter": {"en": "Letter, English", "fr": "Lettre, English"},
    "score_file": {"en": "Score the file", "fr": "Évaluer le fichier"},
}


# Five jobs


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_understand_a_case_takes_two_actions(at, lang: str) -> None:
    page, hands = at(lang, "new"), Hands()
    number = page.locator(".opening input").first
    hands.write(number, "100003")
    hands.enter(number)
    page.locator('[data-client="100003"]').wait_for()
    for part in (".verdict h2", ".verdict .gauge", ".reasons li", ".ledger .step", ".on-record"):
        assert page.locator(part).first.is_visible(), part
    assert page.evaluate("document.activeElement.classList.contains('verdict')"), "the verdict is announced"
    assert hands.actions <= 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_vary_a_fact_takes_two_actions(at, lang: str) -> None:
    page, hands = at(lang), Hands()
    fact = page.locator("#fact-AMT_CREDIT")
    hands.write(fact, "2000000")
    hands.enter(fact)
    page.get_by_text(W["change"][lang]).wait_for()
    assert hands.actions <= 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_compare_with_what_policy_allows_takes_two_actions(at, lang: str) -> None:
    page, hands = at(lang, "client/100002"), Hands()
    page.locator("#fact-AMT_CREDIT").fill("9000000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.locator('form[data-act="#ways"] button').wait_for()
    hands.click(page.locator('form[data-act="#ways"] button'))
    page.locator(".ways .policy").wait_for()
    hands.click(page.locator("[data-try]").first)
    page.locator(".change").wait_for()
    assert hands.actions <= 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_the_letter_it_takes_three_actions_from_the_list(at, lang: str) -> None:
    page, hands = at(lang), Hands()
    hands.click(page.get_by_role("tab", name=W["decisions"][lang]))
    hands.click(page.locator(".worklist a[data-event]").first)
    with page.expect_popup() as letter:
        hands.click(page.get_by_role("link", name=W["letter"][lang]).first)
    letter.value.get_by_role("heading", name="Our decision on your credit application").wait_for()
    letter.value.close()
    assert hands.actions <= 3


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_the_letter_it_takes_two_actions_from_the_client(at, lang: str) -> None:
    page, hands = at(lang), Hands()
    hands.click(page.locator(".on-record a.button"))
    with page.expect_popup() as letter:
        hands.click(page.get_by_role("link", name=W["letter"][lang]).first)
    letter.value.locator("h1").wait_for()
    letter.value.close()
    assert hands.actions <= 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_find_a_decision_again_takes_two_actions(at, lang: str) -> None:
    page, hands = at(lang), Hands()
    hands.click(page.get_by_role("tab", name=W["decisions"][lang]))
    hands.click(page.locator(".worklist a[data-event]").first)
    page.locator(".record").wait_for()
    assert page.url.endswith(f"/{lang}/decision/{EVENT}") and hands.actions <= 2


# A service in trouble


TROUBLE = [
    (500, "failed", "failed on this request", "a échoué"),
    (429, "too-many-requests", "too much to do", "trop sollicité"),
    (503, "unrecorded", "cannot record decisions", "enregistrer"),
    (503, "busy", "too much to do", "trop sollicité"),
    (422, "invalid", "did not accept", "n'a pas accepté"),
    (401, "no-valid-key", "The key of this page", "La clé de cette page"),
]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("status", "kind", "en", "fr"), TROUBLE)
def test_trouble_is_a_sentence_that_is_announced_and_loses_nothing(
    at, stand_in: StandIn, status: int, kind: str, en: str, fr: str, lang: str
) -> None:
    page = at(lang)
    stand_in.be_in_trouble(status, kind=kind if kind not in ("busy", "invalid") else "failed")
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    alert = page.locator(".trouble[role=alert]")
    alert.wait_for()
    assert (en if lang == "en" else fr) in alert.inner_text() and "Traceback" not in page.content()
    assert page.evaluate("document.activeElement.classList.contains('trouble')")
    assert page.locator("#fact-AMT_CREDIT").input_value() == "2000000"
    assert W["edited"][lang] in page.locator(".standing").inner_text(), "no state that never was"
    stand_in.be_in_trouble(0)
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.get_by_text(W["change"][lang]).wait_for()
    assert page.locator(".trouble").count() == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_service_that_hangs_is_a_sentence_within_an_officer_s_patience(at, stand_in, lang: str) -> None:
    page = at(lang)
    stand_in.delay_s = 6.0
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.locator(".trouble").wait_for()
    stand_in.delay_s = 0.0
    page.locator("#score-again").click()
    page.get_by_text(W["change"][lang]).wait_for()


# Hostile names and values


MARKUP = "<img src=x onerror=alert(1)>"
HOSTILE = [
    MARKUP,
    "</textarea><script>alert(1)</script>",
    '" onfocus=alert(1) autofocus x="',
    "{{7*7}}${7*7}",
    "\u202e\u2066abc\u2069",
    '=HYPERLINK("http://evil.example")',
    "é" * 2_000,
    "'; drop table decisions; --",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_anywhere_is_text(at, text: str) -> None:
    page = at("en")
    page.locator(".opening input").first.fill(text)
    page.locator(".opening input").first.press("Enter")
    page.locator(".trouble").wait_for()
    assert len(page.locator(".trouble").inner_text()) < 300, "little of it is repeated"
    page.locator("#find-fact").fill(text)
    page.locator("#find-fact").fill("")
    page.locator("#fact-AMT_CREDIT").fill(text)
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.locator("#fact-AMT_CREDIT[aria-invalid]").wait_for()
    assert page.locator("img[src=x]").count() == 0 and "49" not in page.locator(".trouble").inner_text()


@pytest.mark.parametrize("text", HOSTILE[:1])
def test_a_reason_and_a_filter_are_text_wherever_they_are_shown(at, text: str) -> None:
    page = at("en", f"decision/{EVENT}", ".record")
    page.get_by_label("Confirm it").check()
    page.get_by_label("Reason").fill(text)
    page.get_by_role("button", name="Record the review").click()
    page.get_by_text("Confirmed by ada").wait_for()
    assert text in page.locator(".record").inner_text()
    page = at("en", "decisions", ".worklist")
    page.locator("form.filters input[name=operator]").fill(text)
    page.get_by_role("button", name="Show").click()
    page.wait_for_function("location.search.includes('operator')")
    page.locator(".worklist").wait_for()
    assert page.locator("form.filters input[name=operator]").input_value() == text
    assert page.locator("img[src=x]").count() == 0


FILES = [
    ("nothing.csv", b"", "en", ""),
    ("none.csv", b"SK_ID_CURR,AMT_CREDIT\n", "en", "holds no application"),
    ("aucune.csv", b"SK_ID_CURR,AMT_CREDIT\n", "fr", "ne contient aucune demande"),
    ("columns.csv", b"SK_ID_CURR,a<b>c\n1,2\n", "en", "does not know"),
    ("number.csv", b"AMT_CREDIT\n2\n", "en", "SK_ID_CURR"),
    ("noise.parquet", b"PAR1" + bytes(range(256)), "en", ""),
    ("noise.xlsx", b"PK\x03\x04" + b"\0" * 200, "fr", ""),
    (f"{MARKUP.replace('/', '')}.csv", b"SK_ID_CURR\nx\n", "en", ""),
    ("cells.csv", f"SK_ID_CURR,OCCUPATION_TYPE\n1,{MARKUP}\n".encode(), "en", ""),
    ("long.csv", b"SK_ID_CURR,OCCUPATION_TYPE\n1," + b"x" * 200_000 + b"\n", "en", ""),
]


@pytest.mark.parametrize(("name", "content", "lang", "said"), FILES)
def test_a_file_of_any_kind_ends_in_a_sentence_or_in_rows(
    at, tmp_path: Path, name: str, content: bytes, lang: str, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    page = at(lang, "file", ".upload")
    if page.locator(".upload .file-preview").count():
        page.locator(".upload .icon-button").first.click()
    upload(page, tmp_path / name)
    page.evaluate("for (const one of document.querySelectorAll('.tiles, .trouble')) one.remove()")
    page.get_by_role("button", name=W["score_file"][lang], exact=True).click()
    page.locator(".trouble, .tiles").first.wait_for()
    shown = page.locator(".trouble, .card:has(.tiles)").first.inner_text()
    assert said in shown and "Traceback" not in shown and page.locator("img[src=x]").count() == 0


# Keys alone


def test_tabs_are_walked_by_arrow_keys(at) -> None:
    page = at("en")
    page.get_by_role("tab", name="Client").focus()
    page.keyboard.press("ArrowRight")
    names = page.evaluate("document.activeElement.textContent.trim()")
    assert names != "Client" and page.evaluate("document.activeElement.getAttribute('role')") == "tab"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Client"


def test_an_answer_that_comes_late_takes_nobody_back(at, stand_in: StandIn) -> None:
    page = at("en")
    stand_in.delay_s = 0.5
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("tab", name="Decisions").click()
    page.get_by_role("tab", name="Client").click()
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.go_back()
    page.locator(".worklist").wait_for()
    page.wait_for_timeout(2_000)  # whatever is still on its way
    assert page.url.endswith("/en/decisions") and page.locator(".worklist").is_visible()
    stand_in.delay_s = 0.0
    page.get_by_role("tab", name="Client").click()
    assert page.locator("#fact-AMT_CREDIT").input_value() == "2000000"


# Two people, two tabs


def test_two_people_open_the_same_client_and_one_s_what_if_is_not_the_other_s(
    at, chromium, served_desk
) -> None:
    page = at("en", "client/100002")
    context = chromium.new_context()
    other = context.new_page()
    other.set_default_timeout(60_000)
    other.goto(f"{served_desk.url}/en/client/100002")
    other.locator(".verdict").wait_for()
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.locator(".change").wait_for()
    other.locator("#score-again").click()
    other.wait_for_timeout(200)
    assert other.locator(".change").count() == 0 and other.locator(".field.changed").count() == 0
    assert re.search(r"Preview", other.locator(".standing").inner_text())
    context.close()
