"""A person can be erased from the log, which says of all others what it said, and shows any change."""

import errno
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.decisions import Filter, Follower, Index, by_event, page, place_of
from scoring.inference_log import (
    InferenceLog,
    LogError,
    affected,
    anchors_folder,
    erasing,
    find,
    identity,
    pseudonym,
    pseudonym_key,
    purge,
    read,
    verify,
)
from scoring.inference_log.backup import back_up, restore
from scoring.inference_log.disk import write_new
from scoring.inference_log.erasing import FaultyError, erase
from scoring.inference_log.erasure import SUFFIX, Erasure
from scoring.inference_log.packing import DRAFT, PACKED, log_files, open_log, packed
from scoring.inference_log.ship import ship
from scoring.inference_log.shipped import InStore, purge_shipped, verify_shipped
from scoring.inference_log.store import Folder, ShippingError
from scoring.inference_log.table import table_files
from tests.support.logs import NAME, NOON, ROOT, content, decided, entry, everything, run, write

STEM = "0123456789abcdef01234567"
WHO = 700_003  # decided in a line, and in a row of each table
REASON = "asked for"


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


def a_log(folder: Path, key: bytes, **options) -> InferenceLog:
    """Return an open log with lines, a request of two tables, a look, a review and outcomes."""
    log = write(folder, key, **options)
    with log.table(STEM, "r", "bank", NOON) as table:
        table.add(*decided(5))
        table.add(*decided(5))
        table.commit()
    whose = {"operator": "desk", "request_id": "q"}
    log.note("look-up", {**whose, "filter": {"applicant": log.pseudonym(WHO)}}, NOON)
    said = {"event_id": "w1-21-3", "verdict": "otherwise", "decision": "granted"}
    log.note("review", {**said, "reason": "He is my neighbour, and pays in time.", **whose}, NOON)
    outcome = {"event_id": f"{STEM}00000003", "defaulted": 1, "observed_on": "2026-11-30", "operator": None}
    log.notes("outcome", [outcome, {**outcome, "event_id": "w1-21-4"}], NOON + timedelta(days=1))
    return log


@pytest.fixture
def folder(tmp_path, key) -> Path:
    a_log(tmp_path / "log", key, is_packed=True).close()
    return tmp_path / "log"


def erased(folder: Path, key: bytes, client: int = WHO):
    return erase(folder, anchors_folder(folder), key, client, REASON, lambda: NOON + timedelta(days=2))


def faults(folder: Path, key: bytes) -> list[tuple[str, int | None, str]]:
    found = verify(folder, anchors_folder(folder), key).faults
    return [(fault.file.name, fault.line, fault.why) for fault in found]


def test_a_person_goes_and_all_others_stay(folder, key):
    before, whole = read(folder).table, content(folder)
    who = pseudonym(key, WHO)
    done = erased(folder, key)
    assert (done.decisions, done.lines, done.rows) == (3, 4, 2)
    after, left = read(folder), content(folder)
    assert after.table.equals(before.filter(before["applicant"] != who)) and not after.quarantined
    assert who.encode() in whole and who.encode() not in left
    assert b"neighbour" in whole and b"neighbour" not in left and whole.count(b'"kind":"outcome"') == 2
    assert left.count(b'"kind":"outcome"') == 1 and left.count(b'"kind":"erasure"') == 1
    assert not faults(folder, key)
    assert all(find(folder, event) for event in after.table["event_id"])
    assert not any(find(folder, event) for event in ("w1-21-3", f"{STEM}00000003", f"{STEM}00000008"))


def test_what_remains_says_that_a_decision_was_made(folder, key):
    erased(folder, key)
    with open_log(folder / NAME) as file:
        lines = [json.loads(line) for line in file]
    gone = [line["about"] for line in lines if line.get("kind") == "erased"]
    assert gone[0] == {
        "on": "2026-11-23",
        "event_id": "w1-21-3",
        "decision": "refused",
        "purpose": "decision",
        "header": lines[0]["header"]["id"],
    }
    assert [about.get("of") for about in gone] == [None, "look-up", "review"]
    assert gone[2] == {
        "on": "2026-11-23",
        "of": "review",
        "event_id": "w1-21-3",
        "decision": "granted",
        "verdict": "otherwise",
        "operator": "desk",
    }


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_service_may_be_writing_the_file(tmp_path, key, is_packed):
    log = a_log(tmp_path / "log", key, is_packed=is_packed)
    erased(log.folder, key)
    log.record([entry(50, event_id="later")], NOON + timedelta(days=1))
    assert not faults(log.folder, key) and find(log.folder, "later")
    log.close()
    assert not faults(log.folder, key) and pseudonym(key, WHO).encode() not in content(log.folder)


