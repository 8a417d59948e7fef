"""The officer's page is asked for what is not its own: files, addresses, other people's work."""

from __future__ import annotations

import contextlib
import html
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from scoring import synthetic
from tests.torture.run import ROOT, Run
from tests.torture.served import QUIET, START_S, Home, free_port, inherited, served

LANGUAGES = ("en", "fr")
MARK = "ABCDEFGHIJKLMNOPQRST"  # repeated in what is sent, to see how much of it comes back
UNSEEN = "\u202e\u2066\x1b[31m\x00\u2028"
ECHO = 100  # characters of what was sent that may come back
AT_ONCE = 60


@dataclass
class Page:
    """A served page, the folder of its uploads, and what it has written."""

    url: str
    uploads: Path
    log: Path
    process: subprocess.Popen[bytes]

    def said(self) -> str:
        """Return the output of the program."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def serving_page(folder: Path, api: str, *options: str, **settings: str) -> Iterator[Page]:
    """Serve the page with ``python -m ui`` until the end of the block."""
    port, uploads, log = free_port(), folder / "uploads", folder / "page.log"
    uploads.mkdir(parents=True)
    command = [sys.executable, "-m", "ui", "--api", api, "--port", str(port)]
    env = inherited() | QUIET | {"GRADIO_TEMP_DIR": str(uploads)} | settings
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT
        )
    page = Page(f"http://127.0.0.1:{port}", uploads, log, process)
    end = time.monotonic() + START_S
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{page.url}/favicon.ico", trust_env=False)
                break
            assert process.poll() is None, page.said()
            assert time.monotonic() < end, "the page does not start"
            time.sleep(0.1)
        yield page
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


class Trap:
    """A loopback port that counts who calls it: a page that fetches addresses for others would."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._socket.accept()[0].close()
                self.calls += 1

    def close(self) -> None:
        """Stop."""
        self._socket.close()


@dataclass(frozen=True)
class Handler:
    """One event of a page that its server handles."""

    lang: str
    number: int
    inputs: tuple[str, ...]


def handlers(client: httpx.Client) -> list[Handler]:
    """Return every event of both pages, as their own configuration lists them."""
    found = []
    for lang in LANGUAGES:
        config = client.get(f"/{lang}/config").json()
        kinds = {component["id"]: component["type"] for component in config["components"]}
        for event in config["dependencies"]:
            found.append(Handler(lang, event["id"], tuple(kinds[i] for i in event["inputs"])))
    return found


def planted(path: str, url: str, uploaded: str) -> dict[str, Any]:
    """Return values that make Gradio read ``path`` or ``url``, or repeat what it was given, by their name."""
    meta = {"_type": "gradio.FileData"}
    file = {"path": path, "meta": meta}
    beside = f"{Path(uploaded).parent}/../../{Path(path).name}"
    deep: Any = file
    for _ in range(50):
        deep = {"value": [deep], "files": [deep]} if len(json.dumps(deep)) < 20_000 else [deep]
    values: dict[str, Any] = {
        "a file": file,
        "a list of files": [file],
        "a file in a file": {"path": uploaded, "url": file, "orig_name": file, "meta": meta},
        "deep": deep,
        "as JSON text": json.dumps(file),
        "as a path": path,
        "as an address of a file": f"file://{path}",
        "with a wrong address": file | {"url": f"{url}/a", "orig_name": "../../../b.csv", "size": -1},
        "as a stream": file | {"is_stream": True},
        "an address": {"path": f"{url}/a.csv", "meta": meta},
        "an address beside an upload": {
            "path": uploaded,
            "url": f"{url}/b.csv",
            "meta": meta,
            "is_stream": True,
        },
        "through the folder of an upload": {"path": beside, "meta": meta},
        "the environment": {"path": "/proc/self/environ", "meta": meta},
        "a descriptor": {"path": "/proc/self/fd/0", "meta": meta},
        "a folder": {"path": str(Path(uploaded).parent), "meta": meta},
        "a null in the path": {"path": f"{path}\0.csv", "meta": meta},
        "a path that is none": {"path": {"path": path, "meta": meta}, "meta": meta},
        "an update": {"__type__": "update", "value": file, "visible": True},
        "bytes": {"path": None, "data": "data:text/csv;base64,QQ==", "meta": meta},
        "a text without end": MARK * 250,
        "unseen signs": UNSEEN + MARK,
        "digits without end": "9" * 5_000,
        "markup": f"<img src=x onerror=alert(1)>{MARK}",
        "texts by name": dict.fromkeys(("AMT_CREDIT", "OCCUPATION_TYPE", MARK * 250), MARK * 250 + UNSEEN),
        "texts that are none": {"AMT_CREDIT": file, "OCCUPATION_TYPE": [file], "DAYS_BIRTH": 1e308},
    }
    odd: tuple[Any, ...] = (True, 0, -1, 1.5e300, [], {}, [[]])
    return values | {f"the value {value!r}": value for value in odd}


