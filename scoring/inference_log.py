"""The inference log: one format, one writer per process, one reader.

A record is one line of strict JSON, on the disk before the decision leaves the service::

    {"schema_version": 1, "event_id": "…", "time": "2026-11-21T09:30:00.000000Z",
     "model": "credit_scoring:…", "applicant": "…", "request_id": "…",
     "probability_of_default": 0.042, "threshold": 0.09, "decision": "granted",
     "numbers": {"ext_source_mean": 0.51, …}, "categories": {"income_type": "Working", …}}

Every line stands alone: features are told apart by kind, so a column that is empty in a whole file
still has its type. The applicant is a keyed pseudonym; no direct identifier is written.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import math
import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

SCHEMA_VERSION = 1
KEY_BYTES = 32  # as long as the digest of HMAC-SHA-256: RFC 2104 asks for no less
BATCH = 10_000  # records read at a time: as dictionaries they take ten times the memory of columns
PROBE_BYTES = 2**16  # about the size of a merged batch
COLUMNS: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "model": pl.String(),
    "applicant": pl.String(),
    "request_id": pl.String(),
    "probability_of_default": pl.Float64(),
    "threshold": pl.Float64(),
    "decision": pl.String(),
}
"""The columns that stand before the model's input features, in the log and in a scorer's reference."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class LogError(RuntimeError):
    """The inference log cannot be written, so no decision may be given."""


@dataclass(frozen=True)
class Entry:
    """One decision to record. ``features`` holds the model's inputs: numbers, words or None."""

    event_id: str
    applicant: int
    request_id: str
    probability_of_default: float
    threshold: float
    decision: str
    features: Mapping[str, float | str | None]


@dataclass(frozen=True)
class Quarantined:
    """A line that is no record: where it stands and why it was set aside. Never its content."""

    file: Path
    line: int
    why: str


@dataclass(frozen=True)
class Log:
    """What a log folder holds: the typed table, and what had to be left out of it.

    Attributes
    ----------
    table : polars.DataFrame
        ``COLUMNS``, then one column per model input (Float64 or String), ordered by time.
    quarantined : tuple of Quarantined
        Lines that could not be understood; a torn last line is among them.
    duplicates : int
        Records left out because their event_id had been read before.
    """

    table: pl.DataFrame
    quarantined: tuple[Quarantined, ...] = ()
    duplicates: int = 0


def pseudonym_key(path: Path) -> bytes:
    """Return the key of the pseudonyms, made at the first call with access for its owner only.

    Deleting the file makes the log anonymous: no pseudonym can be traced to a client any more.

    Raises
    ------
    LogError
        If the file cannot be made or read, is too short, or is open to other users.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and linked into place, so that two workers starting together get one whole key.
        draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        if not path.exists():
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another worker was first: its key is the key
            finally:
                draft.unlink()
        key, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise LogError(f"the pseudonym key {path} cannot be used: {error.strerror}.") from error
    if mode & 0o077:
        raise LogError(f"the pseudonym key {path} is open to other users; run: chmod 600 {path}")
    if len(key) < KEY_BYTES:
        raise LogError(
            f"the pseudonym key {path} has {len(key)} bytes, not {KEY_BYTES}; delete it for a new one."
        )
    return key


def pseudonym(key: bytes, applicant: int) -> str:
    """Return the keyed pseudonym of a client: 32 hexadecimal digits of HMAC-SHA-256."""
    return hmac.new(key, str(applicant).encode(), hashlib.sha256).hexdigest()[:32]


class InferenceLog:
    """The writing end of the log: one file a day and worker, synced to the disk batch by batch.

    Parameters
    ----------
    folder : Path
        Where the files go; made if absent.
    worker : str
        Name of the one writing process; part of the file name.
    key : bytes
        Key of the pseudonyms, see `pseudonym_key`.
    model : str
        Exact tag of the model whose decisions are recorded.
    categories : collection of str
        Names of the inputs that are words; all others are numbers.

    Raises
    ------
    LogError
        If the folder cannot be made or written.

    Notes
    -----
    Threads may share a log. A batch that was not written whole is cut off again, so that a record is
    in the log if and only if `record` returned, or its process died before it could answer.
    """

    def __init__(
        self, folder: Path, worker: str, key: bytes, model: str, categories: Collection[str] = ()
    ) -> None:
        if not _SAFE_NAME.fullmatch(worker):
            raise ValueError(f"worker {worker!r} is no file name; use letters, digits, '.', '_' and '-'.")
        self.folder = folder
        self.worker = worker
        self.model = model
        self._categories = frozenset(categories)
        self._key = key
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._size = 0  # bytes of whole, synced records
        self._has_failed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"the log folder {folder} cannot be made: {error.strerror}.") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise LogError(f"the log folder {folder} cannot be written; give a folder that this user owns.")

    def record(self, entries: Iterable[Entry], now: datetime) -> None:
        """Write entries to the disk and return when they are there: all of them, or none.

        Raises
        ------
        LogError
            If they could not be written and synced. The next call tries afresh.
        ValueError
            If a number is not finite, or ``now`` has no time zone.
        """
        time = now.astimezone(UTC)
        if now.tzinfo is None:
            raise ValueError("the time of a decision needs a time zone; give datetime.now(UTC).")
        lines = "".join(self._line(entry, time) for entry in entries).encode()
        if not lines:
            return
        with self._lock:
            try:
                descriptor = self._open(self.folder / f"{time:%Y-%m-%d}.{self.worker}.jsonl")
                _write(descriptor, lines)
                os.fsync(descriptor)
                self._size += len(lines)
                self._has_failed = False
            except OSError as error:
                self._has_failed = True
                self._undo()
                raise LogError(
                    f"the inference log in {self.folder} cannot be written: {error.strerror}."
                ) from error

    def check(self) -> None:
        """Try to write to the folder, and leave nothing behind.

        Raises
        ------
        LogError
            If that fails.
        """
        probe = self.folder / f".{self.worker}.probe"
        try:
            try:
                probe.write_bytes(b"\n" * PROBE_BYTES)
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise LogError(
                f"the inference log in {self.folder} cannot be written: {error.strerror}."
            ) from error

    def is_healthy(self) -> bool:
        """Say whether the last batch could be written or, if not, whether the next one could be."""
        if not self._has_failed:
            return True
        try:
            self.check()
        except LogError:
            return False
        return True

    def close(self) -> None:
        """Close the file. Nothing is pending: every record was synced when it was made."""
        with self._lock:
            self._close()

    def _line(self, entry: Entry, time: datetime) -> str:
        features = entry.features.items()
        record = {
            "schema_version": SCHEMA_VERSION,
            "event_id": entry.event_id,
            "time": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
            "model": self.model,
            "applicant": pseudonym(self._key, entry.applicant),
            "request_id": entry.request_id,
            "probability_of_default": entry.probability_of_default,
            "threshold": entry.threshold,
            "decision": entry.decision,
            "numbers": {name: value for name, value in features if name not in self._categories},
            "categories": {name: value for name, value in features if name in self._categories},
        }
        return json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"

    def _open(self, path: Path) -> int:
        """Return the descriptor of the day's file, its torn tail (a crash before any answer) cut off."""
        if self._descriptor is not None and self._path == path and path.exists():
            return self._descriptor
        self._close()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._descriptor = descriptor
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one writer a file
        with path.open("rb") as file:
            self._size = sum(len(line) for line in file if line.endswith(b"\n"))
        os.ftruncate(descriptor, self._size)
        _sync_folder(self.folder)
        self._path = path
        return descriptor

    def _undo(self) -> None:
        """Cut a half-written batch off; if even that fails, the next `_open` does."""
        if self._descriptor is not None and self._path is not None:
            try:
                os.ftruncate(self._descriptor, self._size)
                os.fsync(self._descriptor)
            except OSError:
                self._close()
        else:
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._path = None


