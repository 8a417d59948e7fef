"""A JSON body to applications, or to the refusal that says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from scoring.features import FEATURE_BY_NAME, HISTORY_FEATURES
from scoring.schema import Decoder, FieldError, Request, ScoreRequest, repeated_keys
from scoring.serving.problem import Refusal, faulty, field_error, field_errors

SLICE = 50  # applications validated at a stretch: other threads get their turn in between

DECODER = Decoder({name: FEATURE_BY_NAME[name].kind for name in HISTORY_FEATURES})
"""Reads applications with any of the aggregates that the features declare."""


def parse(body: bytes | bytearray, rows: int, decoder: Decoder) -> list[Request]:
    """Return the applications of a JSON body, or raise the `Refusal` that says what is wrong with it."""
    decoded = decoder.decode(body, rows)
    if decoded is not None:
        return decoded
    try:
        document = from_json(body)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {_at(str(error))}.") from None
    given = document.get("applications") if isinstance(document, dict) else None
    if isinstance(given, list) and len(given) > rows:
        raise Refusal(422, f"{len(given)} applications in one request; send at most {rows} at a time.")
    errors = [field_error(place, "The key stands twice; send it once", 0) for place in repeated_keys(body)]
    starts = range(0, max(len(given), 1), SLICE) if isinstance(given, list) else (0,)
    applications: list[Request] = []
    for start in starts:
        part = (
            {**document, "applications": given[start : start + SLICE]}
            if isinstance(given, list)
            else document
        )
        try:
            valid = ScoreRequest.model_validate(part).applications
        except ValidationError as error:
            errors += field_errors(error, start)
        else:
            for row, application in enumerate(valid, start=start):
                faults = [
                    FieldError(row=row, field=name, detail=detail)
                    for name, detail in decoder.faults(application)
                ]
                errors += faults
                if not errors:
                    applications.append(decoder.request(application))
    if errors:
        raise faulty(len(errors), errors)
    return applications


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
