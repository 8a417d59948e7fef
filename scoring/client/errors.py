"""What the service says when it gives no decision: an error that is a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import httpx

from scoring.schema import FieldError, Problem

Kind = Literal["down", "busy", "refused", "failed", "unlike"]
SENTENCES: dict[Kind, str] = {
    "down": "The service does not answer at {url}: start it, or give its address.",
    "busy": "The service cannot decide just now: {detail} Try again in a moment.",
    "refused": "The service refused the request: {detail}",
    "failed": "The service failed: {detail}",
    "unlike": "The model at {url} {detail}",
}


class ServiceError(RuntimeError):
    """The service gave no decision.

    Attributes
    ----------
    kind : {"down", "busy", "refused", "failed", "unlike"}
        No connection; try again later; the request is wrong; the service is wrong; its model reads columns of
        a lender's own that this program does not know.
    problem : Problem or None
        What the service itself said.
    retry_after_s : float or None
        When it wants to be asked again.
    """

    def __init__(
        self, kind: Kind, url: str, problem: Problem | None = None, retry_after_s: float | None = None
    ) -> None:
        detail = _detail(problem) if problem else ""
        self.kind = kind
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(SENTENCES[kind].format(url=url, detail=detail))


@dataclass(frozen=True)
class Refused:
    """An application of a batch that the service did not accept, and what is wrong with it."""

    faults: tuple[FieldError, ...]

    @property
    def detail(self) -> str:
        """What is wrong, field by field."""
        return "; ".join(f"{fault.field}: {fault.detail}" for fault in self.faults)


def error_of(url: str, response: httpx.Response) -> ServiceError:
    """Return what an answer says that is no decision."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:  # not from our service: a proxy, or another program on that port
        problem = Problem(
            type="about:blank",
            title=response.reason_phrase,
            status=max(response.status_code, 400),
            detail=f"it answered {response.status_code} {response.reason_phrase}.",
            params={},
            errors=[],
        )
    kind: Kind = "failed"
    if response.status_code in (429, 503, 504):
        kind = "busy"
    elif response.status_code < 500:
        kind = "refused"
    after = response.headers.get("retry-after", "")
    return ServiceError(kind, url, problem, float(after) if after.isdecimal() else None)


def _detail(problem: Problem) -> str:
    """Say what the problem is, with its first fault."""
    if not problem.errors:
        return problem.detail
    first = problem.errors[0]
    row = "" if first.row is None else f"application {first.row + 1}, "
    return f"{problem.detail} {row}{first.field}: {first.detail}."
