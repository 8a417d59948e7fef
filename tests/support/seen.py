"""What of a page as it stands can be seen and reached: measured by elements, not by the page's own width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def _asked(page: Any, name: str) -> list[str]:
    return list(page.evaluate(f"{SCRIPT.rstrip()}.{name}()"))


def cut(page: Any) -> list[str]:
    """Return the texts and controls that leave the window, or a frame, and cannot be brought back."""
    return _asked(page, "cut")


def unmarked(page: Any) -> list[str]:
    """Return the controls that do not show that the keyboard is on them."""
    page.keyboard.press("Tab")
    return _asked(page, "unmarked")


def moving(page: Any) -> list[str]:
    """Return the elements that move by themselves or slide."""
    return _asked(page, "moving")
