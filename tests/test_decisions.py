"""The index follows the log: each decision once, whatever is killed, torn or purged, in any database."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from scoring.decisions import (
    CursorError,
    Filter,
    Follower,
    Index,
    IndexFault,
    LateError,
    OtherLogError,
    by_event,
    page,
    place_of,
    schema,
)
from scoring.decisions.__main__ import app
from scoring.inference_log import (
    Entry,
    InferenceLog,
    anchors_folder,
    at,
    audit_table,
    find,
    identity,
    packing,
    purge,
    read,
)
from tests.support.logs import decided

KEY = bytes(range(32))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW = datetime.now(UTC)  # of who looks up: what is followed in these tests is followed later
ROOT = Path(__file__).parent.parent


def event_id(number: int) -> str:
    return f"{number:032x}"


def entry(number: int, **changes) -> Entry:
    verdict = "refused" if number % 4 == 0 else "granted"
    said = {
        "probability_of_default": number / 1_000,
        "threshold": 0.09,
        "decision": verdict,
        "operator": ("desk", None, "branch")[number % 3],
        "features": {"ext_mean": number / 7, "income_type": "Working"},
    }
    return Entry(event_id(number), number % 7, f"r{number}", **(said | changes))


def new_log(folder: Path, worker: str = "w1", model: str = "m:1", **options) -> InferenceLog:
    return InferenceLog(folder, worker, KEY, model, categories=("income_type",), **options)


def fill(log: InferenceLog, numbers, now: datetime = NOON) -> None:
    for number in numbers:
        log.record([entry(number)], now + timedelta(seconds=number))


@pytest.fixture
def log(tmp_path):
    log = new_log(tmp_path / "log")
    yield log
    log.close()


@pytest.fixture
def index(database, log):
    index = Index(place_of(database, log.folder), identity(KEY))
    yield index
    index.close()


def follower(log: InferenceLog, index: Index, **options) -> Follower:
    return Follower(index, log.folder, log.anchors, KEY, **options)


ALL = Filter()


def everything(index: Index, wanted: Filter = ALL, limit: int = 7) -> list:
    """All pages, one after the other."""
    found: list = []
    after = None
    while True:
        part = page(index, wanted, limit, NOW, after)
        assert len(part.found) <= limit
        found += part.found
        after = part.after
        if after is None:
            return found


def is_as_the_log(log: InferenceLog, index: Index) -> None:
    """The index says what the log says, each event once, and leads to its record."""
    logged = audit_table(log.folder)
    found = everything(index, limit=1_000)
    assert len(found) == len({one.event_id for one in found}) == logged.height
    said = {row["event_id"]: row for row in logged.to_dicts()}
    for one in found:
        row = said[one.event_id]
        for name in ("time", "applicant", "model", "decision", "operator", "probability_of_default"):
            assert getattr(one, name) == row[name]
    for one in random.Random(1).sample(found, min(len(found), 20)):
        assert at(log.folder, one.file, one.start, one.row)["event_id"] == one.event_id


def test_the_index_follows_the_log_as_it_grows(log, index):
    following = follower(log, index)
    fill(log, range(5))
    assert following.step() == 5 and following.step() == 0
    fill(log, range(5, 30))
    with log.table("0123456789abcdef01234567", "r", "bank", NOON) as table:
        table.add(*decided(9))
        table.commit()
    assert following.step() == 26 and following.step() == 0
    is_as_the_log(log, index)
    assert follower(log, index).step() == 0, "another one finds nothing to do"


@pytest.mark.parametrize("block", [700, 2**20])
def test_files_are_followed_and_looked_into_packed_or_not(log, index, monkeypatch, block):
    monkeypatch.setattr(packing, "BLOCK", block)
    following = follower(log, index)
    fill(log, range(25))
    assert following.step() == 25
    log.under("m:2", ()).record([entry(50, features={"x": 1.0})], NOON)
    fill(log, range(25, 40))
    with log.table("0123456789abcdef01234567", "r", "bank", NOON) as table:
        table.add(*decided(9))
        table.commit()
    (file,) = log.folder.glob("*.jsonl")
    log.close()
    assert packing.pack(file) and not file.exists()
    assert following.step() == 17 and following.step() == 0
    is_as_the_log(log, index)
    for one in everything(index):
        assert at(log.folder, one.file, one.start, one.row) == find(log.folder, one.event_id)
    assert follower(log, index).step() == 0


def test_files_of_many_days_and_workers_are_followed(tmp_path, index):
    folder = tmp_path / "log"
    for day in range(4):
        for worker in ("w1", "w2"):
            one = new_log(folder, worker, file_bytes=3_000)
            fill(one, range(100 * day + 50 * (worker == "w2"), 100 * day + 20), NOON + timedelta(days=day))
            fill(
                one,
                range(1_000 * day + 500 * (worker == "w2"), 1_000 * day + 500 * (worker == "w2") + 15),
                NOON + timedelta(days=day),
            )
            one.close()
    following = Follower(index, folder, anchors_folder(folder), KEY)
    assert following.step() > 0 and following.step() == 0
    assert len(list(folder.iterdir())) > 8
    found = everything(index)
    logged = read(folder).table
    assert sorted(one.event_id for one in found) == sorted(logged["event_id"].to_list())
    assert [one.time for one in found] == sorted((one.time for one in found), reverse=True)


def test_an_event_that_is_there_twice_counts_once(log, index):
    fill(log, range(5))
    fill(log, range(3, 8))
    follower(log, index).step()
    assert len(everything(index)) == 8 == read(log.folder).table.height
    with index.begin() as connection:
        assert connection.execute(select(schema.about.c.duplicates)).scalar_one() == 2


def test_what_no_anchor_has_waits_until_nobody_can_be_writing_it(log, index):
    fill(log, range(3))
    log.close()
    (file,) = log.folder.glob("*.jsonl")
    (anchor,) = log.anchors.glob("*.head")
    kept = anchor.read_bytes()
    other = new_log(log.folder.with_name("other"))
    fill(other, range(5))
    # As a kill between the sync and the anchor leaves it: same name, so the same chain.
    (longer,) = other.folder.glob("*.jsonl")
    whole = longer.read_bytes()
    file.write_bytes(whole + b'{"seq":6,"prev":"torn')
    state = json.loads(kept) | {"state": "open"}
    from scoring.inference_log import Anchor

    anchor.write_bytes(Anchor(file.name, state["seq"], state["hash"], "open", state["time"], 0).to_bytes(KEY))
    now = file.stat().st_mtime
    following = follower(log, index, clock=lambda: now)
    assert following.step() == 3 and following.step() == 0
    later = follower(log, index, clock=lambda: now + 61)
    assert later.step() == 2 and later.step() == 0
    other.close()


def test_a_torn_tail_is_not_followed_and_the_next_file_is(log, index):
    fill(log, range(3))
    following = follower(log, index)
    following.step()
    (file,) = log.folder.glob("*.jsonl")
    with file.open("ab") as out:
        out.write(b'{"seq":4,"prev":')
    after = new_log(log.folder, "w2")
    fill(after, range(3, 6))
    after.close()
    assert following.step() == 3
    assert len(everything(index)) == 6


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_file_that_was_harmed_is_named_and_the_others_are_followed(log, index, harm):
    fill(log, range(6))
    following = follower(log, index)
    following.step()
    (file,) = log.folder.glob("*.jsonl")
    fill(log, range(6, 9))
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    if harm == "cut":
        os.truncate(file, len(b"".join(lines[:4])))
    elif harm == "changed":
        file.write_bytes(b"".join([*lines[:7], lines[7].replace(b"granted", b"refused"), lines[8]]))
    else:
        file.unlink()
    after = new_log(log.folder, "w2")
    fill(after, range(20, 23))
    after.close()
    for _ in range(6):
        following.step()
    found = {one.event_id for one in everything(index)}
    assert {event_id(n) for n in (20, 21, 22)} <= found and event_id(8) not in found
    with index.begin() as connection:
        rows = connection.execute(select(schema.files.c.state, schema.files.c.fault)).all()
    (fault,) = [fault for state, fault in rows if state == "broken"]
    assert "verify" in fault


def test_what_the_log_purged_leaves_the_index(log, index):
    fill(log, range(4))
    fill(log, range(4, 9), NOON + timedelta(days=9))
    following = follower(log, index)
    following.step()
    assert len(everything(index)) == 9
    purge(log.folder, log.anchors, KEY, NOON.date() + timedelta(days=5), NOON)
    following.step()
    is_as_the_log(log, index)
    assert len(everything(index)) == 5


def test_an_index_of_another_log_is_refused(log, index, tmp_path):
    fill(log, range(3))
    follower(log, index).step()
    other = Index(index.url, identity(b"another key" * 3))
    with pytest.raises(OtherLogError, match="of another log; give CREDIT_SCORING_INDEX"), other.begin():
        pass
    elsewhere = new_log(tmp_path / "elsewhere", "w9")
    fill(elsewhere, range(3))
    elsewhere.close()
    with pytest.raises(OtherLogError, match="has none of its 1 files"):
        Follower(index, elsewhere.folder, elsewhere.anchors, KEY).step()
    assert len(everything(index)) == 3, "nothing of the other one came in"
    other.remake()
    with other.begin() as connection:
        assert connection.execute(select(schema.decisions)).all() == []
    other.close()


def test_two_followers_at_once_do_no_harm(log, index):
    first, second = follower(log, index), follower(log, index)
    for start in range(0, 60, 10):
        fill(log, range(start, start + 10))
        (first, second)[start // 10 % 2].step()
    while first.step() + second.step():
        pass
    first.step(), second.step()
    is_as_the_log(log, index)


def test_reviews_are_followed_before_or_after_their_decision_and_the_first_counts(log, index):
    following = follower(log, index)
    late = new_log(log.folder, "a0")  # read first
    said = {"verdict": "otherwise", "decision": "granted", "reason": "income proved", "operator": "ann"}
    late.note("review", {"event_id": event_id(4), **said}, NOON + timedelta(hours=1))
    late.note("review", {"event_id": event_id(8), **said}, NOON + timedelta(hours=1))
    fill(log, range(6))
    following.step()
    fill(log, range(6, 9))
    late.note("review", {"event_id": event_id(8), **said, "verdict": "confirmed"}, NOON + timedelta(hours=2))
    late.note("look-up", {"operator": "ann", "event_id": event_id(0)}, NOON)
    following.step()
    late.close()
    found = {one.event_id: one.review for one in everything(index)}
    assert {number: found[event_id(number)] for number in (0, 1, 4, 8)} == {
        0: "waiting",
        1: "none",
        4: "otherwise",
        8: "otherwise",
    }
    one = by_event(index, event_id(8), NOW)
    assert one and one.reviewed and one.reviewed["operator"] == "ann"
    assert [one.event_id for one in everything(index, Filter(review="waiting"))] == [event_id(0)]
    is_as_the_log(log, index)


def test_what_the_model_sends_to_a_person_waits_though_it_is_granted(log, index):
    following = follower(log, index)
    asked = {"review": ("near_threshold",)}
    log.record([entry(1, **asked), entry(2), entry(3, purpose="test", **asked)], NOON)
    clients, verdict, inputs = decided(4)
    granted = verdict.with_columns(pl.lit("granted").alias("decision"))
    with log.table("0123456789abcdef01234567", "r", "bank", NOON) as table:
        table.add(clients, granted.with_columns(review=pl.Series([False, None, True, False])), inputs)
        table.add(clients, granted, inputs)
        table.commit()
    following.step()
    queue = {event_id(1), "0123456789abcdef01234567" + f"{2:08x}"}
    assert {one.event_id for one in everything(index, Filter(review="waiting"))} == queue
    assert find(log.folder, event_id(1))["audit"]["review"] == ["near_threshold"]
    observed = {"defaulted": False, "observed_on": "2027-11-30"}
    log.note("outcome", {"event_id": event_id(1), **observed}, NOON + timedelta(hours=1))
    following.step()
    assert {one.event_id for one in everything(index, Filter(review="waiting"))} == queue
    said = {"verdict": "confirmed", "decision": "granted", "reason": "as usual", "operator": "ann"}
    log.note("review", {"event_id": event_id(1), **said}, NOON + timedelta(hours=2))
    following.step()
    assert by_event(index, event_id(1), NOW).review == "confirmed"
    is_as_the_log(log, index)


def test_every_filter_gives_what_the_log_has(log, index):
    fill(log, range(40))
    second = log.under("m:2", ("income_type",))
    fill(second, range(40, 80))
    with log.table("0123456789abcdef01234567", "r", "bank", NOON + timedelta(seconds=30)) as table:
        table.add(*decided(9))
        table.commit()
    follower(log, index).step()
    logged = audit_table(log.folder).with_columns(
        review=pl.when(pl.col("decision") == "refused").then(pl.lit("waiting")).otherwise(pl.lit("none"))
    )
    since, until = NOON + timedelta(seconds=20), NOON + timedelta(seconds=60)
    wanted = [
        {},
        {"decision": "refused"},
        {"model": "m:2"},
        {"operator": "bank"},
        {"operator": "desk", "decision": "granted"},
        {"operator": "nobody"},
        {"applicant": log.pseudonym(3)},
        {"applicant": log.pseudonym(3), "model": "m:1", "operator": "branch"},
        {"review": "waiting", "model": "m:2"},
        {"since": since},
        {"until": until},
        {"since": since, "until": until, "decision": "refused"},
        {"purpose": "decision"},
        {"purpose": "test"},
    ]
    for one in wanted:
        rows = logged
        for name, value in one.items():
            if name == "purpose":
                rows = rows if value == "decision" else rows.clear()
            elif name in ("since", "until"):
                rows = rows.filter(pl.col("time") >= value if name == "since" else pl.col("time") < value)
            else:
                rows = rows.filter(pl.col(name) == value)
        for limit in (1, 7, 1_000):
            found = everything(index, Filter(**one), limit)
            assert sorted(row.event_id for row in found) == sorted(rows["event_id"].to_list()), one
            assert [row.time for row in found] == sorted((row.time for row in found), reverse=True)


def test_a_cursor_stays_where_it_is_while_more_is_decided_and_is_refused_by_another_index(log, index):
    fill(log, range(20))
    following = follower(log, index)
    following.step()
    first = page(index, Filter(), 8, NOW)
    fill(log, range(20, 30))
    following.step()
    second = page(index, Filter(), 8, NOW, first.after)
    assert [int(one.event_id, 16) for one in (*first.found, *second.found)] == list(range(19, 3, -1))
    for wrong in ("x", "0" * 16 + ".1.1"):
        with pytest.raises(CursorError, match="begin anew"):
            page(index, Filter(), 8, NOW, wrong)


def test_a_late_index_and_one_that_is_not_there_say_so(log, index):
    with pytest.raises(IndexFault, match="there is no index"):
        page(index, Filter(), 8, NOW)
    fill(log, range(3))
    follower(log, index).step()
    assert page(index, Filter(), 8, NOW).found
    with pytest.raises(LateError, match=r"behind the log since 20.*status"):
        by_event(index, event_id(1), datetime.now(UTC) + timedelta(minutes=1))


def test_a_password_is_never_said(tmp_path):
    url = place_of("postgresql://me:hush@127.0.0.1:1/db", tmp_path / "log")
    index = Index(url, "x")
    with pytest.raises(IndexFault) as caught, index.begin():
        pass
    assert "hush" not in str(caught.value) and "cannot be used" in str(caught.value)
    for wrong in ("mysql://me:hush@h/db", "postgresql://[:hush", "://hush"):
        with pytest.raises(IndexFault, match="give the path of a file") as caught:
            place_of(wrong, tmp_path / "log")
        assert "hush" not in str(caught.value)


COMMAND = (sys.executable, "-m", "scoring.decisions")


def options(log: InferenceLog, database: str, key_file: Path) -> list[str]:
    return ["--log", str(log.folder), "--key-file", str(key_file), "--index", database]


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_bytes(KEY)
    return file


KILLS = 12


@pytest.mark.heavy
def test_a_follower_that_is_killed_anywhere_leaves_each_decision_once(log, database, key_file):
    """Killed at random moments while the log grows; what the next one adds goes on where it was."""
    command = [*COMMAND, "follow", *options(log, database, key_file)]
    chance, number = random.Random(7), 0
    url = place_of(database, log.folder)
    for _ in range(KILLS):
        running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 0.6 + chance.random()
        while time.monotonic() < end:
            fill(log, range(number, number + 20))
            number += 20
            if number % 100 == 0:
                with log.table(f"{number:024x}", "r", "bank", NOON) as table:
                    table.add(*decided(50))
                    table.commit()
        running.send_signal(signal.SIGKILL)
        running.wait()
    done = subprocess.run(
        [*COMMAND, "follow", "--once", *options(log, database, key_file)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    index = Index(url, identity(KEY))
    is_as_the_log(log, index)
    with index.begin() as connection:
        assert connection.execute(select(schema.about.c.duplicates)).scalar_one() == 0
        (place,) = connection.execute(select(schema.files.c.seq)).all()
    (file,) = log.folder.glob("*.jsonl")
    assert place[0] == len(file.read_bytes().splitlines()) - 1  # the header is no record
    index.close()


def test_the_commands_follow_rebuild_and_say_how_it_stands(log, database, key_file):
    run, told = CliRunner(), options(log, database, key_file)
    missing = run.invoke(app, ["status", *told])
    assert missing.exit_code == 2 and "there is no index" in missing.stderr
    fill(log, range(12))
    assert "12 records followed" in run.invoke(app, ["follow", "--once", *told]).stdout
    stands = run.invoke(app, ["status", *told])
    assert stands.exit_code == 0 and "12 decisions, 0 reviewed, 0 with an outcome; 1 files" in stands.stdout
    again = run.invoke(app, ["rebuild", *told])
    assert again.exit_code == 0 and "12 records followed" in again.stdout
    (file,) = log.folder.glob("*.jsonl")
    os.truncate(file, 100)
    run.invoke(app, ["follow", "--once", *told])
    harmed = run.invoke(app, ["status", *told])
    assert harmed.exit_code == 1 and "followed no further" in harmed.stdout
    nowhere = run.invoke(app, ["rebuild", *told, "--log", str(log.folder / "none")])
    assert nowhere.exit_code == 2 and "there is no inference log" in nowhere.stderr
