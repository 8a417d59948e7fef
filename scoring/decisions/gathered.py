"""What was read of the log and is not in the index yet: the rows that it becomes there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from scoring.decisions.schema import packed
from scoring.inference_log import Checkpoint, FollowedLine, Note

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return a time as the index keeps it."""
    return (moment - EPOCH) // MICROSECOND


def waits(purpose: str, decision: str, is_asked: bool = False) -> str:
    """Return the state of a decision's review before anybody reviewed it: who is refused may ask for one.

    ``is_asked``: the model itself asked that a person look.
    """
    return "waiting" if purpose == "decision" and (decision == "refused" or is_asked) else "none"


@dataclass
class Gathered:
    """What was read and is not in the index yet."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    reviews: list[tuple[Note, int]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    erased: list[bytes] = field(default_factory=list)
    set_aside: int = 0
    after: Checkpoint | None = None

    @property
    def size(self) -> int:
        """How much it is."""
        return len(self.rows) + len(self.reviews) + len(self.outcomes)

    def add(self, file: int, line: FollowedLine) -> None:
        """Add a record of a file, by its number in the index."""
        content, self.after = line.content, line.after
        if isinstance(content, str):
            self.set_aside += 1
        elif isinstance(content, Note):
            if content.kind == "erasure":
                self.erased += [packed(str(event)) for event in content.about.get("events", ())]
            elif content.kind == "review":
                self.reviews.append((content, line.start))
            elif content.kind == "outcome":
                try:
                    self.outcomes.append({**_outcome(content), "file": file, "start": line.start})
                except (KeyError, TypeError, ValueError):
                    self.set_aside += 1
        elif isinstance(content, dict):
            self.rows.append(
                {
                    **_said(content, content["audit"]),
                    "event": packed(content["event_id"]),
                    "time": microseconds(content["time"]),
                    "applicant": packed(content["audit"]["applicant"]),
                    "file": file,
                    "start": line.start,
                    "row": None,
                }
            )
        else:
            part, table = content
            names = ("event_id", "applicant", "probability_of_default", "threshold", "decision")
            about = {
                "model": part.model,
                "operator": part.operator,
                "purpose": part.purpose,
            }
            moment, asked = microseconds(part.time), set(part.review)
            for row, said in enumerate(table.select(names).iter_rows(named=True)):
                if said["applicant"] is None:
                    continue  # it was erased
                self.rows.append(
                    {
                        **_said({**said, **about}, {**about, "review": row in asked}),
                        "event": packed(said["event_id"]),
                        "time": moment,
                        "applicant": packed(said["applicant"]),
                        "file": file,
                        "start": line.start,
                        "row": row,
                    }
                )

    def leave_out(self, events: Collection[bytes], is_gone: Callable[[int, int | None], bool]) -> None:
        """Leave out what is about some events, and is gone from where it was read."""
        if events:
            rows, outcomes = self.rows, self.outcomes
            self.rows = [r for r in rows if r["event"] not in events or not is_gone(r["start"], r["row"])]
            self.outcomes = [o for o in outcomes if o["event"] not in events or not is_gone(o["start"], None)]
            self.reviews = [
                (note, start)
                for note, start in self.reviews
                if event_of(note) not in events or not is_gone(start, None)
            ]


def event_of(note: Note) -> bytes:
    """Return which decision a note is about."""
    return packed(str(note.about.get("event_id")))


def _outcome(note: Note) -> dict[str, Any]:
    """Return an outcome as the index keeps it."""
    about = note.about
    return {
        "event": packed(str(about["event_id"])),
        "observed_on": date.fromisoformat(about["observed_on"]),
        "defaulted": bool(about["defaulted"]),
        "is_applied": False,
        "time": microseconds(note.time),
    }


def _said(record: Mapping[str, Any], audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a decision says of itself; ``about`` is the kind that it is of."""
    purpose = audit.get("purpose") or "decision"
    decision = record["decision"]
    return {
        "about": (
            record["model"],
            purpose,
            decision,
            waits(purpose, decision, bool(audit.get("review"))),
            "unknown",
        ),
        "operator": audit.get("operator"),
        "probability_of_default": record["probability_of_default"],
        "threshold": record["threshold"],
    }
