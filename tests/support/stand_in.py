"""A small HTTP server that answers in the service's shapes, for tests of its clients."""

import io
import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa

from scoring.decision import POINTS
from scoring.problems import Fault, type_of
from scoring.schema import Decision, fault_at
from scoring.serving.media import ARROW

MODEL = "credit_scoring:stand-in"
THRESHOLD = 0.0909
BASE = -2.4
REFUSED_NUMBER = 666  # an application that the service does not accept
FEATURES = [
    {"name": name, "label": {"en": en, "fr": fr}, "unit": unit, "group": group}
    | {"compared": group != "person", "drawn": group == "request"}
    for name, en, fr, unit, group in (
        ("EXT_SOURCE_2", "External score 2", "Score externe 2", "ratio", "external_score"),
        ("AMT_CREDIT", "Amount of the loan", "Montant du prêt", "amount", "request"),
        ("age", "Age", "Âge", "years", "person"),
    )
]
GROUPS = {
    "external_score": {"en": "Outside score", "fr": "Note externe"},
    "request": {"en": "Present request", "fr": "Demande actuelle"},
    "person": {"en": "Person", "fr": "Personne"},
}
DESCRIPTION: dict[str, Any] = {
    "model": MODEL,
    "family": "linear",
    "threshold": THRESHOLD,
    "costs": {"false_negative": 10.0, "false_positive": 1.0},
    "points": {"base": 600.0, "odds": 50.0, "double": 20.0},
    "policy": ["gender"],
    "changes": [
        {
            "name": "amount",
            "title": {"en": "A smaller loan", "fr": "Un prêt plus petit"},
            "facts": {"AMT_CREDIT": "down"},
            "most": 0.6,
        }
    ],
    "metrics": {"auc": {"value": 0.78, "low": 0.77, "high": 0.79}},
    "lineage": {"applications": 1_000, "created": "2026-11-21T03:10:00+00:00"},
    "groups": GROUPS,
    "features": [feature | {"importance": 1.0} for feature in FEATURES],
    "among": ["all", "neighbours", "NAME_CONTRACT_TYPE"],
}
NEWER = {"applications": 1_200, "created": "2026-11-28T03:10:00+00:00"}  # of another model
MONITOR: dict[str, Any] = {
    "model": MODEL,
    "made": "2026-11-30T05:23:00Z",
    "is_drift": True,
    "verdict": {"en": "Drift", "fr": "Dérive"},
    "since": "2026-11-28",
    "next": {"en": "Next: mend the source.", "fr": "À faire : réparer la source."},
    "origin": "AMT_CREDIT",
    "cause": {"en": "Its values are multiplied by 2.", "fr": "Ses valeurs sont multipliées par 2."},
    "changed": 12,
    "looked_at": 900,
    "cost": 3.4,
    "windows": [
        {
            "length": length,
            "start": f"2026-11-{day}",
            "end": f"2026-11-{day + days}",
            "is_closed": is_drift,
            "is_drift": is_drift,
            "verdict": {"en": "Drift", "fr": "Dérive"}
            if is_drift
            else {"en": "No drift", "fr": "Pas de dérive"},
            "decisions": 900,
            "refused": 90,
            "origin": "AMT_CREDIT" if is_drift else "",
        }
        for length, day, days, is_drift in (
            ("day", 29, 1, False),
            ("day", 28, 1, True),
            ("week", 23, 7, True),
        )
    ],
}
OWNER: dict[str, Any] = {
    "model": MODEL,
    "threshold": THRESHOLD,
    "applications": 1_000,
    "cuts": [
        {"threshold": t, "approved": approved, "bad_rate": bad, "cost_per_1000": cost}
        | {"fairness": {"gender": approved}}
        for t, approved, bad, cost in (
            (0.05, 0.4, 0.02, 600.0),
            (THRESHOLD, 0.7, 0.04, 512.0),
            (0.2, 0.9, 0.06, 580.0),
        )
    ],
    "metrics": {},
    "fairness": [
        {"attribute": "gender", "name": name, "applications": 500, "approved": share, "ratio": share / 0.7}
        | {"good_approved": share, "default_rate": 0.08, "expected": 0.08}
        for name, share in (("F", 0.7), ("M", 0.56))
    ],
    "groups": [],
    "features": [],
    "text": {"en": "Out of fold.", "fr": "Hors échantillon."},
}


