"""The whole way from data to the page in a network namespace that has no route."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.torture.run import ROOT, Run
from tests.torture.served import QUIET, START_S, free_port, inherited

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
ROWS = 5_000


def offline(run: Run) -> None:
    """Run `steps` in the namespace, and count who looked outside."""
    rows = run.count(ROWS, least=2_000)
    watched = run.folder / "watched"
    watched.touch()
    env = inherited() | QUIET
    env |= {"TORTURE_WATCH": str(watched), "PYTHONPATH": str(Path(__file__).with_name("watch"))}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env |= {"BENTOML_HOME": str(run.folder / "bentoml"), "HOME": str(run.folder)}
    command = [sys.executable, "-m", "tests.torture.offline", str(run.folder), str(rows)]
    for ways in (["unshare", "-n"], ["unshare", "-rn"]):
        if shutil.which("unshare") and subprocess.run([*ways, "true"], capture_output=True).returncode == 0:
            break
    else:
        run.figure("steps", None, "steps", "= 8", note="this machine gives no network namespace to this user")
        return
    done = subprocess.Popen(
        [*ways, *command], env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: list[str] = []
    assert done.stdout is not None
    for line in done.stdout:
        said.append(line)
        if line.startswith("step "):
            run.progress(len([x for x in said if x.startswith("step ")]), 8, line.split(":")[0])
    done.wait()
    steps = [line for line in said if line.startswith("step ")]
    passed = [line for line in steps if line.rstrip().endswith("passed")]
    attempts = watched.read_text(encoding="utf-8").splitlines()
    (run.folder / "said").write_text("".join(said), encoding="utf-8")
    run.figure(
        "steps that pass: data, train, import, serve, score, log, monitor, page",
        len(passed),
        "steps",
        "= 8",
        note="; ".join(line.strip() for line in steps if line not in passed)
        or f"{rows:,} invented applicants",
    )
    run.figure(
        "attempts to reach another machine",
        len(attempts),
        "attempts",
        "= 0",
        stock="telemetry in 5 libraries, unless told otherwise",
        note="; ".join(sorted(set(attempts))[:3]),
    )
    with contextlib.suppress(OSError):
        run.figure("the namespace reaches another machine", float(done.returncode == 77), "", "= 0")


def lift_loopback() -> None:
    """Bring up the one interface of a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14s", b"lo", _IFF_UP, b""))


def steps(folder: Path, rows: int) -> None:
    """Do every step; write how each ended."""
    lift_loopback()
    with contextlib.suppress(OSError), socket.create_connection(("192.0.2.1", 80), timeout=2):
        sys.exit(77)
    Path(os.environ["TORTURE_WATCH"]).write_text("", encoding="utf-8")  # that one was ours
    portfolio, log, db = folder / "portfolio", folder / "log", f"sqlite:///{folder}/mlflow.db"
    python = sys.executable
    test = max(600, rows // 4)

    def step(name: str, *command: str, codes: tuple[int, ...] = (0,)) -> None:
        done = subprocess.run([python, *command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode in codes:
            say(f"step {name}: passed")
        else:
            say(f"step {name}: ended with {done.returncode}: {done.stderr[-300:]!r}")

    make = ("--applicants", str(rows), "--test", str(test), "--seed", "1", "--out", str(portfolio))
    step("data", "-m", "scoring.synthetic", *make)
    few = ("--folds", "2", "--most-rounds", "60")
    step("train", "train.py", "--portfolio", str(portfolio), "--tracking-uri", db, *few)
    step("import", "import_model.py", "--tracking-uri", db)
    port, page = free_port(), free_port()
    os.environ |= {"CREDIT_SCORING_LOG": str(log), "CREDIT_SCORING_KEY_FILE": str(folder / "key")}
    url = f"http://127.0.0.1:{port}"
    where = ("--host", "127.0.0.1", "--port", str(port))
    api = subprocess.Popen([python, "-m", "bentoml", "serve", "service:CreditScoring", *where], cwd=ROOT)
    ui = subprocess.Popen(
        [python, "-m", "ui", "--api", url, "--port", str(page), "--portfolio", str(portfolio)], cwd=ROOT
    )
    try:
        say(f"step serve: {'passed' if answers(f'{url}/readyz') else 'never ready'}")
        out = str(folder / "decisions.csv")
        step("score", "-m", "scoring.client", "score", str(portfolio), "--url", url, "--out", out)
        step(
            "log",
            "-m",
            "scoring.inference_log",
            "verify",
            "--log",
            str(log),
            "--key-file",
            str(folder / "key"),
        )
        step("monitor", "-m", "monitoring", "--log", str(log), "--out", str(folder / "reports"), codes=(0, 1))
        say(f"step page: {'passed' if answers(f'http://127.0.0.1:{page}/fr/') else 'does not answer'}")
    finally:
        for process in (ui, api):
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def say(words: str) -> None:
    """Tell the row how far it is."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def answers(url: str) -> bool:
    """Wait until an address answers 200."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False, timeout=5).is_success:
                return True
        time.sleep(0.2)
    return False


if __name__ == "__main__":
    steps(Path(sys.argv[1]), int(sys.argv[2]))
