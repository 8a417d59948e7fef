"""The image, built by `deploy/offline-image.sh`, run as it is deployed: `make deliver`, about five minutes.

It needs podman, runc and mmdebstrap (Debian's packages) and root, as no registry of images is asked.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scoring import features
from scoring.inference_log import read
from scoring.scorer import Scorer
from tests.support import small
from tests.support.running import ROOT, bentoml, environment, free_port, put_in_store

TOOLS = ("podman", "runc", "mmdebstrap", "iptables")
MISSING = [tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"there is no {', '.join(MISSING)} (Debian's packages)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="building an image without a registry needs root"),
]
MODEL = "credit_scoring:delivered"
IMAGE = "localhost/credit-scoring:delivered"
MOST_MB = 400
READY_S = 240  # on a busy machine; `deploy/try-image.sh` says what a quiet one takes
KEY = "officer+read:sesame-of-the-image-test"


class Engine:
    """Podman, with the settings and the storage of `deploy/offline-image.sh`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = environment(home, CREDIT_SCORING_MODEL=MODEL, BENTOML_DO_NOT_TRACK="True", IMAGE=IMAGE)
        lines = self.script("env").stdout.removeprefix("export ").replace("'", "").split()
        self.env |= dict(line.split("=", 1) for line in lines)

    def script(self, *steps: str) -> subprocess.CompletedProcess[str]:
        command = ["deploy/offline-image.sh", *steps]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
        return done

    def __call__(self, *arguments: str, may_fail: bool = False) -> str:
        done = subprocess.run(["podman", *arguments], env=self.env, capture_output=True, text=True)
        assert may_fail or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip() + (done.stderr if may_fail else "")

    def inside(self, script: str, user: str = "1034") -> str:
        return self("run", "--rm", "--user", user, "--entrypoint", "sh", IMAGE, "-c", script)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    home = tmp_path_factory.mktemp("image")
    put_in_store(small.save(home / "scorer"), home, MODEL)
    engine = Engine(home)
    built = bentoml("build", env=engine.env)
    said = built.communicate()[0]
    assert built.returncode == 0, said
    engine.script("base", "image")
    return engine


class Container:
    """The image as it runs in production: read-only, no capability, one volume."""

    def __init__(self, podman: Engine) -> None:
        self.podman, port = podman, free_port()
        self.id = podman(
            *("run", "-d", "--read-only", "--tmpfs", "/tmp:rw,mode=1777", "-p", f"127.0.0.1:{port}:3000"),
            *("--cap-drop", "all", "--security-opt", "no-new-privileges", "--memory", "2g"),
            *("--pids-limit", "512", "-e", f"CREDIT_SCORING_API_KEYS={KEY}", IMAGE),
        )
        headers = {"x-api-key": KEY.partition(":")[2]}
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, trust_env=False
        )

    def wait_until_ready(self) -> httpx.Response:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                if (answer := self.http.get("/readyz")).is_success:
                    return answer
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(self.podman("logs", self.id, may_fail=True)[-4_000:])


@pytest.fixture(scope="module")
def container(podman: Engine) -> Iterator[Container]:
    running = Container(podman)
    running.wait_until_ready()
    yield running
    running.http.close()
    podman("rm", "-fv", running.id, may_fail=True)


def test_the_image_is_no_larger_than_promised(podman: Engine) -> None:
    size = int(podman("image", "inspect", IMAGE, "--format", "{{.Size}}")) / 1e6
    assert size <= MOST_MB, f"{size:.0f} MB"


def test_nothing_in_it_compiles_or_installs_and_no_file_of_its_maker_is_left(podman: Engine) -> None:
    tools = "cc gcc clang ld as make git perl apt apt-get dpkg pip pip3 uv curl wget gdb"
    assert podman.inside(f"for tool in {tools}; do command -v $tool; done; true") == ""
    assert (
        podman.inside("find / -xdev -name '*_history' 2>/dev/null; ls -A /root /tmp", "0")
        == "/root:\n\n/tmp:"
    )
    look = "import importlib.util as u; print([u.find_spec(m) for m in ('pip', 'ensurepip', 'lightgbm')])"
    assert podman.inside(f'python -c "{look}"') == "[None, None, None]"


LOAD = """
import ctypes, importlib, pathlib, sys
folders = {path for path in map(pathlib.Path, sys.path) if path.is_dir()}
for name in ("psycopg", "pyarrow.fs", "pyarrow.parquet", "sqlite3", "ssl", "rich.traceback"):
    importlib.import_module(name)
gone = []
for path in sorted({path for folder in folders for path in folder.rglob("*.so")}):
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        gone.append(f"{path.name.partition('.')[0]}: {error}")
print(*gone, sep="\\n")
"""
UNUSED = ("_crypt", "_dbm", "_gdbm", "nis")  # of Python's own: their libraries, of dead formats, are left out


