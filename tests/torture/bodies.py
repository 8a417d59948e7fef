"""Bodies that are too large, clients that are too slow."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Iterator

from scoring.schema import EXAMPLE
from tests.torture import traffic
from tests.torture.load import StockPool, pool, stock_pool, warm
from tests.torture.run import Run
from tests.torture.served import Home, Server, served, stock
from tests.torture.traffic import Pool

MIB = 2**20


class Watch:
    """Follows the memory of a server while a block runs."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.before = self.peak = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        """Begin to look."""
        self.before = self.peak = self.server.memory()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._is_over.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        """How much more it took at its highest, in MB."""
        return (self.peak - self.before) / 1e6

    def _look(self) -> None:
        while not self._is_over.wait(0.02):
            self.peak = max(self.peak, self.server.memory())


def send(port: int, head: str, parts: Iterator[bytes]) -> str:
    """Send a request piece by piece until it is answered or refused; return the status, "" without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        try:
            wire.sendall(head.encode())
            for part in parts:
                wire.sendall(part)
        except (ConnectionError, BrokenPipeError):
            pass  # it has been refused already; the answer may still be there
        try:
            answer = wire.recv(300)
        except (ConnectionError, TimeoutError):
            return ""
    return answer[9:12].decode("latin-1")


def head(port: int, *lines: str, path: str = "/score", kind: str = "application/json") -> str:
    """Return the head of a POST."""
    first = [f"POST {path} HTTP/1.1", f"host: 127.0.0.1:{port}", f"content-type: {kind}", *lines]
    return "\r\n".join(first) + "\r\n\r\n"


def blank(megabytes: int) -> Iterator[bytes]:
    """Give a body of JSON that is mostly blank."""
    yield b'{"applications": ['
    for _ in range(megabytes):
        yield b" " * MIB
    yield b"]}"


def chunked(megabytes: int) -> Iterator[bytes]:
    """Give such a body in chunks, without a length ahead."""
    for part in blank(megabytes):
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def large(run: Run) -> None:
    """200 MB of JSON with and without a length, a gzip bomb, and what each costs in memory."""
    home = Home(run.folder / "home")
    bomb = gzip.compress(b" " * (200 * MIB), 9)
    arrow = "application/vnd.apache.arrow.stream"
    with served(home) as server:
        warm(server, pool(home, 100), 2)
        port = server.port
        attacks = {
            "200 MB with its length": (head(port, f"content-length: {200 * MIB}"), lambda: blank(200)),
            "200 MB in chunks": (head(port, "transfer-encoding: chunked"), lambda: chunked(200)),
            "200 MB to /explain": (
                head(port, "transfer-encoding: chunked", path="/explain"),
                lambda: chunked(200),
            ),
            "a gzip bomb": (
                head(port, "content-encoding: gzip", f"content-length: {len(bomb)}"),
                lambda: iter([bomb]),
            ),
            "500 MB of Arrow": (head(port, f"content-length: {500 * MIB}", kind=arrow), lambda: blank(500)),
        }
        answers, growth = {}, {}
        for number, (name, (first, parts)) in enumerate(attacks.items()):
            with Watch(server) as watch:
                answers[name] = send(port, first, parts())
                time.sleep(0.3)
            growth[name] = watch.growth
            run.progress(number + 1, len(attacks), "attacks")
        good = server.http.post("/score", json=EXAMPLE).status_code
    with stock(Home(run.folder / "peer")) as server:
        body = lambda: iter([b'{"rows": [', *([b" " * MIB] * 200), b"{}]}"])  # noqa: E731
        length = sum(len(part) for part in body())
        with Watch(server) as watch:
            status = send(server.port, head(server.port, f"content-length: {length}"), body())
            time.sleep(0.3)
        theirs = f"{watch.growth:.0f} MB more, answered {status or 'nothing'}"
    for name, growing in growth.items():
        run.figure(
            f"{name}: memory",
            round(growing, 1),
            "MB",
            "<= 20",
            stock=theirs if name.endswith("length") else "",
        )
    refused = sum(answer not in ("413", "415") for answer in answers.values())
    said = ", ".join(f"{name} {answer or 'closed'}" for name, answer in answers.items())
    run.figure("not answered 413 or 415", refused, "attacks", "= 0", note=said)
    run.figure("status of a good request afterwards", good, "", "= 200")


async def stall(port: int, stalled: int, text: bytes, drip: bytes = b"") -> list[float]:
    """Open connections, send a part of a request and wait; return how long each stayed open.

    With ``drip``, a byte follows every second: a client that is slow rather than still.
    """

    async def one() -> float:
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        try:
            async with asyncio.timeout(30):
                while True:
                    try:
                        async with asyncio.timeout(1):
                            if not await reader.read(1_000):
                                break
                    except TimeoutError:
                        if time.perf_counter() - began > 29:
                            raise
                        writer.write(drip)
        except (TimeoutError, ConnectionError):
            pass
        writer.transport.abort()
        return time.perf_counter() - began

    return list(await asyncio.gather(*(one() for _ in range(stalled))))


async def beside(
    port: int, asked: Pool, stalled: int, seconds: float
) -> tuple[dict[str, float], traffic.Tally]:
    """Measure how long slow clients are held, and what /score does for the others meanwhile."""
    first = head(port, "content-length: 5000").encode()
    harm = {
        "headers that stop": stall(port, stalled, b"POST /score HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: 1"),
        "bodies that stop": stall(port, stalled, first + b'{"applications"'),
        "headers that drip": stall(port, 20, b"POST /score HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: 1", b"x"),
    }
    tasks = {name: asyncio.ensure_future(work) for name, work in harm.items()}
    await asyncio.sleep(0.5)
    tally = await traffic.paced(port, asked, 50, seconds)
    held = {name: max(await task) for name, task in tasks.items()}
    return held, tally


def slow(run: Run) -> None:
    """200 stalled headers and 200 stalled bodies beside 50 requests a second."""
    home, stalled, seconds = Home(run.folder / "home"), run.count(200, least=20), 8
    asked = pool(home, 400)
    with served(home) as server:
        warm(server, asked)
        quiet = asyncio.run(traffic.paced(server.port, asked, 50, run.count(30, least=8)))
        run.progress(1, 3, "phases")
        held, loud = asyncio.run(beside(server.port, asked, stalled, seconds))
        run.progress(2, 3, "phases")
    with stock(Home(run.folder / "peer")) as server:
        rows: StockPool = stock_pool(home, 50)
        warm(server, rows)
        theirs, _ = asyncio.run(beside(server.port, rows, 20, 2))
    for name, longest in held.items():
        words = f"{theirs[name]:.0f}" + (" and on" if theirs[name] > 28 else "")
        run.figure(f"{name}: longest open", round(longest, 1), "s", "<= 10", stock=words)
    ratio = loud.quantile(0.99) / quiet.quantile(0.99)
    run.figure(
        f"p99 of the others beside {2 * stalled} stalled clients, against quiet",
        round(ratio, 2),
        "×",
        "<= 2",
        note=f"{quiet.quantile(0.99):.0f} ms quiet, {loud.quantile(0.99):.0f} ms beside them",
    )
    run.figure("of the others not answered 200", loud.errors, "requests", "= 0")
