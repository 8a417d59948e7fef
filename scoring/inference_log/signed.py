"""A statement signed with the log's key, as JSON."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from scoring.inference_log.keys import signature


def sign(said: Mapping[str, Any], key: bytes) -> bytes:
    """Return a statement with its signature, as one line."""
    return _plain({**said, "mac": signature(key, _plain(said))}) + b"\n"


def check_signed(content: bytes, key: bytes | None) -> dict[str, Any]:
    """Return what a statement says, without its signature, which is checked unless the key is None.

    Raises
    ------
    ValueError
        If it is none, or not signed with the key.
    """
    try:
        said = json.loads(content)
        mac = str(said.pop("mac"))
        plain = _plain(said)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("it cannot be read") from None
    if key is not None and not hmac.compare_digest(
        mac.encode("utf-8", "replace"), signature(key, plain).encode()
    ):
        raise ValueError("it is not signed with this key")
    return dict[str, Any](said)


def _plain(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
