"""Where reports lie: a folder for each run, which appears whole, and ``latest``, which names the newest."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from monitoring.page import file_name, heading, page
from monitoring.report import Report, metrics, to_json
from scoring.language import languages

LATEST, SUMMARY, EVIDENTLY, METRICS = "latest", "summary.json", "evidently", "metrics.prom"
KEPT = 60  # runs
LEFT_S = 86_400  # after which nobody writes a draft any more


def write(report: Report, folder: Path) -> Path:
    """Write a run; return its folder.

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
    _point(folder, run)
    for old in sorted(one for one in folder.glob("run-*") if one.is_dir())[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return run


def _name(folder: Path, now: datetime) -> Path:
    base = f"run-{now:%Y-%m-%dT%H%M%S}"
    number = 0
    while (run := folder / f"{base}-{number:02d}").exists():
        number += 1
    return run


def _point(folder: Path, run: Path) -> None:
    """Let ``latest`` name a run, at once."""
    draft = folder / f".{LATEST}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run.name)
    draft.replace(folder / LATEST)
