"""Who works at the desk, and what each may do there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from scoring.schema import Purpose
from scoring.serving.header import PERSON

Role = Literal["officer", "supervisor", "tester"]
Act = Literal["decide", "look_up", "review", "oversee"]

ROLES: tuple[Role, ...] = get_args(Role)
MAY: Mapping[Role, frozenset[Act]] = {
    "officer": frozenset({"decide", "look_up", "review"}),
    "supervisor": frozenset({"decide", "look_up", "review", "oversee"}),
    "tester": frozenset(),
}
"""What each role may do beside opening, varying and scoring; a tester's answers are for ``test``."""

NAME = re.compile(PERSON)
"""Names of people, as the service takes them in X-Operator."""


@dataclass(frozen=True)
class Person:
    """Who asks.

    Attributes
    ----------
    name : str
        User name, as the record has it; "" where the page has no login.
    role : str, optional
        None where the page has no login: whoever sits at the machine may do everything.
    can_leave : bool
        Whether the page itself can end the session.
    """

    name: str = ""
    role: Role | None = None
    can_leave: bool = False

    def may(self, act: Act) -> bool:
        """Say whether the person may do something."""
        return self.role is None or act in MAY[self.role]

    def purpose(self, wanted: Purpose) -> Purpose:
        """Return what an answer is for: whatever a tester asks is a test."""
        return "test" if self.role == "tester" else wanted


AT_THE_MACHINE = Person()
