"""Erasing a person: the inputs, the reasons and the pseudonym go, and that a decision was made stays.

The record of the erasure is written and signed before anything is changed, and says what will stand where: so
who is killed says the same command again, and it is finished. Lines are overwritten in their own length, in
whatever file they are: one that a service writes at this moment, a closed or a packed one. The note of the
erasure, in the chain, tells those who follow the log, such as the index.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from scoring.inference_log.anchor import ANCHOR, read_anchor
from scoring.inference_log.chain import ChainFault, verify_file
from scoring.inference_log.disk import lines, named, open_regular, sync_folder, write_new
from scoring.inference_log.erasure import SUFFIX, ErasedLine, ErasedTable, Erasure, Erasures, alone
from scoring.inference_log.keys import pseudonym
from scoring.inference_log.note import NOTE_VERSION
from scoring.inference_log.packing import (
    DRAFT,
    DamagedError,
    left_plain,
    log_files,
    open_log,
    overwrite,
    pack,
    place,
)
from scoring.inference_log.record import LogError, strict_json
from scoring.inference_log.renewal import REASON_LETTERS
from scoring.inference_log.table import TableEntry, erased, event_ids, rows_of
from scoring.inference_log.writer import InferenceLog

EVENTS = 500  # that a note names
_ABOUT_EVENTS = (b'"kind":"review"', b'"kind":"outcome"')
_KIND_BYTES = 160  # of a line, among which its kind is: after its number and the hash before it
_KEPT = ("of", "event_id", "decision", "purpose", "header", "verdict", "operator")


class FaultyError(LogError):
    """What is to be erased is not as it was written: the evidence would go."""

    def __init__(self, faults: list[ChainFault]) -> None:
        self.faults = faults
        super().__init__("an affected file is not as it was written")


class ShippedCopies(Protocol):
    """What was shipped of a log."""

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


@dataclass
class Affected:
    """What speaks of a person in a log."""

    events: list[str] = field(default_factory=list)
    lines: list[ErasedLine] = field(default_factory=list)
    tables: list[ErasedTable] = field(default_factory=list)


def erase(
    folder: Path,
    anchors: Path,
    key: bytes,
    client: int,
    reason: str,
    now: Callable[[], datetime],
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
        If nothing is known of the client, the reason is none, or a file cannot be written.
    """
    if not 0 < len(reason.strip()) <= REASON_LETTERS or not reason.isprintable():
        raise LogError(f"a reason is one line of at most {REASON_LETTERS} letters; give one with --reason.")
    who, done = pseudonym(key, client), Erased()
    with alone(folder):
        for path in left_plain(folder, anchors, key):
            _pack(path)  # what a kill left behind an anchor is then seen to be there to stay
        before = Erasures.load(folder, key)
        for path, erasure in before.all:
            if erasure.whose is not None:
                _finish(folder, anchors, key, path, erasure, now, done, shipped)
                done.finished += 1
        known = shipped.events(who) if shipped is not None else ()
        plan = affected_by(folder, anchors, key, who, now(), known)
        if not plan.lines and not plan.tables and not known:
            if done.finished:
                return done
            raise LogError(_unknown(folder, before))
        try:
            if not is_forced and (faults := _faults(folder, anchors, key, plan)):
                raise FaultyError(faults)
            _must_be_writable(folder, plan)
        except LogError:
            _tidy(folder)
            raise
        moment = now()
        erasure = Erasure(
            f"{moment:%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(4)}",
            f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            reason.strip(),
            tuple(plan.events),
            tuple(plan.lines),
            tuple(plan.tables),
            who,
            shipped is not None,
        )
        path = folder / f"{erasure.id}{SUFFIX}"
        sync_folder(folder)  # the new tables are there before the record that names them
        _write(path, erasure, key)
        _finish(folder, anchors, key, path, erasure, now, done, shipped)
    return done


def _tidy(folder: Path) -> None:
    """Remove the new tables of an erasure that came to no record."""
    for path in named(folder, DRAFT):
        path.unlink(missing_ok=True)


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


def affected_by(
    folder: Path, anchors: Path, key: bytes, who: str, now: datetime, known: Sequence[str] = ()
) -> Affected:
    """Return what speaks of a person: decisions, looks, reviews, outcomes. New tables lie beside old ones.

    Parameters
    ----------
    who : str
        The pseudonym.
    known : sequence of str
        Events of the person that are known from elsewhere.
    """
    plan, day = Affected(list(known)), f"{now:%Y-%m-%d}"
    _tidy(folder)
    needle, with_notes = f'"{who}"'.encode(), list[Path]()
    for path in log_files(folder):
        has_notes = False
        for start, line in committed(path, anchors, key):
            has_notes = has_notes or _is_about_an_event(line)
            if b'"table":' in line:
                if found := _in_table(folder, line, who, plan.events):
                    plan.tables.append(found)
            elif needle in line and (instead := _instead(path.name, start, line, day)):
                plan.lines.append(instead)
                about = json.loads(line)
                if "kind" not in about:
                    plan.events.append(about["event_id"])
        if has_notes:
            with_notes.append(path)
    events = set(plan.events)
    for path in with_notes if events else ():
        for start, line in committed(path, anchors, key):
            if _is_about_an_event(line) and needle not in line:
                if json.loads(line)["about"].get("event_id") not in events:
                    continue
                if instead := _instead(path.name, start, line, day):
                    plan.lines.append(instead)
    plan.events = list(dict.fromkeys(plan.events))
    return plan


