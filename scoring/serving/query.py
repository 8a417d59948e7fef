"""The parameters of a query, each read by a reader of its own; what is wrong with any of them is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from scoring.problems import Fault, nearest
from scoring.schema import FieldError, fault_at
from scoring.serving.problem import Rejection

Reader = Callable[[str], Any]
"""Reads one value: what it says, or a `Fault`."""


def read_nothing(query: bytes) -> None:
    """Refuse parameters where there are none: who misspells a header as one would be decided otherwise.

    Raises
    ------
    Rejection
    """
    if query:
        raise Rejection("no-parameters")


def read_query(
    query: bytes,
    readers: Mapping[str, Reader],
    together: Callable[[Mapping[str, Any]], Iterable[FieldError]] = lambda _: (),
) -> dict[str, Any]:
    """Return the parameters of a query by name.

    Parameters
    ----------
    readers : mapping of str to Reader
        Of each parameter that there is.
    together : callable, optional
        What is wrong with some of them together; a value that is wrong by itself is a `Fault` there.

    Raises
    ------
    Rejection
        422 that names each one that cannot be used, and what would do.
    """
    most = 2 * len(readers)
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise Rejection("too-many-parameters", {"most": most}) from None
    faults: list[FieldError] = []
    found: dict[str, Any] = {}
    for name, text in pairs:
        if name not in readers:
            value: Any = _unknown(name, readers)
        elif name in found:
            value = Fault("repeated_parameter")
        else:
            value = found[name] = readers[name](text)
        if isinstance(value, Fault):
            faults.append(fault_at(None, name[:100], value))
    faults += together(found)
    if faults:
        raise Rejection("wrong-parameters", {"n": len(faults)}, faults)
    return found


def _unknown(name: str, known: Iterable[str]) -> Fault:
    close = nearest(name, known)
    return Fault("misspelt_parameter", {"close": close}) if close else Fault("unknown_parameter")
