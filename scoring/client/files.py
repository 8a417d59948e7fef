"""Files of applications, read a chunk at a time: CSV, Parquet, a workbook, or a portfolio with histories.

Each value is checked here by the service's own rules, so that what would be refused is known by row and
column before anything is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from scoring import features, tables
from scoring.bulk import RULES, Checker, explain
from scoring.schema import KEY
from scoring.spreadsheet import delimiter

LABEL = "TARGET"  # stands in application_train and is no part of an application
WORKBOOKS = (".xlsx", ".xls", ".ods")
REJECTED: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    KEY: pl.String(),
    "field": pl.String(),
    "detail": pl.String(),
}
"""Columns of rejected rows: row in the file from 1, client number, what is wrong and where."""

PART_ROWS = 10_000  # applicants of a portfolio whose records are in memory at a time, if a chunk has fewer

_NO_NUMBER = "_text:"  # prefix of the marks of texts that are no number


class FileError(ValueError):
    """A file that cannot be scored; the text says why and what to do."""


@dataclass(frozen=True)
class Chunk:
    """Some consecutive rows of a source.

    Attributes
    ----------
    number : int
        Position of the chunk, from 0.
    table : polars.DataFrame
        The rows that the service will accept, with the columns that it takes.
    rows : polars.Series
        Their rows in the source, from 1.
    rejected : polars.DataFrame
        The other rows, with the columns ``REJECTED``.
    """

    number: int
    table: pl.DataFrame
    rows: pl.Series
    rejected: pl.DataFrame


class Source:
    """A file, or a portfolio, as chunks of a fixed size.

    Parameters
    ----------
    path : Path
        CSV, Parquet or workbook (first sheet) with raw columns and maybe aggregates, or a portfolio: folder
        or zip.
    population : {"train", "test"}
        Which applications of a portfolio.
    limit : int, optional
        Only the first rows.

    Raises
    ------
    FileError
        If it cannot be read, or has a column that no application has.
    """

    def __init__(self, path: Path, population: tables.Population = "test", limit: int | None = None) -> None:
        self.path = path
        self.is_portfolio = path.is_dir() or path.suffix.lower() == ".zip"
        self._portfolio: tables.Partitions | None = None
        self._scan: pl.LazyFrame | None = None
        try:
            if self.is_portfolio:
                self._portfolio = tables.Partitions(path, population, columns=features.READS)
                rows = len(self._portfolio)
            else:
                self._scan = _scan(path)
                rows = int(self._scan.select(pl.len()).collect().item())
        except (PolarsError, OSError) as error:
            raise FileError(f"{path.name} cannot be read: {_first_line(error)}.") from error
        except tables.TableError as error:
            raise FileError(str(error)) from error
        if not rows:
            raise FileError(f"{path.name} has no row; give a file with at least one application.")
        self.rows = min(rows, limit or rows)

    def fingerprint(self) -> str:
        """Return a digest that changes when the files do."""
        files = sorted(f for f in self.path.rglob("*") if f.is_file()) if self.path.is_dir() else [self.path]
        facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        return hashlib.sha256(repr((facts, self.rows)).encode()).hexdigest()

    def chunks(
        self, size: int, done: frozenset[int] = frozenset(), folder: Path | None = None
    ) -> Generator[Chunk, None, None]:
        """Give the chunks in order, without those that are done.

        The records of a large portfolio go through a temporary folder, made in ``folder`` if there is one,
        and removed when the iterator ends or is closed.
        """
        try:
            if self._portfolio is not None:
                yield from self._summed_up(self._portfolio, size, done, folder)
            else:
                for number, table in enumerate(self._tables(size)):
                    if number not in done:
                        yield _checked(number, number * size, _typed(table))
        except (PolarsError, OSError) as error:
            raise FileError(f"{self.path.name} cannot be read: {_first_line(error)}.") from error
        except tables.TableError as error:
            raise FileError(str(error)) from error

    def _summed_up(
        self, portfolio: tables.Partitions, size: int, done: frozenset[int], folder: Path | None
    ) -> Iterator[Chunk]:
        """Give the chunks of a portfolio with the aggregates of their histories, a few chunks at a time."""
        starts = [start for start in range(0, self.rows, size) if start // size not in done]
        if not starts:
            return
        rows = np.concatenate([np.arange(start, min(start + size, self.rows)) for start in starts])
        each = max(1, PART_ROWS // size)
        with closing(portfolio.portfolios(rows, each * size, folder)) as parts:
            for first, part in enumerate(parts):
                applications = part.applications.drop("row", LABEL, strict=False)
                whole = applications.hstack(features.build(part).select(features.HISTORY_FEATURES))
                for i, start in enumerate(starts[first * each : (first + 1) * each]):
                    yield _checked(start // size, start, whole[i * size : (i + 1) * size])

    def _tables(self, size: int) -> Iterator[pl.DataFrame]:
        """Give the file's rows, so many at a time; the file is read once, from front to back."""
        assert self._scan is not None
        parts: list[pl.DataFrame] = []
        for batch in self._scan.head(self.rows).collect_batches(chunk_size=size, maintain_order=True):
            parts.append(batch)
            if sum(part.height for part in parts) >= size:
                whole = pl.concat(parts)
                while whole.height >= size:
                    yield whole.head(size)
                    whole = whole.slice(size)
                parts = [whole] if whole.height else []
        if parts:
            yield pl.concat(parts)


