"""Others may write into a log's folder: nothing there hangs, fills or misleads who writes and reads it."""

import contextlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from scoring.inference_log import (
    InferenceLog,
    LogError,
    anchors_folder,
    audit_table,
    find,
    log_key,
    pseudonym_key,
    purge,
    read,
    renew,
    verify,
)
from scoring.inference_log.disk import LINE_BYTES
from scoring.inference_log.pieces import BATCH_BYTES
from tests.support.logs import NAME, NOON, entry, lines, measured, quiet, run, write

ROOT = Path(__file__).parent.parent
OTHER = "2026-11-20.w9.jsonl"


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


@pytest.fixture
def folder(tmp_path, key) -> Path:
    write(tmp_path / "log", key).close()
    return tmp_path / "log"


def put(place: Path, what: str) -> None:
    """Put something that is no regular file where the log keeps its files."""
    if what == "fifo":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    elif what == "device":
        place.symlink_to("/dev/zero")
    elif what == "link to a fifo":
        os.mkfifo(place.with_name("hidden"))
        place.symlink_to("hidden")
    elif what == "loop":
        place.symlink_to(place.name)
    else:
        place.symlink_to(place.with_name("nowhere"))


IRREGULAR = ["fifo", "folder", "device", "link to a fifo", "dangling link"]


@pytest.mark.parametrize("what", IRREGULAR)
def test_what_is_no_regular_file_is_skipped_by_all_who_read(folder, tmp_path, key, what):
    put(folder / OTHER, what)
    put(folder / "2026-11-20.w9.t0.arrow", what.replace("link to a fifo", "fifo"))
    found = read(folder)
    assert found.table.height == audit_table(folder).height == 12
    assert [(item.file.name, item.line) for item in found.quarantined] == [(OTHER, None)]
    assert find(folder, "nobody") is None and find(folder, "w1-21-3") is not None
    assert run("tail", "--log", folder).stdout.count("\n") == 10
    assert run("export", "--log", folder, "--out", tmp_path / "x.csv").exit_code == 0
    verdict = verify(folder, anchors_folder(folder), key)
    assert verdict.faults == [] and any(OTHER in note for note in verdict.notes)
    assert purge(folder, anchors_folder(folder), key, NOON.date(), NOON) == []


@pytest.mark.parametrize("what", IRREGULAR)
def test_what_stands_in_the_place_of_a_file_is_named(folder, key, what):
    (folder / NAME).unlink()
    put(folder / NAME, what)
    (fault,) = verify(folder, anchors_folder(folder), key).faults
    assert fault.file.name == NAME and "gone, with 12 records" in fault.why


@pytest.mark.parametrize("what", IRREGULAR)
def test_no_anchor_stops_who_writes(tmp_path, key, what):
    (tmp_path / "log-heads").mkdir()
    put(tmp_path / "log-heads" / f"{OTHER}.head", what)
    put(tmp_path / "log-heads" / f"{NAME}.head", what.replace("link to a fifo", "fifo"))
    log = write(tmp_path / "log", key, records=2, keep_days=1)
    log.close()
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["2026-11-21.w1.1.jsonl"]
    assert read(tmp_path / "log").table.height == 2


@pytest.mark.parametrize("what", IRREGULAR)
def test_no_name_that_is_taken_stops_who_writes(tmp_path, key, what):
    (tmp_path / "log").mkdir()
    put(tmp_path / "log" / NAME, what)
    write(tmp_path / "log", key, records=2).close()
    assert read(tmp_path / "log").table.height == 2


