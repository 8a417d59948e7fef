"""A backup is taken while the log is written, takes the log's place, and never pretends to be whole."""

import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from scoring.inference_log import LogError, anchors_folder, pseudonym_key, purge, read, verify
from scoring.inference_log.backup import back_up, restore
from tests.support.logs import NAME, NOON, decided, entry, run, write


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


@pytest.fixture
def folder(tmp_path, key) -> Path:
    write(tmp_path / "log", key, worker="w2", is_packed=True, now=NOON - timedelta(days=3)).close()
    write(tmp_path / "log", key).close()
    return tmp_path / "log"


def events(folder: Path) -> list[str]:
    return sorted(read(folder).table["event_id"].to_list())


def test_a_restored_log_has_every_decision_and_goes_on(tmp_path, folder, key):
    before, new = events(folder), tmp_path / "new"
    done = back_up(folder, anchors_folder(folder), tmp_path / "pseudonym.key", tmp_path / "backup")
    assert (done.records, done.faults, done.files) == (24, [], 2)
    restore(tmp_path / "backup", new / "log", new / "log-heads", new / "pseudonym.key")
    assert events(new / "log") == before
    assert pseudonym_key(new / "pseudonym.key", is_new_allowed=False) == key
    write(new / "log", key, records=3, worker="w3").close()
    assert verify(new / "log", new / "log-heads", key).faults == []
    assert len(events(new / "log")) == 27


def test_what_is_answered_before_is_in_it_while_others_write_and_pack(tmp_path, key):
    log = write(tmp_path / "log", key, records=5, is_packed=True)
    stop = threading.Event()

    def go_on() -> None:
        number = 100
        while not stop.is_set():
            log.record([entry(number, event_id=f"later-{number}")], NOON)
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        for turn in range(5):
            sure = {f"w1-21-{number}" for number in range(5)} | {f"sure-{n}" for n in range(turn + 1)}
            log.record([entry(900 + turn, event_id=f"sure-{turn}")], NOON + timedelta(days=turn))
            to = tmp_path / f"backup-{turn}"
            done = back_up(tmp_path / "log", tmp_path / "log-heads", tmp_path / "pseudonym.key", to)
            assert done.faults == [] and sure <= set(events(to / "log"))
    finally:
        stop.set()
        writer.join()
        log.close()


def test_tables_and_tombstones_come_too(tmp_path, folder, key):
    log = write(tmp_path / "log", key, records=0, worker="w4")
    with log.table("f" * 24, "r", "bank", NOON) as table:
        table.add(*decided(50))
        table.commit()
    log.close()
    purge(folder, anchors_folder(folder), key, (NOON - timedelta(days=1)).date(), NOON)
    done = back_up(folder, anchors_folder(folder), tmp_path / "pseudonym.key", tmp_path / "backup")
    assert (done.purged, done.faults) == (1, [])
    assert len(events(tmp_path / "backup" / "log")) == 62


def test_a_log_that_was_changed_is_not_backed_up_as_if_it_were_whole(tmp_path, folder):
    (folder / NAME).write_bytes((folder / NAME).read_bytes().replace(b'"refused"', b'"granted"', 1))
    with pytest.raises(LogError, match=rf"{NAME}, line \d+.*not kept"):
        back_up(folder, anchors_folder(folder), tmp_path / "pseudonym.key", tmp_path / "backup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log-heads", "pseudonym.key"]


def test_a_damaged_backup_is_not_restored(tmp_path, folder):
    back_up(folder, anchors_folder(folder), tmp_path / "pseudonym.key", tmp_path / "backup")
    (tmp_path / "backup" / "log" / NAME).unlink()
    with pytest.raises(LogError, match="the file is gone, with 12 records; nothing is restored"):
        restore(tmp_path / "backup", tmp_path / "n" / "log", tmp_path / "n" / "heads", tmp_path / "n" / "key")
    assert not (tmp_path / "n").exists()


def test_nothing_is_written_over(tmp_path, folder):
    ours = (folder, anchors_folder(folder), tmp_path / "pseudonym.key")
    back_up(*ours, tmp_path / "backup")
    with pytest.raises(LogError, match="is there already"):
        back_up(*ours, tmp_path / "backup")
    with pytest.raises(LogError, match="is there already"):
        restore(tmp_path / "backup", *ours)
    shutil.rmtree(folder)
    shutil.rmtree(anchors_folder(folder))
    (tmp_path / "pseudonym.key").unlink()
    pseudonym_key(tmp_path / "pseudonym.key")  # what a service would do that was started too early
    with pytest.raises(LogError, match="another key than the backup's"):
        restore(tmp_path / "backup", *ours)
    assert not folder.exists()


def test_the_commands_say_what_was_done_and_what_was_not(tmp_path, folder):
    ours = ("--log", folder, "--key-file", tmp_path / "pseudonym.key")
    done = run("backup", *ours, "--to", tmp_path / "backup")
    assert done.exit_code == 0 and "2 files, 24 records, as written" in done.stdout
    assert (tmp_path / "backup" / "pseudonym.key").stat().st_mode & 0o077 == 0
    assert run("backup", *ours, "--to", tmp_path / "backup").exit_code == 2
    assert run("restore", "--from", tmp_path / "nothing", *ours).exit_code == 2
    shutil.rmtree(folder)
    shutil.rmtree(anchors_folder(folder))
    done = run("restore", "--from", tmp_path / "backup", *ours)
    assert done.exit_code == 0 and "24 records" in done.stdout
    assert run("verify", *ours).exit_code == 0
