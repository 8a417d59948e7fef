"""Parts of the applicants, each beside the same part of the reference: product, region, age, a lender's own.

A fault that hits one part is thin in the whole. Each part is compared input by input like a whole window, and
all parts together cry wolf as seldom as the whole does. What no model reads (gender) is not in the log: it is
audited from a file, see `monitoring.audited`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from monitoring.bins import Bins, Codes, Counts
from monitoring.statistic import FALSE_WINDOWS, FLOOR, Chance, Detector, discovered, limit
from monitoring.words import Said
from scoring.decision import REFUSED

COLUMNS = ("NAME_CONTRACT_TYPE", "REGION_RATING_CLIENT", "age_years")
AGES = (30.0, 40.0, 50.0, 62.0)  # 62: Regulation B's "elderly"
FAIR = frozenset({"age_years"})  # whose approval ratios are watched
SMALLEST = 200  # rows of a part on both sides: below, it is not judged
MOST_VALUES = 12  # of a column that makes parts
DRAWS, DRAWN_ROWS = 200, 1_000  # of each part; their tails are put together
SHIFT = 0.05  # of the share refused, or of an approval ratio, that matters


@dataclass(frozen=True, eq=False)
class PartCount:
    """Counts of the decisions on a part: they add up.

    Attributes
    ----------
    rows, refused : int
    expected : float
        Sum of the probabilities of default.
    counts : numpy.ndarray of shape (cells of all inputs,)
        Without pairs.
    """

    rows: int
    refused: int
    expected: float
    counts: Counts

    def __add__(self, other: PartCount) -> PartCount:
        """Return both together."""
        return PartCount(
            self.rows + other.rows,
            self.refused + other.refused,
            self.expected + other.expected,
            self.counts + other.counts,
        )


@dataclass(frozen=True)
class Dimension:
    """What makes parts of decisions: a column, and its values or bands.

    Attributes
    ----------
    column : str
    values : tuple of str
        Names of the parts.
    edges : tuple of float
        Of bands; empty where each value is a part.
    """

    column: str
    values: tuple[str, ...]
    edges: tuple[float, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the parts among those of all dimensions."""
        return tuple(f"{self.column}={value}" for value in self.values)

    def of(self, table: pl.DataFrame) -> NDArray[np.int64]:
        """Return the part of each row, -1 for none."""
        if self.column not in table.columns:
            return np.full(table.height, -1)
        if self.edges:
            numbers = table[self.column].cast(pl.Float64).fill_null(np.nan).to_numpy()
            found = np.searchsorted(self.edges, numbers, side="right")
            return np.where(np.isnan(numbers), -1, found).astype(np.int64)
        words = _words(table[self.column])
        return words.replace_strict(
            list(self.values), list(range(len(self.values))), default=-1, return_dtype=pl.Int64
        ).to_numpy()


