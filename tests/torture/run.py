"""The bookkeeping of the suite: what a row is, what it finds, and where that is kept."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import operator
import os
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / "var" / "torture"
SHORTEST_S = 300.0  # a row at the smallest scale still starts and stops its services
COMPARE = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}


@dataclass(frozen=True)
class Figure:
    """One thing that was measured.

    Attributes
    ----------
    name : str
        What, in words.
    value : float or None
        Ours; None where it could not be measured, ``note`` says why.
    unit : str
        Of ``value``, ``target`` and ``stock``.
    target : str
        As ``<= 150``; "" for a figure that is only shown.
    met : bool or None
        None without a target.
    stock : str
        What plain BentoML did in the same run; "" where it was not tried.
    note : str
        What the reader must know beside it.
    """

    name: str
    value: float | None
    unit: str
    target: str = ""
    met: bool | None = None
    stock: str = ""
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One row of the table of promises.

    ``work`` does the harm; ``limit_s`` is what it may take at full counts before it is ended; ``number`` is
    its place in the table, from 1.
    """

    name: str
    promise: str
    work: Callable[[Run], None]
    limit_s: float
    number: int = 0


@dataclass
class Result:
    """What a row found, as it is kept in ``var/torture``."""

    name: str
    scale: float
    started: str
    seconds: float
    revision: str
    model: str
    figures: list[Figure] = field(default_factory=list)
    error: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether every promise of the row was kept."""
        return not self.error and all(figure.met is not False for figure in self.figures)

    def save(self) -> None:
        """Write it beside the others, whole or not at all."""
        STATE.mkdir(parents=True, exist_ok=True)
        part = STATE / f".{self.name}.json"
        part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), encoding="utf-8")
        part.replace(STATE / f"{self.name}.json")

    @classmethod
    def load(cls, name: str) -> Result | None:
        """Read what an earlier run kept; None if there is nothing."""
        path = STATE / f"{name}.json"
        if not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(**(found | {"figures": [Figure(**figure) for figure in found["figures"]]}))


class Run:
    """What a row is given: its scale, a folder of its own, and a place for its figures.

    Parameters
    ----------
    folder : Path
        Empty, for this row alone.
    scale : float
        Share of the stated counts; 1 for a figure that is published.
    told : Connection, optional
        Where progress and figures go.
    """

    def __init__(self, folder: Path, scale: float = 1.0, told: Connection | None = None) -> None:
        self.folder = folder
        self.scale = scale
        self.figures: list[Figure] = []
        self._told = told

    def count(self, full: int, least: int = 1) -> int:
        """Return a count of the plan at this run's scale."""
        return max(least, round(full * self.scale))

    def progress(self, done: float, total: float, what: str = "") -> None:
        """Tell how far the row is."""
        if self._told is not None:
            self._told.send(("progress", done, total, what))

    def figure(
        self,
        name: str,
        value: float | None,
        unit: str,
        target: str = "",
        *,
        stock: str = "",
        note: str = "",
    ) -> None:
        """Record a figure; ``target`` is ``<= number``, ``>= number`` or ``= number``."""
        met = None
        if target:
            sign, _, bound = target.partition(" ")
            met = value is not None and bool(COMPARE[sign](value, float(bound.replace(",", ""))))
        found = Figure(name, value, unit, target, met, stock, note)
        self.figures.append(found)
        if self._told is not None:
            self._told.send(("figure", found))


def revision() -> str:
    """Return the commit that is tried, with a mark if the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def execute(row: Row, scale: float, hear: Callable[[tuple[Any, ...]], None]) -> Result:
    """Run a row in a process group of its own, which ends with all that it started; keep what it found.

    ``hear`` is told ``("progress", done, total, what)`` and ``("figure", Figure)`` as they come.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    started, clock = datetime.now(UTC), time.monotonic()
    process = context.Process(target=_inside, args=(row.name, scale, theirs), daemon=False)
    process.start()
    theirs.close()
    result = Result(row.name, scale, f"{started:%Y-%m-%dT%H:%M:%SZ}", 0.0, revision(), "")
    deadline = clock + max(row.limit_s * scale, SHORTEST_S)
    try:
        while True:
            if not ours.poll(max(0.0, deadline - time.monotonic())):
                result.error = f"ended after {deadline - clock:.0f} s, its limit"
                break
            try:
                message = ours.recv()
            except EOFError:
                result.error = result.error or f"its process ended with code {process.exitcode}"
                break
            if message[0] == "figure":
                result.figures.append(message[1])
            elif message[0] == "model":
                result.model = message[1]
                continue
            elif message[0] == "end":
                result.error = message[1]
                break
            hear(message)
    finally:
        _end(process)
    result.seconds = round(time.monotonic() - clock, 1)
    result.save()
    return result


def _inside(name: str, scale: float, told: Connection) -> None:
    """Do the row's work in this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the suite, which ends this with all below it
    from tests.torture.rows import ROWS  # here: the register imports every family
    from tests.torture.served import model_words

    folder = STATE / "scratch" / name
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir(parents=True)
    run = Run(folder, scale, told)
    told.send(("model", model_words()))
    error = ""
    try:
        ROWS[name].work(run)
    except BaseException as failure:
        place = traceback.extract_tb(failure.__traceback__)[-1]
        error = f"{type(failure).__name__} at {Path(place.filename).name}:{place.lineno}: {failure}"[:2_000]
        (folder / "traceback").write_text(traceback.format_exc(), encoding="utf-8")
    told.send(("end", error))
    told.close()
    if not error and not os.environ.get("TORTURE_KEEP"):
        subprocess.run(["rm", "-rf", folder], check=False)


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """End the row's process and everything below it: BentoML's workers have sessions of their own."""
    below: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
    process.join(20 if not below else 1)
    process.kill()
    for one in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.join(5)
