"""The decisions of shipped files as Parquet in a store, by model, which has its own columns, and day.

An event may be in the logs of two machines, which were sent one request with one Idempotency-Key, or in two
copies of a log. Of two objects that have an event, the one whose key comes first keeps it. Who ships leaves
out what an earlier key has, and when its own objects are there, looks once more at all that came meanwhile:
of two at once, the one that looks last sees both. So no event is left out by both, and none is there twice.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import polars as pl

from scoring.inference_log.pieces import SetAside
from scoring.inference_log.reader import of_models
from scoring.inference_log.store import ShippingError, Store, put_checked

DECISIONS = "decisions"
PART_ROWS = 32_768  # of an object: with 521 inputs 140 MB are in memory
DAYS_APART = timedelta(days=1)  # a request that is sent again later than that is another
EVENT = "event_id"


@dataclass
class Part:
    """Decisions that will be an object of the store, as Parquet, and their events."""

    key: str
    content: bytes
    events: pl.Series

    @classmethod
    def of(cls, key: str, table: pl.DataFrame) -> Part:
        """Return the part of a table."""
        return cls(key, content(table), table[EVENT])

    def without(self, events: pl.Series) -> int:
        """Leave events out; return how many were here."""
        return self._keep(~self.events.is_in(events.implode()))

    def once(self) -> int:
        """Leave out what is repeated; return how many that were."""
        return self._keep(self.events.is_first_distinct())

    def _keep(self, kept: pl.Series) -> int:
        if not kept.all():
            self.content = content(pl.read_parquet(self.content).filter(kept))
            self.events = self.events.filter(kept)
        return int((~kept).sum())


def of_day(store: Store, day: str) -> list[str]:
    """Return the keys of the objects that have decisions of a day."""
    found = (store.keys(f"{DECISIONS}/{model}/day={day}") for model in store.folders(DECISIONS))
    return sorted(key for keys in found for key in keys)


def parts_of(file: Path, name: str, set_aside: SetAside) -> Iterator[Part]:
    """Give the decisions of a file of the log, by model, in parts of one size.

    Parameters
    ----------
    file : Path
        As it was written.
    name : str
        Under which it is shipped.
    set_aside : SetAside
        Gets the lines that are no records.
    """
    waiting: dict[str, pl.DataFrame] = {}
    count: dict[str, int] = {}

    def part(model: str, table: pl.DataFrame) -> Part:
        number = count[model] = count.get(model, -1) + 1
        place = f"{DECISIONS}/model={quote(model, safe='')}/day={file.name[:10]}"
        key = f"{place}/{name}.{number:05}.parquet"
        return Part.of(key, table)

    for model, table in of_models(file, set_aside):
        more = pl.concat([waiting[model], table], how="diagonal") if model in waiting else table
        while more.height >= PART_ROWS:
            yield part(model, more.head(PART_ROWS))
            more = more.tail(-PART_ROWS)
        waiting[model] = more
    for model, table in waiting.items():
        if table.height:
            yield part(model, table)


def add(store: Store, parts: Sequence[Part]) -> int:
    """Put parts into a store; return how many events are left out, since another object had them.

    Raises
    ------
    ShippingError
        If the store cannot be used; the same parts may be put again.
    """
    if not parts:
        return 0
    ordered = sorted(parts, key=lambda part: part.key)
    own, doubled = {part.key for part in parts}, 0
    seen = _beside(store, own)
    for key in seen:
        if key < ordered[-1].key and (events := _events(store, key)) is not None:
            doubled += sum(part.without(events) for part in ordered if key < part.key)
    before = pl.Series(EVENT, [], pl.String)
    for part in ordered:
        doubled += part.once() + part.without(before)
        before = pl.concat([before, part.events])
    for part in ordered:
        put_checked(store, part.key, part.content)
    for key in _beside(store, own):
        if (key in seen and key < ordered[0].key) or (events := _events(store, key)) is None:
            continue
        for part in ordered:
            both = part.events.filter(part.events.is_in(events.implode()))
            if both.len() and part.key < key:
                remove(store, key, both)
            elif both.len() and key not in seen:
                doubled += remove(store, part.key, both)
    return doubled


def remove(store: Store, key: str, events: pl.Series, who: str | None = None) -> int:
    """Take events out of an object, and whatever is of a person; return how many were in it."""
    gone = pl.col(EVENT).is_in(events.implode()) | pl.col("applicant").eq_missing(pl.lit(who))
    there = _columns(store, key, EVENT, "applicant")
    if there is None or not (count := there.filter(gone).height):
        return 0
    table = _table(store, key)
    if table is not None:
        put_checked(store, key, content(table.filter(~gone)))
    return count


def events_of(store: Store, who: str) -> list[str]:
    """Return the events of a person, by the pseudonym, in a whole store."""
    found: list[str] = []
    for key in sorted(store.keys(DECISIONS)):
        if (table := _columns(store, key, EVENT, "applicant")) is not None:
            found += table.filter(pl.col("applicant") == who)[EVENT].to_list()
    return found


def compare(store: Store, keys: Sequence[str], file: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Compare objects with the file of the log that they were made of, a little of both at a time.

    Returns
    -------
    list of (str, str)
        Objects that do not say what the file says, and why.
    list of str
        Events of the file that none of them has.
    """
    by_model: dict[str, _Compared] = {}
    for model in dict.fromkeys(key.split("/")[1] for key in keys):
        by_model[model] = _Compared(store, [key for key in sorted(keys) if key.split("/")[1] == model])
    missing: list[str] = []
    for model, table in of_models(file, SetAside()):
        compared = by_model.setdefault(f"model={quote(model, safe='')}", _Compared(store, []))
        missing += compared.without(table)
    for compared in by_model.values():
        compared.end()
    return [fault for compared in by_model.values() for fault in compared.wrong], missing


