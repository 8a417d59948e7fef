"""What the monitor takes to count a long log: time, memory, an unchanged log, a report.

A log is written as the service writes it, of rows drawn from the champion's reference: by default as tables
(what requests of many applications leave), with ``--lines`` as records (what single ones leave). Then
``python -m monitoring`` runs on it as a process of its own, twice, and once more after a few more decisions.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console

from benchmarks.given import refusing
from benchmarks.monitor import FILE
from benchmarks.results import record
from monitoring.reference import Reference, read_reference
from scoring.inference_log import Entry, InferenceLog

ROOT = Path(__file__).resolve().parent.parent
KEY = bytes(32)
MODEL = "credit_scoring:bench"
SLICE = 5_000  # rows of a table
DECIDED = ["probability_of_default", "threshold", "decision"]
INGEST_S, UNCHANGED_S, REPORT_S, MEMORY_MB = 60.0, 2.0, 5.0, 500.0  # what was asked for
err = Console(stderr=True, highlight=False)


def write(folder: Path, reference: Reference, rows: int, days: int, has_lines: bool, seed: int) -> None:
    """Write a log of so many decisions, over so many days until yesterday."""
    rng, table = np.random.default_rng(seed), reference.table
    categories = [name for name in reference.inputs if table[name].dtype == pl.String]
    log = InferenceLog(folder, "w1", KEY, MODEL, categories=categories, is_packed=True)
    start = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=days)
    for first in range(0, rows, SLICE):
        some = table[rng.integers(0, table.height, min(SLICE, rows - first))]
        now = start + timedelta(days=(days - 1) * first // max(rows - SLICE, 1))
        applicants = range(first, first + some.height)
        if has_lines:
            read = zip(applicants, some.iter_rows(named=True), strict=True)
            entries = [
                Entry(
                    event_id=f"{number:032x}",
                    applicant=number,
                    request_id="bench",
                    probability_of_default=row["probability_of_default"],
                    threshold=row["threshold"],
                    decision=row["decision"],
                    features={name: row[name] for name in reference.inputs},
                )
                for number, row in read
            ]
            log.record(entries, now)
        else:
            with log.table(f"{first:024x}", "bench", None, now) as recording:
                recording.add(applicants, some.select(DECIDED), some.select(reference.inputs))
                recording.commit()
    log.close()


def timed(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return its seconds, its CPU seconds and its largest memory in MB."""
    began, most, said = monotonic(), 0, b""
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=subprocess.STDOUT)
        while True:
            with suppress(OSError):  # what a process inherits of this one's is not its own
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    most = max(most, int(line.split()[1]) if line.startswith("VmHWM:") else 0)
            found, status, used = os.wait4(process.pid, os.WNOHANG)
            if found:
                break
            sleep(0.02)
        told.seek(0)
        said = told.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, cpu = monotonic() - began, used.ru_utime + used.ru_stime
    err.print(f"{seconds:.1f} s, {cpu:.1f} CPU s, {most / 1e3:.0f} MB, exit {process.returncode}")
    if process.returncode not in (0, 1):
        raise ValueError(f"the monitor ended with {process.returncode}: {said.decode()}")
    return seconds, cpu, most * 1_024 / 1e6


@refusing
def main(
    scorer: Annotated[Path, typer.Option(help="Folder of the champion: var/scorer, or one of the store.")],
    rows: Annotated[int, typer.Option(help="Decisions of the log.", min=SLICE)] = 1_000_000,
    days: Annotated[int, typer.Option(help="Days that they are of.", min=1)] = 28,
    has_lines: Annotated[
        bool, typer.Option("--lines", help="As records of single decisions, not tables.")
    ] = False,
    place: Annotated[Path | None, typer.Option("--in", help="Keep log and memory in this folder.")] = None,
    keep: Annotated[bool, typer.Option("--keep/--dry", help="Keep the figures in monitor.json.")] = True,
) -> None:
    """Measure what a run of the monitor takes.

    Example: python -m benchmarks.monitor_log --scorer var/scorer --rows 100000 --dry
    """
    reference = read_reference(scorer)
    form = "records" if has_lines else "tables"
    again = f"python -m benchmarks.monitor_log --scorer DIR/scorer --rows {rows}" + " --lines" * has_lines

    def note(name: str, figure: float, unit: str, target: float | None) -> None:
        err.print(f"{name}: {figure:.3g} {unit}" + (f" (at most {target:g})" if target else ""))
        if keep:
            full = f"monitor: {rows:,} decisions x {len(reference.inputs)} inputs as {form}, {name}"
            record(
                full,
                figure,
                unit,
                target=target,
                command=again,
                file=FILE,
            )

    with tempfile.TemporaryDirectory(prefix="monitor-log-") as scratch:
        folder = place or Path(scratch)
        log, out = folder / "log", folder / "out"
        if not log.is_dir():
            began = monotonic()
            write(log, reference, rows, days, has_lines, seed=1)
            size = sum(file.stat().st_size for file in log.iterdir()) / 1e9
            err.print(f"written in {monotonic() - began:.0f} s, {size:.2f} GB")
        command = [sys.executable, "-m", "monitoring", "--log", str(log), "--out", str(out)]
        command += ["--reference", str(scorer), "--model", MODEL, "--no-evidently"]
        for name, target in (("counted and reported", INGEST_S), ("unchanged, reported again", UNCHANGED_S)):
            seconds, cpu, memory = timed(command)
            note(name, seconds, "s", target)
            note(f"{name}, CPU", cpu, "s", None)
            note(f"{name}, memory", memory, "MB", MEMORY_MB)
        write(log, reference, SLICE, 1, has_lines, seed=2)
        seconds, cpu, _ = timed(command)
        note(f"after {SLICE:,} more, reported", seconds, "s", REPORT_S)
        note(f"after {SLICE:,} more, reported, CPU", cpu, "s", None)


if __name__ == "__main__":
    typer.run(main)
