"""JSON bodies of any size, made to hold a service up, each kind of them once; and two that are valid."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support import small

MIB = 2**20
BUREAU = b'{"SK_ID_BUREAU":1,"DAYS_CREDIT":-1}'


def rows(one: bytes, size: int) -> bytes:
    """Give a body of the same application again and again; `@` in it becomes its number."""
    count = max(1, min(size // (len(one) + 6), 10_000))
    return b'{"applications":[%b]}' % b",".join(
        one.replace(b"@", b"%d" % (100_000 + i)) for i in range(count)
    )


def one(rest: bytes) -> bytes:
    """Give a body of one application."""
    return b'{"applications":[{"SK_ID_CURR":1,%b}]}' % rest


def often(part: bytes, size: int) -> bytes:
    """Give so many bytes of the same part, with commas between."""
    return b",".join([part] * max(1, size // (len(part) + 1)))


def keys(size: int, value: bytes = b"1") -> bytes:
    """Give pairs of keys that nobody knows."""
    return b",".join(b'"%07x":%b' % (i, value) for i in range(max(1, size // (11 + len(value)))))


def table(record: bytes, size: int) -> bytes:
    """Give a history of one long table."""
    return b'"history":{"bureau":[%b]}' % often(record, size)


def good(size: int) -> bytes:
    """Give applications with raw histories of 3,000 records each: fewer than may be in a request."""
    application: dict[str, Any] = {"SK_ID_CURR": 0, **small.applications(1, seed=3)[0]}
    application["history"] = {"bureau": [{"SK_ID_BUREAU": i, "DAYS_CREDIT": -i} for i in range(3_000)]}
    return rows(json.dumps(application).encode(), size)


def flat(size: int) -> bytes:
    """Give applications without a history, each padded with blanks to a ten thousandth of the size."""
    application = json.dumps(small.applications(1, seed=3)[0] | {"SK_ID_CURR": 0, "history": None}).encode()
    padded = application[:-1] + b" " * max(0, size // 10_000 - len(application) - 7) + b"}"
    return rows(padded, size)


VALID: dict[str, Callable[[int], bytes]] = {"raw histories": good, "flat applications": flat}

TWINS: dict[str, str] = {
    "a fault at the end": "raw histories",
    "a fault at the end of flat ones": "flat applications",
    "no JSON at the end": "raw histories",
    "no UTF-8 at the end": "raw histories",
    "applications twice": "raw histories",
}
"""Refused bodies that are a valid one but for a fault behind all of it: to find it takes reading as much."""

REFUSED: dict[str, Callable[[int], bytes]] = {
    "a fault at the end": lambda size: good(size)[:-2] + b',{"SK_ID_CURR":1,"x":1}]}',
    "a fault at the end of flat ones": lambda size: flat(size)[:-3] + b',"x":1}]}',
    "no JSON at the end": lambda size: good(size)[:-2] + b',{"SK_ID_CURR":1,}]}',
    "no UTF-8 at the end": lambda size: good(size)[:-2] + b',{"SK_ID_CURR":1,"CODE_GENDER":"\xff"}]}',
    "blanks for applications": lambda size: b'{"applications":[%b]}' % (b" " * size),
    "blanks within an application": lambda size: one(b'"AMT_CREDIT":%b"1"' % (b" " * size)),
    "blanks before all, and no JSON": lambda size: b" " * size + b"x",
    "lines without anything, and no JSON": lambda size: b"\n" * size + b"x",
    "unknown keys": lambda size: one(keys(size)),
    "unknown keys in many applications": lambda size: rows(b'{"SK_ID_CURR":@,%b}' % keys(9_000), size),
    "unknown keys beside the applications": lambda size: b'{"applications":[],%b}' % keys(size),
    "unknown keys in applications as long as may be": lambda size: rows(
        b'{"SK_ID_CURR":@,%b}' % keys(450_000), size
    ),
    "unknown aggregates": lambda size: rows(
        b'{"SK_ID_CURR":@,"history_features":{%b}}' % keys(500_000, b"[]"), size
    ),
    "doubled keys": lambda size: one(often(b'"AMT_CREDIT":1', size)),
    "doubled keys in many applications": lambda size: rows(
        b'{"SK_ID_CURR":@,%b}' % often(b'"AMT_CREDIT":1', 7_500), size
    ),
    "doubled keys in records": lambda size: rows(
        b'{"SK_ID_CURR":@,%b}' % table(b'{"SK_ID_BUREAU":1,"SK_ID_BUREAU":1}', 500_000), size
    ),
    "a doubled key in applications as long as may be": lambda size: rows(
        b'{"SK_ID_CURR":@,%b,"AMT_CREDIT":1,"AMT_CREDIT":1}' % table(BUREAU, 450_000), size
    ),
    "keys doubled by escapes": lambda size: rows(
        b'{"SK_ID_CURR":@,%b}' % often(b'"AMT_CREDIT":1,"AMT\\u005fCREDIT":1', 9_000), size
    ),
    "applications twice": lambda size: b"%b,%b" % (good(size)[:-1], b'"applications":[{"SK_ID_CURR":1}]}'),
    "numbers for applications": lambda size: b'{"applications":[%b]}' % often(b"1", size),
    "objects without anything": lambda size: b'{"applications":[%b]}' % often(b"{}", size),
    "a list of numbers": lambda size: b"[%b]" % often(b"1", size),
    "a word": lambda size: b'"%b"' % (b"x" * size),
    "brackets": lambda size: b"[" * size,
    "objects in objects": lambda size: b'{"a":' * (size // 5),
    "brackets in many applications": lambda size: rows(
        b'{"SK_ID_CURR":@,"AMT_CREDIT":%b%b}' % (b"[" * 190, b"]" * 190), size
    ),
    "a long whole number": lambda size: one(b'"AMT_CREDIT":%b' % (b"5" * size)),
    "a long fraction": lambda size: one(b'"AMT_CREDIT":1.%b' % (b"5" * size)),
    "long whole numbers": lambda size: rows(b'{"SK_ID_CURR":%b}' % (b"5" * 4_300), size),
    "a long word": lambda size: one(b'"CODE_GENDER":"%b"' % (b"x" * size)),
    "a long word of escapes": lambda size: one(b'"CODE_GENDER":"%b"' % (b"\\u00e9" * (size // 6))),
    "a long key": lambda size: one(b'"%b":1' % (b"x" * size)),
    "long keys": lambda size: rows(b'{"SK_ID_CURR":@,"%b":1}' % (b"x" * 200_000), size),
    "wrong records": lambda size: one(table(b'{"SK_ID_BUREAU":"x"}', size)),
    "wrong records in many applications": lambda size: rows(
        b'{"SK_ID_CURR":@,%b}' % table(b'{"SK_ID_BUREAU":"x"}', 9_000), size
    ),
    "a wrong record in applications as long as may be": lambda size: rows(
        b'{"SK_ID_CURR":@,%b}' % table(BUREAU, 450_000).replace(b"1", b"1.5", 1), size
    ),
    "numbers for records": lambda size: rows(b'{"SK_ID_CURR":@,%b}' % table(b"1", 75_000), size),
    "a list for a number": lambda size: rows(
        b'{"SK_ID_CURR":@,"AMT_CREDIT":[%b]}' % often(b"[]", 900_000), size
    ),
    "too many applications": lambda size: b'{"applications":[%b]}' % often(b'{"SK_ID_CURR":1}', size),
}
