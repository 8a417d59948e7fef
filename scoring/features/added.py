"""What a lender's ``features.py`` declares: checked in words, and joined to the built-in features."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TypeVar, get_args

from scoring import schema
from scoring.features.base import Direction, Feature, HistoryTable, Unit
from scoring.features.groups import GROUPS
from scoring.features.terms import ANY, APPLICATION, RECORD, Term, output
from scoring.schema.extension import part, unusable

NAME = re.compile(r"[a-z][a-z0-9_]*")
ROW_WISE = ("application", "cross")
T = TypeVar("T")


def features() -> tuple[Feature, ...]:
    """Return the added features of an application's own columns."""
    return _declared("FEATURES", Feature)


def tables() -> tuple[HistoryTable, ...]:
    """Return the added features that sum history up, by table; a built-in table may get some too."""
    return _declared("TABLES", HistoryTable)


def _declared(name: str, kind: type[T]) -> tuple[T, ...]:
    found = tuple(getattr(part("features"), name, ()))
    if strange := [one for one in found if not isinstance(one, kind)]:
        raise unusable("features", name, f"holds a {type(strange[0]).__name__}; a {kind.__name__} is needed")
    return found


def joined(built_in: Sequence[HistoryTable]) -> tuple[HistoryTable, ...]:
    """Return the history tables with what is added to them, then the added ones."""
    more = {table.name: table.features for table in tables()}
    known = [HistoryTable(t.name, (*t.features, *more.pop(t.name, ()))) for t in built_in]
    return (*known, *(HistoryTable(name, found) for name, found in more.items()))


def check(built_in: Sequence[Feature], history: Collection[str]) -> None:
    """Raise an `ExtensionError` if an added feature cannot stand among the built-in ones.

    Parameters
    ----------
    built_in : sequence of Feature
        What is there without an extension.
    history : collection of str
        Names of all aggregates, which a feature of the application may read.
    """
    twice = [table.name for table in tables()]
    for name in twice:
        if name not in schema.HISTORY:
            raise unusable("features", f"TABLES: {name}", "is no table; declare its records in records.py")
        if twice.count(name) > 1:
            raise unusable("features", f"TABLES: {name}", "stands twice; put its features together")
    taken = {feature.name for feature in built_in} | set(schema.columns(schema.Application))
    for feature in features():
        _check_one(feature, ROW_WISE, taken, {*schema.columns(schema.Application), *history})
        taken.add(feature.name)
    for table in tables():
        for feature in table.features:
            _check_one(feature, (table.name,), taken, schema.columns(schema.HISTORY[table.name]))
            taken.add(feature.name)


def _check_one(
    feature: Feature, places: Sequence[str], taken: Collection[str], known: Collection[str]
) -> None:
    def refuse(why: str) -> None:
        raise unusable("features", feature.name, why)

    if not NAME.fullmatch(feature.name):
        refuse("needs a name of small ASCII letters, digits and _")
    if feature.name in taken:
        refuse("is there already; give yours another name")
    if feature.table not in places:
        refuse(f"is declared for {feature.table!r} and stands with {places[0]!r}; declare it for that one")
    if feature.group not in GROUPS:
        refuse(f"has the group {feature.group!r}; choose among {', '.join(GROUPS)}")
    if feature.unit not in get_args(Unit):
        refuse(f"has the unit {feature.unit!r}; choose among {', '.join(get_args(Unit))}")
    if feature.direction not in get_args(Direction):
        refuse("has a direction that is neither +1, -1 nor 0")
    if not isinstance(feature.term, Term):
        refuse(f"is a {type(feature.term).__name__} and no formula; begin with col()")
    if strange := sorted(feature.reads - set(known)):
        refuse(f"reads {strange[0]}, which no record of its table declares")
    of_records = feature.table not in ROW_WISE
    if feature.term.grain not in ((APPLICATION, ANY) if of_records else (RECORD, ANY)):
        refuse(
            "has one value a record; sum the records up, as by count(), mean() or last()"
            if of_records
            else "sums up what has one value: an application knows no other one"
        )
    try:
        output(feature.term, feature.kind)
    except TypeError as error:
        refuse(f"has the unit {feature.unit!r}, but {error}")
