"""A log whose key is lost: noticed when it is opened, and put aside on request, with a record of who said so.

What a lost key signed cannot be checked any more, and what a new one would sign beside it could not be told
from tampering. So a new log is begun only when somebody says that the key is lost, and why: `renew` puts the
files and the anchors into folders ``before-TIME`` inside the log's own, and leaves a signed record there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from scoring.inference_log.anchor import ANCHOR, ANCHOR_BYTES, is_key_of, read_anchor
from scoring.inference_log.disk import make_folder, named, sync_folder, write_new
from scoring.inference_log.erasure import SUFFIX as ERASURE
from scoring.inference_log.keys import pseudonym_key, signature
from scoring.inference_log.packing import LOG, PACKED
from scoring.inference_log.record import LogError
from scoring.inference_log.table import table_files
from scoring.regular import read_small

RECORD = "renewal.json"
REASON_LETTERS = 500
BEGUN = "the renewal was ended in its midst: say the same command again, and it goes on"
_RECORD_BYTES = 2**14


@dataclass(frozen=True)
class Renewal:
    """What was put aside: the name of its folder, how many files and records by their anchors, and why."""

    folder: str
    time: str
    reason: str
    files: int
    records: int
    anchors_sha256: str

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"a new log was begun at {self.time}, since the key was lost: {self.reason}. The one before, "
            f"{self.files} files with {self.records} records, was put aside in {self.folder}."
        )

    def _content(self) -> dict[str, object]:
        return asdict(self)

    def to_bytes(self, key: bytes) -> bytes:
        """Return the signed record."""
        signed = json.dumps(self._content(), sort_keys=True).encode()
        return json.dumps(self._content() | {"mac": signature(key, signed)}).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, key: bytes | None) -> Renewal:
        """Read a record and check its signature, unless the key is None; a ValueError says what is wrong."""
        try:
            fields = json.loads(content)
            mac = str(fields.pop("mac"))
            found = cls(**fields)
            signed = json.dumps(found._content(), sort_keys=True).encode()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("the record of the renewal cannot be read") from None
        if key is not None and not hmac.compare_digest(
            mac.encode("utf-8", "replace"), signature(key, signed).encode()
        ):
            raise ValueError("the record of the renewal is not signed with this key")
        return found


def log_key(path: Path, log: Path, anchors: Path, is_shared: bool = False) -> bytes:
    """Return the key of a log, made only if the log is new, and of one instance.

    Raises
    ------
    LogError
        If the key was lost, see `check_key`, cannot be used, see `pseudonym_key`, or is not there and to be
        ``is_shared`` by several instances.
    """
    try:
        is_lost = not path.exists() and not is_key_of(anchors, None)
    except OSError as error:
        raise LogError(
            f"{error.filename} cannot be used: {error.strerror}; let this user read and write it."
        ) from error
    if is_lost:
        raise LogError(_lost(f"the key {path} is gone, and the log in {log} is signed with it", log, anchors))
    if is_shared:
        _must_be_given(path)
    return pseudonym_key(path, is_new_allowed=not is_shared)


def _must_be_given(path: Path) -> None:
    if not path.exists():
        raise LogError(
            f"there is no key {path}, and several instances write this log (CREDIT_SCORING_INSTANCE): if each"
            " made its own, a client would have several pseudonyms. Make it once, `(umask 077; openssl rand "
            "-hex 32 > KEY)`, and give the same file to all instances (CREDIT_SCORING_KEY_FILE)."
        )


def check_key(log: Path, anchors: Path, key: bytes) -> None:
    """Check that a log goes on under the key that signed its newest anchor.

    Raises
    ------
    LogError
        If it does not; it names the way out.
    """
    try:
        is_ours = is_key_of(anchors, key)
    except OSError as error:
        raise LogError(f"the log folder {anchors} cannot be read: {error.strerror}.") from error
    if not is_ours:
        raise LogError(_lost(f"the log in {log} is signed with another key than the one given", log, anchors))


def _lost(what: str, log: Path, anchors: Path) -> str:
    return (
        f"{what}: put the old key back from its copy, or, if it is lost for good, begin a new log with "
        f"`python -m scoring.inference_log renew --log {log} --anchors {anchors} --reason TEXT`; "
        "the old one is put aside, and that is recorded."
    )


def renew(
    log: Path, anchors: Path, key_file: Path, reason: str, now: datetime, is_shared: bool = False
) -> Renewal:
    """Put a log whose key is lost aside, so that a new one can begin; no service may be running on it.

    What was ended in its midst, the same call takes up.

    Raises
    ------
    LogError
        If the key is not lost, the reason is none, a file cannot be moved, or there is no new key and it is
        to be ``is_shared`` by several instances.
    """
    if not 0 < len(reason.strip()) <= REASON_LETTERS or not reason.isprintable():
        raise LogError(f"a reason is one line of at most {REASON_LETTERS} letters; give one with --reason.")
    signed = named(anchors, ANCHOR)
    if is_key_of(anchors, None):
        raise LogError(f"the log in {log} has no anchors in {anchors}: a new one begins by itself.")
    if key_file.exists() and is_key_of(anchors, pseudonym_key(key_file, is_new_allowed=False)):
        raise LogError(f"the log in {log} goes on under the key {key_file}: nothing is lost.")
    if is_shared:
        _must_be_given(key_file)
    key = pseudonym_key(key_file, is_new_allowed=not is_shared)
    found = _begun(anchors, key) or Renewal(
        f"before-{now:%Y-%m-%dT%H%M%SZ}",
        f"{now:%Y-%m-%dT%H:%M:%SZ}",
        reason.strip(),
        len(signed),
        _records(signed),
        _digest(anchors),
    )
    name = found.folder
    try:
        for whole in dict.fromkeys((log, anchors)):
            make_folder(whole / name)
        record, draft = anchors / name / RECORD, anchors / name / f".{RECORD}"
        if not record.exists():
            draft.unlink(missing_ok=True)
            write_new(draft, found.to_bytes(key))
            draft.rename(record)
            sync_folder(anchors / name)
        # The anchors last: as long as one is here, the log is known to be another key's.
        lines = (*named(log, LOG), *named(log, f"{LOG}{PACKED}"))
        for path in (*lines, *table_files(log), *named(log, ERASURE), *signed):
            path.rename(path.parent / name / path.name)
        for whole in (log / name, anchors / name, log, anchors):
            sync_folder(whole)
    except OSError as error:
        raise LogError(
            f"the log in {log} cannot be put aside: {error.strerror}; what was moved is in {name}, say the "
            "same command again when that is mended."
        ) from error
    return found


def _begun(anchors: Path, key: bytes) -> Renewal | None:
    """Return a renewal that was ended in its midst: its anchors are partly put aside, and partly here."""
    begun = (path for path, found in put_aside(anchors, key) if found == BEGUN)
    return next((Renewal.from_bytes(read_small(path, _RECORD_BYTES), key) for path in begun), None)


def put_aside(anchors: Path, key: bytes | None) -> Iterator[tuple[Path, Renewal | str]]:
    """Give the record of every log that was put aside, or what is wrong with it or with its anchors."""
    for path in sorted(anchors.glob(f"before-*/{RECORD}")):
        try:
            found = Renewal.from_bytes(read_small(path, _RECORD_BYTES), key)
            if found.folder != path.parent.name or found.anchors_sha256 != _digest(path.parent):
                is_begun = found.anchors_sha256 == _digest(path.parent, anchors)
                raise ValueError(BEGUN if is_begun else "the anchors that were put aside were changed")
        except OSError as error:
            yield path, f"the record of the renewal cannot be read: {error.strerror}"
        except ValueError as error:
            yield path, str(error)
        else:
            yield path, found


def _records(anchors: list[Path]) -> int:
    count = 0
    for path in anchors:
        try:
            anchor = read_anchor(path, None)
        except ValueError:
            continue
        count += anchor.seq if anchor is not None and anchor.state != "purged" else 0
    return count


def _digest(*folders: Path) -> str:
    """Return what changes with any anchor of some folders."""
    digest = hashlib.sha256()
    for path in sorted((path for folder in folders for path in named(folder, ANCHOR)), key=lambda p: p.name):
        try:
            content = read_small(path, ANCHOR_BYTES)
        except OSError:
            content = b""
        digest.update(hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).digest())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
