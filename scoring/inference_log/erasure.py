"""The signed record of an erasure: which lines and tables of the log were changed, and to what.

It stands in the log's folder, ``TIME-ID.erasure``, and is written before anything is changed. A line that was
erased keeps its length, its number and its two hashes, so the chain around it is as it was::

    {"seq": 8, "prev": "…", "kind": "erased", "schema_version": 1, "time": "…", "about": {"event_id": "…",
     "decision": "refused", "purpose": "decision", "header": "…", "on": "2026-12-01"}    , "hash": "…"}

Its hash is that of the line which stood there, and can no more be computed: `verify` accepts the line if, and
only if, it is the one that a signed record names. A table keeps its row without its values; the record names
the hash of the file before and after. The erasure itself is a note in the chain.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from scoring.inference_log.disk import named
from scoring.inference_log.record import LogError
from scoring.inference_log.signed import check_signed, sign
from scoring.regular import read_small

SUFFIX = ".erasure"
RECORD_BYTES = 2**28
_HASH = b',"hash":"'


@dataclass(frozen=True)
class ErasedLine:
    """A line of a file, by its first byte, its length and its hash, and what stands there instead."""

    file: str
    start: int
    length: int
    hash: str
    line: str  # without the spaces that fill it

    def content(self) -> bytes:
        """Return the line as it is in the file."""
        line = self.line.encode()
        end = line.rfind(_HASH)
        return line[:end].ljust(self.length - 1 - (len(line) - end)) + line[end:] + b"\n"


@dataclass(frozen=True)
class ErasedTable:
    """A table that lost the values of some rows: its SHA-256 before and after."""

    file: str
    rows: tuple[int, ...]
    before: str
    after: str


@dataclass(frozen=True)
class Erasure:
    """What was erased, and why.

    ``events`` are the decisions; ``whose`` is the pseudonym, as long as it is not done, and then None.
    """

    id: str
    time: str
    reason: str
    events: tuple[str, ...] = ()
    lines: tuple[ErasedLine, ...] = ()
    tables: tuple[ErasedTable, ...] = ()
    whose: str | None = None
    is_shipped: bool = False  # it is one of a store as well

    @property
    def files(self) -> set[str]:
        """Names of the files and tables that it changed."""
        return {line.file for line in self.lines} | {table.file for table in self.tables}

    def to_bytes(self, key: bytes) -> bytes:
        """Return it signed."""
        return sign(asdict(self), key)

    @classmethod
    def of(cls, content: bytes, key: bytes | None) -> Erasure:
        """Read what `to_bytes` wrote; a ValueError says what is wrong."""
        said = check_signed(content, key)
        try:
            lines = tuple(ErasedLine(**line) for line in said.pop("lines"))
            tables = tuple(ErasedTable(**{**one, "rows": tuple(one["rows"])}) for one in said.pop("tables"))
            return cls(**{**said, "events": tuple(said["events"])}, lines=lines, tables=tables)
        except (TypeError, KeyError, AttributeError):
            raise ValueError("it cannot be read") from None


@dataclass
class Erasures:
    """All erasures of a log: what must stand where something else was written.

    Attributes
    ----------
    lines : mapping
        By file and the hash of the line that was erased: the line that stands there.
    begun : set of str
        Hashes of lines and of tables that may still be there as they were.
    all : list of (Path, Erasure)
    faults : list of (Path, str)
        Records that are none, and why.
    """

    lines: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    begun: set[str] = field(default_factory=set)
    all: list[tuple[Path, Erasure]] = field(default_factory=list)
    faults: list[tuple[Path, str]] = field(default_factory=list)
    _tables: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def load(cls, folder: Path, key: bytes | None) -> Erasures:
        """Read the records of a log's folder; their signatures are checked unless the key is None."""
        found = cls()
        for path in named(folder, SUFFIX):
            try:
                erasure = Erasure.of(read_small(path, RECORD_BYTES), key)
            except OSError as error:
                found.faults.append((path, f"the record of the erasure cannot be read: {error.strerror}"))
                continue
            except ValueError as error:
                found.faults.append((path, f"the record of the erasure: {error}"))
                continue
            found.all.append((path, erasure))
            for line in erasure.lines:
                found.lines[line.file][line.hash] = line.content()
            for table in erasure.tables:
                found._tables[table.file][table.before] = table.after
            if erasure.whose is not None:
                found.begun |= {line.hash for line in erasure.lines}
                found.begun |= {table.before for table in erasure.tables}
        return found

    @classmethod
    def now(cls, folder: Path, key: bytes | None) -> Erasures:
        """Return what `load` does, read again only when there is another record: for who asks for each line.

        What is returned is shared: it must not be changed.
        """
        try:
            stamp = folder.stat().st_mtime_ns  # a record appears, and is finished, by a rename
        except FileNotFoundError:
            return cls()
        return _loaded(folder, key, stamp, tuple(path.name for path in named(folder, SUFFIX)))

    @cached_property
    def events(self) -> frozenset[str]:
        """The decisions that were erased, or are about to be."""
        return frozenset(event for _, erasure in self.all for event in erasure.events)

    def is_right(self, table: str, written: str, digest: str) -> bool:
        """Say whether a table that was written with a SHA-256 is as it must be with the one that it has."""
        steps = dict(self._tables.get(table, {}))
        while written in steps:
            if digest == written and digest in self.begun:
                return True
            written = steps.pop(written)
        return digest == written

    def of_file(self, name: str, tables: Sequence[str]) -> list[Path]:
        """Return the records that speak of a file or of one of its tables."""
        its = {name, *tables}
        return [path for path, erasure in self.all if its & erasure.files]


@lru_cache(8)  # logs that are read at a time, with their key and without
def _loaded(folder: Path, key: bytes | None, *_standing: object) -> Erasures:
    return Erasures.load(folder, key)


@contextmanager
def alone(folder: Path, is_shipping: bool = False) -> Iterator[None]:
    """Be the only one that erases, while nobody ships; or one of several that ship, while nobody erases.

    Raises
    ------
    LogError
        If others are at work.
    """
    try:
        lock = os.open(folder / ".erase.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise LogError(f"{folder} cannot be written: {error.strerror}; let this user write there.") from error
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if is_shipping else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        raise LogError("an erasure or a shipment is at work on this log; wait until it is done.") from None
    else:
        yield
    finally:
        os.close(lock)
