"""Closed files of the log, compressed: ``X.jsonl`` becomes ``X.jsonl.zst``, and who reads sees no difference.

The chain and its anchors speak of the lines, not of the bytes on the disk, so nothing about them changes. The
tables that a file's lines bind, ``X.t0.arrow``, are packed in the same way, just before it. A
packed file is written beside (``.part``), read back and compared, synced and renamed, and only then the plain
one goes: a crash at any moment leaves one of the two whole. While both are there, the plain one counts.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import math
import os
import re
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from scoring.inference_log.anchor import ANCHOR, read_anchor
from scoring.inference_log.disk import create, lines, named, sync_folder, write_all
from scoring.inference_log.record import HEADED
from scoring.regular import open_regular

LOG, PACKED, PART, DRAFT = ".jsonl", ".zst", ".part", ".erasing"
WAIT_S = 0.02  # between two looks at a file that is being packed
UNPACKED_BYTES = 2**28  # four times a full file, and little enough to be read through: what is longer stays
MOST = 2**24  # in a block that is read
BLOCK = 2**20  # packed at a time: a block is unpacked without those before it, in 2 ms
TABLE_BLOCK = MOST  # of a table, which is read whole: what its columns have in common is said once
LEVEL = 3  # zstd's own default: each further one costs more than it saves
_SIZES = struct.Struct("<IIQQ")  # a frame that zstd skips: mark, bytes that follow, then what is in them
_SKIPPED = 0x184D2A50
_SLACK = 2**16  # by which a frame of what cannot be packed is longer than that
BEHIND = 10  # niceness of the thread that packs: who decides goes first
REST_S = 1.0  # after the last table was written, before tables are packed
MOST_WAITING = 8  # closed files that wait for such a rest: beyond that the disk comes first
_TABLE = re.compile(rb'"table":\{"file":"([^"/]+\.arrow)"')


class DamagedError(OSError):
    """A packed file cannot be unpacked, or not to a file of a length that is ever written."""

    def __init__(self, why: str = "it is damaged and cannot be unpacked") -> None:
        super().__init__(0, why)


def pack_bytes(content: bytes | memoryview) -> bytes:
    """Return content as a block: a zstd frame, after one that zstd skips, which says how long both are."""
    import pyarrow as pa  # here: reading the first application does not wait for it

    frame: bytes = pa.Codec("zstd", compression_level=LEVEL).compress(content, asbytes=True)
    return _SIZES.pack(_SKIPPED, _SIZES.size - 8, len(content), len(frame)) + frame


def _sizes(file: IO[bytes], most: int) -> tuple[int, int] | None:
    """Read how long the next block of a packed file is, unpacked and packed; None at the end of the file."""
    said = file.read(_SIZES.size)
    if not said:
        return None
    if len(said) == _SIZES.size:
        mark, size, plain, frame = _SIZES.unpack(said)
        if (mark, size) == (_SKIPPED, _SIZES.size - 8) and plain <= most and frame <= plain + _SLACK:
            return plain, frame
    raise DamagedError


def unpack_bytes(file: IO[bytes], most: int) -> bytes | None:
    """Return what the next block of a packed file holds, None at the end.

    Raises
    ------
    DamagedError
        If it is none, or holds more than so many bytes, of which nothing is unpacked then.
    """
    import pyarrow as pa

    sizes = _sizes(file, most)
    if sizes is None:
        return None
    plain, frame = sizes
    packed = file.read(frame)
    try:
        content: bytes = pa.Codec("zstd").decompress(packed, plain, asbytes=True)
    except OSError:
        raise DamagedError from None
    return content


def _skip(file: IO[bytes], offset: float) -> int:
    """Go to the block of a packed file that has a byte of the plain one; return how much comes before it."""
    passed, start = 0, 0
    while sizes := _sizes(file, MOST):
        plain, frame = sizes
        if passed + plain > min(offset, UNPACKED_BYTES):
            break
        start = file.seek(frame, os.SEEK_CUR)
        passed += plain
    file.seek(start)
    return passed


class _Unpacked(io.RawIOBase):
    """The content of a packed file, as it is read: never more than a block of it in memory."""

    def __init__(self, file: BufferedReader, passed: int) -> None:
        self._file = file
        self._passed = passed
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def _next(self) -> bytes:
        block = unpack_bytes(self._file, MOST) or b""
        self._passed += len(block)
        if self._passed > UNPACKED_BYTES:
            raise DamagedError("it unpacks to more than any file that is written")
        return block

    def readall(self) -> bytes:
        rest, self._block = bytes(self._block), memoryview(b"")
        return b"".join([rest, *iter(self._next, b"")])

    def readinto(self, buffer: Any) -> int:
        if not self._block:
            self._block = memoryview(self._next())
        some = self._block[: len(buffer)]
        buffer[: len(some)] = some
        self._block = self._block[len(some) :]
        return len(some)

    def close(self) -> None:
        self._file.close()
        super().close()


def unpacked(file: BufferedReader, offset: int = 0) -> BufferedReader:
    """Return a reader of what a packed file holds from a byte on, which closes the file with itself.

    Reading raises a `DamagedError` where it cannot go on.
    """
    passed = _skip(file, offset) if offset else 0
    reader: BufferedReader[Any] = BufferedReader(_Unpacked(file, passed), 2**16)
    reader.read(offset - passed)
    return reader


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
            return _skip(file, math.inf)
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
        for table in _tables(path, plain):
            pack_table(table)
        plain.seek(0)
        return _pack(path, plain, BLOCK)


def _tables(path: Path, plain: BufferedReader) -> Iterator[Path]:
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
    _write_packed(plain, part, block)
    part.rename(packed(path))
    sync_folder(path.parent)
    if not _is(path, plain):  # it was purged meanwhile, and must not come back
        packed(path).unlink(missing_ok=True)
        return False
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def _write_packed(plain: BufferedReader, to: Path, size: int) -> None:
    """Write what a file holds packed, in blocks of a size, and read it back; a failure leaves nothing."""
    descriptor = create(to)
    try:
        digest = hashlib.sha256()
        while block := plain.read(size):
            digest.update(block)
            write_all(descriptor, pack_bytes(block))
        found = os.fstat(plain.fileno())
        os.utime(descriptor, ns=(found.st_atime_ns, found.st_mtime_ns))  # when it was written last
        os.fsync(descriptor)
        with unpacked(open_regular(to)) as again:
            if hashlib.file_digest(again, "sha256").digest() != digest.digest():
                raise DamagedError("it does not come back as it was")
    except OSError:
        to.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


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
                _write_packed(new, small, TABLE_BLOCK)
            if packed(path).exists():
                small.rename(packed(path))
            small.unlink(missing_ok=True)
            break
        with plain:
            fcntl.flock(plain, fcntl.LOCK_EX)  # who packs it is soon done
            if _is(path, plain):
                packed(path).unlink(missing_ok=True)  # of one who was killed: the plain one counts
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
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
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
    digest, done = hashlib.sha256(), 0
    try:
        whole = open_regular(packed(path))
    except FileNotFoundError:
        return False
    with unpacked(whole) as old:
        found = os.fstat(whole.fileno())
        descriptor = create(draft)
        try:
            while block := bytearray(old.read(BLOCK)):
                for start, content in instead:
                    low, high = max(start, done), min(start + len(content), done + len(block))
                    if low < high:
                        block[low - done : high - done] = content[low - start : high - start]
                done += len(block)
                digest.update(block)
                write_all(descriptor, pack_bytes(bytes(block)))
            os.utime(descriptor, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(descriptor)
            with unpacked(open_regular(draft)) as again:
                if hashlib.file_digest(again, "sha256").digest() != digest.digest():
                    raise DamagedError("it does not come back as it was")
            if not packed(path).exists():  # it was purged meanwhile
                draft.unlink()
                return False
            draft.rename(packed(path))
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
    sync_folder(path.parent)
    return True


def _is(path: Path, file: BufferedReader) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


FIRST_BYTES = 256  # of a file, among which its first line says of what form it is
HELD = (b'"schema_version":3', b'"kind":')  # a table or a note comes before any header


def left_plain(folder: Path, anchors: Path, key: bytes) -> Iterable[Path]:
    """Give the plain files of a log that nobody writes any more, or that `pack` finds to be held."""
    for path in named(folder, LOG):
        try:
            anchor = read_anchor(anchors / f"{path.name}{ANCHOR}", key)
            with open_regular(path) as file:
                # Who wrote the forms of before did not hold their files: only closed ones are safe.
                first = file.read(FIRST_BYTES)
                is_held = first.startswith(HEADED) or any(mark in first for mark in HELD)
        except (OSError, ValueError):
            continue
        if anchor is not None and (anchor.state == "closed" or (is_held and anchor.state == "open")):
            yield path


class Packer:
    """Packs closed files in a thread behind all others, and what was left plain by those who were killed.

    Parameters
    ----------
    folder, anchors : Path
        The log's folder, and that of its anchors.
    key : bytes
        The log's key.
    tell : callable
        Told why a file stays plain; its records are safe all the same.
    clock : callable
        Seconds from any fixed moment on.
    """

    def __init__(
        self,
        folder: Path,
        anchors: Path,
        key: bytes,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._busy = -math.inf  # when a table was written last
        self._closed = 0  # files that are not packed yet
        self._is_over = threading.Event()
        self._thread = ThreadPoolExecutor(1, "log-pack", _stand_back)
        self._thread.submit(self._pack_all, left_plain(folder, anchors, key))

    def add(self, path: Path) -> None:
        """Have a file packed that was just closed."""
        self._closed += 1
        self._thread.submit(self._pack_closed, path)

    def stand_back(self) -> None:
        """Rest for a while: tables are being written, and who asked for them waits."""
        self._busy = self._clock()

    def close(self) -> None:
        """Wait until all that was added is packed."""
        self._is_over.set()
        self._thread.shutdown(wait=True)

    def _pack_closed(self, path: Path) -> None:
        self._pack_all([path])
        self._closed -= 1

    def _rest(self) -> None:
        while self._clock() - self._busy < REST_S and self._closed <= MOST_WAITING:
            if self._is_over.wait(REST_S / 10):
                return

    def _pack_all(self, paths: Iterable[Path]) -> None:
        for path in paths:
            try:
                with open_regular(path) as plain:
                    for table in _tables(path, plain):
                        self._rest()
                        pack_table(table)
                pack(path)
            except OSError as error:
                self._tell(f"log {path.name}: it stays as it is, not compressed: {error.strerror}")


def _stand_back() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)
