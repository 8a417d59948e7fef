"""Terms for one applicant: Python source made from them, compiled once.

A table engine spends milliseconds on planning whatever the number of rows. One applicant has a handful of
records: one plain loop per table, every shared part in a local variable, is done before a plan is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scoring.features.operations import AGGREGATES, NAMES, OPERATIONS
from scoring.features.terms import RECORD, Grain, Term
from scoring.features.walking import aggregates, shared

Record = Mapping[str, Any]
Values = dict[str, float | str | None]


def row_wise(terms: Mapping[str, Term]) -> Callable[[Record], Values]:
    """Give the function from an application's columns to the values of terms, by name."""
    body = _Body({})
    named = dict(zip(terms, shared(terms.values()), strict=True))
    results = {name: body.value(term) for name, term in named.items()}
    return _compiled([*body.lines, f"return {_display(results)}"], body.names, "r")


def summed(terms: Mapping[str, Term]) -> Callable[[Sequence[Record]], Values]:
    """Give the function from the records of one table to the values of aggregates over them, by name."""
    named = dict(zip(terms, shared(terms.values()), strict=True))
    found = list(dict.fromkeys(aggregates(named.values())))
    parts: dict[Grain, list[Term]] = {}
    for term in found:
        parts.setdefault(term.args[0].grain if term.args else RECORD, []).append(term)
    names: dict[str, Any] = {}
    lines: list[str] = []
    done: dict[int, str] = {}
    for number, (grain, part) in enumerate(parts.items()):
        lines += _loop(grain, part, f"s{number}", names, done)
    after = _Body(done, names)
    results = {name: after.value(term) for name, term in named.items()}
    return _compiled([*lines, *after.lines, f"return {_display(results)}"], names, "records")


class _Body:
    """Statements that compute terms, each in a variable of its own."""

    def __init__(self, done: Mapping[int, str], names: dict[str, Any] | None = None) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {} if names is None else names  # constants that the statements use
        self.done: dict[int, str] = dict(done)

    def value(self, term: Term) -> str:
        """Give the variable (or constant) that holds a term, after the statements that compute it."""
        if id(term) not in self.done:
            self.done[id(term)] = self._computed(term)
        return self.done[id(term)]

    def _computed(self, term: Term) -> str:
        if term.op == "lit":
            return repr(term.parameter)
        if term.op == "key":
            raise ValueError(f"{term.args[0].parameter!r} is shared by a group only.")
        variable = f"v{len(self.done)}"
        if term.op == "col":
            self.lines.append(f"{variable} = r.get({term.parameter!r})")
            if term.kind == "number":
                self.lines.append(f"if {variable} is not None: {variable} = float({variable})")
            return variable
        operation = OPERATIONS[term.op]
        args = [self.value(a) for a in term.args]
        variable = f"v{len(self.done)}"
        if term.op in ("least", "greatest"):
            args = [", ".join(args)]
        form = operation.python.format(*args, p=self._constant(term))
        known = [f"{v} is not None" for v, a in zip(args, term.args, strict=False) if a.is_nullable]
        if operation.is_strict and known:
            form = f"({form}) if {' and '.join(dict.fromkeys(known))} else None"
        self.lines.append(f"{variable} = {form}")
        return variable

    def _constant(self, term: Term) -> str:
        """Give what the form needs besides its operands: a number as it is, levels under a name."""
        if term.op not in ("is_in", "replace"):
            return repr(term.parameter)
        name = f"K{len(self.names)}"
        self.names[name] = frozenset(term.parameter) if term.op == "is_in" else dict(term.parameter)
        return name


