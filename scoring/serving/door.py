"""The HTTP door: every request is read, checked and numbered here, before anything is decided.

Plain ASGI, in front of the service's own routes. A request that passes is handed on in the ASGI scope as
a `Job`, whole and valid, so that requests merged into one batch cannot harm each other. A request that
does not pass, and every other error on the way out, is answered in one shape:
``application/problem+json`` (RFC 9457), without a personal value.
"""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from scoring.schema import Decoder, FieldError, Location, Problem, Request, ScoreRequest, repeated_keys
from scoring.serving.rate import Rate

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JOB = "credit_scoring.job"  # where the ASGI scope carries what passed the door
ARROW = "application/vnd.apache.arrow.stream"
PROBLEM_TYPE = b"application/problem+json"
SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
SLICE = 50  # applications validated at a stretch: other threads get their turn in between
ERRORS_NAMED = 50  # a request with a thousand faults is told the first ones
WORDS = {  # where pydantic speaks of Python
    "extra_forbidden": "No such field; GET /docs.json lists them",
    "missing": "This field is required",
    "model_type": "Input should be an object",
}
_SAFE_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")

Admit = Callable[[Scope], str | None]
AtOnce = Callable[["Job"], Awaitable["bytes | Refusal"]]


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask of the service."""

    body_bytes: int = 128 * 2**20  # 10,000 applications with every column and aggregate take 75 MB
    chunked_bytes: int = 8 * 2**20  # of a body that does not say its length, so it is not refused by it
    bulk_bytes: int = 256 * 2**10  # a larger body goes round the batch: its work would delay its neighbours
    concurrent: int = 256  # requests inside; the next one is told to come back
    head_bytes: int = 32 * 2**10  # request line and headers
    head_s: float = 5.0  # to send them
    pause_s: float = 5.0  # between two parts of a body
    quick_bytes: int = 48 * 2**10  # one application with some 200 records of history: a few milliseconds
    quick: int = (
        256  # of these inside at once; the next ones go into the batch, at 1.6 times the CPU time each
    )
    body_s: float = 30.0  # to send the body
    answer_s: float = 60.0  # to answer it
    arrow_rows: int = 100_000  # applications in a table
    arrow_row_bytes: int = 4_096  # every column of an application and every aggregate take less
    arrow_concurrent: int = (
        3  # tables and bodies for bulk inside: one is decided, the others are kept in memory
    )
    arrow_s: float = 120.0  # to send a table, and to answer it
    retry_after_s: int = 1

    @property
    def arrow_bytes(self) -> int:
        """Largest body that a table may have."""
        return max(self.body_bytes, self.arrow_rows * self.arrow_row_bytes)


@dataclass(frozen=True)
class Route:
    """One POST endpoint.

    Rows that a request may bring, the twins for large requests and for tables, and how many requests may be
    inside at once, where that is less than the limit of the whole service.
    ``is_quick``: one application alone is decided at once.
    """

    rows: int
    is_quick: bool = False
    bulk: str | None = None
    arrow: str | None = None
    concurrent: int | None = None

    @property
    def twins(self) -> set[str]:
        """Paths that only the door leads to."""
        return {twin for twin in (self.bulk, self.arrow) if twin}


@dataclass
class Job:
    """A request that passed the door.

    ``is_abandoned``: nobody waits for the answer any more; ``operator``: name of the API key it came with.
    """

    request_id: str
    applications: list[Request]
    is_abandoned: bool = field(default=False, compare=False)
    operator: str | None = None


@dataclass
class ArrowJob:
    """A table that came to the bulk door, not looked at yet.

    ``key`` is the client's Idempotency-Key, "" without one; ``is_json``: it wants its answer as JSON.
    """

    request_id: str
    body: bytearray = field(repr=False)
    is_json: bool
    key: str
    is_abandoned: bool = field(default=False, compare=False)
    operator: str | None = None


@dataclass
class JsonJob(ArrowJob):
    """A large body of JSON, not looked at yet, and most applications that it may have."""

    rows: int = 0


class Refusal(Exception):
    """A request that gets a problem for an answer."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[FieldError] = (), retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s

    def body(self) -> bytes:
        """Give the problem as JSON."""
        title = HTTPStatus(self.status).phrase
        problem = Problem(
            type="about:blank", title=title, status=self.status, detail=self.detail, errors=list(self.errors)
        )
        return problem.model_dump_json().encode()

    def headers(self) -> dict[str, str]:
        """Give the headers that belong to the problem."""
        retry = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        key = {"www-authenticate": "X-API-Key"} if self.status == 401 else {}
        # who is too slow with one request is not waited for with the next
        close = {"connection": "close"} if self.status == 408 else {}
        return {"content-type": PROBLEM_TYPE.decode(), **retry, **key, **close}


