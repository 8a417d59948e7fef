"""How fast the bulk door decides whole tables over HTTP, and what its neighbours feel of it.

Serves the newest imported model, its trees replaced by 1,000 of 31 leaves, on a free port with a log in a
temporary folder, and compares with what `Booster.predict` alone takes in this process, one thread, on the
finished matrix.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
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

from benchmarks.results import record
from scoring import features, tables
from scoring.client import score_file
from scoring.client.batch import ROWS
from scoring.features.checks import as_request
from scoring.schema import ApplicationRequest
from scoring.scorer import BOOSTER, Scorer, read_examples
from scoring.scorer.model import Boosted

ROOT = Path(__file__).resolve().parent.parent
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
TEST = {"x-purpose": "test"}  # it decides nothing
TREES, JSON_ROWS, CLIENT_ROWS = 1_000, 10_000, 100_000
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """The service in processes of its own; its CPU seconds and memory are those of them all."""

    def __init__(self, folder: Path, log: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = os.environ | {
            "CREDIT_SCORING_LOG": log,
            "CREDIT_SCORING_KEY_FILE": str(folder / "pseudonym.key"),
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str(folder / "store"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = [sys.executable, "-m", "bentoml", "serve"]
        command += ["service:CreditScoring", "--host", "127.0.0.1", "--port", str(port)]
        with (folder / "stdout").open("w") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=url, timeout=300, trust_env=False, headers=TEST)
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
                with contextlib.suppress(OSError):  # a thread may end meanwhile
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
def polled(server: Server, path: str, document: object = None) -> Iterator[list[float]]:
    """Ask every 20 ms beside what happens in the block; give the seconds that each answer took.

    A process of its own asks: what this one sends would hold its interpreter up.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    seconds: list[float] = []
    asking = context.Process(target=_poll, args=(theirs, str(server.http.base_url), path, document))
    asking.start()
    mine.recv()  # it has begun
    try:
        yield seconds
    finally:
        mine.send("over")
        seconds += mine.recv()
        asking.join()


def _poll(pipe: Connection, url: str, path: str, document: object) -> None:
    seconds: list[float] = []
    with httpx.Client(base_url=url, timeout=60, trust_env=False, headers=TEST) as client:

        def ask() -> httpx.Response:
            return client.get(path) if document is None else client.post(path, json=document)

        ask().raise_for_status()
        pipe.send("begun")
        while not pipe.poll(0.02):
            began = time.perf_counter()
            ask().raise_for_status()
            seconds.append(time.perf_counter() - began)
    pipe.recv()
    pipe.send(seconds)


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


def finished(scorer: Scorer, table: pl.DataFrame) -> np.ndarray:
    """Return the matrix that the model reads."""
    raw = table.with_row_index("row")
    ready = raw.select("row", *features.HISTORY_FEATURES)
    return scorer.encode(features.build(tables.Portfolio(raw.drop(features.HISTORY_FEATURES), {}, ready)))


