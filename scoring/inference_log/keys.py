"""The key of the log: it makes pseudonyms of clients and signs the anchors of the chains."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from scoring.inference_log.disk import make_folder, sync_folder, write_new
from scoring.inference_log.record import LogError
from scoring.regular import open_regular

KEY_BYTES = 32  # as long as the digest of HMAC-SHA-256: RFC 2104 asks for no less
KEY_LIMIT = 2**16
_SIGNING = b"credit_scoring: heads of the inference log"  # so that no pseudonym can pass for a signature


def pseudonym_key(path: Path, is_new_allowed: bool = True) -> bytes:
    """Return the key of the pseudonyms, made at the first call with access for its owner only.

    Without the file a pseudonym cannot be computed from a client's number any more, nor a signature be
    checked. That does not make the log anonymous: the inputs stay, and a few amounts are enough to name a
    person to whoever knows them.

    Raises
    ------
    LogError
        If the file cannot be made or read, is too short, or is open to other users.
    """
    try:
        if is_new_allowed:
            _make(path)
        with open_regular(path) as file:
            key, mode = file.read(KEY_LIMIT), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise LogError(f"the pseudonym key {path} cannot be used: {error.strerror}.") from error
    if mode & 0o077:
        raise LogError(f"the pseudonym key {path} is open to other users; run: chmod 600 {path}")
    if len(key) < KEY_BYTES:
        raise LogError(
            f"the pseudonym key {path} has {len(key)} bytes, not {KEY_BYTES}; delete it for a new one."
        )
    return key


def _make(path: Path) -> None:
    """Write a new key unless there is one: beside and linked into place, so that nobody reads a part."""
    make_folder(path.parent)
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(draft, os.urandom(KEY_BYTES), 0o600)
        os.link(draft, path)
        sync_folder(path.parent)
    except FileExistsError:
        pass  # another worker was first: its key is the key
    finally:
        draft.unlink(missing_ok=True)


def pseudonym(key: bytes, applicant: int) -> str:
    """Return the keyed pseudonym of a client: 32 hexadecimal digits of HMAC-SHA-256."""
    return hmac.digest(key, str(applicant).encode(), "sha256").hex()[:32]


def signature(key: bytes, content: bytes) -> str:
    """Return the HMAC-SHA-256 of a head, under a key of its own that comes from the log's key."""
    return hmac.digest(hmac.digest(key, _SIGNING, "sha256"), content, "sha256").hex()
