"""One table on disk: found in a folder or a zip, typed, and checked at the door."""

from __future__ import annotations

import csv
import difflib
import math
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj

import polars as pl
from polars.exceptions import NoDataError, PolarsError

from scoring.schema.columns import INT32_MAX
from scoring.tables.portfolio import DTYPES

# Many integers are written as floats ("-3648.0"), so text is parsed as a float and narrowed afterwards.
PARSED_AS = DTYPES | {"integer": pl.Float64(), "flag": pl.Float64()}
WHOLE = ("id", "integer", "flag")
TAIL_BYTES = 65_536  # more than the longest line of any table


class TableError(ValueError):
    """A portfolio that cannot be read; the text names the file, the value and the remedy."""


@dataclass(frozen=True)
class File:
    """One table on disk, with the name that an error gives it."""

    label: str
    parts: list[Path]
    is_csv: bool

    def _raw(self, parsed: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """Return all columns; those of a CSV are text, but for the ones to be parsed."""
        if self.is_csv:
            return pl.scan_csv(self.parts, infer_schema=False, schema_overrides=dict(parsed))
        return pl.scan_parquet(self.parts)

    def scan(self, kinds: Mapping[str, str]) -> pl.LazyFrame:
        """Return the typed columns, lazily."""
        lazy = self._raw({name: PARSED_AS[kind] for name, kind in kinds.items()})
        types = lazy.collect_schema()
        return lazy.select(_typed(name, kind, types[name]).alias(name) for name, kind in kinds.items())

    def check_columns(self, names: Collection[str]) -> None:
        """Refuse a file that is empty, cut off, or lacks a column."""
        try:
            present = self._raw({}).collect_schema().names()
        except NoDataError as error:
            raise TableError(f"{self.label} is empty; copy or download it again.") from error
        except (PolarsError, OSError) as error:
            raise self.unreadable(error) from error
        for name in names:
            if name not in present:
                close = difflib.get_close_matches(name, present, n=1)
                hint = f" (it has {close[0]!r})" if close else ""
                raise TableError(
                    f"{self.label} has no column {name!r}{hint}; expected the columns of the Kaggle file, "
                    "comma-separated with a header line."
                )
        if self.is_csv:
            self._check_last_line(len(present))

    def _check_last_line(self, width: int) -> None:
        """Refuse a file cut off inside a line, which polars would fill up with nulls."""
        with self.parts[0].open("rb") as file:
            size = file.seek(0, 2)
            file.seek(-min(size, TAIL_BYTES), 2)
            last = file.read().rstrip(b"\r\n").rpartition(b"\n")[2]
        fields = len(next(csv.reader([last.decode("utf-8", errors="replace")]), []))
        if fields < width:
            raise TableError(
                f"{self.label} is cut off: its last line has {fields} of {width} fields; "
                "copy or download it again."
            )

    def collect(self, lazy: pl.LazyFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
        """Read the columns, or say which value could not be typed."""
        try:
            frame = lazy.collect(engine="streaming")
        except PolarsError as error:
            self._refuse_wrong_value(kinds, error)
            raise self.unreadable(error) from error
        return self._finite(frame, kinds)

    def batches(self, lazy: pl.LazyFrame, kinds: Mapping[str, str], rows: int) -> Iterator[pl.DataFrame]:
        """Read the columns like `collect`, in their order, about so many rows at a time."""
        found = lazy.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")
        while True:
            try:
                frame = next(found, None)
            except PolarsError as error:
                self._refuse_wrong_value(kinds, error)
                raise self.unreadable(error) from error
            if frame is None:
                return
            yield self._finite(frame, kinds)

    def _finite(self, frame: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
        """Return what was read if no number of it is infinite."""
        numbers = frame.select(pl.col(pl.Float64).is_infinite().any())
        if numbers.width and any(numbers.row(0)):
            self._refuse_wrong_value(kinds, None)
        return frame

    def _refuse_wrong_value(self, kinds: Mapping[str, str], cause: Exception | None) -> None:
        """Look again, as text, for the first value that is not of its kind."""
        for name, kind in kinds.items():
            if kind == "category":
                continue
            try:
                lines = self._raw({}).select(name).with_row_index("line")
                found = lines.filter(_is_wrong(name, kind, lines.collect_schema()[name])).head(1).collect()
            except PolarsError:
                continue  # the file itself is damaged, which the caller reports
            if found.height:
                line, value = found.row(0)
                place = f"line {line + 2}" if self.is_csv else f"row {line + 1}"
                expected = {"id": "an identifier (integer)", "number": "a number"}.get(kind, "an integer")
                raise TableError(
                    f"{self.label}, column {name!r}, {place}: {value!r} is not {expected}; "
                    "correct it, or leave it empty if it is missing."
                ) from cause

    def unreadable(self, error: Exception) -> TableError:
        """Return the error for a file that is damaged."""
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        return TableError(f"{self.label} cannot be read ({reason}); copy or download it again.")


def _typed(name: str, kind: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression that types a column; a value that does not fit raises when it is read."""
    value = pl.col(name)
    if kind == "category":
        return value.cast(pl.String)
    if dtype == pl.String:
        dtype = PARSED_AS[kind]
        value = value.cast(dtype)
    if dtype.is_float():
        value = value.fill_nan(None)  # how many writers say "missing"
        if kind in WHOLE:
            # A cast would cut 5.5 to 5 silently; infinity makes the strict cast raise.
            value = pl.when(value.is_null() | (value == value.round())).then(value).otherwise(math.inf)
    return value.cast(DTYPES[kind])


def _is_wrong(name: str, kind: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression that is true where a raw value is not of its kind."""
    value = pl.col(name)
    text = value.str.strip_chars() if dtype == pl.String else value
    number = text.cast(pl.Int64 if kind == "id" and not dtype.is_float() else pl.Float64, strict=False)
    wrong = number.is_null() | number.cast(pl.Float64).is_infinite()
    if kind in WHOLE and not (kind == "id" and not dtype.is_float()):
        wrong = wrong | (number != number.round())
        if kind != "id":
            wrong = wrong | (number.abs() > INT32_MAX)
    is_blank = value.is_null() | (text == "") if dtype == pl.String else value.is_null()
    return ~is_blank & wrong


@contextmanager
def open_table(path: Path, table: str) -> Iterator[File | None]:
    """Find a table in a folder or a zip; a member of a zip is unpacked for as long as it is read."""
    if path.is_dir():
        yield _find_in_folder(path, table)
    elif not path.exists():
        raise TableError(f"{path} does not exist; give the Kaggle folder or the Kaggle zip.")
    elif not zipfile.is_zipfile(path):
        raise TableError(
            f"{path} is neither a folder nor a readable zip; give the Kaggle folder or the Kaggle zip, "
            "downloaded to its end."
        )
    else:
        with _archive(path) as archive, tempfile.TemporaryDirectory(prefix="portfolio-") as folder:
            names = (f"{table}.csv", f"{table}.parquet")
            members = [member for member in archive.namelist() if Path(member).name in names]
            if len(members) > 1:
                raise TableError(f"{path} holds {' and '.join(members)}; keep one of them.")
            if not members:
                yield None
                return
            label = f"{path.name}: {members[0]}"
            target = Path(folder) / Path(members[0]).name
            try:
                with archive.open(members[0]) as source, target.open("wb") as copy:
                    copyfileobj(source, copy, length=1 << 20)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                raise TableError(f"{label} is damaged ({error}); download the zip again.") from error
            yield File(label, [target], target.suffix == ".csv")


def _archive(path: Path) -> zipfile.ZipFile:
    """Open a zip whose end is there; its directory may still be damaged."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise TableError(f"{path} is damaged ({error}); download the zip again.") from error


def _find_in_folder(path: Path, table: str) -> File | None:
    """Return the file or the parts of a table, or None."""
    files = [file for file in (path / f"{table}.csv", path / f"{table}.parquet") if file.is_file()]
    parts = path / table
    if len(files) + parts.is_dir() > 1:
        raise TableError(f"{path} holds {table} in more than one form; keep one of CSV, Parquet and parts.")
    if parts.is_dir():
        found = sorted(parts.glob("*.parquet"))
        if not found:
            raise TableError(f"{parts} has no part *.parquet; write them, or remove the folder.")
        return File(f"{table}/*.parquet", found, is_csv=False)
    return File(files[0].name, files, files[0].suffix == ".csv") if files else None
