"""Command line: ``python -m scoring.synthetic``."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from scoring.synthetic.writing import FileFormat, write

_USAGE_ERROR = 2
_INTERRUPTED = 130

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder to make; it must not exist or be empty.")],
    applicants: Annotated[int, typer.Option(min=1, help="Applications with TARGET.")] = 20_000,
    test: Annotated[
        int, typer.Option(min=0, help="Applications of the later population, without TARGET.")
    ] = 5_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same portfolio.")] = 1,
    format: Annotated[
        FileFormat, typer.Option(help="Parquet parts, or CSV files as Kaggle names them.")
    ] = "parquet",
    shuffled: Annotated[
        bool, typer.Option("--shuffled", help="Records in any order, as lenders have them, not by client.")
    ] = False,
) -> None:
    """Make a synthetic credit portfolio with all eight Home Credit tables.

    Nobody in it exists. Sizes, shares, gaps and dependences follow the published statistics.

    Example: `python -m scoring.synthetic --applicants 20000 --test 5000 --seed 1 --out var/demo`
    """
    errors = Console(stderr=True)
    bar = Progress(
        TextColumn("applicants"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not sys.stderr.isatty(),
    )
    try:
        with bar:
            task = bar.add_task("applicants", total=applicants + test)
            write(
                out,
                applicants,
                test,
                seed,
                format=format,
                progress=lambda done: bar.update(task, advance=done),
                is_shuffled=shuffled,
            )
    except FileExistsError as error:
        errors.print(f"error: {error}", style="red", highlight=False)
        raise typer.Exit(_USAGE_ERROR) from None
    except OSError as error:
        errors.print(
            f"error: cannot write {error.filename or out}: {error.strerror or error}",
            style="red",
            highlight=False,
        )
        raise typer.Exit(_USAGE_ERROR) from None
    except KeyboardInterrupt:
        errors.print("interrupted: nothing was written", style="yellow")
        raise typer.Exit(_INTERRUPTED) from None
    Console().print(f"{applicants:,} + {test:,} applicants written to {out}", highlight=False)


if __name__ == "__main__":
    app(prog_name="python -m scoring.synthetic")