def test_nothing_is_written_through_a_link(tmp_path, key, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr("scoring.inference_log.writer.secrets.token_hex", lambda _: "foreseen")
    log = InferenceLog(tmp_path / "log", "w1", key, "m", categories=("income_type",))
    for name in (".w1.foreseen.probe", NAME, "2026-11-21.w1.t0.arrow"):
        (tmp_path / "log" / name).symlink_to(victim)
    (tmp_path / "log-heads" / "2026-11-21.w1.1.jsonl.head").symlink_to(victim)
    with pytest.raises(LogError, match="File exists"):
        log.check()
    log.record([entry(1)], NOON)
    log.close()
    assert victim.read_text() == "mine"
    assert (tmp_path / "log" / "2026-11-21.w1.2.jsonl").is_file()


def test_a_stone_is_not_written_through_a_link(folder, tmp_path, key):
    head = anchors_folder(folder) / f"{NAME}.head"
    stolen = tmp_path / "stolen"
    head.rename(stolen)
    head.symlink_to(stolen)
    before = stolen.read_bytes()
    with pytest.raises(OSError, match="symbolic links"):
        purge(folder, anchors_folder(folder), key, NOON.date() + timedelta(days=1), NOON)
    assert stolen.read_bytes() == before and (folder / NAME).exists()


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o277])
def test_folders_and_key_are_closed_to_others_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        key = pseudonym_key(tmp_path / "keys" / "of this log" / "pseudonym.key")
        write(tmp_path / "logs" / "log", key, records=1).close()
        run("export", "--log", str(tmp_path / "logs" / "log"), "--out", str(tmp_path / "all.parquet"))
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in sorted(tmp_path.rglob("*"))}
    assert {path.name: mode for path, mode in modes.items()} == {
        "all.parquet": 0o640,
        "keys": 0o750,
        "of this log": 0o750,
        "logs": 0o750,
        "log": 0o750,
        NAME: 0o640,
        "log-heads": 0o750,
        f"{NAME}.head": 0o640,
        "pseudonym.key": 0o600,
    }


@contextlib.contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user without rights."""
    if os.geteuid():
        pytest.skip("becoming somebody else needs root")
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@pytest.fixture
def closed(key) -> Iterator[Path]:
    """A log in a place where everybody may go."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        write(Path(place) / "log", key).close()
        yield Path(place) / "log"


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_log(closed):
    with somebody_else():
        with pytest.raises(LogError, match="Permission denied"):
            read(closed)
        said = [run(command, "--log", closed) for command in ("verify", "tail")]
        with pytest.raises(LogError, match=r"log folder .* cannot be"):
            InferenceLog(closed, "w2", bytes(32), "m")
    for one in said:
        assert one.exit_code == 2 and "Permission denied" in " ".join(one.stderr.split()), one.output


def test_a_file_that_may_not_be_read_is_not_left_out_in_silence(closed):
    for folder in (closed, anchors_folder(closed)):
        folder.chmod(0o755)
    with somebody_else():
        with pytest.raises(LogError, match=r"w1\.jsonl cannot be read: Permission denied"):
            read(closed)
        faults = verify(closed, anchors_folder(closed), None).faults
    assert [fault.why.partition(" cannot be read: ")[2] for fault in faults] == ["Permission denied"] * 2


def test_a_line_without_end_is_named_and_takes_no_memory(folder, tmp_path):
    with (folder / NAME).open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.truncate(file.tell() + 2**27)  # zeros without an end, which take no room on the disk
    for command in (("verify", "--key-file", tmp_path / "pseudonym.key"), ("tail", "-n", "2")):
        memory, _, said = measured(*command, "--log", folder)
        assert memory < quiet() + 2**26, command
        if command[0] == "verify":
            assert f"{NAME}, line 14: the line is longer than any record" in said
        else:
            assert [line.split()[2] for line in said.splitlines()] == ["w1-21-10", "w1-21-11"]
    found = read(folder)
    assert found.table.height == 12
    assert [(item.line, item.why) for item in found.quarantined] == [(14, "longer than any record")]
    assert find(folder, "w1-21-11") is not None


@pytest.mark.parametrize("longer", [-1, 0, 1, LINE_BYTES])
def test_a_long_line_is_one_line_whatever_its_length(folder, key, longer):
    whole = lines(folder)
    whole.insert(4, b"x" * (LINE_BYTES - 1 + longer) + b"\n")
    (folder / NAME).write_bytes(b"".join(whole))
    found = read(folder)
    assert found.table.height == 12 and [item.line for item in found.quarantined] == [5]
    assert (NAME, 5) in [(f.file.name, f.line) for f in verify(folder, anchors_folder(folder), key).faults]


def test_what_is_too_long_to_be_read_is_not_written(tmp_path, key):
    log = write(tmp_path / "log", key, records=1)
    with pytest.raises(ValueError, match="longer than"):
        log.record([entry(2, features={"income_type": "x" * LINE_BYTES})], NOON)
    log.record([entry(3, features={"income_type": "x" * (LINE_BYTES - 2_000)})], NOON)
    log.close()
    assert read(tmp_path / "log").table.height == 2
    assert verify(tmp_path / "log", tmp_path / "log-heads", key).faults == []


