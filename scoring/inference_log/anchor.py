"""The anchor of a file of the log: what was last known of it, signed, outside the file."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scoring.inference_log.disk import named
from scoring.inference_log.keys import signature
from scoring.regular import read_small

ANCHOR = ".head"
ANCHOR_BYTES = 1_024  # rewritten in place, so that a full disk cannot stop it

SORTED = json.JSONEncoder(sort_keys=True)
"""What is signed is written by it."""

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
        content = self._content()
        content["mac"] = signature(key, SORTED.encode(content).encode())
        return json.dumps(content).encode().ljust(ANCHOR_BYTES - 1) + b"\n"

    def _content(self) -> dict[str, object]:
        content = dict(
            vars(self)
        )  # one is written with every record: asdict, which copies, takes ten times as long
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
            mac.encode("utf-8", "replace"), signature(key, SORTED.encode(anchor._content()).encode()).encode()
        ):
            raise ValueError("the anchor is not signed with this key")
        return anchor


def anchors_folder(log: Path) -> Path:
    """Return where the anchors of a log folder go unless told otherwise: beside it."""
    return log.with_name(f"{log.name}-heads")


def read_anchor(path: Path, key: bytes | None) -> Anchor | None:
    """Return the anchor of a path; None if there is none, or an empty file that a crash left as it was begun.

    Raises
    ------
    ValueError
        If what stands there is no anchor of this name, or not signed with the key.
    """
    try:
        content = read_small(path, ANCHOR_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"the anchor cannot be read: {error.strerror}") from None
    if not content:
        return None
    found = Anchor.from_bytes(content, key)
    if f"{found.file}{ANCHOR}" != path.name:
        raise ValueError(f"the anchor is that of {found.file}")
    return found


def count_anchors(anchors: Path, key: bytes) -> int:
    """Return how many anchors there are of files with records."""
    count = 0
    for path in named(anchors, ANCHOR):
        try:
            anchor = read_anchor(path, key)
        except ValueError:
            continue  # that one is a fault of its own
        count += anchor is not None and anchor.seq > 0
    return count


def is_key_of(anchors: Path, key: bytes | None) -> bool:
    """Say whether a log goes on under a key: its newest anchor is signed with it, or there is none yet.

    An anchor that is none at all, for whatever reason, is no word against the key.
    """
    is_new = True
    for path in reversed(named(anchors, ANCHOR)):  # their names begin with the day
        try:
            if read_anchor(path, None) is None:
                continue
            is_new = False
            if key is None:
                return False
            read_anchor(path, key)
        except ValueError:
            continue  # changed by hand, perhaps: `verify` says so
        return True
    return is_new
