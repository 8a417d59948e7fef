"""Erasing a person: the inputs, the reasons and the pseudonym go, and that a decision was made stays.

The record of the erasure is written and signed before anything is changed, and says what will stand where: so
who is killed says the same command again, and it is finished. Lines are overwritten in their own length, in
whatever file they are: one that a service writes at this moment, a closed or a packed one. The note of the
erasure, in the chain, tells those who follow the log, such as the index.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from scoring.inference_log.affected import Affected, affected_by, tidy
from scoring.inference_log.chain import ChainFault, verify_file
from scoring.inference_log.disk import sync_folder, write_new
from scoring.inference_log.erasure import SUFFIX, Erasure, Erasures, alone
from scoring.inference_log.keys import pseudonym
from scoring.inference_log.packer import left_plain
from scoring.inference_log.packing import (
    DRAFT,
    exchange,
    open_log,
    overwrite,
    pack,
    place,
)
from scoring.inference_log.record import LogError
from scoring.inference_log.renewal import REASON_LETTERS
from scoring.inference_log.table import erased
from scoring.inference_log.writer import InferenceLog

EVENTS = 500  # that a note names


class FaultyError(LogError):
    """What is to be erased is not as it was written: the evidence would go."""

    def __init__(self, faults: list[ChainFault]) -> None:
        self.faults = faults
        super().__init__("an affected file is not as it was written")


class ShippedCopies(Protocol):
    """What was shipped of a log."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only one that changes it, whatever the machine; raises a `LogError` if others do."""

    def events(self, who: str) -> Sequence[str]:
        """Return the events of a person."""

    def erase(self, erasure: Erasure, scratch: Path) -> int:
        """Erase there what an erasure is about; return how many objects were written anew."""


@dataclass
class Erased:
    """What was done: decisions, lines and rows of tables that were erased; erasures that were finished."""

    decisions: int = 0
    lines: int = 0
    rows: int = 0
    finished: int = 0
    objects: int = 0  # of the store, that were written anew


def erase(
    folder: Path,
    anchors: Path,
    key: bytes,
    client: int,
    reason: str,
    now: Callable[[], datetime],
    *,
    is_forced: bool = False,
    shipped: ShippedCopies | None = None,
) -> Erased:
    """Erase a client from a log, and finish what was ended in its midst.

    Parameters
    ----------
    folder, anchors : Path
        The log and its anchors.
    key : bytes
        The log's key.
    client : int
        SK_ID_CURR.
    reason : str
        Why, in one line; it is recorded.
    now : callable
        Gives the time.
    is_forced : bool
        Erase even in a file that does not verify.
    shipped : ShippedCopies, optional
        What was shipped.

    Raises
    ------
    FaultyError
        If an affected file does not verify. Nothing is erased.
    LogError
        If nothing is known of the client, the reason is none, a file cannot be written, or
        others are at work.
    """
    if not 0 < len(reason.strip()) <= REASON_LETTERS or not reason.isprintable():
        raise LogError(f"a reason is one line of at most {REASON_LETTERS} letters; give one with --reason.")
    who, done = pseudonym(key, client), Erased()
    finisher = _Finisher(folder, anchors, key, now, shipped, done)
    with alone(folder), shipped.alone() if shipped is not None else nullcontext():
        for path in left_plain(folder, anchors, key):
            _pack(path)  # what a kill left behind an anchor is then seen to be there to stay
        before = Erasures.load(folder, key)
        for path, erasure in before.all:
            if erasure.whose is not None:
                finisher.finish(path, erasure)
                done.finished += 1
        known = shipped.events(who) if shipped is not None else ()
        try:
            plan = affected_by(folder, anchors, key, who, now(), known)
            if not plan.lines and not plan.tables and not known:
                if done.finished:
                    return done
                raise LogError(_unknown(folder, before))
            if not is_forced and (faults := _faults(folder, anchors, key, plan)):
                raise FaultyError(faults)
            _must_be_writable(folder, plan)
        except LogError:
            tidy(folder)
            raise
        except OSError as error:
            tidy(folder)
            raise LogError(
                f"new tables cannot be written in {folder}: {error.strerror}; make room for those of the "
                "client, not compressed, and say the same command again. Nothing is erased."
            ) from error
        moment = now()
        erasure = Erasure(
            id=f"{moment:%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(4)}",
            time=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            reason=reason.strip(),
            events=tuple(plan.events),
            lines=tuple(plan.lines),
            tables=tuple(plan.tables),
            whose=who,
            is_shipped=shipped is not None,
        )
        path = folder / f"{erasure.id}{SUFFIX}"
        sync_folder(folder)  # the new tables are there before the record that names them
        _write(path, erasure, key)
        finisher.finish(path, erasure)
    return done


def _pack(path: Path) -> None:
    try:
        pack(path)
    except OSError as error:
        raise LogError(
            f"{path} cannot be packed: {error.strerror or error}; mend that, and say the same command again."
        ) from error


