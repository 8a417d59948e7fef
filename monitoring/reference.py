"""What a model was validated on: the rows that windows are compared with, and the cells cut by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from monitoring.bins import Bins, cut
from monitoring.errors import InputError
from monitoring.origins import origins_of
from monitoring.outcomes import Calibrator
from monitoring.segments import COLUMNS as SEGMENTS_BY
from monitoring.segments import Segments
from monitoring.statistic import Detector
from scoring.tables.decisions import AUDIT, LOGGED

PREDICTION = "probability_of_default"


@dataclass(frozen=True, eq=False)
class Reference:
    """What a model was validated on, and what its ``scorer.json`` says of its inputs.

    Attributes
    ----------
    table : polars.DataFrame
        Out-of-fold rows in the inference log's columns.
    model : str or None
        Exact tag in the model store; None for a reference from elsewhere.
    importance : mapping of str to float
        Share of each input in the model's mean absolute contributions; sums to 1.
    levels : mapping of str to collection of str
        Levels of each category that training saw; the reference holds a sample of the rows only.
    segments_by : sequence of str
        Columns whose values make parts that are compared by themselves.
    id : str
        Hash of its file.
    """

    table: pl.DataFrame
    model: str | None
    importance: Mapping[str, float]
    levels: Mapping[str, Collection[str]] = field(default_factory=dict)
    segments_by: Sequence[str] = SEGMENTS_BY
    id: str = ""

    @cached_property
    def inputs(self) -> list[str]:
        """What the model read, in order."""
        return [n for n in self.table.columns if n not in LOGGED and not n.startswith(AUDIT)]

    @cached_property
    def thresholds(self) -> frozenset[float]:
        """Those that its decisions were taken with."""
        return frozenset(self.table["threshold"].drop_nulls())

    @cached_property
    def calibrator(self) -> Calibrator | None:
        """What its outcomes make of its scores; None where it was written without them."""
        target = f"{AUDIT}target"
        if target not in self.table.columns:
            return None
        return Calibrator.of(self.table[PREDICTION], self.table[target])

    @cached_property
    def bins(self) -> Bins:
        """The cells of the scores and of all inputs."""
        return cut(self.table, [PREDICTION, *self.inputs], self.levels, origins_of, self.importance)

    @cached_property
    def detector(self) -> Detector:
        """What compares windows with it."""
        return Detector(self.bins, self.bins.codes(self.table))

    @cached_property
    def segments(self) -> Segments:
        """What counts and compares parts of the applicants."""
        return Segments(self.table, self.bins, lambda: self.detector.codes, self.segments_by)


def read_reference(path: Path, model: str | None = None) -> Reference:
    """Read the reference of a scorer: its folder, or a Parquet file in the log's columns.

    Without a ``scorer.json`` beside the file all inputs count the same.

    Raises
    ------
    InputError
        If there is no reference, or it cannot be read.
    """
    file = path / "reference.parquet" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"there is no reference {file}; give a scorer's folder, or import a model first.")
    try:
        table = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"the reference {file} is not Parquet; import the model again.") from error
    lacking = [name for name in ("model", PREDICTION, "threshold", "decision") if name not in table.columns]
    if lacking or table.is_empty():
        what = f"lacks the column {lacking[0]!r}" if lacking else "has no rows"
        raise InputError(f"the reference {file} {what}; import the model again.")
    inputs = Reference(table, model, {}).inputs
    declared = _declared(file.with_name("scorer.json"))
    try:
        weights = {name: float(declared.get(name, {}).get("importance", 0.0)) for name in inputs}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file.with_name('scorer.json')} does not describe a scorer; import the model again."
        ) from error
    if not declared:
        weights = dict.fromkeys(inputs, 1.0)
    total = sum(weights.values()) or 1.0
    return Reference(
        table,
        model,
        {name: weight / total for name, weight in weights.items()},
        {name: item["levels"] for name, item in declared.items() if "levels" in item},
        id=hashlib.sha256(file.read_bytes()).hexdigest(),
    )


def _declared(file: Path) -> dict[str, Any]:
    """Return what scorer.json says of each input, by name."""
    if not file.is_file():
        return {}
    try:
        return {item["name"]: item for item in json.loads(file.read_text(encoding="utf-8"))["features"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} does not describe a scorer; import the model again.") from error
