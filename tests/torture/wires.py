"""HTTP that is broken, by raw sockets."""

from __future__ import annotations

import json
import random
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scoring.schema import EXAMPLE
from tests.support import small
from tests.torture.served import Server

SEEDS: list[dict[str, Any]] = [EXAMPLE, *({"applications": [one]} for one in small.applications(12, seed=13))]


def noise(chance: random.Random, port: int) -> bytes:
    """Return a request that is HTTP to begin with, broken in one to four places."""
    body = json.dumps(chance.choice(SEEDS)).encode()
    path = chance.choice(
        ["/score", "/explain", "/model", "/readyz", "/docs.json", "/", "//", "/%00", "*", "/score?a=1"]
    )
    method = chance.choice(
        ["POST", "GET", "HEAD", "PUT", "OPTIONS", "TRACE", "CONNECT", "post", "PATCH", "A" * 50]
    )
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        b"host: 127.0.0.1:%d" % port,
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    breaks: list[Callable[[], None]] = [
        lambda: lines.__setitem__(
            0,
            chance.choice(
                [
                    b"",
                    b"GET",
                    b"POST /score",
                    b"POST /score HTTP/9.9",
                    b"\x16\x03\x01\x02\x00",
                    b"PRI * HTTP/2.0",
                    b"POST  /score  HTTP/1.1",
                    b"POST /score HTTP/1.0",
                ]
            ),
        ),
        lambda: lines.insert(
            1,
            chance.choice(
                [
                    b"host: evil",
                    b": x",
                    b"a\x00b: c",
                    b"a b: c",
                    b" folded: x",
                    b"x" * 5_000,
                    b"x: " + b"y" * 70_000,
                ]
            ),
        ),
        lambda: lines.append(
            chance.choice(
                [
                    b"content-length: -1",
                    b"content-length: 5",
                    b"content-length: 99999999999999999999",
                    b"content-length: abc",
                    b"transfer-encoding: chunked",
                    b"transfer-encoding: xx",
                    b"expect: 100-continue",
                    b"upgrade: websocket\r\nconnection: upgrade",
                    b"content-encoding: gzip",
                ]
            )
        ),
        lambda: lines.append(chance.randbytes(chance.randrange(1, 60))),
        lambda: lines.__setitem__(
            3, b"content-length: %d" % chance.choice([0, 1, len(body) - 1, len(body) + 1, 10**12])
        ),
        lambda: lines.__setitem__(
            2,
            chance.choice(
                [
                    b"content-type: text/xml",
                    b"content-type: \xff",
                    b"content-type:",
                    b"content-type: multipart/form-data",
                ]
            ),
        ),
    ]
    for _ in range(chance.randrange(1, 5)):
        chance.choice(breaks)()
    text = b"\r\n".join(lines) + b"\r\n\r\n" + body
    turn = chance.randrange(6)
    if turn == 0:
        return text[: chance.randrange(len(text))]
    if turn == 1:
        at = chance.randrange(len(text))
        return text[:at] + chance.randbytes(chance.randrange(1, 30)) + text[at:]
    return text.replace(b"\r\n", b"\n") if turn == 2 else text


def send(server: Server, count: int, tell: Callable[[int], None]) -> Counter[str]:
    """Send broken HTTP; return how often each first line was answered, or nothing."""
    seen: Counter[str] = Counter()

    def one(number: int) -> str:
        chance = random.Random(number)
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=15) as wire:
                wire.sendall(noise(chance, server.port))
                wire.shutdown(socket.SHUT_WR)
                answer = wire.recv(200)
        except (ConnectionError, BrokenPipeError):
            return "closed"
        except TimeoutError:
            return "left hanging"
        return answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "closed"

    with ThreadPoolExecutor(16) as threads:
        for number, found in enumerate(threads.map(one, range(count))):
            seen[found] += 1
            if number % 100 == 0:
                tell(number)
    return seen
