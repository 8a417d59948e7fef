"""The shape of a JSON body, looked at before any object is made of it.

A body with a fault must not cost more than one without: a million keys that nobody knows would become a
million objects and as many errors, of which fifty are named. So what is in a wrong place is counted in the
bytes, and a body with too much of it is cut there: what stands before has faults enough to name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection

STRAYS = 500  # in a wrong place, each of them a fault; more are not looked at

# A word (with the colon behind it, if it is a key), a bracket, or the quote of a word without an end.
_TOKEN = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*+(:?)|[{}\[\]]|"', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}
_LEVELS = b"{[{{[{"  # body, applications, application, history, its table, record


def cut(body: bytes | bytearray, rows: int, known: Collection[bytes]) -> bytes | None:
    """Return the beginning of a body that has too many faults of shape, closed to be JSON; else None.

    Parameters
    ----------
    body : bytes
        Perhaps JSON; what is none is for its reader to find.
    rows : int
        Most applications in a request.
    known : collection of bytes
        Names that the objects of a request may have.
    """
    opened: list[bytes] = []  # the brackets around
    filled: list[int] = []  # the keys, or the objects and arrays, that each of them holds
    strays = end = 0
    odd = 0  # the level of the outermost bracket in a wrong place, 0 for none
    for token in _TOKEN.finditer(body):
        start, before = token.start(), end
        end = token.end()
        sign = token[0][:1]
        if opened and opened[-1] == b"[":
            commas = body.count(b",", before, start)
            if commas > STRAYS:  # numbers, where only objects may stand
                return _closed(body[: body.index(b",", before) + 1], opened)
        if sign == b'"':
            if token[2] is None or not opened:
                return None  # not JSON
            is_key = bool(token[2]) and opened[-1] == b"{"
            filled[-1] += is_key
            is_odd_key = is_key and (filled[-1] > len(known) or _plain(token[1]) not in known)
            strays += is_odd_key or opened[-1] == b"["
            if strays > STRAYS:
                return _closed(body[: end if is_key else start], opened)
        elif sign in _CLOSING:
            if filled:
                filled[-1] += opened[-1] == b"["
            level = len(opened) + 1
            if not odd and (level > len(_LEVELS) or sign[0] != _LEVELS[level - 1]):
                odd = level
            strays += bool(odd)
            if strays > STRAYS or (level == 3 and filled[1] > rows):
                return _closed(body[:start], opened)
            opened.append(sign)
            filled.append(0)
        else:
            if not opened or _CLOSING[opened.pop()] != sign:
                return None
            filled.pop()
            odd = 0 if len(opened) < odd else odd
    return None


def _plain(word: bytes) -> bytes:
    """Return a key as it is meant."""
    if b"\\" not in word:
        return word
    try:
        return str(json.loads(b'"%b"' % word)).encode()
    except ValueError:  # not JSON, or no character
        return word


def _closed(start: bytes | bytearray, opened: list[bytes]) -> bytes:
    """Return the beginning of a JSON text, ended where a value is due, as whole JSON."""
    return bytes(start) + b"null" + b"".join(_CLOSING[sign] for sign in reversed(opened))
