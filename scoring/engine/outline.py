"""The outline of a JSON body: where its applications stand, or where it ceases to be JSON.

Found in C, while other threads of Python run: a body may have many megabytes of anything at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.engine import native
from scoring.engine.forest import Array


class NotJson(ValueError):
    """The body is not JSON; says where the first fault is, as pydantic does."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__(f"line {line} column {column}")


@dataclass(frozen=True, eq=False)
class Outline:
    """What a body that is JSON has.

    Parameters
    ----------
    keys : int
        How often the top object has the key ``applications``.
    start, end : int
        Where its list stands, brackets included; -1 where it has none.
    count : int
        Things in the list.
    spans : ndarray of int64, shape (n, 3)
        Where the first of them begin and end, and how many values they have inside.
    """

    keys: int
    start: int
    end: int
    count: int
    spans: Array


class Outliner:
    """Outlines bodies ``{"applications": [...]}``. Threads may share it.

    Raises
    ------
    Absent
        If the kernels are not built on this machine, or do not load.
    """

    def __init__(self) -> None:
        address, count = native.ADDRESS, native.COUNT
        self._outline = native.function(native.load(), "outline", (address, count, count, address, address))

    def __call__(self, body: bytes | bytearray, most: int) -> Outline:
        """Return the outline of a body with the places of at most so many applications.

        Raises
        ------
        NotJson
            If it is not JSON; what pydantic takes is, NaN among it.
        """
        text = np.frombuffer(body, np.uint8)
        spans, found = np.empty((most, 3), np.int64), np.zeros(4, np.int64)
        arrays = (native.address(text), len(text), most, native.address(spans), native.address(found))
        if not self._outline(*arrays):
            raise NotJson(int(found[0]), int(found[1]))
        start, end, count, keys = map(int, found)
        return Outline(keys, start, end, count, spans[: min(count, most)])
