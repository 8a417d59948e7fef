"""What it costs to ship a log, to verify it in its store, and to find a person in it: a folder, and a bucket.

A log of records and of tables with all inputs of a model is written into a temporary folder and shipped to a
folder of the same disk, then to an object store that speaks S3, SeaweedFS on this machine (WEED=PATH/bin/weed
where it is not on the PATH). CPU is shared with that server.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.log import KEY, MODEL
from benchmarks.results import record
from scoring import features, tables
from scoring.inference_log import Entry, InferenceLog, pseudonym
from scoring.inference_log.affected import affected_by
from scoring.inference_log.packing import log_files, pack
from scoring.inference_log.ship import ship
from scoring.inference_log.shipped import verify_shipped
from scoring.inference_log.store import Folder, Store, open_store
from tests.support.object_store import KEYS, object_store

PER_SECOND = 200  # decisions, which shipping must outrun with ease
TABLE_ROWS = 10_000  # of a request


@contextmanager
def bucket(given: str) -> Iterator[str]:
    """Give the store that was named, or one of a server that runs until the end of the block."""
    if given:
        yield given
        return
    import os

    from pyarrow import fs

    os.environ.update(KEYS)
    with object_store() as endpoint:
        fs.S3FileSystem(endpoint_override=endpoint, scheme="http", allow_bucket_creation=True).create_dir(
            "bench"
        )
        yield f"s3://bench/log?endpoint_override={endpoint}&scheme=http&region=us-east-1"


def write(folder: Path, inputs: pl.DataFrame, records: int, rows: int, days: int) -> InferenceLog:
    """Write days of single decisions and of requests of many rows, whose inputs repeat."""
    categories = frozenset(name for name, dtype in inputs.schema.items() if dtype == pl.String)
    chance, start = random.Random(1), datetime(2026, 1, 1, 12, tzinfo=UTC)
    log = InferenceLog(folder, "w1", KEY, MODEL, categories=categories, is_packed=True)
    for day in range(days):
        now = start + timedelta(days=day)
        for number in range(records // days):
            row = inputs.row(number % inputs.height, named=True)
            one = Entry(uuid.uuid4().hex, number, uuid.uuid4().hex, chance.random(), 1 / 11, "granted", row)
            log.record([one], now)
        for request in range(max(1, rows // days // TABLE_ROWS)):
            with log.table(f"{day:012}{request:012}", uuid.uuid4().hex, "bench", now) as table:
                for part in inputs.sample(TABLE_ROWS, with_replacement=True, seed=request).iter_slices(2_048):
                    said = pl.DataFrame(
                        {"probability_of_default": [chance.random() for _ in range(part.height)]}
                    )
                    decided = said.with_columns(threshold=pl.lit(1 / 11), decision=pl.lit("granted"))
                    table.add([chance.randrange(10**6) for _ in range(part.height)], decided, part)
                table.commit()
    log.close()
    for path in log_files(folder):
        pack(path)
    return log


def size(folder: Path) -> int:
    """Return the bytes of the files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(
    portfolio: Annotated[Path, typer.Option(help="Applications to record.")] = Path("var/demo"),
    records: Annotated[int, typer.Option(help="Single decisions.", min=100)] = 20_000,
    rows: Annotated[int, typer.Option(help="Decisions of large requests.", min=TABLE_ROWS)] = 100_000,
    days: Annotated[int, typer.Option(help="Days of the log.", min=1)] = 5,
    store: Annotated[str, typer.Option(help="s3://BUCKET/FOLDER in place of a server of its own.")] = "",
    made_by: Annotated[str, typer.Option(help="What made the portfolio, for the record.")] = "",
) -> None:
    """Measure decisions a second and bytes a decision on the way to a store.

    Example: python -m benchmarks.shipping --portfolio var/demo
    """
    own = f"python -m benchmarks.shipping --portfolio {portfolio} --records {records} --rows {rows}"
    command = " && ".join(filter(None, [made_by, own]))
    shown = Table("figure", "", "unit", "target", "met")

    def note(name: str, figure: float, unit: str, target: float | None = None) -> None:
        met = None if target is None else bool(figure >= target)
        record(name, figure, unit, target=target, met=met, command=command)
        shown.add_row(name, f"{figure:,.1f}", unit, "" if target is None else f"{target:g}", str(met or ""))

    def now() -> datetime:
        return datetime.now(UTC)

    read = tables.read(portfolio, "train", columns=features.READS)
    inputs = features.build(read).select(features.names(("gender", "family_status")))
    with tempfile.TemporaryDirectory() as scratch, bucket(store) as place:
        log = write(Path(scratch) / "log", inputs, records, rows, days)
        count = records // days * days + max(1, rows // days // TABLE_ROWS) * TABLE_ROWS * days
        folder = Folder(Path(scratch) / "store")
        stores: dict[str, Store] = {"a folder": folder, "a bucket": open_store(place)}
        for kind, one in stores.items():
            began, cpu = time.monotonic(), time.process_time()
            done = ship(log.folder, log.anchors, KEY, one, now)
            seconds, cpu = time.monotonic() - began, time.process_time() - cpu
            assert done.decisions == count and not done.left, done
            note(f"shipping to {kind}", count / seconds, "decisions/s", 10 * PER_SECOND)
            note(f"shipping to {kind}, CPU", 1e6 * cpu / count, "µs a decision")
            began = time.monotonic()
            assert ship(log.folder, log.anchors, KEY, one, now).before == days
            note(f"shipping to {kind}, all being there", time.monotonic() - began, "s")
            began = time.monotonic()
            assert not verify_shipped(one, KEY).faults
            note(f"verifying {kind}", count / (time.monotonic() - began), "decisions/s")
        note("in the log, its files closed", size(log.folder) / count, "bytes a decision")
        note("in the store, files", size(folder.root / "files") / count, "bytes a decision")
        note("in the store, Parquet", size(folder.root / "decisions") / count, "bytes a decision")
        began = time.process_time()
        affected_by(log.folder, log.anchors, KEY, pseudonym(KEY, 10**7), now())
        note(
            "erasing, the search of a person in the log, CPU",
            1e6 * (time.process_time() - began) / count,
            "µs a decision",
        )
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