def test_endless_damage_is_counted_and_takes_no_memory(folder, tmp_path, key):
    with (folder / NAME).open("ab") as file:
        file.write(b"\n" * 60_000)
    faults = verify(folder, anchors_folder(folder), key).faults
    assert len(faults) <= 1_002 and any("more lines" in fault.why for fault in faults)
    found = read(folder)
    assert found.table.height == 12 and sum(item.count for item in found.quarantined) == 60_000
    assert len(found.quarantined) < 20_000
    said = run("export", "--log", folder, "--out", tmp_path / "x.csv").stdout
    assert "note: 60000 lines are set aside: not JSON" in said


@pytest.mark.parametrize("damage", ["nul", "crlf", "name"])
def test_other_damage_is_named(folder, key, damage):
    if damage == "nul":
        (folder / NAME).write_bytes((folder / NAME).read_bytes().replace(b"refused", b"re\0used"))
    elif damage == "crlf":
        (folder / NAME).write_bytes((folder / NAME).read_bytes().replace(b"\n", b"\r\n"))
    else:
        (folder / os.fsdecode(b"\xff\x1b[31m.jsonl")).write_bytes(b"x\n")
    verdict = verify(folder, anchors_folder(folder), key)
    assert verdict.faults
    said = run("verify", "--log", folder, "--key-file", folder.parent / "pseudonym.key")
    assert (said.exit_code == 1 and said.stdout.isprintable) or "\x1b" not in said.stdout
    assert read(folder).table.height == (0 if damage == "nul" else 12)


def many(folder: Path, key: bytes, does_clock_jump: bool = False) -> None:
    """Write some days by two workers, with a repeat, several parts a file and another model's features."""
    for worker in ("b", "a"):
        for days in (0, 1, 2):
            log = InferenceLog(folder, worker, key, "m", categories=("income_type",), file_bytes=4_000)
            for number in range(9):
                seconds = timedelta(seconds=number * 7 % 9 if does_clock_jump else number)
                inputs = {"ext_mean": number / 7, "income_type": "=x", f"only_{worker}": 1.0}
                event = entry(0, event_id=f"{worker}{days}{number}", features=inputs)
                log.record([event], NOON + timedelta(days=days) + seconds)
            if worker == "a":
                log.record([entry(0, event_id=f"b{days}3")], NOON + timedelta(days=days))
            log.close()


@pytest.mark.parametrize("stream", ["monitoring", "audit"])
def test_an_export_is_what_reading_all_at_once_gives(tmp_path, key, stream):
    many(tmp_path / "log", key, does_clock_jump=True)
    whole = audit_table(tmp_path / "log") if stream == "audit" else read(tmp_path / "log").table
    whole = whole if stream == "audit" else whole.drop("applicant", "request_id")
    out = tmp_path / "x.parquet"
    done = run("export", "--log", tmp_path / "log", "--stream", stream, "--out", out)
    assert "3 repeated records" in done.stdout
    assert pl.read_parquet(out).equals(whole) and whole.height == 54
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log-heads", "pseudonym.key", "x.parquet"}


def test_an_export_of_nothing_has_the_columns(tmp_path):
    (tmp_path / "log").mkdir()
    for suffix in ("csv", "parquet"):
        assert run("export", "--log", tmp_path / "log", "--out", tmp_path / f"x.{suffix}").exit_code == 0
    assert pl.read_parquet(tmp_path / "x.parquet").shape == (0, 7)
    assert pl.read_csv(tmp_path / "x.csv").columns == pl.read_parquet(tmp_path / "x.parquet").columns


@pytest.mark.parametrize("name", ["a[red]b.csv", "[x].parquet", "a*.parquet", "ü {1}.csv"])
def test_an_export_has_the_name_that_was_asked_for(folder, tmp_path, name):
    place = tmp_path / "[p]*"
    place.mkdir()
    assert run("export", "--log", folder, "--out", place / name).exit_code == 0
    assert [path.name for path in place.iterdir()] == [name]


def test_an_export_takes_no_name_that_is_a_link(folder, tmp_path):
    (tmp_path / "x.csv").symlink_to(tmp_path / "nowhere")
    said = run("export", "--log", folder, "--out", tmp_path / "x.csv")
    assert said.exit_code == 2 and "exists already" in " ".join(said.stderr.split())


