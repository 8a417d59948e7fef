"""What a proxy says of the request that it passes on: believed of those only that the settings name.

Everybody can send these headers. uvicorn would believe any process of this machine.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from scoring.serving.asgi import App, Receive, Scope, Send
from scoring.settings.setting import Networks

Address = IPv4Address | IPv6Address

PREFIX = "credit_scoring.prefix"  # where the ASGI scope carries the path below which the proxy has us
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,8}")
_MOST = 128  # characters of a prefix


class Forwarded:
    """ASGI middleware that puts the client, the scheme and the sub-path of a proxy's words into the scope.

    Parameters
    ----------
    app : ASGI application
    proxies : tuple of networks
        Whose word is taken. A client's address is the last one in X-Forwarded-For that is none of these.
    """

    def __init__(self, app: App, proxies: Networks) -> None:
        self.app = app
        self.proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        client = scope.get("client")
        if scope["type"] == "http" and client and self._knows(_address(client[0])):
            self._take(scope)
        await self.app(scope, receive, send)

    def _knows(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.proxies)

    def _take(self, scope: Scope) -> None:
        said: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name.startswith(b"x-forwarded-"):
                said.setdefault(name, []).append(value.decode("latin-1"))
        for hop in reversed(",".join(said.get(b"x-forwarded-for", [])).split(",")):
            address = _address(hop.strip())
            if address is None:
                break
            scope["client"] = (str(address), 0)
            if not self._knows(address):
                break
        match said.get(b"x-forwarded-proto"):
            case ["http" | "https" as scheme]:
                scope["scheme"] = scheme
        match said.get(b"x-forwarded-prefix"):
            case [prefix] if len(prefix) <= _MOST and _PATH.fullmatch(prefix.rstrip("/")):
                scope[PREFIX] = prefix.rstrip("/")


def _address(text: str) -> Address | None:
    """Read an address, perhaps with a port; one of IPv4 in IPv6's clothes is one of IPv4."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
