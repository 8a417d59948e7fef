"""What a body costs to read: with escapes beside without, refused beside taken. CPU time, ratios in one run.

Bodies of invented applications: flat ones, which C reads, and some with raw histories, which msgspec reads.
PHP escapes every slash, Python every letter that is not ASCII; here every word of an application has both.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.results import record
from scoring.features.checks import DECODER
from scoring.schema import Application, columns
from scoring.serving.large.records import RECORDS
from scoring.serving.problem import Rejection
from scoring.serving.reading import OUTLINER, parse
from tests.support import small
from tests.torture import nasty

WORD, ROWS, SMALL = "Employé / retraité", 2_000, 200
COMMAND = "python -m benchmarks.bodies"


def cpu_s(rounds: int, *calls: Callable[[], object]) -> list[list[float]]:
    """Return the CPU seconds of each call in each round; they take turns."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, found, strict=True):
            began = time.process_time()
            call()
            seconds.append(time.process_time() - began)
    return found


def ratio(seconds: list[float], base: list[float]) -> float:
    """Return the median of the ratios within a round."""
    return statistics.median(one / other for one, other in zip(seconds, base, strict=True))


def written(requests: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return a body without escapes, as PHP writes it, and as Python does."""
    document = {"applications": requests}
    plain = json.dumps(document, ensure_ascii=False).encode()
    return {
        "without escapes": plain,
        "slashes escaped": plain.replace(b"/", b"\\/"),
        "accents escaped": json.dumps(document).encode(),
    }


def rejection(body: bytes) -> Rejection:
    """Refuse a body, as the middleware does."""
    try:
        parse(body, 10_000, DECODER)
    except Rejection as refused:
        return refused
    raise SystemExit("a body that is wrong was taken")


def main(
    rounds: Annotated[int, typer.Option(help="Turns of each call.", min=1)] = 7,
    mib: Annotated[int, typer.Option(help="MiB of a refused body.", min=1)] = 60,
) -> None:
    """Measure what escapes and faults cost.

    Example: python -m benchmarks.bodies
    """
    if RECORDS is None or OUTLINER is None:
        raise SystemExit("the engine is not built here; `python -m scoring.engine` builds it")
    shown = Table("figure", "", "unit", "target", "met")

    def note(name: str, figure: float, target: float | None) -> None:
        met = None if target is None else bool(figure <= target)
        record(name, figure, "ratio", target=target, met=met, command=COMMAND)
        told = {None: "", True: "yes", False: "no"}[met]
        shown.add_row(name, f"{figure:,.3f}", "ratio", "" if target is None else f"{target:g}", told)

    words = [name for name, column in columns(Application).items() if column.kind == "category"]
    raw = small.applications(ROWS, seed=5)
    flat = [request | dict.fromkeys(words, WORD) | {"history": None} for request in raw]
    few = [request | dict.fromkeys(words, WORD) for request in raw[:SMALL]]

    def by_c(body: bytes) -> Callable[[], object]:
        if RECORDS.read(body, ROWS) is None:
            raise SystemExit("the reader in C leaves this body")
        return lambda: RECORDS.read(body, ROWS)

    def by_msgspec(body: bytes) -> Callable[[], object]:
        if DECODER.decode(body, SMALL) is None:
            raise SystemExit("msgspec leaves this body")
        return lambda: DECODER.decode(body, SMALL)

    for reader, requests in ((by_c, flat), (by_msgspec, few)):
        bodies = written(requests)
        plain, *others = cpu_s(rounds, *(reader(body) for body in bodies.values()))
        kind = f"{ROWS:,} flat applications" if reader is by_c else f"{SMALL} applications with histories"
        for name, seconds in zip(list(bodies)[1:], others, strict=True):
            note(f"reading {kind}, {name}, CPU to without", ratio(seconds, plain), 1.5)

    good = nasty.good(mib * nasty.MIB)
    for kind, make in nasty.REFUSED.items():
        body = make(mib * nasty.MIB)
        taken, refused = cpu_s(
            max(1, rounds // 3), lambda: parse(good, 10_000, DECODER), partial(rejection, body)
        )
        share = len(body) / len(good)
        note(f"refusing {mib} MiB, {kind}, CPU to reading as much", ratio(refused, taken) / max(share, 1), 1)
    Console().print(shown)


if __name__ == "__main__":
    typer.run(main)
