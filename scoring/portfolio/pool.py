"""One machine: processes that are asked for one bucket after another, each with one thread of polars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from scoring.portfolio.job import PACKAGE, RunError

Call = list[Any]
"""A line of `scoring.portfolio.worker`."""

ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Pool:
    """Processes that answer calls; use it in a ``with`` block.

    Parameters
    ----------
    processes : int
        At a time; one is started when there is a call for it.
    """

    def __init__(self, processes: int) -> None:
        self._size = processes
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._all: list[_Process] = []
        self._threads = ThreadPoolExecutor(processes)

    @property
    def pids(self) -> list[int]:
        """The ids of its processes."""
        return [process.pid for process in self._all]

    def ask(self, calls: Sequence[Call]) -> Iterator[Any]:
        """Give the answers as they come.

        Raises
        ------
        RunError
            At the first call that fails, or whose process was killed.
        """
        while len(self._all) < min(self._size, len(calls)):
            process = _Process()
            self._all.append(process)
            self._idle.put(process)
        for done in as_completed([self._threads.submit(self._one, call) for call in calls]):
            yield done.result()

    def _one(self, call: Call) -> Any:
        process = self._idle.get()
        try:
            return process.ask(call)
        finally:
            self._idle.put(process)

    def __enter__(self) -> Pool:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the processes: at once if something went wrong."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._all:
            process.end(is_killed=kind is not None)


class _Process:
    def __init__(self) -> None:
        paths = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "scoring.portfolio.worker"],  # of this code, wherever it is called
            env=os.environ | ONE_THREAD | {"PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for who started it
        )
        self.pid = self._process.pid

    def ask(self, call: Call) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        line = ""
        with suppress(BrokenPipeError, ValueError):  # the latter: it was ended meanwhile
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RunError(
                f"a worker ended in the midst (exit code {self._process.wait()}), perhaps because memory ran "
                "out; the same command goes on from here, with fewer --processes if need be."
            )
        answer = json.loads(line)
        if "error" in answer:
            raise RunError(answer["error"])
        return answer["done"]

    def end(self, is_killed: bool) -> None:
        if is_killed:
            self._process.kill()
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
