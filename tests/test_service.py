"""The service as a client meets it: one real server on a loopback port, started once."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from scoring import features
from scoring.client import Client, ServiceError
from scoring.explanation import NEVER
from scoring.inference_log import pseudonym
from scoring.schema import EXAMPLE, Decision, Explanation
from scoring.scorer import Scorer
from scoring.settings import API_KEYS
from tests.support import small
from tests.support.forks import forks
from tests.support.running import TAG, bentoml, environment, free_port, problem, put_in_store, running

pytestmark = pytest.mark.served

ENDPOINTS = {"/score", "/explain", "/counterfactual", "/compare", "/curve"}


@pytest.fixture(scope="module")
def scorer_folder(tmp_path_factory) -> Path:
    return small.save(tmp_path_factory.mktemp("scorer") / "scorer")


@pytest.fixture(scope="module")
def served(tmp_path_factory, scorer_folder):
    home = tmp_path_factory.mktemp("served")
    put_in_store(scorer_folder, home)
    with running(home) as service:
        yield service


@pytest.fixture(scope="module")
def requests() -> list:
    return small.applications(60, seed=7)


def expected(scorer_folder: Path, requests: list) -> list[float]:
    table = features.build(small.portfolio(requests))
    return Scorer.load(scorer_folder).probability(table).tolist()


def test_a_decision_is_the_scorers_own_and_in_the_log(served, scorer_folder, requests):
    response = served.post("/score", requests, headers={"X-Request-ID": "offer-7"})
    decisions = [Decision.model_validate(row) for row in response.json()]
    assert [d.probability_of_default for d in decisions] == expected(scorer_folder, requests)
    assert [d.SK_ID_CURR for d in decisions] == [request["SK_ID_CURR"] for request in requests]
    assert {d.model for d in decisions} == {TAG}
    assert response.headers["x-request-id"] == "offer-7"
    logged = {row["event_id"]: row for row in served.log().to_dicts()}
    key = (served.home / "pseudonym.key").read_bytes()
    table = features.build(small.portfolio(requests))
    for i, decision in enumerate(decisions):
        row = logged[decision.event_id]
        assert row["request_id"] == "offer-7" and row["model"] == TAG
        assert row["applicant"] == pseudonym(key, decision.SK_ID_CURR)
        for name in ("probability_of_default", "threshold", "decision"):
            assert row[name] == getattr(decision, name)
        assert row["ext_mean"] == table["ext_mean"][i]


def test_the_reference_and_the_log_have_the_same_columns(served, scorer_folder, requests):
    served.post("/score", requests[:1])
    logged = served.log().drop("purpose")  # a reference is no answer to anybody
    assert dict(logged.schema) == dict(pl.read_parquet_schema(scorer_folder / "reference.parquet"))


def test_an_explanation_adds_up_and_never_names_what_is_protected(served, requests):
    decisions = served.post("/score", requests).json()
    explained = [Explanation.model_validate(row) for row in served.post("/explain", requests).json()]
    for decision, explanation in zip(decisions, explained, strict=True):
        assert explanation.probability_of_default == decision["probability_of_default"]
        total = explanation.base_value + sum(part.contribution for part in explanation.contributions)
        assert total == pytest.approx(explanation.raw_score, abs=1e-6)
        assert len(explanation.reasons) <= 4
        assert not {reason.feature for reason in explanation.reasons} & NEVER
    assert any(explanation.reasons for explanation in explained)


def test_concurrent_requests_keep_their_answers_and_their_ids(served, scorer_folder, requests):
    probabilities = dict(
        zip((r["SK_ID_CURR"] for r in requests), expected(scorer_folder, requests), strict=True)
    )

    def ask(number: int) -> None:
        mine = [requests[(number * 3 + i) % len(requests)] for i in range(1 + number % 3)]
        path = "/explain" if number % 8 == 0 else "/score"
        response = served.post(path, mine, headers={"X-Request-ID": f"client-{number}"})
        assert response.headers["x-request-id"] == f"client-{number}"
        for request, answer in zip(mine, response.json(), strict=True):
            assert answer["SK_ID_CURR"] == request["SK_ID_CURR"]
            assert answer["probability_of_default"] == probabilities[request["SK_ID_CURR"]]
            answers[answer["event_id"]] = (f"client-{number}", answer["probability_of_default"])

    answers: dict[str, tuple[str, float]] = {}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(64)))
    logged = {
        row["event_id"]: (row["request_id"], row["probability_of_default"]) for row in served.log().to_dicts()
    }
    assert answers.items() <= logged.items()


def test_a_refused_row_leaves_its_neighbours_alone(served, requests):
    bad = [{**requests[0], "AMT_CREDIT": "much"}]

    def ask(number: int) -> int:
        return served.post("/score", bad if number % 4 == 0 else requests[:1]).status_code

    before = len(served.log())
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(ask, range(48)))
    assert statuses == [422 if number % 4 == 0 else 200 for number in range(48)]
    assert len(served.log()) == before + 36


def test_a_large_request_is_answered_like_a_small_one(served, scorer_folder, requests):
    many = requests * 12
    assert len(json.dumps(many)) > 2**18
    answers = served.post("/score", many).json()
    assert [answer["probability_of_default"] for answer in answers] == expected(scorer_folder, requests) * 12


def test_a_table_is_answered_like_the_same_applications_in_json(served, scorer_folder, requests):
    whole = small.portfolio(requests)
    raw = whole.applications.drop("row")
    table = raw.hstack(features.build(whole).select(features.HISTORY_FEATURES))
    with Client(served.url) as client:
        first, again = (client.score_table(table, key="tested:1") for _ in range(2))
        assert first["probability_of_default"].to_list() == expected(scorer_folder, requests)
        assert again.equals(first)
        with pytest.raises(ServiceError, match="application 3, AMT_CREDIT"):
            wrong = pl.when(pl.int_range(pl.len()) == 2).then(-1.0).otherwise("AMT_CREDIT")
            client.score_table(table.with_columns(wrong.alias("AMT_CREDIT")))
    mine = served.log().filter(pl.col("event_id").is_in(first["event_id"].to_list()))
    assert mine.height == len(requests)


@pytest.mark.parametrize(
    ("change", "field", "detail"),
    [
        ({"FOO": 1}, "FOO", "there is no such field; GET"),
        ({"amt_credits": 1}, "amt_credits", "is it AMT_CREDIT?"),
        ({"AMT_CREDIT": "40"}, "AMT_CREDIT", "must be a number"),
        ({"AMT_CREDIT": True}, "AMT_CREDIT", "must be a number"),
        ({"AMT_CREDIT": -1.0}, "AMT_CREDIT", "must be at least 0"),
        (
            {"history": {"bureau": [{"SK_ID_BUREAU": 1, "DAYS_CREDIT": "x"}]}},
            "history.bureau[0].DAYS_CREDIT",
            "",
        ),
        ({"history_features": {"foo": 1.0}}, "history_features.foo", "is no aggregate of the history"),
        ({"history_features": {}, "history": {}}, "applications", "both given"),
    ],
)
def test_a_wrong_value_is_named_by_row_and_field(served, requests, change, field, detail):
    before = len(served.log())
    neighbour = {key: value for key, value in requests[0].items() if key != "history"}
    found = problem(served.post("/score", [*requests[:2], neighbour | change]), 422)
    (fault,) = found.errors
    assert (fault.row, fault.field) == (2, field) and detail in fault.detail
    assert len(served.log()) == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(served, number):
    body = f'{{"applications": [{{"SK_ID_CURR": 1, "AMT_CREDIT": {number}}}]}}'
    response = served.http.post("/score", content=body, headers={"content-type": "application/json"})
    (fault,) = problem(response, 422).errors
    assert (fault.row, fault.field) == (0, "AMT_CREDIT")


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"applications": [{"CODE_GENDER": "\xff"}]}'])
def test_what_is_not_json_is_a_400(served, body):
    response = served.http.post("/score", content=body, headers={"content-type": "application/json"})
    assert "not JSON" in problem(response, 400).detail


@pytest.mark.parametrize("body", [b"[]", b"1", b"{}", b'{"applications": []}', b'{"applications": {}}'])
def test_what_holds_no_application_is_a_422(served, body):
    response = served.http.post("/score", content=body, headers={"content-type": "application/json"})
    assert problem(response, 422).errors


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle"]
)
def test_only_json_is_taken(served, kind):
    body = json.dumps(EXAMPLE)
    problem(served.http.post("/score", content=body, headers={"content-type": kind}), 415)


def test_a_request_has_its_limits(served):
    rows = [{"SK_ID_CURR": 1}]
    assert "More than 10,000 applications" in problem(served.post("/score", rows * 10_001), 422).detail
    assert "More than 100 applications" in problem(served.post("/explain", rows * 101), 422).detail
    chunks = (b" " * 2**20 for _ in range(9))
    problem(served.http.post("/score", content=chunks, headers={"content-type": "application/json"}), 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("POST", "/score/bulk", 404), ("GET", "/score", 405), ("PUT", "/model", 405)],
)
def test_every_error_has_one_shape(served, method, path, status):
    problem(served.http.request(method, path), status)


def test_who_makes_up_paths_fills_no_metrics(served):
    answers = [served.http.get(f"/made-up-{number}") for number in range(20)]
    assert {(answer.status_code, answer.headers["x-frame-options"]) for answer in answers} == {(404, "DENY")}
    metrics = served.http.get("/metrics").text
    assert 'endpoint="/score"' in metrics and "made-up" not in metrics


@pytest.mark.parametrize("given", ["x" * 129, "a b", "<script>", "é".encode()])
def test_an_unsafe_request_id_is_replaced(served, requests, given):
    response = served.post("/score", requests[:1], headers={"X-Request-ID": given})
    assert len(response.headers["x-request-id"]) == 32


def test_without_a_log_nothing_is_decided_and_the_service_heals(served, requests):
    log, away = served.home / "log", served.home / "away"
    served.post("/score", requests[:1])
    before = len(served.log())
    log.rename(away)
    try:
        response = served.post("/score", requests[:1])
        assert "recorded" in problem(response, 503).detail and int(response.headers["retry-after"]) > 0
        assert served.http.get("/readyz").status_code == 503
        assert served.http.get("/livez").status_code == 200
    finally:
        away.rename(log)
    assert served.http.get("/readyz").status_code == 200
    assert served.post("/score", requests[:1]).status_code == 200
    assert len(served.log()) == before + 1


def test_a_category_never_seen_is_scored_and_said(served, requests):
    odd = {**requests[0], "NAME_INCOME_TYPE": "Astronaut"}
    (decision,) = served.post("/score", [odd]).json()
    assert ("NAME_INCOME_TYPE", "unseen category", "Astronaut") in [
        (warning["feature"], warning["problem"], warning["value"]) for warning in decision["warnings"]
    ]
    assert "Astronaut" not in served.stdout()


def test_no_applicant_is_quoted_on_the_output(served, requests):
    canary = 918_273_645
    served.post("/score", [{**requests[0], "SK_ID_CURR": canary}])
    served.post("/score", [{**requests[0], "SK_ID_CURR": canary, "AMT_CREDIT": "canary"}])
    response = served.post("/score", [{**requests[0], "SK_ID_CURR": -canary}])
    said = (served.stdout().encode(), response.content)
    for text in (*said, *(f.read_bytes() for f in (served.home / "log").iterdir())):
        assert str(canary).encode() not in text and b"canary" not in text


def test_the_openapi_document_is_true(served):
    document = served.http.get("/docs.json").json()
    assert {*ENDPOINTS, "/model"} <= document["paths"].keys()
    assert "/score/bulk" not in document["paths"]
    for path in ENDPOINTS:
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "400", "413", "415", "422", "429", "503", "504"} <= responses.keys()
        assert "application/problem+json" in responses["422"]["content"]
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= document["components"]["schemas"].keys()
    assert served.http.post("/score", json=EXAMPLE).status_code == 200


def test_the_model_is_described(served):
    model = served.http.get("/model").json()
    assert model["model"] == TAG and model["policy"] == ["gender", "family_status"]
    assert [f["name"] for f in model["features"]] == features.names(model["policy"])
    assert model["history_features"] == list(features.HISTORY_FEATURES)


def test_readiness_the_model_and_the_metrics_name_the_engine_that_answers(served):
    engine = served.http.get("/model").json()["engine"]
    assert engine in ("native", "lightgbm")
    assert served.http.get("/readyz").headers["x-scoring-engine"] == engine
    assert "x-scoring-engine" not in served.http.get("/livez").headers
    assert f'credit_scoring_engine_info{{engine="{engine}"' in served.http.get("/metrics").text


def test_the_first_page_asks_nothing_of_other_sites(served):
    page = served.http.get("/")
    assert page.status_code == 200 and TAG in page.text
    assert "http:" not in page.text and "https:" not in page.text and "<script" not in page.text


def test_start_up_says_what_is_served(served):
    (line,) = [line for line in served.stdout().splitlines() if "serving" in line and TAG in line]
    assert "threshold 0.3500" in line and str(served.home / "log") in line


def refusal(home: Path, **changes: str) -> str:
    server = bentoml(
        "serve", "service:CreditScoring", "--port", str(free_port()), env=environment(home, **changes)
    )
    try:
        output, _ = server.communicate(timeout=60)
    finally:
        server.kill()
    assert server.returncode not in (0, None)
    assert "Traceback" not in output
    return " ".join(output.split())


def test_without_a_model_the_service_says_how_to_get_one(tmp_path):
    said = refusal(tmp_path)
    assert f"no model {TAG}" in said and "import_model.py" in said


def test_a_model_of_other_features_is_not_served(tmp_path, scorer_folder):
    changed = tmp_path / "changed"
    shutil.copytree(scorer_folder, changed)
    booster, description = changed / "booster.txt", changed / "scorer.json"
    for file in (booster, description):
        file.write_text(file.read_text().replace("ext_mean", "ext_average"))
    small.sign(changed)
    put_in_store(changed, tmp_path)
    said = refusal(tmp_path)
    assert "cannot start" in said and "ext_average" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CREDIT_SCORING_INDEX": "nonsense://x"}, "cannot be used; give the path of a file"),
        ({"CREDIT_SCORING_LOG": "/proc/here"}, "cannot be made"),
    ],
)
def test_a_log_or_an_index_that_cannot_be_used_stops_the_start(served, changes, words):
    said = refusal(served.home, **changes)
    assert "The service cannot start: " in said and words in said


CALL_ALL = """
import asyncio, json, sys
from bentoml import AsyncHTTPClient, SyncHTTPClient

