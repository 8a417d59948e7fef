"""Every feature a model may read, declared once, and the one function that computes them.

``build`` is pure: no population statistic, no fitted encoder, no clock. A row depends on its own application
and its own records only, so an applicant scores the same alone, in a batch, from a file and from a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from scoring import schema
from scoring.decision import PROTECTED
from scoring.features import (
    added,
    application,
    bureau,
    columnar,
    credit_card,
    cross,
    installments,
    pos_cash,
    previous,
    single,
)
from scoring.features.base import Feature, HistoryTable
from scoring.features.groups import GROUPS, Group
from scoring.features.terms import output
from scoring.features.vocabulary import passed
from scoring.tables import Portfolio

__all__ = [
    "FEATURES",
    "FEATURE_BY_NAME",
    "GROUPS",
    "HISTORY_FEATURES",
    "READS",
    "Feature",
    "Group",
    "build",
    "names",
    "one",
    "protected_by",
]

BUILT_IN = (*bureau.TABLES, previous.TABLE, pos_cash.TABLE, credit_card.TABLE, installments.TABLE)
TABLES: tuple[HistoryTable, ...] = added.joined(BUILT_IN)
ADDED: tuple[Feature, ...] = added.features()
AGGREGATES: tuple[Feature, ...] = tuple(f for table in TABLES for f in table.features)
ROW_WISE: tuple[Feature, ...] = (*application.FEATURES, *cross.FEATURES, *ADDED)
FEATURES: tuple[Feature, ...] = (*application.FEATURES, *AGGREGATES, *cross.FEATURES, *ADDED)
FEATURE_BY_NAME: dict[str, Feature] = {f.name: f for f in FEATURES}
HISTORY_FEATURES: tuple[str, ...] = tuple(f.name for f in AGGREGATES)
added.check(
    (*application.FEATURES, *cross.FEATURES, *(f for table in BUILT_IN for f in table.features)),
    HISTORY_FEATURES,
)
READS: dict[str, tuple[str, ...]] = {
    "application": tuple(
        sorted(frozenset().union(*(f.reads for f in ROW_WISE)) & set(schema.columns(schema.Application)))
    ),
    **{table.name: table.reads for table in TABLES},
}
DTYPES = {"number": pl.Float64, "category": pl.String}
BROUGHT = pl.Schema({"row": pl.get_index_type(), **{f.name: DTYPES[f.kind] for f in AGGREGATES}})
EMPTY_IS_ZERO = [f"{prefix}_count" for prefix in ("bureau", "previous", "pos", "card", "installment")]

# Put together once: at few rows, making a plan costs more than running it.
TERMS = {f.name: output(f.term, f.kind) for f in FEATURES}
# Aggregates pass the last step as they are.
LAST_STEP = TERMS | {f.name: passed(f.name, f.kind) for f in AGGREGATES}
COMPUTE = columnar.RowWise(LAST_STEP)
AGGREGATE = {t.name: columnar.Summed({f.name: TERMS[f.name] for f in t.features}) for t in TABLES}
NOTHING = {
    t.name: pl.DataFrame({f.name: pl.Series([None], dtype=DTYPES[f.kind]) for f in t.features})
    for t in TABLES
}


def build(portfolio: Portfolio) -> pl.DataFrame:
    """Compute every feature of every application.

    Parameters
    ----------
    portfolio : Portfolio
        Applications with whatever history there is; an absent table counts as no records. Applications that
        bring aggregates computed ahead (``history_features``) are taken at their word.

    Returns
    -------
    polars.DataFrame of shape (n_applications, n_features)
        Exactly ``FEATURES``, in order, one row per application by position; numbers are Float64, categories
        String, missing is null.
    """
    rows = portfolio.applications.select("row")
    raw = portfolio.applications.select(READS["application"])
    history = _history(portfolio, rows).with_columns(pl.col(EMPTY_IS_ZERO).fill_null(0.0))
    return COMPUTE(raw.hstack(history))


def one(
    application: Mapping[str, Any],
    history: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    given: Mapping[str, float | str | None] | None = None,
) -> dict[str, float | str | None]:
    """Compute every feature of one application, without tables: a hundred times sooner than ``build``.

    Parameters
    ----------
    application : mapping
        Raw columns, checked at the middleware; an absent one is missing.
    history : mapping of str to sequence of mapping, optional
        Raw records by Kaggle name of their table.
    given : mapping of str to value, optional
        Aggregates computed ahead, taken at their word; then ``history`` is not looked at.

    Returns
    -------
    dict of str to float, str or None
        Exactly ``FEATURES``, in order; the same values, to the last bit, as a row of ``build``.
    """
    values: dict[str, float | str | None] = {}
    for table, compute in _aggregators().items():
        records = history.get(table) if history is not None and given is None else None
        if records:
            values.update(compute(records))
    if given is not None:
        values = {name: given.get(name) for name in HISTORY_FEATURES}
    for name in EMPTY_IS_ZERO:
        if values.get(name) is None:
            values[name] = 0.0
    return _last_step()({**application, **values})


@cache
def _aggregators() -> dict[str, Callable[[Sequence[Mapping[str, Any]]], single.Values]]:
    """Compile the aggregates of each history table for one applicant."""
    return {t.name: single.summed({f.name: TERMS[f.name] for f in t.features}) for t in TABLES}


@cache
def _last_step() -> Callable[[Mapping[str, Any]], single.Values]:
    """Compile the last step for one applicant."""
    return single.row_wise(LAST_STEP)


def names(protect: Collection[str]) -> list[str]:
    """Name the features that a model may read when some attributes are protected.

    Parameters
    ----------
    protect : collection of str
        Keys of ``decision.PROTECTED``.

    Returns
    -------
    list of str
        In the order of ``FEATURES``; a feature goes as soon as it reads one column of a protected attribute.
    """
    unknown = set(protect) - PROTECTED.keys()
    if unknown:
        raise ValueError(
            f"no attribute to protect is named {sorted(unknown)}; choose among {sorted(PROTECTED)}."
        )
    return [f.name for f in FEATURES if not protected_by(f) & set(protect)]


def protected_by(feature: Feature) -> set[str]:
    """Name the protected attributes that a feature reads from."""
    if feature.table not in ("application", "cross"):
        return set()
    return {attribute for attribute, columns in PROTECTED.items() if feature.reads & set(columns)}


def sources(name: str) -> frozenset[str]:
    """Name the raw columns that a feature comes from in the end.

    Those of a history table stand with it, as ``bureau.AMT_CREDIT_SUM``; a count of records has the table
    alone.
    """
    feature = FEATURE_BY_NAME[name]
    if feature.table not in ("application", "cross"):
        return frozenset(f"{feature.table}.{column}" for column in feature.reads) or frozenset(
            {feature.table}
        )
    return frozenset().union(
        *(
            {column} if column == name or column not in FEATURE_BY_NAME else sources(column)
            for column in feature.reads
        )
    )


def _history(portfolio: Portfolio, rows: pl.DataFrame) -> pl.DataFrame:
    """Give the aggregates of every application: summed up here, or as the application brought them."""
    given = portfolio.history_features
    if given is not None:
        if given.schema != BROUGHT:  # else they are all there, as a batch client sends them
            present = frozenset(given.columns)
            empty = pl.lit(None)
            columns = ((pl.col(f.name) if f.name in present else empty, f) for f in AGGREGATES)
            given = given.select("row", *(value.cast(DTYPES[f.kind]).alias(f.name) for value, f in columns))
        if given["row"].equals(rows["row"]):
            return given.drop("row")
    history = rows.hstack([c for table in TABLES for c in _aggregates(portfolio, table, rows)]).drop("row")
    return history if given is None else _overlay(history, given, rows)


def _aggregates(portfolio: Portfolio, table: HistoryTable, rows: pl.DataFrame) -> list[pl.Series]:
    """Sum one history table up, one line per application by position."""
    records = portfolio.history.get(table.name)
    if records is None or records.is_empty():
        return NOTHING[table.name][[0] * rows.height].get_columns()
    found = AGGREGATE[table.name](records)
    return rows.join(found, on="row", how="left", maintain_order="left").drop("row").get_columns()


def _overlay(history: pl.DataFrame, given: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Replace the aggregates of the applications that brought theirs."""
    brought = rows.join(given.with_columns(_given=True), on="row", how="left", maintain_order="left")
    is_given = brought["_given"].fill_null(False)
    return history.select(
        pl.when(is_given).then(brought[name]).otherwise(pl.col(name)).alias(name) for name in history.columns
    )
