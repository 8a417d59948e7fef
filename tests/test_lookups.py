"""Recorded decisions are found, explained bit for bit, reviewed once, by who may; each look is recorded."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from scoring.client import Client, ServiceError
from scoring.inference_log import Note, anchors_folder, files, follow, pseudonym, verify
from scoring.inference_log.anchor import read_anchor
from scoring.inference_log.following import Checkpoint
from scoring.schema import ApplicationRequest, Explanation, FoundDecision, RecordedPage, Review
from scoring.schema.columns import read_id
from scoring.serving.lookups import PARAMETERS, listed
from scoring.serving.problem import Rejection
from tests.support import small
from tests.support.databases import fresh
from tests.support.running import TAG, problem, put_in_store, running, wait_until

DESK, AUDIT, BANK = "d" * 32, "a" * 32, "b" * 32
KEYS = f"desk+read+review+outcome:{DESK},audit+read:{AUDIT},bank:{BANK}"


# --- what is asked for ---


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        (b"foo=1", "foo", "unknown_parameter"),
        (b"Clients=1", "Clients", "misspelt_parameter"),
        (b"limit=0", "limit", "below_minimum"),
        (b"limit=201", "limit", "above_maximum"),
        (b"limit=ten", "limit", "not_digits"),
        (b"limit=5&limit=6", "limit", "repeated_parameter"),
        (b"client=-1", "client", "not_digits"),
        (b"client=%D9%A1", "client", "not_digits"),
        (b"client=%d" % 2**63, "client", "not_digits"),
        (b"client=" + b"0" * 20, "client", "not_digits"),
        (b"since=yesterday", "since", "not_a_time"),
        (b"until=0001-01-01T00:00:00%2B23:00", "until", "not_a_time"),
        (b"since=2026-11-22&until=2026-11-21", "until", "not_after"),
        (b"decision=maybe", "decision", "not_one_of"),
        (b"review=later", "review", "not_one_of"),
        (b"model=", "model", "not_a_name"),
        (b"model=%00", "model", "not_a_name"),
        (b"operator=" + b"x" * 256, "operator", "not_a_name"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_with_what_would_do(query, field, code):
    with pytest.raises(Rejection, match="1 parameter cannot be used") as refused:
        listed(query)
    assert refused.value.status == 422
    (fault,) = refused.value.errors
    assert (fault.field, fault.code) == (field, code)


def test_every_number_that_an_application_may_have_may_be_looked_up():
    for number in (0, 10**18, 2**63 - 1):
        assert listed(b"client=%d" % number) == {"client": number}
        assert read_id(str(number)) == ApplicationRequest.model_validate({"SK_ID_CURR": number}).SK_ID_CURR
    assert read_id(str(2**63)) is None
    with pytest.raises(ValidationError):
        ApplicationRequest.model_validate({"SK_ID_CURR": 2**63})


def test_too_many_parameters_are_refused_before_they_are_looked_at():
    with pytest.raises(Rejection, match="more than"):
        listed(b"&".join(b"a=1" for _ in range(100)))


def test_times_are_read_in_any_zone():
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    for text in (b"2026-11-21T09:30:00Z", b"2026-11-21T10:30:00+01:00", b"2026-11-21T10:30:00%2B01:00"):
        assert listed(b"since=" + text) == {"since": moment}
    assert listed(b"since=2026-11-21") == {"since": datetime(2026, 11, 21, tzinfo=UTC)}
    assert listed(b"") == {} and set(PARAMETERS) > {"client", "cursor", "review"}


# --- a served model ---

served_only = pytest.mark.served


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("lookups")
    put_in_store(small.save(home / "scorer", threshold=0.2), home)
    return home


# The other database at the index itself: tests/test_decisions.py.
@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.heavy)])
def served(request, home, tmp_path_factory):
    index = ""
    if request.param == "postgresql":
        index = fresh(request.getfixturevalue("postgres_url"))
    own = tmp_path_factory.mktemp("served")
    (own / "bentoml").symlink_to(home / "bentoml")
    with running(own, key=BANK, CREDIT_SCORING_API_KEYS=KEYS, CREDIT_SCORING_INDEX=index) as service:
        yield service


@pytest.fixture(scope="module")
def requests() -> list:
    return small.applications(40, seed=7)


def client(served, key: str) -> Client:
    return Client(served.url, api_key=key, attempts=20, sleep=lambda _: time.sleep(0.3))


def asked(served, path: str, key: str = AUDIT, **options) -> httpx.Response:
    return served.http.get(path, headers={"x-api-key": key}, **options)


def found(served, event_id: str, key: str = AUDIT) -> FoundDecision:
    """The follower is a moment behind."""
    answers: list[httpx.Response] = []

    def is_there() -> bool:
        answers.append(asked(served, f"/decisions/{event_id}", key))
        return answers[-1].status_code == 200

    wait_until(is_there, 30)
    return FoundDecision.model_validate_json(answers[-1].content)


def notes(served, kind: str) -> list[Note]:
    folder = served.home / "log"
    heads = anchors_folder(folder)
    key = (served.home / "pseudonym.key").read_bytes()
    kept = []
    for name in files(folder):
        lines = follow(folder, name, read_anchor(heads / f"{name}.head", key), Checkpoint.start(name), 0.0)
        kept += [line.content for line in lines if isinstance(line.content, Note)]
    return [note for note in kept if note.kind == kind]


@served_only
def test_a_decision_is_found_with_the_explanation_of_the_model_that_decided_bit_for_bit(served, requests):
    (explained,) = (Explanation.model_validate(r) for r in served.post("/explain", requests[:1]).json())
    one = found(served, explained.event_id)
    assert one.explanation is not None and one.differences == [] and one.unexplained is None
    for name in ("base_value", "raw_score", "contributions", "reasons"):
        assert getattr(one.explanation, name) == getattr(explained, name)
    assert one.explanation.probability_of_default == explained.probability_of_default
    assert (one.decision, one.model, one.operator) == (explained.decision, TAG, "bank")
    assert one.reasons_given == [reason.feature for reason in explained.reasons]
    values = {part.feature: part.value for part in explained.contributions}
    assert {**one.numbers, **one.categories} == values
    key = (served.home / "pseudonym.key").read_bytes()
    assert one.applicant == pseudonym(key, requests[0]["SK_ID_CURR"])


@served_only
def test_a_row_of_a_table_is_found_like_a_lone_decision(served, requests):
    answers = served.post("/score", requests[:9], headers={"idempotency-key": "k1"}).json()
    one = found(served, answers[4]["event_id"])
    assert one.probability_of_default == answers[4]["probability_of_default"] and one.differences == []


@served_only
def test_pages_give_what_was_decided_each_once_the_newest_first(served, requests):
    answers = served.post("/score", requests).json()
    found(served, answers[-1]["event_id"])
    with client(served, AUDIT) as audit:
        pages: list[Any] = []
        cursor = None
        while not pages or cursor:
            page = audit.decisions(limit=7, cursor=cursor, model=TAG)
            assert isinstance(page, RecordedPage) and len(page.decisions) <= 7
            pages += page.decisions
            cursor = page.next
        assert len({one.event_id for one in pages}) == len(pages)
        assert {row["event_id"] for row in answers} <= {one.event_id for one in pages}
        assert [one.time for one in pages] == sorted((one.time for one in pages), reverse=True)
        number = requests[3]["SK_ID_CURR"]
        own = audit.decisions(client=number).decisions
        assert answers[3]["event_id"] in {one.event_id for one in own}
        assert len({one.applicant for one in own}) == 1
        since = datetime.now(UTC) + timedelta(hours=1)
        assert audit.decisions(since=since).decisions == []
        refused = audit.decisions(decision="refused", review="waiting", limit=200).decisions
        assert {one.decision for one in refused} == {"refused"}


@served_only
def test_every_look_is_recorded_with_who_looked_at_whom(served, requests):
    (answer,) = served.post("/score", requests[:1]).json()
    one = found(served, answer["event_id"], DESK)
    asked(served, "/decisions", AUDIT, params={"client": requests[0]["SK_ID_CURR"]})
    asked(served, "/decisions/unknown-event", AUDIT)
    looks = [note.about for note in notes(served, "look-up")]
    mine = [look for look in looks if look.get("event_id") == one.event_id and look["applicant"]]
    assert mine[-1]["operator"] == "desk" and mine[-1]["applicant"] == one.applicant
    lists = [look for look in looks if "filter" in look]
    assert lists[-1]["operator"] == "audit" and lists[-1]["filter"] == {"applicant": one.applicant}
    assert one.event_id in lists[-1]["events"]
    assert any(look.get("event_id") == "unknown-event" for look in looks)
    folder = served.home / "log"
    key = (served.home / "pseudonym.key").read_bytes()
    assert verify(folder, anchors_folder(folder), key).faults == []
    served.log()  # who reads decisions is not disturbed


@served_only
def test_a_decision_is_reviewed_once_and_the_first_one_stays(served, requests):
    answers = served.post("/score", requests).json()
    (one, two) = [row for row in answers if row["decision"] == "refused"][:2]
    found(served, one["event_id"]), found(served, answers[-1]["event_id"])
    with client(served, DESK) as desk:
        queue = {d.event_id for d in desk.decisions(review="waiting", limit=200).decisions}
        assert {one["event_id"], two["event_id"]} <= queue
        review = desk.review(one["event_id"], "otherwise", "The income was proved.")
        assert isinstance(review, Review)
        assert (review.decision, review.operator) == ("granted", "desk")
        queue = {d.event_id for d in desk.decisions(review="waiting", limit=200).decisions}
        assert one["event_id"] not in queue and two["event_id"] in queue
        again = desk.decision(one["event_id"])
        assert again.decision == "refused" and again.review == "otherwise" and again.reviewed == review
        with pytest.raises(ServiceError, match="reviewed before, and the first review stays"):
            desk.review(one["event_id"], "confirmed", "No.")
        assert desk.review(two["event_id"], "confirmed", "Rightly so.").decision == "refused"
    (kept,) = [n.about for n in notes(served, "review") if n.about["event_id"] == one["event_id"]]
    assert kept["verdict"] == "otherwise" and kept["request_id"]
    text = served.http.get("/metrics").text
    (count,) = [line for line in text.splitlines() if "reviews_total{" in line and 'otherwise"' in line]
    assert 'decision="granted"' in count and float(count.rsplit(" ", 1)[1]) >= 1


@served_only
def test_of_many_who_review_at_once_one_does(served, requests):
    (answer,) = served.post("/score", requests[:1]).json()
    found(served, answer["event_id"])

    def ask(_: int) -> int:
        return served.http.post(
            f"/decisions/{answer['event_id']}/review",
            headers={"x-api-key": DESK},
            json={"verdict": "confirmed", "reason": "Looked at."},
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(ask, range(8)))
    assert statuses == [201, *[409] * 7]
    assert len([n for n in notes(served, "review") if n.about["event_id"] == answer["event_id"]]) == 1


@served_only
def test_outcomes_are_recorded_by_event_or_by_client_and_day_and_found(served):
    requests = small.applications(4, seed=99)  # of clients whom no other test asks for
    for number, request in enumerate(requests):
        request["SK_ID_CURR"] = 990_000 + number
    answers = served.post("/score", requests).json()
    event, today = answers[0]["event_id"], datetime.now(UTC).date()
    one = found(served, event)
    assert one.outcome == "unknown" and one.outcomes == []
    given = [
        {"event_id": event, "defaulted": 1, "observed_on": today},
        {
            "SK_ID_CURR": 990_001,
            "decided_on": one.time.date(),
            "defaulted": 0,
            "observed_on": today.isoformat(),
        },
        {"event_id": "0" * 32, "defaulted": 1, "observed_on": today},
        {"SK_ID_CURR": 991_000, "decided_on": today, "defaulted": 1, "observed_on": today},
    ]
    with client(served, DESK) as desk:
        done = desk.outcomes(given)
        assert (done.recorded, done.corrected, done.repeated) == (2, 0, 0)
        assert [(left.row, left.code) for left in done.left_out] == [
            (2, "unknown_event"),
            (3, "unknown_client_day"),
        ]
        assert desk.outcomes(given).repeated == 2
        assert desk.outcomes([{**given[0], "defaulted": 0}]).corrected == 1
        assert desk.decision(event).outcome == "repaid"
        assert desk.decision(event).outcomes[0].observed_on == today
        repaid = {one.event_id for one in desk.decisions(outcome="repaid").decisions}
        assert {event, answers[1]["event_id"]} <= repaid
        assert event not in {one.event_id for one in desk.decisions(outcome="defaulted").decisions}
    mine = [note.about for note in notes(served, "outcome") if note.about["event_id"] == event]
    assert [note["defaulted"] for note in mine] == [1, 0] and mine[0]["operator"] == "desk"


OUTCOME = {"event_id": "0" * 32, "defaulted": 1, "observed_on": "2026-11-21"}


@served_only
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"{}", 422, "outcomes"),
        (json.dumps({"outcomes": [OUTCOME | {"defaulted": 2}]}), 422, "outcomes[0].defaulted"),
        (json.dumps({"outcomes": [OUTCOME | {"defaulted": True}]}), 422, "outcomes[0].defaulted"),
        (json.dumps({"outcomes": [OUTCOME | {"observed_on": "21/11/2026"}]}), 422, "must be a day"),
        (json.dumps({"outcomes": [OUTCOME | {"x": 1}]}), 422, "outcomes[0].x"),
        (json.dumps({"outcomes": [OUTCOME] * 1_001}), 422, "at most 1,000 entries"),
        (b'{"outcomes":[],"outcomes":[]}', 422, "stands twice"),
        (json.dumps({"outcomes": [OUTCOME]})[:-3] + ', "defaulted": 0}]}', 422, "outcomes[0].defaulted"),
        (b" " * 300_000, 413, "256 KiB"),
    ],
)
def test_bad_outcomes_are_a_sentence_and_nothing_is_recorded(served, body, status, said):
    before = len(notes(served, "outcome"))
    headers = {"x-api-key": DESK, "content-type": "application/json"}
    answer = served.http.post("/outcomes", headers=headers, content=body)
    assert said in json.dumps(problem(answer, status).model_dump())
    assert problem(served.http.post("/outcomes", headers=headers | {"x-api-key": AUDIT}, content=body), 403)
    assert problem(served.http.get("/outcomes", headers=headers), 405)
    assert len(notes(served, "outcome")) == before


@served_only
def test_only_a_key_with_the_role_may_ask(served, requests):
    (answer,) = served.post("/score", requests[:1]).json()
    event = answer["event_id"]
    found(served, event)
    for path in ("/decisions", f"/decisions/{event}"):
        assert "NAME+read" in problem(asked(served, path, BANK), 403).detail
        assert problem(asked(served, path, "x" * 32), 401)
        assert problem(asked(served, path, ""), 401)
    said = {"verdict": "confirmed", "reason": "Looked at."}
    for key, status in ((BANK, 403), (AUDIT, 403), ("", 401)):
        answer = served.http.post(f"/decisions/{event}/review", headers={"x-api-key": key}, json=said)
        assert problem(answer, status)
    assert not [n for n in notes(served, "review") if n.about["event_id"] == event]


@served_only
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"{}", 422, "verdict"),
        (b'{"verdict":"perhaps","reason":"x"}', 422, "verdict"),
        (b'{"verdict":"confirmed","reason":"  "}', 422, "reason"),
        (b'{"verdict":"confirmed","reason":"\\u0000"}', 422, "reason"),
        (b'{"verdict":"confirmed","reason":"\\u202e \\u200b\\u2060"}', 422, "reason"),
        (b'{"verdict":"confirmed","verdict":"otherwise","reason":"x"}', 422, "verdict"),
        (b'{"verdict":"confirmed","reason":"\\ud800"}', 400, "not JSON"),
        (b'{"verdict":"confirmed","reason":"x","decision":"granted"}', 422, "decision"),
        (b'{"verdict":"confirmed","reasn":"x"}', 422, "is it reason?"),
        (b'{"verdict":"confirmed","reason":"' + b"x" * 2_001 + b'"}', 422, "reason"),
        (b" " * 20_000, 413, "16 KiB"),
    ],
)
def test_a_bad_review_is_a_sentence_and_nothing_is_recorded(served, requests, body, status, said):
    (answer,) = served.post("/score", requests[:1]).json()
    headers = {"x-api-key": DESK, "content-type": "application/json"}
    path = f"/decisions/{answer['event_id']}/review"
    assert said in json.dumps(
        problem(served.http.post(path, headers=headers, content=body), status).model_dump()
    )
    assert not [n for n in notes(served, "review") if n.about["event_id"] == answer["event_id"]]


@served_only
def test_what_is_not_there_and_what_is_asked_wrongly_is_told(served):
    wait_until(lambda: asked(served, "/decisions").status_code == 200, 60)  # the follower gives way to others
    headers = {"x-api-key": DESK}
    said = {"verdict": "confirmed", "reason": "Looked at."}
    assert "no decision of this event" in problem(asked(served, "/decisions/" + "0" * 32), 404).detail
    assert problem(served.http.post(f"/decisions/{'0' * 32}/review", headers=headers, json=said), 404)
    assert problem(served.http.post("/decisions", headers=headers, json=said), 405)
    assert problem(asked(served, f"/decisions/{'0' * 32}/review"), 405)
    assert problem(asked(served, "/decisions/a/b"), 404)
    assert problem(asked(served, "/decisions/%00"), 404)
    assert problem(asked(served, "/decisions?cursor=x"), 422).errors[0].code == "other_cursor"
    assert problem(served.http.post(f"/decisions/{'0' * 32}/review", headers=headers, content=b"x"), 415)


@served_only
@pytest.mark.parametrize("path", ["/score", "/explain", "/outcomes", "/decisions/a/review"])
def test_parameters_are_refused_where_none_is_read(served, requests, path):
    """Who asks for `/score?purpose=test` would be decided for good."""
    headers = {"x-api-key": DESK}
    body = {"applications": requests[:1]}
    before = len(served.log())
    answer = problem(served.http.post(f"{path}?purpose=test", headers=headers, json=body), 422)
    assert answer.type.endswith("no-parameters") and "X-Purpose" in answer.detail
    assert len(served.log()) == before
    assert problem(asked(served, "/decisions/a?purpose=test"), 422).type.endswith("no-parameters")


@served_only
def test_the_openapi_document_says_what_is_answered(served, requests):
    found(served, served.post("/score", requests[:1]).json()[0]["event_id"])
    document = served.http.get("/docs.json").json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    assert {p["name"] for p in paths["/decisions"]["get"]["parameters"]} == {
        "X-Request-ID",
        "X-Operator",
        *PARAMETERS,
    }
    assert {"401", "403", "404", "503"} <= paths["/decisions/{event_id}"]["get"]["responses"].keys()
    assert {"201", "409", "422"} <= paths["/decisions/{event_id}/review"]["post"]["responses"].keys()
    assert {"200", "403", "415", "422"} <= paths["/outcomes"]["post"]["responses"].keys()
    page = asked(served, "/decisions").json()
    assert set(page) == set(schemas["RecordedPage"]["properties"])
    assert set(page["decisions"][0]) == set(schemas["RecordedDecision"]["properties"])
    one = asked(served, f"/decisions/{page['decisions'][0]['event_id']}").json()
    assert set(one) == set(schemas["FoundDecision"]["properties"])
    named = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert named <= schemas.keys()


@pytest.mark.heavy
@served_only
def test_when_the_index_is_late_or_broken_decisions_go_on_and_look_ups_say_so(home, tmp_path, requests):
    (tmp_path / "bentoml").symlink_to(home / "bentoml")
    with running(tmp_path, key=DESK, CREDIT_SCORING_API_KEYS=KEYS) as served:
        (answer,) = served.post("/score", requests[:1]).json()
        found(served, answer["event_id"], DESK)
        listing = subprocess.run(
            ["pgrep", "-f", f"scoring.decisions follow --parent {served.pid}"], capture_output=True, text=True
        )
        (follower,) = map(int, listing.stdout.split())
        os.kill(follower, signal.SIGSTOP)
        file = tmp_path / "log-index.sqlite"
        with sqlite3.connect(file) as database:
            database.execute("UPDATE instances SET followed = followed - 60000000")
        late = asked(served, f"/decisions/{answer['event_id']}", DESK)
        assert "behind the record" in problem(late, 503).detail and late.headers["retry-after"] == "5"
        assert served.post("/score", requests[:1]).status_code == 200
        os.kill(follower, signal.SIGKILL)  # another takes its place, and goes on
        again = served.post("/score", requests[:1]).json()[0]
        found(served, again["event_id"], DESK)
        for part in Path(tmp_path).glob("log-index.sqlite*"):
            part.write_bytes(b"no database" * 1_000)
        assert "decisions go on" in problem(asked(served, "/decisions", DESK), 503).detail
        assert served.post("/score", requests[:1]).status_code == 200


@pytest.mark.heavy
@served_only
def test_without_a_record_nothing_is_found_and_without_keys_this_machine_may_look(home, tmp_path, requests):
    (tmp_path / "bentoml").symlink_to(home / "bentoml")
    with running(tmp_path, CREDIT_SCORING_INDEX="off") as served:
        del served.http.headers["x-api-key"]
        assert "CREDIT_SCORING_INDEX=off" in problem(served.http.get("/decisions"), 503).detail
        assert served.post("/score", requests[:1]).status_code == 200
