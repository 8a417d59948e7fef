"""A logged decision can be made again, bit for bit, by the very model that made it."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.decider import Asked, Decider
from scoring.inference_log import InferenceLog, find
from scoring.replay import ReplayError, app, replay
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer
from scoring.store import StoreError, stored
from tests.support import small

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TAG = "credit_scoring:first"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    store = tmp_path_factory.mktemp("store")
    small.save(store / "models" / "credit_scoring" / "first")
    return store


@pytest.fixture(scope="module")
def scorer(store) -> Scorer:
    return Scorer.load(stored(TAG, store)[1])


@pytest.fixture(scope="module")
def log(tmp_path_factory, scorer) -> Path:
    folder = tmp_path_factory.mktemp("log") / "log"
    log = InferenceLog(folder, "w1", bytes(32), TAG, categories=scorer.categories)
    decider = Decider(scorer, TAG, log, clock=lambda: NOON, new_id=iter(f"e{i}" for i in range(99)).__next__)
    requests = [ApplicationRequest.model_validate(r) for r in small.applications(40, seed=5)]
    decider.decide(Asked("r1", requests[:30]))
    decider.decide(Asked("r2", requests[30:], operator="desk"), is_explained=True)
    log.close()
    return folder


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_decision_comes_out_the_same_bit_for_bit(log, scorer):
    for number in range(40):
        done = replay(find(log, f"e{number}"), scorer)
        assert done.differences == () and done.again == done.logged
        assert ("reasons" in done.logged) == (number >= 30)


def test_the_command_shows_that_both_are_equal(log, store):
    said = run("e33", "--log", log, "--model-store", store)
    assert said.exit_code == 0, said.stderr
    assert "The same, bit for bit" in said.stdout and "reasons" in said.stdout
    probability = find(log, "e33")["probability_of_default"]
    assert said.stdout.count(probability.hex()) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"probability_of_default": 0.123}, "probability_of_default was 0.123 and is"),
        ({"decision": "maybe"}, "decision was 'maybe'"),
        ({"threshold": 0.5}, "threshold was 0.5 and is 0.35"),
    ],
)
def test_a_changed_answer_is_named(log, scorer, change, said):
    done = replay(find(log, "e3") | change, scorer)
    assert len(done.differences) == 1 and said in done.differences[0]


def test_the_last_bit_counts(log, scorer):
    record = find(log, "e3")
    probability = record["probability_of_default"]
    nearest = float.fromhex(
        probability.hex()[:-5] + f"{int(probability.hex()[-5], 16) ^ 1:x}" + probability.hex()[-4:]
    )
    assert replay(record | {"probability_of_default": nearest}, scorer).differences


def test_changed_inputs_are_named(log, scorer):
    record = find(log, "e3")
    record["inputs"]["numbers"]["AMT_CREDIT"] = 1.0
    assert "inputs in the record" in replay(record, scorer).differences[0]


def test_another_model_is_named_by_its_first_feature(log, scorer):
    record = find(log, "e3")
    del record["inputs"]["numbers"]["ext_mean"]
    with pytest.raises(ReplayError, match="'ext_mean', which the record does not hold"):
        replay(record, scorer)
    record["inputs"]["numbers"] |= {"ext_mean": 0.5, "shoe_size": 43.0}
    with pytest.raises(ReplayError, match="'shoe_size', which the model does not read"):
        replay(record, scorer)


def test_other_libraries_are_named_where_the_answer_differs(log, scorer):
    scorer.lineage["libraries"] = {"numpy": "0.1", "nosuchlibrary": "1.0"}
    try:
        assert replay(find(log, "e3"), scorer).differences == ()
        _, *named = replay(find(log, "e3") | {"decision": "maybe"}, scorer).differences
    finally:
        del scorer.lineage["libraries"]
    assert any("numpy was 0.1 at training" in words for words in named)
    assert "nosuchlibrary was 1.0 at training and is absent here" in named


def test_what_is_missing_is_said(log, store, tmp_path):
    for arguments, words in (
        (("e99", "--log", log, "--model-store", store), "no decision e99"),
        (("e3", "--log", log, "--model-store", tmp_path), "no model credit_scoring:first"),
        (("e3", "--log", tmp_path / "nowhere", "--model-store", store), "no inference log"),
    ):
        said = run(*arguments)
        assert said.exit_code == 2 and words in " ".join(said.stderr.split())


@pytest.mark.parametrize("tag", ["../..:x", "a:../../b", "a/b:c", "a:", "a", ""])
def test_a_tag_leads_nowhere_but_into_the_store(tag, tmp_path):
    with pytest.raises(StoreError, match="no model"):
        stored(tag, tmp_path)


def test_a_tampered_model_is_refused(log, store, tmp_path):
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    description = stored(TAG, copy)[1] / "scorer.json"
    text = json.loads(description.read_text())
    description.write_text(json.dumps(text | {"threshold": 0.9}, sort_keys=True, indent=1))
    said = run("e3", "--log", log, "--model-store", copy)
    assert said.exit_code == 2 and "was changed after training" in " ".join(said.stderr.split())


def test_a_store_whose_newest_model_is_a_path_has_none(tmp_path):
    (tmp_path / "models" / "credit_scoring").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for words in ("../../elsewhere", "/tmp", "", "\ufffd\x00"):
        (tmp_path / "models" / "credit_scoring" / "latest").write_text(words)
        with pytest.raises(StoreError, match="has no model"):
            stored("credit_scoring:latest", tmp_path)
