"""What a whole portfolio costs, by processes and on Spark, and what kills do to it: ``make scale``.

Sizes are cost apart from the cost of a run as such: seconds of processors are measured at two sizes, and the
difference is divided by that of the applicants. Portfolios are shuffled, as lenders have them.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import executors
from benchmarks.layout import plain
from benchmarks.results import record
from scoring.portfolio.job import MANIFEST
from scoring.synthetic import write
from tests.support import small

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "bench" / "scale"
FILE = Path(__file__).with_name("scale.json")
DOCUMENT = ROOT / "BENCHMARKS.md"
OUT = FOLDER / f"out-{os.getpid()}"
POOL = "pool"
TAG = "credit_scoring:scale"
COMMAND = "make scale"
TICKS = os.sysconf("SC_CLK_TCK")
MOST_MS = 0.42  # CPU, of an added applicant: `tables.partitions` and one thread
MOST_READING = 0.25
SMALL: tuple[str, ...] = ("--conf", "spark.executor.memory=700m", "--conf", "spark.executor.cores=1")
TRIES = 4  # runs for each kill that is wanted: one may be over before it can be killed
# Runs of a minute are not worth the second compiler of the JVM.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SMALL += (
    "--conf",
    f"spark.executor.extraJavaOptions={QUICK}",
    "--conf",
    f"spark.driver.defaultJavaOptions={QUICK}",
)
LOCAL = ("--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1")
console = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass
class Cost:
    """Seconds, seconds of processors by kind of process, and the most memory of them all together, in MiB."""

    wall: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    peak: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all processors."""
        return sum(self.cpu.values())


def store() -> Path:
    """Return a model store with a scorer that reads every feature that it may."""
    home = FOLDER / "store"
    folder = home / "models" / "credit_scoring" / "scale"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        small.save(folder)
    return home


def portfolio(applicants: int) -> Path:
    """Return a shuffled portfolio of so many applicants, made once."""
    folder = FOLDER / f"portfolio-{applicants}"
    if not folder.is_dir():
        console.print(f"making {applicants} applicants")
        write(folder, 100, applicants, seed=1, is_shuffled=True)
    return folder


def command(name: str, source: Path, out: Path, engine: str, *more: str) -> list[str]:
    """Return the command line of a run."""
    line = [sys.executable, "-m", "scoring.portfolio", name, str(source), "--out", str(out)]
    if name == "score":
        line += ["--model", TAG, "--model-store", str(store()), "--run", "bench", "--engine", engine]
    if engine == "spark":
        line += ["--master", "local[2]", *LOCAL]
    return [*line, *more]


