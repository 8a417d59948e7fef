"""A request says what it is for, and a front end for whom; only a decision decides and counts as one."""

import asyncio
import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import polars as pl
import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from monitoring.reading import select
from monitoring.reference import read_reference
from scoring.client import Client, ServiceError
from scoring.client.__main__ import app as client_app
from scoring.decider import Asked, Decider
from scoring.inference_log import Entry, InferenceLog, audit_table, find, read
from scoring.inference_log.table import TableEntry
from scoring.schema import KEY, PURPOSES, ApplicationRequest, OutcomesRequest, ReviewRequest
from scoring.serving.access import AccessGuard, KeyRing
from scoring.serving.asgi import ASKER
from scoring.serving.job import JOB, ArrowJob
from scoring.serving.large import Large
from scoring.serving.limits import Limits, Route
from scoring.serving.media import ARROW
from scoring.serving.middleware import Middleware
from tests.support import small
from tests.support.asgi import DECODER, JSON, body, problem
from tests.support.documented import counted, schemathesis
from tests.support.logs import entry
from tests.support.running import TAG, put_in_store, running, wait_until

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DESK, BANK = "d" * 32, "b" * 32
KEYS = f"desk+frontend+outcome+read+review:{DESK},bank:{BANK}"
ROUTES = {"/score": Route(rows=10, bulk="/bulk", arrow="/table"), "/explain": Route(rows=10)}


async def said(scope, _, send):
    """Answer with who is said to ask, and what for."""
    job, asker = scope.get(JOB), scope.get(ASKER)
    who = [job.operator, job.purpose] if job else [asker.key, asker.operator]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(who).encode()})


