"""The index of decisions: ``python -m scoring.decisions status``, ``follow``, ``rebuild``."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy import func, select

from scoring import settings
from scoring.decisions import schema
from scoring.decisions.follower import Follower
from scoring.decisions.index import Index, IndexFault, place_of
from scoring.decisions.lookup import LateError, as_of, moment
from scoring.inference_log import LogError, anchors_folder, identity, pseudonym_key
from scoring.options import KEY_FILE, LOG, AnchorsFolder, KeyFile, LogFolder, flat

FAULTY, BAD_INPUT = 1, 2
LOOK_S = 0.2  # between two looks at the log: so old is what was decided when it can be looked up
AGAIN_S = 2.0  # after a fault
NICE = 10  # decisions go first


@dataclass(frozen=True)
class IndexAsked:
    """Which log, and which index of it."""

    log: LogFolder = LOG
    anchors: AnchorsFolder = None
    key_file: KeyFile = KEY_FILE
    place: Annotated[
        str,
        typer.Option(
            "--index",
            help="A file of SQLite, or postgresql://USER:PASSWORD@HOST/DATABASE; LOG-index.sqlite by "
            "default.",
            envvar=settings.INDEX.name,
            show_envvar=True,
        ),
    ] = ""
    instance: Annotated[
        str,
        typer.Option(
            help="Name of the instance of several whose folder it is.", envvar=settings.INSTANCE.name
        ),
    ] = ""

    @contextmanager
    def follower(self) -> Iterator[Follower]:
        """Give who brings the index up to the log."""
        key = pseudonym_key(self.key_file, is_new_allowed=False)
        index = Index(place_of(self.place, self.log), identity(key), self.instance)
        try:
            yield Follower(index, self.log, self.anchors or anchors_folder(self.log), key)
        finally:
            index.close()


console, errors = Console(highlight=False, soft_wrap=True), Console(stderr=True, soft_wrap=True)
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__,
    epilog="Example: python -m scoring.decisions status --log var/log",
)
app.callback()(settings.warn_of_unknown)


@contextmanager
def _printed() -> Iterator[None]:
    """Say what a user can mend in one line, and end with code 2."""
    try:
        yield
    except (IndexFault, LogError) as error:
        errors.print(f"[bold red]Not done:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(BAD_INPUT) from None


@app.command(epilog="Example: python -m scoring.decisions follow --log var/log")
@flat
def follow(
    asked: IndexAsked,
    is_once: Annotated[bool, typer.Option("--once", help="End when the index is up to the log.")] = False,
    parent: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Bring the index up to the log, and keep it there until the end. The service does this by itself.

    It may be killed at any time: what is in the index is there once, and the next one goes on from there.

    Exit codes: 0 done, 2 no such log, or the index cannot be used.
    """
    if is_once:
        with _printed(), asked.follower() as follower:
            console.print(f"{_all(follower)} records followed into {escape(str(follower.index))}.")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if parent:  # who ends the parent from a terminal ends this one with it
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    printed = ""
    while not parent or os.getppid() == parent:
        try:
            with asked.follower() as follower:
                while not parent or os.getppid() == parent:
                    if not follower.step():
                        time.sleep(LOOK_S)
                    printed = ""
        except (IndexFault, LogError) as error:
            if str(error) != printed:
                printed = str(error)
                errors.print(f"The index waits, decisions go on: {escape(printed)}", highlight=False)
            time.sleep(AGAIN_S)


def _all(follower: Follower) -> int:
    """Follow until there is no more; say how far it is where somebody looks on."""
    count = 0
    with errors.status("Following the log"):
        while more := follower.step():
            count += more
    for _ in range(5):  # what is doubtful is looked at again
        count += follower.step()
    return count


@app.command(epilog="Example: python -m scoring.decisions rebuild --log var/log")
@flat
def rebuild(asked: IndexAsked) -> None:
    """Empty the index and fill it again from the log. Look-ups say that it is late until that is done.

    Of several instances each fills in its own: those that run do so by themselves.

    Exit codes: 0 done, 2 no such log, or the index cannot be used.
    """
    with _printed(), asked.follower() as follower:
        if not asked.log.is_dir():
            raise LogError(f"there is no inference log in {asked.log}; give the service's folder with --log.")
        follower.index.remake()
        console.print(f"{_all(follower)} records followed into {escape(str(follower.index))}.")


@app.command(epilog="Example: python -m scoring.decisions retire --log var/log --instance b")
@flat
def retire(asked: IndexAsked) -> None:
    """Follow the log of an instance that is no more to its end, and wait for it no longer.

    What it decided stays in the index. Without this, look-ups say that they are as old as its last sign.

    Exit codes: 0 done, 1 a file of it is not closed yet, 2 no such log, or the index cannot be used.
    """
    with _printed(), asked.follower() as follower:
        with follower.index.begin() as connection:
            there = list(connection.scalars(select(schema.instances.c.name).order_by("name")))
        if (instance := follower.index.instance) not in there:
            names = ", ".join(repr(name) for name in there) or "none"
            raise IndexFault(f"the index knows no instance {instance!r} to retire; it knows {names}.")
        count, left = _all(follower), follower.retire()
    console.print(f"{count} records followed into {escape(str(follower.index))}.")
    if left:
        console.print(
            f"[bold red]Not done[/]: {escape(', '.join(left))} may still grow; stop its service first."
        )
        raise typer.Exit(FAULTY)


@app.command(epilog="Example: python -m scoring.decisions status --log var/log")
@flat
def status(asked: IndexAsked) -> None:
    """Say what the index holds, how far behind the log it is, and what could not be followed.

    Exit codes: 0 all is well, 1 it is late or a file could not be followed, 2 no such log or index.
    """
    late = ""
    with _printed(), asked.follower() as follower:
        index = follower.index
        with index.begin() as connection:
            about = connection.execute(select(schema.about)).mappings().one()
            decided = connection.scalar(select(func.count()).select_from(schema.decisions))
            reviewed = connection.scalar(
                select(func.count()).select_from(schema.reviews).where(schema.reviews.c.is_recorded)
            )
            ended = connection.scalar(select(func.count(schema.outcomes.c.event.distinct())))
            found = connection.execute(select(schema.files).order_by(schema.files.c.name)).mappings().all()
            writers = connection.execute(select(schema.instances).order_by("name")).mappings().all()
            try:
                then = as_of(connection, index, datetime.now(UTC))
            except LateError as error:
                late = str(error)
    console.print(f"Index {escape(str(index))}")
    console.print(
        f"{decided} decisions, {reviewed} reviewed, {ended} with an outcome; {len(found)} files of "
        f"{'the log' if len(writers) > 1 else escape(str(asked.log))}."
    )
    for name in ("duplicates", "set_aside"):
        if about[name]:
            console.print(f"note: {about[name]} records are left out: {_WHY[name]}.")
    if len(writers) > 1:
        for one in writers:
            until = f"{moment(one['followed']):%Y-%m-%dT%H:%M:%SZ}"
            console.print(f"Instance {escape(one['name'] or '-')}: all until {until}.")
    broken = [file for file in found if file["state"] == "broken"]
    for file in broken:
        console.print(f"[red]{escape(file['name'])}[/] is followed no further: {escape(file['fault'])}.")
    console.print(f"[bold red]Late[/]: {escape(late)}" if late else f"Up to the log at {then:%H:%M:%S} UTC.")
    if broken or late:
        raise typer.Exit(FAULTY)


_WHY = {"duplicates": "their event was there already", "set_aside": "they are no records that are known"}

if __name__ == "__main__":
    app()
