"""How many requests a second one client may send, and when those come back who were one too many."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

CLIENTS_KEPT = 10_000  # the one that has been silent longest is forgotten first


def of_address(host: str) -> str:
    """Return the client behind an address; of IPv6, a client has a network of 2^64."""
    if ":" not in host:
        return f"@{host}"  # no name of a key begins so
    try:
        address = ip_address(host)
    except ValueError:
        return f"@{host}"
    assert isinstance(address, IPv6Address)
    return f"@{address.ipv4_mapped or hex(int(address) >> 64)}"


class Rate:
    """A token bucket for each client: a second's worth may come at once, the rest at the rate.

    Parameters
    ----------
    per_s : float
        Requests a second of one client to the whole service, above 0.
    clock : callable
        Seconds from any fixed moment on; never goes back.
    workers : int
        Processes that share the clients' requests; this one lets its equal share pass.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic, workers: int = 1) -> None:
        self.per_s = per_s
        self._share_s = per_s / workers
        self._most = max(1.0, self._share_s)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, when counted

    def wait_s(self, client: str) -> float:
        """Count a request; return 0 if it may pass, else the seconds after which the next one may."""
        now = self._clock()
        left, then = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - then) * self._share_s)
        passes = left >= 1
        self._left[client] = (left - 1 if passes else left, now)
        if len(self._left) > CLIENTS_KEPT:
            self._left.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._share_s


class Returns:
    """Spreads a crowd: those who are told to come back do so at an even rate, not all in the next second.

    Parameters
    ----------
    per_s : float
        How many a second, above 0.
    least_s, most_s : int
        Nobody is told to come back sooner or later than that.
    clock : callable
        Seconds from any fixed moment on; never goes back.
    """

    def __init__(
        self, per_s: float, least_s: int, most_s: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = 1 / per_s
        self._least_s = least_s
        self._most_s = most_s
        self._clock = clock
        self._next = float("-inf")

    def after_s(self) -> int:
        """Return the seconds after which the next of them may come back."""
        now = self._clock()
        turn = max(self._next, now + self._least_s)
        self._next = min(turn + self._every_s, now + self._most_s)
        return round(turn - now)
