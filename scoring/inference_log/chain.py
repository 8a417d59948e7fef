"""The chain of a file's records and its anchor outside the file: what makes tampering visible.

A chain alone shows edits, deletions and reorderings, not a cut tail, nor a file written afresh. So the last
hash of each file stands, signed with the log's key, in a file of its own in the folder of anchors, which
belongs on another disk or under another owner. It is rewritten with each batch. When the retention is over,
the records go and this anchor stays, as a tombstone. An anchor also says how many there were when its file
was begun: so one that goes, with its file, is missed in the count of every later one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from io import BufferedReader
from pathlib import Path

from scoring.inference_log.anchor import ANCHOR, Anchor, read_anchor
from scoring.inference_log.compressed import DamagedError
from scoring.inference_log.disk import is_too_long, lines, named
from scoring.inference_log.erasure import Erasures
from scoring.inference_log.packing import PACKED, log_files, open_log, packed, place, remove
from scoring.inference_log.record import is_header
from scoring.inference_log.renewal import Renewal, put_aside
from scoring.inference_log.table import TableEntry, table_files, writer_of
from scoring.regular import IrregularError

SETTLE_S = 0.1  # longer than a writer is between two steps of beginning or purging a file
NAMED = 1_000  # faults of a file that are named: damage may be endless
CHAINED = re.compile(rb'\{"seq":(\d{1,18}),"prev":"([0-9a-f]{64})",.*,"hash":"([0-9a-f]{64})"\}\n', re.DOTALL)
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\..+\.jsonl")


@dataclass(frozen=True)
class ChainFault:
    """Where the log is not as it was written. ``line`` counts from 1; None speaks of the whole file."""

    file: Path
    line: int | None
    why: str


@dataclass
class Verification:
    """What `verify` found: the log is as it was written if there is no fault."""

    files: int = 0
    records: int = 0
    purged: int = 0
    faults: list[ChainFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def first_hash(name: str) -> str:
    """Return what the first record of a file follows: its name, so that no file passes for another."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()


def link(seq: int, prev: str, body: bytes) -> tuple[bytes, str]:
    """Return the line of a record and its hash."""
    start = b'{"seq":%d,"prev":"%s",%s' % (seq, prev.encode(), body[1:-1])
    digest = hashlib.sha256(start).hexdigest()
    return b'%s,"hash":"%s"}\n' % (start, digest.encode()), digest


def next_hash(
    line: bytes, seq: int, head: str, erased: Callable[[], Mapping[str, bytes]] = lambda: {}
) -> str:
    """Return the hash of a line that follows a record.

    Parameters
    ----------
    line : bytes
        With its end.
    seq, head
        Number and hash of the record above it.
    erased : callable
        Gives the lines that stand where others were erased, by the hashes of these; asked for one that was
        changed.

    Raises
    ------
    ValueError
        If it does not follow; it says why.
    """
    record = CHAINED.fullmatch(line)
    if record is None:
        raise ValueError("the line is no record of the chain")
    if not _is_hashed(record) and erased().get(record[3].decode()) != line:
        raise ValueError("the record was changed")
    if int(record[1]) != seq + 1 or record[2].decode() != head:
        raise ValueError("the record does not follow the one above it")
    return record[3].decode()


def _is_hashed(record: re.Match[bytes]) -> bool:
    """Say whether a line has its own hash."""
    start = record[0][: record.start(3) - len(b',"hash":"')]
    return hashlib.sha256(start).hexdigest().encode() == record[3]


def verify(folder: Path, anchors: Path, key: bytes | None) -> Verification:
    """Check every record against its chain and every file against its anchor.

    A service may write, close and purge meanwhile: that is no fault.

    Parameters
    ----------
    folder, anchors : Path
        Folder of the log; folder of its anchors.
    key : bytes or None
        The log's key. None leaves the anchors' signatures unchecked, and says so.
    """
    erasures = Erasures.load(folder, key)
    anchored = {path.name.removesuffix(ANCHOR) for path in named(anchors, ANCHOR)}
    unnamed = {path.name for path in table_files(folder)}
    names = anchored | {path.name for path in log_files(folder)}
    found = {name: _verify_name(folder, anchors, name, key, erasures) for name in sorted(names)}
    if any(fault.line is None for part in found.values() for fault in part.faults):
        time.sleep(SETTLE_S)  # a writer that was between two steps is through
    now = Erasures.load(folder, key)
    for name, part in found.items():
        is_other = _state(folder, anchors, name) != part.state or now.all != erasures.all
        if part.faults and is_other:
            found[name] = _verify_name(folder, anchors, name, key, now)
    verdict = Verification()
    verdict.faults += (ChainFault(path, None, why) for path, why in now.faults)
    for path, erasure in now.all:
        if erasure.whose is not None:
            why = "the erasure was ended in its midst, or goes on: say the same command again"
            verdict.faults.append(ChainFault(path, None, why))
    if key is None:
        verdict.notes.append("the anchors' signatures were not checked: there is no key.")
    for path, renewal in put_aside(anchors, key):
        if isinstance(renewal, Renewal):
            verdict.notes.append(str(renewal))
        else:
            verdict.faults.append(ChainFault(path, None, renewal))
    for part in found.values():
        verdict.files += part.files
        verdict.records += part.records
        verdict.purged += part.purged
        verdict.faults += part.faults
        verdict.notes += part.notes
        unnamed -= part.tables | {f"{name}{PACKED}" for name in part.tables}
    verdict.faults += _missing(
        folder, {name: part.anchor for name, part in found.items() if part.is_anchored}
    )
    for name in sorted(unnamed):
        verdict.notes.append(
            f"{name}: no record speaks of this table; being written now, left by a crash before any answer, "
            "or added by hand."
        )
    return verdict


