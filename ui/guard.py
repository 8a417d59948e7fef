"""What every request to the page passes on its way in, and every answer on its way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from scoring.features.wording import LANGUAGES
from scoring.serving.access import is_known_host, is_known_origin
from ui.words import say

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
IN_ENGLISH = b'lang="en"'  # of <html>, in Gradio's template, whatever the language of the page

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Guard:
    """Refuses what another web page sends; lets answers leave with the headers that keep others out.

    Who opens the page in a browser opens others too: one that calls this machine by a name of its own (DNS
    rebinding), or posts to it from its own origin, would read and score clients.

    Parameters
    ----------
    hosts, origins : collection of str
        Names of the page beside the loopback names; web origins that may ask beside the page itself.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], hosts: Collection[str] = (), origins: Collection[str] = ()
    ) -> None:
        self.app, self.hosts, self.origins = app, hosts, origins

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Send) -> None:
        """Pass a request on, or refuse it before its body is read."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        leaving = Leaving(send, spoken(scope))
        if not is_known_host(scope, self.hosts):
            await refuse(scope, leaving, "host_unknown")
        elif not is_known_origin(scope, self.origins):
            await refuse(scope, leaving, "origin_unknown")
        else:
            await self.app(scope, receive, leaving)


class Leaving:
    """A send that adds the headers, and says on the page itself in which language it is."""

    def __init__(self, send: Send, lang: str | None) -> None:
        self.send = send
        self._lang = lang

    async def __call__(self, message: dict[str, Any]) -> None:
        """Send on."""
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        elif message["type"] == "http.response.body" and self._lang:
            # As long as it was, so that the length in the headers stays right.
            body = message.get("body", b"").replace(IN_ENGLISH, f'lang="{self._lang}"'.encode(), 1)
            message, self._lang = message | {"body": body}, None
        await self.send(message)


def spoken(scope: dict[str, Any]) -> str | None:
    """Return the language if a request asks for the page itself, which then comes uncompressed."""
    lang = scope["path"].strip("/")
    if lang not in LANGUAGES:
        return None
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return str(lang)


async def refuse(scope: dict[str, Any], send: Send, key: str) -> None:
    """Refuse with a sentence in each language; a socket is closed without one."""
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = "\n".join(say(key, lang) for lang in LANGUAGES).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
