"""How fast the bulk door decides whole tables over HTTP, and what its neighbours feel of it.

Serves the newest imported model on a free port, with a log in a temporary folder, and compares with what
`Booster.predict` alone takes in this process, one thread, on the finished matrix.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import httpx
import lightgbm
import numpy as np
import polars as pl
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scoring import features, tables  # noqa: E402
from scoring.scorer import BOOSTER, Scorer  # noqa: E402

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Record:
    """One measured figure beside its target; ``met`` is None where there is no target."""

    name: str
    figure: float
    unit: str
    target: float | None
    met: bool | None
    command: str


class Server:
    """The service in processes of its own; its CPU seconds and memory are those of them all."""

    def __init__(self, folder: Path, log: str, niceness: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = os.environ | {
            "CREDIT_SCORING_LOG": log,
            "CREDIT_SCORING_KEY_FILE": str(folder / "pseudonym.key"),
            "BENTOML_DO_NOT_TRACK": "True",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = ["nice", "-n", str(niceness), sys.executable, "-m", "bentoml", "serve"]
        command += ["service:CreditScoring", "--host", "127.0.0.1", "--port", str(port)]
        with (folder / "stdout").open("w") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False)
        for _ in range(1_200):
            if self.process.poll() is not None:
                raise SystemExit((folder / "stdout").read_text())
            try:
                if self.http.get("/readyz").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise SystemExit("the service did not start within two minutes")

    def pids(self) -> list[int]:
        """Return the processes of the service."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def cpu_s(self) -> float:
        """Return the CPU seconds that they have used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS

    def memory(self, name: str) -> int:
        """Return VmRSS (now) or VmHWM (highest since `forget_peak`) of the largest, in bytes."""
        lines = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return max(int(text.partition(f"{name}:")[2].split()[0]) for text in lines if name in text) * 1024

    def forget_peak(self) -> None:
        """Start the high-water mark anew."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        """End the service."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@contextmanager
def polled(server: Server, ask: Callable[[httpx.Client], httpx.Response]) -> Iterator[list[float]]:
    """Ask every 20 ms beside what happens in the block; give the seconds that each answer took."""
    seconds: list[float] = []
    over = threading.Event()

    def poll() -> None:
        with httpx.Client(base_url=server.http.base_url, timeout=60, trust_env=False) as client:
            while not over.wait(0.02):
                began = time.perf_counter()
                ask(client).raise_for_status()
                seconds.append(time.perf_counter() - began)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield seconds
    finally:
        over.set()
        thread.join()


