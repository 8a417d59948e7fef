"""A new version takes the place of the one before, under load and behind the proxy: nobody is refused."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from scoring.inference_log import read
from tests.support import small
from tests.support.caddy import caddy
from tests.support.running import (
    bentoml,
    environment,
    free_port,
    is_ready,
    put_in_store,
    wait_until,
)

KEY = "client:sesame-of-the-upgrade"
CLIENTS = 6


class Replica:
    """A service with a log of its own, as a pod has it, which one version after the other serves."""

    def __init__(self, home: Path, store: Path) -> None:
        self.home, self.store, self.port = home, store, free_port()
        home.mkdir()

    def start(self, version: str) -> None:
        env = environment(
            self.home,
            BENTOML_HOME=str(self.store / "bentoml"),
            CREDIT_SCORING_MODEL=f"credit_scoring:{version}",
            CREDIT_SCORING_API_KEYS=KEY,
            CREDIT_SCORING_PROXIES="127.0.0.1",
            CREDIT_SCORING_DRAIN_SECONDS="6",  # as in compose.yaml: longer than some looks of the proxy
        )
        with (self.home / f"{version}.log").open("w") as out:
            words = ("serve", "service:CreditScoring", "--port", str(self.port))
            self.server = bentoml(*words, env=env, stdout=out)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{self.port}"), 120)

    def stop(self) -> None:
        self.server.terminate()
        assert self.server.wait(60) == 0

    def events(self) -> list[str]:
        return list(read(self.home / "log").table["event_id"])


def test_an_upgrade_with_another_model_refuses_nobody_and_records_every_decision_once(tmp_path: Path) -> None:
    for version, threshold in (("one", 0.35), ("two", 0.2)):
        put_in_store(small.save(tmp_path / version, threshold), tmp_path, f"credit_scoring:{version}")
    replicas = [Replica(tmp_path / name, tmp_path) for name in ("a", "b")]
    (tmp_path / "caddy").mkdir()
    requests = small.applications(40, seed=3)
    answered: list[tuple[int, str, str]] = []  # status, model, event
    stop = threading.Event()

    def ask(number: int) -> None:
        headers = {"x-api-key": KEY.partition(":")[2]}
        with httpx.Client(base_url=url, headers=headers, verify=False, timeout=90, trust_env=False) as client:
            while not stop.is_set():
                answer = client.post("/api/score", json={"applications": [requests[number % 40]]})
                (row,) = answer.json() if answer.is_success else [{"model": answer.text[:200]}]
                answered.append((answer.status_code, row["model"], row.get("event_id", "")))
                number += 1
                time.sleep(0.05)

    def seen(version: str) -> int:
        return sum(model == f"credit_scoring:{version}" for _, model, _ in list(answered))

    try:
        for replica in replicas:
            replica.start("one")
        with (
            caddy(tmp_path / "caddy", [replica.port for replica in replicas], free_port()) as url,
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            asked = [clients.submit(ask, number) for number in range(CLIENTS)]
            try:
                wait_until(lambda: seen("one") > 50, 60)
                for replica in replicas:
                    replica.stop()
                    replica.start("two")
                    time.sleep(3)  # the proxy has seen that it is ready
                before = len(answered)
                wait_until(lambda: len(answered) > before + 50, 60)
            finally:
                stop.set()
            for one in asked:
                one.result(120)  # raises what a client met
    finally:
        for replica in replicas:
            replica.stop()
    refused = [one for one in answered if one[0] != 200]
    assert not refused, f"{len(refused)} of {len(answered)}: {refused[:5]}"
    assert {model for _, model, _ in answered[before + 20 :]} == {"credit_scoring:two"}
    recorded = [event for replica in replicas for event in replica.events()]
    assert sorted(event for _, _, event in answered) == sorted(recorded)
