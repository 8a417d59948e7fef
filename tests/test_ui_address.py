"""The page stays on its own machine, and believes of a proxy what a listed proxy says."""

import asyncio
import socket

import pytest
from typer.testing import CliRunner

from scoring.settings import ORIGINS, PROXIES
from ui.__main__ import app
from ui.address import AddressError, PageAccess, listening, prefix
from ui.guard import PageGuard

LISTED = PageAccess("/desk", PROXIES.read({PROXIES.name: "10.0.0.1, 192.0.2.0/24"}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "::ffff:127.0.0.1", "127.1"])
def test_a_loopback_address_is_listened_on_as_a_number(host: str) -> None:
    address = listening(host)
    assert address.startswith(("127.", "::1", "::ffff:127."))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "192.0.2.7", "::ffff:192.0.2.7", "fe80::1", "10.1"])
def test_a_page_that_others_could_reach_does_not_start_and_says_the_remedy(host: str) -> None:
    outcome = CliRunner().invoke(app, ["--host", host])
    assert outcome.exit_code == 2
    assert "the page has no login" in outcome.output
    assert "CREDIT_SCORING_USERS" in outcome.output


def test_a_name_with_one_address_outside_does_not_start(monkeypatch) -> None:
    def both(*_arguments: object, **_options: object) -> list:
        return [(2, 1, 6, "", ("127.0.0.1", 0)), (2, 1, 6, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(AddressError, match="reached from other machines"):
        listening("desk.example")


@pytest.mark.parametrize("host", ["", "no such host", "a" * 300, "\0", "no.such.host.invalid"])
def test_an_address_that_is_none_is_a_sentence(host: str, monkeypatch) -> None:
    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # the tests ask no name server
    with pytest.raises(AddressError, match=r"write 127\.0\.0\.1"):
        listening(host)


@pytest.mark.parametrize(
    "path", ["desk", "/a//b", "/../b", "/a/.", "/a?b", "/a b", '/"', "http://desk.example/"]
)
def test_a_root_path_that_is_none_is_a_sentence(path: str) -> None:
    outcome = CliRunner().invoke(app, ["--root-path", path])
    assert (outcome.exit_code, "write it like /desk" in outcome.output) == (2, True)


def test_a_proxy_that_is_none_is_a_sentence(monkeypatch) -> None:
    monkeypatch.setenv("CREDIT_SCORING_PROXIES", "10.0.0.1, 10.0.0.1/24")
    outcome = CliRunner().invoke(app, [])
    assert (outcome.exit_code, "entry 2 of CREDIT_SCORING_PROXIES" in outcome.output) == (2, True)


def test_a_misspelt_setting_stops_the_page(monkeypatch) -> None:
    monkeypatch.setenv(f"{ORIGINS.name}S", "https://desk.example")
    outcome = CliRunner().invoke(app, [])
    assert (outcome.exit_code, f"the nearest is {ORIGINS.name}: rename" in outcome.output) == (2, True)


def test_root_paths_and_networks_are_read() -> None:
    assert [prefix(text) for text in ("", "/", "/desk", "/a/b-c/")] == ["", "", "/desk", "/a/b-c"]
    assert [str(found) for found in LISTED.proxies] == ["10.0.0.1/32", "192.0.2.0/24"]


def resolve(
    access: PageAccess, path: str = "/en/", client: str = "10.0.0.1", **forwarded: str
) -> dict | None:
    headers = {
        "host": "127.0.0.1:7860",
        **{name.replace("_", "-"): value for name, value in forwarded.items()},
    }
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return access.resolve(
        {
            "type": "http",
            "path": path,
            "method": "GET",
            "headers": pairs,
            "client": (client, 5),
            "scheme": "http",
        }
    )


@pytest.mark.parametrize("path", ["/en/", "/desk/en/"])
def test_a_prefix_stands_before_the_path_whether_the_proxy_takes_it_off_or_not(path: str) -> None:
    found = resolve(LISTED, path)
    assert (found["root_path"], found["path"]) == ("/desk", "/desk/en/")
    assert resolve(LISTED, "/desk")["path"] == "/desk/"
    assert resolve(LISTED, "/desktop")["path"] == "/desk/desktop"


def test_a_listed_proxy_says_how_the_page_was_called() -> None:
    forwarded = {
        "x_forwarded_host": "desk.example",
        "x_forwarded_proto": "https",
        "x_forwarded_prefix": "/credit/",
    }
    for client in ("10.0.0.1", "192.0.2.9", "::ffff:10.0.0.1"):
        found = resolve(LISTED, client=client, x_forwarded_for="203.0.113.1", **forwarded)
        assert (found["scheme"], found["root_path"], found["path"]) == ("https", "/credit", "/credit/en/")
        assert found["headers"] == [(b"host", b"desk.example")]


@pytest.mark.parametrize(
    "named", ["//evil.example", "/a/../b", "https://evil.example", '/"><script>', "/a\r\nb", "a"]
)
def test_a_prefix_that_is_no_path_is_not_used(named: str) -> None:
    assert resolve(LISTED, x_forwarded_prefix=named)["root_path"] == "/desk"


@pytest.mark.parametrize(
    "name",
    [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-real-ip",
        "via",
        "x-original-uri",
    ],
)
@pytest.mark.parametrize("client", ["127.0.0.1", "10.0.0.2", "", "::1"])
def test_what_an_unknown_proxy_brings_is_refused_with_the_remedy(name: str, client: str) -> None:
    assert resolve(LISTED, client=client, **{name: "x"}) is None
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/",
        "method": "GET",
        "headers": [(b"host", b"localhost"), (name.encode(), b"x")],
        "client": (client, 5),
    }
    asyncio.run(PageGuard(None, LISTED)(scope, None, send))
    assert sent[0]["status"] == 403
    assert sent[1]["body"].decode().count("CREDIT_SCORING_PROXIES") == 2


def test_what_gradio_would_build_addresses_from_does_not_reach_it() -> None:
    found = resolve(PageAccess(), x_gradio_server="http://evil.example", range="bytes=1-2-3", cookie="a=b")
    assert found["headers"] == [(b"host", b"127.0.0.1:7860")]
