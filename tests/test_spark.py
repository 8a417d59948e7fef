"""Apache Spark scores a portfolio to the byte as the processes of one machine do; `make scale` runs this.

pyspark is 400 MB and needs Java, so the suite runs without it: it is skipped where either is absent.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: `make scale` installs it")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java", allow_module_level=True)

from scoring import features, tables
from scoring.inference_log.ship import ship
from scoring.inference_log.store import Folder
from scoring.portfolio import RunError, lake, running, spark
from scoring.portfolio.cluster import Cluster
from scoring.portfolio.running import NamedScorer
from scoring.schema import HISTORY
from scoring.scorer import described_sha256
from scoring.synthetic import write
from scoring.tables import TableError
from scoring.tables.buckets import Buckets
from tests.support import logs, small
from training import material
from training.cluster import OnCluster

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning"
)  # pyspark 4.3 of pandas 3, which it does not use

TAG = "credit_scoring:small1"
NOW = datetime(2026, 11, 29, 2, tzinfo=UTC)
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}


@pytest.fixture(scope="module")
def session():
    with lake.session("local[2]", SETTINGS) as found:
        yield found


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("store")
    (home / "models" / "credit_scoring").mkdir(parents=True)
    small.save(home / "models" / "credit_scoring" / "small1")
    return home


@pytest.fixture(scope="module")
def model(store) -> NamedScorer:
    folder = store / "models" / "credit_scoring" / "small1"
    return NamedScorer(TAG, folder, described_sha256(folder))


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory) -> Path:
    """Shuffled, in parts, with ties, and one applicant who has 100,000 records."""
    source = write(tmp_path_factory.mktemp("portfolio") / "p", 20, 200, seed=5, is_shuffled=True)
    file = max((source / "installments_payments").glob("*.parquet"), key=lambda f: f.stat().st_size)
    frame = pl.read_parquet(file)
    first = min(pl.read_parquet(f)["SK_ID_CURR"][0] for f in (source / "application_test").glob("*"))
    one = pl.concat([frame[:100]] * 1_000).with_columns(pl.lit(first, pl.Int64).alias("SK_ID_CURR"))
    pl.concat([frame, one]).write_parquet(file)
    return source


@pytest.fixture(scope="module")
def pooled(portfolio, model, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pool") / "out"
    running.run(portfolio, out, "score", model, lambda: NOW, run_name="night", buckets=3, processes=1)
    return out


def contents(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.parquet")}


def run(session, source, out, model, **given):
    given = {"run_name": "night", "buckets": 3} | given
    return spark.run(lake.Lake(session, str(source)), out, "score", model, lambda: NOW, **given)


def test_spark_writes_the_bytes_that_the_pool_writes(session, portfolio, pooled, model, tmp_path) -> None:
    manifest = run(session, portfolio, tmp_path / "out", model).manifest
    assert contents(tmp_path / "out") == contents(pooled)
    of_pool = json.loads((pooled / "manifest.json").read_text(encoding="utf-8"))
    for table in HISTORY:
        for name in ("read", "matched", "orphans"):
            assert manifest["tables"][table][name] == of_pool["tables"][table][name], (table, name)
    assert manifest["engine"]["name"].startswith("spark 4")
    assert manifest["engine"]["scores"] == ["native"]


@contextmanager
def connect_server(folder: Path):
    """A server of Spark Connect on loopback, as ``sbin/start-connect-server.sh`` starts one."""
    import pyspark

    home, said = Path(pyspark.__file__).parent, folder / "server.log"
    conf = {"spark.connect.grpc.binding.port": "0", "spark.connect.grpc.binding.address": "127.0.0.1"}
    line: list[str | Path] = [home / "bin" / "spark-submit", "--master", "local[2]"]
    line += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    for name, value in (SETTINGS | conf).items():
        line += ["--conf", f"{name}={value}"]
    env = os.environ | {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    with (
        said.open("w") as log,
        subprocess.Popen([*line, "spark-internal"], env=env, stdout=log, stderr=log) as server,
    ):
        try:
            while not (port := re.search(r"server started at: \S+?:(\d+)", said.read_text())):
                assert server.poll() is None, said.read_text()[-2_000:]
                time.sleep(0.2)
            yield f"sc://127.0.0.1:{port[1]}"
        finally:
            server.terminate()


def test_spark_connect_gives_the_same_bytes(portfolio, pooled, store, tmp_path) -> None:
    """As a program of its own: a process has a classic session or one of Connect."""
    line = [sys.executable, "-m", "scoring.portfolio", "score", portfolio, "--out", tmp_path / "out"]
    line += ["--model", TAG, "--model-store", store, "--run", "night", "--buckets", "3", "--engine", "spark"]
    with connect_server(tmp_path) as address:
        done = subprocess.run([*line, "--master", address], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "log.level" not in done.stderr
    assert contents(tmp_path / "out") == contents(pooled)


def test_csv_is_typed_by_the_reader_s_rules(session, portfolio, pooled, model, tmp_path) -> None:
    """Whole numbers that were written as floats, gaps as nothing: the same values, so the same bytes."""
    source = tmp_path / "csv"
    source.mkdir()
    for table in ("application_test", *HISTORY):
        frame = pl.concat([pl.read_parquet(file) for file in sorted((portfolio / table).glob("*.parquet"))])
        whole = [name for name, dtype in frame.schema.items() if dtype == pl.Int64 and name[:2] != "SK"]
        frame.with_columns(pl.col(whole).cast(pl.Float64)).write_csv(source / f"{table}.csv")
    run(session, source, tmp_path / "out", model)
    assert contents(tmp_path / "out") == contents(pooled)


def test_a_portfolio_in_buckets_is_scored_from_there(session, portfolio, pooled, model, tmp_path) -> None:
    running.split(portfolio, tmp_path / "laid", "test", 1, 3)
    assert len(Buckets(tmp_path / "laid", features.READS)) == 3
    run(session, tmp_path / "laid", tmp_path / "out", model)
    assert contents(tmp_path / "out") == contents(pooled)


def test_what_was_done_before_a_kill_is_not_done_again(
    session, portfolio, pooled, model, tmp_path, monkeypatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("scoring.portfolio.job.PortfolioRun.finish", kill)
        run(session, portfolio, out, model)
    receipts = sorted((out / ".job" / "receipts").glob("*.json"))
    receipts[1].unlink()
    assert run(session, portfolio, out, model).resumed == 2
    assert contents(out) == contents(pooled)


def test_a_wrong_value_is_named_by_table_and_column(session, portfolio, model, tmp_path) -> None:
    source = shutil.copytree(portfolio, tmp_path / "p")
    file = min((source / "bureau").glob("*.parquet"))
    frame = pl.read_parquet(file)
    frame.with_columns(DAYS_CREDIT=pl.col("DAYS_CREDIT").cast(pl.Float64) + 0.5).write_parquet(file)
    for other in (source / "bureau").glob("*.parquet"):
        if other != file:
            other.unlink()
    with pytest.raises(RunError, match=r"bureau, column 'DAYS_CREDIT', row 1: .*whole"):
        run(session, source, tmp_path / "out", model)
    assert not (tmp_path / "out" / "decisions").exists()


@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "overwritten"])
def test_a_damaged_part_is_named(session, portfolio, model, tmp_path, is_cut) -> None:
    source = shutil.copytree(portfolio, tmp_path / "p")
    file = max((source / "bureau").glob("*.parquet"))
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] if is_cut else content[:4] + b"\xff" * half + content[4 + half :])
    with pytest.raises(TableError, match=rf"{file.name} cannot be read"):
        run(session, source, tmp_path / "out", model)
    assert not (tmp_path / "out" / "decisions").exists()


def test_a_worker_without_the_kernels_fails_by_name(session, portfolio, model, tmp_path, monkeypatch) -> None:
    without = {name: file for name, file in spark.code_files().items() if file.suffix != ".so"}
    monkeypatch.setattr(spark, "code_files", lambda: without)
    with pytest.raises(RunError, match=r"seven times slower .*not built.*--allow-slow"):
        run(session, portfolio, tmp_path / "out", model)


def test_a_shipped_log_is_read_as_the_documents_say_each_event_once(session, tmp_path):
    key, store = bytes(range(32)), Folder(tmp_path / "store")
    for worker in ("a", "b"):  # two machines that were sent one request
        log = logs.write(tmp_path / worker, key, worker=worker)
        with log.table("0" * 24, "r", "bank", logs.NOON) as table:
            table.add(*logs.decided(50))
            table.commit()
        other = log.under("credit_scoring:new one", ())
        other.record([logs.entry(9, event_id=f"new-{worker}", features={"age": 44.0})], logs.NOON)
        log.close()
        ship(log.folder, log.anchors, key, store, lambda: logs.NOON)
    place = str(store.root / "decisions")
    one = session.read.option("basePath", place).parquet(f"{place}/model=credit_scoring%3Aabc")
    assert one.count() == one.select("event_id").distinct().count() == 12 + 12 + 50
    assert "ext_mean" in one.columns and "age" not in one.columns
    every = session.read.option("mergeSchema", True).parquet(place)
    counted = {
        (str(row["day"]), row["model"]): row["count"]
        for row in every.groupBy("day", "model").count().collect()
    }
    assert counted == {("2026-11-21", "credit_scoring:abc"): 74, ("2026-11-21", "credit_scoring:new one"): 2}
    assert every.filter("age = 44.0").count() == 2


def test_a_training_reads_of_a_cluster_what_it_reads_of_this_machine(
    session, portfolio, tmp_path, monkeypatch
) -> None:
    """Features, outcomes, groups and the raw records of some, to the bit and in the order of the tables."""

    def choose(applications: int) -> np.ndarray:
        return np.array([1, 3, applications - 1])

    @contextmanager
    def lake_of(_: Cluster, source: str):
        yield lake.Lake(session, source)

    monkeypatch.setattr(Cluster, "lake", lake_of)
    found = OnCluster(Cluster("spark"), str(portfolio), tmp_path / "features").read(choose, NOW)
    here = material.read_here(portfolio, choose)
    assert found.features.select(here.features.columns).equals(here.features)
    assert found.outcomes.equals(here.outcomes) and found.groups.equals(here.groups)
    assert tables.to_requests(found.pool, range(3)) == tables.to_requests(here.pool, range(3))
    assert (found.pool_rows == here.pool_rows).all() and found.absent == here.absent
