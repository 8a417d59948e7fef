"""Reading the log: each file once, a part at a time, into the ledger; or the rows of a selection."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.ledger import Day, Ledger
from monitoring.reference import Reference
from monitoring.tally import Tally, together
from scoring.inference_log import BrokenError, Checkpoint, LogError, files, length, standing
from scoring.inference_log.pieces import SetAside
from scoring.inference_log.reader import inputs_behind, inputs_tables
from scoring.tables.decisions import LOGGED

DECISION = "decision"
SAMPLE = 20_000  # rows of a selection that are kept
AT_ONCE = 32  # files that are read in turns
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


def update(
    ledger: Ledger,
    log: Path,
    reference: Reference,
    model: str,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Bring the ledger up to the log: what was added to it since is counted, each record once.

    Raises
    ------
    InputError
        If the log cannot be read, or its columns are not the reference's.
    """
    cells = reference.bins.id
    there = names(log)
    now = {name: repr(standing(log / name)) for name in there}
    ledger.forget_events(there)
    known = ledger.places(cells)
    fresh = [name for name in there if name not in known or known[name][0] != now[name]]
    seen = _Seen()
    if fresh:  # an event may be in two files, of two workers or of a log that was copied
        seen = _Seen(ledger.events(cells).values())
    for number, name in enumerate(fresh):
        progress(number, len(fresh))
        start, place = Checkpoint.start(name), known[name][1] if name in known else None
        try:
            size = length(log / name)
            if place is not None and place.offset == size:  # packed, or somebody was erased from it
                ledger.stands(name, cells, now[name])
                continue
            if place is not None and place.offset < size:
                with suppress(BrokenError):
                    _add(ledger, log, reference, model, name, now=now[name], place=place, seen=seen)
                    continue
            if place is not None:  # it is another: a write that failed was cut off again
                ledger.drop(name, cells)
                seen = _Seen(ledger.events(cells).values())
            _add(ledger, log, reference, model, name, now=now[name], place=start, seen=seen)
        except BrokenError as error:
            raise InputError(f"{log / name}: {error}; `python -m scoring.inference_log verify`.") from None
        except OSError as error:
            raise InputError(f"{log / name} cannot be read: {error}; let this user read it.") from error
    progress(len(fresh), len(fresh))


def strangers(ledger: Ledger, cells: str, decided: pl.DataFrame) -> int:
    """Return how many decisions, of days that the log still has, are not among those that were counted."""
    known = ledger.events(cells)
    days = pl.Series(sorted({name[:10] for name in known}), dtype=pl.String).implode()
    own = decided.filter(pl.col("time").dt.strftime("%Y-%m-%d").is_in(days))
    if own.is_empty():
        return 0
    events = np.unique(np.concatenate([*known.values()]))
    return int((~np.isin(own["event_id"].hash(seed=0).to_numpy(), events)).sum())


def _add(
    ledger: Ledger,
    log: Path,
    reference: Reference,
    model: str,
    name: str,
    *,
    now: str,
    place: Checkpoint,
    seen: _Seen,
) -> None:
    """Count what a file holds behind a place."""
    aside, before, end = SetAside(), seen.duplicates, place
    tallies: dict[tuple[date, str, str], Tally | int] = {}
    try:
        for part, behind in inputs_behind(log, aside, name, place):
            end = behind
            if not part.is_empty():
                _, is_new = seen.new(part["event_id"])
                fresh = part if is_new.all() else part.filter(pl.Series(is_new))
                _count(fresh, reference, model, log, tallies)
    except LogError as error:
        raise InputError(str(error)) from error
    days = [
        Day(*key, found if isinstance(found, int) else found.rows, None if isinstance(found, int) else found)
        for key, found in tallies.items()
    ]
    causes: Counter[str] = Counter()
    for line in aside.all():
        causes[line.why] += line.count
    twice = seen.duplicates - before
    ledger.add(
        name, reference.bins.id, now, end=end, days=days, events=seen.own, duplicates=twice, aside=causes
    )
    seen.close()


def _count(
    table: pl.DataFrame,
    reference: Reference,
    model: str,
    log: Path,
    tallies: dict[tuple[date, str, str], Tally | int],
) -> None:
    keys = (pl.col("time").dt.date().alias("_day"), "model", "purpose")
    there = table.select(keys).unique()
    # Mostly they are all of one day and kind: then they need not be copied.
    groups = ((there.row(0), table),) if there.height == 1 else table.group_by(*keys)
    for (day, tag, purpose), rows in groups:
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


