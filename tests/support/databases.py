"""The databases of the index: a file of SQLite, and a real PostgreSQL on a loopback port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import free_port, wait_until

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def _user() -> dict[str, str]:
    """PostgreSQL does not run as root: Debian's package brings a user for it."""
    if os.geteuid():
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("there is no user postgres, and PostgreSQL does not run as root")
    return {"user": "postgres", "group": "postgres"}


@cache
def _counted() -> list[int]:
    return [0]


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server until the end of the block; gives the URL of its first database."""
    if PROGRAMS is None:
        pytest.skip("there is no PostgreSQL (Debian: postgresql)")
    user, folder = _user(), Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(folder, **user)
    port, data = free_port(), folder / "data"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": folder, **user}
    make = ["initdb", "-D", str(data), "-U", "tester", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    server = None
    try:
        subprocess.run([PROGRAMS / make[0], *make[1:]], check=True, stderr=subprocess.DEVNULL, **quiet)
        options = ["-p", str(port), "-k", str(folder), "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]
        with (folder / "said").open("w") as said:
            server = subprocess.Popen([PROGRAMS / "postgres", "-D", data, *options], stderr=said, **quiet)
        ask: list[str | Path] = [PROGRAMS / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]

        def answers() -> bool:
            assert server.poll() is None, (folder / "said").read_text()
            return subprocess.run(ask).returncode == 0

        wait_until(answers)
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # do not wait for those who are connected
            server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def fresh(url: str) -> str:
    """Make a database of its own on a server, and return its URL."""
    import psycopg

    _counted()[0] += 1
    name = f"index_{_counted()[0]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.rsplit("/", 1)[0] + f"/{name}"
