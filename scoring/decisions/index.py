"""The index: where it is, that it is of this log, and transactions on it."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from scoring.decisions import schema
from scoring.inference_log import LogError
from scoring.inference_log.disk import create

BUSY_S = 5.0  # a writer of SQLite holds the others up for no longer
CONNECT_S = 5
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "mmap_size=2147483648",
    "cache_size=-65536",
    "secure_delete=ON",  # what is deleted is overwritten: a person that was erased is not left in the file
)
SCHEMES = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class IndexFault(LogError):
    """The index cannot be used now; the words say why, and the remedy."""


class MissingError(IndexFault):
    """There is no index yet."""


class OtherLogError(IndexFault):
    """The index is that of another log."""


def place_of(given: str, log: Path) -> URL:
    """Return where the index of a log is.

    Parameters
    ----------
    given : str
        A path, ``sqlite:///PATH`` or ``postgresql://…``; "" for a file beside the log.
    log : Path
        Folder of the log.

    Raises
    ------
    IndexFault
        If it is none of these; a password in it is not repeated.
    """
    if not given:
        given = str(log.with_name(f"{log.name}-index.sqlite"))
    if "://" not in given:
        return URL.create(SCHEMES["sqlite"], database=str(Path(given).absolute()))
    try:
        url = make_url(given)
        return url.set(drivername=SCHEMES[url.drivername.split("+")[0]])
    except (ArgumentError, KeyError, ValueError):
        raise IndexFault(
            "CREDIT_SCORING_INDEX cannot be used; give the path of a file, sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST/DATABASE."
        ) from None


class Index:
    """A database that follows one log.

    Parameters
    ----------
    url : sqlalchemy.URL
        See `place_of`.
    log : str
        Which log: `inference_log.identity`.
    instance : str
        Whose files are followed, and whose look-ups answered: one of several that write the log, each in a
        folder of its own; "" is the only one.

    Notes
    -----
    Nothing is done before the first transaction. Threads may share it.
    """

    def __init__(self, url: URL, log: str, instance: str = "") -> None:
        self.url = url
        self.instance = instance
        self.log = log
        self._engine: Engine | None = None
        self._is_checked = False
        self._file: int | None = None  # of SQLite, as the disk numbers it

    def __str__(self) -> str:
        """Say where it is, without its password."""
        if self.is_sqlite:
            return str(self.url.database)
        return self.url.render_as_string(hide_password=True).replace("+psycopg", "")

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def begin(self, is_writing: bool = False, is_made: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction, which is committed at the end of the block.

        Parameters
        ----------
        is_writing : bool
            Something will be written: SQLite lets one in at a time.
        is_made : bool
            Make the tables if there are none: who follows does, who looks up does not.

        Raises
        ------
        IndexFault
            If the database cannot be used, or holds the index of another log.
        """
        try:
            engine = self._opened(is_made).execution_options(is_writing=is_writing or is_made)
            with engine.begin() as connection:
                if not self._is_checked:
                    self._check(connection, is_made)
                yield connection
        except (DBAPIError, NoSuchModuleError, OSError) as error:
            words = str(getattr(error, "orig", None) or error).strip().splitlines()
            raise IndexFault(f"the index {self} cannot be used: {words[0] if words else error}.") from error
        self._is_checked = True

    def _opened(self, is_made: bool) -> Engine:
        if self.is_sqlite:
            file = Path(str(self.url.database))
            if not is_made and not file.exists():
                raise MissingError(f"there is no index {self} yet: `python -m scoring.decisions follow`.")
            file.parent.mkdir(parents=True, exist_ok=True)
            is_there = file.exists()
            if not is_there or file.stat().st_ino != self._file:  # new, removed, or another in its place
                self.close()
                if not is_there:
                    with suppress(FileExistsError):  # another process made it in between
                        os.close(create(file))
                self._file = file.stat().st_ino
        if self._engine is None:
            self._engine = _engine(self.url)
        return self._engine

    def _check(self, connection: Connection, is_made: bool) -> None:
        if not inspect(connection).has_table(schema.about.name):
            if not is_made:
                raise MissingError(f"there is no index in {self} yet: `python -m scoring.decisions follow`.")
            self._must_be_ours(connection)
            make(connection, self.log)
        found = connection.execute(select(schema.about)).mappings().one()
        if found["version"] != schema.VERSION:
            raise IndexFault(
                f"the index {self} has tables of version {found['version']}, not {schema.VERSION}; make it "
                "again: `python -m scoring.decisions rebuild`."
            )
        if found["log"] != self.log:
            raise OtherLogError(
                f"the index {self} is that of another log; give CREDIT_SCORING_INDEX a place of its own, or "
                "make it again for this one: `python -m scoring.decisions rebuild`."
            )

    def _must_be_ours(self, connection: Connection) -> None:
        """Check that no table of anybody else bears a name of ours: it would be filled, or dropped."""
        inspector = inspect(connection)
        there = set(inspector.get_table_names()) & schema.metadata.tables.keys()
        if schema.about.name in there:
            columns = {column["name"] for column in inspector.get_columns(schema.about.name)}
            there = set() if {"version", "log", "made"} <= columns else there
        if there:
            raise IndexFault(
                f"the database {self} has a table {min(there)!r} that is none of an index; give "
                "CREDIT_SCORING_INDEX a place of its own."
            )

    def remake(self) -> None:
        """Empty the index, whatever log it is of, so that it is filled from the beginning.

        Raises
        ------
        IndexFault
            If the database cannot be used.
        """
        self._is_checked = True  # of whatever log: it goes
        try:
            with self.begin(is_made=True) as connection:
                self._must_be_ours(connection)
                schema.metadata.drop_all(connection)
                make(connection, self.log)
        finally:
            self._is_checked = False

    def forget(self) -> bool:
        """Overwrite what SQLite keeps of deleted rows beside its file; say whether it could be done now."""
        if not self.is_sqlite or self._engine is None:
            return True  # PostgreSQL does it when it vacuums
        with self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            try:  # who looks something up at this moment is not waited for
                raw.execute("PRAGMA busy_timeout=0")
                return bool(raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
            except sqlite3.OperationalError:
                return False
            finally:
                raw.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1e3)}")

    def close(self) -> None:
        """Close its connections."""
        if self._engine is not None:
            self._engine.dispose()
        self._engine, self._is_checked = None, False


def make(connection: Connection, log: str) -> None:
    """Make the tables of an index that has followed nothing yet."""
    schema.metadata.create_all(connection)
    row = {"id": 1, "version": schema.VERSION, "log": log, "made": secrets.token_hex(8), "next": 1}
    connection.execute(schema.about.insert().values(**row, duplicates=0, set_aside=0))


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        options = {"connect_timeout": CONNECT_S, "options": "-c statement_timeout=20000"}
        return create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _: object) -> None:
        connection.isolation_level = None  # Python's own module would begin too late
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine
