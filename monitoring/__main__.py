"""``python -m monitoring``: says whether the population has moved away from the model's, and why."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitoring import outcomes, reading, rejections, runs
from monitoring.errors import InputError
from monitoring.judgement import MIN_ROWS
from monitoring.kept import recall
from monitoring.ledger import Ledger, LedgerError
from monitoring.reference import read_reference
from monitoring.report import BAD_INPUT, DRIFT, NOT_ENOUGH, STALE
from monitoring.reporting import Assignment, counted, looked_at, selected, with_outcomes
from monitoring.windows import STALE_DAYS
from monitoring.words import Said
from scoring import settings
from scoring.inference_log import LogError, anchors_folder
from scoring.options import HOME, LOG, AnchorsFolder, LogFolder, ModelStore
from scoring.schema import Purpose
from scoring.store import StoreError, stored

if TYPE_CHECKING:
    from monitoring.simulate import Sent

MOST_DAYS = 36_500
MEMORY = "memory.sqlite"

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
err = Console(stderr=True, highlight=False)

HELP = """Say whether decisions are still about the population that their model was validated on: what moved,
since when, and where it comes from.

Without --window all closed days and weeks (UTC) are judged, each once, and what is there of the open ones as
it stands. Every input is compared, by cells that the model's reference has cut; what it says of the
population and what of a broken source stands in docs/MONITORING.md.

