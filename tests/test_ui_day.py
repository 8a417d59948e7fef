"""A day at the desk: keys alone, two tabs, another model, faults at fields, files as an office has them."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scoring.language import number
from tests.support import desk, seen
from tests.support.browser import upload
from tests.support.desk import LANGUAGES, Hands, Tabs
from tests.support.stand_in import EVENT, StandIn
from tests.support.workbook import workbook
from ui.words import say

pytestmark = [
    pytest.mark.browser,
    pytest.mark.served,
    pytest.mark.heavy,
]
PRESSES = 200  # of Tab, before a control counts as out of reach
FOCUSED = "selector => document.activeElement.matches(selector)"


def walk_to(page: Any, selector: str) -> None:
    """Press Tab until the keyboard is on something."""
    for _ in range(PRESSES):
        if page.evaluate(FOCUSED, selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is out of reach")


# Jobs, counted


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_decide_takes_one_action(at, stand_in: StandIn, lang: str) -> None:
    page, hands = at(lang), Hands()
    asked = [one["purpose"] for one in stand_in.said if one["path"] == "/explain"]
    assert asked[-1] == "preview"
    hands.click(page.locator('form[data-act="#decide"] button'))
    page.get_by_text(say("recorded_now", lang)).wait_for()
    again = [one["purpose"] for one in stand_in.said if one["path"] == "/explain"]
    assert len(again) == len(asked) + 1 and again[-1] in (None, "decision"), (
        "a decision is what is asked by default"
    )
    assert hands.actions == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_edited_and_not_scored_cannot_be_recorded(at, lang: str) -> None:
    page = at(lang)
    decide = page.locator('form[data-act="#decide"] button')
    page.locator("#fact-AMT_CREDIT").fill("9000000")
    assert decide.is_disabled(), "the button says what was scored, not what is in the form"
    page.locator("#score-again").click()
    page.locator(".change").wait_for()
    assert decide.is_enabled()
    page.locator("#fact-AMT_CREDIT").fill("8000000")
    assert decide.is_disabled()
    page.locator(".actions button").nth(1).click()
    page.locator(".change").wait_for(state="detached")
    assert decide.is_enabled()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_compare_a_reason_takes_one_action(at, lang: str) -> None:
    page, hands = at(lang), Hands()
    hands.click(page.locator(".reasons a[data-go]").first)
    page.locator(".position .histogram").first.wait_for()
    assert "/compare/100002?fact=" in page.url and hands.actions == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_to_review_takes_five_actions_from_anywhere(at, lang: str) -> None:
    page, hands = at(lang), Hands()
    hands.click(page.locator('[role="tab"][data-tab-id="decisions"]'))
    hands.click(page.locator(".worklist a[data-event]").first)
    hands.click(page.locator('[name=verdict][value="confirmed"]'))
    hands.write(page.locator("textarea[name=reason]"), "Pay slips.")
    hands.click(page.locator('form[data-act="#review"] button'))
    page.locator('form[data-act="#review"]').wait_for(state="detached")
    assert "Pay slips." in page.locator(".record").inner_text() and hands.actions == 5


def test_back_and_forward_lead_through_what_was_seen(at) -> None:
    page = at("en")
    page.locator('[role="tab"][data-tab-id="compare"]').click()
    page.locator(".position").wait_for()
    page.locator('[role="tab"][data-tab-id="decisions"]').click()
    page.locator(".worklist a[data-event]").first.click()
    page.locator(".record").wait_for()
    for place, part in (
        ("decisions", ".worklist"),
        ("compare/100002", ".position"),
        ("client/100002", ".verdict"),
    ):
        page.go_back()
        page.locator(f"{part}:visible").first.wait_for()
        assert page.url.endswith(f"/en/{place}")
    page.go_forward()
    page.locator(".position:visible").wait_for()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_was_chosen_for_one_client_is_not_in_the_form_of_the_next(at, lang: str) -> None:
    page = at(lang)
    stored = page.evaluate("window.applicationTexts()")
    for name, other in (("NAME_INCOME_TYPE", "Pensioner"), ("FLAG_OWN_CAR", "Y"), ("CODE_GENDER", "M")):
        page.locator(f"#fact-{name}").evaluate("e => { e.closest('details').open = true }")
        page.locator(f"#fact-{name}").select_option(other)
    page.locator(".actions button").nth(1).click()
    page.wait_for_function("!document.querySelector('.field.changed')")
    for client in ("100003", "100004", "100005", "100002"):
        page.locator(".opening input").first.fill(client)
        page.locator(".opening input").first.press("Enter")
        page.locator(f'[data-client="{client}"]').wait_for()
        page.wait_for_function(FOCUSED, arg=".verdict")
        assert page.locator(".field.changed, .verdict.stale").count() == 0, client
    assert page.evaluate("window.applicationTexts()") == stored


# Keys alone


@pytest.mark.parametrize("lang", LANGUAGES)
def test_from_a_number_to_the_letter_without_a_mouse(at, lang: str) -> None:
    page = at(lang)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    walk_to(page, ".opening input")
    page.keyboard.press("Control+a")
    page.keyboard.type("100003")
    page.keyboard.press("Enter")
    page.locator('[data-client="100003"]').wait_for()
    page.wait_for_function(FOCUSED, arg=".verdict")
    walk_to(page, 'form[data-act="#decide"] button')
    page.keyboard.press("Enter")
    page.get_by_text(say("recorded_now", lang)).wait_for()
    walk_to(page, '[role="tab"][aria-selected="true"]')
    for name in ("compare", "decisions"):
        page.keyboard.press("ArrowRight")
        assert page.evaluate(FOCUSED, f'[data-tab-id="{name}"]')
    page.locator(".worklist").wait_for()
    walk_to(page, ".worklist a[data-event]")
    page.keyboard.press("Enter")
    page.locator(".record").wait_for()
    walk_to(page, f'a[href="../{lang}/letter/{EVENT}.html"]')
    with page.expect_popup() as letter:
        page.keyboard.press("Enter")
    letter.value.locator("h1").wait_for()
    letter.value.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_fact_is_varied_without_a_mouse(at, lang: str) -> None:
    page = at(lang)
    page.evaluate("document.activeElement.blur()")
    walk_to(page, "#fact-AMT_CREDIT")
    page.keyboard.press("Control+a")
    page.keyboard.type("2000000")
    page.keyboard.press("Enter")
    page.locator(".change").wait_for()
    page.wait_for_function(FOCUSED, arg=".verdict")


# Faults at their fields


@pytest.mark.parametrize("lang", LANGUAGES)
def test_faults_stand_at_their_fields_and_the_first_has_the_keyboard(at, lang: str) -> None:
    page = at(lang)
    page.locator("#fact-AMT_CREDIT").fill("much")
    page.locator("#fact-EXT_SOURCE_2").evaluate("e => { e.closest('details').open = true }")
    page.locator("#fact-EXT_SOURCE_2").fill("7")
    page.locator("#fact-EXT_SOURCE_2").evaluate("e => { e.closest('details').open = false }")
    page.locator("#score-again").click()
    page.locator("#fact-AMT_CREDIT[aria-invalid=true]").wait_for()
    assert page.evaluate(FOCUSED, "#fact-AMT_CREDIT")
    for name in ("AMT_CREDIT", "EXT_SOURCE_2"):
        control = page.locator(f"#fact-{name}")
        described = page.locator(f"#{control.get_attribute('aria-describedby')}")
        assert described.inner_text().strip() and control.get_attribute("aria-invalid") == "true"
    page.locator('.trouble a[href="#fact-EXT_SOURCE_2"]').click()
    assert page.evaluate(FOCUSED, "#fact-EXT_SOURCE_2") and page.locator("#fact-EXT_SOURCE_2").is_visible()
    page.locator("#fact-AMT_CREDIT").fill("600000")
    page.locator("#score-again").click()
    page.wait_for_function("!document.querySelector('#fact-AMT_CREDIT').hasAttribute('aria-invalid')")
    assert page.locator("#application [aria-invalid]").count() == 1
    page.locator("#fact-EXT_SOURCE_2").fill("")
    page.locator("#score-again").click()
    page.locator(".change").wait_for()
    assert page.locator("#application [aria-invalid], .trouble").count() == 0


# Another model, a service in trouble


@pytest.mark.parametrize("lang", LANGUAGES)
def test_another_model_behind_the_page_is_named(at, stand_in: StandIn, lang: str) -> None:
    page = at(lang)
    assert "21" in page.locator(".masthead .state").inner_text()
    stand_in.newer = "credit_scoring:newer"
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.locator(".change .other-model").wait_for()
    for part in (".change .other-model", ".masthead .state", ".verdict details.small:visible summary"):
        assert "28" in page.locator(part).inner_text(), part
    assert "credit_scoring:newer" in page.locator(".verdict details.small:visible").text_content()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_list_that_hangs_is_a_sentence_and_comes_when_it_can(at, stand_in: StandIn, lang: str) -> None:
    page = at(lang)
    stand_in.delay_s = 6.0
    page.locator('[role="tab"][data-tab-id="decisions"]').click()
    page.locator(".tabitem:visible .trouble").wait_for()
    stand_in.delay_s = 0.0
    page.locator("form.filters:visible .main").click()
    page.locator(".worklist a[data-event]").wait_for()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_that_the_service_has_no_time_for_is_a_sentence(
    at, stand_in, tmp_path: Path, lang: str
) -> None:
    (tmp_path / "mine.csv").write_text("SK_ID_CURR,AMT_CREDIT\n2,450000\n")
    page = _uploaded(at, lang, tmp_path / "mine.csv")
    stand_in.be_in_trouble(429, kind="too-many-requests", retry_after="0")
    _score_file(page, lang)
    page.locator(".tabitem:visible .trouble").wait_for()
    assert page.get_by_role("button", name=say("batch_csv", lang)).count() == 0, "nothing old to take away"
    stand_in.be_in_trouble(0)
    _score_file(page, lang)
    page.locator(".tiles").wait_for()


# Two tabs of one officer


def test_two_tabs_of_one_officer_keep_their_edits_apart(at, tabs: Tabs, served_desk) -> None:
    page = at("en")
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.locator(".change").wait_for()
    other = tabs.context.new_page()
    other.set_default_timeout(desk.PATIENCE_MS)
    other.goto(f"{served_desk.url}/en/client/100002")
    other.locator(".verdict").wait_for()
    assert other.locator(".field.changed, .change").count() == 0
    other.locator("#fact-AMT_CREDIT").fill("300000")
    page.locator(".actions button").nth(1).click()
    page.locator(".change").wait_for(state="detached")
    assert (
        other.locator("#fact-AMT_CREDIT").input_value() == "300000"
        and page.locator(".field.changed").count() == 0
    )
    other.on("dialog", lambda dialog: dialog.accept())
    other.close()


def test_two_tabs_of_one_officer_show_two_clients_at_once(at, tabs: Tabs, served_desk) -> None:
    page = at("en", "client/100002")
    other = tabs.context.new_page()
    other.set_default_timeout(desk.PATIENCE_MS)
    other.goto(f"{served_desk.url}/fr/client/100003")
    other.locator(".verdict").wait_for()
    for tab, amount in ((page, "2000000"), (other, "3000000")):
        tab.locator("#fact-AMT_CREDIT").fill(amount)
        tab.locator("#fact-AMT_CREDIT").press("Enter")
    for tab, written, client in ((page, "2,000,000", "100002"), (other, "3\u202f000\u202f000", "100003")):
        tab.locator(".change").wait_for()
        assert written in tab.locator(".change").inner_text()
        assert tab.locator(f'[data-client="{client}"]').count() == 1
    other.locator(".actions button").nth(1).click()
    other.close()


# Files of a French office


def _uploaded(at: Callable[..., Any], lang: str, file: Path) -> Any:
    page = at(lang, "file", ".upload")
    if page.locator(".upload .file-preview").count():
        page.locator(".upload .icon-button").first.click()
    upload(page, file)
    page.evaluate("for (const one of document.querySelectorAll('.tiles, .trouble')) one.remove()")
    return page


def _score_file(page: Any, lang: str) -> None:
    page.get_by_role("button", name=say("batch_score", lang), exact=True).click()


def _taken(page: Any, lang: str, kind: str, folder: Path) -> Path:
    page.locator(".tiles").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name=say(f"batch_{kind}", lang)).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_csv_of_a_french_excel_comes_back_as_such(at, tmp_path: Path) -> None:
    rows = (
        "SK_ID_CURR;AMT_CREDIT;EXT_SOURCE_2;NOTE",
        "100001;450000,5;0,62;Créée à Orléans",
        "7;9000000;0,1;é",
    )
    text = "".join(f"{row}\r\n" for row in rows)
    (tmp_path / "demandes.csv").write_bytes(text.encode("cp1252"))
    page = _uploaded(at, "fr", tmp_path / "demandes.csv")
    page.get_by_label(say("batch_keep", "fr")).check()
    _score_file(page, "fr")
    back = _taken(page, "fr", "csv", tmp_path)
    page.get_by_label(say("batch_keep", "fr")).uncheck()
    assert back.name.endswith("evalue.csv") and back.read_bytes().startswith(b"\xef\xbb\xbf")
    head, first, second = back.read_text(encoding="utf-8-sig").splitlines()
    found = dict(zip(head.split(";"), first.split(";"), strict=True))
    assert found["NOTE"] == "Créée à Orléans" and found["decision_in_words"] == "accordé"
    assert "," in found["probability_of_default"] and "." not in found["probability_of_default"]
    assert ";refusé;" in second


def test_a_workbook_of_a_french_excel_comes_back_as_one(at, tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"SK_ID_CURR": [100001, 7], "AMT_CREDIT": [450000.5, 9e6], "EXT_SOURCE_2": [0.62, 0.1]}
    )
    workbook(table, tmp_path / "demandes.xlsx")
    page = _uploaded(at, "fr", tmp_path / "demandes.xlsx")
    _score_file(page, "fr")
    back = _taken(page, "fr", "xlsx", tmp_path)
    with zipfile.ZipFile(back) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert ">accordé<" in sheet and ">refusé<" in sheet and ">decision_in_words<" in sheet
    shares = pl.read_excel(back)["probability_of_default"]
    assert shares.dtype == pl.Float64 and 0 < shares[0] < shares[1] < 1, "numbers are numbers"


# Hostile names and reasons


HOSTILE = {
    "markup": "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "bidi": "\u202eadanimda\u202c \u2066ab\u2069",
    "long": "x" * 5_000,
    "words": "pay slip " * 500,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_name_and_a_reason_of_any_kind_are_text_that_fits(at, stand_in: StandIn, text: str) -> None:
    page = at("en", f"decision/{EVENT}", ".record")
    stand_in.officer = text
    page.locator('[name=verdict][value="confirmed"]').check()
    page.locator("textarea[name=reason]").fill(text)
    page.locator('form[data-act="#review"] button').click()
    page.locator('form[data-act="#review"]').wait_for(state="detached")
    shown = page.locator(".record").text_content()
    assert shown.count(text.strip()[:40]) >= 2, "reason and name, as they were written"
    assert page.locator("img[src=x]").count() == 0 and seen.cut(page) == []
    page = at("en", "decisions", ".worklist")
    stand_in.officer = text
    page.locator("form.filters:visible .main").click()
    page.wait_for_function(
        "text => document.querySelector('.worklist').textContent.includes(text)", arg=text[:40]
    )
    assert page.locator("img[src=x]").count() == 0 and seen.cut(page) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_is_cancelled_in_the_browser_and_the_next_one_comes_back(
    at, stand_in: StandIn, tmp_path: Path, lang: str
) -> None:
    rows = 9_000
    (tmp_path / "long.csv").write_text("SK_ID_CURR\n" + "\n".join(map(str, range(1_000, 1_000 + rows))))
    (tmp_path / "short.csv").write_text("SK_ID_CURR\n100001\n")
    page = at(lang, "file", ".upload")
    score = page.get_by_role("button", name=say("batch_score", lang), exact=True)
    cancel = page.get_by_role("button", name=say("batch_cancel", lang), exact=True)
    fetch = page.get_by_role("button", name=say("batch_csv", lang), exact=True)
    if page.locator(".upload .file-preview").count():
        page.locator(".upload .icon-button").first.click()
    upload(page, tmp_path / "long.csv")
    stand_in.delay_s, before = 1.0, stand_in.asked
    score.click()
    page.locator('progress:not([value="0"])').wait_for()  # a first part has come back
    assert not fetch.is_visible(), "what is there of a file before is no answer to this one"
    cancel.click()
    page.locator(".trouble").wait_for()
    cancel.wait_for(state="hidden")
    stand_in.delay_s = 0.0
    asked = stand_in.asked - before
    assert 0 < asked < rows, "a file that is cancelled is scored to its end"
    done, whole = (number(count, lang) for count in (asked, rows))
    assert say("batch_cancelled", lang, done=done, all=whole) in page.locator(".trouble").inner_text()
    assert not fetch.is_visible() and not page.locator("progress").count()

    page.locator(".upload .icon-button").first.click()
    upload(page, tmp_path / "short.csv")
    score.click()
    page.locator(".tiles").wait_for()
    with page.expect_download() as coming:
        fetch.click()
    assert len(Path(coming.value.path()).read_text("utf-8-sig").splitlines()) == 2
    assert stand_in.asked - before == asked + 1
