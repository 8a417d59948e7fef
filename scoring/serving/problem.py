"""The one shape of every error: problem details (RFC 9457), without a personal value."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence

from scoring.language import ENGLISH, say
from scoring.problems import KINDS, Params
from scoring.schema import FieldError, Problem

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

PROBLEM_TYPE = b"application/problem+json"
ERRORS_NAMED = 50  # a request with a thousand faults is told the first ones


class Rejection(Exception):
    """A request that gets a problem for an answer.

    Parameters
    ----------
    name : str
        Its kind, a key of `scoring.problems.KINDS`.
    params : mapping, optional
        What fills the places of the kind's sentence.
    errors : sequence of FieldError
        The faults of its values, as far as they are named.
    retry_after_s : int, optional
        When to ask again.
    allow : str
        The methods that would do, of a 405.
    status : int, optional
        Another status than the kind's.
    """

    def __init__(
        self,
        name: str,
        params: Params | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
        allow: str = "",
        status: int | None = None,
    ) -> None:
        self.kind = KINDS[name]
        self.params = params or {}
        self.detail = self.kind.say(self.params)
        super().__init__(self.detail)
        self.status = status or self.kind.status
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.allow = allow

    def body(self) -> bytes:
        """Give the problem as JSON."""
        problem = Problem(
            type=self.kind.type,
            title=say(self.kind.title, ENGLISH),
            status=self.status,
            detail=self.detail,
            params=dict(self.params),
            errors=list(self.errors),
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


def late() -> Rejection:
    """Return the rejection of a request whose answer nobody waits for any more."""
    return Rejection("time-over")


def rejection_of(error: BaseException) -> Rejection:
    """Return what a client is told of an exception, and log what its own words do not say.

    The message of a fault of ours could quote an applicant, so only its kind and place are logged.
    """
    if isinstance(error, Rejection):
        return error
    from scoring.inference_log import (
        LogError,
    )  # here: BentoML's own process gives no answers, and needs no log

    if isinstance(error, LogError):
        logger.error("nothing is decided: %s", error)
        return Rejection("unrecorded", retry_after_s=5)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return Rejection("failed")


def faulty(count: int, errors: Sequence[FieldError], is_all: bool = True) -> Rejection:
    """Return the rejection of a request with at least so many faults, the first of which are named."""
    errors = errors[:ERRORS_NAMED]
    if count > ERRORS_NAMED or not is_all:
        return Rejection("more-faults", {"n": min(count, ERRORS_NAMED + 1), "named": len(errors)}, errors)
    return Rejection("invalid-request", {"n": count}, errors)
