"""A served page with a login: its front door in a browser, two people at a time, sessions that do not mix."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import axe
from tests.support.stand_in import EVENT, serving
from tests.torture import page as attack
from ui import accounts, login

pytestmark = pytest.mark.served
WORD = "correct horse battery"
NAMES = {"cleo": "officer", "bob": "supervisor", "tess": "tester"}
EN = {"user": "User name", "word": "Password", "in": "Sign in", "out": "Sign out"}
FR = {"user": "Nom d'utilisateur", "word": "Mot de passe", "in": "Se connecter", "out": "Se déconnecter"}


@pytest.fixture(scope="module")
def stand_in():
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def desk(stand_in, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("signed")
    cheap = accounts.HashCost(4, 8, 1)
    people = {name: accounts.account(name, role, WORD, cheap) for name, role in NAMES.items()}
    accounts.write(folder / "users", people)
    portfolio = str(attack.write_portfolio(folder / "clients"))
    users = str(folder / "users")
    with attack.serving_page(
        folder / "page", stand_in.url, "--portfolio", portfolio, CREDIT_SCORING_USERS=users
    ) as it:
        yield it
    assert "Traceback" not in it.said() and WORD not in it.said()


@contextlib.contextmanager
def browser_of(desk, name: str) -> Iterator[httpx.Client]:
    """Give a client that has signed in as a browser does."""
    with httpx.Client(base_url=desk.url, timeout=60, trust_env=False, headers={"origin": desk.url}) as client:
        client.post("/en/login", data={"name": name, "password": WORD, "next": "decisions"})
        yield client


def test_without_a_session_nothing_of_the_page_is_given(desk) -> None:
    with httpx.Client(base_url=desk.url, trust_env=False) as client:
        assert client.get("/en/client/100001").headers["location"] == "/en/login?next=client%2F100001"
        for path in ("config", "gradio_api/queue/data?session_hash=a", f"letter/{EVENT}.html", "theme.css"):
            assert client.get(f"/en/{path}").status_code in (303, 401)
        shown = client.get("/en/login?next=//evil.example/")
        assert 'name="next" value=""' in shown.text and "evil" not in shown.text
        assert shown.headers["cache-control"] == "no-store" and "set-cookie" not in shown.headers


def test_signing_in_gives_a_cookie_and_leads_to_where_one_was_going(desk) -> None:
    with httpx.Client(base_url=desk.url, trust_env=False, headers={"origin": desk.url}) as client:
        said = {"name": "cleo", "password": WORD, "next": "decisions?review=waiting"}
        answer = client.post("/fr/login", data=said)
        assert (answer.status_code, answer.headers["location"]) == (303, "/fr/decisions?review=waiting")
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(rf"{login.COOKIE}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Lax", cookie)
        assert client.get("/fr/config").status_code == 200
        for where in ("//evil.example", "https://evil.example", "client/1\r\nx: y", "login"):
            answer = client.post("/en/login", data=said | {"next": where})
            assert answer.headers["location"] == "/en/"


def test_a_wrong_name_and_a_wrong_password_are_the_same_answer(desk) -> None:
    with httpx.Client(base_url=desk.url, trust_env=False, headers={"origin": desk.url}) as client:
        pages = []
        for name in ("cleo", "nobody"):
            answer = client.post("/en/login", data={"name": name, "password": "wrong <b>", "next": ""})
            assert answer.status_code == 401 and "set-cookie" not in answer.headers
            assert "wrong &lt;b&gt;" not in answer.text and "wrong <b>" not in answer.text
            pages.append(answer.text.replace(name, "NAME"))
        assert pages[0] == pages[1] and "user name or the password is wrong" in pages[0]


def test_signing_out_ends_the_session_here_and_for_a_copied_cookie(desk) -> None:
    with browser_of(desk, "bob") as client, httpx.Client(base_url=desk.url, trust_env=False) as thief:
        thief.cookies.update(client.cookies)
        assert thief.get("/en/config").status_code == 200
        left = client.post("/en/logout")
        assert left.headers["clear-site-data"] == '"storage"' and "Max-Age=0" in left.headers["set-cookie"]
        assert thief.get("/en/config").status_code == 401


def test_who_may_not_look_decisions_up_gets_no_letter(desk) -> None:
    with browser_of(desk, "tess") as tester, browser_of(desk, "bob") as supervisor:
        assert tester.get(f"/en/letter/{EVENT}.html").status_code == 403
        assert supervisor.get(f"/en/letter/{EVENT}.html").status_code == 200


def opening(client: httpx.Client) -> int:
    found = attack.handlers(client)
    return next(h.number for h in found if h.lang == "en" and h.inputs == ("textbox", "json"))


def test_fifty_sessions_at_once_see_each_their_own_client(desk) -> None:
    with contextlib.ExitStack() as stack:
        people = [stack.enter_context(browser_of(desk, name)) for name in NAMES]
        number = opening(people[0])
        for at in range(50):  # the same name of Gradio's session for two people at a time
            asked = {"fn_index": number, "session_hash": f"shared{at}"}
            for step in (0, 1):
                data = [str(100_001 + (at + 2 * step) % 5), None]
                people[(at + step) % 3].post("/en/gradio_api/queue/join", json=asked | {"data": data})
        for at in range(50):
            path = f"/en/gradio_api/queue/data?session_hash=shared{at}"
            with people[at % 3].stream("GET", path) as stream:
                told = next(one for one in attack.events(stream) if one["msg"] == "process_completed")
            said = json.dumps(told["output"])
            assert f"client/{100_001 + at % 5}" in said and f"client/{100_001 + (at + 2) % 5}" not in said


@pytest.fixture
def visitor(chromium, desk):
    contexts = []

    def go(path: str, **options):
        context = chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)  # a busy machine; who waits in vain only waits longer
        page.goto(f"{desk.url}{path}")
        return page

    yield go
    for context in contexts:
        context.close()


def sign_in(page, name: str, words: dict[str, str] = EN, word: str = WORD) -> None:
    page.get_by_label(words["user"]).fill(name)
    page.get_by_label(words["word"]).fill(word)
    page.get_by_role("button", name=words["in"]).click()


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "words"), [("en", EN), ("fr", FR)])
def test_the_front_door_speaks_the_language_and_keeps_the_way(visitor, lang: str, words: dict) -> None:
    page = visitor(f"/{lang}/client/100003")
    assert page.evaluate("document.documentElement.lang") == lang
    assert page.evaluate("document.activeElement.id") == "name"
    sign_in(page, "cleo", words, "not the word")
    wrong = page.get_by_role("alert")
    assert wrong.is_visible() and page.get_by_label(words["user"]).input_value() == "cleo"
    assert page.locator("#password").get_attribute("aria-describedby") == "wrong"
    assert page.evaluate("document.activeElement.id") == "password"
    sign_in(page, "cleo", words)
    page.locator('[data-client="100003"]').wait_for()
    assert "cleo" in page.locator(".person").inner_text()
    page.get_by_role("button", name=words["out"]).click()
    page.get_by_role("status").wait_for()
    page.go_back()
    page.goto(page.url)
    assert "/login" in page.url


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_front_door_is_for_everyone(visitor, lang: str, scheme: str) -> None:
    page = visitor(f"/{lang}/login", color_scheme=scheme)
    assert axe.faults(page) == []
    page.set_viewport_size({"width": 320, "height": 600})
    sign_in(page, "nobody", FR if lang == "fr" else EN, "wrong")
    page.get_by_role("alert").wait_for()
    assert axe.faults(page) == []
    rights = page.eval_on_selector_all("body *", "all => all.map(e => e.getBoundingClientRect().right)")
    assert max(rights) <= 320


@pytest.mark.browser
def test_two_people_work_side_by_side_and_the_record_has_each_name(visitor, stand_in) -> None:
    pages = {}
    for name in ("cleo", "bob"):
        pages[name] = visitor("/en/new")
        sign_in(pages[name], name)
        pages[name].locator(".verdict").wait_for()
    stand_in.said.clear()
    for name, page in pages.items():
        page.get_by_role("button", name=re.compile("Record this decision")).click()
        page.get_by_text("Recorded as a decision just now").wait_for()
        assert stand_in.said[-1]["operator"] == name
    decided = [said for said in stand_in.said if said["path"] == "/explain"]
    assert [(said["operator"], said["purpose"]) for said in decided] == [("cleo", None), ("bob", None)]


@pytest.mark.browser
def test_a_tester_sees_no_decisions_and_records_none(visitor) -> None:
    page = visitor("/en/new")
    sign_in(page, "tess")
    page.get_by_text("You score as a tester").wait_for()
    assert page.get_by_role("button", name=re.compile("Record this decision")).count() == 0
    page.get_by_role("tab", name="Model").wait_for()
    assert page.get_by_role("tab", name="Decisions").count() == 0


@pytest.mark.browser
def test_a_session_that_ended_asks_again_and_the_edits_are_still_there(visitor) -> None:
    page = visitor("/en/client/100002")
    sign_in(page, "cleo")
    page.locator(".verdict").wait_for()
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.context.clear_cookies()
    page.get_by_role("button", name="Score again").click()
    page.wait_for_url("**/en/login?next=client%2F100002")
    sign_in(page, "cleo")
    page.get_by_text("Edited, not scored").wait_for()
    assert page.locator("#fact-AMT_CREDIT").input_value() == "2000000"


@pytest.mark.browser
def test_edits_of_one_are_not_shown_to_the_next_who_signs_in_in_the_same_tab(visitor, desk) -> None:
    page = visitor("/en/client/100002")
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, "cleo")
    page.locator(".verdict").wait_for()
    page.locator("#fact-AMT_CREDIT").fill("2000000")
    page.context.clear_cookies()
    page.goto(f"{desk.url}/en/login?next=client/100002")
    sign_in(page, "bob")
    page.get_by_text("Preview of the facts as stored").wait_for()
    assert page.locator("#fact-AMT_CREDIT").input_value() != "2000000"
