"""The client speaks to a service that may be down, busy or wrong, and says so in a sentence."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from scoring import features
from scoring.client import Client, FileError, JobError, Refused, ServiceError, files, score_file
from scoring.client.__main__ import app
from scoring.client.files import Source
from scoring.inference_log import InferenceLog, read
from scoring.problems import Fault
from scoring.schema import Decision, fault_at
from scoring.tables import partitions
from tests.support import small
from tests.support.table_server import Tables
from tests.support.workbook import workbook

ROOT = Path(__file__).parent.parent


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
        fault_at(row, "AMT_CREDIT", Fault("not_a_number")).model_dump()
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


def test_the_client_loads_nothing_of_the_service():
    """A lender's machine needs neither a model nor a server to ask one."""
    code = "import scoring.client, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    names = loaded.stdout.split()
    foreign = {name.split(".")[0] for name in names}
    assert not foreign & {"lightgbm", "bentoml", "starlette", "uvicorn", "sklearn", "scipy", "pandas"}
    rooms = {".".join(name.split(".")[:2]) for name in names if name.startswith("scoring.")}
    needed = {
        "client",
        "decision",
        "features",
        "language",
        "problems",
        "regular",
        "schema",
        "serving",
        "settings",
        "spreadsheet",
        "tables",
    }
    assert rooms == {f"scoring.{room}" for room in needed}
    assert [name for name in names if name.startswith("scoring.serving.")] == ["scoring.serving.media"]


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
    assert isinstance(answers[7], Refused) and answers[7].detail == "AMT_CREDIT: must be a number"
    assert all(i == a.SK_ID_CURR for i, a in enumerate(answers) if isinstance(a, Decision))


def test_a_service_that_is_down_is_a_sentence_in_both_languages():
    with Client("http://127.0.0.1:9") as client:
        assert not client.ready()
        with pytest.raises(ServiceError) as caught:
            client.score(rows(1))
    assert caught.value.kind == "down"
    assert "does not answer" in str(caught.value)


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


def test_nobody_asks_again_after_the_caller_has_gone():
    waits: list[float] = []
    busy = iter([1, 5])

    def respond(_):
        return *problem(503, "Busy.")[:2], {"retry-after": str(next(busy))}

    with (
        serving(respond) as (url, asked),
        Client(url, sleep=waits.append, patience_s=4.5) as client,
        pytest.raises(ServiceError, match="Busy") as caught,
    ):
        client.score(rows(1))
    assert (caught.value.kind, len(asked), waits) == ("busy", 2, [1])


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


def test_an_answer_that_came_too_late_is_not_asked_for_again_without_a_key(tables):
    def respond(_):
        return *problem(504, "No answer within 60 seconds.")[:2], {"retry-after": "1"}

    with (
        serving(respond) as (url, asked),
        Client(url, sleep=lambda _: None) as client,
        pytest.raises(ServiceError, match="No answer"),
    ):
        client.score(rows(1))
    assert len(asked) == 1
    tables.script = [504]
    with Client(tables.url, sleep=lambda _: None) as client:
        client.score_table(table(), "key")
    assert tables.keys == ["key", "key"]


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
    assert str(status) in str(caught.value)


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


# --- files, through POST /score as tables ---


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture
def tables(scorer):
    with Tables(scorer) as server:
        yield server


REQUESTS = small.applications(95, seed=6)


def table() -> pl.DataFrame:
    whole = small.portfolio(REQUESTS)
    raw = whole.applications.drop("row")
    keep = [name for name in raw.columns if raw[name].null_count() < raw.height]
    return raw.select(keep).hstack(features.build(whole).select(features.HISTORY_FEATURES))


@pytest.fixture(scope="module")
def expected(scorer):
    return scorer.probability(features.build(small.portfolio(REQUESTS))).tolist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("kind", [".csv", ".parquet", ".xlsx"])
