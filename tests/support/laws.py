"""How often a law is tried on invented examples."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

USUAL, SHARE = 100, 4


def tried(times: int) -> Callable[[Any], Any]:
    """Try a law on so many examples in `make proofs`, on a quarter of them (at least 100) in `make test`."""
    is_whole = settings.get_current_profile_name() in ("proofs", "search")
    count = times if is_whole else max(times // SHARE, USUAL)
    return lambda test: pytest.mark.law(settings(max_examples=count, deadline=None)(test))
