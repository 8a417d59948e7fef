"""New models, good and deadly, offered to a service under load."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time

from scoring import features
from scoring.inference_log import read
from tests.support import small
from tests.torture import scorers, traffic
from tests.torture.run import Run
from tests.torture.served import Home, put_model, served
from tests.torture.traffic import Answer, Pool, Tally

NAME = "credit_scoring"
CLIENTS = 8
SWAP_S = 30.0


class TwoModels(Pool):
    """Applications whose answer must be that of the model whose tag it bears."""

    def __init__(self, requests: list[small.Request], answers: dict[str, list[float]]) -> None:
        super().__init__(requests, next(iter(answers.values())))
        self.answers = answers
        self.tags: dict[str, str] = {}
        self.newest = ""

    def is_right(self, index: int, answer: Answer) -> bool:
        """Compare with the model of the tag, and remember it."""
        (row,) = answer.json()
        self.tags[row["event_id"]] = self.newest = row["model"]
        right = self.answers.get(row["model"])
        return right is not None and row["probability_of_default"] == right[index]


def point_at(home: Home, version: str) -> None:
    """Make a model the newest of the store, as an import does."""
    latest = home.folder / "bentoml" / "models" / NAME / "latest"
    part = latest.with_name(".latest.part")
    part.write_text(version, encoding="utf-8")
    part.replace(latest)


def logged_models(home: Home) -> dict[str, str]:
    """Return event id -> model of the decisions in the log."""
    table = read(home.log).table
    return dict(zip(table["event_id"], table["model"], strict=True))


def swaps(run: Run) -> None:
    """A hundred changes of the model by SIGHUP to the running service."""
    home, turns = Home(run.folder / "home", f"{NAME}:one"), run.count(100, least=2)
    other = put_model(home.folder, f"{NAME}:two", small.save(run.folder / "other"))
    requests = small.applications(300, seed=19)
    table = features.build(small.portfolio(requests))
    asked = TwoModels(
        requests,
        {
            f"{NAME}:one": home.probabilities(requests),
            f"{NAME}:two": [float(p) for p in other.probability(table)],
        },
    )
    point_at(home, "one")
    took: list[float] = []
    stuck = 0
    with served(home, CREDIT_SCORING_MODEL=f"{NAME}:latest") as server:

        async def scenario() -> Tally:
            nonlocal stuck
            is_over = False
            load = asyncio.ensure_future(
                traffic.closed(server.port, asked, CLIENTS, 10**9, keeps_ids=True, until=lambda: is_over)
            )
            await asyncio.sleep(1)
            for turn in range(turns):
                version = "one" if turn % 2 else "two"
                point_at(home, version)
                began = time.monotonic()
                os.kill(server.process.pid, signal.SIGHUP)
                while asked.newest != f"{NAME}:{version}" and time.monotonic() - began < SWAP_S:
                    await asyncio.sleep(0.01)
                took.append(time.monotonic() - began)
                stuck += took[-1] >= SWAP_S
                if stuck >= 3:
                    break
                run.progress(turn + 1, turns, "swaps")
            is_over = True
            return await load

        tally = asyncio.run(scenario())
    logged = logged_models(home)
    strange = sum(logged.get(event) != tag for event, tag in asked.tags.items())
    run.figure("swaps", len(took) - stuck, "swaps", f">= {turns}")
    run.figure(
        "requests meanwhile not answered 200",
        tally.errors,
        "requests",
        "= 0",
        stock="no reload",
        note=f"{tally.total:,} requests: {tally.said()}",
    )
    run.figure("answers that differ from those of the model that they name", tally.wrong, "requests", "= 0")
    run.figure("tags in the log that differ from those in the answer", strange, "decisions", "= 0")
    run.figure("until the new model answers, median", round(sorted(took)[len(took) // 2], 2), "s")
    run.figure("faults in the chain of the log", home.faults(), "faults", "= 0")


def hostile(run: Run) -> None:
    """Models from outside that are wrong in every way, read, and offered to a service under load."""
    whole = small.save(run.folder / "whole")
    cases, turns = run.count(20_000, least=100), run.count(50, least=2)
    found = scorers.attack(
        whole, run.folder / "kept", 12, cases, lambda done: run.progress(done, cases, "scorer folders")
    )
    run.figure("scorer folders, changed at random", found.tried, "folders", f">= {cases}")
    run.figure("refused in one sentence", found.refused, "folders")
    run.figure("still whole: read and scored", found.read, "folders")
    run.figure("left to LightGBM, which is asked in a process of its own", found.left, "folders")
    faults = "; ".join(found.faults)[:300]
    run.figure("processes that ended, and other errors", len(found.faults), "folders", "= 0", note=faults)

    home = Home(run.folder / "home", f"{NAME}:one")
    for signal_name, end in scorers.DEADLY.items():
        folder = run.folder / signal_name
        shutil.copytree(whole, folder)
        end(folder)
        put_model(home.folder, f"{NAME}:{signal_name.lower()}", folder)
    requests = small.applications(300, seed=23)
    asked = TwoModels(requests, {f"{NAME}:one": home.probabilities(requests)})
    point_at(home, "one")
    with served(home, CREDIT_SCORING_MODEL=f"{NAME}:latest") as server:
        before = set(server.workers())

        async def scenario() -> Tally:
            is_over = False
            load = asyncio.ensure_future(
                traffic.closed(server.port, asked, CLIENTS, 10**9, until=lambda: is_over)
            )
            await asyncio.sleep(1)
            for turn in range(turns):
                point_at(home, list(scorers.DEADLY)[turn % len(scorers.DEADLY)].lower())
                refusals = server.said().count("reload refused")
                os.kill(server.process.pid, signal.SIGHUP)
                began = time.monotonic()
                while (
                    server.said().count("reload refused") == refusals
                    and server.process.poll() is None
                    and time.monotonic() - began < SWAP_S
                ):
                    await asyncio.sleep(0.05)
                run.progress(turn + 1, turns, "deadly models")
            is_over = True
            return await load

        tally = asyncio.run(scenario())
        refused = server.said().count("ended the process that tried it")
        lost = len(before - set(server.workers())) + (server.process.poll() is not None)
    run.figure(
        "models that LightGBM ends its process over, offered and refused", refused, "models", f">= {turns}"
    )
    run.figure("processes of the service that ended", lost, "processes", "= 0", stock="no reload")
    run.figure(
        "requests meanwhile not answered by the model from before",
        tally.errors + tally.wrong,
        "requests",
        "= 0",
        note=f"{tally.total:,} requests: {tally.said()}",
    )
