"""Serve the API and the page side by side until Ctrl-C; `make run` calls it once a model is there."""

from __future__ import annotations

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on

# isort: split
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

HOST = "127.0.0.1"
LOGS = Path("var/run")
START_S = 120  # a first start compiles and reads everything once; later ones take a few seconds
STOP_S = 30  # the service finishes the requests that it has taken
POLL_S = 0.2

# Every other column is absent: unknown is a value that the model knows how to read.
EXAMPLE = {
    "applications": [
        {
            "SK_ID_CURR": 100001,
            "AMT_CREDIT": 568800,
            "AMT_ANNUITY": 20560.5,
            "AMT_INCOME_TOTAL": 135000,
            "EXT_SOURCE_2": 0.79,
            "DAYS_BIRTH": -19241,
        }
    ]
}

console = Console(highlight=False, soft_wrap=True)
# A proxy of the environment has no business with this machine's own ports.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StartError(Exception):
    """A server cannot start or has ended; the text says why."""


@dataclass
class Server:
    """One of the two programs, with its output in a file of its own."""

    name: str
    command: list[str]
    ready_url: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return LOGS / f"{self.name}.log"

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C reaches this program alone, which stops both in order."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def is_ready(self) -> bool:
        """Tell whether it answers; raise if it has ended."""
        self.check()
        try:
            with direct.open(self.ready_url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def check(self) -> None:
        """Raise StartError if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            end = "\n".join(f"  {line}" for line in lines)
            raise StartError(
                f"{self.name} ended with code {self.process.returncode}; {self.log} says at its end:\n{end}"
            )

    def stop(self) -> None:
        """Let it finish, and end what does not."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        # Its workers are in its session: none may outlive it and hold the port.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def stop_all(servers: list[Server]) -> None:
    """Stop the servers, the last one first; who is impatient must not leave one of them running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for server in reversed(servers):
        server.stop()


def check_port(port: int, setting: str) -> None:
    """Raise StartError if somebody else listens there."""
    if port == 0:  # the system would choose one, and nobody would know which
        raise StartError(f"{setting}=0 is no port; give a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError:
            raise StartError(f"{setting}={port} is no port; give a number from 1 to 65535.") from None
        except OSError as error:
            raise StartError(
                f"Port {port} cannot be used ({error.strerror}): stop the program that has it, "
                f"or choose another: make run {setting}={port + 1}"
            ) from None


def wait_until_ready(servers: list[Server]) -> None:
    """Return when all answer; raise StartError when one ends or takes too long."""
    deadline = time.monotonic() + START_S
    waiting = servers
    while waiting := [server for server in waiting if not server.is_ready()]:
        if time.monotonic() > deadline:
            late = waiting[0]
            raise StartError(
                f"{late.name} does not answer at {late.ready_url} after {START_S} s; see {late.log}."
            )
        time.sleep(POLL_S)


def how_to_ask(api: Server) -> str:
    """Return what can be done from here on; a SIGHUP to this program means that its terminal is gone."""
    assert api.process is not None
    return f"Ctrl-C stops both. To take up a newer model: make import, then kill -HUP {api.process.pid}"


def main(
    api_port: Annotated[int, typer.Option(help="Port of the API.")] = 3000,
    ui_port: Annotated[int, typer.Option(help="Port of the page.")] = 7860,
    portfolio: Annotated[Path, typer.Option(help="Applicants whom the page can open.")] = Path("var/demo"),
) -> None:
    """Serve the API and the page on this machine until Ctrl-C.

    Example: python run.py --api-port 3001 --ui-port 7861
    """
    api, page = f"http://{HOST}:{api_port}", f"http://{HOST}:{ui_port}"
    bentoml = ["-m", "bentoml", "serve", "service:CreditScoring", "--host", HOST, "--port", str(api_port)]
    ui = ["-m", "ui", "--api", api, "--port", str(ui_port), "--portfolio", str(portfolio)]
    servers = [
        Server("api", [sys.executable, *bentoml], f"{api}/readyz"),
        Server("page", [sys.executable, *ui], page),
    ]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        if api_port == ui_port:
            raise StartError(f"API_PORT and UI_PORT are both {api_port}; the two servers need a port each.")
        check_port(api_port, "API_PORT")
        check_port(ui_port, "UI_PORT")
        LOGS.mkdir(parents=True, exist_ok=True)
        with console.status("Starting the API and the page ..."):
            for server in servers:
                server.start()
            wait_until_ready(servers)
        curl = f"curl -s {api}/score -H 'content-type: application/json' -d '{json.dumps(EXAMPLE)}'"
        console.print(f"\n  page   {page}\n  API    {api}   (its description: {api}/docs.json)\n\n{curl}\n")
        console.print(how_to_ask(servers[0]))
        while True:
            time.sleep(POLL_S)
            for server in servers:
                server.check()
    except StartError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("Stopping ...")
    finally:
        stop_all(servers)


if __name__ == "__main__":
    typer.run(main)
