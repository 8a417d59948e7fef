"""A third language, made from the English by rule: one file, and no code."""

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from scoring.language import DECLARED
from scoring.language.__main__ import declare

THIRD = "eo"
CLDR = {"jaro", "jaroj", "monato", "monatoj", "tago", "tagoj", "antaŭ"}
"""What Unicode's own table says in it around a length of time."""


def swapped(text: str) -> str:
    """Turn a text around, its places left as they are, between brackets that no English text has."""
    parts = re.split(r"(\{\w+\})", text)
    return "⟦" + "".join(part if part.startswith("{") else part[::-1].swapcase() for part in parts) + "⟧"


def write(folder: Path) -> Path:
    """Write the catalogue of every text; return its folder."""
    declare()
    catalogue = Catalog(locale=THIRD)
    for text in DECLARED.values():
        forms = (text.en,) if text.plural is None else (text.en, text.plural)
        words = tuple(map(swapped, forms))
        catalogue.add(forms if text.plural else text.en, words if text.plural else words[0], context=text.key)
    with (folder / f"{THIRD}.po").open("wb") as file:
        write_po(file, catalogue, width=0)
    return folder


def other_words(text: str) -> set[str]:
    """Return the words outside the brackets: what was said in English, or in another way than by a text."""
    while "⟦" in text:
        text, before = re.sub(r"⟦[^⟦⟧]*⟧", " ", text), text
        assert text != before, text
    return set(re.findall(r"[^\W\d_]{2,}", text)) - CLDR
