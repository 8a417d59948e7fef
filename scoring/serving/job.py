"""What passed the door, on its way to a decision."""

from __future__ import annotations

from dataclasses import dataclass, field

from scoring.schema import Request

JOB = "credit_scoring.job"  # where the ASGI scope carries what passed the door


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


@dataclass
class ArrowJob(BulkJob):
    """A table in Arrow."""


@dataclass
class JsonJob(BulkJob):
    """Applications in JSON, and how many there may be at most."""

    rows: int = 0
