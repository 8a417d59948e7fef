"""How the monitor runs: simulations, the memory, the chain of verdicts, alarms to others."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from monitoring import __main__ as command
from monitoring.causes import Cause
from monitoring.history import history
from monitoring.judgement import Finding, Judgement, MovedInput
from monitoring.reference import Reference
from monitoring.report import Report
from monitoring.simulate import send
from monitoring.webhook import UntoldError, tell
from monitoring.windows import Window
from monitoring.words import Said
from scoring.inference_log import anchors_folder, purge
from scoring.schema import MonitorView
from scoring.serving.owner import monitor_view
from tests.support import laws, small, stand_in
from tests.support.monitored import TAG, days_of, population, write_log, write_reference
from tests.torture.monitor import attack


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A file of applications."""
    rows = [
        {name: value for name, value in one.items() if not isinstance(value, list | dict)}
        for one in small.applications(12)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "application_test.csv")
    return tmp_path / "application_test.csv"


def test_a_simulation_goes_on_behind_a_busy_service_and_asks_as_test_with_the_key(
    tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDIT_SCORING_API_KEY", "k" * 32)
    with stand_in.serving() as server:
        server.be_in_trouble(503, retry_after="0")
        call = ["--simulate", str(asked), "--url", server.url, "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(command.app, call, env={"COLUMNS": "400"})
        assert result.exit_code == 3 and "the same command goes on" in result.stderr, result.output
        assert server.turned_away == 5 and "k" * 32 not in result.output
        server.be_in_trouble(0)
        told: list[tuple[int, int]] = []
        sent = send(
            asked, tmp_path / "out", server.url, None, "k" * 32, lambda done, of: told.append((done, of))
        )
        assert server.heard["x-purpose"] == "test" and server.heard["x-api-key"] == "k" * 32
    assert (sent.model, sent.rows, sent.refused) == (stand_in.MODEL, 12, 0)
    assert told[-1] == (12, 12) and not list((tmp_path / "out").glob("simulation*"))


def test_a_simulation_without_a_service_says_so(tmp_path: Path, asked: Path) -> None:
    call = ["--simulate", str(asked), "--url", "http://127.0.0.1:1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(command.app, call, env={"COLUMNS": "400"})
    assert result.exit_code == 3 and "does not answer at http://127.0.0.1:1" in result.stderr


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three days, judged: two closed days."""
    folder = tmp_path_factory.mktemp("judged")
    write_reference(folder / "scorer", population(4_000, seed=1))
    days_of(folder / "log", {ago: population(600, seed=40 + ago) for ago in (2, 3)})
    result = run(folder)
    assert result.exit_code == 0, result.output
    return folder


def run(folder: Path, *before: str) -> Result:
    given = {"--log": folder / "log", "--out": folder / "out", "--reference": folder / "scorer"}
    call = [*before, *(str(word) for pair in given.items() for word in pair), "--model", TAG]
    call += [] if before else ["--no-evidently", "--stale-days", "9"]
    return CliRunner().invoke(command.app, call, env={"COLUMNS": "400"})


@pytest.fixture
def copy(judged: Path, tmp_path: Path) -> Path:
    shutil.copytree(judged, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def test_verdicts_are_reached_again_from_their_counts_and_these_from_the_log(copy: Path) -> None:
    result = run(copy, "verify")
    assert result.exit_code == 0, result.output
    windows = json.loads((copy / "out" / "latest" / "summary.json").read_text())["windows"]
    closed = sum(window["is_closed"] for kind in windows.values() for window in kind)
    assert closed >= 2 and f"{closed} verdicts, 0 of them do not stand" in result.output
    head = result.output.split()[-1]
    assert run(copy, "verify", "--head", head).exit_code == 0
    cut = run(copy, "verify", "--head", "0" * 64)
    assert cut.exit_code == 1 and "cut off or changed" in cut.output


def test_the_memory_is_for_those_alone_who_may_read_the_log(judged: Path) -> None:
    memory = next((judged / "out").glob("*.sqlite"))
    assert memory.stat().st_mode & 0o007 == 0


def test_a_model_that_was_changed_is_an_alarm_of_its_day_that_is_reached_again(tmp_path: Path) -> None:
    write_reference(tmp_path / "scorer", population(1_500, seed=1))
    log = days_of(tmp_path / "log", {ago: population(600, seed=40 + ago) for ago in (1, 2)})
    day = datetime.now(UTC) - timedelta(days=2)
    write_log(log, population(30, seed=9), model="credit_scoring:before", now=day, worker="b", first=90_000)
    run(tmp_path)
    summary = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
    alarms = [[one["name"] for one in window["judgement"]["alarms"]] for window in summary["windows"]["day"]]
    assert alarms == [["model_changed"], []], "the day after it is no news"
    assert not any(window["judgement"]["alarms"] for window in summary["windows"]["week"])
    assert run(tmp_path, "verify").exit_code == 0


def test_a_verdict_that_was_changed_is_found_even_with_a_new_hash(copy: Path) -> None:
    with closing(sqlite3.connect(copy / "out" / "memory.sqlite")) as memory, memory:
        (said,) = memory.execute("select said from verdicts where number = 1").fetchone()
        other = said.replace('"refused": ', '"refused": 1')
        memory.execute("update verdicts set said = ? where number = 1", (other,))
    result = run(copy, "verify")
    assert result.exit_code == 1 and "the verdict was changed" in result.output
    with closing(sqlite3.connect(copy / "out" / "memory.sqlite")) as memory, memory:
        new = hashlib.sha256(other.encode()).hexdigest()
        memory.execute("update verdicts set hash = ? where number = 1", (new,))
    result = run(copy, "verify")
    assert result.exit_code == 1, result.output
    assert "verdict 2" in result.output and "does not follow the one before it" in result.output
    assert "the counts judged again give another verdict" in result.output


def test_a_log_that_was_changed_and_another_log_are_found(copy: Path) -> None:
    file = min((copy / "log").glob("*.jsonl"))
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"refused"', b'"granted"', 1))
    result = run(copy, "verify")
    assert result.exit_code == 1 and "the log gives other counts" in result.output, result.output
    file.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    result = run(copy, "verify")
    assert result.exit_code == 1 and "is not the one that was counted" in result.output
    shutil.rmtree(copy / "log")
    shutil.rmtree(copy / "log-heads")
    days_of(copy / "log", {ago: population(600, seed=80 + ago) for ago in (2, 3)})
    assert run(copy, "verify").exit_code == 1


def test_a_report_leaves_what_the_service_hands_on_to_supervisors(copy: Path) -> None:
    run(copy)
    view = MonitorView.model_validate_json(monitor_view(copy / "out"))
    said = json.loads((copy / "out" / "latest" / "summary.json").read_text())
    assert view.verdict["en"].lower() == said["verdict"] and view.verdict["fr"] == "Pas de dérive"
    windows = [one for some in said["windows"].values() for one in some]
    assert len(view.windows) == len(windows) and {one.decisions for one in view.windows} >= {600}
    assert [one.start for one in view.windows] == sorted((one.start for one in view.windows), reverse=True)


def test_a_look_at_tests_moves_nothing_that_supervisors_and_alerts_see(copy: Path) -> None:
    run(copy)
    before, decided = monitor_view(copy / "out"), (copy / "out" / "latest-decision").resolve()
    run(copy, "--purpose", "test")
    assert (copy / "out" / "latest").resolve() != decided
    assert (copy / "out" / "latest-decision").resolve() == decided and monitor_view(copy / "out") == before


def test_where_there_is_no_report_the_service_says_so(tmp_path: Path) -> None:
    nothing = MonitorView().model_dump_json().encode()
    assert monitor_view(tmp_path) == nothing
    (tmp_path / "latest-decision").mkdir()
    (tmp_path / "latest-decision" / "history.json").write_text('{"of another": "version"}')
    assert monitor_view(tmp_path) == nothing


def test_the_history_of_a_drift_has_its_cause_and_cost() -> None:
    view = history(alarm())
    assert (view.is_drift, view.origin, view.changed, view.looked_at) == (True, "NAME_INCOME_TYPE", 12, 900)
    assert view.cost == 3.4 and "20.0%" in view.cause["en"] and view.since == date(2026, 11, 28)
    assert [one.origin for one in view.windows] == ["NAME_INCOME_TYPE"]


def test_what_nothing_is_new_to_stands_and_is_not_made_again(copy: Path) -> None:
    first, made = run(copy), sorted((copy / "out").glob("run-*"))
    before = (copy / "out" / "latest" / "metrics.prom").read_text()
    again = run(copy)
    assert (again.exit_code, again.stdout) == (first.exit_code, first.stdout)
    assert "nothing is new" in again.stderr and sorted((copy / "out").glob("run-*")) == made
    after = (copy / "out" / "latest" / "metrics.prom").read_text()
    changed = [line for line in after.splitlines() if line not in before]
    assert [line.split()[0] for line in changed] == ["credit_scoring_monitor_run_timestamp_seconds"]
    days_of(copy / "log", {0: population(20, seed=9)})
    assert "nothing is new" not in run(copy).stderr
    assert len(list((copy / "out").glob("run-*"))) == len(made) + 1


def test_verdicts_outlive_the_retention_of_the_log(copy: Path) -> None:
    now = datetime.now(UTC)
    purge(copy / "log", anchors_folder(copy / "log"), b"k" * 32, now.date(), now)
    assert not list((copy / "log").glob("*.jsonl*"))
    result = run(copy, "verify")
    assert result.exit_code == 0 and "purged: the counts stand for them" in result.output, result.output
    again = run(copy)
    assert again.exit_code == 0, again.output


def test_a_verdict_of_an_earlier_monitor_is_read_and_not_called_false(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for judging in ("monitoring.verification", "monitoring.kept", "monitoring.windows"):
        monkeypatch.setattr(f"{judging}.judge_id", lambda: "a later one")
    result = run(copy, "verify")
    assert result.exit_code == 0 and "reached by another version of the monitor" in result.output
    assert run(copy).exit_code == 0


def test_there_is_nothing_to_verify_without_a_memory(tmp_path: Path) -> None:
    result = run(tmp_path, "verify")
    assert result.exit_code == 3 and "give the folder of the reports with --out" in result.stderr


@pytest.mark.law
def test_a_monitor_that_is_killed_counts_each_decision_once_and_leaves_no_half_report(tmp_path: Path) -> None:
    kills = 2 if laws.is_whole() else 1
    found = attack(tmp_path, kills)
    bad = {name: found[name] for name in ("wrong", "mixed", "lost", "codes")}
    assert bad == dict.fromkeys(bad, 0) and found["kills"] == kills, found


@contextmanager
def listener(*statuses: int) -> Iterator[tuple[str, list[dict]]]:
    """A server that answers with these statuses, one after the other; and what it heard."""
    left, heard = list(statuses), []

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(left.pop(0))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def alarm(word: str = "Astronaut") -> Report:
    """A report of drift."""
    cell, moved = Said("cell_level", {"word": word}), Said("cause_new_level", {"share": 0.2})
    one = MovedInput("NAME_INCOME_TYPE", 0.2, 90.0, cell, 0.0, 0.2, (0.0, 0.0), 0.2)
    group = Finding("NAME_INCOME_TYPE", False, 1, (one,), {word: 0.2})
    found = Judgement(900, 90, (group,), (), 5, 1, 9.0, 90.0, "NAME_INCOME_TYPE", True)
    day = date(2026, 11, 28)
    window = Window("day", day, day + timedelta(days=1), True, found)
    cause = Cause("NAME_INCOME_TYPE", "new_level", moved, 0.9, 900, 12, 3.4)
    now = datetime(2026, 11, 29, tzinfo=UTC)
    known = Reference(population(10, 1), TAG, {})
    return Report(
        known, TAG, "decision", {"day": [window]}, now, causes=[cause], again="python -m monitoring"
    )


def test_a_webhook_hears_what_where_why_and_the_cost_but_no_word_of_a_client() -> None:
    waits: list[float] = []
    with listener(503, 429, 204) as (url, heard):
        tell(url, alarm(), waits.append)
    assert len(heard) == 3 and waits == [1.0, 2.0]
    said = heard[-1]
    assert said["text"] == f"{TAG}: Drift, since 2026-11-28" and said["again"] == "python -m monitoring"
    (origin,) = said["origins"]
    assert (origin["origin"], origin["cause"]) == ("NAME_INCOME_TYPE", "new_level")
    assert (origin["changed"], origin["cost"]) == (12, 3.4)
    assert "Astronaut" not in json.dumps(said)


@pytest.mark.parametrize("statuses", [(500, 500, 500), (404,), (302,)])
def test_a_webhook_that_takes_nothing_is_said_without_its_address(statuses: tuple[int, ...]) -> None:
    with listener(*statuses) as (url, heard), pytest.raises(UntoldError, match="did not take") as said:
        tell(url, alarm(), lambda _: None)
    assert len(heard) == len(statuses) and "secret" not in str(said.value)
