"""Many applications decided slice by slice, without a step in Python for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple

import polars as pl

from scoring.inference_log import TableRecording, event_ids
from scoring.judge import Judge
from scoring.schema import KEY, Decision
from scoring.tables import Portfolio

COLUMNS = tuple(name for name in Decision.model_fields if name != "warnings")


class DecidedSlice(NamedTuple):
    """The decisions on a slice, as `COLUMNS`, and its values unlike those of training: `remarks.marks`."""

    decisions: pl.DataFrame
    marks: pl.DataFrame


class Slices:
    """The decisions on one request of many rows: all of them are recorded, or none.

    Use it in a ``with`` block: `decide`, then `commit`. What was decided may be given when `commit` has
    returned, and leaves no trace if it did not.

    Parameters
    ----------
    judge : Judge
    model : str
        Exact tag of its scorer.
    events : str
        The first 24 digits of the ids of the events.
    record : TableRecording or None
        Where the decisions go; None if they are in the log already, or there is none.
    on_commit : callable
        Told how many loans were granted and refused, when they are in the log.
    """

    def __init__(
        self,
        judge: Judge,
        model: str,
        events: str,
        record: TableRecording | None,
        on_commit: Callable[[Counter[str]], None] = lambda _: None,
    ) -> None:
        self._judge = judge
        self._model = model
        self._events = events
        self._record = record
        self._on_commit = on_commit
        self._open = ExitStack()
        self._rows = 0
        self._counts: Counter[str] = Counter()

    def decide(
        self, portfolios: Iterable[Portfolio], pause: Callable[[], None] = lambda: None
    ) -> Iterator[DecidedSlice]:
        """Give the decisions on each portfolio; all are on the disk, not yet bound, when all are given.

        ``pause`` is called between two of them; it may let others go first, or raise.
        """
        written: Future[None] | None = None
        for portfolio in portfolios:
            clients = portfolio.applications[KEY]
            judged = self._judge.table(portfolio)
            if self._record is not None:
                if written is not None:
                    written.result()
                add = self._record.add  # beside the next slice
                written = self._writer.submit(add, clients.to_list(), judged.said, judged.inputs)
            ids = event_ids(self._events, self._rows, len(clients))
            self._rows += len(clients)
            self._counts.update(dict(judged.said["decision"].value_counts().iter_rows()))
            whole = judged.said.with_columns(
                pl.Series("event_id", ids, dtype=pl.String), clients, pl.lit(self._model).alias("model")
            )
            yield DecidedSlice(whole.select(COLUMNS), judged.marks)
            pause()
        if written is not None:
            written.result()

    def commit(self) -> None:
        """Bind what was decided into the record.

        Raises
        ------
        LogError
            If that fails: then nothing of this request is in the log.
        """
        if self._record is not None:
            self._record.commit()
        self._on_commit(self._counts)

    def __enter__(self) -> Slices:
        """Return itself."""
        if self._record is not None:
            self._open.enter_context(self._record)
        self._writer = self._open.enter_context(ThreadPoolExecutor(1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take back what was not committed."""
        self._open.__exit__(kind, error, trace)
