"""Outcomes: months late, corrected later, all kept; what fits no decision is named by its line."""

import random
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from scoring import outcomes
from scoring.decisions import (
    Filter,
    Follower,
    Index,
    Outcome,
    by_event,
    decided,
    load,
    page,
    place_of,
    schema,
)
from scoring.decisions import follower as following
from scoring.decisions.schema import packed
from scoring.inference_log import Entry, InferenceLog, LogError, Note, identity, verify
from scoring.inference_log.anchor import read_anchor
from scoring.inference_log.following import Checkpoint, files, follow
from scoring.outcomes import app
from tests.support.logs import decided as rows
from tests.support.workbook import workbook

KEY = bytes(range(32))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)


def event_id(number: int) -> str:
    return f"{number:032x}"


def entry(number: int, client: int) -> Entry:
    said = {"decision": "refused" if number % 4 == 0 else "granted", "features": {"x": number / 7}}
    return Entry(event_id(number), client, f"r{number}", probability_of_default=0.1, threshold=0.5, **said)


@pytest.fixture
def log(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", KEY, "m:1")
    for number in range(8):
        log.record([entry(number, 100 + number)], NOON + timedelta(days=number))
    yield log
    log.close()


@pytest.fixture
def index(database, log):
    index = Index(place_of(database, log.folder), identity(KEY))
    yield index
    index.close()


def followed(log: InferenceLog, index: Index) -> None:
    follower = Follower(index, log.folder, log.anchors, KEY, lambda: NOW.timestamp())
    while follower.step():
        pass


def loaded(log: InferenceLog, index: Index, *outcomes: Outcome, now: datetime = NOW):
    def note(abouts, moment):
        log.notes("outcome", abouts, moment)
        followed(log, index)

    followed(log, index)
    return load(index, note, outcomes, "ann", lambda: now)


def of(number: int, defaulted: bool, day: date = MAY, place: int = 1) -> Outcome:
    return Outcome(place, defaulted, day, event_id(number))


def of_client(log: InferenceLog, client: int, day: date, place: int = 1) -> Outcome:
    return Outcome(place, True, MAY, None, log.pseudonym(client), day)


def decides_nothing(index: Index, number: int) -> None:
    """Give a decision another purpose."""
    row = {
        "model": "m:1",
        "purpose": "preview",
        "decision": "granted",
        "review": "none",
        "outcome": "unknown",
    }
    with index.begin(is_writing=True) as connection:
        kind = connection.execute(
            schema.kinds.insert().values(**row).returning(schema.kinds.c.id)
        ).scalar_one()
        where = schema.decisions.c.event == packed(event_id(number))
        connection.execute(schema.decisions.update().where(where).values(kind=kind))


def outcome(index: Index, number: int) -> str:
    found = by_event(index, event_id(number), NOW)
    assert found is not None
    return found.outcome


def kept(log: InferenceLog) -> list[Note]:
    lines = [
        line.content
        for name in files(log.folder)
        for line in follow(
            log.folder, name, read_anchor(log.anchors / f"{name}.head", KEY), Checkpoint.start(name), 0
        )
    ]
    return [one for one in lines if isinstance(one, Note) and one.kind == "outcome"]


def test_an_outcome_is_found_with_its_decision_and_by_the_filter(log, index):
    done = loaded(log, index, of(1, True), of(2, False))
    assert (done.recorded, done.corrected, done.repeated, done.left_out) == (2, 0, 0, ())
    assert [outcome(index, number) for number in (1, 2, 3)] == ["defaulted", "repaid", "unknown"]
    for name, numbers in (("defaulted", [1]), ("repaid", [2]), ("unknown", [7, 6, 5, 4, 3, 0])):
        found = page(index, Filter(outcome=name), 50, NOW).found
        assert [int(one.event_id, 16) for one in found] == numbers
    assert by_event(index, event_id(1), NOW).outcomes[0]["observed_on"] == MAY
    assert kept(log)[0].about["operator"] == "ann"


def test_the_same_again_changes_nothing_and_a_correction_counts_and_keeps_the_first(log, index):
    loaded(log, index, of(1, False), of(2, False))
    again = loaded(log, index, of(1, False), of(2, False), of(2, False))
    assert (again.recorded, again.repeated) == (0, 3) and len(kept(log)) == 2
    corrected = loaded(log, index, of(1, True), of(2, True, JUNE))
    assert (corrected.recorded, corrected.corrected) == (2, 2)
    assert outcome(index, 1) == outcome(index, 2) == "defaulted"
    assert [one["defaulted"] for one in by_event(index, event_id(2), NOW).outcomes] == [True, False]
    late = loaded(log, index, of(2, False))
    assert late.repeated == 1 and outcome(index, 2) == "defaulted", "an old file that comes late"
    assert len(kept(log)) == 4


def test_an_outcome_finds_the_decision_on_a_client_on_a_day(log, index):
    log.record([entry(50, 103)], NOON + timedelta(days=3, hours=1))
    log.record([entry(51, 104)], NOON + timedelta(days=4, hours=1))
    followed(log, index)
    decides_nothing(index, 50)
    day = NOON.date()
    done = loaded(
        log,
        index,
        of_client(log, 103, day + timedelta(days=3), 1),
        of_client(log, 104, day + timedelta(days=4), 2),
        of_client(log, 105, day, 3),
        of_client(log, 999, day, 4),
        of(999, True, place=5),
        of(50, True, place=6),
        of(5, True, date(2026, 3, 6), 7),
        of(5, True, NOW.date() + timedelta(days=1), 8),
        Outcome(9, True, MAY),
    )
    assert done.recorded == 1 and outcome(index, 3) == "defaulted"
    assert [(one.place, one.fault.code) for one in done.left_out] == [
        (2, "several_decisions"),
        (3, "unknown_client_day"),
        (4, "unknown_client_day"),
        (5, "unknown_event"),
        (6, "decides_nothing"),
        (7, "before_decision"),
        (8, "in_the_future"),
        (9, "which_decision"),
    ]


def test_two_outcomes_that_differ_are_both_left_out(log, index):
    done = loaded(log, index, of(1, True, place=1), of(1, False, place=2), of(2, True, place=3))
    assert [(one.place, one.fault.code) for one in done.left_out] == [
        (1, "other_outcome"),
        (2, "other_outcome"),
    ]
    assert done.recorded == 1 and outcome(index, 1) == "unknown"


def test_an_index_that_is_made_again_has_the_same_outcomes_in_whatever_order_the_files_come(log, index):
    with log.table("0123456789abcdef01234567", "r", "bank", NOON) as table:
        table.add(*rows(9))
        table.commit()
    first = InferenceLog(log.folder, "a0", KEY, "")  # its file is followed before that of the decisions
    loaded(first, index, of(1, False), of(2, True))
    loaded(log, index, of(1, True), now=NOW + timedelta(seconds=1))
    followed(log, index)
    row = page(index, Filter(), 50, NOW).found[-1].event_id
    loaded(first, index, Outcome(1, True, MAY, row), now=NOW + timedelta(seconds=1))
    before = decided(index, NOW)
    index.remake()
    followed(log, index)
    assert decided(index, NOW).equals(before)
    assert before.filter(pl.col("outcome") == "defaulted").height == 3
    first.close()
    log.close()
    assert verify(log.folder, log.anchors, KEY).faults == []


def test_decisions_come_with_their_outcomes_as_a_frame(log, index):
    log.record([entry(50, 103)], NOON)
    followed(log, index)
    decides_nothing(index, 50)
    loaded(log, index, of(1, True), of(2, False, JUNE))
    frame = decided(index, NOW)
    assert frame["event_id"].to_list() == [event_id(number) for number in range(8)]
    assert frame["outcome"].to_list()[:4] == ["unknown", "defaulted", "repaid", "unknown"]
    assert frame["observed_on"].to_list()[1:3] == [MAY, JUNE]
    part = decided(index, NOW, NOON + timedelta(days=2), NOON + timedelta(days=4))
    assert part.equals(frame[2:4])


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_loaded_in_whatever_order_the_latest_day_counts_and_the_last_of_a_day(log, index, seed):
    chance = random.Random(seed)
    expected: dict[int, dict[date, bool]] = {}
    for turn in range(12):
        some = {
            (chance.randrange(8), chance.choice([MAY, JUNE])): chance.random() < 0.5
            for _ in range(chance.randrange(1, 6))
        }
        loaded(
            log,
            index,
            *(of(n, is_so, day) for (n, day), is_so in some.items()),
            now=NOW - 20 * HOUR + turn * HOUR,
        )
        for (number, day), is_so in some.items():
            expected.setdefault(number, {})[day] = is_so
    said = {n: "defaulted" if days[max(days)] else "repaid" for n, days in expected.items()}
    for _ in range(2):
        assert {n: outcome(index, n) for n in range(8)} == {n: said.get(n, "unknown") for n in range(8)}
        index.remake()
        followed(log, index)


def test_who_is_stopped_in_the_midst_loads_the_same_again(log, index, monkeypatch):
    monkeypatch.setattr("scoring.decisions.outcome.TOGETHER", 2)
    followed(log, index)
    written: list[int] = []

    def note(abouts, moment):
        if written:
            raise LogError("the disk is full")
        written.append(len(abouts))
        log.notes("outcome", abouts, moment)
        followed(log, index)

    given = [of(number, True) for number in range(7)]
    with pytest.raises(LogError):
        load(index, note, given, None, lambda: NOW)
    done = loaded(log, index, *given)
    assert (done.recorded, done.repeated) == (5, 2) and len(kept(log)) == 7


# --- the command ---


@pytest.fixture
def options(log, database, tmp_path):
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(KEY)
    return ["--log", str(log.folder), "--key-file", str(key), "--index", database]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    return result.exit_code, result.output


FRAME = pl.DataFrame(
    {
        "event_id": [event_id(1), event_id(2), event_id(77)],
        "defaulted": [1, 0, 1],
        "observed_on": [MAY, JUNE, MAY],
    }
)


@pytest.mark.parametrize("name", ["o.csv", "o.parquet", "o.xlsx"])
def test_a_file_is_loaded_once_whatever_its_form(log, options, tmp_path, name):
    file = tmp_path / name
    by_hand = FRAME.with_columns(pl.col("observed_on").cast(pl.String))
    writers = {"o.csv": FRAME.write_csv, "o.parquet": FRAME.write_parquet}
    writers.get(name, lambda path: workbook(by_hand, path))(file)
    code, said = run("load", file, *options, "--operator", "ann")
    assert (
        code == 1 and "2 outcomes recorded, 0 of them corrections; 0 were there already; 1 left out" in said
    )
    assert "1 left out, event_id: no decision of this event is recorded" in said
    assert ("row 3" if name == "o.parquet" else "line 4") in said and event_id(77) not in said
    code, said = run("load", file, *options)
    assert "0 outcomes recorded" in said and "2 were there already" in said and "Nothing was changed" in said
    assert len(kept(log)) == 2
    code, said = run("export", tmp_path / "d.parquet", *options)
    assert code == 0 and "8 decisions, 2 with an outcome" in said
    assert pl.read_parquet(tmp_path / "d.parquet")["outcome"].to_list()[1:3] == ["defaulted", "repaid"]
    assert run("export", tmp_path / "d.parquet", *options)[0] == 2
    code, said = run("export", tmp_path / "i.csv", *options, "--inputs")
    assert code == 0 and "known of 2 of 6 granted and of 0 of 2 refused. Who was refused was expected" in said
    assert pl.read_csv(tmp_path / "i.csv")["x"].to_list() == [number / 7 for number in range(8)]


def test_each_line_that_cannot_be_used_is_named_and_the_others_are_loaded(options, tmp_path):
    file = tmp_path / "o.csv"
    file.write_text(
        "SK_ID_CURR;decided_on;defaulted;observed_on\n"
        "101;2026-03-03;1;2026-05-31\n"
        "102;2026-03-04;2;2026-05-31\n"
        "x02;2026-03-04;0;2026-05-31\n"
        "103;03/05/2026;0;2026-05-31\n"
        "104;2026-03-06;;2026-05-31\n"
        "105;2026-03-07;0;\n"
        "106;;0;2026-05-31\n"
        "107;2026-03-09;0;2026-05-31 00:00:00\n"
    )
    code, said = run("load", file, *options)
    assert code == 1 and "2 outcomes recorded" in said and "6 left out" in said
    for words in (
        "defaulted: must be one of 0, 1: line 3",
        "SK_ID_CURR: must be an identifier: a whole number of 64 bits, not below 0: line 4",
        "decided_on: must be a day, as 2026-11-21: line 5",
        "defaulted: this field is required: line 6",
        "observed_on: this field is required: line 7",
        "by one of the two: line 8",
    ):
        assert words in said
    assert "x02" not in said


def test_a_file_that_has_not_the_columns_or_no_log_is_told(log, options, tmp_path):
    file = tmp_path / "o.csv"
    file.write_text("event_id,defaulted\na,1\n")
    code, said = run("load", file, *options)
    assert code == 2 and "observed_on" in said and not kept(log)
    file.write_text("a,defaulted,observed_on\na,1,2026-05-31\n")
    assert run("load", file, *options)[0] == 2
    code, said = run("load", file, "--log", tmp_path / "none", *options[2:])
    assert code == 2 and "there is no inference log" in said and not (tmp_path / "none").exists()


def test_a_file_that_takes_its_time_finds_the_index_up_to_the_log(index, options, tmp_path, monkeypatch):
    whole = outcomes.read

    def slow(*given):
        with index.begin(is_writing=True) as connection:  # as if the index had been followed long ago
            connection.execute(schema.instances.update().values(followed=0))
        return whole(*given)

    monkeypatch.setattr(outcomes, "read", slow)
    monkeypatch.setattr(following, "BEAT_S", 0.0)
    FRAME.write_csv(tmp_path / "o.csv")
    code, said = run("load", tmp_path / "o.csv", *options)
    assert code == 1 and "2 outcomes recorded" in said, said
