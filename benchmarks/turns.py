"""How long a small table takes beside the worst valid one: the large ones of a service work in turns.

Serves the newest imported model on a free port, with a log in a temporary folder. The worst valid table has
as many rows as may be, every column, and a dictionary of millions of words, most of which no row has.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.bulk import ARROW, Server, applications, arrow, p, polled, send
from benchmarks.results import record
from scoring.features.checks import as_request

SMALL = 100  # rows


def worst(table: pa.Table, words: int) -> bytes:
    """Return a table as a stream whose first category is a dictionary of so many words."""
    name = next(name for name in table.column_names if pa.types.is_large_string(table[name].type))
    known = pa.array([f"{number:07}" for number in range(words)])
    column = pa.DictionaryArray.from_arrays(pa.array(np.arange(table.num_rows, dtype=np.int32)), known)
    whole = table.set_column(table.column_names.index(name), name, column)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return bytes(sink.getvalue().to_pybytes())


def seconds(ask: Callable[[], None], is_over: Callable[[], bool]) -> list[float]:
    """Ask again and again until it is over; return how long each answer took."""
    found: list[float] = []
    while not found or not is_over():
        began = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began)
    return found


def main(
    portfolio: Annotated[Path, typer.Option(help="Applications to send.")] = Path("var/demo"),
    rows: Annotated[int, typer.Option(help="Rows of the worst table.")] = 100_000,
    words: Annotated[int, typer.Option(help="Words of its dictionary.")] = 5_000_000,
) -> None:
    """Measure a small table, and one application, alone and beside the worst valid table.

    Example: BENTOML_HOME=var/bentoml python -m benchmarks.turns --portfolio var/demo
    """
    shown = Table("figure", "", "unit", "target", "met")

    def note(name: str, figure: float, unit: str, target: float | None = None) -> None:
        met = None if target is None else bool(figure <= target)
        record(name, figure, unit, target=target, met=met, command="python -m benchmarks.turns")
        told = {None: "", True: "yes", False: "no"}[met]
        shown.add_row(name, f"{figure:,.3f}", unit, "" if target is None else f"{target:g}", told)

    whole = applications(portfolio, rows)
    one = {"applications": [as_request(whole.row(0, named=True))]}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copytree(Path(os.environ.get("BENTOML_HOME", Path.home() / "bentoml")), folder / "store")
        server = Server(folder, str(folder / "log"))
        try:
            small = partial(send, server, arrow(whole.head(SMALL)), ARROW)
            large = partial(send, server, worst(whole.to_arrow(), words), ARROW)
            small()
            end = time.monotonic() + 4
            alone = seconds(small, lambda: time.monotonic() > end)
            with polled(server, "/score", one) as quiet:
                time.sleep(4)
            began = time.perf_counter()
            with polled(server, "/score", one) as busy:
                large()
            took = time.perf_counter() - began
            beside = threading.Thread(target=large)
            beside.start()
            time.sleep(0.5)  # it is inside
            waited = seconds(small, lambda: not beside.is_alive())
            beside.join()
        finally:
            server.stop()
    kind = f"{rows:,} rows and a dictionary of {words:,} words"
    note(f"worst valid table, {kind}, wall", took, "s")
    note(f"a table of {SMALL} rows alone, p50", p(alone, 0.5), "ms")
    note(f"a table of {SMALL} rows beside the worst one, p50", p(waited, 0.5), "ms")
    note(f"a table of {SMALL} rows beside the worst one, longest", p(waited, 1), "ms", 2_000)
    note("one row beside the worst table, p50 to quiet", p(busy, 0.5) / p(quiet, 0.5), "ratio", 2)
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
