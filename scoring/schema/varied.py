"""What the service answers of an application as it is not: what would turn its decision."""

from typing import Literal

from pydantic import Field

from scoring.schema.answers import Answer

WAY = {"en": "The loan would be granted if you borrow 427,000 instead of 450,000."}


class Change(Answer):
    """A fact that becomes another one."""

    field: str = Field(
        description="Its place in the application.",
        examples=["AMT_CREDIT", "history.bureau[0].AMT_CREDIT_SUM_DEBT"],
    )
    value: float = Field(description="What it is.", examples=[450000.0])
    becomes: float = Field(description="What it becomes.", examples=[427000.0])


class Recourse(Answer):
    """One way to a granted loan: with all its changes `/score` gives this probability, to the last bit."""

    levers: list[str] = Field(description="What the client does.", examples=[["amount"]])
    size: float = Field(
        description="How large the change is: 1 is as far as policy lets one lever go.",
        gt=0,
        examples=[0.083],
    )
    changes: list[Change] = Field(description="Every fact that changes.")
    probability_of_default: float = Field(description="After the changes, calibrated.", ge=0, le=1)
    score: int = Field(description="Score in points after the changes.")
    text: dict[str, str] = Field(description="The way in words, by language.", examples=[WAY])


class Counterfactual(Answer):
    """What would turn the decision on one application; nothing is decided or recorded by asking."""

    SK_ID_CURR: int = Field(description="Application number, as asked.", ge=0, examples=[100001])
    probability_of_default: float = Field(description="As it is, calibrated.", ge=0, le=1, examples=[0.121])
    score: int = Field(description="Score in points as it is.", examples=[545])
    threshold: float = Field(
        description="Probability at or above which an application is refused.", ge=0, le=1
    )
    decision: Literal["granted", "refused"] = Field(description="What the rule says of it as it is.")
    model: str = Field(description="Exact tag of the model.", examples=["credit_scoring:3f2a9c01"])
    outcome: Literal["granted", "found", "none", "nothing"] = Field(
        description="granted: nothing has to change; found: the alternatives would turn the decision; "
        "none: no change within policy does; nothing: there is nothing that may change."
    )
    text: dict[str, str] = Field(description="The outcome in words, by language.")
    alternatives: list[Recourse] = Field(
        description="The nearest ways that differ in kind, the nearest first.", max_length=3
    )
