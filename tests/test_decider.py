"""The decider answers each request on its own account, however requests are merged."""

import asyncio
import gc
import json
import logging
import weakref
from datetime import UTC, datetime
from pathlib import Path

import pytest
from polars.exceptions import PanicException

from scoring import features
from scoring.decider import Decider
from scoring.inference_log import InferenceLog, read
from scoring.proof import check
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer, ScorerError, read_examples
from scoring.serving.batches import GIVE_WAY_MS, Batches
from scoring.serving.job import Job
from scoring.serving.large import Large
from scoring.serving.problem import Rejection
from scoring.serving.questions import Questions
from scoring.serving.turns import Rest, Turns
from tests.support import small
from tests.support.overheard import overheard

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return small.save(tmp_path_factory.mktemp("scorer") / "scorer")


@pytest.fixture
def batches(folder, tmp_path):
    scorer = Scorer.load(folder)
    log = InferenceLog(tmp_path / "log", "w1", bytes(32), "m", categories=scorer.categories)
    yield Batches(Decider(scorer, "m", log, clock=lambda: NOON))
    log.close()


def jobs(sizes: list[int]) -> list[Job]:
    requests = iter(ApplicationRequest.model_validate(r) for r in small.applications(sum(sizes), seed=3))
    return [Job(f"r{i}", [next(requests) for _ in range(size)]) for i, size in enumerate(sizes)]


def test_merged_requests_get_their_own_answers(batches):
    merged = jobs([2, 1, 3])
    answers = [json.loads(answer) for answer in batches.answer(merged)]
    assert [[d["SK_ID_CURR"] for d in answer] for answer in answers] == [[1, 2], [3], [4, 5, 6]]
    logged = {row["event_id"]: row["request_id"] for row in read(batches.decider.log.folder).table.to_dicts()}
    for i, answer in enumerate(answers):
        assert {logged[decision["event_id"]] for decision in answer} == {f"r{i}"}
    alone = [json.loads(batches.answer([job])[0]) for job in merged]
    assert [[d["probability_of_default"] for d in a] for a in alone] == [
        [d["probability_of_default"] for d in a] for a in answers
    ]


def test_what_is_given_up_while_it_is_decided_is_not_recorded(batches, monkeypatch):
    stays, gone = jobs([1, 1])
    judge = batches.decider.judge

    def slow(*arguments):
        judged = judge(*arguments)
        gone.is_abandoned = True
        return judged

    monkeypatch.setattr(batches.decider, "judge", slow)
    answer, refused = batches.answer([stays, gone])
    assert isinstance(refused, Rejection) and refused.status == 504
    assert read(batches.decider.log.folder).table["request_id"].to_list() == [stays.request_id]
    assert len(json.loads(answer)) == 1


def test_a_request_decided_at_once_gets_what_the_batch_would_give_it(batches, monkeypatch):
    merged = jobs([1, 2, 1])
    at_once = [json.loads(asyncio.run(batches.answer_at_once(job))) for job in merged]
    logged = read(batches.decider.log.folder).table
    assert set(logged["event_id"]) == {d["event_id"] for answer in at_once for d in answer}
    monkeypatch.setattr("scoring.judge.ONE_BY_ONE", 0)
    batched = [json.loads(answer) for answer in batches.answer(merged)]
    for answer in at_once + batched:
        for decision in answer:
            del decision["event_id"]
    assert at_once == batched


def test_what_cannot_be_recorded_or_done_at_once_is_refused(batches, monkeypatch):
    batches.decider.log.folder.rmdir()
    refused = asyncio.run(batches.answer_at_once(jobs([1])[0]))
    assert isinstance(refused, Rejection) and refused.status == 503
    monkeypatch.setattr(features, "one", None)
    refused = asyncio.run(batches.answer_at_once(jobs([1])[0]))
    assert isinstance(refused, Rejection) and refused.status == 500


def test_a_few_are_explained_one_by_one_as_a_table_of_them_is(batches, monkeypatch):
    asked = jobs([8, 12])
    each = [json.loads(answer) for answer in batches.answer(asked, is_explained=True)]
    monkeypatch.setattr("scoring.judge.ONE_BY_ONE", 0)
    table = [json.loads(answer) for answer in batches.answer(asked, is_explained=True)]
    for answer in each + table:
        for decision in answer:
            del decision["event_id"]
    assert each == table


