"""Reading the log: each file once, a part at a time, into the ledger; or the rows of a selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from monitoring.ledger import Day, Ledger
from monitoring.reference import InputError, Reference
from monitoring.tally import Tally, together
from scoring.inference_log import LogError, files, standing
from scoring.inference_log.reader import SetAside, inputs_tables

DECISION = "decision"
SAMPLE = 20_000  # rows of a selection that are kept
Numbers = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Selected:
    """Decisions of the log, counted, and a count of all that was left out.

    Attributes
    ----------
    tally : Tally
    sample : polars.DataFrame
        The reference's columns, ordered by time: all of them, or as many as were asked for.
    others : Counter
        Decisions by model and purpose that are not the asked ones.
    outside : int
        Decisions of the model that were not asked for.
    aside : Counter
        Lines that are no records, by cause.
    duplicates : int
        Records of an event that was there already.
    """

    tally: Tally
    sample: pl.DataFrame
    others: Counter[tuple[str, str]] = field(default_factory=Counter)
    outside: int = 0
    aside: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0


def names(log: Path) -> list[str]:
    """Return the names of the log's files, by day.

    Raises
    ------
    InputError
        If there is no log.
    """
    try:
        return files(log)
    except LogError as error:
        raise InputError(f"{error} --log takes it.") from None


def models(log: Path) -> list[str]:
    """Return the tags that decided, by name; for who names no model."""
    found: set[str] = set()
    for name in names(log):
        for part in inputs_tables(log, SetAside(), name):
            found |= set(part["model"].unique())
    return sorted(found)


def newest(log: Path, model: str | None, purpose: str) -> datetime | None:
    """Return when a model's newest decision was taken, None if it took none."""
    found = None
    for name in names(log):
        for part in parts(log, SetAside(), name):
            ours = part.filter(pl.col("model").eq_missing(pl.lit(model)) & (pl.col("purpose") == purpose))
            time = ours["time"].max()
            if isinstance(time, datetime) and (found is None or time > found):
                found = time
    return found


