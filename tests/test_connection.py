"""A connection that stalls is cut, and whatever is not HTTP is refused in the one shape of all errors."""

import asyncio
import json
import logging
import re
import time
from dataclasses import replace

import pytest

from scoring.schema import Problem
from scoring.serving.limits import Limits
from tests.support.connection import LIMITS, echo, serve

# What is answered under these was answered at once: the talk itself ends before any of them.
PATIENT = replace(LIMITS, header_s=60, pause_s=60, body_s=60)


async def large(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(64 * 2**20)})


async def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send the parts; return all that comes back until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(pause)
    try:
        answer = await reader.read()
    except ConnectionResetError:
        answer = b""
    writer.close()
    return answer


def problem(answer: bytes) -> Problem:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower() and b"nosniff" in head
    assert b"connection: close" in head.lower()
    found = Problem.model_validate_json(body)
    assert head.startswith(b"HTTP/1.1 %d " % found.status)
    return found


@pytest.mark.parametrize(
    "begun", [b"", b"P", b"POST /score", b"POST /score HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nA: "]
)
def test_a_head_that_stalls_is_cut(begun):
    answer = serve(lambda port: exchange(port, begun))
    assert problem(answer).status == 408 if begun else answer == b""


def test_a_head_that_drips_is_cut_as_soon_as_one_that_stalls():
    drops = [b"GET / HTTP/1.1\r\n", *[b"X-%d: 1\r\n" % number for number in range(4)]]
    answer = serve(lambda port: exchange(port, *drops, pause=0.05))
    assert problem(answer).status == 408


