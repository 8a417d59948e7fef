"""From a large body to recorded decisions: slice by slice, without a step in Python for each row."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial

import polars as pl
import pyarrow as pa
from polars.exceptions import PanicException

from scoring import features
from scoring.bulk.records import RECORDS
from scoring.bulk.stream import Table
from scoring.features.checks import DECODER, Checker, checker_of, explain
from scoring.inference_log import InferenceLog, event_ids
from scoring.inference_log import Table as Record
from scoring.schema import FieldError
from scoring.scorer import Scorer, remarks
from scoring.serving.job import BulkJob, JsonJob
from scoring.serving.problem import ERRORS_NAMED, Refusal, faulty, refusal_of
from scoring.serving.reading import slices
from scoring.serving.turns import Once, Turns
from scoring.tables import Portfolio, concat, from_requests

TOGETHER = 3_000  # applications of a JSON body that are decided together
CHECKED = 25_000  # rows of a table that are checked at a stretch
KEYS_KEPT = 1_000  # idempotency keys remembered; a client asks again within seconds
ANSWER = pa.schema(
    [
        ("event_id", pa.string()),
        ("SK_ID_CURR", pa.int64()),
        ("probability_of_default", pa.float64()),
        ("score", pa.int64()),
        ("threshold", pa.float64()),
        ("decision", pa.string()),
        ("model", pa.string()),
        ("warnings", pa.list_(pa.struct([(name, pa.string()) for name in ("feature", "problem", "value")]))),
    ]
)
"""Columns of the answer in Arrow; a row without warnings has null there."""

utc_now = partial(datetime.now, UTC)


class Bulk:
    """Decides many applications as `Decider` decides a few: the same features, scorer and log.

    Threads may share it: their requests are decided in turns, a slice each.

    Parameters
    ----------
    scorer : Scorer
    model : str
        Exact tag of the scorer.
    log : InferenceLog or None
        None records nothing.
    rows : int
        Most rows in a request.
    clock : callable
        Where the time of decisions comes from.
    turns : Turns, optional
        Who else works in turns with it; nobody does by default.
    """

    def __init__(
        self,
        scorer: Scorer,
        model: str,
        log: InferenceLog | None,
        rows: int,
        clock: Callable[[], datetime] = utc_now,
        turns: Turns | None = None,
    ) -> None:
        self.scorer = scorer
        self.model = model
        self.log = log
        self.rows = rows
        self._clock = clock
        self._turns = turns or Turns()
        self._once = Once()
        self._recorded: OrderedDict[str, None] = OrderedDict()  # stems of the events in the log

    def answer(self, job: BulkJob) -> bytes | Refusal:
        """Answer a request: its decisions in order, or the refusal of all of it; nothing is raised."""
        try:
            stem = self._stem(job)
            with (
                self._once.alone(
                    stem
                ),  # the same request, sent again meanwhile, finds what this one recorded
                self._turns.taken(),
                self._recording(stem, job) as record,
                ThreadPoolExecutor(1) as writer,
            ):
                _attend(job)
                pause = partial(self._pause, job)
                parts = self._decide(_portfolios(job, self.rows, pause), stem, record, writer, pause)
                answer = _json(parts, self.scorer) if job.is_json else _arrow(parts)
                _attend(job)
                if record is not None:  # the last step: what fails before it has left no trace
                    record.commit()
                    self._remember(stem)
            return answer
        except (Exception, PanicException) as error:  # polars' panics are no exceptions of Python's own
            return refusal_of(error)
        finally:
            job.body = bytearray()  # whoever still holds the job need not hold so much

    def _pause(self, job: BulkJob) -> None:
        """Let other large requests have their turn; stop if nobody waits for this one any more."""
        _attend(job)
        self._turns.pause()
        _attend(job)

    def _decide(
        self,
        portfolios: Iterable[Portfolio],
        stem: str,
        record: Record | None,
        writer: ThreadPoolExecutor,
        pause: Callable[[], None],
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Give decisions and marks of unseen values, slice by slice; all is on the disk when all is given."""
        start = 0
        written: Future[None] | None = None
        for portfolio in portfolios:
            inputs = features.build(portfolio)
            clients = portfolio.applications["SK_ID_CURR"]
            events = pl.Series("event_id", event_ids(stem, start, len(clients)), dtype=pl.String)
            verdict = self.scorer.decide(inputs)
            marks = remarks.marks(self.scorer.model.encoding, self.scorer.ranges, inputs)
            if record is not None:
                if written is not None:
                    written.result()
                read = inputs.select(self.scorer.feature_names)
                written = writer.submit(record.add, clients.to_list(), verdict, read)  # beside the next slice
            start += len(clients)
            yield (
                pl.DataFrame([events, clients]).hstack(verdict.with_columns(model=pl.lit(self.model))),
                marks,
            )
            pause()
        if written is not None:
            written.result()

    def _stem(self, job: BulkJob) -> str:
        """Return the first 24 digits of the ids of a request's decisions.

        With a key they are the same when the same body comes again from the same operator, for the same
        model: a client whose answer was lost can ask again, and no decision is twice in the log.
        """
        if not job.key:
            return secrets.token_hex(12)
        digest = hashlib.blake2b(job.body, digest_size=12, key=hashlib.sha256(job.key.encode()).digest())
        digest.update(f"{self.model}\n{job.operator or ''}".encode())
        return digest.hexdigest()

    def _recording(
        self, stem: str, job: BulkJob
    ) -> AbstractContextManager[Record] | AbstractContextManager[None]:
        """Return where the decisions go, or nothing if an earlier request of the same stem wrote them."""
        if self.log is None or stem in self._recorded:
            return nullcontext()
        return self.log.table(stem, job.request_id, job.operator, self._clock())

    def _remember(self, stem: str) -> None:
        self._recorded[stem] = None
        if len(self._recorded) > KEYS_KEPT:
            self._recorded.popitem(last=False)