def _scan(path: Path) -> pl.LazyFrame:
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet", *WORKBOOKS):
        raise FileError(
            f"{path.name} is neither .csv nor .parquet nor a workbook, nor a portfolio's folder or zip."
        )
    if kind in WORKBOOKS:
        lazy = _workbook(path).lazy()
    elif kind == ".csv":
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline()
        lazy = pl.scan_csv(path, infer_schema=False, separator=delimiter(header))
    else:
        lazy = pl.scan_parquet(path)
    names = lazy.collect_schema().names()
    if KEY not in names:
        raise FileError(f"{path.name} has no column {KEY}; every application needs its number.")
    if unknown := [name for name in names if name not in RULES and name != LABEL]:
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise FileError(
            f"{path.name}: no application has a column {unknown[0]!r}{others}; remove what is not listed in "
            "GET /docs.json of the service."
        )
    return lazy.drop(LABEL, strict=False)


def _workbook(path: Path) -> pl.DataFrame:
    """Read the first sheet, each cell as text, as in a CSV: a column may mix numbers and words."""
    try:
        return pl.read_excel(path, engine="calamine", read_options={"dtypes": "string"})
    except Exception as error:  # fastexcel has its own tree of errors
        raise FileError(f"{path.name} cannot be read as a workbook: {_first_line(error)}.") from error


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    """Turn texts into numbers; where that fails a mark stands in a column of its own."""
    columns: list[pl.Expr] = []
    for name, dtype in table.schema.items():
        value, kind = pl.col(name), RULES[name].kind
        if isinstance(dtype, pl.Categorical | pl.Enum):
            value, dtype = value.cast(pl.String), pl.String()
        if kind == "category" or dtype != pl.String:
            blank = value.replace("", None) if dtype == pl.String else value
            columns.append(blank.fill_nan(None) if dtype.is_float() else blank)
            continue
        text = value.str.strip_chars()
        text = pl.when(text != "").then(text)
        number = text.cast(pl.Int64 if kind == "id" else pl.Float64, strict=False)
        if kind != "id":
            number = number.fill_nan(None)
        is_text = text.is_not_null() & number.is_null() & (text.str.to_lowercase() != "nan")
        columns += [number.alias(name), is_text.alias(_NO_NUMBER + name)]
    return table.select(columns)


def _checked(number: int, start: int, table: pl.DataFrame) -> Chunk:
    """Part the rows that the service accepts from those that it would refuse."""
    marked = [name for name in table.columns if name.startswith(_NO_NUMBER)]
    plain = table.drop(marked)
    faults = Checker(dict(plain.schema)).faults(plain)
    wrong: dict[int, list[str]] = {}
    for row, name in faults.iter_rows():
        wrong.setdefault(row, []).append(name)
    details: list[tuple[int, str | None, str, str]] = []
    texts: dict[int, list[str]] = {}
    for mark in marked:
        for row in table[mark].arg_true().to_list():
            texts.setdefault(row, []).append(mark.removeprefix(_NO_NUMBER))
    for row in sorted(wrong.keys() | texts.keys()):
        values = plain.row(row, named=True)
        client = None if values[KEY] is None else str(values[KEY])
        named = dict.fromkeys(texts.get(row, ()), "Input should be a valid number")
        asked = [name for name in wrong.get(row, ()) if name not in named]
        named |= {fault.field: fault.detail for fault in explain(values, asked, row)} if asked else {}
        details += [(start + row + 1, client, name, detail) for name, detail in named.items()]
    rejected = pl.DataFrame(details, schema=REJECTED, orient="row")
    rows = pl.Series("row", range(start + 1, start + 1 + table.height), dtype=pl.Int64)
    keep = ~rows.is_in(rejected["row"].unique().to_list()) if details else None
    if keep is None:
        return Chunk(number, plain, rows, rejected)
    return Chunk(number, plain.filter(keep), rows.filter(keep), rejected)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