def test_a_file_is_decided_in_its_order_bit_for_bit(tables, expected, tmp_path, kind, suffix):
    path, out = tmp_path / f"applications{kind}", tmp_path / f"decisions{suffix}"
    whole = table().with_columns(TARGET=pl.lit(1))
    {".csv": whole.write_csv, ".parquet": whole.write_parquet}.get(kind, lambda p: workbook(whole, p))(path)
    told: list[tuple[int, int]] = []
    summary = score_file(path, out, tables.url, rows=20, parallel=3, progress=lambda *n: told.append(n))
    found = pl.read_csv(out) if suffix == ".csv" else pl.read_parquet(out)
    assert found["row"].to_list() == list(range(1, 96))
    assert found["SK_ID_CURR"].to_list() == [request["SK_ID_CURR"] for request in REQUESTS]
    assert found["probability_of_default"].to_list() == expected
    assert (summary.rows, summary.rejected, summary.resumed) == (95, 0, 0) and told[-1] == (95, 95)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, out.name])
    assert len(tables.keys) == len(set(tables.keys)) == 5


def test_a_portfolio_is_summed_up_here_and_decided_like_its_raw_histories(
    tables, scorer, portfolio, tmp_path
):
    out = tmp_path / "decisions.csv"
    result = CliRunner().invoke(
        app,
        ["score", str(portfolio), "--url", tables.url, "--out", str(out), "--chunk", "10", "--limit", "22"],
    )
    assert result.exit_code == 0, result.output
    assert "22 applications" in result.output and "rows/s" in result.output
    raw = scorer.probability(features.build(small.portfolio(small.applications(25))))
    assert pl.read_csv(out)["probability_of_default"].to_list() == raw.tolist()[:22]


