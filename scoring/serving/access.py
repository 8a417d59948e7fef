"""Who may ask: API keys, and no web page that is not ours.

A service without keys answers on the loopback address only. A proxy there would let in the whole network, so
what shows that a request came through one is refused. Even from this machine a web page that the user has
open could post to it, so an unknown Host (DNS rebinding) and a foreign Origin (cross-site posts) are refused.
No key is ever logged or answered.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scoring.regular import read_regular
from scoring.serving import header
from scoring.serving.asgi import Scope
from scoring.serving.problem import Rejection
from scoring.settings import API_KEYS

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

HEALTH = frozenset({"/livez", "/readyz", "/healthz"})  # for probes, which know no key and no name
PAGES = frozenset({"/", "/model", "/docs.json", "/metrics"})
# What proxies add. One that adds none of these and speaks HTTP/1.1, as a forwarded port, cannot be told.
PROXIED = frozenset(
    b"forwarded forwarded-for via cdn-loop x-real-ip x-client-ip client-ip true-client-ip x-true-client-ip "
    b"x-cluster-client-ip x-remote-ip x-remote-addr x-originating-ip x-proxyuser-ip proxy-client-ip "
    b"wl-proxy-client-ip incap-client-ip ali-cdn-real-ip do-connecting-ip x-sucuri-clientip x-nginx-proxy "
    b"x-varnish x-cloud-trace-context x-url-scheme front-end-https".split()
)
PROXIED_PREFIXES = tuple(
    b"x-forward cf- fastly- fly- x-envoy- x-original- x-amzn- x-amz-cf- x-azure- x-arr- x-appengine- "
    b"x-akamai- akamai- x-vercel- x-nf- x-bluecoat- x-traefik-".split()
)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORTS = {"http": 80, "https": 443}
FRONTEND = "frontend"
ROLES = frozenset({"read", "review", "outcome", "owner", FRONTEND})
"""What a key may do beside asking for decisions: look recorded ones up, review them, say how loans ended; and
name the person who asks, as a front end does that many use."""

_ENTRY = re.compile(
    r"(?:(?P<name>[A-Za-z0-9._-]{1,64})(?P<roles>(?:\+[a-z-]{1,16})*):)?(?P<key>[A-Za-z0-9._~+/=-]{16,256})"
)


class Owner(NamedTuple):
    """Whose key it is, and what it may do beside asking for decisions."""

    name: str
    roles: frozenset[str] = frozenset()


Keys = Mapping[bytes, Owner]  # SHA-256 of a key -> its owner


class AccessError(ValueError):
    """The settings of the access cannot be used."""


def parse_keys(text: str, source: str) -> Keys:
    """Read keys, ``name:key`` or ``key``, one a line or between commas; ``#`` begins a comment.

    A name may have roles, ``name+read+review:key``. An owner without a name is called by the first digits of
    the key's hash.

    Raises
    ------
    AccessError
        If an entry is no key of 16 to 256 letters, digits and ``._~+/=-``, or has a role that is none; it is
        named by its position.
    """
    lines = (line.split("#")[0] for line in text.splitlines())
    entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
    keys: dict[bytes, Owner] = {}
    for number, entry in enumerate(entries, start=1):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise AccessError(
                f"key {number} of {source} cannot be used; give 16 to 256 letters, digits and ._~+/=- signs, "
                "as `openssl rand -hex 32` makes them, perhaps with name: in front."
            )
        roles = frozenset((found["roles"] or "").split("+")) - {""}
        if roles - ROLES:
            raise AccessError(
                f"key {number} of {source} has a role that is none; there are {', '.join(sorted(ROLES))}, as "
                "name+read:key."
            )
        digest = hashlib.sha256(found["key"].encode()).digest()
        keys[digest] = Owner(found["name"] or f"key-{digest.hex()[:8]}", roles)
    return keys


class KeyRing:
    """The keys that open the service. A key file is read again when it changes.

    Parameters
    ----------
    text : str
        Keys as `parse_keys` takes them, from the environment.
    file : Path, optional
        A file of more keys.

    Raises
    ------
    AccessError
        If a key, or the file, cannot be used.
    """

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        self._fixed = parse_keys(text, API_KEYS.name)
        self._file = file
        self._stamp = self._look()
        self._keys = self._read()

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._keys)

    def owner(self, given: str) -> str | None:
        """Return the name of a key's owner, or None; the time taken says nothing of how much is right."""
        self._refresh()
        digest, owner = hashlib.sha256(given.encode()).digest(), None
        for known, found in self._keys.items():
            if hmac.compare_digest(known, digest):
                owner = found.name
        return owner

    def may(self, owner: str | None, role: str) -> bool:
        """Say whether an owner has a role; without any key, whoever was admitted has all."""
        return not self._keys or any(
            found.name == owner and role in found.roles for found in self._keys.values()
        )

    def is_name(self, owner: str) -> bool:
        """Say whether a key is called so."""
        return any(found.name == owner for found in self._keys.values())

    def _refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = self._read()
        except AccessError as error:  # half-written, or gone: an empty ring would open or shut the middleware
            logger.warning("%s The keys from before stay.", error)
        else:
            logger.info("the API keys were read again: there are %d", len(self._keys))

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else ()

    def _read(self) -> Keys:
        if self._file is None:
            return self._fixed
        try:
            more = parse_keys(read_regular(self._file).decode("ascii"), str(self._file))
        except OSError as error:
            raise AccessError(f"the API key file {self._file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise AccessError(f"the API key file {self._file} is not plain ASCII text.") from error
        if not more:
            raise AccessError(f"the API key file {self._file} holds no key; add one or unset it.")
        return {**self._fixed, **more}


@dataclass(frozen=True)
class AccessGuard:
    """Admits a request, or refuses it before its body is read.

    Attributes
    ----------
    keys : KeyRing
        Empty: requests that arrive at a loopback address are admitted, others are not.
    hosts : collection of str
        Names by which the service is called, beside those of the loopback address. With keys and without
        names here, any name will do: who has a key is no strange web page.
    origins : collection of str
        Web origins, as ``https://desk.example``, whose pages may ask; a page of the service itself may.
    are_pages_private : bool
        Whether documents, model description and metrics need a key too.
    """

    keys: KeyRing
    hosts: Collection[str] = ()
    origins: Collection[str] = ()
    are_pages_private: bool = False

    def __call__(self, scope: Scope) -> str | None:
        """Return the name of the key's owner, None where no key is needed.

        Raises
        ------
        Rejection
            401 without a right key, 403 for an unknown Host, a foreign Origin or, without keys, a proxy.
        """
        if scope["path"] in HEALTH:
            return None
        if not self.keys and (sign := proxied(scope)):
            raise Rejection("proxy-without-keys", {"sign": sign})
        self._check_host(scope)
        owner = self.keys.owner(_header(scope, b"x-api-key"))
        if owner is not None:
            return owner
        if not self.keys:
            if _is_local(scope.get("server")):
                return None
            raise Rejection("local-only")
        if scope["path"] in PAGES and scope["method"] in ("GET", "HEAD") and not self.are_pages_private:
            return None
        raise Rejection("no-valid-key")

    def operator(self, owner: str | None, named: str) -> str:
        """Return the person whom the owner of a key names as who asks.

        Raises
        ------
        Rejection
            400 if that is no user name, 403 if the key is no front end's, or a key is called so.
        """
        if not self.keys.may(owner, FRONTEND):
            raise Rejection("operator-not-taken", {"role": FRONTEND})
        if self.keys.is_name(header.person(named)):
            raise Rejection("operator-is-a-key")
        return named

    def _check_host(self, scope: Scope) -> None:
        if (self.hosts or not self.keys) and not is_known_host(scope, self.hosts):
            raise Rejection("unknown-host")
        if not is_known_origin(scope, self.origins, scope.get("scheme", "http")):
            raise Rejection("unknown-origin")


def is_known_host(scope: Scope, hosts: Collection[str]) -> bool:
    """Say whether a request calls this machine by a loopback name or by one of ``hosts``."""
    host = _header(scope, b"host").lower()
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    return name in LOOPBACK or name in hosts


def is_known_origin(scope: Scope, origins: Collection[str], scheme: str = "") -> bool:
    """Say whether a request comes from a page of the Host that it calls, of ``origins``, or from no page.

    ``scheme``: of a page of the Host; any if none is given, as who is behind a proxy may not know its own.
    """
    origin = _header(scope, b"origin").lower()
    if not origin or origin in origins:
        return True
    scheme = scheme or origin.partition("://")[0]
    return _place(origin) == _place(f"{scheme}://{_header(scope, b'host').lower()}") is not None


def proxied(scope: Scope) -> str:
    """Return what shows that a request came through a proxy, "" if nothing does."""
    if scope.get("http_version") == "1.0":  # as nginx speaks to what is behind it, and hardly anybody else
        return "HTTP/1.0"
    for name, _ in scope["headers"]:
        if name in PROXIED or name.startswith(PROXIED_PREFIXES):
            return str(name.decode("latin-1").title()[:50])
    return ""


def _header(scope: Scope, name: bytes) -> str:
    """Return a header, "" without one; one that is sent twice is none that we know."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else ("\0" if values else "")


def _place(origin: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an origin, None of what is none."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS.get(parts.scheme)
        is_plain = f"{parts.scheme}://{parts.netloc}" == origin and "@" not in parts.netloc
    except ValueError:  # as http://[
        return None
    return (parts.scheme, parts.hostname, port) if is_plain and parts.hostname and port else None


def _is_local(server: Any) -> bool:
    """Say whether the address that a request came to is a loopback address, or a Unix socket."""
    if server is None or server[1] is None:
        return True
    try:
        address = ip_address(server[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback
