"""What the monitor says of the decisions, as the service hands it on to supervisors."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from scoring.schema.answers import Answer


class JudgedWindow(Answer):
    """One window of decisions, and what the monitor says of it."""

    length: str = Field(description="What it is cut by.", examples=["day", "week"])
    start: date = Field(description="First day.")
    end: date = Field(description="First day behind it.")
    is_closed: bool = Field(description="Whether its verdict is kept, and no longer changes.")
    is_drift: bool = Field(description="Whether something moved in it, or an alarm was raised.")
    verdict: dict[str, str] = Field(description="In words, by language.")
    decisions: int = Field(description="Decisions of it.", ge=0)
    refused: int = Field(description="Refused ones among them.", ge=0)
    origin: str = Field(description="Raw column or table that moved first; empty where none did.")


class MonitorView(Answer):
    """The newest report of the monitor: its verdict, and the windows that it judged."""

    model: str = Field(default="", description="Model whose decisions were judged.")
    made: datetime | None = Field(default=None, description="When; null: there is no report.")
    is_drift: bool = Field(default=False, description="Whether the verdict is drift.")
    verdict: dict[str, str] = Field(default_factory=dict, description="In words, by language.")
    since: date | None = Field(default=None, description="First day of the windows that say the same.")
    next: dict[str, str] = Field(default_factory=dict, description="What is to be done, by language.")
    origin: str = Field(default="", description="Raw column or table that the cause is of.")
    cause: dict[str, str] = Field(default_factory=dict, description="What happened to it, by language.")
    changed: int | None = Field(default=None, description="Decisions that would have been otherwise, and")
    looked_at: int | None = Field(default=None, description="of how many that were decided again.")
    cost: float | None = Field(
        default=None, description="What it costs per 1,000 applications, in lost good clients, as expected."
    )
    windows: list[JudgedWindow] = Field(default_factory=list, description="The newest first.")
