"""What a training needs of a portfolio that lies on a cluster: features by Spark, raw records of a few."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from scoring.evidence import fairness
from scoring.features import FEATURE_BY_NAME
from scoring.portfolio.cluster import Cluster
from scoring.portfolio.job import RunError
from scoring.schema import HISTORY, KEY
from scoring.tables import LABEL, Portfolio, take
from scoring.tables.buckets import APPLICATIONS, POSITION

RUN = "training"
Rows = npt.NDArray[np.intp]
Choose = Callable[[int], Rows]


class Read(NamedTuple):
    """What was read of a portfolio, its applications in the order of their table.

    Attributes
    ----------
    features : DataFrame
        All that are declared.
    outcomes : Series
        1 = default, 0 = repaid.
    groups : DataFrame
        The groups that fairness is shown for.
    pool : Portfolio
        Raw records of some applications, and where these stand.
    absent : list of str
        History tables that are not there.
    sha256 : str
        Another one for other data.
    """

    features: pl.DataFrame
    outcomes: pl.Series
    groups: pl.DataFrame
    pool: Portfolio
    pool_rows: Rows
    absent: list[str]
    sha256: str


@dataclass(frozen=True)
class OnCluster:
    """A portfolio that Spark reads.

    Attributes
    ----------
    cluster : Cluster
    portfolio : str
        Folder, URI, or catalog and schema.
    out : Path
        Folder that every worker sees. What is finished in it is not computed again.
    """

    cluster: Cluster
    portfolio: str
    out: Path

    def read(self, choose: Choose, now: datetime) -> Read:
        """Compute the features on the cluster, and bring the raw records of those that are chosen here.

        Parameters
        ----------
        choose : callable
            Given the number of applications, says which of them are wanted raw, in rising order.
        now : datetime

        Raises
        ------
        TableError, RunError, OSError
            If it cannot be read, or Spark fails; what a worker says comes through.
        """
        from scoring.portfolio import spark  # pyspark is in no group of packages but its own

        with self.cluster.lake(self.portfolio) as lake, tempfile.TemporaryDirectory() as sent:
            if lake.layout is not None:
                raise RunError(f"{self.portfolio} is in buckets already; give the tables they were made of.")
            summary = spark.run(
                lake, self.out, "training", None, lambda: now, run_name=RUN, population="train"
            )
            manifest = summary.manifest
            assert manifest is not None
            files = [self.out / part["file"] for part in manifest["parts"]]
            table = pl.read_parquet(files).sort(POSITION)
            applications = table[APPLICATIONS].struct.unnest()
            rows = choose(table.height)
            few = spark.few(lake, "train", applications[KEY][rows].to_list(), Path(sent))
            pool = take(few.portfolio, few.positions.arg_sort().to_numpy())
        groups = pl.DataFrame(fairness.labels(applications))
        digest = hashlib.sha256("".join(part["sha256"] for part in manifest["parts"]).encode())
        absent = [name for name in HISTORY if manifest["tables"][name] is None]
        features = table.select(FEATURE_BY_NAME.keys())
        return Read(
            features=features,
            outcomes=applications[LABEL],
            groups=groups,
            pool=pool,
            pool_rows=rows,
            absent=absent,
            sha256=digest.hexdigest(),
        )