Writes a folder for each run into --out, and "latest" names it: report.html (and one for each language),
summary.json, evidently.html and evidently.json (Evidently's defaults, beside).

Exit codes: 0 no drift, 1 drift, 2 not enough data, 3 bad input or wrong use (no log, reference or service),
4 no recent decision.

\b
Examples:
python -m monitoring --log var/log --out var/monitoring
python -m monitoring --window 7 --min-rows 2000
python -m monitoring --simulate var/demo --limit 5000
"""


class ProgramEnd(SystemExit):
    """The program's own end, told apart from the exit code 2 that a command line gives for wrong use."""


@app.callback(help=HELP, invoke_without_command=True)
def run(
    context: typer.Context,
    log: LogFolder = LOG,
    model: Annotated[
        str, typer.Option(help="Model whose decisions are judged.", envvar=settings.MODEL.name)
    ] = settings.MODEL.default,
    reference: Annotated[
        Path | None,
        typer.Option(help="Scorer folder or reference.parquet, instead of the stored model's."),
    ] = None,
    store: ModelStore = HOME,
    to: Annotated[Path, typer.Option("--out", help="Folder for reports and the memory.")] = Path(
        "var/monitoring"
    ),
    window: Annotated[
        int | None,
        typer.Option(
            help="Judge so many days, back from that of the model's newest decision, as one window.",
            min=1,
            max=MOST_DAYS,
        ),
    ] = None,
    min_rows: Annotated[int, typer.Option(help="Fewer rows on a side are not enough.", min=1)] = MIN_ROWS,
    stale_days: Annotated[
        float, typer.Option(help="Without a decision for so many days the verdict is stale.", min=0)
    ] = STALE_DAYS,
    has_evidently: Annotated[
        bool, typer.Option("--evidently/--no-evidently", help="Attach Evidently's own report.")
    ] = True,
    portfolio: Annotated[
        Path | None,
        typer.Option("--simulate", help="First send this portfolio's application_test through the service."),
    ] = None,
    url: Annotated[str, typer.Option(help="The running service, for --simulate.")] = "http://127.0.0.1:3000",
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar=settings.API_KEY.name,
            help="Its API key, for --simulate and --rejected; set the variable, so that no list of processes "
            "shows it.",
            show_envvar=True,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Send the first N applications only.", min=1)] = None,
    purpose: Annotated[
        Purpose, typer.Option(help="What was asked for as this; with --simulate it is always test.")
    ] = "decision",
    ended: Annotated[
        Path | None,
        typer.Option("--outcomes", help="What `python -m scoring.outcomes export` wrote: how loans ended."),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            "--audit",
            help="With --outcomes: event_id and groups that no model reads, as gender; Parquet or CSV.",
        ),
    ] = None,
    rejected: Annotated[
        str | None,
        typer.Option(help="The service's /metrics, or a file of it: which requests it rejected."),
    ] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option(help="Judge the parts that this column makes too. Repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Write the files, show nothing.")] = False,
) -> None:
    """Run one report."""
    if context.invoked_subcommand is not None:
        return
    settings.warn_of_unknown()
    events = None
    try:
        if portfolio is not None:
            if rejected is not None:
                raise InputError(
                    "--rejected counts by day, and --simulate judges what it sends; leave one out."
                )
            sent = _simulate(portfolio, to, url, limit, api_key)
            model, events, purpose = sent.model, sent.event_ids, "test"
        tag: str | None
        if reference is None:
            tag, folder = stored(model, store.expanduser())
            found = read_reference(folder, tag)
        else:
            tag = _exact(model)
            found = read_reference(reference, tag)
        tag = tag or _only(log)
        found = replace(found, segments_by=(*found.segments_by, *(segment or ())))
        asked = Assignment(log, found, tag, purpose, min_rows, has_evidently)
        known, now = "", datetime.now(UTC)
        if events is not None:
            report = selected(asked, events, now)
        else:
            memory = Ledger(to / MEMORY)
            with _bar() as bar:
                task = bar.add_task("reading the log", total=None)
                report = counted(
                    asked,
                    memory,
                    window,
                    stale_days,
                    now=now,
                    progress=lambda done, of: bar.update(task, completed=done, total=of),
                )
            if rejected is not None:
                with memory.alone():
                    counts = rejections.read(rejected, api_key)
                    rejections.count(memory, rejected, counts, report.now.date())
            report = replace(report, rejected=rejections.latest(memory, report.now.date()))
            if ended is None and groups is None:
                known = runs.basis(report, *_asked(asked, to, window))
                if (run := runs.standing(to, known, report.now)) is not None:
                    _stands(run, quiet)
                    raise ProgramEnd(report.code)
            report = looked_at(report, asked)
        if ended is not None:
            report = with_outcomes(
                report, outcomes.read(ended, report.model or ""), groups, Ledger(to / MEMORY)
            )
        elif groups is not None:
            raise InputError("--audit needs --outcomes, what `python -m scoring.outcomes export` wrote.")
        unread = [Said("unread", {"why": why}) for why in found.faults]
        report = replace(report, again=_again(asked, to, window), notes=[*report.notes, *unread])
        written = runs.write(report, to, known)
    except (InputError, LedgerError, LogError, StoreError, OSError) as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise ProgramEnd(BAD_INPUT) from None
    except KeyboardInterrupt:
        raise ProgramEnd(130) from None
    if not quiet:
        _show("\n".join(runs.plain(report)))
        read = reference or f"model store {store.expanduser()}"
        err.print(f"read: log {log}, {read}\nreports: {written}/", markup=False, soft_wrap=True)
    webhook = settings.MONITOR_WEBHOOK.read(os.environ)
    if webhook and report.code in (DRIFT, STALE):
        from monitoring.webhook import UntoldError, tell

        try:
            tell(webhook, report)
        except UntoldError as error:
            err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
    raise ProgramEnd(report.code)


