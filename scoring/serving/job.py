"""What passed the middleware, on its way to a decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scoring.schema import Asked, Purpose

JOB = "credit_scoring.job"  # where the ASGI scope carries what passed the middleware


@dataclass
class Job(Asked):
    """A request that passed the middleware.

    ``is_abandoned``: nobody waits for the answer any more; ``parameters``: what its path was asked with.
    """

    is_abandoned: bool = field(default=False, compare=False)
    parameters: Any = field(default=None, repr=False)


@dataclass
class BulkJob:
    """A large body, not looked at yet.

    ``key`` is the client's Idempotency-Key, "" without one; ``is_json``: it wants its answer as JSON.
    """

    request_id: str
    body: bytearray = field(repr=False)
    is_json: bool
    key: str
    is_abandoned: bool = field(default=False, compare=False)
    operator: str | None = None
    purpose: Purpose = "decision"


@dataclass
class ArrowJob(BulkJob):
    """A table in Arrow."""


@dataclass
class JsonJob(BulkJob):
    """Applications in JSON, and how many there may be at most."""

    rows: int = 0
