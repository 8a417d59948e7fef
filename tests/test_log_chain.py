"""What is done to the log afterwards is seen, named by file and line; what is purged leaves a stone."""

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from scoring.inference_log import (
    InferenceLog,
    LogError,
    anchors_folder,
    audit_table,
    pseudonym_key,
    purge,
    read,
    verify,
)
from scoring.inference_log.anchor import Anchor
from scoring.inference_log.chain import first_hash, link
from tests.support.logs import NAME, NOON, entry, lines, run, write
from tests.torture.log import mutations


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


@pytest.fixture
def folder(tmp_path, key) -> Path:
    write(tmp_path / "log", key).close()
    return tmp_path / "log"


def faults(folder: Path, key: bytes) -> list[tuple[str, int | None]]:
    return [(fault.file.name, fault.line) for fault in verify(folder, anchors_folder(folder), key).faults]


def test_a_log_left_alone_is_as_written(folder, key):
    verdict = verify(folder, anchors_folder(folder), key)
    assert (verdict.files, verdict.records, verdict.faults, verdict.notes) == (1, 12, [], [])


def test_a_log_being_written_is_as_written(tmp_path, key):
    log = write(tmp_path / "log", key)
    assert faults(tmp_path / "log", key) == []
    log.close()


def test_an_edited_record_is_named(folder, key):
    written = lines(folder)
    written[4] = written[4].replace(b'"refused"', b'"granted"')
    (folder / NAME).write_bytes(b"".join(written))
    assert faults(folder, key) == [(NAME, 5)]


def test_an_edited_record_with_a_new_hash_is_named_by_the_one_that_follows_it(folder, key):
    written = lines(folder)
    changed = json.loads(written[4]) | {"decision": "granted"}
    body = {name: value for name, value in changed.items() if name not in ("seq", "prev", "hash")}
    written[4], _ = link(4, changed["prev"], json.dumps(body, separators=(",", ":")).encode())
    (folder / NAME).write_bytes(b"".join(written))
    assert faults(folder, key) == [(NAME, 6)]


def test_a_deleted_record_is_named(folder, key):
    written = lines(folder)
    (folder / NAME).write_bytes(b"".join(written[:4] + written[5:]))
    assert faults(folder, key) == [(NAME, 5)]


def test_swapped_records_are_named(folder, key):
    written = lines(folder)
    written[3], written[7] = written[7], written[3]
    (folder / NAME).write_bytes(b"".join(written))
    assert {(NAME, 4), (NAME, 8)} <= set(faults(folder, key))


@pytest.mark.parametrize("kept", [0, 1, 11])
def test_a_cut_tail_is_found_by_the_anchor(folder, key, kept):
    (folder / NAME).write_bytes(b"".join(lines(folder)[:kept]))
    assert faults(folder, key) == [(NAME, kept + 1)]


def test_a_file_written_afresh_is_found_by_the_anchor(folder, key):
    head, afresh = first_hash(NAME), []
    for number, line in enumerate(lines(folder)):
        record = json.loads(line) | ({"decision": "granted"} if number else {})
        body = {name: value for name, value in record.items() if name not in ("seq", "prev", "hash")}
        one, head = link(number, head, json.dumps(body, separators=(",", ":")).encode())
        afresh.append(one)
    (folder / NAME).write_bytes(b"".join(afresh))
    assert faults(folder, key) == [(NAME, 13)]