@pytest.mark.parametrize("rows", [1, 5, 20, 100])
def test_the_last_decisions_are_those_of_the_whole_log(tmp_path, key, rows):
    many(tmp_path / "log", key)
    with next((tmp_path / "log").glob("2026-11-23.b*.jsonl")).open("ab") as file:
        file.write(b"\n" * 500 + b'{"torn')
    shown = [
        line.split()[2] for line in run("tail", "--log", tmp_path / "log", "-n", rows).stdout.splitlines()
    ]
    times = {row["event_id"]: row["time"] for row in audit_table(tmp_path / "log").to_dicts()}
    assert len(set(shown)) == min(rows, 54)
    assert [times[event] for event in shown] == sorted(times.values())[-rows:]


def test_the_end_of_a_log_is_read_without_the_rest(tmp_path, key):
    log = InferenceLog(tmp_path / "log", "w1", key, "m", categories=("income_type",))
    words = {"income_type": "x" * 20_000}
    for start in range(0, 1_500, 100):
        log.record([entry(number, features=words) for number in range(start, start + 100)], NOON)
    log.close()
    assert sum(path.stat().st_size for path in log.folder.iterdir()) > 7 * BATCH_BYTES
    memory, _, said = measured("tail", "-n", "1", "--log", tmp_path / "log")
    assert said.split()[2] == "e1499" and memory < quiet() + 2**25


def test_a_lost_key_is_noticed_at_the_start_with_the_way_out(folder, tmp_path):
    path = tmp_path / "pseudonym.key"
    path.unlink()
    with pytest.raises(LogError, match=r"is gone.*put the old key back.*renew --log"):
        log_key(path, folder, anchors_folder(folder))
    assert not path.exists()
    with pytest.raises(LogError, match=r"another key.*renew --log"):
        InferenceLog(folder, "w2", pseudonym_key(path), "m")


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_key_at_a_place_that_cannot_be_looked_at_is_a_sentence(tmp_path, is_shared):
    path = tmp_path / ("k" * 300)  # whoever runs the test may enter every folder
    with pytest.raises(LogError, match=rf"{path} cannot be used: File name too long"):
        log_key(path, tmp_path / "log", tmp_path / "log-heads", is_shared)


def test_a_broken_anchor_is_no_lost_key(folder, key):
    head = anchors_folder(folder) / f"{NAME}.head"
    newest = anchors_folder(folder) / "2026-11-30.w1.jsonl.head"
    newest.write_bytes(head.read_bytes())
    (anchors_folder(folder) / "2026-12-01.w1.jsonl.head").write_bytes(b"")
    changed = json.loads(head.read_bytes()) | {"seq": 7, "file": "2026-11-29.w1.jsonl"}
    (anchors_folder(folder) / "2026-11-29.w1.jsonl.head").write_text(json.dumps(changed))
    InferenceLog(folder, "w2", key, "m")


def test_a_log_is_begun_anew_on_the_record(folder, tmp_path):
    path, options = tmp_path / "pseudonym.key", ("--log", folder, "--key-file", tmp_path / "pseudonym.key")
    kept = run("renew", *options, "--reason", "no")
    assert kept.exit_code == 2 and "nothing is lost" in " ".join(kept.stderr.split())
    path.unlink()
    done = run("renew", *options, "--reason", "lost with the old disk")
    assert done.exit_code == 0, done.stderr
    write(folder, log_key(path, folder, anchors_folder(folder)), records=3, worker="w2").close()
    said = run("verify", *options)
    assert said.exit_code == 0, said.stdout
    assert "lost with the old disk" in said.stdout and "1 files with 12 records" in said.stdout
    assert "As written: 1 files, 3 records" in said.stdout
    (aside,) = folder.glob("before-*")
    assert read(aside).table.height == 12 and read(folder).table.height == 3
    again = verify(aside, anchors_folder(folder) / aside.name, None)
    assert again.faults == [] and again.records == 12


