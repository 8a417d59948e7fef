"""Who is there: users, sessions, failed attempts, proxies, and what each role may do."""

import asyncio
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.settings import PROXIES
from scoring.settings.setting import SettingError
from tests.support.overheard import overheard
from tests.support.stand_in import EVENT, StandIn, serving
from ui import accounts, login, users
from ui.accounts import AccountError, Accounts, HashCost
from ui.address import PageAccess, listening
from ui.clients import Clients
from ui.guard import PageGuard
from ui.handlers import Handlers
from ui.login import Knock, PasswordLogin, ProxyLogin, Stranger
from ui.people import Person
from ui.service import Service
from ui.sessions import LONGEST_S, MOST_OF_BOTH, WINDOW_S, Failures, Sessions

CHEAP = HashCost(4, 8, 1)
WORD = "correct horse battery"
OURS = [(b"host", b"127.0.0.1:7860"), (b"origin", b"http://127.0.0.1:7860")]


class Hand:
    """A clock that is turned by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    names = {"ada": "officer", "bob": "supervisor", "tess": "tester"}
    accounts.write(path, {n: accounts.account(n, role, WORD, CHEAP) for n, role in names.items()})
    return path


@pytest.fixture
def doors(file: Path, clock: Hand) -> PasswordLogin:
    return PasswordLogin(Accounts(file), 600, clock)


def sent(token: str = "", client: str = "127.0.0.1", scheme: str = "http", **headers: str) -> dict:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    cookie = [(b"cookie", f"other=1; {login.COOKIE}={token}".encode())] if token else []
    return {"headers": [*OURS, *pairs, *cookie], "client": (client, 1), "scheme": scheme, "type": "http"}


def who(doors: login.Login, scope: dict, is_use: bool = False) -> Person | Stranger:
    return doors.who(Knock(scope, scope, is_use))


def test_a_file_of_users_is_read_as_it_was_written_and_for_its_owner_alone(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert WORD not in file.read_text()
    assert {one.name: one.role for one in accounts.load(file).values()}["bob"] == "supervisor"
    assert Accounts(file).check("ada", WORD).role == "officer"
    assert Accounts(file).check("ada", WORD + " ") is None


@pytest.mark.parametrize(
    "line",
    [
        "secretive",
        "ada:officer:scrypt:15:8:3:AAAA",
        "ada:king:scrypt:4:8:1:AAAA:AAAA",
        "ada:officer:scrypt:30:8:1:AAAAAAAAAAAAAAAAAAAAAA:" + "A" * 43,
        "a da:officer:scrypt:4:8:1:AAAAAAAAAAAAAAAAAAAAAA:" + "A" * 43,
    ],
)
def test_a_line_that_is_no_user_is_named_by_its_place_alone(line: str) -> None:
    with pytest.raises(AccountError, match=r"line 2 of users is no user") as refused:
        accounts.read(f"# users\n{line}\n", "users")
    assert line not in str(refused.value)


def test_the_command_adds_changes_and_takes_out_users(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(accounts, "USUAL", CHEAP)

    def run(*arguments: str, said: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(users.app, [*arguments, "--file", str(tmp_path / "users")], said)
        return done.exit_code, done.output

    code, output = run("add", "ada", "--password-stdin", said="tooshort\n")
    assert code == 2 and "12 to 256 characters" in output and "tooshort" not in output
    assert run("add", "ada", "--password-stdin", said=f"{WORD}\n")[0] == 0
    assert run("add", "ADA", "--password-stdin", said=f"{WORD}\n")[0] == 2, "capitals alone differ"
    assert run("remove", "ada")[0] == 2, "the last one stays"
    assert run("add", "bob", "--role", "tester", said=f"{WORD}\n{WORD}\n")[0] == 0
    assert run("role", "bob", "king")[0] == 2 and run("role", "bob", "supervisor")[0] == 0
    assert run("list") == (0, "ada\tofficer\nbob\tsupervisor\n")
    assert run("remove", "ada")[0] == 0 and run("remove", "ada")[0] == 2
    assert accounts.load(tmp_path / "users")["bob"].opens(WORD)


def test_a_session_ends_of_idleness_and_of_age_and_a_clock_of_the_page_keeps_none(clock: Hand) -> None:
    sessions = Sessions(600, clock)
    token = sessions.begin("ada", b"x")
    clock.now += 400
    assert sessions.find(token, is_use=False)
    clock.now += 400
    assert sessions.find(token) is None
    token, began = sessions.begin("ada", b"x"), clock.now
    while clock.now - began < LONGEST_S - 300:
        clock.now += 300
        assert sessions.find(token)
    clock.now += 300
    assert sessions.find(token) is None


def test_who_is_taken_out_or_gets_another_password_is_out_at_once(doors: PasswordLogin, file: Path) -> None:
    tokens = {name: doors.enter(name, WORD, ("127.0.0.1", 1)) for name in ("ada", "bob", "tess")}
    assert who(doors, sent(tokens["ada"])) == Person("ada", "officer", True)
    found = accounts.load(file)
    del found["ada"]
    found["bob"] = accounts.account("bob", "supervisor", WORD + "!", CHEAP)
    found["tess"] = accounts.Account("tess", "officer", found["tess"].salt, found["tess"].hash, CHEAP)
    accounts.write(file, found)
    assert isinstance(who(doors, sent(tokens["ada"])), Stranger)
    assert isinstance(who(doors, sent(tokens["bob"])), Stranger)
    assert who(doors, sent(tokens["tess"])).role == "officer", "another role holds at once"


def test_a_file_that_breaks_lets_nobody_in_who_was_not(doors: PasswordLogin, file: Path, caplog) -> None:
    token = doors.enter("ada", WORD, None)
    file.write_text("broken\n")
    assert who(doors, sent(token)).name == "ada"
    assert "users from before stay" in caplog.text
    assert doors.enter("eve", WORD, None) is None


def test_one_without_an_account_costs_the_same_hash_and_hears_the_same(
    doors: PasswordLogin, monkeypatch
) -> None:
    hashed, real = [], HashCost.hash
    monkeypatch.setattr(HashCost, "hash", overheard(real, lambda cost, *_: hashed.append(cost)))
    for name in ("ada", "nobody", ""):
        assert doors.enter(name, "wrong", ("192.0.2.1", 1)) is None
    assert hashed == [CHEAP] * 3


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_failures_make_an_address_wait_whether_there_is_such_a_user_or_not(
    doors: PasswordLogin, clock: Hand, name: str
) -> None:
    evil, good = ("192.0.2.1", 1), ("192.0.2.2", 1)
    assert [doors.enter(name, "wrong", evil) for _ in range(MOST_OF_BOTH)] == [None] * MOST_OF_BOTH
    assert doors.enter(name, WORD, evil) == WINDOW_S, "even the right one waits"
    assert isinstance(doors.enter("ada", WORD, good), str), "an officer elsewhere is not shut out"
    clock.now += WINDOW_S
    assert not isinstance(doors.enter(name, WORD, evil), float)


def test_many_names_from_one_address_wait_too_and_who_gets_in_starts_anew(clock: Hand) -> None:
    failures = Failures(clock)
    for number in range(20):
        assert failures.wait_s(f"name-{number}", "@1") == 0
        failures.count(f"name-{number}", "@1")
    assert failures.wait_s("other", "@1") == WINDOW_S and failures.wait_s("other", "@2") == 0
    for _ in range(4):
        failures.count("ada", "@3")
    failures.count("ada", "@3")
    failures.forgive("ada", "@3")
    failures.count("ada", "@3")
    assert failures.wait_s("ada", "@3") == 0


def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites_and_secure_behind_tls() -> None:
    assert login.cookie("t", "/desk", "https") == (
        f"{login.COOKIE}=t; Path=/desk/; HttpOnly; SameSite=Lax; Secure"
    )
    assert "Secure" not in login.cookie("t", "", "http") and "Max-Age=0" in login.cookie("", "", "http")
    twice = sent()
    twice["headers"] += [(b"cookie", f"{login.COOKIE}=a; {login.COOKIE}=b".encode())]
    assert login.token_of(twice) == "", "of two, each reader could take another"


@pytest.mark.parametrize(
    ("scope", "is_private"),
    [
        (sent(), True),
        (sent(client="192.0.2.1"), False),
        (sent(client="192.0.2.1", scheme="https"), True),
        (sent(x_forwarded_for="192.0.2.1"), False),
        (sent(x_forwarded_for="192.0.2.1", scheme="https"), True),
        (sent(client="::ffff:127.0.0.1"), True),
    ],
)
def test_passwords_go_over_tls_or_stay_on_the_machine(
    doors: PasswordLogin, scope: dict, is_private: bool
) -> None:
    found = who(doors, scope)
    assert found.text == ("signed_out" if is_private else "https_needed")


LISTED = PageAccess("", PROXIES.read({PROXIES.name: "10.0.0.1"}))
BEHIND = {
    "CREDIT_SCORING_PROXIES": "10.0.0.1",
    "CREDIT_SCORING_USER_HEADER": "X-User",
    "CREDIT_SCORING_GROUPS_HEADER": "X-Groups",
    "CREDIT_SCORING_ROLES": "ada=supervisor; @credit=officer; *=tester",
}


@pytest.mark.parametrize(
    ("named", "groups", "role"),
    [
        ("ada", "credit", "supervisor"),
        ("bob", "hr, credit", "officer"),
        ("eve@bank.example", "hr", "tester"),
        ("credit", "", "tester"),
    ],
)
def test_a_listed_proxy_says_who_is_there_and_the_nearest_role_holds(named, groups, role) -> None:
    doors = login.of(BEHIND, LISTED)
    assert who(doors, sent(client="10.0.0.1", x_user=named, x_groups=groups)) == Person(named, role)


def test_nobody_else_says_who_is_there() -> None:
    doors = login.of(BEHIND, LISTED)
    assert isinstance(doors, ProxyLogin)
    twice = sent(client="10.0.0.1", x_user="ada")
    twice["headers"].append((b"x-user", b"eve"))
    for scope in (
        sent(client="10.0.0.2", x_user="ada"),
        sent(client="10.0.0.1"),
        sent(client="10.0.0.1", x_user="@credit"),
        sent(client="10.0.0.1", x_user="a b"),
        twice,
    ):
        assert who(doors, scope) == Stranger("nobody_named")
    few = login.of(BEHIND | {"CREDIT_SCORING_ROLES": "ada=officer"}, LISTED)
    assert who(few, sent(client="10.0.0.1", x_user="bob")) == Stranger("no_role")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"CREDIT_SCORING_USERS": "var/users"}, "exclude each other"),
        ({"CREDIT_SCORING_ROLES": ""}, "says which role each has"),
        ({"CREDIT_SCORING_ROLES": "ada=king"}, "There are officer, supervisor, tester"),
        ({"CREDIT_SCORING_USER_HEADER": ""}, "nothing says who they are"),
    ],
)
def test_settings_that_do_not_fit_are_a_sentence(change: dict, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        login.of(BEHIND | change, LISTED)


def test_a_page_with_a_login_may_listen_beyond_its_machine() -> None:
    assert listening("0.0.0.0", has_login=True) == "0.0.0.0"
    with pytest.raises(SettingError, match="needs a proxy"):
        login.of(BEHIND, PageAccess())


def ask(doors: login.Login, path: str, method: str = "GET", **more) -> tuple[int, dict, list[dict]]:
    """Return status and headers of an answer, and the scopes that passed the guard."""
    answers, passed = [], []

    async def inner(scope, receive, send) -> None:
        passed.append(scope | {"body": (await receive()).get("body", b"")})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: dict) -> None:
        answers.append(message)

    body = more.pop("body", b"")
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict:
        return waiting.pop()

    path, _, query = path.partition("?")
    scope = sent(**more) | {"path": path, "method": method, "query_string": query.encode()}
    asyncio.run(PageGuard(inner, PageAccess(), doors, {("en", 7)})(scope, receive, send))
    return answers[0]["status"], {n.decode(): v.decode() for n, v in answers[0]["headers"]}, passed


def test_who_is_not_signed_in_is_led_to_where_one_does_and_back(doors: PasswordLogin) -> None:
    status, headers, passed = ask(doors, "/fr/decisions?review=waiting")
    assert (status, passed) == (303, [])
    assert headers["location"] == "/fr/login?next=decisions%3Freview%3Dwaiting"
    for path in ("/en/config", "/en/assets/index.js", "/en/gradio_api/heartbeat/a", "/en/theme.css"):
        assert ask(doors, path)[::2] == (401, [])
    assert ask(doors, f"/en/letter/{EVENT}.pdf")[1]["location"].endswith(f"letter%2F{EVENT}.pdf")
    assert ask(doors, "/en/login?next=new")[2][0]["query_string"] == b"next=new"
    assert ask(doors, "/favicon.ico")[0] == 200


CALL = b'{"fn_index": 7, "session_hash": "abc", "data": []}'


def test_a_call_is_of_the_session_of_its_caller_whatever_name_was_guessed(doors: PasswordLogin) -> None:
    tokens = [doors.enter(name, WORD, None) for name in ("ada", "bob")]
    join = "/en/gradio_api/queue/join"
    bodies = [ask(doors, join, "POST", body=CALL, token=token)[2][0]["body"] for token in tokens]
    assert bodies[0] != bodies[1] and all(body.count(b'-abc"') == 1 for body in bodies)
    listened = ask(doors, "/en/gradio_api/queue/data?session_hash=abc", token=tokens[0])[2][0]
    assert listened["query_string"].removeprefix(b"session_hash=") in bodies[0]
    beats = ask(doors, "/en/gradio_api/heartbeat/abc", token=tokens[0])[2][0]
    assert beats["path"].rpartition("/")[2].encode() in bodies[0]
    assert ask(doors, join, "POST", body=CALL)[0] == 401


def test_a_page_that_was_left_open_signs_its_user_out(doors: PasswordLogin, clock: Hand) -> None:
    token, join = doors.enter("ada", WORD, None), "/en/gradio_api/queue/join"
    used = CALL.replace(b"7", b"8")
    for body, status in ((used, 200), (CALL, 200), (CALL, 401)):
        assert ask(doors, join, "POST", body=body, token=token)[0] == status
        clock.now += 400
    token = doors.enter("ada", WORD, None)
    for _ in range(5):
        assert ask(doors, join, "POST", body=used, token=token)[0] == 200
        clock.now += 400


def test_a_post_of_which_no_browser_says_where_it_comes_from_is_refused(doors: PasswordLogin) -> None:
    token, kept = doors.enter("ada", WORD, None), OURS.copy()
    for origin in ("", "null", "https://evil.example"):
        OURS[1:] = [(b"origin", origin.encode())] if origin else []
        for path in ("/en/login", "/en/logout", "/en/gradio_api/queue/join"):
            assert ask(doors, path, "POST", body=CALL, token=token)[::2] == (403, [])
    OURS[:] = kept


@pytest.fixture(scope="module")
def server():
    with serving() as stand_in:
        yield stand_in


def desk(server: StandIn, name: str, role: str) -> Handlers:
    server.reviewed, server.said = None, []
    return Handlers("en", Service(server.url), Clients(None)).of(Person(name, role))


def test_every_action_carries_the_name(server: StandIn) -> None:
    page = desk(server, "cleo", "officer")
    opened = page.open_new()["opened"]
    page.score(opened, {"AMT_CREDIT": "9"})
    page.decide(opened, None)
    page.find_ways(opened, None)
    page.go({"at": "decisions"})
    page.review({"event": EVENT, "verdict": "confirmed", "reason": "Seen."})
    asked = [said for said in server.said if said["path"] != "/model"]
    assert {said["operator"] for said in asked} == {"cleo"}
    assert [said["purpose"] for said in asked if said["path"] == "/explain"] == ["preview", "what-if", None]


def test_a_tester_decides_nothing_looks_nobody_up_and_all_is_a_test(server: StandIn) -> None:
    page = desk(server, "tess", "tester")
    updates = page.open_new()
    assert 'data-act="#decide"' not in updates["result"] and "as a tester" in updates["result"]
    opened = updates["opened"]
    page.score(opened, {"AMT_CREDIT": "9"})
    assert "Your role" in page.decide(opened, None)["message"]
    assert "Your role" in page.go({"at": "decisions"})["list"]
    assert "Your role" in page.go({"at": f"decision/{EVENT}"})["record"]
    sent_review = {"event": EVENT, "verdict": "confirmed", "reason": "Seen."}
    assert "not yours" in page.review(sent_review)["reviewing"] and server.reviewed is None
    asked = [said for said in server.said if said["path"] == "/explain"]
    assert [said["purpose"] for said in asked] == ["test", "test"]
    assert 'data-list="closed"' in page.load()["masthead"]


def test_four_eyes_who_took_a_decision_does_not_review_it(server: StandIn) -> None:
    page = desk(server, "ada", "supervisor")  # the decision on record is ada's
    shown = page.go({"at": f"decision/{EVENT}"})["record"]
    assert 'data-act="#review"' not in shown and "another person" in shown
    sent_review = {"event": EVENT, "verdict": "otherwise", "reason": "Mine."}
    assert "not yours" in page.review(sent_review)["reviewing"] and server.reviewed is None
    other = desk(server, "bob", "officer")
    assert 'data-act="#review"' in other.go({"at": f"decision/{EVENT}"})["record"]


def test_a_key_without_the_role_of_a_front_end_is_a_sentence_for_the_administrator(server: StandIn) -> None:
    page = desk(server, "ada", "officer")
    server.be_in_trouble(403, kind="operator-not-taken")
    assert "roles frontend, read and review" in page.open_new()["message"]
    server.be_in_trouble(0)
