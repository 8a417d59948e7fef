"""A small log, its lines, and its command."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from typer.testing import CliRunner

from scoring.inference_log import (
    Entry,
    InferenceLog,
)
from scoring.inference_log.__main__ import app

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "2026-11-21.w1.jsonl"


def entry(number: int, **changes) -> Entry:
    features = {"ext_mean": number / 7, "income_type": "Working"}
    values: dict[str, Any] = {"event_id": f"e{number}", "applicant": 700_000 + number, "request_id": "r"}
    scored = {"probability_of_default": 0.25, "threshold": 0.09, "decision": "refused", "features": features}
    return Entry(**(values | scored | changes))


def write(folder: Path, key: bytes, records: int = 12, now: datetime = NOON, worker: str = "w1", **options):
    log = InferenceLog(folder, worker, key, "credit_scoring:abc", categories=("income_type",), **options)
    for number in range(records):
        log.record([entry(number, event_id=f"{worker}-{now:%d}-{number}")], now)
    return log


def lines(folder: Path) -> list[bytes]:
    """Return the lines of the file: the header, then the records."""
    return (folder / NAME).read_bytes().splitlines(keepends=True)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def decided(rows: int, first: int = 0) -> tuple[list[int], pl.DataFrame, pl.DataFrame]:
    numbers = [(first + i) / 7 for i in range(rows)]
    verdict = pl.DataFrame(
        {"probability_of_default": numbers, "threshold": [0.09] * rows, "decision": ["refused"] * rows},
        schema_overrides={"probability_of_default": pl.Float64},
    ).with_columns(pl.col("probability_of_default") / 100)
    inputs = pl.DataFrame({"ext_mean": [*numbers[:-1], None], "income_type": ["Working"] * rows})
    return [700_000 + first + i for i in range(rows)], verdict, inputs


@cache
def quiet() -> int:
    """Peak memory of the command that finds nothing to read."""
    return peak("verify", "--log", "/nowhere/at/all")[0]


def peak(*arguments: object) -> tuple[int, str]:
    """Run the command in a process of its own; return its peak memory in bytes, and what it said."""
    command = [sys.executable, "-m", "scoring.inference_log", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_maxrss * 1024, said
