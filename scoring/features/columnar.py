"""Terms over tables: the polars plans that compute them for many applicants at once.

A plan is put together once and goes to polars as it is. What several terms share is computed in a stage of
its own here, so that polars need not look for it: its optimiser takes longer over hundreds of expressions
than their computation does over ten thousand rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from scoring.features.operations import AGGREGATES, OPERATIONS
from scoring.features.terms import RECORD, Grain, Term
from scoring.features.walking import aggregates, shared

AS_GIVEN = pl.QueryOptFlags.none()
STREAM_FROM = 200_000  # records; below it the streaming engine's start-up costs more than it saves
Stages = list[list[pl.Expr]]


class RowWise:
    """Values of applications from their columns.

    Parameters
    ----------
    terms : mapping of str to Term
        What to compute, by name.
    """

    def __init__(self, terms: Mapping[str, Term]) -> None:
        self._stages = _stages(dict(zip(terms, shared(terms.values()), strict=True)), {}, ())

    def __call__(self, applications: pl.DataFrame) -> pl.DataFrame:
        """Give the named values, one line per application."""
        return _run(applications.lazy(), self._stages).collect(optimizations=AS_GIVEN)


class Summed:
    """Aggregates of one history table by application.

    Parameters
    ----------
    terms : mapping of str to Term
        Aggregates by name.
    """

    def __init__(self, terms: Mapping[str, Term]) -> None:
        named = dict(zip(terms, shared(terms.values()), strict=True))
        found = list(dict.fromkeys(aggregates(named.values())))
        columns = {id(term): f"a{i}" for i, term in enumerate(found)}
        self._parts = [
            _Grouped(("row",), [t for t in found if _source(t) == grain], columns)
            for grain in dict.fromkeys(map(_source, found))
        ]
        self._stages = _stages(named, columns, ("row",))

    def __call__(self, records: pl.DataFrame) -> pl.DataFrame:
        """Give ``row`` and the named values, one line per application that has records."""
        frame, *others = [part(records.lazy()) for part in self._parts]
        for other in others:
            frame = frame.join(other, on="row", how="left")
        plan = _run(frame, self._stages)
        if records.height < STREAM_FROM:
            return plan.collect(optimizations=AS_GIVEN)
        return plan.collect(optimizations=AS_GIVEN, engine="streaming")


class _Grouped:
    """Aggregates over records, or over groups of records, by some keys."""

    def __init__(self, keys: Sequence[str], terms: Sequence[Term], columns: Mapping[int, str]) -> None:
        self.keys = list(keys)
        self.inner: _Groups | None = None
        ready: dict[int, str] = {}
        operands = list(dict.fromkeys(a for term in terms for a in term.args))
        if (grain := _source(terms[0])) != RECORD:
            self.inner = _Groups(grain, _parts(operands, "per"))
            ready = self.inner.columns
        self.places: list[tuple[list[pl.Expr], str]] = []
        for i, rank in enumerate(_parts(operands, "rank")):
            as_expression = _Expressions(ready)
            self.places.append(([as_expression(a) for a in rank.args], f"rank{i}"))
            ready = {**ready, id(rank): f"rank{i}"}
        self.stages = _stages({f"v{i}": a for i, a in enumerate(operands)}, ready, self.keys)
        names = {id(a): f"v{i}" for i, a in enumerate(operands)}
        self.aggregates = [
            AGGREGATES[term.op].polars(*(pl.col(names[id(a)]) for a in term.args)).alias(columns[id(term)])
            for term in terms
        ]

    def __call__(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        if self.inner is not None:
            frame = self.inner(frame)
        for places, name in self.places:
            frame = _numbered(frame, places, name)
        return _run(frame, self.stages).group_by(self.keys).agg(self.aggregates)


class _Groups:
    """Records brought together to groups: the keys, and what the groups are asked for."""

    def __init__(self, grain: Grain, asked: Sequence[Term]) -> None:
        keys = ("row", *grain)
        found = list(dict.fromkeys(aggregates(term.args[0] for term in asked)))
        columns = {id(term): f"b{i}" for i, term in enumerate(found)}
        self.grouped = _Grouped(keys, found, columns)
        self.columns = {id(term): f"per{i}" for i, term in enumerate(asked)}
        self.stages = _stages({self.columns[id(term)]: term.args[0] for term in asked}, columns, keys)

    def __call__(self, records: pl.LazyFrame) -> pl.LazyFrame:
        return _run(self.grouped(records), self.stages)


class _Expressions:
    """Turns terms into expressions, those that stand in the table already into their columns."""

    def __init__(self, columns: Mapping[int, str]) -> None:
        self.columns = columns

    def __call__(self, term: Term) -> pl.Expr:
        if id(term) in self.columns:
            return pl.col(self.columns[id(term)])
        if term.op == "col":
            column = pl.col(term.parameter)
            return column.cast(pl.Float64) if term.kind == "number" else column
        if term.op == "key":
            return self(term.args[0])
        if term.op == "lit":
            return pl.lit(term.parameter)
        args = [self(a) for a in term.args]
        if term.parameter is not None:
            args.append(term.parameter)
        return OPERATIONS[term.op].polars(*args)


def _stages(terms: Mapping[str, Term], ready: Mapping[int, str], keys: Iterable[str]) -> Stages:
    """Compute what is used more than once first, each after what it needs itself; then the terms."""
    uses: Counter[int] = Counter()
    seen: set[int] = set()
    order: list[Term] = []

    def visit(term: Term) -> None:
        uses[id(term)] += 1
        if id(term) not in seen and id(term) not in ready:
            seen.add(id(term))
            for a in term.args:
                visit(a)
            order.append(term)

    for term in terms.values():
        visit(term)
    depth: dict[int, int] = {}
    columns = dict(ready)
    stages: Stages = []
    for term in order:
        depth[id(term)] = max((depth.get(id(a), 0) for a in term.args), default=0)
        if uses[id(term)] > 1 and term.op not in ("lit", "key"):
            name = f"s{len(columns)}"
            if depth[id(term)] == len(stages):
                stages.append([])
            stages[depth[id(term)]].append(_Expressions(columns)(term).alias(name))
            columns[id(term)] = name
            depth[id(term)] += 1
    last = _Expressions(columns)
    return [*stages, [*(pl.col(key) for key in keys), *(last(t).alias(n) for n, t in terms.items())]]


def _run(frame: pl.LazyFrame, stages: Stages) -> pl.LazyFrame:
    for stage in stages[:-1]:
        frame = frame.with_columns(stage)
    return frame.select(stages[-1])


def _source(term: Term) -> Grain:
    return term.args[0].grain if term.args else RECORD


def _parts(terms: Iterable[Term], op: str) -> list[Term]:
    """Find the parts of terms that are of one operation, each once."""
    found: dict[Term, None] = {}

    def visit(term: Term) -> None:
        if term.op == op:
            found[term] = None
        else:
            for a in term.args:
                visit(a)

    for term in terms:
        visit(term)
    return list(found)


def _numbered(frame: pl.LazyFrame, places: Sequence[pl.Expr], name: str) -> pl.LazyFrame:
    """Give the lines of each application their numbers from the latest on."""
    ordered = frame.sort(
        "row", *places, descending=[False, *(True for _ in places)], nulls_last=True, maintain_order=True
    )
    return ordered.with_columns(pl.int_range(1, pl.len() + 1).over("row").cast(pl.Float64).alias(name))
