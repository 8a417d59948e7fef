"""A served process comes and goes without losing a request or a decision, and leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scoring.hosting import models, start
from scoring.serving.life import BEHIND, lower_priority
from tests.support import small
from tests.support.running import (
    ROOT,
    bentoml,
    environment,
    free_port,
    is_ready,
    put_in_store,
    running,
    wait_until,
    workers,
)

pytestmark = pytest.mark.served


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("life")
    put_in_store(small.save(place / "scorer"), place)
    return place


@pytest.mark.heavy
def test_a_killed_worker_is_replaced_at_once_and_nothing_acknowledged_is_lost(home):
    (request,) = small.applications(1, seed=3)
    # in a container too, where BentoML alone would not
    with running(home, BENTOML_CONTAINERIZED="true") as service:
        given = {service.post("/score", [request]).json()[0]["event_id"] for _ in range(5)}
        (old,) = workers(service.pid)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: workers(service.pid) - {old})
        wait_until(lambda: is_ready(service.url))
        given |= {service.post("/score", [request]).json()[0]["event_id"] for _ in range(5)}
        assert given <= set(service.log()["event_id"])
        assert "another takes its place" in service.stdout()


@pytest.mark.heavy
def test_a_spare_worker_takes_the_place_of_one_that_ends_and_another_stands_by(home):
    (request,) = small.applications(1, seed=3)
    with running(home, CREDIT_SCORING_SPARE="1") as service:
        for time in (1, 2):

            def waits(time: int = time) -> bool:
                return service.stdout().count("waiting to take the place") == time

            wait_until(waits, 60)
            both, (holder,) = workers(service.pid), service.holders()
            assert len(both) == 2 and holder in both
            os.kill(holder, signal.SIGKILL)
            wait_until(lambda: service.holders() and is_ready(service.url))
            assert service.holders() == both - {holder}  # no new one: there was no time to load it
            assert service.post("/score", [request]).status_code == 200
    assert service.stdout().count("taking the place of a worker that has ended") == 2


def test_at_sigterm_the_service_says_not_ready_finishes_and_ends_with_0(home):
    (request,) = small.applications(1, seed=3)
    with running(home, CREDIT_SCORING_DRAIN_SECONDS="1") as service:
        service.post("/score", [request])
        os.kill(service.pid, signal.SIGTERM)
        wait_until(lambda: not is_ready(service.url), 0.9)
        answer = service.post("/score", [request])  # who came before it looked is answered
        assert answer.status_code == 200 and answer.headers["connection"] == "close"
        assert service.http.get("/livez").status_code == 200
        with ThreadPoolExecutor(12) as clients:
            port = int(service.url.rpartition(":")[2])
            outcomes = Counter(one for some in clients.map(come_again, [port] * 12) for one in some)
        wait_until(lambda: not is_alive(service.pid))  # a SIGTERM in its last moment would be its end
    assert set(outcomes) == {"HTTP/1.1 200"}, "whoever is let in is answered, to the last one"


def come_again(port: int) -> list[str]:
    """Come with a new connection for each request, until the port is closed, as a blind proxy does."""
    outcomes: list[str] = []
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            return outcomes
        with client:
            try:
                client.sendall(b"GET /model HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                outcomes.append(client.recv(12).decode())
                while client.recv(65_536):
                    pass
            except ConnectionResetError:
                outcomes.append("reset")


def test_a_killed_parent_leaves_no_orphan_and_no_blocked_port(home):
    port = free_port()
    arguments = ("serve", "service:CreditScoring", "--host", "127.0.0.1", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    server = bentoml(*arguments, env=environment(home, CREDIT_SCORING_WORKERS="2"))
    try:
        wait_until(lambda: len(workers(server.pid)) == 2 and is_ready(url))
        orphans = workers(server.pid)
        server.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in orphans))
        server.wait(5)
        wait_until(lambda: not is_taken(port))  # ending threads may hold it a moment longer
    finally:
        server.kill()
        server.communicate()


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_start_that_fails_in_every_worker_ends_the_server(home):
    server = bentoml(
        *("serve", "service:CreditScoring", "--host", "127.0.0.1", "--port", str(free_port())),
        env=environment(home, PYTHONPATH=str(broken(home))),
    )
    try:
        output, _ = server.communicate(timeout=60)
    finally:
        server.kill()
    assert server.returncode not in (0, None)
    assert "ended 3 times in a row" in " ".join(output.split())


def broken(home):
    """Return a folder whose sitecustomize ends each worker as it starts, and nobody else."""
    folder = home / "broken"
    folder.mkdir()
    code = "import sys\nif any('worker.service' in word for word in sys.orig_argv): sys.exit(3)\n"
    (folder / "sitecustomize.py").write_text(code)
    return folder


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="needs systemd-tmpfiles")
def test_what_workers_need_to_start_outlasts_the_cleaning_of_temporary_files(tmp_path, monkeypatch):
    """Else the first worker that ended after ten days would have been the end of the service."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp" / "of-another").mkdir(parents=True)
    note = start.own_folder() / "model"
    note.write_text("credit_scoring:one")
    (tmp_path / "clean.conf").write_text(f"d {tmp_path}/tmp 0755 - - 1us\n")
    subprocess.run(["systemd-tmpfiles", "--clean", tmp_path / "clean.conf"], check=False)
    assert note.exists() and not (tmp_path / "tmp" / "of-another").exists()


def test_a_model_that_cannot_be_noted_for_the_workers_is_refused_in_a_sentence(tmp_path, monkeypatch, caplog):
    """As where the folder of temporary files is full; the tag of the one before stays."""
    served = tmp_path / "model"
    served.write_text("credit_scoring:one")
    served.with_suffix(".draft").mkdir()
    monkeypatch.setenv(models.SERVED, str(served))
    monkeypatch.setattr(models, "newest", lambda _: "credit_scoring:two")
    monkeypatch.setattr(models, "folder", lambda _: tmp_path)
    monkeypatch.setattr(models, "try_out", lambda *_: None)
    assert models.renew("credit_scoring:latest") is False
    assert f"reload refused: {tmp_path}/model.draft cannot be used: Is a directory. The model" in caplog.text
    assert served.read_text() == "credit_scoring:one"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has threads of different niceness")
def test_a_thread_that_stands_back_leaves_the_others_where_they_are() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before, inside = priority(), []

    def lowered() -> None:
        lower_priority()
        inside.append(priority())

    thread = threading.Thread(target=lowered)
    thread.start()
    thread.join()
    assert inside == [before + BEHIND]
    assert priority() == before


def test_who_has_a_low_priority_already_can_still_lower_that_of_a_thread():
    """As `nice bentoml serve` has: nobody but root may raise it again."""
    code = (
        "import os\n"
        "from scoring.serving.life import lower_priority\n"
        "os.nice(10)\n"
        "if os.geteuid() == 0: os.setresuid(65534, 65534, 65534)\n"
        "lower_priority()\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0) > 10)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
