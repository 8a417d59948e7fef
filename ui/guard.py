"""What every request to the page passes on its way in, and every answer on its way out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import parse_qsl, urlencode

from scoring.language import languages
from scoring.serving.access import is_known_host, is_known_origin
from ui import letter, login, uploads
from ui.address import PageAccess
from ui.header import tag
from ui.people import AT_THE_MACHINE, Person
from ui.place import PLACES
from ui.words import say

logger = logging.getLogger(__name__)

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # with none at all a browser says of no form where it comes from
]
NOT_KEPT = [(b"cache-control", b"no-store")]
# In Gradio's template, whatever the language of the page and wherever it lies. What takes their place is
# together as long as they are, so that the length in the headers stays right.
IN_ENGLISH = b'lang="en"'
AT_THE_ROOT = b'<link rel="manifest" href="/manifest.json" />'
BASE = b'<base href="./" />'

# The parts of Gradio that the page uses, by method and by the path behind the language, with what a query may
# name; all others are closed. Among those are its calls past the queue, its proxy, streams and servers of
# components, and its links that put a stored state back.
_NAME = r"[A-Za-z0-9_-]{1,64}"
_ASSET = r"(?:assets|static)(?:/(?!\.)[A-Za-z0-9@._-]+)+"
_READ = {
    re.compile(rf"|config|theme\.css|{_ASSET}|gradio_api/(?:app_id|heartbeat/{_NAME})"): (),
    letter.ADDRESS: (),
    re.compile(r"gradio_api/queue/data"): ("session_hash",),
    re.compile(r"gradio_api/upload_progress"): ("upload_id",),
}
_FILE = re.compile(r"gradio_api/file=(/.+)")
JOIN, UPLOAD = "gradio_api/queue/join", "gradio_api/upload"
OURS = frozenset({"/", "/favicon.ico"})
MOST_BYTES = {  # of a body; a full form takes a 16th of it
    JOIN: 2**18,
    UPLOAD: uploads.LARGEST + 2**16,
    login.PART: 2**12,
    login.LEAVE: 2**12,
}
HEARTBEAT = "gradio_api/heartbeat/"

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyAborted(Exception):
    """A body is longer than the page takes, or its sender has gone: nobody is left to answer."""


class InvalidCall(ValueError):
    """A body is no call of a handler."""


class PageGuard:
    """Refuses what is not the page's own; lets answers leave with the headers that keep others out.

    Who opens the page in a browser opens others too: one that calls this machine by a name of its own (DNS
    rebinding), or posts to it from its own origin, would read and score clients.

    Parameters
    ----------
    access : PageAccess
        How the page is reached, and by whom.
    doors : Login
        Who is there.
    quiet : collection of (str, int)
        Language and number of the calls that the page makes without anybody having done something.
    """

    def __init__(
        self,
        app: App,
        access: PageAccess,
        doors: login.Login | None = None,
        quiet: Collection[tuple[str, int]] = (),
    ) -> None:
        self.app, self.access = app, access
        self.doors, self.quiet = doors or login.NoLogin(), quiet

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it before its body is read."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page has no sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        resolved = self.access.resolve(scope)
        sent, scope = scope, resolved or scope
        root = scope.get("root_path", "")
        lang, part = split_language(scope["path"].removeprefix(root))
        depth, place = 0, ""
        if lang and part and PLACES.fullmatch(part):  # the page is the same; its script reads the address
            depth, place, part = part.count("/"), part, ""
            scope = scope | {"path": f"{root}/{lang}/", "raw_path": f"{root}/{lang}/".encode()}
        response = Response(send, lang, part, depth)
        if resolved is None:
            await response.refuse(403, "proxy_unknown")
        elif not is_known_host(scope, self.access.hosts):
            await response.refuse(403, "host_unknown")
        elif not is_known_origin(scope, self.access.origins) or self._is_from_nowhere(scope):
            await response.refuse(403, "origin_unknown")
        elif (query := self._allowed_query(scope, lang, part)) is None:
            await response.refuse(404, "not_here")
        elif isinstance(person := self._person(sent, scope, part), login.Stranger):
            if person.can_enter and lang and (not part or letter.ADDRESS.fullmatch(part)):
                asked = scope.get("query_string", b"").decode("latin-1")
                wanted = (place or part or "") + (f"?{asked}" if asked and not part else "")
                await response.lead(f"{root}/{lang}/{login.PART}?{urlencode({'next': wanted})}")
            else:
                await response.refuse(401 if person.can_enter else 403, person.text)
        elif part and letter.ADDRESS.fullmatch(part) and not person.may("look_up"):
            await response.refuse(403, "not_yours")
        elif part == UPLOAD and not uploads.has_room():
            await response.refuse(503, "uploads_full")
        else:
            pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
            kept = {name: value for name, value in pairs if name in query}
            if part != login.PART:  # the one place whose query is a place of the page
                kept = {name: value for name, value in kept.items() if re.fullmatch(_NAME, value)}
            if "session_hash" in kept:
                kept["session_hash"] = login.own(kept["session_hash"], sent, person)
            if part and part.startswith(HEARTBEAT):
                named = login.own(part.removeprefix(HEARTBEAT), sent, person)
                path = f"{root}/{lang}/{HEARTBEAT}{named}"
                scope = scope | {"path": path, "raw_path": path.encode()}
            scope = scope | {login.PERSON: person, login.TOKEN: login.token_of(sent), login.SENT: sent}
            scope["query_string"] = urlencode(kept).encode()
            if lang and not part:  # it is read on its way out, so it comes uncompressed
                scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            await self._pass(sent, scope, receive, response)

    def _person(
        self, sent: dict[str, Any], scope: dict[str, Any], part: str | None
    ) -> Person | login.Stranger:
        """Return who asks; nobody is asked for what is open."""
        if part in OURS or part == login.PART:
            return AT_THE_MACHINE
        is_use = not part or part == UPLOAD or bool(letter.ADDRESS.fullmatch(part))
        return self.doors.who(login.Knock(sent, scope, is_use))

    def _is_from_nowhere(self, scope: dict[str, Any]) -> bool:
        """Say whether something is posted of which no browser says where it comes from.

        Where people are signed in, another web page could let their browsers do something; every browser
        says of a post which page it comes from.
        """
        is_said = any(name == b"origin" for name, _ in scope["headers"])
        return self.doors.is_asked and scope["method"] == "POST" and not is_said

    def _allowed_query(
        self, scope: dict[str, Any], lang: str | None, part: str | None
    ) -> tuple[str, ...] | None:
        """Return the names that a query may have where a request goes; None where nothing is."""
        if lang is None or part is None:
            return () if part in OURS and scope["method"] in ("GET", "HEAD") else None
        posts: dict[str, tuple[str, ...]] = {JOIN: (), UPLOAD: ("upload_id",)}
        if isinstance(self.doors, login.PasswordLogin):
            posts |= {login.PART: (), login.LEAVE: ()}
        if scope["method"] == "POST":
            return posts.get(part)
        if scope["method"] not in ("GET", "HEAD"):
            return None
        if part == login.PART and part in posts:
            return ("next", "out")
        if file := _FILE.fullmatch(part):
            return () if uploads.is_upload(file[1]) else None
        return next((query for path, query in _READ.items() if path.fullmatch(part)), None)

    async def _pass(
        self, sent: dict[str, Any], scope: dict[str, Any], receive: Receive, response: Response
    ) -> None:
        lang, part = response.lang, response.part
        body = limit_body(receive, MOST_BYTES.get(part or "", 0), response)
        try:
            if part == JOIN:
                number, body = await read_call(body, lambda name: login.own(name, sent, scope[login.PERSON]))
                self.doors.who(login.Knock(sent, scope, is_use=(lang, number) not in self.quiet))
            await self.app(scope, body, response)
        except BodyAborted:
            pass
        except InvalidCall:
            await response.refuse(400, "not_taken")
        except Exception as error:  # the border: a trace would repeat what was sent
            logger.error("the page failed: %s", type(error).__name__)
            await response.refuse(500, "page_fails")
            await response.end()


def split_language(path: str) -> tuple[str | None, str | None]:
    """Return the language and what stands behind it in a path; without a language the whole path."""
    lang, _, part = path.removeprefix("/").partition("/")
    return (lang, part) if lang in languages() else (None, path)


def limit_body(receive: Receive, most: int, response: Response) -> Receive:
    """Return a receive that refuses a body of more bytes, and gives one up that breaks off."""
    read, is_whole = 0, not most

    async def counted() -> dict[str, Any]:
        nonlocal read, is_whole
        message = await receive()
        if message["type"] == "http.disconnect" and not is_whole:
            raise BodyAborted
        is_whole = is_whole or not message.get("more_body", False)
        read += len(message.get("body", b""))
        if read > most:
            await response.refuse(413, "too_large")
            raise BodyAborted
        return message

    return counted


async def read_call(
    receive: Receive, own: Callable[[str], str] = lambda session: session
) -> tuple[int, Receive]:
    """Return a call's number, and a receive that gives of the call what the page sends, and nothing else.

    Gradio knows more fields, as other users' events and values of other controls, and takes any text as the
    name of a session, which ``own`` makes the caller's.

    Raises
    ------
    InvalidCall
        If the body is none.
    """
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message["type"] == "http.request" and message.get("more_body", False)
    try:
        call = json.loads(b"".join(parts))
        number, session, data = call["fn_index"], call["session_hash"], call["data"]
    except (ValueError, RecursionError, TypeError, LookupError):
        raise InvalidCall from None
    is_named = isinstance(session, str) and re.fullmatch(_NAME, session)
    if not (is_named and type(number) is int and number >= 0 and isinstance(data, list)):
        raise InvalidCall
    body = json.dumps({"fn_index": number, "session_hash": own(session), "data": data}).encode()
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return number, replay


SENTENCES = {
    401: "signed_out",
    403: "not_here",
    404: "not_here",
    413: "too_large",
    500: "page_fails",
    503: "busy",
}


class Response:
    """A send that adds the headers, and says on the page itself in which language it is.

    Every failure leaves as a sentence of the page: what Gradio and its parsers say of one repeats what was
    sent.

    Parameters
    ----------
    lang, part : str or None
        Where the request went.
    depth : int
        How many folders below its language the page is looked at.
    """

    def __init__(self, send: Send, lang: str | None, part: str | None, depth: int = 0) -> None:
        self._send, self.lang, self.part = send, lang, part
        self._base = BASE.replace(b"./", b"../" * depth) if depth else BASE
        self._is_whole = self._is_started = self._is_stream = False

    @property
    def is_personal(self) -> bool:
        """Whether an answer may show somebody: no browser keeps it for the next who sits there."""
        return bool(self.lang and (not self.part or letter.ADDRESS.fullmatch(self.part)))

    async def __call__(self, message: dict[str, Any]) -> None:
        """Send on."""
        if self._is_whole:
            return
        if message["type"] == "http.response.start":
            if message["status"] >= 400 and self.part != login.PART:
                await self.refuse(message["status"], SENTENCES.get(message["status"], "not_taken"))
                return
            self._is_started = True
            self._is_stream = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            kept = NOT_KEPT if self.is_personal else []
            message["headers"] = [*message["headers"], *HEADERS, *kept]
        elif message["type"] == "http.response.body" and self.lang and not self.part:
            ours, body = f'lang="{tag(self.lang)}"'.encode(), message.get("body", b"")
            spare = len(AT_THE_ROOT) - (len(ours) - len(IN_ENGLISH) if IN_ENGLISH in body else 0)
            spare -= len(self._base) - len(BASE) if BASE in body else 0
            body = body.replace(IN_ENGLISH, ours, 1).replace(BASE, self._base, 1)
            body = body.replace(AT_THE_ROOT, b" " * spare, 1)
            message = message | {"body": body}
        await self._send(message)

    async def end(self) -> None:
        """End a stream of events that broke off: its last event has said why. A file stays cut."""
        if self._is_stream and not self._is_whole:
            self._is_whole = True
            await self._send({"type": "http.response.body", "body": b""})

    async def lead(self, address: str) -> None:
        """Lead to another address."""
        self._is_whole = True
        headers = [(b"location", address.encode()), (b"content-length", b"0"), *HEADERS]
        await self._send({"type": "http.response.start", "status": 303, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, status: int, key: str) -> None:
        """Answer with a sentence in the language of the page, or in each; nothing follows it."""
        if self._is_whole or self._is_started:
            return
        self._is_whole = True
        sentences = [say(key, lang) for lang in languages() if self.lang in (None, lang)]
        body, kind = "\n".join(sentences).encode(), b"text/plain; charset=utf-8"
        if self.part == JOIN:  # its caller reads JSON whatever the status
            body, kind = json.dumps({"detail": sentences[0]}).encode(), b"application/json"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *HEADERS]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
