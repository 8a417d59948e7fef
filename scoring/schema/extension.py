"""A lender's own columns and tables: what an extension declares, checked against what is there.

Its ``records.py`` may declare a class ``Application`` of columns that are added to the application, and
``TABLES``, history tables by name; its ``features.py`` may declare ``FEATURES`` and ``TABLES`` of aggregates
(`scoring.features.added`); ``fr.po`` and the like hold their words. `package` reads the folder.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache

from scoring.schema.columns import KEY, Column, Record, columns
from scoring.schema.package import ExtensionError, fingerprint, folder, part, sources
from scoring.settings import EXTENSION

__all__ = [
    "VARIABLE",
    "ExtensionError",
    "added_columns",
    "application",
    "check_columns",
    "check_tables",
    "difference",
    "fingerprint",
    "folder",
    "part",
    "sources",
    "tables",
    "unusable",
]

VARIABLE = EXTENSION.name
"""What tells a process of it."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
TAKEN = ("TARGET", "history", "history_features", "row")
"""Names that mean something beside the columns of an application."""
TAKEN_TABLES = ("application", "application_train", "application_test", "cross", "history")


class Unextended(Record):
    """The columns that an application has beyond the built-in ones, where no extension adds any."""


def unusable(module: str, what: str, why: str) -> ExtensionError:
    """Return the error that a module of the extension declares what cannot be used."""
    return ExtensionError(f"{folder()}/{module}.py: {what} {why.rstrip('.')}.")


@cache
def application() -> type[Record]:
    """Return the class of the columns that are added to an application."""
    found: type[Record] = getattr(part("records"), "Application", Unextended)
    _check_record("Application", found)
    return found


@cache
def tables() -> dict[str, type[Record]]:
    """Return the classes of the records of added history tables, by table.

    Raises
    ------
    ExtensionError
        If one is none, or its records do not say whose they are.
    """
    found = getattr(part("records"), "TABLES", {})
    if not isinstance(found, Mapping):
        raise unusable("records", "TABLES", "is no dictionary of record classes by the name of their table")
    for name, record in found.items():
        what = f"TABLES[{name!r}]"
        if not (isinstance(name, str) and NAME.fullmatch(name)) or name in TAKEN_TABLES:
            raise unusable(
                "records", what, "cannot be the name of a table; take another of letters, digits, _"
            )
        _check_record(what, record)
        if KEY not in columns(record):
            raise unusable("records", what, f"has no {KEY}; declare it as OptionalIdentifier")
    return dict(found)


def added_columns() -> list[Column]:
    """Return the columns that are added to the application, and those of the added tables."""
    return [c for record in (application(), *tables().values()) for c in columns(record).values()]


def difference(trained: str | None) -> str | None:
    """Say which extension this program lacks to go with a model that was trained with one; None if none."""
    here = fingerprint()
    if not trained or trained == here:
        return None
    found = f"{folder()} has {here[:12]}" if here else f"{VARIABLE} names none"
    return (
        f"was trained with the extension {trained[:12]}, and {found}; name the folder that it was trained "
        "with, or train again."
    )


def check_columns(built_in: type[Record], groups: Collection[str]) -> None:
    """Raise an `ExtensionError` if an added column cannot stand beside those of the application."""
    for name in application().model_fields:
        if name in built_in.model_fields or name in TAKEN:
            raise unusable("records", f"the column {name}", "is there already; give yours another name")
    for name, column in columns(application()).items():
        if column.group not in groups:
            what = f"{name}: group={column.group!r}"
            raise unusable("records", what, f"is no place in the form; choose among {', '.join(groups)}")


def check_tables(built_in: Mapping[str, type[Record]], application: type[Record]) -> None:
    """Raise an `ExtensionError` if an added table, or a column of it, is there already as something else."""
    classes = {record.__name__ for record in built_in.values()} | {"Application"}
    for table, record in tables().items():
        if table in built_in:
            raise unusable("records", f"the table {table}", "is there already; give yours another name")
        if record.__name__ in classes:
            what = f"class {record.__name__}"
            raise unusable("records", what, "has the name of another record class; give yours another")
    known: dict[str, Column] = {}
    for record in (*built_in.values(), application, *tables().values()):
        for name, column in columns(record).items():
            before = known.setdefault(name, column)
            if _is_text(before.kind) != _is_text(column.kind) or (before.kind == "id") != (
                column.kind == "id"
            ):
                raise unusable(
                    "records",
                    f"{record.__name__}.{name}",
                    f"is a {column.kind} here and a {before.kind} in another table; give yours another name",
                )


def _is_text(kind: str) -> bool:
    return kind == "category"


def _check_record(what: str, record: object) -> None:
    """Refuse what is no class of columns, and a field that no reader of files would know."""
    if not (isinstance(record, type) and issubclass(record, Record)):
        raise unusable(
            "records", what, "is no class of columns; derive it from scoring.schema.columns.Record"
        )
    for name in record.model_fields:
        if name not in columns(record):
            raise unusable(
                "records",
                f"{record.__name__}.{name}",
                'is no column; declare it as `NAME: Amount = column("its words")`, with a kind of '
                "scoring.schema.columns",
            )
        if not NAME.fullmatch(name):
            raise unusable("records", f"the column {name}", "needs a name of ASCII letters, digits and _")
