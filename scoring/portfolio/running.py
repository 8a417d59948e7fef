"""A portfolio from beginning to end on one machine: laid out, done bucket by bucket, summed up."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from scoring import features
from scoring.portfolio.job import PortfolioRun, RunError, Task, agree, alone, be_empty, code_sha256, run_of
from scoring.portfolio.pool import Pool
from scoring.portfolio.work import Command
from scoring.tables import Population
from scoring.tables.buckets import BucketPlan, Buckets, finish, sweep

ENGINE = "pool"
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""


class NamedScorer(NamedTuple):
    """Exact tag, folder and hash of a scorer."""

    tag: str
    folder: Path
    sha256: str


class RunSummary(NamedTuple):
    """How it went: the manifest (None: other shares are not done yet), and the buckets done before."""

    manifest: dict[str, Any] | None
    buckets: int
    resumed: int


def split(
    source: Path,
    out: Path,
    population: Population,
    processes: int,
    buckets: int | None = None,
    progress: Progress = lambda *_: None,
) -> Buckets:
    """Lay a portfolio out in buckets, to be scored again and again or on many machines.

    What an interrupted call has laid out is not laid out again.

    Raises
    ------
    TableError, RunError, OSError
        If it cannot be read or written, or the folder holds another one.
    """
    plan = BucketPlan.of(source, population, features.READS, buckets)
    if Buckets.are_at(out):
        found = Buckets(out, features.READS)
        if found.plan != plan:
            raise RunError(f"{out} holds another portfolio, or this one as it was; give another folder.")
        return found
    begun, lock = out / "plan.json", out / ".lock"
    if not begun.is_file():
        be_empty(out, "no portfolio in buckets", but=lock.name)
    out.mkdir(parents=True, exist_ok=True)
    with alone(lock, out):
        agree(begun, vars(plan), out)
        sweep(out)
        with Pool(processes) as pool:
            calls = [["lay", vars(plan), table, str(out)] for table in _largest_first(plan.tables)]
            for number, _ in enumerate(pool.ask(calls), start=1):
                progress("reading the tables", number, len(calls))
        finish(plan, out)
        begun.unlink()
        lock.unlink()
    return Buckets(out, features.READS)


def _largest_first(tables: Sequence[str]) -> list[str]:
    order = ["bureau_balance", "installments_payments", "POS_CASH_balance", "credit_card_balance"]
    return sorted(tables, key=lambda table: order.index(table) if table in order else len(order))


def run(
    portfolio: Path,
    out: Path,
    command: Command,
    model: NamedScorer | None,
    now: Callable[[], datetime],
    *,
    population: Population = "test",
    run_name: str | None = None,
    processes: int = 1,
    buckets: int | None = None,
    share: tuple[int, int] = (0, 1),
    is_slow_allowed: bool = False,
    is_fresh: bool = False,
    progress: Progress = lambda *_: None,
) -> RunSummary:
    """Do one thing with every applicant of a portfolio, and write the tables of it with a manifest.

    Parameters
    ----------
    portfolio : Path
        Folder or zip with the tables, or a portfolio in buckets: see `split`.
    out : Path
        Folder to make. What an interrupted call has done is not done again.
    command : {"score", "features", "explain"}
    model : NamedScorer or None
        Not for features.
    now : callable
        The time, for the manifest.
    population : {"train", "test"}
        Which applications; of a portfolio in buckets its own.
    run_name : str, optional
        What the ids of the events are made from; by default what the files of the portfolio are.
    processes, buckets : int
        Processes at a time; number of buckets, by default one for each 10,000 applicants.
    share : (int, int)
        Which one, from 0, of how many shares of the buckets: a portfolio in buckets may be done by as many
        machines that see the same folders. Whoever finds all buckets done writes the manifest.
    is_slow_allowed, is_fresh : bool
        Go on without the kernels; forget what an earlier run left.
    progress : callable

    Raises
    ------
    TableError, LayoutError, ScorerError, RunError, OSError
        If something is wrong with what it reads, or where it writes. What is done stays done.
    """
    is_laid_out = Buckets.are_at(portfolio)
    if share[1] > 1 and not is_laid_out:
        raise RunError("a share is one of a portfolio in buckets; make them first with `split`.")
    facts: dict[str, Any] = {
        "command": command,
        "run": run_name,
        "model": model.tag if model else None,
        "scorer_sha256": model.sha256 if model else None,
        "code": {"sha256": code_sha256()},
    }
    if is_laid_out:
        plan = Buckets(portfolio, features.READS).plan
    else:
        plan = BucketPlan.of(portfolio, population, features.READS, buckets)
    facts |= {"portfolio": plan.source, "population": plan.population, "fingerprint": plan.fingerprint}
    facts |= {"buckets": plan.buckets}
    job = PortfolioRun(out, facts, is_fresh)
    if (manifest := job.manifest) is not None:
        return RunSummary(manifest, plan.buckets, plan.buckets)
    with job.held(f"-{share[0]}-of-{share[1]}" if share[1] > 1 else ""):
        if is_laid_out:
            found, layout = Buckets(portfolio, features.READS), portfolio
        else:
            layout = job.inner / "buckets"
            found = split(portfolio, layout, population, processes, plan.buckets, progress)
        named = run_name or run_of(found.tables, plan.population)
        tag, scorer = (model.tag, str(model.folder)) if model else ("", "")
        task = Task(command, named, tag, scorer, is_slow_allowed)
        done = job.receipts()
        resumed = len(done)
        mine = [number for number in range(share[0], len(found), share[1]) if number not in done]
        with Pool(processes) as pool:
            progress(command, resumed, len(found))
            calls = [["work", asdict(task), str(layout), str(out), number] for number in mine]
            for receipt in pool.ask(calls):
                done[receipt["number"]] = receipt
                progress(command, len(done), len(found))
        done |= job.receipts() if share[1] > 1 else {}
        if len(done) < len(found):
            return RunSummary(None, len(found), resumed)
        manifest = job.finish(found.tables, done, named, ENGINE, now())
    shutil.rmtree(job.inner)
    return RunSummary(manifest, len(found), resumed)
