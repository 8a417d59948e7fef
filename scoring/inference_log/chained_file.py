"""One file of the log with its anchor: begun, appended to, cut back when a write failed, sealed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from scoring.inference_log.anchor import ANCHOR, Anchor, State, count_anchors
from scoring.inference_log.chain import first_hash, link
from scoring.inference_log.disk import create, sync_folder, write_all
from scoring.inference_log.packing import hold, packed


@dataclass
class ChainedFile:
    """The file being written: how far it is whole, synced and anchored.

    Every method may raise an OSError. One thread at a time.
    """

    path: Path
    anchor_path: Path
    descriptor: int
    anchor_descriptor: int
    day: date
    key: bytes
    head: str
    seq: int = 0
    size: int = 0
    time: str = ""
    before: int = 0  # anchors with records when it was begun
    headers: set[str] = field(default_factory=set)  # those that it has

    @classmethod
    def begin(cls, folder: Path, anchors: Path, worker: str, day: date, key: bytes) -> ChainedFile:
        """Begin a file of its own name, and its anchor: what another process left is never written on."""
        part = 0
        while True:
            name = f"{day}.{worker}.{part}.jsonl" if part else f"{day}.{worker}.jsonl"
            path, anchor_path = folder / name, anchors / f"{name}{ANCHOR}"
            if not any(map(os.path.lexists, (path, packed(path), anchor_path))):
                break
            part += 1
        before = count_anchors(anchors, key)
        descriptor = create(path, flags=os.O_APPEND)
        hold(descriptor)
        try:
            anchor_descriptor = create(anchor_path)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        head = first_hash(name)
        file = cls(path, anchor_path, descriptor, anchor_descriptor, day, key, head, before=before)
        try:
            file._anchor("open")
            os.fsync(anchor_descriptor)
            sync_folder(anchors)
            sync_folder(folder)
        except OSError:
            file.discard()
            raise
        return file

    def is_in_place(self) -> bool:
        """Say whether the names still lead to what is written: a folder may be moved under us."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self.descriptor)) and os.path.samestat(
                self.anchor_path.stat(), os.fstat(self.anchor_descriptor)
            )
        except FileNotFoundError:
            return False

    def append(self, bodies: list[bytes], time: datetime, headers: Mapping[str, bytes]) -> None:
        """Chain records to the last one, write and sync them, and move the anchor on.

        ``headers`` are those of the records, by their ids; what the file has already is not said again. A
        header bears the number of the record before it: the last number is that of the records.

        After an OSError the file may hold a part of them: see `cut_back`.
        """
        lines, seq, head = [], self.seq, self.head
        new = headers.keys() - self.headers
        for name in sorted(new):
            line, head = link(seq, head, headers[name])
            lines.append(line)
        for one in bodies:
            seq += 1
            line, head = link(seq, head, one)
            lines.append(line)
        content = b"".join(lines)
        write_all(self.descriptor, content)
        os.fsync(self.descriptor)
        before = (self.seq, self.head, self.time)
        self.seq, self.head, self.time = seq, head, f"{time:%Y-%m-%dT%H:%M:%SZ}"
        try:
            self._anchor("open")  # after the sync: an anchor is never ahead of its records
        except OSError:
            self.seq, self.head, self.time = before
            raise
        self.size += len(content)
        self.headers |= new

    def cut_back(self) -> None:
        """Remove what an `append` that failed left at the end."""
        os.ftruncate(self.descriptor, self.size)
        os.fsync(self.descriptor)

    def seal(self) -> None:
        """Say in the anchor that nothing more will come."""
        if self.is_in_place():  # else it was moved, or purged: its tombstone is not ours to write on
            self._anchor("closed")
            os.fsync(self.anchor_descriptor)

    def release(self) -> None:
        """Let go of the file and of its anchor."""
        os.close(self.descriptor)
        os.close(self.anchor_descriptor)

    def discard(self) -> None:
        """Remove a file without a record."""
        self.release()
        self.path.unlink(missing_ok=True)
        self.anchor_path.unlink(missing_ok=True)

    def _anchor(self, state: State) -> None:
        anchor = Anchor(self.path.name, self.seq, self.head, state, self.time, self.before)
        os.pwrite(self.anchor_descriptor, anchor.to_bytes(self.key), 0)
