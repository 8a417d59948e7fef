"""Numbers, intervals and texts as an English or a French reader writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from scoring.features.wording import NARROW, spaced
from validation.words import WORDS

MINUS = "−"


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

    code: Literal["en", "fr"]

    @property
    def decimal(self) -> str:
        """The decimal mark."""
        return "." if self.code == "en" else ","

    def say(self, key: str, **values: object) -> str:
        """Return a text of ``words.WORDS``; ``values`` fill its places."""
        english, french = WORDS[key]
        if self.code == "en":
            return english.format(**values)
        return spaced(french).format(**values)

    def named(self, prefix: str, name: str) -> str:
        """Return the text of a name, or the name itself where it needs no words."""
        key = f"{prefix}:{name}"
        return self.say(key) if key in WORDS else name

    def number(self, value: float, digits: int = 3, is_signed: bool = False) -> str:
        """Write a number with so many decimals."""
        text = f"{value:+,.{digits}f}" if is_signed else f"{value:,.{digits}f}"
        if float(text.replace(",", "")) == 0:
            text = text.lstrip("+-")
        if self.code == "fr":
            text = text.replace(",", NARROW).replace(".", ",")
        return text.replace("-", MINUS)

    def count(self, value: int) -> str:
        """Write a whole number."""
        return self.number(value, 0)

    def share(self, value: float, digits: int = 1) -> str:
        """Write a share as a percentage."""
        return self.number(100 * value, digits) + ("%" if self.code == "en" else f"{NARROW}%")

    def interval(self, found: Interval, digits: int = 3, is_signed: bool = False) -> str:
        """Write a value with its interval."""
        value, low, high = (self.number(v, digits, is_signed) for v in (found.value, found.low, found.high))
        between = f" {self.say('to')} " if is_signed or found.low < 0 else "–"
        return f"{value} ({low}{between}{high})"

    def share_interval(self, found: Interval, digits: int = 1) -> str:
        """Write a share with its interval, as percentages."""
        low, high = self.number(100 * found.low, digits), self.number(100 * found.high, digits)
        return f"{self.share(found.value, digits)} ({low}–{high})"


LANGUAGES = (Language("en"), Language("fr"))
