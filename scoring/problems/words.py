"""How parameters are written into a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Protocol

from scoring.language import ENGLISH, Text, number, say

Params = Mapping[str, int | float | str]


class Sayable(Protocol):
    """A sentence that stands in another one."""

    def say(self, language: str = ENGLISH) -> str:
        """Return it in words."""


POSITIONS = ("line", "row", "column")  # are searched for, so their digits stand in no groups
DECIMALS = 6


def worded(text: Text, params: Mapping[str, int | float | str | Sayable], language: str = ENGLISH) -> str:
    """Return the sentence of a problem or a fault; ``n`` among its parameters chooses the plural."""
    said = {name: _written(name, value, language) for name, value in params.items() if name != "n"}
    count = params.get("n")
    return say(text, language, count if isinstance(count, int) else None, **said)


def places(text: Text) -> set[str]:
    """Name the parameters that a sentence needs."""
    return {name for _, name, _, _ in Formatter().parse(text.plural or text.en) if name}


def _written(name: str, value: int | float | str | Sayable, language: str) -> str:
    if not isinstance(value, int | float | str):
        return value.say(language)
    if isinstance(value, str) or name in POSITIONS:
        return str(value)
    return number(value, language, DECIMALS, is_trimmed=True)
