"""``python -m validation``: turns a run into the pack that a validator reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from scoring import settings
from scoring.evidence.money import TERMS, Terms
from scoring.tables import TableError
from training import names
from validation.printing import find_chromium, print_pdf
from validation.size import Size

if TYPE_CHECKING:
    from training.runs import Run

BAD_INPUT = 2
PIPED = 120  # columns of text where no terminal says how wide it is

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m validation --portfolio var/demo --out var/validation")
def main(
    portfolio: Annotated[Path, typer.Option(help="What the run was trained on: a folder or the Kaggle zip.")],
    run: Annotated[str, typer.Option(help="champion, challenger, or the id of a run.")] = names.CHAMPION,
    out: Annotated[Path, typer.Option(help="Folder for the pack.")] = Path("var/validation"),
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow store.", envvar=names.STORE_VARIABLE)
    ] = names.STORE,
    rows: Annotated[int, typer.Option(min=500, help="Applications that refits learn from.")] = Size.rows,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the refits.")] = Size.folds,
    seed: Annotated[int, typer.Option(help="Same seed, same pack.")] = 0,
    lgd: Annotated[float, typer.Option(help="Share of a loan that a default loses.")] = (
        TERMS.loss_given_default
    ),
    margin: Annotated[float, typer.Option(help="Share of a loan that a repaid one earns.")] = TERMS.margin,
) -> None:
    """Measure all that a validator asks of a run; write and log it as HTML and PDF, in every language."""
    settings.warn_of_unknown()
    # Late, as they take seconds: --help and a mistaken option are answered at once.
    from training import mlflow_store, tracking
    from validation.evidence import WrongPortfolio, of_run
    from validation.language import spoken
    from validation.page import write

    console = Console(width=None if sys.stdout.isatty() else PIPED)
    errors = Console(stderr=True)
    try:
        size, terms = Size(rows, folds, seed), Terms(lgd, margin)
        client = mlflow_store.connect(tracking_uri)
        console.print(f"MLflow store: {mlflow_store.shown(tracking_uri)}", highlight=False, soft_wrap=True)
        found = _find(client, run)
        with console.status("") as status:
            evidence = of_run(
                client, found, portfolio, size, terms, lambda step: status.update(f"Measuring: {step}")
            )
        out.mkdir(parents=True, exist_ok=True)
        pages = []
        for language in spoken():
            page = out / f"validation.{language.code}.html"
            page.write_text(write(evidence, language), encoding="utf-8")
            pages.append(page)
        files = [*pages, *_print(pages, console)]
        tracking.log_pack(client, found.id, files)
    except (mlflow_store.StoreError, TableError, WrongPortfolio, ValueError, OSError) as error:
        errors.print(f"No pack: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    for file in files:
        console.print(str(file), highlight=False, soft_wrap=True)


def _find(client: Any, name: str) -> Run:
    """Return a run by its alias or its id."""
    from training import registry, runs  # late: see above

    if name == names.CHAMPION:
        return registry.find_champion(client)
    if name == names.CHALLENGER:
        return registry.find_challenger(client)
    return runs.find_run(client, name)


def _print(pages: list[Path], console: Console) -> list[Path]:
    """Print the pages as PDF, or say why not."""
    chromium = find_chromium()
    if chromium is None:
        console.print("No Chromium, so no PDF: `make browser` installs Debian's (as root).", soft_wrap=True)
        return []
    return [print_pdf(page, chromium) for page in pages]


if __name__ == "__main__":
    app()
