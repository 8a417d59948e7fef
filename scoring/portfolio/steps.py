"""What Spark's workers do: records into parcels by bucket, months to their applicants, a bucket's work.

A parcel is a row that Spark moves and does not look into: the number of a bucket, the name of a table, and
records of that bucket and table as an Arrow stream. So Spark only ever sorts parcels.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from scoring import features
from scoring.portfolio.job import RunError, Task, code_sha256, keep
from scoring.portfolio.work import Work
from scoring.schema import KEY
from scoring.tables import TableError
from scoring.tables.buckets import (
    APPLICATIONS,
    POSITION,
    ApplicantBucket,
    BucketPlan,
    Buckets,
    assembled,
    bucket_of,
)
from scoring.tables.faults import Place
from scoring.tables.portfolio import LINK
from scoring.tables.raw import of_batch
from scoring.tables.reading import check_labels

PARCELS = pa.schema(
    [("bucket", pa.int32()), ("tag", pa.string()), ("ownerless", pa.int64()), ("records", pa.binary())]
)
DDL = "bucket int, tag string, ownerless long, records binary"
RECEIPT = "receipt string"
FILE, BLOCK, ROW = "_file", "_block", "_row"
"""Columns beside the records, where Spark knows them: the file, where a part of it begins, the row in it."""

HELD_BYTES = 64 * 2**20
PLACE_BITS = 40  # of a position: a place in a file; above them, the number of the file
CREDITS, MONTHS = "credits", "months"


class Parcels:
    """Records that wait until there are many, and then go by bucket."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._held: list[tuple[pl.DataFrame, npt.NDArray[np.int64]]] = []
        self._bytes = 0
        self.ownerless = 0

    def put(self, records: pl.DataFrame, places: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Add records, each for its bucket; give parcels when there are enough."""
        self._held.append((records, places))
        self._bytes += int(records.estimated_size())
        if self._bytes > HELD_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Give what waits."""
        rows: list[tuple[int, str, int, bytes]] = []
        if self._held:
            frames, places = zip(*self._held, strict=True)
            place = np.concatenate(places)
            order = np.argsort(place, kind="stable")
            table = pl.concat(frames)[order]
            numbers, starts = np.unique(place[order], return_index=True)
            ends = [*starts[1:].tolist(), table.height]
            for number, first, last in zip(numbers.tolist(), starts.tolist(), ends, strict=True):
                sink = io.BytesIO()
                table[first:last].write_ipc_stream(sink, compression="lz4")
                rows.append((number, self._tag, 0, sink.getvalue()))
        if self.ownerless:
            rows.append((0, self._tag, self.ownerless, b""))
        self._held, self._bytes, self.ownerless = [], 0, 0
        if rows:
            values = zip(zip(*rows, strict=True), PARCELS, strict=True)
            columns = [pa.array(column, field.type) for column, field in values]
            yield pa.record_batch(columns, schema=PARCELS)


def table(batches: Iterator[pa.RecordBatch], said: str, _: str) -> Iterator[pa.RecordBatch]:
    """Put the records of a table into parcels: by the bucket of their applicant or, beside credits, of it."""
    told = json.loads(said)
    kinds, key = dict(told["kinds"]), told["key"]
    parcels = Parcels(told["tag"])
    for frame in _typed(batches, kinds, told):
        if told["tag"] == APPLICATIONS:
            check_labels(told["label"], frame, partial(_at, frame))
        found = frame.filter(pl.col(key).is_not_null())
        parcels.ownerless += frame.height - found.height if told["tag"] != CREDITS else 0
        yield from parcels.put(found, bucket_of(found[key], told["slots"]))
    yield from parcels.flush()


def _at(frame: pl.DataFrame, row: int) -> Place:
    return Place("at_row", (frame[POSITION][row] & ((1 << PLACE_BITS) - 1)) + 1)


def _typed(
    batches: Iterator[pa.RecordBatch], kinds: dict[str, str], told: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    """Give records as the one reader of files types them, with their position in the table."""
    files = {one_slash(file): number for number, file in enumerate(told["files"])}
    seen: dict[tuple[str, int], int] = {}
    before, part = 0, _part()
    for batch in batches:
        if not batch.num_rows:
            continue
        if ROW in batch.schema.names:
            place = batch.column(ROW).to_numpy()
        elif BLOCK in batch.schema.names:
            place = _places(batch, seen)
        else:
            place = np.arange(before, before + batch.num_rows)
        before += batch.num_rows
        number = np.full(batch.num_rows, part)
        if FILE in batch.schema.names:
            known, which = np.unique(batch.column(FILE).to_numpy(zero_copy_only=False), return_inverse=True)
            number = np.array([files[one_slash(file)] for file in known], dtype=np.int64)[which]
        frame = of_batch(batch, kinds, told["label"], pl.Series(place + 1))
        yield frame.with_columns(pl.Series(POSITION, number << PLACE_BITS | place, dtype=pl.Int64))


def _part() -> int:
    """Return which part of a table, or which bucket, this is."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None
    return int(context.partitionId())


def one_slash(uri: str) -> str:
    """Return the URI of a file as all parts of Spark may write it: some say file:/ and some file:///."""
    return re.sub("^file:/+", "file:/", uri)


def _places(batch: pa.RecordBatch, seen: dict[tuple[str, int], int]) -> npt.NDArray[np.int64]:
    """Return places in a text that rise as its lines do: a line is longer than nothing."""
    place = np.empty(batch.num_rows, np.int64)
    pairs = zip(batch.column(FILE).to_pylist(), batch.column(BLOCK).to_pylist(), strict=True)
    for row, pair in enumerate(pairs):
        count = seen.get(pair, 0)
        place[row] = pair[1] + count
        seen[pair] = count + 1
    return place


def months(batches: Iterator[pa.RecordBatch], said: str, _: str) -> Iterator[pa.RecordBatch]:
    """Bring each month of a credit to the applicant of that credit; the partition has both."""
    told = json.loads(said)
    plan = BucketPlan(**told["plan"])
    found, ownerless = opened(batches)
    empty = pl.DataFrame(schema={KEY: pl.Int64, LINK: pl.Int64})
    owners = pl.concat([empty, *(frame.select(KEY, LINK) for frame in found.get(CREDITS, []))])
    parcels = Parcels("bureau_balance")
    parcels.ownerless = ownerless.get(MONTHS, 0)
    if twice := owners.filter(pl.col(LINK).is_duplicated()).height:
        raise TableError("shared_value", file="bureau", name=LINK, lines=twice)
    if MONTHS in found:
        frame = pl.concat(found[MONTHS])  # one by one, each parcel would have the credits hashed anew
        owned = frame.join(owners, on=LINK, how="inner", maintain_order="left")
        parcels.ownerless += frame.height - owned.height
        yield from parcels.put(owned, bucket_of(owned[KEY], plan.buckets))
    yield from parcels.flush()


def opened(batches: Iterator[pa.RecordBatch]) -> tuple[dict[str, list[pl.DataFrame]], dict[str, int]]:
    """Return the records of parcels by their tags, and how many have no owner."""
    found: dict[str, list[pl.DataFrame]] = {}
    ownerless: dict[str, int] = {}
    for batch in batches:
        for row in batch.to_pylist():
            if row["records"]:
                found.setdefault(row["tag"], []).append(pl.read_ipc_stream(io.BytesIO(row["records"])))
            ownerless[row["tag"]] = ownerless.get(row["tag"], 0) + row["ownerless"]
    return found, ownerless


@cache
def _work(task: str, root: str) -> tuple[Work, str]:
    said = json.loads(task)
    if said["scorer"]:
        said["scorer"] = str(Path(root) / said["scorer"])  # its archive
    return Task(**said).work()


@cache
def _check_code(sha256: str, root: str) -> None:
    if code_sha256() != sha256:
        raise RunError(f"a worker has other code than was sent to {root}; let its Python find none but that.")


def work(batches: Iterator[pa.RecordBatch], said: str, root: str) -> Iterator[pa.RecordBatch]:
    """Do what is to be done with a bucket, whose parcels are the partition, and give its receipt."""
    told = json.loads(said)

    def bucket(_: int) -> ApplicantBucket:
        found, ownerless = opened(batches)
        tables = {tag: pl.concat(frames) for tag, frames in found.items()}
        made = assembled(BucketPlan(**told["plan"]), tables, told["tables"])
        for tag, count in ownerless.items():
            if count:
                made.orphans[tag] += count
        return made

    yield _receipt(told, root, bucket)


def laid(_: Iterator[pa.RecordBatch], said: str, root: str) -> Iterator[pa.RecordBatch]:
    """Do what is to be done with a bucket that lies in a folder, and give its receipt."""
    told = json.loads(said)
    yield _receipt(told, root, Buckets(Path(told["layout"]), features.READS).read)


def _receipt(told: dict[str, Any], root: str, bucket: Callable[[int], ApplicantBucket]) -> pa.RecordBatch:
    """Return the receipt of the bucket of this partition; its number alone if it was done before."""
    _check_code(told["code"], root)
    doing, kernel = _work(json.dumps(told["task"], sort_keys=True), root)
    number = _part()
    receipt: dict[str, Any] = {"number": number}
    if number not in told["done"]:
        found = bucket(number)
        receipt = keep(Path(told["out"]), number, found, doing(found), kernel)
    return pa.record_batch([pa.array([json.dumps(receipt)])], names=["receipt"])
