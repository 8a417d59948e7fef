"""What pydantic finds wrong with a request, by our codes and by the row and the field of the application."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scoring.problems import FAULTS, Fault, nearest
from scoring.schema.answers import FieldError
from scoring.schema.decode import Decoder, Location
from scoring.schema.request import PLACE, ScoreRequest

CODES = {
    "extra_forbidden": "unknown_field",
    "missing": "required",
    "model_type": "not_an_object",
    "dict_type": "not_an_object",
    "list_type": "not_a_list",
    "too_short": "no_applications",
    "too_long": "too_many",
    "float_type": "not_a_number",
    "finite_number": "not_finite",
    "int_type": "not_whole",
    "int_from_float": "not_whole",
    "int_parsing_size": "not_whole",
    "date_parsing": "not_a_day",
    "date_from_datetime_parsing": "not_a_day",
    "date_from_datetime_inexact": "not_a_day",
    "date_type": "not_a_day",
    "string_type": "not_text",
    "string_too_long": "too_long",
    "string_too_short": "empty",
    "literal_error": "not_one_of",
    "greater_than_equal": "below_minimum",
    "less_than_equal": "above_maximum",
}
"""What pydantic calls a fault -> what we call it; the faults that this house declares have our codes."""
PARAMS = {"ge": "minimum", "le": "maximum", "max_length": "maximum", "expected": "values"}

HINTED = 3  # different unknown names of a request that are looked up, however many it has
UNKNOWN = ("unknown_field", "unknown_aggregate")
POSITION = re.compile(r"\[\d+\]")
STEP = re.compile(r"(\w+)(?:\[\d+\])?\.")


def errors_of(application: Mapping[str, Any], row: int, decoder: Decoder) -> list[FieldError]:
    """Return what is wrong with one application, in the words of the service."""
    try:
        (valid,) = ScoreRequest.model_validate({"applications": [application]}).applications
    except ValidationError as error:
        return field_errors(error, row)
    return [fault_at(row, name, fault) for name, fault in decoder.faults(valid)]


def field_errors(error: ValidationError, start: int, above: Location = ()) -> list[FieldError]:
    """Return what pydantic found, by our codes.

    ``start`` is the row of the first application or, where a list of records was judged, the position of the
    first of them, and ``above`` the place of the list.
    """
    found = []
    for wrong in error.errors(include_url=False):
        place = (*wrong["loc"], *wrong.get("ctx", {}).get(PLACE, ()))
        if above:
            position, *rest = place
            place = (*above, start + int(position), *rest)
        found.append(field_error(place, fault_of(wrong), 0 if above else start))
    return found


def hinted(
    errors: Sequence[FieldError], known: Callable[[FieldError], tuple[str, Iterable[str]]]
) -> list[FieldError]:
    """Tell the first few names that are unknown which known one each is probably meant for.

    Parameters
    ----------
    errors : sequence of FieldError
    known : callable
        Gives the name that an error is about, and those that could stand there.
    """
    looked_up: dict[str, str | None] = {}  # by the place of the name, the same in each row and each record
    found = []
    for error in errors:
        place, close = POSITION.sub("", error.field), None
        if error.code in UNKNOWN:
            if place not in looked_up and len(looked_up) < HINTED:
                looked_up[place] = nearest(*known(error))
            close = looked_up.get(place)
        fault = Fault("misspelt_field", {"close": close}) if close else None
        found.append(fault_at(error.row, error.field, fault) if fault else error)
    return found


def known_at(
    error: FieldError, model: type[BaseModel] = ScoreRequest, aggregates: Iterable[str] = ()
) -> tuple[str, Iterable[str]]:
    """Return the name that an error in a JSON body is about, and the names of its object."""
    path = error.field if error.row is None else f"applications[{error.row}].{error.field}"
    while (step := STEP.match(path)) and (inner := _inside(model, step[1])):
        model, path = inner, path[step.end() :]
    if error.code == "unknown_aggregate":
        return path.removeprefix("history_features."), aggregates
    return path, model.model_fields


def _inside(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the class of the objects that a field holds, if it holds some."""
    field = model.model_fields.get(name)
    return next(_models(field.annotation), None) if field else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def fault_of(wrong: ErrorDetails) -> Fault:
    """Return a fault of pydantic's as ours."""
    if is_nan(wrong["input"]):  # of what was sent, nothing else is told
        return Fault("nan")
    code = CODES.get(wrong["type"], wrong["type"])
    params = {PARAMS[name]: value for name, value in wrong.get("ctx", {}).items() if name in PARAMS}
    return Fault(code, params) if code in FAULTS else Fault("not_accepted")


def is_nan(value: object) -> bool:
    """Say whether a value is the NaN that Python, but not JSON, has."""
    return isinstance(value, float) and value != value


def fault_at(row: int | None, field: str, fault: Fault) -> FieldError:
    """Return a fault with its place, as answers name it."""
    return FieldError(row=row, field=field, code=fault.code, params=dict(fault.params), detail=fault.say())


def field_error(location: Location, fault: Fault, start: int = 0) -> FieldError:
    """Split ``("applications", 3, "history", "bureau", 0)`` into the row and the path in it."""
    match location:
        case ("applications", int(row), *rest):
            return fault_at(start + row, _path(rest) or "applications", fault)
        case _:
            return fault_at(None, _path(location) or "(body)", fault)


def _path(steps: Iterable[int | str]) -> str:
    """Write ``history.bureau[0].STATUS``; a name that a client made up is cut short."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step[:100]}" for step in steps).lstrip(".")
