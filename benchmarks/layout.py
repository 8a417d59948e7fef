"""How the figures of results.json stand in BENCHMARKS.md: one table for people from many records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

Records = Sequence[dict[str, Any]]
CONNECTIONS = (1, 16, 64)
OURS = "ours"
ONE = re.compile(r"one row, (?P<who>.+), (?P<n>\d+) connections, (?P<what>p50|p99|throughput|server CPU)")
OVER = re.compile(r"one row, (?P<what>throughput|p99) over (?P<who>.+), (?P<n>\d+) connections")


def plain(records: Records) -> str:
    """Lay records out one a line."""
    lines = [_line(["what", "figure", "unit", "target", ""]), _line(["---"] * 5)]
    for one in records:
        target = "" if one["target"] is None else f"{one['target']:g}"
        lines.append(_line([one["name"], f"{one['figure']:,g}", one["unit"], target, _met(one["met"])]))
    return "\n".join(lines)


def servers(records: Records) -> str:
    """Lay the servers out one a line and the connections side by side, then everything else."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    rest = []
    for one in records:
        if match := ONE.fullmatch(one["name"]):
            found[match["who"], match["what"], int(match["n"])] = one
        elif match := OVER.fullmatch(one["name"]):
            found[match["who"], f"{match['what']} over", int(match["n"])] = one
        else:
            rest.append(one)
    names = sorted({who for who, _, _ in found}, key=lambda who: (not who.startswith(OURS), who))

    def cells(who: str, what: str, digits: int) -> str:
        kept = [found.get((who, what, n)) for n in CONNECTIONS]
        if not any(kept):
            return ""
        shown = ["–" if one is None else f"{one['figure']:,.{digits}f}" for one in kept]
        missed = any(one is not None and one["met"] is False for one in kept)
        return " / ".join(shown) + (" **missed**" if missed else "")

    titles = ["server", "requests/s", "p50 ms", "p99 ms", "CPU ms a request"]
    titles += ["our throughput over it", "our p99 over its"]
    lines = [
        f"At {', '.join(map(str, CONNECTIONS[:-1]))} and {CONNECTIONS[-1]} connections:\n",
        _line(titles),
        _line(["---"] * len(titles)),
    ]
    columns = [("throughput", 0), ("p50", 1), ("p99", 1), ("server CPU", 2)]
    columns += [("throughput over", 2), ("p99 over", 3)]
    lines += [_line([who, *(cells(who, what, digits) for what, digits in columns)]) for who in names]
    others = sorted(rest, key=lambda one: [int(x) if x.isdigit() else x for x in _words(one["name"])])
    return "\n".join(lines) + "\n\n" + plain(others)


def _words(name: str) -> list[str]:
    """Split a name so that it sorts as people count: 2 before 10. Words and numbers take turns."""
    return re.split(r"(\d+)", name.replace(",", ""))


def _met(met: bool | None) -> str:
    return {None: "", True: "met", False: "**missed**"}[met]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
