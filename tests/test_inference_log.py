"""The inference log keeps every decision it has taken, and nothing that names a client."""

import errno
import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import inference_log
from scoring.inference_log import COLUMNS, Entry, InferenceLog, LogError, pseudonym, pseudonym_key, read

KEY = bytes(range(32))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CATEGORIES = ("income_type",)


def entry(number: int = 0, **changes) -> Entry:
    features = {"ext_source_mean": 0.5, "income_type": "Working"}
    values = {
        "event_id": f"e{number}",
        "applicant": 100_000 + number,
        "request_id": "r",
        "probability_of_default": 0.25,
        "threshold": 0.09,
        "decision": "refused",
        "features": features,
    }
    return Entry(**(values | changes))


@pytest.fixture
def log(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", KEY, "credit_scoring:abc", CATEGORIES)
    yield log
    log.close()


def test_what_was_recorded_is_read_back(log):
    log.record([entry(0, features={"ext_source_mean": None, "income_type": "Working"})], NOON)
    log.record([entry(1, features={"ext_source_mean": 0.5, "income_type": None})], NOON + timedelta(hours=1))
    found = read(log.folder)
    assert found.quarantined == () and found.duplicates == 0
    assert found.table.schema == COLUMNS | {"ext_source_mean": pl.Float64(), "income_type": pl.String()}
    assert found.table.row(0, named=True) == {
        "event_id": "e0",
        "time": NOON,
        "model": "credit_scoring:abc",
        "applicant": pseudonym(KEY, 100_000),
        "request_id": "r",
        "probability_of_default": 0.25,
        "threshold": 0.09,
        "decision": "refused",
        "ext_source_mean": None,
        "income_type": "Working",
    }
    assert found.table["income_type"].to_list() == ["Working", None]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=1, max_size=5))
