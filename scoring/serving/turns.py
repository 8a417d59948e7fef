"""Large requests work in turns, a slice each; questions rest while decisions are taken: these wait little."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Lets one thread work at a time, those that wait in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, have it in the block, and hand it on."""
        self._take()
        try:
            yield
        finally:
            self._hand_on()

    def pause(self) -> None:
        """Let those that wait go first; whoever calls it has the turn, and has it again afterwards."""
        self._hand_on()
        self._take()

    def _take(self) -> None:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()

    def _hand_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # it stays taken: nobody comes between
            else:
                self._is_taken = False


class Once:
    """Lets work of one name be done by one thread at a time; work of other names goes on beside it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._names: set[str] = set()

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Wait until nobody else is at work under this name, and be the one in the block."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._names)
            self._names.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._names.remove(name)
                self._changed.notify_all()


class Rest:
    """Lets work that can wait rest as long as it worked, while other work goes on that cannot.

    Threads of one process share its interpreter, and who has it is not sent away for who wants it more.

    Parameters
    ----------
    busy_s : float
        So long after the last of that other work, in seconds, it counts as going on.
    least_s : float
        The shortest rest: a short question costs more around it than in it.
    clock, sleep : callable
        Seconds from any fixed moment on; waits so many.
    """

    def __init__(
        self,
        busy_s: float = 1.0,
        least_s: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._busy_s, self._least_s = busy_s, least_s
        self._clock, self._sleep = clock, sleep
        self._last = float("-inf")

    def note(self) -> None:
        """Note that the other work goes on."""
        self._last = self._clock()

    @contextmanager
    def afterwards(self) -> Iterator[None]:
        """Rest behind the block, if need be."""
        began = self._clock()
        yield
        now = self._clock()
        if now - self._last < self._busy_s:
            self._sleep(max(self._least_s, now - began))
