"""Numbers, intervals and texts as a reader of one language writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log10
from typing import Any, Protocol

from scoring import language
from scoring.language import MINUS
from validation.words import WORDS

SMALLEST = 1e-300
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Interval(Protocol):
    """A value with its interval."""

    @property
    def value(self) -> float: ...  # noqa: D102

    @property
    def low(self) -> float: ...  # noqa: D102

    @property
    def high(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Language:
    """A way to write."""

    code: str

    @property
    def tag(self) -> str:
        """What HTML calls it."""
        return self.code.replace("_", "-")

    @property
    def name(self) -> str:
        """What it calls itself."""
        name = language.name_of(self.code)
        return name[:1].upper() + name[1:]

    def say(self, key: str, **values: Any) -> str:
        """Return a text of ``words.WORDS``; ``values`` fill its places."""
        return language.say(WORDS[key], self.code, **values)

    def named(self, prefix: str, name: str) -> str:
        """Return the text of a name, or the name itself where it needs no words."""
        key = f"{prefix}:{name}"
        return self.say(key) if key in WORDS else name

    def joined(self, parts: Iterable[str]) -> str:
        """Write a list."""
        return language.joined(parts, self.code)

    def number(self, value: float, digits: int = 3, is_signed: bool = False) -> str:
        """Write a number with so many decimals."""
        return language.number(value, self.code, digits, is_signed=is_signed, minus=MINUS)

    def tiny(self, value: float) -> str:
        """Write the power of ten that a small value does not exceed."""
        power = ceil(log10(max(value, SMALLEST)))
        return f"10{str(power).translate(RAISED)}"

    def count(self, value: int) -> str:
        """Write a whole number."""
        return self.number(value, 0)

    def share(self, value: float, digits: int = 1) -> str:
        """Write a share as a percentage."""
        return language.percent(value, self.code, digits, minus=MINUS)

    def interval(self, found: Interval, digits: int = 3, is_signed: bool = False) -> str:
        """Write a value with its interval."""
        value, low, high = (self.number(v, digits, is_signed) for v in (found.value, found.low, found.high))
        between = f" {self.say('to')} " if is_signed or found.low < 0 else "–"
        return f"{value} ({low}{between}{high})"

    def share_interval(self, found: Interval, digits: int = 1) -> str:
        """Write a share with its interval, as percentages."""
        low, high = self.number(100 * found.low, digits), self.number(100 * found.high, digits)
        return f"{self.share(found.value, digits)} ({low}–{high})"


def spoken() -> list[Language]:
    """Return every language that the pack is written in."""
    return [Language(code) for code in language.languages()]
