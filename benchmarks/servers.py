"""One application at a time over HTTP: our service beside other servers that do the same job.

The job: check the request, compute the features from the raw columns, decide, write the log, answer.
MLServer, LitServe, Ray Serve and the FastAPI tuned by hand carry our own decider (checks, features, kernel,
log synced to the disk): they show what the server costs. FastAPI the usual way and mlflow carry pandas code
of 40 of our features and a log line that is not synced: less work than ours. Each server has one worker
process. The load generator, one process of some 50 us a request, shares the two cores with the server.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.load import Load, drive, merged, request
from benchmarks.results import record
from benchmarks.serving import (
    BATCHED,
    MLFLOW,
    OURS,
    PEERS,
    RAY,
    TUNED,
    UNBATCHED,
    USUAL,
    Peer,
    Running,
    chosen,
)
from scoring import synthetic, tables

CONNECTIONS = (1, 16, 64)
COMMAND = "python -m benchmarks.servers"
APPLICATIONS = 200
ROWS = (1, 10, 100, 1_000)
FULL = 100  # records of history
FULL_MS = 15.0
app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Target:
    """What our rate, or our p99, divided by a peer's must reach."""

    least_rate: float
    most_p99: float | None = None


TARGETS = {USUAL: Target(6.0, 0.2), MLFLOW: Target(30.0), TUNED: Target(0.7)}
AHEAD = Target(1.0)  # of every other peer


@dataclass(frozen=True)
class Round:
    """One load on one server: its answers, and CPU milliseconds that the server spent on each."""

    load: Load
    cpu_ms: float


Found = dict[tuple[str, int], list[Round]]  # by server and connections


def free_port() -> int:
    """Return a port; the two after it are free as good as surely."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def applications() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Invent applications: without history, and with about a hundred records of it."""
    with tempfile.TemporaryDirectory() as folder:
        synthetic.write(Path(folder) / "portfolio", train=8 * APPLICATIONS, test=1, seed=5)
        known = tables.read(Path(folder) / "portfolio", "train")
    whole = tables.to_requests(known, range(8 * APPLICATIONS))
    bare = [{k: v for k, v in a.items() if k != "history"} for a in whole[:APPLICATIONS]]
    full = [a for a in whole if 0.8 * FULL <= sum(map(len, a.get("history", {}).values())) <= 1.2 * FULL]
    return bare, full


@contextmanager
def running(peers: Sequence[Peer], model: Path, console: Console) -> Iterator[dict[str, Running]]:
    """Start peers, all at once; one that does not start is left out, and said."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        found: dict[str, Running] = {}
        for number, peer in enumerate(peers):
            if not peer.is_installed:
                console.print(f"[yellow]{peer.name}: not installed; `make bench` does it[/yellow]")
                continue
            server = Running(peer, free_port(), model, Path(folder) / str(number))
            stack.callback(server.stop)
            found[peer.name] = server
        for name, server in list(found.items()):
            try:
                server.wait()
            except RuntimeError as error:
                console.print(f"[yellow]{error}[/yellow]")
                del found[name]
        yield found


def ask(server: Running, bodies: Sequence[bytes], connections: int, seconds: float) -> Round:
    """Put a load on one server."""
    before = server.cpu_s()
    load = drive(server.port, bodies, connections, seconds)
    return Round(load, 1e3 * (server.cpu_s() - before) / len(load.taken))


def measure(
    servers: dict[str, Running],
    bodies: list[dict[str, Any]],
    rounds: int,
    seconds: float,
    progress: Progress,
) -> Found:
    """Put loads on the servers in turn, so that what else the machine does falls on all of them."""
    sent = {
        name: [request(server.peer.path, server.peer.write(body)) for body in bodies]
        for name, server in servers.items()
    }
    for name, server in servers.items():
        drive(server.port, sent[name], 4, min(seconds, 1.0))
        drive(server.port, sent[name], 1, 0.3)
    found: Found = defaultdict(list)
    task = progress.add_task("one at a time", total=rounds * len(CONNECTIONS) * len(servers))
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for name, server in servers.items():
                found[name, connections].append(ask(server, sent[name], connections, seconds))
                progress.advance(task)
    return found


def report(found: Found, names: Sequence[str], is_kept: bool, console: Console) -> None:
    """Show the figures of the servers of these names beside their targets, and keep them."""
    table = Table(
        "server", "connections", "requests/s", "p50 ms", "p99 ms", "CPU ms", "our rate /", "our p99 /"
    )

    def keep(
        name: str, figure: float, unit: str, target: float | None = None, met: bool | None = None
    ) -> None:
        if is_kept:
            record(name, figure, unit, target=target, met=met, command=COMMAND)

    for connections in CONNECTIONS:
        mine = found.get((OURS, connections))
        for peer in PEERS:
            rounds = found.get((peer.name, connections))
            if rounds is None or peer.name not in names:
                continue
            where = f"{peer.name}, {connections} connections"
            whole = merged([one.load for one in rounds])
            rate = statistics.median(one.load.rate for one in rounds)
            p50, p99 = (statistics.median(one.load.quantile_ms(q) for one in rounds) for q in (0.5, 0.99))
            cpu = statistics.median(one.cpu_ms for one in rounds)
            keep(f"one row, {where}, throughput", rate, "requests/s")
            keep(f"one row, {where}, p50", p50, "ms")
            keep(f"one row, {where}, p99", p99, "ms")
            keep(f"one row, {where}, server CPU", cpu, "ms a request")
            shown = [peer.name, str(connections), f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{cpu:.2f}"]
            if mine is not None and peer.name not in (OURS, BATCHED, UNBATCHED):
                target = TARGETS.get(peer.name, AHEAD)
                pairs = list(zip(mine, rounds, strict=True))
                faster = statistics.median(a.load.rate / b.load.rate for a, b in pairs)
                sooner = statistics.median(
                    a.load.quantile_ms(0.99) / b.load.quantile_ms(0.99) for a, b in pairs
                )
                is_met = faster >= target.least_rate
                keep(f"one row, throughput over {where}", faster, "ratio", target.least_rate, is_met)
                late = None if target.most_p99 is None else sooner <= target.most_p99
                keep(f"one row, p99 over {where}", sooner, "ratio", target.most_p99, late)
                shown += [
                    f"{faster:.2f} {'' if is_met else 'MISSED'}",
                    f"{sooner:.3f} {'MISSED' if late is False else ''}",
                ]
            table.add_row(*shown)
            if whole.failed:
                console.print(f"[red]{where}: {whole.failed} answers were no decisions[/red]")
        if (BATCHED, connections) in found and (UNBATCHED, connections) in found:
            pairs = list(zip(found[BATCHED, connections], found[UNBATCHED, connections], strict=True))
            gain = statistics.median(a.load.rate / b.load.rate for a, b in pairs)
            keep(f"adaptive batching on over off, {connections} connections, throughput", gain, "ratio")
            table.add_row("batching on over off", str(connections), "", "", "", "", f"{gain:.2f}")
        table.add_section()
    console.print(table)


def sizes_of(servers: dict[str, Running], bodies: list[dict[str, Any]], rounds: int) -> dict[str, float]:
    """Return the milliseconds of requests of many rows, in the middle of so many rounds."""
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for size in ROWS:
            many = json.dumps({"applications": (bodies * (size // len(bodies) + 1))[:size]}).encode()
            for name in (OURS, USUAL):
                if name in servers:
                    load = drive(servers[name].port, [request("/score", many)], 1, 0.05)
                    taken[f"{size:,} rows in one request, {name}, p50"].append(load.quantile_ms(0.5))
    return {name: statistics.median(times) for name, times in taken.items()}


def batch_sizes(server: Running) -> dict[int, float]:
    """Return the share of batches of up to 1, 2, 4 ... requests, from BentoML's own histogram."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as page:
        lines = page.read().decode().splitlines()
    counts: dict[int, float] = defaultdict(float)
    for line in lines:
        if "adaptive_batch_size_bucket" in line and 'method_name="score"' in line and "+Inf" not in line:
            counts[int(float(line.partition('le="')[2].partition('"')[0]))] += float(line.rpartition(" ")[2])
    total = max(counts.values(), default=0.0)
    return {size: count / total for size, count in sorted(counts.items())} if total else {}


