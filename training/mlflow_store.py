"""Where runs are kept: a sqlite file with its artefacts beside it, another database, or a server.

Nothing is written to the working directory; a store that cannot be used is found out before a training.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")  # not for minutes

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import create_sqlalchemy_engine
from mlflow.tracking import MlflowClient

FILES = "mlartifacts"  # folder of the artefacts beside a sqlite file

_USER, _QUERY = re.compile(r"//\S*@"), re.compile(r"\?\S*")  # where addresses have names and passwords
_REACH = re.compile(r"API request to (https?://[^/\s]+)")
_ERRNO = re.compile(r"\[Errno -?\d+\] ([A-Z][\w ]+)")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_WAIT_S = 10  # for a database that may be there
# What MLflow needs beside itself: by the module that it misses, and by the scheme of the artefacts' address.
_DRIVERS = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
    "boto3": "boto3",
    "google": "google-cloud-storage",
    "azure": "azure-storage-blob",
}
_ARTEFACTS = {"s3": "boto3", "gs": "google", "wasb": "azure", "wasbs": "azure", "abfss": "azure"}
StoreError = MlflowException  # what MLflow raises where a store fails under it


class TrackingError(ValueError):
    """The store cannot be used, or has no such run."""


def connect(uri: str) -> MlflowClient:
    """Point MLflow at a store, making the folder of a sqlite file; return its client.

    Raises
    ------
    TrackingError
        If the store cannot be used: an unknown scheme, a folder that cannot be made, a server that is silent.
    """
    # Its warnings show addresses with their passwords.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    try:
        _check_address(uri)
        if folder := sqlite_folder(uri):
            folder.mkdir(parents=True, exist_ok=True)
            # MLflow would try to open a file that cannot be opened for minutes.
            with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as file:
                file.execute("pragma schema_version")
        elif urlsplit(uri).scheme.partition("+")[0] in _PORTS:
            _knock(uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        client = MlflowClient()
        if is_server(uri):
            _ask(client)
    except Exception as error:
        raise TrackingError(
            f"the MLflow store {shown(uri)} cannot be used: {why(error)}. Give --tracking-uri "
            "sqlite:///FOLDER/mlflow.db, the address of a database, or the http:// address of a server that "
            "runs."
        ) from error
    return client


def shown(uri: str) -> str:
    """Return a store's address without the name and the password in it."""
    return _QUERY.sub("", _USER.sub("//", uri))


def why(error: BaseException) -> str:
    """Return an error as the middle of a sentence; where a driver is missing, its name."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and (
            package := _DRIVERS.get((cause.name or "").split(".")[0])
        ):
            return f"it needs {package}, which is not installed here (uv pip install {package})"
        cause = cause.__cause__ or cause.__context__
    text = shown(" ".join(str(error).split())).rstrip(".")
    if (found := _REACH.match(text)) and (
        errno := _ERRNO.search(text)
    ):  # between them, retries in Python's words
        return f"{found[1]}: {errno[1]}"
    return text if isinstance(error, TrackingError) else text[:300]


def sqlite_folder(uri: str) -> Path | None:
    """Return the absolute folder of a sqlite store; None for a server."""
    return Path(uri.removeprefix("sqlite:///")).resolve().parent if uri.startswith("sqlite:///") else None


def is_server(uri: str) -> bool:
    """Tell an MLflow server from a database."""
    return urlsplit(uri).scheme in ("http", "https")


def _check_address(uri: str) -> None:
    """Refuse what MLflow takes, but would keep in memory, in another file than the one named, or nowhere.

    Raises
    ------
    TrackingError
        If the address is neither that of a sqlite file, nor of another database, nor of a server.
    """
    at = urlsplit(uri)
    if at.scheme.partition("+")[0] == "sqlite":
        file = uri.removeprefix("sqlite:///")
        if file in ("", uri) or file.startswith(":memory:") or "?" in file:
            raise TrackingError("it names no file: a store in memory is gone after the training")
    elif not is_server(uri) and at.scheme.partition("+")[0] not in _PORTS:
        raise TrackingError("it is no sqlite file, no database and no server that MLflow knows")


def _knock(uri: str) -> None:
    """Open a connection to a database once, for seconds only: MLflow itself tries for half an hour."""
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(_WAIT_S))  # of a server that is silent
    at = urlsplit(uri)
    if at.hostname:
        port = at.port or _PORTS[at.scheme.partition("+")[0]]
        with closing(socket.create_connection((at.hostname, port), _WAIT_S)):
            pass
    engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]  # nor here
    try:
        with engine.connect():
            pass
    finally:
        engine.dispose()


def _ask(client: MlflowClient) -> None:
    """Ask a server something, and wait for it for seconds only: MLflow itself tries for minutes."""
    patience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {name: os.environ.get(name) for name in patience}
    os.environ.update(patience)
    try:
        client.search_experiments(max_results=1)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]


def open_experiment(client: MlflowClient, uri: str, name: str) -> str:
    """Return the id of an experiment, which is made at its first use.

    Raises
    ------
    TrackingError
        If its artefacts cannot be kept from here: better now than after a training.
    """
    if sqlite_folder(uri):
        _write_nothing(uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        # A server has a place of its own; a database alone would make MLflow write to the working directory.
        folder = None if is_server(uri) else sqlite_folder(uri) or Path("var").resolve()
        place = (folder / FILES).as_uri() if folder else None
        found = client.get_experiment(client.create_experiment(name, artifact_location=place))
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"the experiment {name!r} is deleted: give --experiment another name, or restore it "
            f"(mlflow experiments restore --experiment-id {found.experiment_id})."
        )
    ours, theirs = sqlite_folder(uri), Path(unquote(urlsplit(found.artifact_location).path))
    if ours and theirs.name == FILES and theirs.resolve() != ours / FILES:
        raise TrackingError(
            f"the experiment {name!r} would write to {theirs}, where its store was before it was moved or "
            f"copied to {ours}. Its runs can be read here; for new ones give --experiment another name."
        )
    module = _ARTEFACTS.get(urlsplit(found.artifact_location).scheme)
    if module and not find_spec(module):
        raise TrackingError(
            f"the experiment {name!r} keeps its artefacts at {shown(found.artifact_location)}, which needs "
            f"{_DRIVERS[module]}: uv pip install {_DRIVERS[module]}."
        )
    return str(found.experiment_id)


def _write_nothing(uri: str) -> None:
    """Find out whether a sqlite file can be written, before hours are spent on what it shall keep."""
    try:
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=_WAIT_S)) as file:
            file.execute("begin immediate")
    except sqlite3.Error as error:
        raise TrackingError(f"the MLflow store {shown(uri)} cannot be written: {why(error)}.") from error
