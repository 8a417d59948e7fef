"""Apache Spark instead of this machine: the same buckets, the same work, parts that are the same to the byte.

Spark reads the tables wherever they lie, and brings parcels of records to their buckets; what is in a parcel
and what is done with a bucket is `scoring.portfolio.steps`. The code, with its kernels, and the scorer go
along as archives. Only what Spark Connect has too is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from scoring import features
from scoring.portfolio.job import PACKAGE, PortfolioRun, Receipt, RunError, Task, code_sha256
from scoring.portfolio.running import NamedScorer, Progress, RunSummary
from scoring.portfolio.steps import BLOCK, CREDITS, DDL, FILE, MONTHS, RECEIPT, ROW
from scoring.portfolio.work import Command
from scoring.schema import APPLICATION_TABLES, KEY, extension
from scoring.scorer import Scorer
from scoring.tables import LABEL, Population, TableError
from scoring.tables.buckets import APPLICATIONS, BucketPlan, Buckets, Table, buckets_for
from scoring.tables.files import source_files
from scoring.tables.portfolio import LINK

OLDEST = (4, 1)  # has repartitionById
CONF = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 * 2**20),  # parcels are long
    "spark.sql.shuffle.partitions": "200",
}
BOOT = Path(__file__).with_name("credit_scoring_boot.py")
MONTHS_ABREAST = 2_000_000  # of credits, that are brought to their applicants at a time
OURS = re.compile(r"(?:TableError|RunError|ScorerError|LayoutError): (.+)")
"""An error of ours in what Spark says of a task."""


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
        self._spark, self.portfolio, self._form = spark, portfolio, form
        self.is_of_files = form in ("auto", "parquet", "csv")
        laid = Path(portfolio)
        self.layout = Buckets(laid, features.READS) if form == "auto" and Buckets.are_at(laid) else None

    def table(self, name: str) -> DataFrame | None:
        """Return a table as it is, None where it is absent.

        Raises
        ------
        TableError
            If it has a form that Spark does not read here.
        """
        if self._form == "table":
            full = f"{self.portfolio}.{name}"
            return self._spark.table(full) if self._spark.catalog.tableExists(full) else None
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
            reader = self._spark.read.options(header=True, escape='"', enforceSchema=False)
            return self._found(lambda: reader.csv(paths))
        if form == "parquet":
            return self._found(lambda: self._spark.read.parquet(*paths))
        if form == "delta":
            return self._found(lambda: self._spark.read.format("delta").load(paths[0]))
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


def run(
    spark: SparkSession,
    lake: Lake,
    out: Path,
    command: Command,
    model: NamedScorer | None,
    now: Callable[[], datetime],
    *,
    run_name: str,
    population: Population = "test",
    buckets: int | None = None,
    is_slow_allowed: bool = False,
    is_fresh: bool = False,
    progress: Progress = lambda *_: None,
) -> RunSummary:
    """Do one thing with every applicant of a portfolio on a cluster: see `scoring.portfolio.running.run`.

    Parameters
    ----------
    spark : SparkSession
        Classic or Connect, of 4.1 or later.
    lake : Lake
    out : Path
        A folder that every worker sees.

    Raises
    ------
    TableError, ScorerError, RunError, OSError
        As there; what a worker says comes through.
    """
    found = tuple(int(part) for part in spark.version.split(".")[:2])
    if found < OLDEST:
        raise RunError(f"Spark {spark.version} has no repartitionById; a cluster needs 4.1 or later.")
    for name, value in CONF.items():
        spark.conf.set(name, value)
    try:
        plan, applications = lake.plan(population, buckets)
        facts = {
            "command": command,
            "run": run_name,
            "model": model.tag if model else None,
            "scorer_sha256": model.sha256 if model else None,
            "code": {"sha256": code_sha256()},
            "portfolio": plan.source,
            "population": plan.population,
            "fingerprint": plan.fingerprint,  # none: of what Spark reads only its catalog could say
            "buckets": plan.buckets,
        }
        job = PortfolioRun(out, facts, is_fresh)
        if (manifest := job.manifest) is not None:
            return RunSummary(manifest, plan.buckets, plan.buckets)
        with job.held():
            sent = job.inner / "sent"
            code = pack(sent, "code", code_files())
            scorer = pack(sent, "scorer", {f.name: f for f in Scorer.files(model.folder)}) if model else None
            _send(spark, BOOT)
            own = extension.folder()
            added = pack(sent, "extension", extension_files(own)) if own else None
            for archive in filter(None, (code, scorer, added)):
                _send(spark, archive)
            tag, folder = (model.tag, str(model.folder)) if model else ("", "")
            task = Task(command, run_name, tag, folder, is_slow_allowed)
            folders = {extension.VARIABLE: added.name} if added else {}
            steps = _Steps(spark, lake, plan, code.name, folders)
            tables, done, resumed = _run(steps, job, applications, task, scorer, progress)
            manifest = job.finish(tables, done, run_name, f"spark {spark.version}", now())
        shutil.rmtree(job.inner)
        return RunSummary(manifest, plan.buckets, resumed)
    except PySparkException as error:
        if said := OURS.search(str(error)):
            raise RunError(said[1].strip()) from error
        kinds = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception)):", str(error), re.MULTILINE)
        what = f"{kinds[-1]} in a worker" if kinds else error.getCondition() or type(error).__name__
        raise RunError(f"Spark {spark.version} failed ({what}); its own log says more.") from error


class _Steps:
    """Steps over the tables of a lake, with what every worker must know."""

    def __init__(
        self, spark: SparkSession, lake: Lake, plan: BucketPlan, code: str, folders: dict[str, str]
    ) -> None:
        self.spark, self.lake, self.plan, self._code, self._folders = spark, lake, plan, code, folders

    def step(self, name: str, **said: Any) -> Any:
        """Return a step that workers can load: its class is sent along by name."""
        told = json.dumps({"plan": vars(self.plan), **said})
        return boot().Step(self._code, name, told, self._folders)

    def numbers(self) -> DataFrame:
        """Return the numbers of the buckets."""
        return self.spark.range(self.plan.buckets).select(F.col("id").cast("int").alias("bucket"))

    def parcels(
        self, table: str, frame: DataFrame, kinds: Mapping[str, str], key: str, tag: str, slots: int
    ) -> DataFrame:
        """Return the records of a table in parcels, each for one of ``slots`` by its ``key``."""
        there = {name.lower() for name in frame.columns}
        if lost := [name for name in kinds if name.lower() not in there]:
            raise TableError("no_column", file=table, name=lost[0])
        chosen = [F.col(name).alias(name) for name in kinds]
        files = sorted(frame.inputFiles())
        suffixes = {Path(file).suffix for file in files}
        if self.lake.is_of_files and suffixes == {".parquet"}:
            chosen += [F.col("_metadata.file_path").alias(FILE), F.col("_metadata.row_index").alias(ROW)]
        elif self.lake.is_of_files:
            chosen += [
                F.col("_metadata.file_path").alias(FILE),
                F.col("_metadata.file_block_start").alias(BLOCK),
            ]
        said = {"files": files, "kinds": dict(kinds), "key": key, "tag": tag, "slots": slots, "label": table}
        return frame.select(*chosen).mapInArrow(self.step("table", **said), DDL)


def _run(
    steps: _Steps,
    job: PortfolioRun,
    applications: DataFrame | None,
    task: Task,
    scorer: Path | None,
    progress: Progress,
) -> tuple[dict[str, Table | None], dict[int, Receipt], int]:
    """Bring everything to its bucket and do the work; return tables, receipts, and how many were done."""
    plan = steps.plan
    done = job.receipts()
    said = {
        "task": asdict(task) | {"scorer": scorer.name if scorer else ""},
        "code": job.facts["code"]["sha256"],
        "done": sorted(done),
        "out": str(job.out.resolve()),
    }
    progress("spark", len(done), plan.buckets)
    resumed = len(done)
    if (laid := steps.lake.layout) is not None:
        tables, whole = laid.tables, steps.numbers()
        step = steps.step("laid", layout=str(laid.folder.resolve()), **said)
    else:
        tables, whole = _together(steps, applications)
        there = [name for name, table in tables.items() if table is not None]
        step = steps.step("work", tables=there, **said)
    for row in whole.repartitionById(plan.buckets, "bucket").mapInArrow(step, RECEIPT).collect():
        receipt = json.loads(row.receipt)
        done.setdefault(receipt["number"], receipt)
    progress("spark", len(done), plan.buckets)
    return tables, done, resumed


def _together(steps: _Steps, applications: DataFrame | None) -> tuple[dict[str, Table | None], DataFrame]:
    """Return what is known of the tables, and the parcels of them all."""
    plan = steps.plan
    tables: dict[str, Table | None] = {}
    parts: list[DataFrame] = []
    for name in plan.tables:
        table = APPLICATION_TABLES[plan.population] if name == APPLICATIONS else name
        frame = applications if name == APPLICATIONS else steps.lake.table(name)
        credits = steps.lake.table("bureau") if name == "bureau_balance" else None
        if frame is None or (name == "bureau_balance" and credits is None):
            tables[name] = None
            continue
        records = frame.count()
        files = [{"name": Path(file).name, "sha256": None} for file in sorted(frame.inputFiles())]
        tables[name] = {"records": records, "ownerless": 0, "files": files}
        kinds = {KEY: "id"} | plan.kinds(name)
        if credits is not None:
            parts.append(_balances(steps, frame, credits, plan.kinds(name), records))
            continue
        if name == APPLICATIONS and plan.population == "train":
            kinds = {KEY: "id", LABEL: "integer"} | plan.kinds(name)
        parts.append(steps.parcels(table, frame, kinds, KEY, name, plan.buckets))
    return tables, reduce(DataFrame.unionAll, parts)


def _balances(
    steps: _Steps, frame: DataFrame, credits: DataFrame, kinds: Mapping[str, str], records: int
) -> DataFrame:
    """Bring each month of a credit to its applicant's bucket: credits and months meet by the credit first."""
    slots = max(1, -(-records // MONTHS_ABREAST))
    links = steps.parcels("bureau", credits, {KEY: "id", LINK: "id"}, LINK, CREDITS, slots)
    found = steps.parcels("bureau_balance", frame, kinds, LINK, MONTHS, slots)
    together = links.unionAll(found).repartitionById(slots, "bucket")
    return together.mapInArrow(steps.step("months"), DDL)


def boot() -> Any:
    """Return the module that is sent along, under the name that a worker knows it by."""
    name = BOOT.stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BOOT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def pack(folder: Path, name: str, files: Mapping[str, Path]) -> Path:
    """Write an archive, the same bytes for the same files, named by what is in it; return its path."""
    folder.mkdir(exist_ok=True)
    content = {inner: file.read_bytes() for inner, file in sorted(files.items())}
    digest = hashlib.sha256(repr([(i, hashlib.sha256(c).hexdigest()) for i, c in content.items()]).encode())
    path = folder / f"{name}-{digest.hexdigest()[:12]}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, one in content.items():
            archive.writestr(zipfile.ZipInfo(inner), one, zipfile.ZIP_DEFLATED)
    return path


def _send(spark: SparkSession, file: Path) -> None:
    """Send a file to every worker, unless this session has it: its name says what is in it."""
    try:
        spark.addArtifacts(str(file), pyfile=file.suffix == ".py", archive=file.suffix == ".zip")
    except PySparkException as error:
        if error.getCondition() != "DUPLICATED_ARTIFACT":
            raise


def code_files() -> dict[str, Path]:
    """Return the code that scores, with its kernels, by its place in an archive."""
    kinds = ("*.py", "*.c", "*.so", "*.po", "*.csv")
    found = sorted(file for kind in kinds for file in PACKAGE.rglob(kind))
    return {f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}": file for file in found}


def extension_files(folder: Path) -> dict[str, Path]:
    """Return the lender's own columns and features, by their place in an archive."""
    files = (file for kind in ("*.py", "*.po") for file in folder.rglob(kind))
    return {file.relative_to(folder).as_posix(): file for file in sorted(files)}


def session(master: str, conf: Mapping[str, str]) -> SparkSession:
    """Return a session on a master of Spark's, ``sc://…`` for Spark Connect."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("credit-scoring").config("spark.log.level", "ERROR")
    builder = builder.remote(master) if master.startswith("sc://") else builder.master(master)
    if not master.startswith("sc://"):
        builder = builder.config("spark.ui.showConsoleProgress", sys.stderr.isatty())
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
