"""What the headers of a request say, and which are refused."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping

from scoring.schema import PURPOSES, Purpose
from scoring.serving.problem import Rejection

# What is read here, or by a proxy before, as one value: of two, each reader could take another.
SINGLE = frozenset(
    b"host content-length content-type content-encoding transfer-encoding idempotency-key x-request-id "
    b"x-api-key x-purpose x-operator authorization origin expect x-forwarded-proto x-forwarded-prefix".split()
)
PERSON = "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"
SAFE_ID = "^[A-Za-z0-9._:+/=-]{1,128}$"
_SAFE_ID = re.compile(SAFE_ID)


def read(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """Return the headers by name; of lines with one name, one list (RFC 9110, section 5.3)."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def check_single(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse a request that says twice what can only be one thing."""
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in seen and name in SINGLE:
            raise Rejection("repeated-header", {"header": name.decode().title()})
        seen.add(name)


def content_type(headers: Mapping[bytes, str]) -> str:
    """Return the kind of the body, in lower case and without its parameters."""
    return headers.get(b"content-type", "").split(";")[0].strip().lower()


def check(headers: Mapping[bytes, str], kind: str, most_bytes: int) -> None:
    """Refuse a body of another kind, a compressed one, and one that says that it is too large."""
    if content_type(headers) != kind:
        raise Rejection("wrong-content-type", {"type": kind})
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise Rejection("content-encoded")
    if headers.get(b"transfer-encoding", "chunked").lower() != "chunked":
        raise Rejection("transfer-encoded")
    if content_length(headers) > most_bytes:
        raise too_large(most_bytes)


def too_large(most_bytes: int, is_length_given: bool = True) -> Rejection:
    """Return the rejection of a body, one whose headers gave its length or one that did not."""
    kind = "body-too-large" if is_length_given else "unmeasured-body-too-large"
    return Rejection(kind, {"mib": most_bytes // 2**20})


def content_length(headers: Mapping[bytes, str]) -> int:
    """Return the length of a body as its headers say it, 0 if they do not."""
    length = headers.get(b"content-length", "0")
    return int(length) if length.isdecimal() else 0


def idempotency_key(headers: Mapping[bytes, str]) -> str:
    """Return the client's Idempotency-Key, "" without one, or refuse it.

    An empty one is refused: who sends it means to be protected from deciding twice, and would not be.
    """
    key = headers.get(b"idempotency-key")
    if key is not None and not _SAFE_ID.fullmatch(key):
        raise Rejection("key-malformed")
    return key or ""


def purpose(headers: Mapping[bytes, str]) -> Purpose:
    """Return what a request is for, by its X-Purpose, or refuse it; without one, to decide."""
    said = headers.get(b"x-purpose", "decision")
    if said not in PURPOSES:
        raise Rejection("unknown-purpose", {"values": ", ".join(PURPOSES)})
    return said


def person(named: str) -> str:
    """Return whom a front end names in X-Operator, or refuse what is no user name."""
    if not re.fullmatch(PERSON, named):
        raise Rejection("operator-malformed")
    return named


def request_id(headers: Mapping[bytes, str]) -> str:
    """Return the client's X-Request-ID if it is safe to log, else a new one."""
    given = headers.get(b"x-request-id", "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex
