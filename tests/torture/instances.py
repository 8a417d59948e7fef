"""Row: two machines write one log, into one index and one store, and are killed at any moment."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from sqlalchemy import select

from scoring.client import Client
from scoring.decisions import Index, place_of, schema
from scoring.inference_log import identity, pseudonym_key, read
from tests.support import databases, small
from tests.torture.run import ROOT, Run
from tests.torture.served import Home, Server, start

ROWS = 40  # of a table that is sent to both
NAMES = ("a", "b")


class Machine:
    """One of the two: a service with a disk of its own."""

    def __init__(self, folder: Path, name: str, key: Path, index: str, store: Path) -> None:
        self.name, self.index, self.store = name, index, store
        self.home = Home(folder / name)
        self.home.key = key
        self.acknowledged: set[str] = set()
        self.server = self._start(None)

    def _start(self, port: int | None) -> Server:
        said = {"CREDIT_SCORING_INSTANCE": self.name, "CREDIT_SCORING_INDEX": self.index}
        return start(self.home, port, **said)  # type: ignore[arg-type]  # names of variables

    def crash(self) -> None:
        """End all of it at once, and start it again."""
        self.server.http.close()
        self.server.kill()
        self.server = self._start(self.server.port)

    def ask(self, table: pl.DataFrame, key: str, lone: list[dict[str, object]]) -> list[str]:
        """Have a table decided, whatever happens meanwhile; then some applications, if that can be."""
        with Client(self.server.url, attempts=200, sleep=lambda _: time.sleep(0.3), purpose="test") as client:
            events = client.score_table(table, key)["event_id"].to_list()
            self.acknowledged |= set(events)
            with contextlib.suppress(
                RuntimeError
            ):  # one that was lost may be in the log, and is not asked again
                self.acknowledged |= {answer.event_id for answer in client.score(lone)}
        return events

    def command(self, *words: str) -> subprocess.Popen[str]:
        """Run a command of the record on this disk."""
        places = ["--log", str(self.home.log), "--anchors", str(self.home.anchors)]
        command = [sys.executable, "-m", *words, *places, "--key-file", str(self.home.key)]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        env = self.home.environment(CREDIT_SCORING_INSTANCE=self.name, CREDIT_SCORING_INDEX=self.index)
        return subprocess.Popen(command, env=env, cwd=ROOT, **pipe)  # type: ignore[call-overload]  # as named

    def ship(self) -> subprocess.Popen[str]:
        """Begin to ship what is closed."""
        return self.command("scoring.inference_log", "ship", "--to", str(self.store))

    def finish(self) -> int:
        """End in peace, ship and follow to the end; return how many of the commands failed."""
        self.server.stop()
        failed = 0
        for words in (None, ("scoring.decisions", "follow", "--once")):
            done = self.ship() if words is None else self.command(*words)
            done.communicate(timeout=600)
            failed += done.returncode != 0
        return failed


@contextlib.contextmanager
def an_index(folder: Path) -> Iterator[str]:
    """Give one database for both: PostgreSQL where there is one, else a file."""
    if databases.PROGRAMS is None:
        yield str(folder / "index.sqlite")
        return
    with databases.postgres() as url:
        yield databases.fresh(url)


def instances(run: Run) -> None:
    """Kill services and shipping of two machines under load; then all three must say the same."""
    kills, chance = run.count(100, least=4), random.Random(11)
    key, store = run.folder / "pseudonym.key", run.folder / "store"
    pseudonym_key(key)
    differing = failed = 0
    with an_index(run.folder) as index, ThreadPoolExecutor(2) as pool:
        machines = [Machine(run.folder, name, key, index, store) for name in NAMES]
        try:
            for machine in machines:
                machine.server.wait_ready()
            for turn in range(kills):
                table = pl.DataFrame({"SK_ID_CURR": range(turn * ROWS, (turn + 1) * ROWS), "AMT_CREDIT": 1e5})
                lone = small.applications(3, seed=turn)
                asked = [pool.submit(machine.ask, table, f"turn-{turn}", lone) for machine in machines]
                victim = machines[turn // 2 % 2]
                if turn % 2:
                    shipping = victim.ship()
                    time.sleep(chance.uniform(0.3, 3.0))
                    shipping.kill()
                    shipping.communicate()
                else:
                    time.sleep(chance.uniform(0.0, 0.3))
                    victim.crash()
                differing += asked[0].result() != asked[1].result()
                run.progress(turn + 1, kills, "kills")
            failed = sum(machine.finish() for machine in machines)
        finally:
            for machine in machines:
                if machine.server.process.poll() is None:
                    machine.server.kill()
        place = Index(place_of(index, machines[0].home.log), identity(pseudonym_key(key)), NAMES[0])
        with place.begin() as connection:
            found = [
                schema.unpacked(bytes(one)) for one in connection.scalars(select(schema.decisions.c.event))
            ]
        place.close()
    shipped = pl.concat(
        pl.read_parquet(file, columns=["event_id"]) for file in store.glob("decisions/*/*/*.parquet")
    )["event_id"].to_list()
    logged = {event for machine in machines for event in read(machine.home.log).table["event_id"]}
    acknowledged = {event for machine in machines for event in machine.acknowledged}
    on = "PostgreSQL" if databases.PROGRAMS else "SQLite, as there is no PostgreSQL here"
    run.figure("kills -9, of services and of shipping in turn", kills, "kills", note=f"the index: {on}")
    run.figure("decisions that were answered", len(acknowledged), "decisions")
    run.figure("answered and not in a log", len(acknowledged - logged), "decisions", "= 0")
    for name, events in (("index", found), ("store", shipped)):
        run.figure(f"in a log and not in the {name}", len(logged - set(events)), "decisions", "= 0")
        run.figure(f"in the {name} and in no log", len(set(events) - logged), "decisions", "= 0")
        run.figure(f"twice in the {name}", len(events) - len(set(events)), "decisions", "= 0")
    run.figure("requests under one key that both answered otherwise", differing, "requests", "= 0")
    run.figure("commands that could not finish", failed, "commands", "= 0")
    run.figure("faults in the chains", sum(one.home.faults() for one in machines), "faults", "= 0")
