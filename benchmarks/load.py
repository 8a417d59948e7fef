"""A load generator: connections that each send one request after the other, and time every answer.

HTTP/1.1 on asyncio with uvloop and httptools; it spends 30-40 microseconds of CPU on a request, so that it
is not what is measured.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httptools
import uvloop


@dataclass(frozen=True)
class Load:
    """What came of a load: answers per second, and seconds that each of them took, sorted."""

    connections: int
    seconds: float
    taken: list[float]
    failed: int

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.taken) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """Return the time under which this share of the answers came, in milliseconds."""
        return 1e3 * self.taken[min(int(share * len(self.taken)), len(self.taken) - 1)]


def merged(loads: Sequence[Load]) -> Load:
    """Return several rounds as one."""
    return Load(
        loads[0].connections,
        sum(load.seconds for load in loads),
        sorted(itertools.chain.from_iterable(load.taken for load in loads)),
        sum(load.failed for load in loads),
    )


def request(path: str, body: bytes, content_type: str = "application/json") -> bytes:
    """Return an HTTP request as it goes over the wire; it is for a test, and decides nothing."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-purpose: test\r\ncontent-type: {content_type}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self.requests = requests
        self.until = until
        self.taken: list[float] = []
        self.failed = 0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send()

    def _send(self) -> None:
        if time.perf_counter() >= self.until:
            self.transport.close()
            return
        self.parser = httptools.HttpResponseParser(self)
        self.began = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        ended = time.perf_counter()
        if self.parser.get_status_code() == 200:
            self.taken.append(ended - self.began)
        else:
            self.failed += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self.over.done():
            self.over.set_result(None)


async def _drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    turn = itertools.cycle(requests)
    began = time.perf_counter()
    made = [
        await loop.create_connection(lambda: _Connection(turn, began + seconds), "127.0.0.1", port)
        for _ in range(connections)
    ]
    protocols = [protocol for _, protocol in made]
    await asyncio.gather(*(protocol.over for protocol in protocols))
    taken = sorted(itertools.chain.from_iterable(protocol.taken for protocol in protocols))
    return Load(
        connections, time.perf_counter() - began, taken, sum(protocol.failed for protocol in protocols)
    )


def drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send the requests in turn over so many connections for so long.

    Raises
    ------
    RuntimeError
        If no answer was good.
    """
    load = uvloop.run(_drive(port, requests, connections, seconds))
    if not load.taken:
        raise RuntimeError(f"port {port}: no good answer among {load.failed}")
    return load


def spread(rates: Sequence[float]) -> str:
    """Say the median of several rounds and how far they lie apart."""
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
