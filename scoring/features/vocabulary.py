"""The words that features are written in, beside the operators of a `Term`: columns, conditions, groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, Literal

from scoring import schema
from scoring.features.terms import (
    APPLICATION,
    LARGEST,
    RECORD,
    Grain,
    Kind,
    Scalar,
    Term,
    aggregate,
    finite,
    grain_of,
    number,
    of_kind,
    operation,
    same_kind,
    term_of,
)
from scoring.features.walking import aggregates

KINDS: dict[str, Kind] = {
    "id": "key",
    "integer": "number",
    "flag": "number",
    "number": "number",
    "category": "text",
}


@dataclass(frozen=True)
class When:
    """A condition on its way to a term: ``when(condition).then(value)``, null elsewhere."""

    condition: Term

    def then(self, value: Term | Scalar) -> Then:
        """Give the value where the condition holds."""
        return Then("where", *_where(self.condition, term_of(value)))


@dataclass(frozen=True, slots=True, eq=False)
class Then(Term):
    """A value where a condition holds, null elsewhere; ``otherwise`` gives another value there."""

    __hash__ = object.__hash__

    def otherwise(self, other: Term | Scalar) -> Term:
        """Give another value where the condition does not hold or is not known."""
        condition, value = self.args
        value, other = same_kind(value, term_of(other))
        return operation(
            "choose",
            condition,
            value,
            other,
            kind=value.kind,
            bound=max(value.bound, other.bound),
            is_nullable=value.is_nullable or other.is_nullable,
        )


class Grouping:
    """Records that belong together, such as the payments of one instalment or the months of one loan.

    ``grouping(term)`` sums records up to one value per group; ``grouping.key(column)`` is what they share.
    The terms it gives are summed up in turn, over the groups of an application.
    """

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __call__(self, term: Term) -> Term:
        """Give one value per group: ``term`` must be an aggregate over records."""
        sources = {a.args[0].grain for a in aggregates([term]) if a.args}
        if term.grain != APPLICATION or sources - {RECORD}:
            raise ValueError(f"a group of records sums records up; {term.op!r} is no aggregate over them.")
        value = finite(term)
        return Term("per", (value,), self.keys, value.kind, self.keys, value.bound, value.is_nullable)

    def key(self, column: str) -> Term:
        """Give a column by which the records are grouped."""
        if column not in self.keys:
            raise ValueError(f"{column!r} is no key of the group {self.keys}; sum it up.")
        plain = col(column)
        return Term("key", (plain,), self.keys, plain.kind, self.keys, plain.bound)

    def length(self) -> Term:
        """Count the records of a group."""
        return self(length())


def col(name: str) -> Term:
    """Give a raw column by its Kaggle name, or (in ``cross``) an aggregate by the name of its feature."""
    kind, bound = _columns().get(name, ("number", LARGEST))
    return Term("col", (), name, kind, RECORD, bound)


def when(condition: Term) -> When:
    """Begin ``when(condition).then(value)``."""
    return When(condition)


def length() -> Term:
    """Count the records."""
    return Term("length", (), None, "number", APPLICATION, 2**32, is_nullable=False)


def whole(value: Term, scale: int) -> Term:
    """Give a number in whole units of ``1 / scale``, half to even; null beyond 64 bits."""
    a = number(value)
    return operation("whole", a, parameter=float(scale), kind="whole", bound=2.0**63)


def rank(*order: Term | str) -> Term:
    """Give each record its number from the latest (1) on: the largest by ``order``, null before everything.

    Of records that are equal in all of it, the one that was given first has the lower number.
    """
    by = (col(o) if isinstance(o, str) else finite(o) for o in order)
    return operation("rank", *by, bound=2**32, is_nullable=False)


def only(value: Term) -> Term:
    """Give the value of the one record that has any, null where none has."""
    known = finite(value)
    return aggregate("only", known, kind=known.kind, bound=known.bound)


def sum_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Add up those that are known, from left to right; 0 where none is."""
    return reduce(lambda a, b: a + b, (_or_zero(number(t)) for t in _flat(terms)))


def mean_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Give the mean of those that are known, null where none is."""
    known = [number(t) for t in _flat(terms)]
    return sum_horizontal(known) / sum_horizontal(t.is_not_null() for t in known)


def min_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Give the smallest of those that are known."""
    return _extreme("least", [finite(number(t)) for t in _flat(terms)])


def max_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Give the largest of those that are known."""
    return _extreme("greatest", [finite(number(t)) for t in _flat(terms)])


def any_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Say whether any of some conditions holds."""
    return reduce(lambda a, b: a | b, _flat(terms))


def passed(name: str, kind: Literal["number", "category"]) -> Term:
    """Give an aggregate as it was summed up, by the name of its feature."""
    return Term("col", (), name, "number" if kind == "number" else "text")


@cache
def _columns() -> dict[str, tuple[Kind, float]]:
    """Give kind and bound of every raw column; of one that several tables have, the widest bound."""
    found: dict[str, tuple[Kind, float]] = {}
    for record in (schema.Application, *schema.HISTORY.values()):
        for column in schema.columns(record).values():
            kind = KINDS[column.kind]
            widest = LARGEST if column.kind == "number" else 2.0**31
            ends = [widest if end is None else abs(end) for end in (column.minimum, column.maximum)]
            before = found.get(column.name, (kind, 0.0))
            if before[0] != kind:
                raise ValueError(f"{column.name} is {before[0]} in one table and {kind} in another.")
            found[column.name] = (kind, max(before[1], *ends))
    return found


def _where(condition: Term, value: Term) -> tuple[tuple[Term, ...], Any, Kind, Grain, float, bool]:
    args = (of_kind("truth", condition), value)
    return args, None, value.kind, grain_of(args), value.bound, True


def _or_zero(term: Term) -> Term:
    return term.fill_null(0) if term.is_nullable else term


def _extreme(op: str, terms: list[Term]) -> Term:
    return operation(
        op, *terms, bound=max(t.bound for t in terms), is_nullable=all(t.is_nullable for t in terms)
    )


def _flat(terms: Iterable[Term | Iterable[Term]]) -> list[Term]:
    found: list[Term] = []
    for term in terms:
        found += [term] if isinstance(term, Term) else term
    return found
