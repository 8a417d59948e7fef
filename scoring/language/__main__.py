"""Command line of the catalogues: a new one to fill, and what is missing from those that there are."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from typing import Annotated

import typer
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from scoring.language.catalogues import DECLARED, LanguageError, languages, load, unsaid

SPEAKING = ("scoring.explanation", "scoring.evaluation.checks", "validation.page")
"""Modules that bring every text with them, each where it is installed."""

app = typer.Typer(add_completion=False)


def declare() -> None:
    """Import everything that declares texts."""
    for module in SPEAKING:
        if find_spec(module.partition(".")[0]):
            import_module(module)


@app.command(epilog="Example: python -m scoring.language new de > scoring/language/de.po")
def new(language: Annotated[str, typer.Argument(help="As CLDR names it: de, pt_BR.")]) -> None:
    """Write a catalogue of every text for a language, for a translator to fill."""
    declare()
    catalogue = Catalog(locale=language, project="credit-scoring", fuzzy=False)
    for text in DECLARED.values():
        words = text.en if text.plural is None else (text.en, text.plural)
        catalogue.add(words, context=text.key)
    file = BytesIO()
    write_po(file, catalogue, width=0, omit_header=False)
    sys.stdout.write(file.getvalue().decode())


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