def explain(application: dict[str, Any]) -> dict[str, Any]:
    """Decide by two facts: a better outside score lowers the risk, a larger loan raises it."""
    outside, credit = application.get("EXT_SOURCE_2"), application.get("AMT_CREDIT")
    contributions = [-3 * ((outside or 0.5) - 0.5), ((credit or 5e5) - 5e5) / 1e6, 0.0]
    raw = BASE + sum(contributions)
    p = 1 / (1 + math.exp(-raw))
    values = [outside, credit, None]
    examples = {name: field.examples[0] for name, field in Decision.model_fields.items() if field.examples}
    return examples | {
        "event_id": f"event-{application['SK_ID_CURR']}",
        "SK_ID_CURR": application["SK_ID_CURR"],
        "probability_of_default": p,
        "score": round(487.1229 - 28.8539 * raw),
        "threshold": THRESHOLD,
        "decision": "refused" if p >= THRESHOLD else "granted",
        "model": MODEL,
        "warnings": [],
        "review_reasons": [],
        "base_value": BASE,
        "raw_score": raw,
        "contributions": [
            {"feature": feature["name"], "value": value, "contribution": contribution}
            for feature, value, contribution in zip(FEATURES, values, contributions, strict=True)
        ],
        **_groups(raw, contributions),
        "reasons": [
            {
                "group": "external_score",
                "feature": "EXT_SOURCE_2",
                "value": outside,
                "contribution": 0.4,
                "text": {
                    "en": "The score received from an outside agency is low.",
                    "fr": "La note reçue d'un organisme externe est basse.",
                },
            }
        ],
    }


def _groups(raw: float, contributions: list[float]) -> dict[str, Any]:
    score = int(POINTS.of(1 / (1 + math.exp(-raw))))
    base, points = POINTS.split(BASE, contributions, score)
    parts = zip(GROUPS, contributions, points, strict=True)
    return {
        "base_points": base,
        "groups": [{"group": group, "contribution": share, "points": whole} for group, share, whole in parts],
    }


def of_table(body: bytes) -> list[dict[str, Any]]:
    """Read a table of applications, as the bulk door does."""
    return pa.ipc.open_stream(body).read_all().to_pylist()


def to_table(answers: list[dict[str, Any]]) -> bytes:
    """Write decisions as the bulk door does: a row without warnings has null there."""
    warning = pa.struct([("feature", pa.string()), ("problem", pa.string()), ("value", pa.string())])
    table = pa.Table.from_pylist([answer | {"warnings": None} for answer in answers])
    place = table.schema.get_field_index("warnings")
    table = table.set_column(place, "warnings", pa.nulls(len(answers), pa.list_(warning)))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


EVENT = "3f0c2a9d5be14d1d8f1c2f0a6b7e9d10"
WHEN = "2026-11-21T09:30:00+00:00"
REFUSED = {"SK_ID_CURR": 5, "EXT_SOURCE_2": 0.1}


GROUPED = ("base_points", "groups")


def recorded(server: "StandIn") -> dict[str, Any]:
    """Return the one decision on record, as a list has it."""
    answer = explain(REFUSED)
    kept = {name: answer[name] for name in ("probability_of_default", "threshold", "decision", "model")}
    state = server.reviewed["verdict"] if server.reviewed else "waiting"
    return kept | {
        "event_id": EVENT,
        "time": WHEN,
        "applicant": "b" * 32,
        "purpose": "decision",
        "operator": server.officer,
        "review": state,
        "outcome": "unknown",
    }


