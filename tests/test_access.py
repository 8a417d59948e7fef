"""Only who holds a key may ask, from any machine; without keys only this machine, and no strange web page."""

import asyncio
import hmac
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from scoring.inference_log import audit_table, find
from scoring.replay import app as replay_app
from scoring.schema import Decoder
from scoring.scorer import Scorer
from scoring.serving.access import AccessError, AccessGuard, KeyRing, parse_keys
from scoring.serving.limits import Route
from scoring.serving.middleware import Middleware
from scoring.serving.problem import Rejection
from tests.support import small
from tests.support.keys import LOCKED, NEW, OLD, OPEN, OTHER
from tests.support.overheard import overheard
from tests.support.proxies import needs_nginx, nginx
from tests.support.running import ROOT, problem, put_in_store, running
from tests.support.running import environment as service_environment

LOCAL, OUTSIDE = ("127.0.0.1", 3000), ("10.0.0.7", 3000)


def scope(
    path: str = "/score", method: str = "POST", server=LOCAL, host: str | None = "localhost:3000", **headers
):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    named = [] if host is None else [(b"host", host.encode())]
    return {"type": "http", "path": path, "method": method, "server": server, "headers": named + pairs}


def status(guard: AccessGuard, asked: dict) -> int:
    try:
        guard(asked)
    except Rejection as rejection:
        return rejection.status
    return 200


@pytest.mark.parametrize(
    "server", [LOCAL, ("::1", 3000), ("::ffff:127.0.0.1", 3000), ("/run/api.sock", None), None]
)
def test_without_keys_this_machine_may_ask(server):
    assert status(OPEN, scope(server=server)) == 200


@pytest.mark.parametrize("server", [OUTSIDE, ("192.168.1.4", 80), ("2001:db8::1", 80), ("testserver", 80)])
@pytest.mark.parametrize("path", ["/score", "/explain", "/", "/model", "/docs.json", "/metrics", "/anything"])
def test_without_keys_nobody_else_may_ask(server, path):
    assert status(OPEN, scope(path, server=server)) == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "localhost.evil.example", "", None, "127.0.0.1.nip.io"]
)
def test_a_page_that_calls_this_machine_by_another_name_is_refused(host):
    assert status(OPEN, scope(host=host)) == 403
    assert status(OPEN, scope("/model", "GET", host=host)) == 403


def test_two_hosts_are_none():
    asked = scope()
    asked["headers"] += [(b"host", b"evil.example")]
    assert status(OPEN, asked) == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:7860", "http://localhost", "file://", "x", "http://["],
)
def test_a_web_page_of_another_origin_may_not_post(origin):
    assert status(OPEN, scope(origin=origin)) == 403
    assert status(LOCKED, scope(origin=origin, x_api_key=OLD)) == 403


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "is_ours"),
    [
        ("https", "localhost:3000", "http://localhost:3000", False),
        ("http", "localhost:3000", "https://localhost:3000", False),
        ("http", "localhost", "http://localhost:80", True),
        ("https", "localhost", "https://localhost", True),
        ("https", "localhost:443", "https://localhost", True),
        ("http", "localhost:443", "http://localhost", False),
        ("http", "localhost:3000", "http://user@localhost:3000", False),
        ("http", "localhost:3000", "http://localhost:3000/", False),
        ("http", "localhost:3000", "http://localhost:x", False),
        ("http", "[::1]:3000", "http://[::1]:3000", True),
    ],
)
def test_a_page_is_ours_by_scheme_and_host_and_port(scheme, host, origin, is_ours):
    assert status(OPEN, scope(host=host, origin=origin) | {"scheme": scheme}) == (200 if is_ours else 403)


