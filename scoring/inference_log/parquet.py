"""The decisions of shipped files as Parquet in a store, by model, which has its own columns, and day.

An event may be in the logs of two machines, which were sent one request with one Idempotency-Key, or in two
copies of a log. Of two objects that have an event, the one whose key comes first keeps it. Who ships leaves
out what an earlier key has, and when its own objects are there, looks once more at all that came meanwhile:
of two at once, the one that looks last sees both. So no event is left out by both, and none is there twice.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import polars as pl

from scoring.inference_log.reader import SetAside, of_models
from scoring.inference_log.store import Store, put_checked

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
    file = store.opened(key)
    if file is None:
        return 0
    with file:
        table = pl.read_parquet(file.read())
    gone = pl.col(EVENT).is_in(events.implode()) | pl.col("applicant").eq_missing(pl.lit(who))
    kept = table.filter(~gone)
    if kept.height < table.height:
        put_checked(store, key, content(kept))
    return table.height - kept.height


def events_of(store: Store, who: str) -> list[str]:
    """Return the events of a person, by the pseudonym, in a whole store."""
    from pyarrow import parquet

    found: list[str] = []
    for key in sorted(store.keys(DECISIONS)):
        if (file := store.opened(key)) is not None:
            with file:
                table = pl.DataFrame(parquet.read_table(file, columns=[EVENT, "applicant"]))
            found += table.filter(pl.col("applicant") == who)[EVENT].to_list()
    return found


def _beside(store: Store, own: Iterable[str]) -> list[str]:
    """Return the keys of the other objects of some objects' days, and of the days around them."""
    days = {date.fromisoformat(key.split("/")[2].removeprefix("day=")) for key in own}
    days |= {day + step for day in days for step in (DAYS_APART, -DAYS_APART)}
    found = (key for day in sorted(days) for key in of_day(store, day.isoformat()))
    return sorted(key for key in found if key not in own)


def _events(store: Store, key: str) -> pl.Series | None:
    """Return the events of an object, None if it went meanwhile."""
    from pyarrow import parquet  # reads one column without the others, wherever the object is

    file = store.opened(key)
    if file is None:
        return None
    with file:
        return pl.DataFrame(parquet.read_table(file, columns=[EVENT]))[EVENT]


def content(table: pl.DataFrame) -> bytes:
    """Return a table as Parquet."""
    sink = io.BytesIO()
    table.write_parquet(sink, compression="zstd", row_group_size=PART_ROWS)
    return sink.getvalue()
