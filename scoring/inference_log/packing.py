"""Closed files of the log, compressed: ``X.jsonl`` becomes ``X.jsonl.zst``, and who reads sees no difference.

The chain and its anchors speak of the lines, not of the bytes on the disk, so nothing about them changes. The
tables that a file's lines bind, ``X.t0.arrow``, are packed in the same way, just before it. A
packed file is written beside (``.part``), read back and compared, synced and renamed, and only then the plain
one goes: a crash at any moment leaves one of the two whole. While both are there, the plain one counts.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from scoring.inference_log.compressed import (
    MOST,
    UNPACKED_BYTES,
    DamagedError,
    pack_bytes,
    skip,
    unpacked,
)
from scoring.inference_log.disk import create, lines, named, sync_folder, write_all
from scoring.regular import open_regular

LOG, PACKED, PART, DRAFT = ".jsonl", ".zst", ".part", ".erasing"
WAIT_S = 0.02  # between two looks at a file that is being packed
BLOCK = 2**20  # packed at a time: a block is unpacked without those before it, in 2 ms
TABLE_BLOCK = MOST  # of a table, which is read whole: what its columns have in common is said once
_TABLE = re.compile(rb'"table":\{"file":"([^"/]+\.arrow)"')


def packed(path: Path) -> Path:
    """Return where a file of the log lies when it is packed."""
    return path.with_name(f"{path.name}{PACKED}")


def place(path: Path) -> Path:
    """Return where a file of the log lies now, packed or not."""
    other = packed(path)
    return other if not os.path.lexists(path) and os.path.lexists(other) else path


def written_as(path: Path) -> Path:
    """Return the name that a file of the log was written under, whether this one is it or its packed one."""
    return path.with_suffix("") if path.suffix == PACKED else path


def log_files(folder: Path) -> list[Path]:
    """Return the log's files under the names that they were written under, in order, packed ones too."""
    return sorted({*named(folder, LOG), *map(written_as, named(folder, f"{LOG}{PACKED}"))})


def open_log(path: Path, offset: int = 0) -> BufferedReader:
    """Open a file of the log by its name as it was written, at a byte of it; raises as `open_regular`."""
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return unpacked(open_regular(packed(path)), offset)
    file.seek(offset)
    return file


