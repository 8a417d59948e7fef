"""No strange web page reaches the officer's page, and every answer of it leaves with its headers."""

import asyncio

import pytest

from scoring.language import languages
from ui.address import PageAccess
from ui.guard import HEADERS, PageGuard

OURS = "127.0.0.1:7860"


async def app(_scope, receive, send) -> None:
    """A page that says what it was asked for, in the words of Gradio's template."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"34")]})
    await send({"type": "http.response.body", "body": b'<html\n\tlang="en"><p lang="en">Hi</p>'})


def ask(
    path: str = "/en/gradio_api/queue/join",
    kind: str = "http",
    options: dict | None = None,
    method: str = "POST",
    **headers,
):
    """Return the messages that leave, and how often the body was asked for."""
    sent, received = [], []

    async def receive() -> dict:
        received.append(1)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in ({"host": OURS} | headers).items()]
    scope = {"type": kind, "path": path, "method": method, "headers": pairs}
    asyncio.run(PageGuard(app, PageAccess(**(options or {})))(scope, receive, send))
    return sent, len(received)


def status(**headers) -> int:
    return ask("/en/config", method="GET", **headers)[0][0]["status"]


@pytest.mark.parametrize("host", ["evil.example:7860", "localhost.evil.example", "127.0.0.1.nip.io", ""])
@pytest.mark.parametrize("path", ["/", "/fr/", "/en/gradio_api/queue/join", "/en/gradio_api/upload"])
def test_a_page_that_calls_this_machine_by_another_name_gets_nothing_of_a_client(
    path: str, host: str
) -> None:
    sent, read = ask(path, host=host, origin=f"http://{host}")
    assert (sent[0]["status"], read) == (403, 0)
    assert all(header in sent[0]["headers"] for header in HEADERS)
    assert not [value for name, value in sent[0]["headers"] if name.startswith(b"access-control")]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "file://"])
def test_a_page_of_another_origin_may_not_post_here_and_its_upload_is_not_even_read(origin: str) -> None:
    sent, read = ask("/en/gradio_api/upload", origin=origin)
    assert (sent[0]["status"], read) == (403, 0)


def test_a_refusal_tells_the_remedy_in_both_languages() -> None:
    en, fr = ask("/", host="desk.example")[0][1]["body"].decode().split("\n")
    assert en.endswith("can add that name to CREDIT_SCORING_HOSTS.")
    assert fr.endswith("peut ajouter ce nom à CREDIT_SCORING_HOSTS.")


def test_the_page_itself_and_the_names_that_were_given_may_ask() -> None:
    assert (
        status(origin=f"http://{OURS}")
        == status()
        == status(host="localhost", origin="http://localhost")
        == 200
    )
    assert (
        status(options={"hosts": ["desk.example"]}, host="desk.example", origin="https://desk.example") == 200
    )
    assert status(options={"origins": ["https://desk.example"]}, origin="https://desk.example") == 200
    assert status(options={"hosts": ["desk.example"]}, host="evil.example") == 403


def test_a_socket_of_a_strange_page_is_closed() -> None:
    assert ask(kind="websocket", host="evil.example")[0] == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("lang", languages())
def test_the_page_says_its_language_before_any_script_runs(lang: str) -> None:
    sent, _ = ask(f"/{lang}/", method="GET")
    assert sent[1]["body"] == f'<html\n\tlang="{lang}"><p lang="en">Hi</p>'.encode()
    assert ask("/fr/config", method="GET")[0][1]["body"].startswith(b'<html\n\tlang="en"')


@pytest.mark.parametrize(
    ("messages", "statuses"),
    [
        ([(b"x" * 2**18, True), (b"x", False)], [413]),
        ([(b"x" * 2**19, False)], [413]),
        ([(b"{", False)], [400]),
        ([(b"{", True), None], []),
        ([(b'{"fn_index": 0, "session_hash": "a", "data": [1]}', False)], [200]),
        (
            [(b'{"fn_index": 0, "session_hash": "a"', True), (b', "data": [1], "event_data": {}}', False)],
            [200],
        ),
    ],
)
def test_a_call_is_read_whole_up_to_its_limit_and_passed_on_without_the_rest(messages, statuses) -> None:
    sent, passed, waiting = [], [], list(messages)

    async def handler(_scope, receive, send) -> None:
        passed.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict:
        part = waiting.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part[0], "more_body": part[1]}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"host", OURS.encode())]
    scope = {"type": "http", "path": "/en/gradio_api/queue/join", "method": "POST", "headers": headers}
    asyncio.run(PageGuard(handler, PageAccess())(scope, receive, send))
    assert [message["status"] for message in sent if "status" in message] == statuses
    if statuses == [200]:
        assert passed == [b'{"fn_index": 0, "session_hash": "a", "data": [1]}']


def test_a_failure_inside_is_a_sentence_and_its_words_stay_inside(caplog) -> None:
    async def fails(_scope, _receive, send) -> None:
        await send({"type": "http.response.start", "status": 422, "headers": []})
        await send({"type": "http.response.body", "body": b"you sent 100001"})
        raise ValueError("100001")

    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/fr/config", "method": "GET", "headers": [(b"host", OURS.encode())]}
    asyncio.run(PageGuard(fails, PageAccess())(scope, None, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 422
    assert sent[1]["body"].decode().startswith("La page ne prend pas")
    assert "100001" not in caplog.text
