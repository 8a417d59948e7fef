"""Processes that are really served: ours with its own model, log and key, and the plain BentoML peer."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from scoring import features
from scoring.inference_log import packing, pseudonym_key, verify
from scoring.scorer import Scorer, ScorerError
from tests.support import small
from tests.torture.run import ROOT

TAG = "credit_scoring:tortured"
START_S = 240  # a machine that does much else is slow to start anything
_IDS = re.compile(rb'"event_id":"([^"]+)".*"request_id":"([^"]+)"')
QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "DO_NOT_TRACK": "1",
    "POLARS_MAX_THREADS": "2",
    "OMP_NUM_THREADS": "2",
    "PYTHONWARNINGS": "ignore",
}


def inherited() -> dict[str, str]:
    """Return this process's environment, but for what would make a service another than a user's.

    Its settings are the row's own, and compiled modules are kept: without them every start takes longer.
    """
    ours = ("CREDIT_SCORING_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Home:
    """A model store with one model, and the places where a service writes.

    The model is the newest of ``BENTOML_HOME`` (what `make run` serves), else one that is trained in seconds.
    """

    def __init__(self, folder: Path, tag: str = TAG) -> None:
        self.folder = folder
        self.tag = tag
        self.log = folder / "log"
        self.anchors = folder / "log-heads"
        self.key = folder / "pseudonym.key"
        self.scorer = put_model(folder, tag)

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the settings of a service that lives here."""
        ours = {
            "BENTOML_HOME": str(self.folder / "bentoml"),
            "CREDIT_SCORING_MODEL": self.tag,
            "CREDIT_SCORING_SPARE": "0",  # but where a row is about it: others count processes and memory
            "CREDIT_SCORING_LOG": str(self.log),
            "CREDIT_SCORING_LOG_ANCHORS": str(self.anchors),
            "CREDIT_SCORING_KEY_FILE": str(self.key),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return inherited() | QUIET | ours | changes

    def probabilities(self, requests: Sequence[dict[str, Any]]) -> list[float]:
        """Return what the scorer says of applications offline, without any server."""
        table = features.build(small.portfolio(list(requests)))
        return [float(p) for p in self.scorer.probability(table)]

    def ids(self) -> dict[str, str]:
        """Return event id -> request id of the decisions in the log; a line that is torn has none."""
        found: dict[str, str] = {}
        for path in packing.log_files(self.log):
            with packing.open_log(path) as file:
                for line in file:
                    ids = _IDS.search(line)
                    if ids and line.endswith(b"}\n"):
                        found[ids[1].decode()] = ids[2].decode()
        return found

    def faults(self) -> int:
        """Count what is wrong with the chain of the log."""
        return len(verify(self.log, self.anchors, pseudonym_key(self.key)).faults)


def source_model() -> Path | None:
    """Return the newest model of ``BENTOML_HOME``, if there is one that this code serves."""
    store = Path(os.environ.get("BENTOML_HOME") or ROOT / "var" / "bentoml") / "models" / "credit_scoring"
    latest = store / "latest"
    folder = store / latest.read_text().strip() if latest.is_file() else None
    if folder is None:
        return None
    try:
        scorer = Scorer.load(folder)
        scorer.check_features(features.names(scorer.policy))
    except (ScorerError, OSError):
        return None
    return folder


def model_words() -> str:
    """Say which model is served."""
    folder = source_model()
    if folder is None:
        return "one trained in seconds on 600 invented applications"
    scorer = Scorer.load(folder)
    engine = f"engine {scorer.engine}"
    return f"credit_scoring:{folder.name}, {scorer.family}, {engine}, {len(scorer.feature_names)} features"


def put_model(home: Path, tag: str, scorer: Path | None = None) -> Scorer:
    """Put a scorer into the store below ``home`` under a tag, and return it."""
    made = scorer or source_model()
    if made is None:
        made = home / "scorer"
        if not made.is_dir():
            small.save(made)
    code = (
        "import bentoml, shutil, sys\n"
        "with bentoml.models.create(sys.argv[2]) as model:\n"
        "    ignore = shutil.ignore_patterns('model.yaml')\n"
        "    shutil.copytree(sys.argv[1], model.path, ignore=ignore, dirs_exist_ok=True)\n"
    )
    environment = os.environ | QUIET | {"BENTOML_HOME": str(home / "bentoml")}
    subprocess.run([sys.executable, "-c", code, str(made), tag], env=environment, cwd=ROOT, check=True)
    return Scorer.load(made)


class Server:
    """A served process with its workers."""

    def __init__(self, command: Sequence[str], env: dict[str, str], out: Path, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.out = out
        test = {"x-purpose": "test"}  # it decides nothing
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=test)
        with out.open("ab") as file:
            self.process = subprocess.Popen(
                command, env=env, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def is_ready(self) -> bool:
        """Say whether it can decide now."""
        try:
            return self.http.get("/readyz", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def wait_ready(self, seconds: float = START_S) -> float:
        """Wait until it can decide; return how long that took.

        Raises
        ------
        RuntimeError
            If it ends, or does not get ready in time.
        """
        started = time.monotonic()
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.said()[-1_500:]}")
            if time.monotonic() - started > seconds:
                raise RuntimeError(f"not ready after {seconds} s: {self.said()[-1_500:]}")
            time.sleep(0.02)
        return time.monotonic() - started

    def said(self) -> str:
        """Return what it wrote on its output."""
        return self.out.read_text(encoding="utf-8", errors="replace")

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer requests: the supervisor's children, else itself."""
        try:
            main = psutil.Process(self.process.pid)
            children = [child for child in main.children() if _serves(child)]
        except psutil.NoSuchProcess:
            return []
        return children or [main]

    def family(self) -> list[psutil.Process]:
        """Return the supervisor with everything below it."""
        try:
            main = psutil.Process(self.process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def memory(self) -> int:
        """Return the resident memory of all its processes, in bytes."""
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def descriptors(self) -> int:
        """Count the open descriptors of all its processes."""
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.num_fds()
        return total

    def cpu_seconds(self) -> float:
        """Return the processor time of its processes that live."""
        total = 0.0
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def stop(self, seconds: float = 60) -> int:
        """Ask it to end, wait, and return its exit code; kill it if it does not."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def kill(self) -> None:
        """End it and everything below it, at once."""
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(20)


def _serves(process: psutil.Process) -> bool:
    """Tell a worker from a resource tracker."""
    try:
        return "bentoml" in " ".join(process.cmdline()) and "resource_tracker" not in " ".join(
            process.cmdline()
        )
    except psutil.NoSuchProcess:
        return False


def start(
    home: Home, port: int | None = None, workers: int = 1, before: Sequence[str] = (), **settings: str
) -> Server:
    """Start our service, without waiting for it; ``before`` is a command that starts the other one."""
    port = port or free_port()
    settings.setdefault("CREDIT_SCORING_WORKERS", str(workers))
    command = [*before, sys.executable, "-m", "bentoml", "serve", "service:CreditScoring"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    return Server(command, home.environment(**settings), home.folder / "stdout", port)


@contextlib.contextmanager
def served(home: Home, workers: int = 1, **settings: str) -> Iterator[Server]:
    """Serve until the end of the block."""
    server = start(home, workers=workers, **settings)  # type: ignore[arg-type]  # names of variables
    try:
        server.wait_ready()
        yield server
    finally:
        server.http.close()
        server.stop() if server.process.poll() is None else None


@contextlib.contextmanager
def stock(home: Home, monitoring: Path | None = None, workers: int = 1) -> Iterator[Server]:
    """Serve the plain BentoML peer over the same booster until the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "tests.torture.stock:Stock"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    booster = next((home.folder / "bentoml" / "models").glob("*/*/booster.txt"))
    env = home.environment(
        STOCK_BOOSTER=str(booster), STOCK_MONITORING=str(monitoring or home.folder / "monitoring")
    )
    if workers > 1:
        env["BENTOML_CONFIG_OPTIONS"] = f"services.stock.workers={workers}"
    server = Server(command, env, home.folder / "stock-stdout", port)
    try:
        server.wait_ready()
        yield server
    finally:
        server.http.close()
        server.stop() if server.process.poll() is None else None


def stock_rows(home: Home, requests: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Return applications as the peer takes them: the numbers that the booster reads, ready made."""
    matrix = home.scorer.encode(features.build(small.portfolio(list(requests))))
    names = [f"f{i}" for i in range(matrix.shape[1])]
    return [
        {name: float(value) for name, value in zip(names, row, strict=True) if value == value}
        for row in matrix
    ]


def scratch(folder: Path) -> Path:
    """Return an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
