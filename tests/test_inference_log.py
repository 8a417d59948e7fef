"""The inference log keeps every decision it has taken, and nothing that names a client."""

import contextlib
import errno
import json
import os
import resource
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.inference_log import (
    LOGGED,
    Entry,
    InferenceLog,
    LogError,
    audit_table,
    find,
    inputs_hash,
    pseudonym,
    pseudonym_key,
    read,
    verify,
)

ROOT = Path(__file__).parent.parent
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
    log = InferenceLog(tmp_path / "log", "w1", KEY, "credit_scoring:abc", categories=CATEGORIES)
    yield log
    log.close()


def test_what_was_recorded_is_read_back(log):
    log.record([entry(0, features={"ext_source_mean": None, "income_type": "Working"})], NOON)
    log.record([entry(1, features={"ext_source_mean": 0.5, "income_type": None})], NOON + timedelta(hours=1))
    found = read(log.folder)
    assert found.quarantined == () and found.duplicates == 0
    assert found.table.schema == LOGGED | {"ext_source_mean": pl.Float64(), "income_type": pl.String()}
    assert found.table.row(0, named=True) == {
        "event_id": "e0",
        "time": NOON,
        "model": "credit_scoring:abc",
        "applicant": pseudonym(KEY, 100_000),
        "request_id": "r",
        "probability_of_default": 0.25,
        "threshold": 0.09,
        "decision": "refused",
        "purpose": "decision",
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
    assert read(log.folder).table.schema == LOGGED


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


@pytest.mark.parametrize("word", ["x:NaN", ":Infinity", 'a"b\n', "é’–", "\0", "1e999"])
def test_any_word_comes_back_as_it_was(log, word):
    log.record([entry(0, features={"income_type": word})], NOON)
    assert read(log.folder).table["income_type"].to_list() == [word]
    record = find(log.folder, "e0")
    assert record["audit"]["inputs_sha256"] == inputs_hash(record["inputs"])


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_an_input_that_is_no_number_is_never_written(log, number):
    with pytest.raises(ValueError):
        log.record([entry(0, features={"income_type": "x:NaN", "ext_source_mean": number})], NOON)
    assert read(log.folder).table.height == 0


def test_a_record_cut_at_any_byte_costs_itself_only(log, tmp_path):
    log.record([entry(0), entry(1)], NOON)
    (file,) = log.folder.iterdir()
    content = file.read_bytes()
    first = content.index(b"\n", content.index(b"\n") + 1) + 1  # after the header and a record
    torn = tmp_path / "torn"
    torn.mkdir()
    for cut in range(first, len(content)):
        (torn / "2026-11-21.w1.jsonl").write_bytes(content[:cut])
        found = read(torn)
        assert found.table["event_id"].to_list() == ["e0"]
        assert [item.line for item in found.quarantined] == ([3] if cut > first else [])


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
        ('"header"', '"heading"'),
        ("[0.5]", "[]"),
    ],
)
def test_what_is_no_record_is_set_aside_with_its_place(log, damage):
    log.record([entry(0)], NOON)
    (file,) = log.folder.iterdir()
    header, line = file.read_text().splitlines(keepends=True)
    damaged = line.replace(*damage) if isinstance(damage, tuple) else damage + "\n"
    assert damaged != line
    file.write_text(header + damaged + line)
    found = read(log.folder)
    assert found.table["event_id"].to_list() == ["e0"]
    assert [(item.file, item.line) for item in found.quarantined] == [(file, 2)]
    assert "Working" not in found.quarantined[0].why


def test_a_decision_met_twice_counts_once(log):
    log.record([entry(0)], NOON)
    (file,) = log.folder.iterdir()
    (log.folder / "2026-11-21.copy.jsonl").write_bytes(file.read_bytes())
    found = read(log.folder)
    assert (found.table.height, found.duplicates) == (1, 1)


def test_two_models_share_a_table(log):
    log.record([entry(0)], NOON)
    newer = InferenceLog(log.folder, "w2", KEY, "credit_scoring:def", categories=("region",))
    newer.record([entry(1, features={"region": "north", "age": 40.0})], NOON)
    newer.close()
    table = read(log.folder).table
    assert table["region"].to_list() == [None, "north"]
    assert table["ext_source_mean"].to_list() == [0.5, None]