def verify_file(folder: Path, anchors: Path, name: str, key: bytes) -> list[ChainFault]:
    """Check one file of the log, by its name as it was written, and its tables."""
    return _verify_name(folder, anchors, name, key, Erasures.now(folder, key)).faults


@dataclass
class _Part(Verification):
    """What was found of one file, and how it and its anchor stood before it was looked at."""

    state: tuple[object, ...] = ()
    anchor: Anchor | None = None
    is_anchored: bool = False  # even if the anchor is a fault
    tables: set[str] = field(default_factory=set)


def _state(folder: Path, anchors: Path, name: str) -> tuple[object, ...]:
    """Return what changes when a file is begun, written on, closed or purged."""
    state: list[object] = []
    for path in (anchors / f"{name}{ANCHOR}", folder / name, packed(folder / name)):
        try:
            found = path.stat()
        except OSError:
            state.append(None)
        else:
            state += [found.st_ino, found.st_size, found.st_mtime_ns]
    return tuple(state)


def _verify_name(folder: Path, anchors: Path, name: str, key: bytes | None, erasures: Erasures) -> _Part:
    """Check what stands under a name against its anchor."""
    part, path = _Part(state=_state(folder, anchors, name)), folder / name
    try:
        # The anchor first: a service that is running may write on meanwhile, and a record comes before it.
        part.anchor = read_anchor(anchors / f"{name}{ANCHOR}", key)
        part.is_anchored = part.anchor is not None
    except ValueError as error:
        part.is_anchored = True
        part.faults.append(ChainFault(path, None, str(error)))
    anchor = part.anchor
    recorded = anchor.seq if anchor is not None and anchor.state != "purged" else 0
    try:
        file = open_log(path)
    except (FileNotFoundError, IrregularError):
        path = place(path)
        is_taken = os.path.lexists(path)
        if recorded:
            what = ": what stands there is no regular file" if is_taken else ""
            part.faults.append(ChainFault(path, None, f"the file is gone, with {recorded} records{what}"))
        elif is_taken:
            part.notes.append(f"{path.name}: skipped, it is no regular file.")
        part.purged += anchor is not None and anchor.state == "purged"
        return part
    except OSError as error:
        part.files += 1
        part.faults.append(ChainFault(path, None, f"the file cannot be read: {error.strerror}"))
        return part
    path = place(path)
    with file:
        if not part.is_anchored and file.seekable() and not os.fstat(file.fileno()).st_size:
            part.notes.append(f"{name}: empty and without an anchor; left by a crash as it was begun.")
            return part
        part.files += 1
        if not part.is_anchored:
            part.faults.append(ChainFault(path, None, "the file has no anchor in the folder of anchors"))
        try:
            _verify_file(path, name, file, anchor, part, erasures)
        except OSError as error:
            part.faults.append(ChainFault(path, None, f"the file cannot be read: {error.strerror}"))
    return part


def _missing(folder: Path, anchors: Mapping[str, Anchor | None]) -> list[ChainFault]:
    """Return which file is the first to follow more files than there are."""
    # When a file was begun with n anchors there, those n were begun earlier: in this order n stand before it.
    order = sorted((anchor.before or 0 if anchor else 0, name) for name, anchor in anchors.items())
    for found, (before, name) in enumerate(order):
        if before > found:
            gone = f"{before - found} earlier files are" if before - found > 1 else "an earlier file is"
            return [ChainFault(folder / name, None, f"{gone} gone with the anchor; there were {before}")]
    return []


