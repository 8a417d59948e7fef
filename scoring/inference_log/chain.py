"""The chain of a file's records and its anchor outside the file: what makes tampering visible.

A chain alone shows edits, deletions and reorderings, not a cut tail, nor a file written afresh. So the last
hash of each file stands, signed with the log's key, in a file of its own in the folder of heads, which
belongs on another disk or under another owner. It is rewritten with each batch. When the retention is over,
the records go and this anchor stays, as a tombstone. An anchor also says how many there were when its file
was begun: so one that goes, with its file, is missed in the count of every later one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from scoring.inference_log.keys import signature
from scoring.inference_log.table import SUFFIX, Slice

ANCHOR_BYTES = 1_024  # rewritten in place, so that a full disk cannot stop it
_LINE = re.compile(rb'\{"seq":(\d{1,18}),"prev":"([0-9a-f]{64})",.*,"hash":"([0-9a-f]{64})"\}\n', re.DOTALL)
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\..+\.jsonl")

State = Literal["open", "closed", "purged"]


@dataclass(frozen=True)
class Anchor:
    """What was last known of a file: its records and the hash of the last one."""

    file: str
    seq: int
    hash: str
    state: State
    time: str  # of the last change, UTC
    before: int | None = None  # anchors with records when the file was begun; None: an older one, not said

    def to_bytes(self, key: bytes) -> bytes:
        """Return the signed anchor, always of the same length."""
        content = self._content() | {"mac": signature(key, self._signed())}
        return json.dumps(content).encode().ljust(ANCHOR_BYTES - 1) + b"\n"

    def _signed(self) -> bytes:
        return json.dumps(self._content(), sort_keys=True).encode()

    def _content(self) -> dict[str, object]:
        content = asdict(self)
        if self.before is None:
            del content["before"]
        return content

    @classmethod
    def from_bytes(cls, content: bytes, key: bytes | None) -> Anchor:
        """Read an anchor and check its signature, unless the key is None.

        Raises
        ------
        ValueError
            If it is none, or not signed with the key.
        """
        try:
            fields = json.loads(content)
            mac = str(fields.pop("mac"))
            anchor = cls(**fields)
            whole = [isinstance(anchor.seq, int), anchor.state in ("open", "closed", "purged")]
            whole += [isinstance(anchor.before, int | None)]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("the anchor cannot be read") from None
        if not all(whole):
            raise ValueError("the anchor cannot be read")
        if key is not None and not hmac.compare_digest(
            mac.encode("utf-8", "replace"), signature(key, anchor._signed()).encode()
        ):
            raise ValueError("the anchor is not signed with this key")
        return anchor


@dataclass(frozen=True)
class Fault:
    """Where the log is not as it was written. ``line`` counts from 1; None speaks of the whole file."""

    file: Path
    line: int | None
    why: str


@dataclass
class Verdict:
    """What `verify` found: the log is as it was written if there is no fault."""

    files: int = 0
    records: int = 0
    purged: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def heads_folder(log: Path) -> Path:
    """Return where the anchors of a log folder go unless told otherwise: beside it."""
    return log.with_name(f"{log.name}-heads")


def first_hash(name: str) -> str:
    """Return what the first record of a file follows: its name, so that no file passes for another."""
    return hashlib.sha256(name.encode()).hexdigest()


def link(seq: int, prev: str, body: bytes) -> tuple[bytes, str]:
    """Return the line of a record and its hash."""
    start = b'{"seq":%d,"prev":"%s",%s' % (seq, prev.encode(), body[1:-1])
    digest = hashlib.sha256(start).hexdigest()
    return b'%s,"hash":"%s"}\n' % (start, digest.encode()), digest


def verify(folder: Path, heads: Path, key: bytes | None) -> Verdict:
    """Check every record against its chain and every file against its anchor.

    Parameters
    ----------
    folder, heads : Path
        Folder of the log; folder of its anchors.
    key : bytes or None
        The log's key. None leaves the anchors' signatures unchecked, and says so.
    """
    verdict = Verdict()
    if key is None:
        verdict.notes.append("the anchors' signatures were not checked: there is no key.")
    # Anchors first: a service that is running may write on meanwhile, and a record comes before its anchor.
    anchors: dict[str, Anchor | None] = {}
    for path in sorted(heads.glob("*.head")):
        name = path.name.removesuffix(".head")
        anchors[name] = None
        try:
            found = Anchor.from_bytes(path.read_bytes(), key)
            if found.file != name:
                raise ValueError(f"the anchor is that of {found.file}")
            anchors[name] = found
        except ValueError as error:
            verdict.faults.append(Fault(folder / name, None, str(error)))
        except OSError as error:
            verdict.faults.append(Fault(folder / name, None, f"the anchor cannot be read: {error.strerror}"))
    stray = {path.name for path in folder.glob(f"*{SUFFIX}")}
    files = {path.name: path for path in sorted(folder.glob("*.jsonl"))}
    tables: set[str] = set()
    for name in sorted(files.keys() | anchors.keys()):
        anchor = anchors.get(name)
        if name in files:
            verdict.files += 1
            if name not in anchors:
                verdict.faults.append(
                    Fault(files[name], None, "the file has no anchor in the folder of heads")
                )
            try:
                _verify_file(files[name], anchor, verdict, tables)
            except OSError as error:
                verdict.faults.append(Fault(files[name], None, f"the file cannot be read: {error.strerror}"))
        elif anchor is not None and anchor.state == "purged":
            verdict.purged += 1
        elif anchor is not None:
            verdict.faults.append(Fault(folder / name, None, f"the file is gone, with {anchor.seq} records"))
    verdict.faults += _missing(folder, anchors)
    for name in sorted(stray - tables):
        verdict.notes.append(
            f"{name}: no record speaks of this table; being written now, left by a crash before any answer, "
            "or added by hand."
        )
    return verdict


def _missing(folder: Path, anchors: Mapping[str, Anchor | None]) -> list[Fault]:
    """Return which file is the first to follow more files than there are."""
    # When a file was begun with n anchors there, those n were begun earlier: in this order n stand before it.
    order = sorted((found.before or 0 if found else 0, name) for name, found in anchors.items())
    for place, (before, name) in enumerate(order):
        if before > place:
            gone = f"{before - place} earlier files are" if before - place > 1 else "an earlier file is"
            return [Fault(folder / name, None, f"{gone} gone with the anchor; there were {before}")]
    return []


def count_anchors(heads: Path, key: bytes) -> int:
    """Return how many anchors there are of files with records."""
    count = 0
    for path in heads.glob("*.head"):
        try:
            count += Anchor.from_bytes(path.read_bytes(), key).seq > 0
        except (ValueError, OSError):
            continue  # that one is a fault of its own
    return count


def _slice(line: bytes) -> Slice | None:
    """Return what a line says of a table, None if it is about one decision, or about nothing."""
    if b'"table":' not in line:
        return None
    try:
        return Slice.of(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _verify_file(path: Path, anchor: Anchor | None, verdict: Verdict, tables: set[str]) -> None:
    def fault(line: int | None, why: str) -> None:
        verdict.faults.append(Fault(path, line, why))

    if anchor is not None and anchor.state == "purged":
        fault(None, "the file was purged but is there")
        return
    seq, head, number, is_torn = 0, first_hash(path.name), 0, False
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                is_torn = True
                break
            found = _LINE.fullmatch(line)
            if found is None:
                fault(number, "the line is no record of the chain")
                seq += 1
                continue
            start = line[: found.start(3) - len(b',"hash":"')]
            if hashlib.sha256(start).hexdigest().encode() != found[3]:
                fault(number, "the record was changed")
            elif int(found[1]) != seq + 1:
                fault(
                    number, f"record {int(found[1])} stands where {seq + 1} belongs: deleted, added or moved"
                )
            elif found[2].decode() != head:
                fault(number, "the record does not follow the one above it: one of the two was changed")
            seq, head = int(found[1]), found[3].decode()
            part = _slice(line)
            verdict.records += part.rows if part else 1
            if part:
                tables.add(part.file)
                try:
                    part.content(path.parent)
                except ValueError as error:
                    fault(number, str(error))
            if anchor is not None and seq == anchor.seq and head != anchor.hash:
                fault(number, "the record is not the one of the anchor: the file was written afresh")
    if anchor is None:
        return
    if seq < anchor.seq:
        fault(seq + 1, f"the file is cut off: {anchor.seq - seq} records are missing from here on")
    elif (seq > anchor.seq or is_torn) and anchor.state == "closed":
        fault(anchor.seq + 1, "something was added after the file was closed")
    elif seq > anchor.seq:
        verdict.notes.append(
            f"{path.name}: {seq - anchor.seq} records after the anchor (from line {anchor.seq + 1}): being "
            "written now, left by a crash before any answer, or added by hand."
        )
    elif is_torn:
        verdict.notes.append(f"{path.name}, line {number}: torn by a crash, before any answer.")


def purge(folder: Path, heads: Path, key: bytes, before: date, now: datetime) -> list[str]:
    """Delete the log's files of the days before a day, and leave their anchors as signed tombstones.

    A file without an anchor of its own is left alone: `verify` must be able to say what is missing.

    Returns
    -------
    list of str
        Names of the files that are gone.
    """
    gone: list[str] = []
    for path in files_before(folder, before):
        head = heads / f"{path.name}.head"
        try:
            anchor = Anchor.from_bytes(head.read_bytes(), key)
        except (ValueError, FileNotFoundError):
            continue
        when = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        tombstone = Anchor(path.name, anchor.seq, anchor.hash, "purged", when, anchor.before)
        descriptor = os.open(head, os.O_WRONLY)
        try:
            os.pwrite(descriptor, tombstone.to_bytes(key), 0)
            os.fsync(descriptor)  # first the stone, then the grave: a crash between the two is seen
        finally:
            os.close(descriptor)
        for part in _tables(path):
            (folder / part).unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # another worker may be at it
        gone.append(path.name)
    left = {path.name for path in folder.glob("*.jsonl")}
    for path in folder.glob(f"*{SUFFIX}"):  # what a crash left without a record
        worker = path.name.rsplit(".", 2)[0]
        if path.name[:10] < before.isoformat() and not any(name.startswith(f"{worker}.") for name in left):
            path.unlink(missing_ok=True)
    return gone


def _tables(path: Path) -> list[str]:
    """Return the names of the tables that a file of the log speaks of."""
    try:
        with path.open("rb") as file:
            return [part.file for part in map(_slice, file) if part]
    except FileNotFoundError:
        return []


def files_before(folder: Path, before: date) -> Iterator[Path]:
    """Give the log's files of the days before a day."""
    for path in sorted(folder.glob("*.jsonl")):
        found = _DAY.fullmatch(path.name)
        if found and found[1] < before.isoformat():
            yield path
