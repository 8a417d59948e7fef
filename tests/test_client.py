"""The client speaks to a service that may be down, busy or wrong, and says so in a sentence."""

import csv
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import small
from typer.testing import CliRunner

from scoring.client import Client, Refused, ServiceError, app
from scoring.schema import Decision


def problem(status: int, detail: str, errors: list | None = None) -> tuple[int, dict, dict]:
    return status, {"title": "t", "status": status, "detail": detail, "errors": errors or []}, {}


def decide(application: dict) -> dict:
    number = application["SK_ID_CURR"]
    default = number % 97 / 100
    return {
        "event_id": f"e{number}",
        "SK_ID_CURR": number,
        "probability_of_default": default,
        "score": 500,
        "threshold": 0.5,
        "decision": "refused" if default >= 0.5 else "granted",
        "model": "credit_scoring:m",
        "warnings": [],
    }


def answer(applications: list[dict]) -> tuple[int, object, dict]:
    """What our service answers: all decisions, or the problem that names every bad row."""
    errors = [
        {"row": row, "field": "AMT_CREDIT", "detail": "Input should be a valid number"}
        for row, application in enumerate(applications)
        if isinstance(application.get("AMT_CREDIT"), str)
    ]
    if errors:
        return problem(422, "The request has faults.", errors[:2])
    return 200, [decide(application) for application in applications], {}


@contextmanager
def serving(respond):
    """A server on a loopback port that answers as `respond(applications)` says: status, JSON, headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["content-length"])
            applications = json.loads(self.rfile.read(length))["applications"]
            asked.append([application["SK_ID_CURR"] for application in applications])
            status, body, headers = respond(applications)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    asked: list[list[int]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def rows(n: int) -> list[dict]:
    return [{"SK_ID_CURR": number} for number in range(n)]


def test_decisions_come_typed_and_in_order():
    with serving(answer) as (url, _), Client(url) as client:
        decisions = client.score(rows(3))
    assert [type(d) for d in decisions] == [Decision] * 3
    assert [d.SK_ID_CURR for d in decisions] == [0, 1, 2]


def test_many_applications_come_back_in_order_whatever_the_chunks():
    done: list[int] = []
    with serving(answer) as (url, asked), Client(url) as client:
        answers = list(client.score_many(iter(rows(95)), chunk=10, parallel=3, progress=done.append))
    assert [a.SK_ID_CURR for a in answers] == list(range(95))
    assert sum(done) == 95 and len(asked) == 10


def test_a_refused_row_costs_itself_only():
    applications = rows(30)
    for bad in (0, 7, 13, 28):
        applications[bad]["AMT_CREDIT"] = "much"
    with serving(answer) as (url, _), Client(url) as client:
        answers = list(client.score_many(applications, chunk=15, parallel=2))
    assert [i for i, a in enumerate(answers) if isinstance(a, Refused)] == [0, 7, 13, 28]
    assert answers[7] == Refused("AMT_CREDIT: Input should be a valid number")
    assert all(i == a.SK_ID_CURR for i, a in enumerate(answers) if isinstance(a, Decision))


def test_a_service_that_is_down_is_a_sentence_in_both_languages():
    with Client("http://127.0.0.1:9") as client:
        assert not client.ready()
        with pytest.raises(ServiceError) as caught:
            client.score(rows(1))
    assert caught.value.kind == "down"
    assert "does not answer" in caught.value.en and "ne répond pas" in caught.value.fr


def test_a_busy_service_is_asked_again_when_it_says():
    waits: list[float] = []
    busy = iter([(429, 2), (503, 100)])

    def respond(applications):
        turn = next(busy, None)
        if turn is None:
            return answer(applications)
        status, seconds = turn
        return *problem(status, "Busy.")[:2], {"retry-after": str(seconds)}

    with serving(respond) as (url, _), Client(url, sleep=waits.append) as client:
        assert len(client.score(rows(1))) == 1
    assert waits == [2, 30]


def test_a_service_that_stays_busy_is_asked_so_often_only():
    waits: list[float] = []

    def respond(_):
        return *problem(503, "Decisions cannot be recorded now.")[:2], {"retry-after": "1"}

    with (
        serving(respond) as (url, asked),
        Client(url, attempts=3, sleep=waits.append) as client,
        pytest.raises(ServiceError, match="cannot be recorded") as caught,
    ):
        client.score(rows(1))
    assert caught.value.kind == "busy" and len(asked) == 3 and waits == [1, 1]


def test_a_refusal_names_the_first_fault():
    with (
        serving(answer) as (url, _),
        Client(url) as client,
        pytest.raises(ServiceError, match="application 2, AMT_CREDIT") as caught,
    ):
        client.score([{"SK_ID_CURR": 1}, {"SK_ID_CURR": 2, "AMT_CREDIT": "x"}])
    assert caught.value.kind == "refused" and caught.value.problem.errors[0].row == 1


@pytest.mark.parametrize("status", [404, 500, 502])
def test_another_program_on_the_port_is_no_crash(status):
    with (
        serving(lambda _: (status, b"<html>", {})) as (url, _),
        Client(url) as client,
        pytest.raises(ServiceError) as caught,
    ):
        client.score(rows(1))
    assert str(status) in caught.value.en


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory):
    """A portfolio on disk, as Parquet, and its requests."""
    folder = tmp_path_factory.mktemp("portfolio")
    requests = small.applications(25)
    tables = small.portfolio(requests)
    tables.applications.drop("row").write_parquet(folder / "application_test.parquet")
    for name, table in tables.history.items():
        owners = tables.applications.select("row", "SK_ID_CURR")
        records = table.join(owners, on="row").drop("row")
        kept = records if name != "bureau_balance" else records.drop("SK_ID_CURR")
        kept.write_parquet(folder / f"{name}.parquet")
    return folder


def test_the_command_line_scores_a_portfolio_with_its_histories(portfolio, tmp_path):
    out = tmp_path / "decisions.csv"
    seen: list[dict] = []

    def respond(applications):
        seen.extend(applications)
        return answer(applications)

    with serving(respond) as (url, _):
        result = CliRunner().invoke(
            app, ["score", str(portfolio), "--url", url, "--out", str(out), "--chunk", "10", "--limit", "22"]
        )
    assert result.exit_code == 0, result.output
    assert "22 applications" in result.output and "rows/s" in result.output
    with out.open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["SK_ID_CURR"]) for line in lines] == list(range(1, 23))
    assert lines[3]["probability_of_default"] == "0.04" and lines[3]["error"] == ""
    assert any("bureau" in application.get("history", {}) for application in seen)


def test_a_service_that_is_down_ends_the_command_without_a_half_written_file(portfolio, tmp_path):
    out = tmp_path / "decisions.csv"
    result = CliRunner().invoke(
        app, ["score", str(portfolio), "--url", "http://127.0.0.1:9", "--out", str(out)]
    )
    assert result.exit_code == 1 and "does not answer" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_portfolio_that_cannot_be_read_is_an_error_not_a_traceback(tmp_path):
    result = CliRunner().invoke(app, ["score", str(tmp_path)])
    assert result.exit_code == 1 and "application_test" in result.output
