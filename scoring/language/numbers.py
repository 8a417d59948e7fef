"""Numbers, shares, times and lists as a language writes them, by Unicode's table (CLDR)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Literal, get_args

from babel import Locale, UnknownLocaleError
from babel.numbers import format_compact_decimal, format_decimal

Duration = Literal["years", "months", "days"]
DURATIONS: tuple[Duration, ...] = get_args(Duration)

NO_BREAK = "\u00a0"  # between a number and its unit
NARROW = "\u202f"  # before a percent sign, where a language sets it off
MINUS = "\u2212"
LONG = 10_000  # numbers from here on are written with a word for thousands where there is little room
SPACES = dict.fromkeys(map(ord, " \u00a0\u202f\u2009"), None)  # that people and programs put into numbers
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# What CLDR calls each, and how many days Babel takes it for.
NAMES: dict[Duration, Literal["year", "month", "day"]] = {"years": "year", "months": "month", "days": "day"}
DAYS = {"years": 365, "months": 30, "days": 1}
# A number of each grammatical kind: none is larger than what a language tells apart.
SAMPLES = (*range(1, 120), 0, Decimal("1.5"), Decimal("0.5"), 1_000_000)


@dataclass(frozen=True, slots=True)
class Marks:
    """How a language writes a number.

    Attributes
    ----------
    decimal, group, minus, before, after : str
        The decimal mark, what stands between thousands, the minus sign, and what stands around a percentage.
    table : dict of int to str
        Python's own marks to the language's.
    pattern : str or None
        CLDR's pattern of whole numbers, where digits do not stand in groups of three.
    """

    decimal: str
    group: str
    minus: str
    before: str
    after: str
    table: dict[int, str]
    pattern: str | None


def number(
    value: float,
    language: str,
    digits: int = 0,
    *,
    is_signed: bool = False,
    is_trimmed: bool = False,
    minus: str | None = None,
) -> str:
    """Write a number with so many decimals: ``12,500.0`` or ``12 500,0``.

    ``is_signed`` writes + too, ``is_trimmed`` drops the zeros at the end, ``minus`` is another sign than the
    language's. What is rounded to zero has no sign.
    """
    # A whole number stays what it is: as a fraction, one beyond 2^53 would be another.
    kind = "d" if digits == 0 and isinstance(value, int) else f".{digits}f"
    text = f"{value:{'+' if is_signed else ''},{kind}}"
    if text[0] in "+-" and not text.strip("+-0.,"):
        text = text[1:]
    if is_trimmed and "." in text:
        text = text.rstrip("0").rstrip(".")
    return _localised(text, language, minus)


def in_digits(value: float, language: str, digits: int = 6, *, minus: str | None = None) -> str:
    """Write a number with so many significant digits."""
    return _localised(f"{value:,.{digits}g}", language, minus)


def compact(value: float, language: str) -> str:
    """Write a number as briefly as an axis needs it, to three digits: ``1.35M``, ``148K``, ``0.228``."""
    if abs(value) < LONG:
        return _localised(f"{value:,.3g}" if abs(value) < 1_000 else f"{value:,.0f}", language, MINUS)
    found = format_compact_decimal(float(f"{value:.3g}"), locale=language, fraction_digits=2)
    return found.replace(_marks(language).minus, MINUS)


def percent(
    share: float, language: str, digits: int = 0, *, is_trimmed: bool = False, minus: str | None = None
) -> str:
    """Write a share as a percentage: ``23%`` or ``23 %``."""
    marks = _marks(language)
    text = number(100 * share, language, digits, is_trimmed=is_trimmed, minus=minus)
    return f"{marks.before}{text}{marks.after}"


def parse(text: str, language: str) -> float:
    """Return the number that a person typed: what `number` writes, and its simpler forms.

    A point stands for the decimal mark too, where the language does not put it between thousands. What may
    be read in two ways is no number: an English "0,5" is neither 5 nor a half.

    Raises
    ------
    ValueError
        If the text is no number in that language, or one that is too large to be held.
    """
    marks = _marks(language)
    bare = text.translate(SPACES)
    for sign in (marks.minus, MINUS):
        bare = bare.replace(sign, "-")
    group, decimal = re.escape(marks.group), re.escape(marks.decimal)
    between = rf"(?:{group}\d{{{3 if marks.pattern is None else 2}}})*"
    if re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{between}{group}\d{{3}}(?:{decimal}\d*)?", bare):
        bare = bare.replace(marks.group, "")
    if bare.count(marks.decimal) == 1 and (marks.decimal == "." or "." not in bare):
        bare = bare.replace(marks.decimal, ".")
    if not PLAIN.fullmatch(bare) or not math.isfinite(float(bare)):
        raise ValueError(text)
    return float(bare)


def day(value: date, language: str) -> str:
    """Write a day, of a moment that of UTC: ``Nov 21, 2026``."""
    # Loaded for the first day only.
    from babel.dates import format_date

    if isinstance(value, datetime):
        value = value.astimezone(UTC).date()
    return format_date(value, locale=language)


def moment(value: datetime, language: str) -> str:
    """Write a day and a time of day, as it is in UTC: ``Nov 21, 2026, 3:10:00 AM UTC``."""
    # Loaded for the first moment only.
    from babel.dates import format_datetime

    return f"{format_datetime(value, 'medium', tzinfo=UTC, locale=language)} UTC"


def duration(
    value: float, unit: Duration, language: str, digits: int = 0, *, is_trimmed: bool = False
) -> str:
    """Write a length of time: ``3.4 years`` or ``3,4 ans``; number and unit stay on one line."""
    return _counted("lasting", value, unit, language, digits, is_trimmed)


def ago(value: float, unit: Duration, language: str, digits: int = 0, *, is_trimmed: bool = False) -> str:
    """Write how long ago a date lies: ``3 days ago`` or ``il y a 3 jours``."""
    return _counted("past", value, unit, language, digits, is_trimmed)


def joined(parts: Iterable[str], language: str) -> str:
    """Put the parts of a list one after the other, with nothing before the last."""
    return _separator(language).join(parts)


def whole_of_kind(value: float, digits: int, language: str) -> int:
    """Return a whole number of the same grammatical number as one with decimals.

    ``1.5`` bends its noun like 2 in English, like 1 in French; gettext knows whole numbers only.
    """
    locale = Locale.parse(language)
    kind = locale.plural_form(Decimal(f"{abs(value):.{digits}f}"))
    return next((n for n in SAMPLES if isinstance(n, int) and locale.plural_form(n) == kind), 5)


def decimal_mark(language: str) -> str:
    """Return the mark between units and tenths."""
    return _marks(language).decimal


def is_known(language: str) -> bool:
    """Say whether CLDR knows a language of this name."""
    try:
        Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return False
    return True


def name_of(language: str) -> str:
    """Return what a language calls itself."""
    return Locale.parse(language).get_display_name() or language


def _localised(text: str, language: str, minus: str | None = None) -> str:
    """Put a language's own marks into a number that Python wrote."""
    marks = _marks(language)
    if marks.pattern is not None and "e" not in text:
        plain = text.replace(",", "").lstrip("+")
        decimals = len(plain.partition(".")[2])
        pattern = marks.pattern + ("." + "0" * decimals if decimals else "")
        found = format_decimal(Decimal(plain), pattern, language)
        text = f"+{found}" if text[0] == "+" else found
    else:
        text = text.translate(marks.table)
    return text if minus is None else text.replace(marks.minus, minus)


