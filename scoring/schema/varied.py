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


class ValueBin(Answer):
    """A part of the values of a fact."""

    kind: Literal["values", "other", "missing"] = Field(
        default="values", description="values; other levels; or those that do not know it."
    )
    level: str | None = Field(default=None, description="The level of a category.")
    above: float | None = Field(default=None, description="Numbers above this; null: no bound.")
    to: float | None = Field(default=None, description="Numbers up to this; null: no bound.")


class Placement(Answer):
    """Where an application stands among others; counts are rounded to tens, and nobody is shown."""

    SK_ID_CURR: int = Field(description="Application number, as asked.", ge=0, examples=[100001])
    facts: list[str] = Field(
        description="What is compared: one fact, or two against each other.", max_length=2
    )
    among: str = Field(description="In which group: all, neighbours, or the same level of a fact.")
    values: list[float | str | None] = Field(default=[], description="The application's own values.")
    axes: list[list[ValueBin]] = Field(default=[], description="The bins of each fact.")
    own: list[int | None] = Field(default=[], description="The application's own bin of each fact, from 0.")
    granted: list[int] = Field(
        default=[], description="Granted applications of the reference in each bin; of two facts row by row."
    )
    refused: list[int] = Field(default=[], description="The refused ones.")
    text: dict[str, str] = Field(description="Where it stands, or why nothing is shown, by language.")


class CurvePoint(Answer):
    """One value of a fact."""

    value: float = Field(description="The value.")
    probability_of_default: float = Field(description="Calibrated, all else equal.", ge=0, le=1)
    together: float | None = Field(
        default=None, description="The same where the linked facts follow in proportion."
    )


class Curve(Answer):
    """What one fact does for one application; nothing is decided or recorded by asking."""

    SK_ID_CURR: int = Field(description="Application number, as asked.", ge=0, examples=[100001])
    fact: str = Field(description="The fact.", examples=["AMT_CREDIT"])
    value: float | None = Field(description="What it is here.")
    linked: list[str] = Field(description="Facts that usually move with it.", examples=[["AMT_ANNUITY"]])
    threshold: float = Field(
        description="Probability at or above which an application is refused.", ge=0, le=1
    )
    points: list[CurvePoint] = Field(description="From the lowest value to the highest.")
    text: dict[str, str] = Field(description="What is drawn, or why nothing is, by language.")


class OwnerCut(Answer):
    """What one threshold would do, out of fold."""

    threshold: float = Field(description="Probability at or above which an application would be refused.")
    approved: float = Field(description="Share that would be granted.", ge=0, le=1)
    bad_rate: float | None = Field(description="Share of defaults expected among them.")
    cost_per_1000: float = Field(description="Expected cost per 1,000 applications, in lost good clients.")
    fairness: dict[str, float] = Field(
        description="By protected attribute: share granted of the group that is granted least often, over "
        "that of the one granted most often."
    )


class OwnerGroup(Answer):
    """How the decisions fell on one group that no model knows of, out of fold."""

    attribute: str = Field(description="What the groups are of.", examples=["gender", "age"])
    name: str = Field(description="Of the group, as the data have it.", examples=["F", "30–39"])
    applications: int = Field(description="Of the reference, rounded to tens.", ge=0)
    approved: float = Field(description="Share granted at the threshold in force.", ge=0, le=1)
    ratio: float | None = Field(description="The same over that of the group granted most often.")
    good_approved: float = Field(description="Share granted of those who repaid.", ge=0, le=1)
    default_rate: float = Field(description="Share of defaults of all of them.", ge=0, le=1)
    expected: float = Field(description="Mean probability of default of all of them.", ge=0, le=1)


class OwnerWeight(Answer):
    """What a feature, or a group of them, weighs in all decisions."""

    name: str = Field(description="Of the feature, or the group.", examples=["external_score"])
    label: dict[str, str] = Field(description="In words, by language.")
    importance: float = Field(description="Mean absolute contribution, in log-odds.", ge=0)


class OwnerView(Answer):
    """The model as its owner weighs it: thresholds, measures, fairness, importance."""

    model: str = Field(description="Exact tag of the model.", examples=["credit_scoring:3f2a9c01"])
    threshold: float = Field(description="The threshold in force.", ge=0)
    applications: int = Field(description="Applications of the reference.", ge=0)
    cuts: list[OwnerCut] = Field(
        description="By threshold, the lowest first; the one in force is among them."
    )
    metrics: dict[str, dict[str, float]] = Field(description="Measures of validation, with their intervals.")
    fairness: list[OwnerGroup] = Field(
        description="By group of each protected attribute, those of 100 applications or more; empty where "
        "the reference was made without them."
    )
    groups: list[OwnerWeight] = Field(description="Groups of features, the weightiest first.")
    features: list[OwnerWeight] = Field(description="Features, the weightiest first.")
    text: dict[str, str] = Field(description="How to read it, by language.")
