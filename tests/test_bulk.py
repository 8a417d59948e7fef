"""The bulk door: a table is decided, or refused, exactly as the same applications in JSON would be."""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from scoring import features
from scoring.decider import Asked, Decider
from scoring.features.checks import DECODER
from scoring.inference_log import anchors_folder, read, verify
from scoring.schema import Decision
from scoring.serving.large import ANSWER, Large
from scoring.serving.problem import Rejection
from scoring.serving.reading import OUTLINER, parse
from scoring.serving.turns import Turns
from tests.support import small
from tests.support.sent import ROWS, TAG, as_json, decisions, flat, job, logged, odd


@pytest.fixture(scope="module")
def scorer():
    return small.scorer()[0]


@pytest.fixture(scope="module")
def bulk(scorer):
    return Large(Decider(scorer, TAG), ROWS)


def test_a_table_is_decided_like_its_applications_bit_for_bit(scorer, bulk):
    requests = odd(small.applications(500, seed=11))
    decided = Decider(scorer, TAG).decide(
        Asked("r", parse(json.dumps({"applications": requests}).encode(), 500, DECODER))
    )
    alone = [Decision.model_validate(decision) for decision in decided]
    table = decisions(bulk.answer(job(flat(requests))))
    for name in ("SK_ID_CURR", "probability_of_default", "score", "threshold", "decision", "model"):
        assert table[name].to_list() == [getattr(decision, name) for decision in alone], name
    listed = [[(w.feature, w.problem) for w in decision.warnings] for decision in alone]
    marked = [[(w["feature"], w["problem"]) for w in row or []] for row in table["warnings"].to_list()]
    assert [sorted(row) for row in marked] == [sorted(row) for row in listed]
    assert any(marked) and table["event_id"].n_unique() == 500


def test_a_client_that_accepts_json_gets_what_the_json_door_gives(scorer, bulk):
    requests = odd(small.applications(80, seed=5))
    answer = bulk.answer(job(flat(requests), is_json=True))
    decided = Decider(scorer, TAG).decide(
        Asked("r", parse(json.dumps({"applications": requests}).encode(), 80, DECODER))
    )
    alone = [Decision.model_validate(decision) for decision in decided]
    found = [Decision.model_validate(row) for row in json.loads(answer)]
    assert [list(row) for row in json.loads(answer)] == [list(Decision.model_fields)] * 80
    for one, other in zip(found, alone, strict=True):
        assert one.model_dump(exclude={"event_id", "warnings"}) == other.model_dump(
            exclude={"event_id", "warnings"}
        )
        key = lambda w: w.feature  # noqa: E731
        assert sorted(one.warnings, key=key) == sorted(other.warnings, key=key)


def test_slices_batches_and_types_of_the_stream_change_nothing(bulk):
    table = flat(odd(small.applications(120, seed=2))).to_arrow()
    words = [
        name
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ]
    as_dictionary = pa.table(
        {
            name: table[name].cast(pa.string()).dictionary_encode() if name in words else table[name]
            for name in table.column_names
        }
    )
    in_parts = pa.Table.from_batches(as_dictionary.to_batches(max_chunksize=7))
    wide = table.cast(
        pa.schema([(f.name, pa.float64() if pa.types.is_int32(f.type) else f.type) for f in table.schema])
    )
    backwards = table.select(table.column_names[::-1])
    expected = decisions(bulk.answer(job(table))).drop("event_id")
    for other in (as_dictionary, in_parts, wide, backwards):
        assert decisions(bulk.answer(job(other))).drop("event_id").equals(expected)