def test_a_restarted_worker_leaves_a_torn_tail_alone_and_goes_on(log):
    log.record([entry(0)], NOON)
    log.close()
    (file,) = log.folder.iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"schema_version":1,"event')
    again = InferenceLog(log.folder, "w1", KEY, "m", categories=CATEGORIES)
    again.record([entry(1)], NOON)
    again.close()
    found = read(log.folder)
    assert found.table["event_id"].to_list() == ["e0", "e1"]
    assert [(item.file, item.line) for item in found.quarantined] == [(file, 3)]


def test_two_writers_never_share_a_file(log):
    log.record([entry(0)], NOON)
    path = InferenceLog(log.folder, "w1", KEY, "m", categories=CATEGORIES)
    path.record([entry(1)], NOON)
    path.close()
    assert [len(file.read_bytes().splitlines()) for file in log.folder.iterdir()] == [2, 2]
    assert read(log.folder).table["event_id"].to_list() == ["e0", "e1"]


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
        monkeypatch.setattr(os, "write", self)

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
        broken.setattr(os, "fsync", fail)
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
    header, record = map(json.loads, file.read_text().splitlines())
    assert header["schema_version"] == record["schema_version"] == 3
    assert header["header"] == {
        "id": record["header"],
        "model": "credit_scoring:abc",
        "numbers": ["ext_source_mean"],
        "categories": ["income_type"],
    }
    assert record["time"] == "2026-11-21T12:00:00.000000Z"
    assert (record["numbers"], record["categories"]) == ([0.5], ["Working"])


def test_names_are_said_once_in_a_file_for_each_list_of_them(log):
    other = log.under("credit_scoring:def", ())
    for number in range(3):
        log.record([entry(number), entry(10 + number, features={"x": 1.0})], NOON)
        other.record([entry(20 + number, features={"x": 2.0})], NOON)
    (file,) = log.folder.iterdir()
    headers = [json.loads(line) for line in file.read_text().splitlines() if '"header":{' in line]
    assert [header["seq"] for header in headers] == [0, 0, 2]
    found = read(log.folder)
    said = {row["event_id"]: (row["model"][15:], row["x"]) for row in found.table.iter_rows(named=True)}
    assert said == {
        f"e{ten + n}": what
        for ten, what in ((0, ("abc", None)), (10, ("abc", 1.0)), (20, ("def", 2.0)))
        for n in range(3)
    }
    assert found.quarantined == ()
    verdict = verify(log.folder, log.anchors, KEY)
    assert (verdict.records, verdict.faults, verdict.notes) == (9, [], [])


@pytest.mark.parametrize("damage", ["lost", "changed", "doubled name", "no names"])
def test_without_its_header_no_record_is_guessed_at(log, damage):
    log.record([entry(0)], NOON)
    (file,) = log.folder.iterdir()
    header, line = file.read_text().splitlines(keepends=True)
    damaged = {
        "lost": "",
        "changed": header.replace("ext_source_mean", "ext_source_max"),
        "doubled name": header.replace('["income_type"]', '["ext_source_mean"]'),
        "no names": header.replace('["income_type"]', "7"),
    }[damage]
    file.write_text(damaged + line)
    found = read(log.folder)
    assert found.table.is_empty() and len(found.quarantined) == 1 + bool(damaged)
    assert find(log.folder, "e0") is None and audit_table(log.folder).is_empty()
    assert verify(log.folder, log.anchors, KEY).faults[0].line == 1


def test_the_two_streams_are_told_apart(log):
    log.record([entry(0, operator="branch-7", reasons=("ext_mean", "bureau_debt"))], NOON)
    log.record([entry(1)], NOON)
    audit = audit_table(log.folder).to_dicts()
    assert [(row["operator"], row["reasons"]) for row in audit] == [
        ("branch-7", "ext_mean, bureau_debt"),
        (None, None),
    ]
    assert "ext_source_mean" not in audit[0]
    record = find(log.folder, "e0")
    assert audit[0]["inputs_sha256"] == record["audit"]["inputs_sha256"] == inputs_hash(record["inputs"])
    assert not {"applicant", "operator", "request_id"} & record["inputs"].keys()
    assert find(log.folder, "e7") is None


