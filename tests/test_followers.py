"""Two followers of one index, beside erasures and while it is made again: it says what the log says."""

import os
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from scoring.decisions import Follower, Index, IndexFault, by_event, page, place_of, schema
from scoring.decisions.__main__ import app
from scoring.decisions.lookup import Filter
from scoring.inference_log import audit_table, erased_events, identity, pseudonym, purge
from scoring.inference_log import erasure as erasures
from scoring.inference_log.erasing import erase
from scoring.serving.asgi import Asker
from scoring.serving.problem import Rejection
from scoring.serving.records import RecordedDecisions
from tests.support.logs import NOON, decided, entry, write

KEY = bytes(range(32))
NOW = datetime.now(UTC)


@pytest.fixture
def log(tmp_path):
    log = write(tmp_path / "log", KEY)
    yield log
    log.close()


@pytest.fixture
def two(database, log):
    """Return two followers of one index, each with its own connections."""
    indices = [Index(place_of(database, log.folder), identity(KEY)) for _ in range(2)]
    yield [Follower(index, log.folder, log.anchors, KEY) for index in indices]
    for index in indices:
        index.close()


def follow(follower: Follower) -> None:
    while follower.step():
        pass


def said(index: Index) -> list[tuple]:
    found = page(index, Filter(), 1_000, datetime.now(UTC)).found
    return sorted((one.event_id, one.model, one.decision, one.operator, one.applicant) for one in found)


def of_log(log) -> list[tuple]:
    table = audit_table(log.folder).select("event_id", "model", "decision", "operator", "applicant")
    return sorted(table.iter_rows())


def other(log, worker: str, records: int = 5):
    """Another worker's file, of another model and for other operators."""
    writer = write(log.folder, KEY, records=0, worker=worker).under(f"credit_scoring:{worker}", ())
    for number in range(records):
        more = {"operator": f"{worker}-{number % 2}", "decision": ("granted", "refused")[number % 2]}
        writer.record([entry(number, event_id=f"{worker}-{number}", features={"x": 1.0}, **more)], NOON)
    return writer


def test_a_file_that_is_begun_after_the_index_was_made_again_gets_the_new_numbers(log, two):
    one, another = two
    other(log, "z1").close()
    follow(one)
    another.index.remake()
    other(log, "a1").close()
    follow(one)
    assert said(one.index) == of_log(log)


@pytest.mark.parametrize("is_purged", [False, True])
def test_a_mark_meant_for_the_old_index_does_not_meet_another_file_of_the_new_one(
    log, two, monkeypatch, is_purged
):
    one, another = two
    other(log, "a1").close()
    follow(one)
    log.close()
    if is_purged:
        purge(log.folder, log.anchors, KEY, NOON.date().replace(day=NOON.day + 1), NOON)
        other(log, "b1").close()
    begun: list[int] = []
    step = "_purge" if is_purged else "_mark"
    whole = getattr(Follower, step)

    def late(self, *given):
        if self is one and not begun:  # between what it read and what it writes
            begun.append(1)
            another.index.remake()
            other(log, "b2").close()
            follow(another)
        return whole(self, *given)

    monkeypatch.setattr(Follower, step, late)
    for _ in range(3):
        follow(one)
    follow(another)
    assert begun and said(one.index) == of_log(log)


def test_what_one_read_before_an_erasure_does_not_come_back_when_the_other_has_followed_it(
    log, two, monkeypatch
):
    one, another = two
    follow(another)
    log.record([entry(3, event_id="before")], NOON)
    whole = Follower._commit
    done: list[Any] = []

    def late(self, file, batch):
        if self is one and not done and any(row["event"] == schema.packed("before") for row in batch.rows):
            done.append(erase(log.folder, log.anchors, KEY, 700_003, "asked for", lambda: NOON))
            (name,) = (path.name for path in log.folder.glob("*.erase-*"))
            monkeypatch.setattr(Follower, "_commit", whole)
            another._files = None
            another._load({name})
            another._one(name.removesuffix(".zst"))
        return whole(self, file, batch)

    monkeypatch.setattr(Follower, "_commit", late)
    follow(one)
    assert done and by_event(one.index, "before", datetime.now(UTC)) is None
    assert not page(one.index, Filter(applicant=pseudonym(KEY, 700_003)), 9, datetime.now(UTC)).found
    assert said(one.index) == of_log(log)


def test_who_is_decided_again_under_an_event_that_was_erased_is_found_again(log, two):
    follow(two[0])
    erase(log.folder, log.anchors, KEY, 700_003, "asked for", lambda: NOON)
    follow(two[0])
    log.record([entry(3, event_id="w1-21-3")], NOON)  # one Idempotency-Key, sent again later
    follow(two[0])
    assert by_event(two[0].index, "w1-21-3", datetime.now(UTC)) and said(two[0].index) == of_log(log)