@pytest.mark.parametrize(
    "header",
    [
        *("forwarded", "via", "x_real_ip", "x_forwarded_for", "x_forwarded_host", "x_forwarded_anything"),
        *("x_client_ip", "true_client_ip", "cf_connecting_ip", "cdn_loop", "x_envoy_external_address"),
        *("x_cluster_client_ip", "fastly_client_ip", "x_original_forwarded_for", "x_amzn_trace_id", "cf_ray"),
        *(
            "fly_client_ip",
            "x_forwarded",
            "forwarded_for",
            "x_azure_clientip",
            "x_arr_log_id",
            "x_remote_addr",
        ),
        *("x_appengine_user_ip", "x_cloud_trace_context", "x_akamai_edgescape", "x_nf_client_connection_ip"),
    ],
)
def test_without_keys_what_shows_a_proxy_is_refused_though_it_calls_this_machine_by_name(header):
    for value in ("", "127.0.0.1"):
        for path in ("/score", "/model", "/anything"):
            assert status(OPEN, scope(path, **{header: value})) == 403
        assert status(OPEN, scope("/readyz", "GET", **{header: value})) == 200
        assert status(LOCKED, scope(x_api_key=OLD, **{header: value})) == 200


def test_without_keys_http_as_proxies_speak_it_is_refused():
    assert status(OPEN, scope() | {"http_version": "1.0"}) == 403
    assert status(OPEN, scope() | {"http_version": "1.1"}) == 200
    assert status(LOCKED, scope(x_api_key=OLD) | {"http_version": "1.0"}) == 200


def test_our_own_pages_and_those_that_were_named_may_ask():
    assert status(OPEN, scope(origin="http://localhost:3000")) == 200
    named = AccessGuard(KeyRing(), origins=["https://desk.example"])
    assert status(named, scope(origin="https://desk.example")) == 200
    assert status(named, scope(origin="https://desk.example.evil")) == 403


def test_named_hosts_are_known_and_others_are_not_even_with_a_key():
    named = AccessGuard(KeyRing(OLD), hosts=["scores.example"])
    assert status(named, scope(host="scores.example:443", server=OUTSIDE, x_api_key=OLD)) == 200
    assert status(named, scope(host="evil.example", server=OUTSIDE, x_api_key=OLD)) == 403


def test_a_right_key_opens_and_names_its_owner():
    assert LOCKED(scope(server=OUTSIDE, host="scores.example", x_api_key=OLD)) == "desk"
    assert LOCKED(scope(server=OUTSIDE, x_api_key=OTHER)).startswith("key-")


@pytest.mark.parametrize(
    "key", ["", "a", OLD[:-1], OLD + "a", NEW, OLD.upper(), "desk", f"desk:{OLD}", "é", "\0"]
)
@pytest.mark.parametrize("server", [LOCAL, OUTSIDE])
def test_a_wrong_key_opens_nothing(key, server):
    assert status(LOCKED, scope(server=server, x_api_key=key)) == 401
    assert status(LOCKED, scope("/anything", server=server, x_api_key=key)) == 401


def test_probes_need_no_key_and_no_name():
    for guard in (OPEN, LOCKED):
        for path in ("/livez", "/readyz", "/healthz"):
            assert status(guard, scope(path, "GET", server=OUTSIDE, host="10.0.0.7:3000")) == 200


@pytest.mark.parametrize("path", ["/", "/model", "/docs.json", "/metrics"])
def test_documents_and_metrics_go_behind_the_key_if_wanted(path):
    private = AccessGuard(KeyRing(OLD), are_pages_private=True)
    assert status(LOCKED, scope(path, "GET")) == 200
    assert status(private, scope(path, "GET")) == 401
    assert status(private, scope(path, "GET", x_api_key=OLD)) == 200


def test_every_key_is_compared_as_a_whole(monkeypatch):
    compared = []
    compare = overheard(hmac.compare_digest, lambda a, b: compared.append((a, b)))
    monkeypatch.setattr("scoring.serving.access.hmac.compare_digest", compare)
    ring = KeyRing(f"{OLD} # the first\n{NEW},{OTHER}")
    assert ring.owner(OLD) is not None
    assert len(compared) == 3  # the first is right: the others are compared too
    assert {len(part) for pair in compared for part in pair} == {32}  # hashes: no length of a key shows


