"""Two checkouts of the project, asked for a decision in turns: whether a change made `/score` slower.

Each checkout serves a model that it trains itself in seconds, with its log and without its index. One
connection asks the one, another the other, a few hundred times each, in an order that turns.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

ROOT = Path(__file__).resolve().parent.parent
BODY = json.dumps(
    {"applications": [{"SK_ID_CURR": 100_001, "AMT_CREDIT": 568_800.0, "EXT_SOURCE_2": 0.79}]}
).encode()
REQUESTS = 300
PREPARE = """
import shutil, sys
from pathlib import Path
import bentoml
from tests.support import small
small.save(Path(sys.argv[1]))
with bentoml.models.create("credit_scoring:measured") as model:
    shutil.copytree(sys.argv[1], model.path, dirs_exist_ok=True)
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Served:
    """A checkout that serves, and one connection to it."""

    def __init__(self, tree: Path, home: Path, port: int, until: ExitStack) -> None:
        env = os.environ | {
            "PYTHONPATH": str(tree),
            "BENTOML_HOME": str(home / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "CREDIT_SCORING_MODEL": "credit_scoring:measured",
            "CREDIT_SCORING_LOG": str(home / "log"),
            "CREDIT_SCORING_KEY_FILE": str(home / "pseudonym.key"),
            "CREDIT_SCORING_INDEX": "off",
            "CREDIT_SCORING_SPARE": "0",
        }
        subprocess.run([sys.executable, "-m", "scoring.engine"], cwd=tree, env=env, check=True)
        subprocess.run([sys.executable, "-c", PREPARE, str(home / "scorer")], cwd=tree, env=env, check=True)
        command = [sys.executable, "-m", "bentoml", "serve", "service:CreditScoring", "--host", "127.0.0.1"]
        command += ["--port", str(port)]
        server = subprocess.Popen(
            command, cwd=tree, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until.callback(server.wait)
        until.callback(server.terminate)
        self.process = psutil.Process(server.pid)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._wait()

    def _wait(self) -> None:
        """Wait until it is ready; a connection that it closed meanwhile, as idle, is opened again."""
        while self._ask("GET", "/readyz", b"") != 200:
            time.sleep(0.2)

    def _ask(self, method: str, path: str, body: bytes) -> int:
        try:
            self.connection.request(method, path, body, {"content-type": "application/json"})
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except OSError:
            self.connection.close()
            return 0

    def _cpu_s(self) -> float:
        every = [self.process, *self.process.children(recursive=True)]
        return sum(sum(one.cpu_times()[:2]) for one in every)

    def measure(self, requests: int = REQUESTS) -> tuple[float, float]:
        """Return the median of a request and its processor time, both in milliseconds."""
        self._wait()
        before, took = self._cpu_s(), []
        for _ in range(requests):
            began = time.perf_counter()
            if self._ask("POST", "/score", BODY) != 200:
                raise RuntimeError("a request was not answered 200")
            took.append(time.perf_counter() - began)
        return 1_000 * statistics.median(took), 1_000 * (self._cpu_s() - before) / requests


@app.command(epilog="Example: git worktree add ../before v1.0.0; python -m benchmarks.before ../before")
def main(
    before: Annotated[Path, typer.Argument(help="Folder of the other checkout.")],
    rounds: Annotated[int, typer.Option(min=2, help="Turns of 300 requests to each.")] = 20,
) -> None:
    """Ask two checkouts in turns for the same decision; print this one's time over the other's."""
    with ExitStack() as until:
        home = Path(until.enter_context(tempfile.TemporaryDirectory()))
        trees = {"before": before.resolve(), "after": ROOT}
        served = {}
        for port, (name, tree) in enumerate(trees.items(), 39_001):
            (home / name).mkdir()
            served[name] = Served(tree, home / name, port, until)
            served[name].measure()
        ratios = []
        for turn in range(rounds):
            order = ("before", "after") if turn % 2 else ("after", "before")
            found = {name: served[name].measure() for name in order}
            ratios.append([a / b for a, b in zip(found["after"], found["before"], strict=True)])
        for name, values in zip(("median", "processor time"), zip(*ratios, strict=True), strict=True):
            low, high = sure(values)
            typer.echo(f"/score, {name}: {statistics.median(values):.3f} of before ({low:.3f} to {high:.3f})")


def sure(values: Sequence[float], draws: int = 2_000) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a median."""
    drawn = np.median(np.random.default_rng(0).choice(values, (draws, len(values))), axis=1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


if __name__ == "__main__":
    app()
