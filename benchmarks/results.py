"""The figures of the benchmarks as data: one record a figure, in benchmarks/results.json."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent / "results.json"
DIGITS = 4  # significant ones: more would be noise


def record(
    name: str,
    figure: float,
    unit: str,
    *,
    command: str,
    target: float | None = None,
    met: bool | None = None,
    file: Path = FILE,
    bounds: tuple[float, float] | None = None,
) -> None:
    """Keep one figure, in place of the last one of the same name; records stand sorted by name.

    Parameters
    ----------
    name : str
        What was measured, on what: "predict, 10,000 rows, ratio to Booster.predict".
    figure : float
        In ``unit``: "ratio", "ms", "CPU ms", "requests/s", "MiB" ...
    command : str
        What makes the figure again.
    target : float, optional
        The bound that was set.
    met : bool, optional
        Whether the figure keeps it; if it is not given, the bound is one that it must not pass.
    bounds : tuple of float, optional
        Of the figure's 95 % interval; kept as ``low`` and ``high``.
    file : Path
        JSON, a list of records; made if it is absent. Two benchmarks may write at a time.
    """
    if met is None and target is not None:
        met = figure <= target
    kept = {
        "name": name,
        "figure": _rounded(figure),
        **({"low": _rounded(bounds[0]), "high": _rounded(bounds[1])} if bounds else {}),
        "unit": unit,
        "target": target,
        "met": None if met is None else bool(met),
        "command": command,
    }
    with file.open("a+", encoding="utf-8") as lines:
        fcntl.flock(lines, fcntl.LOCK_EX)
        lines.seek(0)
        records: list[dict[str, Any]] = json.loads(lines.read() or "[]")
        records = [other for other in records if other["name"] != name] + [kept]
        records.sort(key=lambda item: item["name"])
        text = "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in records) + "\n]\n"
        lines.truncate(0)
        lines.write(text)


def _rounded(figure: float) -> float:
    return float(f"{figure:.{DIGITS}g}")
