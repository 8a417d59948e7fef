"""Rows on who comes: clients that wish for more, proxies, and a crowd that asks for nothing."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import httpx

from scoring.schema import EXAMPLE
from tests.support.proxies import NGINX, nginx
from tests.torture.run import Run
from tests.torture.served import Home, served, start

BODY = json.dumps(EXAMPLE).encode()
NOT_FOUND = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
JAVA = """
import java.net.URI; import java.net.http.*; import java.nio.file.*;
public class Ask { public static void main(String[] a) throws Exception {
  var client = HttpClient.newHttpClient();
  for (int i = 0; i < 2; i++) {
    var request = HttpRequest.newBuilder(URI.create(a[0] + "/score"))
      .header("content-type", "application/json")
      .POST(HttpRequest.BodyPublishers.ofFile(Path.of(a[1]))).build();
    System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
  }
}}
"""
NODE = """
const body = require('fs').readFileSync(process.argv[2]), headers = {'content-type': 'application/json'};
(async () => { for (let i = 0; i < 2; i++) {
  console.log((await fetch(process.argv[1] + '/score', {method: 'POST', headers, body})).status);
} })();
"""
GO = """
package main
import ("bytes"; "fmt"; "net/http"; "os")
func main() {
  body, _ := os.ReadFile(os.Args[2])
  for i := 0; i < 2; i++ {
    answer, err := http.Post(os.Args[1] + "/score", "application/json", bytes.NewReader(body))
    if err != nil { panic(err) }
    fmt.Println(answer.StatusCode)
    answer.Body.Close()
  }
}
"""


def post(*lines: str, version: str = "1.1", body: bytes = BODY) -> bytes:
    """Return a POST with its body; ``lines`` come behind the usual headers."""
    usual = ["Host: 127.0.0.1", "Content-Type: application/json"]
    head = [f"POST /score HTTP/{version}", *usual, *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def chunks(body: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """Return a body in two chunks."""
    parts = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in (body[:7], body[7:]))
    return parts + b"0\r\n" + trailer + b"\r\n"


LENGTH, CHUNKED = f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"
H2C = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA",
)
# What is sent, and the statuses of all the answers that must come, the connection's end behind them.
SENT: dict[str, tuple[bytes, list[int]]] = {
    "h2c with a length": (post(LENGTH, *H2C) + NOT_FOUND, [200, 404]),
    "h2c in chunks": (post(CHUNKED, *H2C, body=chunks(BODY)) + NOT_FOUND, [200, 404]),
    "h2c twice in a row": (post(LENGTH, *H2C) * 2 + NOT_FOUND, [200, 200, 404]),
    "a websocket with a body": (
        post(LENGTH, "Connection: upgrade", "Upgrade: websocket") + NOT_FOUND,
        [200, 404],
    ),
    "an unknown protocol": (post(LENGTH, "Connection: upgrade, close", "Upgrade: TLS/1.0, x/1"), [200]),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", [400]),
    "CONNECT": (b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n\r\n" + NOT_FOUND, [405]),
    "chunk extensions and a trailer": (
        post(CHUNKED, body=chunks(BODY, b";a=b", b"X-Forwarded-For: 10.0.0.1\r\n")) + NOT_FOUND,
        [200, 404],
    ),
    "a length and chunks": (post(LENGTH, CHUNKED, body=chunks(BODY)) + NOT_FOUND, [400]),
    "chunks and a length": (post(CHUNKED, "Content-Length: 5", body=chunks(BODY)) + NOT_FOUND, [400]),
    "two lengths": (post(LENGTH, "Content-Length: 5") + NOT_FOUND, [400]),
    "two codings": (post(CHUNKED, "Transfer-Encoding: identity", body=chunks(BODY)) + NOT_FOUND, [400]),
    "a coding that is none": (post("Transfer-Encoding: xchunked", body=chunks(BODY)) + NOT_FOUND, [400]),
    "a folded coding": (post("Transfer-Encoding:\r\n chunked", body=chunks(BODY)) + NOT_FOUND, [400]),
    "space before a colon": (post("Content-Length : 5") + NOT_FOUND, [400]),
    "a bare line feed": (post(LENGTH).replace(b"\r\n", b"\n", 3) + NOT_FOUND, [400]),
    "a bare line feed in chunks": (post(CHUNKED, body=chunks(BODY).replace(b"\r\n", b"\n")), [400]),
    "another host in the target": (b"GET http://10.0.0.1/model HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [400]),
    "two types": (post(LENGTH, "Content-Type: text/plain") + NOT_FOUND, [400, 404]),
    "two keys": (post(LENGTH, "Idempotency-Key: a", "Idempotency-Key: b") + NOT_FOUND, [400, 404]),
    "two hosts": (post(LENGTH, "Host: 127.0.0.1") + NOT_FOUND, [400]),  # and no word more
    "33 KiB of space": (post(LENGTH, f"A:{' ' * 33_000}b"), [431]),
    "33 KiB of blank lines": (b"\r\n" * 17_000 + post(LENGTH), [431]),
    "200 headers": (post(LENGTH, *["A: b"] * 200), [431]),
}


def answers(port: int, raw: bytes) -> list[int]:
    """Send bytes, and no more; return the statuses of all answers until the service ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(raw)
        found = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while part := wire.recv(2**16):
                found += part
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", found)]


