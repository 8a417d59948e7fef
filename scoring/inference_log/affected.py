"""What the files of a log say of a person, and what is to stand in its place."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scoring.inference_log.anchor import ANCHOR, read_anchor
from scoring.inference_log.compressed import DamagedError
from scoring.inference_log.disk import lines, named, write_new
from scoring.inference_log.erasure import ErasedLine, ErasedTable
from scoring.inference_log.note import NOTE_VERSION
from scoring.inference_log.packing import (
    DRAFT,
    log_files,
    open_log,
)
from scoring.inference_log.record import LogError, strict_json
from scoring.inference_log.table import TableEntry, erased, event_ids, rows_of

SCRATCH = f"{DRAFT}-"  # how the name of a folder begins that has copies of what is in a store
_ABOUT_EVENTS = (b'"kind":"review"', b'"kind":"outcome"')
_KIND_BYTES = 160  # of a line, among which its kind is: after its number and the hash before it
_KEPT = ("of", "event_id", "decision", "purpose", "header", "verdict", "operator")


@dataclass
class Affected:
    """What speaks of a person in a log."""

    events: list[str] = field(default_factory=list)
    lines: list[ErasedLine] = field(default_factory=list)
    tables: list[ErasedTable] = field(default_factory=list)


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
    tidy(folder)
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
        applicants = rows_of(part.file, content, ["applicant"])["applicant"]
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


def tidy(folder: Path) -> None:
    """Remove the new tables of an erasure that came to no record, and what a killed one had of a store."""
    for path in named(folder, DRAFT):
        path.unlink(missing_ok=True)
    for copies in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(copies, ignore_errors=True)