@dataclass
class Found:
    """What an attack came to."""

    tried: int = 0
    leaks: list[str] = field(default_factory=list)
    echoes: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


def attack_handlers(
    page: Page,
    secret: Path,
    canary: str,
    trap: str,
    client: httpx.Client,
    *,
    share: float = 1.0,
    is_whole: bool = True,
) -> Found:
    """Send every planted value to every input of every handler, and look at what comes back.

    In every language, or by turns in one of them: the languages have the same handlers.
    """
    found = Found()
    uploaded = upload(client, "en", "mine.csv", b"SK_ID_CURR\n1\n").json()[0]
    values = list(planted(str(secret), trap, uploaded).items())
    values = values[: max(1, round(len(values) * share))]
    for turn, lang in enumerate(LANGUAGES):
        calls, count = [], 0
        for handler in (one for one in handlers(client) if one.lang == lang):
            wide = len(handler.inputs)
            for name, value in values:
                for place in range(max(wide, 1)):
                    count += 1
                    if not is_whole and count % len(LANGUAGES) != turn:
                        continue
                    data = [value if at == place else None for at in range(max(wide, 1))]
                    calls.append((f"{lang} {handler.number} {handler.inputs} {name}", handler.number, data))
        for start in range(0, len(calls), AT_ONCE):
            part = calls[start : start + AT_ONCE]
            answers = ask(client, lang, [(number, data) for _, number, data in part])
            for (what, _, _), answer in zip(part, answers, strict=True):
                found.tried += 1
                judge(found, what, answer, canary, str(secret))
    kept = [p for p in page.uploads.rglob("*") if p.is_file() and canary.encode() in p.read_bytes()]
    found.leaks += [f"copied to {p.name}" for p in kept]
    return found


