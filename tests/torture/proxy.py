"""A bad wire between the page and the service."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.torture.run import Run
from tests.torture.served import Home, served
from ui.clients import Clients
from ui.handlers import Handlers, Updates, guarded
from ui.people import AT_THE_MACHINE
from ui.service import Service

FAULTS = (
    "late answer",
    "never an answer",
    "nobody listens",
    "cut before the answer",
    "cut within the answer",
    "half closed",
    "garbage instead",
    "garbage within",
    "another program's page",
    "a gateway's 502",
    "drop by drop",
)


class Proxy:
    """Stands on the wire, and spoils it in one way at a time."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.fault = ""
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Proxy:
        """Begin to listen."""
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._wire, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _wire(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.fault
        if fault == "nobody listens":
            writer.transport.abort()
            return
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.target)
        up = asyncio.ensure_future(_copy(reader, inner))
        try:
            await self._spoil(fault, inner_reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the page has gone, or the test is over
        finally:
            up.cancel()
            inner.transport.abort()
            writer.transport.abort() if fault else writer.close()

    async def _spoil(
        self, fault: str, inner_reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        chance = random.Random(17)
        if fault == "never an answer":
            await asyncio.sleep(120)
        first = await inner_reader.read(2**16)
        if fault == "late answer":
            await asyncio.sleep(1)
        elif fault == "cut before the answer":
            writer.transport.abort()
            return
        elif fault == "cut within the answer":
            writer.write(first[: len(first) // 2])
            await writer.drain()
            writer.transport.abort()
            return
        elif fault == "half closed":
            writer.write(first[: len(first) // 2])
            writer.write_eof()
            await asyncio.sleep(120)
        elif fault == "garbage instead":
            first = chance.randbytes(len(first))
        elif fault == "garbage within":
            at = first.find(b"\r\n\r\n") + 4
            first = first[:at] + chance.randbytes(len(first) - at)
        elif fault == "another program's page":
            first = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<p>Hello.</p>"
        elif fault == "a gateway's 502":
            first = b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\nbad"
        elif fault == "drop by drop":
            for byte in first[:300]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
            first = first[300:]
        writer.write(first)
        await _copy(inner_reader, writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while part := await reader.read(2**16):
            writer.write(part)
            await writer.drain()


def _last(handlers: Handlers, upload: Path) -> Updates:
    """Return the last thing that the tab of files shows."""
    *_, last = handlers.score_file(str(upload), False)
    return last


def wire(run: Run) -> None:
    """Every fault under every state of the page; each must end in a sentence, soon."""
    home = Home(run.folder / "home")
    slowest, silent, crashed, cured = 0.0, [], [], 0
    worst = ""
    upload = run.folder / "rows.csv"
    upload.write_text("SK_ID_CURR,AMT_CREDIT\n1,100000\n2,200000\n", encoding="utf-8")
    with served(home) as server, Proxy(server.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        tried = 0
        for number, fault in enumerate(FAULTS):
            for language in ("en", "fr"):
                proxy.fault = fault
                handlers = Handlers(language, Service(url), Clients(run.folder / "nowhere"))
                for state, press in pressed(handlers, upload):
                    began = time.monotonic()
                    try:
                        shown = press()
                    except Exception as error:
                        crashed.append(f"{state}, {fault}: {type(error).__name__}")
                        continue
                    took = time.monotonic() - began
                    tried += 1
                    if took > slowest:
                        slowest, worst = took, f"{state}, {fault}"
                    if not any(isinstance(part, str) and part.strip() for part in shown.values()):
                        silent.append(f"{state}, {fault}")
                if run.scale < 1:
                    break
            run.progress(number + 1, len(FAULTS), "faults")
        proxy.fault = ""
        handlers = Handlers("en", Service(url), Clients(run.folder / "nowhere"))
        cured = sum("class=" in "".join(map(str, press().values())) for _, press in pressed(handlers, upload))
        fell = server.said().count("Traceback")
    run.figure("faults of the wire times states of the page", tried, "cases", note=", ".join(FAULTS))
    run.figure("until the page says something, slowest", round(slowest, 1), "s", "<= 5", note=worst)
    run.figure("states without a message", len(silent), "cases", "= 0", note="; ".join(silent[:5]))
    run.figure("states that failed", len(crashed), "cases", "= 0", note="; ".join(crashed[:5]))
    run.figure("states that work once the wire is whole", cured, "states", "= 4")
    run.figure("stack traces of the service", fell, "traces", "= 0")


def pressed(handlers: Handlers, upload: Path) -> Iterator[tuple[str, Callable[[], Updates]]]:
    """Give everything on the page that asks the service, with what it shows."""
    yield "loading", partial(guarded(handlers, handlers.load), AT_THE_MACHINE)
    yield "a new application", partial(guarded(handlers, handlers.open_new), AT_THE_MACHINE)
    yield "scoring again", lambda: guarded(handlers, handlers.score)(AT_THE_MACHINE, None, None)
    yield "a file", lambda: _last(handlers, upload)
