"""Files of applications, read a chunk at a time: CSV, Parquet, a workbook, or a portfolio with histories.

Each value is checked here by the service's own rules, so that what would be refused is known by row and
column before anything is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from scoring import features, tables
from scoring.features.checks import RULES, Checker, explain
from scoring.problems import Fault, nearest
from scoring.schema import KEY, Decision, extension
from scoring.tables import LABEL

REJECTED: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    KEY: pl.String(),
    "field": pl.String(),
    "code": pl.String(),
    "detail": pl.String(),
}
"""Columns of rejected rows: row in the file from 1, client number, where something is wrong, and what."""

PART_ROWS = 10_000  # applicants of a portfolio whose records are in memory at a time, if a chunk has fewer
RESULT = (
    "row",
    *(name for name in Decision.model_fields if name != KEY),
    *("decision_in_words", "history", "history_in_words", "error"),
)
"""Columns of an earlier result, of this client or of the page: a file that was scored is scored anew."""


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
    carried : polars.DataFrame
        Columns of the accepted rows that no application has, as they are in the file.
    """

    number: int
    table: pl.DataFrame
    rows: pl.Series
    rejected: pl.DataFrame
    carried: pl.DataFrame


class Source:
    """A file, or a portfolio, as chunks of a fixed size.

    Parameters
    ----------
    path : Path
        CSV, Parquet or workbook with raw columns and maybe aggregates, also in a ``.gz`` or ``.zip``, or a
        portfolio: folder or zip. docs/FILES.md says what is accepted.
    population : {"train", "test"}
        Which applications of a portfolio.
    limit : int, optional
        Only the first rows.
    keep_unknown : bool
        Carry columns that no application has through to the result, where they would be refused.

    Raises
    ------
    FileError
        If it cannot be read, or has a column that no application has.
    """

    def __init__(
        self,
        path: Path,
        population: tables.Population = "test",
        limit: int | None = None,
        keep_unknown: bool = False,
    ) -> None:
        self.path = path
        self.carries: list[str] = []
        self._portfolio: tables.Partitions | None = None
        self._raw: tables.Raw | None = None
        with ExitStack() as stack:
            try:
                self.is_portfolio = tables.is_portfolio(path)
                if self.is_portfolio:
                    self._portfolio = tables.Partitions(path, population, columns=features.READS)
                    rows = len(self._portfolio)
                else:
                    self._raw = stack.enter_context(tables.open_raw(path, [*RULES, LABEL]))
                    self.carries = _unknown(self._raw, keep_unknown)
                    rows = self._raw.records
            except OSError as error:
                raise FileError(f"{path.name} cannot be read: {error.strerror}.") from error
            except tables.TableError as error:
                raise FileError(str(error)) from error
            if not rows:
                raise FileError(f"{path.name} has no row; give a file with at least one application.")
            self.rows = min(rows, limit or rows)
            self._open = stack.pop_all()

    def close(self) -> None:
        """Remove what was unpacked."""
        self._open.close()

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
                yield from self._chunks(size, done)
        except OSError as error:
            raise FileError(f"{self.path.name} cannot be read: {error.strerror}.") from error
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
            for first, found in enumerate(parts):
                applications = found.applications.drop("row", LABEL, strict=False)
                whole = applications.hstack(features.build(found).select(features.HISTORY_FEATURES))
                for i, start in enumerate(starts[first * each : (first + 1) * each]):
                    part = whole[i * size : (i + 1) * size]
                    numbers = pl.Series(range(start + 1, start + 1 + part.height), dtype=pl.Int64)
                    yield _checked(start // size, numbers, part, pl.DataFrame(), [])

    def _chunks(self, size: int, done: frozenset[int]) -> Iterator[Chunk]:
        """Give the file's rows, so many at a time; the file is read once, from front to back."""
        assert self._raw is not None
        lines = self._raw.faults.filter(pl.col("row") <= self.rows)
        kinds = {name: RULES[name].kind for name in self._raw.names if name in RULES}
        number, held = 0, []
        for batch in self._raw.batches(kinds, self.carries, size):
            held.append(batch)
            read = batch.rows[-1]
            # Whole lines that are no record, behind the last one that was read, come with the next part.
            while (number + 1) * size <= min(read, self.rows):
                if number not in done:
                    yield self._chunk(number, size, held, lines)
                number += 1
            held = [batch for batch in held if batch.rows[-1] > number * size]
            if read >= self.rows:
                break
        while number * size < self.rows:
            if number not in done:
                yield self._chunk(number, size, held, lines)
            number += 1

    def _chunk(self, number: int, size: int, held: list[tables.Batch], lines: pl.DataFrame) -> Chunk:
        """Cut one chunk out of what was read."""
        assert self._raw is not None
        first, last = number * size + 1, min((number + 1) * size, self.rows)
        parts = []
        for batch in held:
            a, b = (int(batch.rows.search_sorted(row)) for row in (first, last + 1))
            inside = pl.col("row").is_between(first, last)
            parts.append((batch.rows[a:b], batch.table[a:b], batch.kept[a:b], batch.faults.filter(inside)))
        rows, table, kept, cells = (
            [pl.concat(found) for found in zip(*parts, strict=True)] if parts else self._nothing()
        )
        faults = pl.concat([cells, lines.filter(pl.col("row").is_between(first, last))])
        lost = last - first + 1 - rows.len() - faults["row"].filter(faults["column"].is_null()).n_unique()
        if lost:
            raise FileError(f"{self.path.name}: {lost} of the rows {first} to {last} were lost; report this.")
        said = [(f["row"], f["column"], self._raw.fault(f)) for f in faults.iter_rows(named=True)]
        return _checked(number, rows, table, kept, said)

    def _nothing(self) -> tuple[pl.Series, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Return no record, for a chunk of lines that are none."""
        assert self._raw is not None
        table = pl.DataFrame(schema={n: tables.DTYPES[RULES[n].kind] for n in self._raw.names if n in RULES})
        kept = pl.DataFrame(schema=dict.fromkeys(self.carries, pl.String()))
        return pl.Series("record", [], pl.Int64), table, kept, self._raw.faults.clear()


def _unknown(raw: tables.Raw, keep: bool) -> list[str]:
    """Return the columns to carry through, or refuse a file that no application has."""
    if KEY not in raw.names:
        raise FileError(f"{raw.label} has no column {KEY}; every application needs its number.")
    unknown = [name for name in raw.names if name not in RULES and name not in (LABEL, *RESULT)]
    if unknown and not keep:
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        close = nearest(unknown[0], RULES)
        strange = repr(unknown[0][:60]) + (f" (is it {close}?)" if close else "")
        raise FileError(
            f"{raw.label}: no application has a column {strange}{others}; remove what is not "
            "listed in GET /docs.json of the service, carry it through to the result with --keep-unknown, or "
            f"name the extension that declares it in {extension.VARIABLE}."
        )
    return unknown


def _whole(number: int | float | None) -> str | None:
    """Return a client's number as it would be looked for; None where it is no whole one."""
    if isinstance(number, float):
        number = int(number) if number.is_integer() else None
    return None if number is None else str(number)


def _checked(
    number: int,
    rows: pl.Series,
    table: pl.DataFrame,
    carried: pl.DataFrame,
    said: list[tuple[int, str | None, Fault]],
) -> Chunk:
    """Part the rows that the service accepts from those that it would refuse."""
    wrong: dict[int, list[str]] = {}
    for row, name in Checker(dict(table.schema)).faults(table).iter_rows():
        wrong.setdefault(rows[row], []).append(name)
    named: dict[int, dict[str | None, tuple[str, str]]] = {}
    for row, column, fault in said:
        named.setdefault(row, {})[column] = fault.code, fault.say()
    details: list[tuple[int, str | None, str | None, str, str]] = []
    for row in sorted(wrong.keys() | named.keys()):
        here = named.get(row, {})
        client = None
        if None not in here:  # a whole line that is no record has no values
            at = int(rows.search_sorted(row))
            values = table.row(at, named=True)
            client = _whole(values[KEY])
            asked = [name for name in wrong.get(row, ()) if name not in here]
            wrong_here = explain(values, asked, at) if asked else []
            here |= {fault.field: (fault.code, fault.detail) for fault in wrong_here}
        details += [(row, client, name, *words) for name, words in here.items()]
    rejected = pl.DataFrame(details, schema=REJECTED, orient="row")
    rows = rows.alias("row")
    if not details:
        return Chunk(number, table, rows, rejected, carried)
    keep = ~rows.is_in(rejected["row"].unique().to_list())
    return Chunk(
        number,
        table.filter(keep),
        rows.filter(keep),
        rejected,
        carried.filter(keep) if carried.width else carried,
    )
