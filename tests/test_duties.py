"""Refusals go to reasonsmith as the record has them, with reasons made again by the model that decided."""

import json
import os
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.decider import Asked, Decider
from scoring.inference_log import InferenceLog, pseudonym_key, read
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer
from scoring.store import stored
from tests.support import small
from validation.duties import app

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TAG = "credit_scoring:first"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return a folder with a store, a key and a log: single requests, a preview, and a table."""
    home = tmp_path_factory.mktemp("home")
    small.save(home / "store" / "models" / "credit_scoring" / "first", threshold=0.15)
    scorer = Scorer.load(stored(TAG, home / "store")[1])
    log = InferenceLog(home / "log", "w1", pseudonym_key(home / "key"), TAG, categories=scorer.categories)
    ids = iter(f"e{number}" for number in range(99))
    decider = Decider(scorer, TAG, log, clock=lambda: NOON, new_id=ids.__next__)
    requests = [ApplicationRequest.model_validate(request) for request in small.applications(60, seed=5)]
    decider.decide(Asked("r1", requests[:30]))
    decider.decide(Asked("r2", requests[30:40], purpose="preview"))
    decider.decide(Asked("r3", requests[40:]), is_explained=True)
    log.close()
    return home


def run(home: Path, out: Path, *more: object):
    places = ("--log", home / "log", "--key-file", home / "key", "--model-store", home / "store")
    return CliRunner().invoke(app, [str(word) for word in ("--out", out, *places, *more)])


def test_every_refusal_is_there_with_its_reasons_and_its_place_in_the_chain(home, tmp_path):
    done = run(home, tmp_path / "out.jsonl")
    assert done.exit_code == 0, done.output
    table = read(home / "log").table
    refused = table.filter(decision="refused", purpose="decision")["event_id"].to_list()
    said = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(one["artifact_logs_decision_record"]["id"] for one in said) == sorted(refused)
    assert len(refused) > 5
    assert all(one["artifact_logs_reason_explanation"].endswith(".") for one in said)
    lines = (home / "log" / "2026-11-21.w1.jsonl").read_text().splitlines()
    for one in said:
        file, record, digest = one["artifact_logs_event_log"].split(", ")
        line = json.loads(lines[int(record.removeprefix("record "))])
        assert file == "2026-11-21.w1.jsonl" and line["hash"] == digest
        assert line["event_id"] == one["artifact_logs_decision_record"]["id"]
    who = read(home / "log").table["applicant"].to_list()
    assert not any(one in (tmp_path / "out.jsonl").read_text() for one in who)


def test_what_cannot_be_written_is_a_sentence(home, tmp_path):
    (tmp_path / "there.jsonl").touch()
    for out, more in (
        (tmp_path / "there.jsonl", ()),
        (tmp_path / "none" / "out.jsonl", ()),
        (tmp_path / "a.jsonl", ("--model-store", tmp_path)),
        (tmp_path / "b.jsonl", ("--log", tmp_path / "none")),
    ):
        done = run(home, out, *more)
        assert done.exit_code == 2 and "Not written" in done.stderr and "Traceback" not in done.output


def test_reasonsmith_accepts_the_file_and_finds_no_violation(home, tmp_path):
    judge = os.environ.get("REASONSMITH") or shutil.which("reasonsmith")
    if judge is None:
        pytest.skip("there is no reasonsmith (pip install it elsewhere, REASONSMITH=PATH/bin/reasonsmith)")
    run(home, tmp_path / "out.jsonl")
    said = ("--system-domain", "consumer-credit", "--system-scope", "high-risk", "--json")
    found = {}
    for pack in ("ecoa", "gdpr", "eu_ai_act"):
        command = [judge, "check", "--system", str(tmp_path / "out.jsonl"), "--pack", pack, *said]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[pack] = Counter(result["outcome"] for result in json.loads(done.stdout)["results"])
    assert found["ecoa"] == {"satisfied": 2, "unattainable": 3, "not_evaluated": 1}
    assert found["gdpr"] == {"satisfied": 2, "unattainable": 3}
    assert found["eu_ai_act"] == {"satisfied": 4}
