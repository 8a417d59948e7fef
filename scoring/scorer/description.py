"""What ``scorer.json`` may say: every name, type and bound, and how its parts agree.

The file may come from anywhere, and its hash says only that it is whole. What is not as it stands here is
refused before anything is made of it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from scoring.decision import GRANT_ALL, PROTECTED

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    # An error may name a place, never what stood there.
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class _Column(_Part):
    name: Name
    kind: Literal["number", "category"]
    levels: list[str] | None = None
    missing_reads_as: Number | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    importance: Number
    granted_contribution: Number
    granted_value: Number | str | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.kind == "category") != (self.levels is not None):
            raise ValueError("a category has levels, a number has none")
        if self.levels and len(set(self.levels)) < len(self.levels):
            raise ValueError("a level stands twice")
        if (self.minimum is None) != (self.maximum is None):
            raise ValueError("minimum and maximum come together")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("the minimum is above the maximum")
        return self


class _LinearTerm(_Part):
    coefficient: Number
    low: Number
    high: Number
    median: Number
    mean: Number
    scale: Positive
    missing: Number
    missing_share: Number

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class _Linear(_Part):
    intercept: Number
    terms: dict[str, _LinearTerm]


class _Missing(_Part):
    log_odds: Number
    points: Number


class _Bin(_Missing):
    start: Number | None = Field(alias="from")
    below: Number | None
    levels: list[str] | None = None


class _CardTerm(_Part):
    bins: Annotated[list[_Bin], Field(min_length=1)]
    missing: _Missing

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        edges = [entry.start for entry in self.bins[1:]]
        if not _rise([edge for edge in edges if edge is not None]) or None in edges:
            raise ValueError("the bins do not follow each other")
        return self


class _Card(_Part):
    intercept: Number
    terms: dict[str, _CardTerm]


class _Affine(_Part):
    kind: Literal["affine"] = "affine"
    slope: NotNegative
    intercept: Number


class _Beta(_Part):
    kind: Literal["beta"]
    a: NotNegative
    b: NotNegative
    intercept: Number


class _Isotonic(_Part):
    kind: Literal["isotonic"]
    x: Annotated[list[Number], Field(min_length=1)]
    y: Annotated[list[Number], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len(self.x) != len(self.y) or not _rise(self.x) or self.y != sorted(self.y):
            raise ValueError("x and y are as many, and both rise")
        return self


def _kind(calibration: Any) -> Any:
    """Tell which map it is: the first scorers knew no other than the affine one, and did not say so."""
    return calibration.get("kind", "affine") if isinstance(calibration, dict) else None


_Calibration = Annotated[
    Annotated[_Affine, Tag("affine")] | Annotated[_Beta, Tag("beta")] | Annotated[_Isotonic, Tag("isotonic")],
    Discriminator(_kind),
]


class _Costs(_Part):
    false_negative: Positive
    false_positive: Positive


class _Points(_Part):
    base: Number
    odds: Positive
    double: Positive


class _Metric(_Part):
    value: Number | None
    low: Number | None = None
    high: Number | None = None


class _Rule(_Part):
    feature: Name
    at_least: Number | None
    at_most: Number | None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a rule has one bound")
        return self


class _Reading(_Part):
    card: _Card
    refuses_from: Number
    grants_to: Number


class _Certainty(_Part):
    log_odds: Annotated[list[Number], Field(min_length=1)]
    below: list[NotNegative]
    above: list[NotNegative]
    near: Annotated[list[Share], Field(min_length=2, max_length=2)]
    near_level: Share
    most: Share
    odd: Annotated[int, Field(ge=1)]
    reading: _Reading | None
    rules: list[_Rule]
    shares: dict[Name, Share]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not _rise(self.log_odds) or {len(self.below), len(self.above)} != {len(self.log_odds)}:
            raise ValueError("the interval has a width on either side of each knot, and the knots rise")
        return self


class _Description(_Part):
    format: Literal[1]
    sha256: Sha256
    files: dict[str, Sha256]
    family: Literal["lightgbm", "scorecard", "linear"]
    features: Annotated[list[_Column], Field(min_length=1)]
    linear: _Linear | None
    scorecard: _Card | None
    calibration: _Calibration
    threshold: Annotated[float, Field(ge=0, le=GRANT_ALL)]
    costs: _Costs
    points: _Points
    policy: list[str]
    metrics: dict[str, _Metric]
    lineage: dict[str, Any]
    certainty: _Certainty | None = None  # earlier versions knew none

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        names = [column.name for column in self.features]
        if len(set(names)) < len(names):
            raise ValueError("a feature stands twice")
        functions = {"linear": self.linear, "scorecard": self.scorecard}
        if any((given is not None) != (self.family == family) for family, given in functions.items()):
            raise ValueError("the family and the function that stands there are not the same")
        if self.linear is not None and self.linear.terms.keys() != set(names):
            raise ValueError("the linear function has other features than the scorer")
        if self.scorecard is not None and not self.scorecard.terms.keys() <= set(names):
            raise ValueError("the scorecard reads a feature that the scorer does not have")
        if self.certainty is not None:
            numbers = {column.name for column in self.features if column.kind == "number"}
            if not {rule.feature for rule in self.certainty.rules} <= numbers:
                raise ValueError("a rule of review reads no number that the model reads")
            reading = self.certainty.reading
            if reading is not None and not reading.card.terms.keys() <= set(names):
                raise ValueError("the readable scorecard reads a feature that the scorer does not have")
        if unknown := set(self.policy) - PROTECTED.keys():
            raise ValueError(f"the policy protects {len(unknown)} attributes that this version does not know")
        return self


def fault(description: object) -> str:
    """Return the first thing that is wrong with a description, as ``place: what``; empty if nothing is."""
    try:
        _Description.model_validate(description)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        return f"{place[:120]}: {first['msg'].removeprefix('Value error, ')}"
    return ""


def _rise(values: list[float]) -> bool:
    return all(one < other for one, other in pairwise(values))
