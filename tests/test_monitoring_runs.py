"""How the monitor runs: simulations, the memory, the chain of verdicts, alarms to others."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from monitoring import __main__ as command
from monitoring.simulate import send
from tests.support import small, stand_in


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A file of applications."""
    rows = [
        {name: value for name, value in one.items() if not isinstance(value, list | dict)}
        for one in small.applications(12)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "application_test.csv")
    return tmp_path / "application_test.csv"


def test_a_simulation_goes_on_behind_a_busy_service_and_asks_as_test_with_the_key(
    tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDIT_SCORING_API_KEY", "k" * 32)
    with stand_in.serving() as server:
        server.be_in_trouble(503, retry_after="0")
        call = ["--simulate", str(asked), "--url", server.url, "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(command.app, call, env={"COLUMNS": "400"})
        assert result.exit_code == 3 and "the same command goes on" in result.stderr, result.output
        assert server.turned_away == 5 and "k" * 32 not in result.output
        server.be_in_trouble(0)
        told: list[tuple[int, int]] = []
        sent = send(
            asked, tmp_path / "out", server.url, None, "k" * 32, lambda done, of: told.append((done, of))
        )
        assert server.heard["x-purpose"] == "test" and server.heard["x-api-key"] == "k" * 32
    assert (sent.model, sent.rows, sent.refused) == (stand_in.MODEL, 12, 0)
    assert told[-1] == (12, 12) and not list((tmp_path / "out").glob("simulation*"))


def test_a_simulation_without_a_service_says_so(tmp_path: Path, asked: Path) -> None:
    call = ["--simulate", str(asked), "--url", "http://127.0.0.1:1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(command.app, call, env={"COLUMNS": "400"})
    assert result.exit_code == 3 and "does not answer at http://127.0.0.1:1" in result.stderr
