"""Whether a page is for everyone, as far as a program can tell: axe-core, in the page that is shown."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def script() -> str:
    """Return axe-core; without its package the test is skipped."""
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def faults(page: Any, only: Sequence[str] = ()) -> list[str]:
    """Return what axe finds in a page as it stands: rule, how many times, and the first element.

    ``only``: the rules to try; all, if none is named.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(script())
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = list(only)
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{one['id']} ×{len(one['nodes'])}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]
    ]
