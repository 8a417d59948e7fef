"""Clients that are cheaper than what they load: HTTP/1.1 over asyncio, one open connection per client.

What a request was answered, and when, is all that they keep. A connection that breaks is a lost request:
nothing here tries again behind the back of a test.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

IDLE_S = 2.0  # a server may close what is idle; a client that was slept through asks on a new connection


class Lost(Exception):
    """A request that got no answer."""


@dataclass(frozen=True)
class Answer:
    """One answer of the service."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


class _Reader(asyncio.Protocol):
    """Collects one answer at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[tuple[int, dict[str, str], bytes]] | None = None
        self.buffer = bytearray()
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.is_open = True

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(Lost("the connection closed"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or self.waiting is None or self.waiting.done():
            return
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if len(self.buffer) < end + 4 + length:
            return
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        del self.buffer[: end + 4 + length]
        self.waiting.set_result((int(lines[0][9:12]), headers, body))


class Caller:
    """One client with one connection, opened again when it was closed."""

    def __init__(self, port: int, timeout_s: float = 60) -> None:
        self.port = port
        self.timeout_s = timeout_s
        self._reader: _Reader | None = None
        self._used = 0.0

    async def ask(self, path: str, body: bytes, headers: str = "", method: str = "POST") -> Answer:
        """Post a JSON body, or ask otherwise.

        Raises
        ------
        Lost
            If no whole answer came.
        """
        started = time.perf_counter()
        if started - self._used > IDLE_S:
            self.close()
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nx-purpose: test\r\n"
            "content-type: application/json\r\n"
            f"{headers}content-length: {len(body)}\r\n\r\n"
        )
        try:
            reader = await self._connected()
            reader.waiting = asyncio.get_running_loop().create_future()
            assert reader.transport is not None
            reader.transport.write(head.encode() + body)
            async with asyncio.timeout(self.timeout_s):
                status, found, content = await reader.waiting
        except (OSError, TimeoutError, Lost) as error:
            self.close()
            raise Lost(f"{type(error).__name__}: {error}") from None
        if found.get("connection") == "close":
            self.close()
        self._used = started
        return Answer(status, found, content, time.perf_counter() - started)

    async def _connected(self) -> _Reader:
        if self._reader is None or not self._reader.is_open:
            loop = asyncio.get_running_loop()
            _, self._reader = await loop.create_connection(_Reader, "127.0.0.1", self.port)
        return self._reader

    def close(self) -> None:
        """Close the connection."""
        if self._reader is not None and self._reader.transport is not None:
            self._reader.transport.abort()
        self._reader = None


@dataclass
class Tally:
    """What a load was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)
    refused_seconds: list[float] = field(default_factory=list)
    without_retry: int = 0
    event_ids: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    took: float = 0.0

    @property
    def total(self) -> int:
        """Requests that were sent."""
        return sum(self.statuses.values()) + len(self.lost)

    @property
    def errors(self) -> int:
        """Requests that were not answered 200."""
        return self.total - self.statuses[200]

    @property
    def rate(self) -> float:
        """Answers 200 a second."""
        return self.statuses[200] / self.took if self.took else 0.0

    def quantile(self, share: float) -> float:
        """Return a quantile of the time of answers 200, in milliseconds."""
        return 1e3 * float(np.quantile(self.seconds, share)) if self.seconds else float("nan")

    def said(self) -> str:
        """Put the statuses into words."""
        parts = [f"{count} × {status}" for status, count in sorted(self.statuses.items())]
        return ", ".join(parts + ([f"{len(self.lost)} lost"] if self.lost else [])) or "nothing"


def together(tallies: Sequence[Tally]) -> Tally:
    """Count several loads as one."""
    whole = Tally(took=sum(tally.took for tally in tallies))
    for tally in tallies:
        whole.statuses += tally.statuses
        whole.wrong += tally.wrong
        whole.without_retry += tally.without_retry
        for name in ("lost", "seconds", "refused_seconds", "event_ids"):
            getattr(whole, name).extend(getattr(tally, name))
    return whole


Check = Callable[[int, Answer], bool]