def _must_be_writable(folder: Path, plan: Affected) -> None:
    """Check what is to be changed before anything is: a part of an erasure is worse than none."""
    for name in sorted({line.file for line in plan.lines} | {table.file for table in plan.tables}):
        path = place(folder / name)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        except FileNotFoundError:
            continue  # it was purged meanwhile
        except OSError as error:
            why = "it is a link" if path.is_symlink() else error.strerror
            raise LogError(
                f"{path} cannot be overwritten: {why}; let a plain file stand there that this user may "
                "write. Nothing is erased."
            ) from error


def _unknown(folder: Path, before: Erasures) -> str:
    past = f"{len(before.all)} erasures are on record" if before.all else "no erasure is on record"
    return (
        f"nothing in the log {folder} is about this client: no decision was recorded here, or all was erased "
        f"before, which leaves nothing to know it by; {past}. Look at the number, and at --log."
    )


def _faults(folder: Path, anchors: Path, key: bytes, plan: Affected) -> list[ChainFault]:
    files = sorted({line.file for line in plan.lines})
    return [fault for name in files for fault in verify_file(folder, anchors, name, key)]


@dataclass(frozen=True)
class _Finisher:
    """Does what records of erasures say, in a log and in the store to which it was shipped."""

    folder: Path
    anchors: Path
    key: bytes
    now: Callable[[], datetime]
    shipped: ShippedCopies | None
    done: Erased

    def finish(self, path: Path, erasure: Erasure) -> None:
        """Do what a record says, here and in the store, note it in the chain, and sign that it is done."""
        if erasure.is_shipped and self.shipped is None:
            raise LogError(
                "an erasure that was ended in its midst is one in a store as well: give it with --store."
            )
        try:
            erasure = self._with_drafts(path, erasure)
            apply(self.folder, erasure)
        except OSError as error:
            raise LogError(
                f"the erasure cannot be finished: {error.strerror or error}; mend that, and say the same "
                "command again."
            ) from error
        writer = InferenceLog(
            self.folder, f"erase-{os.getpid()}", self.key, "", anchors=self.anchors, is_packed=True
        )
        try:
            about = {"erasure": erasure.id, "reason": erasure.reason}
            parts = range(0, max(len(erasure.events), 1), EVENTS)
            notes = [{**about, "events": erasure.events[low : low + EVENTS]} for low in parts]
            writer.notes("erasure", notes, self.now())
        finally:
            writer.close()
        if self.shipped is not None:
            self.done.objects += self.shipped.erase(erasure, self.folder)
        _write(path, replace(erasure, whose=None), self.key)
        self.done.decisions += len(erasure.events)
        self.done.lines += len(erasure.lines)
        self.done.rows += sum(len(table.rows) for table in erasure.tables)

    def _with_drafts(self, path: Path, erasure: Erasure) -> Erasure:
        """Make new tables that are gone again; return the erasure, which is on record as they came out.

        Another version of this program, or of polars, writes the same rows in other bytes.
        """
        tables = []
        for table in erasure.tables:
            draft, file = self.folder / f"{table.file}{DRAFT}", self.folder / table.file
            is_there = _digest(draft) == table.after
            if not is_there and _digest(file) == table.before:
                with open_log(file) as opened:
                    after = erased(table.file, opened.read(), table.rows)
                draft.unlink(missing_ok=True)
                write_new(draft, after)
                table = replace(table, after=hashlib.sha256(after).hexdigest())
            tables.append(table)
        if tuple(tables) == erasure.tables:
            return erasure
        erasure = replace(erasure, tables=tuple(tables))
        sync_folder(self.folder)  # the new tables are there before the record that names them
        _write(path, erasure, self.key)
        return erasure


def _write(path: Path, erasure: Erasure, key: bytes) -> None:
    """Write a record, whole or not at all."""
    draft = path.with_name(f"{path.name}{DRAFT}")
    draft.unlink(missing_ok=True)
    try:
        write_new(draft, erasure.to_bytes(key))
        draft.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise LogError(
            f"{path} cannot be written: {error.strerror}; mend that, and say the same command again."
        ) from error


def apply(folder: Path, erasure: Erasure) -> None:
    """Put what a record says where it says it; what is there already stays. Raises an OSError."""
    for table in erasure.tables:
        draft, path = folder / f"{table.file}{DRAFT}", folder / table.file
        if _digest(draft) == table.after:
            exchange(path, draft)
        draft.unlink(missing_ok=True)
    by_file: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for line in erasure.lines:
        by_file[line.file].append((line.start, line.content()))
    for name, instead in by_file.items():
        overwrite(folder / name, instead)


def _digest(path: Path) -> str | None:
    """Return the hash of what a table holds, packed or not; None if there is none."""
    try:
        with open_log(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
