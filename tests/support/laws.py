"""How often a law is tried on invented examples."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

SHARE = 4


def is_whole() -> bool:
    """Whether proofs are asked for, and not a suite that ends soon."""
    return settings.get_current_profile_name() in ("proofs", "search")


def tried(times: int, **more: Any) -> Callable[[Any], Any]:
    """Try a law on so many examples in `make proofs`, on a quarter of them in `make test`."""
    count = times if is_whole() else times // SHARE
    return lambda test: pytest.mark.law(settings(max_examples=count, deadline=None, **more)(test))
