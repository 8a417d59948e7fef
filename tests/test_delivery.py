"""What is delivered agrees with itself: actions, alerts, dashboard, settings; `make deliver` does more."""

import json
import re
from pathlib import Path

import pytest
import yaml

from scoring.settings import DECLARED

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ALERTS = yaml.safe_load((DEPLOY / "compose" / "alerts.yml").read_text())["groups"][0]["rules"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_commit_and_every_job_says_its_rights(workflow: Path) -> None:
    text = workflow.read_text()
    for used in re.findall(r"uses: (\S+)(.*)", text):
        assert used[0].startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used[0]), used
        assert used[0].startswith("./") or re.search(r"# v\d", used[1]), used
    content = yaml.safe_load(text)
    assert content["permissions"] == {} and "concurrency" in content
    assert all("permissions" in job for job in content["jobs"].values())


def test_every_alert_stands_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "OPERATIONS.md").read_text()
    assert not [rule["alert"] for rule in ALERTS if f"`{rule['alert']}`" not in runbook]


def test_alerts_and_dashboard_ask_for_metrics_that_the_service_has() -> None:
    board = json.loads((DEPLOY / "compose" / "grafana" / "credit-scoring.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for rule in ALERTS]
    names = {name for text in asked for name in re.findall(r"\b(?:bentoml|credit_scoring)_\w+", text)}
    code = "\n".join(path.read_text() for path in (ROOT / "scoring").rglob("*.py"))
    monitor = (ROOT / "monitoring" / "report.py").read_text()
    for name in names:
        if name.startswith("bentoml_"):
            assert re.fullmatch(r"bentoml_service_request_(total|in_progress|duration_seconds_bucket)", name)
        elif name.startswith("credit_scoring_monitor_"):
            assert f'"{name.removeprefix("credit_scoring_monitor_")}"' in monitor, name
        else:
            assert f'"{name.removesuffix("_total")}"' in code, name
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) > 5


def test_compose_and_kubernetes_set_no_setting_that_is_none() -> None:
    files = [DEPLOY / "compose.yaml", *(DEPLOY / "kubernetes").rglob("*.yaml"), *DEPLOY.glob("*Dockerfile*")]
    named = {name for file in files for name in re.findall(r"CREDIT_SCORING_[A-Z_]+", file.read_text())}
    assert len(named) > 5 and named <= DECLARED.keys()