def programs(folder: Path, url: str) -> dict[str, list[str]]:
    """Return the commands of the clients that this machine has, with what they send by default."""
    body = folder / "body.json"
    body.write_bytes(BODY)
    (folder / "Ask.java").write_text(JAVA)
    (folder / "ask.cjs").write_text(NODE)
    (folder / "ask.go").write_text(GO)
    told = [url, str(body)]
    kind = ["-H", "content-type: application/json", "--data-binary", f"@{body}"]
    all_of_them = {
        "java": ["java", str(folder / "Ask.java"), *told],
        "node": ["node", "-e", NODE, *told],
        "go": ["go", "run", str(folder / "ask.go"), *told],
        "curl": ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", "--http2", *kind, f"{url}/score"],
    }
    return {name: command for name, command in all_of_them.items() if shutil.which(name)}


def clients(run: Run) -> None:
    """Row 25: the defaults of other languages, and requests that two readers would read in two ways."""
    home, other, silent = Home(run.folder / "home"), [], []
    with served(home) as server:
        for name, (raw, expected) in SENT.items():
            if (found := answers(server.port, raw)) != expected:
                other.append(f"{name}: {found}")
        commands = programs(run.folder, server.url)
        for name, command in commands.items():
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if set(done.stdout.split()) != {"200"}:
                silent.append(f"{name}: {done.stdout[:50]} {done.stderr[:200]}")
        decided = len(home.ids())
    wanted = sum(statuses.count(200) for _, statuses in SENT.values())
    run.figure("requests that two readers could read in two ways", len(SENT), "requests", ">= 20")
    run.figure(
        "of these not answered as HTTP/1.1 has it", len(other), "requests", "= 0", note="; ".join(other)
    )
    run.figure("other languages' clients with their defaults", len(commands), "", note=", ".join(commands))
    run.figure("of these not answered 200", len(silent), "", "= 0", note="; ".join(silent))
    asked = 2 * len(commands) - ("curl" in commands)
    run.figure("decisions beyond those that were asked for", decided - wanted - asked, "decisions", "= 0")


def proxies(run: Run) -> None:
    """Row 26: an ordinary nginx before a service without keys, and addresses that clients invent."""
    if NGINX is None:
        raise RuntimeError("there is no nginx (Debian: nginx-light)")
    home, tries = Home(run.folder / "home"), run.count(300, least=30)
    usual = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Host $host;"
    kind = {"content-type": "application/json"}
    with served(home) as server:
        pass_on = f"location / {{ proxy_pass {server.url}; %s }}"
        let_in = 0
        with nginx(run.folder, pass_on % "", pass_on % usual, pass_on % "proxy_http_version 1.1;") as urls:
            for url in urls[:2]:
                for host in ("scores.bank.example", "127.0.0.1", "localhost"):
                    for path in ("/score", "/explain"):
                        answer = httpx.post(url + path, content=BODY, headers={**kind, "host": host})
                        let_in += answer.status_code != 403
            plain = httpx.post(f"{urls[2]}/score", content=BODY, headers=kind).status_code
    run.figure("let in through nginx without keys", let_in, "of 12 requests", "= 0")
    note = "HTTP/1.1 and not a header of its own: nobody can tell it from a client of this machine"
    run.figure("through a proxy that shows nothing", plain, "status", note=note)
    settings = {
        "CREDIT_SCORING_API_KEYS": "k" * 32,
        "CREDIT_SCORING_RATE": "2",
        "CREDIT_SCORING_PROXIES": "127.0.0.2",
    }
    with served(home, **settings) as server:  # type: ignore[arg-type]  # names of variables
        location = f"location / {{ proxy_pass {server.url}; proxy_bind 127.0.0.2; {usual} }}"
        passed: Counter[str] = Counter()
        with nginx(run.folder, location) as (url,), httpx.Client() as http:
            for place in (server.url, url):
                began = time.monotonic()
                for number in range(3 * tries):
                    path = ("/explain", "/model", "/nothing")[number % 3]
                    invented = {"x-forwarded-for": f"10.{number % 256}.{number // 256}.1"}
                    passed[place] += http.get(place + path, headers=invented).status_code != 429
                passed[place] -= int(2 + 2 * (time.monotonic() - began))
    run.figure("requests with an invented address each", 6 * tries, "requests")
    beyond = max(0, *passed.values())
    run.figure("of these let through beyond 2 a second", beyond, "requests", "= 0")


def crowd(run: Run) -> None:
    """Row 27: connections that ask for nothing, more of them than there are descriptors."""
    home, idle = Home(run.folder / "home"), run.count(1_000, least=300)
    found: Counter[str] = Counter()
    server = start(home, before=("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"))
    try:
        server.wait_ready()
        with contextlib.ExitStack() as wires:
            for begun in (b"", b"POST /score HTTP/1.1\r\nHost: "):
                for _ in range(idle):
                    wire = wires.enter_context(
                        socket.create_connection(("127.0.0.1", server.port), timeout=30)
                    )
                    with contextlib.suppress(ConnectionError):
                        wire.sendall(begun)
                for _ in range(50):
                    try:
                        found[str(answers(server.port, post(LENGTH, "Connection: close")))] += 1
                    except ConnectionError as error:
                        found[type(error).__name__] += 1
        said = server.said().count("file descriptors leave room for")
        fell = server.said().count("Traceback")
    finally:
        server.http.close()
        server.stop()
    lost = found.total() - found["[200]"] - found["[503]"]
    run.figure("connections that ask for nothing, at 256 descriptors", 2 * idle, "connections")
    run.figure("requests beside them answered 200", found["[200]"], "of 100", ">= 50", note=str(dict(found)))
    run.figure("neither answered nor told to come back", lost, "requests", "= 0")
    run.figure("sentences about it on the output", said, "", "= 1")
    run.figure("stack traces of the service", fell, "traces", "= 0")
