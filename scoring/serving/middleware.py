"""The middleware: every request is read, checked and numbered here, before anything is decided.

Plain ASGI, in front of the service's own routes. A request that passes is handed on in the ASGI scope as
a `Job`, whole and valid, so that requests merged into one batch cannot harm each other. A request that
does not pass, and every other error on the way out, is answered in one shape:
``application/problem+json`` (RFC 9457), without a personal value.
"""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil
from typing import Any

from scoring.schema import Decoder, Purpose, Request
from scoring.serving import header
from scoring.serving.access import HEALTH
from scoring.serving.asgi import ASKER, App, Asker, Numbered, Receive, Scope, Send, Uniform, reject, respond
from scoring.serving.job import JOB, ArrowJob, BulkJob, Job, JsonJob
from scoring.serving.limits import USUAL, Limits, Route
from scoring.serving.media import ARROW
from scoring.serving.problem import Rejection, rejection_of
from scoring.serving.rate import Rate, Returns, of_address
from scoring.serving.reading import parse

READERS = 2  # threads; more would only take Python's lock from the loop in turns

Admit = Callable[[Scope], str | None]
SpeaksFor = Callable[[str | None, str], str]
Rejected = Callable[[str | None, Rejection], None]
Count = Callable[[int], None]
AtOnce = Callable[[Job], Awaitable[bytes | Rejection]]


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request on its way in."""

    scope: Scope
    headers: Mapping[bytes, str]
    receive: Receive
    send: Send
    request_id: str
    operator: str | None
    purpose: Purpose


class Middleware:
    """ASGI middleware: see the module.

    Parameters
    ----------
    app : ASGI application
        Reads ``scope[JOB]`` on the given routes.
    routes : mapping of path to Route
        The POST endpoints that take applications.
    decoder : Decoder
        Reads the bodies.
    limits : Limits
    admit : callable
        Gives the name of the API key that a request came with, or raises the `Rejection` of who may not ask.
    speaks_for : callable
        Gives the person whom a key names in X-Operator, or raises the `Rejection` of a key that may not.
    rate : Rate, optional
        How often one key, or one address without keys, may ask.
    at_once : callable, optional
        Answers a small request without the service's batch: see `Limits.quick`.
    rejected : callable, optional
        Told of each rejection, with the key that asked.
    """

    def __init__(
        self,
        app: App,
        routes: Mapping[str, Route],
        decoder: Decoder,
        *,
        limits: Limits = USUAL,
        admit: Admit = lambda _: None,
        rate: Rate | None = None,
        at_once: AtOnce | None = None,
        speaks_for: SpeaksFor = lambda _, named: named,
        rejected: Rejected = lambda *_: None,
    ) -> None:
        self.app = app
        self.routes = routes
        self.decoder = decoder
        self.limits = limits
        self.admit = admit
        self.speaks_for = speaks_for
        self.rejected = rejected
        self.rate = rate
        self.at_once = at_once
        self._readers = ThreadPoolExecutor(READERS, "read")
        self._returns = Returns(limits.returns_per_s, limits.retry_after_s, limits.retry_after_most_s)
        self._counts: Counter[str] = Counter()
        self._internal_routes = frozenset(path for route in routes.values() for path in route.internal_routes)
        self._quick = 0
        self._large = 0
        self._large_bytes = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = header.read(scope["headers"])
        request_id = header.request_id(headers)
        send = Numbered(send, request_id)
        route = self.routes.get(scope["path"])
        key = None
        try:
            key = operator = self._admitted(scope, is_doubled=len(headers) < len(scope["headers"]))
            if (named := headers.get(b"x-operator")) is not None:
                operator = self.speaks_for(key, named)
            if scope["path"] in self._internal_routes:
                raise Rejection("not-found")
            if route is None or scope["method"] != "POST":
                asker = Asker(key, operator, request_id)
                return await self.app({**scope, ASKER: asker}, receive, Uniform(send))
            purpose = header.purpose(headers)
            parameters = route.read(scope["query_string"])
            with self._inside(scope["path"], route):
                visit = _Visit(scope, headers, receive, send, request_id, operator, purpose)
                if route.arrow is not None and header.content_type(headers) == ARROW:
                    await self._table(visit, route.arrow)
                else:
                    await self._json(visit, route, parameters)
        except Rejection as rejection:
            self.rejected(key, rejection)
            await reject(send, rejection)
        except Exception as error:
            fault = rejection_of(error)
            if not send.has_started:
                await reject(send, fault)

    async def _json(self, visit: _Visit, route: Route, parameters: Any) -> None:
        """Decide one application at once, lead a few to the batch, and many, or what has a key, round it."""
        limits, headers = self.limits, visit.headers
        most_bytes = limits.body_bytes if route.bulk else min(limits.body_bytes, limits.bodies_bytes)
        header.check(headers, "application/json", most_bytes)
        key = header.idempotency_key(headers)
        if key and route.bulk is None:
            raise Rejection("key-not-taken", {"path": visit.scope["path"]})
        # A chunked body does not say that it is large; it may have fewer bytes for that.
        is_large = route.bulk is not None and header.content_length(headers) > limits.bulk_bytes
        with self._kept() if is_large else self._together(header.content_length(headers)) as count:
            body = await self._body(visit, most_bytes, limits.body_s, count)
            if body.startswith(BOM_UTF8):  # a reader may ignore it (RFC 8259, section 8.1)
                del body[: len(BOM_UTF8)]
            if route.bulk is not None and (key or len(body) > limits.bulk_bytes):
                large = JsonJob(
                    visit.request_id,
                    body,
                    True,
                    key,
                    operator=visit.operator,
                    purpose=visit.purpose,
                    rows=route.rows,
                )
                with self._waiting() if len(body) > limits.bulk_bytes else nullcontext():
                    await self._lead(visit, large, limits.answer_s, route.bulk)
                return
            applications = await self._read(body, route.rows)
            asked = (visit.request_id, applications, visit.operator, visit.purpose)
            job = Job(*asked, parameters=parameters)
            if self._is_quick(route, job, len(body)):
                await self._decide_at_once(job, visit.send)
            else:
                await self._lead(visit, job, limits.answer_s)

    async def _table(self, visit: _Visit, path: str) -> None:
        """Lead a table round the batch."""
        limits = self.limits
        header.check(visit.headers, ARROW, limits.arrow_bytes)
        key = header.idempotency_key(visit.headers)
        with self._kept() as count:
            body = await self._body(visit, limits.arrow_bytes, limits.arrow_s, count)
            is_json = "application/json" in visit.headers.get(b"accept", "")
            job = ArrowJob(
                visit.request_id, body, is_json, key, operator=visit.operator, purpose=visit.purpose
            )
            with self._waiting():
                await self._lead(visit, job, limits.arrow_s, path)

    async def _read(self, body: bytearray, rows: int) -> list[Request]:
        """Read a body; one that takes milliseconds is read aside, while the loop answers others."""
        if len(body) <= self.limits.quick_bytes:
            return parse(body, rows, self.decoder)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, parse, body, rows, self.decoder)

    def _is_quick(self, route: Route, job: Job, size: int) -> bool:
        """Say whether a request is decided now: the queue of the batch costs more than a lone decision."""
        limits = self.limits
        return (
            route.is_quick
            and self.at_once is not None
            and len(job.applications) == 1
            and size <= limits.quick_bytes
            and self._quick < limits.quick
        )

    async def _decide_at_once(self, job: Job, send: Send) -> None:
        assert self.at_once is not None
        self._quick += 1
        try:
            async with asyncio.timeout(self.limits.answer_s):
                answer = await self.at_once(job)
        except TimeoutError:
            answer = self._late(self.limits.answer_s)
        finally:
            self._quick -= 1
        if isinstance(answer, Rejection):
            raise answer
        await respond(send, 200, [(b"content-type", b"application/json")], answer)

    async def _lead(self, visit: _Visit, job: Job | BulkJob, answer_s: float, path: str = "") -> None:
        """Hand a job to the service, on a path of its own if one is named, and see that it ends in time."""
        scope, send = {**visit.scope, JOB: job}, Uniform(visit.send)
        if path:
            scope |= {"path": path, "raw_path": path.encode()}
        # Not cancelled when the time is up: bentoml 1.4.39's batch queue answers a cancelled call itself.
        task = asyncio.ensure_future(self.app(scope, visit.receive, send))
        try:
            await asyncio.wait({task}, timeout=answer_s)
            if not task.done() and not send.has_started:
                send.is_closed = True
                raise self._late(answer_s)
            await task
        finally:
            job.is_abandoned = not send.has_started
            task.add_done_callback(_seen)

    def _late(self, answer_s: float) -> Rejection:
        return Rejection("no-answer-in-time", {"seconds": answer_s}, retry_after_s=self.limits.retry_after_s)

    @contextmanager
    def _inside(self, path: str, route: Route) -> Iterator[None]:
        """Count a request while it is inside; one too many is told to come back."""
        most = self.limits.concurrent
        if self._counts.total() >= most or self._counts[path] >= (route.concurrent or most):
            raise Rejection("too-many-requests", retry_after_s=self._returns.after_s())
        self._counts[path] += 1
        try:
            yield
        finally:
            self._counts[path] -= 1

    @contextmanager
    def _together(self, content_length: int) -> Iterator[Count]:
        """Let a smaller body in if the memory for all of these has room; gives what counts its bytes."""
        limits, mine = self.limits, 0

        def check(more: int) -> None:
            if self._bytes + more > limits.bodies_bytes:
                taken = {"mib": limits.bodies_bytes // 2**20}
                raise Rejection("memory-full", taken, retry_after_s=limits.retry_after_s)

        def count(more: int) -> None:
            nonlocal mine
            check(more)
            self._bytes += more
            mine += more

        check(content_length)  # not counted yet: who only says that much would keep others out
        try:
            yield count
        finally:
            self._bytes -= mine

    @contextmanager
    def _kept(self) -> Iterator[Count]:
        """Let a large body in, unless as many as may wait are there already; gives what counts its bytes.

        Only what has come is counted: who sends a byte now and then takes nobody's place.
        """
        limits, mine = self.limits, 0
        self._check_large()

        def count(more: int) -> None:
            nonlocal mine
            if self._large_bytes + more > limits.large_concurrent * limits.arrow_bytes:
                raise Rejection("large-memory-full", retry_after_s=limits.retry_after_s)
            self._large_bytes += more
            mine += more

        try:
            yield count
        finally:
            self._large_bytes -= mine

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Count a large request whose body is there, until it is answered."""
        self._check_large()
        self._large += 1
        try:
            yield
        finally:
            self._large -= 1

    def _check_large(self) -> None:
        if self._large >= self.limits.large_concurrent:
            raise Rejection("too-many-large-requests", retry_after_s=self.limits.retry_after_s)

    async def _body(self, visit: _Visit, most_bytes: int, most_s: float, count: Count) -> bytearray:
        """Read the body; a chunked one has no content-length, so it is counted as it comes."""
        body, pause_s = bytearray(), self.limits.pause_s
        is_length_given = b"content-length" in visit.headers
        most_bytes = most_bytes if is_length_given else min(most_bytes, self.limits.chunked_bytes)
        clock = asyncio.get_running_loop().time
        end = clock() + most_s
        try:
            while True:
                async with asyncio.timeout_at(min(end, clock() + pause_s)):
                    message = await visit.receive()
                if message["type"] == "http.disconnect":
                    raise Rejection("body-cut-off")
                part = message.get("body", b"")
                count(len(part))
                body += part
                if len(body) > most_bytes:
                    raise header.too_large(most_bytes, is_length_given)
                if not message.get("more_body", False):
                    return body
        except TimeoutError:
            raise Rejection("body-late", {"seconds": most_s, "pause": pause_s}) from None

    def _admitted(self, scope: Scope, is_doubled: bool) -> str | None:
        """Return the name of the API key, or refuse; who is refused has asked too."""
        operator = None
        try:
            if is_doubled:
                header.check_single(scope["headers"])
            operator = self.admit(scope)
        finally:
            if self.rate is not None and scope["path"] not in HEALTH:
                self._check_rate(self.rate, operator, scope)
        return operator

    def _check_rate(self, rate: Rate, operator: str | None, scope: Scope) -> None:
        if wait_s := rate.wait_s(operator or of_address(str((scope.get("client") or ("",))[0]))):
            raise Rejection("too-fast", {"rate": rate.per_s}, retry_after_s=ceil(wait_s))


def _seen(task: asyncio.Future[None]) -> None:
    """Take note of how an abandoned call ended, so that asyncio does not complain of it later."""
    if not task.cancelled():
        task.exception()
