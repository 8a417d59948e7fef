"""Records beside the decisions: that somebody looked, that a person reviewed, how a loan ended.

A note is one line of the log, in the chain of the decisions::

    {"seq": 8, "prev": "…", "kind": "review", "schema_version": 1, "time": "…", "about": {…}, "hash": "…"}

What ``about`` holds is known to who writes and reads that kind: see `scoring.decisions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from scoring.inference_log.record import Row, strict_json

NOTE_VERSION = 1
Kind = Literal["look-up", "review", "outcome", "erasure", "erased"]
"""``erased`` stands where a decision or a note was about a person: see `scoring.inference_log.erasure`."""


@dataclass(frozen=True)
class Note:
    """What a line says that is about no new decision."""

    kind: Kind
    time: datetime
    about: Mapping[str, Any]

    def body(self) -> bytes:
        """Return the line, without its place in the chain."""
        time = f"{self.time:%Y-%m-%dT%H:%M:%S.%f}Z"
        said = {"kind": self.kind, "schema_version": NOTE_VERSION, "time": time, "about": self.about}
        return strict_json(said)

    @classmethod
    def of(cls, line: Row) -> Note:
        """Read what `body` wrote.

        Raises
        ------
        ValueError
            If it is not that.
        """
        kind, time, about = line.get("kind"), line.get("time"), line.get("about")
        if line.get("schema_version") != NOTE_VERSION:
            raise ValueError(f"not of schema_version {NOTE_VERSION}")
        if kind not in get_args(Kind):
            raise ValueError("a note of an unknown kind")
        if not isinstance(time, str) or not time.endswith("Z") or not isinstance(about, dict):
            raise ValueError("not a whole note")
        return cls(kind, datetime.fromisoformat(time), about)  # type: ignore[arg-type]  # it is one of them
