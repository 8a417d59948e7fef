"""The tables of many applicants, however they came: built from requests, taken apart, turned back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from scoring.schema import HISTORY, Application, ApplicationRequest, Request, columns, values

Columns = Mapping[str, Collection[str]]
Rows = Sequence[int] | npt.NDArray[np.integer[Any]]

DTYPES: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "integer": pl.Int32(),
    "flag": pl.Int32(),
    "number": pl.Float64(),
    "category": pl.String(),
}
"""Kind of a column -> its polars type."""

LINK = "SK_ID_BUREAU"  # bureau_balance knows its credit, and only the credit knows its application


@dataclass(frozen=True, eq=False)
class Portfolio:
    """The raw tables of many applicants.

    Parameters
    ----------
    applications : polars.DataFrame
        One line per application: ``row`` (UInt32, its position), SK_ID_CURR, raw columns, and TARGET
        when it is known.
    history : dict of str to polars.DataFrame
        History tables by Kaggle name, keyed by ``row``. A table that is absent from the source is
        absent here.
    history_features : polars.DataFrame, optional
        ``row`` and aggregates, for the applications that brought theirs ready-made.
    """

    applications: pl.DataFrame
    history: dict[str, pl.DataFrame]
    history_features: pl.DataFrame | None = None

    def __len__(self) -> int:
        """Return the number of applications."""
        return self.applications.height


def absent(portfolio: Portfolio) -> list[str]:
    """Return the names of the history tables that the portfolio lacks."""
    return [table for table in HISTORY if table not in portfolio.history]


def from_requests(
    requests: Sequence[Request | ApplicationRequest], columns: Columns | None = None
) -> Portfolio:
    """Return the portfolio of validated requests, in their order.

    Parameters
    ----------
    requests : sequence of Request or ApplicationRequest
        Applications as they were decoded, or validated.
    columns : mapping of str to collection of str, optional
        Raw columns to keep, as for `read`.
    """
    applications = _frame(requests, wanted(columns, "application"))
    applications = applications.with_row_index("row")
    history: dict[str, pl.DataFrame] = {}
    with_history = [(row, request.history) for row, request in enumerate(requests) if request.history]
    for table in HISTORY:
        if not with_history or (columns is not None and table not in columns):
            continue
        records = [record for _, part in with_history for record in getattr(part, table)]
        if records:
            counts = [len(getattr(part, table)) for _, part in with_history]
            rows = np.repeat(np.array([row for row, _ in with_history], dtype=np.uint32), counts)
            frame = _frame(records, wanted(columns, table))
            history[table] = frame.insert_column(0, pl.Series("row", rows))
    return Portfolio(applications, history, _ready_made(requests))


def concat(portfolios: Sequence[Portfolio]) -> Portfolio:
    """Return portfolios of the same columns as one, in their order."""
    if len(portfolios) == 1:
        return portfolios[0]
    starts = np.cumsum([0, *(len(portfolio) for portfolio in portfolios)])

    def joined(frames: Sequence[pl.DataFrame | None]) -> pl.DataFrame:
        moved = [
            frame.with_columns(pl.col("row") + pl.lit(start, pl.UInt32))
            for frame, start in zip(frames, starts, strict=False)
            if frame is not None
        ]
        return pl.concat(moved, how="diagonal", rechunk=True)

    history = {
        table: joined([portfolio.history.get(table) for portfolio in portfolios])
        for table in HISTORY
        if any(table in portfolio.history for portfolio in portfolios)
    }
    ready = [portfolio.history_features for portfolio in portfolios]
    return Portfolio(
        joined([portfolio.applications for portfolio in portfolios]),
        history,
        None if all(frame is None for frame in ready) else joined(ready),
    )


Raw = dict[str, Any]  # values of a record under the names of their columns; what is missing is left out


def parts(
    request: Request | ApplicationRequest, columns: Mapping[str, Sequence[str]]
) -> tuple[Raw, dict[str, list[Raw]] | None, Raw | None]:
    """Return one request as plain values: its application, its raw history and its ready-made aggregates.

    Parameters
    ----------
    request : Request or ApplicationRequest
        An application as it was decoded, or validated.
    columns : mapping of str to sequence of str
        Raw columns to keep of each table; those of the application are under ``"application"``.
    """
    history: dict[str, list[Raw]] | None = None
    if request.history is not None:
        history = {
            table: [_known(record, columns[table]) for record in getattr(request.history, table)]
            for table in HISTORY
            if table in columns
        }
    given: Any = request.history_features
    if given is not None and not isinstance(given, dict):
        given = _known(given, given.__struct_fields__)
    return _known(request, columns["application"]), history, given


def to_requests(portfolio: Portfolio, rows: Rows) -> list[dict[str, Any]]:
    """Return applications as JSON-ready requests, in the order asked, missing values left out.

    The history goes along as raw records, without SK_ID_CURR: they stand inside their application.
    """
    chosen = take(portfolio, rows)
    requests = [
        _present(record) for record in chosen.applications.drop("row", "TARGET", strict=False).to_dicts()
    ]
    for table, frame in chosen.history.items():
        for record in frame.to_dicts():
            request = requests[record.pop("row")]
            request.setdefault("history", {}).setdefault(table, []).append(_present(record))
    if chosen.history_features is not None:
        for record in chosen.history_features.to_dicts():
            request = requests[record.pop("row")]
            request["history_features"] = _present(record)
    return requests


def take(portfolio: Portfolio, rows: Rows) -> Portfolio:
    """Return the portfolio of some applications, keyed anew from 0 in the order asked.

    An application may be taken more than once; the portfolio given is left as it is.
    """
    positions = np.asarray(rows, dtype=np.int64)
    wrong = positions[(positions < 0) | (positions >= len(portfolio))]
    if wrong.size:
        raise ValueError(f"no application at position {wrong[0]}; there are {len(portfolio)}, from 0.")
    applications = portfolio.applications[positions].drop("row").with_row_index("row")
    moves = pl.DataFrame({"row": positions.astype(np.uint32)}).with_row_index("_row")

    def moved(frame: pl.DataFrame) -> pl.DataFrame:
        kept = frame.join(moves, on="row", how="inner", maintain_order="left")
        return kept.with_columns(row="_row").drop("_row")

    history = {table: moved(frame) for table, frame in portfolio.history.items()}
    ready_made = None if portfolio.history_features is None else moved(portfolio.history_features)
    return Portfolio(applications, history, ready_made)


def _ready_made(requests: Sequence[Request | ApplicationRequest]) -> pl.DataFrame | None:
    """Return the aggregates that requests brought, or None where none did."""
    rows = [row for row, request in enumerate(requests) if request.history_features is not None]
    if not rows:
        return None
    given: list[Any] = [requests[row].history_features for row in rows]
    if isinstance(given[0], dict):
        names = list(dict.fromkeys(name for record in given for name in record))
        found = [[record.get(name) for record in given] for name in names]
    else:
        names = list(given[0].__struct_fields__)
        found = _columns(given, names)
    kinds = ["category" if str in set(map(type, column)) else "number" for column in found]
    # hstack, not insert_column: aggregates may be given without naming one, and such a table has no height.
    return pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32)}).hstack(
        _table(names, found, kinds).get_columns()
    )


def _present(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


def _known(record: Any, names: Sequence[str]) -> Raw:
    """Return the values of a decoded or validated record that are there: NaN is not equal to itself."""
    values = [(name, getattr(record, name)) for name in names]
    return {name: value for name, value in values if value is not None and value == value}


def _frame(records: Sequence[Any], kinds: Mapping[str, str]) -> pl.DataFrame:
    """Return a typed table of records that were decoded or validated."""
    return _table(list(kinds), _columns(records, list(kinds)), list(kinds.values()))


def _columns(records: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Return the values of records by column, read record by record: a record's values lie together."""
    if records and (fields := getattr(records[0], "__struct_fields__", None)):
        found = dict(zip(fields, zip(*map(values, records), strict=True), strict=True))
        return [found[name] for name in names]
    return [[getattr(record, name) for record in records] for name in names]