def _attend(job: BulkJob) -> None:
    """Stop if nobody waits for the answer any more."""
    if job.is_abandoned:
        raise Refusal(504, "The time for this request is over.")


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
    table = Table(job.body, most, pause)
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


def check(table: Table, checker: Checker, pause: Callable[[], None] = lambda: None) -> None:
    """Raise the `Refusal` that names the wrong values of a table, if there are any.

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


def _arrow(parts: Iterator[tuple[pl.DataFrame, pl.DataFrame]]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ANSWER) as writer:
        for decided, marks in parts:
            value = pl.col("word").fill_null(pl.col("number").cast(pl.String))
            problem = (
                pl.when(pl.col("word").is_null())
                .then(pl.lit("outside range"))
                .otherwise(pl.lit("unseen category"))
            )
            listed = marks.group_by("row", maintain_order=True).agg(
                pl.struct("feature", problem.alias("problem"), value.alias("value")).alias("warnings")
            )
            whole = (
                decided.with_row_index("row")
                .join(listed, on="row", how="left", maintain_order="left")
                .drop("row")
            )
            writer.write_table(whole.to_arrow().cast(ANSWER))
    return bytes(sink.getvalue())


def _json(parts: Iterator[tuple[pl.DataFrame, pl.DataFrame]], scorer: Scorer) -> bytes:
    pieces: list[str] = []
    for decided, marks in parts:
        told: dict[int, list[remarks.Remark]] = {}
        for row, feature, number, word in marks.iter_rows():
            told.setdefault(row, []).append(remarks.words(scorer.ranges, feature, number, word))
        warned = {row: json.dumps(warnings) for row, warnings in told.items()}
        lines = decided.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        pieces += [
            f'{line[:-1]},"warnings":{warned.get(row, "[]")}}}' for row, line in enumerate(lines.to_list())
        ]
    return f"[{','.join(pieces)}]".encode()
