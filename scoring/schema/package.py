"""The folder of an extension: read once, checked, and run from the very bytes that were read.

The folder that ``CREDIT_SCORING_EXTENSION`` names is a small package of Python. It is a part of the program,
with the rights of the program: what is refused here is refused to guard against mistakes, not against malice.
What is hashed is what runs: modules are compiled from what `sources` read, never from a file that changed
since, nor from compiled code that lies about.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

from scoring.regular import IrregularError, read_small
from scoring.settings import EXTENSION, ROOT

PACKAGE = "credit_scoring_extension"
PARTS = ("records.py", "features.py")
KINDS = (".py", ".po")
LARGEST = 2**20  # bytes of a module or a catalogue
MOST = 200  # modules and catalogues

ROOMS = ("scoring.schema", "scoring.features", "scoring.language", PACKAGE)
PURE = {
    *("__future__", "collections", "dataclasses", "enum", "fractions", "functools", "itertools", "math"),
    *("operator", "re", "string", "typing"),
}
IMPURE = {"__import__", "breakpoint", "compile", "eval", "exec", "hash", "input", "open", "print"}


class ExtensionError(SystemExit):
    """The folder of an extension cannot be used; the sentence says where and what to do.

    It is read while a program is imported, before any of its own code could catch an error and say it: so it
    ends the program, with the sentence alone.
    """


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
    if not any((found / part).is_file() for part in PARTS):
        raise ExtensionError(
            f"{EXTENSION.name}: {found} has neither {' nor '.join(PARTS)}; name the folder that holds them."
        )
    return found


@cache
def sources() -> dict[str, bytes]:
    """Return every module and catalogue of the extension, by its place in the folder, as it was read once.

    What begins with a dot is left out: Kubernetes keeps there what the files of a mounted folder link to.
    """
    package = folder()
    if package is None:
        return {}
    try:
        found = {file.relative_to(package).as_posix(): _read(file) for file in _files(package)}
    except OSError as error:
        where = error.filename or package
        raise ExtensionError(
            f"{where} cannot be read: {error.strerror}; give this program the right."
        ) from error
    return dict(sorted(found.items()))


@cache
def fingerprint() -> str | None:
    """Return the SHA-256 of the extension: of the names and contents of its modules and catalogues."""
    if folder() is None:
        return None
    listing = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in sources().items())
    return hashlib.sha256(listing.encode()).hexdigest()


@cache
def part(name: str) -> ModuleType | None:
    """Return a module of the extension, ``records`` or ``features``; None if there is none."""
    package = folder()
    if package is None or f"{name}.py" not in sources():
        return None
    if PACKAGE not in sys.modules:
        root = ModuleType(PACKAGE)
        root.__path__ = []  # nothing is found by path: the finder alone knows its modules
        sys.modules[PACKAGE] = root
        sys.meta_path.insert(0, _Finder(package))
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    except ExtensionError:
        raise
    except (Exception, SystemExit) as error:  # whatever a lender's module does wrong, the place is said
        raise ExtensionError(
            f"{package / name}.py cannot be used: {type(error).__name__}: {error}."
        ) from error


def _files(package: Path) -> Iterator[Path]:
    """Give the modules and catalogues, at most so many, and none through a link to a folder."""
    count = 0
    for here, inner, names in os.walk(package, onerror=_raise):
        inner[:] = [name for name in inner if not name.startswith(".") and name != "__pycache__"]
        for name in inner:
            if (link := Path(here, name)).is_symlink():
                raise ExtensionError(f"{link} is a link to a folder; put the folder itself there.")
        for name in names:
            if name.endswith(KINDS) and not name.startswith("."):
                count += 1
                if count > MOST:
                    raise ExtensionError(
                        f"{package} holds more than {MOST} modules and catalogues; name the folder of the "
                        "extension alone."
                    )
                yield Path(here, name)


def _raise(error: OSError) -> None:
    raise error


def _read(file: Path) -> bytes:
    """Read one file, if it is one and not a large one."""
    try:
        content = read_small(file, LARGEST + 1)
    except IrregularError:
        raise ExtensionError(f"{file} is no file; take it away.") from None
    if len(content) > LARGEST:
        raise ExtensionError(
            f"{file} has {file.stat().st_size / 2**20:,.1f} MB; a module or a catalogue has at most "
            f"{LARGEST // 2**20}: data belong into the tables."
        )
    return content


class _Finder(MetaPathFinder, ExecutionLoader):
    """Finds the modules of the extension among what was read, and checks each before it runs."""

    def __init__(self, package: Path) -> None:
        self.package = package

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return where a module is, None if it is none of the extension's."""
        if not fullname.startswith(f"{PACKAGE}."):
            return None
        place = self._place(fullname)
        if place not in sources():
            return None
        return spec_from_loader(fullname, self, is_package=place.endswith("/__init__.py"))

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module, for those who read a traceback."""
        return str(self.package / self._place(fullname))

    def is_package(self, fullname: str) -> bool:
        """Say whether a module has others inside."""
        return self._place(fullname).endswith("/__init__.py")

    def get_source(self, fullname: str) -> str:
        """Return a module as it was read."""
        return decode_source(sources()[self._place(fullname)])

    def get_code(self, fullname: str) -> CodeType:
        """Compile a module, if it takes nothing but what a formula may know."""
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_source(fullname), path)
        for node in ast.walk(tree):
            _check(node, path)
        return compile(tree, path, "exec", dont_inherit=True)

    def _place(self, fullname: str) -> str:
        inner = fullname.removeprefix(f"{PACKAGE}.").replace(".", "/")
        inside = f"{inner}/__init__.py"
        return inside if inside in sources() else f"{inner}.py"


def _check(node: ast.AST, path: str) -> None:
    """Refuse what could bring a clock, chance, a file or other applicants into a formula."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        own = isinstance(node, ast.ImportFrom) and node.level > 0
        named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
        for name in [] if own else named:
            inside = any(f"{name}.".startswith(f"{room}.") for room in ROOMS)
            if not inside and name.split(".")[0] not in PURE:
                raise ExtensionError(
                    f"{path}, line {node.lineno}: imports {name}. A formula knows no clock, no chance, no "
                    f"file and no other applicant: take {', '.join(ROOMS[:-1])}, modules of your own, or "
                    f"of Python {', '.join(sorted(PURE - {'__future__'}))}."
                )
    if isinstance(node, ast.Name) and node.id in IMPURE:
        raise ExtensionError(
            f"{path}, line {node.lineno}: uses {node.id}. A module only declares columns and formulas; "
            "leave it out."
        )
