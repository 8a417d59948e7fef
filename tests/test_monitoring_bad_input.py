"""What cannot be judged is said in a sentence, each kind with its exit code, and breaks nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from monitoring import __main__ as command
from tests.support.monitored import TAG, days_of, loans, population, write_log, write_reference

NOW = datetime.now(UTC)
Told = tuple[int, str, dict]
Asked = Callable[..., Told]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reference(tmp_path_factory.mktemp("scorer") / "first", population(1_500, seed=1))


@pytest.fixture
def asked(tmp_path: Path, reference: Path) -> Asked:
    """Run the command line on a log; return its exit code, what it said and its summary."""

    def run(log: Path, *arguments: object) -> Told:
        out = tmp_path / "out"
        call = ["--log", log, "--out", out, "--model", TAG, "--no-evidently", *arguments]
        call += [] if "--store" in arguments else ["--reference", reference]
        result = CliRunner().invoke(command.app, [str(word) for word in call], env={"COLUMNS": "400"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        file = out / "latest" / "summary.json"
        return result.exit_code, result.output, json.loads(file.read_text()) if file.exists() else {}

    return run


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 600 decisions."""
    return write_log(tmp_path_factory.mktemp("decided") / "log", population(600, seed=2), now=NOW)


def test_one_decision_is_not_enough(tmp_path: Path, asked: Asked) -> None:
    log = write_log(tmp_path / "log", population(1, seed=2), now=NOW)
    code, said, _ = asked(log)
    assert code == 2 and "There are 1 decisions to judge; 500 are needed" in said
    code, said, summary = asked(log, "--min-rows", "1")
    assert code == 0 and summary["window"]["judgement"]["rows"] == 1


def test_a_model_without_a_reference_is_named_with_a_remedy(
    tmp_path: Path, decided: Path, asked: Asked
) -> None:
    folder = tmp_path / "models" / "credit_scoring" / "first"
    folder.mkdir(parents=True)
    (folder / "scorer.json").write_text("{}")
    code, said, summary = asked(decided, "--store", tmp_path)
    assert code == 3 and "there is no reference" in said and "import a model first" in said
    assert not summary


def test_a_log_of_another_version_is_set_aside_and_said(tmp_path: Path, asked: Asked) -> None:
    log = write_log(tmp_path / "log", population(5, seed=3), now=NOW)
    for file in log.glob("*.jsonl"):
        file.write_bytes(file.read_bytes().replace(b'"schema_version":3', b'"schema_version":99'))
    code, said, _ = asked(log)
    assert code == 2 and "5 lines of the log were set aside: not of schema_version" in said


def test_a_file_that_cannot_be_read_is_an_error_and_no_drift(
    tmp_path: Path, decided: Path, asked: Asked
) -> None:
    log = tmp_path / "log"
    shutil.copytree(decided, log)
    (log / "2026-01-01.w0.jsonl").symlink_to("2026-01-01.w0.jsonl")
    code, said, _ = asked(log, "--model", "credit_scoring")  # which models are there, is read first
    assert code == 3 and "2026-01-01.w0.jsonl cannot be read" in said


@pytest.mark.parametrize("name", ["basis.sha256", "metrics.prom"])
def test_a_report_that_was_harmed_is_made_anew(
    tmp_path: Path, decided: Path, asked: Asked, name: str
) -> None:
    code, _, summary = asked(decided)
    (tmp_path / "out" / "latest" / name).write_bytes(b"\xff")
    again, said, anew = asked(decided)
    assert (again, anew["window"]) == (code, summary["window"]) and "nothing is new" not in said


def test_a_memory_of_another_version_is_said_with_a_remedy(
    tmp_path: Path, decided: Path, asked: Asked
) -> None:
    (tmp_path / "out").mkdir()
    with closing(sqlite3.connect(tmp_path / "out" / "memory.sqlite")) as memory:
        memory.execute("pragma user_version=99")
    code, said, _ = asked(decided)
    assert code == 3 and "is of another version; remove it, it is made again from the log" in said


@pytest.mark.parametrize("ahead", [NOW + timedelta(days=2), datetime(9999, 12, 31, 23, tzinfo=UTC)])
def test_what_a_wrong_clock_dates_in_days_to_come_hides_no_silence_and_is_said(
    tmp_path: Path, asked: Asked, ahead: datetime
) -> None:
    log = days_of(tmp_path / "log", {3: population(600, seed=5)})
    thrice = population(600, seed=7, AMT_CREDIT=pl.col("AMT_CREDIT") * 3)
    write_log(log, thrice, now=ahead, worker="ahead", first=90_000)
    code, said, summary = asked(log)
    assert code == 4 and f"600 decisions are dated in days to come, the farthest {ahead:%Y-%m-%d}" in said
    assert summary["last_decision"].startswith(f"{NOW - timedelta(days=3):%Y-%m-%d}")
    code, said, summary = asked(log, "--window", "7")
    assert code == 0 and "a clock is wrong" in said and summary["window"]["judgement"]["rows"] == 600