@pytest.mark.parametrize("held", [0, 10**9], ids=["on the disk", "in memory"])
@pytest.mark.parametrize("done", [frozenset(), frozenset({0, 3})])
def test_partitions_of_a_portfolio_give_the_aggregates_of_the_whole(
    portfolio, tmp_path, monkeypatch, held, done
):
    monkeypatch.setattr(partitions, "HELD_BYTES", held)
    monkeypatch.setattr(files, "PART_ROWS", 8)
    whole = small.portfolio(small.applications(25))
    expected = whole.applications.select("SK_ID_CURR").hstack(
        features.build(whole).select(features.HISTORY_FEATURES)
    )
    chunks = list(Source(portfolio).chunks(4, done, tmp_path))
    assert [chunk.number for chunk in chunks] == [number for number in range(7) if number not in done]
    for chunk in chunks:
        assert chunk.rows.to_list() == list(range(chunk.number * 4 + 1, min(chunk.number * 4 + 5, 26)))
        assert chunk.table.select(expected.columns).equals(expected[chunk.rows - 1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["failure", "kill"])
def test_a_portfolio_that_is_broken_off_leaves_no_records_and_goes_on(
    tables, portfolio, scorer, tmp_path, monkeypatch, end
):
    monkeypatch.setattr(partitions, "HELD_BYTES", 0)
    monkeypatch.setattr(files, "PART_ROWS", 5)
    out, part = tmp_path / "d.parquet", tmp_path / "d.parquet.part"
    tables.script = [None, None, 500]
    with pytest.raises(ServiceError):
        score_file(portfolio, out, tables.url, rows=5, parallel=1)
    assert (part / "000001.parquet").exists() and not list(part.glob("records-*"))
    if end == "kill":  # which cannot be cleaned up after, but by the next run
        (part / "records-x").mkdir()
        (part / "records-x" / "bureau-0-000000.parquet").write_bytes(b"")
    assert score_file(portfolio, out, tables.url, rows=5).resumed == 10
    raw = scorer.probability(features.build(small.portfolio(small.applications(25))))
    assert pl.read_parquet(out)["probability_of_default"].to_list() == raw.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["d.parquet"]


def test_rejected_rows_stand_apart_with_their_reasons(tables, expected, tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "d.csv"
    lines = table().select(pl.all().cast(pl.String)).to_dicts()
    lines[4]["AMT_CREDIT"] = "much"
    lines[30] |= {"AMT_CREDIT": "-1", "EXT_SOURCE_2": "1.5"}
    lines[31]["SK_ID_CURR"] = ""
    lines[60]["DAYS_BIRTH"] = "-1.5"
    pl.DataFrame(lines).write_csv(path, separator=";")
    result = CliRunner().invoke(
        app, ["score", str(path), "--url", tables.url, "--out", str(out), "--chunk", "40"]
    )
    assert result.exit_code == 3 and "4 of them are invalid" in result.output.replace("\n", " ")
    with (tmp_path / "d-rejected.csv").open() as file:
        rejected = [(int(r["row"]), r["field"], r["code"]) for r in csv.DictReader(file)]
    assert rejected[0] == (5, "AMT_CREDIT", "not_a_number")
    assert {(row, field) for row, field, _ in rejected[1:]} == {
        (31, "AMT_CREDIT"), (31, "EXT_SOURCE_2"), (32, "SK_ID_CURR"), (61, "DAYS_BIRTH")
    }  # fmt: skip
    assert "much" not in (tmp_path / "d-rejected.csv").read_text()
    kept = pl.read_csv(out)
    assert kept["row"].to_list() == [row for row in range(1, 96) if row not in (5, 31, 32, 61)]
    assert kept["probability_of_default"].to_list() == [expected[row - 1] for row in kept["row"].to_list()]


def test_a_busy_or_lost_answer_is_asked_for_again_and_decided_once(scorer, expected, tmp_path):
    log = InferenceLog(
        tmp_path / "log", "w", b"k" * 32, "credit_scoring:m", categories=list(scorer.categories)
    )
    path, out = tmp_path / "a.parquet", tmp_path / "d.parquet"
    table().write_parquet(path)
    with Tables(scorer, log) as server:
        server.script = [429, "lost", 503, None, "lost"]
        score_file(path, out, server.url, rows=30, parallel=1)
    log.close()
    found, logged = pl.read_parquet(out), read(tmp_path / "log")
    assert found["probability_of_default"].to_list() == expected
    assert len(server.keys) > len(set(server.keys)) == 4
    assert logged.table.height == 95 and logged.duplicates == 0
    assert set(logged.table["event_id"]) == set(found["event_id"])


def test_a_run_whose_first_answers_were_lost_logs_no_decision_twice(scorer, tmp_path, monkeypatch):
    hasty = partial(Client, attempts=2, sleep=lambda _: None)
    monkeypatch.setattr("scoring.client.batch.Client", hasty)
    log = InferenceLog(
        tmp_path / "log", "w", b"k" * 32, "credit_scoring:m", categories=list(scorer.categories)
    )
    path, out = tmp_path / "a.parquet", tmp_path / "d.parquet"
    table().write_parquet(path)
    with Tables(scorer, log) as server:
        server.script = ["lost"] * 2
        with pytest.raises(ServiceError):
            score_file(path, out, server.url, rows=100, parallel=1)
        score_file(path, out, server.url, rows=100, parallel=1)
    log.close()
    logged = read(tmp_path / "log")
    assert len(set(server.keys)) == 1 and logged.table.height == 95 and logged.duplicates == 0
    assert not (tmp_path / "d.parquet.part").exists()


def test_a_run_that_fails_goes_on_where_it_stopped(tables, expected, tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "d.csv"
    table().write_parquet(path)
    tables.script = [None, None, 500]
    with pytest.raises(ServiceError):
        score_file(path, out, tables.url, rows=20, parallel=1)
    assert not out.exists() and (tmp_path / "d.csv.part").is_dir()
    with pytest.raises(JobError, match="rows"):
        score_file(path, out, tables.url, rows=30)
    summary = score_file(path, out, tables.url, rows=20)
    assert summary.resumed == 40 and len(set(tables.keys)) == 5 and len(tables.keys) == 6
    assert pl.read_csv(out)["probability_of_default"].to_list() == expected
    assert not (tmp_path / "d.csv.part").exists()


def test_a_killed_run_goes_on_where_it_stopped(tables, expected, tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "d.parquet"
    table().write_parquet(path)
    tables.pause_s = 0.2
    options = ("--url", tables.url, "--out", str(out), "--chunk", "10", "--parallel", "1")
    run = [sys.executable, "-m", "scoring.client", "score", str(path), *options]
    process = subprocess.Popen(run, env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    while len(list((tmp_path / "d.parquet.part").glob("[0-9]*"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    tables.pause_s = 0
    summary = score_file(path, out, tables.url, rows=10, parallel=2)
    assert summary.resumed >= 30 and len(set(tables.keys)) == 10
    assert pl.read_parquet(out)["probability_of_default"].to_list() == expected


def test_a_changed_file_is_no_resumed_job(tables, tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "d.csv"
    table().write_parquet(path)
    tables.script = [None, 500]
    with pytest.raises(ServiceError):
        score_file(path, out, tables.url, rows=20, parallel=1)
    table().head(90).write_parquet(path)
    with pytest.raises(JobError, match="--fresh"):
        score_file(path, out, tables.url, rows=20)
    assert score_file(path, out, tables.url, rows=20, is_fresh=True).rows == 90


def test_no_cell_of_the_answer_is_a_formula(tables, tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "d.csv"
    evil = '=HYPERLINK("x")'
    table().with_columns(NAME_INCOME_TYPE=pl.lit(evil)).write_csv(path)
    score_file(path, out, tables.url)
    warnings = pl.read_csv(out)["warnings"].to_list()
    assert all(evil in cell for cell in warnings)
    with out.open() as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and len(cell) > 1]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xlsx", b"PK", "cannot be read as a workbook"),
        ("a.txt", b"", "neither CSV nor Parquet"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"AMT_CREDIT\n1\n", "no column SK_ID_CURR"),
        ("a.csv", b"SK_ID_CURR,INCOME\n1,2\n", "'INCOME'"),
        ("a.csv", b"SK_ID_CURR\n", "no row"),
        ("a.parquet", b"no parquet", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_scored_says_why(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=says):
        Source(path)
    result = CliRunner().invoke(app, ["score", str(path)])
    assert result.exit_code == 1 and "error:" in result.output


def test_words_of_a_parquet_dictionary_are_words(tmp_path):
    path = tmp_path / "a.parquet"
    words = pl.Series(["F", None, "M"], dtype=pl.Categorical)
    pl.DataFrame({"SK_ID_CURR": [1, 2, 3], "CODE_GENDER": words}).write_parquet(path)
    (chunk,) = Source(path).chunks(10)
    assert chunk.rejected.is_empty() and chunk.table["CODE_GENDER"].to_list() == ["F", None, "M"]


def test_blanks_and_nan_are_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("SK_ID_CURR,AMT_CREDIT,CODE_GENDER,CNT_CHILDREN\n 1 , ,,NaN\n2,3.5,F,1.0\n")
    (chunk,) = Source(path).chunks(10)
    assert chunk.rejected.is_empty()
    assert chunk.table.to_dicts() == [
        {"SK_ID_CURR": 1, "AMT_CREDIT": None, "CODE_GENDER": None, "CNT_CHILDREN": None},
        {"SK_ID_CURR": 2, "AMT_CREDIT": 3.5, "CODE_GENDER": "F", "CNT_CHILDREN": 1.0},
    ]


def test_the_api_key_is_sent_from_the_environment_and_shown_nowhere(tables, tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "d.csv"
    table().write_parquet(path)
    result = CliRunner().invoke(
        app,
        ["score", str(path), "--url", tables.url, "--out", str(out)],
        env={"CREDIT_SCORING_API_KEY": "a-secret-of-16-signs"},
    )
    assert result.exit_code == 0 and tables.api_key == "a-secret-of-16-signs"
    assert "secret" not in result.output
