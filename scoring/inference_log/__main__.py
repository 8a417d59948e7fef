"""Check, show, export, ship, erase, purge the inference log: ``python -m scoring.inference_log verify``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape

from scoring import settings
from scoring.inference_log.anchor import anchors_folder
from scoring.inference_log.audit import audit_tables, last
from scoring.inference_log.backup import back_up
from scoring.inference_log.backup import restore as restore_from
from scoring.inference_log.chain import ChainFault, files_before, verify
from scoring.inference_log.chain import purge as purge_files
from scoring.inference_log.erasing import FaultyError
from scoring.inference_log.erasing import erase as erase_client
from scoring.inference_log.export import export as export_tables
from scoring.inference_log.keys import pseudonym_key
from scoring.inference_log.pieces import SetAside
from scoring.inference_log.reader import inputs_tables
from scoring.inference_log.record import LogError
from scoring.inference_log.renewal import put_aside
from scoring.inference_log.renewal import renew as renew_log
from scoring.inference_log.ship import ship as ship_files
from scoring.inference_log.shipped import InStore, purge_shipped, verify_shipped
from scoring.inference_log.store import open_store
from scoring.options import KEY_FILE, LOG, AnchorsFolder, KeyFile, LogFolder
from scoring.schema.columns import INT64_MAX, read_id

FAULTY, BAD_INPUT = 1, 2
FAULTS_SHOWN = 50


class Stream(StrEnum):
    """The two parts of the log."""

    monitoring = "monitoring"
    audit = "audit"


Stored = Annotated[
    str,
    typer.Option(
        "--store", help="Where it was shipped: a folder or s3://BUCKET/FOLDER.", envvar=settings.STORE.name
    ),
]

console, errors = Console(highlight=False, soft_wrap=True), Console(stderr=True, soft_wrap=True)
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__,
    epilog="Example: python -m scoring.inference_log verify --log var/log",
)
app.callback()(settings.warn_of_unknown)


def _whole(text: str) -> int:
    """Read a client's number as look-ups do."""
    if (number := read_id(text)) is None:
        raise typer.BadParameter(f"a client's number is written in digits, up to {INT64_MAX}.")
    return number


@contextmanager
def _printed() -> Iterator[None]:
    """Say what a user can mend in one line, and end with code 2."""
    try:
        yield
    except (LogError, OSError, pl.exceptions.PolarsError) as error:
        words = str(error)
        if isinstance(error, OSError) and error.filename:
            words = f"{error.filename} cannot be used: {error.strerror}; let this user read and write it."
        errors.print(f"[bold red]Not done:[/] {escape(words)}", highlight=False)
        raise typer.Exit(BAD_INPUT) from None


def _must_be(log: Path) -> None:
    if not log.is_dir():
        raise FileNotFoundError(f"there is no inference log in {log}; give the service's folder with --log.")


def _name(file: Path) -> str:
    """Return a file's name as a terminal can show it: somebody else may have chosen it."""
    return file.name if file.name.isprintable() else ascii(file.name)


def _show(faults: list[ChainFault]) -> None:
    for fault in faults[:FAULTS_SHOWN]:
        place = _name(fault.file) if fault.line is None else f"{_name(fault.file)}, line {fault.line}"
        console.print(f"[red]{escape(place)}[/]: {escape(fault.why)}.")
    if len(faults) > FAULTS_SHOWN:
        console.print(f"... and {len(faults) - FAULTS_SHOWN} more.")


@app.command("verify", epilog="Example: python -m scoring.inference_log verify --log var/log")
def verify_command(
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    store: Annotated[str, typer.Option(help="Check what was shipped there, and not the log.")] = "",
) -> None:
    """Say whether the log is as it was written: every record by its chain, every file by its anchor.

    A file that is gone with its anchor is missed by the next one; the newest, with none after it, is not. In
    a store every file is checked by itself, and by its signed manifest.

    Exit codes: 0 it is, 1 it is not (file and line are named), 2 no such log.
    """
    with _printed(), errors.status("Checking"):
        if store:
            verdict = verify_shipped(open_store(store), pseudonym_key(key_file, is_new_allowed=False))
        else:
            _must_be(log)
            key = pseudonym_key(key_file, is_new_allowed=False) if key_file.exists() else None
            verdict = verify(log, anchors or anchors_folder(log), key)
    for note in verdict.notes:
        console.print(f"note: {escape(note)}")
    _show(verdict.faults)
    counts = f"{verdict.files} files, {verdict.records} records, {verdict.purged} files purged"
    if verdict.faults:
        console.print(f"[bold red]{len(verdict.faults)} faults[/] in {counts}.")
        raise typer.Exit(FAULTY)
    console.print(f"As written: {counts}.")


