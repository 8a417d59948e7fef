"""Command line of the catalogues: one to fill, and what is missing from those that there are."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from scoring import settings
from scoring.language.catalogues import DECLARED, HERE, LanguageError, languages, load, parse, unsaid
from scoring.language.numbers import is_known, name_of

SPEAKING = (
    *("scoring.problems", "scoring.explanation", "scoring.counterfactual", "scoring.evaluation.checks"),
    *("scoring.comparison", "scoring.comparison.curve", "scoring.comparison.owner"),
    *("ui.words", "validation.page", "monitoring.words"),
)
"""Modules that bring every text with them, each where it is installed."""
HEADER = """# {name}. Each text has its key (msgctxt) and its English (msgid); what stands in braces stays.
# `python -m scoring.language update {language}` writes this file anew, with the words that it has.
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plurals}\\n"

"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.callback()(settings.warn_of_unknown)


def declare() -> None:
    """Import everything that declares texts."""
    for module in SPEAKING:
        if find_spec(module.partition(".")[0]):
            import_module(module)


@app.command(epilog="Example: python -m scoring.language update de")
def update(
    language: Annotated[str, typer.Argument(help="As CLDR names it: de, pt_BR.")],
    folder: Annotated[Path, typer.Option(help="Where its catalogue lies or shall lie.")] = HERE,
) -> None:
    """Write the catalogue of a language: every text, with the words that it has, for a translator to fill.

    Words of a text whose English has changed are kept, marked fuzzy, and not said until the mark is gone.
    """
    declare()
    if not is_known(language):
        raise typer.BadParameter(f"CLDR knows no language {language!r}.")
    file = folder / f"{language}.po"
    before = parse(file) if file.is_file() else Catalog(locale=language)
    had = {message.context: message for message in before if message.id}
    header = HEADER.format(name=name_of(language), language=language, plurals=before.plural_forms)
    catalogue = read_po(BytesIO(header.encode()), locale=language)
    for _, text in sorted(DECLARED.items()):
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
    typer.echo(str(file))


@app.command(epilog="Example: python -m scoring.language check")
def check() -> None:
    """Say which texts a language lacks, and which of its texts nothing says any more."""
    declare()
    faults = []
    try:
        load()
        for language in languages()[1:]:
            lacking, idle = unsaid(language)
            faults += [f"{language}: no words for {key}" for key in lacking]
            faults += [f"{language}: nothing says {key}" for key in idle]
    except LanguageError as error:
        faults.append(str(error))
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo(f"{len(DECLARED)} texts, all of them in {', '.join(languages())}")


if __name__ == "__main__":
    app()
