"""Rows 5 to 7: restarts, killed workers, a killed supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

import psutil

from tests.support.running import holds_a_place
from tests.torture import traffic
from tests.torture.load import pool, stock_pool, warm
from tests.torture.run import Run
from tests.torture.served import Home, Server, served, start, stock
from tests.torture.traffic import Pool, Tally

CLIENTS = 8


def restarts(run: Run) -> None:
    """A hundred SIGTERM under load; clients watch readiness, as a load balancer does."""
    home, turns = Home(run.folder / "home"), run.count(100, least=2)
    asked, each = pool(home), 550  # requests that are answered between two restarts
    codes: list[int] = []
    down: list[float] = []
    server = start(home)
    server.wait_ready()

    async def scenario() -> Tally:
        nonlocal server
        is_over, tally = False, Tally()
        async with traffic.Readiness(server.port) as watched:
            load = asyncio.ensure_future(
                traffic.closed(
                    server.port,
                    asked,
                    CLIENTS,
                    10**9,
                    keeps_ids=True,
                    gate=watched.gate,
                    until=lambda: is_over,
                    tally=tally,
                )
            )
            for turn in range(turns):
                aim = tally.statuses[200] + each
                while tally.statuses[200] < aim and not load.done():
                    await asyncio.sleep(0.02)
                began, old = time.monotonic(), server
                codes.append(await asyncio.to_thread(old.stop))
                old.http.close()
                server = start(home, port=old.port)
                await asyncio.to_thread(server.wait_ready)
                down.append(time.monotonic() - began)
                run.progress(turn + 1, turns, "restarts")
            aim = tally.statuses[200] + each
            while tally.statuses[200] < aim and not load.done():
                await asyncio.sleep(0.02)
            is_over = True
            await load
        return tally

    try:
        tally = asyncio.run(scenario())
    finally:
        server.stop()
    missing = set(tally.event_ids) - home.ids().keys()
    with stock(Home(run.folder / "peer")) as peer:
        lost = one_restart(peer, stock_pool(home))
    run.figure("restarts", turns, "", ">= 100" if run.scale == 1 else "")
    run.figure(
        "requests around them",
        tally.total,
        "requests",
        ">= 50,000" if run.scale == 1 else f">= {turns * each}",
    )
    run.figure(
        "lost, or not answered 200",
        tally.errors,
        "requests",
        "= 0",
        stock=f"{lost.errors} of {lost.total} in one restart",
    )
    run.figure("answered but not in the log", len(missing), "decisions", "= 0")
    run.figure("answers that differ from offline scoring", tally.wrong, "requests", "= 0")
    run.figure("exit codes other than 0", sum(code != 0 for code in codes), "restarts", "= 0")
    run.figure("faults in the chain of the log", home.faults(), "faults", "= 0")
    run.figure("from SIGTERM to ready again, median", round(sorted(down)[len(down) // 2], 1), "s")


def one_restart(server: Server, asked: Pool) -> Tally:
    """Stop a peer once under the same clients."""

    async def scenario() -> Tally:
        is_over = False
        async with traffic.Readiness(server.port) as watched:
            await watched.gate()
            load = asyncio.ensure_future(
                traffic.closed(server.port, asked, CLIENTS, 10**9, gate=watched.gate, until=lambda: is_over)
            )
            await asyncio.sleep(2)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.process.wait, 60)
            is_over = True
            watched.ready.set()
            return await load

    return asyncio.run(scenario())


class Gaps:
    """Notes when answers came, to find the longest silence."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.longest = 0.0

    def beat(self) -> None:
        """Take note of an answer."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.last)
        self.last = now


STANDS_BY = "waiting to take the place"
AT_ONCE = 5  # every so many kills a worker is killed before another spare is loaded


def serving(server: Server) -> list[psutil.Process]:
    """Return the workers that have a place among those that answer."""
    return [worker for worker in server.workers() if holds_a_place(worker.pid)]


def is_replaced(server: Server, before: Sequence[psutil.Process]) -> bool:
    """Say whether as many serve as before, and not the same."""
    now = serving(server)
    return len(now) == len(before) and set(now) != set(before)


async def within(seconds: float, is_so: Callable[[], bool]) -> float:
    """Wait until something is so; return how long it took."""
    began = time.monotonic()
    while not is_so() and time.monotonic() - began < seconds:
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def stands_by(server: Server, spared: int) -> bool:
    """Say whether more spares were said to be there."""
    return server.said().count(STANDS_BY) > spared


def killed_workers(
    server: Server, asked: Pool, kills: int, tell: Callable[[int], None]
) -> tuple[Tally, list[tuple[bool, float]], Gaps]:
    """Kill one of the workers again and again under load; return what clients saw and how long each took.

    Now and then, by `AT_ONCE`, before another spare is loaded.
    """
    gaps = Gaps()
    back: list[tuple[bool, float]] = []

    async def scenario() -> Tally:
        is_over, tally = False, Tally()
        load = asyncio.ensure_future(
            traffic.closed(
                server.port,
                asked,
                CLIENTS,
                10**9,
                keeps_ids=True,
                until=lambda: is_over,
                tally=tally,
                beat=gaps.beat,
            )
        )
        for turn in range(kills):
            is_spared = turn % AT_ONCE != AT_ONCE - 1
            if is_spared:
                spared = sum(was_spared for was_spared, _ in back)
                await within(30, partial(stands_by, server, spared))
                await asyncio.sleep(0.3)
            before = serving(server)
            before[turn % len(before)].kill()
            took = await within(30, partial(is_replaced, server, before))
            back.append((is_spared, took))
            tell(turn + 1)
        await asyncio.sleep(1)
        is_over = True
        return await load

    return asyncio.run(scenario()), back, gaps


def workers(run: Run) -> None:
    """Kill -9 of one of two workers, fifty times, under load."""
    home, kills = Home(run.folder / "home"), run.count(50, least=2)
    asked = pool(home)
    with served(home, workers=2, CREDIT_SCORING_SPARE="1") as server:
        asyncio.run(within(60, lambda: STANDS_BY in server.said()))
        warm(server, asked)
        before = home.ids().keys()
        tell = lambda done: run.progress(done, kills, "kills")  # noqa: E731
        tally, took, gaps = killed_workers(server, asked, kills, tell)
        back = [seconds for is_spared, seconds in took if is_spared]
        unspared = [seconds for is_spared, seconds in took if not is_spared]
    missing = set(tally.event_ids) - home.ids().keys()
    unanswered = len(home.ids().keys() - before - set(tally.event_ids))
    with stock(Home(run.folder / "peer"), workers=2) as peer:
        rows = stock_pool(home)
        warm(peer, rows)
        theirs, their_back = stock_kill(peer, rows)
    share = 100 * tally.statuses[200] / tally.total
    run.figure("kills", kills, "", ">= 50" if run.scale == 1 else "")
    run.figure("answered but not in the log", len(missing), "decisions", "= 0")
    run.figure(
        "answered 200",
        round(share, 2),
        "%",
        ">= 99",
        stock=f"{100 * theirs.statuses[200] / theirs.total:.2f} around one kill",
        note=f"{tally.total:,} requests: {tally.said()}; who is with a dying worker sees it close",
    )
    run.figure(
        "until the killed worker serves again, worst",
        round(max(back), 2),
        "s",
        "<= 3",
        stock=f"{their_back:.1f}",
    )
    run.figure("until the killed worker serves again, median", round(sorted(back)[len(back) // 2], 2), "s")
    if unspared:
        run.figure("killed again before a spare is loaded, worst", round(max(unspared), 2), "s")
    run.figure("longest time without an answer from either", round(gaps.longest, 2), "s", "<= 3")
    run.figure("answers that differ from offline scoring", tally.wrong, "requests", "= 0")
    run.figure("in the log, but the answer was lost with the worker", unanswered, "decisions")
    run.figure("faults in the chain of the log", home.faults(), "faults", "= 0")


def stock_kill(server: Server, asked: Pool) -> tuple[Tally, float]:
    """Kill one of the peer's two workers; return what clients saw, and when there were two again."""
    seen: list[float] = []

    async def scenario() -> Tally:
        is_over = False
        load = asyncio.ensure_future(
            traffic.closed(server.port, asked, CLIENTS, 10**9, until=lambda: is_over)
        )
        await asyncio.sleep(1)
        workers = server.workers()
        workers[0].kill()
        began = time.monotonic()
        while time.monotonic() - began < 30:
            alive = [w for w in server.workers() if w.pid != workers[0].pid]
            if len(alive) >= len(workers) and all(has_served(w) for w in alive):
                break
            await asyncio.sleep(0.05)
        seen.append(time.monotonic() - began)
        is_over = True
        return await load

    return asyncio.run(scenario()), seen[0]


