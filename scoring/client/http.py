"""The HTTP client: typed answers, in order, and an error that is a sentence."""

from __future__ import annotations

import io
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from datetime import date, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
import polars as pl
import pyarrow as pa

from scoring.client.errors import Refused, ServiceError, error_of
from scoring.schema import (
    Counterfactual,
    Curve,
    Decision,
    Explanation,
    FieldError,
    FoundDecision,
    LoadedOutcomes,
    MonitorView,
    OwnerView,
    Placement,
    Problem,
    Purpose,
    RecordedPage,
    Review,
    extension,
)
from scoring.serving.media import ARROW

URL = "http://127.0.0.1:3000"
CHUNK = 250  # applications a request: a few megabytes with their histories
LONGEST_WAIT_S = 30.0  # for a busy service, whatever it asks for

Wanted = str | int | datetime | None
Answer = TypeVar("Answer", Decision, Explanation, Counterfactual, Placement, Curve)


class Client:
    """Speaks to one service.

    Parameters
    ----------
    url : str
        Where it is served.
    timeout_s : float
        Longest wait for an answer; above the service's own limit of 60 s, so that it speaks first.
    attempts : int
        How often a busy service (429, 503) is asked before that is an error.
    sleep : callable
        Waits for seconds.
    api_key : str, optional
        For a service that asks for one.
    patience_s : float
        Longest time for one request with all its attempts: a busy service that wants to be asked again after
        that is an error at once, as nobody would wait for what it then decides.
    purpose : {"decision", "preview", "what-if", "test"}
        What the answers of `score`, `explain` and the like are for; only a decision decides.
    operator : str, optional
        User name of the person who asks: needs a key with the role ``frontend``.

    Raises
    ------
    ServiceError
        By every method, if the service gives no answer or refuses.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        timeout_s: float = 90.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
        api_key: str | None = None,
        patience_s: float = math.inf,
        purpose: Purpose = "decision",
        operator: str | None = None,
    ) -> None:
        self._patience_s = patience_s
        self.url = url.rstrip("/")
        self.attempts = attempts
        self._sleep = sleep
        self._asking = _asking(purpose, operator)
        # trust_env=False: a loopback service is not reached through a proxy.
        headers = {"x-api-key": api_key} if api_key else {}
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False, headers=headers)

    def __enter__(self) -> Client:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def asking(self, purpose: Purpose = "decision", operator: str | None = None) -> Client:
        """Return this client for another purpose, or for another person: it shares the connections."""
        other = copy(self)
        other._asking = _asking(purpose, operator)
        return other

    def score(self, applications: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """Have applications decided, in order; each is a dictionary of raw columns, maybe with history."""
        return self._post("/score", applications, Decision)

    def explain(self, applications: Sequence[Mapping[str, Any]]) -> list[Explanation]:
        """Have applications decided and explained, in order."""
        return self._post("/explain", applications, Explanation)

    def counterfactual(
        self, applications: Sequence[Mapping[str, Any]], change: Iterable[str] | None = None
    ) -> list[Counterfactual]:
        """Ask what would turn refusals, in order; nothing is decided or recorded.

        Parameters
        ----------
        applications : sequence of mapping
            As for `score`.
        change : iterable of str, optional
            What the client would change, as ``amount`` or ``income``; all that the lender allows if None.
        """
        asked = None if change is None else {"change": ",".join(change)}
        return self._post("/counterfactual", applications, Counterfactual, is_safe=True, params=asked)

    def compare(
        self,
        applications: Sequence[Mapping[str, Any]],
        fact: str,
        among: str = "all",
        beside: str | None = None,
    ) -> list[Placement]:
        """Ask where applications stand in the model's reference, in a group of it; nobody is shown.

        Parameters
        ----------
        applications : sequence of mapping
            As for `score`.
        fact, beside : str
            ``score`` or a feature; two are set against each other.
        among : str
            ``all``, ``neighbours``, or a fact whose level is the same.
        """
        asked = {"fact": fact, "among": among} | ({} if beside is None else {"beside": beside})
        return self._post("/compare", applications, Placement, is_safe=True, params=asked)

    def curve(self, applications: Sequence[Mapping[str, Any]], fact: str) -> list[Curve]:
        """Ask what one fact does for each application, all else equal."""
        return self._post("/curve", applications, Curve, is_safe=True, params={"fact": fact})

    def owner(self) -> OwnerView:
        """Return the owner's view of the model; the key needs the role ``owner``."""
        return OwnerView.model_validate_json(self._request("GET", "/owner", is_safe=True).content)

    def monitor(self) -> MonitorView:
        """Return the monitor's newest report; the key needs the role ``owner``."""
        return MonitorView.model_validate_json(self._request("GET", "/monitor", is_safe=True).content)

    def score_table(self, table: pl.DataFrame | pa.Table, key: str = "") -> pl.DataFrame:
        """Have a table of applications decided by the bulk door, in one request.

        Parameters
        ----------
        table : polars.DataFrame or pyarrow.Table
            Raw columns, and aggregates of the history (``features.HISTORY_FEATURES``) under their names.
        key : str
            Idempotency key: the same table sent again with it gives the same decisions, logged once. With a
            key a lost connection is tried again, too.

        Returns
        -------
        polars.DataFrame
            One row per row of the table, in order, with a column for each field of `Decision`.
        """
        whole = table.to_arrow() if isinstance(table, pl.DataFrame) else table
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, whole.schema) as writer:
            writer.write_table(whole)
        headers = {"content-type": ARROW, "accept": ARROW} | ({"idempotency-key": key} if key else {})
        response = self._request(
            "POST", "/score", content=sink.getvalue(), headers=headers, is_safe=bool(key)
        )
        found = pl.from_arrow(pa.ipc.open_stream(response.content).read_all())
        assert isinstance(found, pl.DataFrame)
        return found

    def model(self) -> dict[str, Any]:
        """Describe the model that decides."""
        found: dict[str, Any] = self._request("GET", "/model").json()
        return found

    def like_model(self) -> dict[str, Any]:
        """Return `model`; an error if its extension is not here, as features would lack in silence."""
        found = self.model()
        if lacking := extension.difference(found.get("lineage", {}).get("extension")):
            said = Problem(type="about:blank", title="", status=409, detail=lacking, params={}, errors=[])
            raise ServiceError("unlike", self.url, said)
        return found

    def decisions(self, limit: int = 50, cursor: str | None = None, **wanted: Wanted) -> RecordedPage:
        """Look recorded decisions up, the newest first; the key needs the role ``read``.

        Parameters
        ----------
        limit : int
            Decisions on the page.
        cursor : str, optional
            ``next`` of the page before.
        **wanted
            ``client`` (number), ``since``, ``until`` (with a zone), ``decision``, ``purpose``, ``model``,
            ``operator``, ``review`` (``waiting`` is the queue of those to be reviewed), ``outcome``.
        """
        asked = {"limit": limit, "cursor": cursor, **wanted}
        said = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asked.items()
            if value is not None
        }
        response = self._request("GET", "/decisions", is_safe=True, params=said)
        return RecordedPage.model_validate_json(response.content)

    def decision(self, event_id: str) -> FoundDecision:
        """Look one recorded decision up, explained by the model that decided; needs the role ``read``."""
        response = self._request("GET", f"/decisions/{quote(event_id, safe='')}", is_safe=True)
        return FoundDecision.model_validate_json(response.content)

    def review(self, event_id: str, verdict: Literal["confirmed", "otherwise"], reason: str) -> Review:
        """Confirm a decision or decide otherwise, once and on the record; needs the role ``review``."""
        path = f"/decisions/{quote(event_id, safe='')}/review"
        response = self._request("POST", path, json={"verdict": verdict, "reason": reason})
        return Review.model_validate_json(response.content)

    def outcomes(self, outcomes: Sequence[Mapping[str, Any]]) -> LoadedOutcomes:
        """Say how loans ended, at most 1,000 at a time; the key needs the role ``outcome``.

        Each has ``event_id``, or ``SK_ID_CURR`` and ``decided_on``; ``defaulted`` (0 or 1), ``observed_on``.
        Days are `datetime.date` or texts. What is sent again changes nothing.
        """
        said = [
            {name: value.isoformat() if isinstance(value, date) else value for name, value in one.items()}
            for one in outcomes
        ]
        response = self._request("POST", "/outcomes", is_safe=True, json={"outcomes": said})
        return LoadedOutcomes.model_validate_json(response.content)

    def ready(self) -> bool:
        """Say whether the service can decide; False too when it cannot be reached."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def score_many(
        self,
        applications: Iterable[Mapping[str, Any]],
        chunk: int = CHUNK,
        parallel: int = 2,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Decision | Refused]:
        """Have any number of applications decided, and give the answers in order as they come.

        Parameters
        ----------
        applications : iterable of mapping
            Read only as far ahead as is being sent.
        chunk, parallel : int
            Applications in a request; requests at a time.
        progress : callable
            Told the number of applications of each chunk that is done.

        Yields
        ------
        Decision or Refused
            An application that the service does not accept is refused alone, and its neighbours are decided.
        """
        return self._many(self.score, applications, chunk, parallel, progress)

    def explain_many(
        self,
        applications: Iterable[Mapping[str, Any]],
        chunk: int = 20,
        parallel: int = 2,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Explanation | Refused]:
        """Have any number of applications explained; like `score_many`."""
        return self._many(self.explain, applications, chunk, parallel, progress)

    def _many(
        self,
        ask: Callable[[Sequence[Mapping[str, Any]]], list[Answer]],
        applications: Iterable[Mapping[str, Any]],
        chunk: int,
        parallel: int,
        progress: Callable[[int], None] | None,
    ) -> Iterator[Answer | Refused]:
        rest = iter(applications)
        sent: deque[Future[list[Answer | Refused]]] = deque()
        with ThreadPoolExecutor(parallel) as pool:
            try:
                while True:
                    while len(sent) < parallel and (rows := list(islice(rest, chunk))):
                        sent.append(pool.submit(_each, ask, rows))
                    if not sent:
                        return
                    answers = sent.popleft().result()
                    if progress is not None:
                        progress(len(answers))
                    yield from answers
            finally:
                for future in sent:
                    future.cancel()

    def _post(
        self, path: str, applications: Sequence[Mapping[str, Any]], answer: type[Answer], **options: Any
    ) -> list[Answer]:
        response = self._request("POST", path, json={"applications": list(applications)}, **options)
        return [answer.model_validate(row) for row in response.json()]

    def _request(self, method: str, path: str, is_safe: bool = False, **content: Any) -> httpx.Response:
        """Ask until there is an answer; a lost one is asked for again where to ask twice harms nobody."""
        end = time.monotonic() + self._patience_s
        headers = self._asking | content.pop("headers", {})
        for turn in range(self.attempts):
            is_last = turn == self.attempts - 1
            try:
                response = self._http.request(method, path, headers=headers, **content)
            except httpx.HTTPError as error:
                if is_last or not is_safe:
                    raise ServiceError("down", self.url) from error
                self._sleep(min(2.0**turn, LONGEST_WAIT_S))
                continue
            if response.is_success:
                return response
            refusal = error_of(self.url, response)
            if response.status_code == 504 and not is_safe:
                raise refusal  # its decisions may be in the log: asked again, they would be there twice
            if refusal.kind != "busy" or is_last or (refusal.retry_after_s is None and not is_safe):
                raise refusal
            wait = min(2.0**turn if refusal.retry_after_s is None else refusal.retry_after_s, LONGEST_WAIT_S)
            if time.monotonic() + wait >= end:
                raise refusal
            self._sleep(wait)
        raise AssertionError("attempts is less than 1")


def _asking(purpose: Purpose, operator: str | None) -> dict[str, str]:
    """Return the headers that say what for and for whom; to decide needs none."""
    what: dict[str, str] = {} if purpose == "decision" else {"x-purpose": purpose}
    return what if operator is None else what | {"x-operator": operator}


def _each(
    ask: Callable[[Sequence[Mapping[str, Any]]], list[Answer]], rows: Sequence[Mapping[str, Any]]
) -> list[Answer | Refused]:
    """Ask for all rows; when some are refused, ask again for the others."""
    answers: list[Answer | Refused | None] = [None] * len(rows)
    places = list(range(len(rows)))
    while places:
        try:
            found = ask([rows[place] for place in places])
        except ServiceError as error:
            faults: dict[int, list[FieldError]] = {}
            for fault in error.problem.errors if error.problem else ():
                if fault.row is not None and fault.row < len(places):
                    faults.setdefault(fault.row, []).append(fault)
            if not faults:
                raise
            for row, found_wrong in faults.items():
                answers[places[row]] = Refused(tuple(found_wrong))
            places = [place for row, place in enumerate(places) if row not in faults]
        else:
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
            places = []
    return [answer for answer in answers if answer is not None]
