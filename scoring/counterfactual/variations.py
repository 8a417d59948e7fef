"""Variations of one application: how probable default is after so many steps of some levers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring import features, tables
from scoring.counterfactual.policy import DEBT, FACTS, OVERDUE, Facts, Lever
from scoring.features.varied import Varied
from scoring.judge import Judge
from scoring.schema import ApplicationRequest, Request
from scoring.scorer import Scorer
from scoring.scorer.model import Encoding, Matrix, Vector, probability
from scoring.scorer.single import Single, Value

Steps = NDArray[np.intp]
DEBTS = "debts"
TOGETHER = 2_000  # variations that are rated at a time: few enough for one thread, and for little memory


class Plain(NamedTuple):
    """An application as plain values: see `tables.parts`."""

    application: dict[str, Any]
    history: dict[str, list[dict[str, Any]]] | None
    given: dict[str, Any] | None


class MovedFact(NamedTuple):
    """A fact that has moved: where it stands in a request, what it is, what it becomes."""

    field: str
    value: float
    becomes: float


class Rater:
    """What all applications share while a scorer serves.

    Parameters
    ----------
    scorer : Scorer
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.single = Single(scorer)
        self._judge = Judge(scorer)
        encoding = scorer.model.encoding
        self.varied = Varied(encoding.names, FACTS)
        names = self.varied.names
        self.places = np.array([encoding.names.index(name) for name in names], dtype=np.intp)
        self.encoding = Encoding(
            names,
            {name: encoding.levels[name] for name in names if name in encoding.levels},
            {name: encoding.fill[name] for name in names if name in encoding.fill},
        )
        no_range = (-np.inf, np.inf)
        ranges = np.array([scorer.ranges.get(name, no_range) for name in names]).reshape(-1, 2)
        self.low, self.high = ranges.T

    def moves(self, lever: Lever) -> bool:
        """Say whether the model reads anything that a lever moves."""
        return any(features.sources(name) & lever.sources for name in self.scorer.feature_names)

    def decide(self, plain: Plain) -> dict[str, Any]:
        """Decide an application as /score does, by the very same steps."""
        return self._judge.plain(*plain).said


