"""A portfolio in buckets of applicants on disk: every table read once, then each bucket by itself.

Applicants are put into a fixed number of buckets by a hash of SK_ID_CURR, with all their records, so that a
bucket is scored without the others, on any machine, in the same memory whatever the size of the portfolio.
Neither the applicants nor the credits are ever in memory together: ``bureau_balance``, which knows its credit
alone, is brought beside ``bureau`` by a hash of the credit first.

A layout is a folder with a folder for each table, in it one Arrow stream for each bucket, and
``layout.json``, which comes last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from scoring.schema import KEY
from scoring.tables.faults import Place, TableError, unreadable
from scoring.tables.files import File, open_table, source_files
from scoring.tables.portfolio import DTYPES, LINK, Columns, Portfolio, wanted
from scoring.tables.reading import Population, applications_file, check_labels, history_tables
from scoring.tables.streams import Streams, slices

FORMAT = 1
APPLICATIONS = "application"
APPLICANTS = 10_000  # of a bucket, about
CREDITS = 1_000_000  # that are held at a time while their months are brought to them, about
ABREAST = 512  # files that are written at a time; beyond, the buckets are made in two steps
CELLS = 1_000_000  # read at a time, about: of a narrow table many records, which are joined at once
POSITION = "position"  # of a record in its table, from 0
LAYOUT = "layout.json"
Table = dict[str, Any]
"""What is known of a table that is laid out: ``records``, ``ownerless`` of them, ``files``."""


def buckets_for(applications: int) -> int:
    """Return the number of buckets of a portfolio: the same on every machine."""
    return max(1, -(-applications // APPLICANTS))


def bucket_of(keys: pl.Series, buckets: int) -> npt.NDArray[np.int64]:
    """Return the bucket of each number, of an applicant or of a credit: the end of splitmix64, modulo."""
    x = keys.to_numpy().astype(np.int64).view(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(buckets)).astype(np.int64)


@dataclass(frozen=True)
class BucketPlan:
    """What is laid out, and how: JSON can hold it.

    Attributes
    ----------
    source : str
        The portfolio's folder or zip.
    population : {"train", "test"}
        Which applications.
    columns : dict of str to list of str
        Raw columns by table, as for `read`.
    buckets : int
    fingerprint : str
        Changes when the files do.
    """

    source: str
    population: Population
    columns: dict[str, list[str]]
    buckets: int
    fingerprint: str

    @classmethod
    def of(
        cls, source: Path, population: Population, columns: Columns, buckets: int | None = None
    ) -> BucketPlan:
        """Look at a portfolio.

        Raises
        ------
        TableError
            If it has no table of these applications, or that cannot be read.
        """
        with applications_file(source, population, wanted(columns, APPLICATIONS)) as (file, _):
            count = file.raw.records
        if not count:
            raise TableError("no_application", file=file.label)
        facts = []
        for table in ("", *history_tables(columns)):
            for path in source_files(source, table or f"application_{population}"):
                about = path.stat()
                facts.append((path.name, about.st_size, about.st_mtime_ns))
        digest = hashlib.sha256(repr(facts).encode()).hexdigest()
        named = {table: sorted(names) for table, names in columns.items()}
        return cls(str(source.resolve()), population, named, buckets or buckets_for(count), digest)

    @property
    def tables(self) -> list[str]:
        """The tables to lay out, the applications first."""
        return [APPLICATIONS, *history_tables(self.columns)]

    def kinds(self, table: str) -> dict[str, str]:
        """Return the kinds of the columns of a table that a bucket gives, but for its key."""
        kinds = wanted(self.columns, table)
        kinds.pop(KEY, None)
        return kinds


class LayoutError(ValueError):
    """A layout that cannot be used; the text says why, and the remedy."""


def lay_out(plan: BucketPlan, table: str, folder: Path) -> None:
    """Put the records of one table into their buckets: all of them, or nothing is left.

    The tables are laid out one by one, in any order, maybe by several processes; one that is there already is
    left as it is. `finish` comes after all.

    Raises
    ------
    TableError
        As `read`; what is wrong between two records of one applicant is found when its bucket is read.
    """
    done = _about(folder, table)
    if done.is_file():
        return
    draft = folder / f".{table}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        found = (_applications if table == APPLICATIONS else _history)(plan, table, draft)
        if found is not None:
            shutil.rmtree(folder / table, ignore_errors=True)
            draft.replace(folder / table)
        _write_json(done, found)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def finish(plan: BucketPlan, folder: Path) -> None:
    """Write down that all tables are laid out."""
    tables = {table: json.loads(_about(folder, table).read_text(encoding="utf-8")) for table in plan.tables}
    _write_json(folder / LAYOUT, {"format": FORMAT, **vars(plan), "tables": tables})
    for table in tables:
        _about(folder, table).unlink()


def sweep(folder: Path) -> None:
    """Remove what a killed process left half laid out; none may be at work."""
    for left in folder.glob(".*.[0-9]*"):
        shutil.rmtree(left, ignore_errors=True)


@dataclass(frozen=True)
class ApplicantBucket:
    """The applicants of a bucket, in the order of their numbers, each with all its records.

    Attributes
    ----------
    portfolio : Portfolio
    positions : polars.Series
        Of the applications in their table, from 0.
    matched, orphans : dict of str to int
        Records of each history table with an application of this population, and without.
    """

    portfolio: Portfolio
    positions: pl.Series
    matched: dict[str, int]
    orphans: dict[str, int]


def assembled(plan: BucketPlan, found: Mapping[str, pl.DataFrame], tables: Sequence[str]) -> ApplicantBucket:
    """Return a bucket of its records by table; ``tables`` are those of the portfolio.

    Raises
    ------
    TableError
        If an applicant stands twice.
    """

    def records(table: str) -> pl.DataFrame:
        frame = found.get(table)
        if frame is None:  # nobody of it is in this bucket
            return pl.DataFrame(schema=_schema(plan, table))
        is_in_order = POSITION not in frame.columns or frame[POSITION].is_sorted()
        return frame if is_in_order else frame.sort(POSITION)  # they came by another way

    applications = records(APPLICATIONS).sort(KEY)
    twice = applications.filter(pl.col(KEY).is_duplicated())
    if twice.height:
        places = twice.filter(pl.col(KEY) == twice[KEY][0])[POSITION].sort()
        raise TableError(
            "repeated_number",
            file=f"application_{plan.population}",
            name=KEY,
            place=Place("at_row", places[0] + 1),
            times=places.len(),
            next=Place("at_row", places[1] + 1),
            others=twice[KEY].n_unique(),
        )
    owners = applications.select(KEY).with_row_index("row")
    history, matched, orphans = {}, {}, {}
    for table in tables:
        if table == APPLICATIONS:
            continue
        all_of_it = records(table)
        owned = all_of_it.join(owners, on=KEY, how="inner", maintain_order="left")
        history[table] = owned.select("row", *plan.kinds(table))
        matched[table], orphans[table] = owned.height, all_of_it.height - owned.height
    names = [name for name in _schema(plan, APPLICATIONS) if name != POSITION]
    portfolio = Portfolio(applications.select(names).with_row_index("row"), history)
    return ApplicantBucket(portfolio, applications[POSITION], matched, orphans)


class Buckets:
    """A layout that is whole.

    Raises
    ------
    LayoutError
        If it is not, or was made for other columns.
    """

    def __init__(self, folder: Path, columns: Columns) -> None:
        self.folder = folder
        try:
            said = json.loads((folder / LAYOUT).read_text(encoding="utf-8"))
            if said.pop("format") != FORMAT:
                raise LayoutError(f"{folder} was made by another version of the code; make it again.")
            self.tables: dict[str, Table | None] = said.pop("tables")
            self.plan = BucketPlan(**said)
        except LayoutError:
            raise
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            raise LayoutError(f"{folder} is no portfolio in buckets; make it again.") from None
        if self.plan.columns != {table: sorted(names) for table, names in columns.items()}:
            raise LayoutError(f"{folder} has other columns than the features read now; make it again.")

    def __len__(self) -> int:
        """Return the number of buckets."""
        return self.plan.buckets

    @staticmethod
    def are_at(folder: Path) -> bool:
        """Say whether a folder is a layout."""
        return (folder / LAYOUT).is_file()

    def read(self, number: int) -> ApplicantBucket:
        """Return a bucket.

        Raises
        ------
        TableError
            If an applicant stands twice, or the file of the bucket is damaged.
        """
        tables = [table for table in self.plan.tables if self.tables[table] is not None]
        return assembled(self.plan, {table: self._stream(table, number) for table in tables}, tables)

    def _stream(self, table: str, number: int) -> pl.DataFrame:
        path = self.folder / table / f"{number:06d}.arrow"
        if not path.exists():  # nobody of it is in this bucket
            return pl.DataFrame(schema=_schema(self.plan, table))
        try:
            return pl.read_ipc_stream(path).rechunk()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(str(path)) from error


def _applications(plan: BucketPlan, table: str, draft: Path) -> Table:
    kinds = {KEY: "id"} | plan.kinds(table)
    with applications_file(Path(plan.source), plan.population, kinds) as (file, kinds):
        before = 0

        def frames() -> Iterator[pl.DataFrame]:
            nonlocal before
            for frame in file.frames(kinds, _records(kinds)):
                check_labels(file.label, frame, partial(_place, file, before))
                yield _placed(frame, before)
                before += frame.height

        _sort(frames(), plan.buckets, draft)
        return _said(plan, f"application_{plan.population}", file, 0)


def _history(plan: BucketPlan, table: str, draft: Path) -> Table | None:
    source, kinds = Path(plan.source), plan.kinds(table)
    if table == "bureau_balance":
        return _balances(plan, draft)
    with open_table(source, table) as file:
        if file is None:
            return None
        read = {KEY: "id"} | kinds
        file.check(read)
        count = _Owned(KEY)
        _sort(count.of(file.frames(read, _records(read))), plan.buckets, draft)
        return _said(plan, table, file, count.without)


def _balances(plan: BucketPlan, draft: Path) -> Table | None:
    """Bring each month of a credit to the applicant of that credit, some credits at a time."""
    source, kinds = Path(plan.source), plan.kinds("bureau_balance")
    credits, months = draft / ".credits", draft / ".months"
    with open_table(source, "bureau") as file:
        if file is None:
            return None  # its months belong to nobody then
        links = {KEY: "id", LINK: "id"}
        file.check(links)
        slots = min(ABREAST, max(1, -(-file.raw.records // CREDITS)))
        known = (frame.drop_nulls() for frame in file.frames(links, _records(links)))
        _write(known, LINK, lambda keys: bucket_of(keys, slots), credits)
        label = file.label
    with open_table(source, "bureau_balance") as file:
        if file is None:
            return None
        file.check(kinds)
        count, before = _Owned(LINK), 0

        def placed() -> Iterator[pl.DataFrame]:
            nonlocal before
            for frame in file.frames(kinds, _records(kinds)):
                # By one way alone they keep their order.
                yield _placed(frame, before) if slots > 1 else frame
                before += frame.height

        def owned() -> Iterator[pl.DataFrame]:
            if slots == 1:
                yield from joined(count.of(placed()), credits / "000000.arrow")
                return
            _write(count.of(placed()), LINK, lambda keys: bucket_of(keys, slots), months)
            for slot in sorted(months.glob("*.arrow")):
                yield from joined(slices(slot), credits / slot.name)
                slot.unlink()

        def joined(frames: Iterator[pl.DataFrame], beside: Path) -> Iterator[pl.DataFrame]:
            empty = pl.DataFrame(schema={KEY: pl.Int64, LINK: pl.Int64})
            owners = pl.read_ipc_stream(beside) if beside.exists() else empty
            if twice := owners.filter(pl.col(LINK).is_duplicated()).height:
                raise TableError("shared_value", file=label, name=LINK, lines=twice)
            for frame in _longer(frames, owners.height):
                found = frame.join(owners, on=LINK, how="inner", maintain_order="left")
                count.without += frame.height - found.height
                yield found.select(name for name in _schema(plan, "bureau_balance") if name in found.columns)

        _sort(owned(), plan.buckets, draft)
        for folder in (credits, months):
            shutil.rmtree(folder, ignore_errors=True)
        return _said(plan, "bureau_balance", file, count.without)


def _longer(frames: Iterator[pl.DataFrame], records: int) -> Iterator[pl.DataFrame]:
    """Put frames together to so many records: what they are joined to is hashed for each of them anew."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(one.height for one in held) >= records:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _records(kinds: Mapping[str, str]) -> int:
    return CELLS // len(kinds)


