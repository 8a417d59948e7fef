"""What a decision takes in the log: bytes when it is written, when its file is closed, in a table; and CPU.

Compares with the form before: each record named its own features, and tables were packed column by column.
Both are measured in turns in this process, on a log in a temporary folder, each record synced.
"""

from __future__ import annotations

import hashlib
import io
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.results import record
from scoring import features, tables
from scoring.inference_log import Entry, InferenceLog, pseudonym, strict_json
from scoring.inference_log.packing import log_files, pack, place
from scoring.inference_log.table import encode
from scoring.serving.large.stream import SLICE

KEY, MODEL = bytes(32), "credit_scoring:bench"
PER_SECOND = 200  # decisions, of the figure for a day


def named(entry: Entry, categories: frozenset[str], now: datetime) -> bytes:
    """Return a record as it was before: with the names of its features."""
    inputs = {
        "numbers": {name: value for name, value in entry.features.items() if name not in categories},
        "categories": {name: value for name, value in entry.features.items() if name in categories},
    }
    said = {
        "schema_version": 1,
        "event_id": entry.event_id,
        "time": f"{now:%Y-%m-%dT%H:%M:%S.%f}Z",
        "model": MODEL,
        "probability_of_default": entry.probability_of_default,
        "threshold": entry.threshold,
        "decision": entry.decision,
    }
    read = strict_json(inputs)
    audit = {
        "applicant": pseudonym(KEY, entry.applicant),
        "request_id": entry.request_id,
        "operator": None,
        "inputs_sha256": hashlib.sha256(read).hexdigest(),
        "reasons": None,
    }
    return b'%s,"audit":%s,"inputs":%s}' % (strict_json(said)[:-1], strict_json(audit), read)


def by_column(applicants: Sequence[str], decided: pl.DataFrame, inputs: pl.DataFrame) -> bytes:
    """Return a table as it was packed before."""
    numbers = pl.concat(
        [decided.select(pl.col(pl.Float64)), inputs.select(pl.col(pl.Float64))], how="horizontal"
    )
    assert numbers.select(pl.all().is_finite().all()).row(0)
    sink = io.BytesIO()
    whole = decided.clone().insert_column(0, pl.Series("applicant", applicants, dtype=pl.String))
    whole.hstack(inputs).write_ipc(sink, compression="lz4")
    return sink.getvalue()


def in_turns(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Return the median CPU seconds of calls made one after the other, again and again."""
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, spent, strict=True):
            began = time.process_time()
            call()
            seconds.append(time.process_time() - began)
    return [statistics.median(seconds) for seconds in spent]


def main(
    portfolio: Annotated[Path, typer.Option(help="Applications to record.")] = Path("var/demo"),
    records: Annotated[int, typer.Option(help="How many records.", min=100, max=3_600)] = 3_000,
    made_by: Annotated[str, typer.Option(help="What made the portfolio, for the record.")] = "",
) -> None:
    """Measure the bytes and the CPU of a decision in the log.

    Example: python -m benchmarks.log --portfolio var/demo
    """
    command = " && ".join(filter(None, [made_by, f"python -m benchmarks.log --portfolio {portfolio}"]))
    shown = Table("figure", "", "unit", "target", "met")

    def note(name: str, figure: float, unit: str, target: float | None = None) -> None:
        met = None if target is None else bool(figure <= target)
        record(name, figure, unit, target=target, met=met, command=command)
        told = {None: "", True: "yes", False: "no"}[met]
        shown.add_row(name, f"{figure:,.3f}", unit, "" if target is None else f"{target:g}", told)

    read = tables.read(portfolio, "train", columns=features.READS)
    inputs = features.build(read).select(features.names(("gender", "family_status"))).head(records)
    categories = frozenset(name for name, dtype in inputs.schema.items() if dtype == pl.String)
    chance, now = random.Random(1), datetime.now(UTC)
    entries = [
        Entry(uuid.uuid4().hex, i, uuid.uuid4().hex, chance.random(), 1 / 11, "granted", row)
        for i, row in enumerate(inputs.iter_rows(named=True))
    ]
    with tempfile.TemporaryDirectory() as scratch:
        log, old = (
            InferenceLog(Path(scratch) / name, "w1", KEY, MODEL, categories=categories) for name in "ab"
        )
        waiting, known = iter(entries), iter(entries)
        before, after = in_turns(
            len(entries),
            lambda: old._put([named(next(known), categories, now)], now),
            lambda: log.record([next(waiting)], now),
        )
        for one in (log, old):
            one.close()
        (file,), (plain,) = log_files(log.folder), log_files(old.folder)
        written, named_bytes = (path.stat().st_size / len(entries) for path in (file, plain))
        began = time.process_time()
        assert pack(file)
        packing = (time.process_time() - began) / len(entries)
        closed = place(file).stat().st_size / len(entries)
    part = inputs.head(SLICE)
    ids = [pseudonym(KEY, i) for i in range(part.height)]
    said = {"probability_of_default": [entry.probability_of_default for entry in entries[: part.height]]}
    decided = pl.DataFrame(said).with_columns(threshold=pl.lit(1 / 11), decision=pl.lit("granted"))
    row, row_before = (len(way(ids, decided, part)) / part.height for way in (encode, by_column))
    table_before, table_after = in_turns(
        15, lambda: by_column(ids, decided, part), lambda: encode(ids, decided, part)
    )
    day = PER_SECOND * 86_400 / 1e9
    note("record in the log, written", written, "bytes", 6_000)
    note("record in the log, written, its features named", named_bytes, "bytes")
    note("record in the log, its file closed", closed, "bytes", 2_000)
    note("log of a day at 200 decisions a second, files closed", closed * day, "GB")
    note("row of a table in the log", row, "bytes", 1_200)
    note("row of a table in the log, packed by column", row_before, "bytes")
    note("record in the log, CPU to one that names its features", after / before, "ratio", 1.03)
    note(
        "record in the log and packing it, CPU to one that names them",
        (after + packing) / before,
        "ratio",
        1.03,
    )
    note("packing a record when its file is closed, CPU", packing * 1e6, "µs")
    more = (table_after - table_before) / part.height
    note("row of a table in the log, CPU beyond packing by column", more * 1e6, "µs")
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
