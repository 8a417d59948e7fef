"""Promises about where runs are kept: a server, another database, a store that was moved, and none at all."""

import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime

import bentoml
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore
from typer.testing import CliRunner

import import_model
import train
from scoring import synthetic
from tests.support.running import free_port
from tests.support.tracking_server import tracked
from tests.support.training import plain, tried_here
from training import mlflow_store, names, registry, runs


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portfolio")
    for name, table in synthetic.generate(1_000, seed=3).items():
        if name.startswith("application"):
            table.write_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """An empty model store; and MLflow writes the address that it is given into the environment."""
    monkeypatch.setenv(names.STORE_VARIABLE, "")
    (tmp_path / "models").mkdir()
    BentoMLContainer.model_store.set(ModelStore(tmp_path / "models"))
    yield
    BentoMLContainer.model_store.reset()


def invoke(app, *words):
    with plain(), tried_here():
        got = CliRunner().invoke(app, list(words))
    assert got.exception is None or isinstance(got.exception, SystemExit), got.exception
    return got.exit_code, " ".join(got.output.split())


def training(portfolio, rounds):
    return (
        "--portfolio", str(portfolio), "--folds", "2", "--compare", "champion", "--allow-leak", "tiny",
        "--most-rounds", str(rounds),
    )  # fmt: skip


def latest():
    return str(bentoml.models.get("credit_scoring:latest").tag.version)


def test_a_server_keeps_what_is_trained_imported_promoted_refused_and_rolled_back(
    portfolio, tmp_path, monkeypatch
):
    with tracked(tmp_path, free_port()) as url:
        monkeypatch.setenv(names.STORE_VARIABLE, url)
        code, text = invoke(train.app, *training(portfolio, 15))
        assert (code, f"MLflow store: {url}" in text) == (0, True), text
        client = mlflow_store.connect(url)
        first = registry.holder(client, registry.CHAMPION) or registry.find_challenger(client)
        if registry.holder(client, registry.CHAMPION) is None:  # a thousand applications tell little
            assert invoke(import_model.app, "--force", "the first")[0] == 0
        assert invoke(import_model.app)[0] == 0
        assert latest() == first.id

        code, text = invoke(train.app, *training(portfolio, 2))
        assert (code, "Challenger: lightgbm" in text) == (0, True), text
        second = registry.find_challenger(client)
        code, text = invoke(import_model.app, "--promote")
        assert (code, second.id in text, latest()) == (3, True, first.id), text

        code, text = invoke(import_model.app, "--force", "a test of the way back")
        assert (code, f"MLflow store: {url}" in text, latest()) == (0, True, second.id), text
        code, text = invoke(import_model.app, "--rollback")
        assert (code, latest(), registry.find_champion(client).id) == (0, first.id, first.id), text
    code, text = invoke(import_model.app)
    assert (code, "cannot be used" in text) == (2, True), text


@pytest.fixture(scope="module")
def kept(portfolio, tmp_path_factory):
    """A sqlite store with a champion, whatever it is worth."""
    folder = tmp_path_factory.mktemp("kept")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    assert invoke(train.app, *training(portfolio, 5), "--tracking-uri", uri)[0] == 0
    client = mlflow_store.connect(uri)
    if registry.holder(client, registry.CHAMPION) is None:
        assert invoke(import_model.app, "--force", "the first", "--tracking-uri", uri, "--dry-run")[0] == 0
        challenger = registry.find_challenger(client)
        registry.promote(client, challenger, "the first", datetime.now(UTC))
    return folder


