"""The pages that the service has to read: each made once for a model, and answered from memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scoring.serving.asgi import App, Receive, Scope, Send, respond
from scoring.serving.forwarded import PREFIX
from scoring.serving.problem import Rejection

PAGES_KEPT = 64


@dataclass(frozen=True)
class Document:
    """A page as it is sent."""

    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def tag(self) -> str:
        """What changes when the page does."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


class Documents:
    """ASGI middleware that answers the pages, and leads all else to the application.

    To make one takes up to half a second: it is made in a thread, and once.

    Parameters
    ----------
    app : ASGI application
    pages : mapping of path to callable
        Make the pages, for the sub-path below which a proxy has the service ("" for none).
    version : callable
        Gives the exact tag of the model that they speak of.
    """

    def __init__(
        self, app: App, pages: Mapping[str, Callable[[str], Document]], version: Callable[[], str]
    ) -> None:
        self.app = app
        self.pages = pages
        self.version = version
        self._made: dict[tuple[str, str], tuple[str, asyncio.Future[Document]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] not in self.pages:
            await self.app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            raise Rejection("read-only", allow="GET, HEAD")
        document = await self._document(scope["path"], scope.get(PREFIX, ""))
        tag = document.tag.encode()
        known = [value for name, value in scope["headers"] if name == b"if-none-match"]
        if any(tag in value for value in known):
            await respond(send, 304, [(b"etag", tag)], b"")
            return
        headers = {"content-type": document.kind, **document.headers}
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        await respond(send, 200, [*sent, (b"etag", tag)], document.body)

    async def _document(self, path: str, prefix: str) -> Document:
        version, page = self.version(), (path, prefix)
        made = self._made.get(page)
        if made is None or made[0] != version:
            made = (version, asyncio.ensure_future(asyncio.to_thread(self.pages[path], prefix)))
            self._made[page] = made
            if len(self._made) > PAGES_KEPT:  # a proxy that passes on what its clients say of sub-paths
                self._made.pop(next(iter(self._made)))
        try:
            return await asyncio.shield(made[1])
        except Exception:
            self._made.pop(page, None)  # the next one tries again
            raise