def test_a_key_sent_again_gives_the_same_decisions_and_one_record_each(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    table, other = flat(small.applications(30)), flat(small.applications(30, seed=4))
    first, again = (decisions(bulk.answer(job(table, key="job-1:0"))) for _ in range(2))
    assert again.equals(first)
    changed = decisions(bulk.answer(job(other, key="job-1:0")))
    keyless = decisions(bulk.answer(job(table)))
    assert not set(first["event_id"]) & (set(changed["event_id"]) | set(keyless["event_id"]))
    log.close()
    found = read(tmp_path / "log")
    assert found.table.height == 90 and found.duplicates == 0
    mine = found.table.filter(pl.col("event_id").is_in(first["event_id"].to_list()))
    assert mine.height == 30 and set(mine["request_id"]) == {"r"}


def test_a_table_whose_record_fails_is_recorded_whole_when_it_comes_again(tmp_path, scorer, monkeypatch):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    table = flat(small.applications(50))

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    refused = bulk.answer(job(table, key="k"))
    assert isinstance(refused, Rejection) and refused.status == 503
    assert read(tmp_path / "log").table.is_empty()
    monkeypatch.undo()
    first = decisions(bulk.answer(job(table, key="k")))
    log.close()
    found = read(tmp_path / "log")
    assert found.table.height == 50 and found.duplicates == 0
    assert set(found.table["event_id"]) == set(first["event_id"])


def in_threads(*work: Callable[[], Any]) -> list[Any]:
    """Do several things at the same time; return what each gives."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one) for one in work]]


def test_a_small_table_does_not_wait_for_a_large_one_to_end(scorer):
    bulk, ends = Large(Decider(scorer, TAG), ROWS), []
    is_begun = threading.Event()

    def ask(name: str, rows: int) -> bytes | Rejection:
        answer = bulk.answer(job(pl.DataFrame({"SK_ID_CURR": range(rows)})))
        ends.append(name)
        return answer

    def small_one() -> bytes | Rejection:
        is_begun.wait()
        return ask("small", 10)

    def large_one() -> bytes | Rejection:
        is_begun.set()
        return ask("large", 40_000)

    answers = in_threads(large_one, small_one)
    assert ends == ["small", "large"]
    assert [decisions(answer)["SK_ID_CURR"].to_list() for answer in answers] == [
        list(range(40_000)),
        list(range(10)),
    ]


def test_tables_that_are_decided_in_turns_are_recorded_each_under_its_own_request(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    tables = [pl.DataFrame({"SK_ID_CURR": range(first, first + 5_000)}) for first in (0, 100_000, 200_000)]
    answers = in_threads(
        *(partial(bulk.answer, job(table, request_id=f"r{i}")) for i, table in enumerate(tables))
    )
    log.close()
    found = read(tmp_path / "log").table
    assert not verify(tmp_path / "log", anchors_folder(tmp_path / "log"), b"k" * 32).faults
    for i, (answer, table) in enumerate(zip(answers, tables, strict=True)):
        decided = decisions(answer)
        assert decided["SK_ID_CURR"].equals(table["SK_ID_CURR"])
        mine = found.filter(pl.col("request_id") == f"r{i}").sort("event_id")
        assert mine["event_id"].equals(decided["event_id"].sort())
        assert mine["probability_of_default"].equals(decided.sort("event_id")["probability_of_default"])


def test_a_key_sent_twice_at_the_same_time_is_recorded_once(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    bulk = Large(Decider(scorer, TAG, log), ROWS)
    table = pl.DataFrame({"SK_ID_CURR": range(8_000)})
    answers = in_threads(*[lambda: decisions(bulk.answer(job(table, key="k")))] * 3)
    log.close()
    assert answers[0].equals(answers[1]) and answers[0].equals(answers[2])
    found = read(tmp_path / "log")
    assert found.table.height == 8_000 and found.duplicates == 0


def test_a_table_that_nobody_waits_for_is_left_after_the_slice_in_work(tmp_path, scorer):
    log, asked = logged(tmp_path / "log", scorer), job(pl.DataFrame({"SK_ID_CURR": range(50_000)}))

    class Leaves(Turns):
        turns = 0

        def pause(self) -> None:
            self.turns += 1
            asked.is_abandoned = self.turns == 6  # reading, checking twice, and three slices

    leaves = Leaves()
    refused = Large(Decider(scorer, TAG, log), ROWS, turns=leaves).answer(asked)
    log.close()
    assert isinstance(refused, Rejection) and refused.status == 504 and leaves.turns == 6
    assert not list((tmp_path / "log").glob("*.arrow*")) and read(tmp_path / "log").table.is_empty()


@pytest.mark.skipif(OUTLINER is None, reason="bodies above 1 MiB need the engine: python -m scoring.engine")
def test_many_rows_of_json_are_decided_like_a_few_and_in_their_order(tmp_path, scorer):
    requests = odd(small.applications(2_300, seed=6))
    flat_ones = json.loads(json.dumps(requests[:50]))
    for request, row in zip(flat_ones, flat(requests[:50]).iter_rows(named=True), strict=True):
        request.pop("history", None)
        request["history_features"] = {n: row[n] for n in features.HISTORY_FEATURES if row[n] is not None}
    requests += flat_ones
    log = logged(tmp_path / "log", scorer)
    answer = json.loads(Large(Decider(scorer, TAG, log), ROWS).answer(as_json(requests)))
    log.close()
    alone = Decider(scorer, TAG).decide(
        Asked("r", parse(json.dumps({"applications": requests}).encode(), 5_000, DECODER))
    )
    for one, other in zip(answer, alone, strict=True):
        told = json.loads(json.dumps(other))
        assert {**one, "event_id": "", "warnings": []} == {**told, "event_id": "", "warnings": []}
        key = lambda warning: warning["feature"]  # noqa: E731
        assert sorted(one["warnings"], key=key) == sorted(told["warnings"], key=key)
    assert read(tmp_path / "log").table["event_id"].to_list() == sorted(row["event_id"] for row in answer)


def test_many_rows_of_json_with_a_fault_are_refused_in_the_words_of_a_few(bulk):
    requests = [*small.applications(60), {"SK_ID_CURR": 1, "AMT_CREDIT": "much"}]
    refused = bulk.answer(as_json(requests))
    assert isinstance(refused, Rejection) and refused.status == 422
    assert [(e.row, e.field, e.code) for e in refused.errors] == [(60, "AMT_CREDIT", "not_a_number")]
    too_many = bulk.answer(as_json(requests, rows=60))
    assert isinstance(too_many, Rejection) and "More than 60 applications" in str(too_many)


def test_the_log_holds_what_the_decision_was_made_of(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    requests = small.applications(40, seed=8)
    answer = decisions(Large(Decider(scorer, TAG, log), ROWS).answer(job(flat(requests))))
    log.close()
    inputs = features.build(small.portfolio(requests))
    found = answer.select("event_id").join(read(tmp_path / "log").table, on="event_id", maintain_order="left")
    for name in scorer.feature_names:
        assert found[name].equals(inputs[name]), name


def test_without_a_log_no_table_is_decided(tmp_path, scorer):
    log = logged(tmp_path / "log", scorer)
    (tmp_path / "log").chmod(0o500)
    (tmp_path / "log").rename(tmp_path / "away")
    refused = Large(Decider(scorer, TAG, log), ROWS).answer(job(flat(small.applications(3))))
    assert isinstance(refused, Rejection) and refused.status == 503 and refused.retry_after_s


def test_the_answer_has_the_columns_that_are_promised(bulk):
    answer = bulk.answer(job(flat(small.applications(3))))
    assert pa.ipc.open_stream(answer).schema == ANSWER


def test_one_clients_key_is_not_anothers(bulk):
    table = pl.DataFrame({"SK_ID_CURR": [7]})
    asked = [("alice", "1"), ("bob", "1"), ("alice", "1"), (None, "1")]
    events = [
        decisions(bulk.answer(job(table, key=key, operator=operator)))["event_id"][0]
        for operator, key in asked
    ]
    assert events[0] == events[2] and len(set(events)) == 3
