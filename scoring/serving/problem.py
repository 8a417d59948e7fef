"""The one shape of every error: problem details (RFC 9457), without a personal value."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from pydantic import ValidationError

from scoring.inference_log import LogError
from scoring.schema import FieldError, Location, Problem

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

PROBLEM_TYPE = b"application/problem+json"
ERRORS_NAMED = 50  # a request with a thousand faults is told the first ones
UNRECORDED = "Decisions cannot be recorded now, so none are given."
WORDS = {  # where pydantic speaks of Python
    "extra_forbidden": "No such field; GET /docs.json lists them",
    "missing": "This field is required",
    "model_type": "Input should be an object",
}

NAN = "NaN is not JSON; send null for what is not known (pandas: df.astype(object).where(df.notna(), None))"


class Refusal(Exception):
    """A request that gets a problem for an answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
        allow: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.allow = allow  # the methods that would do, of a 405

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
        allow = {"allow": self.allow} if self.allow else {}
        return {"content-type": PROBLEM_TYPE.decode(), **retry, **key, **close, **allow}


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of an exception, and log what its own words do not say.

    The message of a fault of ours could quote an applicant, so only its kind and place are logged.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, LogError):
        logger.error("nothing is decided: %s", error)
        return Refusal(503, UNRECORDED, retry_after_s=5)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return Refusal(500, "The service failed on this request; its log says where.")


def faulty(count: int, errors: Sequence[FieldError], is_all: bool = True) -> Refusal:
    """Return the refusal of a request with at least so many faults, the first of which are named."""
    if count > ERRORS_NAMED:
        faults = f"more than {ERRORS_NAMED} faults (the first {ERRORS_NAMED} are named)"
    else:
        faults = "" if is_all else "at least "
        faults += "1 fault" if count == 1 else f"{count} faults"
    return Refusal(422, f"The request has {faults}; nothing was decided.", errors[:ERRORS_NAMED])


def field_errors(error: ValidationError, start: int, above: Location = ()) -> list[FieldError]:
    """Return what pydantic found, in our words.

    ``start`` is the row of the first application or, where a list of records was judged, the position of the
    first of them, and ``above`` the place of the list.
    """
    found = []
    for fault in error.errors(include_url=False, include_context=False):
        place, detail = fault["loc"], WORDS.get(fault["type"], fault["msg"])
        if is_nan(fault["input"]):  # of what was sent, nothing else is told
            detail = NAN
        if above:
            position, *rest = place
            place = (*above, start + int(position), *rest)
        found.append(field_error(place, detail, 0 if above else start))
    return found


def is_nan(value: object) -> bool:
    """Say whether a value is the NaN that Python, but not JSON, has."""
    return isinstance(value, float) and value != value


def field_error(location: Location, detail: str, start: int) -> FieldError:
    """Split ``("applications", 3, "history", "bureau", 0)`` into the row and the path in it."""
    match location:
        case ("applications", int(row), *rest):
            return FieldError(row=start + row, field=_path(rest) or "applications", detail=detail)
        case _:
            return FieldError(row=None, field=_path(location) or "(body)", detail=detail)


def _path(steps: Iterable[int | str]) -> str:
    """Write ``history.bureau[0].STATUS``; a name that a client made up is cut short."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step[:100]}" for step in steps).lstrip(".")
