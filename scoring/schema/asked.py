"""What is asked of the service, once it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.schema.decode import Request
from scoring.schema.recorded import Purpose
from scoring.schema.request import ApplicationRequest


@dataclass
class Asked:
    """Applications to decide, who asked, and what for.

    ``operator`` is the name of the API key that they came with, or of the person that a front end names.
    """

    request_id: str
    applications: Sequence[Request | ApplicationRequest]
    operator: str | None = None
    purpose: Purpose = "decision"
