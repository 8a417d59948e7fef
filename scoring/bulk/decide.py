"""From a checked stream to recorded decisions: slice by slice, without a step in Python for each row."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from scoring import features, unseen
from scoring.bulk.check import DECODER, Checker, as_request
from scoring.bulk.stream import Table
from scoring.door import ERRORS_NAMED, ArrowJob, Refusal, errors_of, faulty
from scoring.inference_log import Entry, InferenceLog, LogError
from scoring.schema import FieldError
from scoring.scorer import Scorer

logger = logging.getLogger(__name__)

RECORDS = 500  # written to the log at a time: as text they take four times the memory of the table
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


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class Bulk:
    """Decides tables as `Decider` decides applications: the same features, scorer and log.

    One call at a time.

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
    """

    def __init__(
        self,
        scorer: Scorer,
        model: str,
        log: InferenceLog | None,
        rows: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.scorer = scorer
        self.model = model
        self.log = log
        self.rows = rows
        self._clock = clock
        self._recorded: OrderedDict[str, int] = OrderedDict()  # stem of the events -> rows in the log

    def answer(self, job: ArrowJob) -> bytes | Refusal:
        """Answer a request: its decisions in order, or the refusal of all of it; nothing is raised."""
        if job.is_abandoned:
            return Refusal(504, "The time for this request is over.")
        try:
            table = Table(job.body, self.rows)
            checker = Checker(table.schema)
            check(table, checker)
            parts = self._decide(table, checker, job)
            return _json(parts, self.scorer) if job.is_json else _arrow(parts)
        except Refusal as refusal:
            return refusal
        except LogError as error:
            logger.error("nothing is decided: %s", error)
            return Refusal(503, "Decisions cannot be recorded now, so none are given.", retry_after_s=5)
        except Exception as error:
            # A fault of ours. Its message could quote an applicant, so only its kind and place are said.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
            return Refusal(500, "The service failed on this request; its log says where.")

    def _decide(
        self, table: Table, checker: Checker, job: ArrowJob
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Give decisions and marks of unseen values, slice by slice; what is given is on the disk."""
        stem, start = self._stem(job), 0
        for part in table.slices():
            inputs = features.build(checker.portfolio(part))
            decided = pl.DataFrame(
                {
                    # 96 bits of the request and 32 of the row: unique, and made without a step per row
                    "event_id": [f"{stem}{row:08x}" for row in range(start, start + part.height)],
                    "SK_ID_CURR": part["SK_ID_CURR"].cast(pl.Int64),
                }
            ).hstack(self.scorer.decide(inputs).with_columns(model=pl.lit(self.model)))
            marks = unseen.marks(self.scorer.model.encoding, self.scorer.ranges, inputs)
            self._record(stem, start, decided, inputs, job)
            start += part.height
            yield decided, marks

    def _stem(self, job: ArrowJob) -> str:
        """Return the first 24 digits of the ids of a request's decisions.

        With a key they are the same when the same body comes again, for the same model: a client whose
        answer was lost can ask again, and no decision is twice in the log.
        """
        if not job.key:
            return secrets.token_hex(12)
        digest = hashlib.blake2b(job.body, digest_size=12, key=hashlib.sha256(job.key.encode()).digest())
        digest.update(self.model.encode())
        return digest.hexdigest()

    def _record(
        self, stem: str, start: int, decided: pl.DataFrame, inputs: pl.DataFrame, job: ArrowJob
    ) -> None:
        """Write decisions to the log, but for those that an earlier request of the same stem wrote."""
        if self.log is None:
            return
        read = inputs.select(self.scorer.feature_names)
        told = decided.select("event_id", "SK_ID_CURR", "probability_of_default", "threshold", "decision")
        begin = max(0, self._recorded.get(stem, 0) - start)
        for first in range(begin, decided.height, RECORDS):
            rows = told.slice(first, RECORDS).iter_rows()
            facts = read.slice(first, RECORDS).iter_rows(named=True)
            entries = (
                Entry(event, client, job.request_id, p, threshold, decision, row, job.operator)
                for (event, client, p, threshold, decision), row in zip(rows, facts, strict=True)
            )
            self.log.record(entries, self._clock())
            self._recorded[stem] = start + min(first + RECORDS, decided.height)
            self._recorded.move_to_end(stem)
            if len(self._recorded) > KEYS_KEPT:
                self._recorded.popitem(last=False)


def check(table: Table, checker: Checker) -> None:
    """Raise the `Refusal` that names the wrong values of a table, if there are any."""
    errors: list[FieldError] = []
    count = start = 0
    for part in table.slices():
        found = checker.faults(part)
        count += found.height
        for row in found["row"].unique(maintain_order=True).head(ERRORS_NAMED - len(errors)).to_list():
            columns = found.filter(pl.col("row") == row)["column"].to_list()
            errors += explain(part.row(row, named=True), columns, start + row)
        start += part.height
    if count:
        raise faulty(count, errors)


def explain(row: dict[str, object], columns: list[str], position: int) -> list[FieldError]:
    """Return what is wrong with some columns of a row, in the words of the JSON door."""
    named = errors_of(as_request(row), position, DECODER)
    said = {fault.field.removeprefix("history_features."): fault.detail for fault in named}
    return [
        FieldError(row=position, field=name, detail=said.get(name, "Input should be a finite number or null"))
        for name in columns
    ]


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
        remarks: dict[int, list[unseen.Remark]] = {}
        for row, feature, number, word in marks.iter_rows():
            remarks.setdefault(row, []).append(unseen.words(scorer.ranges, feature, number, word))
        lines = decided.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        pieces += [
            f'{line[:-1]},"warnings":{json.dumps(remarks.get(row, []))}}}' for row, line in enumerate(lines)
        ]
    return f"[{','.join(pieces)}]".encode()
