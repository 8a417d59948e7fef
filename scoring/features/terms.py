"""The language that features are written in: a ``Term`` says once what is computed.

A term is a value; nothing is computed when it is written. ``columnar`` turns terms into polars expressions
for tables, ``single`` into Python for one applicant, where a table engine costs more than the work itself;
both give the same bits. Four rules make that possible, and make terms easy to read:

- A number is a 64-bit float, whatever the column was: no integer overflows, and 1 is 1.0. Identifiers are
  keys: compared, ordered and counted, never added up.
- Missing is null. Arithmetic and comparisons with null give null, ``&`` and ``|`` use three-valued logic, a
  condition that is null does not hold; aggregates and the ``*_horizontal`` functions leave nulls out.
- A quotient that is no finite number is null; what overflows is null once it is compared or given away.
- Sums over records run in whole numbers (`total`, `mean` in ``base``), so that no order of addition shows.
"""

# Operators need no words of their own.
# ruff: noqa: D105

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, Literal

from scoring import schema

Kind = Literal["number", "truth", "text", "key", "whole"]
Grain = tuple[str, ...]

ANY: Grain = ("any",)  # a constant
RECORD: Grain = ("record",)  # one value per record (of the application table: per application)
APPLICATION: Grain = ("application",)  # summed up: one value per application
LARGEST = sys.float_info.max
KINDS: dict[str, Kind] = {
    "id": "key", "integer": "number", "flag": "number", "number": "number", "category": "text",
}  # fmt: skip
Scalar = float | int | str


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One value of an application, of a record, or of a group of records.

    Attributes
    ----------
    op : str
        A key of ``OPERATIONS`` or ``AGGREGATES`` in ``operations``; or ``col``, ``lit``, ``per``, ``key``.
    args : tuple of Term
        What it is computed from.
    parameter : hashable
        What the operation needs besides: a column's name, a constant, levels.
    kind : {"number", "truth", "text", "key", "whole"}
        ``whole`` numbers are 64-bit integers on their way into a sum.
    grain : tuple of str
        ``RECORD``, ``APPLICATION``, ``ANY`` or the keys of a `Grouping`.
    bound : float
        The value's magnitude never exceeds it; infinite where it could overflow.
    is_nullable : bool
        Whether it can be null.
    """

    op: str
    args: tuple[Term, ...] = ()
    parameter: Any = None
    kind: Kind = "number"
    grain: Grain = RECORD
    bound: float = LARGEST
    is_nullable: bool = True

    __hash__ = object.__hash__

    def __add__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        return _strict("add", a, b, bound=a.bound + b.bound)

    def __sub__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        return _strict("sub", a, b, bound=a.bound + b.bound)

    def __mul__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        return _strict("mul", a, b, bound=a.bound * b.bound)

    def __truediv__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        if b.op == "lit":
            # polars 2.1 multiplies a column by the reciprocal of a constant, but divides a single row by it:
            # with its `/` the last bit would depend on the size of the batch.
            reciprocal: float = 1 / b.parameter
            return a * reciprocal
        return _term("ratio", a, b)

    def __pow__(self, exponent: int) -> Term:
        if exponent != 2:
            raise ValueError(
                f"** {exponent!r}: only the square is the same in every engine; multiply instead."
            )
        return self * self

    def __radd__(self, other: float) -> Term:
        return number(other) + self

    def __rsub__(self, other: float) -> Term:
        return number(other) - self

    def __rmul__(self, other: float) -> Term:
        return number(other) * self

    def __rtruediv__(self, other: float) -> Term:
        return number(other) / self

    def __neg__(self) -> Term:
        a = number(self)
        return _strict("neg", a, bound=a.bound)

    def __abs__(self) -> Term:
        a = number(self)
        return _strict("abs", a, bound=a.bound)

    def abs(self) -> Term:
        """Give the magnitude."""
        return abs(self)

    def sqrt(self) -> Term:
        """Give the square root, null of a negative number."""
        return _term("sqrt", _firm(number(self)), bound=math.sqrt(LARGEST))

    def __eq__(self, other: Term | Scalar) -> Term:  # type: ignore[override]
        return _compared("eq", self, other)

    def __ne__(self, other: Term | Scalar) -> Term:  # type: ignore[override]
        return _compared("ne", self, other)

    def __lt__(self, other: Term | float) -> Term:
        return _compared("lt", self, other)

    def __le__(self, other: Term | float) -> Term:
        return _compared("le", self, other)

    def __gt__(self, other: Term | float) -> Term:
        return _compared("gt", self, other)

    def __ge__(self, other: Term | float) -> Term:
        return _compared("ge", self, other)

    def is_in(self, levels: Iterable[str]) -> Term:
        """Say whether a text is one of some levels; null of null."""
        return _strict("is_in", _of_kind("text", self), parameter=tuple(levels), kind="truth")

    def is_between(self, low: float, high: float) -> Term:
        """Say whether a number lies between two, both inclusive."""
        return (self >= low) & (self <= high)

    def replace(self, values: Mapping[str, float]) -> Term:
        """Give a number for each level of a text, null for any other."""
        pairs = tuple((level, float(value)) for level, value in values.items())
        largest = max(abs(value) for _, value in pairs)
        return _term("replace", _of_kind("text", self), parameter=pairs, bound=largest)

    def __and__(self, other: Term) -> Term:
        return _strict("and", _of_kind("truth", self), _of_kind("truth", other), kind="truth")

    def __or__(self, other: Term) -> Term:
        return _strict("or", _of_kind("truth", self), _of_kind("truth", other), kind="truth")

    def __invert__(self) -> Term:
        return _strict("not", _of_kind("truth", self), kind="truth")

    def is_null(self) -> Term:
        """Say whether it is missing."""
        return _term("is_null", _firm(self), kind="truth", is_nullable=False)

    def is_not_null(self) -> Term:
        """Say whether it is known."""
        return _term("is_not_null", _firm(self), kind="truth", is_nullable=False)

    def fill_null(self, value: float) -> Term:
        """Give a constant where it is missing."""
        a = _firm(number(self))
        return _term("fill_null", a, number(value), bound=max(a.bound, abs(value)), is_nullable=False)

    def max(self) -> Term:
        """Give the largest value over the records, null where none is known."""
        a = _firm(number(self))
        return _aggregate("max", a, bound=a.bound)

    def min(self) -> Term:
        """Give the smallest value over the records, null where none is known."""
        a = _firm(number(self))
        return _aggregate("min", a, bound=a.bound)

    def any(self) -> Term:
        """Say whether a condition holds for any record."""
        return _aggregate("any", _of_kind("truth", self), kind="truth", is_nullable=False)

    def count(self) -> Term:
        """Count the records where it is known."""
        return _aggregate("count", self, bound=2**32, is_nullable=False)

    def sum(self) -> Term:
        """Add up whole numbers (see `whole`), or count the records that meet a condition; 0 where none is."""
        bound = 2**63 if self.kind == "whole" else 2**32
        return _aggregate("sum", self, bound=bound, is_nullable=False)

    def n_unique(self) -> Term:
        """Count the different values over the records, null as one of them."""
        return _aggregate("n_unique", self, bound=2**32, is_nullable=False)

    def n_unique_known(self) -> Term:
        """Count the different values over the records, null left out."""
        return _aggregate("n_unique_known", self, bound=2**32, is_nullable=False)


@dataclass(frozen=True)
class When:
    """A condition on its way to a term: ``when(condition).then(value)``, null elsewhere."""

    condition: Term

    def then(self, value: Term | Scalar) -> Then:
        """Give the value where the condition holds."""
        return Then("where", *_where(self.condition, _term_of(value)))


@dataclass(frozen=True, slots=True, eq=False)
class Then(Term):
    """A value where a condition holds, null elsewhere; ``otherwise`` gives another value there."""

    __hash__ = object.__hash__

    def otherwise(self, other: Term | Scalar) -> Term:
        """Give another value where the condition does not hold or is not known."""
        condition, value = self.args
        value, other = _same_kind(value, _term_of(other))
        return _term(
            "choose", condition, value, other,
            kind=value.kind, bound=max(value.bound, other.bound),
            is_nullable=value.is_nullable or other.is_nullable,
        )  # fmt: skip


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
        firm = _firm(term)
        return Term("per", (firm,), self.keys, firm.kind, self.keys, firm.bound, firm.is_nullable)

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


def lit(value: Scalar) -> Term:
    """Give a constant."""
    if isinstance(value, str):
        return Term("lit", (), value, "text", ANY, is_nullable=False)
    return Term("lit", (), float(value), "number", ANY, abs(float(value)), is_nullable=False)


def when(condition: Term) -> When:
    """Begin ``when(condition).then(value)``."""
    return When(condition)


def length() -> Term:
    """Count the records."""
    return Term("length", (), None, "number", APPLICATION, 2**32, is_nullable=False)


def whole(value: Term, scale: int) -> Term:
    """Give a number in whole units of ``1 / scale``, half to even; null beyond 64 bits."""
    a = number(value)
    return _term("whole", a, parameter=float(scale), kind="whole", bound=2.0**63)


def rank(*order: Term | str) -> Term:
    """Give each record its number from the latest (1) on: the largest by ``order``, null before everything.

    Of records that are equal in all of it, the one that was given first has the lower number.
    """
    by = (col(o) if isinstance(o, str) else _firm(o) for o in order)
    return _term("rank", *by, bound=2**32, is_nullable=False)


def only(value: Term) -> Term:
    """Give the value of the one record that has any, null where none has."""
    firm = _firm(value)
    return _aggregate("only", firm, kind=firm.kind, bound=firm.bound)


def sum_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Add up those that are known, from left to right; 0 where none is."""
    return reduce(lambda a, b: a + b, (_or_zero(number(t)) for t in _flat(terms)))