def length(path: Path) -> int:
    """Return how many bytes a file of the log has as it was written, as far as it is whole; 0 without one."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        with suppress(OSError), open_regular(packed(path)) as file:
            return skip(file, math.inf)
    return 0


def remove(path: Path) -> None:
    """Remove a file of the log, packed or not; in this order, `pack` cannot bring it back."""
    for one in (path, packed(path), _part(path), path.with_name(f"{path.name}{PACKED}{DRAFT}")):
        one.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}{PACKED}{PART}")


def hold(descriptor: int) -> None:
    """Mark a file as being written by this process, for as long as it lives and has the file open."""
    with suppress(OSError):  # a file system without locks: then only what is closed is packed
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(file: BufferedReader) -> bool:
    """Say whether somebody writes a file at this moment, or packs it."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def pack(path: Path) -> bool:
    """Pack a file of the log that nobody writes any more, after its tables; say whether it was done.

    Raises
    ------
    OSError
        If one could not be written or did not come back as it was; the plain file stays then.
    """
    try:
        plain = open_regular(path)
    except OSError:
        return False  # gone, or nothing of ours
    if path.is_symlink():  # what it leads to would stay as it is
        plain.close()
        return False
    with plain:
        if os.fstat(plain.fileno()).st_size > UNPACKED_BYTES:
            return False
        try:
            fcntl.flock(plain, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False  # somebody writes or packs it
        if not _is(path, plain):
            return False  # another packed it meanwhile: what that one made must stay
        for table in tables(path, plain):
            pack_table(table)
        plain.seek(0)
        return _pack(path, plain, BLOCK)


def tables(path: Path, plain: BufferedReader) -> Iterator[Path]:
    """Give the tables that lines of a file bind."""
    for found in filter(None, map(_TABLE.search, lines(plain))):
        yield path.with_name(os.fsdecode(found[1]))


def pack_table(path: Path) -> None:
    """Pack a table that a line of the log binds, so that nobody writes it; raises as `pack`."""
    while True:
        try:
            plain = open_regular(path)
        except OSError:
            return  # it is packed, gone, or nothing of ours
        with plain:
            if path.is_symlink() or os.fstat(plain.fileno()).st_size > UNPACKED_BYTES:
                return
            fcntl.flock(plain, fcntl.LOCK_EX)  # who erases in it, or packs it, is soon done
            if _is(path, plain):
                _pack(path, plain, TABLE_BLOCK)
                return


def _pack(path: Path, plain: BufferedReader, block: int) -> bool:
    """Pack a file that this one alone has locked; False if it was purged meanwhile."""
    part = _part(path)
    part.unlink(missing_ok=True)  # of one who was killed
    _write_packed(_blocks(plain, block), os.fstat(plain.fileno()), part)
    part.rename(packed(path))
    sync_folder(path.parent)
    if not _is(path, plain):  # it was purged meanwhile, and must not come back
        packed(path).unlink(missing_ok=True)
        return False
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def _write_packed(blocks: Iterable[bytes], as_of: os.stat_result, to: Path) -> None:
    """Write blocks packed, as a file of the same times, and read them back; a failure leaves nothing."""
    descriptor = create(to)
    try:
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
            write_all(descriptor, pack_bytes(block))
        os.utime(descriptor, ns=(as_of.st_atime_ns, as_of.st_mtime_ns))  # when it was written last
        os.fsync(descriptor)
        with unpacked(open_regular(to)) as again:
            if hashlib.file_digest(again, "sha256").digest() != digest.digest():
                raise DamagedError("it does not come back as it was")
    except OSError:
        to.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _blocks(file: BufferedReader, size: int) -> Iterator[bytes]:
    """Give what a file holds, in blocks of a size."""
    return iter(lambda: file.read(size), b"")


def exchange(path: Path, draft: Path) -> None:
    """Put a draft in the place of a table, packed or not; of one that was purged the draft goes too.

    Raises
    ------
    OSError
        If it could not be written: what was done may be done again.
    """
    while os.path.lexists(path) or os.path.lexists(packed(path)):
        try:
            plain = open_regular(path)
        except FileNotFoundError:
            small = path.with_name(f"{path.name}{PACKED}{DRAFT}")
            small.unlink(missing_ok=True)
            with open_regular(draft) as new:
                _write_packed(_blocks(new, TABLE_BLOCK), os.fstat(new.fileno()), small)
            if packed(path).exists():
                small.rename(packed(path))
            small.unlink(missing_ok=True)
            break
        with plain:
            fcntl.flock(plain, fcntl.LOCK_EX)  # who packs it is soon done
            if _is(path, plain):
                for one in (packed(path), _part(path)):  # of one who was killed: the plain one counts
                    one.unlink(missing_ok=True)
                draft.rename(path)
                break
    sync_folder(path.parent)
    draft.unlink(missing_ok=True)


def overwrite(path: Path, instead: Sequence[tuple[int, bytes]]) -> bool:
    """Put bytes in the place of as many others in a file of the log, packed or not; False if it is gone.

    Parameters
    ----------
    path : Path
        As it was written. Another process may be writing, closing or packing it.
    instead : sequence of (int, bytes)
        Where, and what.

    Raises
    ------
    OSError
        If it could not be written: what was done may be done again.
    """
    while os.path.lexists(path) or os.path.lexists(packed(path)):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if _overwrite_packed(path, instead):
                return True
            continue
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_free = True
            except OSError:
                is_free = False  # somebody writes it, or packs it
            if not is_free and (_part(path).exists() or packed(path).exists()):
                time.sleep(WAIT_S)  # it is being packed
                continue
            for start, content in instead:
                os.pwrite(descriptor, content, start)
            os.fsync(descriptor)
            if is_free and os.path.lexists(path):
                packed(path).unlink(missing_ok=True)  # of one who was killed: it is as it was before
                _part(path).unlink(missing_ok=True)
        finally:
            os.close(descriptor)
        # Who began to pack it before this read what is gone; who begins now reads what stands there.
        if os.path.lexists(path) and (is_free or not _part(path).exists()):
            return True
    return False


def _overwrite_packed(path: Path, instead: Sequence[tuple[int, bytes]]) -> bool:
    draft = path.with_name(f"{path.name}{PACKED}{DRAFT}")
    draft.unlink(missing_ok=True)
    try:
        whole = open_regular(packed(path))
    except FileNotFoundError:
        return False
    with unpacked(whole) as old:
        _write_packed(_changed(old, instead), os.fstat(whole.fileno()), draft)
    if not packed(path).exists():  # it was purged meanwhile
        draft.unlink()
        return False
    draft.rename(packed(path))
    sync_folder(path.parent)
    return True


def _changed(file: BufferedReader, instead: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """Give what a file holds, with other bytes in some places."""
    done = 0
    for read in _blocks(file, BLOCK):
        block = bytearray(read)
        for start, content in instead:
            low, high = max(start, done), min(start + len(content), done + len(block))
            if low < high:
                block[low - done : high - done] = content[low - start : high - start]
        done += len(block)
        yield bytes(block)


def _is(path: Path, file: BufferedReader) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