def test_a_second_time_and_of_nobody_is_a_sentence(folder, tmp_path):
    arguments = ("--log", folder, "--key-file", tmp_path / "pseudonym.key", "--reason", REASON)
    done = run("erase", "--client", WHO, *arguments)
    assert done.exit_code == 0 and "Erased: 3 decisions; 4 lines and 2 rows of tables." in done.stdout, (
        done.output
    )
    for client, past in ((WHO, "1 erasures are on record"), (5, "1 erasures are on record")):
        again = run("erase", "--client", client, *arguments)
        assert again.exit_code == 2 and "nothing in the log" in again.stderr and past in again.stderr
    for reason in ("", " ", "two\nlines", "x" * 501):
        assert run("erase", "--client", 700_001, *arguments[:-1], reason).exit_code == 2
    assert run("verify", *arguments[:4]).exit_code == 0


def test_several_persons_one_after_another(folder, key):
    for client in range(700_000, 700_012):
        erased(folder, key, client)
        assert not faults(folder, key)
    assert read(folder).table.is_empty() and len(list(folder.glob(f"*{SUFFIX}"))) == 12


def test_a_change_before_the_erasure_is_not_covered_up(tmp_path, key):
    log = a_log(tmp_path / "log", key)
    log.close()
    path = log.folder / NAME
    path.write_bytes(path.read_bytes().replace(b'"decision":"refused"', b'"decision":"granted"', 1))
    with pytest.raises(FaultyError) as error:
        erased(log.folder, key)
    assert [fault.line for fault in error.value.faults] == [2]
    assert pseudonym(key, WHO).encode() in content(log.folder) and not list(log.folder.glob(f"*{SUFFIX}"))


def test_what_was_erased_and_is_there_again_is_found(tmp_path, key):
    log = a_log(tmp_path / "log", key)
    log.close()
    shutil.copytree(log.folder, tmp_path / "kept")
    erased(log.folder, key)
    for path in (tmp_path / "kept").iterdir():
        shutil.copy(path, log.folder)
    found = {(line, why) for file, line, why in faults(log.folder, key) if file == NAME}
    assert {(5, "the record was erased, and is there again")} < found
    assert len([why for _, why in found if "table" in why and "was changed" in why]) == 2


def test_nobody_without_the_key_can_erase(tmp_path, key):
    log = a_log(tmp_path / "log", key)
    log.close()
    shutil.copytree(log.folder, tmp_path / "log2")
    shutil.copytree(log.anchors, tmp_path / "log2-heads")
    erase(tmp_path / "log2", tmp_path / "log2-heads", key, WHO, REASON, lambda: NOON)
    (record,) = (tmp_path / "log2").glob(f"*{SUFFIX}")
    forged = Erasure.of(record.read_bytes(), key).to_bytes(b"another key, as long as it must be")
    (log.folder / record.name).write_bytes(forged)
    shutil.copy(tmp_path / "log2" / f"{NAME}.zst", log.folder)
    (log.folder / NAME).unlink()
    found = faults(log.folder, key)
    assert (record.name, None, "the record of the erasure: it is not signed with this key") in found
    assert (f"{NAME}.zst", 5, "the record was changed") in found


CHANGED = st.tuples(st.integers(0, 2**32), st.integers(0, 2**32), st.integers(1, 255))


@pytest.fixture(scope="module")
def after_erasures(tmp_path_factory) -> tuple[Path, bytes]:
    place = tmp_path_factory.mktemp("erased")
    key = pseudonym_key(place / "pseudonym.key")
    log = a_log(place / "log", key)
    log.close()
    for client in (WHO, 700_001, 700_007):
        erased(log.folder, key, client)
    tables = (path.with_suffix("") for path in table_files(log.folder) if path.suffix == PACKED)
    for path in (*log_files(log.folder), *tables):  # some bits of a packed file change nothing that is in it
        with open_log(path) as file:
            path.write_bytes(file.read())
        packed(path).unlink(missing_ok=True)
    return log.folder, key


