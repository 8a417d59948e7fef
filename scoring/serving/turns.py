"""Large requests work in turns, a slice each: a small one does not wait until a large one is finished."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
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