def applications(path: Path, rows: int) -> pl.DataFrame:
    """Return so many applications with aggregates; a small portfolio is repeated under new numbers."""
    portfolio = tables.read(path, "train", columns=features.READS)
    raw = portfolio.applications.drop("row", "TARGET")
    whole = raw.hstack(features.build(portfolio).select(features.HISTORY_FEATURES))
    repeated = pl.concat([whole] * (-(-rows // whole.height))).head(rows)
    return repeated.with_columns(SK_ID_CURR=pl.int_range(100_001, 100_001 + rows, dtype=pl.Int64)).rechunk()


def arrow(table: pl.DataFrame) -> bytes:
    """Return a table as an Arrow stream."""
    sink = io.BytesIO()
    whole = table.to_arrow()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return sink.getvalue()


def predict_alone(scorer_folder: Path, table: pl.DataFrame, rounds: int) -> float:
    """Return the CPU seconds of `Booster.predict` on the finished matrix, one thread, median."""
    scorer = Scorer.load(scorer_folder)
    raw = table.with_row_index("row")
    ready = raw.select("row", *features.HISTORY_FEATURES)
    matrix = scorer.encode(features.build(tables.Portfolio(raw.drop(features.HISTORY_FEATURES), {}, ready)))
    booster = lightgbm.Booster(model_file=scorer_folder / BOOSTER)
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        booster.predict(matrix, num_threads=1, raw_score=True)
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def timed(server: Server, rounds: int, ask: Callable[[], object]) -> tuple[float, float]:
    """Return the median wall seconds and server CPU seconds of a call."""
    walls, cpus = [], []
    for _ in range(rounds):
        cpu, began = server.cpu_s(), time.perf_counter()
        ask()
        walls.append(time.perf_counter() - began)
        cpus.append(server.cpu_s() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def main(
    portfolio: Annotated[Path, typer.Option(help="Applications to send.")] = Path("var/demo"),
    out: Annotated[Path, typer.Option(help="Records to write, JSON.")] = Path("benchmarks/bulk.json"),
    rows: Annotated[
        list[int] | None, typer.Option(help="Sizes of tables; 10000 and 100000 if not given.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Requests of each kind.", min=1)] = 5,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Record the decisions, as a service does.")
    ] = True,
    niceness: Annotated[int, typer.Option(help="Niceness of the service.")] = 0,
) -> None:
    """Measure the bulk door over HTTP.

    Example: BENTOML_HOME=var/bentoml python benchmarks/bulk.py --portfolio var/demo
    """
    command = f"python benchmarks/bulk.py --portfolio {portfolio.name}" + ("" if log else " --no-log")
    sizes = rows or [10_000, 100_000]
    records: list[Record] = []

    def note(name: str, figure: float, unit: str, target: float | None = None) -> None:
        met = None if target is None else bool(figure <= target)
        records.append(Record(name, round(figure, 4), unit, target, met, command))

    whole = applications(portfolio, max(sizes))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        server = Server(folder, str(folder / "log") if log else "off", niceness)
        try:
            tag = server.http.get("/model").json()["model"]
            home = Path(os.environ.get("BENTOML_HOME", Path.home() / "bentoml"))
            scorer = home / "models" / tag.replace(":", "/")
            one = {
                "applications": tables.to_requests(
                    tables.Portfolio(whole.head(1).select(pl.col("^[A-Z].*$")).with_row_index("row"), {}), [0]
                )
            }

            def score_one(client: httpx.Client) -> httpx.Response:
                return client.post("/score", json=one)

            with polled(server, score_one) as quiet:
                time.sleep(4)
            with polled(server, lambda client: client.get("/livez")) as idle:
                time.sleep(4)
            note("/livez while nothing happens, p99", 1_000 * float(np.quantile(idle, 0.99)), "ms")
            before = server.memory("VmRSS")
            for size in sizes:
                table = whole.head(size)
                body = arrow(table)
                alone = predict_alone(scorer, table, min(rounds, 3))

                def post(body: bytes = body, **headers: str) -> None:
                    server.http.post("/score", content=body, headers=ARROW | headers).raise_for_status()

                server.forget_peak()
                post()
                wall, cpu = timed(server, rounds if size <= 20_000 else min(rounds, 3), post)
                peak = server.memory("VmHWM") - before
                with polled(server, lambda client: client.get("/livez")) as health:
                    post()
                with polled(server, score_one) as busy:
                    post()
                words = f"{size:,} rows"
                note(f"Booster.predict alone, {words}", alone, "CPU s")
                note(f"Arrow table, {words}, wall", wall, "s")
                note(f"Arrow table, {words}, service", cpu, "CPU s")
                note(f"Arrow table, {words}, wall to Booster.predict", wall / alone, "ratio", 0.6)
                note(f"Arrow table, {words}, CPU to Booster.predict", cpu / alone, "ratio", 0.6)
                note(f"Arrow table, {words}, payload", len(body) / 2**20, "MiB")
                note(f"Arrow table, {words}, peak memory to payload", peak / len(body), "ratio", 4)
                note(f"/livez during {words}, p99", 1_000 * float(np.quantile(health, 0.99)), "ms", 50)
                note(f"one row during {words}, p50 to quiet", np.median(busy) / np.median(quiet), "ratio", 2)
        finally:
            server.stop()
    out.write_text(json.dumps([asdict(record) for record in records], indent=1) + "\n", encoding="utf-8")
    shown = Table("figure", "", "unit", "target", "met")
    for record in records:
        target = "" if record.target is None else f"{record.target:g}"
        met = {None: "", True: "yes", False: "no"}[record.met]
        shown.add_row(record.name, f"{record.figure:,.3f}", record.unit, target, met)
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