@cache
def _marks(language: str) -> Marks:
    locale = Locale.parse(language)
    symbols, whole = locale.number_symbols["latn"], locale.decimal_formats[None]
    sign = locale.percent_formats[None]
    before, after = (
        side.replace("%", symbols["percentSign"]).replace(NO_BREAK, NARROW)
        for side in (sign.prefix[0], sign.suffix[0])
    )
    table = {ord(","): symbols["group"], ord("."): symbols["decimal"], ord("-"): symbols["minusSign"]}
    pattern = None if whole.grouping == (3, 3) else whole.pattern.partition(".")[0]
    decimal, group, minus = (symbols[name] for name in ("decimal", "group", "minusSign"))
    return Marks(decimal, group, minus, before, after, table, pattern)


@cache
def _separator(language: str) -> str:
    between: str = Locale.parse(language).list_patterns["standard"]["middle"]
    return between.removeprefix("{0}").removesuffix("{1}")


def _counted(
    kind: Literal["lasting", "past"], value: float, unit: Duration, language: str, digits: int, trims: bool
) -> str:
    text = number(value, language, digits, is_trimmed=trims)
    # Its grammatical number is that of the digits that are seen: 1 year, 1.0 years.
    plain = f"{abs(value):.{digits}f}"
    if trims and "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return _pattern(kind, unit, _plural(plain, language), language).replace("{0}", text, 1)


@lru_cache(maxsize=4096)
def _plural(text: str, language: str) -> str:
    return Locale.parse(language).plural_form(Decimal(text))


@cache
def _pattern(kind: Literal["lasting", "past"], unit: Duration, plural: str, language: str) -> str:
    """Return CLDR's words around a number of a grammatical kind, with ``{0}`` for the number.

    Babel gives them around a number only, so they are taken from around one of that kind.
    """
    # Loaded for the first length of time only: half of the room's import.
    from babel.dates import format_timedelta
    from babel.units import format_unit

    locale = Locale.parse(language)
    samples: list[int | Decimal] = [n for n in SAMPLES if locale.plural_form(n) == plural] or [5]
    one = NAMES[unit]
    if kind == "lasting":
        digits = format_decimal(samples[0], locale=language)
        text = format_unit(samples[0], f"duration-{one}", "long", locale=language)
    else:
        whole = next((n for n in samples if isinstance(n, int)), 5)
        digits = str(whole)
        span = -timedelta(days=whole * DAYS[unit])
        text = format_timedelta(
            span, one, threshold=float("inf"), add_direction=True, format="long", locale=language
        )
    pattern = text.replace(digits, "{0}", 1).replace(NO_BREAK, " ")
    return re.sub(r"\{0\} ", "{0}" + NO_BREAK, pattern)