def test_a_second_request_on_a_connection_has_its_own_time():
    first = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    async def talk(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(first)
            assert b"200" in await reader.readuntil(b"ok")
            await asyncio.sleep(0.4)  # longer than a head may take: nothing has begun
        writer.write(first[:20])
        answer = await reader.read()
        writer.close()
        return answer

    assert problem(serve(talk)).status == 408


def test_a_body_that_stalls_is_cut():
    begun = (
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    answer = serve(lambda port: exchange(port, begun))
    assert problem(answer).status == 408


@pytest.mark.parametrize(
    "head",
    [
        b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 4_000),
        b"GET / HTTP/1.1\r\nCookie: %s\r\n\r\n" % (b"a" * 4_000),
        b"GET / HTTP/1.1\r\nCookie: %s" % (b"a" * 4_000),
        b"GET / HTTP/1.1\r\n%s\r\n" % (b"A: b\r\n" * 1_500),
    ],
)
def test_a_head_that_is_too_large_is_refused_at_once(head):
    answer = serve(lambda port: exchange(port, head), limits=PATIENT)
    assert problem(answer).status == 431


@pytest.mark.parametrize(
    "raw",
    [
        *[
            b"\r\n\r\n\r\nhello\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
        ],
        *[b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n"],
        *[b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_the_one_shape(raw):
    answer = serve(lambda port: exchange(port, raw))
    if not answer.startswith(b"HTTP/1.1 200"):
        problem(answer[answer.rindex(b"HTTP/1.1 4") :])


def test_a_websocket_is_not_opened():
    asked = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    answer = serve(lambda port: exchange(port, asked))
    assert b"101" not in answer.split(b"\r\n")[0]


def test_who_does_not_take_an_answer_is_cut():
    async def talk(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.0)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(64 * 2**20)
        writer.close()

    serve(talk, app=large, limits=Limits(body_s=0.3))


def test_who_does_not_take_an_answer_is_cut_though_more_requests_follow():
    first = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    async def talk(port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(first)
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() < begun + 3:
                writer.write(first)
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()

    serve(talk, app=large, limits=Limits(body_s=0.3))


def test_a_head_that_comes_in_pieces_may_be_as_large_as_one_that_does_not():
    head = b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
        b"u" * 400,
        b"".join(b"A%d: %s\r\n" % (i, b"b" * 90) for i in range(15)),
    )
    assert LIMITS.header_bytes * 0.9 < len(head) < LIMITS.header_bytes + 15 * 4
    pieces = [head[i : i + 100] for i in range(0, len(head), 100)]
    for parts in ([head], pieces, [head[:300], head[300:]]):
        last = [*parts[:-1], parts[-1][:-2] + b"Connection: close\r\n\r\n"]
        answer = serve(lambda port, last=last: exchange(port, *last, pause=0.005))
        assert answer.startswith(b"HTTP/1.1 200")
    dripped = [b"GET / HTTP/1.1\r\nA: ", *[b"a" * 500] * 6]
    assert problem(serve(lambda port: exchange(port, *dripped, pause=0.005))).status == 431


def test_the_body_before_it_is_not_counted_with_a_head():
    body = b" " * 8_000
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    second = b"GET / HTTP/1.1\r\nConnection: close\r\nHo", b"st: x\r\n\r\n"
    answer = serve(lambda port: exchange(port, first + second[0], second[1], pause=0.05))
    assert answer.count(b"HTTP/1.1 200") == 2


def test_while_the_service_drains_each_answer_closes_its_connection():
    asked = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = serve(lambda port: exchange(port, asked), is_draining=lambda: True)
    assert b"connection: close" in answer


def test_stalled_clients_do_not_delay_the_others():
    async def talk(port):
        stalled = [asyncio.ensure_future(exchange(port, b"POST /score HT")) for _ in range(100)]
        body = (
            b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        stalled += [asyncio.ensure_future(exchange(port, body)) for _ in range(100)]
        await asyncio.sleep(0.1)
        good = await asyncio.gather(
            *(exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") for _ in range(20))
        )
        return await asyncio.gather(*stalled), good

    stalled, good = serve(talk)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in good)
    assert {problem(answer).status for answer in stalled} == {408}


def echoed(answer: bytes) -> list:
    """What `echo` said, request by request."""
    return [json.loads(said) for said in re.findall(rb"\r\n(\[.*?\]\])\r\n", answer)]


H2C = (
    b"POST /first HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 2\r\nHost: x\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n\r\n{}"  # as the JDK's
)
CHUNKED = H2C.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked").replace(
    b"{}", b"2\r\n{}\r\n0\r\n\r\n"
)
WEBSOCKET = H2C.replace(b"h2c", b"websocket")
NO_BODY = b"GET /first HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
LAST = b"POST /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast"


@pytest.mark.parametrize("first", [H2C, CHUNKED, WEBSOCKET, NO_BODY])
@pytest.mark.parametrize("is_dripped", [False, True])
def test_an_upgrade_is_not_taken_up_and_the_request_is_answered_as_are_those_behind_it(first, is_dripped):
    raw = first + first + LAST
    parts = [raw[i : i + 1] for i in range(len(raw))] if is_dripped else [raw]
    answer = serve(lambda port: exchange(port, *parts), app=echo, limits=Limits())
    body = "" if first is NO_BODY else "{}"
    assert [said[:2] for said in echoed(answer)] == [["/first", body], ["/first", body], ["/last", "last"]]
    assert b"HTTP/1.1 101" not in answer and "upgrade" not in echoed(answer)[0][2]


@pytest.mark.parametrize("raw", [LAST, H2C, H2C + b"GET / HT", LAST[:-2], H2C[:-20], b""])
def test_who_shuts_the_way_there_is_answered_if_the_request_was_whole(raw):
    async def talk(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    found = echoed(serve(talk, app=echo, limits=PATIENT))
    assert len(found) == (raw.startswith((LAST, H2C)))


def test_many_upgrades_in_one_packet_are_all_answered():
    answer = serve(lambda port: exchange(port, NO_BODY * 500 + LAST), app=echo, limits=Limits())
    assert len(echoed(answer)) == 501


def test_this_is_no_proxy():
    for target in (b"bank.example:443", b"/score"):
        raw = b"CONNECT %b HTTP/1.1\r\nHost: bank.example\r\n\r\n" % target
        answer = serve(lambda port, raw=raw: exchange(port, raw), limits=PATIENT)
        assert problem(answer).status == 405 and b"allow: GET, HEAD, POST" in answer


def test_what_follows_a_body_is_no_header():
    raw = LAST.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked").removesuffix(b"last")
    raw += b"4\r\nlast\r\n0\r\nX-API-Key: k\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"
    answer = serve(lambda port: exchange(port, raw), app=echo)
    assert echoed(answer) == [["/last", "last", ["host", "connection", "transfer-encoding"]]]


START = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n" * 1_500,
        b"GET / HTTP/1.1\r\nA:%b b\r\n\r\n" % (b" " * 3_000),
        b"GET / HTTP/1.1\r\nA: b%b\r\n\r\n" % (b"\t" * 3_000),
        b"GET / HTTP/1.1\r\n" + b"A:\r\n" * 140 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"A:" * 1_500,
        START + b"1;%b\r\na\r\n0\r\n\r\n" % (b"a" * 9_000),
        START + b"0\r\n" + b"A: %b\r\n\r\n" % (b"a" * 9_000),
        START + b"0\r\n" + b"A: b\r\n" * 1_500,
    ],
)
@pytest.mark.parametrize("piece", [100, 100_000])
def test_every_byte_around_the_bodies_is_counted_as_it_comes(raw, piece):
    parts = [raw[i : i + piece] for i in range(0, len(raw), piece)]

    async def slow(_scope, receive, _send):
        while (await receive()).get("more_body"):
            pass

    answer = serve(lambda port: exchange(port, *parts), app=slow, limits=PATIENT)
    assert problem(answer).status == 431


def test_a_head_may_have_as_many_bytes_as_its_limit_and_not_one_more():
    for size, status in ((LIMITS.header_bytes, 200), (LIMITS.header_bytes + 1, 431)):
        head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: %b\r\n\r\n"
        head %= b"a" * (size - len(head) + 2)
        for parts in ([head], [head[:100], head[100:]]):
            answer = serve(lambda port, parts=parts: exchange(port, *parts, pause=0.02))
            assert answer.startswith(b"HTTP/1.1 %d" % status), (size, len(parts))


def test_what_is_wrong_behind_a_request_waits_for_its_answer():
    first = b"POST /first HTTP/1.1\r\nHost: x\r\nSleep: 0.3\r\nContent-Length: 2\r\n\r\n{}"
    for bad, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nA: %b" % (b"a" * 5_000), 431)):
        answer = serve(lambda port, bad=bad: exchange(port, first + bad), app=echo)
        assert echoed(answer)[0][:2] == ["/first", "{}"] and answer.startswith(b"HTTP/1.1 200")
        assert problem(answer[answer.index(b"HTTP/1.1 4") :]).status == status


def test_a_blank_line_behind_a_request_cuts_no_answer_and_keeps_no_connection():
    first = b"POST /first HTTP/1.1\r\nHost: x\r\nSleep: 0.5\r\nContent-Length: 2\r\n\r\n{}"

    async def talk(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        answer, end = asyncio.ensure_future(reader.read()), time.monotonic() + 5
        while not answer.done() and time.monotonic() < end:
            writer.write(b"\r\n")
            await asyncio.sleep(0.05)
        writer.transport.abort()
        assert time.monotonic() < end, "blank lines kept the connection"
        return await answer

    assert echoed(serve(talk, app=echo))[0][:2] == ["/first", "{}"]


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://x:3000/score", b"x:3000", 200),
        (b"http://X/", b"x", 200),
        (b"http://evil.example/", b"127.0.0.1", 400),
        (b"http://x:3000/", b"x", 400),
        (b"http://x/", b"x\r\nHost: x", 400),
        (b"//evil.example/", b"x", 200),  # a path, as the middleware sees it too
        (b"x:443", b"x:443", 400),
    ],
)
def test_a_target_names_no_other_host_than_the_header_does(target, host, status):
    raw = b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (target, host)
    answer = serve(lambda port: exchange(port, raw))
    assert answer.startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize("method", [b"OPTIONS", b"GET", b"HEAD", b"POST"])
def test_who_asks_for_no_path_is_told_that_and_nothing_of_hosts(method):
    raw = b"%b * HTTP/1.1\r\nHost: x\r\n\r\n" % method
    answer = problem(serve(lambda port: exchange(port, raw)))
    assert answer.status == 400 and answer.type.endswith("not-a-path")


def test_who_waits_longest_makes_way_for_who_comes(caplog):
    asked = b"GET / HTTP/1.1\r\nHost: x\r\n"

    async def talk(port):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.05)
        reader, writer = idle[0]
        writer.write(asked + b"\r\n")  # it is the last to wait now
        await reader.readuntil(b"ok")
        many = [await exchange(port, asked + b"Connection: close\r\n\r\n") for _ in range(10)]
        begun = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, wire in begun:
            wire.write(asked)
        await asyncio.sleep(0.05)
        over = await exchange(port)
        for _, wire in idle + begun:
            wire.close()
        return many, [reader.at_eof() for reader, _ in idle], over

    with caplog.at_level(logging.WARNING, "bentoml.credit_scoring"):
        many, gone, over = serve(talk, most=3, limits=Limits(header_s=2))
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in many)
    assert gone == [True, True, True]
    assert problem(over).status == 503 and b"retry-after: 1" in over
    assert len(caplog.records) == 1 and "ulimit -n" in caplog.text


@pytest.mark.parametrize("path", [b"/", b"/livez", b"/readyz", b"/score", b"/nothing"])
@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"Host: x\r\nHost: x\r\n",
        b"Host: a b\r\n",
        b"Host: x/y\r\n",
        b"Host: u@x\r\n",
        b"Host: x:1:2\r\n",
    ],
)
def test_a_request_without_the_one_host_that_it_must_have_is_refused_on_every_path(path, hosts):
    for wish in (b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"):
        raw = b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, hosts, wish)
        answer = serve(lambda port, raw=raw: exchange(port, raw))
        found = problem(answer)
        assert found.status == 400 and found.detail.startswith("Send one header Host")


@pytest.mark.parametrize(
    "host", [b"", b"x", b"a_b.example:443", b"[::1]:3000", b"127.0.0.1:", b"xn--bcher-kva.example"]
)
def test_every_host_that_can_be_one_is_let_in(host):
    raw = b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % host
    answer = serve(lambda port: exchange(port, raw))
    assert answer.startswith(b"HTTP/1.1 200 ")
