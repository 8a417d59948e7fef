"""One client's connection, below ASGI: uvicorn alone waits for ever, and says no in its own words.

A head (request line and headers) must be whole in time and of a bounded size, a client must take its answer,
and whatever is not HTTP gets the service's one shape of error. While the service drains, each answer closes
its connection, so that the next request of that client goes elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.config import HTTP_PROTOCOLS, WS_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from scoring.serving.asgi import App
from scoring.serving.limits import Limits
from scoring.serving.problem import Refusal


def install(
    limits: Limits, is_draining: Callable[[], bool], gate: Callable[[App], App] = lambda app: app
) -> None:
    """Have uvicorn, which BentoML starts, speak HTTP through `Connection`, and no websockets.

    ``gate`` wraps the application: it comes before everything that BentoML puts around ours.
    """
    members = {"limits": limits, "drains": (is_draining,), "gates": (gate,)}
    # uvicorn takes classes here as well as their names, and BentoML leaves it the choice ("auto")
    HTTP_PROTOCOLS["auto"] = type("Connection", (Connection,), members)  # type: ignore[assignment]
    WS_PROTOCOLS["auto"] = None


class Connection(HttpToolsProtocol):
    """An HTTP connection with limits."""

    limits: ClassVar[Limits]
    drains: ClassVar[tuple[Callable[[], bool]]]  # in a tuple: a bare function would be a method
    gates: ClassVar[tuple[Callable[[App], App]]]

    _timer: asyncio.TimerHandle | None = None  # of a head
    _write_timer: asyncio.TimerHandle | None = None  # a pipelined head must not end it
    _is_in_message = False
    _is_in_head = False
    _is_in_first_line = False
    _begun = 0  # messages in the bytes at hand
    _head_bytes = 0  # of the headers that are whole, and of the URL as far as it is there
    _line_bytes = 0  # of the line that is not whole
    _refusal: Refusal | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.app = self.gates[0](self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a first request."""
        super().connection_made(transport)
        self._expect(self.limits.head_s, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is not whole must be so in time."""
        heads = 0 if self._is_in_head else 1
        is_head_first = self._is_in_head or not self._is_in_message
        self._begun = 0
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            # A line without an end reaches no callback. Where the head begins behind another message, it is
            # not known which bytes are its own; the next ones are.
            is_ours = is_head_first and self._begun == heads
            self._count_line(data if is_ours else b"")
            if self._refusal is not None:
                self.send_400_response("")
            elif self._timer is None:
                self._expect(self.limits.head_s, self._late)

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        self._is_in_message = self._is_in_head = self._is_in_first_line = True
        self._head_bytes = self._line_bytes = 0
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url), is_fatal=True)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value), is_fatal=True)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()
        if self.drains[0]() and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Expect another request."""
        self._is_in_message = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for a client that does not take its answer, but not for ever."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.body_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it takes its answer."""
        self._stop_write_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words stay inside
        """Refuse what is not HTTP, in the one shape of all errors, and close."""
        refusal = self._refusal or Refusal(400, "This is not HTTP/1.1 as RFC 9112 has it.")
        body = refusal.body()
        headers = {
            **refusal.headers(),
            "content-length": str(len(body)),
            "x-content-type-options": "nosniff",
            "connection": "close",
        }
        lines = [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
        self.transport.write(b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body]))
        self._stop_timer()
        self.transport.close()

    def _count(self, count: int, is_fatal: bool = False) -> None:
        self._head_bytes += count
        most = self.limits.head_bytes
        if self._head_bytes > most:
            self._refusal = Refusal(431, f"The headers are larger than {most // 2**10} KiB.")
            if is_fatal:
                raise ValueError("the head is too large")  # the parser stops, and uvicorn asks for the 400

    def _count_line(self, data: bytes) -> None:
        """Count what has come of a line that is not whole; a URL is counted already."""
        end = data.rfind(b"\n") + 1
        if end:
            self._is_in_first_line = False
        self._line_bytes = len(data) - end + (0 if end else self._line_bytes)
        whole, self._head_bytes = self._head_bytes, 0 if self._is_in_first_line else self._head_bytes
        self._count(self._line_bytes)
        self._head_bytes = whole

    def _late(self) -> None:
        if not self._is_in_head:  # not a byte came
            self.transport.close()
            return
        self._refusal = Refusal(408, f"The headers did not arrive within {self.limits.head_s:g} seconds.")
        self.send_400_response("")

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
