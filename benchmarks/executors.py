"""A standalone cluster of two executors on loopback, and their end by kill -9 in a stage of one's choice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

STAGES = ("map", "reduce", "commit")
PATIENCE_S = 1_800.0
DRAFT = re.compile(r"\.part-(\d+)\.parquet\.(\d+)$")
DEATH = re.compile(r"finished with state EXITED message Command exited with code 137")
T = TypeVar("T")
Family = Callable[[int], Iterator[int]]


class Missed(RuntimeError):
    """A kill that met nothing; the run was too short, or never came to the stage."""


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start a master and two workers of one core each; give the master's address."""
    import pyspark

    home = Path(pyspark.__file__).parent
    (folder / "local").mkdir(parents=True, exist_ok=True)
    env = os.environ | {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_WORKER_DIR": str(folder / "work"),
        "PYSPARK_PYTHON": sys.executable,
    }
    with ExitStack() as stack:

        def start(*line: str) -> Path:
            log = folder / f"{line[0].rpartition('.')[2]}-{time.monotonic_ns()}.log"
            with log.open("w") as file:
                spark_class = str(home / "bin" / "spark-class")
                process = subprocess.Popen([spark_class, *line], env=env, stdout=file, stderr=file)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return log

        master = "org.apache.spark.deploy.master.Master"
        log = start(master, "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        said = awaited(lambda: re.search(r"spark://127\.0\.0\.1:\d+", log.read_text()), "the master")
        address = said[0]
        worker = "org.apache.spark.deploy.worker.Worker"
        for _ in range(2):
            of_worker = start(worker, "--host", "127.0.0.1", "--cores", "1", "--memory", "1g", address)
            awaited(partial(has_joined, of_worker), "a worker")
        yield str(address)


def has_joined(log: Path) -> bool:
    """Say whether a worker has found its master."""
    return "Successfully registered" in log.read_text(encoding="utf-8")


class Victim(NamedTuple):
    """An executor, and the bucket that it is putting away; none in the stages before."""

    pid: int
    bucket: str | None


def kill_one(stage: str, line: list[str], out: Path, family: Family, logs: Path) -> str:
    """Start a run, kill -9 one executor in a stage, let the run end, and say what proves the kill.

    Parameters
    ----------
    stage : {"map", "reduce", "commit"}
        While parcels are made and nothing is written; while some buckets are done; while one is being put in
        its place.
    line : list of str
        The command of the run.
    out : Path
        Its folder.
    family : callable
        Gives a process and its descendants.
    logs : Path
        Where the workers of the cluster say how their executors ended.

    Raises
    ------
    Missed
        If there was nobody to kill in that stage, or the stage was over before the kill.
    RuntimeError
        If the run fails.
    """
    before = deaths(logs)
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        victim = awaited(lambda: found(stage, out, process, family), f"stage {stage}", pause=0.002)
        if victim.pid < 0:
            raise Missed(f"the run ended before an executor could be killed in {stage}.")
        pids = [*family(victim.pid)]
        for pid in pids:  # the executor first, then its Python, which would put a part away all the same
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        awaited(lambda: all(is_gone(pid) for pid in pids), "the kill", pause=0.002)
        left = sorted(receipts(out))
        if (out / "manifest.json").exists():
            raise Missed(f"everything was done before the kill in {stage}.")
        if victim.bucket in left:
            raise Missed(f"bucket {victim.bucket} was put away before the kill.")
        assert process.stderr is not None
        said = process.stderr.read()
        if process.wait():
            raise RuntimeError(said[-2_000:])
        died = deaths(logs) - before
        if died != 1:
            raise RuntimeError(f"{died} executors ended by a kill, says the cluster, and not one.")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    at = f", which was putting away bucket {victim.bucket}" if victim.bucket else ""
    return f"executor {victim.pid}{at}; {len(left)} buckets done then; the cluster: exit code 137"


def deaths(logs: Path) -> int:
    """Return how many executors ended by kill -9, as the workers of a cluster say."""
    texts = (log.read_text(encoding="utf-8") for log in logs.glob("Worker-*.log"))
    return sum(len(DEATH.findall(text)) for text in texts)


def receipts(out: Path) -> set[str]:
    """Return the numbers of the buckets that are done."""
    return {file.stem for file in (out / ".job" / "receipts").glob("[0-9]*.json")}


def found(stage: str, out: Path, process: subprocess.Popen[str], family: Family) -> Victim | None:
    """Return an executor that is in a stage now; None if none is yet, one without a pid if none will be."""
    if process.poll() is not None:
        return Victim(-1, None)
    if stage == "commit":
        for draft in out.glob("*/.part-*.parquet.*"):
            if (match := DRAFT.search(draft.name)) and (above := ancestor(int(match[2]), living())):
                return Victim(above, match[1])
        return None
    # Python works for an executor in these two stages alone, not while tables are counted.
    busy = [pid for pid in living() if len([*family(pid)]) > 2]
    return Victim(busy[0], None) if busy and bool(receipts(out)) == (stage == "reduce") else None


def living() -> list[int]:
    """Return the executors of this machine that belong to a standalone cluster."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes()
            if b"CoarseGrainedExecutorBackend" in line and not is_gone(int(entry.name)):
                pids.append(int(entry.name))
    return sorted(pids)


def ancestor(pid: int, among: list[int]) -> int | None:
    """Return which of some processes started another one, maybe by others."""
    while pid > 1:
        if pid in among:
            return pid
        try:
            about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return None
        pid = int(about[about.rindex(")") + 2 :].split()[1])
    return None


def is_gone(pid: int) -> bool:
    """Say whether a process has ended, waited for or not."""
    try:
        about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return about[about.rindex(")") + 2] == "Z"


def awaited(look: Callable[[], T | None], what: str, pause: float = 0.1) -> T:
    """Return what a look finds, as soon as it finds something."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if result := look():
            return result
        time.sleep(pause)
    raise Missed(f"{what} did not come within {PATIENCE_S:.0f} s.")
