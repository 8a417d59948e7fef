"""What a record of the log says, and whether a line says it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any

from pydantic_core import to_json, to_jsonable_python

from scoring.inference_log.disk import is_too_long
from scoring.schema import PURPOSES, Purpose
from scoring.tables.decisions import LOGGED

SCHEMA_VERSION = 3
NAMED_VERSION = 1  # each record names its own features; nobody writes it any more
HEADED = b'{"seq":0,'  # how a file begins whose records have a header
ID_DIGITS = 16  # of a header
LOOK = 128  # bytes of a line among which a header says that it is one
_HASH = b',"hash":"'
_PLACE = ("seq", "prev", "hash")
_SAID = (*_PLACE, "event_id", "time", "probability_of_default", "threshold", "decision", "audit")
Row = dict[str, Any]
Values = tuple[Sequence[Any], Sequence[Any]]
"""Numbers and words of a record, each in the order of its header's names."""


class LogError(RuntimeError):
    """The inference log cannot be written or used, so no decision may be given."""


@dataclass(frozen=True)
class Entry:
    """One decision to record. ``features`` holds the model's inputs: numbers, words or None.

    ``operator`` names who asked: an API key, or a person before a front end; ``reasons`` the features of the
    reasons that were given, None if nobody asked for reasons; ``purpose`` what it was asked for; ``review``
    why a person should look, empty if nobody need.
    """

    event_id: str
    applicant: int
    request_id: str
    probability_of_default: float
    threshold: float
    decision: str
    features: Mapping[str, float | str | None]
    operator: str | None = None
    reasons: tuple[str, ...] | None = None
    purpose: Purpose = "decision"
    review: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """What records have in common, said once in each file: the model, and the names of its inputs."""

    model: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def of(cls, model: str, features: Collection[str], categories: Collection[str]) -> Header:
        """Return the header of records of so many features."""
        numbers = tuple(name for name in features if name not in categories)
        return cls(model, numbers, tuple(name for name in features if name in categories))

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Header:
        """Read what `body` wrote.

        Raises
        ------
        ValueError
            If it is not that.
        """
        lists = [said.get("numbers"), said.get("categories")]
        if not all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in lists):
            raise ValueError("a header without names")
        header = cls(str(said.get("model")), *map(tuple, lists))  # type: ignore[arg-type]
        names = {*header.numbers, *header.categories}
        if len(names) < len(header.numbers) + len(header.categories) or LOGGED.keys() & names:
            raise ValueError("a header has a name twice, or a reserved one")
        if said.get("id") != header.id:
            raise ValueError("a header was changed")
        return header

    @cached_property
    def id(self) -> str:
        """What the records give for all of it; another for each model and each list of names."""
        content = strict_json([self.model, self.numbers, self.categories])
        return hashlib.sha256(content).hexdigest()[:ID_DIGITS]

    @cached_property
    def body(self) -> bytes:
        """The line, without its place in the chain."""
        said = {"id": self.id, "model": self.model, "numbers": self.numbers, "categories": self.categories}
        return strict_json({"header": said, "schema_version": SCHEMA_VERSION})

    def values(self, features: Mapping[str, Any]) -> Values | None:
        """Return features in the order of the names, or None where they are others."""
        if len(features) != len(self.numbers) + len(self.categories):
            return None
        try:
            return self.pick(features)
        except KeyError:
            return None

    def pick(self, features: Mapping[str, Any]) -> Values:
        """Return features in the order of the names; raises a KeyError if one is lacking."""
        return self._pick_numbers(features), self._pick_categories(features)

    @cached_property
    def _pick_numbers(self) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
        return _picker(self.numbers)

    @cached_property
    def _pick_categories(self) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
        return _picker(self.categories)


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)  # at a tenth of the time of a loop, but one name is no tuple to it
    return lambda features: [features[name] for name in names]


def body(entry: Entry, header: str, values: Values, applicant: str, time: datetime) -> bytes:
    """Return a record as JSON, without its place in the chain: its values in the order of a header.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return strict_json(
        {
            "schema_version": SCHEMA_VERSION,
            "header": header,
            "event_id": entry.event_id,
            "time": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
            "probability_of_default": entry.probability_of_default,
            "threshold": entry.threshold,
            "decision": entry.decision,
            "audit": {
                "applicant": applicant,
                "request_id": entry.request_id,
                "operator": entry.operator,
                "purpose": entry.purpose,
                **({"review": entry.review} if entry.review else {}),
                "reasons": entry.reasons,
            },
            "numbers": values[0],
            "categories": values[1],
        }
    )


def purpose_of(audit: Mapping[str, Any]) -> Purpose:
    """Return what a decision was asked for, by its ``audit``: to decide, before there were other purposes.

    Raises
    ------
    ValueError
        If it is none that this code knows.
    """
    purpose = audit.get("purpose", "decision")
    if purpose not in PURPOSES:
        raise ValueError("its purpose is none that is known")
    return purpose  # type: ignore[no-any-return]  # it is one of them


def inputs_hash(inputs: Mapping[str, Any]) -> str:
    """Return what ``audit.inputs_sha256`` must be for a record's ``inputs``."""
    return hashlib.sha256(strict_json(inputs)).hexdigest()


def is_header(line: bytes) -> bool:
    """Say whether a line looks like a header."""
    return line[:LOOK].find(b',"header":{') >= 0


