"""Summer time, midnight, a clock that is put back: no window is lost or doubled."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.reading import select
from monitoring.reference import read_reference
from scoring.inference_log import packing, read
from tests.torture import traffic
from tests.torture.load import pool
from tests.torture.run import Run
from tests.torture.served import Home, served
from tests.torture.shim import Shim

# What a clock goes through, as (name, UTC to begin with); each moment is passed under load.
MOMENTS = (
    ("the end of summer time in Paris", datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC)),
    ("the hour that comes twice", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ("the beginning of summer time", datetime(2027, 3, 28, 0, 59, 58, tzinfo=UTC)),
    ("midnight in UTC", datetime(2027, 3, 29, 23, 59, 58, tzinfo=UTC)),
    ("midnight in Paris", datetime(2027, 3, 30, 21, 59, 58, tzinfo=UTC)),
    ("the end of a year", datetime(2027, 12, 31, 23, 59, 58, tzinfo=UTC)),
    ("the day that leap years have", datetime(2028, 2, 28, 23, 59, 58, tzinfo=UTC)),
    ("a clock put back by an hour", datetime(2028, 2, 28, 23, 0, tzinfo=UTC)),
    ("a clock put back by a year", datetime(2027, 2, 28, 12, 0, tzinfo=UTC)),
    ("a clock put forward again", datetime(2028, 3, 1, 12, 0, tzinfo=UTC)),
)
REQUESTS = 60
LATE = timedelta(seconds=90)  # a slow machine may take so long for a moment's requests


def clock(run: Run) -> None:
    """One service lives through all of it, in a time zone with summer time."""
    home = Home(run.folder / "home")
    shim = Shim.build(run.folder)
    if shim is None:
        run.figure(
            "moments",
            None,
            "moments",
            f"= {len(MOMENTS)}",
            note="there is no C compiler to bend the clock with",
        )
        return
    given: dict[str, Any] = {}
    asked, errors = pool(home, 200), 0
    variables: dict[str, Any] = {"TZ": "Europe/Paris"} | shim.environment()
    with served(home, **variables) as server:
        for number, (name, begin) in enumerate(MOMENTS):
            shim.shift_clock(round((begin - datetime.now(UTC)).total_seconds()))
            tally = asyncio.run(traffic.paced(server.port, asked, 15, REQUESTS / 15, keeps_ids=True))
            given |= dict.fromkeys(tally.event_ids, (name, begin))
            errors += tally.errors + tally.wrong
            run.progress(number + 1, len(MOMENTS), "moments")
    found = read(home.log)
    logged = dict(zip(found.table["event_id"], found.table["time"], strict=True))
    off = sum(
        not begin - timedelta(seconds=1) <= logged[event] <= begin + LATE
        for event, (_, begin) in given.items()
        if event in logged
    )
    zoneless = wrong_file = 0
    days: Counter[str] = Counter()
    for file in packing.log_files(home.log):
        for line in packing.open_log(file):
            record = json.loads(line)
            if "header" in record and "time" not in record:
                continue  # it says the names of those that follow
            time = record["time"]
            zoneless += not time.endswith("Z")
            wrong_file += not file.name.startswith(time[:10])
            days[time[:10]] += 1
    reference = read_reference(next((home.folder / "bentoml" / "models").glob("*/tortured")), home.tag)
    everything = set(found.table["event_id"])
    whole = select(home.log, reference, home.tag, "decision", everything).tally.rows
    run.figure(
        "moments passed under load",
        len(MOMENTS),
        "moments",
        f"= {len(MOMENTS)}",
        note="; ".join(name for name, _ in MOMENTS),
    )
    run.figure("requests not answered as they should", errors, "requests", "= 0")
    run.figure(
        "decisions lost or doubled", len(given.keys() ^ logged.keys()) + found.duplicates, "decisions", "= 0"
    )
    run.figure("decisions with another time than it was", off, "decisions", "= 0")
    run.figure("times without a zone", zoneless, "decisions", "= 0", stock="all, in local time")
    run.figure("decisions in the file of another day", wrong_file, "decisions", "= 0")
    run.figure(
        "decisions that the days' windows miss or count twice",
        abs(days.total() - len(given)) + abs(whole - len(given)),
        "decisions",
        "= 0",
    )
    run.figure("faults in the chain of the log", home.faults(), "faults", "= 0")
