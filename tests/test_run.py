"""`make run`: says why it cannot start, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import run
from scoring.schema import ScoreRequest

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def logs_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run.LOGS.mkdir(parents=True)


def server(code: str) -> run.Server:
    return run.Server("api", [sys.executable, "-c", code], "http://127.0.0.1:9/")


def wait_until_it_speaks(*servers: run.Server) -> None:
    deadline = time.monotonic() + 20
    while not all(one.log.read_text() for one in servers) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_the_example_that_it_prints_is_a_request() -> None:
    assert len(ScoreRequest.model_validate(run.EXAMPLE).applications) == 1


def test_a_busy_port_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = subprocess.run(
            [sys.executable, ROOT / "run.py", "--api-port", port], capture_output=True, text=True, cwd=ROOT
        )
    assert answer.returncode == 1
    assert f"Port {port} cannot be used" in answer.stdout
    assert "make run API_PORT=" in answer.stdout


def test_a_failing_start_says_why() -> None:
    failing = server("raise SystemExit('there is no model')")
    failing.start()
    with pytest.raises(run.StartError, match="there is no model"):
        run.wait_until_ready([failing])
    failing.stop()


def test_stopping_lets_a_server_finish_and_leaves_no_worker_behind() -> None:
    parent = server(
        "import signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('finished')))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent.start()
    wait_until_it_speaks(parent)
    child = int(parent.log.read_text())
    parent.stop()
    assert parent.log.read_text().splitlines()[-1] == "finished"
    assert is_gone(child)


def test_who_presses_ctrl_c_again_leaves_no_server_running() -> None:
    slow = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit()))\n"
        "print('on', flush=True)\n"
        "time.sleep(60)"
    )
    servers = [server(slow), run.Server("page", [sys.executable, "-c", slow], "http://127.0.0.1:9/")]
    for one in servers:
        one.start()
    wait_until_it_speaks(*servers)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    again = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    again.start()
    try:
        run.stop_all(servers)
    finally:
        again.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert all(one.process is not None and one.process.poll() is not None for one in servers)


def test_it_says_which_process_takes_up_a_newer_model() -> None:
    api = server(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGHUP, lambda *_: sys.exit(print('a newer model')))\n"
        "print('serving', flush=True)\n"
        "time.sleep(60)"
    )
    api.start()
    wait_until_it_speaks(api)
    subprocess.run(["sh", "-c", run.how_to_ask(api).partition("then ")[2]], check=True)
    assert api.process is not None
    api.process.wait(20)
    api.stop()
    assert api.log.read_text().splitlines() == ["serving", "a newer model"]


def is_gone(pid: int) -> bool:
    """Killed is enough: whether it is reaped at once is its new parent's affair."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, signal.SIG_DFL)
        except ProcessLookupError:
            return True
        status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
        if status.startswith("Z"):
            return True
        time.sleep(0.02)
    return False
