"""The log's files: bytes that are on the disk when a call returns, and reading that nothing can stop.

Others may write into a log's folder. So a file is created only where nothing stands yet and no link is
followed, and read only if it is a regular one: a FIFO or a device would hang the reader, or never end.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections import deque
from collections.abc import Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path

LINE_BYTES = 2**20  # longer than any record, and little enough to be held: what is longer is damage
FOLDER_MODE, FILE_MODE = 0o750, 0o640
_BLOCK = 2**16


def make_folder(place: Path) -> None:
    """Make a folder, and those above, that others cannot enter, whatever the umask; what is there stays."""
    if not place.parent.exists():
        make_folder(place.parent)
    try:
        place.mkdir(FOLDER_MODE)
    except FileExistsError:
        if not place.is_dir():
            raise
    else:
        place.chmod(stat.S_IMODE(place.stat().st_mode) & 0o7000 | FOLDER_MODE)  # the group's bit is inherited


def create(path: Path, mode: int = FILE_MODE, flags: int = 0) -> int:
    """Open a file for writing that is not there yet, with its mode whatever the umask.

    Where a link stands, a file is there, wherever it leads.
    """
    flags |= os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    os.fchmod(descriptor, mode)
    return descriptor


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of the content: a nearly full disk takes a part and says so only by the count."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_new(path: Path, content: bytes | memoryview, mode: int = FILE_MODE) -> None:
    """Write and sync a file that is not there yet; a failure leaves none."""
    descriptor = create(path, mode)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a new file's name as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def named(folder: Path, suffix: str) -> list[Path]:
    """Return what a folder holds under names of a suffix, in their order; nothing if there is no folder.

    An OSError says that it cannot be read: `Path.glob` would say that nothing is there.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(folder / entry.name for entry in found if entry.name.endswith(suffix))
    except FileNotFoundError:
        return []


def lines(file: BufferedReader) -> Iterator[bytes]:
    """Give the lines that a file has now, each with its end but a torn last one, in bounded memory.

    Of a line that is longer than any record only the beginning is given: see `is_too_long`. What is added
    meanwhile is not read: a writer may be in the middle of it.
    """
    try:
        left = os.fstat(file.fileno()).st_size - file.tell()
    except io.UnsupportedOperation:  # a packed one, to which nothing is added
        left = sys.maxsize
    while left > 0 and (line := file.readline(min(left, LINE_BYTES))):
        left -= len(line)
        rest = line
        while is_too_long(rest) and left > 0 and (rest := file.readline(min(left, LINE_BYTES))):
            left -= len(rest)
        yield line


def is_too_long(line: bytes) -> bool:
    """Say whether a line of `lines` is the beginning of one that is longer than any record."""
    return len(line) == LINE_BYTES and not line.endswith(b"\n")


def last_lines(file: BufferedReader, count: int | None) -> tuple[Iterator[bytes], bool]:
    """Give the first line of a file, its last ones after it, and whether these are known to be all.

    The end of a plain file is searched for from behind; a packed one is unpacked from its beginning. None
    gives all of them.
    """
    if count is None:
        return lines(file), True
    every = lines(file)
    first = next(every, b"")
    if not file.seekable():
        return chain([first], deque(every, count)), False
    if _seek_last(file, count):
        return lines(file), True
    return chain([first], lines(file)), False


def _seek_last(file: BufferedReader, count: int) -> bool:
    """Go to where the last lines of a file begin, searching from its end; say whether these are all."""
    start = os.fstat(file.fileno()).st_size
    file.seek(max(start - 1, 0))
    ends = -1 if file.read(1) == b"\n" else 0  # the end of the last line begins none
    while start > 0:
        size = min(_BLOCK, start)
        start -= size
        file.seek(start)
        block = file.read(size)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            ends += 1
            if ends == count:
                file.seek(start + at + 1)
                return False
    file.seek(0)
    return True
