"""One process that answers: its model, its log, and the threads of large requests."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import bentoml
from prometheus_client import Counter, Gauge

from scoring import language
from scoring.decider import Decider
from scoring.features import READS
from scoring.hosting import models
from scoring.hosting.log import open_log
from scoring.schema import Purpose
from scoring.serving.access import KeyRing
from scoring.serving.batches import Batches
from scoring.serving.job import BulkJob, Job
from scoring.serving.life import DRAIN, at_hangup, lower_priority
from scoring.serving.problem import Rejection
from scoring.serving.settings import Settings
from scoring.serving.turns import Rest, Turns

if TYPE_CHECKING:
    from scoring.serving.large import Large
    from scoring.serving.questions import Questions
    from scoring.serving.records import RecordedDecisions

# How long a thread keeps Python's lock while others want it. An explanation is long work in Python, and a
# score asks for the lock several times: at Python's own 5 ms its p99 beside explanations is thrice as high.
TURN_S = 1e-4
LARGE = 16  # threads of large requests: more than may be large at once, for small ones with a key beside them
ASIDE = 2  # threads of questions that decide nothing

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

# A gauge that is always 1, since several processes cannot share one of prometheus' own info metrics.
ENGINE = Gauge(
    "credit_scoring_engine_info",
    "Who computes scores: native (the fast engine) or lightgbm; numpy for a linear model.",
    ["engine", "family", "model"],
    multiprocess_mode="livemax",
)
DECISIONS = Counter("credit_scoring_decisions", "Decisions, by what they say.", ["decision"])
UNDECIDED = Counter(
    "credit_scoring_undecided",
    "Applications that were scored to show, to vary or to test: they decide nothing.",
    ["purpose"],
)


REJECTED = Counter(
    "credit_scoring_rejected",
    "Requests that were rejected for a value: by key, raw column and fault; the value is not told.",
    ["client", "field", "code"],
)
COLUMN = re.compile("[A-Z][A-Z0-9_]+")
COLUMNS = frozenset(name for names in READS.values() for name in names)


def count_rejected(key: str | None, rejection: Rejection) -> None:
    """Count a request that was rejected for its values; names that no table has are counted as other."""
    named = {(COLUMN.findall(one.field) or [""])[-1]: one.code for one in rejection.errors}
    for column, code in named.items():
        REJECTED.labels(key or "", column if column in COLUMNS else "other", code).inc()


class Worker:
    """Decides, explains and records; takes up another model while it does.

    Parameters
    ----------
    settings : Settings
    tag : str
        Exact tag of the model to begin with.
    """

    def __init__(self, settings: Settings, tag: str) -> None:
        sys.setswitchinterval(TURN_S)
        self.settings = settings
        language.load()
        decider = models.load(tag)
        name = f"w{bentoml.server_context.worker_index or 0}-{uuid.uuid4().hex[:8]}"
        self.log = open_log(settings, name, tag, list(decider.scorer.categories))
        self.large = ThreadPoolExecutor(LARGE, "large", lower_priority)  # behind all others, and in turns
        self.aside = ThreadPoolExecutor(ASIDE, "aside", lower_priority)  # what is asked beside decisions
        self.turns = Turns()  # of this process, whatever model it serves
        self.rest = Rest()
        self.serve(decider)
        self.records = self.large.submit(self._records)
        lower_priority("polars-")  # who has one application decided does not need them
        DRAIN.attend(settings.drain_s)
        at_hangup(self.take_up)

    def count(self, purpose: Purpose, decision: str, number: int) -> None:
        """Count what was recorded; questions rest meanwhile."""
        self.rest.note()
        counter = DECISIONS.labels(decision) if purpose == "decision" else UNDECIDED.labels(purpose)
        counter.inc(number)

    def serve(self, decider: Decider) -> None:
        """Decide with this model from now on; what is being decided is finished by the one before."""
        scorer, tag = decider.scorer, decider.model
        log = self.log.under(tag, scorer.categories) if self.log is not None else None
        # What is loaded stays: the collector need not walk it at every turn (it made pauses of 100-300 ms).
        gc.collect()
        gc.freeze()
        gc.enable()
        self.decider = Decider(scorer, tag, log, on_decided=self.count)
        self.batches = Batches(self.decider)
        self.tables = self.large.submit(self._tables, self.decider)
        self.questions = self.aside.submit(self._questions, self.decider)
        ENGINE.labels(scorer.engine, scorer.family, tag).set(1)
        keys = len(KeyRing(self.settings.api_keys, self.settings.api_key_file))
        logger.info(
            "serving %s: %s, engine %s%s, %d features, threshold %.4f, log %s, %s",
            tag,
            scorer.family,
            scorer.engine,
            f" ({reason})" if (reason := scorer.without_native) else "",
            len(scorer.feature_names),
            scorer.threshold,
            self.settings.log or "off: NO DECISION IS RECORDED",
            f"{keys} API keys" if keys else "no API key: answering on this machine only",
        )

    def _tables(self, decider: Decider) -> Large:
        """Return what answers large requests."""
        from scoring.serving.large import Large  # here: a worker answers its first one 0.2 s sooner without

        return Large(decider, self.settings.limits.arrow_rows, self.turns)

    def _questions(self, decider: Decider) -> Questions:
        """Return what answers questions that decide nothing."""
        from scoring.serving.questions import Questions  # here: as for `_tables`

        changes, place = self.settings.changes, models.folder(decider.model)
        return Questions(decider.scorer, decider.model, changes, place, self.rest)

    def _records(self) -> RecordedDecisions | None:
        """Return what answers look-ups; None where nothing is recorded, or nothing is to be found."""
        if self.log is None or self.settings.index == "off":
            return None
        from scoring.hosting.records import records  # here, as it brings SQLAlchemy: see `_tables`

        return records(self.settings, self.log, lambda: self.decider)

    def take_up(self) -> None:
        """Load the model that the parent chose beside the one that serves, and let it serve."""
        before = self.decider
        try:
            tag = models.chosen(self.settings.model)
            if tag == before.model:
                return
            decider = models.load(tag)
        except Exception as error:
            logger.error("reload refused: %s %s goes on.", models.why(error), before.model)
        else:
            self.serve(decider)
            ENGINE.labels(before.scorer.engine, before.scorer.family, before.model).set(0)

    async def answer_at_once(self, job: Job) -> bytes | Rejection:
        """Answer a lone request without the batch."""
        return await self.batches.answer_at_once(job)

    async def answer_large(self, job: BulkJob) -> bytes | Rejection:
        """Answer a large request, beside others of its kind: they work in turns, a slice each."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.large, lambda: self.tables.result().answer(job))

    async def answer_aside(self, job: Job, question: str) -> bytes | Rejection:
        """Answer what decides nothing, beside all that does: a key of `Questions.ANSWERS`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.aside, lambda: self.questions.result().answer(job, question))

    def is_ready(self) -> bool:
        """Say whether decisions can be given: the scorer is loaded and checked, the log can be written.

        Not so while the process is about to end: whoever looks goes elsewhere.
        """
        return not DRAIN.is_on() and (self.log is None or self.log.is_healthy())

    def close(self) -> None:
        """Close the log."""
        if self.log is not None:
            self.log.close()
