"""One client's connection, below ASGI: uvicorn alone waits for ever, and says no in its own words.

A head (request line and headers) must be whole in time and of a bounded size, a client must take its answer,
and whatever is not HTTP gets the service's one shape of error. An upgrade to another protocol is not taken
up, and the request answered (RFC 9110, section 7.8). While the service drains, each answer closes its
connection, so that the next request of that client goes elsewhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scoring.serving.crowd import Crowd
from scoring.serving.limits import Limits
from scoring.serving.line import is_readable
from scoring.serving.problem import Rejection

_HOST = re.compile(rb"(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]*)(?::\d*)?")  # RFC 3986, section 3.2.2
ASK_S = 1.0  # in which who came just before the end may ask
LINGER_S = 1.0  # in which what a refused client still sends is thrown away


def connection(limits: Limits, is_draining: Callable[[], bool], most: int = 0) -> type[Connection]:
    """Return the class of the connections of a process; ``most``: see `Crowd`."""
    return type("Bounded", (Connection,), {"limits": limits, "drains": (is_draining,), "crowd": Crowd(most)})


class Connection(HttpToolsProtocol):
    """An HTTP connection with limits."""

    limits: ClassVar[Limits]
    drains: ClassVar[tuple[Callable[[], bool]]]  # in a tuple: a bare function would be a method
    crowd: ClassVar[Crowd]

    _timer: asyncio.TimerHandle | None = None  # of a head
    _write_timer: asyncio.TimerHandle | None = None  # a pipelined head must not end it
    _is_in_header = False
    _is_in_body = False
    _is_upgrade = False  # the head asks for another protocol, and is read again without that wish
    _is_over = False  # nothing more is read
    _parts = 0  # heads, parts of bodies and messages that came to their end
    _header_bytes = 0  # that have come since the last of these
    _refusal: Rejection | None = None
    _last_words: bytes | None = None  # for when the answers before are out

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a first request, if there is room for one more client."""
        super().connection_made(transport)
        if self.crowd.has_room(len(self.connections)):
            self.crowd.waits(self)
            self._expect(self.limits.header_s, self._late)
        else:
            self._reject(Rejection("too-many-connections", retry_after_s=self.limits.retry_after_s))
            self.transport.close()  # at once: there is no room to wait in

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self.crowd.works(self)
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def leave(self) -> None:
        """Make room for another client: this one has asked for nothing."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Read on; a head must be whole in time, and before it is too large.

        Every byte on the wire is counted that is neither of a body nor of a head that is whole: blank lines,
        the space around values, the framing of a chunked body and what follows it too. Where a head begins
        behind another message in one piece, it is counted from the next piece on.
        """
        if self._is_over:
            return
        self._unset_keepalive_if_required()
        self.crowd.works(self)
        most = self.limits.header_bytes
        rest: bytes | memoryview = data if len(data) <= most - self._header_bytes else memoryview(data)
        while len(rest) and not self._is_over:
            room = most - self._header_bytes
            piece, rest = rest[:room], rest[room:]
            parts = self._parts
            self._read(piece)
            if self._parts != parts:
                self._header_bytes = 0
                continue
            self._header_bytes += len(piece)
            if self._header_bytes >= most and not self._is_over:
                self._reject(Rejection("headers-too-large", {"kib": most // 2**10}))
        if self._timer is None and not self._is_over and (self._is_in_header or self._is_between()):
            self._expect(self.limits.header_s, self._late)

    def shutdown(self) -> None:
        """End with the answer; who has just come, or has asked what is not read yet, is heard first."""
        if self._is_answering():
            super().shutdown()
        elif self.cycle is None or self._is_in_header or self._is_between() or self._has_more():
            self._expect(ASK_S, self._end)
        else:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that has said all, as netcat does; True keeps the way to it open."""
        waits = self._is_answering() and not self._is_in_body and self.transport.can_write_eof()
        if waits:
            self.cycle.keep_alive = False
        return waits

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._is_in_header = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is none, whatever its name says (RFC 9110, 6.5.1)."""
        if not self._is_in_header:
            return
        super().on_header(name, value)
        if len(self.headers) > self.limits.header_lines:
            self._refusal = Rejection("too-many-headers", {"most": self.limits.header_lines})
            raise ValueError(self._refusal.detail)  # the parser stops

    def on_headers_complete(self) -> None:
        """Hand the request on, or read it again as one that asks for no other protocol."""
        self._is_in_header = False
        self._parts += 1
        self._stop_timer()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refusal = Rejection("not-a-proxy", allow="GET, HEAD, POST")
                raise ValueError(self._refusal.detail)
            self._is_upgrade = True
            return
        self._is_in_body = True
        self._check_host()
        super().on_headers_complete()
        if self.drains[0]() and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._parts += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect another request."""
        self._is_in_body = False
        self._parts += 1
        if not self._is_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Expect another request, or end as was said before."""
        super().on_response_complete()
        if self.pipeline or self.transport.is_closing():
            return
        if self._is_over:
            self._unset_keepalive_if_required()
        if self._last_words is not None:
            self._close(self._last_words)
        elif not self._is_in_header and not self._is_in_body:
            self.crowd.waits(self)

    def pause_writing(self) -> None:
        """Wait for a client that does not take its answer, but not for ever."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.body_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it takes its answer."""
        self._stop_write_timer()
        super().resume_writing()

    def _read(self, piece: bytes | memoryview) -> None:
        try:
            while len(piece):
                try:
                    self.parser.feed_data(piece)
                except httptools.HttpParserUpgrade as upgrade:
                    piece = piece[upgrade.args[0] :]
                    self._read_again()
                else:
                    return
        except httptools.HttpParserError:
            self._reject(self._refusal or Rejection("not-http"))

    def _read_again(self) -> None:
        """Read a head without its wish for another protocol, of which the parser takes the body to be."""
        self._is_upgrade = False
        target = self.parser.get_method(), self.url, self.parser.get_http_version().encode()
        fields = [b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.parser.feed_data(b"".join([b"%b %b HTTP/%b\r\n" % target, *fields, b"\r\n"]))

    def _check_host(self) -> None:
        """Refuse a head without the one Host that it must have (RFC 9112, section 3.2), on any path.

        A target may have a Host of its own: then the header, which is looked at, must say the same.
        """
        named = [value.lower() for name, value in self.headers if name == b"host"]
        if not named and self.parser.get_http_version() == "1.0":
            named = [b""]
        if len(named) != 1 or not _HOST.fullmatch(named[0]):
            self._refusal = Rejection("no-host")
        elif not self.url.startswith(b"/"):
            if self.url == b"*":  # the server as a whole, which has no options of its own
                self._refusal = Rejection("not-a-path")
                raise ValueError(self._refusal.detail)
            target = httptools.parse_url(self.url)
            port = b"" if target.port is None else b":%d" % target.port
            if target.host is None or named != [target.host.lower() + port]:
                self._refusal = Rejection("two-hosts")
        if self._refusal is not None:
            raise ValueError(self._refusal.detail)

    def _is_between(self) -> bool:
        """Say whether something came that is not yet the beginning of a head."""
        return self._header_bytes > 0 and not self._is_in_body

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _reject(self, rejection: Rejection) -> None:
        """Refuse what was sent, in the one shape of all errors, after the answers before it, and close."""
        self._is_over = True
        self._stop_timer()
        body = rejection.body()
        headers = {
            **rejection.headers(),
            "content-length": str(len(body)),
            "x-content-type-options": "nosniff",
            "connection": "close",
        }
        lines = [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
        status = HTTPStatus(rejection.status)
        first = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        words = b"".join([first, *lines, b"\r\n", body])
        if not self._is_answering():
            self._close(words)
        elif not self._is_in_body:
            self._last_words = words
        elif self.cycle.response_started or self.pipeline:
            self.transport.close()
        else:  # of the request that is being answered: its answer would wait for the rest of it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._close(words)

    def _close(self, words: bytes) -> None:
        """Say the last words; who still sends would lose them if all were closed at once."""
        self.transport.write(words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._expect(LINGER_S, self.transport.abort)
        else:
            self.transport.close()

    def _late(self) -> None:
        self._timer = None
        if self._is_answering():  # the answer may take longer than a head
            self._expect(self.limits.header_s, self._late)
        elif self._is_in_header or self._header_bytes:
            self._reject(Rejection("headers-late", {"seconds": self.limits.header_s}))
        else:  # not a byte came
            self.transport.close()

    def _end(self) -> None:
        self._timer = None
        if self._is_in_header or self._is_between():
            self._expect(self.limits.header_s, self._late)
        elif not self._is_answering():
            self.transport.close()

    def _has_more(self) -> bool:
        """Say whether the client has sent what is not read yet."""
        client = self.transport.get_extra_info("socket")
        return client is not None and is_readable(client)

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, otherwise)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