def _slice(line: bytes) -> TableEntry | None:
    """Return what a line says of a table, None if it is about one decision, or about nothing."""
    if b'"table":' not in line:
        return None
    try:
        return TableEntry.of(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _verify_file(
    path: Path, name: str, file: BufferedReader, anchor: Anchor | None, found: _Part, erasures: Erasures
) -> None:
    more, erased = 0, erasures.lines.get(name, {})

    def fault(line: int | None, why: str) -> None:
        nonlocal more
        if len(found.faults) < NAMED:
            found.faults.append(ChainFault(path, line, why))
        else:
            more += 1

    if anchor is not None and anchor.state == "purged":
        fault(None, "the file was purged but is there")
        return
    seq, head, number, is_torn = 0, first_hash(name), 0, False
    end = None if anchor is None or anchor.seq else 0  # line of the anchor's record
    numbered = enumerate(lines(file), start=1)
    while True:
        try:
            number, line = next(numbered)
        except StopIteration:
            break
        except DamagedError as error:
            fault(number + 1, f"from here on the file cannot be read: {error.strerror}")
            break
        is_torn = not line.endswith(b"\n") and not is_too_long(line)
        if is_torn:
            break  # the last one
        record = CHAINED.fullmatch(line)
        if record is None:
            what = "longer than any record" if is_too_long(line) else "no record of the chain"
            fault(number, f"the line is {what}")
            seq += not is_header(line)
            continue
        digest = record[3].decode()
        is_erased = digest in erased and digest not in erasures.begun
        if line != erased.get(digest) and (is_erased or not _is_hashed(record)):
            is_back = is_erased and _is_hashed(record)
            fault(
                number, "the record was erased, and is there again" if is_back else "the record was changed"
            )
        elif int(record[1]) != seq + (not (is_head := is_header(line))):
            what = "a header" if is_head else f"record {int(record[1])}"
            belongs = seq if is_head else seq + 1
            fault(number, f"{what} stands where {belongs} belongs: deleted, added or moved")
        elif record[2].decode() != head:
            fault(number, "the record does not follow the one above it: one of the two was changed")
        seq, head = int(record[1]), record[3].decode()
        if is_header(line):
            continue
        part = _slice(line)
        found.records += part.rows if part else 1
        if part:
            found.tables.add(part.file)
            try:
                part.check(path.parent, erasures)
            except ValueError as error:
                fault(number, str(error))
        if anchor is not None and seq == anchor.seq:
            end = number
            if head != anchor.hash:
                fault(number, "the record is not the one of the anchor: the file was written afresh")
    if more:
        found.faults.append(ChainFault(path, None, f"{more} more lines are not as they were written"))
    if anchor is None:
        return
    is_longer = seq > anchor.seq if end is None else number > end
    after = 1 + (number - 1 if end is None else end)
    if seq < anchor.seq:
        fault(
            number + (not is_torn),
            f"the file is cut off: {anchor.seq - seq} records are missing from here on",
        )
    elif is_longer and anchor.state == "closed":
        fault(after, "something was added after the file was closed")
    elif seq > anchor.seq:
        found.notes.append(
            f"{path.name}: {seq - anchor.seq} records after the anchor (from line {after}): being "
            "written now, left by a crash before any answer, or added by hand."
        )
    elif is_torn:
        found.notes.append(
            f"{path.name}, line {number}: being written now, or torn by a crash, before any answer."
        )


def purge(folder: Path, anchors: Path, key: bytes, before: date, now: datetime) -> list[str]:
    """Delete the log's files of the days before a day, and leave their anchors as signed tombstones.

    A file without an anchor of its own is left alone: `verify` must be able to say what is missing.

    Returns
    -------
    list of str
        Names of the files that are gone.
    """
    gone: list[str] = []
    for path in files_before(folder, before):
        anchored = anchors / f"{path.name}{ANCHOR}"
        try:
            anchor = read_anchor(anchored, key)
        except ValueError:
            continue
        if anchor is None:
            continue
        when = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        tombstone = Anchor(path.name, anchor.seq, anchor.hash, "purged", when, anchor.before)
        descriptor = os.open(anchored, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, tombstone.to_bytes(key), 0)
            os.fsync(descriptor)  # first the stone, then the grave: a crash between the two is seen
        finally:
            os.close(descriptor)
        tables = tables_of(path)
        remove(path)  # another worker may be at it
        for part in tables:  # after the file: who reads meanwhile and misses one finds the file gone too
            remove(folder / part)
        gone.append(path.name)
    left = {path.name for path in log_files(folder)}
    for record, erasure in Erasures.load(folder, key).all:
        day = max((name[:10] for name in erasure.files), default="")
        if erasure.whose is None and day < before.isoformat():  # all that it speaks of is gone
            record.unlink(missing_ok=True)
    for path in table_files(folder):  # what a crash left without a record
        worker = writer_of(path.name)
        if path.name[:10] < before.isoformat() and not any(name.startswith(f"{worker}.") for name in left):
            path.unlink(missing_ok=True)
    return gone


def tables_of(path: Path) -> list[str]:
    """Return the names of the tables that a file of the log speaks of."""
    found: list[str] = []
    with suppress(OSError), open_log(path) as file:  # gone, or not to be read further: `verify` says so
        found += (part.file for part in map(_slice, lines(file)) if part)
    return found


def files_before(folder: Path, before: date) -> Iterator[Path]:
    """Give the log's files of the days before a day."""
    for path in log_files(folder):
        found = _DAY.fullmatch(path.name)
        if found and found[1] < before.isoformat():
            yield path
