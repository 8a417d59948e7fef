"""A workbook's one table, read by a program of its own, `scoring.tables.sheets`, which alone ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from scoring.tables.faults import RECORD, TableError, unreadable
from scoring.tables.unpack import too_large

MOST_BYTES = 2**30  # unpacked
MOST_S = 600
READER = Path(__file__).with_name("sheets.py")
BARE, UNREADABLE, LARGE = 3, 4, 5  # exit codes, as the reader has them
KILLED = (
    signal.SIGABRT,
    signal.SIGKILL,
    getattr(signal, "SIGXCPU", signal.SIGABRT),
)  # for its memory or time


def read(
    path: Path, known: Collection[str], label: str, most_bytes: int | None
) -> tuple[list[str], pl.DataFrame]:
    """Read the one sheet of a workbook that has a table.

    Returns
    -------
    tuple of list of str and polars.DataFrame
        Its header; and its records as texts, in columns by their position, with their ``line`` and number
        (``record``).

    Raises
    ------
    TableError
        If it cannot be read, is too large, or has more than one table or none.
    """
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(info.file_size for info in archive.infolist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise unreadable(label) from error
        if size > min(most_bytes or MOST_BYTES, MOST_BYTES):
            raise too_large(label)
    sheet = _one(_sheets(path, label), known, label)
    header = ["" if cell is None else str(cell).strip() for cell in sheet.row(0)[1:]]
    sheet = sheet.slice(1).with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(RECORD))
    for i, name in enumerate(header):
        if not name and i and sheet[str(i)].drop_nulls().str.strip_chars().str.len_bytes().sum():
            raise TableError("nameless_column", file=label, column=i + 1)
    return header, sheet


def _sheets(path: Path, label: str) -> list[pl.DataFrame]:
    """Return the lines of the sheets that have some, with their numbers."""
    with tempfile.TemporaryDirectory(prefix="workbook-") as made:
        try:
            # -P: modules beside the reader are none of its own.
            code = subprocess.run(
                [sys.executable, "-P", str(READER), str(path.absolute()), made],
                env=_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=MOST_S,
            ).returncode
        except subprocess.TimeoutExpired:
            raise too_large(label) from None
        if code == LARGE or -code in KILLED:
            raise too_large(label)
        if code == BARE:
            raise TableError("formulas", file=label)
        if code:
            raise TableError("not_a_workbook", file=label)
        return [pl.read_ipc(file.read_bytes()) for file in sorted(Path(made).glob("*.arrow"))]


def _environment(mine: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the reader: one thread, whose stack needs no memory that is counted."""
    return {**mine, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def _one(full: list[pl.DataFrame], known: Collection[str], label: str) -> pl.DataFrame:
    """Return the sheet that has a table."""
    if not full:
        raise TableError("empty", file=label)
    if len(full) > 1:
        wanted = {name.casefold() for name in known}
        full = [
            sheet
            for sheet in full
            if any(str(cell).strip().casefold() in wanted for cell in sheet.row(0)[1:])
        ] or full
    if len(full) > 1:
        raise TableError("many_sheets", file=label, sheets=len(full))
    return full[0]
