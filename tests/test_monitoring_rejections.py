"""Requests that the service rejected, in the monitor's report: by client, column and fault, no values."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitoring import __main__ as command
from monitoring.errors import InputError
from monitoring.ledger import Ledger
from monitoring.rejections import NONE, Counts, Rejections, count, latest, read
from tests.support.monitored import TAG, days_of, population, write_reference

DAY = date(2026, 11, 30)
AMOUNT = ("desk", "AMT_CREDIT", "required")


def exposition(amount: int, decisions: int) -> str:
    """What stands at a service's /metrics."""
    return "\n".join(
        [
            "# HELP credit_scoring_rejected_total Requests that were rejected for a value.",
            "# TYPE credit_scoring_rejected_total counter",
            f'credit_scoring_rejected_total{{client="desk",code="required",field="AMT_CREDIT"}} {amount}.0',
            'credit_scoring_rejected_total{client="",code="type",field="other"} 2.0',
            f'credit_scoring_decisions_total{{decision="granted"}} {decisions - 100}.0',
            'credit_scoring_decisions_total{decision="refused"} 100.0',
            'credit_scoring_engine_info{engine="native",model="m"} 1.0',
            "",
        ]
    )


def of(**rows: int) -> Counts:
    """Counts of the amount, and of decisions."""
    return Counts({AMOUNT: rows["amount"], NONE: rows["decisions"]})


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A calm log, its reference, and what the service says of itself."""
    write_reference(tmp_path / "scorer", population(4_000, seed=1))
    days_of(tmp_path / "log", {2: population(600, seed=42)})
    given = {"--log": "log", "--out": "out", "--reference": "scorer", "--rejected": "metrics"}
    call = [word for name, file in given.items() for word in (name, str(tmp_path / file))]
    return [*call, "--model", TAG, "--no-evidently", "--stale-days", "9"]


def run(asked: list[str]) -> Result:
    return CliRunner().invoke(command.app, asked, env={"COLUMNS": "400"})


def test_what_was_rejected_stands_in_the_report_in_each_language_and_is_an_alarm(
    tmp_path: Path, asked: list[str]
) -> None:
    (tmp_path / "metrics").write_text(exposition(9_000, 1_000))  # of the time before the first reading
    assert run(asked).exit_code == 0
    (tmp_path / "metrics").write_text(exposition(9_005, 4_000))
    assert run(asked).exit_code == 0
    calm = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
    assert {"client": "desk", "column": "AMT_CREDIT", "fault": "required", "requests": 5} in calm["rejected"]
    (tmp_path / "metrics").write_text(exposition(9_505, 4_000))
    result = run(asked)
    assert result.exit_code == 1 and "505 requests of one day were rejected for AMT_CREDIT" in result.stdout
    for name, title in (
        ("report.html", "Requests that were rejected"),
        ("report.fr.html", "Requêtes rejetées"),
    ):
        page = (tmp_path / "out" / "latest" / name).read_text("utf-8")
        assert title in page and "<td>desk</td><td>AMT_CREDIT</td><td>required</td>" in page
    assert "nothing is new" in run(asked).stderr


def test_counts_that_cannot_be_read_end_the_run_with_a_sentence(asked: list[str]) -> None:
    result = run(asked)
    assert result.exit_code == 3 and "give --rejected the address of the service's /metrics" in result.stderr


def test_rejections_beside_a_simulation_are_refused_and_not_passed_over(
    tmp_path: Path, asked: list[str]
) -> None:
    result = run([*asked, "--simulate", str(tmp_path), "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 3 and "leave one out" in result.stderr


def test_each_request_is_counted_once_and_a_service_that_began_anew_from_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "memory.sqlite")
    for amount in (10, 10, 30, 7, 7):  # 7: it was started again in between
        count(ledger, "a", of(amount=amount, decisions=1_000 + amount), DAY)
    assert latest(ledger, DAY).rows == [(AMOUNT, 27)]
    assert latest(ledger, DAY).days[DAY][NONE] == 20 + 1_007
    for amount in (3, 6):
        count(ledger, "another service", of(amount=amount, decisions=50), DAY)
    assert latest(ledger, DAY).rows == [(AMOUNT, 30)]
    assert latest(ledger, date(2026, 12, 7)).rows == []


def test_what_a_service_counted_in_the_months_before_is_no_alarm_of_the_first_day(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "memory.sqlite")
    count(ledger, "a", of(amount=9_000, decisions=20_000), DAY)
    assert latest(ledger, DAY).rows == [] and latest(ledger, DAY).alarms == []


@pytest.mark.parametrize(
    ("amount", "decisions", "today", "is_alarm"),
    [
        (21, 400, DAY, True),
        (21, 421, DAY, False),  # not one in twenty
        (20, 10, DAY, False),  # a handful
        (21, 0, DAY, True),  # nobody was decided at all
        (21, 400, date(2026, 12, 2), False),  # of the day before yesterday
    ],
)
def test_many_of_one_column_and_one_in_twenty_are_an_alarm(
    amount: int, decisions: int, today: date, is_alarm: bool
) -> None:
    assert bool(Rejections({DAY: of(amount=amount, decisions=decisions)}, today).alarms) is is_alarm


def test_an_address_that_answers_nothing_is_a_sentence_without_it() -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        read("http://user:secret@127.0.0.1:9/metrics")
    assert "secret" not in str(caught.value)
