"""How loans ended: ``python -m scoring.outcomes load FILE`` records it, ``export FILE`` gives what is known.

A file has a column for the decision, ``event_id`` or ``SK_ID_CURR`` and ``decided_on`` (a day, UTC), and
``defaulted`` (0 or 1) and ``observed_on``, the day when that was so. Days are written as 2026-11-21.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape

from scoring import decisions, settings
from scoring.decisions import Follower, Index, IndexFault, Misfit, Outcome, place_of
from scoring.inference_log import (
    LOGGED,
    InferenceLog,
    LogError,
    anchors_folder,
    identity,
    pseudonym,
    pseudonym_key,
)
from scoring.inference_log import read as logged_decisions
from scoring.options import KEY_FILE, LOG, AnchorsFolder, KeyFile, LogFolder
from scoring.problems import Fault
from scoring.tables import Raw, TableError, open_raw
from scoring.tables.values import narrow

LEFT_OUT, BAD_INPUT = 1, 2
FIELDS = ("event_id", "SK_ID_CURR", "decided_on", "defaulted", "observed_on")
KINDS = {"SK_ID_CURR": "id", "defaulted": "flag"}
MIDNIGHT = r"[T ]00:00:00(\.0+)?Z?$"  # as spreadsheets write a day

Place = Annotated[str, typer.Option("--index", help="As of scoring.decisions.", envvar=settings.INDEX.name)]

console, errors = Console(highlight=False, soft_wrap=True), Console(stderr=True, soft_wrap=True)
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__,
    epilog="Example: python -m scoring.outcomes load outcomes.csv --log var/log",
)
app.callback()(settings.warn_of_unknown)


def read(path: Path, key: bytes) -> tuple[list[Outcome], list[Misfit], Raw]:
    """Read a file of outcomes, CSV, Parquet or workbook; what is wrong with a record is told beside.

    Raises
    ------
    TableError
        If it cannot be read, or has not the columns.
    """
    given: list[Outcome] = []
    misfits: list[Misfit] = []
    with open_raw(path, FIELDS) as raw:
        by_event = "event_id" in raw.names
        needed = ["event_id"] if by_event else ["SK_ID_CURR", "decided_on"]
        for name in (*needed, "defaulted", "observed_on"):
            if name not in raw.names:
                raise TableError("no_column", file=raw.label, name=name)
        misfits += [Misfit(row["row"], "", raw.fault(row)) for row in raw.faults.to_dicts()]
        kinds = {name: kind for name, kind in KINDS.items() if name in raw.names}
        kept = [name for name in FIELDS if name in raw.names and name not in KINDS]
        for batch in raw.batches(kinds, kept):
            table, more = narrow(batch.table, batch.rows, kinds)
            wrong = {
                (row["row"], row["column"]): raw.fault(row)
                for row in [*batch.faults.to_dicts(), *more.to_dicts()]
            }
            days = [_days(batch.kept[name]).alias(name) for name in kept if name != "event_id"]
            whole = pl.concat([table, batch.kept], how="horizontal").with_columns(days)
            for place, row, was in zip(
                batch.rows, whole.iter_rows(named=True), batch.kept.iter_rows(named=True), strict=True
            ):
                found = _outcome(place, row, was, wrong, key)
                (given if isinstance(found, Outcome) else misfits).append(found)  # type: ignore[arg-type]
        return given, misfits, raw


def _days(column: pl.Series) -> pl.Series:
    """Return days, null where there is none."""
    if column.dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Date)
    text = column.cast(pl.String).str.strip_chars().str.replace(MIDNIGHT, "")
    return text.str.to_date("%Y-%m-%d", strict=False)


def _outcome(
    place: int,
    row: Mapping[str, Any],
    was: Mapping[str, Any],
    wrong: Mapping[tuple[int, str], Fault],
    key: bytes,
) -> Outcome | Misfit:
    """Return one outcome, or what is wrong with it first; ``was`` has its days as they were given."""
    for name in FIELDS:
        if fault := wrong.get((place, name)):
            return Misfit(place, name, fault)
    for name in ("decided_on", "observed_on"):
        if row.get(name) is None and not _is_empty(was.get(name)):
            return Misfit(place, name, Fault("not_a_day"))
    for name in ("defaulted", "observed_on"):
        if row[name] is None:
            return Misfit(place, name, Fault("required"))
    if row["defaulted"] not in (0, 1):
        return Misfit(place, "defaulted", Fault("not_one_of", {"values": "0, 1"}))
    event, client, day = row.get("event_id"), row.get("SK_ID_CURR"), row.get("decided_on")
    named = None if _is_empty(event) else str(event).strip()
    of_day = named is None and client is not None and day is not None  # an event says all
    if named is None and not of_day:
        return Misfit(place, "event_id", Fault("which_decision"))
    applicant = pseudonym(key, client) if of_day and client is not None else None
    return Outcome(
        place, bool(row["defaulted"]), row["observed_on"], named, applicant, day if of_day else None
    )


def _is_empty(value: object) -> bool:
    return value is None or not str(value).strip()


@contextmanager
def _said() -> Iterator[None]:
    """Say what a user can mend in one line, and end with code 2."""
    try:
        yield
    except (IndexFault, LogError, TableError) as error:
        errors.print(f"[bold red]Not done:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(BAD_INPUT) from None


@contextmanager
def _follower(
    log: Path, anchors: Path | None, key_file: Path, place: str
) -> Iterator[tuple[Follower, bytes]]:
    """Open the index, and bring it up to the log."""
    if not log.is_dir():
        raise LogError(f"there is no inference log in {log}; give the service's folder with --log.")
    key = pseudonym_key(key_file, is_new_allowed=False)
    index = Index(place_of(place, log), identity(key), settings.INSTANCE.given(os.environ))
    try:
        follower = Follower(index, log, anchors or anchors_folder(log), key)
        _follow(follower)
        yield follower, key
    finally:
        index.close()


def _follow(follower: Follower) -> None:
    with errors.status("Following the log"):
        while follower.step():
            pass


@app.command("load", epilog="Example: python -m scoring.outcomes load outcomes.csv --log var/log")
def load_command(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or workbook.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    place: Place = "",
    operator: Annotated[str, typer.Option(help="Who loads them: stands in the record.")] = "",
) -> None:
    """Record the outcomes of a file; what is there already changes nothing, what fits no decision is named.

    Exit codes: 0 all are recorded, 1 some were left out, 2 nothing could be done.
    """
    with _said(), _follower(log, anchors, key_file, place) as (follower, key):
        given, misfits, raw = read(file, key)
        writer = InferenceLog(
            log, f"outcomes-{os.getpid()}", key, "", anchors=follower.anchors, is_packed=True
        )

        def note(abouts: Sequence[Mapping[str, Any]], now: datetime) -> None:
            writer.notes("outcome", abouts, now)
            _follow(follower)

        def now() -> datetime:
            _follow(follower)  # a large file takes its time, and an index that is late is not asked
            return datetime.now(UTC)

        try:
            done = decisions.load(follower.index, note, given, operator or None, now)
        finally:
            writer.close()
        _follow(follower)
    left_out = [*misfits, *done.left_out]
    console.print(
        f"{done.recorded} outcomes recorded, {done.corrected} of them corrections; {done.repeated} were "
        f"there already; {len(left_out)} left out."
    )
    if not done.recorded and done.repeated:
        console.print("Nothing was changed.")
    by_sentence: dict[str, list[int]] = {}
    for one in left_out:
        words = one.fault.say()
        by_sentence.setdefault(f"{one.field}: {words}" if one.field else words, []).append(one.place)
    for sentence, places in by_sentence.items():
        where = ", ".join(raw.place(record).say() for record in sorted(places))
        console.print(f"[red]{len(places)} left out[/], {escape(sentence)}: {where}.")
    if left_out:
        raise typer.Exit(LEFT_OUT)


@app.command("export", epilog="Example: python -m scoring.outcomes export decided.parquet --since 2026-01-01")
def export_command(
    to: Annotated[Path, typer.Argument(help="A new file, .parquet or .csv.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    place: Place = "",
    since: Annotated[datetime | None, typer.Option(help="Decided then or later, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Decided before.")] = None,
    has_inputs: Annotated[
        bool, typer.Option("--inputs", help="What the models read too, one column each: to train on.")
    ] = False,
) -> None:
    """Write every decision with its outcome: event, time, model, probability, review, outcome, its day.

    What is known is known of the loans that were granted: how that tilts whatever is learned is printed.

    Exit codes: 0 done, 2 no such log, or the file cannot be written.
    """
    with _said(), _follower(log, anchors, key_file, place) as (follower, _):
        ends = [moment.replace(tzinfo=UTC) if moment else None for moment in (since, until)]
        frame = decisions.decided(follower.index, datetime.now(UTC), *ends)
        if has_inputs:
            logged = logged_decisions(log).table
            inputs = logged.drop([name for name in LOGGED if name in logged.columns and name != "event_id"])
            frame = frame.join(inputs, on="event_id", how="left", maintain_order="left")
    try:
        with to.open("xb") as file:
            (frame.write_csv if to.suffix == ".csv" else frame.write_parquet)(file)
    except OSError as error:
        errors.print(f"[bold red]Not done:[/] {escape(str(to))}: {error.strerror}.", highlight=False)
        raise typer.Exit(BAD_INPUT) from None
    known = frame.filter(pl.col("outcome") != "unknown")
    console.print(f"{frame.height} decisions, {known.height} with an outcome, in {escape(str(to))}.")
    console.print(unseen(frame))


def unseen(frame: pl.DataFrame) -> str:
    """Say of which decisions the outcome is known, and what that does to whatever is learned from them."""
    parts, shares = [], []
    for decision in ("granted", "refused"):
        part = frame.filter(pl.col("decision") == decision)
        known = part.filter(pl.col("outcome") != "unknown").height
        parts.append(f"{known} of {part.height} {decision}")
        shares.append(known / max(part.height, 1))
    said = f"The outcome is known of {' and of '.join(parts)}."
    if shares[0] <= shares[1]:
        return said
    return (
        f"{said} Who was refused was expected to default more often and is seen less: what is learned or "
        "measured here holds for the granted alone."
    )


if __name__ == "__main__":
    app()
