"""A really served model on a loopback port, what a test asks of it, and what it sees of its processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx

from scoring.inference_log import read
from scoring.schema import Problem

ROOT = Path(__file__).parent.parent.parent
TAG = "credit_scoring:tested"


def environment(home: Path, **changes: str) -> dict[str, str]:
    ours = {
        "BENTOML_HOME": str(home / "bentoml"),
        "CREDIT_SCORING_MODEL": TAG,
        "CREDIT_SCORING_LOG": str(home / "log"),
        "CREDIT_SCORING_KEY_FILE": str(home / "pseudonym.key"),
        "CREDIT_SCORING_DRAIN_SECONDS": "0",  # nobody but the test asks
        "CREDIT_SCORING_SPARE": "0",  # a process that a test does not need
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return os.environ | ours | changes


def bentoml(*arguments: str, env: dict[str, str], **options) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = [sys.executable, "-m", "bentoml", *arguments]
    return subprocess.Popen(command, env=env, cwd=ROOT, **(pipes | options))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """A running service: where it is, what it writes, and a client."""

    def __init__(self, home: Path, url: str, pid: int) -> None:
        self.home = home
        self.pid = pid
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def post(self, path: str, applications: list, **options) -> httpx.Response:
        return self.http.post(path, json={"applications": applications}, **options)

    def holders(self) -> set[int]:
        """Which workers have the place of one that answers: the kernel says who holds the lock."""
        return {pid for pid in workers(self.pid) if holds_a_place(pid)}

    def log(self):
        found = read(self.home / "log")
        assert found.quarantined == () and found.duplicates == 0
        return found.table

    def stdout(self) -> str:
        return (self.home / "stdout").read_text()


def put_in_store(folder: Path, home: Path, tag: str = TAG) -> None:
    """What import_model.py does in the end, without its checks."""
    import bentoml  # here: the tests of pages need none
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models.model import ModelStore

    store = home / "bentoml" / "models"
    store.mkdir(parents=True, exist_ok=True)
    BentoMLContainer.model_store.set(ModelStore(store))
    try:
        with bentoml.models.create(tag) as model:
            shutil.copytree(folder, model.path, dirs_exist_ok=True)
    finally:
        BentoMLContainer.model_store.reset()


@contextmanager
def running(home: Path, host: str = "127.0.0.1", key: str = "", **settings: str) -> Iterator[Served]:
    """Serve the model in ``home``'s store until the end of the block; it must end in peace."""
    port = free_port()
    arguments = ("serve", "service:CreditScoring", "--host", host, "--port", str(port))
    with (home / "stdout").open("w") as out:
        server = bentoml(*arguments, env=environment(home, **settings), stdout=out)
        service = Served(home, f"http://127.0.0.1:{port}", server.pid)
        service.http.headers["x-api-key"] = key
        try:

            def answers() -> bool:
                assert server.poll() is None, service.stdout()
                return is_ready(service.url)

            wait_until(answers, 120)
            yield service
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
            service.http.close()


def workers(parent: int) -> set[int]:
    listed = subprocess.run(["pgrep", "-aP", str(parent)], capture_output=True, text=True).stdout
    # The follower of the log is a child too.
    return {int(line.split()[0]) for line in listed.splitlines() if " scoring.decisions " not in line}


def holds_a_place(pid: int) -> bool:
    """Say whether a worker is one of those that answer: not so if it is gone, or stands by."""
    descriptors: list[Path] = []
    with suppress(OSError):
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    for descriptor in descriptors:
        with suppress(OSError):
            if "/places/" in str(descriptor.readlink()):
                return "lock:" in Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
    return False


def wait_until(is_so: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something is so, and fail where it does not come: a watchdog, no measurement."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_ready(url: str) -> bool:
    # By the plain library: each client of httpx reads the certificates of the machine, 20 ms of a busy wait.
    connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def problem(response: httpx.Response, status: int) -> Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(response.content)
    assert found.status == status and found.detail
    return found
