"""The end of uvicorn's server: as it comes it closes its sockets first, and resets who stands in line."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from scoring.serving import line


def server(is_last: Callable[[], bool]) -> type[uvicorn.Server]:
    """Return the class of the server of a process.

    Parameters
    ----------
    is_last : callable
        Says, when this process ends, whether no other will answer on its sockets.
    """

    class Server(uvicorn.Server):
        """Accepts all who came before it ends."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """End, after those who stand in line."""
            if sockets and is_last():
                await line.empty(sockets)
            await super().shutdown(sockets)

    return Server
