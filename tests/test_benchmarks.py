"""The figures of the benchmarks are kept as data."""

import json
from pathlib import Path

import pytest

from benchmarks import training
from benchmarks.layout import servers
from benchmarks.results import FILE, record
from scoring.metrics import MEASURES
from training import runs


def test_a_figure_takes_the_place_of_the_last_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    record("b, 10 rows", 0.123456, "ratio", target=0.2, met=True, command="python -m benchmarks.b", file=file)
    record("a", 3, "s", command="python -m benchmarks.a", file=file)
    record("b, 10 rows", 0.3, "ratio", target=0.2, met=False, command="python -m benchmarks.b", file=file)
    records = json.loads(file.read_text())
    assert [(r["name"], r["figure"], r["met"]) for r in records] == [
        ("a", 3.0, None),
        ("b, 10 rows", 0.3, False),
    ]
    assert set(records[0]) == {"name", "figure", "unit", "target", "met", "command"}


def test_the_bounds_of_a_figure_are_kept_with_it(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    record(
        "a",
        0.5,
        "AUC",
        command="python -m benchmarks.a",
        file=file,
        bounds=(0.412345, 0.6),
    )
    (kept,) = json.loads(file.read_text())
    assert (kept["low"], kept["high"]) == (0.4123, 0.6)


@pytest.mark.parametrize("file", ["results.json", "model.json", "scale.json"])
def test_a_recorded_command_names_a_portfolio_that_is_there_or_can_be_made(file: str) -> None:
    for kept in json.loads(FILE.with_name(file).read_text()):
        last = kept["command"].rsplit(" && ", 1)[-1]
        if " --portfolio " in last:
            portfolio = last.split(" --portfolio ")[1].split()[0]
            is_made = kept["command"].startswith(("make demo && ", "python -m scoring.synthetic "))
            assert portfolio.endswith(".zip") or is_made, kept


def test_the_figures_of_a_training_are_named_after_what_made_them() -> None:
    metrics = dict.fromkeys((*MEASURES, "calibration_slope", "calibration_intercept"), 0.5)
    metrics |= {"threshold": 1 / 11, "optimum_threshold": 0.1, "calibration_error": 0.006}
    params = {"applications": "90000", "rounds": "200", "boosters": "5", "family": "boosted"}
    run = runs.Run("id", metrics, params, {})
    found = {what: rest for what, *rest in training.figures(run)}
    assert found["trees"] == [1000, "trees", None, True]
    assert found["calibration error"] == [0.006, "share", 0.005, False]
    assert found["threshold against 1/11"] == [pytest.approx(1.0), "ratio", 0.1, True]
    names = {kept["name"] for kept in json.loads(FILE.with_name("model.json").read_text())}
    for name in names:
        if name.startswith("out of fold, "):
            assert name.split(": ")[1] in found, name


def test_a_file_that_is_no_list_of_records_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("[{")
    with pytest.raises(ValueError, match="Expecting"):
        record("a", 3, "s", command="python -m benchmarks.a", file=file)
    assert file.read_text() == "[{"


def test_servers_stand_one_a_line_and_a_missed_target_is_said() -> None:
    def kept(name: str, figure: float, met: bool | None = None) -> dict[str, object]:
        return {"name": name, "figure": figure, "unit": "ms", "target": None, "met": met}

    text = servers(
        [
            kept("one row, Slow, 1 connections, p50", 3.0),
            kept("one row, ours, 1 connections, p50", 1.5),
            kept("one row, throughput over Slow, 16 connections", 0.5, met=False),
            kept("10 rows in one request", 4.0),
            kept("2 rows in one request", 2.0),
        ]
    )
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    first_cells = [line.split(" | ")[0].removeprefix("| ") for line in lines if "---" not in line]
    assert first_cells == [
        "server", "ours", "Slow", "what", "2 rows in one request", "10 rows in one request",
    ]  # fmt: skip
    assert "| Slow |  | 3.0 / – / – |  |  | – / 0.50 / – **missed** |  |" in lines