def _loop(
    grain: Grain, terms: Sequence[Term], prefix: str, names: dict[str, Any], done: dict[int, str]
) -> list[str]:
    """Go through the records (or the groups of records) and keep every aggregate up to date."""
    lines: list[str] = []
    body = _Body({}, names)
    head = "for r in records:"
    if grain != RECORD:
        leaves = list(dict.fromkeys(leaf for term in terms for leaf in _leaves(term)))
        for i, leaf in enumerate(leaves):
            body.done[id(leaf)] = f"{prefix}_{i}"
        lines += _groups(grain, leaves, prefix, names)
        head = f"for {', '.join(f'{prefix}_{i}' for i in range(len(leaves)))}, in {prefix}_groups:"
    ranks = list(dict.fromkeys(rank for term in terms for rank in _ranks(term)))
    for i, rank in enumerate(ranks):
        places = _Body(body.done, names)
        parts = "".join(f"{places.value(a)}, " for a in rank.args)
        lines += [f"{prefix}p{i} = []", head, *(f"    {line}" for line in places.lines)]
        lines += [f"    {prefix}p{i}.append(({parts}))", f"{prefix}p{i} = ranks({prefix}p{i})"]
    for i, rank in enumerate(ranks):
        body.done[id(rank)] = f"{prefix}r{i}"
    if ranks:
        each, source = head.removeprefix("for ").removesuffix(":").rsplit(" in ", 1)
        variables = ", ".join(f"{prefix}r{i}" for i in range(len(ranks)))
        numbers = ", ".join(f"{prefix}p{i}" for i in range(len(ranks)))
        head = f"for ({each}), {variables} in zip({source}, {numbers}):"
    steps: dict[str, list[str]] = {}
    ends: list[str] = []
    for i, term in enumerate(terms):
        aggregate = AGGREGATES[term.op]
        so_far = f"{prefix}a{i}"
        args = [body.value(a) for a in term.args]
        lines.append(f"{so_far} = {aggregate.start}")
        needs = "" if aggregate.sees_null or not term.args[0].is_nullable else args[0]
        step = aggregate.step.format(*args, s=so_far)
        steps.setdefault(needs, []).append(step)
        ends.append(f"{so_far} = {aggregate.end.format(s=so_far)}")
        done[id(term)] = so_far
    inside = list(body.lines)
    for needs, statements in steps.items():
        if needs:
            inside.append(f"if {needs} is not None:")
        inside += [f"    {s}" if needs else s for s in statements]
    return [*lines, head, *(f"    {line}" for line in inside), *ends]


def _groups(grain: Grain, leaves: Sequence[Term], prefix: str, names: dict[str, Any]) -> list[str]:
    """Bring records together by their keys, and compute what the groups are asked for."""
    inner = {str(i): leaf.args[0] for i, leaf in enumerate(leaves) if leaf.op == "per"}
    names[f"{prefix}_of"] = summed(inner)
    key = ", ".join(f"r.get({k!r})" for k in grain)
    parts = []
    for i, leaf in enumerate(leaves):
        place = f"k[{grain.index(leaf.args[0].parameter)}]" if leaf.op == "key" else f"g['{i}']"
        is_number = leaf.op == "key" and leaf.kind == "number"
        parts.append(f"None if {place} is None else float({place})" if is_number else place)
    return [
        f"{prefix}_records = {{}}",
        "for r in records:",
        f"    {prefix}_records.setdefault(({key},), []).append(r)",
        f"{prefix}_groups = []",
        f"for k, members in {prefix}_records.items():",
        f"    g = {prefix}_of(members)",
        f"    {prefix}_groups.append(({', '.join(parts)},))",
    ]


def _ranks(term: Term) -> list[Term]:
    return [term] if term.op == "rank" else [rank for a in term.args for rank in _ranks(a)]


def _leaves(term: Term) -> list[Term]:
    return [term] if term.op in ("per", "key") else [leaf for a in term.args for leaf in _leaves(a)]


def _display(results: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in results.items()) + "}"


def _compiled(lines: Iterable[str], names: Mapping[str, Any], argument: str) -> Callable[[Any], Values]:
    source = "\n".join([f"def computed({argument}):", *(f"    {line}" for line in lines)])
    scope: dict[str, Any] = {**NAMES, **names}
    exec(compile(source, "<features of one applicant>", "exec"), scope)  # our own declarations, nothing else
    computed: Callable[[Any], Values] = scope["computed"]
    return computed
