"""What a finished term holds: the columns it reads, its outermost aggregates, what it shares with others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from scoring.features.terms import APPLICATION, Term


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
