"""Closed files go to a store, where each event is once, whoever is killed and whoever ships beside."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

from scoring.inference_log import anchors_folder, packing, parquet, pseudonym_key, read, verify
from scoring.inference_log import store as stores
from scoring.inference_log.anchor import read_anchor
from scoring.inference_log.disk import create, write_new
from scoring.inference_log.ship import Manifest, Shipped, ship
from scoring.inference_log.store import CLAIMS, Folder, ShippingError, put_checked
from tests.support.logs import NAME, NOON, ROOT, decided, entry, run, write

STEM = "0123456789abcdef01234567"
OTHER = "credit_scoring:new one"


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


@pytest.fixture
def store(tmp_path) -> Folder:
    return Folder(tmp_path / "store")


def shipped(folder: Path, key: bytes, store: Folder) -> Shipped:
    return ship(folder, anchors_folder(folder), key, store, lambda: NOON)


def two_days(folder: Path, key: bytes) -> Path:
    """Two files, one of them with two models and a table."""
    log = write(folder, key)
    with log.table(STEM, "r", "bank", NOON) as table:
        for part in range(2):
            table.add(*decided(5, 5 * part))
        table.commit()
    log.record(
        [entry(90, event_id="with-reasons", reasons=("ext_mean", "income_type"), operator="desk")], NOON
    )
    other = log.under(OTHER, ())
    other.record([entry(99, event_id="other", features={"ext_mean": 1.5, "age": 44.0})], NOON)
    log.close()
    write(folder, key, records=3, now=NOON + timedelta(days=1), worker="w2").close()
    return folder


def parquets(store: Folder) -> str:
    return str(store.root / "decisions" / "*" / "*" / "*.parquet")


def events(store: Folder) -> list[str]:
    files = sorted((store.root / "decisions").rglob("*.parquet"))
    return sorted(
        event for file in files for event in pl.read_parquet(file, hive_partitioning=False)["event_id"]
    )


def test_a_store_holds_what_the_log_does_and_can_be_verified_there(tmp_path, key, store):
    folder = two_days(tmp_path / "log", key)
    done = shipped(folder, key, store)
    assert (done.files, done.decisions, done.before, done.doubled, done.left) == (2, 27, 0, 0, [])
    again, heads = tmp_path / "again", tmp_path / "again-heads"
    again.mkdir(), heads.mkdir()
    for file in (store.root / "files").rglob("*.*"):
        if file.is_file():
            shutil.copy(file, heads if file.suffix == ".head" else again)
    verdict = verify(again, heads, key)
    assert not verdict.faults and (verdict.files, verdict.records) == (2, 27)
    assert read(again).table.equals(read(folder).table)
    manifests = [Manifest.of(file.read_bytes(), key) for file in (store.root / "manifests").rglob("*.json")]
    assert {(one.file, one.records) for one in manifests} == {(NAME, 16), ("2026-11-22.w2.jsonl", 3)}
    for key_, size, _ in (item for one in manifests for item in one.objects):
        assert (store.root / str(key_)).stat().st_size == size


def test_pandas_polars_and_duckdb_read_the_decisions_by_day_and_model(tmp_path, key, store):
    folder = two_days(tmp_path / "log", key)
    shipped(folder, key, store)
    logged = read(folder).table.filter(pl.col("model") == OTHER)
    by_pandas = pd.read_parquet(store.root / "decisions" / "model=credit_scoring%3Anew%20one")
    assert by_pandas["event_id"].tolist() == ["other"] and by_pandas["age"].tolist() == [44.0]
    assert by_pandas["applicant"].tolist() == logged["applicant"].to_list()
    of_first = pl.scan_parquet(store.root / "decisions" / "model=credit_scoring%3Aabc")
    found = of_first.sort("event_id").collect()
    assert found["day"].n_unique() == 2
    of_log = read(folder).table.filter(pl.col("model") != OTHER).sort("event_id")
    same = ["event_id", "time", "applicant", "probability_of_default", "decision", "ext_mean", "income_type"]
    assert found.select(same).equals(of_log.select(same))
    assert found.filter(event_id="with-reasons")["reasons"].item() == "ext_mean, income_type"
    assert found["operator"].value_counts().sort("count").rows() == [("desk", 1), ("bank", 10), (None, 15)]
    counted = (
        f"SELECT day, model, count(*), count(DISTINCT event_id) FROM read_parquet('{parquets(store)}', "
        "hive_partitioning = true, union_by_name = true) WHERE model LIKE '%abc' GROUP BY ALL ORDER BY 1"
    )
    rows = duckdb.connect().execute(counted).fetchall()
    assert [(str(day), model, n, once) for day, model, n, once in rows] == [
        ("2026-11-21", "credit_scoring:abc", 23, 23),
        ("2026-11-22", "credit_scoring:abc", 3, 3),
    ]


def test_what_is_there_is_not_sent_again(tmp_path, key, store, monkeypatch):
    folder = two_days(tmp_path / "log", key)
    shipped(folder, key, store)
    written: list[str] = []
    monkeypatch.setattr(Folder, "put", lambda _, name, __: written.append(name))
    assert shipped(folder, key, store) == Shipped(before=2)
    assert {name.partition("/")[0] for name in written} == {CLAIMS}  # that somebody is at work


def test_what_is_still_written_waits(tmp_path, key, store):
    log = write(tmp_path / "log", key)
    assert shipped(log.folder, key, store) == Shipped()
    log.close()
    assert shipped(log.folder, key, store).files == 1


FIRST_LINES = {
    "header": "",
    "table": "with log.table('0' * 24, 'r', 'bank', NOON) as table: table.add(*decided(5)), table.commit()\n",
    "note": "log.note('look-up', {'operator': 'ann'}, NOON)\n",
}


@pytest.mark.parametrize("first", FIRST_LINES)
def test_a_file_that_a_kill_left_is_shipped_whatever_it_begins_with(tmp_path, store, first):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tests.support.logs import NOON, decided, entry, write\n"
        "log = write(Path(sys.argv[1]), bytes(range(32)), records=0)\n"
        f"{FIRST_LINES[first]}"
        "log.record([entry(number) for number in range(4)], NOON); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "log"], cwd=ROOT, check=False)
    done = shipped(tmp_path / "log", bytes(range(32)), store)
    many = 9 if first == "table" else 4
    assert (done.files, done.decisions) == (1, many) and len(events(store)) == many


def test_a_changed_file_is_named_and_not_shipped(tmp_path, key, store):
    folder = two_days(tmp_path / "log", key)
    file = folder / "2026-11-22.w2.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"granted"', b'"refused"').replace(b"0.25", b"0.35", 1))
    done = shipped(folder, key, store)
    assert done.files == 1 and done.left == ["2026-11-22.w2.jsonl, line 2: the record was changed"]
    assert not [event for event in events(store) if event.startswith("w2")]


def test_a_store_that_gives_back_something_else_is_found(tmp_path, key, store, monkeypatch):
    folder = two_days(tmp_path / "log", key)
    whole = Folder.put
    monkeypatch.setattr(Folder, "put", lambda self, name, content: whole(self, name, content[:-1] + b"?"))
    with pytest.raises(ShippingError, match="does not give log"):
        shipped(folder, key, store)
    monkeypatch.undo()
    (store.root / "log.json").unlink()
    assert shipped(folder, key, store).files == 2 and len(events(store)) == len(set(events(store))) == 27


def test_a_store_that_is_full_says_so_and_the_same_command_goes_on(tmp_path, key, store, monkeypatch):
    folder = two_days(tmp_path / "log", key)
    left = [4]

    def full(path: Path, content: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_new(path, content)

    monkeypatch.setattr(stores, "write_new", full)
    arguments = ("--log", folder, "--key-file", tmp_path / "pseudonym.key", "--to", store.root)
    failed = run("ship", *arguments)
    assert failed.exit_code == 2 and "No space left on device; make room" in failed.stderr
    monkeypatch.undo()
    done = run("ship", *arguments)
    assert done.exit_code == 0 and "2 files shipped with 27 decisions" in done.stdout, done.output
    assert len(events(store)) == len(set(events(store))) == 27
    assert "0 files shipped with 0 decisions, 0 bytes; 2 were there" in run("ship", *arguments).stdout


def test_the_store_of_another_log_is_refused(tmp_path, key, store):
    shipped(two_days(tmp_path / "log", key), key, store)
    other = pseudonym_key(tmp_path / "other.key")
    before = sorted(store.keys(""))
    with pytest.raises(ShippingError, match="files of another log"):
        shipped(write(tmp_path / "second", other).folder, other, store)
    assert sorted(store.keys("")) == before


@pytest.mark.parametrize("place", ["", "ftp://somewhere", "s3://"])
def test_a_store_of_no_kind_is_a_sentence(tmp_path, key, place):
    folder = two_days(tmp_path / "log", key)
    done = run("ship", "--log", folder, "--key-file", tmp_path / "pseudonym.key", "--to", place)
    assert done.exit_code == 2 and done.stderr.startswith("Not done: the store") and "s3://" in done.stderr


def doubled(tmp_path: Path, key: bytes, worker: str, now: datetime = NOON) -> Path:
    """Return the log of a machine that was sent a request which another one was sent as well."""
    log = write(tmp_path / worker, key, records=2, worker=worker)
    with log.table(STEM, worker, "bank", now) as table:
        table.add(*decided(5))
        table.commit()
    log.close()
    return log.folder


@pytest.mark.parametrize("workers", [("w1", "w2"), ("w2", "w1")])
def test_one_request_sent_to_two_machines_counts_once(tmp_path, key, store, workers):
    done = [shipped(doubled(tmp_path, key, worker), key, store) for worker in workers]
    assert [one.files for one in done] == [1, 1]
    assert sorted(store.keys("files")) and len(events(store)) == 9 == len(set(events(store)))


def test_around_midnight_too(tmp_path, key, store):
    shipped(doubled(tmp_path, key, "w2", NOON + timedelta(days=1)), key, store)
    shipped(doubled(tmp_path, key, "w1"), key, store)
    assert len(events(store)) == 9 == len(set(events(store)))


@pytest.mark.parametrize("is_first_the_slower", [True, False])
@pytest.mark.parametrize("moment", ["before its parts are there", "when its parts are there"])
def test_two_that_ship_at_once_leave_each_event_once(
    tmp_path, key, store, monkeypatch, moment, is_first_the_slower
):
    """One is stopped where it has looked at the store, or has written to it; the other runs through."""
    first, second = doubled(tmp_path, key, "w1"), doubled(tmp_path, key, "w2")
    if is_first_the_slower:
        first, second = second, first
    begun: list[str] = []

    def put(into: Folder, name: str, content: bytes) -> None:
        if moment.startswith("when"):
            put_checked(into, name, content)
        if name.startswith("decisions") and not begun:
            begun.append(name)
            shipped(second, key, store)
        if moment.startswith("before"):
            put_checked(into, name, content)

    monkeypatch.setattr(parquet, "put_checked", put)
    shipped(first, key, store)
    assert begun and len(events(store)) == 9 == len(set(events(store)))


def test_a_copy_of_a_log_is_the_same_log(tmp_path, key, store):
    folder = two_days(tmp_path / "log", key)
    shipped(folder, key, store)
    shutil.copytree(folder, tmp_path / "copy")
    shutil.copytree(anchors_folder(folder), anchors_folder(tmp_path / "copy"))
    assert shipped(tmp_path / "copy", key, store) == Shipped(before=2)


def test_many_decisions_are_in_many_parts(tmp_path, key, store, monkeypatch):
    monkeypatch.setattr(parquet, "PART_ROWS", 4)
    folder = two_days(tmp_path / "log", key)
    assert shipped(folder, key, store).decisions == 27
    assert len(list((store.root / "decisions").rglob("*.parquet"))) == 6 + 1 + 1
    assert len(events(store)) == 27


KILLED = """
import os, sys
from pathlib import Path
from scoring.inference_log import anchors_folder, disk, store
from scoring.inference_log.ship import ship
from datetime import UTC, datetime
left = [int(sys.argv[4])]
def counted(call):
    def counting(*arguments, **named):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)
        return call(*arguments, **named)
    return counting