def test_records_in_no_order_are_counted_on_their_day(tmp_path: Path, asked: Asked) -> None:
    for number, ago in enumerate((3, 5, 4, 5, 3, 4)):
        write_log(
            tmp_path / "log",
            population(300, seed=number),
            now=NOW - timedelta(days=ago, minutes=number),
            worker=f"w{number}",
            first=1_000 * number,
        )
    code, _, summary = asked(tmp_path / "log", "--stale-days", "9")
    assert code == 0
    assert [one["judgement"]["rows"] for one in summary["windows"]["day"]] == [600, 600, 600]


def test_decisions_that_come_after_the_verdict_on_their_day_are_said(tmp_path: Path, asked: Asked) -> None:
    log = days_of(tmp_path / "log", {3: population(600, seed=5)})
    before = asked(log, "--stale-days", "9")[2]["windows"]["day"]
    write_log(log, population(70, seed=6), now=NOW - timedelta(days=3), worker="late", first=90_000)
    code, said, summary = asked(log, "--stale-days", "9")
    assert code == 0 and "70 decisions came to the log after the verdict on their day was kept" in said
    assert summary["windows"]["day"] == before


def test_inputs_that_are_missing_everywhere_are_named_as_lost(tmp_path: Path, asked: Asked) -> None:
    nothing = {name: pl.lit(None, dtype=pl.Float64) for name in ("ext_mean", "AMT_CREDIT", "flag")}
    nothing["NAME_CONTRACT_TYPE"] = pl.lit(None, dtype=pl.String)
    code, said, summary = asked(write_log(tmp_path / "log", population(600, seed=8, **nothing), now=NOW))
    assert code == 1 and "AMT_CREDIT is missing in 100.0% of the rows" in said
    assert len(summary["origins"]) >= 3 and all(one["is_source"] for one in summary["origins"])


BAD = {
    "nobody": (loans().clear(), "has no decision of credit_scoring:first"),
    "of another model": (loans(model=pl.lit("credit_scoring:x")), "has no decision of credit_scoring:first"),
    "contradictions": (
        pl.concat([loans(), loans(outcome=pl.lit("defaulted"))]),
        "800 decisions stand there twice and differ, the first is w1-1",
    ),
    "no outcome": (loans(outcome=pl.lit(None, dtype=pl.String)), "500 decisions lack a value"),
    "no probability": (loans(probability_of_default=pl.lit(None, dtype=pl.Float64)), "lack a value"),
    "a probability of 7": (loans(probability_of_default=pl.lit(7.0)), "have a probability that is none"),
    "another word": (loans(outcome=pl.lit("paid")), "none of repaid, defaulted, unknown"),
    "no day": (loans(observed_on=pl.lit(None, dtype=pl.Date)), "500 decisions ended on no day"),
    "a day before": (loans(observed_on=pl.lit(date(2020, 1, 1))), "ended before they were taken"),
    "a day in words": (loans(observed_on=pl.lit("2027-01-01")), "'observed_on' is String, not Date"),
}


@pytest.mark.parametrize("what", BAD)
def test_outcomes_that_cannot_be_are_an_error_with_a_remedy(
    tmp_path: Path, decided: Path, asked: Asked, what: str
) -> None:
    table, sentence = BAD[what]
    table.write_parquet(tmp_path / "decided.parquet")
    code, said, summary = asked(decided, "--outcomes", tmp_path / "decided.parquet")
    assert code == 3 and sentence in said and "export" in said, said
    assert not summary, "no half report"


def test_outcomes_that_stand_there_twice_count_once_and_those_of_nobody_are_said(
    tmp_path: Path, decided: Path, asked: Asked
) -> None:
    later = pl.lit((NOW + timedelta(days=40)).date())
    some = loans(n=400, time=pl.lit(NOW - timedelta(minutes=1)), observed_on=later)
    strangers = some.head(30).with_columns(event_id=pl.lit("nobody-") + pl.col("event_id"))
    pl.concat([some, some.head(100), strangers]).write_parquet(tmp_path / "decided.parquet")
    _, said, summary = asked(decided, "--outcomes", tmp_path / "decided.parquet")
    assert summary["realised"]["whole"]["known"] == 430
    assert "100 outcomes stood there twice and count once." in said
    assert "30 decisions with an outcome are not in the log" in said


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({"event_id": ["x"], "gender": ["F"]}, "none of the events of --audit is a decision"),
        ({"event_id": ["w1-1"], "decision": ["F"]}, "--audit has the column 'decision' of the outcomes"),
    ],
)
def test_groups_of_nobody_or_with_a_known_name_are_an_error(
    tmp_path: Path, decided: Path, asked: Asked, groups: dict[str, list[str]], sentence: str
) -> None:
    loans().write_parquet(tmp_path / "decided.parquet")
    pl.DataFrame(groups).write_csv(tmp_path / "groups.csv")
    files = ("--outcomes", tmp_path / "decided.parquet", "--audit", tmp_path / "groups.csv")
    code, said, _ = asked(decided, *files)
    assert code == 3 and sentence in said
