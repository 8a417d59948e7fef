"""Row 26: bodies made to hold the service up, a probe beside them, and the readers under the sanitizers."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import time
from collections.abc import Iterator
from itertools import chain
from multiprocessing.connection import Connection

import numpy as np

from tests.torture import nasty, sanitized
from tests.torture.load import pool, warm
from tests.torture.run import Run
from tests.torture.served import Home, Server, served

BEAT_S = 0.05


def send(port: int, path: str, body: bytes) -> int:
    """Send a body; return the status."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as client:
        client.request("POST", path, body, {"content-type": "application/json"})
        answer = client.getresponse()
        answer.read()
        return answer.status


@contextlib.contextmanager
def beating(port: int) -> Iterator[list[tuple[float, float]]]:
    """Ask /livez twenty times a second from another process; give when, and the seconds that it took."""
    context = multiprocessing.get_context("spawn")
    beats: list[tuple[float, float]] = []
    mine, theirs = context.Pipe()
    process = context.Process(target=_beat, args=(port, theirs))
    process.start()
    mine.recv()  # it has begun
    try:
        yield beats
    finally:
        mine.send("over")
        beats += mine.recv()
        process.join()


def _beat(port: int, told: Connection) -> None:
    beats: list[tuple[float, float]] = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as client:
        while not beats or not told.poll(BEAT_S):
            began = time.monotonic()
            client.request("GET", "/livez")
            client.getresponse().read()
            if not beats:
                told.send("begun")
            beats.append((began, time.monotonic() - began))
    told.recv()
    told.send(beats)


class Costs:
    """What bodies cost the service, and those beside them."""

    def __init__(self, server: Server, turns: int) -> None:
        self.server = server
        self.turns = turns
        self.windows: dict[str, tuple[float, float]] = {}
        self.cpu_s: dict[str, float] = {}  # the least of the turns
        self.statuses: dict[str, int] = {}

    def take(self, name: str, path: str, body: bytes) -> None:
        """Send a body a few times."""
        began = time.monotonic()
        for _ in range(self.turns):
            before = self.server.cpu_seconds()
            self.statuses[name] = send(self.server.port, path, body)
            cost = self.server.cpu_seconds() - before
            self.cpu_s[name] = min(cost, self.cpu_s.get(name, cost))
        self.windows[name] = began, time.monotonic()

    def beside(self, beats: list[tuple[float, float]]) -> dict[str, list[float]]:
        """Return the seconds of the beats beside each body, none of those between two."""
        return {
            name: [took for moment, took in beats if begin <= moment <= end]
            for name, (begin, end) in self.windows.items()
        }


def p99(seconds: list[float]) -> float:
    """Return a quantile in milliseconds."""
    return round(1_000 * float(np.quantile(seconds, 0.99)), 1)


def stalls(run: Run) -> None:
    """Row 26: every kind of nasty body, of 20 to 120 MiB, to /score and to /explain."""
    sizes, turns = ((20, 60, 120), 3) if run.scale >= 1 else ((20,), 1)
    home = Home(run.folder / "home")
    ratios: dict[str, float] = {}
    wrong: list[str] = []
    with served(home) as server, contextlib.ExitStack() as probe:
        warm(server, pool(home, 100), 2)
        costs, done = Costs(server, turns), 0
        with beating(server.port) as quiet:
            time.sleep(5)
        beats = probe.enter_context(beating(server.port))
        for size in sizes:
            valid = [f"{name}, {size} MiB" for name in nasty.VALID]
            for name, make in zip(valid, nasty.VALID.values(), strict=True):
                costs.take(name, "/score", make(size * nasty.MIB))
                if costs.statuses[name] != 200:
                    wrong.append(f"{name}: {costs.statuses[name]}")
            cheapest = min(costs.cpu_s[name] for name in valid)
            for kind, make in nasty.REFUSED.items():
                body = make(size * nasty.MIB)
                for path in ("/score", "/explain") if size <= 60 else ("/score",):
                    name = f"{kind}, {len(body) // nasty.MIB} MiB to {path}"
                    costs.take(name, path, body)
                    twin = nasty.TWINS.get(kind)
                    base = costs.cpu_s[f"{twin}, {size} MiB"] if twin else cheapest
                    ratios[name] = costs.cpu_s[name] / base * min(1, size * nasty.MIB / len(body))
                    if costs.statuses[name] not in (400, 422):
                        wrong.append(f"{name}: {costs.statuses[name]}")
                done += 1
                run.progress(done, len(sizes) * len(nasty.REFUSED), "bodies")
    said = sanitized.run(run.folder, seed=run.count(26), count=run.count(1_000_000, 10_000))
    beside = costs.beside(beats)
    worst = max(beside, key=lambda name: max(beside[name], default=0))
    dearest = max(ratios, key=lambda name: ratios[name])
    run.figure("bodies sent", turns * len(costs.statuses), "bodies")
    run.figure("/livez, p99, nothing beside", p99([took for _, took in quiet]), "ms")
    run.figure("/livez beside them, p99", p99(list(chain.from_iterable(beside.values()))), "ms", "<= 50")
    longest = round(1_000 * max(beside[worst]), 1)
    run.figure("/livez beside them, longest", longest, "ms", note=f"beside {worst}")
    note = f"{dearest}; to the same body without its fault, or else to the cheapest good one of that size"
    run.figure("CPU of a refusal to a good body's", round(ratios[dearest], 2), "×", "<= 1", note=note)
    run.figure("answered with another status", len(wrong), "bodies", "= 0", note="; ".join(wrong[:5]))
    run.figure(
        "faults of memory under the sanitizers",
        None if said is None else int(bool(said)),
        "faults",
        "= 0",
        note=said if said is not None else "no compiler with them is here",
    )