def _words(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values
    return values.cast(pl.Float64).map_elements(lambda value: f"{value:g}", return_dtype=pl.String)


def dimensions(table: pl.DataFrame, columns: Sequence[str]) -> tuple[Dimension, ...]:
    """Return what parts a reference's columns make; one that is absent, or has one value, makes none."""
    found = []
    for column in dict.fromkeys(columns):
        if column not in table.columns:
            continue
        if column == "age_years":
            names = (f"< {AGES[0]:g}", *(f"{low:g}\u2013{high - 1:g}" for low, high in pairwise(AGES)))
            found.append(Dimension(column, (*names, f"\u2265 {AGES[-1]:g}"), AGES))
            continue
        values = _words(table[column].drop_nulls()).value_counts(sort=True, name="rows")
        large = values.filter(pl.col("rows") >= SMALLEST)[column].to_list()
        if 2 <= len(large) <= MOST_VALUES:
            found.append(Dimension(column, tuple(large)))
    return tuple(found)


@dataclass(frozen=True)
class Segment:
    """A part of a window beside the same part of the reference.

    Attributes
    ----------
    column, value : str
    rows, refused : int
    usual_refused : float
        Share refused of the reference.
    expected, usual_expected : float
        Mean probability of default.
    ratio, usual_ratio : float, optional
        Share granted, of that of the part most of which is granted; where fairness is watched.
    alarm : str, optional
        ``refused`` or ``ratio``.
    moved : tuple of str
        Inputs, the farthest first, at most `SHOWN`.
    inputs : int
        How many moved.
    """

    column: str
    value: str
    rows: int
    refused: int
    usual_refused: float
    expected: float
    usual_expected: float
    ratio: float | None
    usual_ratio: float | None
    alarm: str | None
    moved: tuple[str, ...]
    inputs: int

    @property
    def is_drift(self) -> bool:
        """Whether it is of another population than that part of the reference, or treated otherwise."""
        return bool(self.moved) or self.alarm is not None

    @property
    def name(self) -> Said:
        """What it is called."""
        return Said("part", {"origin": self.column, "word": self.value})

    def said(self) -> list[Said]:
        """Return what is wrong with it, in sentences."""
        found, part = [], {"part": self.name}
        if self.moved:
            names = ", ".join(self.moved)
            found.append(
                Said("part_moved", {**part, "name": names, "inputs": self.inputs, "rows": self.rows})
            )
        if self.alarm == "refused":
            shares = {"share": self.refused / self.rows, "usual_share": self.usual_refused}
            found.append(Said("part_refused", {**part, **shares}))
        if self.alarm == "ratio":
            ratios = {"ratio": self.ratio, "usual_ratio": self.usual_ratio}
            found.append(Said("part_ratio", {**part, **ratios}))
        return found

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Segment:
        """Read what JSON made of one."""
        return cls(**{**said, "moved": tuple(said["moved"])})


SHOWN = 3  # inputs of a part that are named


class Segments:
    """The parts of a reference; counts those of windows and compares them.

    Parameters
    ----------
    table : polars.DataFrame
        The reference.
    bins : Bins
    codes : numpy.ndarray of shape (n_rows, n_names)
        Or a function that gives them.
    columns : sequence of str
        That make parts.
    own : callable
        Gives the counts of each part with the model's own scores, as far as they are known.

    Attributes
    ----------
    chances : dict of str to dict of int to Chance
        What was drawn of each part, by the rows of a window.
    """

    def __init__(
        self,
        table: pl.DataFrame,
        bins: Bins,
        codes: Codes | Callable[[], Codes],
        columns: Sequence[str],
        own: Callable[[], Mapping[str, Counts]] = dict,
    ) -> None:
        self.dimensions = dimensions(table, columns)
        self._own = own
        self.axes = Bins(bins.axes)
        self._given = codes
        self._of = [dimension.of(table) for dimension in self.dimensions]
        self._detectors: dict[str, Detector] = {}
        self._table = table
        self.chances: dict[str, dict[int, Chance]] = {}

    @cached_property
    def _codes(self) -> Codes:
        codes = self._given() if callable(self._given) else self._given
        return codes[:, : len(self.axes.axes)]

    @cached_property
    def usual(self) -> dict[str, PartCount]:
        """The counts of the reference."""
        return self.count(self._table, self._codes)

    def count(self, table: pl.DataFrame, codes: Codes) -> dict[str, PartCount]:
        """Count the parts of rows.

        Rows that are alike in all dimensions are counted once and added up: as much work as without parts.
        """
        if not self.dimensions or table.is_empty():
            return {}
        places = np.stack([dimension.of(table) for dimension in self.dimensions])
        refused = (table["decision"] == REFUSED).fill_null(False).to_numpy()
        p = table["probability_of_default"].fill_null(0.0).to_numpy()
        own = codes[:, : len(self.axes.axes)]
        found: dict[str, PartCount] = {}
        alike, which = np.unique(places, axis=1, return_inverse=True)
        n = alike.shape[1]
        rows, refusals = np.bincount(which, minlength=n), np.bincount(which[refused], minlength=n)
        sums, counts = np.bincount(which, weights=p, minlength=n), self.axes.count_by(own, which, n)
        for one in range(n):
            count = PartCount(int(rows[one]), int(refusals[one]), float(sums[one]), counts[one])
            for dimension, place in zip(self.dimensions, alike[:, one], strict=True):
                if place >= 0:
                    key = dimension.keys[place]
                    found[key] = found[key] + count if key in found else count
        return found

    def compare(self, parts: Mapping[str, PartCount]) -> tuple[Segment, ...]:
        """Compare the parts of a window with those of the reference, each with enough rows on both sides."""
        judged = [
            (dimension, value, key)
            for dimension in self.dimensions
            for value, key in zip(dimension.values, dimension.keys, strict=True)
            if key in parts
            and min(parts[key].rows, self.usual[key].rows if key in self.usual else 0) >= SMALLEST
        ]
        if not judged:
            return ()
        measured = [self._detector(key).measure(parts[key].counts) for *_, key in judged]
        strongest = np.concatenate([chance.strongest for *_, chance in measured])
        most = limit(strongest, FALSE_WINDOWS / len(judged))
        effects, evidence = (np.stack(some) for some in zip(*(one[:2] for one in measured), strict=True))
        has_moved = np.zeros(effects.shape, dtype=bool)
        if ((effects >= FLOOR) & (evidence > most)).any():
            named = discovered(np.exp(-evidence).ravel()).reshape(effects.shape)
            beyond = ((effects >= FLOOR) & (evidence > most)).any(axis=1, keepdims=True)
            has_moved = named & (effects >= FLOOR) & beyond
        tests = len(judged) + sum(dimension.column in FAIR for dimension, *_ in judged)
        z = -float(ndtri(FALSE_WINDOWS / (2 * tests)))
        best = {dimension.column: self._best(dimension, parts) for dimension, *_ in judged}
        found = []
        for number, (dimension, value, key) in enumerate(judged):
            moved = np.flatnonzero(has_moved[number])
            ranked = moved[np.argsort(-effects[number][moved], kind="stable")]
            names = tuple(self.axes.axes[place].name for place in ranked[:SHOWN])
            treated = self._treated(key, best[dimension.column], parts, z)
            found.append(Segment(dimension.column, value, **treated, moved=names, inputs=len(moved)))
        return tuple(found)

    def _detector(self, key: str) -> Detector:
        if key not in self._detectors:
            column, _, value = key.partition("=")
            place, dimension = next((n, one) for n, one in enumerate(self.dimensions) if one.column == column)
            found = Detector(
                self.axes,
                lambda: self._codes,
                draws=DRAWS,
                most_rows=DRAWN_ROWS,
                counts=self.usual[key].counts,
                among=np.flatnonzero(self._of[place] == dimension.values.index(value)),
                own=self._own().get(key),
            )
            found.chances = self.chances.setdefault(key, {})
            self._detectors[key] = found
        return self._detectors[key]

    def _best(self, dimension: Dimension, parts: Mapping[str, PartCount]) -> str | None:
        """Return the part of a window most of which is granted; None where ratios are not watched."""
        if dimension.column not in FAIR:
            return None
        large = [
            key
            for key in dimension.keys
            if key in self.usual
            and min(self.usual[key].rows, parts[key].rows if key in parts else 0) >= SMALLEST
        ]
        return min(large, key=lambda key: parts[key].refused / parts[key].rows, default=None)

    def _treated(
        self, key: str, best: str | None, parts: Mapping[str, PartCount], z: float
    ) -> dict[str, Any]:
        now, then = parts[key], self.usual[key]
        refused = [one.refused / one.rows for one in (now, then)]
        pooled = (now.refused + then.refused) / (now.rows + then.rows)
        error = np.sqrt(pooled * (1 - pooled) * (1 / now.rows + 1 / then.rows))
        alarm = None
        if abs(refused[0] - refused[1]) > max(SHIFT, z * error):
            alarm = "refused"
        ratios: list[float | None] = [None, None]
        if best is not None:
            granted = [[1 - one[k].refused / one[k].rows for k in (key, best)] for one in (parts, self.usual)]
            if min(map(min, granted)) > 0:
                ratios = [own / of for own, of in granted]
                apart = np.log(granted[0][0] / granted[0][1]) - np.log(granted[1][0] / granted[1][1])
                variance = sum(
                    (1 - share) / share / one[k].rows
                    for one, shares in zip((parts, self.usual), granted, strict=True)
                    for k, share in zip((key, best), shares, strict=True)
                )
                falls = float(ratios[1] or 0) - float(ratios[0] or 0)
                if key != best and falls > SHIFT and apart < -z * np.sqrt(variance):
                    alarm = "ratio"
        return {
            "rows": now.rows,
            "refused": now.refused,
            "usual_refused": refused[1],
            "expected": now.expected / now.rows,
            "usual_expected": then.expected / then.rows,
            "ratio": ratios[0],
            "usual_ratio": ratios[1],
            "alarm": alarm,
        }