def test_a_store_that_was_moved_is_read_where_it_is_and_writes_nothing_where_it_was(
    kept, portfolio, tmp_path
):
    moved = tmp_path / "moved"
    shutil.copytree(kept, moved)
    aside = kept.rename(kept.with_name("aside"))
    try:
        uri = f"sqlite:///{moved / 'mlflow.db'}"
        code, text = invoke(import_model.app, "--tracking-uri", uri)
        assert (code, "imported; 25 examples" in text) == (0, True), text
        runs.read_out_of_fold(registry.find_champion(mlflow_store.connect(uri)).id)
        code, text = invoke(train.app, *training(portfolio, 5), "--tracking-uri", uri)
        assert (code, f"would write to {kept / 'mlartifacts'}" in text) == (2, True), text
        shutil.rmtree(moved / "mlartifacts")
        code, text = invoke(import_model.app, "--tracking-uri", uri)
        assert code == 2
        assert f"Looked in {kept.as_uri()}/mlartifacts/" in text
        assert f"beside the database, in {moved}" in text
    finally:
        aside.rename(kept)


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("postgresql", "psycopg[binary]"),
        ("postgresql+psycopg2", "psycopg2-binary"),
        ("mysql", "mysqlclient"),
        ("mysql+pymysql", "pymysql"),
    ],
)
def test_a_database_without_its_driver_is_a_sentence_that_names_it(scheme, package, monkeypatch):
    for module in ("psycopg", "psycopg2", "MySQLdb", "pymysql"):
        monkeypatch.setitem(sys.modules, module, None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"{scheme}://me:secret@127.0.0.1:{listener.getsockname()[1]}/mlflow"
        code, text = invoke(import_model.app, "--tracking-uri", uri)
    assert (code, f"uv pip install {package}" in text) == (2, True), text
    assert "secret" not in text


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "http"])
def test_a_store_where_nobody_listens_is_a_sentence(scheme, portfolio):
    uri = f"{scheme}://me:sec@ret@127.0.0.1:{free_port()}/mlflow?password=hidden"
    for app, words in ((import_model.app, ()), (train.app, training(portfolio, 5))):
        code, text = invoke(app, *words, "--tracking-uri", uri)
        assert (code, "cannot be used" in text) == (2, True), text
        assert not any(part in text for part in ("sec@", "@ret", "hidden"))


def test_artefacts_that_cannot_be_kept_are_found_out_before_the_training(portfolio, tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow_store.connect(uri).create_experiment("away", artifact_location="s3://me:secret@bucket/models")
    monkeypatch.setattr(mlflow_store, "find_spec", lambda _: None)  # as where boto3 is not installed
    code, text = invoke(train.app, *training(portfolio, 5), "--experiment", "away", "--tracking-uri", uri)
    assert (code, "needs boto3: uv pip install boto3" in text, "secret" in text) == (2, True, False), text


def test_a_store_that_cannot_be_written_is_found_out_before_the_training(
    kept, portfolio, tmp_path, monkeypatch
):
    shutil.copy(kept / "mlflow.db", tmp_path)
    monkeypatch.setattr(mlflow_store, "_WAIT_S", 0.2)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow_store.connect(uri)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("begin immediate")
        code, text = invoke(train.app, *training(portfolio, 5), "--tracking-uri", uri)
    assert (code, "cannot be written: database is locked" in text) == (2, True), text


def test_a_run_or_an_experiment_that_was_deleted_is_said_to_be_so(kept, portfolio, tmp_path):
    shutil.copy(kept / "mlflow.db", tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = mlflow_store.connect(uri)
    champion = registry.find_champion(client)
    client.delete_run(champion.id)
    code, text = invoke(import_model.app, "--tracking-uri", uri)
    assert (code, f"mlflow runs restore --run-id {champion.id}" in text) == (2, True), text
    client.delete_experiment(client.get_experiment_by_name(names.EXPERIMENT).experiment_id)
    code, text = invoke(train.app, *training(portfolio, 5), "--tracking-uri", uri)
    assert (code, "mlflow experiments restore" in text) == (2, True), text
    client.delete_model_version(runs.MODEL, "1")
    code, text = invoke(import_model.app, "--tracking-uri", uri)
    assert (code, "run train.py first" in text) == (2, True), text


def test_a_database_that_is_silent_is_a_sentence(monkeypatch):
    pytest.importorskip("psycopg", reason="no driver of PostgreSQL is installed")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"postgresql+psycopg://me:secret@127.0.0.1:{listener.getsockname()[1]}/mlflow"
        code, text = invoke(import_model.app, "--tracking-uri", uri)
    assert (code, "timeout expired" in text, "secret" in text) == (2, True, False), text