@given(CHANGED)
def test_a_change_after_erasures_is_found(after_erasures, change):
    folder, key = after_erasures
    files = sorted([*folder.glob("*.jsonl"), *table_files(folder), *folder.glob(f"*{SUFFIX}")])
    path = files[change[0] % len(files)]
    whole = path.read_bytes()
    place = change[1] % len(whole)
    try:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ change[2]]) + whole[place + 1 :])
        assert faults(folder, key)
    finally:
        path.write_bytes(whole)
    assert not faults(folder, key)


def test_the_index_follows_and_one_that_is_made_again_is_the_same(folder, key):
    heads = anchors_folder(folder)
    index = Index(place_of("", folder), identity(key))
    follower = Follower(index, folder, heads, key)
    while follower.step():
        pass
    assert by_event(index, "w1-21-3", datetime.now(UTC)) is not None
    erased(folder, key)
    seen = []
    for _ in range(2):
        while follower.step():
            pass
        wanted = Filter(applicant=pseudonym(key, WHO))
        assert not page(index, wanted, 10, datetime.now(UTC)).found
        assert by_event(index, "w1-21-3", datetime.now(UTC)) is None
        others = page(index, Filter(), 100, datetime.now(UTC)).found
        seen.append(sorted((one.event_id, one.file, one.start, one.row, one.outcome) for one in others))
        index.remake()
        follower = Follower(index, folder, heads, key)
    assert seen[0] == seen[1] and len(seen[0]) == 19
    index.close()


KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from scoring.inference_log import anchors_folder
from scoring.inference_log.backup import back_up, restore
from scoring.inference_log.erasing import erase
left = [int(sys.argv[3])]
def counted(call):
    def counting(*arguments, **named):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)
        return call(*arguments, **named)
    return counting
