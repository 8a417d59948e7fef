"""Closed files of the log are packed: nothing is lost on the way, and nobody who reads sees a difference."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from scoring.inference_log import (
    InferenceLog,
    LogError,
    anchors_folder,
    audit_table,
    compressed,
    find,
    inputs_hash,
    packing,
    pseudonym_key,
    purge,
    read,
    renew,
    verify,
    writer,
)
from scoring.inference_log.anchor import read_anchor
from scoring.inference_log.compressed import pack_bytes, unpacked
from scoring.inference_log.erasing import erase
from scoring.inference_log.packer import REST_S, Packer
from scoring.inference_log.packing import BLOCK, open_log, pack, packed
from scoring.inference_log.table import TableEntry, table_files
from scoring.regular import open_regular
from tests.support.logs import NAME, NOON, decided, entry, measured, quiet, run, write

ROOT = Path(__file__).parent.parent
OLD = Path(__file__).with_name("log_of_version_2")
STEM = "0123456789abcdef01234567"
KEY = bytes(range(32))


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


def faults(folder: Path, key: bytes) -> list[tuple[str, int | None]]:
    return [(fault.file.name, fault.line) for fault in verify(folder, anchors_folder(folder), key).faults]


@pytest.fixture
def folder(tmp_path, key) -> Path:
    """Closed and not packed, two files and a table."""
    log = write(tmp_path / "log", key)
    with log.table(STEM, "r", "bank", NOON) as table:
        decided = {"probability_of_default": [0.1, 0.2], "threshold": 0.09, "decision": "refused"}
        inputs = {"ext_mean": [None, 0.5], "income_type": ["Working", None]}
        table.add([1, 2], pl.DataFrame(decided), pl.DataFrame(inputs))
        table.commit()
    log.close()
    write(tmp_path / "log", key, records=3, now=NOON + timedelta(days=1), worker="w2").close()
    return tmp_path / "log"


def seen(folder: Path, key: bytes, out: Path) -> list[Any]:
    """All that somebody can see of a log."""
    found = read(folder)
    verdict = verify(folder, anchors_folder(folder), key)
    shown = [run("tail", "--log", folder, "-n", rows).stdout for rows in (1, 4, 100)]
    done = run("export", "--log", folder, "--out", out)
    exported = pl.read_parquet(out).to_dicts()
    out.unlink()
    records = [find(folder, event) for event in found.table["event_id"]]
    counts = (verdict.files, verdict.records, verdict.purged, verdict.notes)
    faults = [(packing.written_as(fault.file), fault.line, fault.why) for fault in verdict.faults]
    set_aside = [(packing.written_as(item.file), item.line, item.why) for item in found.quarantined]
    table, audit = found.table.to_dicts(), audit_table(folder).to_dicts()
    return [table, audit, found.duplicates, set_aside, counts, faults, shown, done.stdout, exported, records]


def pack_all(folder: Path) -> None:
    for path in packing.log_files(folder):
        pack(path)
    assert {path.suffix for path in folder.iterdir()} == {".zst"}


def test_who_reads_sees_no_difference(folder, tmp_path, key):
    with (folder / "2026-11-22.w2.jsonl").open("ab") as file:
        file.write(b"added\n")
    before = seen(folder, key, tmp_path / "x.parquet")
    pack_all(folder)
    assert seen(folder, key, tmp_path / "x.parquet") == before
    assert len(before[0]) == 17 and len(before[3]) == 1 and all(before[-1])


def test_a_log_of_an_older_version_is_read_packed_and_verified(tmp_path):
    shutil.copytree(OLD, tmp_path / "old")
    folder, key = tmp_path / "old" / "log", bytes(range(32))
    before = seen(folder, key, tmp_path / "x.parquet")
    events = [f"{STEM}00000000", f"{STEM}00000001", "e0", "e1", "e2"]
    assert [row["event_id"] for row in before[0]] == events and before[3:6] == [[], (1, 5, 0, []), []]
    assert [row["ext_mean"] for row in before[0]] == [None, 0.1 + 0.2, None, 1 / 7, 2 / 7]
    assert [row["operator"] for row in before[1]] == ["bank", "bank", None, "desk", "desk"]
    for record in before[-1]:
        assert record["audit"]["inputs_sha256"] == inputs_hash(record["inputs"])
    (file,) = folder.glob("*.jsonl")
    assert pack(file) and not file.exists()
    assert seen(folder, key, tmp_path / "x.parquet") == before
    InferenceLog(folder, "w1", key, "m", categories=("income_type",), is_packed=True).record([entry(7)], NOON)
    assert read(folder).table.height == 6


def test_a_log_whose_tables_were_packed_at_once_is_read_verified_and_erased(tmp_path):
    """A line of before names the packed file, with the hash of its bytes."""
    shutil.copytree(Path(__file__).with_name("log_of_packed_tables"), tmp_path, dirs_exist_ok=True)
    folder, key = tmp_path / "log", bytes(range(32))
    before = seen(folder, key, tmp_path / "x.parquet")
    assert [row["event_id"] for row in before[0]] == [f"{STEM}00000000", f"{STEM}00000001", "e0", "e1", "e2"]
    assert before[3:6] == [[], (1, 5, 0, []), []]
    erase(folder, anchors_folder(folder), key, 2, "asked for", lambda: NOON)
    assert faults(folder, key) == [] and read(folder).table.height == 4
    assert [path.name for path in table_files(folder)] == ["2026-11-21.w1.t0.arrow.zst"]


def test_a_table_is_packed_before_the_file_that_names_it(folder, monkeypatch):
    (table,) = table_files(folder)
    whole = table.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="No space"):
        broken.setattr(packing, "write_all", full)
        pack(folder / NAME)
    assert (folder / NAME).exists() and table.read_bytes() == whole
    assert pack(folder / NAME) and not table.exists()
    with open_log(table) as again:
        assert again.read() == whole


@pytest.mark.parametrize("is_full", [False, True])
def test_tables_rest_while_others_are_written_unless_too_many_files_wait(tmp_path, monkeypatch, is_full):
    looks: list[bool] = []

    def clock() -> float:
        looks.append(log.folder.is_dir() and any(path.suffix == ".zst" for path in log.folder.iterdir()))
        return 0.0 if is_full else (len(looks) - 1) * REST_S / 3

    log = InferenceLog(tmp_path / "log", "w1", KEY, "m", categories=("income_type",))
    packer = Packer(tmp_path / "none", tmp_path / "none", KEY, print, clock)
    with log.table(STEM, "r", "bank", NOON) as table:
        table.add(*decided(9))
        table.commit()
    log.close()
    monkeypatch.setattr("scoring.inference_log.packer.MOST_WAITING", 0 if is_full else 1)
    packer.stand_back()
    packer.add(log.folder / NAME)
    while any(path.suffix != ".zst" for path in log.folder.iterdir()):
        time.sleep(0.01)
    packer.close()
    assert looks == [False] * (2 if is_full else 4)


def test_what_stops_the_thread_that_packs_is_said_and_the_next_file_is_packed(tmp_path):
    (tmp_path / "log").touch()
    told: list[str] = []
    log = write(tmp_path / "written", KEY)
    log.close()
    packer = Packer(tmp_path / "log", tmp_path / "none", KEY, told.append)
    packer.add(Path("no file has such a name\0"))
    packer.add(log.folder / NAME)
    packer.close()
    assert [line.rpartition(": ")[2] for line in told] == ["Not a directory", "ValueError"]
    assert [path.suffix for path in log.folder.iterdir()] == [".zst"]


def test_a_file_is_closed_when_its_tables_are_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "TABLES_BYTES", 10_000)
    log = InferenceLog(tmp_path / "log", "w1", KEY, "m", categories=("income_type",), is_packed=True)
    for number in range(9):
        with log.table(f"{number:024}", "r", "bank", NOON) as table:
            table.add(*decided(200))
            table.commit()
    log.close()
    assert len(packing.log_files(log.folder)) > 3
    assert {path.suffix for path in log.folder.iterdir()} == {".zst"}
    assert read(log.folder).table.height == 1_800 and faults(log.folder, KEY) == []


def test_a_table_of_a_name_that_is_packed_is_not_hidden_by_another(tmp_path):
    for turn in range(2):
        log = InferenceLog(tmp_path / "log", "w1", KEY, "m", categories=("income_type",), is_packed=True)
        with contextlib.ExitStack() as stack:
            if turn:
                stack.enter_context(pytest.raises(LogError, match="its name is there"))
            with log.table(STEM, "r", "bank", NOON) as table:
                table.add(*decided(9))
                table.commit()
        log.close()
    assert read(log.folder).table.height == 9 and faults(log.folder, KEY) == []


def test_what_is_closed_is_packed(tmp_path, key):
    log = write(tmp_path / "log", key, is_packed=True)
    assert [path.name for path in log.folder.iterdir()] == [NAME]
    log.record([entry(1)], NOON + timedelta(days=1))
    log.close()
    names = sorted(path.name for path in log.folder.iterdir())
    assert names == [f"{NAME}.zst", "2026-11-22.w1.jsonl.zst"] and faults(log.folder, key) == []
    log.record([entry(2)], NOON + timedelta(days=1))  # into a file of its own
    log.close()
    assert (log.folder / "2026-11-22.w1.1.jsonl.zst").is_file() and read(log.folder).table.height == 14


def test_a_name_is_taken_even_if_its_file_is_packed(folder, key):
    pack_all(folder)
    shutil.rmtree(anchors_folder(folder))
    write(folder, key, records=1).close()
    assert (folder / "2026-11-21.w1.1.jsonl").is_file()


STEPS = ["write", "fsync", "rename", "unlink"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("turn", [1, 2])
def test_whatever_fails_on_the_way_the_log_is_whole_and_is_packed_next_time(
    folder, tmp_path, key, monkeypatch, step, turn
):
    before = seen(folder, key, tmp_path / "x.parquet")
    whole, calls = getattr(os, step), []

    def fails(*given, **options):
        calls.append(1)
        if len(calls) >= turn:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*given, **options)

    with monkeypatch.context() as broken, contextlib.suppress(OSError):
        broken.setattr(os, step, fails)
        pack(folder / NAME)
    assert seen(folder, key, tmp_path / "x.parquet") == before
    pack_all(folder)
    assert seen(folder, key, tmp_path / "x.parquet") == before


def test_a_full_disk_leaves_the_file_plain_and_says_so(folder, key, monkeypatch):
    said: list[str] = []

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log = write(folder, key, worker="w3", is_packed=True, announce=said.append)
    monkeypatch.setattr(packing, "write_all", full)
    log.close()
    assert any("stays as it is, not compressed: No space left" in words for words in said)
    assert (folder / "2026-11-21.w3.jsonl").is_file() and faults(folder, key) == []
    assert not list(folder.glob("*.part"))


def test_a_file_that_is_written_is_not_packed_by_another(tmp_path, key):
    log = write(tmp_path / "log", key)
    assert not pack(log.folder / NAME)
    other = write(tmp_path / "log", key, worker="w2", is_packed=True)
    other.close()
    assert (log.folder / NAME).is_file()
    log.record([entry(99)], NOON)
    log.close()
    assert pack(log.folder / NAME) and read(log.folder).table.height == 25


def test_tables_of_a_file_that_is_written_are_not_packed_by_another(tmp_path, key):
    log = write(tmp_path / "log", key)
    with log.table(STEM, "r", "bank", NOON) as table:
        table.add(*decided(5))
        table.commit()
    other = write(tmp_path / "log", key, worker="w2", is_packed=True)
    other.close()
    assert [path.suffix for path in table_files(log.folder)] == [".arrow"]
    log.close()
    pack_all(log.folder)


def test_what_a_kill_left_of_a_table_goes_with_its_erasure(folder, key):
    log = write(folder, key, worker="w3")
    with log.table(STEM[::-1], "r", "bank", NOON) as held:
        held.add(*decided(5))
        held.commit()
    (table,) = (path for path in table_files(folder) if ".w3." in path.name)
    part = packed(table).with_name(f"{packed(table).name}.part")
    part.write_bytes(pack_bytes(table.read_bytes()))  # of one who packed the table of a file that is held
    erase(folder, anchors_folder(folder), key, 700_003, "asked for", lambda: NOON)
    assert not part.exists() and faults(folder, key) == []
    log.close()


def test_a_file_of_an_older_version_is_packed_only_if_it_is_closed(tmp_path, key):
    """Who wrote it did not hold it: without the anchor's word it may be written on."""
    folder = tmp_path / "log"
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    key, (file,) = bytes(range(32)), folder.glob("*.jsonl")
    head = anchors_folder(folder) / f"{file.name}.head"
    closed = head.read_bytes()
    anchor = read_anchor(head, key)
    assert anchor is not None
    head.write_bytes(replace(anchor, state="open").to_bytes(key))
    write(folder, key, worker="w8", is_packed=True).close()
    assert file.exists()
    head.write_bytes(closed)
    write(folder, key, worker="w9", is_packed=True).close()
    assert not file.exists() and packed(file).exists() and faults(folder, key) == []


