"""The folder of a run: parts that are there whole or not at all, receipts of them, and the manifest."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from scoring.portfolio.work import RESULT, Command, Done, Work
from scoring.regular import IrregularError, open_lock
from scoring.scorer import Scorer
from scoring.tables.buckets import ApplicantBucket, Table

FORMAT = 1
MANIFEST = "manifest.json"
PACKAGE = Path(__file__).resolve().parent.parent
FULL = re.compile(r"No space left|Disk quota exceeded|File too large")
OTHER = {
    "scorer_sha256": "another scorer under the same tag",
    "fingerprint": "another portfolio, or with this one as it was before",
    "buckets": "another number of buckets",
    "format": "another version of the code",
}
Receipt = dict[str, Any]
"""What is known of a bucket that is done: ``number``, ``kernel`` that scored, ``applications``, ``rejected``,
records ``matched`` and ``orphans`` by table, and ``parts`` with their rows, bytes and SHA-256."""


class RunError(RuntimeError):
    """A run cannot begin or go on; the text says why, and the remedy."""


@dataclass(frozen=True)
class Task:
    """What is to be done with each bucket: the same in every process, and JSON can hold it.

    Attributes
    ----------
    command : {"score", "features", "explain", "training"}
    run : str
        What the ids of the events are made from, with the model and the applicant.
    model : str
        Exact tag; "" for features, and for training.
    scorer : str
        Its folder.
    is_slow_allowed : bool
        Whether LightGBM itself may answer where the kernels are not built.
    """

    command: Command
    run: str
    model: str = ""
    scorer: str = ""
    is_slow_allowed: bool = False

    def work(self) -> tuple[Work, str]:
        """Return who does it, and who gives its scores.

        Raises
        ------
        RunError, ScorerError
            If the kernels are not here and nobody allowed to go without, or the model does not load.
        """
        if self.command in ("features", "training"):
            return Work(self.command, self.run), "none"
        scorer = Scorer.load(Path(self.scorer))
        if scorer.engine == "lightgbm" and not self.is_slow_allowed:
            raise RunError(
                f"on {platform.node()} the scores would come seven times slower from LightGBM itself: "
                f"{scorer.without_native}. Build the kernels there, or allow it with --allow-slow."
            )
        return Work(self.command, self.run, self.model, scorer), scorer.engine


def code_sha256() -> str:
    """Return the hash of the code that scores: all of `scoring`."""
    digest = hashlib.sha256()
    for file in sorted(file for kind in ("*.py", "*.c", "*.po") for file in PACKAGE.rglob(kind)):
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def run_of(tables: Mapping[str, Table | None], population: str) -> str:
    """Return a name for what a portfolio is: the same files give the same."""
    found = [[name, *(file["sha256"] for file in table["files"])] for name, table in tables.items() if table]
    return hashlib.sha256(json.dumps([population, found]).encode()).hexdigest()[:16]


class PortfolioRun:
    """A run in its folder, begun or gone on with.

    Parameters
    ----------
    out : Path
        ``decisions/``, ``inputs/`` and so on are made in it, and ``manifest.json`` at the end.
    given : mapping
        What a run that goes on must have in common with the one that began.
    is_fresh : bool
        Forget what an earlier run left.

    Raises
    ------
    RunError
        If the folder holds something else.
    """

    def __init__(self, out: Path, given: Mapping[str, Any], is_fresh: bool = False) -> None:
        self.out = out
        self.inner = out / ".job"
        facts: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **given}))
        begun = self.inner / "job.json"
        if not begun.is_file() and not _is_manifest(out / MANIFEST):
            be_empty(out, "no run's", but=".job")
        if is_fresh and out.is_dir():
            # In this order a kill leaves the old run, or a new one that is begun and has no old receipt.
            for name in ("receipts", "buckets"):
                _remove(self.inner / name)
            self.inner.mkdir(exist_ok=True)
            write_json(begun, facts)
            for name in (MANIFEST, *RESULT.values(), "inputs", "rejected"):
                _remove(out / name)
        self.facts = facts
        if (manifest := self.manifest) is not None:
            _compare(manifest["job"], facts, out)
            return
        self.inner.mkdir(parents=True, exist_ok=True)
        agree(begun, facts, out)

    @property
    def manifest(self) -> dict[str, Any] | None:
        """What a finished run says of itself; None while it is not."""
        path = self.out / MANIFEST
        return read_json(path, self.out) if path.is_file() else None

    @contextmanager
    def held(self, share: str = "") -> Iterator[None]:
        """Keep every other process away from this run, or from this share of it.

        Raises
        ------
        RunError
            If one is there.
        """
        with alone(self.inner / f"lock{share}", self.out):
            yield

    def receipts(self) -> dict[int, Receipt]:
        """Return the buckets that are done; a part that was changed or lost since is not."""
        found = {}
        for file in sorted((self.inner / "receipts").glob("[0-9]*.json")):
            receipt = read_json(file, self.out)
            if all(is_whole(self.out / part["file"], part["sha256"]) for part in receipt["parts"]):
                found[receipt["number"]] = receipt
        return found

    def finish(
        self,
        tables: Mapping[str, Table | None],
        receipts: Mapping[int, Receipt],
        run: str,
        engine: str,
        now: datetime,
    ) -> dict[str, Any]:
        """Write the manifest, once every bucket is done, and return it.

        Raises
        ------
        RunError
            If a record is neither matched nor an orphan, or an application neither decided nor rejected.
        """
        done = [receipts[number] for number in sorted(receipts)]
        parts = [part for receipt in done for part in receipt["parts"]]
        rows = Counter({RESULT[self.facts["command"]]: 0})
        for part in parts:
            rows[part["kind"]] += part["rows"]
        scores = sorted({receipt["kernel"] for receipt in done})
        manifest = {
            "run": run,
            "job": self.facts,
            "finished": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "engine": {"name": engine, "scores": scores, "machine": platform.machine()},
            "libraries": {name: version(name) for name in ("numpy", "polars", "pyarrow")},
            "tables": {name: _counted(name, table, done) for name, table in tables.items()},
            "applications": sum(receipt["applications"] for receipt in done),
            "rejected": sum(receipt["rejected"] for receipt in done),
            "rows": rows,
            "parts": parts,
        }
        check_counts(manifest)
        for draft in self.out.glob("*/.part-*.parquet.*"):  # of a process that was killed
            draft.unlink(missing_ok=True)
        write_json(self.out / MANIFEST, manifest)
        shutil.rmtree(self.inner / "receipts")
        return manifest


def agree(path: Path, facts: Mapping[str, Any], place: Path) -> None:
    """Write down what is begun, or check that it is what was begun.

    Raises
    ------
    RunError
        If it is not.
    """
    facts = json.loads(json.dumps(facts))
    if path.is_file():
        _compare(read_json(path, place), facts, place)
    else:
        write_json(path, facts)


@contextmanager
def alone(lock: Path, place: Path) -> Iterator[None]:
    """Keep every other process away from a place.

    Raises
    ------
    RunError
        If one is there.
    """
    try:
        file = open_lock(lock)
    except IrregularError as error:
        raise RunError(f"{lock} cannot be locked: {error}; take it away.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"another process is at work in {place}; wait until it has ended.") from None
        yield


def be_empty(folder: Path, what: str, but: str = "") -> None:
    """Check that nothing is in a folder: what is somebody else's is neither mixed with nor removed.

    Raises
    ------
    RunError
        If something is.
    """
    if folder.is_dir() and any(entry.name != but for entry in folder.iterdir()):
        raise RunError(f"{folder} holds files that are {what}; give a folder that is new or empty.")


def read_json(path: Path, place: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    RunError
        If it was damaged since.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged; give another folder than {place}, or --fresh to begin anew.")
    return found


def _compare(found: Mapping[str, Any], facts: Mapping[str, Any], place: Path) -> None:
    if other := [name for name in facts if found.get(name) != facts[name]]:
        what = OTHER.get(other[0], f"another {other[0]}")
        raise RunError(
            f"{place} holds a run with {what}; repeat that command to finish it, give another folder, or "
            "--fresh to begin anew."
        )


def keep(out: Path, number: int, bucket: ApplicantBucket, done: Done, kernel: str) -> Receipt:
    """Put what came of a bucket away, whole or not at all; the receipt comes last."""
    parts = []
    for kind, table in done.tables.items():
        if kind == "rejected" and not table.height:
            continue
        file = out / kind / f"part-{number:06d}.parquet"
        file.parent.mkdir(exist_ok=True)
        replace(file, partial(table.write_parquet, compression_level=1))
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        name = file.relative_to(out).as_posix()
        parts.append(
            {"kind": kind, "file": name, "rows": table.height, "bytes": file.stat().st_size, "sha256": digest}
        )
    receipt = {
        "number": number,
        "kernel": kernel,
        "applications": done.applications,
        "rejected": done.rejected,
        "matched": bucket.matched,
        "orphans": bucket.orphans,
        "parts": parts,
    }
    receipts = out / ".job" / "receipts"
    receipts.mkdir(exist_ok=True)
    write_json(receipts / f"{number:06d}.json", receipt)
    return receipt


def check_counts(manifest: Mapping[str, Any]) -> None:
    """Check that nothing was lost: records read = matched + orphans, applications = decided + rejected.

    Raises
    ------
    RunError
        If something was.
    """
    for name, said in manifest["tables"].items():
        if said is not None and said["read"] != said["matched"] + said["orphans"]:
            raise RunError(
                f"{name}: {said['read']} records were read, {said['matched']} matched and {said['orphans']} "
                "without an application; report this."
            )
    result = RESULT[manifest["job"]["command"]]
    if manifest["applications"] != manifest["rows"][result] + manifest["rejected"]:
        raise RunError(
            f"{manifest['applications']} applications were read, {manifest['rows'][result]} are in {result}/ "
            f"and {manifest['rejected']} were rejected; report this."
        )


def is_whole(path: Path, sha256: str) -> bool:
    """Say whether a file is there as it was written."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _counted(name: str, table: Table | None, done: list[Receipt]) -> dict[str, Any] | None:
    if table is None:
        return None
    if name == "application":
        matched, orphans = sum(receipt["applications"] for receipt in done), 0
    else:
        matched = sum(receipt["matched"][name] for receipt in done)
        orphans = sum(receipt["orphans"][name] for receipt in done) + table["ownerless"]
    return {"read": table["records"], "matched": matched, "orphans": orphans, "files": table["files"]}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    replace(path, lambda draft: draft.write_text(json.dumps(value, indent=1), encoding="utf-8"))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, sync it and move it there: a broken attempt leaves what was."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:  # which polars' Parquet writer makes of a full disk
        raise unusable(error, path) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def unusable(error: Exception, place: Path) -> RunError:
    """Say of an error of the system what it means, where, and what to do."""
    where = getattr(error, "filename", None) or place
    if FULL.search(str(error)):
        return RunError(f"no room is left for {where}; make room, and the same command goes on from here.")
    why = getattr(error, "strerror", None) or error
    return RunError(f"{where} cannot be used ({why}); let this user read and write it.")


def _is_manifest(path: Path) -> bool:
    with suppress(OSError, ValueError, TypeError):
        return "job" in json.loads(path.read_text(encoding="utf-8"))
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