def mean_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Give the mean of those that are known, null where none is."""
    known = [number(t) for t in _flat(terms)]
    return sum_horizontal(known) / sum_horizontal(t.is_not_null() for t in known)


def min_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Give the smallest of those that are known."""
    return _extreme("least", [_firm(number(t)) for t in _flat(terms)])


def max_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Give the largest of those that are known."""
    return _extreme("greatest", [_firm(number(t)) for t in _flat(terms)])


def any_horizontal(*terms: Term | Iterable[Term]) -> Term:
    """Say whether any of some conditions holds."""
    return reduce(lambda a, b: a | b, _flat(terms))


def number(value: Term | float) -> Term:
    """Give a term as a number: a condition counts 1 where it holds and 0 where not."""
    term = _term_of(value)
    if term.kind == "truth":
        return _strict("as_number", term, bound=1.0)
    return _of_kind("number", term)


def passed(name: str, kind: Literal["number", "category"]) -> Term:
    """Give an aggregate as it was summed up, by the name of its feature."""
    return Term("col", (), name, "number" if kind == "number" else "text")


def output(term: Term, kind: Literal["number", "category"]) -> Term:
    """Give a term as a feature has it: a finite number or a text."""
    return _firm(number(term)) if kind == "number" else _of_kind("text", term)


def reads(term: Term) -> set[str]:
    """Name the columns that a term reads."""
    keys = term.parameter if term.op in ("per", "key") else ()
    own = {term.parameter} if term.op == "col" else {*keys}
    return own.union(*(reads(a) for a in term.args))


def aggregates(terms: Iterable[Term]) -> Iterator[Term]:
    """Walk to the outermost aggregates of some terms."""
    for term in terms:
        if term.grain == APPLICATION and not any(a.grain == APPLICATION for a in term.args):
            yield term
        else:
            yield from aggregates(a for a in term.args if a.grain == APPLICATION)


def shared(terms: Iterable[Term]) -> list[Term]:
    """Give the same terms with equal parts made one object, so that each is computed once."""
    known: dict[Any, Term] = {}
    seen: dict[int, Term] = {}

    def visit(term: Term) -> Term:
        if id(term) not in seen:
            args = tuple(visit(a) for a in term.args)
            key = (term.op, term.kind, term.parameter, *map(id, args))
            fresh = Term(term.op, args, term.parameter, term.kind, term.grain, term.bound, term.is_nullable)
            seen[id(term)] = known.setdefault(key, fresh)
        return seen[id(term)]

    return [visit(term) for term in terms]


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


def _term_of(value: Term | Scalar) -> Term:
    return value if isinstance(value, Term) else lit(value)


def _of_kind(kind: Kind, term: Term) -> Term:
    if term.kind != kind:
        raise TypeError(f"{_name(term)} is a {term.kind}; a {kind} is needed here.")
    return term


def _name(term: Term) -> str:
    return repr(term.parameter) if term.op in ("col", "lit") else f"{term.op}(...)"


def _grain(args: tuple[Term, ...]) -> Grain:
    """Give the one grain that all have; constants go with any."""
    grains = {a.grain for a in args if a.grain != ANY}
    if len(grains) > 1:
        names = ", ".join(f"{_name(a)} (per {' and '.join(a.grain)})" for a in args)
        raise ValueError(f"{names} do not stand side by side; sum records up first.")
    return grains.pop() if grains else ANY


def _term(
    op: str, *args: Term, parameter: Any = None, kind: Kind = "number", bound: float = LARGEST,
    is_nullable: bool = True,
) -> Term:  # fmt: skip
    return Term(op, args, parameter, kind, _grain(args), bound, is_nullable)


def _strict(
    op: str, *args: Term, parameter: Any = None, kind: Kind = "number", bound: float = LARGEST
) -> Term:
    """Give an operation that is null where an operand is, and nowhere else."""
    is_nullable = any(a.is_nullable for a in args)
    return _term(op, *args, parameter=parameter, kind=kind, bound=bound, is_nullable=is_nullable)


def _aggregate(
    op: str, *args: Term, kind: Kind = "number", bound: float = LARGEST, is_nullable: bool = True
) -> Term:
    if _grain(args) == APPLICATION:
        raise ValueError(f"{_name(args[0])} is summed up already; {op!r} takes a value of records.")
    return Term(op, args, None, kind, APPLICATION, bound, is_nullable)


def _firm(term: Term) -> Term:
    """Make what could overflow null there: infinity and NaN order differently from engine to engine."""
    if term.kind == "number" and term.bound > LARGEST:
        return _term("finite", term, bound=LARGEST)
    return term


def _or_zero(term: Term) -> Term:
    return term.fill_null(0) if term.is_nullable else term


def _same_kind(a: Term, b: Term) -> tuple[Term, Term]:
    if "truth" in (a.kind, b.kind) and a.kind != b.kind:
        a, b = number(a), number(b)
    return a, _of_kind(a.kind, b)


def _compared(op: str, a: Term, b: Term | Scalar) -> Term:
    a, b = _same_kind(a, _term_of(b))
    return _strict(op, _firm(a), _firm(b), kind="truth")


def _where(condition: Term, value: Term) -> tuple[tuple[Term, ...], Any, Kind, Grain, float, bool]:
    args = (_of_kind("truth", condition), value)
    return args, None, value.kind, _grain(args), value.bound, True


def _extreme(op: str, terms: list[Term]) -> Term:
    return _term(op, *terms, bound=max(t.bound for t in terms), is_nullable=all(t.is_nullable for t in terms))


def _flat(terms: Iterable[Term | Iterable[Term]]) -> list[Term]:
    found: list[Term] = []
    for term in terms:
        found += [term] if isinstance(term, Term) else term
    return found
