"""Command line of the catalogues: one to fill, and what is missing from those that there are."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from scoring import settings
from scoring.language.catalogues import DECLARED, HERE, LanguageError, languages, load, unsaid
from scoring.language.filling import fill
from scoring.language.numbers import is_known

SPEAKING = (
    *("scoring.problems", "scoring.explanation", "scoring.counterfactual", "scoring.evaluation.checks"),
    *("scoring.comparison", "scoring.comparison.curve", "scoring.comparison.owner"),
    *("ui.words", "validation.page", "monitoring.words"),
)
"""Modules that bring every text with them, each where it is installed."""
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__,
    epilog="Example: python -m scoring.language check",
)
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
    if settings.EXTENSION.read(os.environ):
        raise typer.BadParameter(
            f"{settings.EXTENSION.name} is set, and a lender's own words belong into its folder: unset it, "
            f"or have theirs written by `python -m scoring.extension words {language}`."
        )
    declare()
    if not is_known(language):
        raise typer.BadParameter(f"CLDR knows no language {language!r}.")
    file = folder / f"{language}.po"
    fill(file, language, DECLARED.values(), f"python -m scoring.language update {language}")
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
