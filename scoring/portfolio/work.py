"""What is done with the applicants of a bucket: pure, and the same to the last bit on every engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from scoring import features
from scoring.explanation import explain
from scoring.features.checks import Checker
from scoring.features.checks import explain as said
from scoring.schema import KEY
from scoring.scorer import Scorer, remarks
from scoring.tables import LABEL
from scoring.tables.buckets import APPLICATIONS, POSITION, ApplicantBucket

Command = Literal["score", "features", "explain", "training"]
RESULT: dict[Command, str] = {
    "score": "decisions",
    "features": "features",
    "explain": "explanations",
    "training": "training",
}
"""The table that each command makes, beside ``inputs`` (what the model read) and ``rejected``."""

DIGITS = 32  # of an event's id
REJECTED: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    KEY: pl.Int64(),
    "field": pl.String(),
    "code": pl.String(),
    "detail": pl.String(),
}
_MARK = {"feature": pl.String, "problem": pl.String, "number": pl.Float64, "word": pl.String}
WARNINGS = pl.List(pl.Struct(_MARK))
GROUP = {"group": pl.String, "contribution": pl.Float64, "points": pl.Int64}
TEXTS = pl.List(
    pl.Struct(
        {
            "group": pl.String,
            "feature": pl.String,
            "number": pl.Float64,
            "word": pl.String,
            "contribution": pl.Float64,
            "text": pl.List(pl.Struct({"language": pl.String, "text": pl.String})),
        }
    )
)


class Done(NamedTuple):
    """What came of a bucket: tables by name, and how many applications were read and rejected."""

    tables: dict[str, pl.DataFrame]
    applications: int
    rejected: int


def event_id(run: str, model: str, applicant: int) -> str:
    """Return the id of a decision: the same whoever takes it, and however often it is taken again."""
    return hashlib.sha256(f"{run}\0{model}\0{applicant}".encode()).hexdigest()[:DIGITS]


class Work:
    """Does one thing with bucket after bucket.

    Parameters
    ----------
    command : {"score", "features", "explain", "training"}
    run : str
        What the decisions belong together by: the ids of their events are made from it.
    model : str
        Exact tag of the scorer.
    scorer : Scorer, optional
        Not for features, nor for training.
    """

    def __init__(self, command: Command, run: str, model: str = "", scorer: Scorer | None = None) -> None:
        self._make: Callable[[pl.DataFrame, pl.DataFrame], dict[str, pl.DataFrame]] = self._decided
        if command == "features":
            self._make = self._aggregated
        self._command, self._run, self._model, self._scorer = command, run, model, scorer

    def __call__(self, bucket: ApplicantBucket) -> Done:
        """Return what comes of a bucket; applications with a value that the service refuses are rejected."""
        everything = features.build(bucket.portfolio)
        raw = bucket.portfolio.applications.drop("row")
        if self._command == "training":  # which rejects nobody, and asks for the order of the table
            # Some features have the name of the raw column that they are.
            beside = [bucket.positions.alias(POSITION), raw.to_struct(APPLICATIONS)]
            return Done({"training": pl.DataFrame(beside).hstack(everything)}, raw.height, 0)
        checked = raw.drop(LABEL, strict=False).hstack(everything.select(features.HISTORY_FEATURES))
        rejected = _rejected(checked, bucket.positions)
        if rejected.height:
            keep = ~bucket.positions.is_in((rejected["row"] - 1).unique().to_list())
            raw, everything = raw.filter(keep), everything.filter(keep)
        count = rejected["row"].n_unique()
        return Done({**self._make(raw, everything), "rejected": rejected}, len(bucket.portfolio), count)

    def _aggregated(self, raw: pl.DataFrame, everything: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Return the table that the bulk door and the batch client take."""
        return {"features": raw.hstack(everything.select(features.HISTORY_FEATURES))}

    def _decided(self, raw: pl.DataFrame, everything: pl.DataFrame) -> dict[str, pl.DataFrame]:
        assert self._scorer is not None
        inputs, clients = everything.select(self._scorer.feature_names), raw[KEY]
        ids = [event_id(self._run, self._model, client) for client in clients.to_list()]
        events = pl.Series("event_id", ids, dtype=pl.String)
        marks = remarks.marks(self._scorer.model.encoding, self._scorer.ranges, inputs)
        decided = self._scorer.decide_marked(inputs, marks).select(
            events, clients, pl.all(), pl.lit(self._model).alias("model"), _warnings(marks, inputs.height)
        )
        if self._command == "explain":
            decided = decided.hstack(_explained(self._scorer, inputs))
        return {RESULT[self._command]: decided, "inputs": inputs.insert_column(0, events)}


def _rejected(checked: pl.DataFrame, positions: pl.Series) -> pl.DataFrame:
    """Name the values that the service would refuse, in its words."""
    rows: list[tuple[int, int, str, str, str]] = []
    for (row,), found in Checker(dict(checked.schema)).faults(checked).group_by("row", maintain_order=True):
        values = checked.row(int(row), named=True)
        place = int(positions[int(row)])
        for fault in said(values, found["column"].to_list(), place):
            rows.append((place + 1, values[KEY], fault.field, fault.code, fault.detail))
    return pl.DataFrame(rows, schema=REJECTED, orient="row").sort("row", maintain_order=True)


def _warnings(marks: pl.DataFrame, applications: int) -> pl.Series:
    """Return the values unlike those of training, without words: a list for each application."""
    problem = (
        pl.when(pl.col("word").is_null()).then(pl.lit("outside range")).otherwise(pl.lit("unseen category"))
    )
    listed = (
        marks.with_columns(problem=problem)
        .group_by("row", maintain_order=True)
        .agg(warnings=pl.struct(*_MARK))
    )
    rows = pl.DataFrame({"row": pl.int_range(applications, dtype=pl.UInt32, eager=True)})
    found = rows.join(listed, on="row", how="left", maintain_order="left")["warnings"]
    return (
        found.fill_null(pl.Series([[]], dtype=WARNINGS)).cast(WARNINGS)
        if found.len()
        else found.cast(WARNINGS)
    )


def _explained(scorer: Scorer, inputs: pl.DataFrame) -> pl.DataFrame:
    """Return base value, raw score, all contributions, the same by group, and the reasons in words."""
    why = explain(scorer, inputs)
    shares = [[share["contribution"] for share in one["contributions"]] for one in why]
    contributions = pl.DataFrame(
        np.array(shares).reshape(len(why), -1), schema=dict.fromkeys(scorer.feature_names, pl.Float64)
    )
    groups = [[{name: share[name] for name in GROUP} for share in one["groups"]] for one in why]
    reasons = [[_reason(reason) for reason in one["reasons"]] for one in why]
    return pl.DataFrame(
        {
            "base_value": pl.Series([one["base_value"] for one in why], dtype=pl.Float64),
            "raw_score": pl.Series([one["raw_score"] for one in why], dtype=pl.Float64),
            "contributions": contributions.to_struct("contributions"),
            "base_points": pl.Series([one["base_points"] for one in why], dtype=pl.Int64),
            "groups": pl.Series(groups, dtype=pl.List(pl.Struct(GROUP))),
            "reasons": pl.Series(reasons, dtype=TEXTS),
        }
    )


def _reason(reason: Any) -> dict[str, Any]:
    is_word = isinstance(reason.value, str)
    return {
        "group": reason.group,
        "feature": reason.feature,
        "number": None if is_word else reason.value,
        "word": reason.value if is_word else None,
        "contribution": reason.contribution,
        "text": [{"language": language, "text": text} for language, text in reason.text.items()],
    }
