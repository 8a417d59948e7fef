"""Reviewing a decision: one person, once, on the record.

Who reviews claims the decision in the index first, so that of two at once one is told; then the review is
recorded, and the follower brings it into the index like every record. A claim that came to nothing is void
after a while.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from scoring.decisions import schema
from scoring.decisions.entries import once
from scoring.decisions.gathered import microseconds
from scoring.decisions.index import Index, IndexFault
from scoring.decisions.lookup import Found, by_event
from scoring.decisions.schema import packed

CLAIM_S = 60.0  # longer than a review takes to be recorded and followed
FOLLOWED_S = 2.0  # how long is waited until the review can be looked up
LOOK_S = 0.02

OPPOSITE = {"granted": "refused", "refused": "granted"}


class ReviewError(ValueError):
    """A decision cannot be reviewed.

    Attributes
    ----------
    kind : str
        Why, a key of `scoring.problems.KINDS`.
    params : mapping
        What fills the places of its sentence.
    """

    def __init__(self, kind: str, **params: str) -> None:
        self.kind = kind
        self.params = params
        super().__init__(kind)


def review(
    index: Index,
    note: Callable[[Mapping[str, Any], datetime], None],
    event_id: str,
    *,
    verdict: str,
    reason: str,
    operator: str | None,
    now: Callable[[], datetime],
) -> tuple[Found, dict[str, Any]] | None:
    """Record what a person says of a decision; return that decision and the review, None if it is unknown.

    Parameters
    ----------
    index : Index
    note : callable
        Records a review durably, at a time.
    event_id, verdict, reason, operator
        Which decision; ``confirmed`` or ``otherwise``; why; who.
    now : callable
        Gives the time.

    Raises
    ------
    ReviewError
        If it cannot be reviewed, or was.
    IndexFault
        If the index cannot be used, or is late: nothing is recorded then.
    LogError
        If it cannot be recorded: nothing is then.
    """
    found = by_event(index, event_id, now())
    if found is None:
        return None
    if found.purpose != "decision":
        raise ReviewError("nothing-to-review", purpose=found.purpose)
    claim = _claim(index, event_id, now())
    said = {
        "event_id": event_id,
        "verdict": verdict,
        "decision": found.decision if verdict == "confirmed" else OPPOSITE[found.decision],
        "reason": reason,
        "operator": operator,
    }
    moment = now()
    try:
        note(said, moment)
    except BaseException:
        with suppress(IndexFault):  # it is void after a while
            _release(index, event_id, claim)
        raise
    _wait(index, event_id)
    return found, said | {"time": moment}


def _claim(index: Index, event_id: str, now: datetime) -> str:
    """Claim a decision for one review, or say who has it."""
    table, event = schema.reviews, packed(event_id)
    claim, moment = secrets.token_hex(8), microseconds(now)
    row = {"event": event, "claim": claim, "claimed": moment, "is_recorded": False, "is_applied": False}
    with index.begin(is_writing=True) as connection:
        connection.execute(once(index, table), [row])
        void = (table.c.event == event, ~table.c.is_recorded, table.c.claimed < moment - int(CLAIM_S * 1e6))
        connection.execute(update(table).where(*void).values(claim=claim, claimed=moment))
        there = connection.execute(select(table).where(table.c.event == event)).mappings().one()
    if there["is_recorded"]:
        raise ReviewError("reviewed-before")
    if there["claim"] != claim:
        raise ReviewError("being-reviewed")
    return claim


def _release(index: Index, event_id: str, claim: str) -> None:
    table = schema.reviews.c
    mine = (table.event == packed(event_id), table.claim == claim, ~table.is_recorded)
    with index.begin(is_writing=True) as connection:
        connection.execute(delete(schema.reviews).where(*mine))


def _wait(index: Index, event_id: str) -> None:
    """Wait until a review is in the index, but not for ever: it is on the record, and comes."""
    end = time.monotonic() + FOLLOWED_S
    applied = select(schema.reviews.c.is_applied).where(schema.reviews.c.event == packed(event_id))
    with suppress(IndexFault):
        while time.monotonic() < end:
            with index.begin() as connection:
                if connection.scalar(applied):
                    return
            time.sleep(LOOK_S)
