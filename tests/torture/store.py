"""A log that is shipped and erased while whoever does it is killed; two machines and one store."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from scoring.inference_log import (
    InferenceLog,
    anchors_folder,
    compressed,
    packing,
    pseudonym,
    pseudonym_key,
    read,
    verify,
)
from scoring.inference_log.shipped import verify_shipped
from scoring.inference_log.store import Folder
from tests.support.logs import decided, write
from tests.torture.log import mutations
from tests.torture.run import ROOT, Run

DAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLIENT = 700_000
STEM = "0123456789abcdef0123"


def a_log(folder: Path, key: bytes, worker: str, days: int) -> InferenceLog:
    """Write some days of a machine, each with a request that the other machine was sent as well."""
    log = write(folder, key, records=0, worker=worker)
    for day in range(days):
        now = DAY + timedelta(days=day)
        write(folder, key, records=40, now=now, worker=f"{worker}-lines").close()
        with log.table(f"{STEM}{day:04}", "r", "bank", now) as table:
            for part in range(4):
                table.add(*decided(500, 500 * part))
            table.commit()
    log.close()
    return log


def command(name: str, folder: Path, key_file: Path, *more: object) -> list[str]:
    """Return the command on a log."""
    said = (name, "--log", folder, "--key-file", key_file, *more)
    return [sys.executable, "-m", "scoring.inference_log", *map(str, said)]


def ended(arguments: list[str], after_s: float) -> int:
    """Start a command and kill it after a while; return its exit code."""
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def events(store: Folder) -> list[str]:
    """Return all events of the Parquet in a store."""
    found: list[str] = []
    for name in store.keys("decisions"):
        found += pl.read_parquet(store.get(name) or b"")["event_id"].to_list()
    return found


def ship(run: Run) -> None:
    """Two machines ship to one store and are killed, again and again, until all is there."""
    kills, days, chance = run.count(100, least=6), run.count(10, least=2), random.Random(14)
    key_file, store = run.folder / "pseudonym.key", Folder(run.folder / "store")
    key = pseudonym_key(key_file)
    logs = [a_log(run.folder / name, key, name, days).folder for name in ("one", "two")]
    wanted = {event for folder in logs for event in read(folder).table["event_id"]}
    killed = seen_twice = 0
    longest, left = 2.0, kills
    while left:
        folder = chance.choice(logs)
        arguments = command("ship", folder, key_file, "--to", store.root)
        began = time.monotonic()
        code = ended(arguments, chance.uniform(0.3, longest))
        if code == 0:  # all was there: begin anew, so that there is something to be killed in
            longest = max(0.6, time.monotonic() - began)
            shutil.rmtree(store.root)
            continue
        killed += code == -signal.SIGKILL
        left -= code == -signal.SIGKILL
        found = events(store)
        seen_twice += len(found) - len(set(found))
        run.progress(kills - left, kills, "kills")
    codes = [
        subprocess.run(command("ship", f, key_file, "--to", store.root), cwd=ROOT).returncode for f in logs
    ]
    found = events(store)
    at_once = [command("ship", folder, key_file, "--to", run.folder / "both") for folder in logs]
    together = [subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL) for arguments in at_once]
    codes += [process.wait() for process in together]
    both = events(Folder(run.folder / "both"))
    run.figure("kills of two machines that ship to one store", killed, "", ">= 100" if run.scale == 1 else "")
    run.figure("decisions in both logs together", len(wanted), "decisions")
    run.figure("events that were there twice after a kill", seen_twice, "events", "= 0")
    run.figure("events that are missing in the end", len(wanted - set(found)), "events", "= 0")
    run.figure("events that are there twice in the end", len(found) - len(set(found)), "events", "= 0")
    run.figure("missing or twice when both ship at once", abs(len(both) - len(wanted)), "events", "= 0")
    run.figure("faults in what was shipped", len(verify_shipped(store, key).faults), "faults", "= 0")
    run.figure("exit codes other than 0", sum(code != 0 for code in codes), "commands", "= 0")


def erase(run: Run) -> None:
    """Erase persons while the command is killed, then change the log in a thousand ways."""
    persons, changes, chance = run.count(40, least=3), run.count(1_000, least=30), random.Random(7)
    key_file, folder = run.folder / "pseudonym.key", run.folder / "one"
    store = Folder(run.folder / "store")
    key = pseudonym_key(key_file)
    a_log(folder, key, "one", 2)
    subprocess.run(command("ship", folder, key_file, "--to", store.root), cwd=ROOT, check=True)
    before = read(folder).table
    clients = chance.sample(range(CLIENT, CLIENT + 40), persons)
    killed = wrong = 0
    for number, client in enumerate(clients):
        whose = ("--client", client, "--reason", "asked for", "--store", store.root)
        arguments = command("erase", folder, key_file, *whose)
        for _ in range(3):
            killed += ended(arguments, chance.uniform(0.5, 2.5)) == -signal.SIGKILL
        wrong += subprocess.run(arguments, cwd=ROOT, capture_output=True).returncode not in (0, 2)
        run.progress(number + 1, persons, "persons")
    gone = [pseudonym(key, client) for client in clients]
    left = before.filter(~pl.col("applicant").is_in(gone))
    found = read(folder)
    paths = [path for path in (*folder.iterdir(), *store.root.rglob("*.*")) if path.is_file()]
    raw, there = b"".join(map(_unpacked, paths)), events(store)
    changed_others = left.height - _same(left, found.table)
    least = ">= 40" if run.scale == 1 else ""
    run.figure(f"kills while {persons} persons are erased", killed, "kills", least)
    run.figure("commands that did not end as they should", wrong, "commands", "= 0")
    run.figure("decisions of others that are not as they were", changed_others, "decisions", "= 0")
    kept = sum(one.encode() in raw for one in gone)
    run.figure("pseudonyms that are left in the log or the store", kept, "", "= 0")
    run.figure("events that are twice in the Parquet", len(there) - len(set(there)), "events", "= 0")
    faults = [*verify(folder, anchors_folder(folder), key).faults, *verify_shipped(store, key).faults]
    run.figure("faults in the log and in the store after it", len(faults), "faults", "= 0")
    for path in packing.log_files(folder):
        content = _unpacked(packing.packed(path))
        packing.remove(path)
        path.write_bytes(content)
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".jsonl", ".erasure", ".zst")]
    unseen = 0
    for number in range(changes):
        path = chance.choice(files)
        whole = path.read_bytes()
        ways = mutations(whole, chance)
        while (changed := chance.choice(ways if path.suffix == ".jsonl" else ways[:3])()) == whole:
            pass
        path.write_bytes(changed)
        unseen += not verify(folder, anchors_folder(folder), key).faults
        path.write_bytes(whole)
        run.progress(number + 1, changes, "changes")
    run.figure("changes after the erasures", changes, "", ">= 1,000" if run.scale == 1 else "")
    run.figure("changes that verify did not see", unseen, "changes", "= 0")


def _same(wanted: pl.DataFrame, found: pl.DataFrame) -> int:
    """Return how many decisions are the same in two tables."""
    return wanted.sort("event_id").join(found, on=wanted.columns, how="semi", nulls_equal=True).height


def _unpacked(path: Path) -> bytes:
    """Return what a file holds, unpacked."""
    if path.name.endswith(".jsonl.zst"):
        with compressed.unpacked(path.open("rb")) as file:
            return file.read()
    if path.suffix == ".parquet":
        return pl.read_parquet(path.read_bytes()).write_csv().encode()
    return path.read_bytes()
