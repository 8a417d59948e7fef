"""Rows 13 and 14: inputs that nobody thought of, and inputs that somebody did."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from scoring.schema import EXAMPLE, HISTORY, Application, Decision, Explanation, Problem, columns
from tests import small
from tests.torture import bad
from tests.torture.run import Run
from tests.torture.served import Home, Server, served

DECISIONS = TypeAdapter(list[Decision])
EXPLANATIONS = TypeAdapter(list[Explanation])
PATHS = ("/score", "/explain")


class Judge:
    """Compares answers with what the served OpenAPI document promises."""

    def __init__(self, server: Server) -> None:
        paths = server.http.get("/docs.json").json()["paths"]
        self.documented = {
            (path, method.upper()): {int(status) for status in operation["responses"]}
            for path, methods in paths.items()
            for method, operation in methods.items()
        }
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []

    def look(self, path: str, response: httpx.Response) -> None:
        """Judge one answer to a POST."""
        status = response.status_code
        self.statuses[status] += 1
        if status >= 500 and status != 503:
            self.failures.append(f"{path}: {status}")
        if status not in self.documented[path, "POST"]:
            self.failures.append(f"{path}: {status} is not documented")
        try:
            if status == 200:
                (DECISIONS if path == "/score" else EXPLANATIONS).validate_json(response.content)
            else:
                Problem.model_validate_json(response.content)
                if response.headers["content-type"] != "application/problem+json":
                    self.failures.append(f"{path}: {status} is {response.headers['content-type']}")
        except (ValidationError, KeyError):
            self.failures.append(f"{path}: the body of {status} is not of its schema")


def values() -> st.SearchStrategy[Any]:
    """Return any JSON value, with an eye to the edges of numbers and texts."""
    numbers = [0, -0.0, 1, -1, 365243, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 1e308, 5e-324]
    texts = ["", "XNA", "Y", "\u0000", "\U0001f600", "é", "x" * 100, "x" * 101, "=1+1", "NaN"]
    edges = st.sampled_from([*numbers, *texts, None, True, False])
    leaves = st.one_of(
        edges, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    )


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a request that is right but for a few changes, or any bytes at all."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=200))
    if kind == 1:
        return json.dumps(draw(values())).encode()
    document = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    application = draw(st.sampled_from(document["applications"]))
    for _ in range(draw(st.integers(0, 4))):
        where = draw(st.integers(0, 5))
        if where <= 2:
            application[draw(st.sampled_from(NAMES))] = draw(values())
        elif where == 3:
            table = draw(st.sampled_from(sorted(HISTORY)))
            record = {draw(st.sampled_from(HISTORY_NAMES[table])): draw(values())}
            history = application.setdefault("history", {})
            if isinstance(history, dict):
                history[table] = [record]
        elif where == 4:
            application.pop("history", None)
            application["history_features"] = draw(
                st.dictionaries(st.sampled_from(AGGREGATES) | st.text(max_size=9), values(), max_size=4)
            )
        else:
            application[draw(st.text(max_size=12))] = draw(values())
    if draw(st.booleans()):
        document["applications"].append(copy.deepcopy(document["applications"][0]))
    text = json.dumps(document).encode()
    if kind == 2:
        at = draw(st.integers(0, len(text)))
        return text[:at] + draw(st.binary(max_size=4)) + text[at + draw(st.integers(0, 4)) :]
    return text


NAMES = sorted(columns(Application))
HISTORY_NAMES = {table: sorted(columns(record)) for table, record in HISTORY.items()}
SEEDS: list[dict[str, Any]] = [EXAMPLE, *({"applications": [one]} for one in small.applications(12, seed=13))]
AGGREGATES: list[str] = []


def laws(server: Server, judge: Judge, count: int, tell: Callable[[int], None]) -> None:
    """Send what hypothesis draws, from four seeds at a time."""
    from scoring.features import HISTORY_FEATURES

    AGGREGATES[:] = sorted(HISTORY_FEATURES)
    done = Counter[int]()

    def look(part: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http:

            def send(path: str, body: bytes) -> None:
                response = http.post(path, content=body, headers=bad.JSON)
                judge.look(path, response)
                done[part] += 1
                if done.total() % 100 == 0:
                    tell(done.total())

            search = given(st.sampled_from(PATHS), bodies())(send)
            quiet = settings(
                max_examples=count // 4,
                deadline=None,
                database=None,
                derandomize=False,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            while done[part] < count // 4:  # repeated draws count once
                quiet(search)()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(look, range(4)))


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


def raw(server: Server, count: int, tell: Callable[[int], None]) -> Counter[str]:
    """Send broken HTTP; return how often each first line was answered, or nothing."""
    seen: Counter[str] = Counter()

    def send(number: int) -> str:
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
        for number, found in enumerate(threads.map(send, range(count))):
            seen[found] += 1
            if number % 100 == 0:
                tell(number)
    return seen


def schemathesis(run: Run, server: Server, examples: int) -> dict[str, Any]:
    """Let schemathesis try every operation of the served document; return what it counted."""
    report = run.folder / "schemathesis.json"
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program) if program.exists() else str(shutil.which("schemathesis"))]
    command += ["run", f"{server.url}/docs.json", "--max-examples", str(examples), "--continue-on-failure"]
    command += ["--phases", "examples,coverage,fuzzing", "--mode", "all", "--workers", "2", "--no-shrink"]
    command += ["--checks", ",".join(CHECKS), "--suppress-health-check", "all", "--no-color"]
    command += ["--request-timeout", "60", "--report-json-path", str(report), "--seed", "4"]
    done = subprocess.run(command, cwd=run.folder, capture_output=True, text=True)
    (run.folder / "schemathesis.out").write_text(done.stdout + done.stderr, encoding="utf-8")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def fuzz(run: Run) -> None:
    """Row 13: schemathesis, hypothesis and raw HTTP."""
    home = Home(run.folder / "home")
    drawn, wires, cases = run.count(50_000, 400), run.count(10_000, 200), run.count(20_000, 200)
    with served(home, CREDIT_SCORING_HEADER_SECONDS="2", CREDIT_SCORING_PAUSE_SECONDS="2") as server:
        judge = Judge(server)
        total = drawn + wires + cases
        laws(server, judge, drawn, lambda done: run.progress(done, total, "requests"))
        seen = raw(server, wires, lambda done: run.progress(drawn + done, total, "requests"))
        found = schemathesis(run, server, math.ceil(0.4 * cases))
        alive = server.http.post("/score", json=EXAMPLE).status_code
        fell = server.said().count("Traceback")
    counts = counted(found)
    sent = judge.statuses.total()
    words = ", ".join(f"{count} × {status}" for status, count in sorted(judge.statuses.items()))
    run.figure("requests drawn by hypothesis", sent, "requests", f">= {drawn:,}", note=f"answered {words}")
    run.figure(
        "of them answered 5xx, undocumented or against the schema",
        len(judge.failures),
        "requests",
        "= 0",
        note="; ".join(sorted(set(judge.failures))[:5]),
    )
    said = ", ".join(f"{count} × {what}" for what, count in seen.most_common())
    run.figure("broken HTTP sent", seen.total(), "requests", f">= {wires:,}", note=f"answered {said}")
    run.figure(
        "of it answered 5xx", sum(n for what, n in seen.items() if what.startswith("5")), "requests", "= 0"
    )
    run.figure("of it left hanging", seen["left hanging"], "requests", "= 0")
    run.figure(
        "cases of schemathesis",
        counts[0],
        "cases",
        f">= {cases:,}",
        stock="fails in 3 s",
        note=f"version 4.32, checks {', '.join(CHECKS)}",
    )
    run.figure("of them failed", counts[1], "cases", "= 0")
    run.figure("stack traces on the output", fell, "traces", "= 0")
    run.figure("status of a good request afterwards", alive, "", "= 200")


def counted(report: dict[str, Any]) -> tuple[int, int]:
    """Return the cases and the failures of a report of schemathesis."""
    cases = report["test_cases"]
    return cases["generated"], cases["with_failures"] + cases["errored"]


def named(run: Run) -> None:
    """Row 14: the catalogue, each input alone."""
    home, catalogue = Home(run.folder / "home"), bad.catalogue()
    accepted, pathless, shapeless, other = [], [], [], []
    with served(home) as server:
        for number, one in enumerate(catalogue):
            for path in PATHS if number % 10 == 0 else PATHS[:1]:
                response = server.http.post(path, content=one.body, headers=one.headers)
                status = response.status_code
                if status < 400:
                    accepted.append(one.name)
                    continue
                if status not in one.statuses:
                    other.append(f"{one.name}: {status}")
                try:
                    problem = Problem.model_validate_json(response.content)
                except ValidationError:
                    shapeless.append(one.name)
                    continue
                fields = [error.field for error in problem.errors]
                if (
                    status == 422
                    and one.field
                    and (one.field not in fields if one.field != "?" else not fields)
                ):
                    pathless.append(one.name)
            if number % 20 == 0:
                run.progress(number, len(catalogue), "inputs")
        logged = len(home.ids())
        good = server.http.post("/score", json=EXAMPLE).status_code
    run.figure("named bad inputs", len(catalogue), "inputs", ">= 200")
    run.figure(
        "accepted",
        len(accepted),
        "inputs",
        "= 0",
        stock='true, "40", 1e999, unknown fields',
        note="; ".join(accepted[:5]),
    )
    run.figure(
        "refused with another status than the catalogue's",
        len(other),
        "inputs",
        "= 0",
        note="; ".join(other[:5]),
    )
    run.figure(
        "refused without the path of the field", len(pathless), "inputs", "= 0", note="; ".join(pathless[:5])
    )
    run.figure(
        "refused in another shape than problem+json",
        len(shapeless),
        "inputs",
        "= 0",
        note="; ".join(shapeless[:5]),
    )
    run.figure("decisions in the log because of them", logged, "decisions", "= 0")
    run.figure("status of a good request afterwards", good, "", "= 200")