def has_served(worker: psutil.Process) -> bool:
    """Say whether a worker is past its imports: it has a client's connection open."""
    try:
        return any(connection.status == "ESTABLISHED" for connection in worker.net_connections("tcp"))
    except psutil.Error:
        return False


def supervisor(run: Run) -> None:
    """Kill -9 of the supervisor: nobody may be left behind, and the port must be free."""
    home, kills = Home(run.folder / "home"), run.count(20, least=2)
    orphans, blocked, ready = 0, 0, []
    port = None
    for turn in range(kills):
        server = start(home, port=port, workers=2)
        port = server.port
        try:
            ready.append(server.wait_ready())
        except RuntimeError:
            blocked += 1
            server.kill()
            continue
        orphans += kill_supervisor(server)
        run.progress(turn + 1, kills, "kills")
    with stock(Home(run.folder / "peer"), workers=2) as peer:
        theirs = kill_supervisor(peer)
    run.figure("kills", kills, "", ">= 20" if run.scale == 1 else "")
    run.figure(
        "processes left 2 s later",
        orphans,
        "processes",
        "= 0",
        stock=f"{theirs} after one kill, still serving",
    )
    run.figure("restarts on the same port that failed", blocked, "restarts", "= 0", stock="the port is taken")
    if ready:
        run.figure("a start, slowest", round(max(ready), 1), "s")


def kill_supervisor(server: Server) -> int:
    """Kill a supervisor alone; return how many of its processes live 2 s later, and end them."""
    below = [process for process in server.family() if process.pid != server.process.pid]
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    server.http.close()
    _, alive = psutil.wait_procs(below, timeout=2)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(alive)
