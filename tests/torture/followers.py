"""Row: two followers of one index, killed at any moment beside a log that grows and is erased from."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from scoring.decisions import Index, place_of, schema
from scoring.inference_log import (
    InferenceLog,
    anchors_folder,
    audit_table,
    identity,
    pseudonym_key,
    verify,
)
from tests.support.logs import decided, entry
from tests.support.running import wait_until
from tests.torture.instances import an_index
from tests.torture.run import ROOT, Run

CLIENTS = 60
STEM = "0123456789abcdef"
WRITER = """
import sys
from pathlib import Path
from tests.torture.followers import write_on
write_on(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
"""


def write_on(folder: Path, key_file: Path, worker: str) -> None:
    """Decide and look without end, under models, purposes and operators that are ever new."""
    log = InferenceLog(
        folder, worker, pseudonym_key(key_file), "credit_scoring:m0", categories=(), is_packed=True
    )
    chance = random.Random(worker)
    for number in range(10**9):
        now, who = datetime.now(UTC), 700_000 + chance.randrange(CLIENTS)
        purpose = chance.choice(("decision", "preview", "test"))
        decision = chance.choice(("refused", "granted"))
        event = f"{worker}-{number}"
        one = entry(0, event_id=event, applicant=who, purpose=purpose, decision=decision, features={"a": 1.0})
        log.under(f"credit_scoring:m{number // 50}", ()).record([one], now)
        if number % 20 == 0:
            operator = f"op-{number // 40}"
            with log.table(f"{STEM}{worker[-2:]}{number:06}"[:24], "r", operator, now) as table:
                table.add(*decided(CLIENTS))
                table.commit()
            log.note("look-up", {"operator": operator, "filter": {"applicant": log.pseudonym(who)}}, now)
        time.sleep(0.004)


def begin(*words: object) -> subprocess.Popen[bytes]:
    """Start a program of the project, or the writer."""
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def followers(run: Run) -> None:
    """Kill writers and followers, erase persons and make the index again; then compare it with the log."""
    kills, chance = run.count(200, least=12), random.Random(3)
    folder, key_file = run.folder / "log", run.folder / "pseudonym.key"
    key = pseudonym_key(key_file)
    places, done = ("--log", folder, "--key-file", key_file), Counter[str]()
    with an_index(run.folder) as url:
        follow = ("-m", "scoring.decisions", "follow", *places, "--index", url)
        rebuild = ("-m", "scoring.decisions", "rebuild", *places, "--index", url)
        erase = ("-m", "scoring.inference_log", "erase", *places, "--reason", "asked for", "--client")

        def writer(number: int) -> subprocess.Popen[bytes]:
            return begin("-c", WRITER, folder, key_file, f"w{number:03}")

        running = {"writer": writer(0), "one": begin(*follow), "two": begin(*follow)}
        try:
            wait_until(lambda: any(folder.glob("*.jsonl")), 120)
            for turn in range(kills):
                time.sleep(chance.uniform(0.2, 2.0))
                name = chance.choice(["writer", "one", "two", "one", "two", "rebuild", "erase"])
                done[name] += 1
                if name in ("rebuild", "erase"):
                    words = rebuild if name == "rebuild" else (*erase, 700_000 + chance.randrange(CLIENTS))
                    if chance.random() < 0.5:
                        first = begin(*words)
                        time.sleep(chance.uniform(0.3, 3.0))
                        first.kill()
                        first.wait()
                    done["failed"] += begin(*words).wait() not in ((0,) if name == "rebuild" else (0, 2))
                else:
                    running[name].kill()
                    running[name].wait()
                    running[name] = writer(turn + 1) if name == "writer" else begin(*follow)
                run.progress(turn + 1, kills, "kills")
        finally:
            for process in running.values():
                process.kill()
                process.wait()
        for path in folder.glob("*.jsonl"):  # nobody writes any more: what a kill left is there to stay
            os.utime(path, (0, 0))
        done["failed"] += begin(*follow, "--once").wait() != 0
        index = Index(place_of(url, folder), identity(key))
        with index.begin() as connection:
            table, kinds, names = schema.decisions.c, schema.kinds.c, schema.names.c
            joined = schema.decisions.join(schema.kinds, kinds.id == table.kind)
            joined = joined.outerjoin(schema.names, names.id == table.operator)
            asked = select(
                table.event, table.applicant, kinds.model, kinds.purpose, kinds.decision, names.name
            )
            rows = connection.execute(asked.select_from(joined)).all()
            broken = connection.execute(select(schema.files.c.name).filter_by(state="broken")).all()
        index.close()
    found = Counter((*(schema.unpacked(bytes(one)) for one in row[:2]), *row[2:]) for row in rows)
    columns = ("event_id", "applicant", "model", "purpose", "decision", "operator")
    wanted = Counter(audit_table(folder).select(columns).iter_rows())
    faults = verify(folder, anchors_folder(folder), key).faults
    least = ">= 200" if run.scale == 1 else ""
    told = ", ".join(f"{done[name]} {name}" for name in ("writer", "one", "two", "rebuild", "erase"))
    run.figure("kills, erasures and rebuilds", kills, "", least, note=told)
    run.figure("decisions in the log in the end", wanted.total(), "decisions", ">= 1")
    run.figure("in the log and not so in the index", (wanted - found).total(), "decisions", "= 0")
    run.figure("in the index and not so in the log", (found - wanted).total(), "decisions", "= 0")
    run.figure("files that are followed no further", len(broken), "files", "= 0")
    run.figure("faults in the log", len(faults), "faults", "= 0")
    run.figure("commands that did not end as they should", done["failed"], "commands", "= 0")
