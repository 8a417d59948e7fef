"""What a model was validated on: the rows that windows are compared with, and the cells cut by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from monitoring.bins import Bins, Counts, cut
from monitoring.errors import InputError
from monitoring.origins import origins_of
from monitoring.outcomes import Calibrator
from monitoring.segments import COLUMNS as SEGMENTS_BY
from monitoring.segments import Segments
from monitoring.statistic import Detector
from scoring.tables.decisions import AUDIT, LOGGED

if TYPE_CHECKING:
    from scoring.scorer import Scorer

PREDICTION = "probability_of_default"
ROWS_AT_ONCE = 2_000  # that the model decides again: all of them at once take as much memory as all else
WHOLE = "whole"  # among the parts of the rows: all of them


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
    scorer : Path, optional
        Folder of the model.
    faults : list of str
        Why it could not be loaded, once that was tried.
    """

    table: pl.DataFrame
    model: str | None
    importance: Mapping[str, float]
    levels: Mapping[str, Collection[str]] = field(default_factory=dict)
    segments_by: Sequence[str] = SEGMENTS_BY
    id: str = ""
    scorer: Path | None = None
    faults: list[str] = field(default_factory=list)

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
        return Detector(self.bins, self.bins.codes(self.table), own=self.own.get(WHOLE))

    @cached_property
    def segments(self) -> Segments:
        """What counts and compares parts of the applicants."""
        return Segments(
            self.table, self.bins, lambda: self.detector.codes, self.segments_by, lambda: self.own
        )

    @cached_property
    def champion(self) -> Scorer | None:
        """The model itself; None where there is none, or it cannot be loaded: `faults` says why."""
        if self.scorer is None:
            return None
        # Here: most runs need no model, and it takes seconds to load.
        from scoring.scorer import ScorerError
        from scoring.trial import load

        try:
            return load(self.scorer)
        except ScorerError as error:
            self.faults.append(str(error))
            return None

    @cached_property
    def own(self) -> Mapping[str, Counts]:
        """Counts of its rows with the model's own scores, all and by part; none where there is no model."""
        if self.champion is None:
            return {}
        found: dict[str, Counts] = {}
        for rows in self.table.iter_slices(ROWS_AT_ONCE):
            scores = self.champion.probability(rows[self.champion.feature_names])
            table = rows.with_columns(pl.Series(PREDICTION, scores))
            codes = self.bins.codes(table)
            parts = {key: one.counts for key, one in self.segments.count(table, codes).items()}
            for name, counts in {WHOLE: self.bins.count(codes), **parts}.items():
                found[name] = found[name] + counts if name in found else counts
        return found

    @property
    def own_id(self) -> str:
        """Hash of those counts; empty without them."""
        told = b"".join(name.encode() + counts.tobytes() for name, counts in sorted(self.own.items()))
        return hashlib.sha256(told).hexdigest()[:16] if told else ""


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
    described = file.with_name("scorer.json")
    declared, is_whole = _declared(described)
    try:
        weights = {name: float(declared.get(name, {}).get("importance", 0.0)) for name in inputs}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{described} does not describe a scorer; import the model again.") from error
    if not declared:
        weights = dict.fromkeys(inputs, 1.0)
    total = sum(weights.values()) or 1.0
    return Reference(
        table,
        model,
        {name: weight / total for name, weight in weights.items()},
        {name: item["levels"] for name, item in declared.items() if "levels" in item},
        id=hashlib.sha256(file.read_bytes()).hexdigest(),
        scorer=file.parent if is_whole else None,
    )


def _declared(file: Path) -> tuple[dict[str, Any], bool]:
    """Return what scorer.json says of each input, by name, and whether it names the files of a model."""
    if not file.is_file():
        return {}, False
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return {item["name"]: item for item in said["features"]}, "files" in said
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} does not describe a scorer; import the model again.") from error