@app.command(epilog="Example: python -m scoring.inference_log tail --rows 20")
def tail(
    log: LogFolder = LOG,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many decisions.")] = 10,
) -> None:
    """Show the last decisions: time, id, model, applicant (a pseudonym), probability, decision, operator.

    Exit codes: 0 shown, 2 no such log.
    """
    with _printed():
        shown = last(log, rows)
    for row in shown.iter_rows(named=True):
        parts = (
            f"{row['time']:%Y-%m-%d %H:%M:%S}",
            row["event_id"],
            row["model"],
            row["applicant"],
            f"{row['probability_of_default']:.4f}",
            row["decision"],
            row["operator"] or "-",
        )
        console.print("  ".join(parts), markup=False)


@app.command(
    epilog="Example: python -m scoring.inference_log export --stream monitoring --out decisions.parquet"
)
def export(
    out: Annotated[Path, typer.Option(help="A .parquet or .csv file that does not exist yet.")],
    log: LogFolder = LOG,
    stream: Annotated[Stream, typer.Option(help="Model inputs without a person, or who and why.")] = (
        Stream.monitoring
    ),
) -> None:
    """Write one stream of the log to a table.

    monitoring: event, time, model, probability, threshold, decision and the model's inputs; nobody is named.
    audit: the same decisions with the applicant's pseudonym, the request, the operator, the hash of the
    inputs and the reasons that were given; no input. In CSV a word that a spreadsheet would take for a
    formula gets a ' in front.

    Exit codes: 0 written, 2 no such log, or the file exists.
    """
    set_aside = SetAside()
    with _printed(), errors.status("Reading the log"):
        if stream is Stream.audit:
            tables = audit_tables(log, set_aside)
        else:
            tables = (part.drop("applicant", "request_id") for part in inputs_tables(log, set_aside))
        done = export_tables(out, tables, set_aside.all)
    lines = Counter[str]()
    for item in done.quarantined:
        lines[item.why] += item.count
    for why, count in lines.items():
        console.print(f"note: {count} lines are set aside: {escape(why)}.")
    if done.duplicates:
        console.print(f"note: {done.duplicates} repeated records are left out.")
    console.print(f"{escape(str(out))}: {done.rows} decisions, {done.columns} columns.")


@app.command(epilog="Example: python -m scoring.inference_log purge --days 365")
def purge(
    days: Annotated[
        int,
        typer.Option(min=1, help="Keep so many days before today (UTC).", envvar=settings.LOG_DAYS.name),
    ],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    store: Stored = "",
    is_forced: Annotated[bool, typer.Option("--force", help="Purge even what does not verify.")] = False,
) -> None:
    """Delete what is older than the retention; a signed tombstone of each file stays, and verify passes.

    The index follows by itself; with --store what was shipped goes as well.

    Exit codes: 0 done, 1 nothing purged because an old file is not as it was written, 2 wrong use.
    """
    now = datetime.now(UTC)
    before = now.date() - timedelta(days=days)
    with _printed():
        _must_be(log)
        place, key = anchors or anchors_folder(log), pseudonym_key(key_file, is_new_allowed=False)
        old = {path.name for path in files_before(log, before)}
        faults = [fault for fault in verify(log, place, key).faults if fault.file.name in old]
        if faults and not is_forced:
            _show(faults)
            console.print(
                "[bold red]Nothing is purged[/]: the evidence would go. --force purges all the same."
            )
            raise typer.Exit(FAULTY)
        gone = purge_files(log, place, key, before, now)
        stored = purge_shipped(open_store(store), key, before, now) if store else 0
    console.print(
        f"{len(gone)} files from before {before} are gone; {len(old) - len(gone)} stay for want of an anchor."
    )
    if store:
        console.print(f"{stored} files of the store are gone as well.")


@app.command(epilog="Example: python -m scoring.inference_log ship --to /srv/decisions")
def ship(
    to: Annotated[
        str,
        typer.Option(help="A folder, or s3://BUCKET/FOLDER.", envvar=settings.STORE.name, show_envvar=True),
    ],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
) -> None:
    """Copy closed files to a store, and their decisions as Parquet by day and model, each event once.

    What is there already is not sent again; who is stopped says the same command again. Nothing is removed
    here: see purge. For S3, keys and region are looked for where its tools do (AWS_ACCESS_KEY_ID, ~/.aws);
    s3://BUCKET/FOLDER?endpoint_override=HOST:PORT&scheme=http is one that is not Amazon's.

    Exit codes: 0 all that is closed is there, 1 files were left out and are named, 2 the store or the log
    cannot be used.
    """
    with _printed():
        _must_be(log)
        key, store = pseudonym_key(key_file, is_new_allowed=False), open_store(to)
        with errors.status("Shipping") as status:
            done = ship_files(
                log,
                anchors or anchors_folder(log),
                key,
                store,
                lambda: datetime.now(UTC),
                lambda name: status.update(f"Shipping {escape(_name(Path(name)))}"),
            )
    for words in done.left:
        console.print(f"[red]not shipped[/]: {escape(words)}.")
    if done.set_aside:
        console.print(f"note: {done.set_aside} lines are in no table: they are no records that are known.")
    if done.doubled:
        console.print(f"note: {done.doubled} events are left out of the tables: another file has them.")
    console.print(
        f"{escape(str(store))}: {done.files} files shipped with {done.decisions} decisions, "
        f"{done.bytes} bytes; {done.before} were there."
    )
    if done.left:
        raise typer.Exit(FAULTY)


