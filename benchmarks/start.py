"""What a start of the service costs, in CPU seconds, by process: ``python -m benchmarks.start FOLDER``."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from tests.support import small
from tests.support.running import put_in_store, running

TOLD = {"bentoml": "parent", "_bentoml_impl.worker.service": "worker", "scoring.decisions": "follower"}


def role(process: psutil.Process) -> str:
    """Return what a process of the service is."""
    words = process.cmdline()
    return TOLD.get(words[words.index("-m") + 1], "another") if "-m" in words else "another"


def main(
    home: Annotated[Path, typer.Argument(help="An empty folder, or one of an earlier run.")],
    rounds: Annotated[int, typer.Option(help="Starts.")] = 5,
) -> None:
    """Start a small model again and again; one worker, no spare, until ready."""
    if not (home / "bentoml").exists():
        home.mkdir(parents=True, exist_ok=True)
        put_in_store(small.save(home / "scorer"), home)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        began, asking = time.monotonic(), time.process_time()
        with running(home) as service:
            found["ready after (wall)"].append(time.monotonic() - began)
            found["who waits for it"].append(time.process_time() - asking)
            parent = psutil.Process(service.pid)
            for process in [parent, *parent.children()]:
                took = process.cpu_times()
                found[role(process)].append(took.user + took.system)
                if process == parent:
                    found["rehearsal"].append(took.children_user + took.children_system)
    table = Table("", "median s", "least s")
    for name, seconds in found.items():
        table.add_row(name, f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
