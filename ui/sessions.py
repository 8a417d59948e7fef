"""Who is signed in, and who tried in vain: both in memory, and gone when the page ends."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

LONGEST_S = 12 * 3_600.0  # of a session, however busy: a working day
MOST_SESSIONS = 10_000  # the one that has been silent longest ends first
WINDOW_S = 900.0  # failures are forgotten after this
MOST_OF_BOTH = 5  # failures of one name from one address, in this time
MOST_OF_ADDRESS = 20  # of one address, whatever the names
MOST_OF_NAME = 50  # of one name, wherever from: high, so that nobody shuts an officer out
KEPT = 50_000  # counts


@dataclass
class Session:
    """One who signed in.

    Attributes
    ----------
    name : str
        Of the user.
    secret : bytes
        What the password was stored as: a new one ends the session.
    born_s, seen_s : float
        When it began, and when it was last used, by the clock of the sessions.
    """

    name: str
    secret: bytes
    born_s: float
    seen_s: float


class Sessions:
    """The sessions of a page; of a token, only its hash is kept.

    Parameters
    ----------
    idle_s : float
        A session that is not used for so long ends.
    clock : callable
        Seconds from any fixed moment on; never goes back.
    """

    def __init__(self, idle_s: float, clock: Callable[[], float]) -> None:
        self.idle_s = idle_s
        self._clock = clock
        self._found: OrderedDict[str, Session] = OrderedDict()
        self._lock = Lock()

    def begin(self, name: str, secret: bytes) -> str:
        """Return the token of a new session."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            for key in [key for key, one in self._found.items() if not self._holds(one, now)]:
                del self._found[key]
            while len(self._found) >= MOST_SESSIONS:
                self._found.popitem(last=False)
            self._found[_key(token)] = Session(name, secret, now, now)
        return token

    def find(self, token: str, is_use: bool = True) -> Session | None:
        """Return a session that holds; ``is_use``: whether this keeps it from ending of idleness."""
        key, now = _key(token), self._clock()
        with self._lock:
            found = self._found.get(key)
            if found is None:
                return None
            if not self._holds(found, now):
                del self._found[key]
                return None
            if is_use:
                found.seen_s = now
                self._found.move_to_end(key)
            return found

    def end(self, token: str) -> None:
        """End a session, if it is one."""
        with self._lock:
            self._found.pop(_key(token), None)

    def _holds(self, one: Session, now: float) -> bool:
        return now - one.seen_s < self.idle_s and now - one.born_s < LONGEST_S


class Failures:
    """Counts who failed to sign in, by name and by address, whether there is such a user or not."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()  # how many, since when
        self._lock = Lock()

    def wait_s(self, name: str, address: str) -> float:
        """Return 0 if an attempt may be made, else the seconds after which one may."""
        now = self._clock()
        with self._lock:
            waits = [
                since + WINDOW_S - now
                for key, most in _limits(name, address)
                for count, since in [self._counts.get(key, (0, now))]
                if count >= most
            ]
        return max(0.0, *waits, 0.0)

    def count(self, name: str, address: str) -> None:
        """Count a failure. An attempt is counted before it is judged, and forgiven if it was right."""
        self._add(name, address, 1)

    def forgive(self, name: str, address: str) -> None:
        """Take an attempt back that was no failure, and forget those of this name from this address."""
        self._add(name, address, -1)
        with self._lock:
            self._counts.pop((name, address), None)

    def _add(self, name: str, address: str, number: int) -> None:
        now = self._clock()
        with self._lock:
            for key, _ in _limits(name, address):
                count, since = self._counts.pop(key, (0, now))
                if now - since >= WINDOW_S:
                    count, since = 0, now
                if count + number > 0:
                    self._counts[key] = (count + number, since)
            while len(self._counts) > KEPT:
                self._counts.popitem(last=False)


def _limits(name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return ((name, address), MOST_OF_BOTH), (("", address), MOST_OF_ADDRESS), ((name, ""), MOST_OF_NAME)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