def judge(found: Found, what: str, answer: str | None, canary: str, path: str) -> None:
    """Note what is wrong with an answer."""
    if answer is None:
        found.silent.append(what)
        return
    said = html.unescape(json.dumps(json.loads(answer), ensure_ascii=False))
    is_text = "as a path" in what or "as an address" in what or "as JSON" in what  # what was typed is quoted
    if canary in said or (path in said and not is_text):
        found.leaks.append(what)
    if MARK * (ECHO // len(MARK)) in said or "9" * ECHO in said or "\u202e" in said or "\\u001b" in said:
        found.echoes.append(what)
    if "<img src=x" in answer:
        found.echoes.append(f"{what}, as markup")


def ask(client: httpx.Client, lang: str, calls: list[tuple[int, list[Any]]]) -> list[str | None]:
    """Send calls to the queue in one session; return what each shows, None for no answer."""
    session, order, answers = secrets.token_hex(6), [], {}
    for number, data in calls:
        body = {"fn_index": number, "data": data, "session_hash": session}
        joined = client.post(f"/{lang}/gradio_api/queue/join", json=body)
        event = joined.json().get("event_id") if joined.status_code == 200 else None
        order.append(event or object())
        if event is None:
            answers[order[-1]] = joined.text
    waiting = sum(isinstance(event, str) for event in order)
    if waiting:
        with client.stream("GET", f"/{lang}/gradio_api/queue/data?session_hash={session}") as stream:
            for told in events(stream):
                if told["msg"] == "process_completed":
                    answers[told["event_id"]] = json.dumps(told["output"])
                    waiting -= 1
                if not waiting or told["msg"] in ("close_stream", "unexpected_error"):
                    break
    return [answers.get(event) for event in order]


def offered(answer: str) -> list[str]:
    """Return the addresses of the files that an answer offers, in their order."""
    values = [part.get("value") for part in json.loads(answer)["data"] if isinstance(part, dict)]
    return [value["url"] for value in values if isinstance(value, dict)]


def events(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """Give the messages of a stream as they come; by bytes, because a text has more ends of lines."""
    waiting = b""
    for part in stream.iter_bytes():
        *whole, waiting = (waiting + part).split(b"\n\n")
        yield from (json.loads(line.removeprefix(b"data:")) for line in whole if line.startswith(b"data:"))


def upload(client: httpx.Client, lang: str, name: str, content: bytes) -> httpx.Response:
    """Upload a file as the page does."""
    return client.post(f"/{lang}/gradio_api/upload", files={"files": (name, content)})


def closed(path: str, url: str, uploaded: str) -> list[tuple[str, str]]:
    """Return requests (method and path behind the language) that nothing may answer with a success."""
    file, api = f"gradio_api/file={path}", "gradio_api"
    beside = f"{Path(uploaded).parent}/..%2f..%2f{Path(path).name}"
    reading = [
        file,
        file.replace("/", "%2f"),
        f"{api}/file=/{path}",
        f"{api}/file/{path}",
        f"{api}/file=file://{path}",
        f"{api}/file={beside}",
        f"{api}/file={Path(uploaded).parent}/../../{Path(path).name}",
        f"{api}/file=/proc/self/environ",
        f"{api}/file=/proc/self/root{path}",
        f"{api}/file={url}/c",
        f"{api}/proxy={url}/d",
        f"{api}/stream/a/b/1/playlist.m3u8",
        f"{api}/stream/a/b/1/playlist-file",
        f"{api}/custom_component/a/client/component/..%2f..%2fserver.py",
        f"{api}/queue/status",
        f"{api}/call/x/y",
        f"{api}/info",
        f"{api}/openapi.json",
        f"{api}/runs",
        f"{api}/vibe-code",
        f"{api}/startup-events",
        f"{api}/deep_link",
        f"{api}/token",
        f"{api}/dev/reload",
        "assets/..%2f..%2f..%2f..%2froutes.py",
        "assets/%2e%2e/%2e%2e/%2e%2e/routes.py",
        f"static/{'..%2f' * 12}etc/hostname",
        f"svelte/{'..%2f' * 12}etc/hostname",
        "monitoring",
        "monitoring/summary",
        "login",
        "..%2f..%2f..%2f..%2f..%2fetc%2fhostname",
    ]
    posting = [
        f"{api}/{way}"
        for way in (
            "run/predict", "api/predict", "call/predict", "call/v2/predict", "component_server", "cancel",
            "reset", "stream/a", "stream/a/close", "process_recording", "vibe-edit", "run-history/connect",
        )
    ]  # fmt: skip
    methods = [("PUT", "config"), ("DELETE", file), ("PATCH", "gradio_api/upload"), ("OPTIONS", "config")]
    return [("GET", each) for each in reading] + [("POST", each) for each in posting] + methods


def attack_routes(page: Page, secret: Path, canary: str, trap: str, client: httpx.Client) -> Found:
    """Ask for everything that the page does not need, with bytes as they stand: no client tidies the path."""
    found = Found()
    uploaded = upload(client, "en", "mine.csv", b"SK_ID_CURR\n1\n").json()[0]
    body = json.dumps({"data": [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}], "fn_index": 0})
    for lang in LANGUAGES:
        for method, path in closed(str(secret), trap, uploaded):
            found.tried += 1
            answer = raw(page.url, method, f"/{lang}/{path}", body if method == "POST" else "")
            status = int(answer[9:12] or b"0")
            if canary.encode() in answer or not 400 <= status < 500:
                found.leaks.append(f"{method} {path}: {status}")
            if str(secret).encode() in answer or MARK.encode() * 2 in answer:
                found.echoes.append(f"{method} {path}")
    return found


def raw(url: str, method: str, path: str, body: str = "", *headers: str) -> bytes:
    """Send a request as it is written, and return all that comes back."""
    host, _, port = url.removeprefix("http://").partition(":")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    with socket.create_connection((host, int(port)), 20) as wire:
        wire.sendall("\r\n".join([*lines, "", body]).encode())
        parts = []
        with contextlib.suppress(ConnectionError, TimeoutError):
            while part := wire.recv(2**16):
                parts.append(part)
    return b"".join(parts)


def attack_uploads(page: Page, client: httpx.Client) -> Found:
    """Upload under names that lead elsewhere, and more than there may be."""
    found = Found()
    before = {path for path in page.uploads.parent.rglob("*") if page.uploads not in path.parents}
    for name in (
        "../../../../up.csv",
        "/up.csv",
        "..",
        ".",
        "a\0b.csv",
        "x" * 300 + ".csv",
        "é\u202e.csv",
        "",
    ):
        found.tried += 1
        answer = upload(client, "fr", name, b"SK_ID_CURR\n1\n")
        if answer.status_code == 200 and any(
            page.uploads not in Path(path).resolve().parents for path in answer.json()
        ):
            found.leaks.append(f"upload as {name!r}")
    after = {path for path in page.uploads.parent.rglob("*") if page.uploads not in path.parents}
    found.leaks += [f"made {path.name}" for path in after - before]
    return found


def page(run: Run) -> None:
    """Every handler with every planted value, every route, every way to name an upload."""
    canary, trap = f"canary-{secrets.token_hex(8)}", Trap()
    secret = run.folder / "outside" / "secret.csv"
    secret.parent.mkdir()
    secret.write_text(f"SK_ID_CURR,{canary}\n", encoding="utf-8")
    with (
        served(Home(run.folder / "home")) as server,
        serving_page(
            run.folder / "page", server.url, "--portfolio", str(write_portfolio(run.folder / "clients"))
        ) as served_page,
        httpx.Client(base_url=served_page.url, timeout=120, trust_env=False) as client,
    ):
        events = handlers(client)
        run.progress(1, 4, "handlers")
        one = attack_handlers(served_page, secret, canary, trap.url, client, share=max(run.scale, 0.2))
        run.progress(2, 4, "routes")
        two = attack_routes(served_page, secret, canary, trap.url, client)
        run.progress(3, 4, "uploads")
        three = attack_uploads(served_page, client)
        status = _too_large(served_page.url)
        alive = client.get("/en/config").status_code == 200
        traces = served_page.said().count("Traceback")
    trap.close()
    found = [one, two, three]
    leaks = [what for each in found for what in each.leaks]
    echoes = [what for each in found for what in each.echoes]
    run.figure("handlers of both pages, from their configuration", len(events), "handlers")
    run.figure("requests for what is not the page's own", sum(each.tried for each in found), "requests")
    run.figure(
        "files, addresses or folders reached", len(leaks), "requests", "= 0", note="; ".join(leaks[:3])
    )
    run.figure("addresses fetched for the asker", trap.calls, "calls", "= 0")
    run.figure("answers that repeat what was sent", len(echoes), "answers", "= 0", note="; ".join(echoes[:3]))
    run.figure("calls without an answer", len(one.silent), "calls", "= 0", note="; ".join(one.silent[:3]))
    run.figure("status of an upload of 300 MiB", status, "", "= 413")
    run.figure("stack traces in the page's output", traces, "traces", "= 0")
    run.figure("the page still answers", float(alive), "", "= 1")


def write_portfolio(folder: Path) -> Path:
    """Write a portfolio of invented clients, and return its folder."""
    folder.mkdir()
    for name, table in synthetic.generate(20, 3, "test").items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


def _too_large(url: str) -> int:
    """Upload without end, and return the status that stops it."""
    host, _, port = url.removeprefix("http://").partition(":")
    head = (
        f"POST /en/gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    start = b'--b\r\nContent-Disposition: form-data; name="files"; filename="big.csv"\r\n\r\n'
    part = os.urandom(2**20)
    with socket.create_connection((host, int(port)), 60) as wire:
        wire.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(start), start))
        with contextlib.suppress(ConnectionError):
            for _ in range(300):
                wire.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        with contextlib.suppress(ConnectionError, TimeoutError):
            return int(wire.recv(2**16)[9:12] or b"0")
    return 0
