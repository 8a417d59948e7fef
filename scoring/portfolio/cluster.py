"""A cluster of Spark, as a command line names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scoring.portfolio.job import RunError

if TYPE_CHECKING:
    from scoring.portfolio.lake import Lake

Form = Literal["auto", "parquet", "csv", "delta", "table"]


@dataclass(frozen=True)
class Cluster:
    """Which engine, and where and how Spark finds the tables."""

    engine: Annotated[
        Literal["pool", "spark"],
        typer.Option(help="Processes of this machine, or Apache Spark 4.1 and later."),
    ] = "pool"
    master: Annotated[
        str, typer.Option(help="Spark's: local[2], spark://…, k8s://…, yarn; sc://… for Connect.")
    ] = "local[*]"
    form: Annotated[
        Form, typer.Option("--format", help="How Spark reads a table; table: from the catalog, Iceberg too.")
    ] = "auto"
    conf: Annotated[
        list[str] | None, typer.Option(help="A setting of Spark, NAME=VALUE; may be repeated.")
    ] = None

    @property
    def is_spark(self) -> bool:
        """Whether Spark does the work."""
        return self.engine == "spark"

    def check(self) -> None:
        """Refuse what cannot be, before anything is read.

        Raises
        ------
        typer.BadParameter, RunError
            If a setting has no value, or Spark is not here.
        """
        if wrong := [one for one in self.conf or () if "=" not in one]:
            raise typer.BadParameter(f"{wrong[0]!r} is no setting; give NAME=VALUE.", param_hint="--conf")
        try:
            import pyspark  # noqa: F401
        except ImportError:
            raise RunError("there is no pyspark here; `pip install 'pyspark>=4.1'`, with Java 17.") from None

    @contextmanager
    def lake(self, portfolio: str) -> Iterator[Lake]:
        """Give the tables of a portfolio as Spark reads them, until the end of its session."""
        from scoring.portfolio.lake import Lake, session

        with session(self.master, dict(one.split("=", 1) for one in self.conf or ())) as spark:
            yield Lake(spark, portfolio, self.form)
