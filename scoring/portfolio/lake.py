"""The tables of a portfolio as Apache Spark reads them, and a session to read them in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from scoring import features
from scoring.schema import APPLICATION_TABLES, KEY
from scoring.tables import Population, TableError
from scoring.tables.buckets import BucketPlan, Buckets, buckets_for
from scoring.tables.files import source_files
from scoring.tables.portfolio import LINK


class Lake:
    """The tables of a portfolio as Spark reads them.

    Parameters
    ----------
    spark : SparkSession
    portfolio : str
        A folder that every worker sees, a URI of one, or with ``table`` the catalog and schema.
    form : {"auto", "parquet", "csv", "delta", "table"}
        How a table is read; ``auto`` looks into a folder of this machine.
    """

    def __init__(self, spark: SparkSession, portfolio: str, form: str = "auto") -> None:
        self.spark, self.portfolio, self._form = spark, portfolio, form
        self._among: list[int] | None = None
        self.is_of_files = form in ("auto", "parquet", "csv")
        laid = Path(portfolio)
        self.layout = Buckets(laid, features.READS) if form == "auto" and Buckets.are_at(laid) else None

    def among(self, applicants: list[int]) -> Lake:
        """Return the same tables with the records of a few applicants alone."""
        few = Lake(self.spark, self.portfolio, self._form)
        few._among = applicants
        return few

    def table(self, name: str) -> DataFrame | None:
        """Return a table as it is, None where it is absent.

        Raises
        ------
        TableError
            If it has a form that Spark does not read here.
        """
        frame = self._whole(name)
        if frame is None or self._among is None:
            return frame
        key, wanted = KEY, [float(applicant) for applicant in self._among]
        if name == "bureau_balance":  # which knows its credit alone
            credits = self.table("bureau")
            rows = credits.select(LINK).distinct().collect() if credits is not None else []
            key, wanted = LINK, [float(row[LINK]) for row in rows if row[LINK] is not None]
        return frame.filter(F.col(key).try_cast("double").isin(wanted))

    def _whole(self, name: str) -> DataFrame | None:
        if self._form == "table":
            full = f"{self.portfolio}.{name}"
            return self.spark.table(full) if self.spark.catalog.tableExists(full) else None
        paths, form = [f"{self.portfolio.rstrip('/')}/{name}"], self._form
        if form == "auto":
            folder = Path(self.portfolio)
            files = source_files(folder, name) if folder.is_dir() else []
            if not files and not folder.is_dir():
                raise TableError("missing", file=self.portfolio)
            if not files:
                return None
            form = files[0].suffix.lower().removeprefix(".")
            paths = [file.resolve().as_uri() for file in files]
        if form == "csv":
            paths = paths if self._form == "auto" else [f"{paths[0]}.csv"]
            reader = self.spark.read.options(header=True, escape='"', enforceSchema=False)
            return self._found(lambda: reader.csv(paths))
        if form == "parquet":
            return self._found(lambda: self.spark.read.parquet(*paths))
        if form == "delta":
            return self._found(lambda: self.spark.read.format("delta").load(paths[0]))
        raise TableError("unknown_suffix", file=paths[0], suffixes=".csv, .parquet, alone, for Spark")

    def plan(self, population: Population, buckets: int | None) -> tuple[BucketPlan, DataFrame | None]:
        """Return what is to be laid out, and the applications; None where that was done.

        Raises
        ------
        TableError
            If there is no table of these applications.
        """
        if self.layout is not None:
            return self.layout.plan, None
        applications = self.table(APPLICATION_TABLES[population])
        if applications is None:
            raise TableError("missing_table", file=self.portfolio, table=APPLICATION_TABLES[population])
        columns = {table: sorted(names) for table, names in features.READS.items()}
        number = buckets or buckets_for(applications.count())
        return BucketPlan(self.portfolio, population, columns, number, ""), applications

    def _found(self, read: Callable[[], DataFrame]) -> DataFrame | None:
        try:
            return read()
        except PySparkException as error:
            if error.getCondition() == "PATH_NOT_FOUND":
                return None
            raise


def session(master: str, conf: Mapping[str, str]) -> SparkSession:
    """Return a session on a master of Spark's, ``sc://…`` for Spark Connect."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("credit-scoring")
    if master.startswith("sc://"):  # where what is logged is the server's own affair
        builder = builder.remote(master)
    else:
        builder = builder.master(master).config("spark.log.level", "ERROR")
        builder = builder.config("spark.ui.showConsoleProgress", sys.stderr.isatty())
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
