"""The figures of the benchmarks are kept as data."""

import json
from pathlib import Path

import pytest

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