def _place(file: File, before: int, row: int) -> Place:
    return file.raw.place(before + row + 1)


class _Owned:
    """Counts the records that name nobody, and leaves them out."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.without = 0

    def of(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for frame in frames:
            found = frame.filter(pl.col(self.key).is_not_null()) if frame[self.key].null_count() else frame
            self.without += frame.height - found.height
            yield found


def _placed(frame: pl.DataFrame, before: int) -> pl.DataFrame:
    position = pl.Series(POSITION, np.arange(before, before + frame.height))
    return frame.with_columns(position)


def _schema(plan: BucketPlan, table: str) -> dict[str, pl.DataType]:
    """Return the columns of the streams of a table."""
    kinds = {KEY: "id"} | plan.kinds(table)
    if table == APPLICATIONS and plan.population == "train":
        kinds = {KEY: "id", "TARGET": "integer"} | kinds
    is_placed = table in (APPLICATIONS, "bureau_balance")
    return {name: DTYPES[kind] for name, kind in kinds.items()} | (
        {POSITION: pl.Int64()} if is_placed else {}
    )


def _sort(frames: Iterator[pl.DataFrame], buckets: int, folder: Path) -> None:
    """Write records to the files of their buckets; beyond so many files at a time, in two steps."""
    if buckets <= ABREAST:
        _write(frames, KEY, lambda keys: bucket_of(keys, buckets), folder)
        return
    step = -(-buckets // ABREAST)
    groups = folder / ".groups"
    _write(frames, KEY, lambda keys: bucket_of(keys, buckets) // step, groups)
    for group in sorted(groups.glob("*.arrow")):
        _write(slices(group), KEY, lambda keys: bucket_of(keys, buckets), folder)
        group.unlink()
    groups.rmdir()


def _write(
    frames: Iterator[pl.DataFrame],
    key: str,
    places: Callable[[pl.Series], npt.NDArray[np.int64]],
    folder: Path,
) -> None:
    folder.mkdir(exist_ok=True)
    with Streams(folder) as streams:
        for frame in frames:
            streams.put(frame, places(frame[key]))


def _said(plan: BucketPlan, table: str, file: File, ownerless: int) -> Table:
    source = Path(plan.source)
    is_said_already = source.is_file() and not table.startswith(APPLICATIONS)  # a zip holds all tables
    files = [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": _digest(path)}
        for path in ([] if is_said_already else source_files(source, table))
    ]
    return {"records": file.raw.records, "ownerless": ownerless, "files": files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _about(folder: Path, table: str) -> Path:
    return folder / f"{table}.json"


def _write_json(path: Path, value: Mapping[str, Any] | None) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)
