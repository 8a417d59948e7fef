"""Tables as Arrow streams."""

import io
from typing import Any

import polars as pl
import pyarrow as pa


def stream(table: pa.Table | pl.DataFrame, **options: Any) -> bytearray:
    """Write a table as an Arrow stream."""
    arrow = table.to_arrow() if isinstance(table, pl.DataFrame) else table
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, arrow.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(arrow)
    return bytearray(sink.getvalue())