def found(server: "StandIn") -> dict[str, Any]:
    """Return it as it is looked up alone."""
    answer = explain(REFUSED)
    again = (*("probability_of_default", "base_value", "raw_score", "contributions"), *GROUPED, "reasons")
    return recorded(server) | {
        "request_id": "request-1",
        "numbers": {},
        "categories": {},
        "reasons_given": None,
        "reviewed": server.reviewed,
        "outcomes": [],
        "explanation": {name: answer[name] for name in again},
        "differences": [],
        "unexplained": None,
    }


def way_out(application: dict[str, Any]) -> dict[str, Any]:
    """Propose a smaller loan, scored as it would be."""
    now, then = explain(application), explain(application | {"AMT_CREDIT": 1e5})
    kept = ("SK_ID_CURR", "probability_of_default", "score", "threshold", "decision", "model")
    way = {name: then[name] for name in ("probability_of_default", "score")}
    change = {"field": "AMT_CREDIT", "value": application.get("AMT_CREDIT", 5e5), "becomes": 1e5}
    text = {"en": "The loan would be granted for less.", "fr": "Le prêt serait accordé pour moins."}
    return {name: now[name] for name in kept} | {
        "outcome": "found",
        "text": text,
        "alternatives": [way | {"levers": ["amount"], "size": 0.1, "changes": [change], "text": text}],
    }


