"""The features of one application while some of its columns vary: what does not read them is not computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from scoring import schema
from scoring.features import BROUGHT, FEATURE_BY_NAME, LAST_STEP, columnar
from scoring.tables import DTYPES

Value = float | str | None

_COLUMNS = schema.columns(schema.Application)


class Varied:
    """Computes what depends on some raw columns of an application, for many values of these at once.

    Parameters
    ----------
    names : sequence of str
        Features to give, as far as they depend.
    columns : collection of str
        Raw columns of the application that vary.

    Attributes
    ----------
    names : tuple of str
        The features that depend on a column that varies, in the order given.
    """

    def __init__(self, names: Sequence[str], columns: Collection[str]) -> None:
        moved = frozenset(columns)
        found = [FEATURE_BY_NAME[name] for name in names]
        # A feature of a history table may read a column of the same name there.
        dependent = [f for f in found if f.table in ("application", "cross") and f.reads & moved]
        self.names = tuple(f.name for f in dependent)
        self._columns = frozenset[str]().union(*(f.reads for f in dependent)) | moved
        self._compute = columnar.RowWise({name: LAST_STEP[name] for name in self.names})

    def __call__(self, values: Mapping[str, Value], varied: pl.DataFrame) -> pl.DataFrame:
        """Return those features, one line per line of ``varied``; to the bit what `features.build` gives.

        Parameters
        ----------
        values : mapping of str to value
            Raw columns and aggregates of the application; what is absent is missing.
        varied : polars.DataFrame
            Some of the columns that vary.
        """
        constant = [
            pl.lit(pl.Series(name, [values.get(name)], strict=False).cast(_dtype(name))).first().alias(name)
            for name in sorted(self._columns - set(varied.columns))
        ]
        return self._compute(varied.with_columns(constant))


def _dtype(name: str) -> pl.DataType:
    """Return the type that a raw column or an aggregate has in a table."""
    return DTYPES[_COLUMNS[name].kind] if name in _COLUMNS else BROUGHT[name]
