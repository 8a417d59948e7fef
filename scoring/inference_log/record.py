"""What a record of the log says, and whether a line says it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json, to_jsonable_python

from scoring.inference_log.disk import is_too_long
from scoring.tables.decisions import COLUMNS

SCHEMA_VERSION = 1
Row = dict[str, Any]


class LogError(RuntimeError):
    """The inference log cannot be written or used, so no decision may be given."""


@dataclass(frozen=True)
class Entry:
    """One decision to record. ``features`` holds the model's inputs: numbers, words or None.

    ``operator`` names the API key that asked; ``reasons`` the features of the reasons that were given, None
    if nobody asked for reasons.
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


def body(entry: Entry, model: str, applicant: str, time: datetime, categories: Collection[str]) -> bytes:
    """Return a record as JSON, without its place in the chain.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    features = entry.features.items()
    inputs = {
        "numbers": {name: value for name, value in features if name not in categories},
        "categories": {name: value for name, value in features if name in categories},
    }
    record = {
        "schema_version": SCHEMA_VERSION,
        "event_id": entry.event_id,
        "time": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
        "model": model,
        "probability_of_default": entry.probability_of_default,
        "threshold": entry.threshold,
        "decision": entry.decision,
    }
    read = strict_json(inputs)
    audit = {
        "applicant": applicant,
        "request_id": entry.request_id,
        "operator": entry.operator,
        "inputs_sha256": hashlib.sha256(read).hexdigest(),
        "reasons": entry.reasons,
    }
    return b'%s,"audit":%s,"inputs":%s}' % (strict_json(record)[:-1], strict_json(audit), read)


def inputs_hash(inputs: Mapping[str, Any]) -> str:
    """Return what ``audit.inputs_sha256`` must be for a record's ``inputs``."""
    return hashlib.sha256(strict_json(inputs)).hexdigest()


def parse(line: bytes) -> dict[str, Any]:
    """Return the record of a line, its time as a datetime; one that speaks of a table, or a note, as it is.

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
    if isinstance(record, dict) and ("table" in record or "kind" in record):
        return record
    _check(record)
    record["time"] = datetime.fromisoformat(record["time"])
    return record  # type: ignore[no-any-return]


def strict_json(value: object) -> bytes:
    """Write strict JSON, a float with the fewest digits that give it back bit for bit.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = to_json(value, inf_nan_mode="constants")  # five times as fast as json.dumps
    if any(sign in text for sign in (b":NaN", b":Infinity", b":-Infinity")):
        # Raises, unless it is only a word that looks so.
        json.dumps(value, allow_nan=False, default=to_jsonable_python)
    return text


def _no_constant(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


def _check(record: object) -> None:
    """Raise ValueError unless the record is whole and of a format that this code knows."""
    if not isinstance(record, dict):
        raise ValueError("not a record")
    if record.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"not of schema_version {SCHEMA_VERSION}")
    audit = record.get("audit")
    if not isinstance(audit, dict):
        raise ValueError("audit is not an object")
    for part, names in (
        (record, ("event_id", "time", "model", "decision")),
        (audit, ("applicant", "request_id", "inputs_sha256")),
    ):
        if bad := [name for name in names if not isinstance(part.get(name), str)]:
            raise ValueError(f"{bad[0]} is not text")
    reasons = audit.get("reasons")
    if reasons is not None and not (isinstance(reasons, list) and all(isinstance(r, str) for r in reasons)):
        raise ValueError("reasons is no list of words")
    if not isinstance(audit.get("operator"), str | None):
        raise ValueError("operator is not text")
    if bad := [name for name in ("probability_of_default", "threshold") if not _is_number(record.get(name))]:
        raise ValueError(f"{bad[0]} is not a number")
    inputs = record.get("inputs")
    if not isinstance(inputs, dict):
        raise ValueError("inputs is not an object")
    for name, is_value in (("numbers", _is_number), ("categories", _is_word)):
        features = inputs.get(name)
        if not isinstance(features, dict):
            raise ValueError(f"{name} is not an object")
        if not all(value is None or is_value(value) for value in features.values()):
            raise ValueError(f"{name} has a value of another kind")
        if COLUMNS.keys() & features.keys():
            raise ValueError(f"{name} has a reserved name")
    if not record["time"].endswith("Z"):
        raise ValueError("time is not in UTC")


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_text(record: object) -> bool:
    """Say whether all words of a record can be written: JSON may escape the half of a character."""
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_word(value: object) -> bool:
    return isinstance(value, str)
