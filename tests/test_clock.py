"""Whatever the clock and the zone of the machine do, no day is lost or counted twice: all is UTC."""

import os
import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from scoring.inference_log import Entry, InferenceLog, read, verify

KEY = bytes(32)
PARIS = ZoneInfo("Europe/Paris")


def entry(number: int) -> Entry:
    return Entry(f"{number:032x}", number, "r", 0.1, 0.5, "granted", {"ext_mean": 0.5})


def written(tmp_path, times: list[datetime], keep_days: int | None = None):
    """Log one decision at each time; return the days of the files, and the days as they are read back."""
    log = InferenceLog(tmp_path / "log", "w", KEY, "m:1", keep_days=keep_days)
    for number, now in enumerate(times):
        log.record([entry(number)], now)
    log.close()
    assert verify(tmp_path / "log", tmp_path / "log-heads", KEY).faults == []
    files = sorted(
        file.name.split(".")[0] for file in (tmp_path / "log").iterdir() if file.suffix == ".jsonl"
    )
    table = read(tmp_path / "log").table
    return files, [str(day) for day in table["time"].dt.date()]


@pytest.fixture(autouse=True, params=["UTC", "Europe/Paris", "Pacific/Kiritimati", "America/St_Johns"])
def zone(request, monkeypatch):
    """The zone of the machine: it must make no difference."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.setdefault("TZ", "UTC")
    time.tzset()


def test_midnight_begins_a_new_file_in_utc_wherever_the_machine_stands(tmp_path):
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    steps = [midnight + timedelta(microseconds=step) for step in (-1, 0, 1)]
    files, days = written(tmp_path, steps)
    assert files == ["2026-02-28", "2026-03-01"]
    assert days == ["2026-02-28", "2026-03-01", "2026-03-01"]


@pytest.mark.parametrize(
    "change", [datetime(2026, 3, 29, tzinfo=PARIS), datetime(2026, 10, 25, tzinfo=PARIS)]
)
def test_summer_time_makes_no_hour_twice_and_loses_none(tmp_path, change):
    start = change.astimezone(UTC)
    times = [(start + timedelta(hours=hour)).astimezone(PARIS) for hour in range(-3, 30)]
    files, days = written(tmp_path, times)
    table = read(tmp_path / "log").table
    assert table["time"].to_list() == [now.astimezone(UTC) for now in times]
    assert len(set(table["time"])) == len(times)
    assert sorted(set(days)) == files


def test_a_clock_that_goes_back_over_midnight_loses_nothing(tmp_path):
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    skewed = [midnight + timedelta(seconds=second) for second in (-5, 5, -3, 7, -90_000, 9)]
    files, days = written(tmp_path, skewed)
    assert sorted(days) == sorted(f"{now:%Y-%m-%d}" for now in skewed)
    assert set(files) == {"2026-02-27", "2026-02-28", "2026-03-01"}


def test_another_zone_in_the_time_of_a_decision_is_the_same_moment(tmp_path):
    moment = datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    files, _ = written(tmp_path, [moment])
    assert files == ["2026-02-28"]


def test_retention_counts_days_in_utc(tmp_path):
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    times = [start + timedelta(days=day) for day in range(5)]
    files, days = written(tmp_path, times, keep_days=2)
    assert files == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert days == files
