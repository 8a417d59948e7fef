"""GET /decisions, GET /decisions/EVENT, POST /decisions/EVENT/review and POST /outcomes, led to a thread.

They stand beside BentoML's application: its metrics would count each event under a label of its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

from pydantic import ValidationError

from scoring.problems import Fault
from scoring.schema import (
    Decision,
    FieldError,
    OutcomesRequest,
    OutcomeState,
    Purpose,
    ReviewRequest,
    ReviewState,
    fault_at,
    field_error,
    field_errors,
    hinted,
    known_at,
    repeated_keys,
)
from scoring.schema.columns import INT64_MAX, read_id
from scoring.serving import header
from scoring.serving.asgi import ASKER, Asker, Receive, Scope, Send, respond
from scoring.serving.life import lower_priority
from scoring.serving.limits import Limits
from scoring.serving.problem import Rejection, late
from scoring.serving.query import read_nothing, read_query
from scoring.serving.reading import TWICE

if TYPE_CHECKING:
    from scoring.serving.records import RecordedDecisions

Request = TypeVar("Request", ReviewRequest, OutcomesRequest)


class Body(NamedTuple):
    """What is posted: its most bytes, and the problems that it can meet."""

    most: int
    not_json: str
    too_large: str
    late: str


PATH, OUTCOMES = "/decisions", "/outcomes"
USUAL, MOST = 50, 200  # decisions on a page
REVIEW = Body(2**14, "review-not-json", "review-too-large", "review-late")
LOANS = Body(2**18, "outcomes-not-json", "outcomes-too-large", "outcomes-late")
NAMED = 100  # faults of a body
INSIDE = 16  # look-ups in a worker at a time: decisions go first
THREADS = 2
LETTERS = 255  # of a name that is asked for
_ONE = re.compile(r"/decisions/([A-Za-z0-9._:-]{1,64})(/review)?")
_WORDS = {
    "decision": get_args(Decision.model_fields["decision"].annotation),
    "purpose": get_args(Purpose),
    "review": get_args(ReviewState),
    "outcome": get_args(OutcomeState),
}


def _time(day: int) -> dict[str, Any]:
    example = f"2026-11-{day}T09:30:00Z"
    return {"schema": {"type": "string", "format": "date-time", "examples": [example]}}


PARAMETERS: dict[str, dict[str, Any]] = {
    "client": {
        "description": "Number of a client (SK_ID_CURR); the record has its pseudonym.",
        "schema": {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
    },
    "since": {"description": "Recorded then or later; a time without a zone is UTC.", **_time(21)},
    "until": {"description": "Recorded before; after `since`.", **_time(28)},
    **{name: {"schema": {"type": "string", "enum": list(words)}} for name, words in _WORDS.items()},
    "model": {"description": "Exact tag.", "schema": {"type": "string", "maxLength": LETTERS}},
    "operator": {"description": "Who asked.", "schema": {"type": "string", "maxLength": LETTERS}},
    "limit": {
        "description": "Decisions on a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
    },
    "cursor": {"description": "`next` of the page before.", "schema": {"type": "string", "maxLength": 64}},
}
"""What GET /decisions may be asked for, as OpenAPI says it."""


class Lookups:
    """ASGI application: see the module. What is none of its paths is 404.

    Parameters
    ----------
    records : callable
        Gives the `RecordedDecisions` of this worker; None where nothing is recorded. Called in a thread.
    may : callable
        Says whether an owner of a key has a role.
    limits : Limits
    """

    def __init__(
        self,
        records: Callable[[], RecordedDecisions | None],
        may: Callable[[str | None, str], bool],
        limits: Limits,
    ) -> None:
        self.records = records
        self.may = may
        self.limits = limits
        self._threads = ThreadPoolExecutor(THREADS, "records", lower_priority)
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, found = scope["path"], _ONE.fullmatch(scope["path"])
        if path not in (PATH, OUTCOMES) and found is None:
            raise Rejection("not-found")
        is_review = found is not None and found[2] is not None
        role = "outcome" if path == OUTCOMES else "review" if is_review else "read"
        self._check(scope, "GET" if role == "read" else "POST", role)
        asked = (listed if path == PATH else read_nothing)(scope["query_string"])
        asker: Asker = scope[ASKER]
        if self._inside >= INSIDE:
            raise Rejection("too-many-requests", retry_after_s=1)
        self._inside += 1
        try:
            if path == OUTCOMES:
                body = await self._body(scope, receive, LOANS)
                answer = await self._do(lambda records: records.outcomes(_outcomes(body), asker))
            elif found is None:
                answer = await self._do(lambda records: records.page(_asked(asked or {}), asker))
            elif is_review:
                said = _said(await self._body(scope, receive, REVIEW))
                answer = await self._do(lambda records: records.review(found[1], said, asker))
            else:
                answer = await self._do(lambda records: records.one(found[1], asker))
        finally:
            self._inside -= 1
        await respond(send, 201 if is_review else 200, [(b"content-type", b"application/json")], answer)

    def _check(self, scope: Scope, method: str, role: str) -> None:
        if scope["method"] != method:
            raise Rejection("method-not-allowed", allow=method)
        if not self.may(scope[ASKER].key, role):
            raise Rejection("no-role", {"role": role})

    async def _do(self, work: Callable[[RecordedDecisions], bytes]) -> bytes:
        """Have something done in a thread: a database, a disk and a model may take their time."""

        def done() -> bytes:
            records = self.records()
            if records is None:
                raise Rejection("nothing-recorded")
            return work(records)

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limits.answer_s):
                answer: bytes = await loop.run_in_executor(self._threads, done)
                return answer
        except TimeoutError:
            raise late() from None

    async def _body(self, scope: Scope, receive: Receive, kind: Body) -> bytes:
        headers = header.read(scope["headers"])
        if header.content_type(headers) != "application/json":
            raise Rejection(kind.not_json)
        if headers.get(b"content-encoding", "identity").lower() != "identity":
            raise Rejection("content-encoded")
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Rejection("body-cut-off")
                    body += message.get("body", b"")
                    if len(body) > kind.most:
                        raise Rejection(kind.too_large, {"kib": kind.most // 2**10})
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise Rejection(kind.late, {"seconds": self.limits.body_s}) from None


def listed(query: bytes) -> dict[str, Any]:
    """Read the parameters of GET /decisions.

    Raises
    ------
    Rejection
        422 that names each one that cannot be used, and what would do.
    """
    return read_query(query, {name: partial(_value, name) for name in PARAMETERS}, _order)


def _order(found: Mapping[str, Any]) -> Iterator[FieldError]:
    """Give what is wrong with two moments together."""
    since, until = found.get("since"), found.get("until")
    if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
        yield fault_at(None, "until", Fault("not_after", {"other": "since"}))


def _value(name: str, text: str) -> int | str | datetime | Fault:
    """Return what a parameter says, or what is wrong with it."""
    if name in ("client", "limit"):
        if (number := read_id(text)) is None:
            return Fault("not_digits", {"maximum": MOST if name == "limit" else INT64_MAX})
        if name == "limit" and number < 1:
            return Fault("below_minimum", {"minimum": 1})
        if name == "limit" and number > MOST:
            return Fault("above_maximum", {"maximum": MOST})
        return number
    if name in ("since", "until"):
        return _moment(text)
    if name in _WORDS:
        return text if text in _WORDS[name] else Fault("not_one_of", {"values": ", ".join(_WORDS[name])})
    if not 0 < len(text) <= LETTERS or not text.isprintable():
        return Fault("not_a_name", {"maximum": LETTERS})
    return text


def _moment(text: str) -> datetime | Fault:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # what a + becomes that was not escaped
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return Fault("not_a_time")


def _said(body: bytes) -> ReviewRequest:
    return _valid(ReviewRequest, body, "invalid-review")


def _outcomes(body: bytes) -> OutcomesRequest:
    return _valid(OutcomesRequest, body, "invalid-outcomes")


def _valid(model: type[Request], body: bytes, kind: str) -> Request:
    """Read a body, or refuse it with what is wrong."""
    try:
        found = model.model_validate_json(body, strict=True)
    except ValidationError as error:
        if any(fault["type"] == "json_invalid" for fault in error.errors(include_url=False)):
            raise Rejection("unreadable-json") from None
        faults = hinted(field_errors(error, 0), partial(known_at, model=model))
    else:
        faults = [field_error(place, TWICE, 0) for place in repeated_keys(body, NAMED)]
    if faults:
        raise Rejection(kind, {"n": len(faults)}, faults[:NAMED])
    return found


def _asked(found: Mapping[str, Any]) -> Any:
    from scoring.decisions import Filter  # here: a worker that is asked for decisions alone needs no database
    from scoring.serving.records import LookUp

    rest = {name: value for name, value in found.items() if name not in ("client", "limit", "cursor")}
    return LookUp(Filter(**rest), found.get("limit", USUAL), found.get("cursor"), found.get("client"))
