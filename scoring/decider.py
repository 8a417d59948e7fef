"""From applications to recorded decisions: the one path that every door of the service leads to."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from time import sleep
from typing import Any

import numpy as np
import polars as pl

from scoring import features, tables
from scoring.explanation import explain, explained
from scoring.inference_log import Entry, InferenceLog, LogError, Together, strict_json
from scoring.schema import ApplicationRequest, Request
from scoring.scorer import Scorer, ScorerError
from scoring.scorer.single import Single, Value
from scoring.serving.job import Job
from scoring.serving.problem import Refusal, refusal_of

ONE_BY_ONE = 128  # applications; from here on a table of them is made faster than each alone
WARM = 3  # golden examples that are answered to compile what is compiled at the first use
LOOKS = 16  # of the event loop between two decisions: it takes one new connection a look, in 2 microseconds
GIVE_WAY_MS = 8  # before each half of an explanation; it takes 2 ms itself
TOLERANCE = 1e-9  # of a golden probability: another processor may round the last bits of a sum differently

utc_now = partial(datetime.now, UTC)

Answer = dict[str, Any]  # a decision under the names of `schema.Decision` or `schema.Explanation`
Judged = tuple[dict[str, Any], dict[str, Any], Mapping[str, Value]]
"""What was decided, what is said besides, and what the model read."""


def new_event_id() -> str:
    """Return a new id of a decision: 128 bits, so that no two ever meet."""
    return uuid.uuid4().hex


class Decider:
    """A scorer with its log: nothing is decided that is not recorded.

    Parameters
    ----------
    scorer : Scorer
    model : str
        Exact tag of the scorer, given with each decision.
    log : InferenceLog or None
        None records nothing: a pure demo, or a check of golden examples.
    clock, new_id : callable
        Where the time and the ids of decisions come from.
    """

    def __init__(
        self,
        scorer: Scorer,
        model: str,
        log: InferenceLog | None = None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = new_event_id,
    ) -> None:
        self.scorer = scorer
        self.model = model
        self._single = Single(scorer)
        self._clock = clock
        self._new_id = new_id
        self.log = log
        self._turn = asyncio.Lock()
        self._at_once = 0
        self._together = None if log is None else Together(log, clock)

    def decide(
        self,
        applications: Sequence[Request | ApplicationRequest],
        request_ids: Sequence[str],
        is_explained: bool = False,
        operators: Sequence[str | None] = (),
    ) -> list[Answer]:
        """Score, decide and record applications; return the decisions in order, once they are on the disk.

        ``request_ids`` has one id per application: a batch merges requests. So have ``operators``, the names
        of the API keys that asked, if there are any. A decision has the keys of `schema.Decision`, or of
        `schema.Explanation`.

        Raises
        ------
        LogError
            If the decisions could not be recorded. They are void then.
        """
        decisions, entries = self._judge(applications, request_ids, is_explained, operators)
        if self.log is not None:  # the last step: what fails before it has left no trace
            self.log.record(entries, self._clock())
        return decisions

    def answer(self, jobs: Sequence[Job], is_explained: bool = False) -> list[bytes | Refusal]:
        """Answer requests that passed the door: to each its decisions as JSON, or the refusal of all of it.

        Whatever fails, fails the request that it came with and no other; nothing is raised.
        """
        waiting = [job for job in jobs if not job.is_abandoned]
        # A batch of explanations would keep the log, and those whose scores it must hold, for all of it.
        groups = [[job] for job in waiting] if is_explained else [waiting] * bool(waiting)
        answers: dict[int, bytes | Refusal] = {}
        for group in groups:
            answers |= self._answers(group, is_explained)
        gone = Refusal(504, "The time for this request is over.")
        return [answers.get(id(job), gone) for job in jobs]

    async def answer_at_once(self, job: Job) -> bytes | Refusal:
        """Answer a small request here and now, on the event loop; only the disk is waited for elsewhere."""
        self._at_once += 1
        try:
            size = len(job.applications)
            ids, operators = [job.request_id] * size, [job.operator] * size
            async with self._turn:
                decisions, entries = self._judge(job.applications, ids, False, operators)
                for _ in range(LOOKS):
                    await asyncio.sleep(0)
            if self._together is not None:
                await self._together.record(entries)
            return _json(decisions)
        except Exception as error:
            return refusal_of(error)
        finally:
            self._at_once -= 1

    def _answers(self, jobs: Sequence[Job], is_explained: bool) -> dict[int, bytes | Refusal]:
        try:
            applications = [application for job in jobs for application in job.applications]
            request_ids = [job.request_id for job in jobs for _ in job.applications]
            operators = [job.operator for job in jobs for _ in job.applications]
            decisions, entries = self._judge(applications, request_ids, is_explained, operators)
            decided, recorded = iter(decisions), iter(entries)
            # Each before the log is asked, for what nobody waits for any more must not be in it.
            answers: dict[int, bytes | Refusal] = {
                id(job): _json(islice(decided, len(job.applications))) for job in jobs
            }
            kept: list[Entry] = []
            for job in jobs:
                its = list(islice(recorded, len(job.applications)))
                if job.is_abandoned:
                    del answers[id(job)]
                else:
                    kept += its
            if self.log is not None and kept:
                self.log.record(kept, self._clock())
            return answers
        except Exception as error:
            if len(jobs) > 1 and not isinstance(error, LogError):
                return {
                    key: value for job in jobs for key, value in self._answers([job], is_explained).items()
                }
            return {id(job): refusal_of(error) for job in jobs}

    def warm(self, examples: Sequence[Mapping[str, Any]]) -> None:
        """Answer a few golden examples in each way, so that no client waits; nothing is recorded.

        Raises
        ------
        ScorerError
            If that fails.
        """
        bare = Decider(self.scorer, self.model)
        requests = [_request(number, example) for number, example in enumerate(examples[:WARM], start=1)]
        for is_explained in (False, True):
            (answer,) = bare.answer([Job("warm-up", list(requests))], is_explained)
            if isinstance(answer, Refusal):
                raise ScorerError("the model cannot answer its own golden examples; see the lines above.")

    def check(self, examples: Sequence[Mapping[str, Any]]) -> None:
        """Prove that this code decides as training did; `scorer.read_examples` gives the golden examples.

        Raises
        ------
        ScorerError
            If the scorer reads other features than this code makes, has no example, or at the first example
            that is refused or decided otherwise.
        """
        self.scorer.check_features(features.names(self.scorer.policy))
        if not examples:
            raise ScorerError("the scorer has no golden example to show that it decides as in training.")
        requests = [_request(number, example) for number, example in enumerate(examples, start=1)]
        _, decided = self._score(requests)
        for number, (example, now) in enumerate(zip(examples, decided, strict=True), start=1):
            expected, found = example["probability_of_default"], now["probability_of_default"]
            if not abs(found - expected) <= TOLERANCE or now["decision"] != example["decision"]:
                raise ScorerError(
                    f"golden example {number}: training gave {expected!r}, {example['decision']}; here it is "
                    f"{found!r}, {now['decision']}. Train again, or install the pinned versions."
                )

    def _judge(
        self,
        applications: Sequence[Request | ApplicationRequest],
        request_ids: Sequence[str],
        is_explained: bool,
        operators: Sequence[str | None],
    ) -> tuple[list[Answer], list[Entry]]:
        """Return the decisions, and what the log must say of them."""
        judge = self._judge_each if len(applications) <= ONE_BY_ONE else self._judge_table
        judged = judge(applications, is_explained)
        decisions: list[Answer] = []
        entries: list[Entry] = []
        askers = operators or [None] * len(applications)
        for application, request_id, operator, (decided, rest, inputs) in zip(
            applications, request_ids, askers, judged, strict=True
        ):
            event, number = self._new_id(), application.SK_ID_CURR
            decisions.append(
                {"event_id": event, "SK_ID_CURR": number, **decided, "model": self.model, **rest}
            )
            entries.append(
                Entry(
                    event_id=event,
                    applicant=number,
                    request_id=request_id,
                    probability_of_default=decided["probability_of_default"],
                    threshold=decided["threshold"],
                    decision=decided["decision"],
                    features=inputs,
                    operator=operator,
                    reasons=tuple(reason.feature for reason in rest["reasons"]) if is_explained else None,
                )
            )
        return decisions, entries

    def _judge_each(
        self, applications: Sequence[Request | ApplicationRequest], is_explained: bool
    ) -> list[Judged]:
        judged: list[Judged] = []
        for application in applications:
            if is_explained:
                self._give_way()
            row, remarks, values = self._single.read(features.one(*tables.parts(application, features.READS)))
            rest: dict[str, Any] = {"warnings": remarks}
            if is_explained:
                matrix, base = self.scorer.apportion(row[np.newaxis])
                self._give_way()
                (explanation,) = explained(self.scorer, [values], matrix, base)
                rest |= explanation
            judged.append((self._single.decide(row), rest, values))
        return judged

    def _give_way(self) -> None:
        """Let those pass who are decided at once, as an explanation may wait, but not for ever."""
        for _ in range(GIVE_WAY_MS):
            if not self._at_once:
                break
            sleep(1e-3)

    def _judge_table(
        self, applications: Sequence[Request | ApplicationRequest], is_explained: bool
    ) -> list[Judged]:
        table, decided = self._score(applications)
        rests: list[dict[str, Any]] = [{"warnings": remarks} for remarks in self.scorer.warnings(table)]
        if is_explained:
            for rest, explanation in zip(rests, explain(self.scorer, table), strict=True):
                rest |= explanation
        inputs = table.select(self.scorer.feature_names).iter_rows(named=True)
        return list(zip(decided, rests, inputs, strict=True))

    def _score(
        self, applications: Sequence[Request | ApplicationRequest]
    ) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
        """Return the features and what the scorer says of them."""
        table = features.build(tables.from_requests(applications, columns=features.READS))
        return table, self.scorer.decide(table).to_dicts()


def _request(number: int, example: Mapping[str, Any]) -> ApplicationRequest:
    """Read the request of a golden example as the door reads a request: from JSON."""
    try:
        return ApplicationRequest.model_validate_json(json.dumps(example["request"]))
    except ValueError as error:  # pydantic's, which must not quote a value
        raise ScorerError(f"golden example {number} is no valid request any more; train again.") from error


def _json(decisions: Iterable[Answer]) -> bytes:
    """Write decisions one by one: a table of explanations in one go would stop all other threads."""
    return b"[%b]" % b",".join(map(strict_json, decisions))
