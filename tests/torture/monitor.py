"""The monitor is killed at random moments while the log is written, packed, purged and erased from."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from scoring.inference_log import COLUMNS, Entry, InferenceLog, anchors_folder, purge
from tests.torture.run import ROOT, Run

KEY, MODEL = b"k" * 32, "credit_scoring:monitored"
INPUTS = ("ext_mean", "AMT_CREDIT")
KEPT_DAYS = 3
EACH = 120  # decisions that are added in a round
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
    """Say whether each run's folder has all of its files, and they say the same."""
    for folder in out.glob("run-*"):
        if not all((folder / name).is_file() for name in CUT):
            return False
        verdict = json.loads((folder / "summary.json").read_text())
        if f"verdict_code {verdict['exit_code']}\n" not in (folder / "metrics.prom").read_text():
            return False
    return True


class Watched:
    """A log that grows, is packed, purged and erased from; and the monitor that counts it."""

    def __init__(self, folder: Path, seed: int = 7) -> None:
        self.log, self.out = folder / "log", folder / "out"
        self.chance, self.written, self.round = random.Random(seed), 0, 0
        self.command = [sys.executable, "-m", "monitoring", "--log", str(self.log), "--out", str(self.out)]
        self.command += ["--reference", str(scorer(folder / "scorer")), "--model", MODEL]
        self.command += ["--min-rows", "100", "--no-evidently", "--quiet"]

    def add(self) -> None:
        """Write decisions of the same day or the next by a writer of its own, whose files may be packed."""
        self.round += 1
        now = datetime.now(UTC) - timedelta(days=20) + timedelta(hours=5 * self.round)
        packs = bool(self.chance.getrandbits(1))
        log = InferenceLog(self.log, f"w{self.round}", KEY, MODEL, (), file_bytes=20_000, is_packed=packs)
        rows = people(EACH, 100 + self.round).iter_rows(named=True)
        for number, row in enumerate(rows):
            entry = Entry(
                event_id=f"{self.round}-{number}",
                applicant=number,
                request_id="r",
                probability_of_default=row["probability_of_default"],
                threshold=row["threshold"],
                decision=row["decision"],
                features={name: row[name] for name in INPUTS},
            )
            log.record([entry], now)
        log.close()
        self.written += EACH

    def retire(self) -> None:
        """Purge what was counted and is old; so counts must outlive it."""
        now = datetime.now(UTC)
        last = now - timedelta(days=20) + timedelta(hours=5 * self.round)
        purge(self.log, anchors_folder(self.log), KEY, last.date() - timedelta(days=KEPT_DAYS), now)

    def killed(self, seconds: float) -> bool:
        """Run the monitor and kill it after so long; say whether it was still at work."""
        process = subprocess.Popen(
            self.command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() == -signal.SIGKILL

    def run(self) -> int:
        """Run the monitor to its end."""
        return subprocess.run(self.command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode


def attack(place: Path, kills: int, tell: object = None) -> dict[str, int]:
    """Kill the monitor so often; return what was found."""
    watched = Watched(place)
    watched.add()
    began = time.monotonic()
    codes = [watched.run()]
    whole, done, wrong, mixed = time.monotonic() - began, 0, 0, 0
    while done < kills:
        watched.add()
        if watched.killed(watched.chance.uniform(0.2, 1.0) * whole):
            done += 1
        mixed += not is_whole(watched.out)
        if watched.chance.random() < 0.5:
            codes.append(watched.run())
            wrong += counted(watched.out) != watched.written
            watched.retire()
        if callable(tell):
            tell(done)
    codes.append(watched.run())
    wrong += counted(watched.out) != watched.written
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
        "drafts": drafts,
        "written": watched.written,
    }


def kills(run: Run) -> None:
    """Count exactly, and never leave half a report, whenever the monitor is killed."""
    wanted = run.count(100, least=5)
    found = attack(run.folder, wanted, lambda done: run.progress(done, wanted, "kills"))
    run.figure("kills of the monitor at work", found["kills"], "", ">= 100" if run.scale == 1 else "")
    run.figure("decisions written meanwhile", found["written"], "decisions")
    run.figure("whole runs after which the counts were not exact", found["wrong"], "runs", "= 0")
    run.figure("times that a report was not whole, or said two things", found["mixed"], "times", "= 0")
    run.figure("counts that went with the log", found["lost"], "decisions", "= 0")
    run.figure("whole runs without a verdict", found["codes"], "runs", "= 0")
