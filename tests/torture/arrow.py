"""Arrow tables bent in every part, read in a child as the middleware does, and sent to a served process."""

from __future__ import annotations

import http.client

from scoring.serving.media import ARROW
from tests.torture.arrow_tables import attack, drawn
from tests.torture.run import Run
from tests.torture.served import Home, served

READ = ("decided", "value refused")  # past the reader: its buffers were found valid
FIRST = 1_000_000  # seeds that `make test` does not read
STRETCH = 1_000


def tables(run: Run) -> None:
    """Twenty thousand tables, and some of them over HTTP."""
    total, sent = run.count(20_000, least=500), run.count(2_000, least=100)
    ends = attack(FIRST, 0, run.folder)
    for first in range(0, total, STRETCH):
        ends += attack(FIRST + first, min(STRETCH, total - first), run.folder)
        run.progress(first, total, "tables")
    statuses: dict[int, int] = {}
    lost = 0
    with served(Home(run.folder / "home")) as server:
        before = [worker.pid for worker in server.workers()]
        for seed in range(FIRST, FIRST + sent):
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            try:
                link.request("POST", "/score", bytes(drawn(seed)), {"content-type": ARROW})
                status = link.getresponse().status
                statuses[status] = statuses.get(status, 0) + 1
            except (OSError, http.client.HTTPException):
                lost += 1
            finally:
                link.close()
        replaced = [pid for pid in before if pid not in [worker.pid for worker in server.workers()]]
    failed = sum(count for end, count in ends.items() if end.startswith("failed"))
    run.figure(
        "tables read, bent in their buffers, lengths, types and order",
        sum(ends.values()),
        "tables",
        f">= {total:,}",
        note=", ".join(f"{count:,} {end}" for end, count in sorted(ends.items())),
    )
    share = 100 * sum(ends[end] for end in READ) / sum(ends.values())
    run.figure("of them valid to the reader", round(share, 1), "%", ">= 25")
    run.figure("that killed the process that read them, raised, or took over 5 s", failed, "tables", "= 0")
    run.figure("sent to a served process", sent, "tables")
    run.figure(
        "answered neither 200, 400 nor 422",
        sent - sum(map(statuses.get, (200, 400, 422), (0, 0, 0))),
        "tables",
        "= 0",
    )
    run.figure("workers killed", len(replaced), "workers", "= 0")
