"""The connections of one worker: as many as there are file descriptors for.

Where none is left, nothing can be accepted, and libuv then resets whoever comes without a word. So room is
kept: who waits longest without asking for anything makes way for who comes.
"""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

MOST = 65_536  # descriptors; what a machine allows beyond that would only cost memory
KEPT = 32  # for files: the log's next day, a new model
SAID_S = 600.0


class IdleConnection(Protocol):
    """A connection that can be asked to go."""

    def leave(self) -> None:
        """Close, though nothing is wrong."""


def take_descriptors() -> int:
    """Take as many file descriptors as the user may have, for this process and its children; return that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # macOS has a lower limit that it does not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return descriptors()


def descriptors() -> int:
    """Return how many file descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(soft, MOST)


def backlog(limit: int) -> int:
    """Return how many clients may wait to be accepted: so many are accepted before the first is looked at."""
    return max(8, min(2_048, limit // 4))


class Crowd:
    """Keeps room for one more.

    Parameters
    ----------
    most : int, optional
        Connections; from the descriptors that are free at the first one, if it is not given.
    clock : callable
        Seconds from any fixed moment on; never goes back.
    """

    def __init__(self, most: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._said = float("-inf")
        self._waiting: dict[IdleConnection, None] = {}  # in the order in which they began to wait

    def waits(self, client: IdleConnection) -> None:
        """Note that a client has asked for nothing yet, or has its answer."""
        self._waiting[client] = None

    def works(self, client: IdleConnection) -> None:
        """Note that a client asks for something, or is gone."""
        self._waiting.pop(client, None)

    def has_room(self, count: int) -> bool:
        """Say whether the newest of ``count`` clients can stay, perhaps in the place of one that waits."""
        if not self._most:
            self._most = _room(count)
        if count <= self._most:
            return True
        if self._clock() - self._said > SAID_S:
            self._said = self._clock()
            logger.warning(
                "%d connections are all that %d file descriptors leave room for: those that wait longest are "
                "closed for those that come, and where none waits these get 503. Give the service more "
                "(ulimit -n, LimitNOFILE=) or more workers.",
                self._most,
                descriptors(),
            )
        if not self._waiting:
            return False
        longest = next(iter(self._waiting))
        self.works(longest)
        longest.leave()
        return True


def _room(count: int) -> int:
    limit = descriptors()
    try:
        others = len(list(Path("/dev/fd").iterdir())) - count
    except OSError:
        others = KEPT
    return max(8, limit - others - KEPT - backlog(limit))