def renewed_until(step: int, *arguments: object) -> int:
    """Renew a log in a process that is gone before a step on the disk; return 0 if it had no more of them."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(call):
            def step_or_end(*given, **options):
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return call(*given, **options)

            return step_or_end

        for name in ("mkdir", "open", "write", "fsync", "rename", "link", "unlink", "chmod"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            renew(*arguments)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_renewal_that_is_killed_at_any_step_is_taken_up_by_the_same_command(tmp_path):
    """Every call that changes the disk is once the one that is not reached."""
    old, now, step, code = os.urandom(32), datetime.now(UTC), 0, 9
    while code:
        home = tmp_path / str(step)
        log, anchors, path = home / "log", home / "log-heads", home / "pseudonym.key"
        for worker in ("w1", "w2", "w3"):
            write(log, old, records=2, worker=worker).close()
        asked = (log, anchors, path, "lost")
        code = renewed_until(step, *asked, now)
        assert code in (0, 9)
        if named := list(anchors.glob("*.head")):
            if list(anchors.glob("before-*/renewal.json")):
                told = verify(log, anchors, pseudonym_key(path)).faults
                assert any("ended in its midst" in str(fault) for fault in told) or len(named) == 3
            renew(*asked, now + timedelta(minutes=step))
        write(log, log_key(path, log, anchors), records=3, worker="w4").close()
        found = verify(log, anchors, pseudonym_key(path))
        assert found.faults == [] and found.records == 3, step
        whole = [aside for aside in log.glob("before-*") if list(aside.glob("*.jsonl"))]
        assert len(whole) == 1 and read(whole[0]).table.height == 6
        step += 1
    assert step > 20


@pytest.mark.parametrize("change", ["record", "anchor", "gone", "fifo"])
def test_what_was_put_aside_cannot_be_changed_unseen(folder, tmp_path, change):
    (tmp_path / "pseudonym.key").unlink()
    done = renew(folder, anchors_folder(folder), tmp_path / "pseudonym.key", "lost", datetime.now(UTC))
    place = anchors_folder(folder) / done.folder
    record, anchor = place / "renewal.json", place / f"{NAME}.head"
    if change == "record":
        record.write_text(record.read_text().replace("lost", "sold"))
    elif change == "anchor":
        anchor.write_text(anchor.read_text().replace('"seq": 12', '"seq": 11'))
    elif change == "gone":
        anchor.unlink()
    else:
        record.unlink()
        os.mkfifo(record)
    (fault,) = verify(folder, anchors_folder(folder), pseudonym_key(tmp_path / "pseudonym.key")).faults
    assert fault.file == record


def test_a_reason_is_one_line(folder, tmp_path):
    (tmp_path / "pseudonym.key").unlink()
    for reason in ("", " ", "two\nlines", "x" * 501):
        with pytest.raises(LogError, match="--reason"):
            renew(folder, anchors_folder(folder), tmp_path / "pseudonym.key", reason, NOON)
    assert (folder / NAME).exists() and not (tmp_path / "pseudonym.key").exists()


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import polars as pl
from scoring.inference_log import Entry, InferenceLog
key, day = bytes(range(32)), datetime(2026, 1, 1, 12, tzinfo=UTC)
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
for life in range(3):
    log = InferenceLog(folder, f"w{life}", key, "m", file_bytes=20_000, keep_days=2)
    for number in range(rounds):
        now = day + timedelta(days=(life * rounds + number) // 25, seconds=number)
        name = f"{life}-{number}"
        inputs = {f"x{i}": float(i) for i in range(20)}
        log.record([Entry(f"{name}-{i}", i, "r", 0.1, 0.2, "granted", inputs) for i in range(9)], now)
        if number % 5 == 0:
            decided = {"probability_of_default": [0.1] * 9, "threshold": 0.2, "decision": "granted"}
            stem = f"{life:04x}{number:020x}"
            with log.table(stem, "r", None, now) as table:
                table.add(range(9), pl.DataFrame(decided), pl.DataFrame({"x0": [0.5] * 9}))
                table.commit()
    log.close()
"""


def test_who_reads_while_it_is_written_rotated_and_purged_never_fails_or_counts_twice(tmp_path):
    folder, key = tmp_path / "log", bytes(range(32))
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", WRITER, folder, "120"], cwd=ROOT)
    reads = faults = repeats = set_aside = 0
    try:
        while process.poll() is None:
            found = read(folder)
            repeats += found.duplicates + found.table.height - found.table["event_id"].n_unique()
            set_aside += sum(not item.why.startswith("torn") for item in found.quarantined)
            faults += len(verify(folder, anchors_folder(folder), key).faults)
            audit = audit_table(folder)
            assert audit["event_id"].n_unique() == audit.height
            out = tmp_path / f"{reads}.parquet"
            for done in (run("tail", "--log", folder), run("export", "--log", folder, "--out", out)):
                assert done.exit_code == 0, done.output
            assert pl.read_parquet(out)["event_id"].is_unique().all()
            find(folder, "nobody")
            reads += 1
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and reads > 2
    assert (faults, repeats, set_aside) == (0, 0, 0)
    last = verify(folder, anchors_folder(folder), key)
    assert last.faults == [] and last.purged > 10
