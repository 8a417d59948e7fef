"""Whoever came before the end is answered: in line, just accepted, or with a request that is not read yet."""

import asyncio
import errno
import select
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from scoring.serving import line
from scoring.serving.private.connection import ASK_S, connection
from scoring.serving.private.server import server
from tests.support.connection import LIMITS, app

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can let nobody in")


def listening() -> socket.socket:
    one = socket.create_server(("127.0.0.1", 0), backlog=64)
    one.setblocking(False)
    return one


def come(port: int, words: bytes = ASKED) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(words)
    return client


def hear(client: socket.socket) -> bytes:
    """Return all that the server says until it closes; nothing where it resets."""
    said = b""
    try:
        while part := client.recv(4_096):
            said += part
    except ConnectionResetError:
        return b""
    finally:
        client.close()
    return said


def serve(
    kind: type[uvicorn.Server], talk: Callable[[int, Callable[[], Awaitable[None]]], Awaitable[Any]]
) -> Any:
    """Run ``talk(port, end)`` against a server; ``end`` ends it, in the moment in which it is awaited."""

    async def run() -> Any:
        one, is_ending = listening(), [False]
        bounded = connection(LIMITS, lambda: is_ending[0])
        config = uvicorn.Config(app, log_config=None, lifespan="off", http=bounded, ws="none")
        config.load()
        served = kind(config)
        served.lifespan = config.lifespan_class(config)
        await served.startup([one])

        async def end() -> None:
            is_ending[0] = True
            await asyncio.wait_for(served.shutdown([one]), 20)

        return await talk(one.getsockname()[1], end)

    return asyncio.run(run())


async def wait_in_line(port: int, end: Callable[[], Awaitable[None]]) -> list[bytes]:
    """Come, thirty at once, while nothing is accepted: the loop is held."""
    waiting = [come(port) for _ in range(30)]
    await end()
    return [hear(client) for client in waiting]


def test_who_stands_in_line_at_the_end_is_answered_and_told_that_the_connection_ends():
    heard = serve(server(lambda: True), wait_in_line)
    assert all(one.startswith(b"HTTP/1.1 200") and b"connection: close" in one for one in heard)


@pytest.mark.parametrize("kind", [uvicorn.Server, server(lambda: False)], ids=["as it comes", "others serve"])
def test_who_stands_in_line_is_left_to_others_where_there_are_any(kind):
    """Here are none, so they are reset: that is what a part of uvicorn is replaced for."""
    assert b"" in serve(kind, wait_in_line)


def test_who_was_accepted_just_before_the_end_has_time_to_ask():
    async def talk(port: int, end: Callable[[], Awaitable[None]]) -> bytes:
        client = come(port, b"")
        await asyncio.sleep(0.05)
        ending = asyncio.ensure_future(end())
        await asyncio.sleep(line.SETTLE_S + 0.1)
        client.sendall(ASKED)
        await ending
        return hear(client)

    heard = serve(server(lambda: True), talk)
    assert heard.startswith(b"HTTP/1.1 200") and b"connection: close" in heard


def test_what_came_on_an_idle_connection_is_answered_though_it_was_not_read_yet():
    async def talk(port: int, end: Callable[[], Awaitable[None]]) -> bytes:
        client = come(port)
        await asyncio.sleep(0.1)
        assert client.recv(4_096).startswith(b"HTTP/1.1 200")
        client.sendall(ASKED)
        await end()
        return hear(client)

    assert serve(server(lambda: False), talk).startswith(b"HTTP/1.1 200")


def test_who_asks_nothing_more_does_not_keep_the_server():
    async def talk(port: int, end: Callable[[], Awaitable[None]]) -> bytes:
        client = come(port)
        await asyncio.sleep(0.1)
        assert client.recv(4_096).startswith(b"HTTP/1.1 200")
        await asyncio.wait_for(end(), ASK_S)
        return hear(client)

    assert serve(server(lambda: False), talk) == b""


@only_linux
def test_who_begins_to_connect_after_the_last_is_refused_and_never_let_in():
    with listening() as one:
        before = come(one.getsockname()[1])
        line.let_nobody_in(one)
        late = socket.socket()
        late.setblocking(False)
        address = one.getsockname()
        assert late.connect_ex(address) == errno.EINPROGRESS
        assert line.is_readable(one)
        accepted, _ = one.accept()
        assert accepted.recv(4_096) == ASKED  # who was let in before loses nothing
        accepted.close()
        assert not line.is_readable(one)
    with late, before:
        select.select((), [late], (), 10)  # it asks again after a second
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
