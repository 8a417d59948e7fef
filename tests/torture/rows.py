"""The register: every promise of the table, in its order, with what tries to break it."""

from tests.torture import (
    bodies,
    canaries,
    clock,
    disk,
    inputs,
    isolation,
    kills,
    load,
    log,
    offline,
    proxy,
    soak,
    swaps,
)
from tests.torture.run import Row

_ALL = [
    Row(
        1, "steady", "Ten minutes at 200 requests a second, each decision on the disk first", load.steady, 900
    ),
    Row(2, "bulk", "A CSV of 10,000 rows in 5 seconds, equal to offline", load.bulk, 900),
    Row(3, "explain", "A full /explain leaves /score alone", load.explain, 900),
    Row(
        4,
        "overload",
        "Ten times too many clients: the work goes on, the rest is told when to come back",
        load.overload,
        900,
    ),
    Row(5, "restarts", "A hundred restarts lose no request and no decision", kills.restarts, 5400),
    Row(6, "workers", "Fifty killed workers: nothing acknowledged is lost, back in 3 s", kills.workers, 2700),
    Row(7, "supervisor", "A killed supervisor leaves nobody behind", kills.supervisor, 1800),
    Row(8, "disk", "What cannot be recorded is not decided", disk.full, 2700),
    Row(9, "torn", "A torn log gives back every whole record", log.torn, 900),
    Row(10, "tampered", "Every change of the log is found, and named by file and line", log.tampered, 900),
    Row(11, "poison", "A bad row harms nobody else", isolation.poison, 900),
    Row(
        12,
        "ids",
        "Every answer is its own row's, every decision is in the log under its request's id",
        isolation.ids,
        2700,
    ),
    Row(
        13,
        "fuzz",
        "No input of any kind makes it fail, or answer what its document does not say",
        inputs.fuzz,
        5400,
    ),
    Row(
        14,
        "named",
        "Every bad input is refused by name, row and field, and decides nothing",
        inputs.named,
        900,
    ),
    Row(15, "large", "A body that is too large is refused before it costs memory", bodies.large, 900),
    Row(16, "slow", "Slow clients are cut, and nobody else feels them", bodies.slow, 900),
    Row(17, "wire", "Whatever the wire does, the page says something", proxy.wire, 3600),
    Row(18, "soak", "A million requests leave memory and descriptors as they were", soak.soak, 10800),
    Row(
        19,
        "swaps",
        "A new model is taken up under load; every answer names the model that gave it",
        swaps.swaps,
        5400,
    ),
    Row(20, "clock", "The log's time is right whatever the clock on the wall does", clock.clock, 900),
    Row(21, "canaries", "Nothing that names a person, and no key, is left anywhere", canaries.canaries, 900),
    Row(22, "offline", "All of it works without a network, and nothing looks for one", offline.offline, 2700),
]
ROWS = {row.name: row for row in _ALL}
