"""What pydantic finds wrong with a request, in our words and by the row and the field of the application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from scoring.schema.answers import FieldError
from scoring.schema.decode import Decoder, Location
from scoring.schema.request import ScoreRequest

WORDS = {  # where pydantic speaks of Python
    "extra_forbidden": "No such field; GET /docs.json lists them",
    "missing": "This field is required",
    "model_type": "Input should be an object",
}

NAN = "NaN is not JSON; send null for what is not known (pandas: df.astype(object).where(df.notna(), None))"


def errors_of(application: Mapping[str, Any], row: int, decoder: Decoder) -> list[FieldError]:
    """Return what is wrong with one application, in the words of the service."""
    try:
        (valid,) = ScoreRequest.model_validate({"applications": [application]}).applications
    except ValidationError as error:
        return field_errors(error, row)
    return [FieldError(row=row, field=name, detail=detail) for name, detail in decoder.faults(valid)]


def field_errors(error: ValidationError, start: int, above: Location = ()) -> list[FieldError]:
    """Return what pydantic found, in our words.

    ``start`` is the row of the first application or, where a list of records was judged, the position of the
    first of them, and ``above`` the place of the list.
    """
    found = []
    for fault in error.errors(include_url=False, include_context=False):
        place, detail = fault["loc"], WORDS.get(fault["type"], fault["msg"])
        if is_nan(fault["input"]):  # of what was sent, nothing else is told
            detail = NAN
        if above:
            position, *rest = place
            place = (*above, start + int(position), *rest)
        found.append(field_error(place, detail, 0 if above else start))
    return found


def is_nan(value: object) -> bool:
    """Say whether a value is the NaN that Python, but not JSON, has."""
    return isinstance(value, float) and value != value


def field_error(location: Location, detail: str, start: int) -> FieldError:
    """Split ``("applications", 3, "history", "bureau", 0)`` into the row and the path in it."""
    match location:
        case ("applications", int(row), *rest):
            return FieldError(row=start + row, field=_path(rest) or "applications", detail=detail)
        case _:
            return FieldError(row=None, field=_path(location) or "(body)", detail=detail)


def _path(steps: Iterable[int | str]) -> str:
    """Write ``history.bureau[0].STATUS``; a name that a client made up is cut short."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step[:100]}" for step in steps).lstrip(".")
