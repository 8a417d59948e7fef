"""A newer model is taken up while the service answers, and a bad one is not."""

import json
import os
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from scoring.inference_log import pseudonym_key, verify
from tests.support import small
from tests.support.running import put_in_store, running, wait_until, workers
from tests.torture import scorers

pytestmark = [pytest.mark.served, pytest.mark.heavy]
THRESHOLDS = {"credit_scoring:one": 0.35, "credit_scoring:two": 0.3501, "credit_scoring:three": 0.3502}
SWAPS = 2  # `make torture` makes a hundred


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with models that differ by their threshold, and one whose golden examples are wrong."""
    place = tmp_path_factory.mktemp("reload")
    scorer = small.save(place / "scorer")
    for tag, threshold in {**THRESHOLDS, "credit_scoring:bad": 1e-6}.items():
        folder = place / tag.replace(":", "-")
        shutil.copytree(scorer, folder)
        file = folder / "scorer.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"threshold": threshold}))
        small.sign(folder)
        put_in_store(folder, place, tag)
    deadly = Path(shutil.copytree(scorer, place / "deadly"))
    scorers.DEADLY["SIGABRT"](deadly)
    put_in_store(deadly, place, "credit_scoring:deadly")
    return place


def make_newest(home, tag: str) -> None:
    name, version = tag.split(":")
    (home / "bentoml" / "models" / name / "latest").write_text(version)


def test_models_are_swapped_under_load_and_each_answer_tells_who_decided(home):
    make_newest(home, "credit_scoring:one")
    (request,) = small.applications(1, seed=3)
    answers, failures, cut, is_over = [], [], [], threading.Event()
    with running(home, CREDIT_SCORING_MODEL="credit_scoring:latest", CREDIT_SCORING_WORKERS="2") as service:

        def ask(path: str) -> None:
            while not is_over.is_set():
                try:
                    response = service.post(path, [request])
                except httpx.TransportError:
                    cut.append(path)
                    continue
                if response.status_code == 200:
                    answers.extend(response.json())
                else:
                    failures.append(response.text)
                time.sleep(0.02)

        def serves(tag: str) -> bool:
            return {service.post("/score", [request]).json()[0]["model"] for _ in range(6)} == {tag}

        threads = [threading.Thread(target=ask, args=(path,)) for path in ("/score", "/score", "/explain")]
        for thread in threads:
            thread.start()
        try:
            tags = list(THRESHOLDS)
            for number in range(1, SWAPS + 1):
                make_newest(home, tags[number % len(tags)])
                os.kill(service.pid, signal.SIGHUP)
                wait_until(partial(serves, tags[number % len(tags)]))
            last = tags[SWAPS % len(tags)]
            make_newest(home, "credit_scoring:bad")
            os.kill(service.pid, signal.SIGHUP)
            wait_until(lambda: "reload refused" in service.stdout())
            assert serves(last)
            before = workers(service.pid)
            make_newest(home, "credit_scoring:deadly")  # LightGBM ends its process over it
            os.kill(service.pid, signal.SIGHUP)
            wait_until(lambda: "ended the process that tried it (SIGABRT)" in service.stdout())
            assert serves(last) and before <= workers(service.pid)
            assert not cut
            killed = min(workers(service.pid))
            os.kill(killed, signal.SIGKILL)  # its successor starts with the same
            wait_until(lambda: service.stdout().count(f"serving {last}") >= 3, 60)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        assert service.http.get("/model").json()["model"] == last
    assert not failures
    assert {answer["model"] for answer in answers} == THRESHOLDS.keys()
    assert all(answer["threshold"] == THRESHOLDS[answer["model"]] for answer in answers)
    logged = {row["event_id"]: row for row in service.log().to_dicts()}
    for answer in answers:
        row = logged[answer["event_id"]]
        assert (row["model"], row["threshold"]) == (answer["model"], answer["threshold"])
    verdict = verify(home / "log", home / "log-heads", pseudonym_key(home / "pseudonym.key"))
    assert verdict.faults == []