for name in ("fsync", "write", "open", "fchmod"):
    setattr(os, name, counted(getattr(os, name)))
Path.rename = counted(Path.rename)
log = Path(sys.argv[1])
ship(log, anchors_folder(log), Path(sys.argv[2]).read_bytes(), store.Folder(Path(sys.argv[3])),
     lambda: datetime.now(UTC))
"""


def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path, key, store):
    folder = two_days(tmp_path / "log", key)
    for path in packing.log_files(folder):
        packing.pack(path)
    for step in (20, 90, 200):
        command = [sys.executable, "-c", KILLED, folder, tmp_path / "pseudonym.key", store.root, str(step)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        assert code in (0, -signal.SIGKILL)
        seen = events(store)
        assert len(seen) == len(set(seen))
    done = shipped(folder, key, store)
    assert done.files + done.before == 2 and len(events(store)) == 27 == len(set(events(store)))


@pytest.mark.parametrize("state", ["closed", "left by a kill"])
def test_what_is_packed_is_shipped_where_there_is_no_room_to_pack_the_others(
    tmp_path, key, store, monkeypatch, state
):
    """It is what purging makes room with."""
    folder = two_days(tmp_path / "log", key)
    assert packing.pack(folder / NAME)
    plain = folder / "2026-11-22.w2.jsonl"
    if state == "left by a kill":
        head = anchors_folder(folder) / f"{plain.name}.head"
        anchor = read_anchor(head, key)
        assert anchor is not None
        head.write_bytes(replace(anchor, state="open").to_bytes(key))

    def full(to: Path) -> int:
        if to.name.startswith(plain.name):
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(to)

    monkeypatch.setattr(packing, "create", full)
    done = shipped(folder, key, store)
    assert done.files == 1
    assert done.left == [f"{plain.name}: it could not be packed: No space left on device"]
    monkeypatch.undo()
    assert (done := shipped(folder, key, store)).files == 1 and not done.left


def test_what_a_kill_left_in_a_store_is_tidied_away(tmp_path, key, store):
    folder = two_days(tmp_path / "log", key)
    draft = store.root / "manifests" / "day=2026-11-21" / ".x.json.00.part"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    os.utime(draft, (0, 0))
    assert "x.json" not in str(store.keys("")) and shipped(folder, key, store).files == 2
    assert not draft.exists()
