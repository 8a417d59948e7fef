"""What a function is given, noted by a test while the function does what it always did."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def overheard(function: Callable[..., Any], note: Callable[..., object]) -> Callable[..., Any]:
    """Return the function with `note` called before it, each time, with the same arguments."""

    @wraps(function)
    def noted(*given: Any, **named: Any) -> Any:
        note(*given, **named)
        return function(*given, **named)

    return noted