class Door:
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
        Gives the name of the API key that a request came with, or raises the `Refusal` of who may not ask.
    rate : Rate, optional
        How often one key, or one address without keys, may ask.
    at_once : callable, optional
        Answers a small request without the service's batch: see `Limits.quick`.
    """

    def __init__(
        self,
        app: App,
        routes: Mapping[str, Route],
        decoder: Decoder,
        limits: Limits = Limits(),
        admit: Admit = lambda _: None,
        rate: Rate | None = None,
        at_once: AtOnce | None = None,
    ) -> None:
        self.app = app
        self.routes = routes
        self.decoder = decoder
        self.limits = limits
        self.admit = admit
        self.rate = rate
        self._inside: Counter[str] = Counter()
        self.at_once = at_once
        self._twins = frozenset(twin for route in routes.values() for twin in route.twins)
        self._quick = 0
        self._large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        request_id = _request_id(headers)
        send = _Numbered(send, request_id)
        route = self.routes.get(scope["path"])
        try:
            operator = self.admit(scope)
            if scope["path"] in self._twins:
                raise Refusal(404, "There is nothing here; GET / lists the endpoints.")
            if route is None or scope["method"] != "POST":
                return await self.app(scope, receive, _Uniform(send))
            self._check_rate(operator, scope)
            await self._through(scope, headers, receive, send, route, request_id, operator)
        except Refusal as refusal:
            await _answer(send, refusal)
        except Exception as error:  # a fault of ours: its message could quote an applicant
            frame = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
            if not send.has_started:
                await _answer(send, Refusal(500, "The service failed on this request; its log says where."))

    async def _through(
        self,
        scope: Scope,
        headers: Mapping[bytes, str],
        receive: Receive,
        send: Send,
        route: Route,
        request_id: str,
        operator: str | None,
    ) -> None:
        path, most = scope["path"], self.limits.concurrent
        if self._inside.total() >= most or self._inside[path] >= (route.concurrent or most):
            raise Refusal(
                429, "Too many requests at once; try again shortly.", retry_after_s=self.limits.retry_after_s
            )
        self._inside[path] += 1
        try:
            if route.arrow is not None and _content_type(headers) == ARROW:
                await self._table(scope, headers, receive, send, route.arrow, request_id, operator)
                return
            _check_headers(headers, "application/json", self.limits.body_bytes)
            key = _idempotency_key(headers)
            # A chunked body does not say that it is large; it may have fewer bytes for that.
            is_large = route.bulk is not None and _told(headers) > self.limits.bulk_bytes
            with self._kept() if is_large else nullcontext():
                body = await self._body(receive, headers, self.limits.body_bytes, self.limits.body_s)
                inner: dict[str, Any] = {**scope}
                job: Job | JsonJob
                if route.bulk is not None and len(body) > self.limits.bulk_bytes:
                    job = JsonJob(request_id, body, True, key, operator=operator, rows=route.rows)
                    inner |= {"path": route.bulk, "raw_path": route.bulk.encode()}
                else:
                    applications = await self._applications(bytes(body), route.rows)
                    job = Job(request_id, applications, operator=operator)
                    if self._is_quick(route, job, len(body)):
                        await self._at_once(job, send)
                        return
                inner[JOB] = job
                await self._inner(inner, receive, _Uniform(send), job, self.limits.answer_s)
        finally:
            self._inside[path] -= 1

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

    async def _at_once(self, job: Job, send: Send) -> None:
        assert self.at_once is not None
        self._quick += 1
        try:
            async with asyncio.timeout(self.limits.answer_s):
                answer = await self.at_once(job)
        except TimeoutError:
            answer = self._late(self.limits.answer_s)
        finally:
            self._quick -= 1
        if isinstance(answer, Refusal):
            raise answer
        await _send(send, 200, [(b"content-type", b"application/json")], answer)

    def _late(self, answer_s: float) -> Refusal:
        detail = f"No answer within {answer_s:g} seconds; send fewer applications at a time."
        return Refusal(504, detail, retry_after_s=self.limits.retry_after_s)

    async def _table(
        self,
        scope: Scope,
        headers: Mapping[bytes, str],
        receive: Receive,
        send: Send,
        path: str,
        request_id: str,
        operator: str | None,
    ) -> None:
        """Lead a table round the batch."""
        limits = self.limits
        _check_headers(headers, ARROW, limits.arrow_bytes)
        key = _idempotency_key(headers)
        with self._kept():
            body = await self._body(receive, headers, limits.arrow_bytes, limits.arrow_s)
            is_json = "application/json" in headers.get(b"accept", "")
            job = ArrowJob(request_id, body, is_json, key, operator=operator)
            inner = {**scope, JOB: job, "path": path, "raw_path": path.encode()}
            await self._inner(inner, receive, _Uniform(send), job, limits.arrow_s)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Let a large body in; a few at a time, for each is kept in memory whole."""
        limits = self.limits
        if self._large >= limits.arrow_concurrent:
            detail = "Too many large requests at once; try again shortly."
            raise Refusal(429, detail, retry_after_s=limits.retry_after_s)
        self._large += 1
        try:
            yield
        finally:
            self._large -= 1

    async def _inner(
        self, scope: Scope, receive: Receive, send: _Uniform, job: Job | ArrowJob, answer_s: float
    ) -> None:
        # Not cancelled when the time is up: bentoml 1.4.39's batch queue answers a cancelled call itself.
        task = asyncio.ensure_future(self.app(scope, receive, send))
        try:
            await asyncio.wait({task}, timeout=answer_s)
            if not task.done() and not send.has_started:
                send.is_closed = True
                raise self._late(answer_s)
            await task
        finally:
            job.is_abandoned = not send.has_started
            task.add_done_callback(_seen)

    async def _body(
        self, receive: Receive, headers: Mapping[bytes, str], most_bytes: int, most_s: float
    ) -> bytearray:
        """Read the body; a chunked one has no content-length, so it is counted as it comes."""
        body, pause_s = bytearray(), self.limits.pause_s
        is_told = b"content-length" in headers
        most_bytes = most_bytes if is_told else min(most_bytes, self.limits.chunked_bytes)
        clock = asyncio.get_running_loop().time
        end = clock() + most_s
        try:
            while True:
                async with asyncio.timeout_at(min(end, clock() + pause_s)):
                    message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "The request ended before its body did.")
                body += message.get("body", b"")
                if len(body) > most_bytes:
                    raise _too_large(most_bytes, is_told)
                if not message.get("more_body", False):
                    return body
        except TimeoutError:
            detail = f"The body did not arrive within {most_s:g} seconds, with no pause of {pause_s:g}."
            raise Refusal(408, detail) from None

    def _check_rate(self, operator: str | None, scope: Scope) -> None:
        if self.rate is None:
            return
        client = operator or str((scope.get("client") or ("",))[0])
        if wait_s := self.rate.wait_s(client):
            detail = f"More than {self.rate.per_s:g} requests a second; slow down."
            raise Refusal(429, detail, retry_after_s=ceil(wait_s))

    async def _applications(self, body: bytes, rows: int) -> list[Request]:
        if len(body) <= self.limits.bulk_bytes:
            return parse(body, rows, self.decoder)
        return await asyncio.to_thread(parse, body, rows, self.decoder)


