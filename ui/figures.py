"""Numbers as people write them, and back: 1,234.5 in English, 1 234,5 in French; and texts to quote."""

from __future__ import annotations

import math
import re
from typing import Literal

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, Language] = ("en", "fr")  # those that the page has words for
NARROW = "\u202f"  # in French between thousands and before ; ! ? %

SPACES = dict.fromkeys(map(ord, " \u00a0\u202f\u2009"), None)
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")  # English thousands
# Thousands in English, three decimals in French: which of the two, the digits do not say.
UNCLEAR = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
MINUS = "\u2212"
QUOTED = 60  # characters of a text that a sentence repeats


def number(value: float, lang: Language, digits: int = 0, *, signed: bool = False, trim: bool = False) -> str:
    """Return a number with its thousands grouped.

    Parameters
    ----------
    value : float
        Any finite number.
    digits : int
        Decimals kept; with `trim`, zeros at the end are dropped.
    signed : bool
        Write + too; a true minus sign stands for -.
    """
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    if signed:
        text = text.replace("-", MINUS)
    if lang == "fr":
        text = text.replace(",", NARROW).replace(".", ",")
    return text


def percent(share: float, lang: Language, digits: int = 1) -> str:
    """Return a share of one as a percentage."""
    return number(100 * share, lang, digits) + ("%" if lang == "en" else f"{NARROW}%")


def digits_to_tell(first: float, second: float) -> int:
    """Return the decimals (1 to 4) that percentages need to show how far two shares are apart."""
    apart = 100 * abs(first - second)
    for digits in range(1, 4):
        if apart == 0 or apart >= 0.95 * 10.0**-digits:
            return digits
    return 4


def parse(text: str, lang: Language) -> float:
    """Return the number that was typed.

    French takes a comma or a point for the decimals; English takes commas only between thousands, so
    that "0,5" is asked again rather than read as 5.

    Raises
    ------
    ValueError
        If the text is no number in that language, or one that is too large to be held.
    """
    bare = text.translate(SPACES).replace(MINUS, "-")
    if lang == "fr":
        bare = bare.replace(",", ".") if bare.count(",") == 1 and "." not in bare else bare
    elif GROUPED.fullmatch(bare):
        bare = bare.replace(",", "")
    if not PLAIN.fullmatch(bare) or not math.isfinite(float(bare)):
        raise ValueError(text)
    return float(bare)


def quoted(text: str) -> str:
    """Return as much of a text as a sentence can repeat: signs that are seen, in their order, and not many.

    Signs that steer a terminal or turn the direction of writing are left out.
    """
    seen = "".join(sign for sign in " ".join(text[: 10 * QUOTED].split()) if sign.isprintable())
    return seen if len(seen) <= QUOTED and len(text) <= 10 * QUOTED else f"{seen[: QUOTED - 1]}…"
