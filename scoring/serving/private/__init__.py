"""What the service uses of other libraries that they do not offer: all of it stands in this room.

`PARTS` is the list. `demand` looks at every start whether each part is there, and says what is gone and what
would be lost without it; `tests/test_private.py` tries each against the library as it comes. Nothing here
happens at import.
"""

from __future__ import annotations

import json
import os
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from scoring.serving.job import JOB
from scoring.serving.problem import Rejection

BENTOML, UVICORN = ("bentoml", "1.4.39"), ("uvicorn", "0.54.0")


class PartGone(RuntimeError):
    """A library has changed where the service reaches into it."""


@dataclass(frozen=True)
class PrivatePart:
    """A part of another library that it does not offer.

    Attributes
    ----------
    name : str
        Where it is found, as ``module:attribute``.
    written_for : tuple of str
        The library, and the version of it that was read.
    why : str
        What is done with it, and what would be lost without: the end of the sentence "It is used to ...".
    members : tuple of str
        What it must have.
    """

    name: str
    written_for: tuple[str, str]
    why: str
    members: tuple[str, ...] = ()

    def find(self) -> Any:
        """Return it.

        Raises
        ------
        PartGone
            If it is not there, or has lost a member.
        """
        try:
            found = pkgutil.resolve_name(self.name)
        except (ImportError, AttributeError):
            raise PartGone(self._gone("")) from None
        for member in self.members:
            if not hasattr(found, member):
                raise PartGone(self._gone(f".{member}"))
        return found

    def _gone(self, member: str) -> str:
        library, written_for = self.written_for
        try:
            installed = version(library)
        except PackageNotFoundError:
            installed = "(not installed)"
        return (
            f"{library} {installed} has no {self.name}{member}, which is used to {self.why}. "
            f"Install {library} {written_for}, as requirements-serving.txt names it."
        )


ARBITER = PrivatePart(
    "bentoml._internal.utils.circus:Arbiter",
    BENTOML,
    "replace a worker the moment that it ends, in a container too, to end when none can start, and to change "
    "the model at SIGHUP without ending a worker",
    ("initialize", "reload", "start", "stop", "manage_watchers", "iter_watchers", "reap_processes"),
)
TIMEOUTS = PrivatePart(
    "bentoml._internal.server.http.traffic:TimeoutMiddleware",
    BENTOML,
    "leave it out: it never cancels the timer of an answered request, 0.7 KB each for four minutes",
)
TRACKING = PrivatePart(
    "bentoml._internal.utils.analytics.usage_stats:do_not_track",
    BENTOML,
    "keep BentoML from reporting to its maker: it has looked before it loads the service, and remembers",
    ("cache_clear",),
)
BODIES = PrivatePart(
    "bentoml:IODescriptor",
    BENTOML,
    "take a body that is checked already and give an answer that is bytes already, at a third of the time",
    ("from_http_request", "to_http_response"),
)
PROTOCOLS = PrivatePart(
    "uvicorn.config:HTTP_PROTOCOLS",
    UVICORN,
    "have uvicorn, which BentoML starts and gives no choice, speak HTTP through `Connection`",
    ("get", "__setitem__"),
)
PROTOCOL = PrivatePart(
    "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
    UVICORN,
    "cut clients that stall, bound headers, keep room for who comes, and close connections while draining",
    (
        *("connection_made", "connection_lost", "pause_writing", "resume_writing"),
        *("on_message_begin", "on_header", "on_headers_complete", "on_body", "on_message_complete"),
        *("on_response_complete", "_unset_keepalive_if_required", "shutdown"),
    ),
)
SERVER = PrivatePart(
    "uvicorn:Server",
    UVICORN,
    "have the server, which BentoML starts and gives no choice, accept who stands in line before it ends",
    ("shutdown",),
)
PARTS = (ARBITER, TIMEOUTS, TRACKING, BODIES, PROTOCOLS, PROTOCOL, SERVER)


def demand(parts: Sequence[PrivatePart] = PARTS) -> None:
    """Look whether all that is reached into is there.

    Raises
    ------
    PartGone
        If a part is not.
    """
    for part in parts:
        part.find()


def supervise(make: Callable[[type[Any]], type[Any]]) -> None:
    """Have `bentoml serve` start its workers under another class, made of its own, by `supervisor`."""
    from bentoml._internal.utils import circus

    circus.Arbiter = make(ARBITER.find())  # type: ignore[misc]


def keep_quiet() -> None:
    """Keep BentoML from reporting on its use, unless the environment says otherwise."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    TRACKING.find().cache_clear()


def without_timeouts(app: Starlette) -> Starlette:
    """Take BentoML's time-outs out of its application: the middleware has deadlines of its own.

    Raises
    ------
    PartGone
        If there are none: they go by another name then.
    """
    timeouts = TIMEOUTS.find()
    kept = [middleware for middleware in app.user_middleware if middleware.cls is not timeouts]
    if len(kept) == len(app.user_middleware):
        raise PartGone("BentoML's application has no TimeoutMiddleware to be left out; see `TIMEOUTS`.")
    app.user_middleware = kept
    return app


def speak_through(connection: type[Any]) -> None:
    """Have uvicorn, when it is configured next, speak HTTP through this class."""
    PROTOCOLS.find()["auto"] = connection
    # uvicorn's own setting: none but `Forwarded` believes what a request says of whom it comes from
    os.environ["FORWARDED_ALLOW_IPS"] = ""


def serve_by(server: type[Any]) -> None:
    """Have BentoML, when it starts uvicorn next, start this class of server."""
    import uvicorn

    uvicorn.Server = server  # type: ignore[misc]


_WRITTEN: dict[object, str] = {}


class WrittenOnce:
    """Writes a schema once: BentoML asks for each endpoint's at a start, for a client that nobody uses."""

    @classmethod
    def model_json_schema(cls, *options: Any, **named: Any) -> dict[str, Any]:
        """Return the schema; whoever has it may change it."""
        asked = (cls, options, *sorted(named.items()))
        if asked not in _WRITTEN:
            written = super().model_json_schema(*options, **named)  # type: ignore[misc]
            _WRITTEN[asked] = json.dumps(written)
        schema: dict[str, Any] = json.loads(_WRITTEN[asked])
        return schema


class HandedOn(WrittenOnce):
    """Lets an endpoint take what the middleware has checked and left in the scope."""

    @classmethod
    async def from_http_request(cls: Any, request: Request, _serde: object) -> BaseModel:
        """Hand the request on as one item: the unit of a batch is a request, so that none is ever split."""
        handed: BaseModel = cls.model_construct(applications=[request.scope[JOB]])
        return handed


Reply = tuple[bytes, str]  # an answer and its media type, where it may be another than JSON


class AsBytes(WrittenOnce):
    """Turns what an endpoint gives for one request, its body or a rejection, into the response."""

    @classmethod
    async def to_http_response(cls, answers: Sequence[bytes | Reply | Rejection], _serde: object) -> Response:
        """Return the response to the one request."""
        (answer,) = answers
        if isinstance(answer, Rejection):
            return Response(answer.body(), answer.status, answer.headers())
        body, kind = answer if isinstance(answer, tuple) else (answer, "application/json")
        return Response(body, media_type=kind)
