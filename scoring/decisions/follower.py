"""Following the log into the index: each record once, whatever is killed, and whenever.

What a batch of records adds, and how far its file is followed then, is one transaction. So a follower that
is killed leaves the index at the end of a batch, and the next one goes on from there; of two at once, one
finds that the other was there, and begins again from what it finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from scoring.decisions import schema
from scoring.decisions.entries import Entries, once
from scoring.decisions.gathered import Gathered
from scoring.decisions.index import Index, OtherLogError
from scoring.decisions.schema import packed
from scoring.inference_log import (
    SETTLED_S,
    BrokenError,
    Checkpoint,
    ErasedError,
    FollowedLine,
    anchor_of,
    at,
    erased_events,
    files,
    follow,
    length,
    standing,
)

BATCH = 500  # decisions in a transaction; a table has more, and is one
DOUBTS = 5  # looks in a row: an anchor that is being written can be read in two halves
BEAT_S = 1.0  # how often it is written down that nothing is missing
OVERTAKEN = 10  # times in a row by another follower, before who follows looks whether to go on
DELETED = 20_000  # rows in a transaction: others write in between


class _Overtaken(Exception):
    """Another follower was there."""


@dataclass
class _File:
    """A file as the index has it, and how it stood when it was looked at last."""

    id: int
    name: str
    place: Checkpoint
    state: str
    seen: tuple[int, ...] = ()


class Follower:
    """Brings an index up to a log.

    Parameters
    ----------
    index : Index
    folder, anchors : Path
        The log and its anchors.
    key : bytes
        The log's key, which signed the anchors.
    clock : callable
        The time as `time.time` gives it.

    Notes
    -----
    One thread. Another follower of the same index, in whatever process, does no harm, be it of the same
    instance or of another: what is written is written by one at a time, who holds the row of `schema.about`.
    """

    def __init__(
        self, index: Index, folder: Path, anchors: Path, key: bytes, clock: Callable[[], float] = time.time
    ) -> None:
        self.index = index
        self.folder = folder
        self.anchors = anchors
        self._key = key
        self._clock = clock
        self._files: dict[str, _File] | None = None  # None: to be read from the index
        self._entries: Entries
        self._erased: tuple[frozenset[str], frozenset[bytes]] = (frozenset(), frozenset())
        self._doubts: dict[str, int] = {}
        self._made = ""
        self._is_to_forget = True  # whoever followed before may have been killed before it was done
        self._beaten = 0.0

    def step(self) -> int:
        """Bring into the index what the log has more; return how many records that were.

        Raises
        ------
        IndexFault
            If the index cannot be used, or is that of another log.
        LogError
            If the log cannot be read.
        """
        count = 0
        for _ in range(OVERTAKEN):
            try:
                for more in self._look_at_all():
                    count += more
            except _Overtaken:
                self._files = None
            except BaseException:
                self._files = None  # what is remembered may not be what was committed
                raise
            else:
                break
        return count

    def _look_at_all(self) -> Iterator[int]:
        """Follow every file as far as it goes; give how many records each had more."""
        there, began = files(self.folder), self._clock()
        names = set(there)
        known = self._load(names)
        for name in dict.fromkeys([*there, *sorted(known)]):
            if name in known and known[name].state == "whole" and name in names:
                continue  # nothing comes any more, and a log of years has thousands of these
            yield self._one(name)
        if abs(began - self._beaten) >= BEAT_S:
            self._beat(began)
            self._beaten = began
            self._is_to_forget = self._is_to_forget and not self.index.forget()

    def _beat(self, began: float) -> None:
        """Write down that nothing was missing, and apply what had to wait for another instance."""
        table = schema.instances
        with self.index.begin(is_writing=True) as connection:
            self._hold(connection)
            own = table.c.name == self.index.instance
            moved = connection.execute(update(table).where(own).values(followed=int(began * 1e6)))
            if moved.rowcount != 1:
                raise _Overtaken  # somebody retired this instance, which is there still
            if self._entries.early:
                self._entries.apply(connection, set(self._entries.early))

    def retire(self) -> list[str]:
        """Wait for this instance no more; return the names of its files that are not whole, if it goes on."""
        self._files = None
        with self.index.begin(is_made=True) as connection:
            mine = schema.files.c.instance == self.index.instance
            where = (mine, schema.files.c.state == "open")
            if not (left := list(connection.scalars(select(schema.files.c.name).where(*where)))):
                own = schema.instances.c.name == self.index.instance
                connection.execute(delete(schema.instances).where(own))
        return sorted(left)

    def _hold(self, connection: Connection) -> RowMapping:
        """Keep all other followers out until the end of the transaction.

        In an index that was made again, files, kinds and names have other numbers than here.
        """
        about = connection.execute(select(schema.about).with_for_update()).mappings().one()
        if about["made"] != self._made:
            raise _Overtaken
        return about

    def _load(self, there: set[str]) -> dict[str, _File]:
        if self._files is not None:
            return self._files
        instance = self.index.instance
        with self.index.begin(is_made=True) as connection:
            self._made = str(connection.scalar(select(schema.about.c.made)))
            begun = [{"name": instance, "followed": 0}]
            connection.execute(once(self.index, schema.instances), begun)
            of_instance = select(schema.files).where(schema.files.c.instance == instance)
            rows = connection.execute(of_instance).mappings().all()
            self._entries = Entries(self.index, connection)
        found = {
            row["name"]: _File(
                row["id"], row["name"], Checkpoint(row["seq"], row["offset"], row["head"]), row["state"]
            )
            for row in rows
        }
        if found and not any(name in there or self._is_anchored(name) for name in found):
            raise OtherLogError(
                f"the index {self.index} is that of another log: {self.folder} has none of its "
                f"{len(found)} files; give CREDIT_SCORING_INDEX a place of its own, or make it again for "
                "this one: `python -m scoring.decisions rebuild`. Of several instances that write one log, "
                "each has a CREDIT_SCORING_INSTANCE of its own."
            )
        self._beaten = 0.0  # of an index that is new, or was made again, nothing is said yet
        self._files = found
        return found

    def _is_anchored(self, name: str) -> bool:
        try:
            return anchor_of(self.anchors, name, self._key) is not None
        except BrokenError:
            return True

    def _one(self, name: str) -> int:
        """Follow a file as far as it goes."""
        assert self._files is not None
        file = self._files.get(name)
        if file is not None and file.state in ("purged", "broken"):
            return 0
        seen = self._look(name)
        if file is not None and file.seen == seen and not self._has_settled(name, file, seen):
            return 0
        try:
            anchor = anchor_of(self.anchors, name, self._key)
            if anchor is not None and anchor.state == "purged":
                return self._purge(name)
            if not seen[0] and file is not None:
                raise BrokenError(f"the file is gone, with {file.place.seq} records")
            if not seen[0] or (anchor is None and not self._has_settled(name, None, seen)):
                return 0  # it is being begun
            if file is not None and file.state == "whole":
                file.seen = seen  # it was packed
                return 0
            file = file or self._begin(name)
            count = 0
            lines = follow(self.folder, name, anchor, file.place, self._clock(), self._key)
            for batch in self._batches(file.id, lines):
                count += self._commit(file, batch)
            if anchor is not None and anchor.state == "closed" and file.place.seq == anchor.seq:
                self._mark(file, "whole")
            file.seen = seen
            self._doubts.pop(name, None)
        except FileNotFoundError:  # purged meanwhile: its anchor says so at the next look
            return 0
        except BrokenError as error:
            self._doubts[name] = self._doubts.get(name, 0) + 1
            if self._doubts[name] < DOUBTS:
                return 0
            if file is None:
                file = self._begin(name)
            self._mark(file, "broken", f"{error}; run `python -m scoring.inference_log verify`"[:500])
            return 0
        return count

    def _look(self, name: str) -> tuple[int, ...]:
        """Return what changes when a file or its anchor does: it begins with 0 if there is no file."""
        return (*standing(self.folder / name), *standing(self.anchors / f"{name}.head"))

    def _has_settled(self, name: str, file: _File | None, seen: tuple[int, ...]) -> bool:
        """Say whether there is something behind the anchor of a file that nobody writes to any more."""
        is_behind = file is None or (file.state == "open" and file.place.offset < length(self.folder / name))
        return is_behind and self._clock() - seen[2] / 1e9 > SETTLED_S

    def _begin(self, name: str) -> _File:
        assert self._files is not None
        start = Checkpoint.start(name)
        own = {"instance": self.index.instance, "name": name}
        row = {**own, "seq": 0, "offset": 0, "head": start.head, "state": "open"}
        with self.index.begin(is_writing=True) as connection:
            self._hold(connection)
            there = select(schema.files.c.id).filter_by(**own)
            if connection.scalar(there) is not None:
                raise _Overtaken
            made = connection.execute(insert(schema.files).values(**row).returning(schema.files.c.id))
            file = self._files[name] = _File(int(made.scalar_one()), name, start, "open")
        return file

    def _mark(self, file: _File, state: str, fault: str | None = None) -> None:
        own = schema.files.c
        before = ("open",) if state != "purged" else ("open", "whole", "broken")
        with self.index.begin(is_writing=True) as connection:
            self._hold(connection)
            where = (own.id == file.id, own.state.in_(before))
            connection.execute(update(schema.files).where(*where).values(state=state, fault=fault))
        file.state = state

    def _batches(self, file: int, lines: Iterator[FollowedLine]) -> Iterator[Gathered]:
        batch = Gathered()
        try:
            for line in lines:
                batch.add(file, line)
                if batch.size >= BATCH:
                    yield batch
                    batch = Gathered()
        except BrokenError:
            if batch.after is not None:  # what came before is as it was written
                yield batch
            raise
        if batch.after is not None:
            yield batch

    def _commit(self, file: _File, batch: Gathered) -> int:
        """Bring a batch into the index, with the place behind it."""
        assert batch.after is not None
        count = batch.after.seq - file.place.seq
        with self.index.begin(is_writing=True) as connection:
            place = {"seq": batch.after.seq, "offset": batch.after.offset, "head": batch.after.head}
            first = self._hold(connection)["next"]
            self._leave_out(file.name, batch)
            behind = first + len(batch.rows)
            own, whole = schema.files.c, schema.about.c
            if batch.rows:
                place |= {"first": func.coalesce(own.first, first), "last": behind - 1}
            moved = connection.execute(
                update(schema.files)
                .where(own.id == file.id, own.seq == file.place.seq, own.head == file.place.head)
                .values(place)
            )
            if moved.rowcount != 1:
                raise _Overtaken
            new = {"next": behind, "set_aside": whole.set_aside + batch.set_aside}
            connection.execute(update(schema.about).values(new))
            self._entries.add(connection, batch, file.id, first)
        self._is_to_forget = self._is_to_forget or bool(batch.erased)
        file.place = batch.after
        return count

    def _leave_out(self, name: str, batch: Gathered) -> None:
        """Leave out what was erased since it was read: another follower may have followed the note of it."""
        events = erased_events(self.folder, self._key)
        if events is not self._erased[0]:
            self._erased = events, frozenset(map(packed, events))

        def is_gone(start: int, row: int | None) -> bool:
            try:
                at(self.folder, name, start, row)
            except ErasedError:
                return True
            except ValueError:  # a note, or purged
                return False
            return False  # recorded again since, or the note of the erasure comes after this

        batch.leave_out(self._erased[1], is_gone)

    def _purge(self, name: str) -> int:
        """Remove what the log has purged: its retention is that of the index."""
        assert self._files is not None
        file = self._files.get(name)
        if file is None:
            return 0  # it was never here
        with self.index.begin() as connection:
            ends = select(schema.files.c.first, schema.files.c.last).where(schema.files.c.id == file.id)
            first, last = connection.execute(ends).one()
        own = schema.decisions.c
        for low in range(first, last + 1, DELETED) if first is not None else ():
            some = (own.id >= low, own.id < low + DELETED, own.file == file.id)
            with self.index.begin(is_writing=True) as connection:
                self._hold(connection)
                connection.execute(delete(schema.decisions).where(*some))
        with self.index.begin(is_writing=True) as connection:
            self._hold(connection)
            for noted in (schema.reviews, schema.outcomes):
                connection.execute(delete(noted).where(noted.c.file == file.id))
        self._mark(file, "purged")
        return 0
