"""The clients that the system has let in on a listening socket, and that nobody has accepted yet.

Whoever stands in this line when the last process closes the socket is reset, though it may have sent its
request. So at the end nobody is let in any more, the line is emptied, and then the socket is closed.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import select
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress

SETTLE_S = 0.2  # for those who had begun to come in: a way there and back
EMPTY_S = 10.0  # at most, to accept the others
LOOK_S = 0.01

_SO_ATTACH_FILTER = 26  # Linux
# Classic BPF, each step as (code, if true, if false, value).
_NO_NEW = (
    (0x30, 0, 0, 13),  # the flags of a TCP header
    (0x54, 0, 0, 0x12),  # SYN and ACK of them
    (0x15, 0, 1, 0x02),  # a SYN alone, with which a client begins,
    (0x06, 0, 0, 0),  # is dropped,
    (0x06, 0, 0, 0xFFFFFFFF),  # all else passes
)

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name


def let_nobody_in(listening: socket.socket) -> None:
    """Have whoever begins to connect from here on wait: asked again in a second, the port is closed.

    It holds for every process that has the socket. Only Linux can do it; elsewhere, who comes in the moment
    between the last look at the line and the end is reset.
    """
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_NEW))
    program = struct.pack("HP", len(_NO_NEW), ctypes.addressof(code))
    with suppress(OSError):  # a sandbox may forbid it
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def is_readable(one: socket.socket) -> bool:
    """Say whether somebody stands in line; of a connection, whether something came that is not read yet."""
    poll = select.poll()  # select() takes no descriptor above 1,023
    poll.register(one, select.POLLIN)
    return bool(poll.poll(0))


async def empty(listening: Sequence[socket.socket]) -> None:
    """Let nobody in, and wait until all who stand in line have been accepted by whoever serves here."""
    loop = asyncio.get_running_loop()
    for one in listening:
        let_nobody_in(one)
    await asyncio.sleep(SETTLE_S)
    end = loop.time() + EMPTY_S
    while any(map(is_readable, listening)):
        if loop.time() > end:
            logger.warning("the service ends, and clients wait that it has not accepted: they are reset")
            return
        await asyncio.sleep(LOOK_S)
