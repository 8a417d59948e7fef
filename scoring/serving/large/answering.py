"""From a large body to its answer: slice by slice, in turns with others, each key decided once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from functools import partial

import polars as pl
from polars.exceptions import PanicException

from scoring import features
from scoring.decider import Decider
from scoring.features.checks import DECODER, Checker, checker_of, explain
from scoring.schema import FieldError
from scoring.serving.job import BulkJob, JsonJob
from scoring.serving.large.answers import as_arrow, as_json
from scoring.serving.large.records import RECORDS
from scoring.serving.large.stream import ArrowTable
from scoring.serving.problem import ERRORS_NAMED, Rejection, faulty, late, rejection_of
from scoring.serving.reading import slices
from scoring.serving.turns import Once, Turns
from scoring.tables import Portfolio, concat, from_requests

TOGETHER = 3_000  # applications of a JSON body that are decided together
CHECKED = 25_000  # rows of a table that are checked at a stretch


class Large:
    """Answers large requests by what a decider says; threads may share it, and take turns, a slice each.

    Parameters
    ----------
    decider : Decider
    rows : int
        Most rows in a table.
    turns : Turns, optional
        Who else works in turns with it; nobody does by default.
    """

    def __init__(self, decider: Decider, rows: int, turns: Turns | None = None) -> None:
        self.decider = decider
        self.rows = rows
        self._turns = turns or Turns()
        self._once = Once()

    def answer(self, job: BulkJob) -> bytes | Rejection:
        """Answer a request: its decisions in order, or the rejection of all of it; nothing is raised."""
        try:
            events = self._events(job)
            with (
                self._once.alone(events),  # sent again meanwhile, it finds what this one recorded
                self._turns.taken(),
                self.decider.slices(events, job.request_id, job.operator, job.purpose) as decided,
            ):
                _attend(job)
                pause = partial(self._pause, job)
                parts = decided.decide(_portfolios(job, self.rows, pause), pause)
                ranges = self.decider.scorer.ranges
                answer = as_json(parts, ranges) if job.is_json else as_arrow(parts)
                _attend(job)
                decided.commit()  # the last step: what fails before it has left no trace
            return answer
        except (Exception, PanicException) as error:  # polars' panics are no exceptions of Python's own
            return rejection_of(error)
        finally:
            job.body = bytearray()  # whoever still holds the job need not hold so much

    def _pause(self, job: BulkJob) -> None:
        """Let other large requests have their turn; stop if nobody waits for this one any more."""
        _attend(job)
        self._turns.pause()
        _attend(job)

    def _events(self, job: BulkJob) -> str:
        """Return the first 24 digits of the ids of a request's decisions.

        With a key they are the same when the same body comes again from the same operator, for the same
        model and purpose: a client whose answer was lost can ask again, and no decision is twice in the log.
        """
        if not job.key:
            return secrets.token_hex(12)
        digest = hashlib.blake2b(job.body, digest_size=12, key=hashlib.sha256(job.key.encode()).digest())
        digest.update(f"{self.decider.model}\n{job.operator or ''}\n{job.purpose}".encode())
        return digest.hexdigest()


def _attend(job: BulkJob) -> None:
    """Stop if nobody waits for the answer any more."""
    if job.is_abandoned:
        raise late()


def _portfolios(job: BulkJob, most: int, pause: Callable[[], None]) -> Iterator[Portfolio]:
    """Give the applications of a request, a slice at a time; a table is checked whole before the first."""
    if isinstance(job, JsonJob):
        if RECORDS is not None and (read := RECORDS.read(job.body, job.rows)) is not None:
            pause()
            yield from read
            return
        parts: list[Portfolio] = []
        for rows in slices(job.body, job.rows, DECODER):
            parts.append(from_requests(rows, columns=features.READS))
            pause()
        yield from _together(parts)
        return
    table = ArrowTable(job.body, most, pause)
    checker = checker_of(tuple(table.schema.items()))
    check(table, checker, pause)
    for part in table.slices():
        yield checker.portfolio(part)


def _together(parts: list[Portfolio]) -> Iterator[Portfolio]:
    start = rows = 0
    for until, part in enumerate(parts, 1):
        rows += len(part)
        if rows >= TOGETHER or until == len(parts):
            yield concat(parts[start:until])
            start, rows = until, 0


def check(table: ArrowTable, checker: Checker, pause: Callable[[], None] = lambda: None) -> None:
    """Raise the `Rejection` that names the wrong values of a table, if there are any.

    ``pause`` is called between stretches of rows.
    """
    errors: list[FieldError] = []
    count = start = 0
    for part in table.slices(CHECKED):
        found = checker.faults(part)
        count += found.height
        for row in found["row"].unique(maintain_order=True).head(ERRORS_NAMED - len(errors)).to_list():
            columns = found.filter(pl.col("row") == row)["column"].to_list()
            errors += explain(part.row(row, named=True), columns, start + row)
        if count > ERRORS_NAMED:  # no more are named, nor counted
            break
        start += part.height
        pause()
    if count:
        raise faulty(count, errors)
