"""Where reports lie: a folder for each run, which appears whole, and ``latest``, which names the newest.

``latest-decision`` names the newest of what was decided: a look at tests or what-ifs does not move it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from monitoring.history import history
from monitoring.page import file_name, heading, page
from monitoring.report import METRIC, RUN_TIME, Report, metrics, text, to_json
from scoring.language import languages
from scoring.regular import read_regular

LATEST, SUMMARY, EVIDENTLY, METRICS = "latest", "summary.json", "evidently", "metrics.prom"
DECIDED = "latest-decision"
TEXT, BASIS = "report.txt", "basis.sha256"
HISTORY = "history.json"  # what the service hands on, see `scoring.serving.owner`
KEPT = 60  # runs
LEFT_S = 86_400  # after which nobody writes a draft any more


def basis(report: Report, *asked: object) -> str:
    """Return a hash of what a report stands on, before what takes long is added to it.

    That is all that was counted and judged, and how it was asked for; not the time, but for what the time
    changes: a day that closed, a log that is stale.
    """
    said = {name: value for name, value in to_json(report).items() if name != "made"}
    whole = json.dumps([said, [str(one) for one in asked]], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def standing(folder: Path, known: str, now: datetime) -> Path | None:
    """Return the newest run if it has this basis: then it says what a new one would. Its time becomes now."""
    try:
        run = (folder / LATEST).resolve(strict=True)
        if read_regular(run / BASIS).decode("ascii") != known:
            return None
        counted = read_regular(run / METRICS).decode()
    except (OSError, ValueError):  # not there, or not as it was written
        return None
    draft = run / f".{METRICS}-{os.getpid()}"
    name = METRIC + RUN_TIME
    fresh = re.sub(rf"(?m)^{name} .*$", f"{name} {now.timestamp():.17g}", counted)
    draft.write_text(fresh, encoding="utf-8")
    draft.replace(run / METRICS)
    return run


def write(report: Report, folder: Path, known: str = "") -> Path:
    """Write a run, and the hash of its basis; return its folder.

    Raises
    ------
    OSError
        If it cannot be written: then nothing of it stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".draft-*"):  # of one that was killed
        if report.now.timestamp() - left.stat().st_mtime > LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    try:
        said = json.dumps(to_json(report), indent=1, allow_nan=False, ensure_ascii=False)
        (draft / SUMMARY).write_text(f"{said}\n", encoding="utf-8")
        (draft / METRICS).write_text(metrics(report), encoding="utf-8")
        (draft / TEXT).write_text("".join(f"{line}\n" for line in plain(report)), encoding="utf-8")
        (draft / HISTORY).write_text(history(report).model_dump_json(), encoding="utf-8")
        (draft / BASIS).write_text(known, encoding="ascii")
        for code in languages():
            (draft / file_name(code)).write_text(page(report, code), encoding="utf-8")
        if report.evidently is not None:
            (draft / f"{EVIDENTLY}.html").write_text(report.evidently.page(heading()), encoding="utf-8")
            (draft / f"{EVIDENTLY}.json").write_text(json.dumps(report.evidently.json), encoding="utf-8")
        draft.chmod(0o755)
        run = _name(folder, report.now)
        draft.rename(run)
    except BaseException:  # Ctrl-C too: nothing half-made stays
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _point(folder, run, LATEST)
    if report.purpose == "decision":
        _point(folder, run, DECIDED)
    decided = (folder / DECIDED).resolve()
    for old in sorted(one for one in folder.glob("run-*") if one.is_dir())[:-KEPT]:
        if old.name != decided.name:
            shutil.rmtree(old, ignore_errors=True)
    return run


def plain(report: Report) -> list[str]:
    """Return the lines of a report for a terminal."""
    return [f"{('', '', '  - ')[depth]}{line}" for depth, line in text(report)]


def _name(folder: Path, now: datetime) -> Path:
    base = f"run-{now:%Y-%m-%dT%H%M%S}"
    number = 0
    while (run := folder / f"{base}-{number:02d}").exists():
        number += 1
    return run


def _point(folder: Path, run: Path, name: str) -> None:
    """Let a link name a run, at once."""
    draft = folder / f".{name}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run.name)
    draft.replace(folder / name)
