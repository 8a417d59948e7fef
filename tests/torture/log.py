"""Rows 9 and 10: a log that a served process wrote, torn and tampered with afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl

from scoring.client import Client
from scoring.inference_log import pseudonym_key, read, verify
from tests.torture import traffic
from tests.torture.load import pool
from tests.torture.run import Run
from tests.torture.served import Home, scratch, served


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

    return [flip, cut, lose, add, double, shuffle]


def a_log(run: Run, has_table: bool = False) -> tuple[Home, Path]:
    """Let a service write a short log; return where it lives and its one file of lines."""
    home = Home(run.folder / "home")
    asked = pool(home, 40)
    with served(home) as server:
        asyncio.run(traffic.closed(server.port, asked, 4, 24))
        if has_table:
            table = pl.DataFrame({"SK_ID_CURR": range(1, 301), "AMT_CREDIT": 1e5})
            with Client(server.url) as client:
                client.score_table(table)
    (file,) = home.log.glob("*.jsonl")
    return home, file


def torn(run: Run) -> None:
    """Row 9: cut the file at a thousand places; every record that is whole must come back."""
    home, file = a_log(run)
    whole, cuts, chance = file.read_bytes(), run.count(1_000, least=20), random.Random(9)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    lost = guessed = 0
    folder = scratch(run.folder / "torn")
    for number, at in enumerate(chance.sample(range(len(whole)), cuts)):
        (folder / file.name).write_bytes(whole[:at])
        found = read(folder)
        complete = sum(end <= at for end in ends)
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
    """Row 10: a thousand changes, each of which `verify` must find and name by file and line."""
    home, lines = a_log(run, has_table=True)
    key, changes = pseudonym_key(home.key), run.count(1_000, least=20)
    (table,) = home.log.glob("*.arrow")
    chance = random.Random(10)
    whole = {file: file.read_bytes() for file in (lines, table)}
    ways = [(file, way) for file in whole for way in mutations(whole[file], chance)]
    missed = misplaced = 0
    for number in range(changes):
        file, way = ways[number % len(ways)]
        while (changed := way()) == whole[file]:
            pass  # two lines that are alike were swapped
        file.write_bytes(changed)
        faults = verify(home.log, home.heads, key).faults
        missed += not faults
        misplaced += any(fault.file.name not in (lines.name, table.name) for fault in faults)
        misplaced += any(fault.line is None for fault in faults if fault.file.suffix == ".jsonl")
        file.write_bytes(whole[file])
        run.progress(number + 1, changes, "changes")
    false_alarms = len(verify(home.log, home.heads, key).faults)
    for file in whole:
        file.unlink()
        missed += not verify(home.log, home.heads, key).faults
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
