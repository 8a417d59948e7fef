"""The one shape of every error: problem details (RFC 9457), without a personal value."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from http import HTTPStatus

from scoring.inference_log import LogError
from scoring.schema import FieldError, Problem

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

PROBLEM_TYPE = b"application/problem+json"
ERRORS_NAMED = 50  # a request with a thousand faults is told the first ones
UNRECORDED = "Decisions cannot be recorded now, so none are given."


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


def late() -> Refusal:
    """Return the refusal of a request whose answer nobody waits for any more."""
    return Refusal(504, "The time for this request is over.")


def refusal_of(error: BaseException) -> Refusal:
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
