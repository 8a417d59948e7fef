"""Writing a stream of the log to a table of any size, in the memory of a small part of it.

Of the whole log only the ids and times are held, to bring the decisions into order; the rest waits on the
disk beside the table that is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from polars.io.plugins import register_io_source

from scoring.inference_log.disk import FILE_MODE
from scoring.inference_log.pieces import Quarantined
from scoring.inference_log.reader import add_types
from scoring.inference_log.record import LogError
from scoring.spreadsheet import harmless

ROWS = 4_096  # written at a time
GROUP_ROWS = 16_384  # of a Parquet file: what is held for it, and how finely it can be read


@dataclass(frozen=True)
class Exported:
    """What was written, and what was left out of it."""

    rows: int
    columns: int
    duplicates: int
    quarantined: tuple[Quarantined, ...]


def export(
    out: Path, tables: Iterable[pl.DataFrame], quarantined: Callable[[], tuple[Quarantined, ...]]
) -> Exported:
    """Write tables of decisions to one, ordered by time, each event once.

    Parameters
    ----------
    out : Path
        A .parquet or .csv file that does not exist yet. It appears whole or not at all.
    tables : iterable of polars.DataFrame
        With ``event_id`` and ``time``; a column that one lacks is null in its rows.
    quarantined : callable
        Asked when all tables are read: what had to be left out of them.

    Raises
    ------
    LogError
        If it cannot be written, or the tables do not fit together.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise LogError(f"{out} is neither .parquet nor .csv; give one of the two.")
    if os.path.lexists(out):
        raise LogError(f"{out} exists already; give another name.")
    if not out.parent.is_dir():
        raise LogError(f"there is no folder {out.parent} for {out.name}; make it first.")
    try:
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            parts = Path(scratch)
            order, schema, duplicates = _spool(tables, parts)
            is_csv = out.suffix == ".csv"
            source = register_io_source(lambda *_: _in_order(order, schema, parts, is_csv), schema=schema)
            draft = parts / f"table{out.suffix}"
            if is_csv:
                source.sink_csv(draft)
            else:
                source.sink_parquet(draft, row_group_size=GROUP_ROWS)
            draft.chmod(FILE_MODE)
            draft.rename(out)
    except OSError as error:
        raise LogError(f"{out} cannot be written: {error.strerror or error}.") from error
    return Exported(order.height, len(schema), duplicates, quarantined())


def _spool(tables: Iterable[pl.DataFrame], folder: Path) -> tuple[pl.DataFrame, pl.Schema, int]:
    """Put tables into files of a folder; return where each event is, by time, their columns, and repeats."""
    places: list[pl.DataFrame] = []
    types: dict[str, pl.DataType] = {}
    for number, table in enumerate(tables):
        add_types(types, table)
        if table.is_empty():
            continue
        table.write_ipc(folder / f"{number}.arrow")
        place = (
            pl.lit(number, pl.UInt32).alias("part"),
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        )
        places.append(table.select("event_id", "time", *place))
    if not places:
        return pl.DataFrame(schema={"part": pl.UInt32, "row": pl.UInt32}), pl.Schema(types), 0
    found = pl.concat(places)
    once = found.unique("event_id", keep="first", maintain_order=True).sort("time", "event_id")
    return once.select("part", "row"), pl.Schema(types), found.height - once.height


def _in_order(order: pl.DataFrame, schema: pl.Schema, folder: Path, is_csv: bool) -> Iterator[pl.DataFrame]:
    for some in order.iter_slices(ROWS):
        tables = [pl.DataFrame(schema=schema)]
        for (part,), rows in some.group_by("part", maintain_order=True):
            with (folder / f"{part}.arrow").open("rb") as file:  # a path may have signs of a pattern
                tables.append(pl.read_ipc(file)[rows["row"]])
        table = pl.concat(tables, how="diagonal").sort("time", "event_id")
        yield harmless(table) if is_csv else table
