"""The command line: a file of applications in, a file of decisions or explanations out.

    python -m scoring.client score applications.csv --out decisions.csv

Exit codes: 0 all decided, 1 no decision can be had, 2 wrong use, 3 some applications are invalid.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from scoring import settings, tables
from scoring.client.batch import ROWS, JobError, score_file
from scoring.client.errors import Refused, ServiceError
from scoring.client.files import FileError
from scoring.client.http import URL, Client
from scoring.language import languages
from scoring.schema import KEY, Decision, Explanation, Purpose

app = typer.Typer(
    no_args_is_help=True,
    epilog="Example: python -m scoring.client score var/demo --out decisions.csv",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Ask the service for many applications.",
)
app.callback()(settings.warn_of_unknown)
err = Console(stderr=True)

PortfolioPath = Annotated[
    Path, typer.Argument(help="Kaggle folder, Kaggle zip or Parquet folder.", exists=True)
]
FilePath = Annotated[
    Path,
    typer.Argument(help="CSV, Parquet or Excel file, or a portfolio: Kaggle folder or zip.", exists=True),
]
Url = Annotated[str, typer.Option(help="Where the service is.")]
Out = Annotated[Path, typer.Option(help="CSV file to write.", dir_okay=False)]
Population = Annotated[Literal["train", "test"], typer.Option(help="Which applications of a portfolio.")]
ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar=settings.API_KEY.name,
        help="Key for a service that asks for one; set the variable, so that no list of processes shows it.",
        show_envvar=True,
    ),
]
Limit = Annotated[int | None, typer.Option(help="Only the first N applications.", min=1)]
KeepUnknown = Annotated[
    bool, typer.Option("--keep-unknown", help="Carry columns that no application has through to the result.")
]
Chunk = Annotated[int, typer.Option(help="Applications in a request.", min=1)]
Parallel = Annotated[int, typer.Option(help="Requests at a time.", min=1, max=32)]

For = Annotated[
    Purpose,
    typer.Option("--purpose", help="What the answers are for; only a decision decides and counts as one."),
]


class _Rate(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        """Show the speed, once there is one."""
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")


@app.command()
def score(
    file: FilePath,
    url: Url = URL,
    out: Annotated[Path, typer.Option(help="File to write: .parquet, or else CSV.", dir_okay=False)] = Path(
        "decisions.csv"
    ),
    population: Population = "test",
    limit: Limit = None,
    chunk: Chunk = ROWS,
    parallel: Parallel = 2,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an unfinished run has done.")] = False,
    keep_unknown: KeepUnknown = False,
    purpose: For = "decision",
    api_key: ApiKey = None,
) -> None:
    """Have the service decide a file of applications, and write the decisions in the same order.

    The file has the raw columns of applications and, where there is a history, its aggregates; the histories
    of a portfolio are aggregated here. Invalid rows go to OUT-rejected.csv with their faults. After an
    interruption the same command resumes where it stopped.

    Example: python -m scoring.client score var/demo --population test --out decisions.csv
    """
    try:
        with _bar() as bar:
            task = bar.add_task(file.name, total=None)
            summary = score_file(
                file,
                out,
                url,
                population=population,
                limit=limit,
                rows=chunk,
                parallel=parallel,
                is_fresh=fresh,
                progress=lambda done, rows: bar.update(task, completed=done, total=rows),
                api_key=api_key,
                keep_unknown=keep_unknown,
                purpose=purpose,
            )
    except (FileError, JobError, ServiceError, OSError) as error:
        err.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("interrupted; the same command goes on from here", highlight=False)
        raise typer.Exit(130) from None
    rate = (summary.rows - summary.resumed) / summary.seconds
    resumed = f", {summary.resumed} of them by an earlier run" if summary.resumed else ""
    typer.echo(
        f"{summary.rows} applications in {summary.seconds:.1f} s ({rate:,.0f} rows/s){resumed} -> {out}"
    )
    if summary.rejected:
        err.print(
            f"{summary.rejected} of them are invalid: {summary.rejected_file} says why", highlight=False
        )
        raise typer.Exit(3)


@app.command()
def explain(
    portfolio: PortfolioPath,
    url: Url = URL,
    out: Out = Path("explanations.csv"),
    population: Population = "test",
    limit: Annotated[int, typer.Option(help="Only the first N applications.", min=1)] = 100,
    chunk: Chunk = 20,
    parallel: Parallel = 2,
    purpose: For = "decision",
    api_key: ApiKey = None,
) -> None:
    """Have the service decide and explain the applications of a portfolio, and write the reasons.

    Why a row of a file was refused stands in the record: GET /decisions?client=NUMBER has its event, and
    GET /decisions/EVENT explains it.

    Example: python -m scoring.client explain var/demo --limit 100 --out explanations.csv
    """
    with Client(url, api_key=api_key, purpose=purpose) as client:
        _run(client, portfolio, population, limit=limit, chunk=chunk, parallel=parallel, out=out)


def _run(
    client: Client,
    path: Path,
    population: Literal["train", "test"],
    *,
    limit: int,
    chunk: int,
    parallel: int,
    out: Path,
) -> None:
    """Send a portfolio, write the explanations, and say how it went."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        portfolio = tables.Partitions(path, population)
        rows = min(limit, len(portfolio))
        ids = portfolio.applicants.head(rows).to_list()
        refused = 0
        start = time.perf_counter()
        with _bar() as bar, draft.open("w", newline="", encoding="utf-8") as file:
            task = bar.add_task(f"{path.name}", total=rows)
            writer = csv.DictWriter(file, [KEY, *_explanation(None), "error"], restval="")
            writer.writeheader()
            answers = client.explain_many(
                _requests(portfolio, rows, chunk), chunk, parallel, lambda n: bar.advance(task, n)
            )
            for client_id, answer in zip(ids, answers, strict=True):
                refused += isinstance(answer, Refused)
                found = {"error": answer.detail} if isinstance(answer, Refused) else _explanation(answer)
                writer.writerow({KEY: client_id, **found})
        seconds = time.perf_counter() - start
        draft.replace(out)
    except (tables.TableError, ServiceError, OSError) as error:
        err.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{rows} applications in {seconds:.1f} s ({rows / seconds:,.0f} rows/s) -> {out}")
    if refused:
        err.print(f"{refused} of them were refused as invalid; the column error says why", highlight=False)
        raise typer.Exit(3)


def _requests(portfolio: tables.Partitions, rows: int, chunk: int) -> Iterator[dict[str, Any]]:
    """Give the requests of a portfolio's first rows, made a chunk at a time."""
    with closing(portfolio.portfolios(np.arange(rows), chunk)) as parts:
        for part in parts:
            yield from tables.to_requests(part, range(len(part)))


def _explanation(answer: Explanation | None) -> dict[str, Any]:
    """Give the columns of an explanation: the decision's, and its reasons in every language."""
    names = [name for name in Decision.model_fields if name != KEY]
    reasons = {f"reason_{i + 1}_{language}": "" for i in range(4) for language in languages()}
    if answer is None:
        return dict.fromkeys(names) | reasons
    for i, reason in enumerate(answer.reasons):
        reasons |= {f"reason_{i + 1}_{language}": reason.text.get(language, "") for language in languages()}
    listed = {"review_reasons": "; ".join(answer.review_reasons), "warnings": len(answer.warnings)}
    return {name: getattr(answer, name) for name in names} | listed | reasons


def _bar() -> Progress:
    """Return a progress bar that shows itself on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, disable=not err.is_terminal)


if __name__ == "__main__":
    app()
