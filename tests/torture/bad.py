"""The catalogue of bad inputs: each with a name, and what the service must say of it."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Iterator
from typing import Any

from scoring.schema import HISTORY, Application, Column, columns
from scoring.schema.columns import CATEGORY_MAX_LENGTH

JSON = {"content-type": "application/json"}
PARENT = {"bureau_balance": "SK_ID_BUREAU"}  # such a record is refused without its credit


@dataclasses.dataclass(frozen=True)
class Bad:
    """One bad input.

    Attributes
    ----------
    name : str
    body : bytes
    statuses : tuple of int
        One of them must be the answer's.
    field : str
        The path that the answer must name; "" where no field is at fault.
    headers : mapping of str to str
    """

    name: str
    body: bytes
    statuses: tuple[int, ...] = (422,)
    field: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=lambda: dict(JSON))


def catalogue() -> list[Bad]:
    """Return all of them; their names are all different."""
    return [*_columns(), *_history(), *_structures(), *_texts(), *_headers()]


def request(**application: Any) -> bytes:
    """Return a request of one application that is otherwise in order."""
    return json.dumps({"applications": [{"SK_ID_CURR": 1, "AMT_CREDIT": 1e5, **application}]}).encode()


def _wrong(column: Column) -> Iterator[tuple[str, Any]]:
    """Give what a column must not hold."""
    yield "a list", [1]
    yield "an object", {"a": 1}
    yield "a truth value", True
    if column.kind == "category":
        yield "a number", 7
        yield "too long a text", "x" * (CATEGORY_MAX_LENGTH + 1)
        return
    yield "a number in quotes", "40"
    yield "an empty text", ""
    if column.kind != "number":
        yield "a fraction", 0.5
        yield "more than its bits hold", 2**63
    if column.minimum is not None:
        yield "less than its least", column.minimum - 1
    if column.maximum is not None:
        yield "more than its most", column.maximum + 1


def _columns() -> Iterator[Bad]:
    for column in columns(Application).values():
        for what, value in _wrong(column):
            yield Bad(f"{column.name} is {what}", request(**{column.name: value}), field=column.name)


def _history() -> Iterator[Bad]:
    for table, record in HISTORY.items():
        for column in columns(record).values():
            for what, value in list(_wrong(column))[-2:]:
                history = {table: [{column.name: value}]}
                yield Bad(
                    f"{table}.{column.name} is {what}",
                    request(history=history),
                    field=f"history.{table}[0].{column.name}",
                )
        for what, records in (("an object", {}), ("a text", "x"), ("a number", 1)):
            yield Bad(f"{table} is {what}", request(history={table: records}), field=f"history.{table}")
        unknown = {"history": {table: [{"NOBODY": 1}]}}
        yield Bad(f"{table} has an unknown column", request(**unknown), field=f"history.{table}[0].NOBODY")


def _structures() -> Iterator[Bad]:
    for what, document in (
        ("a list", []),
        ("a number", 1),
        ("a text", "x"),
        ("nothing but null", None),
        ("an empty object", {}),
        ("without an application", {"applications": []}),
        ("an object for applications", {"applications": {}}),
        ("null for applications", {"applications": None}),
        ("one application outside a list", {"applications": {"SK_ID_CURR": 1}}),
        ("numbers for applications", {"applications": [1, 2]}),
        ("null for an application", {"applications": [None]}),
        ("an application in an application", {"applications": [[{"SK_ID_CURR": 1}]]}),
        ("of another name", {"rows": [{"SK_ID_CURR": 1}]}),
    ):
        yield Bad(f"the body is {what}", json.dumps(document).encode(), field="?")
    extra = {"applications": [{"SK_ID_CURR": 1}], "model": "mine"}
    yield Bad("an unknown field beside applications", json.dumps(extra).encode(), field="model")
    yield Bad("an unknown column", request(FOO=1), field="FOO")
    yield Bad("a column in lower case", request(amt_credit=1), field="amt_credit")
    yield Bad("a column with a space", request(**{"AMT_CREDIT ": 1}), field="AMT_CREDIT ")
    yield Bad("the label of training", request(TARGET=0), field="TARGET")
    yield Bad("a prototype", request(__proto__={"a": 1}), field="__proto__")
    yield Bad("no application number", b'{"applications": [{"AMT_CREDIT": 1}]}', field="SK_ID_CURR")
    yield Bad("a null application number", request(SK_ID_CURR=None), field="SK_ID_CURR")
    yield Bad("both histories", request(history={}, history_features={}), field="applications")
    yield Bad(
        "an aggregate of no feature", request(history_features={"foo": 1}), field="history_features.foo"
    )
    yield Bad(
        "an application feature as an aggregate",
        request(history_features={"AMT_CREDIT": 1}),
        field="history_features.AMT_CREDIT",
    )
    other = {"bureau": [{"SK_ID_CURR": 2, "SK_ID_BUREAU": 1}]}
    yield Bad("the history of somebody else", request(history=other), field="history.bureau[0].SK_ID_CURR")
    alone = {"bureau_balance": [{"SK_ID_BUREAU": 5, "MONTHS_BALANCE": -1}]}
    yield Bad(
        "months of an unknown credit", request(history=alone), field="history.bureau_balance[0].SK_ID_BUREAU"
    )
    yield Bad("history as a list", request(history=[]), field="history")
    yield Bad("aggregates as a list", request(history_features=[]), field="history_features")
    many = json.dumps({"applications": [{"SK_ID_CURR": i} for i in range(10_001)]}).encode()
    yield Bad("10,001 applications", many)
    second = {"applications": [{"SK_ID_CURR": 1}, {"SK_ID_CURR": 2, "AMT_CREDIT": -1}]}
    yield Bad("a fault in the second of two", json.dumps(second).encode(), field="AMT_CREDIT")


def _texts() -> Iterator[Bad]:
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999"):
        body = f'{{"applications": [{{"SK_ID_CURR": 1, "AMT_CREDIT": {number}}}]}}'.encode()
        yield Bad(f"the number {number}", body, (400, 422), "AMT_CREDIT")
    for what, body in (
        ("nothing", b""),
        ("a space", b" "),
        ("an open brace", b"{"),
        ("a text without its end", b'{"applications": "'),
        ("a trailing comma", b'{"applications": [{"SK_ID_CURR": 1},]}'),
        ("single quotes", b"{'applications': []}"),
        ("a comment", b'{"applications": [] /* none */}'),
        ("two documents", b"{}{}"),
        ("a hexadecimal number", b'{"applications": [{"SK_ID_CURR": 0x1}]}'),
        ("a leading zero", b'{"applications": [{"SK_ID_CURR": 01}]}'),
        ("a bare plus", b'{"applications": [{"SK_ID_CURR": +1}]}'),
        ("a bare dot", b'{"applications": [{"SK_ID_CURR": 1, "AMT_CREDIT": .5}]}'),
        ("a key without quotes", b"{applications: []}"),
        ("a control character in a text", b'{"applications": [{"CODE_GENDER": "\x01"}]}'),
        ("bytes that are not UTF-8", b'{"applications": [{"CODE_GENDER": "\xff"}]}'),
        ("UTF-16", '{"applications": []}'.encode("utf-16")),
        ("a lone surrogate", b'{"applications": [{"SK_ID_CURR": 1, "CODE_GENDER": "\\ud800"}]}'),
        ("100,000 open lists", b"[" * 100_000),
        ("100,000 open objects", b'{"a":' * 100_000),
        ("a number of 10,000 digits", b'{"applications": [{"SK_ID_CURR": ' + b"9" * 10_000 + b"}]}"),
        ("a zero byte", b"\x00"),
        ("a pickle", b"\x80\x04K\x01."),
        ("XML", b"<?xml version='1.0'?><applications/>"),
        ("a form", b"applications=1"),
        ("CSV", b"SK_ID_CURR,AMT_CREDIT\n1,2\n"),
    ):
        yield Bad(f"the body is {what}", body, (400, 422))


def _headers() -> Iterator[Bad]:
    good = request()
    kinds = (
        "",
        "text/plain",
        "text/json",
        "text/html",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/vnd.bentoml+pickle",
        "application/octet-stream",
        "application/x-ndjson",
        "application/csv",
        "application/vnd.apache.parquet",
        "image/png",
        "application/json5",
        "*/*",
        "application",
    )
    for kind in kinds:
        yield Bad(f"content type {kind or 'none'}", good, (415,), headers={"content-type": kind})
    for encoding, body in (("gzip", gzip.compress(good)), ("br", good), ("deflate", good), ("zstd", good)):
        yield Bad(f"content encoding {encoding}", body, (415,), headers=JSON | {"content-encoding": encoding})
    arrow = {"content-type": "application/vnd.apache.arrow.stream"}
    for what, body in (("nothing", b""), ("JSON", good), ("noise", bytes(range(256))), ("zeros", bytes(64))):
        yield Bad(f"a table that is {what}", body, (400, 422), headers=arrow)
    key = arrow | {"idempotency-key": "a b"}
    yield Bad("a key of idempotency with a space", b"", (400,), headers=key)
    for what, header in (
        ("a foreign page", {"origin": "https://evil.example"}),
        ("no origin", {"origin": "null"}),
        ("a rebound name", {"host": "evil.example"}),
        ("an empty host", {"host": ""}),
    ):
        yield Bad(f"from {what}", good, (400, 403), headers=JSON | header)