def test_what_is_purged_while_it_is_packed_does_not_come_back(folder, monkeypatch):
    whole = Path.rename

    def purged(part: Path, target: Path) -> Path:
        done = whole(part, target)
        if ".arrow" in target.name:
            return done  # that comes first
        for place in ((folder / NAME), target):  # as `purge` does, which came between
            place.unlink()
        whole_again = done.write_bytes(b"")
        assert whole_again == 0
        return done

    monkeypatch.setattr(Path, "rename", purged)
    assert not pack(folder / NAME)
    assert not packed(folder / NAME).exists()


def test_of_two_who_pack_a_file_the_slower_one_takes_nothing_away(tmp_path, key, monkeypatch):
    """It has opened the plain file, and gets its lock when the other one is done and has let go of it."""
    folder, lock = tmp_path / "log", fcntl.flock

    def other_was_first(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        assert pack(folder / NAME)
        lock(descriptor, how)

    write(folder, key).close()
    monkeypatch.setattr(fcntl, "flock", other_was_first)
    assert not pack(folder / NAME)
    assert faults(folder, key) == [] and read(folder).table.height == 12


def test_what_is_too_old_goes_packed_or_not(folder, key):
    assert pack(folder / NAME)
    (folder / f"{NAME}.zst.part").write_bytes(b"left by a crash")
    gone = purge(folder, anchors_folder(folder), key, NOON.date() + timedelta(days=1), NOON)
    assert gone == [NAME]
    assert [path.name for path in folder.iterdir()] == ["2026-11-22.w2.jsonl"]
    verdict = verify(folder, anchors_folder(folder), key)
    assert (verdict.purged, verdict.faults, verdict.notes) == (1, [], [])


def test_a_packed_log_is_put_aside_whole(folder, tmp_path):
    pack_all(folder)
    (tmp_path / "pseudonym.key").unlink()
    done = renew(folder, anchors_folder(folder), tmp_path / "pseudonym.key", "lost", datetime.now(UTC))
    assert read(folder / done.folder).table.height == 17 and read(folder).table.is_empty()


def test_of_two_copies_the_plain_one_counts(folder, tmp_path, key):
    before = seen(folder, key, tmp_path / "x.parquet")
    packed(folder / NAME).write_bytes(b"planted")
    assert seen(folder, key, tmp_path / "x.parquet") == before
    pack_all(folder)
    assert seen(folder, key, tmp_path / "x.parquet") == before


def test_every_change_of_a_packed_file_is_named_and_nothing_changed_is_read(folder, key):
    pack_all(folder)
    place = packed(folder / NAME)
    whole, content, chance = place.read_bytes(), open_log(folder / NAME).read(), random.Random(7)
    records = {row["event_id"]: row for row in read(folder).table.to_dicts()}
    for _ in range(300):
        at = chance.randrange(len(whole))
        place.write_bytes(
            chance.choice(
                [
                    whole[:at],
                    whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :],
                    whole[:at] + chance.randbytes(9) + whole[at:],
                    whole[:at] + whole[at + chance.randrange(1, 400) :],
                ]
            )
        )
        changed = place.read_bytes() != whole
        found = faults(folder, key)
        with contextlib.suppress(OSError), unpacked(open_regular(place)) as file:
            changed = file.read() != content  # some bits of a frame say nothing
        assert bool(found) == changed and {name for name, _ in found} <= {place.name}
        for row in read(folder).table.to_dicts():
            assert row == records[row["event_id"]]
        assert find(folder, "w1-21-11") is None or find(folder, "w1-21-11")["event_id"] == "w1-21-11"


