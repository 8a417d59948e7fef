"""How one raw column is declared: its kind, its bounds and its words.

A record class declares each column on one line::

    AMT_CREDIT: Amount = column("Amount of the loan", group="request")

The type says what a value may be, and pydantic checks it in its compiled core: no Python runs per
value. The words reach the OpenAPI document and the form of the front end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from scoring.language import Text, by_language, say
from scoring.problems import FAULTS

KindName = Literal["id", "integer", "number", "flag", "category"]

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
ID_DIGITS = len(str(INT64_MAX))
KEY = "SK_ID_CURR"  # the number of an application, in every table of applicants
NO_DATE = 365_243  # the code of the source for a day that never was: a thousand years ahead
CATEGORY_MAX_LENGTH = 100  # characters; the longest level of the source files has 41


def read_id(text: str) -> int | None:
    """Read a number that any application may have, None if it is none.

    Python would take 1_0 for 10, and digits of any script.
    """
    is_whole = text.isascii() and text.isdecimal() and len(text) <= ID_DIGITS
    return int(text) if is_whole and int(text) <= INT64_MAX else None


@dataclass(frozen=True)
class Kind:
    """What a column holds, as the marker of an ``Annotated`` type.

    Parameters
    ----------
    name : {"id", "integer", "number", "flag", "category"}
        An id is an integer of 64 bits, an integer and a flag of 32.
    minimum, maximum : float, optional
        Hard bounds, both inclusive. None: the source knows no bound.
    """

    name: KindName
    minimum: float | None = None
    maximum: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, _: GetCoreSchemaHandler) -> CoreSchema:
        """Return the strict check: "40", true, NaN and Infinity are no numbers."""
        check = self._check()
        return core_schema.nullable_schema(check) if type(None) in get_args(source) else check

    def _check(self) -> CoreSchema:
        if self.name == "category":
            return core_schema.str_schema(strict=True, max_length=CATEGORY_MAX_LENGTH)
        number = core_schema.float_schema(strict=True, allow_inf_nan=False, ge=self.minimum, le=self.maximum)
        if self.name == "number":
            return number
        if self.name == "id":
            # Through a float an id above 2**53 would change silently, so a true integer is tried first.
            whole = core_schema.int_schema(strict=True, ge=0, le=INT64_MAX)
            written_as_float = core_schema.chain_schema(
                [core_schema.float_schema(strict=True, ge=0, le=2**53), core_schema.int_schema()]
            )
            return core_schema.custom_error_schema(
                core_schema.union_schema([whole, written_as_float], mode="left_to_right"),
                custom_error_type="not_an_identifier",
                custom_error_message=FAULTS["not_an_identifier"].en,
            )
        # A strict float takes 5 and 5.0 but neither "5" nor true; the integer behind it refuses 5.5.
        low, high = self._whole_bounds()
        return core_schema.chain_schema(
            [
                core_schema.float_schema(strict=True, allow_inf_nan=False),
                core_schema.int_schema(ge=low, le=high),
            ]
        )

    def _whole_bounds(self) -> tuple[int, int]:
        """Return the bounds of an integer: the declared ones, else those of its 32 or 64 bits."""
        widest = INT64_MAX if self.name == "id" else INT32_MAX
        low = -widest if self.minimum is None else int(self.minimum)
        return low, widest if self.maximum is None else int(self.maximum)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the plain JSON schema of a value, with null where the column may be missing."""
        value: dict[str, Any]
        if self.name == "category":
            value = {"type": "string", "maxLength": CATEGORY_MAX_LENGTH}
        elif self.name == "number":
            bounds = {"minimum": self.minimum, "maximum": self.maximum}
            value = {"type": "number"} | {key: bound for key, bound in bounds.items() if bound is not None}
        else:
            low, high = self._whole_bounds()
            value = {"type": "integer", "minimum": low, "maximum": high}
        return {"anyOf": [value, {"type": "null"}]} if schema["type"] == "nullable" else value


Identifier = Annotated[int, Kind("id", 0)]
OptionalIdentifier = Annotated[int | None, Kind("id", 0)]
Amount = Annotated[float | None, Kind("number", 0)]
SignedAmount = Annotated[float | None, Kind("number")]  # where the source has negative amounts
Number = Annotated[float | None, Kind("number")]
Share = Annotated[float | None, Kind("number", 0, 1)]
Count = Annotated[int | None, Kind("integer", 0)]
Integer = Annotated[int | None, Kind("integer")]
Days = Annotated[int | None, Kind("integer")]  # before (-) or after (+) the application; 365243 = none
PastDays = Annotated[int | None, Kind("integer", None, 0)]
PastMonths = Annotated[int | None, Kind("integer", None, 0)]
Hour = Annotated[int | None, Kind("integer", 0, 23)]
Flag = Annotated[int | None, Kind("flag", 0, 1)]
Category = Annotated[str | None, Kind("category")]


class _OneError:
    """Marker that gives a union one error, where pydantic would give one for each of its members."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source),
            custom_error_type="not_an_aggregate",
            custom_error_message=FAULTS["not_an_aggregate"].en,
        )


Aggregate = Annotated[Number | Category, _OneError()]  # an aggregate of the history, as a feature holds it


class Record(BaseModel):
    """One row of a raw table: known columns only, strict values, None for a missing one."""

    # Errors reach logs and clients, so they must not repeat what an applicant declared.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON schema with each column's title in every language."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, column in columns(cls).items():
            schema["properties"][name]["x-titles"] = by_language(partial(say, column.label))
        return schema


@dataclass(frozen=True)
class Column:
    """The description of one raw column.

    Parameters
    ----------
    name : str
        The Kaggle name.
    kind : {"id", "integer", "number", "flag", "category"}
        What it holds.
    group : str
        Where the form shows it; a key of `FORM_GROUPS`, or "history".
    label : Text
        A few words for it.
    levels : tuple of str
        Categories that the source files hold. Others are accepted too.
    minimum, maximum : float, optional
        Hard bounds, both inclusive.
    """

    name: str
    kind: KindName
    group: str
    label: Text
    levels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def column(en: str, *, group: str = "history", levels: Sequence[str] = (), required: bool = False) -> Any:
    """Return the declaration of a column: its English words, its place in the form, its known levels."""
    return Field(
        default=... if required else None,
        title=en,
        examples=list(levels) or None,
        json_schema_extra={"x-group": group},
    )


@cache
def columns(record: type[Record]) -> dict[str, Column]:
    """Return the raw columns of a record class by name, in the order of declaration.

    Fields that are no raw column, such as the history of a request, are left out.
    """
    found = {}
    for name, field in record.model_fields.items():
        kind = next((mark for mark in field.metadata if isinstance(mark, Kind)), None)
        if kind is None or not isinstance(field.json_schema_extra, dict):
            continue
        found[name] = Column(
            name=name,
            kind=kind.name,
            group=str(field.json_schema_extra["x-group"]),
            label=Text(f"column.{_table(record, name)}.{name}", field.title or name),
            levels=tuple(str(level) for level in field.examples or ()),
            minimum=kind.minimum,
            maximum=kind.maximum,
        )
    return found


def _table(record: type[Record], name: str) -> str:
    """Name the record class that declares a column: a request inherits those of the application."""
    declaring = (c for c in reversed(record.__mro__) if name in getattr(c, "__annotations__", {}))
    return next(declaring).__name__.lstrip("_")
