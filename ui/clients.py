"""The clients of a portfolio, read when the first one is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from scoring import features, tables
from scoring.schema import KEY
from scoring.schema.columns import INT64_MAX

EXAMPLES = 5  # numbers offered as buttons


class UnknownClient(LookupError):
    """No application of the portfolio has this number."""


@dataclass
class Clients:
    """The later population of a portfolio: applications without an outcome, as an officer meets them.

    Parameters
    ----------
    path : Path, optional
        A folder or zip of Home Credit tables. None, or a path where nothing is: no client can be opened.
    """

    path: Path | None
    _portfolio: tables.Portfolio | None = field(default=None, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    @property
    def exist(self) -> bool:
        """Whether there is a portfolio to open clients of."""
        return self.path is not None and self.path.exists()

    def numbers(self) -> list[int]:
        """Return the client numbers, in the portfolio's order; raises `tables.TableError`."""
        return self._read().applications[KEY].to_list() if self.exist else []

    def examples(self) -> list[int]:
        """Return a few client numbers."""
        return self.numbers()[:EXAMPLES]

    def open(self, number: int) -> dict[str, Any]:
        """Return a client's application with its raw history, as the service takes it.

        Raises
        ------
        UnknownClient
            If the portfolio has no such number.
        scoring.tables.TableError
            If the portfolio cannot be read.
        """
        if not self.exist or number > INT64_MAX:
            raise UnknownClient(number)
        portfolio = self._read()
        rows = portfolio.applications.filter(pl.col(KEY) == number)["row"]
        if rows.is_empty():
            raise UnknownClient(number)
        return tables.to_requests(portfolio, [rows[0]])[0]

    def histories(self, numbers: pl.Series) -> pl.DataFrame:
        """Return the aggregates of the histories of those clients that the portfolio knows.

        Parameters
        ----------
        numbers : polars.Series
            Client numbers, whole ones.

        Returns
        -------
        polars.DataFrame
            ``SK_ID_CURR`` and every feature of `features.HISTORY_FEATURES`; one row per known client.
        """
        empty = pl.DataFrame(schema={KEY: pl.Int64})
        if not self.exist or numbers.is_empty():
            return empty
        portfolio = self._read()
        asked = numbers.cast(pl.Int64, strict=False).drop_nulls().unique().to_list()
        rows = portfolio.applications.filter(pl.col(KEY).is_in(asked)).unique(KEY, keep="first")["row"]
        if rows.is_empty():
            return empty
        found = tables.take(portfolio, rows.to_list())
        return found.applications.select(KEY).hstack(features.build(found).select(features.HISTORY_FEATURES))

    def _read(self) -> tables.Portfolio:
        with self._lock:
            if self._portfolio is None:
                assert self.path is not None
                self._portfolio = tables.read(self.path, "test")
            return self._portfolio
