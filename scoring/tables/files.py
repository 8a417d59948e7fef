"""The tables of a portfolio on disk: found in a folder or a zip, typed, and checked at the middleware."""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from scoring.problems import nearest
from scoring.schema import APPLICATION_TABLES, HISTORY, KEY, Application, columns
from scoring.tables import unpack
from scoring.tables.faults import TableError
from scoring.tables.portfolio import DTYPES
from scoring.tables.raw import READABLE, Raw, look_at
from scoring.tables.values import narrow

LABEL = "TARGET"
TABLES = (*APPLICATION_TABLES.values(), *HISTORY)
ENDINGS = tuple(kind + packed for kind in READABLE for packed in ("", *unpack.PACKED))
MOST_DEEP = 3  # folders in one another
DATA = re.compile(r"\.(csv|tsv|txt|dat|parquet|pq|xls\w?|ods|json|gz|zip|7z|rar|bz2|xz|zst|sas7bdat)$", re.I)


@dataclass(frozen=True)
class File:
    """One table on disk; its records are all there, or it is refused."""

    raw: Raw

    @property
    def label(self) -> str:
        """What an error calls it."""
        return self.raw.label

    def check(self, names: Collection[str]) -> None:
        """Refuse a file that lacks a column, or has a line that is no record."""
        for name in names:
            if name not in self.raw.names:
                if close := nearest(name, self.raw.names):
                    raise TableError("misspelt_column", file=self.label, name=name, close=close[:60])
                raise TableError("no_column", file=self.label, name=name)
        if lines := self.raw.faults.height:
            fault = self.raw.fault(self.raw.faults.row(0, named=True))
            if lines == 1:
                raise TableError("broken_line", file=self.label, fault=fault)
            raise TableError("broken_lines", file=self.label, fault=fault, lines=lines)

    def frames(self, kinds: Mapping[str, str], rows: int) -> Iterator[pl.DataFrame]:
        """Read the columns, some records at a time, or say which value could not be read."""
        read = 0
        for batch in self.raw.batches(kinds, rows=rows):
            found, misfits = narrow(batch.table, batch.rows, dict(kinds))
            faults = pl.concat([batch.faults, misfits])
            if faults.height:
                self._refuse(faults)
            read += found.height
            yield found
        if read != self.raw.records:
            raise TableError("records_lost", file=self.label, records=self.raw.records, read=read)

    def read(self, kinds: Mapping[str, str], rows: int) -> pl.DataFrame:
        """Read the columns of all records."""
        empty = pl.DataFrame(schema={name: DTYPES[kind] for name, kind in kinds.items()})
        return pl.concat([empty, *self.frames(kinds, rows)], rechunk=True)

    def _refuse(self, faults: pl.DataFrame) -> None:
        fault = faults.row(0, named=True)
        raise TableError(
            "wrong_value",
            file=self.label,
            name=fault["column"],
            place=self.raw.place(fault["row"]),
            fault=self.raw.fault(fault),
        )


def is_portfolio(path: Path) -> bool:
    """Tell whether a path is a folder, or a zip of more than one file or of an application table."""
    if path.is_dir() or path.suffix.lower() != ".zip":
        return path.is_dir()
    if not zipfile.is_zipfile(path):
        return True  # and the reader of portfolios says what is wrong with it
    with unpack.opened(path) as archive:
        found = list(unpack.members(archive))
    return len(found) != 1 or any(_is_form(found[0], table) for table in APPLICATION_TABLES.values())


@contextmanager
def open_table(path: Path, table: str) -> Iterator[File | None]:
    """Find a table in a folder or a zip; what is packed is unpacked for as long as it is read.

    Raises
    ------
    TableError
        If it is there twice, only nearly under its name, or cannot be read.
    """
    with ExitStack() as stack:
        if path.is_dir():
            label, files = _find_in_folder(path, table)
        elif not path.exists():
            raise TableError("missing", file=str(path))
        elif not zipfile.is_zipfile(path):
            raise TableError("not_a_zip", file=str(path))
        else:
            label, files = _find_in_zip(path, table, stack)
        if not files:
            yield None
            return
        whole = [stack.enter_context(unpack.plain(file, label)) for file in files]
        yield File(look_at(whole, _known(table), label))