url, asked = sys.argv[1], json.loads(sys.argv[2])

async def at_once():
    async with AsyncHTTPClient(url) as client:
        return {name: await getattr(client, name)(applications=asked) for name in client.endpoints}

with SyncHTTPClient(url) as client:
    one_by_one = {name: getattr(client, name)(applications=asked) for name in client.endpoints}
print(json.dumps([one_by_one, asyncio.run(at_once())]))
"""


def test_bentomls_own_clients_call_every_method_that_is_listed(served, requests):
    listed = served.http.get("/schema.json").json()
    assert {route["route"] for route in listed["routes"]} == set(listed["paths"]) == ENDPOINTS
    command = [sys.executable, "-c", CALL_ALL, served.url, json.dumps(requests[:2])]
    called = subprocess.run(command, env=environment(served.home), capture_output=True, text=True, check=True)
    for answers in json.loads(called.stdout.splitlines()[-1]):
        assert {f"/{name}" for name in answers} == ENDPOINTS
        for name, rows in answers.items():
            assert [row["SK_ID_CURR"] for row in rows] == [row["SK_ID_CURR"] for row in requests[:2]]
            assert ("reasons" in rows[0]) == (name == "explain")


def test_a_port_that_is_taken_an_option_without_effect_and_a_misspelt_setting_are_each_one_sentence(served):
    port = served.url.rpartition(":")[2]
    serve = ["serve", "service:CreditScoring", "--host", "127.0.0.1", "--port"]
    tried: tuple = (
        ([*serve, port], {}, f"cannot listen on 127.0.0.1:{port} .*choose another with --port"),
        ([*serve, "-1"], {}, "-1 is no port; --port takes 0 to 65535"),
        ([*serve, "80000"], {}, "80000 is no port; --port takes 0 to 65535"),  # the system would take 14464
        ([*serve, "0", "--host", "no such host"], {}, "no such host is no host that is known here"),
        ([*serve, "0", "--api-workers", "2"], {}, "CREDIT_SCORING_WORKERS instead"),
        ([*serve, "0"], {"BENTOML_API_WORKERS": "2"}, "CREDIT_SCORING_WORKERS instead"),
        (
            [*serve, "0"],
            {f"{API_KEYS.name}S": "k" * 16},
            f"cannot start: .* nearest is {API_KEYS.name}: rename",
        ),
    )
    known = ("bentoml_cli.cli", "scoring.hosting.front", "scoring.hosting.worker", "scoring.hosting.start")
    with forks(*known, env=environment(served.home)) as started:
        for arguments, settings, words in tried:
            done = started.run("-m", "bentoml", *arguments, env=environment(served.home, **settings))
            said = done.stdout + done.stderr
            assert done.returncode and re.search(words, said), said
            assert len(said.splitlines()) == 1, said