def parse(body: bytes | bytearray, rows: int, decoder: Decoder) -> list[Request]:
    """Return the applications of a JSON body, or raise the `Refusal` that says what is wrong with it."""
    decoded = decoder.decode(body, rows)
    if decoded is not None:
        return decoded
    try:
        document = from_json(body)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {_at(str(error))}.") from None
    given = document.get("applications") if isinstance(document, dict) else None
    if isinstance(given, list) and len(given) > rows:
        raise Refusal(422, f"{len(given)} applications in one request; send at most {rows} at a time.")
    errors = [_field_error(place, "The key stands twice; send it once", 0) for place in repeated_keys(body)]
    starts = range(0, max(len(given), 1), SLICE) if isinstance(given, list) else (0,)
    applications: list[Request] = []
    for start in starts:
        part = (
            {**document, "applications": given[start : start + SLICE]}
            if isinstance(given, list)
            else document
        )
        try:
            valid = ScoreRequest.model_validate(part).applications
        except ValidationError as error:
            errors += _field_errors(error, start)
        else:
            for row, application in enumerate(valid, start=start):
                faults = [
                    FieldError(row=row, field=name, detail=detail)
                    for name, detail in decoder.faults(application)
                ]
                errors += faults
                if not errors:
                    applications.append(decoder.request(application))
    if errors:
        raise faulty(len(errors), errors)
    return applications


def errors_of(application: Mapping[str, Any], row: int, decoder: Decoder) -> list[FieldError]:
    """Return what is wrong with one application, as `parse` would say it."""
    try:
        (valid,) = ScoreRequest.model_validate({"applications": [application]}).applications
    except ValidationError as error:
        return _field_errors(error, row)
    return [FieldError(row=row, field=name, detail=detail) for name, detail in decoder.faults(valid)]


