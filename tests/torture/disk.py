"""A disk that is full, limited or failing; what cannot be recorded is not decided."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tests.torture import traffic
from tests.torture.load import pool, stock_pool
from tests.torture.run import Run
from tests.torture.served import Home, Server, served, stock
from tests.torture.shim import Shim
from tests.torture.traffic import Pool, Tally

CLIENTS = 8


@contextlib.contextmanager
def small_disk(place: Path, size: str = "128m") -> Iterator[Path | None]:
    """Mount a small file system, if this user may; else give None.

    The log of twenty rounds takes 20 MB of it: what is full must be the ballast's doing alone.
    """
    place.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True)
    try:
        yield place if done.returncode == 0 else None
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", place], check=False)


def fill(ballast: Path) -> None:
    """Write until there is no room for another byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (2**16, 2**10, 1):
            with contextlib.suppress(OSError):
                while True:
                    if file.write(bytes(size)) < size:
                        break


class Story:
    """What clients were answered while the disk was bad, and while it was good."""

    def __init__(self) -> None:
        self.good, self.bad = Tally(), Tally()
        self.was_ready_when_bad = 0
        self.was_dead_when_bad = 0
        self.healed_s: list[float] = []

    def ids(self) -> set[str]:
        """Return the decisions that were answered."""
        return {*self.good.event_ids, *self.bad.event_ids}


def tell_story(
    server: Server,
    asked: Pool,
    rounds: int,
    hurt: Callable[[], None],
    heal: Callable[[], None],
    tell: Callable[[int], None],
) -> Story:
    """Hurt and heal the disk in turn, with clients asking all the while."""
    story = Story()
    for turn in range(rounds):
        for is_bad in (False, True):
            if is_bad:
                hurt()
            tally = story.bad if is_bad else story.good
            asyncio.run(traffic.closed(server.port, asked, CLIENTS, 60, keeps_ids=True, tally=tally))
            if is_bad:
                story.was_ready_when_bad += server.is_ready()
                story.was_dead_when_bad += not server.http.get("/livez").is_success
        heal()
        began = time.monotonic()
        while not server.is_ready() and time.monotonic() - began < 15:
            time.sleep(0.02)
        story.healed_s.append(time.monotonic() - began)
        tell(turn + 1)
    asyncio.run(traffic.closed(server.port, asked, CLIENTS, 60, keeps_ids=True, tally=story.good))
    return story


def full(run: Run) -> None:
    """Row 8, whole: no room, a size limit, a sync that fails; each again and again."""
    home, rounds = Home(run.folder / "home"), run.count(20, least=2)
    asked = pool(home, 300)
    stories: dict[str, Story] = {}
    logs: dict[str, Path] = {}

    with small_disk(run.folder / "disk") as disk:
        if disk is not None:
            log, ballast = disk / "log", disk / "ballast"
            with served(
                home, CREDIT_SCORING_LOG=str(log), CREDIT_SCORING_LOG_ANCHORS=str(disk / "anchors")
            ) as server:
                stories["no room"] = tell_story(
                    server, asked, rounds, lambda: fill(ballast), ballast.unlink, run_tell(run, 0, rounds)
                )
            shutil.copytree(log, run.folder / "log-full")
            shutil.copytree(disk / "anchors", run.folder / "log-full-anchors")
            logs["no room"] = run.folder / "log-full"

    log = run.folder / "log-limit"
    with served(home, CREDIT_SCORING_LOG=str(log), CREDIT_SCORING_LOG_ANCHORS=f"{log}-anchors") as server:

        def limit(size: int) -> None:
            for process in server.family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    hard = resource.RLIM_INFINITY
                    process.rlimit(psutil.RLIMIT_FSIZE, (size, hard))

        stories["size limit"] = tell_story(
            server,
            asked,
            rounds,
            lambda: limit(1),
            lambda: limit(resource.RLIM_INFINITY),
            run_tell(run, 1, rounds),
        )
    logs["size limit"] = log

    shim = Shim.build(run.folder)
    if shim is not None:
        log = run.folder / "log-sync"
        settings = {"CREDIT_SCORING_LOG": str(log), "CREDIT_SCORING_LOG_ANCHORS": f"{log}-anchors"}
        with served(home, **settings, **shim.environment()) as server:  # type: ignore[arg-type]  # names of variables
            stories["sync that fails"] = tell_story(
                server,
                asked,
                rounds,
                lambda: shim.fail_sync(True),
                lambda: shim.fail_sync(False),
                run_tell(run, 2, rounds),
            )
        logs["sync that fails"] = log

    acknowledged = unanswered = quiet = 0
    for name, story in stories.items():
        home.log, home.anchors = logs[name], Path(f"{logs[name]}-anchors")
        acknowledged += len(story.ids() - home.ids().keys())
        unanswered += len(home.ids().keys() - story.ids())
        quiet += home.faults()
    told = [story.bad for story in stories.values()]
    peer = stock_full(run)
    tried = ", ".join(stories)
    run.figure("rounds of harm and healing", rounds * len(stories), "rounds", note=f"tried: {tried}")
    run.figure("answered but not in the log", acknowledged, "decisions", "= 0", stock=peer)
    run.figure("in the log but not answered", unanswered, "decisions", "= 0")
    run.figure(
        "decisions given while nothing could be recorded",
        sum(story.bad.statuses[200] for name, story in stories.items() if name != "no room"),
        "decisions",
        "= 0",
    )
    other = sum(t.total - t.statuses[503] - t.statuses[200] for t in told)
    run.figure("answered otherwise than 200 or 503", other, "requests", "= 0")
    run.figure("503 without Retry-After", sum(t.without_retry for t in told), "requests", "= 0")
    run.figure(
        "ready while nothing can be recorded",
        sum(s.was_ready_when_bad for s in stories.values()),
        "rounds",
        "= 0",
        stock="always",
    )
    run.figure("not alive meanwhile", sum(s.was_dead_when_bad for s in stories.values()), "rounds", "= 0")
    healed = max(second for story in stories.values() for second in story.healed_s)
    run.figure("until ready again, slowest", round(healed, 2), "s", "<= 5")
    run.figure(
        "not answered 200 while the disk was good",
        sum(s.good.errors for s in stories.values()),
        "requests",
        "= 0",
    )
    run.figure("faults in the chain of the log", quiet, "faults", "= 0")


def run_tell(run: Run, part: int, rounds: int) -> Callable[[int], None]:
    """Return what tells the progress of one of three parts."""
    return lambda done: run.progress(part * rounds + done, 3 * rounds, "rounds")


def stock_full(run: Run) -> str:
    """Do the same to the peer: its monitoring on a disk without room."""
    home = Home(run.folder / "peer")
    with small_disk(run.folder / "peer-disk", "1m") as disk:
        if disk is None:
            return ""
        with stock(home, monitoring=disk / "monitoring") as server:
            asked = stock_pool(home)
            asyncio.run(traffic.closed(server.port, asked, 1, 5))
            time.sleep(1)
            before = stock_records(disk)
            fill(disk / "ballast")
            tally = asyncio.run(traffic.closed(server.port, asked, 4, 20))
            time.sleep(1)
            recorded = stock_records(disk) - before
            lost = max(0, tally.statuses[200] - recorded)
            return f"{lost} of {tally.statuses[200]} lost, readyz {server.http.get('/readyz').status_code}"


def stock_records(folder: Path) -> int:
    """Count the whole records of the peer's monitoring."""
    return sum(file.read_bytes().count(b"}\n") for file in folder.rglob("data*.log*"))