def ask(*headers, path="/score", kind=JSON, keys="", content=None, method="POST", **limits):
    """Bring a request to the middleware with each of the headers."""

    async def run() -> list[httpx.Response]:
        guard = AccessGuard(KeyRing(keys))
        app = Middleware(
            said, ROUTES, DECODER, limits=Limits(**limits), admit=guard, speaks_for=guard.operator
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            sent = body(1) if content is None else content
            return [
                await http.request(method, path, content=sent, headers=[*kind.items(), *more])
                for more in headers
            ]

    return asyncio.run(run())


DOORS = {
    "lone": {},
    "explained": {"path": "/explain"},
    "large": {"bulk_bytes": 1},
    "arrow": {"kind": {"content-type": ARROW}, "content": b"x"},
}


@pytest.mark.parametrize("door", DOORS)
def test_each_door_takes_every_purpose_and_without_one_it_is_a_decision(door):
    answers = ask([], *([("x-purpose", purpose)] for purpose in PURPOSES), **DOORS[door])
    assert [answer.json() for answer in answers] == [[None, "decision"], *([None, p] for p in PURPOSES)]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("purpose", ["", "Decision", "look", "preview, test", "what if", "é"])
def test_another_purpose_is_refused_with_those_that_there_are(door, purpose):
    (answer,) = ask([(b"x-purpose", purpose.encode())], **DOORS[door])
    assert problem(answer).type.endswith("unknown-purpose") and answer.status_code == 400
    assert "decision, preview, what-if, test" in problem(answer).detail


@pytest.mark.parametrize("name", ["x-purpose", "x-operator"])
def test_of_two_that_say_it_neither_is_taken(name):
    (answer,) = ask([(name, "test"), (name, "decision")])
    assert problem(answer).type.endswith("repeated-header")


def test_a_front_end_names_who_asks_and_no_other_key_does():
    key, named = ("x-api-key", DESK), ("x-operator", "ann.smith@bank.example")
    with_name, without, of_bank = ask([key, named], [key], [("x-api-key", BANK)], keys=KEYS)
    (looking,) = ask([key, named], keys=KEYS, path="/decisions", method="GET")
    assert with_name.json() == ["ann.smith@bank.example", "decision"]
    assert (without.json(), of_bank.json()) == (["desk", "decision"], ["bank", "decision"])
    assert looking.json() == ["desk", "ann.smith@bank.example"], "its roles are those of the key"
    (refused,) = ask([("x-api-key", BANK), named], keys=KEYS)
    assert refused.status_code == 403 and "frontend" in problem(refused).detail


@pytest.mark.parametrize("name", ["", " ", "-ann", "ann smith", "a" * 65, "ann\x00", "ann\n", "é", "<b>"])
def test_what_is_no_user_name_is_refused(name):
    (answer,) = ask([(b"x-api-key", DESK.encode()), (b"x-operator", name.encode())], keys=KEYS)
    assert problem(answer).type.endswith("operator-malformed") and answer.status_code == 400


def test_nobody_is_named_like_a_key():
    (answer,) = ask([("x-api-key", DESK), ("x-operator", "bank")], keys=KEYS)
    assert answer.status_code == 403 and problem(answer).type.endswith("operator-is-a-key")


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture
def counting(scorer, tmp_path):
    """A decider with a log, and what it counted."""
    log = InferenceLog(tmp_path / "log", "w1", bytes(32), TAG, categories=scorer.categories)
    told: Counter = Counter()

    def count(purpose: str, decision: str, number: int) -> None:
        told[purpose, decision] += number

    yield Decider(scorer, TAG, log, on_decided=count), told
    log.close()


def table(**changes) -> ArrowJob:
    sink = io.BytesIO()
    rows = pa.table({KEY: [7, 8, 9], "EXT_SOURCE_2": [0.9, 0.01, 0.5]})
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return ArrowJob(
        **{"request_id": "r", "body": bytearray(sink.getvalue()), "is_json": True, "key": ""} | changes
    )


def test_every_purpose_is_recorded_in_records_and_in_tables_and_each_is_counted_apart(counting):
    decider, told = counting
    given: dict[str, str] = {}
    for purpose in PURPOSES:
        requests = [ApplicationRequest.model_validate(row) for row in small.applications(3, seed=5)]
        answers = decider.decide(Asked("r", requests, "ann", purpose))
        answers += json.loads(Large(decider, 10).answer(table(purpose=purpose, operator="ann")))
        assert sum(count for (name, _), count in told.items() if name == purpose) == len(answers) == 6
        for decision in ("granted", "refused"):
            assert told[purpose, decision] == sum(answer["decision"] == decision for answer in answers)
        given |= {answer["event_id"]: purpose for answer in answers}
    folder = decider.log.folder
    for found in (read(folder).table, audit_table(folder)):
        assert dict(found.select("event_id", "purpose").iter_rows()) == given
    assert {find(folder, event)["audit"]["purpose"] for event in given if given[event] == "test"} == {"test"}


def test_a_preview_under_a_key_is_not_the_decision_under_it(counting):
    decider, told = counting
    large = Large(decider, 10)
    events = [
        json.loads(large.answer(table(key="1", purpose=purpose)))[0]["event_id"]
        for purpose in ("preview", "decision", "preview", "decision")
    ]
    assert events[0] == events[2] and events[1] == events[3] and events[0] != events[1]
    assert read(decider.log.folder).table.height == 6 == told.total()
    assert sum(count for (purpose, _), count in told.items() if purpose == "decision") == 3


def test_a_record_from_before_was_a_decision_and_an_unknown_purpose_is_set_aside(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", b"k" * 32, "m")
    lottery = cast(Any, "lottery")
    log.record([Entry("e1", 1, "r", 0.1, 0.09, "refused", {"x": 1.0}, purpose=lottery)], NOON)
    log.record([Entry("e2", 1, "r", 0.1, 0.09, "refused", {"x": 1.0})], NOON)
    log.close()
    found = read(tmp_path / "log")
    assert found.table["event_id"].to_list() == ["e2"]
    assert [one.why for one in found.quarantined] == ["its purpose is none that is known"]
    line = {
        "schema_version": 3,
        "time": "2026-11-21T12:00:00Z",
        "model": "m",
        "audit": {"request_id": "r", "operator": None},
        "table": {"file": "x.arrow.zst", "sha256": "0", "rows": 1, "events": "0", "start": 0},
    }
    assert TableEntry.of(line).purpose == "decision"


def test_the_monitor_reads_decisions_and_counts_the_others_apart(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", b"k" * 32, TAG, categories=["income_type"])
    purposes = ["decision"] * 4 + ["test"] * 3 + ["preview"] * 2 + ["what-if"]
    log.record([entry(number, purpose=purpose) for number, purpose in enumerate(purposes)], NOON)
    log.close()
    logged = read(tmp_path / "log").table
    logged.drop("purpose").write_parquet(tmp_path / "reference.parquet")
    reference = read_reference(tmp_path / "reference.parquet")
    ids = {str(what): set(part["event_id"]) for (what,), part in logged.group_by("purpose")}
    found = select(tmp_path / "log", reference, TAG, "decision", ids["decision"])
    assert found.sample.height == 4
    assert found.others == {(TAG, "preview"): 2, (TAG, "test"): 3, (TAG, "what-if"): 1}
    tested = select(tmp_path / "log", reference, TAG, "test", ids["test"])
    assert tested.sample.height == 3 and tested.others[TAG, "decision"] == 4


# --- a served model ---


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("purpose")
    put_in_store(small.save(home / "scorer", threshold=0.2), home)
    with running(home, key=BANK, CREDIT_SCORING_API_KEYS=KEYS) as service:
        yield service


def counts(served) -> dict[str, float]:
    """What the service says that it counted: by decision, and by other purpose."""
    found: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(served.http.get("/metrics").text):
        for sample in family.samples:
            if sample.name in ("credit_scoring_decisions_total", "credit_scoring_undecided_total"):
                found[sample.labels.get("decision") or sample.labels["purpose"]] += sample.value
    return found


@pytest.mark.served
def test_what_the_client_asks_for_is_recorded_found_and_counted(served):
    requests = small.applications(20, seed=8)
    events: dict[str, tuple[str, str]] = {}
    with Client(served.url, api_key=DESK) as desk, Client(served.url, api_key=BANK, purpose="test") as bank:
        ann = desk.asking("preview", operator="ann")
        (shown,) = ann.explain(requests[:1])
        (varied,) = desk.asking("what-if", operator="ann").explain(requests[:1])
        (decided,) = desk.asking(operator="ann").score(requests[:1])
        tested = bank.score_table(pl.DataFrame({KEY: [1, 2, 3]}))
        many = [answer.event_id for answer in bank.score_many(requests)]
        events |= {
            one.event_id: ("ann", what)
            for one, what in zip((shown, varied, decided), PURPOSES[1:3] + PURPOSES[:1], strict=True)
        }
        events |= dict.fromkeys([*tested["event_id"], *many], ("bank", "test"))

        def is_followed() -> bool:
            return len(desk.decisions(limit=200).decisions) == len(events)

        wait_until(is_followed)
        found = {one.event_id: (one.operator, one.purpose) for one in desk.decisions(limit=200).decisions}
        assert found == events
        mine = desk.decisions(operator="ann", purpose="decision").decisions
        assert [one.event_id for one in mine] == [decided.event_id]
        with pytest.raises(ServiceError, match="asked for as preview, which decides nothing"):
            ann.review(shown.event_id, "confirmed", "No.")
        if decided.decision == "refused":
            assert ann.review(decided.event_id, "confirmed", "Yes.").operator == "ann"
        with pytest.raises(ServiceError, match="may not name the person"):
            bank.asking(operator="ann").score(requests[:1])
    assert dict(audit_table(served.home / "log").select("event_id", "purpose").iter_rows()) == {
        event: purpose for event, (_, purpose) in events.items()
    }
    said = counts(served)
    assert said == {decided.decision: 1, "preview": 1, "what-if": 1, "test": 23}


@pytest.mark.served
def test_a_file_is_scored_for_a_purpose_and_the_clients_job_keeps_to_it(served, tmp_path):
    rows = pl.DataFrame({KEY: [501, 502], "EXT_SOURCE_2": [0.2, 0.7]})
    rows.write_csv(tmp_path / "a.csv")
    out = tmp_path / "out.csv"
    call = ["score", str(tmp_path / "a.csv"), "--url", served.url, "--out", str(out), "--api-key", BANK]
    done = CliRunner().invoke(client_app, [*call, "--purpose", "test"])
    assert done.exit_code == 0, done.output
    logged = audit_table(served.home / "log").filter(
        pl.col("event_id").is_in(pl.read_csv(out)["event_id"].to_list())
    )
    assert logged["purpose"].to_list() == ["test", "test"]
    refused = CliRunner().invoke(client_app, [*call, "--purpose", "fun"])
    assert refused.exit_code == 2 and "what-if" in refused.output


@pytest.mark.served
def test_what_is_answered_of_the_record_is_what_the_document_says(served, tmp_path):
    only = ["--include-path", "/outcomes", "--include-path-regex", "decisions"]
    report = schemathesis(tmp_path, served.url, 5, *only, "--header", f"x-api-key: {DESK}")
    cases, failed = counted(report)
    assert cases > 100 and failed == 0, (tmp_path / "schemathesis.out").read_text()[-3_000:]


@pytest.mark.served
def test_the_document_says_how_a_decision_is_given_a_purpose_and_a_person(served):
    paths = served.http.get("/docs.json").json()["paths"]
    for path in ("/score", "/explain", "/counterfactual", "/compare", "/curve"):
        told = {one["name"] for one in paths[path]["post"]["parameters"]} & {"X-Purpose", "X-Operator"}
        assert len(told) == (2 if path in ("/score", "/explain") else 0), path


@pytest.mark.served
def test_the_document_names_every_route_of_the_record_with_an_example(served):
    document = served.http.get("/docs.json").json()
    routes = {
        (path, method): about
        for path, methods in document["paths"].items()
        for method, about in methods.items()
        if "Recorded decisions" in about.get("tags", ())
    }
    assert set(routes) == {
        ("/decisions", "get"),
        ("/decisions/{event_id}", "get"),
        ("/decisions/{event_id}/review", "post"),
        ("/outcomes", "post"),
        ("/owner", "get"),
        ("/monitor", "get"),
    }
    schemas = document["components"]["schemas"]
    for about in routes.values():
        assert {"X-Operator", "X-Request-ID"} <= {one["name"] for one in about["parameters"]}
        if body := about.get("requestBody"):
            name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            example = schemas[name]["example"]
            (ReviewRequest if name == "ReviewRequest" else OutcomesRequest).model_validate_json(
                json.dumps(example)
            )