def faulty(count: int, errors: Sequence[FieldError]) -> Refusal:
    """Return the refusal of a request with so many faults, the first of which are named."""
    more = f" (the first {ERRORS_NAMED} are named)" if count > ERRORS_NAMED else ""
    fault = "1 fault" if count == 1 else f"{count} faults"
    return Refusal(422, f"The request has {fault}{more}; nothing was decided.", errors[:ERRORS_NAMED])


def _content_type(headers: Mapping[bytes, str]) -> str:
    return headers.get(b"content-type", "").split(";")[0].strip().lower()


def _check_headers(headers: Mapping[bytes, str], kind: str, most_bytes: int) -> None:
    if _content_type(headers) != kind:
        raise Refusal(415, f"Send the applications as Content-Type: {kind}.")
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "Send the body without Content-Encoding.")
    if _told(headers) > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int, is_told: bool = True) -> Refusal:
    kind = "" if is_told else " without Content-Length"
    return Refusal(
        413, f"The body{kind} is larger than {most_bytes // 2**20} MiB; send fewer applications at a time."
    )


def _told(headers: Mapping[bytes, str]) -> int:
    """Return the length of a body as its headers say it, 0 if they do not."""
    length = headers.get(b"content-length", "0")
    return int(length) if length.isdecimal() else 0


def _idempotency_key(headers: Mapping[bytes, str]) -> str:
    key = headers.get(b"idempotency-key", "")
    if key and not _SAFE_ID.fullmatch(key):
        raise Refusal(400, "The Idempotency-Key is not 1 to 128 letters, digits and ._:+/=- signs.")
    return key


def _request_id(headers: Mapping[bytes, str]) -> str:
    """Return the client's X-Request-ID if it is safe to log, else a new one."""
    given = headers.get(b"x-request-id", "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


def _at(message: str) -> str:
    """Keep the place of a JSON error; its other words could quote the body."""
    place = re.search(r"line \d+ column \d+", message)
    return f"see {place.group()}" if place else "it cannot be read"


def _field_errors(error: ValidationError, start: int) -> list[FieldError]:
    """Return what pydantic found, in our words; ``start`` is the row of the first application."""
    return [
        _field_error(fault["loc"], WORDS.get(fault["type"], fault["msg"]), start)
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _field_error(location: Location, detail: str, start: int) -> FieldError:
    """Split ``("applications", 3, "history", "bureau", 0)`` into the row and the path in it."""
    match location:
        case ("applications", int(row), *rest):
            return FieldError(row=start + row, field=_path(rest) or "applications", detail=detail)
        case _:
            return FieldError(row=None, field=_path(location) or "(body)", detail=detail)


def _path(steps: Iterable[int | str]) -> str:
    """Write ``history.bureau[0].STATUS``; a name that a client made up is cut short."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step[:100]}" for step in steps).lstrip(".")


class _Uniform:
    """A send that gives every error the one shape: the frameworks below have four."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.has_started = False
        self.is_closed = False
        self._is_replaced = False

    async def __call__(self, message: Message) -> None:
        if self.is_closed or self._is_replaced:
            return
        self.has_started = True
        status = message.get("status", 200)
        if status >= 400 and (b"content-type", PROBLEM_TYPE) not in message["headers"]:
            self._is_replaced = True
            await _answer(self.send, Refusal(status, _DETAILS.get(status, _ANY)))
        else:
            await self.send(message)


_ANY = "The service could not answer; its log says why."
_DETAILS = {
    404: "There is nothing here; GET / lists the endpoints.",
    405: "This endpoint does not take this method; GET / lists the endpoints.",
    503: "The service is not ready or overloaded; try again shortly.",
}


def _seen(task: asyncio.Future[None]) -> None:
    """Take note of how an abandoned call ended, so that asyncio does not complain of it later."""
    if not task.cancelled():
        task.exception()


class _Numbered:
    """A send that puts the request's id into the headers, and keeps pages of other sites out of ours."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.has_started = False
        self._headers = [(b"x-request-id", request_id.encode()), *SAFE_HEADERS]

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            message = {**message, "headers": [*message.get("headers", []), *self._headers]}
        await self.send(message)


async def _answer(send: Send, refusal: Refusal) -> None:
    headers = [(name.encode(), value.encode()) for name, value in refusal.headers().items()]
    await _send(send, refusal.status, headers, refusal.body())


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
