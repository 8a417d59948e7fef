"""Recorded decisions for those who may ask: found, explained, reviewed, with outcomes; looks are recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from scoring import decisions
from scoring.decisions import CursorError, Filter, Found, Index, IndexFault, LateError, MissingError
from scoring.explanation import explain
from scoring.inference_log import ErasedError, InferenceLog, at
from scoring.problems import Fault
from scoring.replay import ReplayError, compare, inputs_of
from scoring.schema import (
    FoundDecision,
    LoadedOutcomes,
    ObservedOutcome,
    OutcomesRequest,
    Recomputed,
    RecordedDecision,
    RecordedPage,
    Review,
    ReviewRequest,
    fault_at,
)
from scoring.scorer import Scorer, ScorerError
from scoring.serving.asgi import Asker
from scoring.serving.problem import Rejection
from scoring.store import StoreError

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

T = TypeVar("T")


class LookUp(NamedTuple):
    """What a list is asked for: which decisions, how many, from where on, and the number of one client."""

    wanted: Filter
    limit: int
    cursor: str | None = None
    client: int | None = None


class RecordedDecisions:
    """Answers from the record, for one worker; threads may share it.

    Parameters
    ----------
    index : Index
    log : InferenceLog
        Where looks and reviews are recorded.
    folder : Path
        The log's.
    scorer_of : callable
        Gives the scorer of an exact tag, or raises the `ScorerError` or `StoreError` that says why not.
    clock : callable
        Gives the time.
    on_look : callable
        Told of each look: ``one`` or ``page``.
    on_review : callable
        Told verdict and decision of each review.
    """

    def __init__(
        self,
        index: Index,
        log: InferenceLog,
        folder: Path,
        scorer_of: Callable[[str], Scorer],
        clock: Callable[[], datetime],
        *,
        on_look: Callable[[str], None] = lambda _: None,
        on_review: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self.index = index
        self.log = log
        self.folder = folder
        self._scorer_of = scorer_of
        self._clock = clock
        self._on_look = on_look
        self._on_review = on_review

    def one(self, event_id: str, asker: Asker) -> bytes:
        """Return a decision with its explanation, made again by the model that decided, as JSON.

        Raises
        ------
        Rejection
            404 of an unknown event, 503 if the index cannot be asked.
        LogError
            If the look cannot be recorded: then nobody sees it.
        """
        found = self._asked(lambda: decisions.by_event(self.index, event_id, self._clock()))
        answer = None
        with suppress(ErasedError):  # the index has not followed yet, and the look must not name the person
            answer = self._found(found) if found is not None else None
        applicant = found.applicant if found is not None and answer is not None else None
        self._look(asker, {"event_id": event_id, "applicant": applicant})
        if answer is None:
            raise Rejection("no-such-decision")
        return answer.model_dump_json().encode()

    def page(self, asked: LookUp, asker: Asker) -> bytes:
        """Return a page of decisions as JSON; raises as `one`, and 422 for a cursor of another index."""
        wanted, now = asked.wanted, self._clock()
        if asked.client is not None:
            wanted = Filter(**{**vars(wanted), "applicant": self.log.pseudonym(asked.client)})
        found = self._asked(lambda: decisions.page(self.index, wanted, asked.limit, now, asked.cursor))
        said = {name: _plain(value) for name, value in vars(wanted).items() if value is not None}
        self._look(asker, {"filter": said, "events": [one.event_id for one in found.found]})
        rows = [RecordedDecision(**_said(one)) for one in found.found]
        return RecordedPage(decisions=rows, next=found.after, as_of=found.as_of).model_dump_json().encode()

    def review(self, event_id: str, request: ReviewRequest, asker: Asker) -> bytes:
        """Record a person's decision and return it as JSON; raises as `one`, and 409 if it cannot be."""

        def note(about: Mapping[str, Any], now: datetime) -> None:
            self.log.note("review", {**about, "request_id": asker.request_id}, now)

        def review() -> tuple[Found, dict[str, Any]] | None:
            said, who = request.reason, asker.operator
            return decisions.review(
                self.index,
                note,
                event_id,
                verdict=request.verdict,
                reason=said,
                operator=who,
                now=self._clock,
            )

        try:
            done = self._asked(review)
        except decisions.ReviewError as error:
            raise Rejection(error.kind, error.params) from None
        if done is None:
            raise Rejection("no-such-decision")
        self._on_review(done[1]["verdict"], done[1]["decision"])
        return Review(**done[1]).model_dump_json().encode()

    def outcomes(self, request: OutcomesRequest, asker: Asker) -> bytes:
        """Record how loans ended and return what became of each outcome, as JSON; raises as `page`."""

        def note(abouts: Sequence[Mapping[str, Any]], now: datetime) -> None:
            whose = {"request_id": asker.request_id}
            self.log.notes("outcome", [{**about, **whose} for about in abouts], now)

        given = [
            decisions.Outcome(
                place,
                bool(one.defaulted),
                one.observed_on,
                one.event_id,
                self.log.pseudonym(one.SK_ID_CURR) if one.SK_ID_CURR is not None else None,
                one.decided_on,
            )
            for place, one in enumerate(request.outcomes)
        ]
        done = self._asked(lambda: decisions.load(self.index, note, given, asker.operator, self._clock))
        left_out = [fault_at(one.place, one.field, one.fault) for one in done.left_out]
        counts = {name: getattr(done, name) for name in ("recorded", "corrected", "repeated")}
        return LoadedOutcomes(**counts, left_out=left_out).model_dump_json().encode()

    def _asked(self, ask: Callable[[], T]) -> T:
        """Ask the index; if it cannot be asked, say so."""
        try:
            return ask()
        except CursorError:
            fault = fault_at(None, "cursor", Fault("other_cursor"))
            raise Rejection("wrong-parameters", {"n": 1}, [fault]) from None
        except IndexFault as error:
            logger.warning("look-ups wait, decisions go on: %s", error)
            kind = "index-late" if isinstance(error, LateError | MissingError) else "index-down"
            raise Rejection(kind, retry_after_s=5) from None

    def _look(self, asker: Asker, at_what: Mapping[str, Any]) -> None:
        about = {"operator": asker.operator, "request_id": asker.request_id, **at_what}
        self.log.note("look-up", about, self._clock())
        self._on_look("one" if "event_id" in at_what else "page")

    def _found(self, found: Found) -> FoundDecision:
        try:
            record = at(self.folder, found.file, found.start, found.row)
            if record["event_id"] != found.event_id:
                raise ValueError("another record stands in its place")
        except ErasedError:
            raise
        except ValueError as error:
            if found.instance != self.index.instance:  # which has a disk of its own
                raise Rejection(
                    "record-elsewhere", {"instance": found.instance or "without a name"}
                ) from None
            logger.error("event %s is indexed, and its record is not in the log: %s", found.event_id, error)
            raise Rejection("record-harmed") from None
        explanation, differences, why = self._explained(record)
        audit, inputs = record["audit"], record["inputs"]
        return FoundDecision(
            **_said(found),
            request_id=audit["request_id"],
            numbers=inputs["numbers"],
            categories=inputs["categories"],
            reasons_given=audit["reasons"],
            reviewed=Review(event_id=found.event_id, **found.reviewed) if found.reviewed else None,
            outcomes=[ObservedOutcome(**one) for one in found.outcomes],
            explanation=explanation,
            differences=differences,
            unexplained=why,
        )

    def _explained(self, record: Mapping[str, Any]) -> tuple[Recomputed | None, list[str], str | None]:
        """Return the explanation, what differs from the record, and why there is none."""
        try:
            scorer = self._scorer_of(record["model"])
            table = inputs_of(record, scorer)
        except (ScorerError, StoreError, ReplayError) as error:
            return None, [], str(error)
        explanation = explain(scorer, table)[0]
        again = compare(record, scorer, table, explanation)
        default = again.again["probability_of_default"]
        return Recomputed(probability_of_default=default, **explanation), list(again.differences), None


def _said(found: Found) -> dict[str, Any]:
    return {name: getattr(found, name) for name in RecordedDecision.model_fields}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