def test_numbers_come_back_bit_for_bit(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("log")
    log = InferenceLog(folder, "w1", KEY, "m")
    log.record([entry(i, features={"x": number}) for i, number in enumerate(numbers)], NOON)
    log.close()
    assert read(folder).table.sort("event_id")["x"].to_list() == numbers


def test_an_empty_log_has_the_columns_of_a_full_one(log):
    assert read(log.folder).table.schema == COLUMNS


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no inference log in .*nowhere"):
        read(tmp_path / "nowhere")


def test_no_direct_identifier_is_written(log):
    log.record([entry(applicant=424_242)], NOON)
    (file,) = log.folder.iterdir()
    assert "424242" not in file.read_text() + file.name
    assert pseudonym(KEY, 424_242) in file.read_text()


def test_a_pseudonym_needs_its_key():
    assert pseudonym(KEY, 1) == pseudonym(KEY, 1)
    assert len({pseudonym(KEY, 1), pseudonym(KEY, 2), pseudonym(bytes(32), 1)}) == 3


def test_a_file_is_named_by_the_day_in_utc(log):
    eastern = timezone(timedelta(hours=-5))
    log.record([entry(0)], NOON)
    log.record([entry(1)], datetime(2026, 11, 21, 23, tzinfo=eastern))  # the 22nd at 04:00 UTC
    assert sorted(file.name for file in log.folder.iterdir()) == [
        "2026-11-21.w1.jsonl",
        "2026-11-22.w1.jsonl",
    ]
    assert read(log.folder).table["time"].to_list() == [NOON, datetime(2026, 11, 22, 4, tzinfo=UTC)]


def test_a_time_without_a_zone_is_refused(log):
    with pytest.raises(ValueError, match="time zone"):
        log.record([entry()], datetime(2026, 11, 21))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_json_is_never_written(log, number):
    log.record([entry(0)], NOON)
    with pytest.raises(ValueError):
        log.record([entry(1, probability_of_default=number)], NOON)
    assert read(log.folder).table["event_id"].to_list() == ["e0"]


def test_a_record_cut_at_any_byte_costs_itself_only(log, tmp_path):
    log.record([entry(0), entry(1)], NOON)
    (file,) = log.folder.iterdir()
    content = file.read_bytes()
    first = content.index(b"\n") + 1
    torn = tmp_path / "torn"
    torn.mkdir()
    for cut in range(first, len(content)):
        (torn / "2026-11-21.w1.jsonl").write_bytes(content[:cut])
        found = read(torn)
        assert found.table["event_id"].to_list() == ["e0"]
        assert [item.line for item in found.quarantined] == ([2] if cut > first else [])


@pytest.mark.parametrize(
    "damage",
    [
        "\0",
        "{",
        "[]",
        "{}",
        '{"schema_version":2}',
        ("0.25", "NaN"),
        ("0.25", "1e999"),
        ("0.25", '"0.25"'),
        ("0.25", "true"),
        ('"Working"', "3"),
        ('"Working"', "NaN"),
        ('"e0"', "null"),
        ("2026-11-21T", "2026-13-21T"),
        ("ext_source_mean", "decision"),
    ],
)
def test_what_is_no_record_is_set_aside_with_its_place(log, damage):
    log.record([entry(0)], NOON)
    (file,) = log.folder.iterdir()
    line = file.read_text()
    file.write_text((line.replace(*damage) if isinstance(damage, tuple) else damage + "\n") + line)
    found = read(log.folder)
    assert found.table["event_id"].to_list() == ["e0"]
    assert [(item.file, item.line) for item in found.quarantined] == [(file, 1)]
    assert "Working" not in found.quarantined[0].why


def test_a_decision_met_twice_counts_once(log):
    log.record([entry(0)], NOON)
    (file,) = log.folder.iterdir()
    (log.folder / "2026-11-21.copy.jsonl").write_bytes(file.read_bytes())
    found = read(log.folder)
    assert (found.table.height, found.duplicates) == (1, 1)


def test_two_models_share_a_table(log):
    log.record([entry(0)], NOON)
    newer = InferenceLog(log.folder, "w2", KEY, "credit_scoring:def", ("region",))
    newer.record([entry(1, features={"region": "north", "age": 40.0})], NOON)
    newer.close()
    table = read(log.folder).table
    assert table["region"].to_list() == [None, "north"]
    assert table["ext_source_mean"].to_list() == [0.5, None]


def test_a_restarted_worker_cuts_a_torn_tail_and_goes_on(log):
    log.record([entry(0)], NOON)
    log.close()
    (file,) = log.folder.iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"schema_version":1,"event')
    again = InferenceLog(log.folder, "w1", KEY, "m", CATEGORIES)
    again.record([entry(1)], NOON)
    again.close()
    found = read(log.folder)
    assert found.table["event_id"].to_list() == ["e0", "e1"] and found.quarantined == ()


def test_two_writers_never_share_a_file(log):
    log.record([entry(0)], NOON)
    twin = InferenceLog(log.folder, "w1", KEY, "m", CATEGORIES)
    with pytest.raises(LogError):
        twin.record([entry(1)], NOON)
    twin.close()
    assert read(log.folder).table["event_id"].to_list() == ["e0"]


def test_threads_share_a_log(log):
    threads = [
        threading.Thread(target=lambda i=i: [log.record([entry(100 * i + j)], NOON) for j in range(20)])
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(log.folder)
    assert found.table.height == 80 and found.quarantined == ()


class FullDisk:
    """A disk that takes so many bytes and no more, as a real one does: a part first, then an error."""

    def __init__(self, monkeypatch, room: int) -> None:
        self.room = room
        self.write = os.write
        monkeypatch.setattr(inference_log.os, "write", self)

    def __call__(self, descriptor, content) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(content)[: self.room]
        self.room -= len(part)
        return self.write(descriptor, part)


def test_on_a_full_disk_nothing_counts_and_the_log_heals(log, monkeypatch):
    log.record([entry(0)], NOON)
    disk = FullDisk(monkeypatch, room=300)
    with pytest.raises(LogError, match="No space left"):
        log.record([entry(1), entry(2)], NOON)
    assert read(log.folder).table["event_id"].to_list() == ["e0"]
    assert read(log.folder).quarantined == ()
    disk.room = 10**6
    log.record([entry(3)], NOON)
    assert read(log.folder).table["event_id"].to_list() == ["e0", "e3"]


def test_a_failed_sync_is_a_failed_record(log, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log.record([entry(0)], NOON)
    with monkeypatch.context() as broken:
        broken.setattr(inference_log.os, "fsync", fail)
        with pytest.raises(LogError, match="Input/output"):
            log.record([entry(1)], NOON)
    log.record([entry(2)], NOON)
    assert read(log.folder).table["event_id"].to_list() == ["e0", "e2"]


def test_health_follows_the_disk(log):
    log.record([entry(0)], NOON)
    assert log.is_healthy()
    gone = log.folder.rename(log.folder.with_name("gone"))
    with pytest.raises(LogError):
        log.record([entry(1)], NOON)
    assert not log.is_healthy()
    gone.rename(log.folder)
    assert log.is_healthy()
    log.record([entry(2)], NOON)
    assert read(log.folder).table["event_id"].to_list() == ["e0", "e2"]


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot be made"):
        InferenceLog(tmp_path / "file" / "log", "w1", KEY, "m")


@pytest.mark.parametrize("worker", ["", "../w1", "w 1"])
def test_a_worker_is_a_file_name(tmp_path, worker):
    with pytest.raises(ValueError, match="worker"):
        InferenceLog(tmp_path, worker, KEY, "m")


def test_the_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "secrets" / "pseudonym.key"
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(pseudonym_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1 and len(keys) == 8 and len(keys[0]) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "pseudonym.key"
    pseudonym_key(path)
    path.chmod(0o644)
    with pytest.raises(LogError, match="chmod 600"):
        pseudonym_key(path)


def test_a_key_that_is_too_short_is_refused(tmp_path):
    path = tmp_path / "pseudonym.key"
    path.touch(0o600)
    with pytest.raises(LogError, match="0 bytes"):
        pseudonym_key(path)


def test_a_line_is_strict_json_of_a_known_version(log):
    log.record([entry(0)], NOON)
    (file,) = log.folder.iterdir()
    (line,) = file.read_text().splitlines()
    record = json.loads(line)
    assert record["schema_version"] == 1
    assert record["time"] == "2026-11-21T12:00:00.000000Z"
    assert record["numbers"] == {"ext_source_mean": 0.5} and record["categories"] == {
        "income_type": "Working"
    }
