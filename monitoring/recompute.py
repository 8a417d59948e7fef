"""What would have been read, had a raw column been otherwise: inputs computed anew from the logged ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import polars as pl

from monitoring.origins import origins_of
from scoring.features import AGGREGATES, FEATURE_BY_NAME, LAST_STEP, READS
from scoring.features.columnar import RowWise

PROBE = [-9_000.0, -1_000.0, -100.0]  # days before an application
DIGITS = 6  # of a raw value that is computed back: days are whole
CHECKED = 500  # rows by which it is decided whether an input can be computed from the log
CLOSE = 1e-9  # relative: what was logged is what the service computed, bit for bit


class Recompute:
    """Computes inputs of logged decisions anew.

    Parameters
    ----------
    rows : polars.DataFrame
        Logged decisions; not every raw column need be among their inputs.
    inputs : iterable of str
        What the model read.
    """

    def __init__(self, rows: pl.DataFrame, inputs: Iterable[str]) -> None:
        self.inputs = list(inputs)
        known = frozenset(self.inputs)
        back = [
            series
            for column in READS["application"]
            if column not in known and (series := _raw(column, rows, known)) is not None
        ]
        self.rows = rows.with_columns(back)
        self.columns = known | {series.name for series in back}

    @cached_property
    def computable(self) -> frozenset[str]:
        """Inputs that come out of the log as they stand in it: nothing that they read was left out."""
        names = [
            name
            for name in self.inputs
            if name in FEATURE_BY_NAME and FEATURE_BY_NAME[name].table in ("application", "cross")
        ]
        some = self.rows.head(CHECKED)
        again = self._computed(some, names)
        return frozenset(name for name in names if _is_same(some[name], again[name]))

    def readers(self, origin: str) -> list[str]:
        """Return the inputs that come from an origin and can be computed, or are it."""
        return [
            name
            for name in self.inputs
            if origin in origins_of(name) and (name in self.computable or name == origin)
        ]

    def with_columns(self, changed: Mapping[str, pl.Series]) -> pl.DataFrame:
        """Return the rows with other values of some inputs, and what follows from them."""
        rows = self.rows.with_columns(series.alias(name) for name, series in changed.items())
        follow = [name for origin in changed for name in self.readers(origin) if name not in changed]
        if not follow:
            return rows
        again = self._computed(rows, list(dict.fromkeys(follow)))
        return rows.with_columns(again.get_columns())

    def _computed(self, rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
        read = dict.fromkeys([*READS["application"], *(feature.name for feature in AGGREGATES)])
        missing = pl.lit(None, dtype=pl.Float64)
        columns = [pl.col(name) if name in self.columns else missing.alias(name) for name in read]
        return RowWise({name: LAST_STEP[name] for name in names})(rows.select(columns))


def _raw(column: str, rows: pl.DataFrame, inputs: Collection[str]) -> pl.Series | None:
    """Return a raw number that the log has in another unit only, as days are logged in years; else None."""
    probe = pl.DataFrame({column: PROBE})
    for name in inputs:
        feature = FEATURE_BY_NAME.get(name)
        if feature is None or feature.reads != {column} or feature.kind != "number":
            continue
        low, middle, high = RowWise({name: LAST_STEP[name]})(probe)[name].to_list()
        if None in (low, middle, high) or low == high:
            continue
        slope = (high - low) / (PROBE[2] - PROBE[0])
        if abs(low + slope * (PROBE[1] - PROBE[0]) - middle) > CLOSE * abs(high - low):
            continue
        back = pl.Series(column, (rows[name].cast(pl.Float64) - low) / slope + PROBE[0])
        return back.round(DIGITS)
    return None


def _is_same(logged: pl.Series, again: pl.Series) -> bool:
    """Say whether two columns are the same, but for rounding."""
    if logged.dtype == pl.String or again.dtype == pl.String:
        return logged.cast(pl.String).equals(again.cast(pl.String), null_equal=True)
    both = pl.DataFrame({"a": logged.cast(pl.Float64), "b": again.cast(pl.Float64)})
    apart = (pl.col("a") - pl.col("b")).abs() > CLOSE * pl.max_horizontal(pl.col("a").abs(), pl.lit(1e-9))
    gone = pl.col("a").is_null() != pl.col("b").is_null()
    return not bool(both.select((apart.fill_null(False) | gone).any()).item())
