"""The writing end of the log: durable before it returns, one sync for all that wait, chained, rotated."""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from scoring.inference_log.anchor import anchors_folder
from scoring.inference_log.chain import purge
from scoring.inference_log.chained_file import ChainedFile
from scoring.inference_log.disk import LINE_BYTES, make_folder, write_new
from scoring.inference_log.keys import pseudonym
from scoring.inference_log.note import Kind, Note
from scoring.inference_log.packer import Packer
from scoring.inference_log.packing import packed
from scoring.inference_log.record import Entry, Header, LogError, Values, body
from scoring.inference_log.recording import TableRecording
from scoring.inference_log.renewal import check_key
from scoring.inference_log.table import SUFFIX
from scoring.schema import Purpose

FILE_BYTES = 64 * 2**20
TABLES_BYTES = 256 * 2**20  # that lines of a file bind: they are packed when it is closed
RECORD_BYTES = LINE_BYTES - 2**10  # with its place in the chain it is a line that is read
PROBE_BYTES = 2**16  # about the size of a merged batch
ANNOUNCE_EVERY = timedelta(minutes=1)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass
class _Batch:
    """What one thread brought; ``failure`` is None once it is on the disk."""

    bodies: list[bytes]
    time: datetime
    headers: dict[str, bytes] = field(default_factory=dict)  # of these records, by their ids
    is_done: bool = False
    failure: str | None = "the write was interrupted"