@pytest.mark.parametrize(
    "text", ["short", "a" * 15, "x" * 257, "name:" + "ü" * 20, f"a b:{OLD}", f"{OLD} {NEW}"]
)
def test_a_key_that_is_too_weak_is_named_by_its_place_only(text):
    with pytest.raises(AccessError, match="key 2 of the test") as refused:
        parse_keys(f"{OTHER},{text}", "the test")
    assert text not in str(refused.value)


def test_a_name_may_have_roles_and_no_others_than_there_are():
    ring = KeyRing(f"desk+read+review:{OLD},audit+read:{NEW},{OTHER}")
    assert [ring.owner(key) for key in (OLD, NEW)] == ["desk", "audit"]
    may = [(owner, role) for owner in ("desk", "audit", None, "x") for role in ("read", "review")]
    assert [one for one in may if ring.may(*one)] == [("desk", "read"), ("desk", "review"), ("audit", "read")]
    assert KeyRing().may(None, "read"), "without keys only this machine is admitted, and it may look"
    with pytest.raises(
        AccessError,
        match=r"key 2 of the test has a role that is none; there are frontend, outcome, owner, read",
    ):
        parse_keys(f"{OTHER},desk+write:{OLD}", "the test")


def test_keys_are_rotated_without_a_restart(tmp_path, caplog):
    file = tmp_path / "keys"
    file.write_text(f"desk:{OLD}\n")
    ring = KeyRing(file=file)
    assert (ring.owner(OLD), ring.owner(NEW)) == ("desk", None)
    with caplog.at_level(logging.INFO):
        file.write_text(f"desk:{OLD}\ndesk:{NEW}\n")
        assert (ring.owner(OLD), ring.owner(NEW)) == ("desk", "desk")
        draft = tmp_path / "draft"
        draft.write_text(f"desk:{NEW}\n")
        draft.replace(file)
        assert (ring.owner(OLD), ring.owner(NEW)) == (None, "desk")
    assert OLD not in caplog.text and NEW not in caplog.text and "there are 1" in caplog.text


@pytest.mark.parametrize("broken", ["", "# nobody\n", "x:y\n", None, "ü\n"])
def test_a_key_file_that_breaks_neither_opens_nor_shuts_the_door(tmp_path, broken, caplog):
    file = tmp_path / "keys"
    file.write_text(f"desk:{OLD}\n")
    ring = KeyRing(file=file)
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    assert (ring.owner(OLD), ring.owner(""), len(ring)) == ("desk", None, 1)
    assert "The keys from before stay" in caplog.text
    file.write_text(f"{NEW}\n")
    assert ring.owner(OLD) is None and ring.owner(NEW)


@pytest.mark.parametrize("content", [None, "", "short\n"])
def test_a_key_file_that_is_no_use_at_the_start_is_refused(tmp_path, content):
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AccessError):
        KeyRing(file=file)


def test_who_may_not_ask_is_told_in_the_one_shape_and_his_body_is_not_read():
    async def nothing(*_):
        raise AssertionError("it must not come this far")

    async def body():
        raise AssertionError("the body is read")
        yield b""

    async def ask() -> httpx.Response:
        app = Middleware(nothing, {"/score": Route(rows=1)}, Decoder({}), admit=LOCKED)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.post(
                "/score", content=body(), headers={"x-api-key": NEW, "x-request-id": "r7"}
            )

    response = asyncio.run(ask())
    problem(response, 401)
    assert response.headers["x-request-id"] == "r7" and response.headers["www-authenticate"] == "X-API-Key"
    assert NEW not in response.text


