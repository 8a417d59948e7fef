"""A portfolio from its tables on disk, each of them checked, the histories joined to their applicants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import polars as pl

from scoring.schema import APPLICATION_TABLES, HISTORY, KEY
from scoring.tables.faults import Place, TableError
from scoring.tables.files import LABEL, File, open_table
from scoring.tables.portfolio import DTYPES, LINK, Columns, Portfolio, wanted

logger = logging.getLogger(__name__)

Population = Literal["train", "test"]
BATCH = 262_144  # records of a table read at a time


def read(
    path: Path | str,
    population: Population = "train",
    columns: Columns | None = None,
) -> Portfolio:
    """Read a portfolio from a Kaggle folder, the Kaggle zip, or a folder of Parquet tables.

    A table is ``bureau.csv``, ``bureau.parquet``, or a folder ``bureau`` of Parquet parts. History of
    applicants outside the population is left out. A missing history table is said in the log.

    Parameters
    ----------
    path : Path or str
        The folder or the zip.
    population : {"train", "test"}
        Which application table to read; the first one is labelled with TARGET.
    columns : mapping of str to collection of str, optional
        Raw columns to read by table: "application" and the Kaggle names of the history tables. A history
        table that is not named is not read. None reads everything.

    Raises
    ------
    TableError
        If a file is missing, empty, damaged or truncated, a column is missing, a value has the wrong
        type, SK_ID_CURR stands twice, or TARGET is not 0 or 1.
    """
    path = Path(path)
    with applications_file(path, population, wanted(columns, "application")) as (file, kinds):
        applications = file.read(kinds, BATCH)
        check_keys(file, applications)
    applications = applications.with_row_index("row")
    owners = applications.select(KEY, "row")
    history: dict[str, pl.DataFrame] = {}
    for table in history_tables(columns):
        with history_records(path, table, wanted(columns, table), owners) as found:
            if found is not None:
                history[table] = pl.concat(found, rechunk=True)
    say_missing(path, columns, history)
    logger.info(
        "portfolio read: %d applications (%s), %d history records in %d tables",
        applications.height, population, sum(frame.height for frame in history.values()), len(history),
    )  # fmt: skip
    return Portfolio(applications, history)


@contextmanager
def applications_file(
    path: Path, population: Population, kinds: dict[str, str]
) -> Iterator[tuple[File, dict[str, str]]]:
    """Open the application table of a population; the kinds of its columns have its TARGET, for train."""
    table = APPLICATION_TABLES[population]
    if population == "train":
        kinds = {KEY: kinds[KEY], LABEL: "integer"} | kinds
    with open_table(path, table) as file:
        if file is None:
            raise TableError("missing_table", file=str(path), table=table)
        file.check(kinds)
        yield file, kinds


def check_keys(file: File, frame: pl.DataFrame) -> None:
    """Refuse applications without a number or with one that stands twice, and labels that are none."""
    if frame.is_empty():
        raise TableError("no_application", file=file.label)

    def place(positions: pl.Series, which: int = 0) -> Place:
        return file.raw.place(int(positions[which]) + 1)

    check_labels(file.label, frame, lambda row: file.raw.place(row + 1))
    twice = frame[KEY].is_duplicated()
    if twice.any():
        same = (frame[KEY] == frame[KEY].filter(twice)[0]).arg_true()
        raise TableError(
            "repeated_number",
            file=file.label,
            name=KEY,
            place=place(same),
            times=same.len(),
            next=place(same, 1),
            others=frame[KEY].filter(twice).n_unique(),
        )


def check_labels(label: str, frame: pl.DataFrame, place: Callable[[int], Place]) -> None:
    """Refuse applications without a number, and labels that are none; ``place`` says where a row stands."""
    for name in (KEY, LABEL):
        if name in frame.columns and frame[name].null_count():
            missing = int(frame[name].is_null().arg_true()[0])
            raise TableError("no_value", file=label, name=name, place=place(missing))
    if LABEL in frame.columns:
        wrong = (~frame[LABEL].is_in([0, 1])).arg_true()
        if wrong.len():
            raise TableError("wrong_label", file=label, name=LABEL, place=place(int(wrong[0])))


def history_tables(columns: Columns | None) -> list[str]:
    """Name the history tables that are asked for."""
    return [table for table in HISTORY if columns is None or table in columns]


def say_missing(path: Path, columns: Columns | None, found: Collection[str]) -> None:
    """Say in the log which history tables were asked for and are not there."""
    if missing := [table for table in history_tables(columns) if table not in found]:
        logger.warning("%s has no %s: going on without", path, ", ".join(missing))


@contextmanager
def history_records(
    path: Path, table: str, kinds: dict[str, str], owners: pl.DataFrame, rows: int = BATCH
) -> Iterator[Iterator[pl.DataFrame] | None]:
    """Open a history table for the records of some applicants, or give None where it is absent.

    Parameters
    ----------
    path, table
        Where it is, and its Kaggle name.
    kinds : dict of str to str
        Columns to read.
    owners : polars.DataFrame
        SK_ID_CURR of the applicants, and what each of their records shall carry: ``row``, say.
    rows : int
        Records to read at a time.
    """
    key, places = KEY, [name for name in owners.columns if name != KEY]
    if table == "bureau_balance":
        key = LINK
        with open_table(path, "bureau") as file:
            if file is None:
                yield None  # its months belong to nobody then
                return
            links = {KEY: "id", LINK: "id"}
            file.check(links)
            credits = pl.concat(_owned(file, links, owners, KEY, rows))
            owners = credits.select(LINK, *places)
            if twice := owners.filter(pl.col(LINK).is_duplicated()).height:
                raise TableError("shared_value", file=file.label, name=LINK, lines=twice)
    with open_table(path, table) as file:
        if file is None:
            yield None
            return
        read = {key: "id"} | kinds
        file.check(read)
        yield (frame.select(*places, *kinds) for frame in _owned(file, read, owners, key, rows))


def _owned(
    file: File, kinds: dict[str, str], owners: pl.DataFrame, key: str, rows: int
) -> Iterator[pl.DataFrame]:
    """Give the records that have an owner, with what it has for them, in the order of the file."""
    places = [name for name in owners.columns if name != key]
    types = {name: DTYPES[kind] for name, kind in kinds.items()}
    yield pl.DataFrame(schema=types | {name: owners.schema[name] for name in places})
    for frame in file.frames(kinds, rows):
        yield frame.join(owners, on=key, how="inner", maintain_order="left")
