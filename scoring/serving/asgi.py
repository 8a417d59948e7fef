"""The words of ASGI, and the messages that leave through the middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, NamedTuple

from scoring.serving.problem import PROBLEM_TYPE, Rejection

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
ASKER = "credit_scoring.asker"  # where the ASGI scope carries the `Asker`
PIECE = 2**16
_KINDS = {404: "not-found", 405: "method-not-allowed", 503: "not-ready"}


class Asker(NamedTuple):
    """Who asks: whose key it is, the operator (the same, or whom a front end names), the request's id."""

    key: str | None
    operator: str | None
    request_id: str


async def no_endpoint(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Be the application that has no page."""
    raise Rejection("not-found")


def by_path(paths: Collection[str], elsewhere: App, app: App) -> App:
    """Return an application that leads requests for other paths ``elsewhere``."""

    async def lead(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] != "http" or scope["path"] in paths
        await (app if is_ours else elsewhere)(scope, receive, send)

    return lead


def with_header(path: str, name: bytes, value: Callable[[], bytes], app: App) -> App:
    """Return an application whose answers of 200 at a path have one header more."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def extended(message: Message) -> None:
            if message.get("status") == 200:
                message = {**message, "headers": [*message["headers"], (name, value())]}
            await send(message)

        is_there = scope["type"] == "http" and scope["path"] == path
        await app(scope, receive, extended if is_there else send)

    return answer


class Uniform:
    """A send that gives every error the one shape: the frameworks below have four."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.has_started = False
        self.is_closed = False
        self._is_replaced = False

    async def __call__(self, message: Message) -> None:
        """Send on, or a problem in place of another error; nothing once it is closed."""
        if self.is_closed or self._is_replaced:
            return
        self.has_started = True
        status = message.get("status", 200)
        if status >= 400 and (b"content-type", PROBLEM_TYPE) not in message["headers"]:
            self._is_replaced = True
            allow = dict(message["headers"]).get(b"allow", b"").decode("latin-1")
            kind = _KINDS.get(status, "unanswered")
            await reject(self.send, Rejection(kind, allow=allow, status=status))
        else:
            await self.send(message)


class Numbered:
    """A send that puts the request's id into the headers, and keeps pages of other sites out of ours.

    What is large leaves in pieces: who asks little is answered in between.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.has_started = False
        self._headers = [(b"x-request-id", request_id.encode()), *SAFE_HEADERS]

    async def __call__(self, message: Message) -> None:
        """Send on, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.has_started = True
            message = {**message, "headers": [*message.get("headers", []), *self._headers]}
        body, end = message.get("body", b""), 0
        while len(body) - end > PIECE:
            end += PIECE
            await self.send({**message, "body": body[end - PIECE : end], "more_body": True})
            await asyncio.sleep(0)
        await self.send({**message, "body": body[end:]} if end else message)


async def reject(send: Send, rejection: Rejection) -> None:
    """Send a rejection."""
    headers = [(name.encode(), value.encode()) for name, value in rejection.headers().items()]
    await respond(send, rejection.status, headers, rejection.body())


async def respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send an answer that is known whole."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
