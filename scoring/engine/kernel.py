"""How kernels are compiled: once, kept on disk where that is possible, and run without Python's lock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.cpython.unsafe import numbers

from .forest import CATEGORY, NEVER_MISSING, ZERO_IS_MISSING

if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    raise ImportError("numba is switched off by NUMBA_DISABLE_JIT.")

Function = Callable[..., Any]
trailing_zeros: Function = numbers.trailing_zeros

ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: up to here a value is zero
TOO_LARGE = 2.0**31  # no category from here on

# numba's cache notices a change in a kernel's own file only, but kernels take in code of the whole room.
SOURCES = hashlib.sha256(
    b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()


def kernel(function: Function) -> Function:
    """Compile at the first call, and keep the machine code in numba's cache (NUMBA_CACHE_DIR)."""
    function.__qualname__ += f"_{SOURCES[:12]}"  # part of the name in the cache
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba finds no folder that it may write to: every process compiles for itself
        return numba.njit(nogil=True)(function)


@kernel
def reading(x: float, rule: int) -> float:
    """Return a value as a column reads it: NaN where it counts as missing, -1 where it is no category."""
    if rule == CATEGORY:
        return np.floor(max(x, 0.0)) if -1.0 < x < TOO_LARGE else -1.0  # -0.5 is category 0, as in C
    if x != x:
        return 0.0 if rule == NEVER_MISSING else np.nan
    if -ZERO <= x <= ZERO:
        return np.nan if rule == ZERO_IS_MISSING else 0.0
    return x
