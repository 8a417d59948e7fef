"""Apache Spark instead of this machine: the same buckets, the same work, parts that are the same to the byte.

Spark reads the tables wherever they lie, and brings parcels of records to their buckets; what is in a parcel
and what is done with a bucket is `scoring.portfolio.steps`. The code, with its kernels, and the scorer go
along as archives. Only what Spark Connect has too is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from scoring.portfolio.job import PACKAGE, PortfolioRun, Receipt, RunError, Task, code_sha256
from scoring.portfolio.lake import Lake
from scoring.portfolio.running import NamedScorer, Progress, RunSummary
from scoring.portfolio.steps import BLOCK, CREDITS, DDL, FILE, MONTHS, RECEIPT, ROW, opened
from scoring.portfolio.work import Command
from scoring.schema import APPLICATION_TABLES, KEY, extension
from scoring.scorer import Scorer
from scoring.tables import LABEL, Population, TableError
from scoring.tables.buckets import (
    APPLICATIONS,
    ApplicantBucket,
    BucketPlan,
    Table,
    assembled,
)
from scoring.tables.faults import unreadable
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

DAMAGED = re.compile(r"\[FAILED_READ_FILE[^]]*\] Encountered error while reading file \w+:/*(/\S+?)\.\s")
CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")


def run(
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
    lake : Lake
        Of a session, classic or Connect, of Spark 4.1 or later.
    out : Path
        A folder that every worker sees.

    Raises
    ------
    TableError, ScorerError, RunError, OSError
        As there; what a worker says comes through.
    """
    with _plainly(lake.spark):
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
            steps = _sent(lake, plan, sent)
            scorer = pack(sent, "scorer", {f.name: f for f in Scorer.files(model.folder)}) if model else None
            if scorer:
                _send(lake.spark, scorer)
            tag, folder = (model.tag, str(model.folder)) if model else ("", "")
            task = Task(command, run_name, tag, folder, is_slow_allowed)
            tables, done, resumed = _run(steps, job, applications, task, scorer, progress)
            manifest = job.finish(tables, done, run_name, f"spark {lake.spark.version}", now())
        shutil.rmtree(job.inner)
        return RunSummary(manifest, plan.buckets, resumed)


def few(lake: Lake, population: Population, applicants: list[int], sent: Path) -> ApplicantBucket:
    """Bring a few applicants with all their records to this machine.

    Parameters
    ----------
    lake : Lake
    population : {"train", "test"}
    applicants : list of int
        Their SK_ID_CURR.
    sent : Path
        Folder for what the workers are sent; it must last as long as the session.

    Raises
    ------
    TableError, RunError, OSError
        As `run`.
    """
    with _plainly(lake.spark):
        wanted = lake.among(applicants)
        plan, applications = wanted.plan(population, 1)
        tables, parcels = _together(_sent(wanted, plan, sent), applications)
        found = opened(iter(parcels.toArrow().to_batches()))[0]
        there = [name for name, table in tables.items() if table is not None]
        return assembled(plan, {tag: pl.concat(frames) for tag, frames in found.items()}, there)


@contextmanager
def _plainly(spark: SparkSession) -> Iterator[None]:
    """Set a session up, and say what it fails at in a sentence: a worker's own where it has one."""
    found = tuple(int(part) for part in spark.version.split(".")[:2])
    if found < OLDEST:
        raise RunError(f"Spark {spark.version} has no repartitionById; a cluster needs 4.1 or later.")
    for name, value in CONF.items():
        spark.conf.set(name, value)
    try:
        yield
    except Exception as error:
        text = str(error)
        if not isinstance(error, PySparkException) and not type(error).__module__.startswith("py4j"):
            raise
        if said := OURS.search(text):
            raise RunError(said[1].strip()) from error
        if damaged := DAMAGED.search(text):
            raise unreadable(damaged[1]) from error
        kinds = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception)):", text, re.MULTILINE)
        condition = CONDITION.search(text)
        what = f"{kinds[-1]} in a worker" if kinds else condition[1] if condition else type(error).__name__
        raise RunError(f"Spark {spark.version} failed ({what}); its own log says more.") from error


def _sent(lake: Lake, plan: BucketPlan, sent: Path) -> _Steps:
    """Send the code, and what a lender added to it, to every worker."""
    code, own = pack(sent, "code", code_files()), extension.folder()
    added = pack(sent, "extension", {name: own / name for name in extension.sources()}) if own else None
    for file in filter(None, (BOOT, code, added)):
        _send(lake.spark, file)
    folders = {extension.VARIABLE: added.name} if added else {}
    return _Steps(lake, plan, code.name, folders)


class _Steps:
    """Steps over the tables of a lake, with what every worker must know."""

    def __init__(self, lake: Lake, plan: BucketPlan, code: str, folders: dict[str, str]) -> None:
        self.lake, self.plan, self._code, self._folders = lake, plan, code, folders

    def step(self, name: str, **said: Any) -> Any:
        """Return a step that workers can load: its class is sent along by name."""
        told = json.dumps({"plan": vars(self.plan), **said})
        return boot().Step(self._code, name, told, self._folders)

    def numbers(self) -> DataFrame:
        """Return the numbers of the buckets."""
        return self.lake.spark.range(self.plan.buckets).select(F.col("id").cast("int").alias("bucket"))

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
