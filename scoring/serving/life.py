"""The life of one worker process: it ends with its parent, not without a word, and hears of news."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

LEAST = 19  # of all priorities, as a niceness
BEHIND = 5  # a third of the weight of a thread that answers one client
_PR_SET_PDEATHSIG = 1  # Linux: a signal for this process when its parent is gone


def end_with(parent: int) -> None:
    """Have this process killed when its parent is: an orphan would keep the port and serve unwatched."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went before it could be watched
        os.kill(os.getpid(), signal.SIGKILL)


def below(steps: int) -> int:
    """Return a niceness so far below that of this process, which may have a low priority itself."""
    return min(LEAST, os.getpriority(os.PRIO_PROCESS, os.getpid()) + steps)


def lower_priority(threads: str = "") -> None:
    """Let other threads go before this one, or before those whose names begin so.

    Linux only, where each thread has a niceness of its own.
    """
    if sys.platform != "linux":
        return
    lower = below(BEHIND)
    if not threads:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lower)
        return
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            if (task / "comm").read_text().startswith(threads):
                os.setpriority(os.PRIO_PROCESS, int(task.name), lower)


class Drain:
    """Puts a pause between "not ready" and the end, in which whoever asks for readiness goes elsewhere."""

    def __init__(self) -> None:
        self._is_on = False
        self._end: Callable[[], object] = lambda: None

    def is_on(self) -> bool:
        """Say whether this process is about to end."""
        return self._is_on

    def cut(self) -> None:
        """End the pause."""
        self._end()

    def attend(self, seconds: float) -> None:
        """Stand before the server's own handler of SIGTERM; needs the running loop of the main thread.

        ``seconds``: length of the pause. A second SIGTERM ends it.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop, end = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        if not callable(end):
            return

        def begin(number: int, frame: FrameType | None) -> None:
            was_on, self._is_on = self._is_on, True
            if was_on or not seconds:
                end(number, frame)
            else:
                loop.call_soon_threadsafe(loop.call_later, seconds, end, number, None)

        self._end = partial(end, signal.SIGTERM, None)
        signal.signal(signal.SIGTERM, begin)


DRAIN = Drain()
"""Of this process, which ends once."""


def at_hangup(act: Callable[[], None]) -> None:
    """Call ``act`` in a thread at each SIGHUP, one after the other; needs the loop of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop, one = asyncio.get_running_loop(), ThreadPoolExecutor(1, "reload")
    loop.add_signal_handler(signal.SIGHUP, one.submit, act)