class InferenceLog:
    """Writes the records of one worker process.

    Parameters
    ----------
    folder : Path
        Where the files go; made if absent.
    worker : str
        Name of the one writing process; part of the file name.
    key : bytes
        Key of the pseudonyms and of the anchors' signatures, see `pseudonym_key`.
    model : str
        Exact tag of the model whose decisions are recorded; see `under` for another.
    categories : collection of str
        Names of the inputs that are words; all others are numbers.
    anchors : Path, optional
        Folder of the anchors; ``FOLDER-anchors`` beside the log's folder by default.
    file_bytes : int
        Size after which a new file is begun; a new UTC day begins one too.
    keep_days : int, optional
        Files older than this are purged, at the first record of each day. None keeps all.
    announce : callable, optional
        Told the head of the chain when a file ends and once a minute: an anchor beyond this machine, if what
        it writes is collected elsewhere.
    is_packed : bool
        Compress files when they are closed, in a thread behind all others, and those that were left plain by
        who was killed: see `packer`.

    Raises
    ------
    LogError
        If the folders cannot be made or written, or the log was written under another key.

    Notes
    -----
    Threads may share a log: those that come while the disk is busy are written together, with one sync. What
    was not written whole is cut off again, so that a record is in the log if and only if `record` returned,
    or its process died before it could answer.
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        key: bytes,
        model: str,
        *,
        categories: Collection[str] = (),
        anchors: Path | None = None,
        file_bytes: int = FILE_BYTES,
        keep_days: int | None = None,
        announce: Callable[[str], None] | None = None,
        is_packed: bool = False,
    ) -> None:
        if not _SAFE_NAME.fullmatch(worker):
            raise ValueError(f"worker {worker!r} is no file name; use letters, digits, '.', '_' and '-'.")
        if keep_days is not None and keep_days < 1:
            raise ValueError(f"a log cannot be kept for {keep_days} days; give 1 or more.")
        self.folder = folder
        self.anchors = anchors or anchors_folder(folder)
        self.worker = worker
        self.model = model
        self._categories = frozenset(categories)
        self._header: Header | None = None  # of the last record
        self._files = self  # who writes: a log under another model's name writes through the first
        self._key = key
        self._file_bytes = file_bytes
        self._keep_days = keep_days
        self._announce = announce
        self._announced: datetime | None = None
        self._tables = 0  # files of tables begun
        self._table_bytes = 0  # of those that were written since the file was begun
        self._waiting: list[_Batch] = []
        self._queue = threading.Lock()  # held for an instant, to stand in line
        self._disk = threading.Lock()  # held while writing, for all that stand in line
        self._file: ChainedFile | None = None
        self._purged: date | None = None
        self._has_failed = False
        self._is_packed = is_packed
        self._packer: Packer | None = None
        for place in (self.folder, self.anchors):
            try:
                make_folder(place)
            except OSError as error:
                raise LogError(f"the log folder {place} cannot be made: {error.strerror}.") from error
            if not os.access(place, os.W_OK | os.X_OK):
                raise LogError(
                    f"the log folder {place} cannot be written; give a folder that this user owns."
                )
        check_key(self.folder, self.anchors, key)

    def record(self, entries: Iterable[Entry], now: datetime) -> None:
        """Write entries to the disk and return when they are there: all of them, or none.

        Raises
        ------
        LogError
            If they could not be written and synced. The next call tries afresh.
        ValueError
            If a number is not finite, a record is longer than any that is read, or ``now`` has no time zone.
        """
        time = _utc(now)
        bodies, headers = [], {}
        for entry in entries:
            header, values = self._in_order(entry.features)
            headers[header.id] = header.body
            bodies.append(body(entry, header.id, values, pseudonym(self._key, entry.applicant), time))
        if any(len(one) > RECORD_BYTES for one in bodies):
            raise ValueError(f"a record is longer than {RECORD_BYTES} bytes, and nobody would read it back.")
        if bodies:
            self._put(bodies, time, headers)

    def _in_order(self, features: Mapping[str, float | str | None]) -> tuple[Header, Values]:
        """Return a record's header, that of the one before if its features are the same, and its values."""
        header = self._header
        values = header.values(features) if header else None
        if header is None or values is None:
            header = self._header = Header.of(self.model, features, self._categories)
            values = header.pick(features)
        return header, values

    def table(
        self,
        events: str,
        request_id: str,
        operator: str | None,
        now: datetime,
        purpose: Purpose = "decision",
    ) -> TableRecording:
        """Begin to record the decisions of one request as tables: see `TableRecording`.

        Parameters
        ----------
        events : str
            The first 24 digits of the ids of its events.
        request_id, operator, purpose
            As in `Entry`.
        now : datetime
            Time of all the decisions.
        """
        whose = {"request_id": request_id, "operator": operator, "purpose": purpose}
        about = {"events": events, "time": _utc(now), **whose}
        return TableRecording(self.folder, self._key, self.model, self._files._keep, self._put, about)

    def note(self, kind: Kind, about: Mapping[str, Any], now: datetime) -> None:
        """Write a note to the disk and return when it is there.

        Raises
        ------
        LogError, ValueError
            As `record`.
        """
        self.notes(kind, [about], now)

    def notes(self, kind: Kind, abouts: Iterable[Mapping[str, Any]], now: datetime) -> None:
        """Write notes of a kind with one sync, all of them or none; raises as `note`."""
        bodies = [Note(kind, _utc(now), about).body() for about in abouts]
        if (longest := max(map(len, bodies), default=0)) > RECORD_BYTES:
            raise ValueError(f"the {kind} has {longest} bytes, more than {RECORD_BYTES}: none is read.")
        if bodies:
            self._put(bodies, _utc(now))

    def pseudonym(self, applicant: int) -> str:
        """Return the pseudonym under which this log has a client."""
        return pseudonym(self._key, applicant)

    def _put(self, bodies: list[bytes], time: datetime, headers: dict[str, bytes] | None = None) -> None:
        batch = _Batch(bodies, time, headers or {})
        self._files._write_with_others(batch)
        if batch.failure is not None:
            raise LogError(f"the inference log in {self.folder} cannot be written: {batch.failure}.")

    def under(self, model: str, categories: Collection[str]) -> InferenceLog:
        """Return this log for the decisions of another model: the same files, one chain."""
        other = copy(self)
        other.model, other._categories, other._header = model, frozenset(categories), None
        return other

    def _write_with_others(self, batch: _Batch) -> None:
        with self._queue:
            self._waiting.append(batch)
        with self._disk:  # whoever gets here first writes for all who came meanwhile
            if not batch.is_done:
                with self._queue:
                    batches, self._waiting = self._waiting, []
                self._commit(batches)

    def _keep(self, day: date, content: memoryview) -> str:
        """Write a table to a file of its own, outside the queue of the lines, and return its name."""
        if (packer := self._packer) is not None:
            packer.stand_back()
        with self._queue:
            number, self._tables = self._tables, self._tables + 1
            self._table_bytes += len(content)
        name = f"{day}.{self.worker}.t{number}{SUFFIX}"
        try:
            if os.path.lexists(packed(self.folder / name)):  # where both are, the plain one counts
                raise FileExistsError(errno.EEXIST, "a table of its name is there")
            write_new(self.folder / name, content)
        except OSError as error:
            self._has_failed = True
            raise LogError(
                f"the inference log in {self.folder} cannot be written: {error.strerror}."
            ) from error
        return name

    def check(self) -> None:
        """Try to write to the folders, and leave nothing behind.

        Raises
        ------
        LogError
            If that fails.
        """
        for place in (self.folder, self.anchors):
            probe = place / f".{self.worker}.{secrets.token_hex(8)}.probe"  # nobody can foresee it
            try:
                write_new(probe, b"\n" * PROBE_BYTES)  # synced: a disk may take bytes and fail to keep them
                probe.unlink(missing_ok=True)
            except OSError as error:
                raise LogError(
                    f"the inference log in {place} cannot be written: {error.strerror}."
                ) from error

    def is_healthy(self) -> bool:
        """Say whether the last batch could be written or, if not, whether the next one could be."""
        if not self._files._has_failed:
            return True
        try:
            self.check()
        except LogError:
            return False
        return True

    def close(self) -> None:
        """Close the file, and wait until it is packed; every record was synced when it was made."""
        with self._disk:
            files = self._files
            files._close()
            packer, files._packer = files._packer, None
        if packer is not None:
            packer.close()

    def _commit(self, batches: list[_Batch]) -> None:
        try:
            for day, group in groupby(batches, key=lambda batch: batch.time.date()):
                part = list(group)
                headers = {name: header for batch in part for name, header in batch.headers.items()}
                try:
                    self._append(
                        day, [line for batch in part for line in batch.bodies], part[-1].time, headers
                    )
                except OSError as error:
                    self._has_failed = True
                    self._undo(error)
                    for batch in part:
                        batch.failure = error.strerror or type(error).__name__
                else:
                    self._has_failed = False
                    for batch in part:
                        batch.failure = None
        finally:
            for batch in batches:
                batch.is_done = True

    def _append(self, day: date, bodies: list[bytes], time: datetime, headers: dict[str, bytes]) -> None:
        file = self._file
        is_full = file is not None and (
            file.size >= self._file_bytes or self._table_bytes >= TABLES_BYTES or not file.is_in_place()
        )
        if file is None or file.day != day or is_full:
            self._close()
            self._table_bytes = 0
            self._purge(day, time)
            file = self._file = ChainedFile.begin(self.folder, self.anchors, self.worker, day, self._key)
            if self._is_packed and self._packer is None:
                self._packer = Packer(self.folder, self.anchors, self._key, self._tell)
        file.append(bodies, time, headers)
        if self._announced is None or abs(time - self._announced) >= ANNOUNCE_EVERY:
            self._announced = time
            self._say(file)

    def _purge(self, day: date, time: datetime) -> None:
        if self._keep_days is not None and self._purged != day:
            self._purged = day
            try:
                purge(self.folder, self.anchors, self._key, day - timedelta(days=self._keep_days), time)
            except OSError as error:  # what is too old must not stop what is new
                self._tell(
                    f"log {self.folder}: what is older than {self._keep_days} days stays: {error.strerror}"
                )

    def _undo(self, cause: OSError) -> None:
        """Cut a half-written batch off. After anything but a full disk the next batch gets a new file."""
        if self._file is None:
            return
        try:
            self._file.cut_back()
        except OSError:
            self._file.release()
            self._file = None
        else:
            if cause.errno not in _FULL:
                self._close()

    def _close(self) -> None:
        """Close the file and say so in its anchor; a file without a record leaves no trace."""
        file, self._file = self._file, None
        if file is None:
            return
        if file.seq == 0:
            file.discard()
            return
        with suppress(OSError):  # the anchor stays open: its records are safe, and `verify` checks them
            file.seal()
        self._say(file)
        file.release()
        if self._packer is not None:
            self._packer.add(file.path)

    def _say(self, file: ChainedFile) -> None:
        self._tell(f"log {file.path.name}: {file.seq} records, head {file.head}")

    def _tell(self, words: str) -> None:
        if self._announce is not None:
            self._announce(words)


def _utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("the time of a decision needs a time zone; give datetime.now(UTC).")
    return now.astimezone(UTC)
