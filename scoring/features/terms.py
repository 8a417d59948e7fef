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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["number", "truth", "text", "key", "whole"]
Grain = tuple[str, ...]

ANY: Grain = ("any",)  # a constant
RECORD: Grain = ("record",)  # one value per record (of the application table: per application)
APPLICATION: Grain = ("application",)  # summed up: one value per application
LARGEST = sys.float_info.max
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
        return strict("add", a, b, bound=a.bound + b.bound)

    def __sub__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        return strict("sub", a, b, bound=a.bound + b.bound)

    def __mul__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        return strict("mul", a, b, bound=a.bound * b.bound)

    def __truediv__(self, other: Term | float) -> Term:
        a, b = number(self), number(other)
        if b.op == "lit":
            # polars 2.1 multiplies a column by the reciprocal of a constant, but divides a single row by it:
            # with its `/` the last bit would depend on the size of the batch.
            reciprocal: float = 1 / b.parameter
            return a * reciprocal
        return operation("ratio", a, b)

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
        return strict("neg", a, bound=a.bound)

    def __abs__(self) -> Term:
        a = number(self)
        return strict("abs", a, bound=a.bound)

    def abs(self) -> Term:
        """Give the magnitude."""
        return abs(self)

    def sqrt(self) -> Term:
        """Give the square root, null of a negative number."""
        return operation("sqrt", finite(number(self)), bound=math.sqrt(LARGEST))

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
        return strict("is_in", of_kind("text", self), parameter=tuple(levels), kind="truth")

    def code(self) -> Term:
        """Give whole numbers (see `whole`) as levels of a category."""
        return strict("code", of_kind("whole", self), kind="text")

    def replace(self, values: Mapping[str, float]) -> Term:
        """Give a number for each level of a text, null for any other."""
        pairs = tuple((level, float(value)) for level, value in values.items())
        largest = max(abs(value) for _, value in pairs)
        return operation("replace", of_kind("text", self), parameter=pairs, bound=largest)

    def __and__(self, other: Term) -> Term:
        return strict("and", of_kind("truth", self), of_kind("truth", other), kind="truth")

    def __or__(self, other: Term) -> Term:
        return strict("or", of_kind("truth", self), of_kind("truth", other), kind="truth")

    def __invert__(self) -> Term:
        return strict("not", of_kind("truth", self), kind="truth")

    def is_null(self) -> Term:
        """Say whether it is missing."""
        return operation("is_null", finite(self), kind="truth", is_nullable=False)

    def is_not_null(self) -> Term:
        """Say whether it is known."""
        return operation("is_not_null", finite(self), kind="truth", is_nullable=False)

    def fill_null(self, value: float) -> Term:
        """Give a constant where it is missing."""
        a = finite(number(self))
        return operation("fill_null", a, number(value), bound=max(a.bound, abs(value)), is_nullable=False)

    def max(self) -> Term:
        """Give the largest value over the records, null where none is known."""
        a = finite(number(self))
        return aggregate("max", a, bound=a.bound)

    def min(self) -> Term:
        """Give the smallest value over the records, null where none is known."""
        a = finite(number(self))
        return aggregate("min", a, bound=a.bound)

    def any(self) -> Term:
        """Say whether a condition holds for any record."""
        return aggregate("any", of_kind("truth", self), kind="truth", is_nullable=False)

    def count(self) -> Term:
        """Count the records where it is known."""
        return aggregate("count", self, bound=2**32, is_nullable=False)

    def sum(self) -> Term:
        """Add up whole numbers (see `whole`), or count the records that meet a condition; 0 where none is."""
        bound = 2**63 if self.kind == "whole" else 2**32
        return aggregate("sum", self, bound=bound, is_nullable=False)

    def n_unique(self) -> Term:
        """Count the different values over the records, null as one of them."""
        return aggregate("n_unique", self, bound=2**32, is_nullable=False)

    def n_unique_known(self) -> Term:
        """Count the different values over the records, null left out."""
        return aggregate("n_unique_known", self, bound=2**32, is_nullable=False)


def lit(value: Scalar) -> Term:
    """Give a constant."""
    if isinstance(value, str):
        return Term("lit", (), value, "text", ANY, is_nullable=False)
    return Term("lit", (), float(value), "number", ANY, abs(float(value)), is_nullable=False)


def number(value: Term | float) -> Term:
    """Give a term as a number: a condition counts 1 where it holds and 0 where not."""
    term = term_of(value)
    if term.kind == "truth":
        return strict("as_number", term, bound=1.0)
    return of_kind("number", term)


def output(term: Term, kind: Literal["number", "category"]) -> Term:
    """Give a term as a feature has it: a finite number or a text."""
    return finite(number(term)) if kind == "number" else of_kind("text", term)


def term_of(value: Term | Scalar) -> Term:
    """Give a constant as a term, and a term as it is."""
    return value if isinstance(value, Term) else lit(value)


def of_kind(kind: Kind, term: Term) -> Term:
    """Give a term of a kind as it is; any other raises a TypeError."""
    if term.kind != kind:
        raise TypeError(f"{_name(term)} is a {term.kind}; a {kind} is needed here.")
    return term


def _name(term: Term) -> str:
    return repr(term.parameter) if term.op in ("col", "lit") else f"{term.op}(...)"


def grain_of(args: tuple[Term, ...]) -> Grain:
    """Give the one grain that all have; constants go with any."""
    grains = {a.grain for a in args if a.grain != ANY}
    if len(grains) > 1:
        names = ", ".join(f"{_name(a)} (per {' and '.join(a.grain)})" for a in args)
        raise ValueError(f"{names} do not stand side by side; sum records up first.")
    return grains.pop() if grains else ANY


def operation(
    op: str,
    *args: Term,
    parameter: Any = None,
    kind: Kind = "number",
    bound: float = LARGEST,
    is_nullable: bool = True,
) -> Term:
    """Give an operation on terms of one grain."""
    return Term(op, args, parameter, kind, grain_of(args), bound, is_nullable)


def strict(
    op: str, *args: Term, parameter: Any = None, kind: Kind = "number", bound: float = LARGEST
) -> Term:
    """Give an operation that is null where an operand is, and nowhere else."""
    is_nullable = any(a.is_nullable for a in args)
    return operation(op, *args, parameter=parameter, kind=kind, bound=bound, is_nullable=is_nullable)


def aggregate(
    op: str, *args: Term, kind: Kind = "number", bound: float = LARGEST, is_nullable: bool = True
) -> Term:
    """Give what sums records up to one value per application."""
    if grain_of(args) == APPLICATION:
        raise ValueError(f"{_name(args[0])} is summed up already; {op!r} takes a value of records.")
    return Term(op, args, None, kind, APPLICATION, bound, is_nullable)


def finite(term: Term) -> Term:
    """Make what could overflow null there: infinity and NaN order differently from engine to engine."""
    if term.kind == "number" and term.bound > LARGEST:
        return operation("finite", term, bound=LARGEST)
    return term


def same_kind(a: Term, b: Term) -> tuple[Term, Term]:
    """Give two terms of one kind: beside a number a condition counts as one."""
    if "truth" in (a.kind, b.kind) and a.kind != b.kind:
        a, b = number(a), number(b)
    return a, of_kind(a.kind, b)


def _compared(op: str, a: Term, b: Term | Scalar) -> Term:
    a, b = same_kind(a, term_of(b))
    return strict(op, finite(a), finite(b), kind="truth")