def measured(line: list[str]) -> Cost:
    """Run a command to its end, and look at its processes as long as they live."""
    cost, seen = Cost(), dict[int, tuple[str, float]]()
    began = time.perf_counter()
    with subprocess.Popen(
        line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        reader.start()
        while process.poll() is None:
            memory = 0.0
            for pid in family(process.pid):
                with suppress(OSError, IndexError, ValueError):
                    kind, seconds, mib = looked_at(pid)
                    seen[pid] = (kind, seconds)
                    memory += mib
            cost.peak = max(cost.peak, memory)
            time.sleep(0.1)
        reader.join()
    if process.returncode:
        raise RuntimeError("".join(said))
    cost.wall = time.perf_counter() - began
    for kind, seconds in seen.values():
        cost.cpu[kind] = cost.cpu.get(kind, 0.0) + seconds
    return cost


def family(root: int) -> Iterator[int]:
    """Give a process and all that descend from it."""
    yield root
    with suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from family(int(child))


def looked_at(pid: int) -> tuple[str, float, float]:
    """Return what a process is, its seconds of processors, and its memory in MiB."""
    about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    name, rest = about[about.index("(") + 1 : about.rindex(")")], about[about.rindex(")") + 2 :].split()
    seconds = (int(rest[11]) + int(rest[12])) / TICKS
    return "JVM" if name == "java" else "Python", seconds, int(rest[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@app.command()
def measure(
    sizes: Annotated[list[int] | None, typer.Option("--size", help="Applicants; at least two sizes.")] = None,
    engines: Annotated[list[str] | None, typer.Option("--engine", help="pool, spark.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, one after the other in turn.")] = 3,
) -> None:
    """Measure cost, memory and speed at several sizes, and write benchmarks/scale.json.

    Example: python -m benchmarks.scale measure --size 10000 --size 100000 --engine pool
    """
    chosen = sorted(sizes or [10_000, 100_000])
    found: dict[tuple[str, int], list[Cost]] = {}
    reading: dict[int, list[float]] = {}
    for _ in range(rounds):
        for size in chosen:
            source = portfolio(size)
            for engine in engines or ["pool", "spark"]:
                with emptied(OUT) as out:
                    cost = measured(command("score", source, out, engine))
                found.setdefault((engine, size), []).append(cost)
                parts = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in cost.cpu.items())
                console.print(f"{engine} {size}: {cost.wall:.1f} s, CPU s: {parts}, {cost.peak:.0f} MiB")
            with emptied(OUT) as out:
                reading.setdefault(size, []).append(measured(command("split", source, out, "pool")).total)
    keep(found, reading, chosen)
    tables()


def keep(found: dict[tuple[str, int], list[Cost]], reading: dict[int, list[float]], sizes: list[int]) -> None:
    """Write the figures: the median of each, and what an added applicant costs."""

    def middle(values: list[float]) -> float:
        return sorted(values)[len(values) // 2]

    def put(name: str, figure: float, unit: str, target: float | None = None) -> None:
        record(
            name,
            figure,
            unit,
            target=target,
            command=COMMAND,
            file=FILE,
        )
        console.print(f"{name}: {figure:.4g} {unit}")

    for (engine, size), costs in found.items():
        what = f"{engine}, {size:,} applicants"
        put(f"{what}, wall", middle([cost.wall for cost in costs]), "s")
        put(f"{what}, applicants a second", size / middle([cost.wall for cost in costs]), "1/s")
        put(f"{what}, peak of all processes", middle([cost.peak for cost in costs]), "MiB")
        for kind in costs[0].cpu:
            put(f"{what}, {kind}", middle([cost.cpu.get(kind, 0.0) for cost in costs]), "CPU s")
    if len(sizes) < 2:
        return
    low, high = sizes[0], sizes[-1]
    span = f"from {low:,} to {high:,}"
    added: dict[str, float] = {}
    fixed: dict[str, float] = {}
    for engine in {engine for engine, _ in found}:
        totals = [middle([cost.total for cost in found[engine, size]]) for size in (low, high)]
        added[engine] = 1_000 * (totals[1] - totals[0]) / (high - low)
        most = MOST_MS if engine == "pool" else None
        put(f"{engine}, an added applicant, {span}", added[engine], "CPU ms", most)
        fixed[engine] = totals[0] - added[engine] * low / 1_000
        put(f"{engine}, a run as such, {span}", fixed[engine], "CPU s")
        peaks = [middle([cost.peak for cost in found[engine, size]]) for size in (low, high)]
        put(f"{engine}, peak at {high:,} to that at {low:,}", peaks[1] / peaks[0], "ratio")
    if {"pool", "spark"} <= set(added):
        put(f"spark, an added applicant, {span}, CPU to the pool's", added["spark"] / added["pool"], "ratio")
        if added["spark"] < added["pool"]:  # else Spark costs more at any size
            even = 1_000 * (fixed["spark"] - fixed["pool"]) / (added["pool"] - added["spark"])
            put(f"spark, {span}, as many CPU s as the pool's from", even, "applicants")
    if "pool" in added:
        layout = 1_000 * (middle(reading[high]) - middle(reading[low])) / (high - low)
        share = layout / added["pool"]
        put(f"pool, reading and sorting, share of an added applicant, {span}", share, "ratio", MOST_READING)


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Give a folder that is not there, and remove it afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest(out: Path) -> str:
    """Return what a run left, byte for byte, and every count of its manifest, which any engine must find."""
    files = sorted(file for file in out.rglob("*") if file.is_file() and file.name != MANIFEST)
    said: list[Any] = [(str(f.relative_to(out)), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    said += [manifest[name] for name in ("applications", "rejected", "rows", "parts")]
    counts = ("read", "matched", "orphans")
    said += [(name, [table[count] for count in counts]) for name, table in manifest["tables"].items()]
    return hashlib.sha256(repr(said).encode()).hexdigest()


@app.command()
def tables() -> None:
    """Measure nothing: write the table of BENCHMARKS.md from benchmarks/scale.json."""
    start, end = "<!-- figures: scale -->", "<!-- end: scale -->"
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(start)
    records = json.loads(FILE.read_text(encoding="utf-8"))
    DOCUMENT.write_text(f"{before}{start}\n{plain(records)}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


@app.command()
def kills(
    applicants: Annotated[int, typer.Option(help="Of the portfolio.")] = 4_000,
    times: Annotated[int, typer.Option(help="Kills of the pool at random points; of executors a stage.")] = 5,
    stages: Annotated[
        list[str] | None, typer.Option("--stage", help="pool, map, reduce, commit; by default all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random points.")] = 1,
) -> None:
    """Kill the pool at random points and executors of a cluster in each stage; every run must end the same.

    Example: python -m benchmarks.scale kills --stage pool --applicants 1000
    """
    source, chance = portfolio(applicants), random.Random(seed)
    more = ("--buckets", "8")
    with emptied(OUT.with_name(f"{OUT.name}-whole")) as whole:
        cost = measured(command("score", source, whole, "pool", *more))
        expected = digest(whole)
    chosen, line = stages or [POOL, *executors.STAGES], command("score", source, OUT, "pool", *more)

    def kill_pool(_: Path) -> str:
        after = chance.uniform(0.1, 0.95) * cost.wall
        if not killed(line, after):
            raise executors.Missed("the run was over before.")
        measured(line)
        return f"all processes after {after:.1f} s"

    if POOL in chosen:
        fired(times, kill_pool, expected, "pool")
        what = "pool, kills at random points, runs that differ afterwards"
        record(what, 0, f"of {times}", target=0, met=True, command=COMMAND, file=FILE)
    if not (stages := [stage for stage in executors.STAGES if stage in chosen]):
        return
    with emptied(OUT.with_name(f"{OUT.name}-cluster")) as folder, executors.cluster(folder) as master:
        for stage in stages:

            def kill_executor(out: Path, stage: str = stage) -> str:
                line = command("score", source, out, "spark", *more, "--master", master, *SMALL)
                return executors.kill_one(stage, line, out, family, folder)

            fired(times, kill_executor, expected, f"spark, {stage}")
            what = f"spark, executors killed in {stage}, runs that differ"
            record(what, 0, f"of {times}", target=0, met=True, command=COMMAND, file=FILE)


def fired(times: int, kill: Callable[[Path], str], expected: str, what: str) -> None:
    """Kill so many times, counting those alone that met a run, and compare every byte of what it wrote."""
    left = times
    for number in range(TRIES * times):
        with emptied(OUT) as out:
            try:
                proof = kill(out)
            except executors.Missed as error:
                console.print(f"{what}: a kill met nothing, and is not counted: {error}")
                continue
            check(digest(out) == expected, f"{what}: after kill {number + 1} other bytes were written")
            left -= 1
            console.print(f"{what}: {times - left} of {times} kills: {proof}")
        if not left:
            return
    check(False, f"{what}: only {times - left} of {times} kills met a run: give more applicants")


def killed(line: list[str], after: float) -> bool:
    """Start a run, kill it with all its processes after so many seconds, and say whether that met it."""
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    for pid in [*family(process.pid)][::-1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def check(is_so: bool, otherwise: str) -> None:
    """End with a sentence if something is not so."""
    if not is_so:
        console.print(otherwise, style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
