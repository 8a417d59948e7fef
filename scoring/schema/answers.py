"""What the service answers: decisions, warnings, explanations and problems."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.problems import FAULTS, Fault, places, type_of

ReviewReason = Literal["near_threshold", "unlike_training", "scorecard_disagrees", "policy_rule"]
REASON = {"en": "Past instalments were paid late or in part."}
NOTE = {"en": "Further causes act together with these."}
WARNING = {"en": "Occupation: the model never saw “Astronaut”, which counts as unknown."}


class Answer(BaseModel):
    """A part of an answer; its fields are exactly these."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class InputWarning(Answer):
    """An input value unlike those of training: it was scored, and this says so."""

    feature: str = Field(description="Name of the feature.", examples=["OCCUPATION_TYPE"])
    problem: Literal["unseen category", "outside range"] = Field(description="What is odd about the value.")
    value: str | float = Field(description="The value itself.", examples=["Astronaut"])
    text: dict[str, str] = Field(description="The warning in words, by language.", examples=[WARNING])


class Decision(Answer):
    """The decision on one application."""

    event_id: str = Field(description="Unique identifier of this decision, as in the inference log.")
    SK_ID_CURR: int = Field(description="Application number, as asked.", ge=0, examples=[100001])
    probability_of_default: float = Field(
        description="Calibrated probability of default.", ge=0, le=1, examples=[0.0412]
    )
    probability_low: float | None = Field(
        None,
        description="Where the interval begins that holds the true probability in about 90 of 100 cases; "
        "null where the model knows none.",
        ge=0,
        le=1,
        examples=[0.0287],
    )
    probability_high: float | None = Field(None, description="Where it ends.", ge=0, le=1, examples=[0.0588])
    score: int = Field(description="Score in points; more points, less risk.", examples=[578])
    threshold: float = Field(
        description="Probability at or above which an application is refused.", ge=0, le=1, examples=[0.0925]
    )
    decision: Literal["granted", "refused"] = Field(description="What the rule says.")
    review: bool | None = Field(
        None, description="Whether a person should look; null where the model does not say.", examples=[False]
    )
    review_reasons: list[ReviewReason] = Field(
        [],
        description="Why: the probability is too near the threshold to be sure of its side; inputs unlike "
        "those of training; the readable scorecard clearly decides otherwise; a rule of the lender.",
    )
    model: str = Field(description="Exact tag of the model.", examples=["credit_scoring:3f2a9c01"])
    warnings: list[InputWarning] = Field([], description="Inputs unlike those of training.")


class Contribution(Answer):
    """The share of one feature in the raw score."""

    feature: str = Field(description="Name of the feature.", examples=["ext_mean"])
    value: float | str | None = Field(description="Its value for this application; null if missing.")
    contribution: float = Field(description="Log-odds; above 0 raises the risk.", examples=[-0.41])


class GroupContribution(Answer):
    """The share of one group of features in the raw score, and in the score."""

    group: str = Field(description="The group, as GET /model names it.", examples=["external_score"])
    contribution: float = Field(description="Log-odds: the sum over its features; above 0 raises the risk.")
    points: int = Field(
        description="The same in points of the score; above 0 lowers the risk.", examples=[-7]
    )


class Reason(Answer):
    """A principal reason of a decision, in words."""

    group: str = Field(description="Group of features that it speaks of.", examples=["external_score"])
    feature: str = Field(description="The feature that weighs most in the group.")
    value: float | str | None = Field(description="The applicant's own value of that feature.")
    contribution: float = Field(description="Log-odds of the group; above 0 raises the risk.")
    text: dict[str, str] = Field(description="The reason in words, by language.", examples=[REASON])


class Explanation(Decision):
    """A decision with its exact decomposition: base value + contributions = raw score."""

    base_value: float = Field(description="Raw score of the average application, in log-odds.")
    raw_score: float = Field(description="Log-odds of the probability of default, calibrated.")
    contributions: list[Contribution] = Field(description="One per feature of the model.")
    base_points: int = Field(description="Points of the average application.", examples=[561])
    groups: list[GroupContribution] = Field(
        description="One per group of features: base value + contributions = raw score, base points + "
        "points = score."
    )
    reasons: list[Reason] = Field(description="Principal reasons, the strongest first.", max_length=4)
    reasons_suffice: bool | None = Field(
        None,
        description="Whether the reasons alone explain a refusal: with all of them as usual among granted "
        "applicants the loan would be granted, and nothing that is no reason weighs more; null if it is "
        "granted.",
    )
    reasons_note: dict[str, str] | None = Field(
        None,
        description="That more causes act together, in words, by language; null if not.",
        examples=[NOTE],
    )


class FieldError(Answer):
    """One faulty value of a request."""

    row: int | None = Field(None, description="Position of the application in the request, from 0.", ge=0)
    field: str = Field(description="Path of the field in the application.", examples=["AMT_CREDIT"])
    code: str = Field(
        description="What is wrong with it, as docs/PROBLEMS.md lists.", examples=["above_maximum"]
    )
    params: dict[str, int | float | str] = Field(
        {}, description="With which figures.", examples=[{"maximum": 1}]
    )
    detail: str = Field(description="The same in words.", examples=["must be at most 1"])

    def say(self, language: str) -> str:
        """Return what is wrong, in words; of another version's code, as it was said there."""
        text = FAULTS.get(self.code)
        is_known = text is not None and places(text) == self.params.keys()
        return Fault(self.code, self.params).say(language) if is_known else self.detail


class Problem(Answer):
    """An error, after RFC 9457 (Problem Details for HTTP APIs)."""

    type: str = Field(
        "about:blank",
        description="Its kind, as docs/PROBLEMS.md lists.",
        examples=[type_of("invalid-request")],
    )
    title: str = Field(description="Its kind in a few words.", examples=["Invalid request"])
    status: int = Field(description="HTTP status.", ge=400, le=599, examples=[422])
    detail: str = Field(description="This problem, with its remedy.")
    params: dict[str, int | float | str] = Field({}, description="Its figures.", examples=[{"n": 1}])
    errors: list[FieldError] = Field([], description="The faulty values, if any.")