class _Compared:
    """The objects of a model and a file, in whose order they have the file's decisions."""

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        self.wrong: list[tuple[str, str]] = []
        self._store = store
        self._keys = list(keys)
        self._key = ""
        self._left = pl.DataFrame(schema={EVENT: pl.String})

    def without(self, table: pl.DataFrame) -> list[str]:
        """Compare with the next decisions of the file; return events of these that no object has."""
        table = table.unique(EVENT, keep="first", maintain_order=True)
        while True:
            is_here = self._left[EVENT].is_in(table[EVENT].implode())
            own = table.filter(pl.col(EVENT).is_in(self._left[EVENT].implode()))
            both = pl.concat([own, self._left.filter(is_here)], how="diagonal_relaxed")
            if not both.head(own.height).equals(both.tail(own.height)):
                self.wrong.append((self._key, "the table does not say what its file says"))
            table = table.filter(~pl.col(EVENT).is_in(self._left[EVENT].implode()))
            self._left = self._left.filter(~is_here)
            if self._left.height or not self._next():
                return table[EVENT].to_list()

    def end(self) -> None:
        """Look at what the file did not lead to."""
        while True:
            if self._left.height:
                self.wrong.append(
                    (self._key, f"the table has {self._left.height} decisions that its file has not")
                )
            if not self._next():
                return

    def _next(self) -> bool:
        """Take up the next object that can be read."""
        while self._keys:
            self._key = self._keys.pop(0)
            try:
                found = _table(self._store, self._key)
            except ShippingError as error:
                self.wrong.append((self._key, str(error)))
                continue
            if found is None:
                self.wrong.append((self._key, "the table is gone"))
                continue
            self._left = found
            return True
        return False


def all_events(store: Store) -> Iterator[tuple[str, pl.Series]]:
    """Give the objects of a store with their events; one that cannot be read has none."""
    for key in sorted(store.keys(DECISIONS)):
        with suppress(ShippingError):
            if (events := _events(store, key)) is not None:
                yield key, events


def _beside(store: Store, own: Iterable[str]) -> list[str]:
    """Return the keys of the other objects of some objects' days, and of the days around them."""
    days = {date.fromisoformat(key.split("/")[2].removeprefix("day=")) for key in own}
    days |= {day + step for day in days for step in (DAYS_APART, -DAYS_APART)}
    found = (key for day in sorted(days) for key in of_day(store, day.isoformat()))
    return sorted(key for key in found if key not in own)


def _events(store: Store, key: str) -> pl.Series | None:
    """Return the events of an object, None if it went meanwhile."""
    found = _columns(store, key, EVENT)
    return None if found is None else found[EVENT]


def _columns(store: Store, key: str, *names: str) -> pl.DataFrame | None:
    """Return columns of an object, and read no others wherever it is; None if it went meanwhile."""
    from pyarrow import ArrowException, parquet

    file = store.opened(key)
    if file is None:
        return None
    with file:
        try:
            return pl.DataFrame(parquet.read_table(file, columns=list(names))).select(names)
        except (ArrowException, pl.exceptions.PolarsError) as error:
            raise _harmed(store, key) from error


def _table(store: Store, key: str) -> pl.DataFrame | None:
    """Return an object, None if it went meanwhile."""
    file = store.opened(key)
    if file is None:
        return None
    with file:
        try:
            return pl.read_parquet(file.read())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _harmed(store, key) from error


def _harmed(store: Store, key: str) -> ShippingError:
    name = key.rpartition("/")[2]
    return ShippingError(
        f"in the store {store}, {key} is no Parquet of decisions: it was cut or changed. Remove it and the "
        f"manifest {name[: -len('.00000.parquet')]}.json, and ship again: what the log has is written anew."
    )


def content(table: pl.DataFrame) -> bytes:
    """Return a table as Parquet."""
    sink = io.BytesIO()
    table.write_parquet(sink, compression="zstd", row_group_size=PART_ROWS)
    return sink.getvalue()
