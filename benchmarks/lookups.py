"""Finding decisions among many, while more are decided: by event, by client, and pages of filters.

An index is filled with invented decisions of years, in the order of their times; then a real log is written
at a steady rate and followed by a process of its own, and look-ups are timed meanwhile.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from sqlalchemy import MetaData, UniqueConstraint, insert, text, update

from benchmarks.results import record
from scoring.decisions import Filter, Follower, Index, IndexFault, by_event, page, place_of, schema
from scoring.decisions.gathered import microseconds, waits
from scoring.decisions.schema import unpacked
from scoring.inference_log import Entry, InferenceLog, identity

KEY = bytes(range(32))
ROOT = Path(__file__).resolve().parent.parent
CHUNK = 200_000
FIRST = 1_000  # id of the first decision that is invented
MODELS, OPERATORS, CLIENTS_A_DECISION = 24, 40, 0.4
EVENT_MS, PAGE_MS = 20.0, 200.0  # what was asked for
YEARS = timedelta(days=3 * 365)
console = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def entry(number: int) -> Entry:
    """Return a decision to record."""
    inputs: dict[str, float | str | None] = {"ext_mean": 0.5, "NAME_INCOME_TYPE": "Working"}
    decision = "refused" if number % 10 == 0 else "granted"
    return Entry(f"{number:032x}", number, "r", 0.05, 0.09, decision, inputs, operator=f"desk-{number % 7}")


def kinds() -> list[tuple[str, str, str, str, str]]:
    """Return what decisions there are, the frequent ones first."""
    found = []
    for model in range(MODELS):
        for purpose, decision in itertools.product(("decision", "preview", "test"), ("granted", "refused")):
            states = (
                ["waiting", "confirmed", "otherwise"] if waits(purpose, decision) == "waiting" else ["none"]
            )
            ends = ("unknown", "repaid", "defaulted") if purpose == "decision" else ("unknown",)
            found += [
                (f"credit_scoring:m{model}", purpose, decision, state, end)
                for state, end in itertools.product(states, ends)
            ]
    return found


def rows(count: int, end: datetime, seed: int = 1) -> Iterator[list[tuple[Any, ...]]]:
    """Give invented decisions as the table's columns, in the order of their times."""
    random = np.random.default_rng(seed)
    weights = np.array([{"decision": 30, "preview": 4, "test": 1}[k[1]] * (8 if k[2] == "granted" else 1)
                        for k in kinds()], dtype=float)  # fmt: skip
    weights /= weights.sum()
    step = YEARS / count
    begin = microseconds(end - YEARS)
    clients = max(1, int(count * CLIENTS_A_DECISION))
    for start in range(0, count, CHUNK):
        some = min(CHUNK, count - start)
        events = random.bytes(16 * some)
        times = (begin + (np.arange(start, start + some) * (step / timedelta(microseconds=1)))).astype(
            np.int64
        )
        kind = (random.choice(len(weights), some, p=weights) + 1).tolist()
        operator = (random.geometric(0.1, some) % OPERATORS + 1).tolist()
        applicant = random.integers(0, clients, some).tolist()
        default = random.beta(1, 9, some).tolist()
        ids = range(FIRST + start, FIRST + start + some)
        event = [events[16 * i : 16 * i + 16] for i in range(some)]
        client = [number.to_bytes(16, "big") for number in applicant]
        same = ([0.09] * some, [1] * some, [0] * some, [None] * some)  # threshold, file, start, row
        yield list(zip(ids, event, times.tolist(), client, kind, operator, default, *same, strict=True))


