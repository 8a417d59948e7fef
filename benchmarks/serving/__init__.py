"""The servers that ours is compared with: how each is started, asked and made ready."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / "var" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")

Body = dict[str, Any]  # one application


def ours(application: Body) -> bytes:
    """Write an application as our service takes it; most peers take the same."""
    return json.dumps({"applications": [application]}).encode()


def open_inference(application: Body) -> bytes:
    """Write it for the Open Inference Protocol: one string."""
    text = ours(application).decode()
    inputs = [{"name": "applications", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]
    return json.dumps({"inputs": inputs}).encode()


def mlflow_records(application: Body) -> bytes:
    """Write it for `mlflow models serve`."""
    return json.dumps({"dataframe_records": [application]}).encode()


@dataclass(frozen=True)
class Peer:
    """One server: its environment, its command, and the way it is asked."""

    name: str
    environment: str | None  # a list of pins beside this file; None is the project's own environment
    command: Callable[[Path, int, Path], list[str]]  # from the environment's bin, a port, a folder of its own
    path: str = "/score"
    ready: str = "/ready"
    write: Callable[[Body], bytes] = ours
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        """Folder of the programs of its environment."""
        return Path(sys.executable).parent if self.environment is None else _bin(self.environment)

    @property
    def is_installed(self) -> bool:
        """Say whether its environment is there."""
        return (self.bin / "python").exists()


def _bin(environment: str) -> Path:
    return ENVIRONMENTS / environment / "bin"


def _bentoml(programs: Path, port: int, _: Path) -> list[str]:
    serve = [str(programs / "python"), "-m", "bentoml", "serve", "service:CreditScoring"]
    return [*serve, "--host", "127.0.0.1", "--port", str(port)]


def _uvicorn(app: str) -> Callable[[Path, int, Path], list[str]]:
    def command(programs: Path, port: int, _: Path) -> list[str]:
        return [
            str(programs / "uvicorn"),
            app,
            "--port",
            str(port),
            "--no-access-log",
            "--log-level",
            "error",
        ]

    return command


def _script(name: str) -> Callable[[Path, int, Path], list[str]]:
    return lambda programs, *_: [str(programs / "python"), str(HERE / name)]


def _mlserver(batch: int) -> Callable[[Path, int, Path], list[str]]:
    def command(programs: Path, port: int, folder: Path) -> list[str]:
        free = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        settings = {
            "host": "127.0.0.1",
            "parallel_workers": 0,
            "debug": False,
            "use_structured_logging": False,
        }
        model: dict[str, Any] = {"name": "scoring", "implementation": "mlserver_runtime.Scoring"}
        if batch > 1:
            model |= {"max_batch_size": batch, "max_batch_time": 0.005}
        (folder / "settings.json").write_text(json.dumps(free | settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return [str(programs / "mlserver"), "start", str(folder)]

    return command


def _mlflow(programs: Path, port: int, folder: Path) -> list[str]:
    model = folder / "model"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{HERE}", "MLFLOW_DISABLE_TELEMETRY": "true"}
    script = [str(programs / "python"), str(HERE / "mlflow_server.py"), str(model)]
    subprocess.run(script, check=True, env=environment, cwd=folder, capture_output=True)
    serve = [str(programs / "mlflow"), "models", "serve", "-m", str(model), "--env-manager", "local"]
    return [*serve, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]


OURS, TUNED, USUAL, MLFLOW = "ours", "FastAPI, tuned by hand", "FastAPI, the usual way", "mlflow models serve"
RAY = "Ray Serve"
BATCHED, UNBATCHED = "ours, all through the batch", "ours, batching off"
_READY = "/readyz"
PEERS: tuple[Peer, ...] = (
    Peer(OURS, None, _bentoml, ready=_READY),
    Peer(BATCHED, None, _bentoml, settings={"CREDIT_SCORING_AT_ONCE": "0"}, ready=_READY),
    Peer(
        UNBATCHED,
        None,
        _bentoml,
        settings={"CREDIT_SCORING_AT_ONCE": "0", "CREDIT_SCORING_BATCH": "1"},
        ready=_READY,
    ),
    Peer(TUNED, "fastapi", _uvicorn("fastapi_tuned:app")),
    Peer(USUAL, "fastapi", _uvicorn("fastapi_usual:app")),
    Peer(
        "MLServer",
        "mlserver",
        _mlserver(1),
        "/v2/models/scoring/infer",
        "/v2/models/scoring/ready",
        open_inference,
    ),
    Peer(
        "MLServer, batching",
        "mlserver",
        _mlserver(64),
        "/v2/models/scoring/infer",
        "/v2/models/scoring/ready",
        open_inference,
    ),
    Peer("LitServe", "litserve", _script("litserve_server.py"), ready="/health"),
    Peer(
        "LitServe, batching",
        "litserve",
        _script("litserve_server.py"),
        ready="/health",
        settings={"BENCH_BATCH": "64"},
    ),
    Peer(MLFLOW, "mlflow", _mlflow, "/invocations", "/ping", mlflow_records),
    Peer(RAY, "ray", _script("ray_server.py"), ready="/-/healthz"),
)


class Running:
    """A peer in processes of its own; its CPU seconds are those of them all.

    Parameters
    ----------
    peer : Peer
    port : int
        It and the next two are free.
    model : Path
        Folder of the scorer.
    folder : Path
        A folder of its own, made here, for its log and its words.
    """

    def __init__(self, peer: Peer, port: int, model: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "log").mkdir()
        environment = os.environ | {
            "PATH": f"{peer.bin}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{HERE}",
            "BENCH_MODEL": str(model),
            "BENCH_LOG": str(folder / "log"),
            "BENCH_PORT": str(port),
            "CREDIT_SCORING_LOG": str(folder / "log"),
            "CREDIT_SCORING_KEY_FILE": str(folder / "key"),
            "BENTOML_DO_NOT_TRACK": "True",
            "RAY_USAGE_STATS_ENABLED": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
        }
        self.peer, self.port, self._said = peer, port, folder / "said"
        command = peer.command(peer.bin, port, folder)
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment | peer.settings,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float = 120) -> None:
        """Return when it is ready.

        Raises
        ------
        RuntimeError
            With what it said last, if it ends or takes too long.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.peer.ready}", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError(f"{self.peer.name} does not start: {self._said.read_text()[-1_500:]}")

    def pids(self) -> list[int]:
        """Return its processes."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def cpu_s(self) -> float:
        """Return the CPU seconds that they have used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS

    def stop(self) -> None:
        """End it, and whatever it began."""
        pids = self.pids()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def chosen(names: Sequence[str]) -> list[Peer]:
    """Return the peers of these names, all if there are none."""
    return [peer for peer in PEERS if not names or peer.name in names]