for name in ("fsync", "write", "pwrite", "fchmod", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
Path.rename = counted(Path.rename)
log, key = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
erase(log, anchors_folder(log), key, 700_003, "asked for", lambda: datetime.now(UTC))
"""


def test_who_is_killed_says_the_same_command_again(tmp_path, key):
    a_log(tmp_path / "log", key, is_packed=True).close()
    for steps in (3, 9, 15, 25):
        home = tmp_path / str(steps)
        shutil.copytree(tmp_path / "log", home / "log")
        shutil.copytree(tmp_path / "log-heads", home / "log-heads")
        command = [sys.executable, "-c", KILLED, home / "log", tmp_path / "pseudonym.key", str(steps)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        assert code == -signal.SIGKILL
        done = run(
            *("erase", "--client", WHO, "--reason", REASON),
            *("--log", home / "log", "--key-file", tmp_path / "pseudonym.key"),
        )
        assert done.exit_code == 0 and "Erased: 3 decisions; 4 lines and 2 rows" in done.stdout, done.output
        assert not faults(home / "log", key) and read(home / "log").table.height == 19
        left = content(home / "log")
        assert pseudonym(key, WHO).encode() not in left and not list((home / "log").glob("*.erasing"))


KILLED_AT_THE_STORE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from scoring.inference_log import anchors_folder
from scoring.inference_log.erasing import erase
from scoring.inference_log.shipped import InStore
from scoring.inference_log.store import Folder
class Killing(Folder):
    def put(self, name, content):
        if name.startswith("files"):
            os.kill(os.getpid(), 9)
        super().put(name, content)
def now():
    return datetime.now(UTC)
log, key, store = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Killing(Path(sys.argv[3]))
erase(log, anchors_folder(log), key, 700_003, "asked for", now, shipped=InStore(store, key, now))
"""


def test_who_is_killed_at_the_store_leaves_no_copy_of_it_in_the_log(folder, key, tmp_path):
    store, key_file = stored(tmp_path, key), tmp_path / "pseudonym.key"
    command = [sys.executable, "-c", KILLED_AT_THE_STORE, folder, key_file, store.root]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert list(folder.rglob("*/*.zst"))  # what was fetched to erase in it
    done = erase(
        folder,
        anchors_folder(folder),
        key,
        WHO,
        REASON,
        lambda: NOON,
        shipped=InStore(store, key, lambda: NOON),
    )
    assert done.finished == 1 and not list(folder.rglob("*/*"))


def test_an_erasure_for_which_there_is_no_room_says_so_and_leaves_none_of_it_taken(folder, key, monkeypatch):
    before, left = content(folder), [1]

    def full(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_new(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(affected, "write_new", full)
        with pytest.raises(LogError, match=r"No space left on device; make room .* Nothing is erased\."):
            erased(folder, key)
    assert not list(folder.glob("*.erasing")) and content(folder) == before and not faults(folder, key)
    assert erased(folder, key).decisions == 3


def test_an_erasure_that_an_older_version_began_is_finished(folder, key, monkeypatch):
    """Its new tables are lost, and come out in other bytes than its record says."""

    def killed(*_: object) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "apply", killed)
        with pytest.raises(LogError, match="no power"):
            erased(folder, key)
    (path,) = folder.glob(f"*{SUFFIX}")
    begun = Erasure.of(path.read_bytes(), key)
    for table in begun.tables:
        (folder / f"{table.file}{DRAFT}").unlink()
    older = tuple(replace(table, after="0" * 64) for table in begun.tables)
    path.write_bytes(replace(begun, tables=older).to_bytes(key))
    done = erased(folder, key)
    assert (done.finished, done.decisions, done.rows) == (1, 3, 2) and not faults(folder, key)
    assert pseudonym(key, WHO).encode() not in content(folder) and not list(folder.glob(f"*{DRAFT}"))


def test_retention_takes_the_record_of_an_erasure_with_what_it_speaks_of(folder, key):
    erased(folder, key)
    purge(folder, anchors_folder(folder), key, date(2026, 11, 22), NOON)
    assert list(folder.glob(f"*{SUFFIX}"))  # the outcome is of the day after
    purge(folder, anchors_folder(folder), key, date(2026, 11, 23), NOON)
    assert not list(folder.glob(f"*{SUFFIX}")) and not faults(folder, key)


def stored(tmp_path: Path, key: bytes) -> Folder:
    """Ship the log, and that of another machine, where nothing else is about the client."""
    store = Folder(tmp_path / "store")
    write(tmp_path / "other", key, records=2, worker="w2").close()
    for folder in (tmp_path / "log", tmp_path / "other"):
        ship(folder, anchors_folder(folder), key, store, lambda: NOON)
    return store


@pytest.mark.parametrize("is_purged", [False, True])
def test_what_was_shipped_is_erased_too(folder, key, tmp_path, is_purged):
    store, who = stored(tmp_path, key), pseudonym(key, WHO).encode()
    if is_purged:  # here, not there
        purge(folder, anchors_folder(folder), key, date(2026, 11, 22), NOON)
    before = everything(store)
    assert who in before and b"neighbour" in before
    arguments = ("--log", folder, "--key-file", tmp_path / "pseudonym.key", "--store", store.root)
    done = run("erase", "--client", WHO, "--reason", REASON, *arguments)
    assert done.exit_code == 0 and "objects of the store were written anew" in done.stdout, done.output
    after = everything(store)
    assert who not in after and b"neighbour" not in after
    verdict = verify_shipped(store, key)
    assert not verdict.faults and not faults(folder, key) and verdict.files == 3
    events = [event for name in store.keys("decisions") for event in read_parquet(store, name)["event_id"]]
    assert len(events) == len(set(events)) == 19 + 2
    shipped = ship(folder, anchors_folder(folder), key, store, lambda: NOON)
    assert shipped.files == 1 and who not in everything(store)  # the note of the erasure
    again = run("erase", "--client", WHO, "--reason", REASON, *arguments)
    assert again.exit_code == 2 and "nothing in the log" in again.stderr


def read_parquet(store: Folder, name: str) -> pl.DataFrame:
    return pl.read_parquet(store.get(name) or b"")


def test_what_is_erased_before_it_is_shipped_verifies_there(folder, key, tmp_path):
    erased(folder, key)
    store = stored(tmp_path, key)
    assert not verify_shipped(store, key).faults and pseudonym(key, WHO).encode() not in everything(store)


def test_a_store_that_fails_in_the_midst_is_erased_by_the_same_command(folder, key, tmp_path, monkeypatch):
    store, whole = stored(tmp_path, key), Folder.put
    copies, heads = InStore(store, key, lambda: NOON), anchors_folder(folder)
    for allowed in range(1, 7):  # the first one says that it is at work
        left = [allowed]

        def put(self: Folder, name: str, content: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise ShippingError("the store is full.")
            whole(self, name, content)

        monkeypatch.setattr(Folder, "put", put)
        with pytest.raises(ShippingError):
            erase(folder, heads, key, WHO, REASON, lambda: NOON, shipped=copies)
        monkeypatch.undo()
        with pytest.raises(LogError, match="give it with --store"):
            erased(folder, key)
        with pytest.raises(LogError, match="an erasure was ended in its midst"):
            ship(folder, heads, key, store, lambda: NOON)
        assert any("ended in its midst" in why for _, _, why in faults(folder, key))
    done = erase(folder, heads, key, WHO, REASON, lambda: NOON, shipped=copies)
    assert done.finished == 1 and done.decisions == 3
    assert not faults(folder, key) and not verify_shipped(store, key).faults
    assert pseudonym(key, WHO).encode() not in everything(store) + content(folder)


@pytest.mark.parametrize("at_work", ["ship", "purge"])
def test_what_a_kill_left_in_a_store_is_erased_too(folder, key, tmp_path, monkeypatch, at_work):
    """Who ships says last what is there, who purges says first what goes."""
    store, who = Folder(tmp_path / "store"), pseudonym(key, WHO).encode()
    heads, whole = anchors_folder(folder), Folder.put
    if at_work == "purge":
        ship(folder, heads, key, store, lambda: NOON)

    def put(self: Folder, name: str, content: bytes) -> None:
        if at_work == "purge":
            whole(self, name, content)
        if name.startswith("manifests"):
            raise ShippingError("killed")
        whole(self, name, content)

    monkeypatch.setattr(Folder, "put", put)
    with pytest.raises(ShippingError, match="killed"):
        if at_work == "purge":
            purge_shipped(store, key, date(2026, 11, 30), NOON)
        else:
            ship(folder, heads, key, store, lambda: NOON)
    monkeypatch.undo()
    assert who in everything(store)
    erase(folder, heads, key, WHO, REASON, lambda: NOON, shipped=InStore(store, key, lambda: NOON))
    assert who not in everything(store) + content(folder)
    ship(folder, heads, key, store, lambda: NOON)
    found = verify_shipped(store, key)
    assert not found.faults and found.purged == (at_work == "purge") and who not in everything(store)


def test_retention_reaches_the_store(folder, key, tmp_path):
    store = stored(tmp_path, key)
    now, before = datetime.now(UTC).date(), date(2026, 11, 22)
    arguments = ("--log", folder, "--key-file", tmp_path / "pseudonym.key", "--store", store.root)
    if (now - before).days < 1:
        pytest.skip("the clock stands before the log")
    done = run("purge", "--days", (now - before).days, *arguments)
    assert done.exit_code == 0 and "2 files of the store are gone as well" in done.stdout, done.output
    assert {name.split("/")[1] for name in store.keys("files")} == {"day=2026-11-22"}
    assert not store.keys("decisions")  # of the second day there are notes only
    verdict = verify_shipped(store, key)
    assert (verdict.files, verdict.purged, verdict.faults) == (1, 2, [])
    other = tmp_path / "other"
    assert ship(other, anchors_folder(other), key, store, lambda: NOON).before == 1  # it does not come back


def test_a_store_that_was_changed_is_found(folder, key, tmp_path):
    store = stored(tmp_path, key)
    assert run("verify", "--store", store.root, "--key-file", tmp_path / "pseudonym.key").exit_code == 0
    for name in [name for name in store.keys("") if name.startswith(("files", "manifests"))]:
        whole = store.get(name) or b""
        for changed in (whole[:-2] + b"!\n", None):
            store.put(name, changed) if changed else store.remove(name)
            is_seen = bool(verify_shipped(store, key).faults)
            assert is_seen or (changed is None and name.startswith("manifests")), name
        store.put(name, whole)
    assert not verify_shipped(store, key).faults and folder.exists()


def test_a_backup_of_a_log_with_erasures_verifies_and_comes_back(folder, key, tmp_path):
    erased(folder, key)
    key_file = tmp_path / "pseudonym.key"
    back_up(folder, anchors_folder(folder), key_file, tmp_path / "backup")
    again = tmp_path / "again"
    assert not restore(tmp_path / "backup", again, anchors_folder(again), key_file).faults
    assert read(again).table.equals(read(folder).table)