def store(found: Path, table: pl.DataFrame, home: Path) -> Path:
    """Put a copy of a scorer with 1,000 trees of 31 leaves into a model store, and return its folder."""
    scorer = Scorer.load(found)
    matrix = finished(scorer, table)
    drawn = np.random.default_rng(0).random(len(matrix)) < scorer.probability(
        features.build(
            tables.Portfolio(
                table.with_row_index("row").drop(features.HISTORY_FEATURES),
                {},
                table.with_row_index("row").select("row", *features.HISTORY_FEATURES),
            )
        )
    )
    names = scorer.feature_names
    parameters = {
        "objective": "binary",
        "num_leaves": 31,
        "learning_rate": 0.02,
        "num_threads": 2,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(matrix, drawn.astype(float), feature_name=names)
    text = lightgbm.train(parameters, data, num_boost_round=TREES).model_to_string()
    whole = replace(scorer, model=replace(scorer.model, function=Boosted(text)))
    requests = [ApplicationRequest.model_validate(example["request"]) for example in read_examples(found)]
    decided = whole.decide(features.build(tables.from_requests(requests, columns=features.READS)))
    examples = [
        {
            "request": example["request"],
            **{name: row[name] for name in ("probability_of_default", "decision")},
        }
        for example, row in zip(read_examples(found), decided.to_dicts(), strict=True)
    ]
    whole.save(home.parent / "scorer", pl.read_parquet(found / "reference.parquet"), examples)
    code = (
        "import bentoml, shutil, sys\n"
        "with bentoml.models.create('credit_scoring:bench') as model:\n"
        "    shutil.copytree(sys.argv[1], model.path, dirs_exist_ok=True)\n"
    )
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    subprocess.run([sys.executable, "-c", code, str(home.parent / "scorer")], env=environment, check=True)
    return home.parent / "scorer"


def predict_alone(folder: Path, matrix: np.ndarray, rounds: int) -> float:
    """Return the seconds of `Booster.predict` on the finished matrix, one thread, median."""
    booster = lightgbm.Booster(model_file=folder / BOOSTER)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        booster.predict(matrix, num_threads=1, raw_score=True)
        seconds.append(time.perf_counter() - began)
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


def pieces(body: bytes) -> Iterator[bytes]:
    """Give a body a mebibyte at a time: httpx would copy what is left of it again and again."""
    view = memoryview(body)
    for start in range(0, len(body), 2**20):
        yield bytes(view[start : start + 2**20])


def send(server: Server, body: bytes, headers: dict[str, str]) -> None:
    """Have a body decided."""
    headers = {**headers, "content-length": str(len(body))}
    server.http.post("/score", content=pieces(body), headers=headers).raise_for_status()


def p(seconds: list[float], quantile: float) -> float:
    """Return a quantile in milliseconds."""
    return 1_000 * float(np.quantile(seconds, quantile))


def main(
    portfolio: Annotated[Path, typer.Option(help="Applications to send.")] = Path("var/demo"),
    rows: Annotated[
        list[int] | None, typer.Option(help="Sizes of tables; 10000 and 100000 if not given.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Requests of each kind.", min=1)] = 5,
    is_json: Annotated[
        bool, typer.Option("--json/--no-json", help="Measure 10,000 rows of JSON too.")
    ] = True,
    is_client: Annotated[
        bool, typer.Option("--client/--no-client", help="Measure the batch client too.")
    ] = True,
) -> None:
    """Measure the bulk door, JSON of many rows, and the batch client, over HTTP.

    The model is the newest imported one with its trees replaced by 1,000 of 31 leaves. The log is on.

    Example: BENTOML_HOME=var/bentoml python -m benchmarks.bulk --portfolio var/demo
    """
    sizes = rows or [10_000, 100_000]
    shown = Table("figure", "", "unit", "target", "met")

    def note(name: str, figure: float, unit: str, target: float | None = None) -> None:
        met = None if target is None else bool(figure <= target)
        record(name, figure, unit, target=target, met=met, command="python -m benchmarks.bulk")
        told = {None: "", True: "yes", False: "no"}[met]
        shown.add_row(name, f"{figure:,.3f}", unit, "" if target is None else f"{target:g}", told)

    whole = applications(portfolio, max(*sizes, CLIENT_ROWS if is_client else 0, JSON_ROWS))
    home = Path(os.environ.get("BENTOML_HOME", Path.home() / "bentoml")) / "models/credit_scoring"
    newest = home / (home / "latest").read_text().strip()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        scorer = store(newest, whole.head(10_000), folder / "store")
        server = Server(folder, str(folder / "log"))
        try:
            one = {"applications": [as_request(whole.row(0, named=True))]}

            def beside(words: str, post: Callable[[], None], quiet: list[float]) -> None:
                with polled(server, "/livez") as health:
                    for _ in range(rounds):
                        post()
                with polled(server, "/score", one) as busy:
                    for _ in range(rounds):
                        post()
                note(f"/livez during {words}, p99", p(health, 0.99), "ms", 50)
                note(f"one row during {words}, p50 to quiet", p(busy, 0.5) / p(quiet, 0.5), "ratio", 2)

            with polled(server, "/score", one):
                time.sleep(2)
            with polled(server, "/score", one) as quiet:
                time.sleep(4)
            before = server.memory("VmRSS")
            for size in sizes:
                table = whole.head(size)
                body = arrow(table)
                alone = predict_alone(
                    scorer, finished(Scorer.load(scorer), table), 5 if size <= 20_000 else 3
                )

                post = partial(send, server, body, ARROW)

                server.forget_peak()
                post()
                turns = rounds if size <= 20_000 else min(rounds, 3)
                wall, cpu = timed(server, turns, post)
                peak = server.memory("VmHWM") - before
                words = f"{size:,} rows"
                note(f"Booster.predict alone, {words}", alone, "s")
                note(f"Arrow table, {words}, wall", wall, "s")
                note(f"Arrow table, {words}, wall to Booster.predict", wall / alone, "ratio", 0.6)
                note(f"Arrow table, {words}, CPU of the service to Booster.predict", cpu / alone, "ratio")
                note(f"Arrow table, {words}, payload", len(body) / 2**20, "MiB")
                note(f"Arrow table, {words}, peak memory to payload", peak / len(body), "ratio", 4)
                if size <= 20_000:
                    beside(f"an Arrow table of {words}", post, quiet)
            if is_json:
                table = whole.head(JSON_ROWS)
                requests = [as_request(row) for row in table.iter_rows(named=True)]
                text = json.dumps({"applications": requests}, separators=(",", ":")).encode()
                del requests
                alone = predict_alone(scorer, finished(Scorer.load(scorer), table), 5)

                post = partial(send, server, text, {"content-type": "application/json"})
                post()
                wall, cpu = timed(server, rounds, post)
                words = f"{JSON_ROWS:,} rows"
                note(f"JSON, {words}, wall", wall, "s")
                note(f"JSON, {words}, wall to Booster.predict", wall / alone, "ratio", 1)
                note(f"JSON, {words}, CPU of the service to Booster.predict", cpu / alone, "ratio")
                note(f"JSON, {words}, payload", len(text) / 2**20, "MiB")
                with polled(server, "/score", one) as after:
                    time.sleep(4)
                note(
                    f"one row after JSON of {words}, p50 to before",
                    p(after, 0.5) / p(quiet, 0.5),
                    "ratio",
                    1.1,
                )
                beside(f"JSON of {words}", post, quiet)
            if is_client:
                whole.head(CLIENT_ROWS).write_parquet(folder / "applications.parquet")
                chunks = [arrow(whole.slice(start, ROWS)) for start in range(0, CLIENT_ROWS, ROWS)]
                began = time.perf_counter()
                for chunk in chunks:
                    send(server, chunk, ARROW)
                needed = time.perf_counter() - began
                url = str(server.http.base_url)
                summary = score_file(
                    folder / "applications.parquet", folder / "out.parquet", url, purpose="test"
                )
                words = f"{CLIENT_ROWS:,} rows"
                note(f"batch client, {words}, wall", summary.seconds, "s")
                note(f"batch client, {words}, beyond the service", summary.seconds - needed, "s", 30)
        finally:
            server.stop()
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