def test_all_that_was_left_in_finds_its_libraries(podman: Engine) -> None:
    gone = podman("run", "--rm", "--entrypoint", "python", IMAGE, "-c", LOAD).splitlines()
    assert not [line for line in gone if line and line.partition(":")[0] not in UNUSED]


def test_it_can_ask_for_postgresql_and_an_object_store(podman: Engine) -> None:
    """What a small installation never loads: nobody answers here, and it is asked all the same."""
    database = 'import psycopg; psycopg.connect("postgresql://a:b@127.0.0.1:1/c?sslmode=require")'
    said = podman("run", "--rm", "--entrypoint", "python", IMAGE, "-c", database, may_fail=True)
    assert "Connection refused" in said, said
    store = (
        'from pyarrow import fs; place = "s3://a:b@c/d?endpoint_override=127.0.0.1:1&scheme=https"; '
        "files, path = fs.FileSystem.from_uri(place); files.get_file_info(path)"
    )
    said = podman("run", "--rm", "--entrypoint", "python", IMAGE, "-c", store, may_fail=True)
    assert "connect" in said.lower(), said


def test_labels_health_and_stop_signal_say_what_it_is(podman: Engine) -> None:
    (about,) = json.loads(podman("image", "inspect", IMAGE))
    labels = about["Config"]["Labels"]
    assert labels["credit-scoring.model"] == MODEL
    assert labels["org.opencontainers.image.version"] and labels["org.opencontainers.image.revision"]
    assert about["Config"]["StopSignal"] == "SIGTERM" and about["User"] == "1034:1034"
    assert "/livez" in about["Healthcheck"]["Test"][-1]


def test_a_thousand_decisions_have_the_same_bits_as_offline(container: Container, podman: Engine) -> None:
    requests = small.applications(1_000, seed=7)
    answered = container.http.post("/score", json={"applications": requests})
    assert answered.status_code == 200, answered.text
    scorer = Scorer.load(podman.home / "scorer")
    table = features.build(small.portfolio(requests)).select(scorer.feature_names)
    expected = scorer.decide(table)
    served = [row["probability_of_default"] for row in answered.json()]
    assert served == expected["probability_of_default"].to_list()
    assert [row["decision"] for row in answered.json()] == expected["decision"].to_list()
    assert {row["model"] for row in answered.json()} == {MODEL}


def test_the_engine_in_use_stands_in_readiness_log_metrics_and_model(
    container: Container, podman: Engine
) -> None:
    assert container.http.get("/readyz").headers["x-scoring-engine"] == "native"
    assert container.http.get("/model").json()["engine"] == "native"
    assert 'credit_scoring_engine_info{engine="native"' in container.http.get("/metrics").text
    assert "engine native" in podman("logs", container.id, may_fail=True)


def test_it_runs_without_rights_and_writes_to_its_volume_only(container: Container, podman: Engine) -> None:
    status = podman("exec", container.id, "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status and "Uid:\t1034" in status and "NoNewPrivs:\t1" in status
    for folder in ("/", "/app/.venv", "/home/bentoml/bento/src", "/etc"):
        said = podman("exec", container.id, "touch", f"{folder}/there", may_fail=True)
        assert "Read-only file system" in said or "Permission denied" in said, folder


def test_the_health_check_passes(container: Container, podman: Engine) -> None:
    podman("healthcheck", "run", container.id)


def test_what_was_decided_is_on_the_volume_and_sigterm_ends_with_0(podman: Engine) -> None:
    running = Container(podman)
    try:
        running.wait_until_ready()
        requests = small.applications(20, seed=8)
        answered = running.http.post("/score", json={"applications": requests}).json()
        podman("stop", "-t", "30", running.id, may_fail=True)
        assert podman("inspect", running.id, "--format", "{{.State.ExitCode}}") == "0"
        (volume,) = json.loads(podman("inspect", running.id))[0]["Mounts"]
        recorded = read(Path(volume["Source"]) / "log").table
        assert sorted(recorded["event_id"].to_list()) == sorted(row["event_id"] for row in answered)
    finally:
        running.http.close()
        podman("rm", "-fv", running.id, may_fail=True)


def test_without_its_engine_it_refuses_to_start_by_name(podman: Engine, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("no library")
    kernels = podman.inside("ls /home/bentoml/bento/src/scoring/engine/*.so").split()
    assert len(kernels) == 1
    said = podman(
        *(
            "run",
            "--rm",
            "--read-only",
            "--tmpfs",
            "/tmp:rw,mode=1777",
            "-v",
            f"{tmp_path}/broken:{kernels[0]}:ro",
        ),
        *("-e", f"CREDIT_SCORING_API_KEYS={KEY}", IMAGE),
        may_fail=True,
    )
    assert "cannot start" in said and "the native engine cannot answer" in said
    assert "LightGBM is not installed" in said
