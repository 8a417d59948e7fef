"""A JSON body to applications, or to the refusal that says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from scoring.features import FEATURE_BY_NAME, HISTORY_FEATURES
from scoring.schema import (
    HISTORY,
    ApplicationRequest,
    Decoder,
    FieldError,
    Record,
    Request,
    ScoreRequest,
    repeated_keys,
)
from scoring.serving.problem import ERRORS_NAMED, Refusal, faulty, field_error, field_errors
from scoring.serving.shape import cut

SLICE = 50  # applications or records validated at a stretch: other threads get their turn in between
_RECORDS: Mapping[str, TypeAdapter[list[Record]]] = {
    table: TypeAdapter(list[record])  # type: ignore[valid-type]
    for table, record in HISTORY.items()
}

DECODER = Decoder({name: FEATURE_BY_NAME[name].kind for name in HISTORY_FEATURES})
"""Reads applications with any of the aggregates that the features declare."""


def parse(body: bytes | bytearray, rows: int, decoder: Decoder) -> list[Request]:
    """Return the applications of a JSON body, or raise the `Refusal` that says what is wrong with it."""
    decoded = decoder.decode(body, rows)
    if decoded is not None:
        return decoded
    beginning = cut(body, rows, decoder.names)
    try:
        document = from_json(body if beginning is None else beginning)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {_at(str(error))}.") from None
    given = document.get("applications") if isinstance(document, dict) else None
    if isinstance(given, list) and len(given) > rows:
        raise Refusal(422, f"More than {rows} applications in one request; send fewer at a time.")
    valid: list[ApplicationRequest] = []
    found = chain(
        _faults(document, given, decoder, valid), _repeated(body if beginning is None else beginning)
    )
    errors = list(islice(found, ERRORS_NAMED + 1))
    if errors or beginning is not None:
        raise faulty(len(errors), errors, is_all=beginning is None)
    return [decoder.request(application) for application in valid]


def _faults(
    document: Any, given: Any, decoder: Decoder, valid: list[ApplicationRequest]
) -> Iterator[FieldError]:
    """Give what is wrong, as far as it is asked for; what is right goes to ``valid``."""
    if not isinstance(given, list) or not given:
        yield from _judge(document, 0, decoder, valid)
        return
    for start in range(0, len(given), SLICE):
        part = given[start : start + SLICE]
        above = document if start == 0 else {}
        for row, application in enumerate(part, start):
            if faults := list(islice(_record_faults(application, row), ERRORS_NAMED + 1)):
                yield from faults
                part[row - start] = {n: v for n, v in application.items() if n != "history"}
        yield from _judge({**above, "applications": part}, start, decoder, valid)


def _repeated(body: bytes | bytearray) -> Iterator[FieldError]:
    for place in repeated_keys(body, ERRORS_NAMED + 1):
        yield field_error(place, "The key stands twice; send it once", 0)


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
        for name, detail in decoder.faults(application):
            yield FieldError(row=row, field=name, detail=detail)
    valid += applications


def _record_faults(application: Any, row: int) -> Iterator[FieldError]:
    """Give what is wrong with the records of a long history: its tables are judged piece by piece."""
    history = application.get("history") if isinstance(application, dict) else None
    if not isinstance(history, dict):
        return
    for table, records in history.items():
        if table in HISTORY and isinstance(records, list) and len(records) > SLICE:
            for start in range(0, len(records), SLICE):
                try:
                    _RECORDS[table].validate_python(records[start : start + SLICE])
                except ValidationError as error:
                    yield from field_errors(error, start, ("applications", row, "history", table))


def errors_of(application: Mapping[str, Any], row: int, decoder: Decoder) -> list[FieldError]:
    """Return what is wrong with one application, as `parse` would say it."""
    try:
        (valid,) = ScoreRequest.model_validate({"applications": [application]}).applications
    except ValidationError as error:
        return field_errors(error, row)
    return [FieldError(row=row, field=name, detail=detail) for name, detail in decoder.faults(valid)]


def _at(message: str) -> str:
    """Keep the place of a JSON error; its other words could quote the body."""
    place = re.search(r"line \d+ column \d+", message)
    return f"see {place.group()}" if place else "it cannot be read"
