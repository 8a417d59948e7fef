"""A scorer with its record: nothing is decided that is not recorded."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from scoring.decider.slices import Slices
from scoring.inference_log import Entry, InferenceLog, Together
from scoring.judge import Judge, Judged
from scoring.schema import KEY, Asked, Decision, Explanation, Purpose
from scoring.scorer import Scorer

EVENTS_KEPT = 1_000  # requests of many rows that are known to be recorded; a client asks again within seconds

DECIDED, EXPLAINED = tuple(Decision.model_fields), tuple(Explanation.model_fields)

utc_now = partial(datetime.now, UTC)

OnDecided = Callable[[Purpose, str, int], None]
"""Told what for, decision and number of what was decided and recorded."""

Answer = dict[str, Any]
"""A decision under the names of `schema.Decision` or `schema.Explanation`."""


def new_event_id() -> str:
    """Return a new id of a decision: 128 bits, so that no two ever meet."""
    return uuid.uuid4().hex


class Decided(NamedTuple):
    """The decisions on one request, with what the record must say of them; void until they are recorded."""

    decisions: list[Answer]
    entries: list[Entry]


class Decider:
    """Decides and records; threads may share it.

    Parameters
    ----------
    scorer : Scorer
    model : str
        Exact tag of the scorer, given with each decision.
    log : InferenceLog or None
        None records nothing: a pure demo, or a check of golden examples.
    clock, new_id : callable
        Where the time and the ids of decisions come from.
    on_decided : callable
        See `OnDecided`; what comes again under its Idempotency-Key is not told again.
    """

    def __init__(
        self,
        scorer: Scorer,
        model: str,
        log: InferenceLog | None = None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = new_event_id,
        on_decided: OnDecided = lambda *_: None,
    ) -> None:
        self.scorer = scorer
        self.model = model
        self.log = log
        self._judge = Judge(scorer)
        self._clock = clock
        self._new_id = new_id
        self._on_decided = on_decided
        self._together = None if log is None else Together(log, clock)
        self._recorded: OrderedDict[str, None] = OrderedDict()  # events of `slices` that are in the log

    def decide(self, request: Asked, is_explained: bool = False) -> list[Answer]:
        """Decide and record applications; return the decisions in order, once they are on the disk.

        Raises
        ------
        LogError
            If the decisions could not be recorded. They are void then.
        """
        decided = self.judge([request], is_explained)
        self.record(decided)
        return decided[0].decisions

    def judge(
        self,
        requests: Sequence[Asked],
        is_explained: bool = False,
        pause: Callable[[], None] = lambda: None,
    ) -> list[Decided]:
        """Return the decisions on each request, to be recorded before anybody is told.

        Requests are judged together: what breaks one of them breaks all. ``pause`` as in `Judge.judge`.
        """
        applications = [application for request in requests for application in request.applications]
        judged = iter(self._judge.judge(applications, is_explained, pause))
        return [
            self._decided(request, islice(judged, len(request.applications)), is_explained)
            for request in requests
        ]

    def record(self, decided: Iterable[Decided]) -> None:
        """Write decisions to the disk, with one sync for all; return when they may be given.

        Raises
        ------
        LogError
            If they could not be recorded. They are void then.
        """
        entries = [entry for one in decided for entry in one.entries]
        if self.log is not None and entries:
            self.log.record(entries, self._clock())
        self._tell(entries)

    async def record_together(self, decided: Decided) -> None:
        """Do what `record` does, on the event loop, with all who come while the disk is busy."""
        if self._together is not None:
            await self._together.record(decided.entries)
        self._tell(decided.entries)

    def slices(
        self, events: str, request_id: str, operator: str | None = None, purpose: Purpose = "decision"
    ) -> Slices:
        """Begin to decide one request of many rows, to be used in a ``with`` block: see `Slices`.

        Parameters
        ----------
        events : str
            The first 24 digits of the ids of its events. What is recorded already under them is decided once
            more, and not recorded again: a client that lost its answer may ask for the same one.
        request_id, operator, purpose
            As in `Asked`.
        """
        if events in self._recorded:
            return Slices(self._judge, self.model, events, None)
        log = self.log
        record = log.table(events, request_id, operator, self._clock(), purpose) if log is not None else None
        return Slices(self._judge, self.model, events, record, partial(self._remember, events, purpose))

    def _tell(self, entries: Iterable[Entry]) -> None:
        for (purpose, decision), count in Counter((one.purpose, one.decision) for one in entries).items():
            self._on_decided(purpose, decision, count)

    def _remember(self, events: str, purpose: Purpose, counts: Counter[str]) -> None:
        for decision, count in counts.items():
            self._on_decided(purpose, decision, count)
        self._recorded[events] = None
        if len(self._recorded) > EVENTS_KEPT:
            self._recorded.popitem(last=False)

    def _decided(self, request: Asked, judged: Iterable[Judged], is_explained: bool) -> Decided:
        names = EXPLAINED if is_explained else DECIDED
        decisions: list[Answer] = []
        entries: list[Entry] = []
        for application, verdict in zip(request.applications, judged, strict=True):
            event, number, said = self._new_id(), application.SK_ID_CURR, verdict.said
            said |= {"event_id": event, KEY: number, "model": self.model}
            decisions.append({name: said[name] for name in names})
            entries.append(
                Entry(
                    event_id=event,
                    applicant=number,
                    request_id=request.request_id,
                    probability_of_default=said["probability_of_default"],
                    threshold=said["threshold"],
                    decision=said["decision"],
                    features=verdict.inputs,
                    operator=request.operator,
                    purpose=request.purpose,
                    reasons=tuple(reason.feature for reason in said["reasons"]) if is_explained else None,
                    review=tuple(said["review_reasons"]),
                )
            )
        return Decided(decisions, entries)
