"""Rows 1 to 4, and 38: what the service bears, and how it says no."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

import httpx
import polars as pl

from tests.support import small
from tests.torture import traffic
from tests.torture.run import ROOT, Run
from tests.torture.served import Home, Server, served, stock, stock_rows
from tests.torture.traffic import Answer, Pool, Tally

APPLICANTS = 2_000
CLIENTS, TURNS = 64, 3
OWNER = "/owner"
QUESTIONS = ("/counterfactual", "/compare?fact=AMT_INCOME_TOTAL&among=neighbours", "/curve", OWNER)


class StockPool(Pool):
    """The same applications as the plain peer takes them; its answers are not compared."""

    def __init__(self, rows: list[dict[str, float]]) -> None:
        self.bodies = [json.dumps({"rows": [row]}).encode() for row in rows]
        self.numbers, self.probabilities = [], []

    def is_right(self, _: int, __: Answer) -> bool:
        """Take any answer."""
        return True


def pool(home: Home, applicants: int = APPLICANTS, seed: int = 11) -> Pool:
    """Return invented applications, most with raw histories, with their offline answers."""
    requests = small.applications(applicants, seed=seed)
    return Pool(requests, home.probabilities(requests))


def stock_pool(home: Home, applicants: int = 200, seed: int = 11) -> StockPool:
    """Return invented applications for the peer."""
    return StockPool(stock_rows(home, small.applications(applicants, seed=seed)))


def warm(server: Server, asked: Pool, seconds: float = 3) -> None:
    """Let the first requests pass, which nobody should measure."""
    end = time.monotonic() + seconds
    asyncio.run(traffic.closed(server.port, asked, 8, 10**9, until=lambda: time.monotonic() > end))


def timed(server: Server, asked: Pool, clients: int, seconds: float, **how: Any) -> Tally:
    """Ask for so many seconds from so many clients."""
    end = time.monotonic() + seconds
    until = lambda: time.monotonic() > end  # noqa: E731
    return asyncio.run(traffic.closed(server.port, asked, clients, 10**9, until=until, **how))


def steady(run: Run) -> None:
    """Ten minutes at 200 requests a second, every decision synced to the disk."""
    seconds, home = run.count(600, least=5), Home(run.folder / "home")
    asked = pool(home)
    with served(home) as server:
        warm(server, asked)
        before = server.cpu_seconds()
        tell = lambda done: run.progress(done, 200 * seconds, "requests")  # noqa: E731
        tally = asyncio.run(traffic.paced(server.port, asked, 200, seconds, tell=tell, keeps_ids=True))
        cpu = 1e3 * (server.cpu_seconds() - before) / max(tally.total, 1)
    missing = set(tally.event_ids) - home.ids().keys()
    with stock(home) as server:
        rows = stock_pool(home)
        warm(server, rows)
        peer = asyncio.run(traffic.paced(server.port, rows, 200, run.count(30, least=5)))
    run.figure("requests sent at 200 a second", tally.total, "requests", f">= {200 * seconds}")
    run.figure(
        "p99 from when a request was due",
        round(tally.quantile(0.99), 1),
        "ms",
        "<= 150",
        stock=f"{peer.quantile(0.99):.1f}",
        note="the peer gets ready-made features and syncs nothing",
    )
    run.figure(
        "p50 from when a request was due",
        round(tally.quantile(0.5), 1),
        "ms",
        stock=f"{peer.quantile(0.5):.1f}",
    )
    run.figure("not answered 200", tally.errors, "requests", "= 0", stock=peer.said())
    run.figure("answers that differ from offline scoring", tally.wrong, "requests", "= 0")
    run.figure("answered but not in the log", len(missing), "decisions", "= 0")
    run.figure("processor time of a request", round(cpu, 2), "ms")


def bulk(run: Run) -> None:
    """A CSV file of 10,000 applications through the command line."""
    home, rows = Home(run.folder / "home"), run.count(10_000, least=100)
    requests = [
        {name: value for name, value in request.items() if name != "history"}
        for request in small.applications(rows, seed=12)
    ]
    file, out = run.folder / "applications.csv", run.folder / "decisions.csv"
    pl.DataFrame(requests, infer_schema_length=None).write_csv(file)
    offline = home.probabilities(requests)
    command = [sys.executable, "-m", "scoring.client", "score", str(file)]
    took = []
    with served(home) as server:
        for turn in range(3):
            out.unlink(missing_ok=True)
            started = time.perf_counter()
            done = subprocess.run(
                [*command, "--url", server.url, "--out", str(out), "--fresh"],
                env=home.environment(),
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            took.append(time.perf_counter() - started)
            run.progress(turn + 1, 3, "turns")
            if done.returncode:
                raise RuntimeError(done.stderr[-500:])
    table = pl.read_csv(out, infer_schema_length=None)
    found = table["probability_of_default"].to_list()
    unequal = sum(a != b for a, b in zip(found, offline, strict=True))
    run.figure(
        f"CSV of {rows:,} rows, command line from start to end, median of 3",
        round(sorted(took)[1], 2),
        "s",
        "<= 5",
        note="Python's own start and the log's sync included",
    )
    run.figure("probabilities that differ from offline scoring, to the last bit", unequal, "rows", "= 0")


def explain(run: Run) -> None:
    """Row 3: /explain as full as it gets; /score at 50 requests a second must not feel it."""
    home, seconds = Home(run.folder / "home"), run.count(40, least=6)
    asked = pool(home, 400)
    bodies = [json.loads(body)["applications"][0] for body in asked.bodies[:100]]
    batches = [json.dumps({"applications": bodies[i : i + 10]}).encode() for i in range(0, 100, 10)]

    with served(home) as server:
        warm(server, asked)
        quiet = asyncio.run(traffic.paced(server.port, asked, 50, seconds))
        run.progress(1, 2, "phases")
        loud, answered, took = asyncio.run(beside(server, asked, seconds, ("/explain",), batches))
        explained = 10 * answered["/explain"]
        alone, before, started = 0, server.cpu_seconds(), time.perf_counter()
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http:
            while time.perf_counter() - started < seconds / 4:
                answer = http.post(
                    "/explain", content=batches[alone % 10], headers={"content-type": "application/json"}
                )
                alone += answer.status_code == 200
        core = 10 * alone / (server.cpu_seconds() - before)
    ratio = loud.quantile(0.99) / quiet.quantile(0.99)
    run.figure(
        "/score p99 beside a full /explain, against quiet",
        round(ratio, 2),
        "×",
        "<= 2",
        note=f"{quiet.quantile(0.99):.0f} ms quiet, {loud.quantile(0.99):.0f} ms beside it, on shared cores",
    )
    run.figure("/score not answered 200 meanwhile", loud.errors, "requests", "= 0")
    run.figure("/explain, rows a second of one core", round(core), "rows/s", ">= 100")
    run.figure("/explain, rows a second meanwhile", round(explained / took), "rows/s")


async def beside(
    server: Server, asked: Pool, seconds: float, paths: Sequence[str], batches: Sequence[bytes]
) -> tuple[Tally, Counter[str], float]:
    """Ask /score at 50 a second while other paths are as full as they get; count what these answered."""
    answered, is_over, started = Counter[str](), False, time.perf_counter()

    async def saturate(path: str, turn: int) -> None:
        caller = traffic.Caller(server.port)
        while not is_over:
            if path == OWNER:
                answer = await caller.ask(path, b"", method="GET")
            else:
                answer = await caller.ask(path, batches[turn % len(batches)])
            answered[path] += answer.status == 200
            turn += 1
            if answer.status != 200:
                await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
        caller.close()

    each = max(1, 8 // len(paths))
    full = [asyncio.ensure_future(saturate(path, turn)) for path in paths for turn in range(each)]
    await asyncio.sleep(2)
    found = await traffic.paced(server.port, asked, 50, seconds)
    is_over = True
    await asyncio.gather(*full)
    return found, answered, time.perf_counter() - started


def questions(run: Run) -> None:
    """Row 38: all that decides nothing as full as it gets; /score at 50 a second must not feel it."""
    home, seconds = Home(run.folder / "home"), run.count(40, least=6)
    asked = pool(home, 400)
    bodies = [json.loads(body)["applications"][0] for body in asked.bodies[:100]]
    batches = [json.dumps({"applications": bodies[i : i + 2]}).encode() for i in range(0, 100, 2)]
    with served(home) as server:
        warm(server, asked)
        quiet = asyncio.run(traffic.paced(server.port, asked, 50, seconds))
        for number, path in enumerate((*QUESTIONS, "all together"), start=1):
            run.progress(number, len(QUESTIONS) + 1, "questions")
            paths = QUESTIONS if path == "all together" else (path,)
            loud, answered, took = asyncio.run(beside(server, asked, seconds, paths, batches))
            run.figure(
                f"/score p99 beside a full {path.partition('?')[0]}, against quiet",
                round(loud.quantile(0.99) / quiet.quantile(0.99), 2),
                "×",
                "<= 2",
                note=f"{quiet.quantile(0.99):.0f} ms quiet, {loud.quantile(0.99):.0f} ms beside it; "
                f"{sum(answered.values()) / took:.1f} answers a second",
            )
            run.figure(f"/score not answered 200 beside {path}", loud.errors, "requests", "= 0")
            run.figure(f"{path} answered meanwhile", sum(answered.values()), "answers", ">= 1")


async def crowd(port: int, asked: Pool, clients: int, seconds: float, path: str = "/score") -> Tally:
    """Ask from a crowd that does what Retry-After says, each in the second after it: nobody has one clock.

    For the same reason it arrives within a second.
    """
    tally, end, chance = Tally(), time.monotonic() + seconds, random.Random(4)

    async def client(number: int) -> None:
        caller = traffic.Caller(port, timeout_s=30)
        await asyncio.sleep(chance.random())
        while time.monotonic() < end:
            index = number % len(asked)
            try:
                answer = await caller.ask(path, asked.bodies[index])
            except traffic.Lost as lost:
                tally.lost.append(str(lost))
                await asyncio.sleep(1)
                continue
            is_right = answer.status == 200 and asked.is_right(index, answer)
            traffic.note(tally, answer, is_right, False, answer.seconds)
            number += clients
            if answer.status != 200:
                pause = float(answer.headers.get("retry-after", 1)) + chance.random()
                await asyncio.sleep(max(0, min(pause, end - time.monotonic())))  # nobody sleeps past the end
        caller.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    tally.took = time.perf_counter() - tally.began
    return tally


def overload(run: Run) -> None:
    """800 clients where 64 fill the service, three times: the machine's own speed wanders."""
    home, seconds = Home(run.folder / "home"), run.count(20, least=6)
    asked, clients = pool(home), run.count(800, least=300)
    few, crowds, peak = [], [], 0
    with served(home) as server:
        warm(server, asked)
        before = server.memory()

        async def watched() -> Tally:
            nonlocal peak
            task = asyncio.ensure_future(crowd(server.port, asked, clients, seconds))
            while not task.done():
                peak = max(peak, server.memory())
                await asyncio.sleep(0.5)
            return await task

        for turn in range(TURNS):
            few.append(asyncio.run(crowd(server.port, asked, CLIENTS, seconds / 2)))
            crowds.append(asyncio.run(watched()))
            run.progress(turn + 1, TURNS + 1, "phases")
    capacity, many = median(tally.rate for tally in few), traffic.together(crowds)
    with stock(home) as server:
        rows = stock_pool(home)
        warm(server, rows)
        base = asyncio.run(crowd(server.port, rows, CLIENTS, seconds / 4))
        peer = asyncio.run(crowd(server.port, rows, clients, seconds / 2))
    goodput = 100 * median(crowded.rate / alone.rate for alone, crowded in zip(few, crowds, strict=True))
    slow = (
        1e3 * sorted(many.refused_seconds)[int(0.99 * len(many.refused_seconds))]
        if many.refused_seconds
        else 0.0
    )
    run.figure(
        f"answers 200 a second with {clients} clients, against {CLIENTS}",
        round(goodput, 1),
        "%",
        ">= 90",
        stock=f"{100 * peer.rate / base.rate:.1f} ({peer.said()})",
        note=f"median of {TURNS} turns; {capacity:.0f} a second with {CLIENTS}; then {many.said()}",
    )
    run.figure(
        "p99 of a refusal",
        round(slow, 1),
        "ms",
        "<= 100",
        note="by clients on the same 2 cores, who come within a second, and back in that after Retry-After",
    )
    run.figure(
        "refusals without Retry-After", many.without_retry, "requests", "= 0", stock=str(peer.without_retry)
    )
    other = sum(n for status, n in many.statuses.items() if status not in (200, 429, 503)) + len(many.lost)
    run.figure("neither answered nor told to come back", other, "requests", "= 0")
    run.figure("answers that differ from offline scoring", many.wrong, "requests", "= 0")
    run.figure("memory against before", round(peak / before, 2), "×", "<= 1.5")
