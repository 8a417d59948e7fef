"""A new version takes the place of the one before, under load and behind the proxy: nobody is refused."""

import itertools
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scoring.inference_log import pseudonym_key, read
from tests.support import small
from tests.support.proxies import delivered_caddy, delivered_nginx
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
PATIENCE_S = 900  # of a machine that does much else


class Replica:
    """A service with a log of its own, as a pod has it, which one version after the other serves."""

    def __init__(self, home: Path, store: Path) -> None:
        self.home, self.store, self.port = home, store, free_port()
        self.server: subprocess.Popen[str] | None = None
        home.mkdir()

    def start(self, version: str) -> None:
        env = environment(
            self.home,
            BENTOML_HOME=str(self.store / "bentoml"),
            CREDIT_SCORING_MODEL=f"credit_scoring:{version}",
            CREDIT_SCORING_API_KEYS=KEY,
            CREDIT_SCORING_KEY_FILE=str(self.store / "pseudonym.key"),  # one for all, as OPERATIONS.md has it
            CREDIT_SCORING_PROXIES="127.0.0.1",
            CREDIT_SCORING_DRAIN_SECONDS="6",  # as in compose.yaml: longer than some looks of the proxy
        )
        with (self.home / f"{version}.log").open("w") as out:
            words = ("serve", "service:CreditScoring", "--port", str(self.port))
            self.server = bentoml(*words, env=env, stdout=out)

        def serves() -> bool:
            assert self.server.poll() is None, (self.home / f"{version}.log").read_text()[-2_000:]
            return is_ready(f"http://127.0.0.1:{self.port}")

        wait_until(serves, PATIENCE_S)

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(PATIENCE_S) == 0

    def events(self) -> list[str]:
        return list(read(self.home / "log").table["event_id"])


def behind_caddy(home: Path, ports: list[int]) -> AbstractContextManager[str]:
    return delivered_caddy(home, ports, free_port())


@pytest.mark.parametrize("balancer", [behind_caddy, delivered_nginx], ids=["caddy", "nginx"])
def test_an_upgrade_with_another_model_refuses_nobody_and_records_every_decision_once(
    tmp_path: Path, balancer: Any
) -> None:
    """Under load, each answer is of one model, and a request that both have met under one key is one."""
    for version, threshold in (("one", 0.35), ("two", 0.2)):
        put_in_store(small.save(tmp_path / version, threshold), tmp_path, f"credit_scoring:{version}")
    pseudonym_key(tmp_path / "pseudonym.key")
    replicas = [Replica(tmp_path / name, tmp_path) for name in ("a", "b")]
    (tmp_path / "balancer").mkdir()
    requests = small.applications(40, seed=3)
    answered: list[tuple[int, str, list[str]]] = []  # status, models, events
    stop = threading.Event()

    def post(client: httpx.Client, number: int, key: str) -> tuple[int, str, list[str]]:
        first = number % 36
        chosen = {"applications": requests[first : first + 1 + number % 4]}
        answer = client.post("/api/score", json=chosen, headers={"Idempotency-Key": key})
        if not answer.is_success:
            return answer.status_code, answer.text[:200], []
        rows = answer.json()
        return (
            answer.status_code,
            "+".join(sorted({row["model"] for row in rows})),
            [r["event_id"] for r in rows],
        )

    def asking() -> httpx.Client:
        headers = {"x-api-key": KEY.partition(":")[2]}
        return httpx.Client(base_url=url, headers=headers, verify=False, timeout=PATIENCE_S, trust_env=False)

    def ask(mine: int) -> None:
        with asking() as client:
            for number in itertools.count(mine):
                if stop.is_set():
                    return
                answered.append(post(client, number, f"client-{mine}-{number}"))
                time.sleep(0.05)

    def seen(version: str) -> int:
        return sum(model == f"credit_scoring:{version}" for _, model, _ in list(answered))

    try:
        for replica in replicas:
            replica.start("one")
        with (
            balancer(tmp_path / "balancer", [replica.port for replica in replicas]) as url,
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            with asking() as client:
                again = [post(client, 3, "sent-again") for _ in range(6)]
            assert again == again[:1] * 6
            assert all(set(again[0][2]) <= set(replica.events()) for replica in replicas), "both decided it"
            asked = [clients.submit(ask, number) for number in range(CLIENTS)]
            try:
                wait_until(lambda: seen("one") > 50, PATIENCE_S)
                for replica in replicas:
                    replica.stop()
                    replica.start("two")
                    time.sleep(3)  # the balancer has seen that it is ready
                before = len(answered)
                wait_until(lambda: len(answered) > before + 50, PATIENCE_S)
            finally:
                stop.set()
            for one in asked:
                one.result(PATIENCE_S)  # raises what a client met
    finally:
        for replica in replicas:
            replica.stop()
    refused = [one for one in answered if one[0] != 200]
    assert not refused, f"{len(refused)} of {len(answered)}: {refused[:5]}"
    models = {f"credit_scoring:{version}" for version in ("one", "two")}
    assert {model for _, model, _ in answered} == models, "no answer is of two models"
    assert {model for _, model, _ in answered[before + 20 :]} == {"credit_scoring:two"}
    recorded = {event for replica in replicas for event in replica.events()}
    events = [event for _, _, mine in [*answered, again[0]] for event in mine]
    assert sorted(events) == sorted(recorded)