@app.command("verify", epilog="Example: python -m monitoring verify --log var/log --head 3f09…")
def check(
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    model: Annotated[
        str, typer.Option(help="Model whose reference judged.", envvar=settings.MODEL.name)
    ] = settings.MODEL.default,
    reference: Annotated[
        Path | None, typer.Option(help="Scorer folder or reference.parquet, instead of the stored model's.")
    ] = None,
    store: ModelStore = HOME,
    to: Annotated[Path, typer.Option("--out", help="Folder of the reports and the memory.")] = Path(
        "var/monitoring"
    ),
    head: Annotated[
        str | None, typer.Option(help="Hash of a verdict that was noted elsewhere: it must be in the chain.")
    ] = None,
) -> None:
    """Check the verdicts on closed windows: their chain, their counts, and the log these were counted from.

    Each verdict is reached again from its counts, and its counts from the log as far as it is there still.

    Exit codes: 0 all stand, 1 one does not, 3 bad input or wrong use.
    """
    from monitoring.verification import verify

    try:
        if not (to / MEMORY).is_file():
            raise InputError(f"there is no {to / MEMORY}; give the folder of the reports with --out.")
        folder = reference or stored(model, store.expanduser())[1]
        ledger, known = Ledger(to / MEMORY), read_reference(folder)
        recall(known, ledger)
        found = list(verify(ledger, log, anchors or anchors_folder(log), known, head))
    except (InputError, LedgerError, LogError, StoreError, OSError) as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise ProgramEnd(BAD_INPUT) from None
    console = Console(highlight=False)
    for one in found:
        for said in (*one.faults, *one.notes):
            console.print(f"verdict {one.number}, {one.what}: {said}", markup=False, soft_wrap=True)
    wrong = sum(bool(one.faults) for one in found)
    whole = f"{len(found)} verdicts, {wrong} of them do not stand; head {ledger.head()[1]}"
    console.print(whole, markup=False, soft_wrap=True)
    raise ProgramEnd(DRIFT if wrong else 0)


def _again(asked: Assignment, to: Path, window: int | None) -> str:
    """Return the command that makes the report again."""
    given: dict[str, object] = {"--model": asked.model, "--log": asked.log, "--out": to}
    given |= {"--purpose": asked.purpose} if asked.purpose != "decision" else {}
    given |= {"--window": window} if window is not None else {}
    words = [str(word) for name, value in given.items() if value is not None for word in (name, value)]
    return shlex.join(["python", "-m", "monitoring", *words, "--min-rows", str(asked.min_rows)])


def _exact(model: str) -> str | None:
    """Return a tag that names one model, None for one that means the newest."""
    return None if model.partition(":")[2] in ("", "latest") else model


def _only(log: Path) -> str | None:
    """Return the only model that decided, None in an empty log."""
    tags = reading.models(log)
    if len(tags) > 1:
        raise InputError(f"the log {log} holds decisions of {', '.join(tags)}; choose with --model.")
    return tags[0] if tags else None


def _asked(asked: Assignment, to: Path, window: int | None) -> list[object]:
    """Return what a report was asked for, but for what is counted from the log."""
    known = asked.reference
    return [_again(asked, to, window), known.segments_by, known.scorer, known.faults, asked.has_evidently]


def _stands(run: Path, quiet: bool) -> None:
    """Show a report that was made before, of which all still holds."""
    if not quiet:
        _show((run / runs.TEXT).read_text("utf-8").rstrip())
        err.print(f"nothing is new since it was made: {run}/", markup=False, soft_wrap=True)


def _show(lines: str) -> None:
    verdict, _, others = lines.partition("\n")
    console = Console(highlight=False)
    console.print(verdict, markup=False, soft_wrap=True, style="bold")
    console.print(others, markup=False, soft_wrap=True)


def _simulate(path: Path, to: Path, url: str, limit: int | None, api_key: str | None) -> Sent:
    """Send a portfolio."""
    from monitoring.simulate import send  # the client takes a second to import

    with _bar() as bar:
        task = bar.add_task(f"{path.name} to {url}", total=None)
        sent = send(
            path, to, url, limit, api_key, lambda done, of: bar.update(task, completed=done, total=of)
        )
    if sent.resumed:
        err.print(f"went on behind {sent.resumed} of {sent.rows} applications that were sent before")
    if sent.refused:
        err.print(
            f"{sent.refused} of {sent.rows} applications were refused as invalid and are not in the log"
        )
    return sent


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
        sys.exit(BAD_INPUT if end.code == NOT_ENOUGH else end.code)


if __name__ == "__main__":
    main()