class Pool:
    """Applications that are asked again and again, with the answer that each must get."""

    def __init__(self, requests: Sequence[dict[str, Any]], probabilities: Sequence[float]) -> None:
        self.bodies = [json.dumps({"applications": [request]}).encode() for request in requests]
        self.numbers = [int(request["SK_ID_CURR"]) for request in requests]
        self.probabilities = list(probabilities)

    def __len__(self) -> int:
        """Count the applications."""
        return len(self.bodies)

    def is_right(self, index: int, answer: Answer) -> bool:
        """Say whether an answer is the one that its application gets offline, to the last bit."""
        (row,) = answer.json()
        return bool(
            row["SK_ID_CURR"] == self.numbers[index]
            and row["probability_of_default"] == self.probabilities[index]
        )


def note(tally: Tally, answer: Answer, is_right: bool, keeps_ids: bool, seconds: float) -> None:
    """Count one answer."""
    tally.statuses[answer.status] += 1
    if answer.status == 200:
        tally.seconds.append(seconds)
        tally.wrong += not is_right
        if keeps_ids:
            tally.event_ids += [row["event_id"] for row in answer.json()]
    else:
        tally.refused_seconds.append(seconds)
        tally.without_retry += "retry-after" not in answer.headers


async def closed(
    port: int,
    pool: Pool,
    clients: int,
    total: int,
    *,
    path: str = "/score",
    keeps_ids: bool = False,
    gate: Callable[[], Awaitable[None]] | None = None,
    tell: Callable[[int], None] | None = None,
    until: Callable[[], bool] | None = None,
    tally: Tally | None = None,
    beat: Callable[[], None] | None = None,
) -> Tally:
    """Ask ``total`` times from so many clients, each asking again as soon as it is answered.

    ``gate`` is awaited before every request (a client that watches readiness); ``until`` ends it early;
    ``tally`` is counted in, to be looked at meanwhile; ``beat`` is told of every answer 200.
    """
    tally = Tally() if tally is None else tally
    turn = iter(range(total))

    async def client() -> None:
        caller = Caller(port)
        for number in turn:
            if until is not None and until():
                break
            if gate is not None:
                await gate()
            index = number % len(pool)
            try:
                answer = await caller.ask(path, pool.bodies[index])
            except Lost as lost:
                tally.lost.append(str(lost))
                await asyncio.sleep(0.01)
                continue
            is_right = answer.status == 200 and pool.is_right(index, answer)
            note(tally, answer, is_right, keeps_ids, answer.seconds)
            if beat is not None and answer.status == 200:
                beat()
            if tell is not None and tally.total % 200 == 0:
                tell(tally.total)
        caller.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    tally.took = time.perf_counter() - tally.began
    return tally


async def paced(
    port: int,
    pool: Pool,
    rate: float,
    seconds: float,
    *,
    path: str = "/score",
    keeps_ids: bool = False,
    tell: Callable[[int], None] | None = None,
    until: Callable[[], bool] | None = None,
) -> Tally:
    """Ask at a steady rate, whatever the answers do; time counts from when a request was due."""
    tally, running = Tally(), set()
    idle: list[Any] = []
    total = round(rate * seconds)

    async def one(number: int, due: float) -> None:
        caller = idle.pop() if idle else Caller(port)
        index = number % len(pool)
        try:
            answer = await caller.ask(path, pool.bodies[index])
        except Lost as lost:
            tally.lost.append(str(lost))
        else:
            is_right = answer.status == 200 and pool.is_right(index, answer)
            note(tally, answer, is_right, keeps_ids, time.perf_counter() - due)
        idle.append(caller)

    for number in range(total):
        if until is not None and until():
            break
        due = tally.began + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.ensure_future(one(number, due))
        running.add(task)
        task.add_done_callback(running.discard)
        if tell is not None and number % 200 == 0:
            tell(number)
    await asyncio.gather(*running)
    tally.took = time.perf_counter() - tally.began
    for caller in idle:
        caller.close()
    return tally


class Readiness:
    """Watches ``/readyz`` as a load balancer does; `gate` lets requests through while it says yes."""

    def __init__(self, port: int, every_s: float = 0.05) -> None:
        self.port = port
        self.every_s = every_s
        self.ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Readiness:
        """Begin to watch."""
        self._task = asyncio.ensure_future(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop watching."""
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def gate(self) -> None:
        """Wait until the service says that it is ready."""
        await self.ready.wait()

    async def _watch(self) -> None:
        while True:
            if await self._look():
                self.ready.set()
            else:
                self.ready.clear()
            await asyncio.sleep(self.every_s)

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
                line = await reader.readline()
                writer.close()
        except (OSError, TimeoutError):
            return False
        return line.startswith(b"HTTP/1.1 200")
