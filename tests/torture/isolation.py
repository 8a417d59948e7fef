"""What one client sends never shows in the answer of another."""

from __future__ import annotations

import asyncio
import time
import uuid

from tests.torture import bad, traffic
from tests.torture.load import StockPool, pool, stock_pool
from tests.torture.run import Run
from tests.torture.served import Home, Server, served, stock
from tests.torture.traffic import Pool, Tally

POISON = -424_242.0  # what the peer's code was not written for, see `stock`


async def beside(
    port: int, good: Pool, poison: list[bytes], path: str, clients: int = 39
) -> tuple[Tally, Tally]:
    """Send bad bodies one after the other while so many clients send good ones; return good and bad."""
    is_over, spoilt = False, Tally()
    load = asyncio.ensure_future(traffic.closed(port, good, clients, 10**9, path=path, until=lambda: is_over))
    caller = traffic.Caller(port)
    for body in poison:
        try:
            answer = await caller.ask(path, body)
        except traffic.Lost as lost:
            spoilt.lost.append(str(lost))
        else:
            traffic.note(spoilt, answer, True, False, answer.seconds)
        await asyncio.sleep(0)
    is_over = True
    caller.close()
    return await load, spoilt


def poison(run: Run) -> None:
    """A thousand bad rows among good ones."""
    home, rows = Home(run.folder / "home"), run.count(1_000, least=30)
    good = pool(home, 400)
    kinds = [one.body for one in bad.catalogue() if one.statuses == (422,) and len(one.body) < 10_000]
    bodies = [kinds[i % len(kinds)] for i in range(rows)]
    with served(home) as server:
        scored, refused = asyncio.run(beside(server.port, good, bodies, "/score"))
        run.progress(1, 3, "parts")
        some = bodies[: max(10, rows // 10)]
        told, refused_too = asyncio.run(beside(server.port, good, some, "/explain", 8))
        run.progress(2, 3, "parts")
        logged = len(home.ids())
    peer = Home(run.folder / "peer")
    with stock(peer) as server:
        poisoned = StockPool([{"f0": POISON}]).bodies * 50
        theirs, _ = asyncio.run(beside(server.port, stock_pool(home), poisoned, "/score"))
    harmed = scored.errors + scored.wrong + told.errors + told.wrong
    run.figure("bad rows sent", rows + len(some), "rows", ">= 1,000" if run.scale == 1 else "")
    run.figure(
        "good requests harmed",
        harmed,
        "requests",
        "= 0",
        stock=f"{theirs.errors} of {theirs.total} by 50 bad rows",
        note=f"{scored.total + told.total:,} good requests among them, each compared with its offline answer",
    )
    other = rows + len(some) - refused.statuses[422] - refused_too.statuses[422]
    run.figure("bad rows not answered 422", other, "rows", "= 0")
    good_ones = scored.statuses[200] + told.statuses[200]
    run.figure("decisions in the log beyond the good ones", logged - good_ones, "decisions", "= 0")


def ids(run: Run) -> None:
    """A hundred thousand requests from 64 clients."""
    home, total = Home(run.folder / "home"), run.count(100_000, least=2_000)
    asked = pool(home)
    with served(home) as server:
        tally, pairs, repeated = asyncio.run(numbered(run, server, asked, total))
    logged = home.ids()
    strange = sum(logged.get(event) != request for event, request in pairs.items())
    with stock(Home(run.folder / "peer")) as server:
        theirs = asyncio.run(stock_ids(server, stock_pool(home), 166))
        records = [
            line for file in (run.folder / "peer" / "monitoring").rglob("data*.log") for line in file.open()
        ]
    known = {line.split('"request_id": "')[1].split('"')[0] for line in records if '"request_id"' in line}
    run.figure("requests from 64 clients", tally.total, "requests", f">= {total:,}")
    run.figure("not answered 200", tally.errors, "requests", "= 0")
    run.figure("answers that differ from their own row scored offline", tally.wrong, "requests", "= 0")
    run.figure(
        "decisions whose id in the header is not the one in the log",
        strange,
        "decisions",
        "= 0",
        stock=f"{len(known)} ids in the log for {theirs} requests",
    )
    run.figure("ids of decisions or requests that came twice", repeated, "ids", "= 0")
    run.figure("decisions in the log beyond those", len(logged) - len(pairs), "decisions", "= 0")
    run.figure("requests a second meanwhile", round(tally.rate), "requests/s")


async def numbered(run: Run, server: Server, asked: Pool, total: int) -> tuple[Tally, dict[str, str], int]:
    """Ask from 64 clients, half of which name their requests; return event id -> request id, and doubles."""
    tally, pairs, turn, seen, repeated = Tally(), {}, iter(range(total)), set(), 0

    async def client(number: int) -> None:
        nonlocal repeated
        caller = traffic.Caller(server.port)
        for i in turn:
            index = i % len(asked)
            own = f"c{number}-{uuid.uuid4().hex}" if number % 2 else ""
            try:
                answer = await caller.ask(
                    "/score", asked.bodies[index], f"x-request-id: {own}\r\n" if own else ""
                )
            except traffic.Lost as lost:
                tally.lost.append(str(lost))
                continue
            is_right = answer.status == 200 and asked.is_right(index, answer)
            given = answer.headers["x-request-id"]
            is_right = is_right and (not own or given == own)
            traffic.note(tally, answer, is_right, False, answer.seconds)
            if answer.status == 200:
                (row,) = answer.json()
                repeated += row["event_id"] in pairs or given in seen
                pairs[row["event_id"]] = given
                seen.add(given)
            if tally.total % 500 == 0:
                run.progress(tally.total, total, "requests")
        caller.close()

    await asyncio.gather(*(client(number) for number in range(64)))
    tally.took = time.perf_counter() - tally.began
    return tally, pairs, repeated


async def stock_ids(server: Server, asked: Pool, total: int) -> int:
    """Ask the peer so often; return how often it answered."""
    tally = await traffic.closed(server.port, asked, 8, total)
    await asyncio.sleep(1)
    return tally.statuses[200]
