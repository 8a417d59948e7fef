"""Every text of the pack by its key; the catalogues call it ``pack.<key>``."""

from __future__ import annotations

from scoring.language import texts
from validation.words import model, page, people

WORDS = texts("pack", page.WORDS | model.WORDS | people.WORDS)
