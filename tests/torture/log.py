"""A log that a served process wrote, torn, tampered with, and its folder full of traps."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl

from scoring.client import Client
from scoring.inference_log import packing, pseudonym_key, read, verify
from tests.support.logs import measured
from tests.torture import traffic
from tests.torture.load import pool
from tests.torture.run import Run
from tests.torture.served import START_S, Home, scratch, served, start


def mutations(whole: bytes, chance: random.Random) -> list[Callable[[], bytes]]:
    """Return six ways to change a log file, each of which gives another changed file at every call."""
    written = whole.splitlines(keepends=True)

    def flip() -> bytes:
        at = chance.randrange(len(whole))
        return whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :]

    def cut() -> bytes:
        return whole[: chance.randrange(len(whole))]

    def lose() -> bytes:
        at = chance.randrange(len(whole))
        return whole[:at] + whole[at + chance.randrange(1, 400) :]

    def add() -> bytes:
        at = chance.randrange(len(whole) + 1)
        return whole[:at] + chance.randbytes(chance.randrange(1, 40)) + whole[at:]

    def double() -> bytes:
        at = chance.randrange(len(written))
        return b"".join([*written[: at + 1], *written[at:]])

    def shuffle() -> bytes:
        first, second = sorted(chance.sample(range(len(written)), 2))
        moved = list(written)
        moved[first], moved[second] = moved[second], moved[first]
        return b"".join(moved)

    # An erasure can leave a file with one line.
    return [flip, cut, lose, add, double, *([shuffle] if len(written) > 1 else [])]


def a_log(run: Run, has_table: bool = False) -> tuple[Home, Path]:
    """Let a service write a short log; return where it lives and its one file of lines."""
    home = Home(run.folder / "home")
    asked = pool(home, 40)
    with served(home) as server:
        asyncio.run(traffic.closed(server.port, asked, 4, 24))
        if has_table:
            table = pl.DataFrame({"SK_ID_CURR": range(1, 301), "AMT_CREDIT": 1e5})
            with Client(server.url, purpose="test") as client:
                client.score_table(table)
    (file,) = packing.log_files(home.log)
    return home, file


def unpack(file: Path) -> None:
    """Put a file of the log back as it was before it was closed, so that its lines can be changed."""
    with packing.open_log(file) as packed:
        content = packed.read()
    packing.remove(file)
    file.write_bytes(content)


def torn(run: Run) -> None:
    """Cut the file at a thousand places; every record that is whole must come back."""
    home, file = a_log(run)
    unpack(file)
    whole, cuts, chance = file.read_bytes(), run.count(1_000, least=20), random.Random(9)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    lost = guessed = 0
    folder = scratch(run.folder / "torn")
    for number, at in enumerate(chance.sample(range(len(whole)), cuts)):
        (folder / file.name).write_bytes(whole[:at])
        found = read(folder)
        complete = sum(end <= at for end in ends[1:])  # the first line is the header
        lost += max(0, complete - found.table.height)
        guessed += max(0, found.table.height - complete)
        run.progress(number + 1, cuts, "offsets")
    file.write_bytes(whole[:-7])
    with served(home) as server:
        asyncio.run(traffic.closed(server.port, pool(home, 8), 1, 8))
    after = read(home.log)
    run.figure("offsets", cuts, "", ">= 1,000" if run.scale == 1 else "")
    run.figure("whole records that were not read", lost, "records", "= 0")
    run.figure("torn records that were taken for whole", guessed, "records", "= 0")
    run.figure(
        "records after a crash and a new start, of 23 whole and 8 new", after.table.height, "records", "= 31"
    )


def tampered(run: Run) -> None:
    """A thousand changes, each of which `verify` must find and name by file and line."""
    home, lines = a_log(run, has_table=True)
    key, changes = pseudonym_key(home.key), run.count(1_000, least=20)
    (table,) = (path.with_suffix("") for path in home.log.glob("*.arrow.zst"))
    unpack(lines)
    unpack(table)
    chance = random.Random(10)
    whole = {file: file.read_bytes() for file in (lines, table)}
    ways = [(file, way) for file in whole for way in mutations(whole[file], chance)]
    missed = misplaced = 0
    for number in range(changes):
        file, way = ways[number % len(ways)]
        while (changed := way()) == whole[file]:
            pass  # two lines that are alike were swapped
        file.write_bytes(changed)
        faults = verify(home.log, home.anchors, key).faults
        missed += not faults
        misplaced += any(fault.file.name not in (lines.name, table.name) for fault in faults)
        misplaced += any(fault.line is None for fault in faults if fault.file.suffix == ".jsonl")
        file.write_bytes(whole[file])
        run.progress(number + 1, changes, "changes")
    false_alarms = len(verify(home.log, home.anchors, key).faults)
    for file in whole:
        file.unlink()
        missed += not verify(home.log, home.anchors, key).faults
        file.write_bytes(whole[file])
    run.figure(
        "random changes",
        changes,
        "",
        ">= 1,000" if run.scale == 1 else "",
        note="of its lines and of a table beside them: flipped bits, cuts, losses, additions, doubles, swaps",
    )
    run.figure("changes that were not found", missed, "changes", "= 0", stock="no chain: all")
    run.figure("changes without file and line", misplaced, "changes", "= 0")
    run.figure("faults in the file as it was written", false_alarms, "faults", "= 0")


def compact(run: Run) -> None:
    """Kill -9 of a service while it closes and packs its files, or packs what the last kill left."""
    home, kills = Home(run.folder / "home"), run.count(50, least=3)
    asked, chance, given = pool(home, 200), random.Random(11), Counter[str]()
    errors = between = doubled = unreadable = 0
    for turn in range(kills):
        server = start(home)
        server.wait_ready()
        tally = asyncio.run(traffic.closed(server.port, asked, 8, 600, keeps_ids=True))
        if turn % 3:  # else it is killed with its file open, which the next one packs
            server.process.send_signal(signal.SIGTERM)
            time.sleep(chance.uniform(0.1, 1.0))
        server.kill()
        server.http.close()
        given.update(tally.event_ids)
        errors += tally.errors
        between += any(path.name.endswith(packing.PART) for path in home.log.iterdir())
        found = read(home.log)
        doubled += found.duplicates
        unreadable += sum(not item.why.startswith("torn") for item in found.quarantined)
        run.progress(turn + 1, kills, "kills")
    with served(home) as server:
        asyncio.run(traffic.closed(server.port, asked, 8, 40))
    plain = [path for path in home.log.glob(f"*{packing.LOG}") if path.stat().st_size]
    logged = set(read(home.log).table["event_id"])
    size = sum(path.stat().st_size for path in home.log.iterdir())
    run.figure("kills", kills, "", ">= 50" if run.scale == 1 else "", note=f"{between} left a part behind")
    run.figure("requests not answered 200", errors, "requests", "= 0", note=f"of {given.total():,}")
    run.figure("answered but not in the log", len(given.keys() - logged), "decisions", "= 0")
    run.figure("decisions that are there twice", doubled, "decisions", "= 0")
    run.figure("lines that cannot be read", unreadable, "lines", "= 0")
    run.figure("faults in the chain of the log", home.faults(), "faults", "= 0")
    run.figure("files that stay plain after a last start", len(plain), "files", "= 0")
    run.figure("a decision in the end", round(size / len(logged)), "bytes", "<= 2000")


def planted(run: Run) -> None:
    """Traps in the folders of a log that is served, endless lines, and at last a lost key."""
    home, count = Home(run.folder / "home"), run.count(2_000, least=40)
    asked, victim = pool(home, 40), run.folder / "victim"
    victim.write_text("mine")
    for folder in (home.log, home.anchors):
        folder.mkdir()
        _set_traps(folder, victim)
    quiet, _, _ = measured("tail", "--log", str(run.folder / "nowhere"))
    with served(home) as server:
        tally = asyncio.run(traffic.closed(server.port, asked, 8, count))
        with (home.log / "2001-01-01.big.jsonl").open("wb") as file:
            file.truncate(2**31)  # zeros without an end
        home.log.joinpath("2001-01-02.many.jsonl").write_bytes(b"\n" * run.count(1_000_000, least=10_000))
        commands = [
            ("verify", "--key-file", str(home.key), "--anchors", str(home.anchors)),
            ("tail", "-n", "5"),
        ]
        commands += [("export", "--out", str(run.folder / f"x.{kind}")) for kind in ("csv", "parquet")]
        hung = failed = grown = 0
        for number, command in enumerate(commands):
            memory, code, said = measured(*command, "--log", str(home.log))
            hung += code is None
            failed += code not in (0, 1 if command[0] == "verify" else 0)
            if command[0] == "verify":
                failed += "2001-01-01.big.jsonl, line 1: the line is longer" not in said
            grown = max(grown, memory - quiet)
            run.progress(number + 1, len(commands), "commands")
        later = asyncio.run(traffic.closed(server.port, asked, 8, count))
        failed += server.stop() != 0
    errors = tally.errors + later.errors
    run.figure(
        "requests beside the traps not answered 200", errors, "requests", "= 0", note=f"of {2 * count}"
    )
    run.figure("traps through which something was written", victim.read_text() != "mine", "", "= 0")
    run.figure("commands that hang", hung, "commands", "= 0", note=f"of {len(commands)}")
    run.figure("commands that fail, or do not name a line of 2 GiB", failed, "commands", "= 0")
    run.figure("memory of a command over an idle one", grown / 2**20, "MiB", "<= 256")
    _lose_key(run, home)


def _set_traps(folder: Path, victim: Path) -> None:
    """Put what hangs, never ends or leads elsewhere where a log keeps its files."""
    for name in ("2001-01-01.w0.jsonl", "2026-01-01.w0.t0.arrow.zst", "2001-01-01.w0.jsonl.head"):
        os.mkfifo(folder / name)
    for number, target in enumerate(("/dev/zero", "nowhere", str(victim))):
        for suffix in (".jsonl", ".jsonl.zst", ".t0.arrow.zst", ".jsonl.head"):
            (folder / f"2001-02-0{number + 1}.w0{suffix}").symlink_to(target)
    for worker in ("start-up", "w0", "w1"):
        (folder / f".{worker}.probe").symlink_to(victim)
    (folder / "2001-03-01.w0.jsonl").mkdir()


def _lose_key(run: Run, home: Home) -> None:
    """Lose the key, start, begin anew, start again."""
    home.key.unlink()
    server = start(home)
    code = server.process.wait(START_S)
    said = server.said()
    run.figure("starts with a lost key", float(code == 0), "", "= 0")
    run.figure("refusals that name no way out", float("inference_log renew" not in said), "", "= 0")
    places = ("--log", str(home.log), "--anchors", str(home.anchors), "--key-file", str(home.key))
    _, renewed, _ = measured("renew", *places, "--reason", "tried")
    with served(home) as server:
        tally = asyncio.run(traffic.closed(server.port, pool(home, 8), 1, 8))
    _, code_after, said = measured("verify", *places)
    whole = renewed == 0 and tally.statuses[200] == 8 and code_after == 0 and ": tried." in said
    run.figure("logs that cannot be begun anew on the record", float(not whole), "", "= 0")
