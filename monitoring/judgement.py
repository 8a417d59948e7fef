"""The verdict on one window: what moved, where it comes from, what is wrong with how decisions were taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from monitoring.bins import MISSING, UNSEEN
from monitoring.operations import Operations, alarms
from monitoring.origins import find
from monitoring.reference import PREDICTION, Reference
from monitoring.segments import Segment
from monitoring.statistic import Comparison
from monitoring.tally import Tally, without_clients
from monitoring.words import Said

MIN_ROWS = 500  # below, only what is gross can be told from chance
SHOWN = 8  # inputs of an origin that are described
SOURCE_SHARE = 0.01  # of the rows that are lost or never seen, from which on a source is broken
SOURCE_PART = 0.25  # and of the values that are there, or are missing anyway, whichever are fewer
SOURCE_DISTANCE = 0.1  # of an input that moves so far at once: people do not change like that


@dataclass(frozen=True)
class MovedInput:
    """An input, or a pair of inputs, that moved.

    Attributes
    ----------
    name : str
    distance : float
        Chi-squared divided by the rows, without what chance gives.
    evidence : float
        -log of the probability that chance gives as much.
    cell : Said
        The cell whose share changed most.
    before, now : float
        Its share.
    missing : tuple of float
        Share of missing values, before and now.
    unseen : float
        Share of levels that training never saw.
    """

    name: str
    distance: float
    evidence: float
    cell: Said
    before: float
    now: float
    missing: tuple[float, float]
    unseen: float

    def said(self) -> Said:
        """Return it as a sentence."""
        if self.cell.name == "cell_pair":
            return Said("moved_pair", {"name": self.name})
        if self.unseen >= SOURCE_SHARE:
            return Said("moved_unseen", {"name": self.name, "now": self.unseen})
        before, now = self.missing
        if abs(now - before) >= SOURCE_SHARE and abs(now - before) >= abs(self.now - self.before) / 2:
            return Said("moved_missing", {"name": self.name, "before": before, "now": now})
        return Said(
            "moved_cell", {"name": self.name, "cell": self.cell, "before": self.before, "now": self.now}
        )

    @property
    def is_source(self) -> bool:
        """Whether it looks like a broken source rather than like other people."""
        before, now = self.missing
        gone = now - before >= max(SOURCE_SHARE, SOURCE_PART * min(before, 1 - before))
        return gone or self.unseen >= SOURCE_SHARE or self.distance >= SOURCE_DISTANCE


@dataclass(frozen=True)
class Finding:
    """What moved of one origin: a raw column or a table."""

    origin: str
    is_parted: bool
    inputs: int
    moved: tuple[MovedInput, ...]
    unseen: Mapping[str, float]

    @property
    def is_source(self) -> bool:
        """Whether its source looks broken."""
        return self.is_parted or any(one.is_source for one in self.moved)


@dataclass(frozen=True)
class Judgement:
    """What is said of a window.

    Attributes
    ----------
    rows, refused : int
    thresholds : mapping of str to int
    groups : tuple of Finding
        The strongest origin first; empty if nothing moved.
    alarms : tuple of Said
    inputs, moved : int
        What was compared, pairs among it, and how much of it moved.
    limit : float
        What the strongest evidence stays below by chance.
    strongest : float
        The strongest evidence.
    strongest_name : str
    is_judged : bool
        False where there were too few rows for what the inputs say.
    parts : tuple of Segment
        Product, region, age: each beside the same part of the reference.
    """

    rows: int
    refused: int
    groups: tuple[Finding, ...]
    alarms: tuple[Said, ...]
    inputs: int
    moved: int
    limit: float
    strongest: float
    strongest_name: str
    is_judged: bool
    parts: tuple[Segment, ...] = ()

    @property
    def is_drift(self) -> bool:
        """Whether the inputs or the scores are of another population, as a whole or in a part."""
        return bool(self.groups) or any(part.is_drift for part in self.parts)

    @property
    def is_source(self) -> bool:
        """Whether it must be acted on at once: a source is broken, or decisions are taken otherwise."""
        return bool(self.alarms) or any(group.is_source for group in self.groups)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Judgement:
        """Read what `to_json` gave, after a way through JSON."""
        groups = tuple(
            Finding(**{**group, "moved": tuple(_moved(one) for one in group["moved"])})
            for group in said["groups"]
        )
        parts = tuple(Segment.of_json(one) for one in said["parts"])
        alarms = tuple(Said(**one) for one in said["alarms"])
        return cls(**{**said, "groups": groups, "alarms": alarms, "parts": parts})


def _moved(said: Mapping[str, Any]) -> MovedInput:
    return MovedInput(**{**said, "missing": tuple(said["missing"]), "cell": Said(**said["cell"])})


def judge(
    tally: Tally,
    reference: Reference,
    days: int = 1,
    before: Sequence[tuple[Operations, int]] = (),
    min_rows: int = MIN_ROWS,
    others: Mapping[str, int] | None = None,
) -> Judgement:
    """Judge a window.

    Parameters
    ----------
    tally : Tally
    reference : Reference
    days : int
        Length of the window.
    before : sequence of (Operations, int)
        How decisions were taken in the windows before, with their days.
    min_rows : int
        With fewer rows on a side the inputs are not judged.
    others : mapping of str to int, optional
        Decisions of the window that other models took.
    """
    operations = without_clients(tally).operations
    said = tuple(alarms(operations, reference.thresholds, days, before, others))
    if not tally.rows or min(tally.rows, reference.table.height) < min_rows:
        empty = Judgement(tally.rows, operations.refused, (), said, 0, 0, 0.0, 0.0, "", False)
        return replace(empty, inputs=len(reference.bins.names))
    watch, bins = reference.detector, reference.bins
    comparison = watch.compare(tally.counts)
    groups = []
    for origin in find(bins, comparison, PREDICTION):
        described = tuple(describe(reference, tally, comparison, name) for name in origin.inputs[:SHOWN])
        unseen = {
            level: count / tally.rows
            for name in origin.inputs
            for level, count in tally.unseen.get(name, {}).items()
            if name == origin.name
        }
        groups.append(Finding(origin.name, origin.is_parted, len(origin.inputs), described, unseen))
    top = int(np.argmax(comparison.evidence))
    return Judgement(
        tally.rows,
        operations.refused,
        tuple(groups),
        said,
        len(bins.names),
        int(comparison.has_moved.sum()),
        comparison.limit,
        float(comparison.evidence[top]),
        bins.names[top],
        True,
        reference.segments.compare(tally.parts),
    )


def describe(reference: Reference, tally: Tally, comparison: Comparison, name: str) -> MovedInput:
    """Describe how an input or a pair moved."""
    bins = reference.bins
    place = bins.names.index(name)
    was = bins.of(reference.detector.counts, place) / reference.table.height
    now = bins.of(tally.counts, place) / tally.rows
    cell = int(np.argmax(np.abs(now - was)))
    is_input = place < len(bins.axes)
    return MovedInput(
        name,
        float(comparison.distance[place]),
        float(comparison.evidence[place]),
        bins.axes[place].say(cell) if is_input else Said("cell_pair"),
        float(was[cell]),
        float(now[cell]),
        (float(was[MISSING]), float(now[MISSING])) if is_input else (0.0, 0.0),
        float(now[UNSEEN]) if is_input else 0.0,
    )
