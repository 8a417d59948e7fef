"""The register: every promise of the table, in its order, with what tries to break it."""

from dataclasses import replace

from tests.torture import (
    arrow,
    bodies,
    canaries,
    clock,
    disk,
    doors,
    hostile,
    inputs,
    instances,
    isolation,
    kills,
    load,
    log,
    offline,
    page,
    proxy,
    registry,
    soak,
    stalls,
    swaps,
)
from tests.torture.run import Row

_ALL = [
    Row(
        "steady",
        "Ten minutes at 200 requests a second, each decision on the disk first",
        load.steady,
        2700,
    ),
    Row("bulk", "A CSV of 10,000 rows in 5 seconds, equal to offline", load.bulk, 900),
    Row("explain", "A full /explain leaves /score alone", load.explain, 900),
    Row(
        "overload",
        "Ten times too many clients: the work goes on, the rest is told when to come back",
        load.overload,
        900,
    ),
    Row("restarts", "A hundred restarts lose no request and no decision", kills.restarts, 5400),
    Row("workers", "Fifty killed workers: nothing acknowledged is lost, back in 3 s", kills.workers, 2700),
    Row("supervisor", "A killed supervisor leaves nobody behind", kills.supervisor, 1800),
    Row("disk", "What cannot be recorded is not decided", disk.full, 2700),
    Row("torn", "A torn log gives back every whole record", log.torn, 900),
    Row("tampered", "Every change of the log is found, and named by file and line", log.tampered, 900),
    Row(
        "compact",
        "Files of the log are packed as they close; a kill at any moment loses, doubles and spoils nothing",
        log.compact,
        2700,
    ),
    Row("poison", "A bad row harms nobody else", isolation.poison, 900),
    Row(
        "ids",
        "Every answer is its own row's, every decision is in the log under its request's id",
        isolation.ids,
        2700,
    ),
    Row(
        "fuzz",
        "No input of any kind makes it fail, or answer what its document does not say",
        inputs.fuzz,
        5400,
    ),
    Row(
        "named",
        "Every bad input is refused by name, row and field, and decides nothing",
        inputs.named,
        900,
    ),
    Row("large", "A body that is too large is refused before it costs memory", bodies.large, 900),
    Row("slow", "Slow clients are cut, and nobody else feels them", bodies.slow, 900),
    Row("wire", "Whatever the wire does, the page says something", proxy.wire, 3600),
    Row("soak", "A million requests leave memory and descriptors as they were", soak.soak, 10800),
    Row(
        "swaps",
        "A new model is taken up under load; every answer names the model that gave it",
        swaps.swaps,
        5400,
    ),
    Row("clock", "The log's time is right whatever the clock on the wall does", clock.clock, 900),
    Row("canaries", "Nothing that names a person, and no key, is left anywhere", canaries.canaries, 900),
    Row("offline", "All of it works without a network, and nothing looks for one", offline.offline, 2700),
    Row(
        "planted",
        "Nothing that is put into the log's folders stops, fills or misleads who writes and reads it",
        log.planted,
        1800,
    ),
    Row("page", "The page reads, fetches and repeats nothing that is not its own", page.page, 900),
    Row(
        "files", "No file, whatever it holds, ends or fills the page that is to read it", hostile.files, 1800
    ),
    Row(
        "models",
        "No model from outside ends a process of the service, whatever its files hold",
        swaps.hostile,
        5400,
    ),
    Row(
        "registry",
        "An MLflow server that goes away leaves no half champion, and a sentence",
        registry.registry,
        3600,
    ),
    Row("tables", "No Arrow table, however bent, kills or stalls a worker", arrow.tables, 2700),
    Row("clients", "Any client's defaults will do, and no request has two meanings", doors.clients, 900),
    Row("proxies", "A proxy opens nothing that was shut; no address is invented", doors.proxies, 900),
    Row("crowd", "Connections that ask for nothing keep nobody out in silence", doors.crowd, 900),
    Row(
        "stalls",
        "No body holds the service up, and no refusal costs more than a decision",
        stalls.stalls,
        5400,
    ),
    Row(
        "instances",
        "Two machines with one index and one store make one log, whichever is killed and when",
        instances.instances,
        3600,
    ),
]
ROWS = {row.name: replace(row, number=number) for number, row in enumerate(_ALL, start=1)}
