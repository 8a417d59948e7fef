"""Whole files through the bulk door: in parallel chunks, in order, resumed after a kill, decided once.

Finished chunks lie in a folder beside the output, ``OUT.part``, until all are there. It also holds the
job's key: a chunk whose answer was lost is sent again under the same key, so that the service gives the
same decisions and logs none of them twice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from scoring.client.errors import ServiceError
from scoring.client.files import REJECTED, Chunk, Source
from scoring.client.http import URL, Client
from scoring.schema import KEY, Purpose
from scoring.spreadsheet import harmless
from scoring.tables import Population

ROWS = 10_000  # applications a request: about 26 MB with their aggregates
FORMAT = 3


class JobError(RuntimeError):
    """The output, or what an earlier run left of it, is in the way."""


@dataclass(frozen=True)
class Summary:
    """How a file was scored: rows in all, rows refused, rows that an earlier run had done, seconds."""

    rows: int
    rejected: int
    resumed: int
    seconds: float
    rejected_file: Path | None


def score_file(
    path: Path,
    out: Path,
    url: str = URL,
    *,
    population: Population = "test",
    limit: int | None = None,
    rows: int = ROWS,
    parallel: int = 2,
    is_fresh: bool = False,
    progress: Callable[[int, int], None] | None = None,
    api_key: str | None = None,
    keep_unknown: bool = False,
    purpose: Purpose = "decision",
) -> Summary:
    """Have every application of a file decided, and write the decisions in its order.

    Parameters
    ----------
    path : Path
        CSV, Parquet, workbook, or a portfolio (folder or zip), whose histories are aggregated here.
    out : Path
        ``.parquet``, or else CSV. Rejected rows go to ``OUT-rejected.csv`` beside it, with the reasons.
    url : str
        Where the service is.
    population : {"train", "test"}
        Which applications of a portfolio.
    limit : int, optional
        Only the first rows.
    rows, parallel : int
        Applications in a request; requests at a time.
    is_fresh : bool
        Forget what an earlier run left.
    progress : callable
        Told the rows done and the rows in all.
    api_key : str, optional
        For a service that asks for one.
    keep_unknown : bool
        Carry columns that no application has through to the result.
    purpose : {"decision", "preview", "what-if", "test"}
        What the answers are for; only a decision decides.

    Raises
    ------
    FileError
        If the file cannot be read.
    JobError
        If an earlier run left chunks of another file or of other options.
    ServiceError
        If the service gives no decisions. What is done stays done: the same call goes on from there.
    """
    began = time.perf_counter()
    source = Source(path, population, limit, keep_unknown)
    with closing(source), Client(url, timeout_s=300, api_key=api_key, purpose=purpose) as client:
        journal = _Journal(out, source, population, rows, is_fresh, purpose)
        try:
            client.like_model()  # a service that is down is told at once, not after patient retries
            resumed = done = sum(journal.height(number) for number in journal.done)
            if progress is not None:
                progress(done, source.rows)
            with closing(source.chunks(rows, frozenset(journal.done), journal.folder)) as chunks:
                for chunk, decided in _decided(client, journal.begin(chunks), journal.key, parallel):
                    journal.keep(chunk.number, *decided)
                    done += decided[0].height + decided[1]["row"].n_unique()
                    if progress is not None:
                        progress(done, source.rows)
        finally:
            journal.leave()
    rejected_file, rejected = journal.finish()
    return Summary(source.rows, rejected, resumed, time.perf_counter() - began, rejected_file)


def _decided(
    client: Client, chunks: Iterator[Chunk], key: str, parallel: int
) -> Iterator[tuple[Chunk, tuple[pl.DataFrame, pl.DataFrame]]]:
    """Give chunks with their decisions and rejected rows, in order; read only as far ahead as is sent."""
    sent: deque[tuple[Chunk, Future[tuple[pl.DataFrame, pl.DataFrame]]]] = deque()
    with ThreadPoolExecutor(parallel) as pool:
        try:
            while True:
                while len(sent) < parallel and (chunk := next(chunks, None)) is not None:
                    sent.append((chunk, pool.submit(_score, client, chunk, f"{key}:{chunk.number}")))
                if not sent:
                    return
                first, future = sent.popleft()
                yield first, future.result()
        finally:
            for _, future in sent:
                future.cancel()


def _score(client: Client, chunk: Chunk, key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the decisions on a chunk with their rows, and what was rejected here or by the service."""
    table, rows, carried, rejected = chunk.table, chunk.rows, chunk.carried, [chunk.rejected]
    turn = 0
    while table.height:
        try:
            decisions = client.score_table(table, f"{key}:{turn}" if turn else key)
            decisions = decisions.insert_column(0, rows).hstack(carried)
            return decisions, pl.concat(rejected).sort("row")
        except ServiceError as error:
            named = error.problem.errors if error.problem else []
            details = [
                (rows[fault.row], str(table[KEY][fault.row]), fault.field, fault.code, fault.detail)
                for fault in named
                if fault.row is not None
            ]
            # Only a service of another version refuses what passed the same checks here.
            if error.kind != "refused" or not details:
                raise
            rejected.append(pl.DataFrame(details, schema=REJECTED, orient="row"))
            keep = ~rows.is_in([row for row, *_ in details])
            table, rows, turn = table.filter(keep), rows.filter(keep), turn + 1
            carried = carried.filter(keep) if carried.width else carried
    return pl.DataFrame(schema={"row": pl.Int64}), pl.concat(rejected).sort("row")