@pytest.mark.parametrize("command", ["verify", "export"])
def test_a_table_without_end_is_named_and_takes_no_memory(tmp_path, command):
    key = pseudonym_key(tmp_path / "pseudonym.key")
    log = InferenceLog(tmp_path / "log", "w1", key, "m", categories=("income_type",))
    with log.table(STEM, "r", "bank", NOON) as table:
        table.add(*decided(9))
        table.commit()
    log.close()
    (place,) = table_files(log.folder)
    os.truncate(place, 2**31)  # zeros without an end, which take no room on the disk
    to = (
        ["--out", tmp_path / "all.parquet"]
        if command == "export"
        else ["--key-file", tmp_path / "pseudonym.key"]
    )
    memory, code, said = measured(command, "--log", log.folder, *to)
    assert memory < quiet() + 2**27 and code is not None
    assert f"its table {place.name} was changed" in " ".join(said.split())


@pytest.mark.parametrize("inside", ["zeros", "lines"])
def test_a_bomb_is_named_and_takes_no_memory(folder, tmp_path, inside):
    bomb = folder / "2026-11-20.w9.jsonl.zst"
    block = pack_bytes(b"\0" * 2**22 if inside == "zeros" else (b"x" * 1_023 + b"\n") * 2**12)
    bomb.write_bytes(block * (compressed.UNPACKED_BYTES // 2**22 + 2))
    memory, _, said = measured("verify", "--key-file", tmp_path / "pseudonym.key", "--log", folder)
    assert memory < quiet() + 2**27 and f"{bomb.name}, line" in said
    if inside == "zeros":
        assert "it unpacks to more than any file that is written" in said
        memory, _, said = measured("tail", "-n", "2", "--log", folder)
        assert memory < quiet() + 2**27 and len(said.splitlines()) == 2
        found = read(folder)
        assert found.table.height == 17 and [item.file for item in found.quarantined] == [bomb]


@pytest.mark.parametrize("kind", ["long", "liar", "foreign"])
def test_a_file_that_would_unpack_without_end_is_named(folder, key, kind):
    bomb = folder / "2026-11-20.w9.jsonl.zst"
    block = pack_bytes(bytes(2**28))
    bomb.write_bytes(
        {
            "long": block,
            "liar": block[:8] + (2**20).to_bytes(8, "little") + block[16:],
            "foreign": pa.Codec("zstd").compress(bytes(2**28), asbytes=True),
        }[kind]
    )
    assert (bomb.name, 1) in faults(folder, key)
    assert "damaged" in read(folder).quarantined[0].why


def test_a_table_that_is_a_bomb_is_named(folder, key):
    part = TableEntry.of(json.loads((folder / NAME).read_bytes().splitlines()[-1]))
    table = folder / part.file
    for bomb in (pack_bytes(bytes(2**28 + 1)), pack_bytes(bytes(2**24)) * 17):
        table.unlink(missing_ok=True)
        packed(table).write_bytes(bomb)
        (fault,) = verify(folder, anchors_folder(folder), key).faults
        assert f"its table {table.name} cannot be read: it" in fault.why
        with pytest.raises(ValueError, match=f"table {table.name} cannot be read"):
            part.read(folder)
        packed(table).rename(folder / "x.arrow.zst")  # as it was named before, with the hash of the bytes
        named = replace(part, file="x.arrow.zst", sha256=hashlib.sha256(bomb).hexdigest())
        with pytest.raises(ValueError, match=r"table x\.arrow\.zst cannot be read"):
            named.read(folder)


def test_blocks_of_a_packed_file_are_one_file(tmp_path):
    content = random.Random(1).randbytes(3 * BLOCK // 2)
    (tmp_path / "a.jsonl").write_bytes(content)
    assert pack(tmp_path / "a.jsonl")
    with unpacked(open_regular(tmp_path / "a.jsonl.zst")) as file:
        assert file.read() == content


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from scoring.inference_log import Entry, InferenceLog
log = InferenceLog(Path(sys.argv[1]), sys.argv[2], bytes(range(32)), "m", file_bytes=20_000, is_packed=True)
features = {f"x{number}": number / 7 for number in range(40)}
for number in range(100_000):
    name = f"{sys.argv[2]}-{number}"
    log.record([Entry(name, number, "r", 0.1, 0.2, "granted", features)], datetime.now(UTC))
    print(name, flush=True)  # this is the answer
"""


@pytest.mark.heavy
def test_who_is_killed_while_packing_loses_doubles_and_spoils_nothing(tmp_path):
    acknowledged, chance = [], random.Random(3)
    for life in range(8):
        command = [sys.executable, "-c", KILLED, tmp_path / "log", f"w{life}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        acknowledged += [process.stdout.readline().strip() for _ in range(300 + chance.randrange(100))]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
    found = read(tmp_path / "log")
    logged = found.table["event_id"].to_list()
    assert set(acknowledged) <= set(logged) and len(logged) <= len(acknowledged) + 8
    assert found.duplicates == 0 and all(item.why.startswith("torn") for item in found.quarantined)
    assert verify(tmp_path / "log", tmp_path / "log-heads", bytes(range(32))).faults == []
    write(tmp_path / "log", bytes(range(32)), records=1, worker="last", is_packed=True).close()
    left = [path for path in (tmp_path / "log").iterdir() if path.suffix != ".zst"]
    assert not any(path.stat().st_size for path in left)  # begun, and nothing written
    assert read(tmp_path / "log").table.height == len(logged) + 1
    assert verify(tmp_path / "log", tmp_path / "log-heads", bytes(range(32))).faults == []


def test_without_locks_only_what_is_closed_is_packed(tmp_path, key, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    write(tmp_path / "log", key, is_packed=True).close()
    assert read(tmp_path / "log").table.height == 12 and faults(tmp_path / "log", key) == []