def source_files(path: Path, table: str) -> list[Path]:
    """Return the files that hold a table: of a folder its own, of a zip the zip; none where it is absent."""
    return _find_in_folder(path, table)[1] if path.is_dir() else [path]


def _known(table: str) -> list[str]:
    record = HISTORY.get(table, Application)
    return [*dict.fromkeys([KEY, *columns(record), *([] if table in HISTORY else [LABEL])])]


def _is_form(path: str, table: str) -> bool:
    name = PurePosixPath(path).name.casefold()
    return any(name == table.casefold() + ending for ending in ENDINGS)


def _is_part(path: str, table: str) -> bool:
    found = PurePosixPath(path)
    return found.parent.name.casefold() == table.casefold() and found.suffix.lower() == ".parquet"


def _find_in_zip(path: Path, table: str, stack: ExitStack) -> tuple[str, list[Path]]:
    """Unpack the file or the parts of a table."""
    archive = stack.enter_context(unpack.opened(path))
    held = unpack.members(archive)
    forms = [name for name in held if _is_form(name, table)]
    parts = sorted(name for name in held if _is_part(name, table) and name not in forms)
    if len(forms) + bool(parts) > 1:
        raise TableError("twice_in_zip", file=str(path), names=", ".join([*forms, *parts[:1]]))
    if not forms and not parts:
        _refuse_near(path, table, list(held))
        return "", []
    shown = forms[0] if forms else f"{table}/*.parquet"
    label = f"{path.name}: {shown}"
    return label, [stack.enter_context(unpack.member(archive, held[name], label)) for name in forms or parts]


def _find_in_folder(path: Path, table: str) -> tuple[str, list[Path]]:
    """Return the file or the parts of a table: of the folder itself, else of the ones inside."""
    level, seen, bare = [path], [], None
    for _ in range(MOST_DEEP):
        inside = [
            item for folder in level for item in sorted(folder.iterdir()) if not item.name.startswith(".")
        ]
        forms = [item for item in inside if item.is_file() and _is_form(item.name, table)]
        folders = [item for item in inside if item.is_dir() and item.name.casefold() == table.casefold()]
        if len(forms) + len(folders) > 1:
            raise TableError("two_forms", file=str(path), table=table)
        if forms:
            return str(forms[0].relative_to(path)), forms
        if folders:
            parts = sorted(item for item in folders[0].iterdir() if item.suffix.lower() == ".parquet")
            if parts:
                return f"{folders[0].relative_to(path)}/*.parquet", parts
            bare = folders[0]
        seen += [str(item.relative_to(path)) for item in inside if item.is_file()]
        level = [item for item in inside if item.is_dir()]
    if bare is not None:
        raise TableError("no_part", file=str(bare))
    _refuse_near(path, table, seen)
    return "", []


def _refuse_near(path: Path, table: str, held: list[str]) -> None:
    """Refuse a file that seems to be a table under nearly its name: it would be passed over in silence."""

    def bare(name: str) -> str:
        stem = PurePosixPath(name).name.casefold().partition(".")[0]
        return re.sub(r"[^a-z]", "", re.sub(r"(\W|_)*(copy|copie|kopie)(\W|_)*", "", stem))

    names = {bare(other) for other in TABLES}
    for name in held:
        if not DATA.search(name) or any(_is_form(name, other) for other in TABLES):
            continue
        found = bare(name)
        close = difflib.get_close_matches(found, names, n=1, cutoff=0.9)
        if close and close[0] == bare(table):
            raise TableError("nearly_a_table", file=str(path), name=name, table=table)
