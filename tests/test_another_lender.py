"""One flat table with names of its own, brought in by `docs/another_lender`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scoring.settings import EXTENSION
from tests.support.running import running

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "docs" / "another_lender"
LOANS = 3_000


def loans() -> pl.DataFrame:
    """Invent the table of a bank that knows the current account and the savings, and has no histories."""
    rng = np.random.default_rng(7)
    months = rng.choice([6, 12, 18, 24, 36, 48, 60], LOANS)
    account = rng.choice(
        ["no account", "overdrawn", "up to 200", "above 200"], LOANS, p=[0.4, 0.27, 0.27, 0.06]
    )
    savings = rng.choice(["unknown", "below 500", "500 and more"], LOANS, p=[0.2, 0.65, 0.15])
    log_odds = -4.5 + 2 * (account == "overdrawn") + 0.04 * months + 0.8 * (savings == "below 500")
    return pl.DataFrame(
        {
            "loan": np.arange(1, LOANS + 1),
            "outcome": np.where(rng.random(LOANS) < 1 / (1 + np.exp(-log_odds)), "default", "repaid"),
            "amount": rng.lognormal(8, 0.7, LOANS).round(),
            "months": months,
            "age": rng.integers(19, 75, LOANS),
            "sex": rng.choice(["male", "female"], LOANS),
            "account": account,
            "savings": savings,
            "history": rng.choice(["first credit", "paid back", "with delays"], LOANS),
        }
    )


@pytest.mark.heavy
def test_a_lender_with_one_flat_table_trains_and_serves_with_a_folder_alone(tmp_path):
    table, portfolio, home = tmp_path / "loans.csv", tmp_path / "theirs", tmp_path / "home"
    loans().write_csv(table)
    env = os.environ | {
        EXTENSION.name: str(EXAMPLE / "extension"),
        "BENTOML_HOME": str(home / "bentoml"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "PYTHONPATH": str(ROOT),
    }

    def program(*words: str | Path, code: int = 0) -> str:
        command = [sys.executable, *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    program(EXAMPLE / "map.py", table, portfolio)
    program("-m", "scoring.extension", "check", EXAMPLE / "extension", "--portfolio", portfolio)
    program(ROOT / "train.py", "--portfolio", portfolio, "--provisional")
    program(ROOT / "import_model.py")
    applicant = {"SK_ID_CURR": 9_001, "AMT_CREDIT": 6_000, "AMT_ANNUITY": 100, "DAYS_BIRTH": -11_000}
    risky = {
        "MONTHS": 60,
        "CURRENT_ACCOUNT": "overdrawn",
        "SAVINGS": "below 500",
        "EARLIER_CREDITS": "paid back",
    }
    sound = risky | {
        "MONTHS": 6,
        "AMT_ANNUITY": 1_000,
        "CURRENT_ACCOUNT": "no account",
        "SAVINGS": "500 and more",
    }
    settings = {EXTENSION.name: env[EXTENSION.name], "CREDIT_SCORING_MODEL": "credit_scoring:latest"}
    with running(home, **settings) as service:
        refused, granted = service.post("/explain", [applicant | risky, applicant | sound]).json()
        assert (refused["decision"], granted["decision"]) == ("refused", "granted")
        said = json.dumps(refused["reasons"], ensure_ascii=False)
        assert "current account: overdrawn" in said.lower() and "compte courant\u00a0: à découvert" in said
        # Later applications of the same law: that the champion scores otherwise than its folds is no drift.
        where = ("--url", service.url, "--out", tmp_path / "monitoring", "--log", home / "log")
        assert "No drift" in program("-m", "monitoring", "--simulate", portfolio, *where, "--no-evidently")
