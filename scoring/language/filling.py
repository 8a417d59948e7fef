"""A catalogue for a translator to fill: every text, with the words that it has."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from scoring.language.catalogues import Text, parse
from scoring.language.numbers import name_of

HEADER = """# {name}. Each text has its key (msgctxt) and its English (msgid); what stands in braces stays.
# `{command}` writes this file anew, with the words that it has.
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plurals}\\n"

"""


def fill(file: Path, language: str, texts: Iterable[Text], command: str) -> None:
    """Write the catalogue of a language anew.

    Words of a text whose English has changed are kept, marked fuzzy, and not said until the mark is gone.

    Parameters
    ----------
    file : Path
        The catalogue; one that is there gives the words that it has.
    language : str
        As CLDR names it.
    texts : iterable of Text
        What shall stand in it.
    command : str
        What writes it anew, for its reader.
    """
    before = parse(file) if file.is_file() else Catalog(locale=language)
    had = {message.context: message for message in before if message.id}
    name = name_of(language)
    header = HEADER.format(name=name, command=command, language=language, plurals=before.plural_forms)
    catalogue = read_po(BytesIO(header.encode()), locale=language)
    for text in sorted(texts, key=lambda text: text.key):
        english = text.en if text.plural is None else (text.en, text.plural)
        old = had.get(text.key)
        if old is None or not any(old.string or ()) or type(old.id) is not type(english):
            catalogue.add(english, context=text.key)
        else:
            flags = ["fuzzy"] if old.fuzzy or old.id != english else []
            catalogue.add(english, old.string, context=text.key, flags=flags)
    written = BytesIO()
    write_po(written, catalogue, width=0, omit_header=True)
    file.write_text(header + written.getvalue().decode(), encoding="utf-8")
