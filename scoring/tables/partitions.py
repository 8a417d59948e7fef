"""A portfolio on disk, some applicants at a time: the memory that it takes does not grow with its size."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from scoring.schema import KEY
from scoring.tables.files import LABEL
from scoring.tables.portfolio import DTYPES, Columns, Portfolio, wanted
from scoring.tables.reading import (
    Population,
    applications_file,
    check_keys,
    history_records,
    history_tables,
    say_missing,
)

BATCH = 200_000  # records read at a time; an application is as wide as ten of them
HELD_BYTES = 128 * 2**20  # about two million records; what is more goes to the disk
APPLICATIONS = "application"


class Partitions:
    """The applicants of a portfolio in partitions, each with all its records.

    The history tables of a lender are sorted by anything but the applicant, so the records of one stand all
    over a file. One pass over each table therefore parts its records by partition. They are held in memory
    while they are few, and are laid out on the disk, one Parquet file at a time for each table and partition,
    as soon as they are many; a partition is then read back whole. Held all the time are the numbers of the
    applicants and of their credits only.

    Parameters
    ----------
    path : Path or str
        As for `read`.
    population : {"train", "test"}
        Which applications.
    columns : mapping of str to collection of str, optional
        Raw columns to read, as for `read`.

    Raises
    ------
    TableError
        As `read`; what is wrong with a history table is found when `portfolios` is asked.
    """

    def __init__(
        self, path: Path | str, population: Population = "train", columns: Columns | None = None
    ) -> None:
        self._path = Path(path)
        self._population: Population = population
        self._columns = columns
        with applications_file(self._path, population, self._kinds(APPLICATIONS)) as (file, kinds):
            keys = {name: kind for name, kind in kinds.items() if name in (KEY, LABEL)}
            frame = file.read(keys, BATCH)
            check_keys(file, frame)
        self.applicants = frame[KEY]

    def __len__(self) -> int:
        """Return the number of applications."""
        return self.applicants.len()

    def portfolios(
        self, rows: npt.NDArray[np.integer[Any]], size: int, folder: Path | None = None
    ) -> Generator[Portfolio, None, None]:
        """Give some applications in partitions, in order; the last one may be smaller.

        Parameters
        ----------
        rows : ndarray of int
            Positions of the applications that are wanted, ascending.
        size : int
            Applications in a partition.
        folder : Path, optional
            Where a temporary folder may be made; the system's place for them by default. It is removed when
            the last partition is given, and when the iterator is closed.
        """
        number = np.arange(rows.size)
        owners = pl.DataFrame(
            {
                KEY: self.applicants[rows],
                "part": (number // size).astype(np.uint32),
                "row": (number % size).astype(np.uint32),
            }
        )
        with ExitStack() as stack:
            shelves = _Shelves(folder, stack)
            self._sort(owners, shelves)
            for part in range(-(-rows.size // size)):
                applications = shelves.take(APPLICATIONS, part)
                history = {name: shelves.take(name, part) for name in shelves.tables if name != APPLICATIONS}
                yield Portfolio(applications, history)

    def _sort(self, owners: pl.DataFrame, shelves: _Shelves) -> None:
        """Read every table once, and put its records on the shelf of their partition."""
        kinds = self._kinds(APPLICATIONS)
        with applications_file(self._path, self._population, kinds) as (file, kinds):
            shelves.open(APPLICATIONS, kinds)
            for batch in file.frames(kinds, -(-BATCH // 10)):
                owned = batch.join(owners, on=KEY, how="inner", maintain_order="left")
                shelves.put(APPLICATIONS, owned.select("part", "row", *kinds))
        for table in history_tables(self._columns):
            with history_records(self._path, table, self._kinds(table), owners, BATCH) as found:
                if found is not None:
                    shelves.open(table, self._kinds(table))
                    for batch in found:
                        shelves.put(table, batch)
        say_missing(self._path, self._columns, shelves.tables)

    def _kinds(self, table: str) -> dict[str, str]:
        return wanted(self._columns, table)


class _Shelves:
    """Records by table and partition: in memory while they are few, on the disk from then on."""

    def __init__(self, folder: Path | None, stack: ExitStack) -> None:
        self.tables: dict[str, dict[str, pl.DataType]] = {}
        self._place = folder
        self._stack = stack  # removes the temporary folder
        self._folder: Path | None = None
        self._held: dict[tuple[str, int], list[pl.DataFrame]] = {}
        self._bytes = self._files = 0

    def open(self, table: str, kinds: dict[str, str]) -> None:
        """Make room for a table, which may have no record."""
        self.tables[table] = {"row": pl.UInt32(), **{name: DTYPES[kind] for name, kind in kinds.items()}}

    def put(self, table: str, records: pl.DataFrame) -> None:
        """Add records, which say their ``part``; they keep their order."""
        parts = records.partition_by("part", maintain_order=True, include_key=False, as_dict=True)
        for (part,), frame in parts.items():
            self._held.setdefault((table, int(part)), []).append(frame)
        self._bytes += int(records.estimated_size())
        if self._bytes > HELD_BYTES:
            self._write()

    def take(self, table: str, part: int) -> pl.DataFrame:
        """Return the records of a partition, and forget them."""
        frames = self._held.pop((table, part), [])
        if self._folder is not None:
            files = sorted(self._folder.glob(f"{table}-{part}-*.parquet"))
            frames = [pl.read_parquet(file) for file in files] + frames
            for file in files:
                file.unlink()
        return pl.concat([pl.DataFrame(schema=self.tables[table]), *frames])

    def _write(self) -> None:
        if self._folder is None:
            made = tempfile.TemporaryDirectory(prefix="records-", dir=self._place)
            self._folder = Path(self._stack.enter_context(made))
        for (table, part), frames in self._held.items():
            path = self._folder / f"{table}-{part}-{self._files:06d}.parquet"
            pl.concat(frames).write_parquet(path, compression="lz4", statistics=False)
        self._held.clear()
        self._bytes, self._files = 0, self._files + 1