def sample(
    log: Path,
    reference: Reference,
    model: str | None,
    purpose: str,
    *,
    since: date,
    until: date,
    inputs: Collection[str] | None = None,
    most: int = SAMPLE,
) -> pl.DataFrame:
    """Return rows of a window in the reference's columns, by time: all, or as many as are enough.

    Its files are read in turns, a part of each, until there are enough: no report takes longer because more
    was decided.

    Parameters
    ----------
    since, until : date
        The first day, and the first one behind.
    inputs : collection of str, optional
        Of the model, those that are wanted alone: the rest would take memory.
    """
    wanted = [name for name in reference.table.columns if inputs is None or name in {*LOGGED, *inputs}]
    like = reference.table.clear().select(wanted)
    inside = [name for name in names(log) if since.isoformat() <= name[:10] < until.isoformat()]
    step = max(1, -(-len(inside) // AT_ONCE))
    reading = deque(parts(log, SetAside(), name) for name in inside[::step])
    found, rows = [like], 0
    while reading and rows < most:
        if (part := next(reading[0], None)) is None:
            reading.popleft()
            continue
        reading.rotate(-1)
        ours = part.filter(pl.col("model").eq_missing(pl.lit(model)) & (pl.col("purpose") == purpose))
        found.append(aligned(ours, like, log))
        rows += ours.height
    # Who is chosen is told by the ids alone: a copy of all columns would be as large as the reference.
    ids = _kept([pl.concat(one.select("event_id") for one in found).unique()], most)["event_id"].implode()
    for place, one in enumerate(found):
        found[place] = one.filter(pl.col("event_id").is_in(ids))
    return pl.concat(found).unique("event_id").sort("time", "event_id")


def select(
    log: Path, reference: Reference, model: str | None, purpose: str, events: Collection[str]
) -> Selected:
    """Count named decisions, and keep a sample of their rows.

    Raises
    ------
    InputError
        If the log cannot be read, or one of them is not in it.
    """
    aside, found = SetAside(), [reference.table.clear()]
    others: Counter[tuple[str, str]] = Counter()
    wanted = pl.Series(sorted(events), dtype=pl.String).implode()
    seen, tallies, outside = _Seen(), [], 0
    for name in names(log):
        for part in parts(log, aside, name):
            is_ours = pl.col("model").eq_missing(pl.lit(model)) & (pl.col("purpose") == purpose)
            for tag, what, rows in part.filter(~is_ours).group_by("model", "purpose").len().iter_rows():
                others[str(tag), str(what)] += rows
            ours = part.filter(is_ours)
            chosen = ours.filter(pl.col("event_id").is_in(wanted))
            outside += ours.height - chosen.height
            if chosen.is_empty():
                continue
            _, is_new = seen.new(chosen["event_id"])
            own = aligned(chosen.filter(pl.Series(is_new)), reference.table, log)
            tallies.append(Tally.of(own, reference.bins, reference.segments))
            found.append(own)
            if sum(one.height for one in found) > 2 * SAMPLE:
                found = [_kept(found)]
        seen.close()
    if lost := len(set(events)) - len(seen):
        raise InputError(
            f"{lost} of {len(set(events))} decisions that the service gave are not in the log {log}; "
            "give the service's own CREDIT_SCORING_LOG with --log."
        )
    causes: Counter[str] = Counter()
    for line in aside.all():
        causes[line.why] += line.count
    rows = _kept(found).sort("time", "event_id")
    return Selected(together(tallies, reference.bins), rows, others, outside, causes, seen.duplicates)


def _kept(tables: Sequence[pl.DataFrame], most: int = SAMPLE) -> pl.DataFrame:
    """Return rows of tables, at most so many; which ones depends on their ids alone."""
    return pl.concat(tables).bottom_k(most, by=pl.col("event_id").hash(seed=0))


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
        self._before = _merged(self._before, self.own)
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
        self.own = _merged(self.own, np.unique(ids))
        self.duplicates += int((~is_new).sum())
        return ids, is_new


def _merged(some: Numbers, others: Numbers) -> Numbers:
    """Return what is in either of two sorted arrays, sorted: a stable sort only goes through both once."""
    both = np.sort(np.concatenate([some, others]), kind="stable")
    is_first = np.ones(len(both), dtype=bool)
    is_first[1:] = both[1:] != both[:-1]
    return both[is_first]


def aligned(table: pl.DataFrame, like: pl.DataFrame, log: Path) -> pl.DataFrame:
    """Return a table with another's columns and types; a column that no record has is missing everywhere.

    Raises
    ------
    InputError
        If a column is a number in one and a word in the other.
    """
    columns: list[pl.Series] = []
    there = table.schema
    for name, dtype in like.schema.items():
        own = there.get(name)
        if own == dtype:
            columns.append(table[name])
        elif own is None or table[name].null_count() == table.height:
            columns.append(pl.Series(name, [], dtype).extend_constant(None, table.height))
        elif (own == pl.String) == (dtype == pl.String):
            columns.append(table[name].cast(dtype))
        else:
            raise InputError(
                f"{name} is {own} in the log {log} and {dtype} in the reference; "
                "give the reference of the model that decided."
            )
    return pl.DataFrame(columns)
