"""Row: an MLflow server that goes away while runs are trained, imported and promoted."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from scoring import synthetic
from tests.support.tracking_server import TrackingServer
from tests.torture.run import ROOT, Run
from tests.torture.served import QUIET, free_port, inherited
from training import registry as champions

LONGEST_S = 180
USUAL = ("--folds", "2", "--compare", "champion", "--allow-leak", "tiny", "--most-rounds", "2")


def registry(run: Run) -> None:
    """Kill the server at random moments of training, import and promotion, then look what is left."""
    turns, rng = run.count(30, least=3), random.Random(7)
    store = run.folder / "bentoml"
    (store / "models").mkdir(parents=True)
    portfolio = run.folder / "portfolio"
    portfolio.mkdir()
    for name, table in synthetic.generate(1_000, seed=3).items():
        if name.startswith("application"):
            table.write_parquet(portfolio / f"{name}.parquet")
    server = TrackingServer(run.folder, free_port())
    server.start()
    environment = inherited() | QUIET | {"MLFLOW_TRACKING_URI": server.url, "BENTOML_HOME": str(store)}
    environment |= {"PYTHONPATH": str(ROOT), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    train = ("train.py", "--portfolio", str(portfolio), *USUAL)
    try:
        took = [_timed(train, environment), _timed(("import_model.py", "--force", "the first"), environment)]
        champion, served = _champion(server.url), _latest(store)
        hung = untold = traced = changed = fired = 0
        for turn in range(turns):
            kind = turn % 2
            words = train if kind == 0 else ("import_model.py", "--force", "another")
            code, said = _interrupted(words, environment, server, rng.uniform(0.2, 1.0) * took[kind])
            fired += code != 0
            hung += code is None
            traced += "Traceback" in said
            untold += code not in (0, None) and "cannot be used" not in said and server.url not in said
            server.start()
            now = _champion(server.url), _latest(store)
            if code == 0:  # it was done before the server went
                champion, served = now
            elif kind == 0:
                changed += now != (champion, served)
            else:  # promoted and stored, or one of them, or none: the next import makes them one again
                _timed(("import_model.py",), environment)
                champion, served = _champion(server.url), _latest(store)
                changed += champion != served
            run.progress(turn + 1, turns, "kills of the server")
        run.figure("kills of the server", turns, "", ">= 30" if run.scale == 1 else "")
        run.figure("of them while the program needed it", fired, "kills")
        run.figure("programs that hang", hung, "programs", "= 0")
        run.figure("that end with a stack trace", traced, "programs", "= 0")
        run.figure("that end without saying which store", untold, "programs", "= 0")
        run.figure("champions or served models changed by half a program", changed, "times", "= 0")
    finally:
        server.kill()


def _timed(words: Sequence[str], environment: dict[str, str]) -> float:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_S
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return time.monotonic() - began


def _interrupted(
    words: Sequence[str], environment: dict[str, str], server: TrackingServer, after_s: float
) -> tuple[int | None, str]:
    """Run a program and take its server away; return its exit code (None: it hangs) and what it said."""
    command = [sys.executable, *words]
    program = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    time.sleep(after_s)
    server.kill()
    try:
        said, _ = program.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        program.kill()
        said, _ = program.communicate()
        return None, said
    return program.returncode, said


def _champion(url: str) -> str:
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    found = champions.holder(MlflowClient(url), champions.CHAMPION)
    return "" if found is None else str(found.id)


def _latest(store: Path) -> str:
    latest = store / "models" / "credit_scoring" / "latest"
    return latest.read_text().strip() if latest.is_file() else ""
