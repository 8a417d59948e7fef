"""What a request may ask: the limits of the service and of each endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring import settings
from scoring.serving.query import read_nothing

MIB, KIB = 2**20, 2**10


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask of the service."""

    body_bytes: int = settings.BODY_MIB.default * MIB
    chunked_bytes: int = 8 * MIB  # of a body that does not say its length, so it is not refused by it
    bulk_bytes: int = 256 * KIB  # a larger body goes round the batch: its work would delay its neighbours
    bodies_bytes: int = settings.BODIES_MIB.default * MIB  # of all the smaller bodies inside
    concurrent: int = settings.CONCURRENT.default  # requests inside; the next one is told to come back
    large_concurrent: int = 3  # large bodies that are there: one is decided, the others are kept in memory
    header_bytes: int = settings.HEADER_KIB.default * KIB  # request line and headers
    header_lines: int = 128  # headers; a browser behind a few proxies sends some thirty
    header_s: float = settings.HEADER_SECONDS.default  # to send them
    pause_s: float = settings.PAUSE_SECONDS.default  # between two parts of a body
    quick_bytes: int = 48 * KIB  # one application with some 200 records of history: a few milliseconds
    # Of these inside at once; the next go into the batch, at 1.6 times the CPU time each.
    quick: int = settings.AT_ONCE.default
    body_s: float = settings.BODY_SECONDS.default  # to send the body
    answer_s: float = settings.ANSWER_SECONDS.default  # to answer it
    arrow_rows: int = settings.TABLE_ROWS.default  # applications in a table
    arrow_row_bytes: int = 4_096  # every column of an application and every aggregate take less
    arrow_s: float = 120.0  # to send a table, and to answer it
    retry_after_s: int = 1
    retry_after_most_s: int = 10
    returns_per_s: float = 100.0  # of those told to come back: saying no costs a seventh of a decision

    @property
    def arrow_bytes(self) -> int:
        """Largest body that a table may have."""
        return max(self.body_bytes, self.arrow_rows * self.arrow_row_bytes)

    @property
    def last_s(self) -> float:
        """When BentoML may give a request up: its own deadline stands behind the middleware's."""
        return 2 * self.arrow_s + self.body_s


USUAL = Limits()


@dataclass(frozen=True)
class Route:
    """One POST endpoint.

    Rows that a request may bring, the internal routes for large requests and for tables, and how many
    requests may be inside at once, where that is less than the limit of the whole service.
    ``is_quick``: one application alone is decided at once. ``read``: reads the parameters behind the path;
    without it there are none, and who sends some is told; ``parameters`` are these as OpenAPI says them.
    """

    rows: int
    is_quick: bool = False
    bulk: str | None = None
    arrow: str | None = None
    concurrent: int | None = None
    read: Callable[[bytes], Any] = read_nothing
    parameters: Sequence[Mapping[str, Any]] = ()

    @property
    def internal_routes(self) -> set[str]:
        """Paths that only the middleware leads to."""
        return {path for path in (self.bulk, self.arrow) if path}