def parse(line: bytes, headers: MutableMapping[str, Header]) -> Row | None:
    """Return the record of a line under all its names, whatever its version, its time as a datetime.

    A line that speaks of a table, or a note, is returned as it is. A header goes to ``headers``, where the
    records that follow find it, and None is returned.

    Raises
    ------
    ValueError
        If the line is no whole record of a format that this code knows; it says why, never what stood there.
    """
    if is_too_long(line):
        raise ValueError("longer than any record")
    if not line.endswith(b"\n"):
        raise ValueError("torn: the line has no end")
    try:
        record = json.loads(line, parse_constant=_no_constant)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("not JSON") from None
    if b"\\u" in line and not _is_text(record):
        raise ValueError("a word has half a character")
    if not isinstance(record, dict):
        raise ValueError("not a record")
    is_hashed = record.get("schema_version") == SCHEMA_VERSION
    if is_hashed and hashlib.sha256(line[: line.rfind(_HASH)]).hexdigest() != record.get("hash"):
        raise ValueError("the record was changed")
    if "table" in record or "kind" in record:
        return dict[str, Any](record)
    if isinstance(header := record.get("header"), dict):
        found = Header.read(header)
        headers[found.id] = found
        return None
    if record.get("schema_version") == SCHEMA_VERSION:
        record = _named(record, headers)
    _check(record)
    return {**record, "time": datetime.fromisoformat(record["time"])}


def _named(record: Row, headers: Mapping[str, Header]) -> Row:
    """Return a record with its header's names, in the form of those that name their own features."""
    header = headers.get(str(record.get("header")))
    if header is None:
        raise ValueError("its header is not in the file before it")
    inputs = {}
    for part, names in (("numbers", header.numbers), ("categories", header.categories)):
        values = record.get(part)
        if not isinstance(values, list) or len(values) != len(names):
            raise ValueError(f"{part} are not as many as its header names")
        inputs[part] = dict(zip(names, values, strict=True))
    said = {name: record[name] for name in _SAID if name in record}
    return said | {"schema_version": SCHEMA_VERSION, "model": header.model, "inputs": inputs}


def with_inputs_hash(record: Row) -> Row:
    """Return a record whose ``audit`` has the hash of its inputs; a short record does not keep it."""
    if "inputs_sha256" not in record["audit"]:
        record["audit"]["inputs_sha256"] = inputs_hash(record["inputs"])
    return record


def strict_json(value: object) -> bytes:
    """Write strict JSON, a float with the fewest digits that give it back bit for bit.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = to_json(value, inf_nan_mode="constants")  # five times as fast as json.dumps
    if b"NaN" in text or b"Infinity" in text:
        # Raises, unless it is only a word that looks so.
        json.dumps(value, allow_nan=False, default=to_jsonable_python)
    return text


def _no_constant(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


def _check(record: Row) -> None:
    """Raise ValueError unless the record is whole and of a format that this code knows."""
    version = record.get("schema_version")
    if version not in (NAMED_VERSION, SCHEMA_VERSION):
        raise ValueError(f"not of schema_version {NAMED_VERSION} or {SCHEMA_VERSION}")
    audit = record.get("audit")
    if not isinstance(audit, dict):
        raise ValueError("audit is not an object")
    for part, names in (
        (record, ("event_id", "time", "model", "decision")),
        (audit, ("applicant", "request_id", *(["inputs_sha256"] if version == NAMED_VERSION else []))),
    ):
        if bad := [name for name in names if not isinstance(part.get(name), str)]:
            raise ValueError(f"{bad[0]} is not text")
    reasons = audit.get("reasons")
    if reasons is not None and not (isinstance(reasons, list) and all(isinstance(r, str) for r in reasons)):
        raise ValueError("reasons is no list of words")
    if not isinstance(audit.get("operator"), str | None):
        raise ValueError("operator is not text")
    purpose_of(audit)
    asked = audit.get("review", [])
    if not (isinstance(asked, list) and all(isinstance(reason, str) for reason in asked)):
        raise ValueError("review is no list of words")
    if bad := [name for name in ("probability_of_default", "threshold") if not _is_number(record.get(name))]:
        raise ValueError(f"{bad[0]} is not a number")
    inputs = record.get("inputs")
    if not isinstance(inputs, dict):
        raise ValueError("inputs is not an object")
    for name, are_values in (("numbers", _are_numbers), ("categories", _are_words)):
        features = inputs.get(name)
        if not isinstance(features, dict):
            raise ValueError(f"{name} is not an object")
        if not are_values([value for value in features.values() if value is not None]):
            raise ValueError(f"{name} has a value of another kind")
        if LOGGED.keys() & features.keys():
            raise ValueError(f"{name} has a reserved name")
    if not record["time"].endswith("Z"):
        raise ValueError("time is not in UTC")


def _is_number(value: object) -> bool:
    return _are_numbers([value])


def _are_numbers(values: list[Any]) -> bool:
    """Say whether all values are finite; a record has some 500, so each step is one call for all of them."""
    try:
        return set(map(type, values)) <= {int, float} and all(map(math.isfinite, values))
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_text(record: object) -> bool:
    """Say whether all words of a record can be written: JSON may escape the half of a character."""
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_words(values: list[Any]) -> bool:
    return set(map(type, values)) <= {str}
