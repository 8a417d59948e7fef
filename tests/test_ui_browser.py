"""The page in a browser: what an officer does from the first look to the scored file, in both languages."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import httpx
import pytest

from scoring import synthetic
from tests.support.browser import upload
from tests.support.stand_in import serving

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.browser, pytest.mark.served]

OPEN = {"en": "Open", "fr": "Ouvrir"}
AGAIN = {"en": "Score again", "fr": "Recalculer"}
CHANGE = {"en": "Against the first score", "fr": "Par rapport au premier calcul"}
TITLE = {"en": "Credit scoring", "fr": "Score de crédit"}


@pytest.fixture(scope="module")
def stand_in():
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def page_url(stand_in, tmp_path_factory):
    """The page as `python -m ui` serves it."""
    folder = tmp_path_factory.mktemp("portfolio")
    for name, table in synthetic.generate(20, 3, "test").items():
        table.write_parquet(folder / f"{name}.parquet")
    uploads = tmp_path_factory.mktemp("uploads")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "ui", "--api", stand_in.url, "--portfolio", str(folder), "--port", port]
    with (folder / "log").open("wb") as log:
        program = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"TMPDIR": str(uploads)}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = monotonic() + 60
        while True:
            try:
                fetch(f"{url}/en/config")
                break
            except URLError:
                assert program.poll() is None, (folder / "log").read_text()
                assert monotonic() < end, "the page does not start within a minute"
                sleep(0.1)
        yield url
    finally:
        program.terminate()
        program.wait(20)
    assert "Traceback" not in (folder / "log").read_text()
    assert not list(uploads.iterdir()), "uploads outlive the page"


def fetch(url: str, **headers: str) -> tuple[str, str, Mapping[str, str]]:
    """Return the address that answered, its text and its headers."""
    direct = build_opener(ProxyHandler({}))
    with direct.open(Request(url, headers=headers), timeout=10) as answer:
        return answer.url, answer.read().decode(), answer.headers


@pytest.fixture(scope="module")
def window(chromium):
    """One window for all: each that is new loads and compiles the page's scripts anew."""
    context = chromium.new_context(locale="de-DE", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def visit(window, page_url, stand_in):
    """Open the page in a language, in a tab of its own; nothing may be asked of anyone else."""
    stand_in.be_in_trouble(0)
    foreign = []

    def go(lang: str, **media):
        page = window.new_page()
        page.emulate_media(**media)
        page.set_default_timeout(15_000)
        ours = (page_url, "data:", "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(ours) else foreign.append(asked.url))
        page.goto(f"{page_url}/{lang}/")
        page.locator(".examples").get_by_role("button").first.wait_for()
        return page

    yield go
    for page in window.pages:
        page.close()
    assert not foreign


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_an_officer_opens_a_client_and_sees_what_a_change_does(visit, lang: str) -> None:
    page = visit(lang)
    assert page.title() == TITLE[lang]
    assert page.evaluate("document.documentElement.lang") == lang
    page.locator("input:visible").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "where am I?"
    page.locator("input:visible").first.fill("100002")
    page.get_by_role("button", name=OPEN[lang], exact=True).click()
    page.get_by_role("heading", name="Client 100002").wait_for()
    page.locator(".gauge").wait_for()
    assert page.get_by_role("img").count() == 1
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    assert page.locator(".field.changed .was").is_visible()
    page.get_by_role("button", name=AGAIN[lang]).click()
    page.get_by_text(CHANGE[lang]).wait_for()
    assert (
        "2\u202f000\u202f000" in (changed := page.locator(".change").inner_text()) or "2,000,000" in changed
    )


def test_a_change_of_language_keeps_the_client(visit) -> None:
    page = visit("en")
    page.locator(".examples").get_by_role("button").nth(2).click()
    page.locator(".verdict").wait_for()
    heading = page.locator("[data-client]").inner_text()
    page.get_by_role("link", name="Français").click()
    page.get_by_text("Ce qui pèse contre la demande").wait_for()
    assert page.locator("[data-client]").inner_text() == heading
    assert page.url.endswith(f"/fr/client/{heading.split()[-1]}")


def test_each_client_has_an_address_and_back_works(visit, page_url) -> None:
    page = visit("en")
    for number in ("100002", "100003"):
        page.locator("input:visible").first.fill(number)
        page.get_by_role("button", name="Open", exact=True).click()
        page.locator(f'[data-client="{number}"]').wait_for()
        page.wait_for_url(f"**/en/client/{number}")
    assert page.evaluate("document.activeElement.classList.contains('verdict')"), "the result is announced"
    page.go_back()
    page.locator('[data-client="100002"]').wait_for()
    page.goto(f"{page_url}/fr/client/100004")
    page.locator('[data-client="100004"]').wait_for()
    page.locator(".verdict").wait_for()


def test_edits_say_so_outlive_a_reload_and_a_language_and_are_undone_with_their_result(visit) -> None:
    page = visit("en")
    page.on("dialog", lambda dialog: dialog.accept())  # who leaves edits is asked
    page.locator(".examples").get_by_role("button").first.click()
    page.get_by_text("Preview of the facts as stored").wait_for()
    first = page.locator(".verdict .points").inner_text()
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.get_by_text("Edited, not scored").wait_for()
    assert page.locator(".verdict.stale").count() == 1
    page.reload()
    page.get_by_text("Edited, not scored").wait_for()
    assert page.locator("#fact-AMT_CREDIT").input_value() == "2000000"
    page.get_by_role("button", name="Score again").click()
    page.get_by_text("Scored with your changes").wait_for()
    assert page.locator(".verdict .points").inner_text() != first
    page.get_by_role("button", name="Undo changes").click()
    page.get_by_text("Preview of the facts as stored").wait_for()
    assert page.locator(".verdict .points").inner_text() == first
    assert page.evaluate("sessionStorage.length") == 0
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.get_by_role("link", name="Français").click()
    page.get_by_text("Modifié, non recalculé").wait_for()
    assert page.locator("#fact-AMT_CREDIT").input_value() == "2\u202f000\u202f000"


def test_the_letter_is_three_actions_from_the_list(visit) -> None:
    page = visit("en")
    page.get_by_role("tab", name="Decisions").click()  # one
    page.locator(".worklist a[data-event]").first.click()  # two
    page.get_by_text("Decision on record").wait_for()
    with page.expect_popup() as letter:
        page.get_by_role("link", name="Letter, Français").click()  # three
    letter.value.get_by_role("heading", name="Notre décision sur votre demande de crédit").wait_for()
    page.go_back()
    page.locator(".worklist").wait_for()


def test_a_refusal_is_varied_by_what_would_change_it_and_reviewed(visit, stand_in) -> None:
    page = visit("en")
    page.get_by_role("button", name="New application").click()
    page.locator("#fact-AMT_CREDIT").fill("1500000")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.get_by_text("Recommendation: refuse").wait_for()
    page.get_by_role("button", name="What would change it").click()
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("Amount of the loan: 513,000 → 100,000").wait_for()
    stand_in.reviewed = None
    page.get_by_role("tab", name="Decisions").click()
    page.locator(".worklist a[data-event]").first.click()
    page.get_by_label("Decide otherwise: granted").check()
    page.get_by_label("Reason").fill("Pay slips.")
    page.get_by_role("button", name="Record the review").click()
    page.get_by_text("Decided otherwise by ada").wait_for()
    stand_in.reviewed = None


def test_a_fault_leads_to_its_field(visit) -> None:
    page = visit("en")
    page.locator("#fact-AMT_CREDIT").fill("much")
    page.locator("#fact-AMT_CREDIT").press("Enter")
    page.get_by_role("alert").get_by_role("link", name="Amount of the loan").click()
    assert page.evaluate("document.activeElement.id") == "fact-AMT_CREDIT"


def test_a_service_in_trouble_is_a_sentence_on_the_page(visit, stand_in) -> None:
    page = visit("fr")
    stand_in.be_in_trouble(500)
    page.get_by_role("button", name="Nouvelle demande").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "Le service de score a échoué" in alert.inner_text()
    assert "Traceback" not in page.content()


def test_a_file_comes_back_scored(visit, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("SK_ID_CURR,AMT_CREDIT\n2,450000\n1,abc\n")
    page = visit("fr")
    page.get_by_role("tab", name="Fichier").click()
    page.get_by_text("Déposez un fichier").wait_for()
    upload(page, tmp_path / "mine.csv")
    page.get_by_role("button", name="Évaluer le fichier").click()
    page.get_by_text("accordées : 1, refusées : 0, en erreur : 1").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Télécharger en CSV").click()
    download.value.save_as(tmp_path / "back.csv")
    rows = (tmp_path / "back.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [row.split(",")[0] for row in rows] == ["SK_ID_CURR", "2", "1"]
    assert rows[2].endswith("AMT_CREDIT\u00a0: doit être un nombre")


def test_the_page_fits_a_phone(visit) -> None:
    page = visit("fr", color_scheme="dark")
    page.set_viewport_size({"width": 320, "height": 700})
    page.locator(".examples").get_by_role("button").first.click()
    page.locator(".verdict").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_front_door_speaks_the_language_of_the_browser(page_url) -> None:
    for accepted, lang in (("fr-CA,fr;q=0.9", "fr"), ("de-DE,en;q=0.5", "en"), ("xx", "en")):
        assert fetch(page_url, **{"accept-language": accepted})[0] == f"{page_url}/{lang}/"
    for lang in TITLE:
        html = fetch(f"{page_url}/{lang}/", **{"accept-encoding": "br"})[1]
        assert TITLE[lang] in html
        assert f'lang="{lang}"' in html.split(">")[1], "a reader without scripts is told another language"


def test_a_strange_web_page_reaches_nothing(page_url) -> None:
    for path, headers in (
        ("/en/", {"host": "evil.example:4302"}),
        ("/en/config", {"host": "evil.example:4302", "origin": "http://evil.example:4302"}),
        ("/fr/config", {"origin": "https://evil.example"}),
    ):
        refused = httpx.get(f"{page_url}{path}", headers=headers, trust_env=False)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


def test_the_page_asks_nobody_else_and_offers_nothing_else(page_url) -> None:
    policy = fetch(f"{page_url}/en/")[2]["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    config = json.loads(fetch(f"{page_url}/en/config")[1])
    assert (config["analytics_enabled"], config["run_history"], config["footer_links"]) == (False, False, [])
    for path in ("monitoring", "gradio_api/info", "gradio_api/openapi.json"):
        assert httpx.get(f"{page_url}/en/{path}", trust_env=False).status_code == 404