DAMAGES = {
    "a number of 5,000 digits": (b'"seq":2', b'"seq":' + b"9" * 5_000),
    "a table that is nested for ever": (
        b'"schema_version"',
        b'"table":' + b"[" * 100_000 + b',"a"',
    ),
    "a threshold that no float holds": (b'"threshold":0.09', b'"threshold":1' + b"0" * 400),
    "half a character": (b'"decision":"refused"', b'"decision":"\\ud800"'),
    "reasons that are none": (b'"reasons":null', b'"reasons":7'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_of_any_kind_is_named_and_the_rest_is_read(folder, key, damage):
    written = lines(folder)
    before, after = DAMAGES[damage]
    assert before in written[2]
    written[2] = written[2].replace(before, after)
    (folder / NAME).write_bytes(b"".join(written))
    assert (NAME, 3) in faults(folder, key)
    found = read(folder)
    assert found.table.height == 11 and [item.line for item in found.quarantined] == [3]
    assert audit_table(folder).height == found.table.height


@pytest.mark.parametrize("damage", ["no ascii", "nested", "folder", "number"])
def test_an_anchor_that_is_none_is_named(folder, key, damage):
    head = anchors_folder(folder) / f"{NAME}.head"
    anchor = json.loads(head.read_bytes())
    head.unlink()
    if damage == "folder":
        head.mkdir()
    else:
        change = {"mac": "é"} if damage == "no ascii" else {"seq": 10**300}
        changed = json.dumps(anchor | change, ensure_ascii=False)
        head.write_text("[" * 100_000 if damage == "nested" else changed)
    assert (NAME, None) in faults(folder, key)


def test_a_folder_in_the_place_of_a_file_is_named(folder, key):
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    assert faults(folder, key) == [(NAME, None)]


def test_an_anchor_cannot_be_forged_without_the_key(folder, key):
    head = anchors_folder(folder) / f"{NAME}.head"
    anchor = json.loads(head.read_bytes())
    written = lines(folder)[:7]
    (folder / NAME).write_bytes(b"".join(written))
    head.write_text(json.dumps(anchor | {"seq": 6, "hash": json.loads(written[-1])["hash"]}))
    assert faults(folder, key) == [(NAME, None)]
    unsigned = verify(folder, anchors_folder(folder), None)
    assert unsigned.faults == [] and "no key" in unsigned.notes[0]


def test_a_file_that_is_gone_renamed_or_added_is_named(folder, key):
    other = "2026-11-20.w9.jsonl"
    (folder / NAME).rename(folder / other)
    assert {(NAME, None), (other, None), (other, 1)} == set(faults(folder, key))


def test_a_day_that_is_deleted_with_its_anchor_is_missed_by_the_next(tmp_path, key):
    log = write(tmp_path / "log", key, records=2)
    for days in (1, 2, 3):
        log.record([entry(100 + days)], NOON + timedelta(days=days))
    log.close()
    names = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert faults(tmp_path / "log", key) == []
    for name in names[:-1]:
        shutil.copytree(tmp_path / "log", tmp_path / "cut")
        shutil.copytree(tmp_path / "log-heads", tmp_path / "cut-anchors")
        (tmp_path / "cut" / name).unlink()
        (tmp_path / "cut-anchors" / f"{name}.head").unlink()
        (fault,) = verify(tmp_path / "cut", tmp_path / "cut-anchors", key).faults
        assert fault.file.name == names[names.index(name) + 1] and "an earlier file is gone" in fault.why
        shutil.rmtree(tmp_path / "cut")
        shutil.rmtree(tmp_path / "cut-anchors")


def test_the_count_of_earlier_files_cannot_be_changed_without_the_key(tmp_path, key):
    write(tmp_path / "log", key, records=1).close()
    write(tmp_path / "log", key, records=1, now=NOON + timedelta(days=1), worker="w2").close()
    head = tmp_path / "log-heads" / "2026-11-22.w2.jsonl.head"
    anchor = json.loads(head.read_bytes())
    assert anchor["before"] == 1
    head.write_text(json.dumps(anchor | {"before": 0}))
    assert faults(tmp_path / "log", key) == [("2026-11-22.w2.jsonl", None)]


def test_a_log_that_was_begun_before_files_were_counted_still_verifies(tmp_path, key):
    old = Anchor("a.jsonl", 3, "0" * 64, "purged", "2026-11-20T00:00:00Z")
    assert "before" not in json.loads(old.to_bytes(key)) and Anchor.from_bytes(old.to_bytes(key), key) == old
    (tmp_path / "log-heads").mkdir()
    (tmp_path / "log-heads" / "a.jsonl.head").write_bytes(old.to_bytes(key))
    write(tmp_path / "log", key).close()
    assert faults(tmp_path / "log", key) == []
    (tmp_path / "log-heads" / "a.jsonl.head").unlink()
    assert faults(tmp_path / "log", key) == [(NAME, None)]


def test_a_file_without_a_record_is_not_counted(tmp_path, key, monkeypatch):
    one, other = (InferenceLog(tmp_path / "log", name, key, "m") for name in ("a", "b"))
    with monkeypatch.context() as broken:
        broken.setattr("scoring.inference_log.chained_file.write_all", _full)
        with pytest.raises(LogError):
            one.record([entry(1)], NOON)
    other.record([entry(2)], NOON)
    one.close()  # it leaves no trace
    other.close()
    assert faults(tmp_path / "log", key) == []


def _full(*_):
    raise OSError(28, "No space left on device")


def test_what_is_added_to_a_closed_file_is_named(folder, key):
    head = json.loads(lines(folder)[-1])["hash"]
    added, _ = link(13, head, b'{"event_id":"forged"}')
    with (folder / NAME).open("ab") as file:
        file.write(added)
    assert faults(folder, key) == [(NAME, 14)]


def test_a_header_that_is_added_to_a_closed_file_is_named(folder, key):
    head = json.loads(lines(folder)[-1])["hash"]
    added, _ = link(12, head, b'{"header":{},"schema_version":3}')
    with (folder / NAME).open("ab") as file:
        file.write(added)
    assert faults(folder, key) == [(NAME, 14)]


def test_a_header_with_another_number_than_that_of_the_record_before_it_is_named(folder, key):
    written = lines(folder)
    written[0], _ = link(1, first_hash(NAME), b'{"header":{},"schema_version":3}')
    (folder / NAME).write_bytes(b"".join(written))
    assert (NAME, 1) in faults(folder, key)


def test_a_thousand_mutations_are_all_found(folder, key):
    changes = mutations((folder / NAME).read_bytes(), random.Random(4))
    for number in range(1_000):
        change = changes[number % len(changes)]
        (folder / NAME).write_bytes(change())
        found = faults(folder, key)
        assert found, (number, change.__name__)
        assert all(name == NAME and line is not None for name, line in found)


def test_a_file_torn_at_a_thousand_bytes_gives_every_whole_record(tmp_path, key):
    log = write(tmp_path / "log", key)
    whole = (tmp_path / "log" / NAME).read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    torn = tmp_path / "torn"
    torn.mkdir()
    chance = random.Random(5)
    for at in chance.sample(range(len(whole)), 1_000):
        (torn / NAME).write_bytes(whole[:at])
        found = read(torn)
        complete = sum(end <= at for end in ends[1:])  # the first line is the header
        assert found.table.height == complete
        assert len(found.quarantined) == (at not in (0, *ends))
    log.close()


def test_a_tail_torn_by_a_crash_is_a_note_and_no_fault(tmp_path, key):
    log = write(tmp_path / "log", key)
    with (tmp_path / "log" / NAME).open("ab") as file:
        file.write(b'{"seq":13,"prev":"')
    verdict = verify(tmp_path / "log", tmp_path / "log-heads", key)
    assert verdict.faults == [] and "torn by a crash" in verdict.notes[0]
    log.close()


def test_purging_leaves_a_signed_stone_and_the_rest_verifies(folder, key):
    write(folder, key, records=3, now=NOON - timedelta(days=40), worker="old").close()
    gone = purge(folder, anchors_folder(folder), key, NOON.date() - timedelta(days=30), NOON)
    assert gone == ["2026-10-12.old.jsonl"]
    verdict = verify(folder, anchors_folder(folder), key)
    assert (verdict.files, verdict.records, verdict.purged, verdict.faults) == (1, 12, 1, [])
    stone = anchors_folder(folder) / "2026-10-12.old.jsonl.head"
    anchor = json.loads(stone.read_bytes())
    assert (anchor["state"], anchor["seq"]) == ("purged", 3)
    stone.write_text(json.dumps(anchor | {"seq": 2}))
    assert faults(folder, key) == [("2026-10-12.old.jsonl", None)]


def test_a_deleted_file_cannot_pass_for_a_purged_one(folder, key):
    head = anchors_folder(folder) / f"{NAME}.head"
    (folder / NAME).unlink()
    head.write_text(json.dumps(json.loads(head.read_bytes()) | {"state": "purged"}))
    assert faults(folder, key) == [(NAME, None)]


def test_what_is_too_old_goes_when_a_new_day_begins(tmp_path, key):
    said: list[str] = []
    log = write(tmp_path / "log", key, now=NOON, keep_days=10, announce=said.append)
    for days in (9, 10, 11):
        log.record([entry(100 + days)], NOON + timedelta(days=days))
    log.close()
    names = sorted(file.name for file in (tmp_path / "log").iterdir())
    assert names == ["2026-11-30.w1.jsonl", "2026-12-01.w1.jsonl", "2026-12-02.w1.jsonl"]
    assert faults(tmp_path / "log", key) == []
    anchors = [words.split()[-1] for words in said]
    assert json.loads((tmp_path / "log" / names[-1]).read_text().splitlines()[-1])["hash"] == anchors[-1]


def test_a_worker_that_slept_through_the_purge_leaves_the_stone_alone(tmp_path, key):
    sleeper = write(tmp_path / "log", key, records=2, worker="sleeper")
    write(tmp_path / "log", key, now=NOON + timedelta(days=20), keep_days=10).close()
    sleeper.record([entry(7)], NOON + timedelta(days=20))
    sleeper.close()
    verdict = verify(tmp_path / "log", tmp_path / "log-heads", key)
    assert (verdict.files, verdict.purged, verdict.faults) == (2, 1, [])


def test_a_log_is_kept_for_one_day_at_least(tmp_path, key):
    with pytest.raises(ValueError, match="0 days"):
        InferenceLog(tmp_path, "w1", key, "m", keep_days=0)


def test_the_command_verifies_and_names_the_line(folder, tmp_path):
    options = ("--log", folder, "--key-file", tmp_path / "pseudonym.key")
    good = run("verify", *options)
    assert good.exit_code == 0 and "As written: 1 files, 12 records" in good.stdout
    written = lines(folder)
    (folder / NAME).write_bytes(b"".join([*written[:2], *written[3:]]))
    bad = run("verify", *options)
    assert bad.exit_code == 1 and f"{NAME}, line 3: record 3 stands where 2 belongs" in bad.stdout


def test_the_command_says_what_is_missing(tmp_path):
    for arguments in (("verify",), ("tail",), ("export", "--out", tmp_path / "x.csv")):
        missing = run(*arguments, "--log", tmp_path / "nowhere")
        assert missing.exit_code == 2 and "no inference log" in " ".join(missing.stderr.split())


def test_the_command_shows_the_last_decisions(folder):
    shown = run("tail", "--log", folder, "-n", "2")
    assert shown.exit_code == 0
    ids = [line.split()[2] for line in shown.stdout.splitlines()]
    assert ids == ["w1-21-10", "w1-21-11"] and "700011" not in shown.stdout


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_command_exports_each_stream_without_the_other(folder, tmp_path, suffix):
    tables = {}
    for stream in ("monitoring", "audit"):
        out = tmp_path / f"{stream}.{suffix}"
        done = run("export", "--log", folder, "--stream", stream, "--out", out)
        assert done.exit_code == 0, done.stderr
        tables[stream] = pl.read_parquet(out) if suffix == "parquet" else pl.read_csv(out)
    assert {"ext_mean", "income_type", "event_id"} <= set(tables["monitoring"].columns)
    assert not {"applicant", "request_id", "operator"} & set(tables["monitoring"].columns)
    assert {"applicant", "operator", "inputs_sha256", "reasons"} <= set(tables["audit"].columns)
    assert not {"ext_mean", "income_type"} & set(tables["audit"].columns)
    assert tables["monitoring"].height == tables["audit"].height == 12
    again = run("export", "--log", folder, "--out", tmp_path / f"audit.{suffix}")
    assert again.exit_code == 2 and "exists already" in " ".join(again.stderr.split())


def test_no_spreadsheet_runs_what_a_client_wrote(tmp_path, key):
    log = write(tmp_path / "log", key, records=0)
    log.record([entry(0, features={"income_type": '=HYPERLINK("x")'})], NOON)
    log.close()
    run("export", "--log", tmp_path / "log", "--out", tmp_path / "x.csv")
    assert pl.read_csv(tmp_path / "x.csv")["income_type"][0] == '\'=HYPERLINK("x")'


def test_the_command_purges_and_the_log_verifies(folder, tmp_path, key):
    write(folder, key, now=datetime.now(UTC), worker="now").close()
    options = ("--log", folder, "--key-file", tmp_path / "pseudonym.key")
    written = (folder / NAME).read_bytes()
    old = folder / "2001-01-01.w1.jsonl"
    write(folder, key, now=datetime(2001, 1, 1, tzinfo=UTC), records=2).close()
    whole = old.read_bytes()
    old.write_bytes(whole.replace(b"refused", b"granted"))
    kept = run("purge", "--days", "3650", *options)
    assert kept.exit_code == 1 and "Nothing is purged" in kept.stdout and old.exists()
    old.write_bytes(whole)
    done = run("purge", "--days", "3650", *options)
    assert done.exit_code == 0 and "1 files" in done.stdout and not old.exists()
    assert (folder / NAME).read_bytes() == written
    assert run("verify", *options).exit_code == 0


def test_a_stolen_folder_of_heads_is_not_taken_for_a_whole_log(folder, key):
    shutil.rmtree(anchors_folder(folder))
    assert faults(folder, key) == [(NAME, None)]
