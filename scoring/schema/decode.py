"""Bodies of requests decoded by msgspec, with types made from the very declarations that pydantic checks.

What is taken here pydantic takes too, as the same values. What is not taken, or is in doubt (a number of a
client written as 7.0), is left to pydantic, which has the last word and words the errors: there is one
contract, and a fast way through it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta
from msgspec.structs import astuple

from scoring.problems import Fault
from scoring.schema.columns import CATEGORY_MAX_LENGTH, INT32_MAX, INT64_MAX, KindName, Record, columns
from scoring.schema.history import HISTORY
from scoring.schema.request import ApplicationRequest, History, ScoreRequest

ABSENT = math.nan  # no JSON number is NaN, so what is absent and what is null stay apart until all is checked
COLONS = (b"\\u003a", b"\\u003A")  # escapes that stand for a colon: no other escape does, nor has one

Location = tuple[int | str, ...]


class Request(Protocol):
    """An application as it was decoded: a field for each column, None or NaN where there is no value.

    Integers and flags are floats with whole values. ``history`` is None or has a list of such records under
    the name of each history table; ``history_features`` is None or has a field for each aggregate.
    """

    SK_ID_CURR: int
    history: Any
    history_features: Any


class Doubt(ValueError):
    """The body is for pydantic to judge."""


def values(record: Any) -> tuple[Any, ...]:
    """Return what a decoded record holds, in the order of its fields."""
    return astuple(record)


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    applications: Annotated[list[msgspec.Raw], Meta(min_length=1)]


class Decoder:
    """Decodes the bodies of requests.

    Parameters
    ----------
    aggregates : mapping of str to KindName
        Aggregates that ``history_features`` may hold, with their kinds.

    Attributes
    ----------
    aggregates : mapping of str to KindName
        As given.
    names : frozenset of str
        Every name that an object of a request may have.
    """

    def __init__(self, aggregates: Mapping[str, KindName]) -> None:
        self.aggregates = aggregates
        self._records = {table: _struct(record) for table, record in HISTORY.items()}
        raw = _define("History", {t: list[record] for t, record in self._records.items()})  # type: ignore[valid-type]
        given = _define("HistoryFeatures", {name: _type(kind) | None for name, kind in aggregates.items()})
        row = _struct(ApplicationRequest, history=raw | None, history_features=given | None)
        self._history, self._aggregates, self._row = raw, given, row
        parts: tuple[type[Record], ...] = (ScoreRequest, ApplicationRequest, History, *HISTORY.values())
        self.names = frozenset(chain(aggregates, *(part.model_fields for part in parts)))
        self._split = msgspec.json.Decoder(_Body)
        self._one = msgspec.json.Decoder(row)
        self._places = {given: [i for i, kind in enumerate(aggregates.values()) if kind == "category"]}
        for struct, record in (
            (row, ApplicationRequest),
            *zip(self._records.values(), HISTORY.values(), strict=False),
        ):
            kinds = [column.kind for column in columns(record).values()]
            self._places[struct] = [i for i, kind in enumerate(kinds) if kind == "category"]

    def decode(self, body: bytes | bytearray, most: int) -> list[Request] | None:
        """Return the applications of a body, or None where pydantic must judge it.

        Parameters
        ----------
        body : bytes
            ``{"applications": [...]}`` in JSON.
        most : int
            Most applications in a request.
        """
        if b"\\" in body and any(colon in body for colon in COLONS):
            return None  # it would spoil the count of keys
        try:
            raws = self._split.decode(body).applications
            if len(raws) > most:
                return None
            rows = [self._one.decode(raw) for raw in raws]
            keys = 1 + self._settle(rows)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Doubt):
            return None
        # Every colon ends a key, or stands in a word. What a second value under the same key replaced is not
        # among the keys that were counted, so then there are more colons than keys.
        return rows if body.count(b":") == keys else None  # type: ignore[return-value]

    def request(self, application: ApplicationRequest) -> Request:
        """Return an application that pydantic has validated as it would have been decoded."""
        values = _present(application)
        history, aggregates = values.pop("history", None), values.pop("history_features", None)
        if history is not None:
            records = {
                table: [struct(**_present(record)) for record in getattr(history, table)]
                for table, struct in self._records.items()
            }
            history = self._history(**records)
        if aggregates is not None:
            aggregates = self._aggregates(**{n: v for n, v in aggregates.items() if v is not None})
        return self._row(**values, history=history, history_features=aggregates)  # type: ignore[return-value]

    def faults(self, application: ApplicationRequest) -> Iterator[tuple[str, Fault]]:
        """Give (field, fault) for what the type of an application cannot tell: aggregates of no feature."""
        for name, value in (application.history_features or {}).items():
            kind = self.aggregates.get(name)
            if kind is None:
                yield f"history_features.{name[:100]}", Fault("unknown_aggregate")
            elif value is not None and isinstance(value, str) != (kind == "category"):
                yield f"history_features.{name}", Fault("not_text" if kind == "category" else "not_finite")

    def _settle(self, rows: Sequence[Any]) -> int:
        """Check what concerns several fields, write None for what is absent; return the colons seen."""
        colons = self._colons(rows)
        for row in rows:
            if row.history_features is ABSENT:
                row.history_features = None
            if row.history is ABSENT:
                row.history = None
            elif row.history is not None:
                if row.history_features is not None:
                    raise Doubt
                colons += self._settle_history(row.history, row.SK_ID_CURR)
        return colons + self._colons([row.history_features for row in rows if row.history_features])

    def _settle_history(self, history: Any, client: int) -> int:
        colons = 0
        for table in HISTORY:
            records = getattr(history, table)
            if records is ABSENT:
                setattr(history, table, [])
                continue
            colons += 1 + self._colons(records)
            if table == "bureau_balance":
                known = {credit.SK_ID_BUREAU for credit in history.bureau}
                if any(month.SK_ID_BUREAU not in known for month in records):
                    raise Doubt
            elif any(client != r.SK_ID_CURR and r.SK_ID_CURR is not ABSENT for r in records):
                raise Doubt  # or it is null, which is rare
        return colons

    def _colons(self, records: Sequence[Any]) -> int:
        """Count the keys of records of one kind and the colons in their words."""
        if not records:
            return 0
        values = [astuple(record) for record in records]
        keys = len(values) * len(values[0]) - sum(value.count(ABSENT) for value in values)
        places = self._places[type(records[0])]
        words = (value[place] for value in values for place in places)
        return keys + sum(word.count(":") for word in words if type(word) is str)


def repeated_keys(body: bytes | bytearray, most: int) -> list[Location]:
    """Return where objects of a JSON document hold a key twice: JSON leaves open which of the two counts.

    No more than ``most`` places are named.
    """
    found: list[_Twice] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = dict(pairs)
        if len(plain) == len(pairs) or len(found) >= most:
            return plain
        found.append(_Twice(plain, _twice(name for name, _ in pairs)))
        return found[-1]

    document = json.loads(body, object_pairs_hook=collect, parse_int=str, parse_float=str, parse_constant=str)
    return list(islice(_locations(document, ()), most)) if found else []


class _Twice(dict[str, Any]):
    """An object that holds keys twice."""

    def __init__(self, plain: dict[str, Any], keys: Sequence[str]) -> None:
        super().__init__(plain)
        self.keys_twice = keys


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def _locations(value: Any, here: Location) -> Iterator[Location]:
    if isinstance(value, _Twice):
        yield from ((*here, name) for name in value.keys_twice)
    if isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, dict | list):
                yield from _locations(inner, (*here, step))


def _present(record: Record) -> dict[str, Any]:
    """Return the values of a record that are there."""
    return {name: value for name, value in record.__dict__.items() if value is not None}


def _struct(record: type[Record], **more: Any) -> type[msgspec.Struct]:
    """Return the struct that says what a record class says, its columns in the same order."""
    types, required = {}, set()
    for name, column in columns(record).items():
        kind = _type(column.kind, column.minimum, column.maximum)
        if record.model_fields[name].is_required():
            types[name] = kind
            required.add(name)
        else:
            types[name] = kind | None
    return _define(record.__name__, types | more, required)


def _define(name: str, types: Mapping[str, Any], required: Collection[str] = ()) -> type[msgspec.Struct]:
    fields = [(field, kind) if field in required else (field, kind, ABSENT) for field, kind in types.items()]
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True, gc=False)


def _type(kind: KindName, minimum: float | None = None, maximum: float | None = None) -> Any:
    """Return the type of a column's values, as strict as `columns.Kind`."""
    if kind == "category":
        return Annotated[str, Meta(max_length=CATEGORY_MAX_LENGTH)]
    if kind == "id":
        return Annotated[int, Meta(ge=0, le=INT64_MAX)]
    if kind != "number":
        low = -INT32_MAX if minimum is None else minimum
        high = INT32_MAX if maximum is None else maximum
        return Annotated[float, Meta(ge=low, le=high, multiple_of=1)]
    if minimum is None and maximum is None:
        return float
    return Annotated[float, Meta(ge=minimum, le=maximum)]
