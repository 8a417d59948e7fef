"""A million requests on connections that stay open."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from tests.torture import traffic
from tests.torture.load import pool, warm
from tests.torture.run import Run
from tests.torture.served import Home, Server, served
from tests.torture.traffic import Tally

CLIENTS = 32
EVERY_S = 2.0


class Gauge:
    """Memory and descriptors of a server, read every other second."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seconds: list[float] = []
        self.memory: list[int] = []
        self.descriptors: list[int] = []

    async def watch(self) -> None:
        """Read until cancelled."""
        began = time.monotonic()
        while True:
            self.seconds.append(time.monotonic() - began)
            self.memory.append(await asyncio.to_thread(self.server.memory))
            self.descriptors.append(await asyncio.to_thread(self.server.descriptors))
            await asyncio.sleep(EVERY_S)

    def slope(self, part: float) -> float:
        """Return the slope of memory over the last part of the run, in MB an hour."""
        first = int(len(self.seconds) * (1 - part))
        if len(self.seconds) - first < 5:
            return float("nan")
        per_second = np.polyfit(self.seconds[first:], np.array(self.memory[first:]) / 1e6, 1)[0]
        return float(3_600 * per_second)


def soak(run: Run) -> None:
    """A million requests; memory and descriptors must not grow."""
    home, total = Home(run.folder / "home"), run.count(1_000_000, least=5_000)
    asked = pool(home)
    with served(home) as server:
        warm(server, asked)
        gauge = Gauge(server)

        async def scenario() -> Tally:
            watching = asyncio.ensure_future(gauge.watch())
            tell = lambda done: run.progress(done, total, "requests")  # noqa: E731
            tally = await traffic.closed(server.port, asked, CLIENTS, total, tell=tell)
            watching.cancel()
            return tally

        tally = asyncio.run(scenario())
    middle = gauge.descriptors[len(gauge.descriptors) // 4 :]
    half = np.array(gauge.memory[len(gauge.memory) // 2 :]) / 1e6
    logged = sum(1 for _ in home.ids())
    run.figure("requests", tally.total, "requests", f">= {total:,}")
    run.figure(
        "not answered 200, or with another answer than offline scoring",
        tally.errors + tally.wrong,
        "requests",
        "= 0",
    )
    run.figure("requests a second", round(tally.rate), "requests/s")
    run.figure(
        "slope of memory over the second half",
        round(gauge.slope(0.5), 2),
        "MB/h",
        "<= 1",
        note=f"{half[0]:.1f} MB at half time, {half[-1]:.1f} MB {len(half) * EVERY_S / 60:.0f} minutes later",
    )
    run.figure("growth of memory in the second half", round(float(half[-1] - half[0]), 2), "MB")
    run.figure("descriptors, most less least after the first quarter", max(middle) - min(middle), "", "<= 4")
    run.figure("p99", round(tally.quantile(0.99), 1), "ms")
    run.figure("decisions missing in the log", max(0, tally.statuses[200] - logged), "decisions", "= 0")
