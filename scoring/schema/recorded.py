"""What the service answers of recorded decisions: found again, explained again, reviewed."""

from datetime import date, datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from scoring.problems import FAULTS
from scoring.schema.answers import Answer, Contribution, FieldError, GroupContribution, Reason

REASON_LETTERS = 2_000
MOST_OUTCOMES = 1_000
Purpose = Literal["decision", "preview", "what-if", "test"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
ReviewState = Literal["none", "waiting", "confirmed", "otherwise"]
OutcomeState = Literal["unknown", "repaid", "defaulted"]
EVENT = "3f0c2a9d5be14d1d8f1c2f0a6b7e9d10"


class RecordedDecision(Answer):
    """A decision as the record has it."""

    event_id: str = Field(description="Its unique identifier, as it was answered.", examples=[EVENT])
    time: datetime = Field(description="When it was recorded, UTC.")
    applicant: str = Field(description="The client's pseudonym; the record knows no number.")
    model: str = Field(description="Exact tag of the model.", examples=["credit_scoring:3f2a9c01"])
    purpose: Purpose = Field(description="What it was asked for; only a decision decides.")
    decision: Literal["granted", "refused"] = Field(description="What the rule said.")
    probability_of_default: float = Field(description="Calibrated probability of default.", ge=0, le=1)
    threshold: float = Field(description="Probability at or above which an application is refused.")
    operator: str | None = Field(
        description="Who asked: the name of a key, or whom a front end named; null where there are no keys."
    )
    review: ReviewState = Field(
        description="waiting: a refusal, or a decision that a person should look at, that nobody reviewed; "
        "none: nothing has to be reviewed; else what a person said."
    )
    outcome: OutcomeState = Field(
        description="How the loan stood when it was observed last; unknown before anybody said."
    )


class RecordedPage(Answer):
    """Recorded decisions, the newest first."""

    decisions: list[RecordedDecision]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    as_of: datetime = Field(description="What was recorded until then is found.")


class ReviewRequest(BaseModel):
    """What a person says of a decision."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "verdict": "otherwise",
                "reason": "The income was proved by the last three pay slips.",
            }
        },
    )

    verdict: Literal["confirmed", "otherwise"] = Field(
        description="confirmed, or decided otherwise: what was refused is granted, what was granted refused."
    )
    reason: str = Field(
        description="Why, in words.",
        min_length=1,
        max_length=REASON_LETTERS,
        examples=["The income was proved by the last three pay slips."],
    )

    @field_validator("reason")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if "\0" in text:  # no text of a database has one
            raise PydanticCustomError("not_text", FAULTS["not_text"].en)
        if not "".join(filter(str.isprintable, text)).strip():  # marks that nobody sees say nothing either
            raise PydanticCustomError("empty", FAULTS["empty"].en)
        return text.strip()


class Review(Answer):
    """A person's decision, recorded beside the first one, which stays."""

    event_id: str = Field(description="The decision that was reviewed.", examples=[EVENT])
    verdict: Literal["confirmed", "otherwise"] = Field(description="Whether the first decision stands.")
    decision: Literal["granted", "refused"] = Field(description="What holds now.")
    reason: str = Field(description="Why.")
    operator: str | None = Field(description="Who reviewed; null where the service has no keys.")
    time: datetime = Field(description="When it was recorded, UTC.")


class GivenOutcome(BaseModel):
    """How a loan stood; its decision by `event_id`, or by client and day."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    event_id: str | None = Field(None, description="The decision.", max_length=64, examples=[EVENT])
    SK_ID_CURR: int | None = Field(
        None, description="Number of the client, with `decided_on` instead of `event_id`.", ge=0, le=2**63 - 1
    )
    decided_on: date | None = Field(None, description="Day of the decision, UTC.")
    defaulted: int = Field(description="1 if the loan had defaulted, 0 if not.", ge=0, le=1, examples=[0])
    observed_on: date = Field(description="When that was so.", examples=["2027-11-30"])


class OutcomesRequest(BaseModel):
    """How loans stood."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "outcomes": [
                    {"event_id": EVENT, "defaulted": 0, "observed_on": "2026-11-28"},
                    {
                        "SK_ID_CURR": 100001,
                        "decided_on": "2026-11-21",
                        "defaulted": 1,
                        "observed_on": "2026-11-28",
                    },
                ]
            }
        },
    )

    outcomes: list[GivenOutcome] = Field(max_length=MOST_OUTCOMES)


class LoadedOutcomes(Answer):
    """What became of the outcomes."""

    recorded: int = Field(description="New ones.", ge=0)
    corrected: int = Field(description="Of those, how many are of a decision that had one.", ge=0)
    repeated: int = Field(description="Those that were there already: nothing was changed.", ge=0)
    left_out: list[FieldError] = Field(
        description="Those that no decision can have; `row` is the position from 0."
    )


class ObservedOutcome(Answer):
    """How a loan stood on a day."""

    defaulted: bool = Field(description="Whether it had defaulted.")
    observed_on: date = Field(description="The day.")
    time: datetime = Field(description="When it was recorded, UTC.")


class Recomputed(Answer):
    """A recorded decision explained now, by the model that decided."""

    probability_of_default: float = Field(description="As it comes out now.", ge=0, le=1)
    base_value: float = Field(description="Raw score of the average application, in log-odds.")
    raw_score: float = Field(description="Log-odds of the probability of default, calibrated.")
    contributions: list[Contribution] = Field(description="One per feature of the model.")
    base_points: int = Field(description="Points of the average application.")
    groups: list[GroupContribution] = Field(description="One per group of features.")
    reasons: list[Reason] = Field(description="Principal reasons, the strongest first.", max_length=4)
    reasons_suffice: bool | None = Field(None, description="Whether they alone explain a refusal.")
    reasons_note: dict[str, str] | None = Field(
        None, description="That more causes act together, in words, by language; null if not."
    )


class FoundDecision(RecordedDecision):
    """A recorded decision with what the model read, explained again."""

    request_id: str = Field(description="The request that it was part of.")
    numbers: dict[str, float | None] = Field(description="The numbers that the model read.")
    categories: dict[str, str | None] = Field(description="The words that the model read.")
    reasons_given: list[str] | None = Field(
        description="Features of the reasons that were answered then; null if none were asked for."
    )
    reviewed: Review | None = Field(description="The review, null before there is one.")
    outcomes: list[ObservedOutcome] = Field(
        description="How the loan stood by day of observation, the latest first: that one counts."
    )
    explanation: Recomputed | None = Field(description="Null where the model cannot be had any more.")
    differences: list[str] = Field(
        description="What comes out otherwise than it was recorded; empty if all is the same, bit for bit."
    )
    unexplained: str | None = Field(description="Why there is no explanation; null where there is one.")
