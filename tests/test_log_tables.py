"""Many decisions in one step keep every promise of the log: all or none, on the disk, chained, read alike."""

import errno
import io
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from scoring.inference_log import (
    Entry,
    InferenceLog,
    LogError,
    anchors_folder,
    audit_table,
    event_ids,
    find,
    inputs_hash,
    purge,
    read,
    verify,
)
from scoring.inference_log.compressed import pack_bytes, unpack_bytes
from scoring.inference_log.packing import pack
from scoring.inference_log.table import TableEntry, erased, table_files
from tests.support.logs import decided

KEY = bytes(range(32))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TABLE = {"file": "2026-11-21.t0.arrow.zst", "sha256": "0", "rows": 1, "events": "e", "start": 0}
LINE = {
    "schema_version": 3,
    "time": "2026-11-21T09:30:00.000000Z",
    "model": "m",
    "audit": {"request_id": "r", "operator": None},
    "table": TABLE,
}
ID_PREFIX = "0123456789abcdef01234567"
ROWS = 9


def fill(log: InferenceLog, id_prefix: str = ID_PREFIX, now: datetime = NOON) -> None:
    with log.table(id_prefix, "r", "bank", now) as table:
        table.add(*decided(5))
        table.add(*decided(ROWS - 5, first=5))
        table.commit()


@pytest.fixture
def log(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", KEY, "credit_scoring:abc", categories=("income_type",))
    yield log
    log.close()


def entries() -> list[Entry]:
    """Say the same as `fill`, one record each."""
    said = []
    for stem_row, part in ((0, decided(5)), (5, decided(ROWS - 5, first=5))):
        for i, (client, verdict, inputs) in enumerate(
            zip(part[0], part[1].iter_rows(named=True), part[2].iter_rows(named=True), strict=True)
        ):
            event = event_ids(ID_PREFIX, stem_row + i, 1)[0]
            said.append(Entry(event, client, "r", **verdict, features=inputs, operator="bank"))
    return said


def state(folder: Path):
    return verify(folder, anchors_folder(folder), KEY)


def test_readers_see_no_difference_between_tables_and_records(tmp_path, log):
    fill(log)
    other = InferenceLog(tmp_path / "other", "w1", KEY, "credit_scoring:abc", categories=("income_type",))
    other.record(entries(), NOON)
    other.close()
    assert read(log.folder).table.equals(read(other.folder).table)
    assert audit_table(log.folder).equals(audit_table(other.folder))
    for entry in entries():
        alone = find(other.folder, entry.event_id)
        place = {name: alone.pop(name) for name in ("seq", "prev", "hash")}
        assert place and find(log.folder, entry.event_id) == alone
    record = find(log.folder, f"{ID_PREFIX}00000003")
    assert inputs_hash(record["inputs"]) == record["audit"]["inputs_sha256"]
    assert find(log.folder, f"{ID_PREFIX}{ROWS:08x}") is None and find(log.folder, ID_PREFIX) is None


def test_tables_and_records_stand_in_one_chain(log):
    log.record([Entry("e1", 1, "r", 0.1, 0.09, "refused", {"ext_mean": 1.0})], NOON)
    fill(log)
    log.record([Entry("e2", 1, "r", 0.1, 0.09, "refused", {"ext_mean": 1.0})], NOON)
    assert read(log.folder).table.height == ROWS + 2
    log.close()
    verdict = state(log.folder)
    assert (verdict.files, verdict.records, verdict.faults, verdict.notes) == (1, ROWS + 2, [], [])


def test_a_request_that_is_not_committed_leaves_no_trace(log):
    with pytest.raises(RuntimeError), log.table(ID_PREFIX, "r", None, NOON) as table:
        table.add(*decided(5))
        raise RuntimeError
    assert list(log.folder.iterdir()) == []


@pytest.mark.parametrize("place", ["write", "fsync"])
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_when_a_write_fails_nothing_counts_and_the_log_heals(log, monkeypatch, place, turn):
    whole, calls = getattr(os, place), []

    def fails(*given):
        calls.append(1)
        if len(calls) == turn:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*given)

    monkeypatch.setattr(os, place, fails)
    with pytest.raises(LogError, match="No space"):
        fill(log)
    monkeypatch.undo()
    assert list(log.folder.glob("*.arrow*")) == [] and read(log.folder).table.height == 0
    assert log.is_healthy()
    fill(log)
    assert read(log.folder).table.height == ROWS
    log.close()
    assert state(log.folder).faults == []


def test_a_number_that_is_not_finite_is_not_written(log):
    clients, verdict, inputs = decided(5)
    bad = inputs.with_columns(ext_mean=pl.lit(float("inf")))
    with pytest.raises(ValueError, match="ext_mean"), log.table(ID_PREFIX, "r", None, NOON) as table:
        table.add(clients, verdict, bad)
    assert list(log.folder.iterdir()) == []