def fill(index: Index, count: int, end: datetime) -> list[str]:
    """Fill an index that was begun; return some of the events."""
    some: list[str] = []
    table = schema.decisions
    bare = table.to_metadata(MetaData())  # its indexes are made when it is full
    bare.indexes.clear()
    for rule in [rule for rule in bare.constraints if isinstance(rule, UniqueConstraint)]:
        bare.constraints.remove(rule)
    with index.begin(is_writing=True) as connection:
        table.drop(connection)
        bare.create(connection)
        columns = ("model", "purpose", "decision", "review", "outcome")
        connection.execute(schema.kinds.delete())
        connection.execute(schema.names.delete())
        connection.execute(
            insert(schema.kinds),
            [{"id": n, **dict(zip(columns, kind, strict=True))} for n, kind in enumerate(kinds(), start=1)],
        )
        connection.execute(
            insert(schema.names), [{"id": n, "name": f"person-{n}"} for n in range(1, OPERATORS + 1)]
        )
    for part in rows(count, end):
        with index.begin(is_writing=True) as connection:
            names = ", ".join(f'"{column.name}"' for column in bare.columns)
            if index.is_sqlite:
                marks = ", ".join("?" for _ in bare.columns)
                connection.exec_driver_sql(f"INSERT INTO decisions ({names}) VALUES ({marks})", part)
            else:
                raw: Any = connection.connection.cursor()
                with raw.copy(f"COPY decisions ({names}) FROM STDIN") as copy:
                    for row in part:
                        copy.write_row(row)
        some += [unpacked(row[1]) for row in part[:: max(1, len(part) // 200)]]
        console.print(f"{part[-1][0] - FIRST + 1:,} filled")
    with index.begin(is_writing=True) as connection:
        if not index.is_sqlite:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        connection.execute(text("CREATE UNIQUE INDEX decisions_event_key ON decisions (event)"))
        for one in table.indexes:
            one.create(connection)
        if not index.is_sqlite:
            connection.execute(text("ANALYZE decisions"))
            for name in ("kinds", "names"):  # what was inserted by number
                connection.execute(
                    text(
                        f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"
                    )
                )
        connection.execute(update(schema.about).values(next=FIRST + count))
    return some


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until_followed(index: Index, seconds: float = 120) -> None:
    """Wait until the follower is there."""
    end = time.monotonic() + seconds
    while True:
        time.sleep(1)
        try:
            page(index, Filter(), 1, datetime.now(UTC))
        except IndexFault:
            if time.monotonic() > end:
                raise
        else:
            return


def timed(calls: list[Callable[[], object]]) -> list[float]:
    """Return the milliseconds of each call, sorted."""
    found = []
    for call in calls:
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1e3)
        time.sleep(0.001)
    return sorted(found)


@app.command(epilog="Example: python -m benchmarks.lookups --rows 1000000")
def main(
    count: Annotated[int, typer.Option("--rows", min=1_000, help="Decisions in the index.")] = 10_000_000,
    place: Annotated[str, typer.Option("--index", help="postgresql://…; a file of SQLite by default.")] = "",
    rate: Annotated[int, typer.Option(help="Decisions a second meanwhile.")] = 200,
    looks: Annotated[int, typer.Option(help="Look-ups of each kind.")] = 300,
    is_kept: Annotated[bool, typer.Option("--keep", help="Keep the figures in results.json.")] = False,
) -> None:
    """Fill an index, write and follow a log beside, and time look-ups."""
    with tempfile.TemporaryDirectory(prefix="lookups-") as scratch:
        folder = Path(scratch)
        log = InferenceLog(folder / "log", "w1", KEY, "credit_scoring:m0", categories=("NAME_INCOME_TYPE",))
        key_file = folder / "key"
        key_file.touch(0o600)
        key_file.write_bytes(KEY)
        index = Index(place_of(place, log.folder), identity(KEY))
        if place:
            index.remake()
        log.record([entry(0)], datetime.now(UTC))
        Follower(index, log.folder, log.anchors, KEY).step()
        began, end = time.monotonic(), datetime.now(UTC)
        events = fill(index, count, end)
        console.print(f"filled in {time.monotonic() - began:.0f} s")
        if index.is_sqlite:
            size = Path(str(index.url.database)).stat().st_size
            console.print(f"{size / 2**20:,.0f} MiB, {size / count:.0f} bytes a decision")
        command = [sys.executable, "-m", "scoring.decisions", "follow", "--parent", str(os.getpid())]
        command += ["--log", str(log.folder), "--key-file", str(key_file)]
        environment = {**os.environ, "CREDIT_SCORING_INDEX": place}
        follower = subprocess.Popen(command, cwd=ROOT, env=environment)
        stop = threading.Event()
        written = itertools.count(1)

        def write() -> None:
            following = time.monotonic()
            while not stop.is_set():
                start = next(written) * (rate // 20)
                log.record([entry(start + n) for n in range(rate // 20)], datetime.now(UTC))
                following += 1 / 20
                time.sleep(max(0.0, following - time.monotonic()))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            until_followed(index)
            first, cpu = next(written), cpu_s(follower.pid)
            figures = measured(index, events, count, end, looks)
            done = next(written)
            cost = 1e3 * (cpu_s(follower.pid) - cpu) / ((done - first) * (rate // 20))
            time.sleep(2)
            seen = page(index, Filter(since=end), 1, datetime.now(UTC)).found[0]
            behind = (datetime.now(UTC) - seen.time).total_seconds()
            console.print(
                f"{done * (rate // 20):,} decisions meanwhile, {cost:.2f} CPU ms each to follow; the newest "
                f"that is found is {behind:.2f} s old"
            )
        finally:
            stop.set()
            writer.join()
            follower.terminate()
            follower.wait()
            index.close()
            log.close()
    base = "PostgreSQL" if place else "SQLite"
    for what, (times, target) in figures.items():
        middle, high = statistics.median(times), times[int(0.99 * (len(times) - 1))]
        console.print(f"{base}, {what}: p50 {middle:.2f} ms, p99 {high:.2f} ms, most {times[-1]:.1f} ms")
        if is_kept:
            name = f"look-up, {count:,} decisions, {base}, {what}"
            record(
                f"{name}, p50",
                middle,
                "ms",
                target=target,
                met=middle <= target,
                command="python -m benchmarks.lookups --keep",
            )
            record(
                f"{name}, p99",
                high,
                "ms",
                target=target,
                met=high <= target,
                command="python -m benchmarks.lookups --keep",
            )


def measured(
    index: Index, events: list[str], count: int, end: datetime, looks: int
) -> dict[str, tuple[list[float], float]]:
    """Return the milliseconds of each kind of look-up, and their bound."""
    random = np.random.default_rng(2)

    def now() -> datetime:
        return datetime.now(UTC)

    def find(event: str) -> object:
        return by_event(index, event, now())

    def wants(wanted: Filter, limit: int = 50) -> Callable[[], object]:
        return lambda: page(index, wanted, limit, now())

    clients = random.integers(0, int(count * CLIENTS_A_DECISION), looks).tolist()
    moments = [end - YEARS * float(share) for share in random.random(looks)]
    persons = [f"person-{n}" for n in random.integers(1, OPERATORS + 1, looks).tolist()]
    models = [f"credit_scoring:m{n}" for n in random.integers(0, MODELS, looks).tolist()]
    filters = {
        "page of all": [wants(Filter()) for _ in range(looks)],
        "page at a random time": [wants(Filter(until=moment)) for moment in moments],
        "page of the queue": [wants(Filter(review="waiting")) for _ in range(looks)],
        "page of an operator": [wants(Filter(operator=person)) for person in persons],
        "page of a model's overrides": [wants(Filter(model=model, review="otherwise")) for model in models],
        "page of all that is asked for at once": [
            wants(Filter(operator=p, model=m, decision="refused", purpose="test", until=t))
            for p, m, t in zip(persons, models, moments, strict=True)
        ],
        "page of a model's defaults": [wants(Filter(model=model, outcome="defaulted")) for model in models],
        "page of none": [wants(Filter(purpose="what-if", operator=person)) for person in persons],
        "page of 200": [wants(Filter(decision="granted", until=moment), 200) for moment in moments],
    }
    picked = [events[n] for n in random.integers(0, len(events), looks).tolist()]
    return {
        "by event": (timed([partial(find, event) for event in picked]), EVENT_MS),
        "by client": (timed([wants(Filter(applicant=f"{c:032x}")) for c in clients]), EVENT_MS),
        **{what: (timed(calls), PAGE_MS) for what, calls in filters.items()},
    }


if __name__ == "__main__":
    app()
