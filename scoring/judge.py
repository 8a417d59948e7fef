"""What a model says of applications, and why; nothing is recorded, nothing is given to anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from scoring import features, tables
from scoring.explanation import explain, explained
from scoring.schema import ApplicationRequest, Request
from scoring.scorer import Scorer, remarks
from scoring.scorer.single import Single, Value
from scoring.tables import Portfolio

ONE_BY_ONE = 128  # applications; from here on a table of them is made faster than each alone


class Judged(NamedTuple):
    """What is said of one application.

    Attributes
    ----------
    said : dict
        Under the names of `schema.Decision`, or of `schema.Explanation`, what the model gives of it.
    inputs : mapping
        What the model read: feature -> value.
    """

    said: dict[str, Any]
    inputs: Mapping[str, Value]


class JudgedTable(NamedTuple):
    """What is said of the applications of a table, one row for each, in their order.

    Attributes
    ----------
    said : polars.DataFrame
        As `Scorer.decide` gives it.
    marks : polars.DataFrame
        Values unlike those of training: see `remarks.marks`.
    inputs : polars.DataFrame
        What the model read.
    """

    said: pl.DataFrame
    marks: pl.DataFrame
    inputs: pl.DataFrame


class Judge:
    """Says what a scorer thinks of a few applications, or of a table of them, to the same bits.

    Parameters
    ----------
    scorer : Scorer
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self._single = Single(scorer)

    def judge(
        self,
        applications: Sequence[Request | ApplicationRequest],
        is_explained: bool = False,
        pause: Callable[[], None] = lambda: None,
    ) -> list[Judged]:
        """Return a verdict for each application; ``pause`` is called before each half of an explanation."""
        if len(applications) > ONE_BY_ONE:
            return self._by_table(applications, is_explained)
        return [
            self._explain(application, pause) if is_explained else self._judge(application)
            for application in applications
        ]

    def table(self, portfolio: Portfolio) -> JudgedTable:
        """Return the verdicts on a portfolio."""
        inputs = features.build(portfolio)[self.scorer.feature_names]
        marks = remarks.marks(self.scorer.model.encoding, self.scorer.ranges, inputs)
        return JudgedTable(self.scorer.decide_marked(inputs, marks), marks, inputs)

    def plain(
        self,
        application: Mapping[str, Any],
        history: Mapping[str, Sequence[Mapping[str, Any]]] | None,
        given: Mapping[str, Value] | None,
    ) -> Judged:
        """Return the verdict on one application that comes as `tables.parts` gives it."""
        row, warnings, values = self._single.read(features.one(application, history, given))
        said = self._single.decide(row, len(warnings), values)
        said["warnings"] = warnings
        return Judged(said, values)

    def _judge(self, application: Request | ApplicationRequest) -> Judged:
        return self.plain(*tables.parts(application, features.READS))

    def _explain(self, application: Request | ApplicationRequest, pause: Callable[[], None]) -> Judged:
        pause()
        row, warnings, values = self._single.read(features.one(*tables.parts(application, features.READS)))
        said = self._single.decide(row, len(warnings), values)
        matrix, base = self.scorer.apportion(row[np.newaxis])
        pause()
        (explanation,) = explained(self.scorer, [values], row[np.newaxis], matrix, base, [said["score"]])
        return Judged({**said, "warnings": warnings, **explanation}, values)

    def _by_table(
        self, applications: Sequence[Request | ApplicationRequest], is_explained: bool
    ) -> list[Judged]:
        found = self.table(tables.from_requests(applications, columns=features.READS))
        warnings = remarks.listed(self.scorer.ranges, found.marks)
        why = explain(self.scorer, found.inputs) if is_explained else [{}] * found.said.height
        rows = zip(found.said.to_dicts(), why, found.inputs.iter_rows(named=True), strict=True)
        return [
            Judged({**said, "warnings": warnings.get(row, []), **explanation}, inputs)
            for row, (said, explanation, inputs) in enumerate(rows)
        ]