@pytest.mark.parametrize("event", ["w1-21-3", "0123456789abcdef0123456700000003"])
def test_who_looks_before_the_index_has_followed_an_erasure_finds_nothing_and_names_nobody(log, two, event):
    with log.table("0123456789abcdef01234567", "r", "bank", NOON) as table:
        table.add(*decided(5))
        table.commit()
    follow(two[0])
    erase(log.folder, log.anchors, KEY, 700_003, "asked for", lambda: NOON)
    assert by_event(two[0].index, event, datetime.now(UTC))
    records = RecordedDecisions(two[0].index, log, log.folder, pytest.fail, lambda: datetime.now(UTC))
    with pytest.raises(Rejection) as rejected:
        records.one(event, Asker("key", "ann", "q"))
    assert rejected.value.status == 404
    assert pseudonym(KEY, 700_003).encode() not in (log.folder / "2026-11-21.w1.jsonl").read_bytes()
    looks = [path.read_bytes() for path in log.folder.glob("*.w1.jsonl")]
    assert event.encode() in b"".join(looks).rpartition(b'"kind":"look-up"')[2]


def test_an_erased_person_is_not_left_in_the_file_of_the_index(log, tmp_path):
    index = Index(place_of("", log.folder), identity(KEY))
    follower = Follower(index, log.folder, log.anchors, KEY)
    note = {"event_id": "w1-21-3", "verdict": "otherwise", "decision": "granted", "operator": "desk"}
    log.note("review", {**note, "reason": "He is my neighbour."}, NOON)
    follow(follower)
    who = schema.packed(pseudonym(KEY, 700_003))

    def raw() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("log-index.sqlite*"))

    assert who in raw() and b"neighbour" in raw()
    erase(log.folder, log.anchors, KEY, 700_003, "asked for", lambda: NOON)
    follow(follower)
    follower._beaten = 0.0
    follower.step()
    assert who not in raw() and b"neighbour" not in raw() and schema.packed(pseudonym(KEY, 700_004)) in raw()
    index.close()


def test_an_instance_that_was_retired_and_is_there_still_comes_back(log, two):
    one, another = two
    follow(one)
    log.close()
    follow(another)
    assert another.retire() == []
    one._beaten = 0.0
    one.step()
    assert page(one.index, Filter(), 9, datetime.now(UTC)).as_of


def test_a_name_that_no_instance_has_is_not_retired(log, tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o600)
    places = ["--log", str(log.folder), "--key-file", str(tmp_path / "key")]
    assert CliRunner().invoke(app, ["follow", "--once", *places, "--instance", "a"]).exit_code == 0
    done = CliRunner().invoke(app, ["retire", *places, "--instance", "typo"])
    assert done.exit_code == 2 and "knows no instance 'typo' to retire; it knows 'a'." in done.stderr


def test_many_erasures_are_read_once_and_not_for_each_line(log, two, monkeypatch):
    for number in range(12):
        erase(log.folder, log.anchors, KEY, 700_000 + number, "asked for", lambda: NOON)
    count, of = [], erasures.Erasure.of

    def counted(content, key):
        count.append(1)
        return of(content, key)

    monkeypatch.setattr(erasures.Erasure, "of", counted)
    follow(two[0])
    assert len(erased_events(log.folder, KEY)) == 12 and len(count) <= 24
    assert said(two[0].index) == []


def test_a_database_of_somebody_else_is_neither_filled_nor_emptied(tmp_path):
    place = tmp_path / "theirs.sqlite"
    with sqlite3.connect(place) as theirs:
        theirs.execute("CREATE TABLE decisions (what TEXT)")
        theirs.execute("INSERT INTO decisions VALUES ('theirs')")
    log = write(tmp_path / "log", KEY)
    log.close()
    index = Index(place_of(str(place), log.folder), identity(KEY))
    for work in (Follower(index, log.folder, log.anchors, KEY).step, index.remake):
        with pytest.raises(IndexFault, match="has a table 'decisions' that is none of an index"):
            work()
    index.close()
    with sqlite3.connect(place) as theirs:
        names = [name for (name,) in theirs.execute("SELECT name FROM sqlite_master")]
        assert names == ["decisions"] and theirs.execute("SELECT * FROM decisions").fetchall() == [
            ("theirs",)
        ]
    made = Index(place_of("", log.folder), identity(KEY))
    follow(Follower(made, log.folder, log.anchors, KEY))
    made.remake()  # an index of ours is
    with made.begin() as connection:
        assert connection.scalar(select(schema.about.c.next)) == 1
    made.close()


def test_an_index_is_for_those_alone_who_may_read_the_log(log):
    index = Index(place_of("", log.folder), identity(KEY))
    before = os.umask(0)
    try:
        follow(Follower(index, log.folder, log.anchors, KEY))
    finally:
        os.umask(before)
    index.close()
    place = Path(str(index.url.database))
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