@pytest.mark.parametrize("is_packed", [False, True])
def test_each_changed_or_lost_table_is_found_and_set_aside(log, is_packed):
    fill(log)
    log.close()
    if is_packed:
        assert pack(*log.folder.glob("*.jsonl"))
    (first, second) = table_files(log.folder)
    whole, before, whys = first.read_bytes(), read(log.folder).table, set[str]()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        first.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if faults := state(log.folder).faults:
            assert [fault.line for fault in faults] == [1]
            assert read(log.folder).table.equals(before.tail(ROWS - 5))
        else:  # some bits of a frame say nothing
            assert is_packed and read(log.folder).table.equals(before)
        whys |= {fault.why for fault in faults}
    assert len(whys) == 1 + is_packed and any("changed" in why for why in whys)
    first.write_bytes(whole[: len(whole) // 2])
    found = read(log.folder)
    assert found.table.height == ROWS - 5 and first.name[:20] in found.quarantined[0].why
    assert find(log.folder, f"{ID_PREFIX}00000000") is None
    first.write_bytes(whole)
    second.unlink()
    (fault,) = state(log.folder).faults
    assert fault.line == 2 and "gone" in fault.why


def test_a_table_without_a_record_is_noted_and_does_not_count(log):
    fill(log)
    log.close()
    (log.folder / "2026-11-21.w1.t9.arrow.zst").write_bytes(b"left by a crash")
    verdict = state(log.folder)
    assert verdict.faults == [] and "t9.arrow" in verdict.notes[0]
    assert read(log.folder).table.height == ROWS


def test_a_table_of_another_name_is_no_way_out_of_the_folder(log):
    fill(log)
    log.close()
    (file,) = log.folder.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"2026-11-21.w1.t0.arrow", b"../anchors/2026-11-21.t0.arrow"))
    assert [q.why for q in read(log.folder).quarantined] == ["the record was changed"]
    with pytest.raises(ValueError, match="no name of a table"):
        TableEntry.of({**LINE, "table": {**TABLE, "file": "../anchors/2026-11-21.t0.arrow.zst"}})
    assert TableEntry.of(LINE).file == TABLE["file"]


def test_what_is_too_old_goes_with_its_tables_and_the_log_still_verifies(log):
    fill(log)
    fill(log, id_prefix=ID_PREFIX[::-1], now=NOON + timedelta(days=9))
    log.close()
    (log.folder / "2026-11-20.w0.t0.arrow.zst").write_bytes(b"left by a crash")
    purge(log.folder, anchors_folder(log.folder), KEY, NOON.date() + timedelta(days=5), NOON)
    assert {path.name[:10] for path in log.folder.iterdir()} == {"2026-11-30"}
    verdict = state(log.folder)
    assert (verdict.records, verdict.purged, verdict.faults, verdict.notes) == (ROWS, 1, [], [])


def test_no_client_number_is_written(log):
    fill(log)
    log.close()
    assert all(b"70000" not in path.read_bytes() for path in log.folder.iterdir())


def test_of_rows_that_were_erased_not_a_byte_is_left_in_the_file():
    """Arrow masks what is null, and keeps what was there behind the mask."""
    rows, gone = 50, [0, 7, 8, 49]
    names = ("applicant", "OCCUPATION_TYPE", "short")
    words = {
        name: [f"{name}{row:03d}" + "-of-one-person" * (name != "short") for row in range(rows)]
        for name in names
    }
    numbers = {name: [row + 0.123456789 * size for row in range(rows)] for name, size in (("a", 1), ("b", 9))}
    kept = {"probability_of_default": numbers["b"], "threshold": [0.1] * rows, "decision": ["refused"] * rows}
    whole = [3**39 - 7919 * row for row in range(rows)]
    table = pl.DataFrame({**words, **kept, "a": numbers["a"], "n": whole, "flag": [True] * rows})
    sink = io.BytesIO()
    table.write_ipc(sink)
    file = erased("x.arrow.zst", pack_bytes(sink.getbuffer()), gone)
    left = unpack_bytes(io.BytesIO(file), 2**20)
    for row in range(rows):
        secrets = [words[name][row].encode() for name in names]
        secrets += [struct.pack("<d", numbers[name][row]) for name in numbers]
        secrets.append(struct.pack("<q", whole[row]))
        assert [secret in left for secret in secrets] == [row not in gone] * len(secrets)
    assert pl.read_ipc(left).equals(
        table.with_columns(
            pl.when(~pl.int_range(rows).is_in(gone)).then(pl.all().exclude("threshold", "decision"))
        )
    )


def test_another_models_tables_lie_in_the_same_chain(log):
    fill(log)
    other = log.under("credit_scoring:new", ("income_type",))
    fill(other, id_prefix=ID_PREFIX[::-1])
    fill(log, id_prefix="f" * 24)
    assert read(log.folder).table["model"].value_counts().height == 2
    log.close()
    verdict = state(log.folder)
    assert (verdict.files, verdict.records, verdict.faults, verdict.notes) == (1, 3 * ROWS, [], [])
