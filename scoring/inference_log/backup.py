"""A copy of the log that can take its place: log, anchors and key, taken while services write, and verified.

In the folder of a backup: ``log/``, ``log-heads/`` and ``pseudonym.key``, as `python -m scoring.inference_log
verify` reads them anywhere. The index is not in it: it is made again from the log.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scoring.inference_log.anchor import ANCHOR, read_anchor
from scoring.inference_log.chain import Verification, verify
from scoring.inference_log.disk import create, make_folder, named, sync_folder, write_all, write_new
from scoring.inference_log.erasure import SUFFIX as ERASURE
from scoring.inference_log.keys import pseudonym_key
from scoring.inference_log.packing import log_files, place
from scoring.inference_log.record import LogError
from scoring.inference_log.table import table_files
from scoring.regular import open_regular

LOG, ANCHORS, KEY = "log", "log-heads", "pseudonym.key"
TRIES = 5  # an anchor is rewritten in place, a file is packed under another name: then it is looked at again
PIECE = 2**20


def back_up(log: Path, anchors: Path, key_file: Path, to: Path) -> Verification:
    """Copy a log into a folder that is not there yet, while whoever writes it goes on.

    What was answered before this was called is in the copy. A copy that does not verify is not kept.

    Returns
    -------
    Verification
        Of the copy.

    Raises
    ------
    LogError
        If the folder is there already, or the copy does not verify: the log does not either, or was purged
        meanwhile.
    OSError
        If something cannot be read or written.
    """
    key = pseudonym_key(key_file, is_new_allowed=False)
    _must_be_new(to)
    draft = to.with_name(f"{to.name}.part")
    shutil.rmtree(draft, ignore_errors=True)  # of one who was stopped
    try:
        for folder in (draft, draft / LOG, draft / ANCHORS):
            make_folder(folder)
        written = {path.name for path in log_files(log)}
        # Of every file the anchor first: what is written meanwhile stands behind it, as after a crash.
        begun = {path.name.removesuffix(ANCHOR) for path in named(anchors, ANCHOR)}
        for name in sorted(written | begun):
            _copy_anchor(anchors / f"{name}{ANCHOR}", draft / ANCHORS, key)
            _copy_file(log / name, draft / LOG)
        # A table is there before its line, and the record of an erasure says why lines and tables are others.
        for path in (*table_files(log), *named(log, ERASURE)):
            _copy_file(path, draft / LOG)
        write_new(draft / KEY, key, 0o600)
        verdict = verify(draft / LOG, draft / ANCHORS, key)
        _must_verify(verdict, "the copy is not kept; look at the log with verify, and say the same again")
        for folder in (draft / LOG, draft / ANCHORS, draft):
            sync_folder(folder)
        draft.rename(to)
        sync_folder(to.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return verdict


def restore(source: Path, log: Path, anchors: Path, key_file: Path) -> Verification:
    """Put a backup where a service looks for its log; nothing may stand there.

    Returns
    -------
    Verification
        Of what was restored.

    Raises
    ------
    LogError
        If the backup is not whole, or something stands where it belongs.
    OSError
        If something cannot be read or written.
    """
    if not (source / LOG).is_dir():
        raise LogError(f"{source} is no backup: it has no folder {LOG}.")
    key = pseudonym_key(source / KEY, is_new_allowed=False)
    _must_verify(verify(source / LOG, source / ANCHORS, key), "nothing is restored; take another backup")
    for folder in (log, anchors):
        _must_be_new(folder)
    if key_file.exists() and pseudonym_key(key_file, is_new_allowed=False) != key:
        raise LogError(f"{key_file} is another key than the backup's; move it away, it signs another log.")
    for name, folder in ((LOG, log), (ANCHORS, anchors)):
        make_folder(folder)
        for path in sorted((source / name).iterdir()):
            _copy(path, folder / path.name)
        sync_folder(folder)
    if not key_file.exists():
        make_folder(key_file.parent)
        write_new(key_file, key, 0o600)
    return verify(log, anchors, key)


def _must_be_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LogError(f"{folder} is there already; give a folder that is not, or move it away.")


def _must_verify(verdict: Verification, remedy: str) -> None:
    if verdict.faults:
        fault = verdict.faults[0]
        line = "" if fault.line is None else f", line {fault.line}"
        raise LogError(f"{fault.file.name}{line}: {fault.why}; {remedy}.")


def _copy_anchor(path: Path, to: Path, key: bytes) -> None:
    """Copy an anchor as it stands at one moment."""
    for last in reversed(range(TRIES)):
        try:
            anchor = read_anchor(path, key)
        except ValueError:
            if not last:
                raise LogError(f"{path.name} is no anchor of this log; see verify.") from None
            continue
        write_new(to / path.name, b"" if anchor is None else anchor.to_bytes(key))
        return


def _copy_file(path: Path, to: Path) -> None:
    """Copy a file of the log, plain or packed, whichever stands there; nothing if it was purged."""
    for _ in range(TRIES):
        there = place(path)
        if (to / there.name).exists():
            return  # a table that was packed after it was found, and again before
        try:
            _copy(there, to / there.name)
        except FileNotFoundError:
            continue  # packed since, or purged
        return


def _copy(path: Path, to: Path) -> None:
    """Copy a file as far as it is written now, and sync it."""
    with open_regular(path) as source:
        found = os.fstat(source.fileno())
        left, target = found.st_size, create(to)
        try:
            while left and (piece := source.read(min(left, PIECE))):
                write_all(target, piece)
                left -= len(piece)
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(target)
        finally:
            os.close(target)
