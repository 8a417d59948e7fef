"""``python -m monitoring``: says whether the population has moved away from the model's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitoring import simulate, source, summary
from monitoring.rule import MIN_ROWS, RULE, TOP, verdict
from monitoring.source import InputError
from scoring import settings
from scoring.client import URL, Client, ServiceError
from scoring.schema import Purpose
from scoring.store import StoreError, stored
from scoring.tables import TableError

BAD_INPUT = 3
PIPED = 120  # columns of text where no terminal says how wide it is

app = typer.Typer(add_completion=False, rich_markup_mode=None)
err = Console(stderr=True, highlight=False)

HELP = f"""Compare the logged decisions of a model with its reference, and report what has drifted.

Writes report.html and report.json (Evidently) and summary.json (ours) into the folder --out; shows a table.

{RULE}

Exit codes: 0 no drift, 1 drift, 2 not enough data, 3 bad input or wrong use (no log, reference or service).

\b
Examples:
python -m monitoring --log var/log --out var/monitoring
python -m monitoring --window 7 --min-rows 2000
python -m monitoring --simulate var/demo --limit 5000
"""


class ProgramEnd(SystemExit):
    """The program's own end, told apart from the exit code 2 that a command line gives for wrong use."""


@app.command(help=HELP)
def run(
    log: Annotated[
        Path, typer.Option(help="Folder of the inference log.", envvar=settings.LOG.name)
    ] = settings.LOG.default,
    model: Annotated[
        str, typer.Option(help="Model whose decisions are judged.", envvar=settings.MODEL.name)
    ] = settings.MODEL.default,
    reference: Annotated[
        Path | None,
        typer.Option(help="Scorer folder or reference.parquet, instead of the stored model's."),
    ] = None,
    store: Annotated[Path, typer.Option(help="BentoML model store.", envvar="BENTOML_HOME")] = Path(
        "~/bentoml"
    ),
    to: Annotated[Path, typer.Option("--out", help="Folder for the reports.")] = Path("var/monitoring"),
    window: Annotated[
        float | None, typer.Option(help="Only this many days, back from the model's newest decision.", min=0)
    ] = None,
    min_rows: Annotated[int, typer.Option(help="Fewer rows on a side are not enough.", min=1)] = MIN_ROWS,
    top: Annotated[int, typer.Option("--features", help="Inputs to inspect, by importance.", min=1)] = TOP,
    seed: Annotated[int, typer.Option(help="Of the row sample that Evidently gets.")] = 0,
    portfolio: Annotated[
        Path | None,
        typer.Option("--simulate", help="First send this portfolio's application_test through the service."),
    ] = None,
    url: Annotated[str, typer.Option(help="The running service, for --simulate.")] = URL,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar=settings.API_KEY.name,
            help="Its API key, for --simulate; set the variable, so that no list of processes shows it.",
            show_envvar=True,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Send the first N applications only.", min=1)] = None,
    purpose: Annotated[
        Purpose, typer.Option(help="What was asked for as this; with --simulate it is always test.")
    ] = "decision",
    quiet: Annotated[bool, typer.Option("--quiet", help="Write the files, show nothing.")] = False,
) -> None:
    """Run one report."""
    settings.warn_of_unknown()
    try:
        events = None
        if portfolio is not None:
            model, events = _simulate(portfolio, url, limit, api_key)
            purpose = simulate.PURPOSE
        if reference is None:
            tag, folder = stored(model, store.expanduser())
            found = source.read_reference(folder, tag)
        else:
            found = source.read_reference(reference, _exact(model))
        traffic = source.read_traffic(log, found, window, events, purpose)
        result = _report(found, traffic, min_rows, top, seed)
        summary.write(result, to)
    except (InputError, StoreError, TableError, ServiceError, OSError) as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise ProgramEnd(BAD_INPUT) from None
    except KeyboardInterrupt:
        raise ProgramEnd(130) from None
    if not quiet:
        out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED)
        summary.show(result, out)
        read = reference or f"model store {store.expanduser()}"
        out.print(f"read: log {log}, {read}\nreports: {to}/", markup=False, soft_wrap=True)
    raise ProgramEnd(result.code)


def _exact(model: str) -> str | None:
    """Return a tag that names one model, None for one that means the newest."""
    return None if model.partition(":")[2] in ("", "latest") else model


def _report(
    reference: source.Reference, traffic: source.Traffic, min_rows: int, top: int, seed: int
) -> summary.DriftSummary:
    if min(traffic.table.height, reference.table.height) < min_rows:
        return summary.judge(reference, traffic, None, None, min_rows)
    # Evidently takes seconds to import: help, errors and thin windows need not wait for it.
    from monitoring.compare import compare

    comparison = compare(reference, traffic.table, top, seed)
    return summary.judge(reference, traffic, comparison, verdict(comparison.columns), min_rows)


def _simulate(path: Path, url: str, limit: int | None, api_key: str | None) -> tuple[str, frozenset[str]]:
    """Send a portfolio; return the exact tag that decided, and the ids of its decisions."""
    with Client(url, api_key=api_key, purpose=simulate.PURPOSE) as client:
        model = str(client.model()["model"])
        portfolio = simulate.read(path)
        rows = min(limit or len(portfolio), len(portfolio))
        with _bar() as bar:
            task = bar.add_task(f"{path.name} to {url}", total=rows)
            sent = simulate.send(client, portfolio, rows, lambda done: bar.advance(task, done))
    if sent.refused:
        err.print(f"{sent.refused} of {rows} applications were refused as invalid and are not in the log")
    return model, sent.event_ids


def _bar() -> Progress:
    """Return a progress bar that shows itself on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=not err.is_terminal)


def main() -> None:
    """Run the command line; wrong use ends with 3, since 2 means that there is not enough data."""
    try:
        app(prog_name="python -m monitoring")
    except ProgramEnd:
        raise
    except SystemExit as end:
        sys.exit(BAD_INPUT if end.code == 2 else end.code)


if __name__ == "__main__":
    main()
