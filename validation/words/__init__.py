"""Every text of the pack, in English and in French."""

from __future__ import annotations

from validation.words import model, page, people

WORDS: dict[str, tuple[str, str]] = page.WORDS | model.WORDS | people.WORDS
