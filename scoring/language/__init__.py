"""Everything that is written for people: texts by key, numbers, shares, lengths of time and lists.

The code carries a key and the English text. Every other language is one file, ``<language>.po`` in gettext's
form, in this folder or in the one that ``CREDIT_SCORING_LANGUAGES`` names; nothing else names a language.
How a language writes numbers and counts is Unicode's own table (CLDR), read through Babel.
"""

from scoring.language.catalogues import (
    DECLARED,
    ENGLISH,
    LanguageError,
    Text,
    by_language,
    in_sentence,
    languages,
    load,
    say,
    small,
    texts,
    use,
)
from scoring.language.numbers import (
    MINUS,
    Duration,
    ago,
    compact,
    day,
    decimal_mark,
    duration,
    in_digits,
    joined,
    moment,
    name_of,
    number,
    parse,
    percent,
)

__all__ = [
    "DECLARED",
    "ENGLISH",
    "MINUS",
    "Duration",
    "LanguageError",
    "Text",
    "ago",
    "by_language",
    "compact",
    "day",
    "decimal_mark",
    "duration",
    "in_digits",
    "in_sentence",
    "joined",
    "languages",
    "load",
    "moment",
    "name_of",
    "number",
    "parse",
    "percent",
    "say",
    "small",
    "texts",
    "use",
]
