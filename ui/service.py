"""What the page asks of the service, and the sentence it says when there is no answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass
from functools import cache
from threading import Thread
from typing import Any, Literal, TypeVar

import polars as pl

from scoring import features
from scoring.client import Client, ServiceError
from scoring.decision import Points
from scoring.problems import type_of
from scoring.schema import (
    Counterfactual,
    Curve,
    Explanation,
    FieldError,
    FoundDecision,
    MonitorView,
    OwnerView,
    Placement,
    Purpose,
    RecordedDecision,
    RecordedPage,
    Review,
)
from ui import form
from ui.people import AT_THE_MACHINE, Person
from ui.words import say

Answer = TypeVar("Answer")

PATIENCE_S = 4.5  # within five seconds an officer reads something, whatever the wire does
ATTEMPTS = 2
REPLAY_PATIENCE_S = 15.0  # an older model is loaded first
SETTLE_S = 2.0  # the service finds a decision within a second of taking it; who follows its link is faster
SETTLE_PAUSE_S = 0.2
BULK_PATIENCE_S = 60.0  # for a part of a file: its progress is seen, and it can be cancelled
SENTENCES = {
    "down": "service_down",
    "busy": "service_busy",
    "refused": "service_refuses",
    "failed": "service_fails",
    "unlike": "service_unlike",
}

NO_DECISION = "no-such-decision"
OF_KIND = {
    "unrecorded": "service_unrecorded",
    "operator-not-taken": "service_key",
    "operator-is-a-key": "service_name",
    "no-role": "service_key",
    "no-valid-key": "service_key",
    NO_DECISION: "no_decision",
}
"""Problems with a sentence of their own: that an administrator has to mend, or that are no fault at all."""


@dataclass(frozen=True)
class ServedModel:
    """What the service says of the model that decides, as `GET /model` gives it."""

    facts: Mapping[str, Any]

    @property
    def tag(self) -> str:
        """Exact tag."""
        return str(self.facts["model"])

    @property
    def points(self) -> Points:
        """The scale of the score."""
        return Points(**self.facts["points"])

    @property
    def reads(self) -> frozenset[str]:
        """The raw columns that decide something: sources of the features that weigh anything."""
        weighty = [item["name"] for item in self.facts["features"] if item.get("importance", 1)]
        return frozenset(column for name in weighty for column in _sources(name))

    @property
    def compared(self) -> list[Mapping[str, Any]]:
        """The facts that weigh something and that an application may be compared by."""
        return [item for item in self.facts["features"] if item.get("compared") and item.get("importance", 1)]

    @property
    def drawn(self) -> list[Mapping[str, Any]]:
        """The facts of which there is a curve."""
        return [item for item in self.facts["features"] if item.get("drawn")]

    @property
    def among(self) -> list[str]:
        """The groups among which an application may be compared; none of an older service."""
        return list(self.facts.get("among", ()))

    def feature(self, name: str) -> Mapping[str, Any]:
        """Return the description of a feature: its words, unit, group; empty for an unknown name."""
        return next((item for item in self.facts["features"] if item["name"] == name), {})


@cache
def _sources(feature: str) -> frozenset[str]:
    """Return the raw columns of a feature; of a newer model's, that is unknown here, none."""
    return features.sources(feature) if feature in features.FEATURE_BY_NAME else frozenset()