def placed(application: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Place an application in three bins of each fact, or in those of a contract type."""
    facts = [query["fact"], *([query["beside"]] if "beside" in query else [])]
    is_level = facts == ["NAME_CONTRACT_TYPE"]
    ends = (None, 0.3, 400_000.0, None)
    numbers = [{"above": a, "to": b} for a, b in itertools.pairwise(ends)] + [{"kind": "missing"}]
    levels = [{"level": "Cash loans"}, {"level": "Revolving loans"}, {"kind": "other"}, {"kind": "missing"}]
    size = 4 ** len(facts)
    values = [503.0 if fact == "score" else application.get(fact) for fact in facts]
    return {
        "SK_ID_CURR": application["SK_ID_CURR"],
        "facts": facts,
        "among": query["among"],
        "values": values,
        "axes": [levels if is_level else numbers for _ in facts],
        "own": [None if value is None else 1 for value in values],
        "granted": [100 * (place + 1) for place in range(size - 1)] + [0],
        "refused": [300] + [50] * (size - 2) + [0],
        "text": {"en": "It stands here.", "fr": "Elle se tient ici."},
    }


def drawn(application: dict[str, Any], fact: str) -> dict[str, Any]:
    """Draw the curve of a fact: what `explain` gives for other values of it."""
    own = application.get(fact)
    marks = sorted({1e5, 5e5, 2e6} | ({own} if own is not None else set()))
    points = [
        {
            "value": mark,
            "probability_of_default": explain(application | {fact: mark})["probability_of_default"],
        }
        for mark in marks
    ]
    shared = {"SK_ID_CURR": application["SK_ID_CURR"], "fact": fact, "value": own, "threshold": THRESHOLD}
    text = {"en": "What it does.", "fr": "Ce qu'elle fait."}
    linked = [point | {"together": point["probability_of_default"] / 2} for point in points]
    return shared | {"linked": ["EXT_SOURCE_2"], "points": linked, "text": text}


class Handler(BaseHTTPRequestHandler):
    """The endpoints; `trouble` makes every answer this status."""

    server: "StandIn"

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""

    def _note(self) -> None:
        """Keep who asked for what."""
        names = ("x-operator", "x-purpose", "x-api-key")
        said = {name.removeprefix("x-"): self.headers[name] for name in names}
        self.server.said.append(said | {"path": self.path.partition("?")[0]})
        if self.server.delay_s:
            time.sleep(self.server.delay_s)

    def do_GET(self) -> None:
        self._note()
        path, _, query = self.path.partition("?")
        if path in ("/owner", "/monitor") and self.server.is_closed:
            self._problem(403, "The key has no such role.", [])
        elif path == "/owner":
            self._send(200, OWNER)
        elif path == "/monitor":
            self._send(200, MONITOR)
        elif path == "/decisions":
            rows = [recorded(self.server)] if "client=7" not in query else []
            self._send(200, {"decisions": rows, "next": None, "as_of": WHEN})
        elif path == f"/decisions/{EVENT}" and not self.server.unsettled:
            self._send(200, found(self.server))
        elif path.startswith("/decisions/"):
            self.server.unsettled = max(0, self.server.unsettled - 1)
            self._problem(404, "There is no such decision.", [], "no-such-decision")
        else:
            newer = {"model": self.server.newer, "lineage": NEWER}
            self._send(200, DESCRIPTION | (newer if self.server.newer else {}))

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard = {name.lower(): value for name, value in self.headers.items()}
        if self.server.trouble:
            self.server.turned_away += 1
            self._problem(self.server.trouble, self.server.says, self.server.faults)
            return
        if self.path == f"/decisions/{EVENT}/review":
            said = json.loads(body)
            now = "refused" if said["verdict"] == "confirmed" else "granted"
            more = {"event_id": EVENT, "decision": now, "operator": self.server.officer, "time": WHEN}
            self.server.reviewed = said | more
            self._send(200, self.server.reviewed)
            return
        is_table = self.headers["content-type"] == ARROW
        applications = of_table(body) if is_table else json.loads(body)["applications"]
        self.server.asked += len(applications)
        wrong = [row for row, a in enumerate(applications) if a["SK_ID_CURR"] == REFUSED_NUMBER]
        if wrong:
            faults = [fault_at(row, "AMT_CREDIT", Fault("not_accepted")).model_dump() for row in wrong]
            self._problem(422, "1 application is refused.", faults)
            return
        if self.path == "/counterfactual":
            self._send(200, [way_out(application) for application in applications])
            return
        path, _, query = self.path.partition("?")
        if path in ("/compare", "/curve"):
            asked = dict(parse_qsl(query))
            self.server.compared.append(asked)
            answer = (
                (lambda one: placed(one, asked))
                if path == "/compare"
                else (lambda one: drawn(one, asked["fact"]))
            )
            self._send(200, [answer(application) for application in applications])
            return
        answers = [explain(application) for application in applications]
        if self.server.newer:
            answers = [answer | {"model": self.server.newer} for answer in answers]
        if self.path == "/score":
            answers = [{name: answer[name] for name in Decision.model_fields} for answer in answers]
        if is_table:
            self._send_body(200, to_table(answers), ARROW)
            return
        self._send(200, answers)

    def _problem(self, status: int, detail: str, errors: list[dict[str, Any]], kind: str = "") -> None:
        of = type_of(kind or self.server.kind)
        self._send(status, {"type": of, "title": "x", "status": status, "detail": detail, "errors": errors})

    def _send(self, status: int, answer: object) -> None:
        self._send_body(status, json.dumps(answer).encode(), "application/json")

    def _send_body(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        if self.server.retry_after and status == self.server.trouble:
            self.send_header("retry-after", self.server.retry_after)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class StandIn(ThreadingHTTPServer):
    """The server; `asked` counts the applications that it decided, `turned_away` requests in trouble.

    `said` are the requests: path, operator, purpose.
    """

    daemon_threads = True
    asked: int = 0
    is_closed = False  # to the owner's view
    delay_s: float = 0.0  # before each answer
    newer: str = ""  # tag of another model, which answers from now on
    officer: str = "ada"  # who has decided what is on record
    reviewed: dict[str, Any] | None = None
    unsettled = 0  # look-ups of a decision that do not find it yet
    heard: Mapping[str, str] = {}  # headers of the last request

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.compared: list[dict[str, str]] = []
        self.said: list[dict[str, Any]] = []
        self.be_in_trouble(0)

    def be_in_trouble(
        self,
        status: int,
        says: str = "Traceback (most recent call last)",
        retry_after: str = "",
        faults: list[dict[str, Any]] | None = None,
        kind: str = "failed",
    ) -> None:
        """Answer everything with this status, or with decisions again after 0."""
        self.kind = kind
        self.trouble, self.says, self.retry_after, self.faults = status, says, retry_after, faults or []
        self.turned_away = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[StandIn]:
    """Serve on a free loopback port until the end of the block."""
    server = StandIn(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
