"""A served page gives nothing away that is not its own, whoever asks for it and by whichever way."""

import json
import secrets
from pathlib import Path

import httpx
import pytest

from tests.support import laws
from tests.support.stand_in import serving
from tests.torture import page as attack

OPENING = ("textbox", "json")  # the number of a client, and edits
pytestmark = pytest.mark.served


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("attack")


@pytest.fixture(scope="module")
def page(folder):
    portfolio = attack.write_portfolio(folder / "clients")
    with (
        serving() as server,
        attack.serving_page(folder / "page", server.url, "--portfolio", str(portfolio)) as it,
    ):
        yield it
    assert "Traceback" not in it.said()


@pytest.fixture
def client(page):
    with httpx.Client(base_url=page.url, timeout=60, trust_env=False) as found:
        yield found


@pytest.fixture(scope="module")
def planted(folder) -> tuple[Path, str]:
    canary, path = f"canary-{secrets.token_hex(8)}", folder / "outside" / "secret.csv"
    path.parent.mkdir()
    path.write_text(f"SK_ID_CURR,{canary}\n")
    return path, canary


@pytest.fixture
def trap():
    found = attack.Trap()
    yield found
    found.close()
    assert not found.calls, "the page fetches addresses for others"


@pytest.mark.law
def test_no_handler_reads_a_file_or_an_address_or_repeats_what_it_got(page, client, planted, trap) -> None:
    secret, canary = planted
    found = attack.attack_handlers(page, secret, canary, trap.url, client, is_whole=laws.is_whole())
    assert found.tried > 300
    assert (found.leaks, found.echoes, found.silent) == ([], [], [])


def test_no_other_way_into_gradio_is_open(page, client, planted, trap) -> None:
    secret, canary = planted
    found = attack.attack_routes(page, secret, canary, trap.url, client)
    assert (found.leaks, found.echoes) == ([], [])


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
def test_a_page_that_lists_no_proxy_is_served_to_others_by_none(client, name: str) -> None:
    answer = client.get("/en/", headers={name: "203.0.113.1"})
    assert (answer.status_code, "CREDIT_SCORING_PROXIES" in answer.text) == (403, True)


def test_an_upload_stays_in_its_folder_whatever_its_name(page, client) -> None:
    assert attack.attack_uploads(page, client).leaks == []


def test_the_page_itself_can_still_be_used(client) -> None:
    path = attack.upload(client, "fr", "mien.csv", b"SK_ID_CURR,AMT_CREDIT\n1,450000\n2,abc\n").json()[0]
    number = next(h.number for h in attack.handlers(client) if h.lang == "fr" and h.inputs[:1] == ("file",))
    (answer,) = attack.ask(
        client, "fr", [(number, [{"path": path, "meta": {"_type": "gradio.FileData"}}, False, False])]
    )
    assert "accordées" in json.loads(answer)["data"][0]
    csv, _workbook, _parquet = attack.offered(answer)
    back = client.get(csv)
    assert back.content.decode("utf-8-sig").startswith("SK_ID_CURR,AMT_CREDIT,probability_of_default")
    assert client.get(f"/fr/gradio_api/file={path}").status_code == 200


def test_a_call_takes_nothing_from_fields_that_the_page_does_not_send(client, planted) -> None:
    number = next(
        h.number for h in attack.handlers(client) if h.lang == "en" and h.inputs == ("textbox", "json")
    )
    file = {"path": str(planted[0]), "meta": {"_type": "gradio.FileData"}}
    more = {"event_data": file, "event_id": "x", "trigger_id": 10**30, "batched": True, "simple_format": True}
    body = {"fn_index": number, "session_hash": "more", "data": ["100001", {}]} | more
    assert client.post("/en/gradio_api/queue/join", json=body).status_code == 200
    with client.stream("GET", "/en/gradio_api/queue/data?session_hash=more") as stream:
        done = next(event for event in attack.events(stream) if event["msg"] == "process_completed")
    assert done["success"] and "Client 100001" in json.dumps(done["output"])


def test_another_session_gets_nothing_of_an_answer(client) -> None:
    number = next(
        h.number for h in attack.handlers(client) if h.lang == "en" and h.inputs == ("textbox", "json")
    )
    body = {"fn_index": number, "data": ["100001", {}], "session_hash": "mine"}
    event = client.post("/en/gradio_api/queue/join", json=body).json()["event_id"]
    for path in ("queue/data?session_hash=yours", f"queue/data?session_hash={event}", f"call/x/{event}"):
        assert "verdict" not in client.get(f"/en/gradio_api/{path}").text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b'{"data": "' + attack.MARK.encode() * 50 + b'", "fn_index": "x"}', "application/json"),
        (b'{"data": [], "fn_index": 99999, "session_hash": "a"}', "application/json"),
        (b'{"data": [], "fn_index": 1e99, "session_hash": "a"}', "application/json"),
        (b'{"data": [], "fn_index": -1, "session_hash": "a"}', "application/json"),
        (b'{"data": [], "fn_index": true, "session_hash": "a"}', "application/json"),
        (b'{"data": [], "fn_index": 0, "session_hash": "\\ud800"}', "application/json"),
        (b'{"data": [], "fn_index": 0, "session_hash": "../a"}', "application/json"),
        (b'{"data": [], "fn_index": 0, "session_hash": "a", "data": {}}', "application/json"),
        (b'{"data": [], "fn_index": ' + b"9" * 5_000 + b', "session_hash": "a"}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"data=1&fn_index=0", "application/x-www-form-urlencoded"),
        (b"\xff\xfe\x00", "text/plain; charset=utf-7"),
        (b"x" * 2**19, "application/json"),
    ],
)
def test_a_call_that_is_none_is_refused_in_a_sentence(client, content: bytes, kind: str) -> None:
    answer = client.post("/fr/gradio_api/queue/join", content=content, headers={"content-type": kind})
    assert 400 <= answer.status_code <= 500
    assert answer.json()["detail"].endswith(".")
    assert attack.MARK not in answer.text