SPY = """
import os, sys
def spy(event, arguments):
    if event == "pickle.find_class":
        file = os.open(os.environ["SPY"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{arguments[0]}.{arguments[1]}\\n".encode())
        os.close(file)
sys.addaudithook(spy)
open(f"{os.environ['SPY']}.is-in.{os.getpid()}", "w").close()
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A service on all addresses of this machine, with keys in a file; what it unpickles is written down."""
    home = tmp_path_factory.mktemp("guarded")
    put_in_store(small.save(home / "scorer"), home)
    (home / "keys").write_text(f"desk:{OLD}\n")
    (home / "spy").mkdir()
    (home / "spy" / "sitecustomize.py").write_text(SPY)
    settings = {
        "CREDIT_SCORING_API_KEY_FILE": str(home / "keys"),
        "CREDIT_SCORING_PRIVATE_PAGES": "on",
        "CREDIT_SCORING_LOG_ANCHORS": str(home / "anchors"),
        "CREDIT_SCORING_PROXIES": "127.0.0.2",
        "PYTHONPATH": str(home / "spy"),
        "SPY": str(home / "unpickled"),
    }
    with running(home, host="0.0.0.0", key=OLD, **settings) as service:
        yield service


served = pytest.mark.served


@served
def test_the_service_asks_for_its_key(guarded):
    for path in ("/score", "/explain"):
        for key in ("", NEW):
            problem(guarded.post(path, [{"SK_ID_CURR": 1}], headers={"x-api-key": key}), 401)
    for path in ("/", "/model", "/docs.json", "/metrics", "/schema.json"):
        problem(guarded.http.get(path, headers={"x-api-key": ""}), 401)
    for path in ("/", "/model", "/docs.json", "/metrics"):
        assert guarded.http.get(path).status_code == 200
    problem(guarded.post("/score", [{"SK_ID_CURR": 1}], headers={"origin": "https://evil.example"}), 403)


@served
def test_the_audit_names_who_asked_and_why_and_the_decision_can_be_made_again(guarded):
    (request,) = small.applications(1, seed=9)
    (plain,) = guarded.post("/score", [request]).json()
    (explained,) = guarded.post("/explain", [request]).json()
    audit = {row["event_id"]: row for row in audit_table(guarded.home / "log").to_dicts()}
    assert audit[plain["event_id"]]["operator"] == audit[explained["event_id"]]["operator"] == "desk"
    assert audit[plain["event_id"]]["reasons"] is None
    record = find(guarded.home / "log", explained["event_id"])
    assert record["audit"]["reasons"] == [reason["feature"] for reason in explained["reasons"]]
    arguments = ["--log", guarded.home / "log", "--model-store", guarded.home / "bentoml"]
    again = CliRunner().invoke(replay_app, [explained["event_id"], *map(str, arguments)])
    assert again.exit_code == 0, again.stdout + again.stderr


@served
def test_the_service_takes_new_keys_without_a_restart_and_tells_none(guarded):
    keys = guarded.home / "keys"
    try:
        keys.write_text(f"desk:{NEW}\n")
        problem(guarded.post("/score", [{"SK_ID_CURR": 1}]), 401)
        assert guarded.post("/score", [{"SK_ID_CURR": 1}], headers={"x-api-key": NEW}).status_code == 200
    finally:
        keys.write_text(f"desk:{OLD}\n")
    assert guarded.post("/score", [{"SK_ID_CURR": 1}]).status_code == 200
    written = [guarded.stdout(), *(file.read_text() for file in (guarded.home / "log").iterdir())]
    assert all(key not in text for text in written for key in (OLD, NEW))
    assert "1 API keys" in guarded.stdout()


@pytest.fixture(scope="module")
def below(guarded, tmp_path_factory):
    """The same service below a path, behind a proxy that its settings name and one that they do not."""
    location = (
        f"location /bank/credit/ {{ proxy_pass {guarded.url}/; proxy_bind %s; "
        "proxy_set_header Host $host:$server_port; proxy_set_header X-Forwarded-Proto https; "
        "proxy_set_header X-Forwarded-Prefix /bank/credit; }"
    )
    locations = [location % address for address in ("127.0.0.2", "127.0.0.1")]
    with nginx(tmp_path_factory.mktemp("nginx"), *locations) as urls:
        yield [f"{url}/bank/credit" for url in urls]