class Variations:
    """One application, and what it becomes by steps of levers.

    Parameters
    ----------
    reader : Rater
    application : Request or ApplicationRequest
    """

    def __init__(self, reader: Rater, application: Request | ApplicationRequest) -> None:
        self.reader = reader
        self.plain = Plain(*tables.parts(application, features.READS))
        self._bases: dict[int, tuple[Vector, Mapping[str, Value]]] = {}

    def can(self, lever: Lever) -> bool:
        """Say whether a lever can move anything here: a fact that is known, or loans that are listed."""
        if lever.records:
            return self.plain.given is None and bool(self._debts())
        value = self.plain.application.get(lever.told_by)
        return value is not None and value > 0

    def rate(self, levers: Sequence[Lever], steps: Steps) -> Vector:
        """Return the probability of default after steps of levers; 1 where training saw no such value.

        Parameters
        ----------
        levers : sequence of Lever
        steps : ndarray of shape (n_variations, n_levers)
            How many of each.
        """
        repaid = self._repaid(levers, steps)
        facts = self._facts(levers, steps)
        varied = pl.DataFrame({name: facts[name] for name in facts})
        own = self._base(0, levers)[0][self.reader.places]
        low, high = np.fmin(self.reader.low, own), np.fmax(self.reader.high, own)
        raw, usual = np.empty(len(steps)), np.ones(len(steps), dtype=bool)
        for step in np.unique(repaid):
            rows = np.flatnonzero(repaid == step)
            row, values = self._base(int(step), levers)
            parts = self.reader.encoding.encode(self.reader.varied(values, varied[rows]))
            usual[rows] = ~((parts < low) | (parts > high)).any(axis=1)
            for start in range(0, len(rows), TOGETHER):
                some = slice(start, start + TOGETHER)
                raw[rows[some]] = self._raw(row, parts[some])
        return np.where(usual, probability(self.reader.scorer.calibration.of(raw)), 1.0)

    def _raw(self, row: Vector, parts: Matrix) -> Vector:
        """Return the log-odds of variations of one row: parts of it are others in each."""
        matrix = np.tile(row, (len(parts), 1))
        matrix[:, self.reader.places] = parts
        return self.reader.scorer.model.function.raw(matrix)

    def after(self, levers: Sequence[Lever], steps: Sequence[int]) -> tuple[Plain, list[MovedFact]]:
        """Return the application after steps of levers, and every fact that has moved."""
        one = np.array([steps], dtype=np.intp)
        facts = {name: float(values[0]) for name, values in self._facts(levers, one).items()}
        before = self.plain.application
        moved = [MovedFact(n, float(before[n]), facts[n]) for n in facts if facts[n] != before[n]]
        repaid = int(self._repaid(levers, one)[0])
        history, records = self._history(repaid, levers)
        return Plain({**before, **facts}, history, self.plain.given), moved + records

    def told(self, levers: Sequence[Lever], steps: Sequence[int]) -> list[tuple[float, float]]:
        """Return what each lever is told by, before it and after it; they move one after the other."""
        found = []
        for place, lever in enumerate(levers):
            if lever.records:
                owed = sum(record[DEBT] for record in self._debts())
                _, moved = self._history(steps[place], [lever])
                repaid = sum(m.value - m.becomes for m in moved if m.field.endswith(DEBT))
                found.append((owed, repaid))
                continue
            ends = (
                self._facts(levers[:end], np.array([steps[:end]], dtype=np.intp))[lever.told_by]
                for end in (place, place + 1)
            )
            before, after = (float(values[0]) for values in ends)
            found.append((before, after))
        return found

    def _facts(self, levers: Sequence[Lever], steps: Steps) -> Facts:
        known = {name: self.plain.application.get(name) for name in FACTS}
        facts = {name: np.full(len(steps), float(v)) for name, v in known.items() if v is not None}
        for place, lever in enumerate(levers):
            lever.move(facts, steps[:, place])
        return facts

    def _repaid(self, levers: Sequence[Lever], steps: Steps) -> Steps:
        """Return how many steps of other loans are repaid."""
        places = [place for place, lever in enumerate(levers) if lever.records]
        return steps[:, places[0]] if places else np.zeros(len(steps), dtype=np.intp)

    def _base(self, repaid: int, levers: Sequence[Lever]) -> tuple[Vector, Mapping[str, Value]]:
        """Return the row that the function reads, and all that features are made of, after repayments."""
        if repaid not in self._bases:
            history, _ = self._history(repaid, levers)
            found = features.one(self.plain.application, history, self.plain.given)
            aggregates = {name: found[name] for name in features.HISTORY_FEATURES}
            row, _, _ = self.reader.single.read(found)
            self._bases[repaid] = row, {**self.plain.application, **aggregates}
        return self._bases[repaid]

    def _debts(self) -> list[dict[str, Any]]:
        """Return the records of running loans of other lenders on which something is owed."""
        records = (self.plain.history or {}).get("bureau", [])
        return [r for r in records if r.get("CREDIT_ACTIVE") == "Active" and r.get(DEBT, 0.0) > 0]

    def _history(
        self, repaid: int, levers: Sequence[Lever]
    ) -> tuple[dict[str, list[dict[str, Any]]] | None, list[MovedFact]]:
        """Return the history after repayments, the same share of each running loan, and what has moved."""
        if not repaid or self.plain.history is None:
            return self.plain.history, []
        (lever,) = (lever for lever in levers if lever.records)
        left = 1 - lever.bound * repaid / lever.steps
        debts = {id(record) for record in self._debts()}
        records, moved = [], []
        for place, record in enumerate(self.plain.history["bureau"]):
            if id(record) in debts:
                debt = float(np.floor(record[DEBT] * left))
                becomes = {DEBT: debt}
                if record.get(OVERDUE, 0.0) > debt:
                    becomes[OVERDUE] = debt  # no more is late than is owed
                where = f"history.bureau[{place}]."
                moved += [MovedFact(where + name, float(record[name]), v) for name, v in becomes.items()]
                record = {**record, **becomes}
            records.append(record)
        return {**self.plain.history, "bureau": records}, moved
