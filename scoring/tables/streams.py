"""Many Arrow streams written at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

HELD_BYTES = 64 * 2**20  # of records that wait for one another, so that few and long ones are written
OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class Streams:
    """Streams ``000000.arrow`` and so on in a folder, one writer for each; to be used in a ``with`` block.

    Records keep their order in each stream. A stream to which nothing is put has no file.
    """

    def __init__(self, folder: Path, held_bytes: int | None = None) -> None:
        self._folder = folder
        self._most = HELD_BYTES if held_bytes is None else held_bytes
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        self._held: list[tuple[pl.DataFrame, npt.NDArray[np.int64]]] = []
        self._bytes = 0
        self._open = ExitStack()

    def put(self, records: pl.DataFrame, places: npt.NDArray[np.int64]) -> None:
        """Add records, each to the stream of its place."""
        self._held.append((records, places))
        self._bytes += int(records.estimated_size())
        if self._bytes > self._most:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        frames, places = zip(*self._held, strict=True)
        self._held, self._bytes = [], 0
        place = np.concatenate(places)
        narrow = place.astype(np.uint16) if place.max(initial=0) < 2**16 else place  # sorted by its digits
        order = np.argsort(narrow, kind="stable")
        table = pl.concat(frames)[order].to_arrow(compat_level=pl.CompatLevel.oldest())
        ends = np.cumsum(np.bincount(place))
        for number in np.flatnonzero(np.diff(ends, prepend=0)).tolist():
            first = int(ends[number - 1]) if number else 0
            self._writer(number, table.schema).write_table(table.slice(first, int(ends[number]) - first))

    def _writer(self, number: int, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
        if number not in self._writers:
            made = pa.ipc.new_stream(str(self._folder / f"{number:06d}.arrow"), schema, options=OPTIONS)
            self._writers[number] = self._open.enter_context(made)
        return self._writers[number]

    def __enter__(self) -> Streams:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, unless something went wrong, and close every file."""
        if kind is not None:
            self._held = []
        self.close()

    def close(self) -> None:
        """Write what waits, and close every file."""
        with self._open:
            self._flush()


def slices(path: Path) -> Iterator[pl.DataFrame]:
    """Read a stream as it was written, a part at a time."""
    with pa.ipc.open_stream(str(path)) as reader:
        for batch in reader:
            found = pl.from_arrow(batch)
            assert isinstance(found, pl.DataFrame)
            yield found
