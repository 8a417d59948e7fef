"""What is kept of decisions: counts, that add up and hold no person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

import numpy as np
import polars as pl
from numpy.typing import NDArray

from monitoring.bins import UNSEEN, Bins, Counts
from monitoring.operations import Operations
from monitoring.segments import PartCount, Segments

NEW_LEVELS = 20  # named for each column: a client may send any word
LONGEST = 60  # characters of such a word
Clients = NDArray[np.uint64]
NOBODY: Clients = np.zeros(0, np.uint64)


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of decisions.

    Attributes
    ----------
    counts : numpy.ndarray of shape (cells,)
    operations : Operations
    clients : numpy.ndarray of uint64
        A number for each client, as often as there was a decision on them; forgotten once a window is judged.
    unseen : mapping of str to mapping of str to int
        Levels that training never saw, by column.
    parts : mapping of str to PartCount
        Counts of parts of the decisions, by name.
    first, last : datetime, optional
    """

    counts: Counts
    operations: Operations = field(default_factory=Operations)
    clients: Clients = field(default_factory=lambda: NOBODY)
    unseen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None
    parts: Mapping[str, PartCount] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Decisions."""
        return self.operations.decisions

    @classmethod
    def of(cls, table: pl.DataFrame, bins: Bins, segments: Segments | None = None) -> Tally:
        """Count decisions in the columns of the log."""
        codes = bins.codes(table)
        counts = bins.count(codes)
        unseen = {}
        for place, axis in enumerate(bins.axes):
            if axis.levels is not None and axis.name in table.columns and bins.of(counts, place)[UNSEEN]:
                words = table[axis.name].drop_nulls().cast(pl.String)
                new = words.filter(~words.is_in(list(axis.levels))).str.slice(0, LONGEST)
                unseen[axis.name] = dict(new.value_counts(sort=True).head(NEW_LEVELS).iter_rows())
        operations = Operations(
            table.height,
            int((table["decision"] == "refused").sum()),
            0,
            dict(table["threshold"].drop_nulls().value_counts().iter_rows()),
        )
        times = table["time"]
        clients = table["applicant"].drop_nulls().hash().to_numpy()
        parts = segments.count(table, codes) if segments is not None else {}
        return cls(counts, operations, clients, unseen, times.min(), times.max(), parts)  # type: ignore[arg-type]

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        times = (
            [time for time in (self.first, other.first) if time],
            [time for time in (self.last, other.last) if time],
        )
        return Tally(
            self.counts + other.counts,
            self.operations + other.operations,
            np.concatenate([self.clients, other.clients]),
            _both(self.unseen, other.unseen),
            min(times[0], default=None),
            max(times[1], default=None),
            {
                key: reduce(PartCount.__add__, [one.parts[key] for one in (self, other) if key in one.parts])
                for key in {**self.parts, **other.parts}
            },
        )


def together(tallies: Iterable[Tally], bins: Bins) -> Tally:
    """Return the sum of tallies; of none, an empty one."""
    return reduce(Tally.__add__, tallies, Tally(np.zeros(bins.cells, dtype=np.int64)))


def without_clients(tally: Tally) -> Tally:
    """Return counts with how many decisions are on a client who had one before, in place of who they are."""
    repeated = tally.operations.repeated + len(tally.clients) - len(np.unique(tally.clients))
    return replace(tally, operations=replace(tally.operations, repeated=repeated), clients=NOBODY)


def _both(
    some: Mapping[str, Mapping[str, int]], others: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name in {**some, **others}:
        of = dict(some.get(name, {}))
        for level, count in others.get(name, {}).items():
            of[level] = of.get(level, 0) + count
        found[name] = dict(sorted(of.items(), key=lambda one: -one[1])[:NEW_LEVELS])
    return found