@app.command(epilog='Example: python -m scoring.inference_log erase --client 100001 --reason "asked for"')
def erase(
    client: Annotated[
        int, typer.Option(parser=_whole, metavar="INTEGER", help="Number of the client, SK_ID_CURR.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it is recorded, so name nobody in it.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    store: Stored = "",
    is_forced: Annotated[bool, typer.Option("--force", help="Erase even in what does not verify.")] = False,
) -> None:
    """Erase a person: inputs, reasons, reviews, outcomes, pseudonym go; that a decision was made stays.

    A signed record says what stands where something else stood: verify accepts that, and nothing else. The
    index follows. The service may run. Who is stopped says the same command again. With --store what was
    shipped is erased as well, whether or not the log has it still.

    Exit codes: 0 erased, 1 nothing is erased because a file is not as it was written, 2 nothing is known of
    the client, or wrong use.
    """
    place = anchors or anchors_folder(log)
    for path, _ in put_aside(place, None):
        errors.print(
            f"note: {path.parent.name} was put aside when its key was lost, and nobody is found there by a "
            "number: delete that folder when its retention is over, here and in the log.",
            highlight=False,
        )
    with _printed():
        _must_be(log)
        key = pseudonym_key(key_file, is_new_allowed=False)

        def now() -> datetime:
            return datetime.now(UTC)

        try:
            with errors.status("Erasing"):
                done = erase_client(
                    log,
                    place,
                    key,
                    client,
                    reason,
                    now,
                    is_forced=is_forced,
                    shipped=InStore(open_store(store), key, now) if store else None,
                )
        except FaultyError as error:
            _show(error.faults)
            console.print(
                "[bold red]Nothing is erased[/]: the evidence would go. --force erases all the same."
            )
            raise typer.Exit(FAULTY) from None
    if done.finished:
        console.print(f"{done.finished} erasures that were ended in their midst are finished.")
    console.print(f"Erased: {done.decisions} decisions; {done.lines} lines and {done.rows} rows of tables.")
    if store:
        console.print(f"{done.objects} objects of the store were written anew.")
    else:
        console.print("note: without --store, nothing that was shipped is looked at.")


@app.command(epilog='Example: python -m scoring.inference_log renew --reason "key lost with the old disk"')
def renew(
    reason: Annotated[str, typer.Option(help="Why the key is lost; it is recorded.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
) -> None:
    """Begin a new log with a new key, when the old key is lost. Stop the service first.

    The old files go, with their anchors, into a folder before-TIME inside the log's own and are read there
    (--log LOG/before-TIME); nothing signs or purges them any more: delete that folder when its retention is
    over. A signed record says when and why, and verify repeats it. A pseudonym of the new log is another
    than the same client's in the old one.

    Exit codes: 0 done, 2 nothing is lost, or wrong use.
    """
    with _printed():
        _must_be(log)
        is_shared = bool(settings.INSTANCE.given(os.environ))
        place = anchors or anchors_folder(log)
        done = renew_log(log, place, key_file, reason, datetime.now(UTC), is_shared)
    console.print(
        f"Put aside in {done.folder}: {done.files} files, {done.records} records. A new log begins."
    )


@app.command(epilog="Example: python -m scoring.inference_log backup --to /srv/backup/2026-11-29")
def backup(
    to: Annotated[Path, typer.Option(help="Folder that is not there yet.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
) -> None:
    """Copy log, anchors and key while the service writes, and verify the copy. It names people: guard it.

    Exit codes: 0 copied and verified, 2 not copied.
    """
    with _printed():
        _must_be(log)
        with errors.status("Copying the log"):
            done = back_up(log, anchors or anchors_folder(log), key_file, to)
    console.print(f"{escape(str(to))}: {done.files} files, {done.records} records, as written.")


@app.command(epilog="Example: python -m scoring.inference_log restore --from /srv/backup/2026-11-29")
def restore(
    source: Annotated[Path, typer.Option("--from", help="Folder that backup wrote.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
) -> None:
    """Put a backup where the service looks for its log, key and anchors; nothing may stand there.

    An index in another database is then made again: python -m scoring.decisions rebuild.

    Exit codes: 0 restored and verified, 2 not restored.
    """
    with _printed(), errors.status("Restoring the log"):
        done = restore_from(source, log, anchors or anchors_folder(log), key_file)
    console.print(f"{escape(str(log))}: {done.files} files, {done.records} records, as written.")


if __name__ == "__main__":
    app()