def test_a_file_ends_when_it_is_full(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", KEY, "m", categories=CATEGORIES, file_bytes=1_500)
    for number in range(7):
        log.record([entry(number)], NOON)
    log.close()
    names = sorted(file.name for file in log.folder.iterdir())
    assert names[0] == "2026-11-21.w1.1.jsonl" and len(names) > 2
    assert max(file.stat().st_size for file in log.folder.iterdir()) < 1_500 + 1_000
    assert read(log.folder).table["event_id"].to_list() == [f"e{number}" for number in range(7)]


def test_those_who_wait_share_one_sync(log, monkeypatch):
    log.record([entry(0)], NOON)
    syncs, sync = [], os.fsync
    first_is_in, may_go_on = threading.Event(), threading.Event()

    def slow(descriptor):
        syncs.append(descriptor)
        first_is_in.set()
        assert may_go_on.wait(10)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    threads = [threading.Thread(target=log.record, args=([entry(i)], NOON)) for i in range(1, 21)]
    threads[0].start()
    assert first_is_in.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(log._waiting) < 19:
        assert len(syncs) == 1
    may_go_on.set()
    for thread in threads:
        thread.join()
    assert len(syncs) == 2 and read(log.folder).table.height == 21


def test_when_a_shared_sync_fails_all_who_shared_it_are_told(log, monkeypatch):
    log.record([entry(0)], NOON)
    disk, failed = FullDisk(monkeypatch, room=900), []

    def write(number):
        try:
            log.record([entry(number)], NOON)
        except LogError:
            failed.append(f"e{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    disk.room = 10**6
    kept = set(read(log.folder).table["event_id"])
    assert failed and kept == {f"e{number}" for number in range(13)} - set(failed)


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 256 KiB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_on_a_disk_that_is_really_full_nothing_counts_and_the_log_heals(tiny_disk):
    log = InferenceLog(tiny_disk / "log", "w1", KEY, "m", categories=CATEGORIES)
    log.record([entry(0)], NOON)
    ballast = tiny_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    kept = ["e0"]
    for number in range(1, 40):
        try:
            log.record([entry(number)], NOON)
        except LogError as error:
            assert "No space left" in str(error)
        else:
            kept.append(f"e{number}")  # the last page had room
    assert len(kept) < 39 and not log.is_healthy()
    found = read(log.folder)
    assert found.table["event_id"].sort().to_list() == sorted(kept) and found.quarantined == ()
    ballast.unlink()
    assert log.is_healthy()
    log.record([entry(99)], NOON)
    log.close()
    assert set(read(log.folder).table["event_id"]) == {*kept, "e99"}
    assert verify(log.folder, log.anchors, KEY).faults == []


def test_under_a_size_limit_of_the_system_nothing_counts(log):
    log.record([entry(0)], NOON)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_400, hard))
    try:
        with pytest.raises(LogError, match="File too large"):
            log.record([entry(1), entry(2)], NOON)
        assert not log.is_healthy()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.is_healthy()
    log.record([entry(3)], NOON)
    assert read(log.folder).table["event_id"].to_list() == ["e0", "e3"]


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from scoring.inference_log import Entry, InferenceLog
log = InferenceLog(Path(sys.argv[1]), sys.argv[2], bytes(range(32)), "m")
for number in range(10_000):
    name = f"{sys.argv[2]}-{number}"
    log.record([Entry(name, number, "r", 0.1, 0.2, "granted", {"x": 1.0})], datetime.now(UTC))
    print(name, flush=True)  # this is the answer
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    acknowledged = []
    for life in range(5):
        command = [sys.executable, "-c", KILLED, tmp_path / "log", f"w{life}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        acknowledged += [process.stdout.readline().strip() for _ in range(20 + 7 * life)]
        process.kill()
        acknowledged += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
    logged = set(read(tmp_path / "log").table["event_id"])
    assert set(acknowledged) <= logged and len(logged) <= len(acknowledged) + 5
    verdict = verify(tmp_path / "log", tmp_path / "log-heads", KEY)
    assert verdict.faults == [] and verdict.files == 5
