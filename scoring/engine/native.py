"""The middleware to the kernels: the built file beside the sources, and a forest as they take it."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scoring.engine import explain, predict
from scoring.engine.forest import Array, Forest

FOLDER = Path(__file__).parent
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-Wno-psabi")
"""How the sources are compiled; no flag may let a compiler change the order or precision of a sum."""

HELD_UP_TO_ROWS = 8  # 0.1 ms: less than it can take to get Python's lock back from another thread
SWEEP_FROM_ROWS = 64  # below it, walking is faster: `python -m benchmarks.engine`
CHUNK = 1_024  # rows explained a call, in about half a second: so that it can be interrupted

ADDRESS, COUNT = ctypes.c_void_p, ctypes.c_int64
Kernel = Any  # a function of the library, which ctypes has no public type for


class Absent(OSError):
    """The kernels cannot be had here; the text says why, and the remedy."""


def sources() -> list[Path]:
    """Return the C files that make the library."""
    return sorted(FOLDER.glob("*.c"))


def built() -> Path:
    """Return where the built file of these very sources, these flags and this kind of machine stands."""
    text = b"".join(source.read_bytes() for source in sources()) + " ".join(FLAGS).encode()
    digest = hashlib.sha256(text).hexdigest()
    return FOLDER / f"kernels-{sys.platform}-{platform.machine()}-{digest}.so"


class _Forest(ctypes.Structure):
    """``Forest`` of kernels.c, field by field."""

    _fields_ = [
        *((name, COUNT) for name in ("n_features", "n_columns", "n_numeric", "n_tests")),
        *((name, COUNT) for name in ("n_trees", "largest")),
        *((name, ADDRESS) for name in ("columns", "threshold", "default_left", "words")),
        *((name, ADDRESS) for name in ("start", "slots", "score", "nodes", "roots")),
        *((name, ADDRESS) for name in ("paths", "passes", "points", "weights")),
    ]


class Kernels:
    """The kernels, loaded, over one forest. Nothing in here changes afterwards: threads may share it.

    Attributes
    ----------
    passes : ndarray of int64, shape (n_trees,)
        How often a row's contributions go down and up each tree.

    Raises
    ------
    Absent
        If the file was not built for this source and machine, or cannot be loaded.
    """

    def __init__(self, forest: Forest) -> None:
        # While a released kernel runs, other threads of Python run too. One that is over in microseconds
        # keeps Python's lock: to get it back from a busy thread can take 5 ms.
        released, held = load(ctypes.CDLL), load(ctypes.PyDLL)
        rows = (ADDRESS, ADDRESS, COUNT, ADDRESS)  # forest, matrix, its rows, answers
        self._walk_few, self._walk = function(held, "walk", rows), function(released, "walk", rows)
        self._sweep, self._explain = function(released, "sweep", rows), function(released, "explain", rows)

        largest = int(np.diff(forest.start).max())
        paths = np.zeros(len(forest.slots), explain.PATH)
        found = (forest.start, forest.slots, forest.cover)
        trace = function(released, "trace", (ADDRESS, ADDRESS, ADDRESS, COUNT, COUNT, ADDRESS))
        check(trace(*map(address, found), len(forest.start) - 1, largest, address(paths)))
        self.passes = explain.passes(forest, paths)
        tests = (forest.columns, forest.threshold, forest.default_left, forest.words)
        trees = (forest.start, forest.slots, forest.value, predict.nodes(forest), predict.roots(forest))
        arrays = (*tests, *trees, paths, self.passes, *explain.rules(int(self.passes.max())))
        counts = (
            *(forest.n_features, len(forest.columns), len(forest.threshold), forest.n_tests),
            *(len(forest.start) - 1, largest),
        )
        # Kept as long as this lives: the library reads them where they are.
        self._arrays = [np.require(array, requirements=["C", "A"]) for array in arrays]
        self._forest = _Forest(*counts, *map(address, self._arrays))
        self._at = ctypes.addressof(self._forest)

    def raw(self, matrix: Array) -> Array:
        """Return the sum of each row's leaves, added in the order of the trees."""
        n, scores = len(matrix), np.empty(len(matrix))
        kernel = (
            self._sweep if n >= SWEEP_FROM_ROWS else self._walk if n > HELD_UP_TO_ROWS else self._walk_few
        )
        check(kernel(self._at, address(matrix), n, address(scores)))
        return scores

    def contributions(self, matrix: Array) -> Array:
        """Return each feature's share of each row's score; with the base they add up to it."""
        shares = np.empty(matrix.shape)
        for first in range(0, len(matrix), CHUNK):
            rows = matrix[first : first + CHUNK]
            check(self._explain(self._at, address(rows), len(rows), address(shares[first:])))
        return shares


def load(kind: type[ctypes.CDLL] = ctypes.CDLL) -> ctypes.CDLL:
    """Load the kernels.

    Raises
    ------
    Absent
        If the file was not built for this source and machine, or cannot be loaded.
    """
    file = built()
    if not file.is_file():
        raise Absent("the kernels are not built here; `python -m scoring.engine` builds them")
    try:
        return kind(str(file))
    except OSError as error:
        raise Absent(f"the kernels do not load here: {error}") from error


def function(
    library: ctypes.CDLL, name: str, arguments: Sequence[type], result: type = ctypes.c_int
) -> Kernel:
    """Return a function of the library, which takes whole numbers for addresses and counts."""
    found: Kernel = getattr(library, name)
    found.argtypes, found.restype = arguments, result
    return found


def address(array: Array) -> int:
    """Return where an array stands in memory."""
    return int(array.__array_interface__["data"][0])


def check(result: int) -> None:
    """Raise MemoryError if a function says that there is none left."""
    if result:
        raise MemoryError("There is no memory left; give the process more, or send fewer rows.")