@served
@needs_nginx
def test_below_a_path_every_link_leads_where_it_says(guarded, below):
    named, unnamed = below
    page = guarded.http.get(f"{named}/").text
    assert '<base href="/bank/credit/">' in page and "<base" not in guarded.http.get(f"{unnamed}/").text
    links = [part.split('"')[0] for part in page.split('<a href="')[1:]]
    assert len(links) == 5
    for link in links:
        assert guarded.http.get(f"{named}/{link}").status_code == 200
    document = guarded.http.get(f"{named}/docs.json").json()
    assert document["servers"] == [{"url": "/bank/credit"}]
    assert guarded.http.get(f"{unnamed}/docs.json").json()["servers"] == [{"url": "."}]
    for path, methods in document["paths"].items():
        if path.startswith(("/decisions", "/owner", "/monitor")):  # whose key has no role
            continue
        assert guarded.http.get(f"{named}{path}").status_code == (200 if "get" in methods else 405), path
    (decision,) = guarded.post(f"{named}/score", [{"SK_ID_CURR": 1}]).json()
    assert decision["decision"]


@served
@needs_nginx
def test_a_page_of_the_proxys_scheme_may_ask_and_one_of_another_may_not(guarded, below):
    for url, scheme, status in ((below[0], "https", 200), (below[0], "http", 403), (below[1], "https", 403)):
        origin = f"{scheme}://{httpx.URL(url).netloc.decode()}"
        answer = guarded.post(f"{url}/score", [{"SK_ID_CURR": 1}], headers={"origin": origin})
        assert answer.status_code == status


@served
def test_no_pickle_is_read_by_the_service(guarded):
    guarded.post("/explain", small.applications(3, seed=9))
    unpickled = guarded.home / "unpickled"
    # Babel keeps the rules of languages, which come with the library, as pickles of its own classes.
    read = unpickled.read_text().split() if unpickled.exists() else []
    assert not [name for name in read if not name.startswith("babel.")]
    assert len(list(guarded.home.glob("unpickled.is-in.*"))) >= 2  # the parent and the worker were watched
    for file in (guarded.home / "scorer").iterdir():
        assert file.suffix in {".txt", ".json", ".parquet"} and file.read_bytes()[:1] != b"\x80"


@served
def test_serving_loads_no_library_that_keeps_models_as_pickles(guarded):
    ours = "service, scoring.hosting.front, scoring.hosting.worker, scoring.proof"  # as a worker does
    code = f"import sys, {ours}; print(*sys.modules)"
    environment = service_environment(guarded.home)
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "scoring.decider" in loaded
    # the last two would only make each start slow
    assert not {"joblib", "dill", "sklearn", "skops", "mlflow", "torch", "lightgbm", "pandas"} & set(loaded)


@served
def test_the_heads_of_the_chains_are_where_the_setting_says(guarded):
    guarded.post("/score", [{"SK_ID_CURR": 1}])
    names = {file.name for file in (guarded.home / "log").iterdir()}
    anchors = {
        file.name.removesuffix(".head"): json.loads(file.read_bytes())
        for file in (guarded.home / "anchors").iterdir()
    }
    assert anchors.keys() == names and names
    for name, head in anchors.items():
        last = (guarded.home / "log" / name).read_bytes().splitlines()[-1]
        assert json.loads(last)["hash"] == head["hash"]
    assert f"log {next(iter(names))}" in guarded.stdout()


def test_the_spy_sees_what_is_unpickled(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SPY)
    code = "import datetime, pickle; pickle.loads(pickle.dumps(datetime.date(2026, 1, 1)))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "SPY": str(tmp_path / "seen")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert Path(tmp_path / "seen").read_text() == "datetime.date\n"


def test_a_tampered_scorer_is_not_served(tmp_path):
    folder = small.save(tmp_path / "scorer")
    text = (folder / "scorer.json").read_text()
    (folder / "scorer.json").write_text(text.replace('"threshold": 0.35', '"threshold": 0.99'))
    with pytest.raises(ValueError, match="changed after training"):
        Scorer.load(folder)