def update(
    ledger: Ledger,
    log: Path,
    reference: Reference,
    model: str,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Bring the ledger up to the log: files that are new or have changed are counted.

    Raises
    ------
    InputError
        If the log cannot be read, or its columns are not the reference's.
    """
    bins = reference.bins
    there = names(log)
    now = {name: repr(standing(log / name)) for name in there}
    ledger.forget_events(there)
    known = ledger.standing(bins.id)
    fresh = [name for name in there if known.get(name) != now[name]]
    events = {name: found for name, found in ledger.events(bins.id).items() if name not in fresh}
    seen = _Seen(events.values())
    for number, name in enumerate(fresh):
        progress(number, len(fresh))
        aside, before = SetAside(), seen.duplicates
        tallies: dict[tuple[date, str, str], Tally | int] = {}
        for part in parts(log, aside, name):
            _, is_new = seen.new(part["event_id"])
            _count(part.filter(pl.Series(is_new)), reference, model, log, tallies)
        days = [
            Day(
                *key,
                found if isinstance(found, int) else found.rows,
                None if isinstance(found, int) else found,
            )
            for key, found in tallies.items()
        ]
        causes: Counter[str] = Counter()
        for line in aside.all():
            causes[line.why] += line.count
        ledger.put(name, now[name], bins.id, days, seen.own, seen.duplicates - before, causes)
        seen.close()
    progress(len(fresh), len(fresh))


def _count(
    table: pl.DataFrame,
    reference: Reference,
    model: str,
    log: Path,
    tallies: dict[tuple[date, str, str], Tally | int],
) -> None:
    keys = (pl.col("time").dt.date().alias("_day"), "model", "purpose")
    for (day, tag, purpose), rows in table.group_by(*keys):
        key = (day, str(tag), str(purpose))
        if tag != model:
            count = tallies.get(key, 0)
            tallies[key] = rows.height + (count if isinstance(count, int) else 0)
            continue
        found = Tally.of(aligned(rows, reference.table, log), reference.bins, reference.segments)
        before = tallies.get(key)
        tallies[key] = before + found if isinstance(before, Tally) else found


def parts(log: Path, aside: SetAside, name: str) -> Iterator[pl.DataFrame]:
    """Give the decisions of a file, a part at a time, each with its purpose.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        for part in inputs_tables(log, aside, name):
            if not part.is_empty():
                yield part
    except (LogError, FileNotFoundError) as error:
        raise InputError(str(error)) from error


def select(
    log: Path,
    reference: Reference,
    model: str | None,
    purpose: str = DECISION,
    since: datetime | None = None,
    until: datetime | None = None,
    events: Collection[str] | None = None,
    most: int = SAMPLE,
) -> Selected:
    """Count the decisions of a selection, and keep a sample of their rows.

    Parameters
    ----------
    model : str, optional
        Its decisions.
    since, until : datetime, optional
        The first moment, and the first one behind.
    events : collection of str, optional
        These decisions only; each must be there.
    most : int
        Rows of the sample; which ones depends on their ids alone.

    Raises
    ------
    InputError
        If the log cannot be read, or a named event is not in it.
    """
    aside, sample = SetAside(), reference.table.clear().with_columns(_hash=pl.lit(0, pl.UInt64))
    others: Counter[tuple[str, str]] = Counter()
    wanted = pl.Series(sorted(events), dtype=pl.String).implode() if events is not None else None
    seen, tallies, outside = _Seen(), [], 0
    for name in names(log):
        for part in parts(log, aside, name):
            is_ours = pl.col("model").eq_missing(pl.lit(model)) & (pl.col("purpose") == purpose)
            for tag, what, rows in part.filter(~is_ours).group_by("model", "purpose").len().iter_rows():
                others[str(tag), str(what)] += rows
            ours = part.filter(is_ours)
            asked = [pl.col("time") >= since] if since is not None else []
            asked += [pl.col("time") < until] if until is not None else []
            asked += [pl.col("event_id").is_in(wanted)] if wanted is not None else []
            chosen = ours.filter(*asked) if asked else ours
            outside += ours.height - chosen.height
            if chosen.is_empty():
                continue
            ids, is_new = seen.new(chosen["event_id"])
            rows = aligned(chosen.filter(pl.Series(is_new)), reference.table, log)
            tallies.append(Tally.of(rows, reference.bins, reference.segments))
            keyed = rows.with_columns(_hash=pl.Series(ids[is_new]))
            sample = pl.concat([sample, keyed])
            if sample.height > 2 * most:
                sample = sample.bottom_k(most, by="_hash")
        seen.close()
    if events is not None and (lost := len(set(events)) - len(seen)):
        raise InputError(
            f"{lost} of {len(set(events))} decisions that the service gave are not in the log {log}; "
            "give the service's own CREDIT_SCORING_LOG with --log."
        )
    causes: Counter[str] = Counter()
    for line in aside.all():
        causes[line.why] += line.count
    kept = sample.bottom_k(most, by="_hash").drop("_hash").sort("time", "event_id")
    return Selected(together(tallies, reference.bins), kept, others, outside, causes, seen.duplicates)


class _Seen:
    """The events that were read, so that each counts once: those of the file at hand apart, since few."""

    def __init__(self, before: Iterable[Numbers] = ()) -> None:
        self._before = np.unique(np.concatenate([np.zeros(0, np.uint64), *before]))
        self.own = np.zeros(0, np.uint64)
        self.duplicates = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._before) + len(self.own)

    def close(self) -> None:
        """Go on to the next file."""
        self._before = np.union1d(self._before, self.own)
        self.own = np.zeros(0, np.uint64)

    def new(self, events: pl.Series) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return the numbers of events, and whether each stands here for the first time."""
        ids = events.hash(seed=0).to_numpy()
        is_new = np.zeros(len(ids), dtype=bool)
        is_new[np.unique(ids, return_index=True)[1]] = True
        for known in (self._before, self.own):
            if len(known):
                places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
                is_new &= known[places] != ids
        self.own = np.union1d(self.own, ids)
        self.duplicates += int((~is_new).sum())
        return ids, is_new


def aligned(table: pl.DataFrame, like: pl.DataFrame, log: Path) -> pl.DataFrame:
    """Return a table with another's columns and types; a column that no record has is missing everywhere.

    Raises
    ------
    InputError
        If a column is a number in one and a word in the other.
    """
    if table.is_empty():  # of literals alone polars would make one row
        return like.clear()
    columns = []
    for name, dtype in like.schema.items():
        if name not in table.columns or table[name].null_count() == table.height:
            columns.append(pl.lit(None, dtype=dtype).alias(name))
        elif (table.schema[name] == pl.String) == (dtype == pl.String):
            columns.append(pl.col(name).cast(dtype))
        else:
            raise InputError(
                f"{name} is {table.schema[name]} in the log {log} and {dtype} in the reference; "
                "give the reference of the model that decided."
            )
    return table.select(columns)