@app.command(epilog="Example: [bold]python -m benchmarks.servers --quick[/bold]")
def main(
    peer: Annotated[list[str] | None, typer.Option(help="Only these servers; ours is always there.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds, one server after the other in each.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one load.")] = 1.5,
    quick: Annotated[bool, typer.Option("--quick", help="One short round; nothing is kept.")] = False,
) -> None:
    """Compare our service with other servers, at 1, 16 and 64 connections."""
    console = Console(stderr=True)
    if quick:
        rounds, seconds = 1, 0.5
    folder = newest()
    bare, full = applications()
    names = [peer.name for peer in (chosen([OURS, *peer]) if peer else PEERS)]
    first = [name for name in names if name != RAY]
    found_ray: Found = {}
    with Progress(console=console, disable=not console.is_terminal) as progress:
        with running(chosen(first), folder, console) as servers:
            found = measure(servers, bare, rounds, seconds, progress)
            mine = servers[OURS]
            sent = [request(mine.peer.path, mine.peer.write(body)) for body in full]
            histories = merged([ask(mine, sent, 1, seconds).load for _ in range(rounds)])
            many = sizes_of(servers, bare, rounds)
            sizes = batch_sizes(servers[BATCHED]) if BATCHED in servers else {}
        if RAY in names:  # it is never idle, so it runs when the others are gone
            with running(chosen([OURS, RAY]), folder, console) as servers:
                if RAY in servers:
                    found_ray = measure(servers, bare, rounds, seconds, progress)
    report(found, first, not quick, console)
    report(found_ray, [RAY], not quick, console)
    p50 = histories.quantile_ms(0.5)
    console.print(
        f"one row with {FULL} records of raw history: p50 {p50:.1f} ms, p99 {histories.quantile_ms(0.99):.1f}"
    )
    console.print(
        "batches of up to N requests: " + ", ".join(f"{n}: {100 * share:.0f}%" for n, share in sizes.items())
    )
    if not quick:
        name = f"one row with {FULL} records of raw history"
        record(f"{name}, p50", p50, "ms", target=FULL_MS, met=p50 <= FULL_MS, command=COMMAND)
        record(f"{name}, p99", histories.quantile_ms(0.99), "ms", command=COMMAND)
        for name, figure in many.items():
            record(name, figure, "ms", command=COMMAND)
        for size, share in sizes.items():
            record(f"adaptive batches of at most {size} requests", share, "share of batches", command=COMMAND)


def newest() -> Path:
    """Return the newest imported model."""
    import bentoml

    return Path(bentoml.models.get("credit_scoring:latest").path)


if __name__ == "__main__":
    app()
