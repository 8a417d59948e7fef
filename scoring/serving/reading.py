"""A JSON body to applications, or to the rejection that says what is wrong with it.

Whatever a body is made of, no step in Python takes more of it than `LONGEST` bytes: a step holds Python's
lock, while nobody else is answered. A larger body is outlined first, in C and without the lock; then its
applications are read some at a time, each time as a small body of their own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from scoring.engine import Absent, NotJson, Outliner
from scoring.problems import Fault
from scoring.schema import (
    HISTORY,
    ApplicationRequest,
    Decoder,
    FieldError,
    Record,
    Request,
    ScoreRequest,
    fault_at,
    field_error,
    field_errors,
    hinted,
    known_at,
    repeated_keys,
)
from scoring.serving.problem import ERRORS_NAMED, Rejection, faulty

MIB = 2**20
PIECE = MIB // 8  # bytes of a body that are read at a stretch
LONGEST = MIB  # bytes of an application; the longest of the 20,000 of `make demo` has 0.23 MiB
FULLEST = 40_000  # values in an application, or read at a stretch: some 10,000 records
JUDGED = MIB  # bytes in which pydantic looks for more faults; what msgspec takes does not count
TOGETHER, TOGETHER_BYTES = 1_000, 4 * MIB  # applications, and bytes of them, that are given at a time
SLICE = 50  # applications or records validated at a stretch: other threads get their turn in between
TWICE = Fault("repeated_key")
_RECORDS: Mapping[str, TypeAdapter[list[Record]]] = {
    table: TypeAdapter(list[record])  # type: ignore[valid-type]
    for table, record in HISTORY.items()
}


def parse(body: bytes | bytearray, rows: int, decoder: Decoder) -> list[Request]:
    """Return the applications of a JSON body, or raise the `Rejection` that says what is wrong with it."""
    return list(chain.from_iterable(slices(body, rows, decoder)))


def slices(body: bytes | bytearray, rows: int, decoder: Decoder) -> Iterator[list[Request]]:
    """Give the applications of a JSON body, many at a time.

    Nothing of it may be used before the last slice is there: what comes later can be faulty.

    Raises
    ------
    Rejection
        If it has more applications than ``rows``, or anything is wrong with it.
    """
    errors: list[FieldError] = []
    ready: list[Request] = []
    size = judged = 0
    for start, piece in _pieces(body, rows):
        if piece is None:
            fault = Fault("too_large", {"mib": LONGEST // MIB, "values": FULLEST})
            errors.append(field_error(("applications", start), fault))
        elif (decoded := decoder.decode(piece, rows)) is not None:
            ready += decoded
        else:
            valid, found = _judged(piece, start, rows, decoder)
            errors += found
            ready += valid
            judged += len(piece)
            if errors and judged > JUDGED:
                raise _faulty(errors, decoder, is_all=False)
        if len(errors) > ERRORS_NAMED:
            break
        size += len(piece or b"")
        if not errors and (len(ready) >= TOGETHER or size >= TOGETHER_BYTES):
            yield ready
            ready, size = [], 0
    if errors:
        raise _faulty(errors, decoder)
    if ready:
        yield ready


def _faulty(errors: Sequence[FieldError], decoder: Decoder, is_all: bool = True) -> Rejection:
    known = partial(known_at, aggregates=decoder.aggregates)
    return faulty(len(errors), hinted(errors[:ERRORS_NAMED], known), is_all)


def _pieces(body: bytes | bytearray, rows: int) -> Iterator[tuple[int, bytes | bytearray | None]]:
    """Give a body in bodies with some of its applications each, and the position of their first.

    The first has whatever stands beside the applications. None stands for an application that is too long.
    """
    if len(body) <= PIECE or (OUTLINER is None and len(body) <= LONGEST):
        yield 0, body
        return
    if OUTLINER is None:
        raise Rejection("engine-missing", {"mib": LONGEST // MIB})
    try:
        outline = OUTLINER(body, rows)
    except NotJson as error:
        raise _not_json(error) from None
    first, last = outline.start, outline.end
    if outline.keys > 1:
        raise faulty(1, [field_error(("applications",), TWICE)], is_all=False)
    if first < 0:
        raise faulty(1, [field_error(("applications",), Fault("not_a_list"))], is_all=False)
    if first + len(body) - last > PIECE:
        fault = Fault("too_much_beside", {"kib": PIECE // 2**10})
        raise faulty(1, [field_error((), fault)], is_all=False)
    if outline.count > rows:
        raise _too_many(rows)
    before, behind = body[: first + 1], body[last - 1 :]
    if not outline.count:
        yield 0, before + behind
    starts, ends, values = outline.spans.T
    so_far, done = np.cumsum(values), 0
    while done < outline.count:
        short = np.searchsorted(ends, starts[done] + PIECE)
        until = max(done + 1, int(min(short, np.searchsorted(so_far, so_far[done] + FULLEST))))
        if ends[done] - starts[done] > LONGEST or values[done] > FULLEST:
            yield done, None
        else:
            yield done, before + body[starts[done] : ends[until - 1]] + behind
            before, behind = b'{"applications":[', b"]}"
        done = until


def _judged(
    body: bytes | bytearray, start: int, rows: int, decoder: Decoder
) -> tuple[list[Request], list[FieldError]]:
    """Return the applications of a body, or the first things that are wrong with it, as pydantic says."""
    try:
        document = from_json(body)
        _prune(document, decoder.names)
    except ValueError as error:
        raise _not_json(error) from None
    given = document.get("applications") if isinstance(document, dict) else None
    if isinstance(given, list) and len(given) > rows:
        raise _too_many(rows)
    valid: list[ApplicationRequest] = []
    found = chain(_faults(document, given, start, decoder, valid), _repeated(body, start))
    errors = list(islice(found, ERRORS_NAMED + 1))
    return [] if errors else [decoder.request(application) for application in valid], errors


def _prune(value: Any, names: Collection[str], levels: int = 6) -> None:
    """Take the unknown keys of each object out of a document, but for as many as can be named.

    Each would be an error of pydantic's, and it makes all of them at once. A record is the sixth level.
    """
    if isinstance(value, dict) and len(value) > ERRORS_NAMED:
        for name in [name for name in value if name not in names][ERRORS_NAMED + 1 :]:
            del value[name]
    if levels > 1 and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                _prune(inner, names, levels - 1)


def _faults(
    document: Any, given: Any, start: int, decoder: Decoder, valid: list[ApplicationRequest]
) -> Iterator[FieldError]:
    """Give what is wrong, as far as it is asked for; what is right goes to ``valid``."""
    if not isinstance(given, list) or not given:
        yield from _judge(document, 0, decoder, valid)
        return
    for first in range(0, len(given), SLICE):
        part = given[first : first + SLICE]
        above = document if first == 0 else {}
        for row, application in enumerate(part, start + first):
            yield from _record_faults(application, row)
        yield from _judge({**above, "applications": part}, start + first, decoder, valid)


def _repeated(body: bytes | bytearray, start: int) -> Iterator[FieldError]:
    for place in repeated_keys(body, ERRORS_NAMED + 1):
        yield field_error(place, TWICE, start)


def _judge(
    document: Any, start: int, decoder: Decoder, valid: list[ApplicationRequest]
) -> Iterator[FieldError]:
    try:
        applications = ScoreRequest.model_validate(document).applications
    except ValidationError as error:
        if error.error_count() <= ERRORS_NAMED or len(document.get("applications") or ()) < 2:
            yield from field_errors(error, start)
            return
        for row, application in enumerate(document["applications"], start):  # as far as they are named
            yield from _judge({**document, "applications": [application]}, row, decoder, valid)
        return
    for row, application in enumerate(applications, start):
        for name, fault in decoder.faults(application):
            yield fault_at(row, name, fault)
    valid += applications


def _record_faults(application: Any, row: int) -> Iterator[FieldError]:
    """Give what is wrong with the records of a long history: its tables are judged piece by piece.

    Validated records take their place; if one is wrong, the history goes.
    """
    history = application.get("history") if isinstance(application, dict) else None
    if not isinstance(history, dict):
        return
    is_right = True
    for table, records in history.items():
        if table in HISTORY and isinstance(records, list) and len(records) > SLICE:
            for start in range(0, len(records), SLICE):
                try:
                    part = _RECORDS[table].validate_python(records[start : start + SLICE])
                    records[start : start + SLICE] = part
                except ValidationError as error:
                    is_right = False
                    yield from field_errors(error, start, ("applications", row, "history", table))
    if not is_right:
        del application["history"]


def _too_many(rows: int) -> Rejection:
    return Rejection("too-many-applications", {"most": rows})


def _not_json(error: ValueError) -> Rejection:
    """Say where a body is no JSON; the other words of the error could quote it."""
    if place := re.search(r"line (\d+) column (\d+)", str(error)):
        return Rejection("not-json", {"line": int(place[1]), "column": int(place[2])})
    return Rejection("unreadable-json")


def _outliner() -> Outliner | None:
    try:
        return Outliner()
    except Absent:
        return None


OUTLINER = _outliner()
"""None where the engine is not built."""
