"""The one door to a file that somebody names: it is opened if it is a regular one, and never waited for.

A FIFO under the name of a file would hang its reader, a device would never end.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path


class IrregularError(OSError):
    """What stands under a name is no regular file."""

    def __str__(self) -> str:
        """Return the sentence alone: no call of the system failed."""
        return str(self.strerror)


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, without ever waiting for it.

    Raises
    ------
    IrregularError
        If it is a folder, a FIFO, a socket or a device, or a link to one.
    OSError
        If it cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a device must not even be opened
        raise IrregularError(0, "it is no regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it was changed for another meanwhile
        os.close(descriptor)
        raise IrregularError(0, "it is no regular file")
    return os.fdopen(descriptor, "rb")


def open_lock(path: Path) -> FileIO:
    """Open a file to be locked, and make it if there is none; raises as `open_regular`."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise IrregularError(0, "it is no regular file")
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IrregularError(0, "it is no regular file")
    return FileIO(descriptor, "r+")


def read_regular(path: Path) -> bytes:
    """Return what a regular file holds; raises as `open_regular`."""
    with open_regular(path) as file:
        return file.read()


def read_small(path: Path, limit: int) -> bytes:
    """Return what a regular file holds, but no more than so many bytes."""
    with open_regular(path) as file:
        return file.read(limit)
