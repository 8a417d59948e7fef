"""The figures of the benchmarks are kept as data."""

import json
from pathlib import Path

import pytest

from benchmarks.layout import servers
from benchmarks.results import record


def test_a_figure_takes_the_place_of_the_last_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    record("b, 10 rows", 0.123456, "ratio", 0.2, True, "python -m benchmarks.b", file)
    record("a", 3, "s", None, None, "python -m benchmarks.a", file)
    record("b, 10 rows", 0.3, "ratio", 0.2, False, "python -m benchmarks.b", file)
    records = json.loads(file.read_text())
    assert [(r["name"], r["figure"], r["met"]) for r in records] == [
        ("a", 3.0, None),
        ("b, 10 rows", 0.3, False),
    ]
    assert set(records[0]) == {"name", "figure", "unit", "target", "met", "command"}


def test_a_file_that_is_no_list_of_records_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("[{")
    with pytest.raises(ValueError, match="Expecting"):
        record("a", 3, "s", None, None, "python -m benchmarks.a", file)
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
