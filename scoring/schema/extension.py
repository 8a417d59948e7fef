"""A lender's own columns, tables and features: one folder beside the project, which extends the contract.

The folder that ``CREDIT_SCORING_EXTENSION`` names is a small package of Python. Its ``records.py`` may
declare a class ``Application`` of columns that are added to the application, and ``TABLES``, history tables
by name; its ``features.py`` may declare ``FEATURES`` and ``TABLES`` of aggregates; ``fr.po`` and the like
hold their words. It is a part of the program: read once, as the program is imported, by training, service,
page, client and monitor alike. `fingerprint` goes into each scorer that is trained with it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path
from types import ModuleType

from scoring.schema.columns import KEY, Record, columns
from scoring.settings import EXTENSION, ROOT

PACKAGE = "credit_scoring_extension"


class ExtensionError(SystemExit):
    """The folder of an extension cannot be used; the sentence says where and what to do.

    It is read while a program is imported, before any of its own code could catch an error and say it: so it
    ends the program, with the sentence alone.
    """


VARIABLE = EXTENSION.name
"""What tells a process of it."""


class Unextended(Record):
    """The columns that an application has beyond the built-in ones, where no extension adds any."""


@cache
def folder() -> Path | None:
    """Return the folder of the extension, None if there is none; a relative path counts from the code."""
    named = EXTENSION.read(os.environ)
    if named is None:
        return None
    found = (ROOT / named).resolve()
    if not found.is_dir():
        raise ExtensionError(
            f"{EXTENSION.name}: there is no folder {found}; name one, or take the setting away."
        )
    return found


@cache
def part(name: str) -> ModuleType | None:
    """Return a module of the extension, ``records`` or ``features``; None if there is none."""
    package = folder()
    if package is None or not (package / f"{name}.py").is_file():
        return None
    if PACKAGE not in sys.modules:
        module = ModuleType(PACKAGE)
        module.__path__ = [str(package)]
        sys.modules[PACKAGE] = module
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    except ExtensionError:
        raise
    except Exception as error:  # whatever a lender's module does wrong, the place is said
        raise ExtensionError(
            f"{package / name}.py cannot be used: {type(error).__name__}: {error}."
        ) from error


def application() -> type[Record]:
    """Return the class of the columns that are added to an application."""
    found = getattr(part("records"), "Application", Unextended)
    if not (isinstance(found, type) and issubclass(found, Record)):
        raise _unusable("Application", "is no class of columns; derive it from scoring.schema.columns.Record")
    return found


def tables() -> dict[str, type[Record]]:
    """Return the classes of the records of added history tables, by table.

    Raises
    ------
    ExtensionError
        If one is none, or its records do not say whose they are.
    """
    found: dict[str, type[Record]] = dict(getattr(part("records"), "TABLES", {}))
    for name, record in found.items():
        if not (isinstance(record, type) and issubclass(record, Record)):
            raise _unusable(
                f"TABLES[{name!r}]", "is no class of columns; derive it from scoring.schema.columns.Record"
            )
        if KEY not in columns(record):
            raise _unusable(f"TABLES[{name!r}]", f"has no {KEY}; declare it as OptionalIdentifier")
    return found


@cache
def fingerprint() -> str | None:
    """Return the SHA-256 of the extension: of the names and contents of its modules and catalogues."""
    package = folder()
    if package is None:
        return None
    files = sorted(file for file in package.rglob("*") if file.suffix in (".py", ".po"))
    listing = "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(package).as_posix()}\n"
        for file in files
    )
    return hashlib.sha256(listing.encode()).hexdigest()


def _unusable(what: str, why: str) -> ExtensionError:
    return ExtensionError(f"{folder()}/records.py: {what} {why}.")


def check_new(kind: str, added: set[str], known: set[str]) -> None:
    """Raise an `ExtensionError` if the extension declares a name that is there already."""
    if twice := sorted(added & known):
        raise ExtensionError(f"{folder()}: the {kind} {twice[0]} is there already; give yours another name.")


def check_reads(feature: str, reads: Collection[str], known: Collection[str]) -> None:
    """Raise an `ExtensionError` if a feature reads a column that nothing declares."""
    if strange := sorted(set(reads) - set(known)):
        raise ExtensionError(
            f"{folder()}/features.py: {feature} reads {strange[0]}, which no record of its table declares."
        )
