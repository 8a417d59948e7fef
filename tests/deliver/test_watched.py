"""A real Prometheus scrapes a real service, and finds all that dashboard and alerts ask for."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support import small
from tests.support.running import ROOT, free_port, put_in_store, running, wait_until

COMPOSE = ROOT / "deploy" / "compose"
BOARD = COMPOSE / "grafana" / "credit-scoring.json"
TYPES = ROOT / "var" / "deliver" / "node_modules"
KEY = "sesame-of-the-watched-service"
NAME = re.compile(r"\b(?:bentoml|credit_scoring)_\w+|\bup\b")
LABELS = re.compile(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)|\bby \(([\w, ]+)\)")
OF_THE_MONITOR = "credit_scoring_monitor_"  # written to a file, which the node exporter reads


def queries() -> dict[str, str]:
    """Return each query of dashboard and alerts, by who asks it; test_delivery.py knows the monitor's."""
    board = json.loads(BOARD.read_text())
    rules = yaml.safe_load((COMPOSE / "alerts.yml").read_text())["groups"][0]["rules"]
    asked = {f"{p['title']} {t['refId']}": t["expr"] for p in board["panels"] for t in p["targets"]}
    asked |= {rule["alert"]: rule["expr"] for rule in rules}
    return {name: text for name, text in asked.items() if OF_THE_MONITOR not in text}


class Prometheus:
    """A server that scrapes the service of this test as `deploy/compose/prometheus.yml` has it."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=30, trust_env=False)

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def value(self, query: str) -> float:
        found = self.ask("/query", query=query)["result"]
        return float(found[0]["value"][1]) if found else 0.0


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no prometheus (Debian's package; make deliver)")
    home = tmp_path_factory.mktemp("watched")
    put_in_store(small.save(home / "scorer"), home)
    key = f"desk+read+review:{KEY}"
    with running(home, key=KEY, CREDIT_SCORING_API_KEYS=key) as service:
        (request,) = small.applications(1, seed=3)

        def asked() -> None:
            (decision,) = service.post("/score", [request]).json()
            assert service.post("/explain", [request]).status_code == 200
            assert service.post("/score", [request | {"AMT_CREDIT": "much"}]).status_code == 422
            place = f"/decisions/{decision['event_id']}"
            wait_until(lambda: service.http.get(place).status_code == 200, 60)
            assert service.http.get("/decisions").status_code == 200
            said = {"verdict": "confirmed", "reason": "As the papers say."}
            reviewed = service.http.post(f"{place}/review", json=said)
            assert reviewed.status_code in (200, 201), reviewed.text

        asked()
        port = free_port()
        text = (COMPOSE / "prometheus.yml").read_text()
        for written, here in (
            ("service:3000", service.url.removeprefix("http://")),
            ("localhost:9090", f"127.0.0.1:{port}"),
            ("[alerts.yml]", f"[{COMPOSE / 'alerts.yml'}]"),
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ):
            assert text.count(written) == 1, written
            text = text.replace(written, here)
        (home / "prometheus.yml").write_text(text)
        command = [program, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/series"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        with (home / "prometheus").open("w") as said:
            server = subprocess.Popen(command, cwd=home, stdout=said, stderr=said)
        try:
            found = Prometheus(f"http://127.0.0.1:{port}")

            def has_seen() -> bool:
                assert server.poll() is None, (home / "prometheus").read_text()[-2_000:]
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/-/ready", trust_env=False).status_code != 200:
                        return False
                    return found.value('count_over_time(up{job="credit-scoring"}[1m])') >= 3
                except httpx.TransportError:
                    return False

            wait_until(has_seen, 60)
            asked()  # once more: what is counted rises
            before = found.value('count_over_time(up{job="credit-scoring"}[1m])')
            wait_until(lambda: found.value('count_over_time(up{job="credit-scoring"}[1m])') >= before + 3, 60)
            yield found
        finally:
            server.terminate()
            server.wait(30)
            found.http.close()


def test_prometheus_scrapes_the_service_and_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    (target,) = [
        t for t in prometheus.ask("/targets")["activeTargets"] if t["scrapePool"] == "credit-scoring"
    ]
    assert target["health"] == "up", target["lastError"]
    rules = prometheus.ask("/rules")["groups"][0]["rules"]
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]


@pytest.mark.parametrize("asker", queries())
def test_each_query_names_metrics_and_labels_that_the_service_has(prometheus: Prometheus, asker: str) -> None:
    query = queries()[asker]
    prometheus.ask("/query", query=query)
    names = set(NAME.findall(query))
    assert names or query.startswith("ALERTS"), "it asks for no metric"
    labels = {"alertname", "alertstate"}
    for name in names:
        series = prometheus.ask("/series", **{"match[]": name})
        assert series, f"the service has no {name}"
        labels |= {label for one in series for label in one}
    asked = {word.strip() for pair in LABELS.findall(query) for part in pair for word in part.split(",")}
    assert asked - {""} <= labels


@pytest.mark.parametrize(
    "title", ["Requests a second", "Time of /score", "Looked up and reviewed", "Model and engine"]
)
def test_panels_of_a_service_that_is_asked_show_something(prometheus: Prometheus, title: str) -> None:
    asked = [query for asker, query in queries().items() if asker.startswith(title)]
    assert asked
    for query in asked:
        result = prometheus.ask("/query", query=query)["result"]
        assert result and all(one["value"][1] != "NaN" for one in result), query


def test_the_dashboard_is_one_by_the_types_of_its_grafana(tmp_path: Path) -> None:
    compiler = TYPES / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip("there are no types of Grafana (npm: @grafana/schema; make deliver)")
    version = json.loads((TYPES / "@grafana" / "schema" / "package.json").read_text())["version"]
    assert f"image: grafana/grafana:{version}" in (ROOT / "deploy" / "compose.yaml").read_text()
    options = ["--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "node", "--target", "es2022"]

    (tmp_path / "node_modules").symlink_to(TYPES)

    def compiled(board: str) -> subprocess.CompletedProcess[str]:
        text = (
            f'import type {{ Dashboard }} from "@grafana/schema";\nexport const board: Dashboard = {board};\n'
        )
        (tmp_path / "board.ts").write_text(text)
        command = [compiler, *options, "--module", "esnext", "board.ts"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = compiled(BOARD.read_text())
    assert done.returncode == 0, done.stdout
    assert compiled(BOARD.read_text().replace('"targets"', '"target"')).returncode != 0  # it does look