class Service:
    """The service that decides; holds no answer and no application.

    Parameters
    ----------
    api : str
        Its address.
    api_key : str, optional
        Sent with every request, where the service asks for one.
    patience_s : float
        Longest wait for one answer, all attempts together.

    Raises
    ------
    ServiceError
        By every method, if there is no answer; `sentence` puts it into words.
    """

    def __init__(self, api: str, api_key: str | None = None, patience_s: float = PATIENCE_S) -> None:
        self.api = api
        self._patience_s = patience_s
        self._client = Client(
            api, timeout_s=patience_s, attempts=ATTEMPTS, api_key=api_key, patience_s=patience_s
        )
        self._bulk = Client(api, timeout_s=BULK_PATIENCE_S, api_key=api_key, patience_s=BULK_PATIENCE_S)
        self._seen: dict[str, ServedModel] = {}  # the model that answered last, for whoever asks
        self._person = AT_THE_MACHINE

    def asked_by(self, person: Person) -> Service:
        """Return this service as one person asks it: the record has the name. It shares the connections."""
        other = copy(self)
        other._person = person
        return other

    def explain(self, application: Mapping[str, Any], purpose: Purpose) -> Explanation:
        """Return the decision on one application, explained; only for the purpose ``decision`` it is one."""
        self._meet()
        return self._in_time(lambda: self._asking(purpose).explain([application])[0])

    def score_table(self, table: pl.DataFrame, purpose: Purpose = "decision") -> pl.DataFrame:
        """Return an answer for each row of a table, in order; only for ``decision`` they are decisions."""
        self._meet()
        bulk = self._bulk.asking(self._person.purpose(purpose), self._person.name or None)
        return self._in_time(lambda: bulk.score_table(table, uuid.uuid4().hex), BULK_PATIENCE_S)

    def model(self, tag: str | None = None) -> ServedModel:
        """Return the model in service; with the tag of a decision, asked again only when it changed."""
        if self.known is None or tag is None or self.known.tag != tag:
            self._seen["model"] = ServedModel(self._in_time(self._client.like_model))
        return self._seen["model"]

    def ways(self, application: Mapping[str, Any]) -> Counterfactual:
        """Return what would turn a refusal; nothing is decided or recorded by asking."""
        return self._in_time(lambda: self._asking().counterfactual([application])[0])

    def compare(
        self, application: Mapping[str, Any], fact: str, among: str, beside: str | None = None
    ) -> Placement:
        """Return where an application stands in a group; nobody of it is shown."""
        return self._in_time(lambda: self._asking().compare([application], fact, among, beside)[0])

    def curve(self, application: Mapping[str, Any], fact: str) -> Curve:
        """Return what one fact does for an application, all else equal."""
        return self._in_time(lambda: self._asking().curve([application], fact)[0])

    def owner(self) -> OwnerView:
        """Return the model as its owner weighs it; needs the role ``owner`` where keys are."""
        return self._in_time(self._asking().owner)

    def monitor(self) -> MonitorView:
        """Return the monitor's newest report; needs the role ``owner`` where keys are."""
        return self._in_time(self._asking().monitor)

    def decisions(self, limit: int, cursor: str | None = None, **wanted: Any) -> RecordedPage:
        """Look recorded decisions up, the newest first."""
        return self._in_time(lambda: self._asking().decisions(limit, cursor, **wanted))

    def last_decision(self, client: int) -> Callable[[], RecordedDecision | None]:
        """Begin to look up what was decided last on a client; return what waits for it."""
        asking = self._asking()
        waiting = self._begin(lambda: asking.decisions(1, client=client, purpose="decision").decisions)

        def found() -> RecordedDecision | None:
            decisions = self._wait(waiting)
            return decisions[0] if decisions else None

        return found

    def decision(self, event_id: str) -> FoundDecision:
        """Look one recorded decision up, explained again by the model that decided."""
        return self._in_time(lambda: self._settled(event_id), REPLAY_PATIENCE_S)

    def _settled(self, event_id: str) -> FoundDecision:
        """Look a decision up, again where it is unknown: the index of the record follows a little later."""
        until = time.monotonic() + SETTLE_S
        while True:
            try:
                return self._asking().decision(event_id)
            except ServiceError as error:
                if not _is_of(error, NO_DECISION) or time.monotonic() > until:
                    raise
            time.sleep(SETTLE_PAUSE_S)

    def review(self, event_id: str, verdict: Literal["confirmed", "otherwise"], reason: str) -> Review:
        """Confirm a recorded decision, or decide otherwise, on the record."""
        return self._in_time(lambda: self._asking().review(event_id, verdict, reason))

    @property
    def known(self) -> ServedModel | None:
        """The model that answered last; None before the first answer."""
        return self._seen.get("model")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._bulk.close()

    def _meet(self) -> None:
        """Know the model before anything is decided: it may read columns that this page does not know."""
        if self.known is None:
            self.model()

    def _asking(self, purpose: Purpose | None = None) -> Client:
        """Return the client as the person asks: a tester for nothing but tests, everyone under the name."""
        stated = "decision" if purpose is None else self._person.purpose(purpose)
        return self._client.asking(stated, self._person.name or None)

    def _in_time(self, ask: Callable[[], Answer], patience_s: float | None = None) -> Answer:
        """Ask, but not for longer than an officer waits: an answer that drips has no time-out of its own."""
        return self._wait(self._begin(ask), patience_s)

    def _begin(self, ask: Callable[[], Answer]) -> Future[Answer]:
        future: Future[Answer] = Future()

        def work() -> None:
            try:
                future.set_result(ask())
            except Exception as error:  # raised again where it is waited for
                future.set_exception(error)

        Thread(target=work, daemon=True).start()
        return future

    def _wait(self, future: Future[Answer], patience_s: float | None = None) -> Answer:
        try:
            return future.result(patience_s or self._patience_s)
        except TimeoutError:
            raise ServiceError("down", self.api) from None


def sentence(error: ServiceError, api: str, lang: str) -> str:
    """Return what an officer reads when the service gives no decision."""
    for kind, text in OF_KIND.items():
        if _is_of(error, kind):
            return say(text, lang)
    return say(SENTENCES[error.kind], lang, api=api)


def _is_of(error: ServiceError, kind: str) -> bool:
    """Say whether the service answered with a kind of problem."""
    return error.problem is not None and error.problem.type == type_of(kind)


def details(error: ServiceError, lang: str) -> list[tuple[str, str]]:
    """Return the fields that the service refused, each with what is wrong with it."""
    faults = error.problem.errors if error.problem and error.kind == "refused" else []
    return [(fault.field, _fault(fault, lang)) for fault in faults]


def _fault(fault: FieldError, lang: str) -> str:
    """Put a fault into the words that the page has for its own."""
    column = form.fields().get(fault.field)
    fact = form.label(column, lang) if column else fault.field
    return say("fault", lang, fact=fact, sentence=fault.say(lang))
