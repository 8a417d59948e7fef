"""What is used of other libraries without being offered is there, does what it did, and is listed."""

import asyncio
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware

from scoring.serving import private
from scoring.serving.private import PARTS, PartGone, PrivatePart
from tests.support import small
from tests.support.running import bentoml as command
from tests.support.running import environment, free_port, put_in_store

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("private")
    put_in_store(small.save(place / "scorer"), place)
    return place


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_each_part_is_there_in_the_version_that_was_read(part: PrivatePart) -> None:
    part.find()
    library, written_for = part.written_for
    assert version(library) == written_for, f"read {part.name} again, then name the new version"


@pytest.mark.parametrize(
    ("name", "members"),
    [("bentoml._internal.gone:It", ()), ("bentoml:gone", ()), ("bentoml:IODescriptor", ("gone",))],
)
def test_a_part_that_is_gone_is_named_with_what_is_lost_and_what_to_install(name, members) -> None:
    part = PrivatePart(name, private.BENTOML, "do what a promise needs", members)
    with pytest.raises(PartGone, match=r"bentoml .* has no .* used to do what .* Install bentoml 1\.4\.39"):
        private.demand([part])


def test_the_list_in_the_documents_has_each_part_once() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w.:]+)` \| (\S+ \S+) \|", text, re.MULTILINE)
    ours = [(part.name, " ".join(part.written_for)) for part in PARTS]
    assert [row for row in listed if row[1].split()[0] in ("bentoml", "uvicorn")] == ours


# What the libraries still do as they come: where one stops, its part may go.


def test_bentoml_as_it_comes_leaves_the_timer_of_an_answered_request() -> None:
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def timers() -> int:
        async def send(_message):
            pass

        await private.TIMEOUTS.find()(app, timeout=9)({"type": "http"}, None, send)
        return len(vars(asyncio.get_running_loop())["_scheduled"])

    assert asyncio.run(timers()) == 1


def test_the_timeouts_are_left_out_and_nothing_else() -> None:
    other = Middleware(Starlette)
    app = Starlette(middleware=[other, Middleware(private.TIMEOUTS.find(), timeout=9)])
    assert private.without_timeouts(app).user_middleware == [other]
    with pytest.raises(PartGone, match="no TimeoutMiddleware"):
        private.without_timeouts(app)


def test_bentoml_as_it_comes_looks_for_lost_workers_every_ten_seconds() -> None:
    from bentoml._internal.utils import circus

    arbiter = circus.create_standalone_arbiter([])
    assert type(arbiter) is private.ARBITER.find() and arbiter.check_delay == 10


ENDS = """
import os, subprocess, sys, time
from scoring.serving import private
from scoring.serving.private import supervisor as room
circus = private.ARBITER.find()
ours = room.supervisor(circus, proven=None, renew=None, failure=None, backlog=1, spare=0, are_serving=None,
                       ending=None)
room.ORPHAN_S = 0.3
def after_a_look(kind):
    arbiter = object.__new__(kind)
    arbiter.watchers, arbiter._left = [], (None, 0.0)
    own = subprocess.Popen([sys.executable, "-c", "import os; os.abort()"])
    os.waitid(os.P_PID, own.pid, os.WEXITED | os.WNOWAIT)
    arbiter.reap_processes()
    return own.wait(), arbiter
code, arbiter = after_a_look(ours)
print(after_a_look(circus)[0], code)
lost = os.spawnlp(os.P_NOWAIT, "true", "true")
for _ in range(600):
    time.sleep(0.05)
    arbiter.reap_processes()
    if not os.path.exists(f"/proc/{lost}"):
        break
else:
    print("left")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_circus_as_it_comes_takes_the_end_of_any_child_and_here_of_workers_and_the_lost_only() -> None:
    """Who tries a model in a process of its own has to learn that it was killed, and how."""
    done = subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.stdout.split() == ["0", "-6"], done.stdout + done.stderr


def test_uvicorn_as_it_comes_speaks_through_the_class_that_is_named() -> None:
    """In a process of its own, as in a worker."""
    code = (
        "import asyncio, uvicorn\n"
        "from scoring.serving import private\n"
        "class Mine(asyncio.Protocol): pass\n"
        "private.speak_through(Mine)\n"
        "config = uvicorn.Config(lambda: None, log_config=None); config.load()\n"
        "assert config.http_protocol_class is Mine\n"
        "assert '127.0.0.1' not in config.loaded_app.trusted_hosts\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


IMPORTED = """
import os, signal, sys
import bentoml, uvicorn.config, prometheus_client, polars
from bentoml._internal.server.http import traffic
from bentoml._internal.utils import circus
def state():
    return (dict(os.environ), [signal.getsignal(n) for n in signal.valid_signals()], sys.getswitchinterval(),
            dict(uvicorn.config.HTTP_PROTOCOLS), traffic.TimeoutMiddleware, circus.Arbiter)
before = state()
import service
print(before == state())
"""


def test_importing_the_service_changes_nothing_in_the_process(home) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, env=environment(home), capture_output=True, text=True
    )
    assert done.stdout.split()[-1:] == ["True"], done.stdout + done.stderr


def test_the_process_above_the_workers_loads_nothing_that_judges(home) -> None:
    """Importing it would take a second of every start, and 80 MB for as long as it serves."""
    look = "import sys, service; print({'numpy', 'polars', 'pyarrow', 'sqlalchemy'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, env=environment(home), capture_output=True, text=True
    )
    assert done.stdout.split()[-1:] == ["set()"], done.stdout + done.stderr


def test_what_a_bento_keeps_of_the_endpoints_is_read_at_once(home) -> None:
    """Each process of a bento reads its bento.yaml: with all that is taken and given, for 1.5 s."""
    look = "import json, service; print(json.dumps(service.CreditScoring.schema()))"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, env=environment(home), capture_output=True, text=True
    )
    kept = done.stdout.splitlines()[-1]
    assert len(kept) < 5_000
    assert {"/score", "/explain"} <= {route["route"] for route in json.loads(kept)["routes"]}


def test_a_schema_is_written_once_and_is_the_reader_s_own(monkeypatch) -> None:
    class Written(private.WrittenOnce, BaseModel):
        number: int

    class Plain(BaseModel):
        number: int

    first = Written.model_json_schema()
    assert first == Plain.model_json_schema() | {"title": "Written"}
    first["properties"].clear()
    monkeypatch.setattr(BaseModel, "model_json_schema", None)
    assert Written.model_json_schema()["properties"]["number"]["type"] == "integer"


@pytest.mark.served
def test_nothing_is_reported_to_the_maker_of_bentoml_though_nobody_said_so(home) -> None:
    """BentoML's own switch lets it write what it would send instead of sending it."""
    settings = environment(home, __BENTOML_DEBUG_USAGE="true", PYTHONUNBUFFERED="1")
    del settings["BENTOML_DO_NOT_TRACK"]
    assert "DO_NOT_TRACK" in os.environ  # of another library, it does not help
    arguments = ("serve", "service:CreditScoring", "--host", "127.0.0.1", "--port", str(free_port()))
    server = command(*arguments, env=settings)
    said = []
    try:
        for line in server.stdout:
            said.append(line)
            if "Service credit_scoring initialized" in line:
                break
        server.terminate()
        said += server.communicate(timeout=60)[0].splitlines()
    finally:
        server.kill()
    assert any("initialized" in line for line in said) and not any("Tracking" in line for line in said), said
