"""The monitor is killed at random beside a log that is written, packed, shipped, purged and erased from."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

import numpy as np
import polars as pl

from scoring.inference_log import (
    COLUMNS,
    Entry,
    InferenceLog,
    LogError,
    anchors_folder,
    pseudonym,
    purge,
    read,
    verify,
)
from scoring.inference_log.erasing import erase
from scoring.inference_log.ship import ship
from scoring.inference_log.shipped import InStore, verify_shipped
from scoring.inference_log.store import Folder
from tests.torture.run import ROOT, Run

KEY, MODEL = b"k" * 32, "credit_scoring:monitored"
INPUTS = ("ext_mean", "AMT_CREDIT")
KEPT_DAYS = 3
EACH = 120  # decisions that are added in a round, one in three of them in a table
LINES = 80
DECIDED = ("probability_of_default", "threshold", "decision")
CUT = ("report.html", "summary.json", "metrics.prom")  # of a run's folder, all of them or none


def people(rows: int, seed: int) -> pl.DataFrame:
    """Return decisions in the log's columns, with two inputs."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.2, 12, rows)
    known = {"model": MODEL, "probability_of_default": p, "threshold": 0.09}
    known |= {"decision": np.where(p >= 0.09, "refused", "granted")}
    return pl.DataFrame(known | {name: rng.lognormal(0, 1, rows) for name in INPUTS})


def scorer(folder: Path) -> Path:
    """Write what the monitor reads of a scorer."""
    folder.mkdir(parents=True)
    table = people(1_500, 1)
    lacking = [
        pl.lit(None, dtype).alias(name) for name, dtype in COLUMNS.items() if name not in table.columns
    ]
    table.with_columns(lacking).select(*COLUMNS, *INPUTS).write_parquet(folder / "reference.parquet")
    features = [{"name": name, "kind": "number", "importance": 0.5} for name in INPUTS]
    (folder / "scorer.json").write_text(json.dumps({"format": 1, "features": features}))
    return folder


def counted(out: Path) -> int:
    """Return how many decisions the monitor's memory has."""
    with closing(sqlite3.connect(out / "memory.sqlite")) as memory:
        return memory.execute("select coalesce(sum(rows), 0) from tallies").fetchone()[0]


def is_whole(out: Path) -> bool:
    """Say whether each run's folder has all of its files, which say the same, and the latest is one."""
    latest = out / "latest"
    if latest.is_symlink() and not latest.is_dir():
        return False
    for folder in out.glob("run-*"):
        if not all((folder / name).is_file() for name in CUT):
            return False
        verdict = json.loads((folder / "summary.json").read_text())
        if f"verdict_code {verdict['exit_code']}\n" not in (folder / "metrics.prom").read_text():
            return False
    return True


def work(what: str, log: Path, store: Path, said: str) -> None:
    """Ship the log, erase a client from it and from what was shipped, or purge what is before a day."""
    anchors, place = anchors_folder(log), Folder(store)

    def now() -> datetime:
        return datetime.now(UTC)

    if what == "ship":
        ship(log, anchors, KEY, place, now)
    elif what == "erase":
        erase(log, anchors, KEY, int(said), "asked for", now, shipped=InStore(place, KEY, now))
    else:
        purge(log, anchors, KEY, date.fromisoformat(said), now())


WORK = """
import sys
from pathlib import Path
from tests.torture.monitor import work
work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
"""


