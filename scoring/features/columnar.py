"""Terms over tables: the polars expressions and plans that compute them for many applicants at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from scoring.features.operations import AGGREGATES, OPERATIONS
from scoring.features.terms import RECORD, Grain, Term, aggregates, shared

LEAVES = ("col", "per", "key")


def expressions(terms: Mapping[str, Term]) -> list[pl.Expr]:
    """Give terms as expressions over a table of applications, under their names."""
    as_expression = _Expressions({})
    return [as_expression(term).alias(name) for name, term in terms.items()]


def summed(records: pl.LazyFrame, terms: Mapping[str, Term]) -> pl.LazyFrame:
    """Sum records up by application.

    Parameters
    ----------
    records : polars.LazyFrame
        ``row`` (the application's position) and raw columns.
    terms : mapping of str to Term
        Aggregates by name.

    Returns
    -------
    polars.LazyFrame
        ``row`` and the named values, one line per application that has records.
    """
    named = dict(zip(terms, shared(terms.values()), strict=True))
    found = list(dict.fromkeys(aggregates(named.values())))
    columns = {id(term): f"_{i}" for i, term in enumerate(found)}
    parts: dict[Grain, list[Term]] = {}
    for term in found:
        parts.setdefault(term.args[0].grain if term.args else RECORD, []).append(term)
    frames = [
        _grouped(_grain_of(records, grain, part), ["row"], part, columns) for grain, part in parts.items()
    ]
    frame = frames[0]
    for other in frames[1:]:
        frame = frame.join(other, on="row", how="left")
    as_expression = _Expressions(columns)
    return frame.select("row", *(as_expression(term).alias(name) for name, term in named.items()))


class _Expressions:
    """Turns terms into expressions, those that stand in the table already into their columns."""

    def __init__(self, columns: Mapping[int, str]) -> None:
        self.columns = columns
        self.made: dict[int, tuple[Term, pl.Expr]] = {}  # the term is kept, so that its id stays its own

    def __call__(self, term: Term) -> pl.Expr:
        if id(term) not in self.made:
            self.made[id(term)] = (term, self._make(term))
        return self.made[id(term)][1]

    def _make(self, term: Term) -> pl.Expr:
        if id(term) in self.columns:
            return pl.col(self.columns[id(term)])
        if term.op == "col":
            return (
                pl.col(term.parameter).cast(pl.Float64) if term.kind == "number" else pl.col(term.parameter)
            )
        if term.op == "key":
            return self(term.args[0])
        if term.op == "lit":
            return pl.lit(term.parameter)
        args = [self(a) for a in term.args]
        if term.parameter is not None:
            args.append(term.parameter)
        return OPERATIONS[term.op].polars(*args)


def _grain_of(records: pl.LazyFrame, grain: Grain, terms: Sequence[Term]) -> pl.LazyFrame:
    """Bring records together to the groups that some aggregates are over."""
    if grain == RECORD:
        return records
    leaves = list(dict.fromkeys(leaf for term in terms for leaf in _leaves(term) if leaf.op == "per"))
    inner = {f"per_{i}": leaf.args[0] for i, leaf in enumerate(leaves)}
    found = list(dict.fromkeys(aggregates(inner.values())))
    columns = {id(term): f"_{i}" for i, term in enumerate(found)}
    frame = _grouped(records, ["row", *grain], found, columns)
    as_expression = _Expressions(columns)
    return frame.select("row", *grain, *(as_expression(t).alias(name) for name, t in inner.items()))


def _leaves(term: Term) -> list[Term]:
    return [term] if term.op in LEAVES else [leaf for a in term.args for leaf in _leaves(a)]


def _ranks(term: Term) -> list[Term]:
    return [term] if term.op == "rank" else [rank for a in term.args for rank in _ranks(a)]


def _numbered(frame: pl.LazyFrame, places: Sequence[pl.Expr], name: str) -> pl.LazyFrame:
    """Give the lines of each application their numbers from the latest on."""
    ordered = frame.sort(
        "row", *places, descending=[False, *(True for _ in places)], nulls_last=True, maintain_order=True
    )
    return ordered.with_columns(pl.int_range(1, pl.len() + 1).over("row").cast(pl.Float64).alias(name))


def _grouped(
    frame: pl.LazyFrame, keys: list[str], terms: Sequence[Term], columns: Mapping[int, str]
) -> pl.LazyFrame:
    """Compute what is per line once, then aggregate it by the keys."""
    leaves = list(dict.fromkeys(leaf for term in terms for leaf in _leaves(term) if leaf.op == "per"))
    ready = {id(leaf): f"per_{i}" for i, leaf in enumerate(leaves)}
    operands = list(dict.fromkeys(a for term in terms for a in term.args))
    for i, rank in enumerate(dict.fromkeys(rank for a in operands for rank in _ranks(a))):
        places = _Expressions(ready)
        frame = _numbered(frame, [places(a) for a in rank.args], f"rank_{i}")
        ready[id(rank)] = f"rank_{i}"
    as_expression = _Expressions(ready)
    names = {id(a): f"v{i}" for i, a in enumerate(operands)}
    lines = frame.select(
        *(pl.col(key) for key in keys), *(as_expression(a).alias(names[id(a)]) for a in operands)
    )
    return lines.group_by(keys).agg(
        AGGREGATES[term.op].polars(*(pl.col(names[id(a)]) for a in term.args)).alias(columns[id(term)])
        for term in terms
    )