class _Journal:
    """The folder of finished chunks; a chunk is in it whole or not at all."""

    def __init__(
        self, out: Path, source: Source, population: str, rows: int, is_fresh: bool, purpose: Purpose
    ) -> None:
        self.out = out
        self.folder = out.with_name(f"{out.name}.part")
        facts: dict[str, Any] = {
            "format": FORMAT,
            "source": str(source.path.resolve()),
            "fingerprint": source.fingerprint(),
            "population": population if source.is_portfolio else None,
            "rows": rows,
            "carries": source.carries,
            "purpose": purpose,
        }
        description = self.folder / "job.json"
        if is_fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.is_begun = description.is_file()
        if self.is_begun:
            found = json.loads(description.read_text(encoding="utf-8"))
            self.key = str(found.pop("key"))
            if other := [name for name in facts if found.get(name) != facts[name]]:
                raise JobError(
                    f"{self.folder} holds an unfinished job with another {other[0]}; repeat that command "
                    "to finish it, or give --fresh to begin anew."
                )
        else:
            self.key = uuid.uuid4().hex
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(description, lambda draft: draft.write_text(json.dumps(facts | {"key": self.key})))
        for left in self.folder.glob("records-*"):  # a killed run could not remove them
            shutil.rmtree(left, ignore_errors=True)
        self.done = {int(file.stem) for file in self.folder.glob("[0-9]*.parquet")}

    def height(self, number: int) -> int:
        """Return the rows of a finished chunk."""
        decided = pl.scan_parquet(self._path(number)).select(pl.len()).collect().item()
        return int(decided) + int(pl.read_parquet(self._path(number, "rejected"))["row"].n_unique())

    def keep(self, number: int, decisions: pl.DataFrame, rejected: pl.DataFrame) -> None:
        """Put a chunk away; the decisions come last and make it finished."""
        _replace(self._path(number, "rejected"), rejected.write_parquet)
        _replace(self._path(number), decisions.write_parquet)
        self.done.add(number)

    def begin(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Give the chunks; once one may have been sent, its answer may be lost, so the key must stay."""
        for chunk in chunks:
            self.is_begun = True
            yield chunk

    def leave(self) -> None:
        """Remove the folder if nothing in it is worth keeping."""
        if not self.is_begun:
            shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self) -> tuple[Path | None, int]:
        """Put the chunks together, and return where the rejected rows are and how many."""
        numbers = sorted(self.done)
        parts = [self._path(number) for number in numbers]
        whole = [path for path in parts if pl.scan_parquet(path).select(pl.len()).collect().item()]
        if self.out.suffix.lower() == ".parquet":
            _replace(self.out, lambda draft: pl.scan_parquet(whole or parts[:1]).sink_parquet(draft))
        else:
            _replace(self.out, lambda draft: _write_csv(draft, whole or parts[:1]))
        rejected = pl.concat([pl.read_parquet(self._path(number, "rejected")) for number in numbers])
        rejected_file = self.out.with_name(f"{self.out.stem}-rejected.csv")
        rejected_file.unlink(missing_ok=True)
        if rejected.height:
            _replace(rejected_file, lambda draft: harmless(rejected).write_csv(draft))
        shutil.rmtree(self.folder, ignore_errors=True)
        return (rejected_file if rejected.height else None), int(rejected["row"].n_unique())

    def _path(self, number: int, kind: str = "") -> Path:
        return self.folder / (f"{kind}-{number:06d}.parquet" if kind else f"{number:06d}.parquet")


def _write_csv(draft: Path, parts: list[Path]) -> None:
    with draft.open("wb") as file:
        for i, path in enumerate(parts):
            harmless(_flat(pl.read_parquet(path))).write_csv(file, include_header=i == 0)


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    """Write each list of a row into one cell: reasons of review, and ``feature: problem (value); …``."""
    if "warnings" not in table.columns:
        return table
    part = pl.element().struct
    words = pl.format("{}: {} ({})", part["feature"], part["problem"], part["value"])
    table = table.with_columns(pl.col("warnings").list.eval(words))
    return table.with_columns(pl.col(pl.List(pl.String)).list.join("; "))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there: a broken attempt leaves what was."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
