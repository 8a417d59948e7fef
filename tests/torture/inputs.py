"""Inputs that nobody thought of, and inputs that somebody did."""

from __future__ import annotations

import copy
import json
import math
import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from scoring.schema import EXAMPLE, HISTORY, Application, Decision, Explanation, Problem, columns
from tests.support.documented import CHECKS, counted, schemathesis
from tests.torture import bad, wires
from tests.torture.run import Run
from tests.torture.served import Home, Server, served

DECISIONS = TypeAdapter(list[Decision])
EXPLANATIONS = TypeAdapter(list[Explanation])
PATHS = ("/score", "/explain")


Documented = dict[tuple[str, str], set[int]]  # path, method -> statuses


def documented(server: Server) -> Documented:
    """Return which statuses the served OpenAPI document speaks of."""
    paths = server.http.get("/docs.json").json()["paths"]
    return {
        (path, method.upper()): {int(status) for status in operation["responses"]}
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


class Judge:
    """Compares answers with what the served OpenAPI document promises."""

    def __init__(self, documented: Documented) -> None:
        self.documented = documented
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
    document = copy.deepcopy(draw(st.sampled_from(wires.SEEDS)))
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
AGGREGATES: list[str] = []


def laws(judge: Judge, url: str, count: int, tell: Callable[[int], None]) -> None:
    """Send what hypothesis draws to both endpoints; drawing takes longer than answering, so two do it."""
    each = min(1_000, count // 2)
    parts, done = math.ceil(count / each / 2), 0
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for statuses, failures in pool.map(drawn, [url] * parts, [judge.documented] * parts, [each] * parts):
            judge.statuses += statuses
            judge.failures += failures
            done += 2 * each
            tell(done)


def drawn(url: str, documented: Documented, count: int) -> tuple[Counter[int], list[str]]:
    """Draw so many bodies and send each to both endpoints; return the statuses and what was wrong."""
    from scoring.features import HISTORY_FEATURES

    AGGREGATES[:] = sorted(HISTORY_FEATURES)
    judge, done = Judge(documented), 0
    # a connection that was idle is not used again: the service may be closing it
    limits = httpx.Limits(keepalive_expiry=1)
    with httpx.Client(base_url=url, timeout=60, trust_env=False, limits=limits) as http:

        def send(body: bytes) -> None:
            nonlocal done
            for path in PATHS:
                judge.look(path, http.post(path, content=body, headers=bad.JSON))
            done += 1

        search = given(bodies())(send)
        while done < count:  # repeated draws count once
            quiet = settings(
                max_examples=count - done,
                deadline=None,
                database=None,
                derandomize=False,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            quiet(search)()
    return judge.statuses, judge.failures


def fuzz(run: Run) -> None:
    """Schemathesis, hypothesis and raw HTTP."""
    home = Home(run.folder / "home")
    asked, broken, cases = run.count(50_000, 400), run.count(10_000, 200), run.count(20_000, 200)
    with served(home, CREDIT_SCORING_HEADER_SECONDS="2", CREDIT_SCORING_PAUSE_SECONDS="2") as server:
        judge = Judge(documented(server))
        total = asked + broken + cases
        laws(judge, server.url, asked, lambda done: run.progress(done, total, "requests"))
        seen = wires.send(server, broken, lambda done: run.progress(asked + done, total, "requests"))
        found = schemathesis(run.folder, server.url, math.ceil(0.4 * cases))
        alive = server.http.post("/score", json=EXAMPLE).status_code
        fell = server.said().count("Traceback")
    counts = counted(found)
    sent = judge.statuses.total()
    words = ", ".join(f"{count} × {status}" for status, count in sorted(judge.statuses.items()))
    run.figure(
        "requests drawn by hypothesis, half of them to /explain",
        sent,
        "requests",
        f">= {asked:,}",
        note=f"answered {words}",
    )
    run.figure(
        "of them answered 5xx, undocumented or against the schema",
        len(judge.failures),
        "requests",
        "= 0",
        note="; ".join(sorted(set(judge.failures))[:5]),
    )
    said = ", ".join(f"{count} × {what}" for what, count in seen.most_common())
    run.figure("broken HTTP sent", seen.total(), "requests", f">= {broken:,}", note=f"answered {said}")
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


def named(run: Run) -> None:
    """The catalogue, each input alone."""
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
