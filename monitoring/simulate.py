"""Send a portfolio's later applications through the running service, as production traffic would come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring import tables
from scoring.client import CHUNK, Client, Refused
from scoring.schema import Purpose

PURPOSE: Purpose = "test"
"""What a simulation asks for: it decides nothing, and the monitor of decisions leaves it out."""


@dataclass(frozen=True)
class Sent:
    """The ids of the service's decisions, and how many applications it refused as invalid."""

    event_ids: frozenset[str]
    refused: int


def read(portfolio: Path) -> tables.Portfolio:
    """Read a portfolio's application_test with all its histories."""
    return tables.read(portfolio, population="test")


def send(client: Client, portfolio: tables.Portfolio, rows: int, progress: Callable[[int], None]) -> Sent:
    """Have the first rows of a portfolio decided, with their raw histories.

    Raises
    ------
    scoring.client.ServiceError
        If the service is down, or cannot decide.
    """
    answers = list(client.score_many(_requests(portfolio, rows), progress=progress))
    decided = frozenset(answer.event_id for answer in answers if not isinstance(answer, Refused))
    return Sent(decided, len(answers) - len(decided))


def _requests(portfolio: tables.Portfolio, rows: int) -> Iterator[dict[str, Any]]:
    for start in range(0, rows, CHUNK):
        yield from tables.to_requests(portfolio, range(start, min(start + CHUNK, rows)))