def _is_about_an_event(line: bytes) -> bool:
    start = line[:_KIND_BYTES]
    return any(mark in start for mark in _ABOUT_EVENTS)


def committed(path: Path, anchors: Path, key: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file that are there to stay, each with its first byte."""
    try:
        anchor = read_anchor(anchors / f"{path.name}{ANCHOR}", key)
    except ValueError:
        anchor = None
    start = 0
    try:
        with open_log(path) as file:
            is_plain = file.seekable()
            for line in lines(file):
                if not line.endswith(b"\n"):
                    break
                if is_plain and anchor is not None and _number(line) > anchor.seq:
                    break  # being written now
                yield start, line
                start += len(line)
    except (FileNotFoundError, DamagedError):
        return  # purged meanwhile; `verify` names what is damaged
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror}; let this user read it.") from error


def _number(line: bytes) -> int:
    with suppress(ValueError):
        return int(line[7 : line.index(b",", 7, 40)])
    return 0


def _instead(file: str, start: int, line: bytes, day: str) -> ErasedLine | None:
    """Return what will stand in the place of a line, None if it is no record."""
    try:
        said = json.loads(line)
        if said.get("kind") == "erased":
            return None
        about = _about(said, day)
        digest = str(said["hash"])
        head = {"seq": said["seq"], "prev": said["prev"], "kind": "erased", "schema_version": NOTE_VERSION}
        head["time"] = said["time"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    while True:
        text = strict_json({**head, "about": about, "hash": digest}).decode()
        if len(text.encode()) < len(line) or not about:
            return ErasedLine(file, start, len(line), digest, text)
        about.popitem()  # a record that was as short as that


def _about(said: Mapping[str, Any], day: str) -> dict[str, Any]:
    """Return what stays of what was said: that a decision was made, or that somebody looked or reviewed."""
    if "kind" in said:
        told = {"of": said["kind"], **said["about"]}
    else:
        told = {**said, "purpose": said["audit"].get("purpose")}
    return {"on": day} | {name: told[name] for name in _KEPT if isinstance(told.get(name), str)}


def _in_table(folder: Path, line: bytes, who: str, events: list[str]) -> ErasedTable | None:
    """Return what becomes of a table in which a person is; the new one is written beside it."""
    try:
        part = TableEntry.of(json.loads(line))
        content = part.content(folder)
        applicants = rows_of(part.file, content)["applicant"]
    except ValueError:
        return None  # `verify` says what is wrong with it
    rows = (applicants == who).arg_true().to_list()
    if not rows:
        return None
    ids = event_ids(part.events, part.start, applicants.len())
    events += [ids[row] for row in rows]
    after = erased(part.file, content, rows)
    draft = folder / f"{part.file}{DRAFT}"
    draft.unlink(missing_ok=True)
    write_new(draft, after)
    before, after_sha = (hashlib.sha256(one).hexdigest() for one in (content, after))
    return ErasedTable(part.file, tuple(rows), before, after_sha)


def _faults(folder: Path, anchors: Path, key: bytes, plan: Affected) -> list[ChainFault]:
    files = sorted({line.file for line in plan.lines})
    return [fault for name in files for fault in verify_file(folder, anchors, name, key)]


def _finish(
    folder: Path,
    anchors: Path,
    key: bytes,
    path: Path,
    erasure: Erasure,
    now: Callable[[], datetime],
    done: Erased,
    shipped: ShippedCopies | None,
) -> None:
    """Do what a record says, here and in the store, note it in the chain, and sign that it is done."""
    if erasure.is_shipped and shipped is None:
        raise LogError(
            "an erasure that was ended in its midst is one in a store as well: give it with --store."
        )
    try:
        apply(folder, erasure)
    except OSError as error:
        raise LogError(
            f"the erasure cannot be finished: {error.strerror or error}; mend that, and say the same command "
            "again."
        ) from error
    writer = InferenceLog(folder, f"erase-{os.getpid()}", key, "", anchors=anchors, is_packed=True)
    try:
        about = {"erasure": erasure.id, "reason": erasure.reason}
        parts = range(0, max(len(erasure.events), 1), EVENTS)
        notes = [{**about, "events": erasure.events[low : low + EVENTS]} for low in parts]
        writer.notes("erasure", notes, now())
    finally:
        writer.close()
    if shipped is not None:
        done.objects += shipped.erase(erasure, folder)
    _write(path, replace(erasure, whose=None), key)
    done.decisions += len(erasure.events)
    done.lines += len(erasure.lines)
    done.rows += sum(len(table.rows) for table in erasure.tables)


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
        if draft.exists() and _digest(draft) == table.after:
            if path.exists():  # else it was purged meanwhile
                draft.rename(path)
                sync_folder(folder)
        elif path.exists() and _digest(path) == table.before:  # the draft is gone
            after = erased(table.file, path.read_bytes(), table.rows)
            if hashlib.sha256(after).hexdigest() != table.after:
                raise OSError(0, f"the table {table.file} comes out otherwise than the record says")
            draft.unlink(missing_ok=True)
            write_new(draft, after)
            draft.rename(path)
            sync_folder(folder)
        draft.unlink(missing_ok=True)
    by_file: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for line in erasure.lines:
        by_file[line.file].append((line.start, line.content()))
    for name, instead in by_file.items():
        overwrite(folder / name, instead)


def _digest(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
