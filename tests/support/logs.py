"""A small log, its lines, and its command."""

import io
import json
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
from scoring.inference_log.compressed import unpack_bytes, unpacked
from scoring.inference_log.erasure import SUFFIX
from scoring.inference_log.packing import PACKED, log_files, open_log
from scoring.inference_log.store import Folder
from scoring.inference_log.table import rows_of, table_files

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


def content(folder: Path) -> bytes:
    """Return all that can be read in a log, unpacked."""
    parts = []
    for path in log_files(folder):
        with open_log(path) as file:
            parts.append(file.read())
    for path in table_files(folder):
        whole = path.read_bytes()
        parts.append(unpack_bytes(io.BytesIO(whole), 2**28) or b"" if path.suffix == PACKED else whole)
    return b"".join(parts + [path.read_bytes() for path in folder.glob(f"*{SUFFIX}")])


def everything(store: Folder) -> bytes:
    """Return all that can be read in a store, unpacked."""
    found = []
    for key in store.keys(""):
        content = store.get(key) or b""
        if key.endswith(".parquet"):
            content = pl.read_parquet(content).write_csv().encode()
        elif ".arrow" in key:
            content = rows_of(key.removesuffix(PACKED) + PACKED, content).write_csv().encode()
        elif key.endswith(".zst"):
            content = unpacked(io.BufferedReader(io.BytesIO(content))).read()
        found.append(content)
    return b"".join(found)


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
    return measured("verify", "--log", "/nowhere/at/all")[0]


# A process begins with the peak of the one that started it: that of pytest would hide a small command's.
_MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(json.dumps([peak, done.returncode, done.stdout + done.stderr]))
"""


def measured(*arguments: object, seconds: float = 600) -> tuple[int, int | None, str]:
    """Run the log's command alone; return its peak in bytes, exit code (None: it hangs) and words."""
    command = [sys.executable, "-m", "scoring.inference_log", *map(str, arguments)]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, *command],
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=ROOT,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return 0, None, ""
    peak, code, said = json.loads(done.stdout)
    return peak, code, said