def test_an_explanation_lets_scores_pass_but_not_for_ever(batches, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("scoring.serving.batches.sleep", slept.append)
    batches.answer(jobs([2]), is_explained=True)
    assert not slept
    decided = batches.decider.log.record

    def record(entries, now):  # what is decided at once waits for the disk
        monkeypatch.setattr(batches.decider.log, "record", decided)
        batches.answer(jobs([2]), is_explained=True)
        decided(entries, now)

    monkeypatch.setattr(batches.decider.log, "record", record)
    assert isinstance(asyncio.run(batches.answer_at_once(jobs([1])[0])), bytes)
    assert len(slept) == 2 * 2 * GIVE_WAY_MS  # two applications, in two halves each
    slept.clear()
    batches.answer(jobs([2]), is_explained=True)
    assert not slept


def test_between_two_decisions_the_loop_sees_who_else_is_there(folder, monkeypatch):
    batches, order = Batches(Decider(Scorer.load(folder), "m")), []
    one = overheard(features.one, lambda *_: order.append("decided"))
    monkeypatch.setattr(features, "one", one)

    async def busy():
        asked = [asyncio.ensure_future(batches.answer_at_once(job)) for job in jobs([1, 1, 1])]
        while not all(task.done() for task in asked):
            order.append("seen")
            await asyncio.sleep(0)
        return await asyncio.gather(*asked)

    assert all(isinstance(answer, bytes) for answer in asyncio.run(busy()))
    assert "seen" in order[order.index("decided") : len(order) - order[::-1].index("decided")]
    assert ["decided", "decided"] not in [order[i : i + 2] for i in range(len(order))]


def test_a_word_that_looks_like_no_number_is_explained_like_any_other(batches):
    (job,) = jobs([20])
    for application in job.applications:
        application.OCCUPATION_TYPE = "x:NaN"
    (answer,) = batches.answer([job], is_explained=True)
    assert b"x:NaN" in answer and any(decision["reasons"] for decision in json.loads(answer))


@pytest.mark.parametrize("kind", [RuntimeError, PanicException])  # polars' own is no exception of Python's
def test_a_request_that_breaks_us_harms_no_other_and_quotes_nobody(batches, monkeypatch, caplog, kind):
    build = features.build

    def fragile(portfolio):
        if 3 in portfolio.applications["SK_ID_CURR"]:
            raise kind("a client called Marie Curie broke it")
        return build(portfolio)

    monkeypatch.setattr(features, "build", fragile)
    monkeypatch.setattr("scoring.judge.ONE_BY_ONE", 0)
    with caplog.at_level(logging.ERROR):
        answers = batches.answer(jobs([2, 1, 3]))
    assert isinstance(answers[1], Rejection) and answers[1].status == 500
    assert [len(json.loads(answers[i])) for i in (0, 2)] == [2, 3]
    assert read(batches.decider.log.folder).table.height == 5
    assert f"{kind.__name__} at" in caplog.text and "Curie" not in caplog.text


def test_nobody_is_decided_who_waits_no_more(batches):
    first, second = jobs([1, 1])
    first.is_abandoned = True
    gone, answer = batches.answer([first, second])
    assert isinstance(gone, Rejection) and gone.status == 504
    assert len(json.loads(answer)) == 1 and read(batches.decider.log.folder).table.height == 1


def test_what_cannot_be_recorded_is_not_decided(batches):
    batches.decider.log.folder.rmdir()
    answers = batches.answer(jobs([1, 2]))
    assert [(answer.status, answer.retry_after_s) for answer in answers] == [(503, 5)] * 2


def test_without_a_log_decisions_are_given_all_the_same(folder):
    answers = Batches(Decider(Scorer.load(folder), "m")).answer(jobs([2]))
    assert len(json.loads(answers[0])) == 2


def test_golden_examples_are_scored_as_in_training(folder):
    scorer, examples = Scorer.load(folder), read_examples(folder)
    check(scorer, examples)
    examples[3]["probability_of_default"] += 1e-6
    with pytest.raises(ScorerError, match="golden example 4: training gave"):
        check(scorer, examples)


def test_what_a_model_brought_goes_with_it_as_the_collector_does_not_look_at_it(folder):
    """A worker freezes what is loaded: what holds itself would stay for good, at each change of the model."""
    request = jobs([1])[0].applications
    scorer = Scorer.load(folder)
    decider = Decider(scorer, "m")
    batches, large = Batches(decider), Large(decider, 1_000, Turns())
    questions = Questions(scorer, "m", (), folder, Rest())
    for is_explained in (False, True):
        assert isinstance(batches.answer([Job("r", request)], is_explained)[0], bytes)
    for question, parameters in (
        ("compare", {"fact": "AMT_CREDIT"}),
        ("curve", {"fact": "AMT_CREDIT"}),
    ):
        assert isinstance(questions.answer(Job("r", request, parameters=parameters), question), bytes)
    gc.collect()
    gc.freeze()
    left = [weakref.ref(one) for one in (decider, batches, large, *vars(questions).values())]
    try:
        del decider, batches, large, questions, scorer
        assert [one() for one in left if one() is not None] == []
    finally:
        gc.unfreeze()