class Watched:
    """A log that grows, is packed, shipped, purged and erased from; and the monitor that counts it.

    A decision counts if it was there when the monitor first counted its file to the end: one that is erased
    before does not, and one that is erased or purged afterwards does. ``counted`` names the first round that
    no whole run has seen, ``wanted`` is how many decisions must have been counted by the next one.
    """

    def __init__(self, folder: Path, seed: int = 7) -> None:
        self.folder, self.log, self.out, self.store = folder, folder / "log", folder / "out", folder / "store"
        self.chance, self.wanted, self.round, self.counted = random.Random(seed), 0, 0, 1
        self.erased: list[int] = []
        self.done = {"ship": 0, "erase": 0, "purge": 0, "killed": 0}
        self.command = [sys.executable, "-m", "monitoring", "--log", str(self.log), "--out", str(self.out)]
        self.command += ["--reference", str(scorer(folder / "scorer")), "--model", MODEL]
        self.command += ["--min-rows", "100", "--no-evidently", "--quiet"]

    def moment(self) -> datetime:
        """Return the time of this round: five hours after the one before."""
        return datetime.now(UTC) - timedelta(days=20) + timedelta(hours=5 * self.round)

    def begin(self) -> int:
        """Begin a round; return its number."""
        self.round += 1
        self.wanted += EACH
        return self.round

    def add(self, number: int, packs: bool, pause: float = 0.0) -> None:
        """Write the decisions of a round by a writer of its own, whose files may be packed."""
        now = self.moment()
        log = InferenceLog(
            self.log, f"w{number}", KEY, MODEL, categories=(), file_bytes=20_000, is_packed=packs
        )
        table = people(EACH, 100 + number)
        for place, row in enumerate(table.head(LINES).iter_rows(named=True)):
            entry = Entry(
                event_id=f"{number}-{place}",
                applicant=1_000 * number + place,
                request_id="r",
                probability_of_default=row["probability_of_default"],
                threshold=row["threshold"],
                decision=row["decision"],
                features={name: row[name] for name in INPUTS},
            )
            log.record([entry], now)
            time.sleep(pause)
        rest = table.tail(EACH - LINES)
        applicants = [1_000 * number + place for place in range(LINES, EACH)]
        with log.table(f"{number:024x}", "r", None, now) as recording:
            recording.add(applicants, rest.select(DECIDED), rest.select(INPUTS))
            recording.commit()
        log.close()

    def client(self, first: int, end: int) -> int:
        """Return a client of some rounds who was not erased yet."""
        while (who := 1_000 * self.chance.randrange(first, end) + self.chance.randrange(EACH)) in self.erased:
            pass
        self.erased.append(who)
        return who

    def old(self) -> date:
        """Return the first day that is kept: what is before it was counted."""
        ago = 5 * (self.round - self.counted + 1)
        return min(self.moment() - timedelta(days=KEPT_DAYS), self.moment() - timedelta(hours=ago)).date()

    def begun(self) -> tuple[subprocess.Popen[bytes], str, str]:
        """Begin to ship, to erase somebody whose decision was counted, or to purge what is old."""
        what = self.chance.choice(("ship", "erase", "erase", "purge") if self.counted > 1 else ("ship",))
        lowest = max(1, self.counted - 8)  # later ones were not purged yet
        said = str(self.client(lowest, self.counted)) if what == "erase" else f"{self.old():%Y-%m-%d}"
        command = [sys.executable, "-c", WORK, what, str(self.log), str(self.store), said]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return process, what, said

    def ended(self, process: subprocess.Popen[bytes], what: str, said: str) -> None:
        """End it, perhaps in its midst; then do it again, to its end."""
        try:
            process.wait(self.chance.uniform(0.0, 3.0))
        except subprocess.TimeoutExpired:
            process.kill()
        self.done["killed"] += process.wait() == -signal.SIGKILL
        self.done[what] += 1
        self.finish(what, said)

    def finish(self, what: str, said: str) -> None:
        """Do something to its end; who is erased already is nobody."""
        try:
            work(what, self.log, self.store, said)
        except LogError as error:
            if what != "erase" or "erase" not in str(error):
                raise

    def killed(self, seconds: float) -> bool:
        """Run the monitor beside others and kill it after so long; say whether it was at work."""
        number, packs = self.begin(), bool(self.chance.getrandbits(1))
        is_beside = bool(self.chance.getrandbits(1))
        writer = Thread(target=self.add, args=(number, packs, seconds / 2 / LINES if is_beside else 0.0))
        writer.start()
        if not is_beside:
            writer.join()
            if self.chance.random() < 0.4:  # nobody has counted this client yet
                self.finish("erase", str(self.client(number, number + 1)))
                self.wanted -= 1
        other = self.begun()
        process = subprocess.Popen(
            self.command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        was_at_work = process.wait() == -signal.SIGKILL
        self.ended(*other)
        writer.join()
        return was_at_work

    def run(self) -> int:
        """Run the monitor to its end."""
        code = subprocess.run(self.command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
        self.counted = self.round + 1
        return code

    def is_exact(self) -> bool:
        """Say whether the memory has what it must, and says of itself that all of it stands."""
        return counted(self.out) == self.wanted

    def verified(self) -> int:
        """Return the exit code of the check of the verdicts, the log and what was shipped."""
        command = [*self.command[:3], "verify", *self.command[3:9]]
        code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
        faults = [*verify(self.log, anchors_folder(self.log), KEY).faults]
        return code + len(faults) + len(verify_shipped(Folder(self.store), KEY).faults)


def attack(place: Path, kills: int, tell: object = None) -> dict[str, int]:
    """Kill the monitor so often; return what was found."""
    watched = Watched(place)
    watched.add(watched.begin(), True)
    began = time.monotonic()
    codes = [watched.run()]
    whole, done, wrong, mixed = time.monotonic() - began, 0, 0, 0
    while done < kills:
        if watched.killed(watched.chance.uniform(0.2, 1.0) * whole):
            done += 1
        mixed += not is_whole(watched.out)
        if watched.chance.random() < 0.5:
            codes.append(watched.run())
            wrong += not watched.is_exact()
            watched.finish("purge", f"{watched.old():%Y-%m-%d}")
        if callable(tell):
            tell(done)
    codes.append(watched.run())
    wrong += not watched.is_exact()
    untrue = watched.verified()
    left = {pseudonym(KEY, who) for who in watched.erased} & set(read(watched.log).table["applicant"])
    first = counted(watched.out)
    shutil.rmtree(watched.log)
    watched.log.mkdir()
    codes.append(watched.run())
    drafts = len(list(watched.out.glob(".draft-*")))
    return {
        "kills": done,
        "wrong": wrong,
        "mixed": mixed,
        "lost": first - counted(watched.out),
        "codes": sum(code not in (0, 1, 4) for code in codes),
        "untrue": untrue,
        "left": len(left),
        "drafts": drafts,
        "written": watched.wanted,
        "erased": len(watched.erased),
        **{f"{name} beside": count for name, count in watched.done.items()},
    }


def kills(run: Run) -> None:
    """Count exactly, and never leave half a report, whenever the monitor is killed."""
    wanted = run.count(100, least=5)
    found = attack(run.folder, wanted, lambda done: run.progress(done, wanted, "kills"))
    beside = ", ".join(f"{found[f'{name} beside']} times {name}" for name in ("ship", "erase", "purge"))
    note = f"beside it the log was written; {beside}, {found['killed beside']} of these killed too"
    run.figure(
        "kills of the monitor at work", found["kills"], "", ">= 100" if run.scale == 1 else "", note=note
    )
    run.figure("decisions written meanwhile", found["written"], "decisions")
    run.figure("persons erased meanwhile", found["erased"], "persons")
    run.figure("whole runs after which the counts were not exact", found["wrong"], "runs", "= 0")
    run.figure("times that a report was not whole, or said two things", found["mixed"], "times", "= 0")
    run.figure("counts that went with the log", found["lost"], "decisions", "= 0")
    run.figure("whole runs without a verdict", found["codes"], "runs", "= 0")
    run.figure("verdicts, records and objects that do not stand", found["untrue"], "faults", "= 0")
    run.figure("erased persons who are left in the log", found["left"], "persons", "= 0")
