"""A proxy opens nothing that was shut, and is believed only if the settings name it: tried behind nginx."""

import asyncio
from ipaddress import ip_network

import httpx
import pytest

from scoring.serving.access import AccessGuard, KeyRing
from scoring.serving.forwarded import PREFIX, Forwarded
from scoring.serving.limits import Limits
from scoring.serving.rate import Rate
from tests.support.connection import echo, serve
from tests.support.proxies import needs_nginx, nginx
from tests.support.running import problem

PROXIES = (ip_network("127.0.0.2"), ip_network("10.1.0.0/16"))
FIRST = "location / {{ proxy_pass http://127.0.0.1:{port}; }}"  # as the manual has it
USUAL = (
    "location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $host; {bind} "
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}"
)


def taken(client: str, **headers: str | list[str]) -> tuple[str, str, str]:
    """Client, scheme and sub-path of a request, as the service sees them."""
    pairs = [
        (f"x-forwarded-{name}".encode(), value.encode())
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope: dict = {"type": "http", "client": (client, 1), "scheme": "http", "headers": pairs}

    async def nothing(*_):
        pass

    asyncio.run(Forwarded(nothing, PROXIES)(scope, nothing, nothing))
    return scope["client"][0], scope["scheme"], scope.get(PREFIX, "")


PLAIN = {"proto": "https", "prefix": "/credit"}


@pytest.mark.parametrize("client", ["127.0.0.1", "10.2.0.1", "::1", "testclient", "127.0.0.2.example", ""])
def test_who_is_not_named_is_not_believed(client):
    assert taken(client, **{"for": "10.9.9.9"}, **PLAIN) == (client, "http", "")


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),  # what a client says of itself stands before
        ("203.0.113.9, 192.0.2.1, 10.1.2.3, 127.0.0.2", "192.0.2.1"),
        (["203.0.113.9", "192.0.2.1", "10.1.2.3"], "192.0.2.1"),
        ("192.0.2.1:5000", "192.0.2.1"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("", "127.0.0.2"),
        ("203.0.113.9, unknown", "127.0.0.2"),
        ("203.0.113.9, x'--, 10.1.2.3", "10.1.2.3"),
    ],
)
def test_the_client_is_the_last_one_that_is_no_proxy(told, client):
    assert taken("127.0.0.2", **{"for": told}) == (client, "http", "")
    assert taken("::ffff:127.0.0.2", **{"for": told})[0] == client.replace("127.0.0.2", "::ffff:127.0.0.2")


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("/credit", "/credit"),
        ("/a/b/", "/a/b"),
        *(
            (wrong, "")
            for wrong in ("", "/", "credit", "//evil.example", "/a/../b", "/.", '/"><script>', "/a b")
        ),
        *((wrong, "") for wrong in (f"/{'a' * 200}", "/a" * 9, "/%2e", "/a?b", "/a#b", "/é")),
        (["/a", "/b"], ""),
    ],
)
def test_a_sub_path_is_plain_or_is_none(prefix, found):
    assert taken("127.0.0.2", prefix=prefix)[2] == found


def test_a_scheme_is_one_of_two():
    said = ["https", "http", "ftp", "https, http", ""]
    assert [taken("127.0.0.2", proto=one)[1] for one in said] == ["https", "http", "http", "http", "http"]
    assert taken("127.0.0.2", proto=["https", "https"])[1] == "http"


@needs_nginx
def test_without_keys_nobody_comes_in_through_a_proxy(tmp_path):
    async def talk(port):
        with nginx(tmp_path, FIRST.format(port=port), USUAL.format(port=port, bind="")) as urls:
            async with httpx.AsyncClient(trust_env=False) as http:
                asked = [f"http://127.0.0.1:{port}", *urls]
                hosts = ["127.0.0.1", "localhost", "scores.bank.example"]
                calls = [(f"{url}/model", host) for url in asked for host in hosts]
                return [await http.get(url, headers={"host": host}) for url, host in calls]

    answers = serve(talk, app=echo, admit=AccessGuard(KeyRing(), hosts=["scores.bank.example"]))
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]
    for answer in answers[3:]:
        assert "needs API keys" in problem(answer, 403).detail


@needs_nginx
@pytest.mark.parametrize("is_named", [True, False])
def test_what_a_client_says_of_its_address_gives_it_no_second_rate(tmp_path, is_named):
    def gate(app):
        return Forwarded(app, PROXIES if is_named else ())

    async def ask(url, address):
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(transport=transport) as http:
            invented = [f"192.0.2.{number}" for number in range(15)]
            answers = [await http.get(f"{url}/x", headers={"x-forwarded-for": one}) for one in invented]
        return sum(answer.status_code == 200 for answer in answers)

    async def talk(port):
        with nginx(tmp_path, USUAL.format(port=port, bind="proxy_bind 127.0.0.2;")) as (url,):
            one, other = await ask(url, "127.0.0.1"), await ask(url, "127.0.0.7")
            return one, other, await ask(f"http://127.0.0.1:{port}", "127.0.0.8")

    rate = Rate(2, clock=lambda: 0.0)
    found = serve(talk, app=echo, gate=gate, rate=rate, limits=Limits())
    assert found == ((2, 2, 2) if is_named else (2, 0, 2))  # unnamed, the proxy is one client