def _write(descriptor: int, content: bytes) -> None:
    """Write all of the content: a nearly full disk takes a part and says so only by the count."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: Path) -> Log:
    """Return what the files of a log folder hold, ordered by time.

    A line that is no record (torn by a crash, edited, of a newer format) is set aside and counted,
    never guessed at; an event_id met twice counts once.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no inference log in {folder}; give the service's CREDIT_SCORING_LOG."
        )
    quarantined: list[Quarantined] = []
    parts = [pl.DataFrame(schema=COLUMNS)]
    for path in sorted(folder.glob("*.jsonl")):
        records = _records(path, quarantined)
        while batch := list(islice(records, BATCH)):
            parts.append(_table(batch))
    table = pl.concat(parts, how="diagonal")
    once = table.unique("event_id", keep="first", maintain_order=True).sort("time", "event_id")
    return Log(once, tuple(quarantined), table.height - once.height)


def _records(path: Path, quarantined: list[Quarantined]) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("torn: the line has no end")
                record = json.loads(line, parse_constant=_no_constant)
                _check(record)
            except ValueError as error:
                why = (
                    "not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
                )
                quarantined.append(Quarantined(path, number, why))
            else:
                yield record


def _no_constant(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


def _check(record: object) -> None:
    """Raise ValueError unless the record is whole and of a format that this code knows."""
    if not isinstance(record, dict):
        raise ValueError("not a record")
    if record.get("schema_version") != SCHEMA_VERSION:
        raise ValueError("not of schema_version 1")
    words = ("event_id", "time", "model", "applicant", "request_id", "decision")
    if bad := [name for name in words if not isinstance(record.get(name), str)]:
        raise ValueError(f"{bad[0]} is not text")
    if bad := [name for name in ("probability_of_default", "threshold") if not _is_number(record.get(name))]:
        raise ValueError(f"{bad[0]} is not a number")
    for part, is_value in (("numbers", _is_number), ("categories", _is_word)):
        features = record.get(part)
        if not isinstance(features, dict):
            raise ValueError(f"{part} is not an object")
        if bad := [name for name, value in features.items() if not (value is None or is_value(value))]:
            raise ValueError(f"{part} has a value of another kind")
        if COLUMNS.keys() & features.keys():
            raise ValueError(f"{part} has a reserved name")
    if not record["time"].endswith("Z"):
        raise ValueError("time is not in UTC")
    record["time"] = datetime.fromisoformat(record["time"])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def _table(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return records as columns; a feature that a record lacks is null in its row."""
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, [record[name] for record in records], dtype=dtype)
        for name, dtype in COLUMNS.items()
    }
    for part, dtype in (("numbers", pl.Float64()), ("categories", pl.String())):
        for name in dict.fromkeys(name for record in records for name in record[part]):
            values = [record[part].get(name) for record in records]
            columns.setdefault(name, pl.Series(name, values, dtype=dtype, strict=False))
    return pl.DataFrame(columns)
