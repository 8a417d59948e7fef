"""The curve of one fact for one application: all else equal, and with the facts that move together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scoring import features, schema, tables
from scoring.comparison.bins import FactBins
from scoring.counterfactual.policy import ANNUITY, CREDIT, GOODS
from scoring.features.varied import Varied
from scoring.language import Text, by_language, say
from scoring.schema import ApplicationRequest, Curve, CurvePoint, Request
from scoring.scorer import REFERENCE, Scorer
from scoring.scorer.model import Encoding, Vector, probability
from scoring.scorer.single import Single, Value

POINTS = 20  # parts that the reference is cut into
LINKED: dict[str, tuple[str, ...]] = {CREDIT: (ANNUITY, GOODS), GOODS: (CREDIT, ANNUITY)}
"""Facts that follow another one in proportion, as a loan's terms and its use stay."""
COLUMNS = schema.columns(schema.Application)
DRAWN = tuple(
    name
    for name, column in COLUMNS.items()
    if column.kind in ("number", "integer")
    and name in features.FEATURE_BY_NAME
    and not features.protected_by(features.FEATURE_BY_NAME[name])
)
"""Facts that a curve may be drawn of: numbers of the application, nothing protected."""
FLAT = Text("curve.flat", "The model does not read “{fact}”, so it changes nothing.")
DRAWS = Text("curve.drawn", "The probability of default, were “{fact}” another and all else as it is.")


class CurveDrawer:
    """Draws the curves of a scorer; threads may share it.

    Parameters
    ----------
    scorer : Scorer
    folder : Path
        Where its reference lies.
    """

    def __init__(self, scorer: Scorer, folder: Path) -> None:
        self.scorer = scorer
        self._file = folder / REFERENCE
        self._single = Single(scorer)
        self._varied = lru_cache(maxsize=64)(lambda moved: Varied(scorer.feature_names, moved))

    def draw(self, application: Request | ApplicationRequest, fact: str) -> Curve:
        """Return the probability of default for values of a fact that the reference has.

        Parameters
        ----------
        application : Request or ApplicationRequest
        fact : str
            One of `DRAWN`.
        """
        plain, history, given = tables.parts(application, features.READS)
        found = features.one(plain, history, given)
        row, _, _ = self._single.read(found)
        aggregates = {name: found[name] for name in features.HISTORY_FEATURES}
        values: dict[str, Value] = {**plain, **aggregates}
        own: Any = plain.get(fact)
        is_read = fact in self.scorer.feature_names
        points: list[CurvePoint] = []
        linked: dict[str, Vector] = {}
        if is_read:
            axis = FactBins.of(pl.read_parquet(self._file, columns=[fact])[fact], POINTS)
            marks = np.unique([*axis.edges, *([float(own)] if own is not None else [])])
            linked = _in_proportion(plain, fact, marks)
            alone = self._rate(row, values, {fact: marks})
            together = self._rate(row, values, {fact: marks} | linked) if linked else None
            points = [
                CurvePoint(
                    value=float(mark),
                    probability_of_default=float(alone[place]),
                    together=None if together is None else float(together[place]),
                )
                for place, mark in enumerate(marks)
            ]
        label = COLUMNS[fact].label
        words = DRAWS if is_read else FLAT
        return Curve(
            SK_ID_CURR=application.SK_ID_CURR,
            fact=fact,
            value=own,
            linked=list(linked),
            threshold=self.scorer.threshold,
            points=points,
            text=by_language(lambda language: say(words, language, fact=say(label, language))),
        )

    def _rate(self, row: Vector, values: dict[str, Value], moved: dict[str, Vector]) -> Vector:
        """Return the probability of default for values of some facts, as a decision has it."""
        varied = self._varied(tuple(moved))
        encoding = self.scorer.model.encoding
        own = Encoding(
            varied.names,
            {name: levels for name, levels in encoding.levels.items() if name in varied.names},
            {name: fill for name, fill in encoding.fill.items() if name in varied.names},
        )
        kinds = {name: tables.DTYPES[COLUMNS[name].kind] for name in moved}
        matrix = np.tile(row, (len(next(iter(moved.values()))), 1))
        places = [encoding.names.index(name) for name in varied.names]
        columns = pl.DataFrame({name: pl.Series(v).cast(kinds[name]) for name, v in moved.items()})
        matrix[:, places] = own.encode(varied(values, columns))
        return probability(self.scorer.calibration.of(self.scorer.model.function.raw(matrix)))


def _in_proportion(plain: Mapping[str, Any], fact: str, marks: Vector) -> dict[str, Vector]:
    """Return the values of the facts that follow a fact; beside an amount of next to nothing they cannot."""
    own = plain.get(fact)
    if not own:
        return {}
    with np.errstate(over="ignore"):
        found = {n: plain[n] * (marks / own) for n in LINKED.get(fact, ()) if plain.get(n) is not None}
    return {name: moved for name, moved in found.items() if np.isfinite(moved).all()}