def _table(names: Sequence[str], columns: Sequence[Sequence[Any]], kinds: Sequence[str]) -> pl.DataFrame:
    """Return typed columns; None and NaN are missing."""
    raw, typed = [], []
    for name, column, kind in zip(names, columns, kinds, strict=True):
        if kind in ("category", "id"):
            known = str if kind == "category" else int
            raw.append(pl.Series(name, [v if isinstance(v, known) else None for v in column], DTYPES[kind]))
        else:
            raw.append(pl.Series(name, column, pl.Float64))
            typed.append(pl.col(name).fill_nan(None).cast(DTYPES[kind]))
    return pl.DataFrame(raw).with_columns(typed)


def wanted(asked: Columns | None, table: str) -> dict[str, str]:
    """Return the kinds of the columns to keep of a table, its key first, in the order of the schema."""
    known = {name: column.kind for name, column in columns(HISTORY.get(table, Application)).items()}
    is_history = table in HISTORY
    if asked is None:
        names = set(known)
    else:
        names = set(asked.get(table, ()))
        if unknown := names - known.keys():
            raise ValueError(f"the schema of {table} has no column {min(unknown)!r}.")
    if is_history:
        names.discard("SK_ID_CURR")  # the key is the row; in a request the client may even leave it out
        names |= {LINK} & known.keys()
    else:
        names.add("SK_ID_CURR")
    return {name: kind for name, kind in known.items() if name in names}
