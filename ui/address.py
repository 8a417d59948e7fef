"""Where the page is and who may reach it: the address that it listens on, and the proxies before it."""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Network = IPv4Network | IPv6Network

# What a proxy says of whom it asks for. Only a proxy that the administrator named may bring others here.
PROXY_HEADERS = re.compile(rb"forwarded|x-forwarded-.+|x-real-ip|x-original-.+|via")
# What the page itself never reads: Gradio would build addresses from some, and serve parts of files.
IGNORED_HEADERS = re.compile(rb"x-.+|forwarded|via|range|cookie|authorization")
# How many may pass a request on: of a longer list the last ones are read.
MOST_HOPS = 16
REMEDY = (
    "Name a file of users (CREDIT_SCORING_USERS, written by python -m ui.users), or the header in which a "
    "proxy says who is there (CREDIT_SCORING_USER_HEADER)."
)
PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


class AddressError(ValueError):
    """An address or a prefix cannot be used; the message is a sentence."""


def listening(host: str, has_login: bool = False) -> str:
    """Return the address of a name of this machine; without a login, one that nobody else can reach.

    Raises
    ------
    AddressError
        If it is unknown, or one of its addresses is reached from outside and the page asks nobody who he is.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError):
        found = []
    addresses = [str(place[4][0]) for place in found]
    if not addresses:
        raise AddressError(f"--host {host!r} is no address of this machine; write 127.0.0.1.")
    for text in addresses:
        address = ip_address(text.partition("%")[0])
        inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        if not (has_login or (inner or address).is_loopback):
            raise AddressError(
                f"--host {host} is reached from other machines, and the page has no login. {REMEDY}"
            )
    return addresses[0]


def prefix(text: str) -> str:
    """Return a path before every address of the page, as ``/desk``; "" for none.

    Raises
    ------
    AddressError
        If it is no such path.
    """
    path = text.rstrip("/")
    if not PREFIX.fullmatch(path):
        raise AddressError("--root-path is no path; write it like /desk.")
    return path


@dataclass(frozen=True)
class PageAccess:
    """How the page is reached, and by whom.

    Attributes
    ----------
    root : str
        Path before every address of the page; a listed proxy may name another.
    proxies : collection of networks
        Who may say by which name, scheme and path the page was called.
    hosts, origins : collection of str
        Names of the page beside the loopback names; web origins that may ask beside the page itself.
    """

    root: str = ""
    proxies: Collection[Network] = ()
    hosts: Collection[str] = ()
    origins: Collection[str] = ()

    def resolve(self, scope: dict[str, Any]) -> dict[str, Any] | None:
        """Return a request as it was sent to the first proxy; None if an unknown one passes it on.

        The path keeps the prefix in front, whether the proxy takes it off or not: what is mounted below
        counts on it.
        """
        forwarded = {name: value for name, value in scope["headers"] if PROXY_HEADERS.fullmatch(name)}
        if forwarded and not self.is_listed(scope.get("client")):
            return None
        headers = [(name, value) for name, value in scope["headers"] if not IGNORED_HEADERS.fullmatch(name)]
        if host := forwarded.get(b"x-forwarded-host"):
            headers = [(b"host", host), *((name, value) for name, value in headers if name != b"host")]
        scheme = forwarded.get(b"x-forwarded-proto", b"").decode("latin-1").lower()
        named = forwarded.get(b"x-forwarded-prefix", b"").decode("latin-1").rstrip("/")
        root = named if named and PREFIX.fullmatch(named) else self.root
        path = scope["path"]
        inner = path[len(root) :] if path == root or path.startswith(f"{root}/") else path
        client = scope.get("client")
        return scope | {
            "headers": headers,
            "client": self._first(forwarded.get(b"x-forwarded-for", b"")) or client if forwarded else client,
            "scheme": scheme if scheme in ("http", "https") else scope.get("scheme", "http"),
            "root_path": root,
            "path": root + (inner or "/"),
        }

    def is_listed(self, client: Any) -> bool:
        """Say whether who asks, by the ``client`` of a scope, is a proxy that the administrator named."""
        try:
            peer = ip_address(client[0])
        except (TypeError, ValueError, IndexError):  # a Unix socket has no address
            return False
        if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self.proxies)

    def _first(self, hops: bytes) -> tuple[str, int] | None:
        """Return who asked the first listed proxy: the last hop that is none itself."""
        found = None
        for hop in reversed(hops.decode("latin-1").split(",")[-MOST_HOPS:]):
            try:
                found = str(ip_address(hop.strip())), 0
            except ValueError:
                break
            if not self.is_listed(found):
                break
        return found
